//! The work directory: emptied, made, handed over, and never one that must not be emptied.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::host::{Host, Said, is_root, mode, owner};

pub fn prepare_with_work(host: &Host, work: &Path) -> Said {
    let mut arguments = host.arguments("prepare");
    let at = arguments.iter().position(|argument| argument == "--work-directory").unwrap();
    arguments[at + 1] = work.to_str().unwrap().into();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_github-runner-helper"));
    command.args(arguments).output().unwrap().into()
}

#[test]
fn it_is_emptied_at_every_start_also_in_keep() {
    let host = Host::new().registered();
    fs::create_dir_all(host.path("work/repo/.git/objects")).unwrap();
    fs::write(host.path("work/repo/.git/objects/x"), "").unwrap();
    fs::write(host.path("work/.hidden"), "").unwrap();
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory: 2 files, 3 directories"), "{said}");
    assert!(host.tree("work").is_empty());
}

#[test]
fn a_missing_one_is_made_for_the_service_user() {
    let host = Host::new();
    if is_root("handing a directory over") {
        std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    }
    let work = host.path("disk/scratch/work");
    let said = prepare_with_work(&host, &work).good();
    assert!(said.contains("Made the work directory"), "{said}");
    assert_eq!((owner(&work), mode(&work)), (owner(&host.path("state")), 0o700));
    assert_eq!(mode(&host.path("disk")), 0o755, "directories on the way can be passed");
}

#[test]
fn an_existing_one_is_handed_over() {
    if !is_root("handing a directory over") {
        return;
    }
    let host = Host::new();
    for path in ["state", "logs"] {
        std::os::unix::fs::chown(host.path(path), Some(64_321), Some(64_321)).unwrap();
    }
    let said = host.prepare().good();
    assert!(said.contains("from user id 0 to 64321"), "{said}");
    assert_eq!(owner(&host.path("work")), 64_321);
    assert_eq!(owner(&host.state(".staged-token")), 64_321);
}

#[test]
fn one_that_the_service_user_could_have_exchanged_is_not_touched() {
    if !is_root("a directory of another user") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    fs::create_dir_all(host.path("home/precious")).unwrap();
    fs::write(host.path("home/precious/file"), "").unwrap();
    std::os::unix::fs::chown(host.path("home"), Some(64_321), Some(64_321)).unwrap();
    let said = prepare_with_work(&host, &host.path("home/precious")).bad();
    assert!(said.contains("others than root could have put it there"), "{said}");
    assert!(host.path("home/precious/file").exists());
    assert_eq!(owner(&host.path("home/precious")), 0);
}

#[test]
fn one_that_somebody_else_put_into_a_sticky_directory_is_not_touched() {
    if !is_root("a directory of another user") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    fs::create_dir_all(host.path("tmp/work/precious")).unwrap();
    fs::set_permissions(host.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::chown(host.path("tmp/work"), Some(64_322), None).unwrap();
    let said = prepare_with_work(&host, &host.path("tmp/work")).bad();
    assert!(said.contains("others than root could have put it there"), "{said}");
    assert!(host.path("tmp/work/precious").exists());
    assert_eq!(owner(&host.path("tmp/work")), 64_322);
}

#[test]
fn one_that_is_handed_over_can_be_written_by_nobody_else() {
    if !is_root("handing a directory over") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    fs::set_permissions(host.path("work"), fs::Permissions::from_mode(0o777)).unwrap();
    host.prepare().good();
    assert_eq!((owner(&host.path("work")), mode(&host.path("work"))), (64_321, 0o755));
}

#[test]
fn a_state_directory_of_nobody_is_an_error() {
    if !is_root("a directory of another user") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(65_534), Some(65_534)).unwrap();
    assert!(host.prepare().bad().contains("start the helper from its unit"));
}

#[test]
fn one_that_overlaps_with_other_directories_is_refused() {
    let host = Host::new().registered();
    let before = (host.tree("state"), host.ledger());
    fs::create_dir(host.state("sub")).unwrap();
    for (work, part) in [
        ("state", "overlaps with the state directory"),
        ("state/sub", "overlaps with the state directory"),
        ("state/new", "overlaps with the state directory"),
        ("logs/x", "overlaps with the logs directory"),
        ("ledger", "overlaps with the ledger directory"),
        ("", "overlaps with the state directory"),
    ] {
        let said = prepare_with_work(&host, &host.path(work)).bad();
        assert!(said.contains(part), "{work}: {said}");
    }
    fs::remove_dir(host.state("sub")).unwrap();
    for work in ["/", "/etc", "/var/lib"] {
        assert!(prepare_with_work(&host, Path::new(work)).bad().contains("is or contains"), "{work}");
    }
    assert_eq!(before, (host.tree("state"), host.ledger()));
}

#[test]
fn an_overlap_behind_a_link_is_found() {
    let host = Host::new().registered();
    symlink(host.path("state"), host.path("alias")).unwrap();
    assert!(prepare_with_work(&host, &host.path("alias/x")).bad().contains("overlaps with the state directory"));
}

#[test]
fn a_link_of_the_administrator_is_followed_and_remarked() {
    let host = Host::new();
    symlink(host.path("work"), host.path("alias")).unwrap();
    fs::write(host.path("work/x"), "").unwrap();
    let said = prepare_with_work(&host, &host.path("alias")).good();
    assert!(said.contains("reached through a link"), "{said}");
    assert!(host.tree("work").is_empty());
}

#[test]
fn a_link_that_others_could_have_put_there_is_refused() {
    if !is_root("a link of another user") {
        return;
    }
    let host = Host::new();
    fs::write(host.path("work/x"), "").unwrap();
    fs::create_dir(host.path("home")).unwrap();
    symlink(host.path("work"), host.path("home/work")).unwrap();
    std::os::unix::fs::chown(host.path("home"), Some(64_321), None).unwrap();
    let said = prepare_with_work(&host, &host.path("home/work")).bad();
    assert!(said.contains("a symbolic link that user id 64321 could exchange"), "{said}");
    assert_eq!(host.tree("work"), ["x"]);
}
