//! Whose instances are listed, deleted and made anew, and whose are left alone.

use serde_json::json;

use super::stand_tests::{CONTROLLER, FOREIGN, OURS, both, client, config, specification};
use super::{Incus, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Flavor, PROJECT, StandIn};

#[test]
fn a_list_has_the_instances_of_the_controller_and_of_the_pool_if_one_is_named() {
    for server in both() {
        server.add("b", 102, &OURS);
        server.add("a", 103, &OURS);
        server.add("c", 103, &[("user.runner-controller-id", CONTROLLER), ("user.runner-pool-id", "other")]);
        server.add("d", 103, &FOREIGN);
        server.add("e", 103, &[]);
        server.add("f", 112, &OURS);
        let names = |client: &Incus| {
            client.list().unwrap().into_iter().map(|found| (found.name, found.status)).collect::<Vec<_>>()
        };
        let of_pool = [("a", Status::Running), ("b", Status::Stopped), ("f", Status::Error)];
        assert_eq!(names(&client(&server)), of_pool.map(|(name, status)| (name.to_owned(), status)));
        let mut all = client(&server);
        all.owner.pool = None;
        assert_eq!(names(&all).len(), 4);
        all.owner.pool = Some("unknown".into());
        assert!(names(&all).is_empty());
    }
}

#[test]
fn a_tag_of_a_profile_counts() {
    let server = StandIn::start(Flavor::Incus);
    server.with(|state| {
        state.profiles.get_mut("default").unwrap().config.insert(OURS[0].0.into(), json!(OURS[0].1));
        state.add(PROJECT, "r-1", 102, &[]);
        let made = state.instances.get_mut(&(PROJECT.to_owned(), "r-1".to_owned())).unwrap();
        made.body["profiles"] = json!(["default"]);
    });
    client(&server).delete("r-1").unwrap();
    assert!(server.names().is_empty());
}

#[test]
fn nothing_is_done_to_an_instance_of_somebody_else_or_of_nobody() {
    for server in both() {
        server.add("theirs", 103, &FOREIGN);
        server.add("stopped", 102, &FOREIGN);
        server.add("nobodys", 103, &[]);
        let client = client(&server);
        for name in ["theirs", "stopped", "nobodys"] {
            assert!(matches!(client.create(&specification(name)), Err(Fault::Duplicate(_))));
            assert!(matches!(client.delete(name), Err(Fault::Other(told)) if told.contains("nothing was done to it")));
            assert!(matches!(client.stop(name), Err(Fault::Other(_))));
            assert!(matches!(client.start(name), Err(Fault::Other(_))));
            assert!(matches!(client.get(name), Err(Fault::NotFound(_))));
            assert!(matches!(client.console(name), Err(Fault::NotFound(_))));
        }
        assert!(server.requests().iter().all(|line| line.starts_with("GET ")));
        assert_eq!(server.names(), ["nobodys", "stopped", "theirs"]);
    }
}

#[test]
fn a_half_made_instance_of_the_same_pool_is_made_anew_and_any_other_is_a_duplicate() {
    for server in both() {
        server.add("half", 102, &[OURS[0], OURS[1], ("user.user-data", "old")]);
        server.add("broken", 112, &OURS);
        server.add("running", 103, &OURS);
        server.add("pool", 102, &[OURS[0], ("user.runner-pool-id", "other")]);
        let client = client(&server);
        for name in ["half", "broken"] {
            assert_eq!(client.create(&specification(name)).unwrap().status, Status::Running);
            assert_eq!(config(&server, name, "user.user-data").unwrap(), "#cloud-config\n{}");
        }
        for name in ["running", "pool"] {
            assert!(matches!(client.create(&specification(name)), Err(Fault::Duplicate(_))));
            assert_eq!(config(&server, name, "user.user-data"), None, "nothing was done to it");
        }
    }
}

#[test]
fn an_instance_without_a_pool_cannot_be_made() {
    let server = StandIn::start(Flavor::Incus);
    let mut client = client(&server);
    client.owner.pool = None;
    assert!(matches!(client.create(&specification("r-1")), Err(Fault::Configuration(_))));
    server.add("r-2", 103, &OURS);
    client.delete("r-2").unwrap();
    assert!(server.names().is_empty(), "and is deleted by its controller alone");
}
