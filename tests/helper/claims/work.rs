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
    assert!(said.contains("Emptied the work directory: 6 files, 3 directories"), "{said}");
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
    assert_eq!((owner(&host.path("work")), mode(&host.path("work"))), (64_321, 0o700));
}

/// An access list as the kernel keeps it, in which the user with this id may do everything.
fn list_for(uid: u32) -> Vec<u8> {
    let entries = [(1u16, 7u16, u32::MAX), (2, 7, uid), (4, 7, u32::MAX), (16, 7, u32::MAX), (32, 7, u32::MAX)];
    let entry = |(tag, rights, id): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [2u32.to_le_bytes().to_vec(), entries.into_iter().flat_map(entry).collect()].concat()
}

const ATTRIBUTES: [&str; 3] = ["system.posix_acl_access", "system.posix_acl_default", "user.note"];

/// Opens a directory to others in every way that a job has.
fn open_to_others(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o3777)).unwrap();
    for name in ATTRIBUTES {
        let value = if name == "user.note" { b"x".to_vec() } else { list_for(64_333) };
        let set = rustix::fs::setxattr(path, name, &value, rustix::fs::XattrFlags::empty());
        if set == Err(rustix::io::Errno::OPNOTSUPP) {
            eprintln!("this file system has no {name}: not tried");
        } else {
            set.unwrap();
        }
    }
}

fn attributes(path: &Path) -> Vec<&'static str> {
    ATTRIBUTES.into_iter().filter(|name| rustix::fs::getxattr(path, *name, &mut [0; 256][..]).is_ok()).collect()
}

#[test]
fn what_a_job_gave_to_others_is_taken_back_at_every_start() {
    for decision in ["keep", "register"] {
        let mut host = Host::new().registered();
        if decision == "register" {
            *host.registration("extraLabels") = serde_json::json!(["other"]);
        }
        for path in ["work", "state"] {
            open_to_others(&host.path(path));
        }
        host.prepare().good();
        assert_eq!(mode(&host.path("work")), 0o700, "{decision}");
        for path in ["work", "state"] {
            assert_eq!(attributes(&host.path(path)), [""; 0], "{decision}: {path}");
        }
        // Made by a later step or a job, with a mask that leaves the rights to the mode.
        fs::create_dir(host.path("work/repo")).unwrap();
        assert_eq!(attributes(&host.path("work/repo")), [""; 0], "{decision}");
    }
}

#[test]
fn a_new_one_takes_nothing_over_from_the_directory_above() {
    let host = Host::new();
    fs::create_dir(host.path("disk")).unwrap();
    open_to_others(&host.path("disk"));
    fs::set_permissions(host.path("disk"), fs::Permissions::from_mode(0o2755)).unwrap();
    let work = host.path("disk/work");
    prepare_with_work(&host, &work).good();
    assert_eq!((mode(&work), attributes(&work)), (0o700, vec![]));
}

#[test]
fn others_may_use_it_as_far_as_the_configuration_says() {
    let mut host = Host::new();
    host.manifest["workDirMode"] = "0750".into();
    open_to_others(&host.path("work"));
    host.prepare().good();
    assert_eq!((mode(&host.path("work")), attributes(&host.path("work"))), (0o750, vec![]));
}

#[test]
fn files_of_another_user_are_not_taken_unless_the_ledger_knows_the_directory() {
    if !is_root("a directory of another user") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    let work = host.path("precious");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("file"), "").unwrap();
    let before = (owner(&work), mode(&work));
    let said = prepare_with_work(&host, &work).bad();
    assert!(said.contains("the ledger does not know that they are this runner's"), "{said}");
    assert_eq!((owner(&work), mode(&work), work.join("file").exists()), (before.0, before.1, true));
    assert_eq!(host.tree("state"), [""; 0], "nothing was changed elsewhere");

    // Empty it may be handed over, and from then on its content is this runner's whatever number the user has.
    fs::remove_file(work.join("file")).unwrap();
    prepare_with_work(&host, &work).good();
    fs::write(work.join("file"), "").unwrap();
    std::os::unix::fs::chown(host.path("state"), Some(64_322), Some(64_322)).unwrap();
    prepare_with_work(&host, &work).good();
    assert_eq!((owner(&work), work.join("file").exists()), (64_322, false));

    // The same text that leads elsewhere now is another directory.
    fs::rename(&work, host.path("away")).unwrap();
    fs::create_dir(host.path("other")).unwrap();
    fs::write(host.path("other/file"), "").unwrap();
    symlink(host.path("other"), &work).unwrap();
    prepare_with_work(&host, &work).bad();
    assert!(host.path("other/file").exists());
}

