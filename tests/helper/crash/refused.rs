//! What the steps do where a filter refuses a system call, as sandboxes and containers do.

use std::fs;
use std::process::{Command, Stdio};

use crate::host::{Host, Said};

/// Runs `step` where every `openat2(2)` ends in `error`.
fn refused(host: &Host, step: &str, error: &str) -> Said {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2"]);
    strace.args(["-e", &format!("inject=openat2:error={error}")]);
    strace.arg(env!("CARGO_BIN_EXE_github-runner-helper")).args(host.arguments(step)).stdin(Stdio::null());
    strace.output().expect("strace runs; install the package `strace`").into()
}

#[test]
fn a_record_does_without_a_call_that_a_filter_refuses() {
    // The newer answer of a filter to a call that it does not know, and the older one.
    for error in ["ENOSYS", "EPERM"] {
        let host = Host::new();
        host.prepare().good();
        host.configured(21);
        refused(&host, "record", error).good();
        assert_eq!(host.ledger()["runner"]["id"], 21, "{error}");
        assert!(fs::symlink_metadata(host.path("work/.runner")).unwrap().is_symlink(), "{error}");
    }
}

#[test]
fn nothing_is_purged_without_the_call_that_stays_below_a_directory() {
    for error in ["ENOSYS", "EPERM"] {
        let host = Host::new();
        fs::create_dir(host.path("work/directory")).unwrap();
        fs::write(host.path("work/directory/file"), "").unwrap();
        refused(&host, "prepare", error).bad();
        assert_eq!(
            host.tree("work"),
            ["directory/", "directory/file"].map(|name| name.trim_end_matches('/')),
            "{error}"
        );
    }
}
