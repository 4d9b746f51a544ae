//! `remove`: contract section 2; ConfigurationManager.cs:496-618, Runner.cs:167-187.
//!
//! Only the admin flow is spoken. When the server refuses, local files stay: also when
//! it refuses because the runner is gone already.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{
    configure,
    files::{self, Settings},
    server::{self, Purpose},
    signals,
    start::Start,
    target::Target,
    terminal, terminated,
};

/// `Constants.Runner.ReturnCode.RetryableError`, the catch-all of Program.cs.
const RETRYABLE: u8 = 2;

/// Removes the registration here, and unless `--local` also there.
pub fn remove(start: &mut Start) -> ExitCode {
    if start.arguments.flag("local") {
        // Outside of the runner's `try`, so a failure is not code 1.
        return match files::delete_registration(&start.root) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                terminal::error(&format!("An error occurred: {error}"));
                ExitCode::from(RETRYABLE)
            }
        };
    }
    terminated(unconfigure(start))
}

fn unconfigure(start: &mut Start) -> Result<()> {
    signals::exit_on_interrupt(false)?;
    terminal::section("Runner removal");
    if start.root.join(".service").exists() {
        terminal::error("Failed: Removing service");
        bail!("Uninstall service first");
    }
    match files::read_settings(&start.root)? {
        Some(settings) if files::has_credentials(&start.root) => {
            if let Err(error) = delete_at_server(start, &settings) {
                terminal::error("Failed: Removing runner from the server");
                return Err(error);
            }
            terminal::success("Runner removed successfully");
        }
        _ => terminal::line(
            "Cannot connect to server, because config files are missing. Skipping removing runner from the server.",
        ),
    }
    files::delete_registration(&start.root)
}

fn delete_at_server(start: &Start, settings: &Settings) -> Result<()> {
    let url = settings.git_hub_url.as_deref().unwrap_or_default();
    let mut server = server::connect(start, Target::new(url));
    let token = configure::token(start, server.as_mut(), Purpose::Remove)?;
    server.delete(&token, settings.agent_id)
}
