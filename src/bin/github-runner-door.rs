//! What strangers reach: takes their requests for runners and asks the desk.

use std::process::ExitCode;

fn main() -> ExitCode {
    github_runners::cli::door::main()
}
