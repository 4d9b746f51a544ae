//! The source keeps to the table of `src/lib.rs`, which is the plan of the house, and each program to its few dependencies.

mod source;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use source::{arrows, sources};
use table::{CAPABILITIES, OUTSIDE, PURE, Row, rows};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The row of a module: that of the longest path that it lies in.
fn row_of<'a>(rows: &'a [Row], module: &str) -> &'a Row {
    let lies_in = |row: &&Row| module == row.path || module.starts_with(&format!("{}::", row.path));
    let row = rows.iter().filter(lies_in).max_by_key(|row| row.path.len());
    row.unwrap_or_else(|| panic!("src/lib.rs has no row for {module}"))
}

#[test]
fn each_module_uses_only_what_its_row_allows_and_each_row_says_no_more_than_is_used() {
    let (rows, files) = (rows(), sources());
    let mut unused: BTreeSet<(String, String)> =
        rows.iter().flat_map(|row| row.uses.iter().map(|used| (row.path.clone(), used.clone()))).collect();
    for (module, used) in arrows(&files) {
        if module.is_empty() {
            continue;
        }
        let row = row_of(&rows, &module);
        for target in used {
            let other = row_of(&rows, &target);
            let lies_in = |allowed: &&String| target == **allowed || target.starts_with(&format!("{allowed}::"));
            let Some(allowed) = row.uses.iter().filter(lies_in).max_by_key(|allowed| allowed.len()) else {
                assert!(other.path == row.path, "{module} uses {target}, which src/lib.rs does not allow");
                continue;
            };
            unused.remove(&(row.path.clone(), allowed.clone()));
        }
    }
    assert!(unused.is_empty(), "src/lib.rs allows what nobody uses: {unused:?}");
}

#[test]
fn no_arrow_leads_to_a_row_below() {
    let (rows, files) = (rows(), sources());
    let place = |module: &str| {
        let row = row_of(&rows, module);
        rows.iter().position(|other| other.path == row.path).unwrap()
    };
    for (module, used) in arrows(&files).iter().filter(|(module, _)| !module.is_empty()) {
        for target in used {
            assert!(place(target) <= place(module), "{module} uses {target}, which stands below it in src/lib.rs");
        }
    }
}

#[test]
fn each_module_does_only_what_its_row_says_and_each_row_says_no_more_than_is_done() {
    let rows = rows();
    let said = rows.iter().flat_map(|row| row.does.iter().map(|done| (row.path.clone(), done.clone())));
    let mut undone: BTreeSet<(String, String)> = said.filter(|(_, done)| done != PURE).collect();
    for file in sources() {
        if file.module.is_empty() {
            continue;
        }
        let row = row_of(&rows, &file.module);
        for (capability, signs) in CAPABILITIES {
            let Some(sign) = signs.iter().find(|sign| file.code.contains(**sign)) else { continue };
            let allowed = row.does.iter().any(|done| done == capability);
            assert!(allowed, "{} has `{sign}`, so it does {capability}, which src/lib.rs does not say", file.module);
            undone.remove(&(row.path.clone(), (*capability).to_owned()));
        }
    }
    assert!(undone.is_empty(), "src/lib.rs says what nobody does: {undone:?}");
}

#[test]
fn what_is_called_pure_names_nothing_outside() {
    let rows = rows();
    for file in sources().iter().filter(|file| !file.module.is_empty()) {
        let row = row_of(&rows, &file.module);
        let by_row = row.does.iter().any(|done| done == PURE);
        assert!(!by_row || row.does.len() == 1, "{} is pure and does {:?}", row.path, row.does);
        if by_row || file.calls_itself_pure {
            let found = OUTSIDE.iter().find(|word| file.code.contains(**word));
            assert_eq!(found, None, "{} is called pure and names it", file.module);
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut left = arrows(&sources());
    loop {
        let done: BTreeSet<String> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|other| !left.contains_key(other)))
            .map(|(file, _)| file.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        left.retain(|file, _| !done.contains(file));
    }
    // What only uses a circle is not a part of one.
    loop {
        let used: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|file, _| used.contains(file));
        if left.len() == before {
            break;
        }
    }
    let circles: Vec<String> = left
        .iter()
        .map(|(file, used)| {
            let inner: Vec<&str> = used.iter().filter(|other| left.contains_key(*other)).map(String::as_str).collect();
            format!("{file} → {}", inner.join(", "))
        })
        .collect();
    assert!(circles.is_empty(), "files use each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn a_zone_is_one_folder_of_src_and_there_are_at_most_twenty() {
    let entries = std::fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    let beside_lib: Vec<_> = entries.filter(|path| !path.ends_with("lib.rs")).collect();
    assert!(beside_lib.len() <= 20, "{} entries", beside_lib.len());
    assert!(beside_lib.iter().all(|path| path.is_dir()), "{beside_lib:?}");
}

#[test]
fn the_evaluation_knows_the_same_directories_as_the_helper() {
    let listed = |file: &str, is_entry: fn(&str) -> bool| -> Vec<String> {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let lists = text.split("/// The first directory of the system").next().unwrap();
        let quoted = lists.split('"').skip(1).step_by(2).filter(|entry| is_entry(entry)).map(String::from);
        quoted.collect()
    };
    let is_entry = |entry: &str| entry.starts_with('/') || entry.starts_with("github-runner");
    let helper = listed("src/model/places.rs", is_entry);
    assert!(helper.len() > 60, "{helper:?}");
    assert_eq!(listed("nixos/faults/directories.nix", is_entry), helper);
}

/// The crates that a build with these features links, as `cargo tree` shows them to this depth.
fn crates_with(features: &str, depth: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--no-default-features", "--edges", "normal", "--depth", depth])
        .args(["--features", features])
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
    assert_eq!(crates_with("helper", "1"), core.map(String::from).into());
}

#[test]
fn the_executor_depends_on_one_crate_more() {
    let more: Vec<String> = crates_with("gitlab", "1").difference(&crates_with("helper", "1")).cloned().collect();
    assert_eq!(more, ["composefs-ioctls"]);
}

#[test]
fn the_door_depends_on_one_crate_more() {
    let more: Vec<String> = crates_with("on-demand", "1").difference(&crates_with("helper", "1")).cloned().collect();
    assert_eq!(more, ["httparse"]);
}

#[test]
fn the_provider_links_neither_a_parser_of_command_lines_nor_a_runtime() {
    let all = crates_with("garm", "99");
    for foreign in ["clap", "comfy-table", "composefs-ioctls", "jsonwebtoken", "tokio", "toml_edit"] {
        assert!(!all.contains(foreign), "{foreign} is linked");
    }
}

#[test]
fn programs_of_root_and_what_strangers_reach_link_nothing_that_could_reach_the_network() {
    let all = &(&crates_with("helper", "99") | &crates_with("gitlab", "99")) | &crates_with("on-demand", "99");
    for foreign in
        ["clap", "comfy-table", "crossterm", "http", "jsonwebtoken", "ring", "rustls", "rustls-native-certs", "ureq"]
    {
        assert!(!all.contains(foreign), "{foreign} is linked");
    }
}
