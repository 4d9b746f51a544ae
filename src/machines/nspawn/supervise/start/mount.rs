//! The file systems of one machine, in a mount namespace of its supervisor.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::machines::Token;
use crate::machines::nspawn::arguments::STORE;
use crate::machines::nspawn::claim::Places;
use crate::machines::nspawn::inner::UserNamespace;
use crate::machines::nspawn::layers::{Layers, leave_the_host, mount_mapped, without_privileges};
use crate::machines::nspawn::settings::{CacheStore, NetworkMode, RANGE, Settings, Source};
use crate::machines::nspawn::{cache, ended, network};

/// What a machine has of file systems.
pub(super) struct Mounted {
    /// Its root.
    pub(super) root: PathBuf,
    /// The store, if its system lies in it.
    pub(super) store: Option<PathBuf>,
    /// The cache of its project.
    pub(super) cache: Option<PathBuf>,
    /// Nodes, each with its name in the machine.
    pub(super) devices: Vec<(PathBuf, PathBuf)>,
}

/// Mounts everything of a machine, in a mount namespace of this process.
pub(super) fn mount(
    places: &Places,
    settings: &Settings,
    token: Token,
    source: &Source,
    kept: Option<(&CacheStore, String)>,
    first_id: u32,
) -> Result<Mounted> {
    places.remove_files(token, Instant::now() + ended::PATIENCE)?;
    leave_the_host()?;
    let layers = Layers::new(places.files(token), first_id, settings.limits.tmpfs.as_deref())?;
    let ids = UserNamespace::new(0, first_id, RANGE)?;
    let (root, store) = match source {
        Source::Root(image) => (layers.put_over(image, &ids)?, None),
        Source::System(_) => (layers.empty_root()?, Some(store(&layers, &ids))),
    };
    drop(ids);
    places.note_root(token, &root)?;
    if settings.network.mode != NetworkMode::None {
        resolver(settings, &root, first_id)?;
    }
    let cache = match kept {
        None => None,
        Some((store, name)) => {
            let source = cache::open(store, &name, settings.uid_base, Instant::now() + ended::PATIENCE)?;
            let target = cache::mount_point(&places.files(token));
            fs::create_dir(&target).with_context(|| format!("Failed to make {}", target.display()))?;
            mount_mapped(&source, &target, &UserNamespace::new(settings.uid_base, first_id, RANGE)?)?;
            without_privileges(&target)?;
            Some(target)
        }
    };
    Ok(Mounted { root, store, cache, devices: layers.nodes(&settings.devices)? })
}

/// The store with the machine's ids, or as it is where its file system has none: then its files belong to nobody, and can be
/// read all the same.
fn store(layers: &Layers, ids: &UserNamespace) -> PathBuf {
    let target = layers.path("lower");
    match mount_mapped(STORE.as_ref(), &target, ids) {
        Ok(()) => target,
        Err(error) => {
            tracing::info!("Machines see the store as nobody's: {error:#}");
            STORE.into()
        }
    }
}

/// Writes the name servers into the machine's root, in place of what the image has.
fn resolver(settings: &Settings, root: &Path, owner: u32) -> Result<()> {
    let configured = &settings.network.resolvers;
    let text = if configured.is_empty() {
        network::resolv_conf(&network::host_name_servers())
    } else {
        network::resolv_conf(configured)
    };
    let write = || -> Result<()> {
        let etc = root.join("etc");
        match fs::symlink_metadata(&etc) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => bail!("/etc of the image is no directory"),
            Err(_) => {
                fs::create_dir(&etc)?;
                fs::set_permissions(&etc, fs::Permissions::from_mode(0o755))?;
            }
        }
        let path = etc.join("resolv.conf");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        std::os::unix::fs::fchown(&file, Some(owner), Some(owner))?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        Ok(())
    };
    write().context("Failed to write the name servers of a machine")
}
