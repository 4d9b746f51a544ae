//! A hostile job owns the state and work directories. Whatever it leaves there, nothing outside is read, changed
//! or deleted, and the start either succeeds or says what was found.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;

use crate::host::{Host, is_root, mode, owner};

/// Every name that a step of root touches below the state directory.
const NAMES: &[&str] = &[
    ".runner",
    ".runner_migrated",
    ".credentials",
    ".credentials_migrated",
    ".credentials_rsaparams",
    ".staged-token",
    ".staged-token.new",
    ".current-token",
    ".nixos-current-config.json",
    ".env",
    "_diag",
];

/// A file of root's that nobody may read, change or delete.
struct Victim {
    before: (Vec<u8>, u32, u32),
}

impl Victim {
    fn new(host: &Host) -> Self {
        let path = host.path("victim");
        fs::write(&path, r#"{"agentId": 666, "agentName": "VICTIMCONTENT"}"#).unwrap();
        Self { before: Self::look(&path) }
    }

    fn look(path: &Path) -> (Vec<u8>, u32, u32) {
        (fs::read(path).unwrap(), mode(path), owner(path))
    }

    #[track_caller]
    fn check(&self, host: &Host, said: &str) {
        assert_eq!(Self::look(&host.path("victim")), self.before);
        assert!(!said.contains("VICTIMCONTENT") && !said.contains("666"), "{said}");
    }
}

/// Starts after the hostile job, and expects a purge, the reason, and nothing of what was planted.
#[track_caller]
fn registers_anew(host: &Host, part: &str) -> String {
    let said = host.prepare().good();
    assert!(said.contains(part), "expected {part:?} in: {said}");
    assert_eq!(host.tree("state"), [".staged-token"]);
    assert!(fs::symlink_metadata(host.state(".staged-token")).unwrap().is_file());
    said
}

fn replace(host: &Host, name: &str) {
    let path = host.state(name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

#[test]
fn links_to_files_of_root_are_unlinked_and_never_followed() {
    for name in NAMES {
        let host = Host::new().registered();
        let victim = Victim::new(&host);
        replace(&host, name);
        symlink(host.path("victim"), host.state(name)).unwrap();
        symlink(host.path("victim"), host.path("work").join(name)).unwrap();
        let said = host.prepare().good();
        victim.check(&host, &said);
        assert!(host.tree("work").is_empty());
        match *name {
            ".runner" | ".runner_migrated" | ".credentials" | ".credentials_migrated" | ".credentials_rsaparams" => {
                assert!(said.contains(&format!("{name} is a symbolic link")), "{said}");
                assert_eq!(host.tree("state"), [".staged-token"]);
            }
            ".current-token" | ".nixos-current-config.json" => assert!(fs::symlink_metadata(host.state(name)).is_err()),
            _ => {}
        }
    }
}

#[test]
fn links_to_files_of_root_survive_a_registration_unread() {
    for name in NAMES {
        let host = Host::new();
        let victim = Victim::new(&host);
        symlink(host.path("victim"), host.state(name)).unwrap();
        let said = registers_anew(&host, " anew: ");
        victim.check(&host, &said);
    }
}

#[test]
fn adoption_is_not_fooled_by_a_link_out_of_the_store() {
    let host = Host::new();
    let victim = Victim::new(&host);
    fs::write(host.state(".current-token"), "x").unwrap();
    symlink(host.path("victim"), host.state(".nixos-current-config.json")).unwrap();
    let said = registers_anew(&host, ".nixos-current-config.json is a link that does not lead into the store");
    victim.check(&host, &said);
}

#[test]
fn directories_that_are_links_are_unlinked_and_never_entered() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    fs::remove_file(host.state(".runner")).unwrap();
    symlink(host.path("outside"), host.state("_diag")).unwrap();
    fs::create_dir(host.path("work/a")).unwrap();
    symlink("../../outside", host.path("work/a/b")).unwrap();
    symlink(host.path("outside"), host.path("work/c")).unwrap();
    registers_anew(&host, ".runner is missing");
    assert!(host.tree("work").is_empty());
    assert_eq!(host.tree("outside"), ["file"]);
}

#[test]
fn fifos_and_sockets_are_names_to_unlink_and_hold_nobody_up() {
    for name in NAMES {
        let host = Host::new().registered();
        replace(&host, name);
        nix::unistd::mkfifo(&host.state(name), Mode::S_IRWXU).unwrap();
        nix::unistd::mkfifo(&host.path("work/fifo"), Mode::S_IRWXU).unwrap();
        let said = host.prepare().good();
        assert!(host.tree("work").is_empty());
        if name.starts_with(".cred") || name.starts_with(".runner") {
            assert!(said.contains(&format!("{name} is a fifo")), "{said}");
        }
    }
    let host = Host::new().registered();
    replace(&host, ".runner");
    let _socket = UnixListener::bind(host.state(".runner")).unwrap();
    registers_anew(&host, ".runner is a socket");
}

#[test]
fn devices_are_never_opened() {
    if !is_root("a device") {
        return;
    }
    let host = Host::new().registered();
    replace(&host, ".runner");
    // The device of the kernel's log: reading it would show.
    let made = Command::new("mknod").arg(host.state(".runner")).args(["c", "1", "11"]).status().unwrap();
    assert!(made.success());
    assert!(fs::symlink_metadata(host.state(".runner")).unwrap().file_type().is_char_device());
    registers_anew(&host, ".runner is a device");
}

#[test]
fn hard_links_to_files_of_root_are_neither_read_nor_handed_over() {
    for name in NAMES {
        let host = Host::new().registered();
        let victim = Victim::new(&host);
        replace(&host, name);
        fs::hard_link(host.path("victim"), host.state(name)).unwrap();
        fs::hard_link(host.path("victim"), host.path("work/x")).unwrap();
        let said = host.prepare().good();
        victim.check(&host, &said);
        assert!(host.tree("work").is_empty());
        if name.starts_with(".cred") || name.starts_with(".runner") {
            assert!(said.contains(&format!("{name} has 3 hard links")), "{said}");
        }
    }
}

#[test]
fn a_huge_sparse_file_is_not_read() {
    let host = Host::new().registered();
    let file = fs::File::create(host.state(".runner")).unwrap();
    file.set_len(2 << 30).unwrap();
    registers_anew(&host, ".runner has 2147483648 bytes, more than expected");
}

#[test]
fn a_file_of_somebody_else_is_not_believed() {
    if !is_root("a file of another user") {
        return;
    }
    let host = Host::new().registered();
    std::os::unix::fs::chown(host.state(".runner"), Some(1234), None).unwrap();
    registers_anew(&host, ".runner belongs to user id 1234");
}

/// Makes directories in each other, `depth` deep, the way only relative names can.
fn dig(top: &Path, depth: usize) {
    let mut dir = nix::dir::Dir::open(top, nix::fcntl::OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        nix::sys::stat::mkdirat(&dir, "d", Mode::S_IRWXU).unwrap();
        dir = nix::dir::Dir::openat(&dir, "d", nix::fcntl::OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    }
}

/// The same where some of them may be there already, or vanish meanwhile.
fn dig_again(top: &Path, depth: usize) {
    drop(fs::create_dir_all(top.join(vec!["d"; depth].join("/"))));
}

#[test]
fn ten_thousand_directories_in_each_other_are_removed() {
    let host = Host::new().registered();
    dig(&host.path("work"), 10_000);
    dig(&host.path("state"), 10_000);
    fs::remove_file(host.state(".runner")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory: 0 files, 10000 directories"), "{said}");
    assert_eq!(fs::read_dir(host.path("work")).unwrap().count(), 0);
}

#[test]
fn deep_trees_that_branch_everywhere_are_removed() {
    let host = Host::new().registered();
    dig(&host.path("work"), 60);
    let mut path = host.path("work");
    for level in 0..60 {
        path.push("d");
        for branch in 0..5 {
            fs::create_dir_all(path.join(format!("branch-{branch}/x"))).unwrap();
            fs::write(path.join(format!("file-{level}-{branch}")), "").unwrap();
        }
    }
    // More branches at the bottom than names are kept at a time.
    for branch in 0..1000 {
        fs::create_dir(path.join(format!("more-{branch}"))).unwrap();
    }
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory: 300 files, 1660 directories"), "{said}");
    assert!(host.tree("work").is_empty());
}

#[test]
fn a_deep_tree_that_is_moved_while_it_is_purged_leads_nowhere_else() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    let (work, outside) = (host.path("work"), host.path("outside"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The lower half of the tree goes to and fro between the tree and a directory that is not purged.
            let low = work.join(["d"; 50].join("/"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drop(fs::rename(&low, outside.join("moved")));
                drop(fs::rename(outside.join("moved"), &low));
            }
        });
        let said: Vec<_> = (0..20)
            .map(|_| {
                dig_again(&work, 100);
                host.prepare()
            })
            .collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for said in said {
            assert!(said.ok || said.text.contains("something keeps"), "{}", said.text);
        }
    });
    assert!(outside.join("file").exists());
}

#[test]
fn names_with_newlines_and_escapes_do_not_reach_the_journal() {
    let host = Host::new().registered();
    let settings = "{\"agentId\": 9, \"agentName\": \"x\\n<3>forged line\\u001b[31m\"}";
    fs::write(host.state(".runner"), settings).unwrap();
    fs::write(host.path("work/a\nb"), "").unwrap();
    fs::remove_dir_all(host.path("ledger")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains(r#""x\n<3>forged line\u{1b}[31m", id 9"#), "{said}");
    assert!(host.tree("work").is_empty());
}

struct Mount(std::path::PathBuf);

impl Mount {
    fn bind(from: &Path, to: &Path) -> Self {
        assert!(Command::new("mount").arg("--bind").args([from, to]).status().unwrap().success());
        Self(to.into())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

#[test]
fn mount_points_are_not_crossed_and_named() {
    if !is_root("a mount") {
        return;
    }
    for below in ["work/a/b", "state/a/b"] {
        let host = Host::new().registered();
        fs::create_dir(host.path("outside")).unwrap();
        fs::write(host.path("outside/file"), "").unwrap();
        fs::create_dir_all(host.path(below)).unwrap();
        fs::remove_file(host.state(".runner")).unwrap();
        let mount = Mount::bind(&host.path("outside"), &host.path(below));
        let said = host.prepare().bad();
        assert!(said.contains("b: a file system is mounted on it"), "{said}");
        assert_eq!(host.tree("outside"), ["file"]);
        drop(mount);
        host.prepare().good();
    }
}

#[test]
fn a_file_that_is_mounted_is_not_read() {
    if !is_root("a mount") {
        return;
    }
    let host = Host::new().registered();
    let victim = Victim::new(&host);
    let mount = Mount::bind(&host.path("victim"), &host.state(".runner"));
    let said = host.prepare().bad();
    assert!(said.contains(".runner is a mount point"), "{said}");
    victim.check(&host, &said);
    drop(mount);
}

#[test]
fn what_cannot_be_removed_from_the_work_directory_does_not_cost_the_registration() {
    if !is_root("a mount") {
        return;
    }
    let mut host = Host::new().registered();
    *host.registration("extraLabels") = serde_json::json!(["other"]);
    fs::create_dir(host.path("outside")).unwrap();
    fs::create_dir(host.path("work/a")).unwrap();
    let mount = Mount::bind(&host.path("outside"), &host.path("work/a"));
    let before = host.tree("state");
    assert!(host.prepare().bad().contains("Failed to empty the work directory"));
    assert_eq!(host.tree("state"), before);
    drop(mount);
    host.prepare().good();
}

#[test]
fn directories_with_names_of_nixpkgs_module_stop_nobody() {
    let host = Host::new().registered();
    for name in [".current-token", ".nixos-current-config.json", ".env"] {
        fs::create_dir_all(host.state(name).join("x")).unwrap();
    }
    assert!(host.prepare().good().contains("Keeping the registration"));
}

#[test]
fn variables_that_a_job_planted_are_removed_at_every_start() {
    let host = Host::new().registered();
    fs::write(host.state(".env"), "LD_PRELOAD=/evil.so").unwrap();
    assert!(host.prepare().good().contains("Removed .env"));
    assert!(!host.state(".env").exists());
}

#[test]
fn a_directory_in_the_place_of_a_temporary_file_stops_nobody() {
    let host = Host::new().registered();
    fs::remove_file(host.state(".runner")).unwrap();
    host.prepare().good();
    // As a process would make it between purge and staging: here, in the ledger, nobody removes it before.
    fs::create_dir_all(host.path("ledger/runner1.json.new/x")).unwrap();
    fs::remove_dir_all(host.path("state")).unwrap();
    fs::create_dir(host.path("state")).unwrap();
    host.prepare().good();
    assert_eq!(host.tree("state"), [".staged-token"]);
}

#[test]
fn immutable_files_are_named() {
    if !is_root("an immutable file") {
        return;
    }
    let host = Host::new().registered();
    let file = host.path("work/a");
    fs::write(&file, "").unwrap();
    let change = |flag: &str| Command::new("chattr").arg(flag).arg(&file).status().is_ok_and(|status| status.success());
    if !change("+i") {
        eprintln!("this file system has no immutable files: not tried");
        return;
    }
    let said = host.prepare();
    assert!(change("-i"));
    assert!(said.bad().contains("Failed to remove a: it or its directory is immutable"));
}

#[test]
fn a_directory_that_is_swapped_while_it_is_purged_leads_nowhere_else() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    let work = host.path("work");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Whoever wins the race, nothing outside may be touched. Only fresh names are written through.
            for round in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let (dir, link) = (work.join(format!("dir-{round}")), work.join(format!("link-{round}")));
                drop(fs::create_dir(&dir));
                drop(fs::create_dir(dir.join("deep")));
                drop(symlink(host.path("outside"), &link));
                for _ in 0..10 {
                    _ = renameat2(AT_FDCWD, &dir, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE);
                }
            }
        });
        let said: Vec<_> = (0..50).map(|_| host.prepare()).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for said in said {
            assert!(said.ok || said.text.contains("something keeps filling"), "{}", said.text);
        }
    });
    assert_eq!(host.tree("outside"), ["file"]);
}

#[test]
fn a_ledger_directory_that_others_can_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let host = Host::new().registered();
    fs::set_permissions(host.path("ledger"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = host.tree("state");
    assert!(host.prepare().bad().contains("set its mode to 0700"));
    assert_eq!(host.tree("state"), before);
}
