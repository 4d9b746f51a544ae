//! Token files that are not what they should be: the error names file and fault, and nothing is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::host::{Host, TOKEN, mode};

#[test]
fn a_bad_token_file_is_named_and_nothing_is_lost() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"AFAKE\nBFAKE\n", "more than one line"),
        (b"\nAFAKE\n", "more than one line"),
        (b"TOKEN=ghp_AFAKE\n", "`TOKEN=…`"),
        (&[b'A'; 5000], "larger than any token"),
        (b"AF\xffKE", "is not UTF-8"),
        (b"AF\x07KE", "control character"),
        (b"AFAKE BFAKE", "a blank"),
        (b"-----BEGIN RSA PRIVATE KEY-----\n", "holds a private key"),
    ];
    let host = Host::new().registered();
    fs::write(host.path("work/left-over"), "").unwrap();
    let before = (host.tree("state"), host.tree("work"), host.ledger());
    for (content, part) in cases {
        fs::write(host.path("token"), content).unwrap();
        let said = host.prepare().bad();
        assert!(said.contains(part) && said.contains(host.path("token").to_str().unwrap()), "{said}");
        assert!(!said.contains("AFAKE"), "{said}");
        assert_eq!(before, (host.tree("state"), host.tree("work"), host.ledger()), "{part}");
    }
}

#[test]
fn a_token_path_that_is_no_file_is_named_and_nothing_is_lost() {
    let host = Host::new().registered();
    let before = (host.tree("state"), host.ledger());
    let token = host.path("token");
    fs::remove_file(&token).unwrap();
    assert!(host.prepare().bad().contains("does not exist"));
    fs::create_dir(&token).unwrap();
    assert!(host.prepare().bad().contains("is a directory"));
    fs::remove_dir(&token).unwrap();
    nix::unistd::mkfifo(&token, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(host.prepare().bad().contains("is a fifo"), "and nobody waits for its writer");
    assert_eq!(before, (host.tree("state"), host.ledger()));
}

#[test]
fn a_token_file_may_be_a_link_as_secret_managers_make_them() {
    let host = Host::new();
    fs::rename(host.path("token"), host.path("secret")).unwrap();
    std::os::unix::fs::symlink("secret", host.path("token")).unwrap();
    host.prepare().good();
    assert_eq!(fs::read_to_string(host.state(".staged-token")).unwrap(), TOKEN);
}

#[test]
fn the_staged_token_can_be_read_by_the_service_user_only() {
    let host = Host::new();
    fs::set_permissions(host.path("token"), fs::Permissions::from_mode(0o644)).unwrap();
    host.prepare().good();
    assert_eq!(mode(&host.state(".staged-token")), 0o400);
}

#[test]
fn the_ledger_holds_no_token() {
    let host = Host::new().registered();
    let text = fs::read_to_string(host.path("ledger/runner1.json")).unwrap();
    assert!(!text.contains(TOKEN));
    assert_eq!((mode(&host.path("ledger")), mode(&host.path("ledger/runner1.json"))), (0o700, 0o600));
}
