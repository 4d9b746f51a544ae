//! What was found, in words.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

use super::copy::Sandbox;
use super::filter;
use super::lines::Line;
use crate::model::plain;

/// The exit code if lines are in the way.
const IN_THE_WAY: u8 = 1;
/// The exit code if it fails without all of them, too.
const ELSEWHERE: u8 = 2;

/// What is in the way of a command.
#[derive(Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing: it works.
    Works,
    /// No line: it fails with all of them lifted.
    Elsewhere,
    /// These together.
    Lines {
        /// Each as a whole.
        lines: Vec<&'static Line>,
        /// Of the filter of system calls these entries, if not all of it.
        entries: Vec<String>,
    },
}

/// Shows what the command wrote in the whole sandbox.
///
/// # Errors
///
/// Nobody reads it.
pub fn output(text: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in String::from_utf8_lossy(text).lines() {
        writeln!(stdout, "| {}", plain(line))?;
    }
    Ok(())
}

/// Shows what it wrote with every line lifted, if that is something else.
///
/// # Errors
///
/// Nobody reads it.
pub fn output_of_last(text: &[u8]) -> Result<()> {
    writeln!(std::io::stdout(), "With every line lifted it wrote:")?;
    output(text)
}

/// Says what is in the way, and gives the exit code: 0 if it works, 1 if lines are in the way, 2 if none is.
///
/// # Errors
///
/// Nobody reads it.
pub fn verdict(instance: &str, verdict: &Verdict, sandbox: &Sandbox, runs: usize) -> Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    let (text, code) = text(instance, verdict, sandbox);
    writeln!(stdout, "{text}It ran {runs} times.")?;
    Ok(ExitCode::from(code))
}

fn text(instance: &str, verdict: &Verdict, sandbox: &Sandbox) -> (String, u8) {
    match verdict {
        Verdict::Works => (format!("It works in the sandbox of runner {instance}.\n"), 0),
        Verdict::Elsewhere => {
            let nobody = if sandbox.is_on("DynamicUser") {
                "Without these lines it ran as `nobody`: a rule of sudo or subordinate ids go to a user whom the host knows, so try it with a \
                 runner that has `createUser` or `user`.\n"
            } else {
                ""
            };
            (
                format!(
                    "It fails in the sandbox of runner {instance}, and also with every line of it lifted: no line is in the way. See what it \
                     wrote, which programs are in PATH (`extraPackages`), and whether its files are there and open to its user and groups \
                     (`deviceGroups`).\n{nobody}"
                ),
                ELSEWHERE,
            )
        }
        Verdict::Lines { lines, entries } => {
            let has = |name: &str| lines.iter().any(|line| line.name == name);
            // Nobody else makes namespaces and gains rights besides.
            let engine = if has("RestrictNamespaces") && has("NoNewPrivileges") {
                "An engine of containers wants as much as this. Leave the lines on, and set `containers.engine = \"podman\"`, which runs \
                 beside the runner; see docs/jobs.md.\n"
            } else {
                ""
            };
            (
                format!(
                    "It fails in the sandbox of runner {instance}, and works without these lines of its unit, each of which is in the \
                     way:\n{}{engine}",
                    ways(lines, entries, sandbox)
                ),
                IN_THE_WAY,
            )
        }
    }
}

