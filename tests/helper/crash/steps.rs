//! `prepare` and `record`, killed at every change, and starts cut off between two steps.

use std::fs;

use nix::sys::stat::Mode;
use serde_json::json;

use super::kills::{assert_sound, at_every_change, left_behind};
use crate::claims::keeping::{given_to, kept};
use crate::host::{Host, TOKEN, is_root, mode, owner};

const OTHER_TOKEN: &str = "BFAKETOKENFAKETOKEN";

/// A start that has to register anew ends in a registration with what is asked for now, wherever it is killed.
#[track_caller]
fn registers_anew(host: impl Fn() -> Host + Sync, old: Option<u64>, recorded: Option<u64>) {
    let kills = at_every_change("prepare", host, |host, when| {
        assert_sound(host, recorded, when);
        let said = host.prepare().good();
        assert!(said.contains("Registering runner1 anew: "), "{when}: {said}");
        assert_eq!(host.tree("state"), [".staged-token"], "{when}");
        assert_eq!(mode(&host.state(".staged-token")), 0o400, "{when}");
        let token = fs::read_to_string(host.path("token")).unwrap();
        assert_eq!(fs::read_to_string(host.state(".staged-token")).unwrap(), token.trim_end(), "{when}");
        assert_eq!(host.tree("work"), [""; 0], "{when}");
        assert_eq!(left_behind(&host.ledger(), old), usize::from(recorded.is_some()), "{when}");
        ends_registered(host, 22, when);
    });
    assert!(kills > 10, "died at {kills} places only");
}

/// After `prepare` asked for it, a registration is made, recorded and kept.
fn ends_registered(host: &Host, id: u64, when: &str) {
    host.configured(id);
    host.step("record").good();
    assert_eq!(host.ledger()["runner"]["id"], id, "{when}");
    if host.manifest["registration"]["ephemeral"] == json!(false) {
        let said = host.prepare().good();
        assert!(said.starts_with("Keeping the registration"), "{when}: {said}");
    }
}

/// Directories within directories and files at every level.
fn fill(host: &Host, name: &str) {
    for directory in ["a/b/c", "a/d", "e/f"] {
        let directory = host.path(name).join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("file"), "content").unwrap();
        std::os::unix::fs::symlink("/etc", directory.join("link")).unwrap();
    }
}

#[test]
fn a_first_start_killed_anywhere_registers_the_next_time() {
    registers_anew(Host::new, None, None);
}

#[test]
fn a_changed_label_never_keeps_the_old_registration_wherever_the_start_is_killed() {
    let changed = || {
        let mut host = Host::new().registered();
        fill(&host, "state");
        fill(&host, "work");
        *host.registration("extraLabels") = json!(["nixos", "fast"]);
        host
    };
    registers_anew(changed, Some(21), Some(21));
}

