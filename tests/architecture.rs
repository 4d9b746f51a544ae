//! The source keeps to the table of modules in `src/lib.rs`, and the helper to its few dependencies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn sources() -> Vec<PathBuf> {
    fn visit(dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { visit(&path, files) } else { files.push(path) }
        }
    }
    let mut files = Vec::new();
    visit(&root().join("src"), &mut files);
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each module of the table with the modules that it may use; `None` stands for all.
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| {
            let (module, rest) = row.split_once("` |").unwrap();
            let allowed = rest.split('|').next().unwrap();
            let names = allowed.split('`').skip(1).step_by(2).map(String::from).collect();
            (module.into(), (allowed.trim() != "all").then_some(names))
        })
        .collect()
}

/// The names after `crate::`, in single paths and in lists.
fn used(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').map(|item| word(item.trim())).collect(),
            None => vec![word(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn each_module_uses_only_what_the_table_allows() {
    let table = table();
    let mut modules = BTreeSet::new();
    for path in sources() {
        let relative = path.strip_prefix(root().join("src")).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs").trim_end_matches("_tests");
        if matches!(module, "lib" | "bin") {
            continue;
        }
        modules.insert(module.to_string());
        let allowed = table.get(module).unwrap_or_else(|| panic!("src/lib.rs has no row for {module}"));
        let Some(allowed) = allowed else { continue };
        let others: Vec<String> = used(&fs::read_to_string(&path).unwrap())
            .into_iter()
            .filter(|name| name != module && !allowed.contains(name))
            .collect();
        assert!(others.is_empty(), "{} uses {others:?}, which src/lib.rs does not allow", relative.display());
    }
    assert_eq!(modules, table.into_keys().collect(), "rows of src/lib.rs and modules");
}

#[test]
fn pure_modules_touch_nothing_outside() {
    for path in sources() {
        let relative = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        if !relative.starts_with("model") && !relative.starts_with("manifest") && !relative.starts_with("plan") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for forbidden in ["std::fs", "std::process", "std::net", "std::env", "std::time", "nix::", "tracing::"] {
            assert!(!code.contains(forbidden), "{relative} uses {forbidden}");
        }
    }
}

#[test]
fn root_steps_start_no_process_and_open_no_connection() {
    for path in sources() {
        let relative = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let processes = text.contains("std::process::Command") || text.contains("process::{");
        let may_start = relative.starts_with("runner") || relative.starts_with("backend");
        assert!(!processes || may_start, "{relative} can start processes");
        assert!(!text.contains("std::net") && !text.contains("nix::sys::socket"), "{relative} can open connections");
        // Tests that play a broker are not part of any program.
        let socket = text.contains("os::unix::net") && !relative.ends_with("_tests.rs");
        assert!(
            !socket || matches!(relative.as_str(), "ask.rs" | "backend/door.rs"),
            "{relative} can speak to others than the broker of its runner"
        );
    }
}

#[test]
fn only_github_speaks_to_the_network_and_it_reads_no_files() {
    for path in sources() {
        let relative = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let inside = relative.starts_with("github/") || relative == "github.rs";
        for network in ["ureq::", "rustls::", "rustls_native_certs::"] {
            assert!(inside || !text.contains(network), "{relative} uses {network}");
        }
        for files in ["std::fs", "std::process", "crate::sys", "nix::"] {
            assert!(!inside || !text.contains(files), "{relative} uses {files}");
        }
        let broker = relative.starts_with("broker") || relative == "ctl.rs";
        assert!(!broker || !text.contains("process::Command"), "{relative} starts processes");
        // What brokers of one credential leave for each other.
        let shares = relative == "broker/kept.rs";
        for writing in ["fs::write", "File::create", "OpenOptions", "File::options", "O_CREAT", "renameat", "unlinkat"]
        {
            assert!(!broker || shares || !text.contains(writing), "{relative} uses {writing}");
        }
    }
}

#[test]
fn the_evaluation_knows_the_same_directories_as_the_helper() {
    let listed = |file: &str, is_entry: fn(&str) -> bool| -> Vec<String> {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let lists = text.split("/// The first directory of the system").next().unwrap();
        let quoted = lists.split('"').skip(1).step_by(2).filter(|entry| is_entry(entry)).map(String::from);
        quoted.collect()
    };
    let is_entry = |entry: &str| entry.starts_with('/') || entry.starts_with("github-runner");
    let helper = listed("src/model/places.rs", is_entry);
    assert!(helper.len() > 60, "{helper:?}");
    assert_eq!(listed("nixos/faults/directories.nix", is_entry), helper);
}

/// The crates that a build of the helper links, as `cargo tree` shows them to this depth.
fn crates_of_the_helper(depth: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--no-default-features", "--edges", "normal", "--depth", depth])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().skip(1).filter_map(|line| line.split(' ').next()).map(String::from).collect()
}

#[test]
fn the_helper_depends_on_the_core_crates_only() {
    // Of these only `rustix` reads extended attributes.
    let core = ["anyhow", "nix", "rustix", "serde", "serde_json", "sha2", "tracing"];
    assert_eq!(crates_of_the_helper("1"), core.map(String::from).into());
}

#[test]
fn the_helper_links_nothing_that_could_reach_the_network() {
    let all = crates_of_the_helper("99");
    for foreign in
        ["clap", "comfy-table", "crossterm", "http", "jsonwebtoken", "ring", "rustls", "rustls-native-certs", "ureq"]
    {
        assert!(!all.contains(foreign), "the helper links {foreign}");
    }
}
