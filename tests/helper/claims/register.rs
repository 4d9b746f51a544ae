//! Registering with an API credential: who is asked for what, in which order, and what is on disk before and after.

use std::fs;

use github_runners::contract::protocol::{Outcome, RemoteRunner, Verb, Whom};
use serde_json::json;

use crate::host::{Host, PAT, mode};
use crate::server::{MINTED, Server};
use crate::wait::wait_for;

/// An ephemeral runner with a server.
pub fn ephemeral() -> (Host, Server) {
    let (mut host, server) = Host::with_server();
    *host.registration("ephemeral") = json!(true);
    (host, server)
}

/// A persistent runner that is registered as id 21.
pub fn registered() -> (Host, Server) {
    let (host, server) = Host::with_server();
    host.prepare().good();
    host.configured(21);
    server.add(21, "runner1");
    host.step("record").good();
    assert_eq!(server.asked(), "look, token");
    (host, server)
}

fn holds(host: &Host, text: &str) -> Vec<String> {
    let all = host.tree("");
    all.into_iter()
        .filter(|name| !["token", "broker"].contains(&name.as_str()))
        .filter(|name| fs::read_to_string(host.path(name)).is_ok_and(|content| content.contains(text)))
        .collect()
}

#[test]
fn the_service_user_gets_a_registration_token_and_never_the_access_token() {
    let (host, server) = Host::with_server();
    let said = host.prepare().good();
    assert_eq!(fs::read_to_string(host.state(".staged-token")).unwrap(), MINTED);
    assert_eq!(mode(&host.state(".staged-token")), 0o400);
    assert_eq!(holds(&host, PAT), [""; 0]);
    assert!(!said.contains(PAT) && !said.contains(MINTED), "{said}");
    assert_eq!(server.asked(), "look, token");
    assert_eq!(host.ledger()["attempt"]["before"], "nobody");
    assert_eq!(host.ledger()["registrations"]["total"], 1);
}

#[test]
fn a_registration_token_needs_no_broker_and_is_warned_about() {
    let host = Host::new();
    let said = host.prepare().good();
    assert!(said.contains("warning: The token is a registration token, which GitHub accepts for one hour"), "{said}");
}

#[test]
fn an_ephemeral_runner_gets_three_files_and_no_configure() {
    let (host, server) = ephemeral();
    let said = host.prepare().good();
    assert!(said.contains("Registered runner \"runner1\", id 41"), "{said}");
    assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"]);
    for name in host.tree("state") {
        assert_eq!(mode(&host.state(&name)), 0o600, "{name}");
    }
    assert_eq!(server.asked(), "look, jit");
    assert_eq!(host.ledger()["runner"]["id"], 41);
    assert_eq!(host.ledger()["attempt"], json!(null));
    // The steps that follow have nothing to do.
    assert_eq!(host.step("configure").good(), "");
    assert_eq!(host.step("record").good(), "");
    let settings: serde_json::Value = serde_json::from_slice(&fs::read(host.state(".runner")).unwrap()).unwrap();
    assert_eq!(settings["WorkFolder"], json!(fs::canonicalize(host.path("work")).unwrap()));
}

#[test]
fn an_ephemeral_runner_can_be_told_to_use_configure() {
    let (mut host, server) = ephemeral();
    host.manifest["method"] = json!("configure");
    host.prepare().good();
    assert_eq!((host.tree("state"), server.asked().as_str()), (vec![".staged-token".into()], "look, token"));
    let mut host = Host::new();
    *host.registration("ephemeral") = json!(true);
    host.manifest["method"] = json!("jit");
    assert!(host.prepare().bad().contains("with which GitHub makes no JIT configuration"));
}

#[test]
fn a_jit_configuration_with_any_other_file_is_refused_and_taken_back() {
    for name in ["../evil", ".env", "/etc/evil", ".runner_migrated"] {
        let (host, server) = ephemeral();
        server.state().extra_file = Some(name.into());
        let said = host.prepare().bad();
        assert!(said.contains("which no registration needs"), "{said}");
        assert_eq!(host.tree("state"), [""; 0]);
        assert_eq!(host.ledger()["runner"]["id"], 41, "known before it was judged");
        host.settle("exit-code", None).good();
        assert_eq!((server.ids(), server.state().deleted.clone()), (vec![], vec![41]));
    }
}

#[test]
fn a_changed_configuration_takes_the_old_registration_back_before_it_registers() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["nixos", "fast"]);
    let said = host.prepare().good();
    assert!(said.contains("Took back the former registration \"runner1\", id 21"), "{said}");
    assert!(!said.contains("can be removed"), "{said}");
    assert_eq!(server.asked(), "retire 21, look, token");
    assert_eq!((server.ids(), host.ledger()["leftBehind"].clone()), (vec![], json!([])));
}

#[test]
fn a_busy_former_registration_stays_a_debt_and_is_paid_later() {
    let (mut host, server) = registered();
    server.state().runners[0].busy = true;
    *host.registration("name") = json!("runner2");
    server.state().name = Some("runner2".into());
    let said = host.prepare().good();
    assert!(said.contains("still counts a job on the former registration \"runner1\", id 21"), "{said}");
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 21);
    host.configured(22);
    server.add(22, "runner2");
    host.step("record").good();
    server.state().runners[0].busy = false;
    server.asked();
    host.prepare().good();
    assert_eq!(server.asked(), "observe 22, retire 21");
    assert_eq!((server.ids(), host.ledger()["leftBehind"].clone()), (vec![22], json!([])));
}

