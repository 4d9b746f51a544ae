//! Getting what registers a runner.

use github_runners::contract::protocol::{Issue, Outcome, RemoteRunner, Verb};
use serde_json::json;

use super::harness::{ENTITY, NAME, Reply, Stand, URL, idle};
use crate::github::{Delivery, Fault, Group, JitChanges};

const JIT: &str = "/generate-jitconfig";

fn jit(stand: &Stand) -> Reply {
    stand.ask(&Verb::Issue(Issue::Jit { work_folder: "/work".into() }))
}

#[test]
fn a_registration_token_is_given_out() {
    let stand = Stand::new();
    let told = stand.ask(&Verb::Issue(Issue::Token));
    let Outcome::Token(token) = told.answer.outcome else { panic!("{}", told.journal) };
    assert_eq!(token.expose(), stand.github.state().tokens[0].secret);
    assert_eq!(stand.seen(), ["POST /orgs/octo-org/actions/runners/registration-token 201"]);
    assert_eq!(told.journal, "Getting a registration token: got one\n");
}

#[test]
fn a_runner_is_made_as_configured() {
    let mut stand = Stand::new();
    stand.manifest["registration"]["extraLabels"] = json!(["nix", "linux"]);
    let Outcome::Jit { id, name, files } = jit(&stand).answer.outcome else { panic!() };
    assert_eq!((id, name.as_str()), (21, NAME));
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(names, [".credentials", ".credentials_rsaparams", ".runner"]);
    assert!(files[".runner"].expose().contains("\"WorkFolder\":\"/work\""));
    let body = stand.github.records().pop().unwrap().body;
    let architecture = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };
    assert_eq!(
        body,
        json!({ "name": NAME, "runner_group_id": 1, "labels": ["self-hosted", "Linux", architecture, "nix"], "work_folder": "/work" })
    );
    assert_eq!(stand.count("POST", JIT), 1);
}

#[test]
fn a_group_on_a_later_page_is_found() {
    let mut stand = Stand::new();
    stand.manifest["registration"]["runnerGroup"] = json!("Group149");
    let groups = (1..150).map(|id| Group { is_hosted: id == 7, ..Group::new(id, &format!("group{id}")) });
    stand.github.change(|state| state.groups = groups.collect()).unwrap();
    assert!(matches!(jit(&stand).answer.outcome, Outcome::Jit { .. }));
    assert_eq!(stand.count("GET", "/runner-groups"), 2);
    assert_eq!(stand.github.records().last().unwrap().body["runner_group_id"], 149);
    stand.manifest["registration"]["runnerGroup"] = json!("group7");
    assert!(jit(&stand).refusal().contains("no runner group \"group7\" for self-hosted runners"));
}

#[test]
fn a_repository_needs_no_look_at_groups() {
    let stand = Stand::at("https://github.com/octo-org/example");
    assert!(matches!(jit(&stand).answer.outcome, Outcome::Jit { .. }));
    assert_eq!(stand.seen(), ["POST /repos/octo-org/example/actions/runners/generate-jitconfig 201"]);
}

#[test]
fn a_404_beside_good_answers_is_waited_out() {
    let stand = Stand::at("https://github.com/octo-org/example");
    stand.inject(Fault { times: 2, ..Fault::next(JIT, 404) });
    let told = jit(&stand);
    assert!(matches!(told.answer.outcome, Outcome::Jit { .. }), "{}", told.journal);
    assert_eq!((stand.count("POST", JIT), stand.runners().len()), (3, 1));
}

