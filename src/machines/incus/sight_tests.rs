//! Instances that are about to be: their images are downloaded, or the request for them is on its way.

use std::time::{Duration, Instant};

use serde_json::json;

use super::stand_tests::{OURS, both, client, config, hasty, specification};
use super::{Incus, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Durations, Flavor, Rule, StandIn, State, Then};
use crate::times::{AT_ONCE, FOREVER};

const SOON: Duration = Duration::from_millis(200);

/// What a call leaves that was killed after its request: nobody waits for it any more.
fn left_by_a_killed_call(server: &StandIn, name: &str) {
    server.inject(Rule::new("POST", "/instances", Then::LoseAnswer).times(1));
    let killed = hasty(server, |times| (times.create, times.lost, times.end) = Default::default());
    let told = killed.create(&specification(name)).unwrap_err().to_string();
    assert!(told.contains("What was made of it may be left: The server is still at work on instance"), "{told}");
    assert!(server.names().is_empty(), "it is still on its way");
}

fn download(server: &StandIn, download: Duration) {
    server.take(Durations { download, ..Durations::default() });
}

fn posts(server: &StandIn) -> usize {
    server.requests().iter().filter(|line| line.starts_with("POST")).count()
}

#[test]
fn a_delete_waits_for_an_instance_whose_image_is_still_downloaded() {
    for server in both() {
        download(&server, SOON * 3);
        left_by_a_killed_call(&server, "r-1");
        client(&server).delete("r-1").unwrap();
        server.with(State::finish);
        assert!(server.names().is_empty(), "nothing comes after that");
    }
}

#[test]
fn a_delete_that_cannot_wait_for_a_download_is_no_success() {
    for server in both() {
        download(&server, FOREVER);
        left_by_a_killed_call(&server, "r-1");
        let fault = hasty(&server, |times| times.end = SOON).delete("r-1").unwrap_err();
        assert!(matches!(&fault, Fault::Busy(told) if told.contains("it may download the image")), "{fault:?}");
        server.with(State::finish);
        assert_eq!(server.names(), ["r-1"]);
        client(&server).delete("r-1").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_delete_of_what_is_not_there_fails_if_the_server_does_not_tell_what_it_does() {
    for server in both() {
        let refusal = json!({"type": "error", "error_code": 403, "error": "Forbidden"});
        server.inject(Rule::new("GET", "/1.0/operations?", Then::Say(403, refusal)));
        assert!(matches!(client(&server).delete("r-1"), Err(Fault::Configuration(_))));
    }
}

#[test]
fn a_delete_waits_a_moment_for_a_request_that_a_killed_call_left_on_its_way() {
    for server in both() {
        server.inject(Rule::new("POST", "/instances", Then::Late(SOON * 3)));
        let killed = hasty(&server, |times| (times.accept, times.lost) = (SOON / 4, Duration::ZERO));
        assert!(matches!(killed.create(&specification("r-1")), Err(Fault::Unavailable(_))));
        server.requests();
        hasty(&server, |times| times.late = AT_ONCE).delete("r-1").unwrap();
        assert!(server.names().is_empty());
        let asked = server.requests();
        assert!(asked.contains(&"DELETE /1.0/instances/r-1".to_owned()), "it came, and was deleted: {asked:?}");
    }
}

#[test]
fn a_lost_answer_to_a_creation_is_waited_for_while_its_image_is_downloaded() {
    for server in both() {
        download(&server, SOON * 3);
        server.inject(Rule::new("POST", "/instances", Then::LoseAnswer));
        let client = hasty(&server, |times| times.lost = Duration::ZERO);
        assert_eq!(client.create(&specification("r-1")).unwrap().status, Status::Running);
        assert_eq!(posts(&server), 1, "nothing is made twice");
    }
}

#[test]
fn a_lost_wait_for_a_download_is_taken_up_again() {
    for server in both() {
        download(&server, SOON * 3);
        server.inject(Rule::new("GET", "/wait", Then::LoseAnswer).times(1));
        let client = hasty(&server, |times| (times.restart, times.lost) = Default::default());
        assert_eq!(client.create(&specification("r-1")).unwrap().status, Status::Running);
    }
}

#[test]
fn a_server_may_take_longer_to_take_a_creation_up_than_to_answer_a_look() {
    for server in both() {
        server.inject(Rule::new("POST", "/instances", Then::Late(SOON * 5)));
        // Looks are asked for again; who is not believed to have come is not.
        let client = hasty(&server, |times| (times.answer, times.lost) = (SOON * 2, Duration::ZERO));
        assert_eq!(client.create(&specification("r-1")).unwrap().status, Status::Running);
    }
}

#[test]
fn a_creation_that_gives_up_a_download_takes_back_what_comes_of_it() {
    for server in both() {
        // A wait at the server lasts for a second at least.
        download(&server, SOON * 15);
        let client = hasty(&server, |times| (times.create, times.turn) = (SOON, SOON));
        let fault = client.create(&specification("r-1")).unwrap_err();
        assert!(matches!(fault, Fault::Busy(_)), "{fault:?}");
        assert!(server.names().is_empty());
        server.with(State::finish);
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_creation_waits_for_a_former_one_of_its_name() {
    for server in both() {
        download(&server, SOON * 3);
        left_by_a_killed_call(&server, "r-1");
        let made = client(&server).create(&specification("r-1"));
        match config(&server, "r-1", "user.runner-create-id") {
            // This server started it, and its guest may be at work.
            Some(_) if matches!(made, Err(Fault::Duplicate(_))) => {}
            // That one did not, so it was made anew.
            Some(_) => assert_eq!(made.unwrap().status, Status::Running),
            None => panic!("{made:?}"),
        }
        assert_eq!(server.names(), ["r-1"]);
    }
}

#[test]
fn operations_that_never_end_or_end_at_once_for_who_waits_are_given_up() {
    for (code, err) in [(200, ""), (400, "no"), (103, "")] {
        let server = StandIn::start(Flavor::Incus);
        download(&server, FOREVER);
        left_by_a_killed_call(&server, "r-1");
        let operation = json!({"id": "a", "status_code": code, "err": err});
        let body = json!({"type": "sync", "metadata": operation});
        server.inject(Rule::new("GET", "/wait", Then::Say(200, body)));
        let pause = SOON / 4;
        let client: Incus = hasty(&server, |times| (times.end, times.pause) = (SOON * 2, pause));
        let (begun, _) = (Instant::now(), server.requests());
        assert!(matches!(client.delete("r-1"), Err(Fault::Busy(_))));
        let most = 8 + 4 * begun.elapsed().as_millis() / pause.as_millis();
        let asked = server.requests().len();
        assert!(u128::try_from(asked).unwrap() <= most, "{asked} requests where {most} are enough");
    }
}

#[test]
fn what_waits_for_nothing_is_quick() {
    let server = StandIn::start(Flavor::Incus);
    server.add("r-1", 103, &OURS);
    let client = hasty(&server, |times| (times.late, times.lost) = (FOREVER, FOREVER));
    let begun = Instant::now();
    client.delete("r-1").unwrap();
    client.create(&specification("r-1")).unwrap();
    assert!(begun.elapsed() < AT_ONCE);
}