#[test]
fn a_change_taken_back_after_a_kill_never_loses_sight_of_the_old_registration() {
    let changed = || {
        let mut host = Host::new().registered();
        *host.registration("runnerGroup") = json!("trusted");
        host
    };
    let kills = at_every_change("prepare", changed, |host, when| {
        *host.registration("runnerGroup") = json!(null);
        let said = host.prepare().good();
        let ledger = host.ledger();
        if said.starts_with("Keeping") {
            assert_eq!(ledger["runner"]["id"], 21, "{when}: {said}");
        } else {
            assert_eq!(left_behind(&ledger, Some(21)), 1, "{when}: {ledger}");
        }
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_rotated_token_never_keeps_the_old_registration_wherever_the_start_is_killed() {
    let rotated = || {
        let host = Host::new().registered();
        fs::write(host.path("token"), OTHER_TOKEN).unwrap();
        host
    };
    registers_anew(rotated, Some(21), Some(21));
}

#[test]
fn an_ephemeral_runner_killed_anywhere_registers_anew() {
    let ephemeral = || {
        let mut host = Host::new();
        *host.registration("ephemeral") = json!(true);
        host.registered()
    };
    registers_anew(ephemeral, Some(21), Some(21));
}

#[test]
fn files_of_a_former_user_reach_no_job_wherever_the_start_is_killed_that_has_another_user() {
    let other_user = || {
        let host = kept();
        given_to(&host, 64_321);
        host
    };
    if !is_root("handing a directory over") {
        return;
    }
    let kills = at_every_change("prepare", other_user, |host, when| {
        let (uid, tree) = (owner(&host.path("work")), host.tree("work"));
        assert!(uid == 0 || tree.is_empty(), "{when}: user id {uid} has {tree:?}");
        host.prepare().good();
        assert_eq!((owner(&host.path("work")), host.tree("work")), (64_321, vec![]), "{when}");
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_start_that_keeps_keeps_wherever_it_is_killed() {
    let kept = || {
        let host = Host::new().registered();
        fill(&host, "work");
        host
    };
    let kills = at_every_change("prepare", kept, |host, when| {
        assert_sound(host, Some(21), when);
        let said = host.prepare().good();
        assert!(said.starts_with("Keeping the registration"), "{when}: {said}");
        assert_eq!(host.tree("work"), [""; 0], "{when}");
        assert_eq!(host.ledger()["runner"]["id"], 21, "{when}");
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn an_adoption_killed_anywhere_re_registers_nobody_and_leaves_no_token() {
    let adopted = || {
        let host = Host::new();
        host.prepare().good();
        host.configured(7);
        fs::remove_dir_all(host.path("ledger")).unwrap();
        let config = host.manifest["registration"].to_string();
        fs::write(host.state(".nixos-current-config.json"), config).unwrap();
        fs::write(host.state(".current-token"), TOKEN).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode((Mode::S_IRUSR | Mode::S_IWUSR).bits());
        fs::set_permissions(host.state(".current-token"), private).unwrap();
        fill(&host, "work");
        host
    };
    let kills = at_every_change("prepare", adopted, |host, when| {
        // The first start writes an entry before it decides.
        let adopted = host.path("ledger/runner1.json").exists() && host.ledger()["runner"]["id"] == 7;
        assert_sound(host, adopted.then_some(7), when);
        let said = host.prepare().good();
        assert!(said.starts_with("Keeping") || said.starts_with("Adopting"), "{when}: {said}");
        assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"], "{when}");
        assert_eq!(host.ledger()["runner"]["id"], 7, "{when}");
        assert!(host.prepare().good().starts_with("Keeping"), "{when}");
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_record_killed_anywhere_is_made_up_for() {
    let registered = || {
        let host = Host::new();
        host.prepare().good();
        host.configured(33);
        host
    };
    let kills = at_every_change("record", registered, |host, when| {
        let recorded = fs::exists(host.path("ledger/runner1.json")).unwrap().then_some(host.ledger());
        assert_sound(host, recorded.and_then(|ledger| ledger["runner"]["id"].as_u64()), when);
        let said = host.prepare().good();
        assert!(said.starts_with("Keeping the registration"), "{when}: {said}");
        host.step("record").good();
        assert_eq!(host.ledger()["runner"]["id"], 33, "{when}");
        assert!(host.prepare().good().contains("id 33"), "{when}");
    });
    assert!(kills >= 4, "died at {kills} places only");
}

#[test]
fn a_start_cut_off_after_prepare_stages_the_token_again() {
    let host = Host::new();
    host.prepare().good();
    for _ in 0..2 {
        let said = host.prepare().good();
        assert!(said.contains("did not come to its end"), "{said}");
        assert_eq!(host.tree("state"), [".staged-token"]);
    }
    ends_registered(&host, 5, "after prepare");
}

#[test]
fn a_registration_that_was_not_recorded_is_not_kept_under_another_configuration() {
    let mut host = Host::new();
    host.prepare().good();
    host.configured(33);
    *host.registration("extraLabels") = json!([]);
    let said = host.prepare().good();
    assert!(said.contains("Registering runner1 anew: "), "{said}");
    assert!(said.contains("id 33"), "{said}");
    ends_registered(&host, 34, "after an unrecorded registration");
}
