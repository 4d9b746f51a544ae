//! An order's unit begins with its registration in place, in directories that hold nothing else, or it does not begin.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use super::hostile::Victim;
use crate::host::{Host, Said, is_root, mode, owner};

/// The user of the unit.
pub const JOBS: u32 = 64_321;

/// What is secret in the registration of these tests.
const SECRET: &str = "FAKETOKEN-of-the-order";

/// The files that `place` leaves, and their links in the work directory.
const PLACED: [&str; 4] = [".credentials", ".credentials_rsaparams", ".order", ".runner"];
const LINKS: [&str; 4] = [".credentials", ".credentials_rsaparams", ".runner", "_diag"];

/// A registration as the desk writes it.
fn registration() -> Value {
    json!({
        "id": 7,
        "name": "od-1-build-small",
        "files": {
            ".runner": r#"{"AgentId":"7","AgentName":"od-1-build-small","Ephemeral":"True"}"#,
            ".credentials": format!(r#"{{"scheme":"OAuth","data":"{SECRET}"}}"#),
            ".credentials_rsaparams": format!(r#"{{"d":"{SECRET}"}}"#)
        },
        "repository": "octo-org/example",
        "run": 19_283_746_u64,
        "deadline": 1_800_000_000
    })
}

/// Writes the registration as root keeps it.
fn write(host: &Host, registration: &Value) {
    let path = host.path("registration.json");
    fs::write(&path, registration.to_string()).unwrap();
    set_mode(&path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes the directories of the unit as systemd does, also where they were removed.
pub fn systemd_makes_directories(host: &Host) {
    for name in ["state", "work"] {
        fs::create_dir_all(host.path(name)).unwrap();
        set_mode(&host.path(name), 0o700);
        if is_root("a unit with a user of its own") {
            chown(host.path(name), Some(JOBS), Some(JOBS)).unwrap();
        }
    }
}

/// A host on which an order's unit begins.
pub fn ordered() -> Host {
    let host = Host::new();
    write(&host, &registration());
    systemd_makes_directories(&host);
    host
}

/// The same after a job of the same order, which was not cleared and left what it liked.
pub fn left_over() -> Host {
    let host = ordered();
    for directory in ["state/_diag/pages", "state/a/b/c", "work/repo/.git", "work/_temp"] {
        fs::create_dir_all(host.path(directory)).unwrap();
        fs::write(host.path(directory).join("file"), "content").unwrap();
        symlink("/etc", host.path(directory).join("link")).unwrap();
    }
    for name in [".runner_migrated", ".credentials", ".env", ".order", ".runner.new"] {
        fs::write(host.state(name), "{\"of\": \"FORMER\"}").unwrap();
    }
    host
}

/// What is there after every good `place`, and nothing besides.
#[track_caller]
pub fn assert_placed(host: &Host, when: &str) {
    assert_eq!(host.tree("state"), PLACED, "{when}");
    assert_eq!(host.tree("work"), LINKS, "{when}");
    let user = owner(&host.path("state"));
    let registration = registration();
    for (name, content) in registration["files"].as_object().unwrap() {
        let path = host.state(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), content.as_str().unwrap(), "{when}: {name}");
        assert_eq!((mode(&path), owner(&path)), (0o600, user), "{when}: {name}");
        assert_eq!(fs::read_link(host.path("work").join(name)).unwrap(), path, "{when}");
    }
    let order = fs::read_to_string(host.state(".order")).unwrap();
    assert_eq!(order, "repository=octo-org/example\nrun=19283746\n", "{when}");
    let root = nix::unistd::Uid::effective().as_raw();
    assert_eq!((mode(&host.state(".order")), owner(&host.state(".order"))), (0o444, root), "{when}");
}

/// No file of the state directory has what only the runner may know, of this order or of one before.
#[track_caller]
fn assert_no_secret(host: &Host, said: &str) {
    for name in host.tree("state") {
        let text = fs::read_to_string(host.state(&name)).unwrap_or_default();
        assert!(!text.contains("FAKETOKEN") && !text.contains("FORMER"), "{name} has a secret: {said}");
    }
    assert!(!said.contains("FAKETOKEN"), "{said}");
}

/// Places with another directory or file for one option.
fn place_with(host: &Host, option: &str, path: &Path) -> Said {
    let mut arguments = host.arguments("place");
    let at = arguments.iter().position(|argument| argument == option).unwrap();
    arguments[at + 1] = path.to_str().unwrap().into();
    let mut command = Command::new(env!("CARGO_BIN_EXE_github-runner-helper"));
    command.args(arguments).output().unwrap().into()
}

#[test]
fn the_registration_lies_where_the_listener_reads_it_and_nobody_else_can() {
    let host = ordered();
    let said = host.step("place").good();
    assert_placed(&host, &said);
    assert!(said.contains("runner \"od-1-build-small\", id 7, for octo-org/example"), "{said}");
    assert_no_secret(&host_without_files(&host), &said);
    assert_eq!(fs::read_to_string(host.path("registration.json")).unwrap(), registration().to_string(), "it stays");
    assert!(!host.path("ledger").exists(), "nothing of it needs a ledger");
}

/// The host after its files were taken away, for claims about what was said.
fn host_without_files(host: &Host) -> Host {
    let other = Host::new();
    for name in PLACED {
        fs::write(other.state(name), "").unwrap();
    }
    assert_eq!(other.tree("state"), host.tree("state"));
    other
}

#[test]
fn a_run_that_is_not_known_is_none() {
    let host = ordered();
    let mut registration = registration();
    registration["run"] = json!(null);
    write(&host, &registration);
    host.step("place").good();
    assert_eq!(fs::read_to_string(host.state(".order")).unwrap(), "repository=octo-org/example\nrun=\n");
}

#[test]
fn nothing_of_a_job_before_is_left_but_its_logs() {
    let host = left_over();
    let log = "Runner_20260102-030405-utc.log";
    fs::write(host.state("_diag").join(log), "said").unwrap();
    if is_root("files of another user") {
        chown(host.state("_diag").join(log), Some(JOBS), Some(JOBS)).unwrap();
    }
    let said = host.step("place").good();
    assert_placed(&host, &said);
    assert_eq!(host.tree("logs"), [log]);
    assert!(said.contains("Purged the state directory") && said.contains("Emptied the work directory"), "{said}");
}

#[test]
fn links_fifos_and_hard_links_of_a_job_are_names_to_unlink() {
    for name in [".runner", ".runner.new", ".credentials", ".order", ".order.new", "_diag", ".env"] {
        for kind in ["link", "hard link", "fifo", "directory"] {
            let host = ordered();
            let victim = Victim::new(&host);
            for path in [host.state(name), host.path("work").join(name)] {
                match kind {
                    "link" => symlink(host.path("victim"), path).unwrap(),
                    "hard link" => fs::hard_link(host.path("victim"), path).unwrap(),
                    "fifo" => mkfifo(&path, Mode::S_IRWXU).unwrap(),
                    _ => fs::create_dir_all(path.join("x")).unwrap(),
                }
            }
            let said = host.step("place").good();
            assert_placed(&host, &format!("{kind} {name}: {said}"));
            victim.check(&host, &said);
        }
    }
}

type Spoil<'a> = &'a dyn Fn(&Host, &Path);

#[test]
fn a_registration_that_root_alone_could_not_have_written_and_read_is_refused() {
    let huge = json!({ "id": 7, "filler": "x".repeat(70_000) });
    let cases: [(&str, Spoil<'_>); 9] = [
        ("there is none", &|_, path| fs::remove_file(path).unwrap()),
        ("others than root can open it", &|_, path| set_mode(path, 0o640)),
        ("others than root can open it", &|_, path| set_mode(path, 0o604)),
        ("bytes, more than expected", &|host, _| write(host, &huge)),
        ("is a symbolic link", &|host, path| {
            fs::rename(path, host.path("elsewhere")).unwrap();
            symlink(host.path("elsewhere"), path).unwrap();
        }),
        ("has 2 hard links", &|host, path| fs::hard_link(path, host.path("second")).unwrap()),
        ("is a fifo", &|_, path| {
            fs::remove_file(path).unwrap();
            mkfifo(path, Mode::S_IRWXU).unwrap();
        }),
        ("is a directory", &|_, path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("no registration of this release", &|_, path| fs::write(path, SECRET).unwrap()),
    ];
    for (part, spoil) in cases {
        let host = left_over();
        spoil(&host, &host.path("registration.json"));
        let said = host.step("place").bad();
        assert!(said.contains(part) && said.contains("Failed to read registration "), "{part}: {said}");
        assert_no_secret(&host, &said);
    }
    if is_root("a file of another user") {
        let host = left_over();
        chown(host.path("registration.json"), Some(JOBS), None).unwrap();
        let said = host.step("place").bad();
        assert!(said.contains(&format!("belongs to user id {JOBS}")), "{said}");
        assert_no_secret(&host, &said);
    }
}

#[test]
fn a_registration_of_another_runner_or_with_other_files_is_refused() {
    for (field, value, part) in [
        ("id", json!(8), "is not about ephemeral runner"),
        ("name", json!("od-2-build-small"), "is not about ephemeral runner"),
        ("repository", json!("../example"), "no registration of this release"),
        ("files", json!({ ".runner": "{}" }), "it has no .credentials_rsaparams"),
        ("surprise", json!(1), "no registration of this release"),
    ] {
        let host = left_over();
        let mut registration = registration();
        registration[field] = value;
        write(&host, &registration);
        let said = host.step("place").bad();
        assert!(said.contains(part), "{field}: {said}");
        assert_no_secret(&host, &said);
    }
    let host = left_over();
    let mut registration = registration();
    registration["files"][".env"] = json!("LD_PRELOAD=/evil.so");
    write(&host, &registration);
    let said = host.step("place").bad();
    assert!(said.contains("which no registration needs"), "{said}");
    assert_no_secret(&host, &said);
}

#[test]
fn a_registration_for_which_there_is_no_room_is_taken_away_again() {
    if !is_root("mounting") {
        return;
    }
    // Room for whose order it is and for the key, with a page for each, and for nothing else.
    let host = ordered();
    let state = host.path("state");
    let options = format!("size=8k,mode=0700,uid={JOBS},gid={JOBS}");
    mount(Some("own"), &state, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
    let said = host.step("place").bad();
    let left = host.tree("state");
    umount2(&state, MntFlags::MNT_DETACH).unwrap();
    assert!(said.contains("Failed to write .credentials for the service user"), "{said}");
    assert_eq!(left, [".order"], "{said}");
}

#[test]
fn a_link_on_the_way_that_others_could_exchange_is_not_followed() {
    if !is_root("a link of another user") {
        return;
    }
    let host = left_over();
    fs::create_dir(host.path("home")).unwrap();
    chown(host.path("home"), Some(JOBS), Some(JOBS)).unwrap();
    for (option, name) in [("--state-directory", "state"), ("--work-directory", "work"), ("--registration", "")] {
        let link = host.path("home").join(format!("to-{name}"));
        symlink(host.path(name), &link).unwrap();
        let path = if name.is_empty() { link.join("registration.json") } else { link };
        let before = host.tree("work");
        let said = place_with(&host, option, &path).bad();
        assert!(said.contains(&format!("is a symbolic link that user id {JOBS} could exchange")), "{option}: {said}");
        assert_eq!(host.tree("work"), before, "{option}: nothing was emptied");
    }
}

#[test]
fn a_state_directory_of_root_or_nobody_is_refused_and_kept() {
    if !is_root("a directory of another user") {
        return;
    }
    for (user, part) in [(0, "belongs to root, as whom no job may run"), (65_534, "belongs to nobody")] {
        let host = left_over();
        chown(host.path("state"), Some(user), Some(user)).unwrap();
        let before = (host.tree("state"), host.tree("work"));
        let said = host.step("place").bad();
        assert!(said.contains(part), "{said}");
        assert_eq!((host.tree("state"), host.tree("work")), before);
    }
}

#[test]
fn a_work_directory_of_somebody_else_is_not_emptied() {
    if !is_root("a directory of another user") {
        return;
    }
    let host = left_over();
    fs::write(host.path("work/precious"), "").unwrap();
    chown(host.path("work"), Some(64_322), None).unwrap();
    let said = host.step("place").bad();
    assert!(said.contains("belongs to user id 64322 instead of 64321"), "{said}");
    assert!(host.path("work/precious").exists());
    assert_no_secret(&host, &said);
}

#[test]
fn directories_that_overlap_are_refused() {
    let host = left_over();
    for (work, part) in [("state/work", "the state directory"), ("logs", "the logs directory")] {
        let before = host.tree("state");
        let said = place_with(&host, "--work-directory", &host.path(work)).bad();
        assert!(said.contains(part), "{said}");
        assert_eq!(host.tree("state"), before, "nothing was changed");
    }
}

#[test]
fn a_credential_that_jobs_could_read_is_refused() {
    if !is_root("a unit with a user of its own") {
        return;
    }
    let mut host = ordered();
    set_mode(&host.path(""), 0o755);
    set_mode(&host.path("token"), 0o644);
    let said = host.step("place").bad();
    assert!(said.contains(&format!("user id {JOBS}")), "{said}");
    assert_eq!(host.tree("state"), [""; 0]);
    host.manifest["trustJobsLikeRoot"] = json!(true);
    host.step("place").good();
}

#[test]
fn what_a_job_gave_to_others_is_taken_back() {
    let host = ordered();
    for path in ["state", "work"] {
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(host.path(path), "user.note", b"x", flags) == Err(rustix::io::Errno::OPNOTSUPP) {
            eprintln!("this file system has no attributes of users: not tried");
            return;
        }
    }
    set_mode(&host.path("work"), 0o777);
    host.step("place").good();
    assert_eq!(mode(&host.path("work")), 0o700);
    for path in ["state", "work"] {
        assert!(rustix::fs::getxattr(host.path(path), "user.note", &mut [0; 8][..]).is_err(), "{path}");
    }
}

#[test]
fn directories_with_a_limit_have_new_file_systems_and_the_end_takes_them_off() {
    if !is_root("mounting") {
        return;
    }
    let mut host = left_over();
    host.manifest["workDirSize"] = json!("4M");
    let mounts = |name: &str| {
        let point = format!(" {} ", host.path(name).canonicalize().unwrap().display());
        fs::read_to_string("/proc/self/mountinfo").unwrap().matches(&point).count()
    };
    for _ in 0..2 {
        let said = host.step("place").good();
        assert_placed(&host, &said);
        assert_eq!((mounts("state"), mounts("work")), (1, 1));
        for name in ["state", "work"] {
            let full = fs::write(host.path(name).join("large"), vec![0; 5 << 20]).map_err(|error| error.kind());
            assert_eq!(full, Err(ErrorKind::StorageFull), "{name}: what is around it has room for that");
            // More than anybody could remove one by one in the time of an end.
            let mut dir = Dir::open(&host.path(name), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
            fs::remove_file(host.path(name).join("large")).unwrap();
            while mkdirat(&dir, "d", Mode::S_IRWXU).is_ok() {
                dir = Dir::openat(&dir, "d", OFlag::O_DIRECTORY, Mode::empty()).unwrap();
            }
        }
    }
    host.ended("clear", "success", Some(("exited", "0"))).good();
    assert!(!host.path("state").exists() && !host.path("work").exists(), "not even below what was mounted");
}
