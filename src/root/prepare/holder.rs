//! Who has the name that a runner is to get, as sentences.

use std::time::Duration;

use super::basis::Basis;
use crate::contract::protocol::RemoteRunner;
use crate::model::shown;

/// How long a registration may take, with all repetitions.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What to say when the name belongs to somebody else.
pub(super) fn taken(found: &Basis<'_>, seen: &RemoteRunner) -> String {
    if found.manifest.replace {
        return format!("{} cannot be replaced now; it is tried again at the next start", described(seen));
    }
    format!(
        "{} exists already, and this host did not make it. Remove it at {}, choose another `name`, or set `replace = true` if it may be taken over",
        described(seen),
        found.manifest.registration.url.settings_page()
    )
}

/// A runner at the start of a sentence.
pub(super) fn described(seen: &RemoteRunner) -> String {
    let status = match (seen.online, seen.busy) {
        (_, true) => "running a job",
        (true, false) => "online",
        (false, false) => "offline",
    };
    format!("A runner with the name {}, id {}, {status},", shown(&seen.name), seen.id)
}