#[test]
fn a_former_registration_that_holds_the_name_is_waited_for_while_its_job_ends() {
    let (mut host, server) = registered();
    server.state().runners[0].busy = true;
    *host.registration("extraLabels") = json!(["other"]);
    let said = std::thread::scope(|scope| {
        let start = scope.spawn(|| host.prepare().good());
        let is_look = |verb: &Verb| matches!(verb, Verb::Observe(Whom::Name));
        wait_for("a look for the name", || server.state().asked.iter().any(is_look).then_some(()));
        server.state().runners[0].busy = false;
        start.join().unwrap()
    });
    assert!(said.contains("still counts a job") && said.contains("Took back"), "{said}");
    assert_eq!(server.state().deleted, [21]);
}

#[test]
fn a_foreign_runner_of_the_name_is_left_alone_and_named() {
    let (host, server) = Host::with_server();
    for (online, busy, status) in [(false, false, "offline"), (true, false, "online"), (true, true, "running a job")] {
        server.state().runners = vec![RemoteRunner { id: 7, name: "runner1".into(), online, busy }];
        let said = host.prepare().bad();
        assert!(said.contains(&format!("name \"runner1\", id 7, {status}, exists already")), "{said}");
        assert!(said.contains("settings/actions/runners") && said.contains("`replace = true`"), "{said}");
        assert_eq!(server.ids(), [7]);
    }
    assert!(!server.asked().contains("retire"));
}

#[test]
fn a_foreign_runner_is_replaced_only_if_asked_for() {
    let (mut host, server) = ephemeral();
    server.add(7, "runner1");
    assert!(host.prepare().bad().contains("exists already"));
    host.manifest["replace"] = json!(true);
    server.state().replace = true;
    let said = host.prepare().good();
    assert!(said.contains("will be replaced, because `replace` is set"), "{said}");
    assert_eq!(host.ledger()["attempt"], json!(null));
    assert_eq!(server.ids(), [41]);
}

#[test]
fn a_server_that_cannot_be_reached_costs_no_registration() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    let said = host.prepare().bad();
    assert!(said.contains("Failed to take back") && said.contains("it is down"), "{said}");
    assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"], "nothing is lost locally");
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 21, "and nothing is forgotten");

    // The change is taken back before the server is up again.
    *host.registration("extraLabels") = json!(["nixos"]);
    let said = host.prepare().good();
    assert!(said.contains("Could not see whether GitHub still knows id 21") && said.contains("Keeping"), "{said}");
    assert_eq!((host.ledger()["leftBehind"].clone(), host.ledger()["runner"]["id"].clone()), (json!([]), json!(21)));
}

#[test]
fn what_the_server_refuses_is_said_and_nothing_is_purged() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    server.state().instead = Some(Outcome::Refused("The access token expired on 2026-11-01.".into()));
    let said = host.prepare().bad();
    assert!(said.contains("error: Failed to register: The access token expired on 2026-11-01\n"), "{said}");
    assert_eq!(host.tree("state").len(), 3);
    server.state().instead = Some(Outcome::RateLimited(1_798_070_400));
    assert!(host.prepare().bad().contains("requests are allowed again on 2026-12-24 00:00:00 UTC"));
}

#[test]
fn rotating_an_access_token_registers_anew_unless_told_otherwise() {
    let (mut host, server) = registered();
    fs::write(host.path("token"), "ghp_FAKEROTATED").unwrap();
    host.manifest["reRegisterOnTokenChange"] = json!(false);
    assert!(host.prepare().good().contains("Keeping the registration"));
    assert_eq!(server.asked(), "observe 21");

    host.manifest["reRegisterOnTokenChange"] = json!(true);
    assert!(host.prepare().good().contains("Keeping"), "that rotation is history");
    fs::write(host.path("token"), "ghp_FAKEAGAIN").unwrap();
    let said = host.prepare().good();
    assert!(said.contains("Registering runner1 anew: the content of the token file changed"), "{said}");
    assert_eq!(server.state().deleted, [21]);
}

#[test]
fn an_app_needs_no_token_file_and_its_key_is_never_read() {
    let (mut host, server) = ephemeral();
    *host.registration("tokenFile") = json!(null);
    let key = host.path("key");
    host.manifest["githubApp"] =
        json!({ "id": "Iv1.fake", "login": "octo-org", "privateKeyFile": key, "installationId": null });
    let said = host.prepare().bad();
    assert!(said.contains("Failed to find private key"), "{said}");
    fs::write(&key, "").unwrap();
    assert!(host.prepare().bad().contains("is empty or no regular file"));
    fs::write(&key, "FAKEKEYCONTENT").unwrap();
    host.prepare().good();
    assert_eq!(host.ledger()["runner"]["id"], 41);
    assert_eq!(holds(&host, "FAKEKEYCONTENT"), ["key"]);

    // Another key is no other registration, and a persistent runner keeps it.
    *host.registration("ephemeral") = json!(false);
    host.prepare().good();
    host.configured(50);
    server.add(50, "runner1");
    host.step("record").good();
    fs::write(&key, "ROTATEDKEY").unwrap();
    assert!(host.prepare().good().contains("Keeping"));
}

#[test]
fn the_end_of_an_access_token_is_warned_about_two_weeks_before() {
    let (host, server) = registered();
    let day = 24 * 60 * 60;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (days, warned) in [(15, false), (13, true)] {
        server.state().expires = Some(now + days * day);
        let said = host.prepare().good();
        assert_eq!(said.contains("warning: The access token in "), warned, "{said}");
        assert!(!warned || said.contains("expires on 20"), "{said}");
    }
}
