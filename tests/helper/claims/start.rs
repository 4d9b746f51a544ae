//! Starts: what is kept, what is registered anew, and what is said about it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::register::ephemeral;
use crate::host::{Host, TOKEN, is_root};

const KEPT: &str = "Keeping the registration of runner1: ";
const ANEW: &str = "Registering runner1 anew: ";

#[test]
fn a_first_start_stages_the_token_and_notes_that_nobody_is_registered_yet() {
    let host = Host::new();
    let said = host.prepare().good();
    assert!(said.contains("this is the first start"), "{said}");
    assert_eq!(host.tree("state"), [".staged-token"]);
    assert_eq!(host.ledger()["runner"], json!(null));
}

#[test]
fn an_unchanged_start_writes_nothing() {
    let host = Host::new().registered();
    let before = fs::metadata(host.path("ledger/runner1.json")).unwrap().modified().unwrap();
    let tree = host.tree("state");
    let said = host.prepare().good();
    let links = "Emptied the work directory: 4 files, 0 directories\n";
    assert_eq!(said, format!("{KEPT}configuration, token and state are those of runner \"runner1\", id 21\n{links}"));
    host.step("configure").good();
    assert_eq!(host.step("record").good(), "");
    assert_eq!(host.tree("state"), tree);
    assert_eq!(fs::metadata(host.path("ledger/runner1.json")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_changed_label_registers_anew_and_says_who_stays_behind_and_where() {
    let mut host = Host::new().registered();
    *host.registration("extraLabels") = json!(["nixos", "fast"]);
    let said = host.prepare().good();
    assert!(said.contains(&format!("{ANEW}extraLabels changed: [\"nixos\"] → [\"nixos\",\"fast\"]")), "{said}");
    assert!(
        said.contains("warning: GitHub still knows the old registration \"runner1\", id 21; it can be removed at https://github.com/octo-org/example/settings/actions/runners"),
        "{said}"
    );
    assert_eq!(host.tree("state"), [".staged-token"]);
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 21);
}

#[test]
fn a_rotated_token_registers_anew_without_showing_either() {
    let host = Host::new().registered();
    fs::write(host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    let said = host.prepare().good();
    assert!(said.contains("the content of the token file changed"), "{said}");
    assert!(!said.contains(TOKEN) && !said.contains("BFAKE"), "{said}");
    assert_eq!(fs::read_to_string(host.state(".staged-token")).unwrap(), "BFAKETOKENFAKETOKEN");
}

#[test]
fn what_is_no_part_of_the_registration_changes_nothing() {
    let mut host = Host::new().registered();
    host.manifest["replace"] = json!(true);
    host.manifest["listener"] = json!("/nix/store/another/bin/Runner.Listener");
    assert!(host.prepare().good().starts_with(KEPT));
}

#[test]
fn a_runner_that_was_taken_over_is_not_left_behind() {
    let mut host = Host::new().registered();
    host.manifest["replace"] = json!(true);
    *host.registration("extraLabels") = json!(["fast"]);
    let said = host.prepare().good();
    assert!(said.contains("The old registration \"runner1\", id 21, will be replaced"), "{said}");
    assert!(!said.contains("can be removed"), "{said}");
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 21, "until it is known, it is a debt");
    host.configured(21);
    host.step("record").good();
    assert_eq!((&host.ledger()["runner"]["id"], &host.ledger()["leftBehind"]), (&json!(21), &json!([])));
}

#[test]
fn an_ephemeral_runner_registers_at_every_start() {
    let mut host = Host::new();
    *host.registration("ephemeral") = json!(true);
    for id in 1..4 {
        assert!(host.prepare().good().contains("an ephemeral runner registers at every start"));
        host.configured(id);
        host.step("record").good();
        assert_eq!(host.ledger()["runner"]["id"], id);
        for name in [".runner", ".credentials", ".credentials_rsaparams"] {
            fs::remove_file(host.state(name)).unwrap();
        }
    }
    assert_eq!(host.ledger()["leftBehind"], json!([]), "each registration ended with its job");
}

#[test]
fn an_ephemeral_registration_that_was_never_used_is_remembered() {
    let mut host = Host::new();
    *host.registration("ephemeral") = json!(true);
    let host = host.registered();
    assert!(host.prepare().good().contains("GitHub still knows the old registration"));
    assert_eq!(host.ledger()["leftBehind"][0]["ephemeral"], json!(true));
}

#[test]
fn a_step_that_record_never_reached_is_found_by_the_next_prepare() {
    let host = Host::new();
    host.prepare().good();
    host.configured(33);
    let said = host.prepare().good();
    assert!(said.contains("registered id 33 as configured, but was cut off"), "{said}");
    host.step("configure").good();
    assert!(host.step("record").good().contains("Recorded runner \"runner1\", id 33"));
    assert!(host.prepare().good().contains("id 33"));
}

#[test]
fn record_refuses_a_runner_that_was_not_asked_for() {
    let host = Host::new();
    host.prepare().good();
    host.configured(33);
    let settings = fs::read_to_string(host.state(".runner")).unwrap();
    fs::write(host.state(".runner"), settings.replace("\"runner1\"", "\"somebody-else\"")).unwrap();
    assert!(host.step("record").bad().contains("has the name \"somebody-else\" instead of \"runner1\""));
    assert_eq!(host.ledger()["runner"], json!(null));
}

#[test]
fn record_refuses_half_a_registration() {
    for name in [".credentials", ".credentials_rsaparams"] {
        let host = Host::new();
        host.prepare().good();
        host.configured(33);
        fs::remove_file(host.state(name)).unwrap();
        assert!(host.step("record").bad().contains(&format!("{name} is missing")));
        assert_eq!(host.ledger()["runner"], json!(null));
    }
    let host = Host::new();
    host.prepare().good();
    host.configured(33);
    fs::write(host.state(".staged-token"), TOKEN).unwrap();
    assert!(host.step("record").bad().contains("`configure` has to run first"));
}

#[test]
fn record_before_configure_is_an_error() {
    let host = Host::new();
    host.prepare().good();
    assert!(host.step("record").bad().contains("`configure` has to run first"));
}

/// Puts the state of nixpkgs' module in place of ours.
fn from_nixpkgs(host: &Host) {
    host.prepare().good();
    host.configured(7);
    fs::remove_dir_all(host.path("ledger")).unwrap();
    let config = &host.manifest["registration"];
    fs::write(host.state(".nixos-current-config.json"), config.to_string()).unwrap();
    fs::write(host.state(".current-token"), format!("{TOKEN}\n")).unwrap();
}

#[test]
fn moving_over_from_nixpkgs_module_re_registers_nobody() {
    let host = Host::new();
    from_nixpkgs(&host);
    let said = host.prepare().good();
    assert!(said.contains("Adopting the registration of runner1: nixpkgs' module registered id 7"), "{said}");
    assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"], "the token copy is gone");
    assert_eq!(host.ledger()["runner"]["id"], 7);
    assert!(host.prepare().good().starts_with(KEPT), "the second start knows it");
}

#[test]
fn newlines_at_the_end_of_a_token_file_keep_nobody_from_being_adopted() {
    // The module of nixpkgs copies the file as it is, and its shell drops all of them.
    for (file, copy) in [("\n\n", "\n\n"), ("\n\n\n", ""), ("", "\n\n")] {
        let host = Host::new();
        from_nixpkgs(&host);
        fs::write(host.path("token"), format!("{TOKEN}{file}")).unwrap();
        fs::write(host.state(".current-token"), format!("{TOKEN}{copy}")).unwrap();
        let said = host.prepare().good();
        assert!(said.contains("Adopting the registration"), "{said}");
        assert!(host.prepare().good().starts_with(KEPT), "the second start knows it");
    }
}

#[test]
fn a_token_copy_that_a_cut_off_adoption_left_is_removed_later() {
    let host = Host::new();
    from_nixpkgs(&host);
    host.prepare().good();
    fs::write(host.state(".current-token"), TOKEN).unwrap();
    host.prepare().good();
    assert!(!host.state(".current-token").exists());
}

#[test]
fn another_configuration_is_not_adopted() {
    let mut host = Host::new();
    from_nixpkgs(&host);
    *host.registration("runnerGroup") = json!("trusted");
    let said = host.prepare().good();
    assert!(said.contains("runnerGroup changed: null → \"trusted\""), "{said}");
    assert!(said.contains("old registration \"runner1\", id 7"), "{said}");
    assert_eq!(host.tree("state"), [".staged-token"]);
}

#[test]
fn an_unreadable_ledger_stops_the_start_and_loses_nothing() {
    let host = Host::new().registered();
    let before = host.tree("state");
    let path = host.path("ledger/runner1.json");
    let good = fs::read_to_string(&path).unwrap();
    for (text, part) in
        [("{", "it is no JSON object"), (&good.replace("\"version\": 3", "\"version\": 9"), "has version 9")]
    {
        fs::write(&path, text).unwrap();
        let said = host.prepare().bad();
        assert!(said.contains(part) && said.contains("remove it, and the runner registers anew"), "{said}");
        assert_eq!(host.tree("state"), before);
        assert_eq!(fs::read_to_string(&path).unwrap(), *text);
    }
}

#[test]
fn links_make_logs_and_credentials_reachable_again_and_again() {
    let host = Host::new().registered();
    fs::write(host.state(".runner_migrated"), fs::read(host.state(".runner")).unwrap()).unwrap();
    for _ in 0..2 {
        assert_eq!(host.step("record").good(), "");
        assert_eq!(fs::read_link(host.path("work/_diag")).unwrap(), host.state("_diag"));
        for name in [".runner", ".runner_migrated", ".credentials", ".credentials_rsaparams"] {
            assert_eq!(fs::read_link(host.path("work").join(name)).unwrap(), host.state(name));
        }
        assert_eq!(host.tree("work").len(), 5);
    }
}

#[test]
fn links_are_made_in_a_directory_of_the_service_user_only() {
    if !is_root("a work directory of another user") {
        return;
    }
    let host = Host::new();
    host.prepare().good();
    host.configured(21);
    std::os::unix::fs::chown(host.path("work"), Some(1234), None).unwrap();
    assert!(host.step("record").bad().contains("belongs to user id 1234 instead of 0"));
    assert_eq!(host.tree("work"), [""; 0]);
}

#[test]
fn starts_on_one_host_keep_a_distance() {
    let hosts: Vec<Host> = (1..=4)
        .map(|at| {
            let mut host = Host::new();
            (host.manifest["instance"], host.manifest["startDistance"]) = (json!(format!("runner{at}")), json!(500));
            host
        })
        .collect();
    let ledger = hosts[0].path("ledger").into_os_string().into_string().unwrap();
    let begin = Instant::now();
    let steps: Vec<Child> = hosts
        .iter()
        .map(|host| {
            let mut arguments = host.arguments("prepare");
            let at = arguments.iter().position(|argument| argument == "--ledger-directory").unwrap();
            arguments[at + 1].clone_from(&ledger);
            Command::new(env!("CARGO_BIN_EXE_github-runner-helper"))
                .args(arguments)
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut ends: Vec<Duration> = thread::scope(|scope| {
        let wait = |mut step: Child| {
            assert!(step.wait().unwrap().success());
            begin.elapsed()
        };
        let threads: Vec<_> = steps.into_iter().map(|step| scope.spawn(move || wait(step))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    ends.sort();
    // A loaded machine makes some of them late, but none of them early; a new file's time is some milliseconds old.
    for (at, end) in (1_u32..).zip(&ends) {
        assert!(*end + Duration::from_millis(20) >= Duration::from_millis(500) * at, "{ends:?}");
    }
}

#[test]
fn the_next_cycle_waits_for_nobody_but_the_first_one_after_a_boot_does() {
    let (mut host, _server) = ephemeral();
    host.prepare().good();
    host.manifest["startDistance"] = json!(8_000);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (ago, waits) in [(1_000, true), (0, false), (1_000, true)] {
        let mut ledger = host.ledger();
        ledger["lastExit"] = json!({ "at": now() - ago, "kind": "jobDone", "said": "", "failures": 0 });
        host.set_ledger(&ledger);
        // Somebody takes a turn just now.
        fs::File::create(host.path("ledger/.turn")).unwrap().set_modified(SystemTime::now()).unwrap();
        let said = host.prepare().good();
        assert_eq!(said.contains("because other runners of this host start"), waits, "{ago}: {said}");
    }
}

#[test]
fn an_entry_that_something_else_owns_is_left_alone_until_its_time_is_over() {
    let host = Host::new().registered();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lease = |until: u64| {
        let mut entry = host.ledger();
        entry["owner"] = json!({ "other": { "name": "order od-1", "until": until } });
        fs::write(host.path("ledger/runner1.json"), entry.to_string()).unwrap();
        (entry, host.tree("state"))
    };
    let before = lease(now + 3_600);
    let said = host.prepare().bad();
    assert!(said.contains("The ledger entry of runner runner1 belongs to \"order od-1\" until "), "{said}");
    let said = host.settle("exit-code", None).good();
    assert!(said.contains("its ledger entry belongs to \"order od-1\""), "{said}");
    assert_eq!((host.ledger(), host.tree("state")), before);
    lease(now - 1);
    assert!(host.prepare().good().starts_with(KEPT), "an orphan's registration fits, so it is kept");
    assert_eq!(host.ledger()["owner"], "declared");
    assert_eq!(host.ledger()["runner"]["id"], 21);
}
