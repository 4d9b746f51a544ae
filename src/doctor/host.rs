//! What holds for all runners of this host.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::finding::Finding;
use super::options::Options;
use super::paths::{Who, check};
use crate::ledger::Ledger;
use crate::model::date;
use crate::state::start::now;
use crate::units::Units;

/// The first one that has all that the units use: `LoadCredential=` for templates, `SetCredential=` beside it,
/// `ProcSubset=`.
const OLDEST_SYSTEMD: u32 = 250;
/// 2024 began; this program is younger.
const OLDEST_CLOCK: u64 = 1_704_067_200;

/// Checks the host, which makes `passes` by itself or not.
pub fn findings(options: &Options<'_>, passes: bool, units: &dyn Units) -> Vec<Finding> {
    let mut findings = vec![systemd(units.version()), clock(now())];
    findings.extend((!passes).then(without_passes));
    findings.extend(ledger(&options.places.ledger));
    findings.extend(nix(options.nix, options.nix_conf));
    findings
}

fn systemd(version: anyhow::Result<Option<u32>>) -> Finding {
    let topic = "systemd";
    let remedy = format!("use systemd {OLDEST_SYSTEMD} or newer, whose units know how to hide a credential from jobs");
    match version {
        Ok(Some(version)) if version >= OLDEST_SYSTEMD => Finding::good(topic, format!("has version {version}")),
        Ok(Some(version)) => Finding::warning(topic, format!("has version {version} only"), remedy),
        Ok(None) => Finding::warning(topic, "does not say its version", remedy),
        Err(error) => Finding::fault(topic, format!("{error:#}"), "run this on the host itself, where systemd is"),
    }
}

fn clock(now: anyhow::Result<u64>) -> Finding {
    let remedy = "set it, for example with `timedatectl`, and let it be kept by `services.timesyncd.enable`";
    match now {
        // How far it is off, GitHub says, see `preflight`.
        Ok(now) if now >= OLDEST_CLOCK => Finding::good("clock", format!("says {}", date(now))),
        Ok(now) => Finding::fault("clock", format!("says {}, which is long over", date(now)), remedy),
        Err(error) => Finding::fault("clock", format!("{error:#}"), remedy),
    }
}

fn without_passes() -> Finding {
    Finding::warning(
        "passes",
        "are off, so nobody stops runners that are not configured any more or takes back what they left, and none is \
         restarted in a moment without a job",
        "run `github-runnerctl reconcile` from time to time, or set `services.github-runnerctl.reconcile.enable`",
    )
}

fn ledger(path: &Path) -> Vec<Finding> {
    let topic = "ledger";
    let (mut findings, place) = check(topic, path, Who::Root, false);
    let Some(place) = place.filter(|_| findings.is_empty()) else { return findings };
    findings.push(match place.open().and_then(|dir| dir.map(Ledger::new).transpose()) {
        Ok(Some(_)) => Finding::good(topic, format!("is in {}, for root alone", path.display())),
        Ok(None) => Finding::good(topic, format!("{} does not exist yet; the first start makes it", path.display())),
        Err(error) => Finding::error(topic, &error.context(format!("Failed to use {}", path.display()))),
    });
    findings
}

/// Whether jobs can use the daemon of a Nix below `root`, if there is one, with this configuration.
fn nix(root: &Path, conf: &Path) -> Option<Finding> {
    let topic = "Nix daemon";
    if !root.exists() {
        return None;
    }
    let socket = root.join("var/nix/daemon-socket/socket");
    let shown = socket.display();
    let found = match fs::symlink_metadata(&socket) {
        Ok(found) => found,
        Err(error) => {
            let remedy = "start `nix-daemon.socket`, or leave it if no job needs Nix";
            let said = format!("{shown} cannot be found, so jobs cannot use Nix: {error}");
            return Some(Finding::warning(topic, said, remedy));
        }
    };
    if !found.file_type().is_socket() || found.mode() & 0o002 == 0 {
        let said = format!("{shown} is no socket that everybody can write to, so jobs cannot use Nix");
        return Some(Finding::warning(topic, said, "restart `nix-daemon.socket`, which makes it"));
    }
    // A missing file allows everybody.
    let text = fs::read_to_string(conf).unwrap_or_default();
    Some(match allowed_users(&text) {
        Some(users) if !users.contains(&"*") => {
            let users = if users.is_empty() { "nobody".into() } else { users.join(", ") };
            let said = format!("`allowed-users` lets {users} use it, and jobs run as the user of their unit");
            Finding::warning(
                topic,
                said,
                "add that user to `nix.settings.allowed-users`, or leave it if no job needs Nix",
            )
        }
        _ => Finding::good(topic, "can be reached by jobs"),
    })
}

/// The last value of `allowed-users` in the text of a `nix.conf`.
fn allowed_users(text: &str) -> Option<Vec<&str>> {
    let settings = text.lines().filter_map(|line| line.split('#').next()?.split_once('='));
    let mut users = settings.filter(|(name, _)| name.trim() == "allowed-users").map(|(_, value)| value);
    Some(users.next_back()?.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use ::nix::sys::stat::{Mode, SFlag, mknod};

    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn old_systemds_and_clocks_are_named() {
        for (found, level) in [(Some(250), Level::Good), (Some(249), Level::Warning), (None, Level::Warning)] {
            assert_eq!(systemd(Ok(found)).level, level, "{found:?}");
        }
        assert_eq!(systemd(Err(anyhow::anyhow!("no systemctl"))).level, Level::Fault);
        for (now, level) in [(0, Level::Fault), (OLDEST_CLOCK - 1, Level::Fault), (OLDEST_CLOCK, Level::Good)] {
            assert_eq!(clock(Ok(now)).level, level, "{now}");
        }
    }

    #[test]
    fn a_nix_daemon_that_jobs_cannot_use_is_told_where_there_is_a_nix() {
        let temporary = tempfile::tempdir().unwrap();
        let (root, conf) = (temporary.path(), temporary.path().join("nix.conf"));
        let level = || nix(root, &conf).unwrap().level;
        assert_eq!(nix(&root.join("nix"), &conf), None);
        assert_eq!(level(), Level::Warning);
        let directory = root.join("var/nix/daemon-socket");
        let socket = directory.join("socket");
        fs::create_dir_all(&socket).unwrap();
        assert_eq!(level(), Level::Warning, "a directory of that name");
        fs::remove_dir(&socket).unwrap();
        mknod(&socket, SFlag::S_IFSOCK, Mode::empty(), 0).unwrap();
        for (mode, expected) in [(0o660, Level::Warning), (0o666, Level::Good)] {
            fs::set_permissions(&socket, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(level(), expected, "{mode:o}");
        }
        for (text, expected) in [
            ("allowed-users = @wheel root\n", Level::Warning),
            ("allowed-users =\n", Level::Warning),
            ("allowed-users = root\nallowed-users = *\n", Level::Good),
            ("# allowed-users = root\ntrusted-users = root\n", Level::Good),
        ] {
            fs::write(&conf, text).unwrap();
            assert_eq!(level(), expected, "{text}");
        }
    }
}
