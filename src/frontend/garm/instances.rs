//! The command `instances`: what a controller has at the server, and what of it GARM does not know.
//!
//! GARM can forget an instance that stays: a runner that is removed by force, a database that is restored. It changes nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::settings::Settings;
use crate::machines::Machines as _;
use crate::machines::incus::{Incus, Instance, Owner, Status};
use crate::model::plain;

/// The largest list of names; ten thousand runners are some MiB of JSON.
const MAX_SIZE: u64 = 64 << 20;

/// A table of all instances of a controller; with a file of the names that GARM knows, of those that it does not know.
///
/// # Errors
///
/// If settings or names are wrong, or not all instances can be listed.
pub fn run(path: &Path, controller: &str, known: Option<&Path>) -> Result<String> {
    let settings = Settings::read(path)?;
    // Before the list: what is made meanwhile is in neither, or in the list alone.
    let known = known.map(read_names).transpose()?;
    let owner = Owner { controller: controller.into(), pool: None };
    let mut instances = Incus::open(&settings.connection, owner)?.list()?;
    if let Some(known) = known {
        instances.retain(|instance| !known.contains(&instance.name));
    }
    Ok(table(&instances))
}

/// The names of a file: JSON as `garm-cli runner list --all --format json` writes it.
fn read_names(path: &Path) -> Result<BTreeSet<String>> {
    let read = || {
        let mut text = Vec::new();
        File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_SIZE {
            bail!("it has more than {MAX_SIZE} bytes");
        }
        names(&text)
    };
    read().with_context(|| format!("Failed to read the runners of GARM from {}", path.display()))
}

fn names(text: &[u8]) -> Result<BTreeSet<String>> {
    let form = "it is no list of runners: write it with `garm-cli runner list --all --format json`";
    let value: Value = serde_json::from_slice(text).ok().context(form)?;
    // Of no runner GARM writes null.
    let runners = if value.is_null() { &[] } else { value.as_array().context(form)?.as_slice() };
    runners.iter().map(|runner| runner["name"].as_str().map(String::from).context(form)).collect()
}

fn table(instances: &[Instance]) -> String {
    let row = |instance: &Instance| {
        let status = match instance.status {
            Status::Running => "running",
            Status::Stopped => "stopped",
            Status::Error => "error",
            Status::Unknown => "unknown",
        };
        let system = [&instance.os_name, &instance.os_version].map(|part| part.as_deref().unwrap_or_default());
        let pool = instance.pool.as_deref().unwrap_or("none");
        [plain(&instance.name), status.into(), plain(pool), plain(system.join(" ").trim())]
    };
    let head = ["NAME", "STATUS", "POOL", "SYSTEM"].map(String::from);
    let rows: Vec<[String; 4]> = [head].into_iter().chain(instances.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    rows.iter().fold(String::new(), |mut text, [name, status, pool, system]| {
        // Writing to a string cannot fail.
        _ = write!(text, "{name:0$}  {status:1$}  {pool:2$}  {system}", widths[0], widths[1], widths[2]);
        text.truncate(text.trim_end().len());
        text + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_garms_own_list() {
        let two = names(br#"[{"name": "a", "id": "1"}, {"name": "b"}]"#).unwrap();
        assert_eq!(two.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(names(b"null").unwrap().is_empty() && names(b"[]").unwrap().is_empty());
        for text in ["", "{}", "[1]", "[{}]", "[{\"name\": 1}]", "a\nb\n"] {
            assert!(names(text.as_bytes()).unwrap_err().to_string().contains("--format json"), "{text}");
        }
    }

    #[test]
    fn instances_stand_in_columns_and_control_no_terminal() {
        let instance = |name: &str, status, pool: Option<&str>| Instance {
            name: name.into(),
            status,
            os_name: Some("debian".into()),
            os_version: Some("trixie\u{1b}[2J".into()),
            architecture: "x86_64".into(),
            addresses: vec![],
            controller: Some("c".into()),
            pool: pool.map(String::from),
        };
        let mut bare = instance("garm-22", Status::Stopped, None);
        (bare.os_name, bare.os_version) = (None, None);
        let text = table(&[instance("garm-1", Status::Running, Some("set-1")), bare]);
        let expected = "NAME     STATUS   POOL   SYSTEM\n\
                        garm-1   running  set-1  debian trixie\\u{1b}[2J\n\
                        garm-22  stopped  none\n";
        assert_eq!(text, expected);
        assert_eq!(table(&[]), "NAME  STATUS  POOL  SYSTEM\n");
    }
}
