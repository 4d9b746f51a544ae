//! What belongs to others, what is not there, and a server that goes away in the middle.

use std::thread;

use github_runners::machines::{Fault, Machines as _};

use crate::host::{CONTROLLER, Host, is_missing, names, specification};

#[test]
fn an_instance_of_another_controller_is_neither_listed_nor_touched() {
    for host in Host::all() {
        let stranger = host.stranger();
        let theirs = stranger.create(&specification("foreign-1")).unwrap();
        assert_ne!(theirs.controller.as_deref(), Some(CONTROLLER));
        let client = host.client("foreign");
        assert!(names(&client).is_empty());
        assert!(is_missing(&client, "foreign-1"));
        assert!(matches!(client.create(&specification("foreign-1")), Err(Fault::Duplicate(_))));
        assert!(matches!(client.delete("foreign-1"), Err(Fault::Other(_))));
        assert!(matches!(client.stop("foreign-1"), Err(Fault::Other(_))));
        assert_eq!(stranger.get("foreign-1").unwrap().status, theirs.status);
        stranger.delete("foreign-1").unwrap();
    }
}

#[test]
fn a_project_that_is_not_there_is_never_an_empty_list() {
    for host in Host::all() {
        let client = host.elsewhere("nope");
        assert!(matches!(client.list(), Err(Fault::Configuration(_))));
        assert!(matches!(client.delete("nope-1"), Err(Fault::Configuration(_))));
    }
}

#[test]
fn the_server_is_started_again_while_an_instance_is_made_and_nothing_is_lost_sight_of() {
    for host in Host::all() {
        thread::scope(|scope| {
            let made = scope.spawn(|| host.client("again").create(&specification("again-1")));
            crate::wait::wait_for("the instance", || {
                let client = host.client("again");
                (!is_missing(&client, "again-1") || made.is_finished()).then_some(())
            });
            host.restart();
            // Both servers may take what is half made away, or leave it. What is told is true.
            match made.join().unwrap() {
                Ok(made) => assert_eq!(names(&host.client("again")), [made.name]),
                Err(_) => host.wait(),
            }
        });
        let client = host.client("again");
        client.delete("again-1").unwrap();
        assert!(is_missing(&client, "again-1"));
    }
}
