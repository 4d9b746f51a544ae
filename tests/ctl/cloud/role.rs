//! By what EC2 is asked: the file, or the role of this host, and never one in the place of the other.

use std::io::ErrorKind;
use std::net::TcpListener;

use github_runners::contract::cloud::{Condition, Outcome, Refusal, Verb};
use serde_json::json;

use super::harness::{Cloud, HIDDEN, keys, token};
use crate::ec2::{ACCESS_KEY, Config, Door, HostRole, Key, SECRET_KEY};

fn with_session() -> Key {
    Key {
        access_key: "ASIAEXAMPLE".into(),
        secret_key: SECRET_KEY.into(),
        session_token: Some(format!("{HIDDEN}/session+token==")),
    }
}

/// A broker that takes the role of its host, which may have none; what it also finds is a file that would do.
fn with_role(role: Option<&str>) -> (Cloud, Door) {
    let host = role.map(|name| HostRole { name: name.into(), key: with_session(), lasts: 3_600 });
    let mut cloud = Cloud::with(Config { host, ..Config::default() });
    let door = cloud.ec2.serve_host_metadata(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    cloud.set("credential", json!("instanceProfile"));
    cloud.set("metadata", json!(format!("http://{}", door.address())));
    (cloud, door)
}

#[test]
fn the_role_of_the_host_makes_machines_with_a_session_that_is_signed() {
    let (mut cloud, _door) = with_role(Some("runners+of=this,host.@_-1"));
    // There is no other key that EC2 would believe, and no file.
    cloud.ec2.with(|state| state.keys.clear());
    cloud.credential = None;
    cloud.make(&token(1));
    assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
    // A role that changes its key is asked for the new one.
    cloud.ec2.with(|state| state.host.as_mut().unwrap().key.secret_key = "fakeFAKEfake".into());
    assert_eq!(cloud.list().len(), 1);
}

#[test]
fn a_host_without_a_role_has_no_credential_whatever_else_is_there() {
    let (cloud, _door) = with_role(None);
    let refusal = cloud.ask(&Verb::List).refusal();
    assert!(matches!(&refusal, Refusal::Credential(why) if why.contains("has no role")), "{refusal:?}");
    assert_eq!(cloud.ec2.log().len(), 0);
}

#[test]
fn a_name_of_a_role_that_leads_elsewhere_is_none() {
    for name in ["a/../b", "a b", "?x", &"a".repeat(65)] {
        let (cloud, _door) = with_role(Some(name));
        let refusal = cloud.ask(&Verb::List).refusal();
        assert!(matches!(refusal, Refusal::Credential(_)), "{refusal:?}");
        assert_eq!(cloud.ec2.log().len(), 0);
    }
}

#[test]
fn a_metadata_service_that_is_not_there_may_come() {
    let (cloud, door) = with_role(Some("runners"));
    drop(door);
    let refusal = cloud.ask(&Verb::List).refusal();
    assert!(matches!(refusal, Refusal::Passing(_)), "{refusal:?}");
    assert_eq!(cloud.ec2.log().len(), 0);
}

#[test]
fn whoever_has_a_file_never_asks_the_metadata_service() {
    let mut cloud = Cloud::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    cloud.set("metadata", json!(format!("http://{}", listener.local_addr().unwrap())));
    cloud.make(&token(1));
    for broken in [None, Some(vec![]), Some(keys(ACCESS_KEY, "fakeFAKEfake", None))] {
        cloud.credential = broken;
        let refusal = cloud.ask(&Verb::List).refusal();
        assert!(matches!(refusal, Refusal::Credential(_)), "{refusal:?}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_session_in_the_file_is_signed_and_has_to_be_right() {
    let key = with_session();
    let session = key.session_token.clone().unwrap();
    let mut cloud = Cloud::with(Config { keys: vec![key], ..Config::default() });
    for (session, is_good) in [(Some(session.as_str()), true), (Some("hiddenhiddenhidden/other"), false), (None, false)]
    {
        cloud.credential = Some(keys("ASIAEXAMPLE", SECRET_KEY, session));
        match cloud.ask(&Verb::List).answer.outcome {
            Outcome::Listed(all) if is_good => assert_eq!(all, []),
            Outcome::Refused(Refusal::Credential(_)) if !is_good => {}
            other => panic!("{other:?}"),
        }
    }
}
