//! Scripts for bash as the runner makes them: the frame, and the quoting.

use std::fmt::Write as _;

use super::environment::{Directories, Variable};

/// The whole script of a stage around its commands. The old form, which a feature flag of the job asks for, may end with 0 when
/// SIGTERM ended it.
pub fn frame(commands: &str, is_old: bool) -> String {
    let commands = quoted(commands);
    if is_old {
        return format!(
            "#!/usr/bin/env bash\n\ntrap exit 1 TERM\n\nset -o pipefail; set -o errexit\nset +o noclobber\n: | eval {commands}\nexit 0\n"
        );
    }
    format!(
        "#!/usr/bin/env bash\n\ntrap 'exit 1' TERM\n\nset -o pipefail; set -o errexit\nset +o noclobber\n\
         (trap 'exit 1' TERM; eval {commands}) < /dev/null\nexit 0\n"
    )
}

/// A word that bash reads as these bytes.
pub fn quoted(text: &str) -> String {
    let mut word = String::from("$'");
    for c in text.chars() {
        match c {
            '\\' | '\'' => word.extend(['\\', c]),
            '\n' => word += "\\n",
            '\r' => word += "\\r",
            '\t' => word += "\\t",
            c if c.is_control() => _ = write!(word, "\\x{:02x}", u32::from(c)),
            c => word.push(c),
        }
    }
    word + "'"
}

/// Hands all variables to the commands that follow; those of type file as files beside the project.
pub fn exports(variables: &[Variable], directories: &Directories) -> String {
    let temporary = format!("{}.tmp", directories.project);
    let mut commands = String::new();
    for Variable { key, value, is_file } in variables {
        // Others cannot be set by a shell.
        if !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || key.is_empty() {
            continue;
        }
        if *is_file {
            let path = format!("{temporary}/{key}");
            _ = writeln!(commands, "mkdir -p {}", quoted(&temporary));
            _ = writeln!(commands, "printf '%s' {} > {}", quoted(value), quoted(&path));
            _ = writeln!(commands, "export {key}={}", quoted(&path));
        } else {
            _ = writeln!(commands, "export {key}={}", quoted(value));
        }
    }
    commands
}

/// Shows and runs a command of the job.
pub fn shown(command: &str) -> String {
    format!("echo {}\n{command}\n", quoted(&format!("\u{1b}[32;1m$ {command}\u{1b}[0;m")))
}

/// Runs commands only where `gitlab-runner` is there; otherwise the stage succeeds with a line.
pub fn guarded(purpose: &str, commands: &str) -> String {
    format!(
        "if gitlab-runner --version > /dev/null 2>&1; then\n{commands}else\necho {}\nfi\n",
        quoted(&format!("Missing gitlab-runner. {purpose} is disabled."))
    )
}
