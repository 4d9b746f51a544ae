//! The listener's logs: jobs can write what becomes one, and nothing that was kept.

use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink};
use std::time::{Duration, SystemTime};

use nix::sys::stat::Mode;
use serde_json::json;

use super::hostile::Victim;
use crate::host::{Host, is_root, mode, owner};

const LOG: &str = "Runner_20260102-030405-utc.log";

/// A runner that is registered and wrote these logs, the first one last.
fn ran(files: &[(&str, usize)]) -> Host {
    let host = Host::new().registered();
    log(&host, files);
    host
}

fn log(host: &Host, files: &[(&str, usize)]) {
    fs::create_dir_all(host.state("_diag")).unwrap();
    for (age, (name, size)) in files.iter().enumerate() {
        let path = host.state("_diag").join(name);
        let text: Vec<u8> = (0..*size).map(|at| if at + 1 == *size { b'!' } else { b'.' }).collect();
        fs::write(&path, text).unwrap();
        set_age(&path, age as u64 * 60);
    }
}

fn set_age(path: &std::path::Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn size(host: &Host, name: &str) -> u64 {
    fs::metadata(host.path("logs").join(name)).unwrap().len()
}

#[test]
fn logs_are_kept_at_the_end_of_a_run() {
    let host = ran(&[(LOG, 3)]);
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!(host.tree("logs"), [LOG]);
    assert_eq!(fs::read(host.path("logs").join(LOG)).unwrap(), b"..!");
    assert_eq!(mode(&host.path("logs").join(LOG)) & 0o027, 0);
    assert!(!host.state("_diag").exists());
}

#[test]
fn logs_are_kept_before_the_state_directory_is_purged() {
    let host = ran(&[(LOG, 3)]);
    fs::remove_file(host.state(".runner")).unwrap();
    host.prepare().good();
    assert_eq!((host.tree("state"), host.tree("logs")), (vec![".staged-token".into()], vec![LOG.into()]));
}

#[test]
fn a_start_that_keeps_its_registration_begins_without_logs() {
    let host = ran(&[(LOG, 3), ("pages", 0)]);
    fs::create_dir_all(host.state("_diag/blocks/deep")).unwrap();
    host.prepare().good();
    assert!(!host.state("_diag").exists());
    assert_eq!(host.tree("logs"), [LOG]);
}

#[test]
fn a_missing_logs_directory_is_made_for_root() {
    let host = ran(&[(LOG, 3)]);
    fs::remove_dir(host.path("logs")).unwrap();
    host.prepare().good();
    assert_eq!((host.tree("logs"), mode(&host.path("logs"))), (vec![LOG.into()], 0o750));
}

#[test]
fn only_plain_files_with_names_of_logs_are_kept_and_nothing_is_followed() {
    let host = ran(&[("good.log", 1), (".hidden.log", 1), ("a b.log", 1), ("a\n<0>b.log", 1), ("core", 1)]);
    let victim = Victim::new(&host);
    let diag = host.state("_diag");
    symlink(host.path("victim"), diag.join("link.log")).unwrap();
    fs::hard_link(host.path("victim"), diag.join("hard.log")).unwrap();
    nix::unistd::mkfifo(&diag.join("fifo.log"), Mode::S_IRWXU).unwrap();
    fs::create_dir(diag.join("directory.log")).unwrap();
    let said = host.prepare().good();
    fs::remove_dir_all(&diag).ok();
    victim.check(&host, &said);
    assert_eq!(host.tree("logs"), ["good.log"]);
}

#[test]
fn a_link_in_the_place_of_the_logs_is_removed_and_leads_nowhere() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file.log"), "").unwrap();
    symlink(host.path("outside"), host.state("_diag")).unwrap();
    host.prepare().good();
    assert!(fs::symlink_metadata(host.state("_diag")).is_err(), "the listener could not start with it");
    assert_eq!((host.tree("outside"), host.tree("logs")), (vec!["file.log".into()], vec![]));
}

