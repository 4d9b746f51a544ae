//! A hostile job owns the state and work directories. Whatever it leaves there, nothing outside is read, changed
//! or deleted, and the start either succeeds or says what was found.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

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
pub struct Victim {
    before: (Vec<u8>, u32, u32),
}

impl Victim {
    pub fn new(host: &Host) -> Self {
        let path = host.path("victim");
        fs::write(&path, r#"{"agentId": 666, "agentName": "VICTIMCONTENT"}"#).unwrap();
        Self { before: Self::look(&path) }
    }

    fn look(path: &Path) -> (Vec<u8>, u32, u32) {
        (fs::read(path).unwrap(), mode(path), owner(path))
    }

    #[track_caller]
    pub fn check(&self, host: &Host, said: &str) {
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
        // Some of these names the start before has given to links of its own.
        drop(fs::remove_file(host.path("work").join(name)));
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

#[test]
fn names_with_newlines_and_escapes_do_not_reach_the_journal() {
    let host = Host::new().registered();
    let settings = "{\"agentId\": 9, \"agentName\": \"x\\n<3>forged line\\u001b[31m\"}";
    fs::write(host.state(".runner"), settings).unwrap();
    fs::write(host.path("work/a\nb"), "").unwrap();
    fs::remove_dir_all(host.path("ledger")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains(".runner has no agent name, or an impossible one"), "{said}");
    assert!(!said.contains("forged") && !said.contains('\u{1b}'), "{said}");
    assert!(host.tree("work").is_empty());
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
fn a_ledger_directory_that_others_can_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let host = Host::new().registered();
    fs::set_permissions(host.path("ledger"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = host.tree("state");
    assert!(host.prepare().bad().contains("set its mode to 0700"));
    assert_eq!(host.tree("state"), before);
}