#[test]
fn a_server_that_knows_nothing_of_making_runners_gives_out_a_token() {
    for (url, method, refusal) in [
        ("https://ghes.example/octo-org", json!(null), None),
        ("https://ghes.example/octo-org", json!("jit"), Some("lets it make none (status 404)")),
        (URL, json!(null), Some("lets it make none (status 404)")),
    ] {
        let mut stand = Stand::at(url);
        stand.manifest["method"] = method;
        stand.inject(Fault { times: 99, ..Fault::next(JIT, 404) });
        let told = jit(&stand);
        match refusal {
            None => assert!(matches!(told.answer.outcome, Outcome::Token(_)), "{}", told.journal),
            Some(part) => {
                let text = told.refusal();
                assert!(text.contains(part) && text.contains("\"configure\""), "{text}");
            }
        }
        assert!(stand.runners().is_empty());
    }
}

#[test]
fn a_taken_name_stays_with_its_holder() {
    let stand = Stand::new();
    stand.add_runner(7, "Runner1", ENTITY);
    assert_eq!(jit(&stand).answer.outcome, Outcome::NameTaken(idle(7, "Runner1")));
    assert_eq!((stand.count("POST", JIT), stand.count("DELETE", "")), (1, 0));
}

#[test]
fn replace_deletes_an_idle_holder_and_no_busy_one() {
    let mut stand = Stand::new();
    stand.manifest["replace"] = json!(true);
    stand.add_runner(7, NAME, ENTITY);
    stand.github.change(|state| state.runners[0].busy = true).unwrap();
    let busy = RemoteRunner { busy: true, ..idle(7, NAME) };
    assert_eq!(jit(&stand).answer.outcome, Outcome::NameTaken(busy));
    stand.github.change(|state| state.runners[0].busy = false).unwrap();
    let told = jit(&stand);
    assert!(matches!(told.answer.outcome, Outcome::Jit { id: 21, .. }), "{}", told.journal);
    assert!(told.journal.starts_with("Deleted runner \"runner1\" (id 7) to take its name"), "{}", told.journal);
    assert_eq!(stand.runners(), [NAME]);
}

#[test]
fn a_runner_is_never_made_twice() {
    let after = Fault { after_effect: true, ..Fault::next(JIT, 502) };
    let cut = Fault::badly(JIT, Delivery::CutOff);
    let closed = Fault { after_effect: true, ..Fault::badly(JIT, Delivery::Closed) };
    for fault in [after, cut, closed] {
        let stand = Stand::new();
        stand.inject(fault);
        let told = jit(&stand);
        assert_eq!(told.answer.outcome, Outcome::Uncertain(idle(21, NAME)));
        assert!(
            told.journal.contains("the answer was lost, and \"runner1\" (id 21), offline has the name"),
            "{}",
            told.journal
        );
        assert_eq!((stand.count("POST", JIT), stand.count("DELETE", ""), stand.runners().len()), (1, 0, 1));
    }
}

#[test]
fn what_appears_late_is_not_told_as_somebody_elses() {
    for replace in [false, true] {
        let mut stand = Stand::new();
        stand.manifest["replace"] = json!(replace);
        stand.inject(Fault::next(JIT, 502));
        // What the first one asked for comes to be only now.
        stand.inject(Fault { after_effect: true, ..Fault::next(JIT, 409) });
        assert_eq!(jit(&stand).answer.outcome, Outcome::Uncertain(idle(21, NAME)));
        assert_eq!((stand.count("POST", JIT), stand.count("DELETE", "")), (2, 0));
    }
}

#[test]
fn replace_deletes_nobody_who_may_be_the_one_that_was_asked_for() {
    let mut stand = Stand::new();
    stand.manifest["replace"] = json!(true);
    stand.add_runner(7, NAME, ENTITY);
    stand.inject(Fault::next(JIT, 409));
    stand.inject(Fault { after_effect: true, ..Fault::next(JIT, 502) });
    assert_eq!(jit(&stand).answer.outcome, Outcome::Uncertain(idle(21, NAME)));
    assert_eq!((stand.count("DELETE", ""), stand.count("DELETE", "/actions/runners/7")), (1, 1));
    // Nor one of whom nobody knows whether it was there before.
    stand.inject(Fault::next(JIT, 502));
    assert_eq!(jit(&stand).answer.outcome, Outcome::Uncertain(idle(21, NAME)));
    stand.attempt(&json!(NAME), "https://github.com/octo-org/old", &json!({ "runner": 21 }));
    stand.inject(Fault::next(JIT, 502));
    assert_eq!(jit(&stand).answer.outcome, Outcome::Uncertain(idle(21, NAME)));
    assert_eq!((stand.count("DELETE", ""), stand.runners().len()), (1, 1));
}

