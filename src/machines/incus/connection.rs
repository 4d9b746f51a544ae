//! Where instances are made, and whose they are. Pure.

use std::path::PathBuf;

/// Where instances are made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    /// How the server is reached.
    pub endpoint: Endpoint,
    /// The project, which has to exist.
    pub project: String,
}

/// How a server is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// At its socket, as whoever the socket lets in. No proxy is on that way.
    Socket(PathBuf),
    /// Over the network, with a certificate that the server trusts. Proxies of the environment hold.
    Https {
        /// `https://HOST:PORT`, without a path.
        url: String,
        /// The certificate of the client, as PEM.
        client_certificate: PathBuf,
        /// Its key, as PEM. Nothing of it is ever in an error.
        client_key: PathBuf,
        /// The one certificate that the server may have, by whatever name it is reached.
        server_certificate: Option<PathBuf>,
        /// The authority that signed the server's certificate. Without either the system's authorities are believed.
        ca: Option<PathBuf>,
    },
}

/// Whose instances are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The id of the controller: tag `user.runner-controller-id`. An opaque text.
    pub controller: String,
    /// The id of the pool: tag `user.runner-pool-id`. An opaque text, and needed to create. Without one instances of all pools
    /// are listed. Instances are named by the controller alone when they are deleted, started and stopped.
    pub pool: Option<String>,
}
