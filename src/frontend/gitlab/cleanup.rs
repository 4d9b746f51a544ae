//! The step `cleanup`: ends the machine of a job, whatever it does.
//!
//! gitlab-runner calls it after every attempt of `prepare` that failed and at the end of each job, also while a stage still
//! runs. It succeeds only when nothing of the machine stands any more, and also if there never was one.

use std::path::Path;

use super::call::Call;
use super::settings::Settings;
use super::verdict::Verdict;
use crate::machines::Machines as _;
use crate::machines::nspawn::Client;

/// Ends the machine, and waits for its end.
#[must_use]
pub fn run(settings: &Path, call: &Call) -> Verdict {
    let read = Settings::read(settings).and_then(|settings| Ok((settings, call.response()?)));
    let (settings, response) = match read {
        Ok(read) => read,
        Err(error) => return Verdict::System(format!("{error:#}")),
    };
    match Client::new(&settings.machines.run_directory).delete(response.job) {
        Ok(()) => Verdict::Success,
        Err(fault) => Verdict::fault(&fault),
    }
}