#[test]
fn a_new_disk_is_handed_over_with_what_came_with_it() {
    if !is_root("handing a directory over") {
        return;
    }
    let host = Host::new();
    std::os::unix::fs::chown(host.path("state"), Some(64_321), Some(64_321)).unwrap();
    fs::create_dir(host.path("work/lost+found")).unwrap();
    host.prepare().good();
    assert_eq!(owner(&host.path("work")), 64_321);
}

#[test]
fn a_ledger_of_an_older_release_knows_the_directory_by_the_option() {
    if !is_root("a directory of another user") {
        return;
    }
    let mut host = Host::new();
    let work = host.path("work");
    *host.registration("workDir") = work.to_str().into();
    fs::create_dir(host.path("secrets")).unwrap();
    fs::rename(host.path("token"), host.path("secrets/token")).unwrap();
    *host.registration("tokenFile") = host.path("secrets/token").to_str().into();
    let host = host.registered();
    let mut entry = host.ledger();
    assert_eq!(entry.as_object_mut().unwrap().remove("workDirectory").unwrap(), work.to_str().unwrap());
    host.set_ledger(&entry);
    fs::write(work.join("file"), "").unwrap();
    for path in ["state", "state/.runner", "state/.credentials", "state/.credentials_rsaparams"] {
        std::os::unix::fs::chown(host.path(path), Some(64_322), Some(64_322)).unwrap();
    }
    host.prepare().good();
    assert_eq!((owner(&work), work.join("file").exists()), (64_322, false));
}

#[test]
fn directories_of_other_runners_and_of_the_system_are_refused() {
    let host = Host::new();
    for work in [
        "/var/lib/github-runner/other",
        "/var/lib/private/github-runner/other/work",
        "/var/log/github-runner",
        "/var/log/private/github-runner/other",
        "/run/github-runner/other",
        "/run/github-runner",
        "/run/github-runner-broker/x",
        "/var/lib/github-runner-registrations",
        "/etc/runner",
        "/run/secrets",
        "/run/secrets/work",
        "/run/agenix/work",
        "/run/credentials/x.service",
    ] {
        let said = prepare_with_work(&host, Path::new(work)).bad();
        assert!(said.contains("none of a job's business"), "{work}: {said}");
        assert!(!Path::new(work).exists(), "{work}");
    }
    assert!(host.tree("state").is_empty());
}

#[test]
fn a_secret_where_a_start_would_delete_it_stops_the_start() {
    for (secret, what) in [("work/secrets/token", "work"), ("state/token", "state"), ("logs/token", "logs")] {
        for by_link in [false, true] {
            let mut host = Host::new();
            let path = host.path(secret);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path.with_file_name("neighbour"), "").unwrap();
            fs::rename(host.path("token"), &path).unwrap();
            if by_link {
                symlink(path.parent().unwrap(), host.path("current")).unwrap();
                *host.registration("tokenFile") = host.path("current/token").to_str().into();
            } else {
                *host.registration("tokenFile") = path.to_str().into();
            }
            let said = host.prepare().bad();
            assert!(said.contains(&format!("lies in the {what} directory")), "{secret}: {said}");
            assert!(path.exists() && path.with_file_name("neighbour").exists(), "{secret}");
        }
    }
}

#[test]
fn a_work_directory_among_secrets_is_refused() {
    let mut host = Host::new();
    let work = host.path("work").to_str().unwrap().to_owned();
    *host.registration("workDir") = work.into();
    let said = host.prepare().bad();
    assert!(said.contains("choose a directory apart from secrets"), "{said}");
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

#[test]
fn flags_that_a_job_set_on_it_are_not_inherited_by_the_next_one() {
    if !is_root("hand a directory to another user") {
        return;
    }
    let host = Host::new().registered();
    for directory in [host.path("work"), host.path("state")] {
        let flags = || {
            let listed = std::process::Command::new("lsattr").arg("-d").arg(&directory).output().unwrap();
            String::from_utf8(listed.stdout).unwrap().split(' ').next().unwrap_or_default().to_owned()
        };
        if !std::process::Command::new("chattr").arg("+S").arg(&directory).output().unwrap().status.success() {
            eprintln!("no flags on {}: it was not tried", directory.display());
            continue;
        }
        assert!(flags().contains('S'), "{}", flags());
        host.prepare().good();
        assert!(!flags().contains('S'), "{}: {}", directory.display(), flags());
    }
}