#[test]
fn one_run_keeps_a_quarter_of_the_limit_the_newest_first() {
    let mut host = ran(&[("new.log", 600 << 10), ("older.log", 600 << 10), ("oldest.log", 1)]);
    host.manifest["logs"] = json!({ "maxAge": 1, "maxSize": 4 });
    let said = host.prepare().good();
    assert!(said.contains("2 of them were cut or left out; see `logs.maxSize`"), "{said}");
    assert_eq!(host.tree("logs"), ["new.log", "older.log"]);
    assert_eq!((size(&host, "new.log"), size(&host, "older.log")), (600 << 10, 424 << 10));
    assert!(fs::read(host.path("logs/older.log")).unwrap().ends_with(b".!"), "the end tells more");
}

#[test]
fn a_sparse_file_takes_no_more_than_its_share() {
    let mut host = ran(&[("huge.log", 0)]);
    File::options().write(true).open(host.state("_diag/huge.log")).unwrap().set_len(1 << 40).unwrap();
    host.manifest["logs"] = json!({ "maxAge": 1, "maxSize": 4 });
    host.prepare().good();
    assert_eq!(size(&host, "huge.log"), 1 << 20);
}

#[test]
fn many_files_are_held_to_a_number() {
    let host = Host::new().registered();
    let names: Vec<String> = (0..5000).map(|number| format!("{number}.log")).collect();
    log(&host, &names.iter().map(|name| (name.as_str(), 0)).collect::<Vec<_>>());
    log(&host, &[("0.log", 1)]);
    host.prepare().good();
    assert!(host.tree("logs").len() <= 100);
    assert!(!host.state("_diag").exists());
}

#[test]
fn old_logs_go_by_age_and_by_size() {
    let mut host = Host::new().registered();
    host.manifest["logs"] = json!({ "maxAge": 2, "maxSize": 1 });
    let hour = 60 * 60;
    for (name, bytes, hours) in
        [("new.log", 600, 1), ("second.log", 400, 2), ("third.log", 400, 3), ("aged.log", 0, 50)]
    {
        fs::write(host.path("logs").join(name), vec![b'.'; bytes << 10]).unwrap();
        set_age(&host.path("logs").join(name), hours * hour);
    }
    fs::write(host.path("logs/note"), "of an administrator").unwrap();
    host.prepare().good();
    assert_eq!(host.tree("logs"), ["new.log", "note", "second.log"]);
}

#[test]
fn a_log_of_an_earlier_run_is_never_replaced() {
    let host = ran(&[(LOG, 3)]);
    fs::write(host.path("logs").join(LOG), "before").unwrap();
    host.prepare().good();
    assert_eq!(host.tree("logs"), [LOG, &format!("{LOG}.1")]);
    assert_eq!(fs::read(host.path("logs").join(LOG)).unwrap(), b"before");
}

#[test]
fn a_logs_directory_of_the_service_user_becomes_roots_with_its_logs_and_nothing_else() {
    if !is_root("another owner") {
        return;
    }
    let host = ran(&[(LOG, 3)]);
    let victim = Victim::new(&host);
    let logs = host.path("logs");
    fs::create_dir_all(logs.join("deep").join(vec!["d"; 200].join("/"))).unwrap();
    symlink(host.path("victim"), logs.join("link.log")).unwrap();
    fs::write(logs.join("former.log"), "former").unwrap();
    chown(logs.join("former.log"), Some(1234), None).unwrap();
    chown(&logs, Some(1234), None).unwrap();
    // The end leaves it for the start, which has the time.
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!(owner(&logs), 1234);
    let said = host.prepare().good();
    victim.check(&host, &said);
    assert_eq!(host.tree("logs"), [LOG, "former.log"]);
    for path in [&logs, &logs.join("former.log"), &logs.join(LOG)] {
        assert_eq!(owner(path), 0, "{}", path.display());
    }
}

#[test]
fn a_logs_directory_that_was_taken_over_halfway_is_taken_over_again() {
    if !is_root("another owner") {
        return;
    }
    let host = Host::new().registered();
    fs::create_dir(host.path("logs/planted")).unwrap();
    chown(host.path("logs/planted"), Some(1234), None).unwrap();
    host.prepare().good();
    assert!(host.tree("logs").is_empty());
}
