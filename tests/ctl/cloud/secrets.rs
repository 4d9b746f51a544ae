//! Where secrets are not: in arguments, in the environment, in sentences about them. Answers and journals are held to it by the harness.

use std::fs;
use std::time::Instant;

use github_runners::contract::cloud::{Refusal, Verb};

use super::harness::{Cloud, HIDDEN, finish, keys, launch, placement, token};
use crate::ec2::{Config, Key, Rule, SECRET_KEY, Then};
use crate::times::{FOREVER, PATIENCE, millis};
use crate::wait::wait_for;

#[test]
fn nobody_who_looks_at_the_process_sees_a_secret() {
    let session = format!("{HIDDEN}-session");
    let key = Key {
        access_key: "ASIAEXAMPLE".into(),
        secret_key: format!("{HIDDEN}-key"),
        session_token: Some(session.clone()),
    };
    let mut cloud = Cloud::with(Config { keys: vec![key], ..Config::default() });
    cloud.credential = Some(keys("ASIAEXAMPLE", &format!("{HIDDEN}-key"), Some(&session)));
    cloud.ec2.inject(Rule::then("RunInstances", Then::Delay(millis(FOREVER))));
    let question = Cloud::question(&Verb::Launch(Box::new(launch(&token(1), placement()))), PATIENCE);
    assert!(question.contains(HIDDEN));
    let mut child = cloud.start(&question);
    // It has all of them, and waits.
    wait_for("the request", || (cloud.ec2.instances().len() == 1).then_some(()));
    assert_eq!(String::from_utf8(cloud.ec2.instances()[0].user_data.clone()).unwrap(), super::harness::USER_DATA);
    for what in ["cmdline", "environ", "comm", "status"] {
        let text = String::from_utf8_lossy(&fs::read(format!("/proc/{}/{what}", child.id())).unwrap()).into_owned();
        assert!(!text.is_empty() && !text.contains(HIDDEN), "{what}");
    }
    // What was sent has it where it belongs, and nowhere else.
    child.kill().unwrap();
    child.wait().unwrap();
    let log = format!("{:?}", cloud.ec2.log());
    assert!(log.contains("RunInstances") && !log.contains(HIDDEN), "{log}");
}

#[test]
fn a_file_that_is_no_credential_is_told_without_its_content() {
    let mut cloud = Cloud::new();
    let text = |text: String| Some(text.into_bytes());
    for (content, part) in [
        (None, "cannot be read"),
        (text(String::new()), "no `[default]`"),
        (
            text(format!("[{HIDDEN}]\naws_access_key_id = {HIDDEN}\naws_secret_access_key = {HIDDEN}\n")),
            "no `[default]`",
        ),
        (text(format!("[default]\naws_access_key_id = {HIDDEN}\n")), "no `[default]`"),
        (text(format!("[default]\n{HIDDEN}\n")), "neither"),
        (text(format!("[default]\naws_access_key_id = A\naws_secret_access_key = {HIDDEN} {HIDDEN}\n")), "characters"),
        (Some([HIDDEN.as_bytes(), &[0xff]].concat()), "is no text"),
        (text(HIDDEN.repeat(10_000)), "far too long"),
    ] {
        cloud.credential = content;
        // The harness looks for the word.
        let refusal = cloud.ask(&Verb::List).refusal();
        assert!(matches!(&refusal, Refusal::Credential(why) if why.contains(part)), "{part}: {refusal:?}");
    }
    // Without what systemd gives, nothing that lies around is taken.
    let mut program = cloud.program();
    program.env_remove("CREDENTIALS_DIRECTORY").current_dir(cloud.directory().join("credentials"));
    cloud.credential = Some(keys("A", SECRET_KEY, None));
    let mut child = program.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), Cloud::question(&Verb::List, PATIENCE).as_bytes())
        .unwrap();
    let refusal = finish(child, Instant::now()).refusal();
    assert!(matches!(&refusal, Refusal::Credential(why) if why.contains("was not given")), "{refusal:?}");
    assert_eq!(cloud.ec2.log().len(), 0);
}
