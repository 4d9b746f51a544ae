//! Runs jobs of GitLab in machines of their own: what gitlab-runner calls, and what the units on the host start.

use std::process::ExitCode;

fn main() -> ExitCode {
    github_runners::cli::gitlab::main()
}
