//! The table of `src/lib.rs`, and by which words in a file it is seen what that file does itself.

use std::fs;

use super::root;

/// What a module can do itself, with the words that give it away. What it has others do is in their rows.
pub const CAPABILITIES: &[(&str, &[&str])] = &[
    ("files", &["std::fs", "nix::fcntl", "nix::dir::", "nix::sys::stat::fstat", "nix::sys::statfs", "read_if_there("]),
    ("writing", WRITING),
    ("mounts", &["nix::mount", "nix::sched", "rustix::mount"]),
    ("processes", &["process::Command", "Command::new", "process::{Child"]),
    ("network", &["std::net", "ureq::", "rustls::"]),
    ("certificates", &["rustls_native_certs::"]),
    ("sockets", &["os::unix::net", "nix::sys::socket", "rustix::net"]),
    ("clock", &["Instant::now(", "SystemTime::now(", "thread::sleep(", " now()", "(now()"]),
    ("environment", &["env::var", "env::args", "env::current"]),
];

/// How anything is changed: by path, by descriptor, or by the handles of `sys` and `ledger`.
const WRITING: &[&str] = &[
    "fs::write",
    "fs::rename",
    "fs::remove",
    "fs::create",
    "fs::set_permissions",
    "File::create",
    "File::options",
    "OpenOptions",
    "O_CREAT",
    "renameat",
    "unlinkat",
    "mkdirat",
    "mknod",
    "fchmod(",
    "fchown(",
    "fs::symlink(",
    "symlinkat(",
    ".replace_file(",
    ".replace_link(",
    ".stage_file(",
    ".stage(",
    ".commit(",
    ".save(",
    ".unlink(",
    ".make_dir(",
    ".create(Mode",
    ".create_file(",
    ".set_mode(",
    ".give_to(",
    ".claim(",
    ".drop_access_lists(",
    ".check_writable(",
    ".check_removable(",
    ".remove_if_empty(",
    ".put_on(",
    ".take_off(",
    "ledgers.lock(",
    ".must_lock(",
    ".mark_stopped(",
];

/// What a module that calls itself pure may not even name.
pub const OUTSIDE: &[&str] =
    &["std::fs", "std::process", "std::net", "std::env", "Instant", "SystemTime", "std::io", "nix::", "tracing::"];

/// Stands in place of all capabilities: the module is a function of what it is given.
pub const PURE: &str = "pure";

/// One row: a module with all that lies in it, unless a longer path has a row of its own.
pub struct Row {
    pub path: String,
    pub uses: Vec<String>,
    pub does: Vec<String>,
}

/// The rows, in their order.
pub fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    let does =
        |cell: &str| cell.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    let rows: Vec<Row> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            Row { path: cells[0].trim().trim_end_matches('`').into(), uses: words(cells[1]), does: does(cells[2]) }
        })
        .collect();
    for row in &rows {
        for done in &row.does {
            let is_known = done == PURE || CAPABILITIES.iter().any(|(word, _)| word == done);
            assert!(is_known, "{}: nothing is known of {done:?}", row.path);
        }
    }
    rows
}
