//! The listener stand-in as a program; see `mod.rs`.

#[path = "mod.rs"]
mod listener;

fn main() -> std::process::ExitCode {
    listener::main_entry()
}