/// A line for each of them, with the least that opens it. What another one needs anyhow opens it, too.
fn ways(lines: &[&Line], entries: &[String], sandbox: &Sandbox) -> String {
    let needed: Vec<&str> = lines.iter().filter(|line| line.options.len() == 1).map(|line| line.options[0]).collect();
    let way = |options: &[&'static str], by_hand: String| -> String {
        let option = options.iter().find(|option| needed.contains(option)).or(options.first());
        match option {
            None | Some(&"") => format!("`serviceOverrides.{by_hand}`"),
            Some(option) => format!("`{option}`"),
        }
    };
    let mut told: Vec<String> = lines
        .iter()
        .map(|line| {
            let values = sandbox.values(line.name);
            let said = if values.is_empty() { "forced by DynamicUser".into() } else { values.join(" ") };
            let is_switch = line.lifted.iter().any(|lifted| lifted.strip_prefix(line.name) == Some("=no"));
            let value = if is_switch { " = false" } else { "" };
            format!("  {}={said}  → {}\n", line.name, way(line.options, format!("{}{value}", line.name)))
        })
        .collect();
    if !entries.is_empty() {
        let is_of_namespaces = entries.iter().all(|entry| filter::OF_NAMESPACES.contains(&entry.as_str()));
        let options =
            if is_of_namespaces { &["", "sandbox.namespaces", "sandbox.sudo"][..] } else { &["", "sandbox.sudo"] };
        let names: Vec<String> = entries.iter().map(|entry| format!("\"{}\"", entry.trim_start_matches('~'))).collect();
        let by_hand = format!("{} = [ {} ]", filter::NAME, names.join(" "));
        told.push(format!("  {}={}  → {}\n", filter::NAME, entries.join(" "), way(options, by_hand)));
    }
    told.concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::lines::ALL;
    use super::*;

    fn told(names: &[&str], entries: &[&str]) -> String {
        let unit = "[Service]\nDynamicUser=yes\nRestrictNamespaces=yes\nProtectClock=yes\nSystemCallFilter=~@mount\nSystemCallFilter=~capset\n";
        let sandbox = Sandbox::parse(unit, Path::new("/w"));
        let lines = names.iter().map(|name| ALL.iter().find(|line| line.name == *name).unwrap()).collect();
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let (text, code) = text("a", &Verdict::Lines { lines, entries }, &sandbox);
        assert_eq!(code, IN_THE_WAY);
        text
    }

    #[test]
    fn each_line_is_told_with_its_value_and_its_way_out() {
        insta::assert_snapshot!(told(&["DynamicUser", "RestrictNamespaces", "ProtectClock"], &[]), @r"
        It fails in the sandbox of runner a, and works without these lines of its unit, each of which is in the way:
          DynamicUser=yes  → `createUser`
          RestrictNamespaces=yes  → `sandbox.namespaces`
          ProtectClock=yes  → `serviceOverrides.ProtectClock = false`
        ");
    }

    #[test]
    fn the_least_that_opens_a_line_is_told_unless_more_is_needed_anyhow() {
        let after = |text: String| text.split_once('\n').unwrap().1.to_owned();
        insta::assert_snapshot!(after(told(&["RestrictSUIDSGID"], &["~capset", "~@mount"])), @r#"
          RestrictSUIDSGID=forced by DynamicUser  → `serviceOverrides.RestrictSUIDSGID = false`
          SystemCallFilter=~capset ~@mount  → `serviceOverrides.SystemCallFilter = [ "capset" "@mount" ]`
        "#);
        insta::assert_snapshot!(after(told(&["RestrictNamespaces", "RestrictSUIDSGID"], &["~capset"])), @r"
          RestrictNamespaces=yes  → `sandbox.namespaces`
          RestrictSUIDSGID=forced by DynamicUser  → `sandbox.namespaces`
          SystemCallFilter=~capset  → `sandbox.namespaces`
        ");
        insta::assert_snapshot!(after(told(&["NoNewPrivileges", "SystemCallFilter"], &[])), @r"
          NoNewPrivileges=forced by DynamicUser  → `sandbox.sudo`
          SystemCallFilter=~@mount ~capset  → `sandbox.sudo`
        ");
        insta::assert_snapshot!(after(told(&["RestrictNamespaces"], &["~@raw-io"])), @r#"
          RestrictNamespaces=yes  → `sandbox.namespaces`
          SystemCallFilter=~@raw-io  → `serviceOverrides.SystemCallFilter = [ "@raw-io" ]`
        "#);
    }

    #[test]
    fn what_a_dynamic_user_cannot_be_given_is_told_to_who_has_one() {
        for (unit, is_told) in [("[Service]\nDynamicUser=yes\n", true), ("[Service]\nUser=ci\n", false)] {
            let (text, code) = text("a", &Verdict::Elsewhere, &Sandbox::parse(unit, Path::new("/w")));
            assert_eq!((text.contains("it ran as `nobody`"), code), (is_told, ELSEWHERE), "{text}");
        }
    }
}
