//! What systemd gives a broker, and what it does not: each has its own sentence.

use std::fs;
use std::path::Path;
use std::time::Instant;

use github_runners::contract::protocol::{Outcome, VERSION, Verb};
use serde_json::json;

use super::harness::{Stand, finish, start_with};

/// What the unit has in the place of a file that is not there.
const NO_FILE: &str = "no file\n";

/// What a broker answers that is given what `give` leaves in its directory.
fn answer(stand: &Stand, verb: &Verb, give: impl FnOnce(&Path)) -> Outcome {
    let mut program = stand.program();
    let directory =
        program.get_envs().find(|(name, _)| *name == "CREDENTIALS_DIRECTORY").unwrap().1.unwrap().to_owned();
    give(Path::new(&directory));
    let question =
        json!({ "version": VERSION, "instance": "runner1", "patience": crate::times::PATIENCE, "verb": verb });
    finish(start_with(&mut program, &format!("{question}\n")), Instant::now()).answer.outcome
}

fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_credential_that_is_missing_not_given_or_empty_looks_different() {
    let app = json!({ "id": "1", "login": null, "privateKeyFile": "/run/secrets/key.pem", "installationId": null });
    let stand = Stand::new();
    let mut with_app = Stand::new();
    with_app.manifest["registration"]["tokenFile"] = json!(null);
    with_app.manifest["githubApp"] = app;
    for (stand, missing, empty) in [
        (&stand, "which is the file of `tokenFile`: create it", "The file of `tokenFile` is empty"),
        (&with_app, "/run/secrets/key.pem does not exist", "The file of `githubApp.privateKeyFile` is empty"),
    ] {
        let said = |content: Option<&str>, asked_for: bool| {
            refused(answer(stand, &Verb::Preflight, |given| {
                _ = fs::remove_file(given.join("given"));
                if asked_for {
                    fs::write(given.join("given"), "{}").unwrap();
                }
                match content {
                    Some(content) => fs::write(given.join("credential"), content).unwrap(),
                    None => fs::remove_file(given.join("credential")).unwrap(),
                }
            }))
        };
        let told = said(Some(NO_FILE), true);
        assert!(told.contains(missing), "{told}");
        for told in [said(Some(NO_FILE), false), said(None, true), said(None, false)] {
            assert!(told.contains("systemd gave the broker no credential"), "{told}");
        }
        for content in ["", "\n"] {
            let told = said(Some(content), true);
            assert!(told.contains(empty), "{told}");
        }
    }
}

#[test]
fn a_ledger_entry_that_was_not_given_is_not_an_absent_one() {
    let mut stand = Stand::new();
    stand.know(21, "runner1", "https://github.com/octo-org/example");
    let retire = Verb::Retire { id: 21, url: "https://github.com/octo-org/example".into() };
    let said = |content: Option<&str>, asked_for: bool| {
        answer(&stand, &retire, |given| {
            if asked_for {
                fs::write(given.join("given"), "{}").unwrap();
            }
            match content {
                Some(content) => fs::write(given.join("ledger"), content).unwrap(),
                None => fs::remove_file(given.join("ledger")).unwrap(),
            }
        })
    };
    for content in [Some(NO_FILE), None] {
        let told = refused(said(content, false));
        assert!(told.contains("systemd gave the broker no ledger entry"), "{told}");
    }
    // There is none, or nothing of it after a power cut.
    for content in [NO_FILE, "", "\0\0\0"] {
        let told = said(Some(content), true);
        assert!(matches!(&told, Outcome::NotOurs(why) if why.contains("knows no runner of id 21")), "{told:?}");
    }
}
