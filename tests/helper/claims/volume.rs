//! The file system that a work directory in memory has for itself.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use crate::host::{Host, is_root, owner};

const SIZE: usize = 4 << 20;

/// A host whose work directory is to hold four MiB.
fn limited() -> Host {
    let mut host = Host::new();
    host.manifest["workDirSize"] = json!("4M");
    host
}

fn is_mounted(path: &Path) -> bool {
    mounts(path) > 0
}

/// How many file systems lie on a directory, one above the other.
fn mounts(path: &Path) -> usize {
    let path = path.canonicalize().unwrap();
    let list = fs::read_to_string("/proc/self/mountinfo").unwrap();
    list.lines().filter(|line| line.split(' ').nth(4).map(Path::new) == Some(path.as_path())).count()
}

#[test]
fn a_job_that_fills_it_fills_nothing_else_and_the_end_takes_it_off() {
    if !is_root("mounting") {
        return;
    }
    let host = limited().registered();
    fs::create_dir(host.path("work/repo")).unwrap();
    let full = |name: &str| fs::write(host.path(name), vec![0; SIZE + 1]).map_err(|error| error.kind());
    assert_eq!(full("work/repo/large"), Err(ErrorKind::StorageFull));
    assert_eq!(full("beside"), Ok(()));
    fs::remove_file(host.path("work/repo/large")).unwrap();
    let mut numbers = 0..=SIZE / 4096;
    let failed = numbers.find_map(|number| fs::write(host.path("work/repo").join(number.to_string()), "").err());
    assert_eq!(failed.map(|error| error.kind()), Some(ErrorKind::StorageFull), "files without content, too");

    host.settle("success", Some(("exited", "0"))).good();
    assert!(!is_mounted(&host.path("work")));
    assert!(host.tree("work").is_empty());
}

#[test]
fn each_start_has_a_new_one_whatever_the_end_before_left() {
    if !is_root("mounting") {
        return;
    }
    let host = limited();
    // As systemd gives both to the user of the unit.
    for directory in ["state", "work"] {
        std::os::unix::fs::chown(host.path(directory), Some(64_321), Some(64_321)).unwrap();
    }
    // Of a start before this option.
    fs::write(host.path("work/old"), "").unwrap();
    for _ in 0..3 {
        host.prepare().good();
        assert_eq!((mounts(&host.path("work")), owner(&host.path("work"))), (1, 64_321));
        assert!(host.tree("work").is_empty());
        fs::write(host.path("work/left"), "").unwrap();
    }
    host.settle("success", None).good();
    assert!(host.tree("work").is_empty(), "nothing takes room below it");
}

#[test]
fn one_of_the_administrator_is_used_and_never_taken_off() {
    if !is_root("mounting") {
        return;
    }
    let host = limited();
    let work = host.path("work");
    mount(Some("own"), &work, Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
    fs::write(host.path("work/left"), "").unwrap();
    host.prepare().good();
    assert_eq!((mounts(&work), host.tree("work").len()), (1, 0), "emptied, as any work directory");
    host.settle("success", None).good();
    assert!(is_mounted(&work));
    umount2(&work, MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn a_refused_start_and_an_end_without_a_ledger_leave_none() {
    if !is_root("mounting") {
        return;
    }
    let host = limited();
    fs::write(host.path("token"), "").unwrap();
    host.prepare().bad();
    assert!(!is_mounted(&host.path("work")), "nothing is mounted before everything was read");
    fs::write(host.path("token"), "AFAKETOKENFAKETOKENFAKETOKEN").unwrap();
    host.prepare().good();
    fs::remove_dir_all(host.path("ledger")).unwrap();
    host.settle("success", None).bad();
    assert!(!is_mounted(&host.path("work")), "memory is given back whatever else fails");
}
