//! After an order nothing of its job is left, however its unit ended and whatever the job made; and the journal knows why it ended.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::process::Command;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, mkdirat};

use super::hostile::Victim;
use super::place::{JOBS, left_over, ordered, systemd_makes_directories};
use crate::host::{Host, Said, is_root};

const DONE: Option<(&str, &str)> = Some(("exited", "0"));

fn clear(host: &Host) -> Said {
    host.ended("clear", "success", DONE)
}

/// What the listener does to its files when its job is done.
fn job_is_done(host: &Host) {
    host.step("place").good();
    for name in [".runner", ".credentials", ".credentials_rsaparams"] {
        fs::remove_file(host.state(name)).unwrap();
    }
}

#[test]
fn nothing_is_left_but_the_logs() {
    let host = ordered();
    job_is_done(&host);
    let log = "Worker_20260102-030405-utc.log";
    for (path, text) in [("state/_diag/", log), ("work/repo/", "file")] {
        fs::create_dir_all(host.path(path)).unwrap();
        fs::write(host.path(path).join(text), "said").unwrap();
    }
    if is_root("files of another user") {
        chown(host.state("_diag").join(log), Some(JOBS), Some(JOBS)).unwrap();
    }
    assert_eq!(clear(&host).good(), "Runner runner1: did its job\n");
    assert_eq!(host.tree("logs"), [log]);
    assert!(!host.path("state").exists() && !host.path("work").exists());
}

#[test]
fn the_directory_around_them_goes_as_well_and_no_other_one() {
    let host = ordered();
    let around = host.path("orders/od-1-build.small");
    fs::create_dir_all(&around).unwrap();
    for name in ["state", "work"] {
        fs::rename(host.path(name), around.join(name)).unwrap();
    }
    let moved = |argument: String| {
        let name = ["state", "work"].into_iter().find(|name| host.path(name).to_str() == Some(&argument));
        name.map_or(argument, |name| around.join(name).into_os_string().into_string().unwrap())
    };
    let arguments: Vec<String> = host.arguments("clear").into_iter().map(moved).collect();
    let run = || -> Said {
        Command::new(env!("CARGO_BIN_EXE_github-runner-helper")).args(&arguments).output().unwrap().into()
    };
    fs::write(around.join("of-somebody-else"), "").unwrap();
    run().good();
    assert_eq!(host.tree("orders"), ["od-1-build.small", "od-1-build.small/of-somebody-else"]);
    fs::remove_file(around.join("of-somebody-else")).unwrap();
    run().good();
    assert_eq!(host.tree("orders"), [""; 0], "and it is no fault that they were gone");
}

#[test]
fn every_end_is_told_with_its_reason() {
    for (result, exit, done, said) in [
        ("success", DONE, true, "Runner runner1: did its job"),
        ("success", DONE, false, "Runner runner1: stopped without having finished a job"),
        ("success", Some(("killed", "INT")), false, "Runner runner1: was stopped by signal INT"),
        ("exit-code", None, false, "warning: Runner runner1: failed to start (exit-code)"),
        ("exit-code", Some(("exited", "7")), false, "/Runner.Listener: set `package` of this runner to a newer one"),
        ("timeout", Some(("killed", "KILL")), false, "ended by signal KILL (timeout); its time was over"),
        ("timeout", DONE, true, "warning: Runner runner1: did its job; its time was over"),
        ("oom-kill", Some(("killed", "KILL")), false, "; the kernel killed processes of it for lack of memory"),
    ] {
        let host = ordered();
        if done {
            job_is_done(&host);
        } else {
            host.step("place").good();
        }
        let text = host.ended("clear", result, exit).good();
        assert!(text.contains(said), "{result} {exit:?}: {text}");
        assert!(!host.path("state").exists(), "{result}");
    }
    let host = left_over();
    assert_eq!(host.ended("clear", "exec-condition", None).good(), "", "nothing ran");
}

#[test]
fn a_job_that_damaged_its_files_did_not_end_well_and_is_cleared_all_the_same() {
    let host = left_over();
    let victim = Victim::new(&host);
    symlink(host.path("victim"), host.state(".runner")).unwrap();
    let said = clear(&host).good();
    assert!(said.contains("its settings are damaged"), "{said}");
    victim.check(&host, &said);
    assert!(!host.path("state").exists());
}

#[test]
fn trees_that_pid_1_should_not_meet_are_gone_before_it_comes() {
    let host = left_over();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    for name in ["state", "work"] {
        // Deeper than any path can be named.
        let long = "d".repeat(200);
        let mut dir = Dir::open(&host.path(name), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..64 {
            mkdirat(&dir, long.as_str(), Mode::S_IRWXU).unwrap();
            dir = Dir::openat(&dir, long.as_str(), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        fs::create_dir(host.path(name).join("closed")).unwrap();
        fs::write(host.path(name).join("closed/file"), "").unwrap();
        fs::set_permissions(host.path(name).join("closed"), std::os::unix::fs::PermissionsExt::from_mode(0o000))
            .unwrap();
        symlink(host.path("outside"), host.path(name).join("out")).unwrap();
    }
    if is_root("a directory that its owner closed") {
        clear(&host).good();
        assert!(!host.path("state").exists() && !host.path("work").exists());
    }
    assert_eq!(host.tree("outside"), ["file"]);
}

#[test]
fn what_cannot_be_taken_away_is_told_and_all_the_rest_is_gone() {
    if !is_root("mounting") {
        return;
    }
    for (holds, other) in [("state", "work"), ("work", "state")] {
        let host = left_over();
        let point = host.path(holds).join("mounted");
        fs::create_dir(&point).unwrap();
        mount(Some("own"), &point, Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
        fs::write(point.join("precious"), "").unwrap();
        let said = clear(&host).bad();
        let there = point.join("precious").exists();
        umount2(&point, MntFlags::MNT_DETACH).unwrap();
        assert!(there, "no mount is crossed");
        assert!(said.contains(&format!("Failed to empty the {holds} directory: ")), "{said}");
        assert!(said.contains("a file system is mounted on it"), "{said}");
        assert!(!host.path(other).exists(), "{said}");
        assert!(!host.state(".credentials").exists(), "the secrets go first");
        // What comes next finds a way.
        systemd_makes_directories(&host);
        host.step("place").good();
    }
}

#[test]
fn a_manifest_that_cannot_be_read_keeps_no_secret_alive() {
    let mut host = left_over();
    host.manifest = serde_json::json!("none");
    let said = clear(&host).bad();
    assert!(said.contains("Failed to read manifest"), "{said}");
    assert!(!host.path("state").exists() && !host.path("work").exists(), "{said}");
}

#[test]
fn a_unit_whose_directories_were_never_made_has_nothing_to_clear() {
    let host = ordered();
    for name in ["state", "work"] {
        fs::remove_dir(host.path(name)).unwrap();
    }
    host.ended("clear", "exit-code", None).good();
}
