//! Servers that cannot tell, tell half, or say what is not so: nothing good is lost by it, and every command ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::instance::Found;
use super::stand_tests::{CONTROLLER, FOREIGN, OURS, POOL, both, client, hasty, specification};
use super::times::Times;
use super::{Incus, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Flavor, PROJECT, Rule, StandIn, Then};
use crate::times::{AT_ONCE, FOREVER};

const SOON: Duration = Duration::from_millis(200);

fn refusal(code: u16, text: &str) -> Then {
    Then::Say(code, json!({"type": "error", "error_code": code, "error": text}))
}

fn names(client: &Incus) -> Vec<String> {
    client.list().unwrap().into_iter().map(|found| found.name).collect()
}

/// Three of whom a list tells the names alone: ours, somebody else's, and nobody's.
fn untold(server: &StandIn) {
    server.add("a", 103, &OURS);
    for (name, tags) in [("b", &OURS[..]), ("c", &FOREIGN), ("d", &[])] {
        server.add(name, 103, tags);
        server.with(|state| state.untold.push(name.into()));
    }
}

#[test]
fn an_instance_of_which_a_list_tells_the_name_alone_is_asked_for() {
    for server in both() {
        untold(&server);
        assert_eq!(names(&client(&server)), ["a", "b"]);
        let mut other = client(&server);
        other.owner.pool = Some("another pool".into());
        assert!(names(&other).is_empty());
    }
}

#[test]
fn a_list_fails_if_one_cannot_be_asked_for() {
    let nothing_told = json!({"type": "sync", "metadata": {"name": "c", "status_code": 112, "expanded_config": null}});
    let nobody = json!({"type": "sync", "metadata": {"name": "b", "status_code": 103, "expanded_config": {}}});
    for then in
        [refusal(503, "its host is away"), Then::LoseRequest, Then::Say(200, nothing_told), Then::Say(200, nobody)]
    {
        for server in both() {
            untold(&server);
            server.inject(Rule::new("GET", "/1.0/instances/c", then.clone()));
            let fault = hasty(&server, |times| times.restart = Duration::ZERO).list();
            assert!(fault.is_err(), "{then:?}: {fault:?}");
        }
    }
}

#[test]
fn an_instance_that_is_gone_since_it_was_listed_is_none() {
    for server in both() {
        untold(&server);
        server.inject(Rule::new("GET", "/1.0/instances/b", refusal(404, "Instance not found")));
        assert_eq!(names(&client(&server)), ["a"]);
    }
}

#[test]
fn an_instance_of_which_nothing_is_told_is_not_called_somebody_elses() {
    let server = StandIn::start(Flavor::Incus);
    let body = json!({"type": "sync", "metadata": {"name": "r-1", "status_code": 112}});
    server.inject(Rule::new("GET", "/1.0/instances/r-1", Then::Say(200, body)));
    let client = client(&server);
    assert!(matches!(client.get("r-1"), Err(Fault::Unavailable(_))));
    for fault in [client.delete("r-1").unwrap_err(), client.stop("r-1").unwrap_err()] {
        assert!(fault.to_string().contains("does not tell the configuration"), "{fault}");
    }
    assert!(matches!(client.create(&specification("r-1")), Err(Fault::Unavailable(_))));
    assert!(server.requests().iter().all(|line| line.starts_with("GET ")));
}

#[test]
fn one_whose_status_is_an_error_is_stopped_before_it_is_deleted() {
    for server in both() {
        server.add("runs", 112, &OURS);
        server.add("stopped", 112, &OURS);
        server.with(|state| {
            let made = state.instances.get_mut(&(PROJECT.to_owned(), "runs".to_owned())).unwrap();
            made.started = Some(Instant::now());
        });
        for name in ["runs", "stopped"] {
            client(&server).delete(name).unwrap();
        }
        assert!(server.names().is_empty());
    }
}

#[test]
fn an_instance_that_runs_is_good_although_nobody_can_look_for_its_address() {
    let untold = json!({"type": "sync", "metadata": {"name": "r-1", "status_code": 112, "expanded_config": null}});
    for then in [
        refusal(500, "database is locked"),
        Then::Say(200, untold),
        Then::LoseRequest,
        Then::Hang,
        Then::Raw(b"garbage".into()),
    ] {
        for server in both() {
            server.inject(Rule::new("GET", "/instances/r-1?project=garm-project&recursion=1", then.clone()));
            let client = hasty(&server, |times| {
                (times.address, times.answer, times.restart) = (SOON, FOREVER, FOREVER);
            });
            let begun = Instant::now();
            let made = client.create(&specification("r-1")).unwrap();
            assert_eq!((made.status, made.addresses.len()), (Status::Running, 0), "{then:?}");
            assert!(begun.elapsed() < AT_ONCE, "{then:?}");
        }
    }
}

