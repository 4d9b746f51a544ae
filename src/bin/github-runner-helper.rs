//! The program that a runner's unit starts before the runner itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    github_runners::cli::helper::main()
}
