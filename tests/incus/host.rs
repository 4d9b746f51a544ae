//! Servers that the claims are made about.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use github_runners::machines::incus::{Connection, Endpoint, Image, Incus, Kind, Limits, Owner, Specification};
use github_runners::machines::{Fault, Machines as _};

use crate::stand_in::{Durations, FINGERPRINT, Flavor, IMAGE, PROFILE, PROJECT, Rule, StandIn, Then};

/// The directory in which `tests/machine/garm` writes down what there is: `client.crt`, `client.key`, `server.crt`,
/// `fingerprint` and the name of the server's unit in `unit`.
const DIRECTORY: &str = "INCUS_ON_BOOTED_HOST";
/// The socket there.
const SOCKET: &str = "INCUS_SOCKET";

pub const CONTROLLER: &str = "c0ffee00-0000-4000-8000-000000000001";
pub const POOL: &str = "ee8cd594-68d9-4ed1-a7cc-a752b52af76f";

/// One server.
pub enum Host {
    StandIn(StandIn),
    Real { socket: PathBuf, directory: PathBuf },
}

impl Host {
    /// The real one if there is one; otherwise a stand-in for each kind, whose operations take a while.
    pub fn all() -> Vec<Self> {
        if let (Some(directory), Some(socket)) = (env::var_os(DIRECTORY), env::var_os(SOCKET)) {
            return vec![Self::Real { socket: socket.into(), directory: directory.into() }];
        }
        let stand_in = |flavor| {
            let server = StandIn::start(flavor);
            let some = Duration::from_millis(100);
            server.with(|state| state.console = "guest is up\n".into());
            server.take(Durations {
                download: some,
                create: some,
                start: some,
                stop: some,
                delete: some,
                address: some,
            });
            Self::StandIn(server)
        };
        Flavor::BOTH.map(stand_in).into()
    }

    pub fn socket(&self) -> PathBuf {
        match self {
            Self::StandIn(server) => server.socket(),
            Self::Real { socket, .. } => socket.clone(),
        }
    }

    fn open(&self, project: &str, controller: &str, pool: &str) -> Incus {
        let connection = Connection { endpoint: Endpoint::Socket(self.socket()), project: project.into() };
        Incus::open(&connection, Owner { controller: controller.into(), pool: Some(pool.into()) }).unwrap()
    }

    /// A client of the usual controller. Each claim has a pool of its own.
    pub fn client(&self, pool: &str) -> Incus {
        self.open(PROJECT, CONTROLLER, pool)
    }

    /// One of this controller, for the instances that something else made for it.
    #[cfg(feature = "ctl")]
    pub fn own(&self, pool: &str, controller: &str) -> Incus {
        self.open(PROJECT, controller, pool)
    }

    /// Somebody else's.
    pub fn stranger(&self) -> Incus {
        self.open(PROJECT, "somebody else", POOL)
    }

    /// One of another project.
    pub fn elsewhere(&self, project: &str) -> Incus {
        self.open(project, CONTROLLER, POOL)
    }

    /// How a client with a certificate for the usual project reaches it.
    pub fn https(&self) -> Endpoint {
        match self {
            Self::StandIn(server) => {
                let trusted = server.trust(PROJECT);
                Endpoint::Https {
                    url: trusted.url,
                    client_certificate: trusted.certificate,
                    client_key: trusted.key,
                    server_certificate: Some(trusted.server),
                    ca: None,
                }
            }
            Self::Real { directory, .. } => Endpoint::Https {
                url: "https://127.0.0.1:8443".into(),
                client_certificate: directory.join("client.crt"),
                client_key: directory.join("client.key"),
                server_certificate: Some(directory.join("server.crt")),
                ca: None,
            },
        }
    }

    /// The fingerprint of the image of a container.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::StandIn(_) => FINGERPRINT.into(),
            Self::Real { directory, .. } => {
                std::fs::read_to_string(directory.join("fingerprint")).unwrap().trim().to_owned()
            }
        }
    }

    /// A profile with which no instance starts.
    pub fn broken_profile(&self) -> &'static str {
        if let Self::StandIn(server) = self {
            let why = "Failed to run: forkstart garm-project_broken-1: exit status 1";
            server.inject(Rule::new("PUT", "/broken-1/state", Then::FailOperation(why)));
            server.inject(Rule::new("POST", "/instances", Then::FailOperation(why)));
            return PROFILE;
        }
        "garm-broken"
    }

    /// Starts the server again.
    pub fn restart(&self) {
        match self {
            Self::StandIn(server) => server.restart(Duration::from_millis(200)),
            Self::Real { directory, .. } => {
                let unit = std::fs::read_to_string(directory.join("unit")).unwrap();
                let status = Command::new("systemctl").args(["restart", unit.trim()]).status().unwrap();
                assert!(status.success(), "{status}");
            }
        }
    }

    /// Waits until a server that was started again answers.
    pub fn wait(&self) {
        let client = self.client(POOL);
        crate::wait::wait_for("the server", || client.list().ok().map(drop));
    }
}

pub fn specification(name: &str) -> Specification {
    Specification {
        name: name.into(),
        kind: Kind::Container,
        architecture: "x86_64".into(),
        profiles: vec!["default".into(), PROFILE.into()],
        image: Image::Local(IMAGE.into()),
        user_data: "#cloud-config\n{\"runcmd\":[\"true\"]}".into(),
        os_type: "linux".into(),
        os_arch: "amd64".into(),
        secure_boot: false,
        description: "Github runner provisioned by garm".into(),
        limits: Limits::default(),
        network: None,
        target: None,
    }
}

/// The names of all instances that a client lists.
pub fn names(client: &Incus) -> Vec<String> {
    client.list().unwrap().into_iter().map(|instance| instance.name).collect()
}

/// Whether there is none of this name.
pub fn is_missing(client: &Incus, name: &str) -> bool {
    matches!(client.get(name), Err(Fault::NotFound(_)))
}
