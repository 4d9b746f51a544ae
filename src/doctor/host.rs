//! What holds for all runners of this host.

use std::path::Path;

use super::Options;
use super::finding::Finding;
use super::paths::{Who, check};
use crate::backend::Units;
use crate::ledger::LedgerDirectory;
use crate::model::date;
use crate::start::now;

/// The first one that has all that the units use: `LoadCredential=` for templates, `SetCredential=` beside it,
/// `ProcSubset=`.
const OLDEST_SYSTEMD: u32 = 250;
/// 2024 began; this program is younger.
const OLDEST_CLOCK: u64 = 1_704_067_200;

/// Checks the host.
pub fn findings(options: &Options<'_>, units: &dyn Units) -> Vec<Finding> {
    let mut findings = vec![systemd(units.version()), clock(now())];
    findings.extend(ledger(&options.places.ledger));
    findings.extend(nix(options.nix));
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
        // How far it is off, the server says to the broker.
        Ok(now) if now >= OLDEST_CLOCK => Finding::good("clock", format!("says {}", date(now))),
        Ok(now) => Finding::fault("clock", format!("says {}, which is long over", date(now)), remedy),
        Err(error) => Finding::fault("clock", format!("{error:#}"), remedy),
    }
}

fn ledger(path: &Path) -> Vec<Finding> {
    let topic = "ledger";
    let (mut findings, place) = check(topic, path, Who::Root, false);
    let Some(place) = place.filter(|_| findings.is_empty()) else { return findings };
    findings.push(match place.open().and_then(|dir| dir.map(LedgerDirectory::new).transpose()) {
        Ok(Some(_)) => Finding::good(topic, format!("is in {}, for root alone", path.display())),
        Ok(None) => Finding::good(topic, format!("{} does not exist yet; the first start makes it", path.display())),
        Err(error) => Finding::error(topic, &error.context(format!("Failed to use {}", path.display()))),
    });
    findings
}

fn nix(root: &Path) -> Option<Finding> {
    let socket = root.join("var/nix/daemon-socket/socket");
    let topic = "Nix daemon";
    if !root.exists() {
        return None;
    }
    Some(if socket.exists() {
        Finding::good(topic, "can be reached by jobs")
    } else {
        Finding::warning(
            topic,
            format!("{} does not exist, so jobs cannot use Nix", socket.display()),
            "start `nix-daemon.socket`, or leave it if no job needs Nix",
        )
    })
}

#[cfg(test)]
mod tests {
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
    fn a_missing_nix_daemon_is_told_only_where_there_is_a_nix() {
        let temporary = tempfile::tempdir().unwrap();
        assert_eq!(nix(&temporary.path().join("nix")), None);
        assert_eq!(nix(temporary.path()).unwrap().level, Level::Warning);
        std::fs::create_dir_all(temporary.path().join("var/nix/daemon-socket/socket")).unwrap();
        assert_eq!(nix(temporary.path()).unwrap().level, Level::Good);
    }
}
