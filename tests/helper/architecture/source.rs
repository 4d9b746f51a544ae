//! The library's source as modules and arrows: which file uses which, by the paths that it writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::root;

/// One file of the library that is part of a program.
pub struct Source {
    /// `root::prepare::read`, say; the library itself is "".
    pub module: String,
    /// The text without comments and unit tests.
    pub code: String,
    /// Whether its first comment says so.
    pub calls_itself_pure: bool,
}

/// All files but those that exist for tests only.
pub fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    visit(&root().join("src"), "", &mut files);
    let for_tests: BTreeSet<String> = files.iter().flat_map(tests_only).collect();
    files.retain(|file| !file.module.ends_with("_tests") && !for_tests.contains(&file.module));
    for file in &mut files {
        file.code = program(&file.code);
    }
    files.sort_by(|a, b| a.module.cmp(&b.module));
    files
}

fn visit(directory: &Path, module: &str, files: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem == "bin" {
            continue;
        }
        let inner = if matches!(stem, "mod" | "lib") { module.to_owned() } else { join(module, stem) };
        if path.is_dir() {
            visit(&path, &inner, files);
        } else {
            let code = fs::read_to_string(&path).unwrap();
            let mut header = code.lines().take_while(|line| line.starts_with("//!"));
            let calls_itself_pure = header.any(|line| line.contains("Pure"));
            files.push(Source { module: inner, code, calls_itself_pure });
        }
    }
}

pub fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The modules that a file declares for its tests.
fn tests_only(file: &Source) -> Vec<String> {
    let mut lines = file.code.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            continue;
        }
        let declared = lines.peek().and_then(|next| next.trim_start_matches("pub(crate) ").strip_prefix("mod "));
        found.extend(declared.and_then(|rest| rest.strip_suffix(';')).map(|name| join(&file.module, name)));
    }
    found
}

/// The part of a file that is compiled into a program, without comments.
fn program(text: &str) -> String {
    let tests = ["#[cfg(test)]\nmod tests", "#[cfg(test)]\n#[path"];
    let end = tests.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path that a file writes, from the root of the crate.
pub fn paths(file: &Source, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let above = file.module.rsplit_once("::").map_or("", |(above, _)| above).to_owned();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = BTreeSet::new();
    let mut starts = vec![("crate::".to_owned(), String::new()), ("super::".to_owned(), above)];
    // A file also names the modules that lie below it.
    for module in modules {
        if let Some(child) = module.strip_prefix(&join(&file.module, "")).filter(|_| !file.module.is_empty())
            && !child.contains("::")
        {
            starts.push((format!("{child}::"), join(&file.module, child)));
        }
    }
    for (start, base) in starts {
        for (at, _) in file.code.match_indices(&start) {
            let before = file.code[..at].bytes().next_back();
            if before.is_some_and(|byte| is_word(byte) || byte == b':') {
                continue;
            }
            for path in expand(&file.code[at + start.len()..]) {
                found.insert(join(&base, &path).trim_end_matches("::self").to_owned());
            }
        }
    }
    found
}

/// The paths at the beginning of a text: one, or those of a list in braces.
fn expand(text: &str) -> Vec<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if !word.is_empty() {
        let rest = &text[word.len()..];
        return match rest.strip_prefix("::") {
            Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || c == '{' || c == '_') => {
                expand(rest).into_iter().map(|path| join(&word, &path)).collect()
            }
            _ => vec![word],
        };
    }
    let Some(list) = text.strip_prefix('{') else { return Vec::new() };
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b',' | b'}' if depth == 0 => {
                found.extend(expand(list[start..at].trim()));
                start = at + 1;
                if byte == b'}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// For each file the files that it uses. Names that a folder hands on count as those of the file that has them.
pub fn arrows(files: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = files.iter().map(|file| file.module.clone()).collect();
    let mut handed_on = BTreeMap::new();
    for file in files {
        for statement in file.code.split("pub use ").skip(1) {
            let statement = statement.split(';').next().unwrap();
            for path in expand(statement) {
                let name = path.rsplit("::").next().unwrap().to_owned();
                handed_on.insert(join(&file.module, &name), join(&file.module, &path));
            }
        }
    }
    let resolve = |path: &str| -> String {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let words: Vec<&str> = path.split("::").collect();
            let prefix = (1..=words.len()).rev().map(|end| words[..end].join("::"));
            let Some((from, to)) = prefix.clone().find_map(|prefix| Some((prefix.clone(), handed_on.get(&prefix)?)))
            else {
                break;
            };
            path = format!("{to}{}", &path[from.len()..]);
        }
        let words: Vec<&str> = path.split("::").collect();
        let file = (0..=words.len()).rev().map(|end| words[..end].join("::")).find(|prefix| modules.contains(prefix));
        file.unwrap_or_default()
    };
    let handing: BTreeSet<(String, String)> = files
        .iter()
        .flat_map(|file| {
            let handed = handed_on
                .iter()
                .filter(|(name, _)| name.rsplit_once("::").map_or("", |(module, _)| module) == file.module);
            handed.map(|(_, to)| (file.module.clone(), to.clone())).collect::<Vec<_>>()
        })
        .collect();
    files
        .iter()
        .map(|file| {
            let used = paths(file, &modules)
                .into_iter()
                // Handing a name on is no use of it.
                .filter(|path| !handing.contains(&(file.module.clone(), path.clone())))
                .map(|path| resolve(&path))
                .filter(|target| *target != file.module && !target.is_empty());
            (file.module.clone(), used.collect())
        })
        .collect()
}
