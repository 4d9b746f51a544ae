//! What becomes of one instance, or of two.

use std::thread;
use std::time::Instant;

use github_runners::machines::incus::{Connection, Image, Incus, Limits, Owner, Specification, Status};
use github_runners::machines::{Fault, Machines as _};

use crate::host::{CONTROLLER, Host, is_missing, names, specification};
use crate::stand_in::PROJECT;

#[test]
fn an_instance_is_made_listed_stopped_started_and_deleted() {
    for host in Host::all() {
        let client = host.client("life");
        let begun = Instant::now();
        let made = client.create(&specification("life-1")).unwrap();
        println!("\nfigure create with an address: {} ms", begun.elapsed().as_millis());
        assert_eq!((made.status, made.os_name.as_deref()), (Status::Running, Some("debian")));
        assert_eq!((made.os_version.as_deref(), made.architecture.as_str()), (Some("trixie"), "x86_64"));
        assert!(made.addresses.iter().any(|address| address.starts_with("10.")), "{:?}", made.addresses);
        let begun = Instant::now();
        assert_eq!(client.get("life-1").unwrap(), made);
        println!("figure get: {} ms", begun.elapsed().as_millis());
        crate::wait::wait_for("the console", || {
            client.console("life-1").unwrap().contains("guest is up").then_some(())
        });
        assert_eq!(names(&client), ["life-1"]);
        client.stop("life-1").unwrap();
        assert_eq!(client.get("life-1").unwrap().status, Status::Stopped);
        client.stop("life-1").unwrap();
        client.start("life-1").unwrap();
        client.start("life-1").unwrap();
        let again = client.list().unwrap();
        assert_eq!((again.len(), again[0].status), (1, Status::Running));
        let begun = Instant::now();
        client.delete("life-1").unwrap();
        println!("figure delete of one that runs: {} ms", begun.elapsed().as_millis());
        assert!(is_missing(&client, "life-1") && names(&client).is_empty());
        client.delete("life-1").unwrap();
    }
}

#[test]
fn two_are_made_at_once_and_deleted_at_once_twice() {
    for host in Host::all() {
        let each = |work: &(dyn Fn(&Incus, &str) + Sync)| {
            thread::scope(|scope| {
                for name in ["two-1", "two-2"] {
                    let host = &host;
                    scope.spawn(move || work(&host.client("two"), name));
                }
            });
        };
        each(&|client, name| drop(client.create(&specification(name)).unwrap()));
        assert_eq!(names(&host.client("two")), ["two-1", "two-2"]);
        thread::scope(|scope| {
            for name in ["two-1", "two-2", "two-1", "two-2"] {
                let host = &host;
                scope.spawn(move || host.client("two").delete(name).unwrap());
            }
        });
        assert!(names(&host.client("two")).is_empty());
    }
}

#[test]
fn an_instance_that_is_being_made_is_deleted_by_who_waits_for_it() {
    for host in Host::all() {
        thread::scope(|scope| {
            // As after a kill: the server goes on, and whoever asked hears of nothing.
            let made = scope.spawn(|| host.client("busy").create(&specification("busy-1")));
            crate::wait::wait_for("the instance", || {
                let client = host.client("busy");
                (!is_missing(&client, "busy-1") || made.is_finished()).then_some(())
            });
            host.client("busy").delete("busy-1").unwrap();
            // It may have been ready before, or not.
            _ = made.join().unwrap();
        });
        let client = host.client("busy");
        client.delete("busy-1").unwrap();
        assert!(is_missing(&client, "busy-1"));
    }
}

#[test]
fn a_half_made_one_is_made_anew_and_one_that_runs_is_a_duplicate() {
    for host in Host::all() {
        let client = host.client("half");
        client.create(&specification("half-1")).unwrap();
        assert!(matches!(client.create(&specification("half-1")), Err(Fault::Duplicate(_))));
        client.stop("half-1").unwrap();
        assert_eq!(client.create(&specification("half-1")).unwrap().status, Status::Running);
        let other = host.client("another pool");
        assert!(matches!(other.create(&specification("half-1")), Err(Fault::Duplicate(_))));
        client.delete("half-1").unwrap();
    }
}

#[test]
fn an_image_is_named_by_its_fingerprint_as_well() {
    for host in Host::all() {
        let client = host.client("image");
        let fingerprint = host.fingerprint();
        for (at, image) in [fingerprint.as_str(), &fingerprint[..12]].into_iter().enumerate() {
            let name = format!("image-{at}");
            client.create(&Specification { image: Image::Local(image.into()), ..specification(&name) }).unwrap();
            client.delete(&name).unwrap();
        }
    }
}

#[test]
fn an_instance_that_does_not_start_is_taken_away_again() {
    for host in Host::all() {
        let client = host.client("broken");
        let profiles = vec!["default".into(), host.broken_profile().into()];
        let fault = client.create(&Specification { profiles, ..specification("broken-1") }).unwrap_err();
        assert!(fault.to_string().starts_with("Failed to"), "{fault}");
        assert!(names(&client).is_empty() && is_missing(&client, "broken-1"));
    }
}

#[test]
fn a_limit_is_taken_or_leaves_nothing() {
    for host in Host::all() {
        let client = host.client("limits");
        let limits = Limits { cpu: Some("1".into()), memory: Some("512MiB".into()), disk: None };
        // A host within a machine may lack what keeps it.
        match client.create(&Specification { limits, ..specification("limits-1") }) {
            Ok(_) => client.delete("limits-1").unwrap(),
            Err(_) => assert!(is_missing(&client, "limits-1")),
        }
        assert!(names(&client).is_empty());
    }
}

#[test]
fn what_the_server_refuses_leaves_nothing() {
    for host in Host::all() {
        let client = host.client("refused");
        let refused = |specification: &Specification| client.create(specification).unwrap_err();
        let image = Image::Local("nope".into());
        assert!(matches!(refused(&Specification { image, ..specification("refused-1") }), Fault::NotFound(_)));
        let profiles = vec!["nope".into()];
        assert!(matches!(refused(&Specification { profiles, ..specification("refused-1") }), Fault::NotFound(_)));
        assert!(names(&client).is_empty() && is_missing(&client, "refused-1"));
    }
}

#[test]
fn a_certificate_for_one_project_does_everything_there_and_nothing_elsewhere() {
    for host in Host::all() {
        let endpoint = host.https();
        let owner = || Owner { controller: CONTROLLER.into(), pool: Some("https".into()) };
        let open = |project: &str| {
            Incus::open(&Connection { endpoint: endpoint.clone(), project: project.into() }, owner()).unwrap()
        };
        let client = open(PROJECT);
        client.create(&specification("https-1")).unwrap();
        assert_eq!(names(&client), ["https-1"]);
        client.stop("https-1").unwrap();
        client.delete("https-1").unwrap();
        assert!(names(&client).is_empty());
        let other = open("default");
        assert!(matches!(other.list(), Err(Fault::Configuration(_))));
        assert!(matches!(other.create(&specification("https-2")), Err(Fault::Configuration(_))));
    }
}
