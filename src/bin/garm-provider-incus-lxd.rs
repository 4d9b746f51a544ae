//! What GARM calls to make, list and remove instances of Incus and LXD.

use std::process::ExitCode;

fn main() -> ExitCode {
    github_runners::cli::garm::main()
}
