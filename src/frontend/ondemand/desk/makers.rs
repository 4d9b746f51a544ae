//! The servers at which orders may have instances: those of the configuration, and those of before for as long as an order is
//! open, and no longer than one can be. A class that was removed, or that has another server now, may have left a machine there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use super::hands::Paths;
use crate::frontend::ondemand::book::Book;
use crate::frontend::ondemand::limits::{GRACE, LONGEST_TTL};
use crate::frontend::ondemand::order::State;
use crate::frontend::ondemand::settings::{KindSettings, Settings};
use crate::state::start::{existing, now};

/// Beside the book.
const FILE: &str = "servers.json";
/// More than all servers that a host ever had.
const MAX_BYTES: u64 = 64 << 10;

/// A server of Incus or LXD, and a project there.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its socket.
    pub socket: PathBuf,
    /// The project.
    pub project: String,
}

/// One of them, and since when it is not configured any more, in seconds since 1970.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Known {
    server: Server,
    gone: Option<u64>,
}

/// All of them, and notes them for the next desk. Only whoever has the book may ask.
///
/// # Errors
///
/// If the book or the note cannot be read or written: a machine could be forgotten.
pub fn servers(settings: &Settings, paths: &Paths) -> Result<BTreeSet<Server>> {
    servers_at(settings, paths, now()?)
}

fn servers_at(settings: &Settings, paths: &Paths, now: u64) -> Result<BTreeSet<Server>> {
    let (_, home) = existing("state", &paths.state)?;
    let configured = settings.classes.values().filter_map(|class| match &class.kind {
        KindSettings::Incus { socket, project, .. } => {
            Some(Server { socket: socket.clone(), project: project.clone() })
        }
        _ => None,
    });
    let read = home.read_file(FILE, &[Uid::effective()], MAX_BYTES)?.map_err(|fault| anyhow!("{FILE} {fault}"))?;
    let before: Vec<Known> = match &read {
        Some(text) => serde_json::from_slice(text).with_context(|| format!("Failed to read {FILE}"))?,
        None => vec![],
    };
    let (_, again) = existing("state", &paths.state)?;
    let pages = Book::open(again)?.read()?;
    let is_open = !pages.faults.is_empty() || pages.orders.values().any(|order| order.state != State::Ended);
    let left = before.into_iter().map(|known| (known.server, known.gone.unwrap_or(now)));
    let kept =
        left.filter(|(_, gone)| is_open && now < gone + LONGEST_TTL + GRACE).map(|(server, at)| (server, Some(at)));
    let all: BTreeMap<Server, Option<u64>> = kept.chain(configured.map(|server| (server, None))).collect();
    let noted: Vec<Known> = all.into_iter().map(|(server, gone)| Known { server, gone }).collect();
    let text = serde_json::to_vec(&noted)?;
    if read.as_ref() != Some(&text) {
        home.replace_file(FILE, &text, Mode::S_IRUSR | Mode::S_IWUSR, None)?;
    }
    Ok(noted.into_iter().map(|known| known.server).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::frontend::ondemand::order::Order;

    const SETTINGS: &str = include_str!("../../../../tests/fixtures/on-demand-settings-v1.json");
    const ORDER: &str = include_str!("../../../../tests/fixtures/order-v1.json");

    fn names(settings: &Settings, paths: &Paths, now: u64) -> Vec<String> {
        servers_at(settings, paths, now).unwrap().into_iter().map(|server| server.project).collect()
    }

    #[test]
    fn a_server_that_is_not_configured_any_more_is_known_until_the_last_order_is_over_or_must_be() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let paths = Paths { state: home.path().into(), ..Paths::default() };
        let mut settings = Settings::parse(SETTINGS.as_bytes()).unwrap();
        let (now, end) = (1_790_000_000, 1_790_000_000 + LONGEST_TTL + GRACE);
        let configured = names(&settings, &paths, 0);
        assert_eq!(configured.len(), 1);
        let order: serde_json::Value = serde_json::from_str(ORDER).unwrap();
        let stem = format!("{}.{}", order["label"].as_str().unwrap(), order["class"].as_str().unwrap());
        let file = home.path().join("orders").join(format!("{stem}.json"));
        fs::write(&file, ORDER).unwrap();
        settings.classes.retain(|_, class| !matches!(class.kind, KindSettings::Incus { .. }));
        for now in [now, end - 1] {
            assert_eq!(names(&settings, &paths, now), configured, "an order may have an instance there");
        }
        let noted = fs::read(home.path().join(FILE)).unwrap();
        assert_eq!(names(&settings, &paths, end), [""; 0], "none lives as long");
        fs::write(home.path().join(FILE), noted).unwrap();
        assert_eq!(names(&settings, &paths, now), configured);
        let mut ended =
            Order::parse(ORDER.as_bytes(), &crate::frontend::ondemand::label::Key::from_stem(&stem).unwrap()).unwrap();
        ended.state = State::Ended;
        ended.reason = Some(crate::frontend::ondemand::order::Reason::Done);
        ended.ended_at = Some(ended.since);
        fs::write(&file, ended.to_text().unwrap()).unwrap();
        assert_eq!(names(&settings, &paths, now), [""; 0]);
    }
}
