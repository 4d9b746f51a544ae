//! Who takes a job away, and who leaves it alone.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// Places in a directory, and settings that name it.
fn places(root: &Path) -> (Places, Settings) {
    let text = format!(
        r#"{{"machines": {{"images": {{"a": {{"root": "/a"}}}}, "network": {{"mode": "none"}},
            "runDirectory": "{0}/run", "stateDirectory": "{0}/state"}}}}"#,
        root.display()
    );
    fs::create_dir(root.join("run")).unwrap();
    fs::write(root.join("run/machines.sock"), "").unwrap();
    let settings = Settings::parse(text.as_bytes()).unwrap();
    (Places::open(&settings).unwrap(), settings)
}

#[test]
fn who_saw_an_earlier_machine_of_a_number_takes_nothing_of_the_later_one_away() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (places, settings) = places(&directory.path().canonicalize().unwrap());
    let token = Token(1);
    let end = || Instant::now() + std::time::Duration::from_secs(3_600);
    assert!(places.take(token, "a", "/one", None).unwrap());
    let (_, seen) = places.standing().unwrap().remove(0);
    places.clear(token, seen.as_ref(), &settings, end(), Turn::Wait).unwrap();
    assert!(!places.job(token).exists());
    assert!(places.take(token, "a", "/two", None).unwrap());
    for seen in [seen.as_ref(), None] {
        places.clear(token, seen, &settings, end(), Turn::Wait).unwrap();
        assert!(places.job(token).join(record::FILE).exists(), "{seen:?}");
    }
}

#[test]
fn who_only_tries_leaves_a_job_to_the_one_that_takes_it_away() {
    let directory = tempfile::tempdir().unwrap();
    let held = turn(directory.path(), Turn::Wait).unwrap().unwrap();
    assert!(turn(directory.path(), Turn::Try).unwrap().is_none());
    drop(held);
    assert!(turn(directory.path(), Turn::Try).unwrap().is_some());
}

#[test]
fn the_group_of_the_runner_reaches_a_socket_but_cannot_lock_the_directory() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (places, settings) = places(&root);
    places.take(Token(1), "a", "/one", None).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&places.job(Token(1))), 0o710);
    // As if who made it had been killed before it had its rights.
    fs::set_permissions(root.join("run/jobs"), fs::Permissions::from_mode(0o700)).unwrap();
    Places::open(&settings).unwrap();
    assert_eq!(mode(&root.join("run/jobs")), 0o750);
}

#[test]
fn only_numbers_become_the_name_of_a_lock() {
    assert_eq!(lock_name(b"65024:1933384").as_deref(), Some("inode-65024:1933384"));
    for text in ["", "1", "../x:1", "1:2/3", "1:-2", "\u{e9}:1"] {
        assert_eq!(lock_name(text.as_bytes()), None, "{text}");
    }
}
