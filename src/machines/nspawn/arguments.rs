//! The command line of systemd-nspawn for one machine. Pure: what is decided here is shown by a table of tests.

use std::path::{Path, PathBuf};

use super::network::INSIDE;
use super::protocol::{HOME, USER_DATA};
use super::range::Slot;
use super::settings::{NetworkMode, RANGE};
use crate::machines::Token;

/// Where the store of a NixOS host is, and in a machine whose system lies in it.
pub const STORE: &str = "/nix/store";

/// Where the Nix daemon listens.
pub const NIX_DAEMON: &str = "/nix/var/nix/daemon-socket";

/// A machine with everything on the host that it is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which one.
    pub token: Token,
    /// Its ids and its interface.
    pub slot: Slot,
    /// The first of its ids.
    pub first_id: u32,
    /// Its merged root.
    pub root: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// The socket of its agent.
    pub socket: PathBuf,
    /// The program that the agent becomes; `None` if the agent stays the first process.
    pub init: Option<PathBuf>,
    /// The store of the host, or a copy of its mount with other ids, if the system lies in it.
    pub store: Option<PathBuf>,
    /// Whether jobs reach the host's Nix daemon.
    pub nix_daemon: bool,
    /// What it reaches.
    pub network: NetworkMode,
    /// Nodes beside the usual ones, each with its name in the machine.
    pub devices: Vec<(PathBuf, PathBuf)>,
    /// The mounted cache of its project.
    pub cache: Option<PathBuf>,
    /// A program of the host.
    pub gitlab_runner: Option<PathBuf>,
    /// The file with its user data, which nspawn reads before anything of the image runs.
    pub user_data: Option<PathBuf>,
}

impl Plan {
    /// The name that the machine has for systemd and for itself.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.token)
    }

    /// All arguments of `systemd-nspawn`, the program's name not included.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--quiet",
            // Files beside an image or in /etc could change everything that follows.
            "--settings=no",
            // The unit of the job holds everything, with its limits; see `units`.
            "--keep-unit",
            // Nobody needs to find the machine by its name, and what was killed would stay registered.
            "--register=no",
            "--notify-ready=yes",
            "--console=read-only",
            "--link-journal=no",
            "--timezone=off",
            "--resolv-conf=off",
            "--private-users-ownership=off",
        ]
        .map(String::from)
        .into();
        arguments.push(format!("--private-users={}:{RANGE}", self.first_id));
        arguments.push(format!("--machine={}", self.name()));
        arguments.push(format!("--directory={}", self.root.display()));
        match self.network {
            NetworkMode::None => arguments.push("--private-network".into()),
            NetworkMode::Host => {}
            NetworkMode::Private => {
                arguments.push(format!("--network-veth-extra={}:{INSIDE}", self.slot.interface()));
            }
        }
        // Never the data itself: everybody on the host can read a command line.
        arguments.extend(self.user_data.iter().map(|file| format!("--load-credential={USER_DATA}:{}", file.display())));
        let mut bind = |option: &str, source: &Path, target: &str| {
            arguments.push(format!("--{option}={}:{target}", source.display()));
        };
        bind("bind-ro", &self.program, &format!("{HOME}/agent"));
        bind("bind-ro", &self.socket, &format!("{HOME}/socket"));
        if let Some(store) = &self.store {
            bind("bind-ro", store, STORE);
        }
        if self.nix_daemon {
            bind("bind-ro", Path::new(NIX_DAEMON), NIX_DAEMON);
        }
        if let Some(program) = &self.gitlab_runner {
            bind("bind-ro", program, &format!("{HOME}/bin/gitlab-runner"));
        }
        if let Some(cache) = &self.cache {
            bind("bind", cache, "/cache");
        }
        for (node, name) in &self.devices {
            bind("bind", node, &name.display().to_string());
        }
        arguments.extend(["--".into(), format!("{HOME}/agent"), "agent".into()]);
        arguments.extend(self.init.iter().map(|init| init.display().to_string()));
        arguments
    }

    /// Variables of stages that depend on the machine.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let nix = self.nix_daemon.then(|| ("NIX_REMOTE".to_owned(), "daemon".to_owned()));
        nix.into_iter().collect()
    }
}

