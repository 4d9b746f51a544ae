//! Requests to one server: over TLS to a host, as GitHub's interface needs them, and through a socket or with a certificate of
//! the client, as Incus and LXD do.
//!
//! The credential goes into one header only: never into an address, a log line or an error. Redirects are not followed,
//! answers are capped. Nothing here reads files, but for the certificates that the system trusts, and nothing here repeats
//! a request: that is for whoever knows what it does at the server.

mod bypass;
mod call;
mod channel;
mod exchange;
mod fault;
#[cfg(feature = "ctl")]
mod https;
#[cfg(feature = "ctl")]
mod post;
mod proxy;
mod roots;
#[cfg(feature = "ctl")]
mod runner;
mod socket;
pub mod time;
mod tls;

pub use call::{Broken, Call, Effect, Method, Response, Surroundings, Transport};
pub use channel::{Channel, NoWay};
pub use exchange::Service;
#[cfg(feature = "ctl")]
pub use https::Https;
#[cfg(feature = "ctl")]
pub use post::{Form, Post};
pub use tls::{Identity, Unusable};
