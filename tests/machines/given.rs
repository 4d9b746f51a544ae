//! What an operator gives to jobs beside their machine, and what they have not without it.

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use github_runners::machines::nspawn::Answer;
use github_runners::machines::{Machines as _, Specification, Token};
use rustix::net::{Shutdown, shutdown};
use serde_json::json;

use crate::host::{Host, image, is_booted, run, specification};
use crate::nspawn::Surroundings;

#[test]
fn a_job_is_warned_of_a_machine_without_gitlab_runner_and_runs_that_of_the_host_if_it_is_given() {
    if !crate::host::can_make_machines() {
        return;
    }
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let program = directory.path().join("runner-of-the-host");
    fs::write(&program, "#!/bin/sh\necho the runner of the host: $1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for (settings, warnings, said) in [
        (json!({}), 1, "none\n"),
        (json!({"gitlabRunner": program}), 0, "the runner of the host: artifacts-uploader\n"),
    ] {
        let host = Host::new(&settings);
        let told = RefCell::new(Vec::new());
        let client = host.client().telling(|text| told.borrow_mut().push(text.to_owned()));
        client.create(&specification(1)).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
        let told = told.borrow();
        let found = told.iter().filter(|text| text.contains("WARNING: Image plain has no gitlab-runner")).count();
        assert_eq!(found, warnings, "{told:?}");
        let ended = run(&host, 1, "gitlab-runner artifacts-uploader 2> /dev/null || echo none");
        assert_eq!(ended.stdout, said, "{ended:?}");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
    }
}

/// Where the Nix daemon listens.
const NIX_DAEMON: &str = "/nix/var/nix/daemon-socket";

#[test]
fn the_nix_daemon_answers_in_jobs_of_images_that_have_it_and_is_not_there_otherwise() {
    if !crate::host::can_make_machines() {
        return;
    }
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let had_nix = Path::new("/nix").exists();
    let mut surroundings = Surroundings::default();
    let place = if is_booted() {
        fs::create_dir_all(NIX_DAEMON).unwrap();
        Path::new(NIX_DAEMON)
    } else {
        surroundings.nix_daemon = Some(directory.path().to_owned());
        directory.path()
    };
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = UnixListener::bind(place.join("socket")).unwrap();
    fs::set_permissions(place.join("socket"), fs::Permissions::from_mode(0o666)).unwrap();
    let images = json!({
        "plain": {"root": image(), "boot": false},
        "nix": {"root": image(), "boot": false, "nixDaemon": true},
    });
    let host = Host::among(surroundings, &json!({"images": images}));
    let ask = r#"perl -MSocket -e '
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
        connect($s, pack_sockaddr_un("/nix/var/nix/daemon-socket/socket")) ? print <$s> : print "nobody";'
        echo " $NIX_REMOTE"; rm /nix/var/nix/daemon-socket/socket 2> /dev/null && echo removed"#;
    let listener = daemon.try_clone().unwrap();
    let answering = thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            connection.write_all(b"the daemon of the host").unwrap();
        }
    });
    for (image, said) in [("plain", "nobody \n"), ("nix", "the daemon of the host daemon\n")] {
        let wanted = Specification { image: image.into(), ..specification(1) };
        host.create(&wanted).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
        let ended = run(&host, 1, ask);
        assert_eq!(ended.stdout, said, "{}", ended.stderr);
        host.client().delete(Token(1)).unwrap();
    }
    shutdown(&daemon, Shutdown::Both).unwrap();
    answering.join().unwrap();
    assert!(place.join("socket").exists());
    fs::remove_file(place.join("socket")).unwrap();
    host.nothing_is_left();
    if !had_nix && !is_booted() {
        // Made for the mount, which only its unit saw.
        fs::remove_dir("/nix").unwrap();
    }
}

/// The file system of all layers, until it is dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path) -> Self {
        fs::create_dir_all(path).unwrap();
        rustix::mount::mount("tmpfs", path, "tmpfs", rustix::mount::MountFlags::empty(), c"size=16m").unwrap();
        Self(path)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // Machines of other claims may have begun meanwhile, with copies of it.
        _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_fails_the_job_that_filled_it_and_nothing_else() {
    if !crate::host::can_make_machines() {
        return;
    }
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let state = if is_booted() { Path::new("/var/lib/gitlab-nspawn") } else { directory.path() };
    let _disk = Small::mount(state);
    let host = Host::new(&json!({"stateDirectory": state}));
    host.made(1);
    host.made(2);
    let fill = "head -c 64M /dev/zero > /file; code=$?; mkdir -p /a/b && echo more > /a/b/c; exit $code";
    let ended = run(&host, 1, fill);
    assert_eq!(ended.answer, Answer::Exit(1), "{ended:?}");
    assert!(ended.stderr.contains("No space left on device"), "{ended:?}");
    // Another job is told the same by what it runs, and no machine is in the way of its own end.
    let other = run(&host, 2, "echo well; head -c 1M /dev/zero > /file");
    assert_eq!((other.answer, other.stdout.as_str()), (Answer::Exit(1), "well\n"), "{}", other.stderr);
    host.client().delete(Token(1)).unwrap();
    assert_eq!(run(&host, 2, "head -c 1M /dev/zero > /file").answer, Answer::Exit(0), "there is room again");
    host.client().delete(Token(2)).unwrap();
    host.nothing_is_left();
    assert_eq!(fs::read_dir(state.join("jobs")).unwrap().count(), 0);
}