#[test]
fn who_had_the_name_before_is_not_the_one_that_was_asked_for() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.attempt(&json!(NAME), URL, &json!({ "runner": 7 }));
    stand.inject(Fault::next(JIT, 502));
    assert_eq!(jit(&stand).answer.outcome, Outcome::NameTaken(idle(7, NAME)));
    assert_eq!((stand.count("POST", JIT), stand.count("DELETE", "")), (1, 0));
    stand.manifest["replace"] = json!(true);
    stand.inject(Fault::next(JIT, 502));
    let told = jit(&stand);
    assert!(matches!(told.answer.outcome, Outcome::Jit { id: 21, .. }), "{}", told.journal);
    assert_eq!((stand.count("POST", JIT), stand.runners()), (3, vec![NAME.to_owned()]));
}

#[test]
fn an_answer_about_another_runner_deletes_nobody_and_what_was_made_is_found_by_its_name() {
    let stand = Stand::new();
    let runner = serde_json::from_value(json!({ "name": "other" })).unwrap();
    stand.github.change(|state| state.jit = JitChanges { runner, ..JitChanges::default() }).unwrap();
    assert_eq!(jit(&stand).answer.outcome, Outcome::Uncertain(idle(21, NAME)));
    assert_eq!((stand.count("POST", JIT), stand.count("DELETE", ""), stand.runners().len()), (1, 0, 1));

    let stand = Stand::new();
    let runner = serde_json::from_value(json!({ "id": 0 })).unwrap();
    stand.github.change(|state| state.jit = JitChanges { runner, ..JitChanges::default() }).unwrap();
    let text = jit(&stand).refusal();
    let part = "a runner with no id; the runner could not be deleted again: remove it on https://";
    assert!(text.contains(part), "{text}");
    assert_eq!((stand.runners().len(), stand.count("DELETE", "")), (1, 0));

    let stand = Stand::new();
    let runner = [("name".into(), json!("RUNNER1"))].into();
    stand.github.change(|state| state.jit = JitChanges { runner, ..JitChanges::default() }).unwrap();
    assert!(matches!(jit(&stand).answer.outcome, Outcome::Jit { .. }));
}

#[test]
fn a_runner_that_was_not_made_is_asked_for_again_after_a_look() {
    let stand = Stand::new();
    stand.inject(Fault::next(JIT, 500));
    assert!(matches!(jit(&stand).answer.outcome, Outcome::Jit { .. }));
    assert_eq!((stand.count("POST", JIT), stand.count("GET", "/actions/runners?name=runner1")), (2, 1));
}

#[test]
fn a_runner_with_a_useless_configuration_is_deleted_again() {
    let stand = Stand::new();
    let changes = JitChanges { instead: Some("%%%".into()), ..JitChanges::default() };
    stand.github.change(|state| state.jit = changes).unwrap();
    let text = jit(&stand).refusal();
    assert!(text.contains("it is not base64; the runner was deleted again"), "{text}");
    assert!(stand.runners().is_empty());
}

#[test]
fn what_cannot_be_made_is_not_asked_for() {
    let mut stand = Stand::new();
    let relative = stand.ask(&Verb::Issue(Issue::Jit { work_folder: "work".into() }));
    assert!(relative.refusal().contains("not an absolute path"));
    stand.manifest["registration"]["ephemeral"] = json!(false);
    assert!(jit(&stand).refusal().contains("ephemeral runners only"));
    assert!(stand.seen().is_empty());
}
