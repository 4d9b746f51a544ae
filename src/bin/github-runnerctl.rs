//! What operators and the broker's unit run: everything that speaks to GitHub.

use std::process::ExitCode;

fn main() -> ExitCode {
    github_runners::cli::ctl::main()
}
