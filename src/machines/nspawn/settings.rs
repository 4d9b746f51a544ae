//! What the operator configured for the machines: the key `machines` of the settings file.
//!
//! One text for everybody: the NixOS module renders it, and elsewhere it is written by hand. So what is not known is
//! an error that names it, and what can never work is refused when the file is read and not when the first job comes.

mod valid;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::sys::{LastLink, read_regular_file};

/// Where the settings are.
pub const FILE: &str = "/etc/gitlab-nspawn/settings.json";

/// The settings are a few hundred bytes for each image.
const MAX_SIZE: u64 = 1 << 20;

/// Where distributions keep which ids belong to whom.
pub const GIVEN: [&str; 2] = ["/etc/subuid", "/etc/subgid"];

/// How many ids a machine has.
pub const RANGE: u32 = 65_536;

/// Above the range that systemd draws for containers, which ends before it; see <https://systemd.io/UIDS-GIDS/>.
const FIRST_BASE: u32 = 1_879_048_192;

/// All that the machines need to know.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What machines are made from, by name.
    pub images: BTreeMap<String, Image>,
    /// What a machine may use up.
    #[serde(default)]
    pub limits: Limits,
    /// What a machine reaches.
    #[serde(default)]
    pub network: Network,
    /// Nodes of devices beside the usual ones, such as `/dev/kvm`.
    #[serde(default)]
    pub devices: Devices,
    /// Where jobs keep files for the next job of their project. Without it nothing outlives a machine.
    #[serde(default)]
    pub cache: Option<CacheStore>,
    /// A `gitlab-runner` program of the host, put into the path of machines. It has to be static.
    #[serde(default)]
    pub gitlab_runner: Option<PathBuf>,
    /// The first id of the first range. The first range is that of caches; machines have the ones after it.
    #[serde(default = "first_base")]
    pub uid_base: u32,
    /// How many machines there can be at a time.
    #[serde(default = "slots")]
    pub slots: u32,
    /// After how many seconds without a stage a machine ends: one whose driver was killed on its way to the end. gitlab-runner
    /// needs seconds between two stages. Only tests have another number.
    #[serde(default = "idle")]
    pub idle: u64,
    /// Where sockets and what lives as long as a machine are. Only tests have another one.
    #[serde(default = "run_directory")]
    pub run_directory: PathBuf,
    /// Where files of machines are while they exist.
    #[serde(default = "state_directory")]
    pub state_directory: PathBuf,
}

/// A root file system.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// Where it comes from.
    #[serde(flatten)]
    pub source: Source,
    /// Whether its init is started. Without it the agent is the first process.
    #[serde(default = "yes")]
    pub boot: bool,
    /// Whether jobs may use the Nix daemon of the host: they can then build whatever they like with the daemon's resources,
    /// outside their machine, and read every path of the store.
    #[serde(default)]
    pub nix_daemon: bool,
}

/// Where a root file system comes from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A directory of root, read-only for all machines.
    Root(PathBuf),
    /// The top level of a NixOS system in the store, which machines see read-only.
    System(PathBuf),
}

/// What one machine may use up. The unit's text has all but the last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// As `MemoryMax=` of systemd.
    pub memory: Option<String>,
    /// As `TasksMax=` of systemd.
    pub tasks: u32,
    /// As `CPUWeight=` of systemd.
    pub cpu_weight: Option<u32>,
    /// As `IOWeight=` of systemd.
    pub io_weight: Option<u32>,
    /// Keep what jobs write in memory, up to this size, as `size=` of tmpfs. Without it it is on the disk of the state directory.
    pub tmpfs: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: None, tasks: 16_384, cpu_weight: None, io_weight: None, tmpfs: None }
    }
}

/// Paths below `/dev`.
pub type Devices = Vec<PathBuf>;

/// What a machine reaches.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Network {
    /// Which one it has.
    pub mode: NetworkMode,
    /// Ports of the host that machines with a private network may reach.
    pub host_ports: Ports,
    /// Addresses of name servers, as machines see them. Empty: those of the host that are no loopback addresses.
    pub resolvers: Vec<core::net::IpAddr>,
}

/// Kinds of networks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// Loopback only.
    None,
    /// That of the host: also its loopback services and abstract sockets are open to jobs.
    Host,
    /// An interface of its own, and addresses that the host translates.
    #[default]
    Private,
}

