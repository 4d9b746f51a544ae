//! A table of starts: what was found, and what is decided.

use super::*;
use crate::ledger::{Attempt, Exit, NameHolder};
use crate::model::{SALT_BYTES, TokenDigest};
use crate::state::Settings;

const NOW: u64 = 1_790_000_000;

#[path = "plan_tests/debts.rs"]
mod debts;

/// A start that keeps its registration; each test spoils it in one way.
struct Case {
    manifest: Manifest,
    token: Token,
    entry: Option<Entry>,
    state: Snapshot,
    api: bool,
    gone: Option<u64>,
}

impl Case {
    fn unchanged() -> Self {
        let manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        let token = Token::parse(b"AFAKETOKEN").unwrap();
        let runner = Runner { id: 21, name: "runner1".into(), url: "https://github.com/o/r".into(), recorded_at: 1 };
        let instance = "runner1".to_owned().try_into().unwrap();
        let registration = manifest.registration.to_object().unwrap();
        let digest = TokenDigest::new(&token, [0; SALT_BYTES]);
        let entry = Entry { runner: Some(runner), ..Entry::new(&instance, registration, Some(digest)) };
        let url = Some("https://github.com/o/r".into());
        let settings = Settings { id: 21, name: "runner1".into(), url, ephemeral: false };
        let state = Snapshot {
            settings: Content::Good(settings),
            credentials: Content::Good(()),
            key: Content::Good(()),
            empty: false,
            ..nothing()
        };
        Self { manifest, token, entry: Some(entry), state, api: false, gone: None }
    }

    fn from_nixpkgs() -> Self {
        let mut case = Self::unchanged();
        case.entry = None;
        case.state.nixpkgs_config = Content::Good(case.manifest.registration.to_object().unwrap());
        case.state.nixpkgs_token = Content::Good(case.token.clone());
        case
    }

    fn ephemeral() -> Self {
        let mut case = Self::unchanged();
        case.manifest.registration.ephemeral = true;
        case.entry().registration = case.manifest.registration.to_object().unwrap();
        case.settings().ephemeral = true;
        case
    }

    /// Registered, but cut off before the runner came into the ledger.
    fn attempted(mut self) -> Self {
        self.entry().runner = None;
        self.entry().attempt = Some(Attempt { since: NOW - 10, before: NameHolder::Nobody, host: None });
        self
    }

    fn entry(&mut self) -> &mut Entry {
        self.entry.as_mut().unwrap()
    }

    fn settings(&mut self) -> &mut Settings {
        match &mut self.state.settings {
            Content::Good(settings) => settings,
            _ => panic!("the case has no settings"),
        }
    }

    fn plan(&self) -> Plan {
        plan(&Inputs {
            manifest: &self.manifest,
            registration: &self.manifest.registration.to_object().unwrap(),
            token: Some(&self.token),
            api: self.api,
            gone: self.gone,
            entry: self.entry.as_ref(),
            state: &self.state,
            host: "this-host",
            now: NOW,
        })
    }

    /// The decision in the words of the journal.
    fn words(&self) -> String {
        let plan = self.plan();
        let reasons: Vec<String> = plan.reasons.iter().map(ToString::to_string).collect();
        let gives_up = plan.gives_up.map(|old| format!(" [gives up {}]", old.id)).unwrap_or_default();
        format!("{:?}: {}{gives_up}", plan.action, reasons.join("; "))
    }
}

fn nothing() -> Snapshot {
    Snapshot {
        empty: true,
        settings: Content::Absent,
        settings_migrated: Content::Absent,
        credentials: Content::Absent,
        credentials_migrated: Content::Absent,
        key: Content::Absent,
        staged: false,
        nixpkgs_config: Content::Absent,
        nixpkgs_token: Content::Absent,
    }
}

fn edited(mut case: Case, edit: impl FnOnce(&mut Case)) -> String {
    edit(&mut case);
    case.words()
}

#[test]
fn an_empty_state_directory_means_register() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| { case.entry = None; case.state = nothing() }),
        @"Register: this is the first start");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.state = nothing()),
        @"Register: the state directory is empty although id 21 was registered [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged().attempted(), |case| case.state = nothing()),
        @"Register: an earlier registration did not come to its end");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| { case.entry().runner = None; case.state = nothing() }),
        @"Register: this is the first start");
}

