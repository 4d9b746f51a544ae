//! The listener stand-in as a program; see `mod.rs`.

#[path = "mod.rs"]
mod listener;
#[allow(dead_code, reason = "tests use more of it")]
#[path = "../../support/times.rs"]
mod times;

fn main() -> std::process::ExitCode {
    listener::main_entry()
}