#[test]
fn a_hiccup_before_the_address_does_not_lose_it() {
    for server in both() {
        let looks = "/instances/r-1?project=garm-project&recursion=1";
        server.inject(Rule::new("GET", looks, refusal(500, "database is locked")).times(3));
        assert_eq!(client(&server).create(&specification("r-1")).unwrap().addresses.len(), 2);
    }
}

#[test]
fn a_server_that_cannot_answer_for_a_moment_fails_no_command() {
    for server in both() {
        for (method, part) in [("GET", "/1.0/instances"), ("GET", "/1.0/operations?"), ("GET", "/1.0/profiles")] {
            server.inject(Rule::new(method, part, refusal(503, "no leader")).times(3));
        }
        let client = client(&server);
        client.create(&specification("r-1")).unwrap();
        client.delete("r-1").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_refused_wait_for_an_operation_that_is_forgotten_is_no_failure() {
    for server in both() {
        server.add("r-2", 103, &OURS);
        let method = |method| Rule::new(method, "/instances", Then::ForgetOperation);
        for rule in [method("POST"), method("PUT"), method("DELETE")] {
            server.inject(rule);
        }
        let client = hasty(&server, |times| times.lost = SOON);
        // It ends while it is waited for, and what is heard of that is about the wait.
        server.inject(Rule::new("GET", "/wait", Then::Say(200, over())));
        let made = client.create(&specification("r-1")).unwrap();
        assert_eq!(made.status, Status::Running);
        client.stop("r-2").unwrap();
        client.delete("r-2").unwrap();
        assert_eq!(server.names(), ["r-1"]);
    }
}

fn over() -> Value {
    json!({"type": "error", "error_code": 500, "error": "context deadline exceeded"})
}

#[test]
fn an_operation_that_is_forgotten_and_left_nothing_is_told_with_the_last_word() {
    let server = StandIn::start(Flavor::Incus);
    server.inject(Rule::new("POST", "/instances", Then::FailOperation("no space")).times(1));
    server.inject(Rule::new("GET", "/wait", Then::Say(200, over())));
    server.inject(Rule::new("GET", "/operations/0", refusal(404, "Operation not found")));
    let client = hasty(&server, |times| times.lost = SOON);
    let fault = client.create(&specification("r-1")).unwrap_err();
    assert!(fault.to_string().contains("nothing is there of it: context deadline exceeded"), "{fault}");
    assert!(server.names().is_empty());
}

#[test]
fn a_server_that_says_done_and_does_nothing_is_given_up() {
    for server in both() {
        for (name, status) in [("stopped", 102), ("runs", 103), ("broken", 112)] {
            server.add(name, status, &OURS);
        }
        for method in ["PUT", "DELETE"] {
            server.inject(Rule::new(method, "/instances", Then::Pretend));
        }
        let client = hasty(&server, |times| times.end = FOREVER);
        for name in ["stopped", "runs", "broken"] {
            let fault = client.delete(name).unwrap_err();
            assert!(
                matches!(&fault, Fault::Busy(told) if told.contains("says that it is done, and it is not")),
                "{fault:?}"
            );
            let asked = server.requests().iter().filter(|line| !line.starts_with("GET")).count();
            assert!(asked < 20, "{asked} requests");
        }
    }
}

#[test]
fn a_command_ends_as_a_whole_however_long_a_request_may_last() {
    let patient = |times: &mut Times| (times.answer, times.accept, times.restart) = (FOREVER, FOREVER, FOREVER);
    let begun = Instant::now();
    for server in both() {
        server.add("r-1", 103, &OURS);
        server.inject(Rule::new("GET", "/1.0/instances?", Then::Hang));
        server.inject(Rule::new("GET", "/1.0/profiles", refusal(503, "not ready")));
        server.inject(Rule::new("PUT", "/state", Then::Hang));
        let client = hasty(&server, |times| {
            patient(times);
            (times.read, times.power, times.make, times.end) = (SOON, SOON, SOON, SOON);
        });
        assert!(client.list().is_err());
        assert!(client.create(&specification("r-2")).is_err());
        assert!(client.stop("r-1").is_err());
    }
    assert!(begun.elapsed() < AT_ONCE);
}

#[test]
fn what_a_guest_leaves_out_hides_neither_its_instance_nor_its_addresses() {
    let found: Found = serde_json::from_value(json!({
        "name": "r-1", "status_code": 103,
        "expanded_config": {"user.runner-controller-id": CONTROLLER, "user.runner-pool-id": POOL},
        "state": {"network": {
            "eth0": null,
            "eth1": {},
            "eth2": {"addresses": null},
            "eth3": {"addresses": [
                null, {}, {"address": null, "scope": "global"}, {"address": "10.0.0.9", "scope": null},
                {"address": "10.0.0.2", "scope": "global"},
            ]},
        }},
    }))
    .unwrap();
    assert_eq!(found.addresses(), ["10.0.0.2"]);
    for state in [json!(null), json!({}), json!({"network": null})] {
        let found: Found = serde_json::from_value(json!({"name": "r-1", "state": state})).unwrap();
        assert!(found.addresses().is_empty());
    }
}