#[test]
fn nothing_changed_means_keep() {
    insta::assert_snapshot!(Case::unchanged().words(), @r#"Keep: configuration, token and state are those of runner "runner1", id 21"#);
    let plan = Case::unchanged().plan();
    assert_eq!(plan.runner.unwrap().id, 21, "a kept registration stays in the ledger");
}

#[test]
fn settings_after_a_migration_are_as_good_as_before() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| {
        case.state.settings_migrated = std::mem::replace(&mut case.state.settings, Content::Absent);
        case.state.credentials_migrated = std::mem::replace(&mut case.state.credentials, Content::Absent);
    }), @r#"Keep: configuration, token and state are those of runner "runner1", id 21"#);
}

#[test]
fn a_runner_that_github_renamed_is_kept() {
    assert!(edited(Case::unchanged(), |case| case.settings().name = "renamed".into()).starts_with("Keep: "));
}

#[test]
fn every_changed_field_registers_anew_and_is_named() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| {
        case.entry().registration.insert("extraLabels".into(), serde_json::json!(["a"]));
        case.entry().registration.insert("runnerGroup".into(), serde_json::json!("trusted"));
    }), @r#"Register: extraLabels changed: ["a"] → []; runnerGroup changed: "trusted" → null [gives up 21]"#);
    for (field, old) in [
        ("ephemeral", serde_json::json!(true)),
        ("extraLabels", serde_json::json!(["x"])),
        ("name", serde_json::json!("other")),
        ("noDefaultLabels", serde_json::json!(true)),
        ("runnerGroup", serde_json::json!("g")),
        ("tokenFile", serde_json::json!("/run/other")),
        ("url", serde_json::json!("https://github.com/o/other")),
        ("workDir", serde_json::json!("/var/lib/other")),
    ] {
        let words = edited(Case::unchanged(), |case| drop(case.entry().registration.insert(field.into(), old)));
        assert!(words.starts_with(&format!("Register: {field} changed: ")), "{words}");
    }
}

#[test]
fn another_token_registers_anew_and_is_never_shown() {
    let words = edited(Case::unchanged(), |case| case.token = Token::parse(b"AFAKEOTHER").unwrap());
    insta::assert_snapshot!(words, @"Register: the content of the token file changed [gives up 21]");
}

#[test]
fn half_done_state_registers_anew() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.state.settings = Content::Absent),
        @"Register: .runner is missing [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| { case.state.credentials = Content::Absent; case.state.key = Content::Absent }),
        @"Register: .credentials is missing; .credentials_rsaparams is missing [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.state.staged = true),
        @"Register: an earlier registration did not come to its end [gives up 21]");
}

#[test]
fn truncated_runner_file_means_register_anew() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.state.settings = Content::Bad("is cut short".into())),
        @"Register: .runner is cut short [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.state.settings_migrated = Content::Bad("is a fifo".into())),
        @"Register: .runner_migrated is a fifo [gives up 21]");
}

#[test]
fn foreign_state_registers_anew() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.settings().id = 99),
        @"Register: .runner names id 99, but id 21 was registered [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.settings().url = Some("https://github.com/o/x".into())),
        @r#"Register: .runner has the url "https://github.com/o/x" instead of "https://github.com/o/r" [gives up 21]"#);
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.entry = None),
        @"Register: the state directory holds something that this module did not make [gives up 21]");
}

#[test]
fn a_registration_that_was_never_recorded_is_kept_if_it_is_as_asked() {
    insta::assert_snapshot!(Case::unchanged().attempted().words(),
        @"Keep: an earlier start registered id 21 as configured, but was cut off before recording it");
    insta::assert_snapshot!(edited(Case::unchanged().attempted(), |case| case.settings().ephemeral = true),
        @"Register: .runner is ephemeral, unlike the configuration [gives up 21]");
}

#[test]
fn files_that_no_attempt_accounts_for_are_not_kept() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.entry().runner = None),
        @"Register: an earlier registration did not come to its end [gives up 21]");
}

#[test]
fn an_ephemeral_runner_always_registers_anew() {
    insta::assert_snapshot!(Case::ephemeral().words(), @"Register: an ephemeral runner registers at every start [gives up 21]");
    insta::assert_snapshot!(edited(Case::ephemeral(), |case| case.state = nothing()),
        @"Register: an ephemeral runner registers at every start");
}

