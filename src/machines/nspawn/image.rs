//! The root file system that the operator named: whether it can be what it is said to be, before a job waits for it.
//!
//! An image is root's. Every directory on the way to it is looked at, because whoever could exchange it would decide what
//! runs as root in every machine.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::arguments::STORE;
use super::protocol::PROGRAMS;
use super::settings::{Image, Source};
use crate::machines::Fault;
use crate::sys::Place;

/// Where an image's init is, in the order in which nspawn looks for one.
const INITS: [&str; 4] = ["usr/lib/systemd/systemd", "lib/systemd/systemd", "sbin/init", "init"];

/// Where a program of a NixOS system is.
const PLACE_OF_SYSTEM: &str = "sw/bin";

/// Uploads and downloads artifacts and caches, in the machine.
pub const RUNNER: &str = "gitlab-runner";

/// The programs of `wanted` that an image has in none of the places where stages look, before it runs: its init may add some.
#[must_use]
pub fn missing<'a>(image: &Image, wanted: &[&'a str]) -> Vec<&'a str> {
    let has = |program: &&&str| match &image.source {
        Source::Root(root) => PROGRAMS.split(':').any(|place| is_in(root, place, program)),
        // Its links lead into the store, which is this host's.
        Source::System(system) => fs::symlink_metadata(system.join(PLACE_OF_SYSTEM).join(program)).is_ok(),
    };
    wanted.iter().filter(|program| !has(program)).copied().collect()
}

/// Whether a root has `program` in `place`, also behind links, which lead somewhere in the root and not on this host. What cannot
/// be looked at counts as there.
fn is_in(root: &Path, place: &str, program: &str) -> bool {
    let opened =
        openat2(CWD, root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::empty()).and_then(|root| {
            let path = format!("{place}/{program}");
            openat2(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
        });
    !matches!(opened, Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

/// The program that the agent of a machine of this image becomes; `None` if it stays the first process.
///
/// # Errors
///
/// [`Fault::Configuration`] if the image is not there, can be exchanged by somebody, or has no init.
pub fn init(name: &str, image: &Image) -> Result<Option<PathBuf>, Fault> {
    let fault = |text: String| Fault::Configuration(format!("Image {name}: {text}"));
    match &image.source {
        Source::System(system) => {
            let init = system.join("init");
            if !system.starts_with(STORE) || !init.exists() {
                return Err(fault(format!("{} is no NixOS system in {STORE}", system.display())));
            }
            Ok(image.boot.then_some(init))
        }
        Source::Root(root) => {
            let place = Place::walk(root).map_err(|error| fault(format!("{error:#}")))?;
            if place.open().map_err(|error| fault(format!("{error:#}")))?.is_none() {
                return Err(fault(format!("{} does not exist", root.display())));
            }
            if !place.is_firm() {
                return Err(fault(format!("somebody else than root could exchange {}", root.display())));
            }
            if !image.boot {
                return Ok(None);
            }
            let init = INITS.iter().find(|init| fs::symlink_metadata(root.join(init)).is_ok());
            let init = init
                .ok_or_else(|| fault(format!("{} has no init; with `boot = false` it needs none", root.display())))?;
            Ok(Some(Path::new("/").join(init)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(source: Source, boot: bool) -> Image {
        Image { source, boot, nix_daemon: false }
    }

    #[test]
    fn an_image_that_cannot_work_is_refused_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let said = |source, boot| init("a", &image(source, boot)).unwrap_err().to_string();
        assert!(said(Source::Root(path.join("none")), true).contains("does not exist"));
        assert!(said(Source::System("/usr".into()), true).contains("is no NixOS system in /nix/store"));
        assert!(said(Source::Root(path.clone()), true).contains("with `boot = false` it needs none"));
        assert_eq!(init("a", &image(Source::Root(path.clone()), false)), Ok(None));
        fs::create_dir(path.join("sbin")).unwrap();
        fs::write(path.join("sbin/init"), "").unwrap();
        assert_eq!(init("a", &image(Source::Root(path), true)), Ok(Some("/sbin/init".into())));
    }

    #[test]
    fn programs_are_looked_for_where_each_kind_of_image_has_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (place, program) in [("usr/bin", "bash"), ("sw/bin", "git")] {
            fs::create_dir_all(path.join(place)).unwrap();
            std::os::unix::fs::symlink("nowhere-on-this-host", path.join(place).join(program)).unwrap();
        }
        // A link on the way leads somewhere in the image.
        fs::create_dir(path.join("opt")).unwrap();
        fs::create_dir_all(path.join("usr/local")).unwrap();
        std::os::unix::fs::symlink("/opt", path.join("usr/local/bin")).unwrap();
        fs::write(path.join("opt/only-here"), "").unwrap();
        assert!(missing(&image(Source::Root(path.into()), true), &["only-here"]).is_empty());
        let wanted = ["bash", "git", RUNNER];
        assert_eq!(missing(&image(Source::Root(path.into()), true), &wanted), ["git", RUNNER]);
        assert_eq!(missing(&image(Source::System(path.into()), true), &wanted), ["bash", RUNNER]);
    }
}
