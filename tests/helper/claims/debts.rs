//! What the ledger owes: for how long, to whom, and what must not stand in the way of paying.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use github_runners::contract::protocol::{Outcome, RemoteRunner};
use serde_json::{Value, json};

use super::recovery::{edit, now};
use super::register::{ephemeral, registered};
use crate::host::{Host, is_root};

fn debt(id: u64, url: &str, since: u64) -> Value {
    json!({ "runner": { "id": id, "name": "old", "url": url, "recordedAt": 1 }, "ephemeral": false, "since": since })
}

const HOME: &str = "https://github.com/octo-org/example";
const ELSEWHERE: &str = "https://github.com/octo-org/former";

#[test]
fn a_debt_is_not_forgotten_by_age_where_the_server_can_be_asked() {
    let (host, server) = registered();
    server.state().runners.push(RemoteRunner { id: 20, name: "old".into(), online: true, busy: true });
    edit(&host, |ledger| ledger["leftBehind"] = json!([debt(20, HOME, now() - 100 * 86_400)]));
    host.prepare().good();
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 20, "somebody keeps it busy");
    server.state().runners[1].busy = false;
    host.prepare().good();
    assert_eq!((server.state().deleted.clone(), host.ledger()["leftBehind"].clone()), (vec![20], json!([])));
}

#[test]
fn a_debt_of_another_address_keeps_nobody_from_registering() {
    let (host, server) = ephemeral();
    host.prepare().good();
    host.settle("success", Some(("exited", "0"))).good();
    edit(&host, |ledger| ledger["leftBehind"] = json!([debt(1000, ELSEWHERE, now()), debt(43, HOME, now())]));
    server.add(43, "old");
    server.state().silent = Some(ELSEWHERE.into());
    host.prepare().good();
    assert_eq!((server.ids(), server.state().deleted.clone()), (vec![42], vec![41, 43]));
    assert_eq!(host.ledger()["leftBehind"].as_array().unwrap().len(), 1);
}

#[test]
fn what_just_ended_is_paid_before_debts_elsewhere() {
    let (host, server) = ephemeral();
    host.prepare().good();
    edit(&host, |ledger| ledger["leftBehind"] = json!([debt(1, ELSEWHERE, now()), debt(2, ELSEWHERE, now())]));
    server.state().silent = Some(ELSEWHERE.into());
    server.asked();
    host.settle("success", Some(("killed", "INT"))).good();
    assert_eq!(server.asked(), "retire 41, retire 2, retire 1");
}

#[test]
fn an_id_means_nothing_at_another_address() {
    let (host, server) = ephemeral();
    host.prepare().good();
    edit(&host, |ledger| ledger["leftBehind"] = json!([debt(41, ELSEWHERE, now())]));
    server.state().silent = Some(ELSEWHERE.into());
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!((server.ids(), server.state().deleted.clone()), (vec![], vec![41]));
    let left = host.ledger()["leftBehind"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["runner"]["url"]), (1, &json!(ELSEWHERE)), "still owed there");
}

#[test]
fn a_forged_name_without_a_configured_one_makes_no_debt() {
    let victim = json!({ "agentId": 99, "agentName": "victim", "ephemeral": false, "gitHubUrl": HOME }).to_string();
    // Between `configure` and `record`, by a process that a static user kept.
    let (mut host, server) = Host::with_server();
    *host.registration("name") = Value::Null;
    server.state().name = Some("nobody".into());
    server.add(99, "victim");
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    for name in [".credentials", ".credentials_rsaparams"] {
        fs::write(host.state(name), "{}").unwrap();
    }
    fs::write(host.state(".runner"), &victim).unwrap();
    assert!(host.step("record").bad().contains(".runner has the name \"victim\" instead of"));
    *host.registration("extraLabels") = json!(["other"]);
    host.prepare().good();

    // Under nixpkgs' module, before this one took over.
    let (mut host, server2) = Host::with_server();
    *host.registration("name") = Value::Null;
    server2.add(99, "victim");
    fs::write(host.state(".nixos-current-config.json"), host.manifest["registration"].to_string()).unwrap();
    fs::copy(host.path("token"), host.state(".current-token")).unwrap();
    for name in [".credentials", ".credentials_rsaparams"] {
        fs::write(host.state(name), "{}").unwrap();
    }
    fs::write(host.state(".runner"), &victim).unwrap();
    server2.state().name = Some("nobody".into());
    assert!(!host.prepare().good().contains("Adopting"));
    assert_eq!((server.ids(), server2.ids()), (vec![99], vec![99]));
}

