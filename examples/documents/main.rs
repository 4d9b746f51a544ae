//! Writes the man pages and the shell completions of `github-runnerctl` and `garm-provider-incus-lxd` into a directory, made from
//! the very definitions that they read their command lines with: `cargo run --example command-line-documents -- DIRECTORY`.
//!
//! An example, so that neither it nor what it needs gets into a program that is shipped.

mod write;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [directory] = arguments.as_slice() else {
        eprintln!("Usage: command-line-documents DIRECTORY");
        return ExitCode::from(2);
    };
    match write::write(Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
