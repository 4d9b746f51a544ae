//! The real Incus of this machine, as its administrator sees it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::tools::{run, set_mode, wait_for};

/// The settings of the provider.
pub const SETTINGS: &str = r#"
unix_socket_path = "/var/lib/incus/unix.socket"
project_name = "garm-project"
include_default_profile = true
instance_type = "container"
"#;
/// What pools name.
pub const FLAVOR: &str = "garm-small";
/// One without a network. The provider waits ten seconds for an address, and takes the instance as it is.
pub const LONELY: &str = "garm-lonely";
pub const IMAGE: &str = "trixie";
/// An instance that nobody but the administrator made.
pub const FOREIGN: &str = "foreign";

/// The first process of each instance: it gives itself an address, and does nothing until it is ended.
const INIT: &str = "#!/bin/sh
busybox=/bin/busybox
$busybox ip link set eth0 up
$busybox ip addr add 10.77.0.2/24 dev eth0
exec $busybox sleep 1000000
";
const METADATA: &str = "architecture: x86_64
creation_date: 1700000000
properties:
  os: Debian
  release: trixie
";

/// An instance as the server shows it.
#[derive(Debug, Deserialize)]
pub struct Instance {
    pub name: String,
    pub status: String,
    /// Nothing while the instance is being deleted.
    config: Option<BTreeMap<String, String>>,
}

impl Instance {
    /// A value of its own configuration.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.config.as_ref()?.get(key).map(String::as_str)
    }
}

/// Does something in the project of the runners.
pub fn incus(words: &[&str]) -> Result<String> {
    run("incus", &[&["--project", "garm-project"], words].concat())
}

/// All instances of the project.
pub fn instances() -> Result<Vec<Instance>> {
    Ok(serde_json::from_str(&incus(&["list", "--format=json"])?)?)
}

/// What an operator sets up: storage, a project with its profiles, and an image of one program. Beside it an instance that is
/// none of GARM's.
pub fn prepare() -> Result<()> {
    wait_for("Incus", || Ok(run("incus", &["query", "/1.0"]).ok()))?;
    run("incus", &["storage", "create", "default", "dir"])?;
    run("incus", &["project", "create", "garm-project", "-c", "features.images=false"])?;
    incus(&["profile", "device", "add", "default", "root", "disk", "pool=default", "path=/"])?;
    incus(&["profile", "create", FLAVOR])?;
    incus(&["profile", "device", "add", FLAVOR, "eth0", "nic", "nictype=p2p", "name=eth0"])?;
    incus(&["profile", "create", LONELY])?;
    let directory = tempfile::tempdir_in("/var/tmp")?;
    let image = image(directory.path())?;
    run("incus", &["image", "import", &image, "--alias", IMAGE])?;
    incus(&["launch", IMAGE, FOREIGN, "--profile", "default", "--profile", FLAVOR])?;
    Ok(())
}

/// Makes an image in `directory`, and tells the file that it is in.
fn image(directory: &Path) -> Result<String> {
    let root = directory.join("rootfs");
    for name in ["bin", "dev", "etc", "proc", "root", "sbin", "sys", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/sh"))?;
    fs::write(root.join("sbin/init"), INIT)?;
    set_mode(root.join("sbin/init"), 0o755)?;
    fs::write(directory.join("metadata.yaml"), METADATA)?;
    let (inside, file) = (directory.display().to_string(), directory.join("image.tar.gz").display().to_string());
    run("tar", &["--create", "--gzip", "--directory", &inside, "--file", &file, "metadata.yaml", "rootfs"])?;
    Ok(file)
}
