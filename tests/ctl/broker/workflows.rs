//! Who wants a runner: runs of workflows, their jobs and artifacts, and the keys of ID tokens.

use std::time::Instant;

use github_runners::contract::protocol::{Outcome, Verb};
use github_runners::contract::workflow::{Artifact, QueuedJob, RunState, WorkflowRun};
use github_runners::frontend::ondemand::label::Key;
use github_runners::frontend::ondemand::proof::oidc::{self, Expected};
use github_runners::frontend::ondemand::proof::{Served, Verdict, Wanted};
use github_runners::model::{RegistrationUrl, Repository};
use serde_json::{Value, json};

use super::apps;
use super::harness::{PAT, Reply, Stand, URL, finish};
use crate::github::{Fault, Pat, id_token, issuer_keys};
use crate::times::PATIENCE;

const RUN: u64 = 19_283_746;
const NAME: &str = "od.od-19283746-1-build.x86_64";
const ISSUER: &str = "token.actions.githubusercontent.com:443";

fn repository(name: &str) -> Repository {
    Repository::parse(name).unwrap()
}

fn about(name: &str) -> [Verb; 3] {
    let repository = || repository(name);
    [
        Verb::Run { repository: repository(), run: RUN },
        Verb::Jobs { repository: repository(), run: RUN },
        Verb::Artifact { repository: repository(), run: RUN, name: NAME.into() },
    ]
}

/// A broker that serves a repository, in which a run of a fork's pull request waits for a runner.
fn serving(stand: Stand) -> Stand {
    let mut stand = stand;
    stand.manifest["repositories"] = json!([{ "name": "octo-org/example", "id": 3 }]);
    let run = json!({
        "id": RUN, "repository": "octo-org/example", "repository-id": 3, "head-repository-id": 4, "attempt": 2,
        "event": "pull_request",
        "jobs": [
            { "id": 1, "status": "in_progress", "labels": ["ubuntu-latest"] },
            { "id": 2, "labels": ["od-19283746-1-build"] },
        ],
        "artifacts": [{ "name": NAME, "created": 1_790_000_000 }, { "name": "log", "created": 1_790_000_001 }],
    });
    stand.github.change(|state| state.runs.push(serde_json::from_value(run).unwrap())).unwrap();
    stand
}

#[test]
fn a_run_its_waiting_jobs_and_its_artifact_are_looked_up_for_one_request_each() {
    let stand = serving(Stand::new());
    let expected = [
        Outcome::Run(Some(WorkflowRun {
            id: RUN,
            repository: 3,
            head_repository: Some(4),
            state: RunState::Queued,
            attempt: 2,
        })),
        Outcome::Jobs(vec![QueuedJob { id: 2, run: RUN, labels: vec!["od-19283746-1-build".into()] }]),
        Outcome::Artifact(Some(Artifact {
            name: NAME.into(),
            created_at: 1_790_000_000,
            expired: false,
            run: RUN,
            repository: 3,
            head_repository: Some(4),
        })),
    ];
    let said = ["it is queued", "there are 1", "made at 2026-09-21 14:13:20 UTC"];
    for ((verb, expected), said) in about("Octo-Org/example").iter().zip(expected).zip(said) {
        let told = stand.ask(verb);
        assert_eq!((&told.answer.outcome, told.answer.requests), (&expected, 1), "{}", told.journal);
        assert!(
            told.journal.contains(said) && told.journal.contains("run 19283746 of Octo-Org/example"),
            "{}",
            told.journal
        );
    }
}

#[test]
fn what_is_not_there_is_told_as_such() {
    let stand = serving(Stand::new());
    let repository = || repository("octo-org/example");
    for (verb, expected) in [
        (Verb::Run { repository: repository(), run: 7 }, Outcome::Run(None)),
        (Verb::Artifact { repository: repository(), run: 7, name: NAME.into() }, Outcome::Artifact(None)),
        (Verb::Artifact { repository: repository(), run: RUN, name: "other".into() }, Outcome::Artifact(None)),
    ] {
        let told = stand.ask(&verb);
        assert_eq!(told.answer.outcome, expected);
        assert!(told.answer.requests <= 2, "{}", told.answer.requests);
    }
}

#[test]
fn a_repository_that_the_manifest_does_not_name_is_not_asked_about() {
    let mut stand = serving(Stand::new());
    for name in ["octo-org/example2", "octo-org/exampl", "octo-org2/example", "evil/example"] {
        for verb in about(name) {
            let told = stand.ask(&verb);
            assert_eq!(told.answer.requests, 0);
            assert!(told.refusal().contains("is not one that this broker serves"), "{name}");
        }
    }
    // As with every manifest of before.
    stand.manifest.as_object_mut().unwrap().remove("repositories");
    for verb in about("octo-org/example") {
        assert!(stand.ask(&verb).refusal().contains("is not one that this broker serves"));
    }
    assert!(stand.ask(&Verb::Keys).refusal().contains("serves no repository"));
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn a_name_that_somebody_else_has_got_is_told() {
    let mut stand = serving(Stand::new());
    stand.manifest["repositories"][0]["id"] = json!(5);
    let [run, _, artifact] = about("octo-org/example");
    for verb in [run, artifact] {
        let text = stand.ask(&verb).refusal();
        assert!(text.contains("has the id 3 at GitHub and 5 in the configuration"), "{text}");
    }
}

#[test]
fn no_name_of_an_artifact_leads_elsewhere() {
    let stand = serving(Stand::new());
    for name in ["", "a/b", "a&name=b", "a b", "a\n", "a%20", "ü", &"x".repeat(129)] {
        let verb = Verb::Artifact { repository: repository("octo-org/example"), run: RUN, name: name.into() };
        assert!(stand.ask(&verb).refusal().contains("is no name of an artifact"), "{name}");
    }
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn a_credential_that_may_not_see_workflows_is_told_the_way_out() {
    let stand = serving(Stand::new());
    let pat = Pat { permission: false, ..Pat::new(PAT) };
    stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(pat))).unwrap();
    for verb in about("octo-org/example") {
        let text = stand.ask(&verb).refusal();
        assert!(text.contains("\"Actions: Read-only\""), "{text}");
    }
}

