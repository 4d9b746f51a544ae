//! Which of the runners that the server lists are nobody's.

use super::*;
use crate::ledger::{Attempt, Debt, NameHolder};
use crate::survey::Memory;
use crate::survey::sample::{self, NOW};

const URL: &str = "https://github.com/o/r";

fn offline(id: u64, name: &str) -> RemoteRunner {
    RemoteRunner { id, name: name.into(), online: false, busy: false }
}

/// A host with the runners `builder-1`, id 21, and `builder-2`, id 22, of the entry `builder`, and what the server lists.
fn host(list: Vec<RemoteRunner>) -> Host {
    let (_, mut host, _) = sample::host(&["builder-1", "builder-2"]);
    for found in &mut host.runners {
        let configured = found.configured.as_mut().unwrap();
        configured.declared.pool = "builder".into();
        configured.manifest.registration.name = Some(found.instance.as_str().to_owned().try_into().unwrap());
    }
    host.lists.insert(URL.into(), list);
    host
}

/// The ids of those that are nobody's.
fn found(host: &Host) -> Vec<u64> {
    find(host, "here").iter().map(|unknown| unknown.seen.id).collect()
}

#[test]
fn a_name_is_like_ours_if_only_what_follows_a_dash_differs() {
    for (name, base, like) in [
        ("builder", "builder", true),
        ("builder-9", "builder", true),
        ("builder-octo-org-1", "builder", true),
        ("builders", "builder", false),
        ("my-builder", "builder", false),
    ] {
        assert_eq!(is_like(name, base), like, "{name} {base}");
    }
}

#[test]
fn what_is_offline_and_like_ours_and_in_no_ledger_is_nobodys() {
    for (seen, is_unknown) in [
        (offline(9, "builder-3"), true),
        (offline(9, "builder"), true),
        (offline(9, "BUILDER-3"), true),
        // Also under the very name of one of ours: that has another id.
        (offline(9, "builder-1"), true),
        (offline(21, "builder-1"), false),
        (offline(9, "other-1"), false),
        (offline(9, "builders"), false),
        (RemoteRunner { online: true, ..offline(9, "builder-3") }, false),
        (RemoteRunner { busy: true, ..offline(9, "builder-3") }, false),
    ] {
        assert_eq!(found(&host(vec![seen.clone()])), if is_unknown { vec![9] } else { vec![] }, "{seen:?}");
    }
}

#[test]
fn what_a_ledger_names_in_any_way_is_somebodys() {
    let mut host = host(vec![offline(9, "builder-3"), offline(10, "builder-4")]);
    let runner = Runner { id: 9, name: "builder-3".into(), url: URL.into(), recorded_at: 0 };
    let entry = host.runners[1].entry.as_mut().unwrap();
    entry.debts.push(Debt { runner: runner.clone(), ephemeral: false, since: 0 });
    assert_eq!(found(&host), [10], "a debt");
    // Also of a runner that is not configured any more.
    host.runners[1].configured = None;
    assert_eq!(found(&host), [10]);
    let entry = host.runners[1].entry.as_mut().unwrap();
    entry.debts[0].runner.url = "https://github.com/o/other".into();
    assert_eq!(found(&host), [9, 10], "ids mean nothing elsewhere");
}

#[test]
fn what_may_be_registering_just_now_is_left_to_whoever_asked_for_it() {
    let mut host = host(vec![offline(9, "builder-1"), offline(10, "builder-2")]);
    let attempt = Attempt { since: NOW, before: NameHolder::Nobody, host: None };
    host.runners[0].entry.as_mut().unwrap().attempt = Some(attempt);
    assert_eq!(found(&host), [10]);
    // Nor is it nobody's if something else than the configuration asks for it.
    let configured = host.runners[0].configured.take();
    for (name, asked, expected) in [
        ("builder-1".into(), None, vec![10]),
        (Value::Null, Some("builder-1"), vec![10]),
        (Value::Null, None, vec![9, 10]),
    ] {
        let entry = host.runners[0].entry.as_mut().unwrap();
        entry.registration.insert("name".into(), name);
        entry.attempt.as_mut().unwrap().host = asked.map(str::to_owned);
        assert_eq!(found(&host), expected, "{asked:?}");
    }
    host.runners[0].configured = configured;
    // At its first start there is no entry yet.
    host.runners[1].entry = None;
    assert_eq!(found(&host), [0_u64; 0]);
}

#[test]
fn each_address_has_its_own_names() {
    let mut host = host(vec![offline(9, "builder-3")]);
    let list = host.lists.remove(URL).unwrap();
    host.lists.insert("https://github.com/o/other".into(), list);
    assert_eq!(found(&host), [0_u64; 0], "nobody of this host registers there");
}

#[test]
fn a_runner_without_a_name_goes_by_that_of_the_host() {
    let mut host = host(vec![offline(9, "here"), offline(10, "builder-3"), offline(11, "here-7")]);
    host.runners.truncate(1);
    host.runners[0].configured.as_mut().unwrap().manifest.registration.name = None;
    assert_eq!(found(&host), [9, 11]);
}

/// What stands in memory about runner 9 after these passes, each at its time.
fn watch(host: &Host, delete: bool, times: &[u64]) -> Memory {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let dir = crate::sys::Place::walk(&directory.path().canonicalize().unwrap()).unwrap().open().unwrap().unwrap();
    let ledger = crate::ledger::Ledger::new(dir).unwrap();
    let mut memory = Memory::default();
    for now in times {
        let units = &crate::units::Systemd::default();
        let sockets = directory.path();
        let silent = BTreeMap::new();
        let mut hands =
            Hands { ledger: &ledger, units, sockets, would_start: &|_| Ok(()), memory: &mut memory, silent, now: *now };
        look_after(&mut hands, host, &find(host, "here"), delete);
        memory.last_pass = Some(*now);
    }
    memory
}

#[test]
fn it_is_watched_from_its_first_sight_on_and_forgotten_when_it_comes_back() {
    let absent = host(vec![offline(9, "builder-3")]);
    let memory = watch(&absent, false, &[NOW, NOW + 60, NOW + 5_000]);
    assert_eq!(memory.unknown.values().copied().collect::<Vec<_>>(), [NOW]);
    assert!(memory.restarts.is_empty(), "nothing was asked for, so nothing was deleted");
    let back = host(vec![RemoteRunner { online: true, ..offline(9, "builder-3") }]);
    assert!(watch(&back, true, &[NOW]).unknown.is_empty());
}
