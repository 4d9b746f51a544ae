//! The root file system of a machine: the image below, read-only and with other user ids, and a layer for the job above.
//!
//! overlayfs cannot be mounted with other ids, but its lower layer can: the image's files, which belong to root on the disk,
//! belong to the machine's root in this mount. What the job writes belongs to ids of its range on the disk as well, so a
//! set-user-id program of a job is one of a user that nobody is. Nothing is copied, and the image is never written.
//!
//! All mounts are made in a mount namespace that nobody but the unit of this job has: they are gone with its last
//! process, however that ends.
//!
//! The one system call that no safe library of the core set has, `mount_setattr(2)`, is that of `composefs-ioctls`, of
//! the containers/composefs-rs project: 55 lines for this call, it links `rustix`, which we have, and `thiserror`.
//! `mount` of util-linux has `X-mount.idmap` since 2.39, which Debian 12 has not.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{CWD, FileType, Mode};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change, mount_remount, move_mount,
    open_tree,
};

use super::inner::UserNamespace;

/// Gives this process a mount namespace of its own, from which nothing reaches the one of the host.
///
/// # Errors
///
/// If the kernel refuses.
pub fn leave_the_host() -> Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).context("Failed to make a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("Failed to part the mounts from those of the host")
}

/// Mounts `source` on `target` with other user ids, as `namespace` maps them.
///
/// # Errors
///
/// If the file system of `source` cannot do that, or the kernel is older than 5.12.
pub fn mount_mapped(source: &Path, target: &Path, namespace: &UserNamespace) -> Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).with_context(|| format!("Failed to open {}", source.display()))?;
    composefs_ioctls::mount::mount_setattr_idmap(&tree, &namespace.file).with_context(|| {
        format!(
            "Failed to mount {} with other user ids: its file system has to be ext4, xfs, btrfs or tmpfs, and not overlayfs or NFS",
            source.display()
        )
    })?;
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("Failed to mount {}", target.display()))
}

/// Takes set-user-id programs and devices away from what is mounted on `target`.
///
/// # Errors
///
/// As `mount(2)`.
pub fn without_privileges(target: &Path) -> Result<()> {
    mount_remount(target, MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV, c"")
        .with_context(|| format!("Failed to take privileges away from {}", target.display()))
}

/// Makes a directory with exactly this mode, whatever the mask of this process: also users in a machine have to get
/// through its root.
fn make(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("Failed to make {}", path.display()))
}

/// The directories of one machine below its directory of files, which is root's alone.
#[derive(Clone, Debug)]
pub struct Layers {
    files: PathBuf,
    owner: u32,
}

impl Layers {
    /// Makes `files` and in it what a machine needs, for `owner`, the machine's root. With `size` it is in memory.
    ///
    /// # Errors
    ///
    /// If something of an earlier machine is there, or any step fails.
    pub fn new(files: PathBuf, owner: u32, size: Option<&str>) -> Result<Self> {
        make(&files, 0o700)?;
        if let Some(size) = size {
            let options = std::ffi::CString::new(format!("mode=0700,size={}", size.to_ascii_lowercase()))?;
            mount("tmpfs", &files, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())
                .with_context(|| format!("Failed to mount memory on {}", files.display()))?;
        }
        let layers = Self { files, owner };
        for (name, mode, is_its) in
            [("lower", 0o755, false), ("root", 0o755, false), ("upper", 0o755, true), ("work", 0o700, true)]
        {
            let path = layers.path(name);
            make(&path, mode)?;
            if is_its {
                layers.give(&path)?;
            }
        }
        Ok(layers)
    }

    /// One of the directories.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// Mounts the image below the job's layer, and returns the root of both.
    ///
    /// # Errors
    ///
    /// As [`mount_mapped`] and `mount(2)`.
    pub fn put_over(&self, image: &Path, namespace: &UserNamespace) -> Result<PathBuf> {
        mount_mapped(image, &self.path("lower"), namespace)?;
        let root = self.path("root");
        // `volatile`: what a machine wrote is never used after it, so the end does not wait for the disk.
        let options = format!(
            "lowerdir={},upperdir={},workdir={},volatile",
            self.path("lower").display(),
            self.path("upper").display(),
            self.path("work").display()
        );
        let options = std::ffi::CString::new(options)?;
        mount("overlay", &root, "overlay", MountFlags::NODEV, options.as_c_str())
            .with_context(|| format!("Failed to mount {}", root.display()))?;
        Ok(root)
    }

    /// Nodes for the devices of the host that are named, which belong to the machine's root: those of the host belong to
    /// nobody there, and often only their owner may open them. Each with the name that it has in the machine.
    ///
    /// # Errors
    ///
    /// If one is missing, or is no device.
    pub fn nodes(&self, devices: &[PathBuf]) -> Result<Vec<(PathBuf, PathBuf)>> {
        if devices.is_empty() {
            return Ok(vec![]);
        }
        let directory = self.path("devices");
        make(&directory, 0o755)?;
        // Of its own, because where files are kept there may be no devices.
        mount("tmpfs", &directory, "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755,size=64k")
            .with_context(|| format!("Failed to mount {}", directory.display()))?;
        devices
            .iter()
            .enumerate()
            .map(|(number, device)| self.node(&directory.join(number.to_string()), device))
            .collect()
    }

    fn node(&self, path: &Path, device: &Path) -> Result<(PathBuf, PathBuf)> {
        let made = || -> Result<()> {
            let stat = rustix::fs::stat(device)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if !matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
                bail!("it is no device");
            }
            let mode = Mode::from_raw_mode(0o666);
            rustix::fs::mknodat(CWD, path, kind, mode, stat.st_rdev)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            self.give(path)
        };
        made().with_context(|| format!("Failed to give {} to a machine", device.display()))?;
        Ok((path.into(), device.into()))
    }

    /// A root without an image, for a system whose files all lie in the store: nspawn looks at `os-release`.
    ///
    /// # Errors
    ///
    /// As `mkdir(2)` and `write(2)`.
    pub fn empty_root(&self) -> Result<PathBuf> {
        let root = self.path("upper");
        for name in ["etc", "usr", "nix", "nix/store"] {
            let path = root.join(name);
            make(&path, 0o755)?;
            self.give(&path)?;
        }
        let release = root.join("etc/os-release");
        fs::write(&release, "ID=nixos\n")
            .and_then(|()| fs::set_permissions(&release, fs::Permissions::from_mode(0o644)))
            .with_context(|| format!("Failed to write {}", release.display()))?;
        self.give(&release)?;
        Ok(root)
    }

    fn give(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.owner), Some(self.owner))
            .with_context(|| format!("Failed to hand {} over", path.display()))
    }
}
