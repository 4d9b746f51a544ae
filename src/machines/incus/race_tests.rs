//! Answers that get lost, operations that are forgotten, and others who act at the same time.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::stand_tests::{CONTROLLER, OURS, POOL, both, client, hasty, specification};
use super::{Image, Specification, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Durations, Flavor, Rule, StandIn, Then};
use crate::times::FOREVER;
use crate::wait::wait_for;

const SOON: Duration = Duration::from_millis(200);

#[test]
fn a_lost_answer_to_a_creation_makes_one_instance() {
    for server in both() {
        server.take(Durations { create: SOON, start: SOON, ..Durations::default() });
        server.inject(Rule::new("POST", "/instances", Then::LoseAnswer));
        assert_eq!(client(&server).create(&specification("r-1")).unwrap().status, Status::Running);
        let posts = server.requests().iter().filter(|line| line.starts_with("POST")).count();
        assert_eq!(posts, 1, "nothing is made twice");
    }
}

#[test]
fn a_request_that_got_lost_is_not_sent_again_and_leaves_nothing() {
    for server in both() {
        server.inject(Rule::new("POST", "/instances", Then::LoseRequest));
        let client = hasty(&server, |times| times.lost = SOON);
        assert!(matches!(client.create(&specification("r-1")), Err(Fault::Unavailable(_))));
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_server_that_is_started_again_while_it_makes_an_instance_is_waited_for() {
    for server in both() {
        server.take(Durations { create: SOON, ..Durations::default() });
        thread::scope(|scope| {
            let made = scope.spawn(|| client(&server).create(&specification("r-1")));
            wait_for("a wait", || server.requests().iter().any(|line| line.contains("/wait")).then_some(()));
            server.restart(SOON);
            assert_eq!(made.join().unwrap().unwrap().status, Status::Running);
        });
        assert_eq!(server.names(), ["r-1"]);
    }
}

#[test]
fn a_server_that_starts_again_before_it_answers_has_made_one_instance() {
    for server in both() {
        server.inject(Rule::new("POST", "/instances", Then::Restart));
        let client = client(&server);
        assert_eq!(client.create(&specification("r-1")).unwrap().status, Status::Running);
        server.inject(Rule::new("DELETE", "/instances", Then::Restart).times(1));
        client.delete("r-1").unwrap();
        assert!(server.names().is_empty());
        let posts = server.requests().iter().filter(|line| line.starts_with("POST")).count();
        assert_eq!(posts, 1, "nothing is made twice");
    }
}

#[test]
fn an_operation_that_nobody_remembers_is_looked_up_at_its_instance() {
    for server in both() {
        server.add("r-2", 103, &OURS);
        for (method, part) in [("POST", "/instances"), ("PUT", "/state"), ("DELETE", "/instances")] {
            server.inject(Rule::new(method, part, Then::ForgetOperation));
        }
        let client = client(&server);
        assert_eq!(client.create(&specification("r-1")).unwrap().status, Status::Running);
        client.delete("r-1").unwrap();
        client.stop("r-2").unwrap();
        client.start("r-2").unwrap();
        client.delete("r-2").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn lost_answers_to_everything_else_are_looked_up_too() {
    for server in both() {
        server.add("r-1", 103, &OURS);
        for (method, part) in [("PUT", "/state"), ("DELETE", "/instances")] {
            server.inject(Rule::new(method, part, Then::LoseAnswer));
        }
        // Each look once, too.
        server.inject(Rule::new("GET", "/1.0/", Then::LoseRequest).times(1));
        let client = client(&server);
        client.stop("r-1").unwrap();
        client.start("r-1").unwrap();
        client.delete("r-1").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_creation_that_fails_leaves_nothing_and_says_why() {
    for server in both() {
        let why = "Failed creating instance: no space left on device";
        server.inject(Rule::new("POST", "/instances", Then::FailOperation(why)));
        let fault = client(&server).create(&specification("r-1")).unwrap_err();
        assert!(matches!(&fault, Fault::Other(told) if told.contains(why)), "{fault:?}");
        assert!(server.names().is_empty());
    }
}

#[test]
fn an_instance_that_does_not_start_is_taken_away_again() {
    let server = StandIn::start(Flavor::Lxd);
    server.inject(Rule::new("PUT", "/state", Then::FailOperation("Failed to run: /usr/libexec/lxd forkstart")));
    let fault = client(&server).create(&specification("r-1")).unwrap_err();
    assert!(fault.to_string().contains("forkstart"), "{fault}");
    assert!(server.names().is_empty());
}

#[test]
fn a_creation_that_does_not_end_is_given_up_and_told_with_what_may_be_left() {
    for server in both() {
        server.take(Durations { create: FOREVER, ..Durations::default() });
        let client = hasty(&server, |times| (times.create, times.end, times.turn) = (SOON, SOON, SOON));
        let told = client.create(&specification("r-1")).unwrap_err().to_string();
        assert!(told.starts_with("Failed to start instance r-1: it did not come to that in time"), "{told}");
        assert!(told.contains("What was made of it may be left"), "{told}");
        // GARM asks for its end next, and that is found by its name.
        server.with(crate::stand_in_incus::State::finish);
        self::client(&server).delete("r-1").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_delete_waits_for_the_creation_of_a_call_that_was_killed() {
    for server in both() {
        server.take(Durations { create: SOON * 3, delete: SOON, ..Durations::default() });
        // What is left of a killed call: its request.
        thread::scope(|scope| {
            scope.spawn(|| {
                let killed = hasty(&server, |times| times.address = Duration::ZERO);
                // Its instance vanishes under it.
                _ = killed.create(&specification("r-1"));
            });
            wait_for("the creation", || (!server.names().is_empty()).then_some(()));
            client(&server).delete("r-1").unwrap();
        });
        assert!(server.names().is_empty());
    }
}

#[test]
fn two_deletes_at_once_both_succeed() {
    for server in both() {
        server.add("r-1", 103, &OURS);
        server.take(Durations { stop: SOON, delete: SOON, ..Durations::default() });
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| client(&server).delete("r-1").unwrap());
            }
        });
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_delete_that_cannot_succeed_ends_with_the_servers_words() {
    for server in both() {
        server.add("r-1", 102, &OURS);
        server.inject(Rule::new(
            "DELETE",
            "/instances",
            Then::FailOperation("Storage pool \"default\" is unavailable"),
        ));
        let fault = client(&server).delete("r-1").unwrap_err();
        assert!(matches!(&fault, Fault::Busy(told) if told.contains("is unavailable")), "{fault:?}");
        assert_eq!(server.names(), ["r-1"]);
    }
}

#[test]
fn a_delete_ends_although_somebody_is_busy_with_the_instance_for_ever() {
    for server in both() {
        server.add("r-1", 103, &OURS);
        server.take(Durations { stop: FOREVER, ..Durations::default() });
        let client = hasty(&server, |times| (times.end, times.power) = (SOON, SOON));
        assert!(matches!(client.delete("r-1"), Err(Fault::Busy(_))));
    }
}

#[test]
fn a_name_that_somebody_else_takes_in_between_is_left_to_them() {
    for server in both() {
        // The look came before them.
        let client = client(&server);
        let theirs = [
            ("user.runner-controller-id", CONTROLLER),
            ("user.runner-pool-id", POOL),
            ("user.runner-create-id", "theirs"),
        ];
        server.inject(
            Rule::new(
                "GET",
                "/1.0/instances/r-1",
                Then::Say(404, json!({"type": "error", "error_code": 404, "error": "Instance not found"})),
            )
            .times(1),
        );
        server.add("r-1", 103, &theirs);
        assert!(matches!(client.create(&specification("r-1")), Err(Fault::Duplicate(_))));
        assert_eq!(server.names(), ["r-1"]);
        assert!(!server.requests().iter().any(|line| line.starts_with("DELETE") || line.starts_with("PUT")));
    }
}

#[test]
fn a_slow_server_is_waited_for() {
    let server = StandIn::start(Flavor::Incus);
    for method in ["GET", "POST", "PUT", "DELETE"] {
        server.inject(Rule::new(method, "/1.0", Then::Delay(Duration::from_millis(30))));
    }
    let client = client(&server);
    client.create(&specification("r-1")).unwrap();
    client.delete("r-1").unwrap();
}

#[test]
fn an_image_that_another_server_does_not_have_is_told_in_its_words() {
    let server = StandIn::start(Flavor::Incus);
    let why = "Failed getting remote image info: The requested image couldn't be found for fingerprint \"nope\"";
    server.inject(Rule::new("POST", "/instances", Then::FailOperation(why)));
    let image = Image::Remote {
        server: "https://images.example".into(),
        protocol: "simplestreams".into(),
        alias: "nope".into(),
    };
    let fault = client(&server).create(&Specification { image, ..specification("r-1") }).unwrap_err();
    assert!(fault.to_string().contains("couldn't be found"), "{fault}");
    assert!(server.names().is_empty());
}