/// The name that the machine of a job has for systemd and for itself.
#[must_use]
pub fn name(token: Token) -> String {
    format!("gl-{token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            token: Token(4711),
            slot: Slot(2),
            first_id: 1_879_179_264,
            root: "/var/lib/gitlab-nspawn/jobs/4711/root".into(),
            program: "/usr/bin/gitlab-nspawn-executor".into(),
            socket: "/run/gitlab-nspawn/jobs/4711/agent".into(),
            init: Some("/sbin/init".into()),
            store: None,
            nix_daemon: false,
            network: NetworkMode::Private,
            devices: vec![],
            cache: None,
            gitlab_runner: None,
            user_data: None,
        }
    }

    #[test]
    fn a_machine_has_nothing_of_the_host_but_its_agent_and_the_socket() {
        insta::assert_snapshot!(plan().arguments().join("\n"), @r"
        --quiet
        --settings=no
        --keep-unit
        --register=no
        --notify-ready=yes
        --console=read-only
        --link-journal=no
        --timezone=off
        --resolv-conf=off
        --private-users-ownership=off
        --private-users=1879179264:65536
        --machine=gl-4711
        --directory=/var/lib/gitlab-nspawn/jobs/4711/root
        --network-veth-extra=glnspawn2:host0
        --bind-ro=/usr/bin/gitlab-nspawn-executor:/run/ci-machine/agent
        --bind-ro=/run/gitlab-nspawn/jobs/4711/agent:/run/ci-machine/socket
        --
        /run/ci-machine/agent
        agent
        /sbin/init
        ");
        assert!(plan().environment().is_empty());
    }

    #[test]
    fn each_thing_that_is_configured_adds_what_it_says_and_no_more() {
        let bare = plan().arguments();
        let added = |change: fn(&mut Plan)| {
            let mut plan = plan();
            change(&mut plan);
            plan.arguments().into_iter().filter(|argument| !bare.contains(argument)).collect::<Vec<_>>()
        };
        assert_eq!(added(|plan| plan.network = NetworkMode::None), ["--private-network"]);
        assert!(added(|plan| plan.network = NetworkMode::Host).is_empty());
        assert_eq!(added(|plan| plan.devices = vec![("/m".into(), "/dev/kvm".into())]), ["--bind=/m:/dev/kvm"]);
        assert_eq!(added(|plan| plan.cache = Some("/m".into())), ["--bind=/m:/cache"]);
        assert_eq!(added(|plan| plan.store = Some("/m".into())), ["--bind-ro=/m:/nix/store"]);
        assert_eq!(
            added(|plan| plan.nix_daemon = true),
            ["--bind-ro=/nix/var/nix/daemon-socket:/nix/var/nix/daemon-socket"]
        );
        assert_eq!(
            added(|plan| plan.gitlab_runner = Some("/usr/bin/gitlab-runner".into())),
            ["--bind-ro=/usr/bin/gitlab-runner:/run/ci-machine/bin/gitlab-runner"]
        );
        assert_eq!(
            added(|plan| plan.user_data = Some("/run/gitlab-nspawn/jobs/4711/user-data".into())),
            ["--load-credential=github-runner.user-data:/run/gitlab-nspawn/jobs/4711/user-data"]
        );
        assert_eq!(Plan { nix_daemon: true, ..plan() }.environment(), [("NIX_REMOTE".to_owned(), "daemon".to_owned())]);
        let unbooted = Plan { init: None, ..plan() };
        assert_eq!(unbooted.arguments().last().map(String::as_str), Some("agent"));
        let host = Plan { network: NetworkMode::Host, ..plan() };
        assert!(!host.arguments().iter().any(|argument| argument.contains("network")));
    }
}
