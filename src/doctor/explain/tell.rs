//! What was found, in words.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

use super::copy::Sandbox;
use super::lines::Line;
use super::search::Found;
use crate::model::plain;

/// The exit code if lines are in the way.
const IN_THE_WAY: u8 = 1;
/// The exit code if it fails without all of them, too.
const ELSEWHERE: u8 = 2;

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

/// Says what is in the way, and gives the exit code: 0 if it works, 1 if lines are in the way, 2 if none is.
///
/// # Errors
///
/// Nobody reads it.
pub fn verdict(instance: &str, found: &Found, lines: &[&Line], sandbox: &Sandbox, runs: usize) -> Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    let (text, code) = text(instance, found, lines, sandbox);
    writeln!(stdout, "{text}It ran {runs} times.")?;
    Ok(ExitCode::from(code))
}

fn text(instance: &str, found: &Found, lines: &[&Line], sandbox: &Sandbox) -> (String, u8) {
    match found {
        Found::Works => (format!("It works in the sandbox of runner {instance}.\n"), 0),
        Found::Elsewhere => (
            format!(
                "It fails in the sandbox of runner {instance}, and also with every line of it lifted: no line is in the way. See what it \
                 wrote, which programs are in PATH (`extraPackages`), and whether its files are there.\n"
            ),
            ELSEWHERE,
        ),
        Found::Lines(_) => {
            let each = lines.iter().map(|line| {
                let values = sandbox.values(line.name);
                let said = if values.is_empty() { "forced by DynamicUser".into() } else { values.join(" ") };
                let way = match line.option {
                    "" => format!("`serviceOverrides.{}`", line.name),
                    option => format!("`{option}`"),
                };
                format!("  {}={said}  → {way}\n", line.name)
            });
            let each: String = each.collect();
            (
                format!(
                    "It fails in the sandbox of runner {instance}, and works without these lines of its unit, each of which is in the \
                     way:\n{each}"
                ),
                IN_THE_WAY,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::lines::ALL;
    use super::*;

    #[test]
    fn each_line_is_told_with_its_value_and_its_way_out() {
        let sandbox = Sandbox::parse("[Service]\nDynamicUser=yes\nRestrictNamespaces=yes\n", Path::new("/w"));
        let of = |name: &str| ALL.iter().find(|line| line.name == name).unwrap();
        let lines = [of("DynamicUser"), of("NoNewPrivileges"), of("RestrictNamespaces")];
        let (text, code) = text("a", &Found::Lines(vec![0, 1, 2]), &lines, &sandbox);
        insta::assert_snapshot!(text, @r"
        It fails in the sandbox of runner a, and works without these lines of its unit, each of which is in the way:
          DynamicUser=yes  → `createUser`
          NoNewPrivileges=forced by DynamicUser  → `sandbox.sudo`
          RestrictNamespaces=yes  → `sandbox.namespaces`
        ");
        assert_eq!(code, IN_THE_WAY);
    }
}