#[test]
fn state_of_nixpkgs_module_is_adopted_only_if_it_is_the_same() {
    insta::assert_snapshot!(Case::from_nixpkgs().words(),
        @"Adopt: nixpkgs' module registered id 21 with the same configuration and token");
    assert_eq!(Case::from_nixpkgs().plan().runner.unwrap().recorded_at, NOW);
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| case.state.nixpkgs_token = Content::Absent),
        @"Register: .current-token is missing [gives up 21]");
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| case.token = Token::parse(b"AFAKEOTHER").unwrap()),
        @"Register: the content of the token file changed [gives up 21]");
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| case.state.nixpkgs_config = Content::Absent),
        @"Register: .nixos-current-config.json is missing [gives up 21]");
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| case.state.settings = Content::Bad("is cut short".into())),
        @"Register: .runner is cut short");
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| case.settings().name = "forged".into()),
        @r#"Register: .runner has the name "forged" instead of "runner1" [gives up 21]"#);
}

#[test]
fn coming_back_from_nixpkgs_module_adopts_in_spite_of_an_older_ledger() {
    let mut case = Case::from_nixpkgs();
    case.entry = Case::unchanged().entry;
    case.entry().runner.as_mut().unwrap().id = 5;
    let plan = case.plan();
    assert_eq!((plan.action, plan.runner.unwrap().id), (Action::Adopt, 21));
    assert_eq!(plan.debts[0].runner.id, 5, "nixpkgs' module left that one behind");
}

#[test]
fn fields_that_this_module_does_not_know_are_not_shown() {
    insta::assert_snapshot!(edited(Case::from_nixpkgs(), |case| {
        if let Content::Good(config) = &mut case.state.nixpkgs_config {
            config.insert("password".into(), serde_json::json!("FAKESECRET"));
            config.insert("githubApp".into(), Value::Null);
        }
    }), @"Register: .nixos-current-config.json has fields that this module does not know [gives up 21]");
}

#[test]
fn settings_that_a_job_changed_are_not_kept() {
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.settings().ephemeral = true),
        @"Register: .runner is ephemeral, unlike the configuration [gives up 21]");
    insta::assert_snapshot!(edited(Case::unchanged(), |case| case.settings().url = None),
        @"Register: .runner has no url [gives up 21]");
}

#[test]
fn a_listener_that_keeps_failing_gets_a_fresh_identity_if_the_old_one_can_be_taken_back() {
    let failing = |kind, alike, api| {
        edited(Case::unchanged(), |case| {
            case.api = api;
            case.entry().last_exit = Some(Exit { at: NOW, kind, said: String::new(), failures: 100, alike });
        })
    };
    insta::assert_snapshot!(failing(ExitKind::SessionConflict, 3, true),
        @"Register: GitHub saw another session of this runner 3 times in a row [gives up 21]");
    insta::assert_snapshot!(failing(ExitKind::Terminated, 6, true),
        @"Register: the listener gave up 6 times in a row [gives up 21]");
    assert!(failing(ExitKind::Terminated, 12, true).starts_with("Register: "));
    for (kind, alike, api) in [
        (ExitKind::SessionConflict, 0, true),
        (ExitKind::SessionConflict, 2, true),
        (ExitKind::SessionConflict, 3, false),
        (ExitKind::Terminated, 2, true),
        (ExitKind::Terminated, 6, false),
        // A fresh identity did not help, so the next one takes its time.
        (ExitKind::Terminated, 4, true),
        (ExitKind::Terminated, 5, true),
        (ExitKind::Terminated, 9, true),
        (ExitKind::SessionConflict, 13, true),
        (ExitKind::Crashed, 9, true),
        (ExitKind::NotStarted, 9, true),
    ] {
        assert!(failing(kind, alike, api).starts_with("Keep: "), "{kind:?} {alike} {api}");
    }
}

#[test]
fn rotating_an_access_token_leaves_the_registration_alone_if_asked_to() {
    let rotated = |api, re_register| {
        edited(Case::unchanged(), |case| {
            case.api = api;
            case.manifest.re_register_on_token_change = re_register;
            case.token = Token::parse(b"ghp_fakeother").unwrap();
            case.entry().registration.insert("tokenFile".into(), serde_json::json!("/run/other"));
        })
    };
    assert!(rotated(true, false).starts_with("Keep: "));
    assert!(rotated(true, true).contains("tokenFile changed: "), "{}", rotated(true, true));
    assert!(rotated(true, true).contains("the content of the token file changed"));
    assert!(
        rotated(false, false).contains("the content of the token file changed"),
        "a registration token is the registration"
    );

    let mut case = Case::unchanged();
    assert!(!case.plan().new_credential);
    case.token = Token::parse(b"ghp_fakeother").unwrap();
    assert!(case.plan().new_credential, "the ledger has to learn it");
}