/// Port numbers.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Ports {
    /// Of TCP.
    pub tcp: Vec<u16>,
    /// Of UDP.
    pub udp: Vec<u16>,
}

/// Where caches are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CacheStore {
    /// A directory of root that nobody else reaches.
    pub directory: PathBuf,
    /// A project's cache that has more bytes than this when a job begins or ends is emptied.
    pub limit: u64,
}

/// The part of the file that is read here. The rest belongs to the driver.
#[derive(Deserialize)]
struct File {
    machines: Settings,
}

/// Reads the settings file with `parse`, for whoever reads a part of it.
///
/// # Errors
///
/// If the file cannot be read, or `parse` fails; the text names the file.
pub fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let read = || match read_regular_file(path, MAX_SIZE, LastLink::Follow)? {
        Ok(Some(text)) => parse(&text),
        Ok(None) => bail!("there is no such file"),
        Err(fault) => bail!("it {fault}"),
    };
    read().with_context(|| format!("Failed to read the settings {}", path.display()))
}

impl Settings {
    /// Reads the machines' part of the settings file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or says what cannot work; the text names the key.
    pub fn read(path: &Path) -> Result<Self> {
        read(path, Self::parse)
    }

    /// As [`Settings::read`], from the content of the file.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub fn parse(text: &[u8]) -> Result<Self> {
        let File { machines } = serde_json::from_slice(text)?;
        machines.check()?;
        Ok(machines)
    }

    /// The image `name`, if it is one of those that are configured: the only way from a job's word to a path.
    #[must_use]
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.images.get(name)
    }

    /// The first user id after those of all machines.
    #[must_use]
    pub fn end_of_ids(&self) -> u64 {
        u64::from(self.uid_base) + u64::from(RANGE) * (u64::from(self.slots) + 1)
    }
}

fn yes() -> bool {
    true
}

fn first_base() -> u32 {
    FIRST_BASE
}

fn slots() -> u32 {
    256
}

/// gitlab-runner waits for nothing between two stages. The longest of its own patiences, for a stage that it cancels, is as long,
/// and then that stage is there.
fn idle() -> u64 {
    600
}

fn run_directory() -> PathBuf {
    super::protocol::RUN_DIRECTORY.into()
}

fn state_directory() -> PathBuf {
    "/var/lib/gitlab-nspawn".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn parsed(machines: &str) -> Result<Settings> {
        Settings::parse(format!(r#"{{"machines": {machines}, "defaultImage": "debian"}}"#).as_bytes())
    }

    #[test]
    fn the_shortest_settings_have_the_documented_defaults() {
        let settings = parsed(r#"{"images": {"debian": {"root": "/var/lib/images/debian"}}}"#).unwrap();
        let image = settings.image("debian").unwrap();
        assert_eq!(image.source, Source::Root("/var/lib/images/debian".into()));
        assert!(image.boot && !image.nix_daemon);
        assert_eq!(settings.image("../debian"), None);
        assert_eq!(settings.limits.tasks, 16_384);
        assert_eq!(settings.network.mode, NetworkMode::Private);
        assert_eq!(settings.uid_base, 1_879_048_192);
        assert_eq!(settings.run_directory, Path::new("/run/gitlab-nspawn"));
    }

    #[test]
    fn everything_can_be_said() {
        let settings = parsed(
            r#"{"images": {"nixos": {"system": "/nix/store/0-system", "boot": true, "nixDaemon": true}},
                "limits": {"memory": "4G", "tasks": 100, "cpuWeight": 50, "ioWeight": 50, "tmpfs": "50%"},
                "network": {"mode": "host", "hostPorts": {"tcp": [8080], "udp": [53]}, "resolvers": ["192.0.2.1", "2001:db8::1"]},
                "devices": ["/dev/kvm"], "cache": {"directory": "/var/cache/gitlab-nspawn", "limit": 1000000},
                "gitlabRunner": "/usr/bin/gitlab-runner", "uidBase": 65536, "slots": 4, "idle": 60,
                "runDirectory": "/run/other", "stateDirectory": "/var/lib/other"}"#,
        )
        .unwrap();
        assert_eq!(settings.network.host_ports.tcp, [8080]);
        assert_eq!(settings.images["nixos"].source, Source::System("/nix/store/0-system".into()));
    }
}
