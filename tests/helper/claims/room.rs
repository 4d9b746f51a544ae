//! Room that a runner must have to be offered to the server.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};

use super::keeping::kept;
use super::register::{ephemeral, registered};
use crate::host::{Host, is_root};

const MIB: usize = 1 << 20;

/// A file system of eight MiB on a directory; taken off at the end.
struct Disk(PathBuf);

impl Disk {
    fn on(path: &Path) -> Self {
        mount(Some("small"), path, Some("tmpfs"), MsFlags::empty(), Some("size=8m,mode=700")).unwrap();
        Self(path.into())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Everything of a host that a refused start must leave, but for the last end and the time of it.
fn lasting(host: &Host) -> (Vec<String>, Value) {
    let mut ledger = host.ledger();
    for field in ["lastExit", "tried", "started"] {
        ledger.as_object_mut().unwrap().remove(field);
    }
    (host.tree("state"), ledger)
}

fn needing(host: &mut Host, least: &str) {
    host.manifest["minFreeSpace"] = json!(least);
}

#[test]
fn a_kept_registration_stays_as_it_is_while_there_is_too_little_room() {
    if !is_root("mounting") {
        return;
    }
    let mut host = kept();
    let _disk = Disk::on(&host.path("work"));
    needing(&mut host, "4M");
    host.prepare().good();
    fs::write(host.path("work/large"), vec![0; 5 * MIB]).unwrap();
    let before = lasting(&host);
    let said = host.prepare().bad();
    let work = host.path("work").canonicalize().unwrap();
    assert!(
        said.contains(&format!(
            "not offered to GitHub, because work directory {} has 3 MiB left, and `minFreeSpace` is 4 MiB: make room there",
            work.display()
        )),
        "{said}"
    );
    assert_eq!(lasting(&host), before);
    assert!(host.path("work/large").exists());

    // The end says why, and so does whoever waits for it; a start after there is room goes on.
    host.settle("exit-code", None).good();
    let told = host.ledger()["lastExit"]["said"].as_str().unwrap().to_owned();
    assert!(told.starts_with("failed to start (exit-code); work directory") && told.contains("3 MiB left"), "{told}");
    assert_eq!(host.ledger()["lastExit"]["failures"], 1);
    fs::remove_file(host.path("work/large")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("in a row failed: failed to start (exit-code); work directory"), "{said}");
    assert!(said.contains("Keeping the registration"), "{said}");
}

#[test]
fn what_a_start_removes_counts_as_room() {
    if !is_root("mounting") {
        return;
    }
    for changed in [false, true] {
        let mut host = Host::new().registered();
        let _disk = Disk::on(&host.path("work"));
        needing(&mut host, "4M");
        fs::write(host.path("work/large"), vec![0; 5 * MIB]).unwrap();
        if changed {
            *host.registration("extraLabels") = json!(["other"]);
        }
        host.prepare().good();
        needing(&mut host, "9M");
        host.prepare().bad();
    }
}

#[test]
fn the_state_directory_is_looked_at_as_well() {
    if !is_root("mounting") {
        return;
    }
    let mut host = Host::new();
    let _disk = Disk::on(&host.path("state"));
    let mut host = {
        needing(&mut host, "4M");
        host.registered()
    };
    fs::write(host.state("large"), vec![0; 5 * MIB]).unwrap();
    let said = host.prepare().bad();
    assert!(said.contains(&format!("state directory {} has 2 MiB left", host.path("state").display())), "{said}");
    // One that registers anew removes it.
    *host.registration("extraLabels") = json!(["other"]);
    host.prepare().good();
}

#[test]
fn nothing_is_asked_for_and_nothing_given_up_before_there_is_room() {
    // More than any disk has.
    let (mut host, server) = registered();
    server.asked();
    needing(&mut host, "9000000T");
    *host.registration("extraLabels") = json!(["other"]);
    let said = host.prepare().bad();
    assert!(said.contains("not offered to GitHub"), "{said}");
    assert_eq!((server.asked(), server.ids()), (String::new(), vec![21]));
    assert!(host.state(".runner").exists());
    *host.registration("extraLabels") = json!(["nixos"]);
    host.manifest.as_object_mut().unwrap().remove("minFreeSpace");
    assert!(host.prepare().good().contains("Keeping the registration"));

    let (mut host, server) = ephemeral();
    needing(&mut host, "9000000T");
    host.prepare().bad();
    assert_eq!((server.asked(), server.ids()), (String::new(), vec![]));
    assert!(host.tree("state").is_empty());
    host.settle("exit-code", None).good();
    assert_eq!(host.ledger()["registrations"]["total"], 0);
}