#[test]
fn an_app_looks_workflows_up_with_a_token_that_is_good_for_nothing_else() {
    let mut app = apps::app();
    app.installations[0].permissions.insert("actions".into(), "read".into());
    let stand = serving(apps::stand(URL, app.clone())).sharing();
    for verb in about("octo-org/example") {
        let told = stand.ask(&verb);
        assert!(!matches!(told.answer.outcome, Outcome::Refused(_)), "{}", told.journal);
    }
    // One token for all three, and another one for runners.
    assert!(matches!(stand.ask(&Verb::List).answer.outcome, Outcome::Listed(_)));
    let records = stand.github.records();
    let bodies: Vec<&Value> =
        records.iter().filter(|record| record.path.ends_with("/access_tokens")).map(|record| &record.body).collect();
    let workflows = json!({ "repositories": ["example"], "permissions": { "actions": "read" } });
    assert_eq!(bodies, [&workflows, &json!({ "permissions": { "organization_self_hosted_runners": "write" } })]);

    let stand = serving(apps::stand(URL, apps::app()));
    let text = stand.ask(&about("octo-org/example")[0]).refusal();
    assert!(text.contains("lacks the permission \"Actions: Read-only\" of the repository"), "{text}");
}

/// Asks for the keys; what was sent for them is checked here, because it has no credential.
fn keys(stand: &Stand) -> Reply {
    let told = finish(stand.start(&Verb::Keys, PATIENCE), Instant::now());
    for record in stand.github.records() {
        assert!(record.authorization.is_none() && record.secure, "{}", record.path);
        assert_eq!(record.accept.as_deref(), Some("application/json"));
    }
    assert!(stand.github.proxied_hosts().iter().all(|host| host == ISSUER), "{:?}", stand.github.proxied_hosts());
    told
}

#[test]
fn keys_come_from_the_issuer_alone_and_without_the_credential() {
    let stand = serving(Stand::new());
    let told = keys(&stand);
    assert_eq!(told.journal, "Getting the keys of ID tokens: got 2\n");
    assert_eq!((told.answer.requests, told.answer.credential_expires), (2, None));
    let Outcome::Keys(keys) = told.answer.outcome else { panic!("{}", told.journal) };
    let expected = issuer_keys();
    for (key, expected) in keys.iter().zip(expected["keys"].as_array().unwrap()) {
        assert_eq!(json!(key), json!({ "kid": expected["kid"], "n": expected["n"], "e": expected["e"] }));
    }
    assert_eq!(stand.seen(), ["GET /.well-known/openid-configuration 200", "GET /.well-known/jwks 200"]);
}

#[test]
fn a_token_of_the_issuer_is_proven_by_the_keys_that_the_broker_got() {
    let stand = serving(Stand::new());
    let told = keys(&stand);
    let Outcome::Keys(keys) = told.answer.outcome else { panic!("{}", told.journal) };
    let url = RegistrationUrl::parse(URL).unwrap();
    let (now, audience) = (1_790_000_000, "https://ci.example.org");
    let token = id_token(&json!({
        "iss": url.issuer(), "aud": audience, "exp": now + 300, "nbf": now - 300, "run_id": RUN.to_string(),
        "repository_id": "3", "repository_owner_id": "42", "event_name": "push",
    }));
    let served = Served { name: repository("octo-org/example"), id: 3, owner: 42, forks: false };
    let label = "od-19283746-1-build".to_owned().try_into().unwrap();
    let key = Key::new(label, "x86_64".to_owned().try_into().unwrap()).unwrap();
    let wanted = Wanted { key: &key, run: RUN, repository: &served };
    let expected = Expected { issuer: &url.issuer(), audience };
    let verdict = oidc::judge(&wanted, &token.unwrap(), &keys, &expected, now);
    assert_eq!(verdict, Verdict::Proven { fork: false });
}

#[test]
fn an_issuer_that_leads_elsewhere_is_not_followed() {
    let stand = serving(Stand::new());
    let elsewhere = [("location".into(), "https://evil.example/".into())];
    stand.inject(Fault { times: 99, headers: elsewhere.into(), ..Fault::next("", 302) });
    let told = keys(&stand);
    assert!(told.unreachable().contains("status 302"));
}

#[test]
fn an_app_or_a_host_of_its_own_changes_nothing_about_that() {
    assert!(matches!(keys(&serving(apps::stand(URL, apps::app()))).answer.outcome, Outcome::Keys(_)));
    let stand = serving(Stand::at("https://ghes.example/octo-org"));
    let told = finish(stand.start(&Verb::Keys, PATIENCE), Instant::now());
    assert!(matches!(told.answer.outcome, Outcome::Keys(_)), "{}", told.journal);
    let below = "GET /_services/token/.well-known";
    assert_eq!(stand.seen(), [format!("{below}/openid-configuration 200"), format!("{below}/jwks 200")]);
    assert!(stand.github.records().iter().all(|record| record.authorization.is_none()));
}
