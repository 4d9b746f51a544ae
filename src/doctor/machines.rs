//! What `doctor` says about machines for jobs of GitLab, on hosts that have settings for them.

use std::path::Path;

use super::finding::{Finding, Group};
use crate::machines::nspawn::Settings;
use crate::machines::nspawn::check::{Outcome, all};

/// The section; `None` where nobody configured machines.
pub fn group(settings: &Path) -> Option<Group> {
    if !settings.exists() {
        return None;
    }
    let findings = match Settings::read(settings) {
        Err(error) => vec![Finding::error("settings", &error)],
        Ok(settings) => all(&settings)
            .into_iter()
            .map(|check| match check.result {
                Outcome::Good(said) => Finding::good(check.topic, said),
                Outcome::Warning(said, remedy) => Finding::warning(check.topic, said, remedy),
                Outcome::Fault(said, remedy) => Finding::fault(check.topic, said, remedy),
            })
            .collect(),
    };
    Some(Group { title: "Machines for jobs of GitLab".into(), findings })
}