#[test]
fn what_was_just_taken_back_is_not_warned_about() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    server.state().after_retire = Some(Outcome::Unreachable("it went down".into()));
    host.prepare().bad();
    assert_eq!(server.state().deleted, [21]);
    server.state().instead = None;
    let said = host.prepare().good();
    assert!(!said.contains("GitHub still knows"), "{said}");
}

#[test]
fn conflicts_of_an_old_identity_say_nothing_about_the_next_one() {
    let (host, server) = registered();
    for _ in 0..3 {
        host.settle("exit-code", Some(("exited", "5"))).good();
    }
    edit(&host, |ledger| {
        ledger["lastExit"]["at"] = json!(now() - 1_000);
        ledger["runner"]["recordedAt"] = json!(now() - 9_000);
    });
    assert!(host.prepare().good().contains("3 times in a row"));
    host.configured(22);
    server.add(22, "runner1");
    host.step("record").good();
    // It runs for weeks, and then the power goes, so that nobody settles.
    assert!(host.prepare().good().contains("Keeping"));
}

#[test]
fn a_missing_secret_makes_nobody_wait_once_it_is_there() {
    let (host, _server) = registered();
    let token = fs::read(host.path("token")).unwrap();
    for _ in 0..4 {
        fs::write(host.path("token"), "").unwrap();
        host.prepare().bad();
        host.settle("exit-code", None).good();
    }
    fs::write(host.path("token"), token).unwrap();
    assert!(!host.prepare().good().contains("Waiting"));
}

#[test]
fn a_damaged_registration_is_not_taken_for_a_deleted_one_or_a_job_done() {
    let (host, server) = registered();
    fs::remove_file(host.state(".runner")).unwrap();
    symlink("/etc/hostname", host.state(".runner")).unwrap();
    let said = host.settle("success", Some(("exited", "0"))).good();
    assert!(said.contains("stopped, and its settings are damaged") && !said.contains("deleted"), "{said}");
    drop(server);
    let (host, server) = ephemeral();
    host.prepare().good();
    fs::write(host.state(".runner"), "").unwrap();
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!((host.ledger()["lastExit"]["kind"].clone(), server.ids()), (json!("clean"), vec![]));
}

type Make = fn(&Path);

/// What a job can make of a name in its state directory.
const SHAPES: [(&str, Make); 12] = [
    ("directory", |path| fs::create_dir_all(path.join("x")).unwrap()),
    ("link", |path| symlink("/etc/shadow", path).unwrap()),
    ("loop", |path| symlink(path, path).unwrap()),
    ("path below the store", |path| symlink("/nix/store/x-file/", path).unwrap()),
    ("dot in the store", |path| symlink("/nix/store/x-file/.", path).unwrap()),
    ("the store itself", |path| symlink("/nix/store/..", path).unwrap()),
    ("long name in the store", |path| symlink(format!("/nix/store/{}", "a".repeat(300)), path).unwrap()),
    ("fifo", |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap()),
    ("socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ("sparse file", |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
    ("deep JSON", |path| fs::write(path, "[".repeat(60_000)).unwrap()),
    ("nothing but zeroes", |path| fs::write(path, "\0\0\0").unwrap()),
];

#[test]
fn nothing_that_a_job_makes_of_a_name_stops_an_end_or_a_start() {
    for is_ephemeral in [true, false] {
        for name in [
            ".runner",
            ".runner_migrated",
            ".credentials",
            ".credentials_rsaparams",
            ".staged-token",
            ".nixos-current-config.json",
            ".current-token",
            ".env",
            ".runner.new",
            "_diag",
        ] {
            for (shape, make) in SHAPES {
                let (host, server) = if is_ephemeral { ephemeral() } else { registered() };
                if is_ephemeral {
                    host.prepare().good();
                }
                _ = fs::remove_file(host.state(name));
                make(&host.state(name));
                let end = host.settle("success", Some(("exited", "0")));
                assert!(end.ok, "{shape} {name}: {}", end.text);
                assert_eq!(server.ids().is_empty(), is_ephemeral, "{shape} {name}: {}", end.text);
                let start = host.prepare();
                assert!(start.ok, "{shape} {name}: {}", start.text);
            }
        }
    }
}

/// File systems that are gone when the test is over, however it ends.
pub struct Mounts(pub Vec<PathBuf>);

impl Mounts {
    pub fn add(&mut self, arguments: &[&str], place: PathBuf) {
        fs::create_dir_all(&place).unwrap();
        assert!(Command::new("mount").args(arguments).arg(&place).status().unwrap().success());
        self.0.push(place);
    }
}

impl Mounts {
    /// Mounts a file on itself.
    pub fn bind(&mut self, file: PathBuf) {
        assert!(Command::new("mount").arg("--bind").args([&file, &file]).status().unwrap().success());
        self.0.push(file);
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for place in self.0.iter().rev() {
            _ = Command::new("umount").arg("--lazy").arg(place).status();
        }
    }
}

#[test]
fn a_disk_that_a_job_filled_keeps_no_registration_alive_and_no_start_away() {
    if !is_root("mount a small file system") {
        return;
    }
    let (host, server) = ephemeral();
    let mut mounts = Mounts(vec![]);
    let disk = host.path("disk");
    mounts.add(&["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"], disk.clone());
    for name in ["work", "ledger"] {
        fs::create_dir(disk.join(name)).unwrap();
        mounts.add(&["--bind", disk.join(name).to_str().unwrap()], host.path(name));
    }
    fs::set_permissions(host.path("ledger"), fs::Permissions::from_mode(0o700)).unwrap();
    host.prepare().good();
    let mut count = 0;
    while fs::write(host.path("work").join(format!("fill{count}")), [0; 4096]).is_ok() {
        count += 1;
    }
    assert!(count > 4);

    let said = host.settle("success", Some(("exited", "0")));
    assert!(said.text.contains("Failed to write ledger entry"), "{}", said.text);
    assert_eq!((server.ids(), server.state().deleted.clone()), (vec![], vec![41]), "{}", said.text);

    let said = host.prepare().good();
    assert_eq!((server.ids(), host.ledger()["runner"]["id"].clone()), (vec![42], json!(42)), "{said}");
}

#[test]
fn a_disk_that_a_job_filled_with_logs_keeps_no_persistent_runner_away() {
    if !is_root("mount a small file system") {
        return;
    }
    let host = Host::new();
    let mut mounts = Mounts(vec![]);
    let disk = host.path("disk");
    mounts.add(&["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"], disk.clone());
    for name in ["state", "ledger"] {
        fs::create_dir(disk.join(name)).unwrap();
        mounts.add(&["--bind", disk.join(name).to_str().unwrap()], host.path(name));
    }
    fs::set_permissions(host.path("ledger"), fs::Permissions::from_mode(0o700)).unwrap();
    let host = host.registered();
    // As if it were told something new, which it has to write down.
    let mut ledger = host.ledger();
    ledger["tried"] = Value::Null;
    host.set_ledger(&ledger);
    fs::create_dir(host.state("_diag")).unwrap();
    let mut count = 0;
    while fs::write(host.state("_diag").join(format!("{count}.log")), [0; 4096]).is_ok() {
        count += 1;
    }
    assert!(count > 4);
    let said = host.prepare().good();
    assert!(said.contains("making room first") && said.contains("Keeping the registration"), "{said}");
    assert_eq!(host.ledger()["runner"]["id"], 21);
}

#[test]
fn a_ledger_that_cannot_be_written_costs_nothing() {
    if !is_root("mount a file system") {
        return;
    }
    let (mut host, server) = Host::with_server();
    let mut mounts = Mounts(vec![]);
    mounts.add(&["-t", "tmpfs", "-o", "mode=700", "tmpfs"], host.path("ledger"));
    host.prepare().good();
    host.configured(21);
    server.add(21, "runner1");
    host.step("record").good();
    let before = (host.tree("state"), host.ledger());
    mounts.add(&["-o", "remount,ro"], host.path("ledger"));
    *host.registration("extraLabels") = json!(["other"]);
    assert!(host.prepare().bad().contains("Failed to write ledger entry"));
    assert_eq!((host.tree("state"), host.ledger(), server.ids()), (before.0, before.1, vec![21]));
}
