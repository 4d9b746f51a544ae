//! Registering by a JIT configuration: the server makes the runner and its files at once, and no listener runs for it.

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;
use tracing::info;

use super::basis::Basis;
use super::holder::{PATIENCE, described, taken};
use crate::contract::protocol::{Issue, Outcome, Verb};
use crate::ledger::{Draft, Runner};
use crate::model::shown;
use crate::registration::ask::Ask as _;
use crate::registration::jit::{FILES, check};
use crate::registration::paced::Careful;
use crate::registration::retire::reason;
use crate::state::start::now;

/// Longer than any name of GitHub's, and short enough for the ledger.
const LONGEST_NAME: usize = 256;

/// Registers the runner and writes its files for the service user. `earlier` tells that an earlier attempt may still
/// come to something.
pub(super) fn run(found: &Basis<'_>, broker: &Careful<'_>, draft: &mut Draft<'_>, earlier: bool) -> Result<()> {
    let registration = &found.manifest.registration;
    let verb = Verb::Issue(Issue::Jit { work_folder: work_folder(found)?.into() });
    let (id, name, files) = match broker.ask(verb, PATIENCE).outcome {
        Outcome::Jit { id, name, files } => (id, name, files),
        // The server knows nothing of making runners. It has made none, so this is an attempt like any other.
        Outcome::Token(token) => return found.stage(token.expose()),
        // If it is this host's, its files are lost all the same: the server gives them out only once. The attempt stays
        // open, and the end of this start finds out.
        Outcome::Uncertain(seen) => {
            bail!("Failed to register: GitHub's answer got lost. {} is there now", described(&seen))
        }
        Outcome::NameTaken(seen) => {
            if !earlier {
                // The server made nothing, so whoever has the name now is not this host's.
                draft.entry.attempt = None;
                draft.save()?;
            }
            bail!("{}", taken(found, &seen))
        }
        // An earlier try of the same request may have had its effect, so the attempt stays open.
        outcome => bail!("Failed to register: {}", reason(&outcome)),
    };
    // Before the files: if they turn out bad or this step dies, somebody knows whom to take back.
    let name = name.chars().take(LONGEST_NAME).collect();
    let runner = Runner { id, name, url: registration.url.as_str().into(), recorded_at: now()? };
    let said = format!("Registered runner {}, id {id}, of {} by a JIT configuration", shown(&runner.name), runner.url);
    let name = runner.name.clone();
    draft.entry.debts.retain(|left| !left.is(&runner));
    draft.entry.runner = Some(runner);
    draft.entry.attempt = None;
    draft.save()?;
    check(&files, id, &name).context("GitHub's JIT configuration is not one that can be used")?;
    for name in FILES {
        let content = files[name].expose().as_bytes();
        found
            .state
            .replace_file(name, content, Mode::S_IRUSR | Mode::S_IWUSR, Some(found.owner))
            .with_context(|| format!("Failed to write {name} for the service user"))?;
    }
    info!("{said}");
    Ok(())
}

/// The work directory as GitHub is to write it into the files.
///
/// # Errors
///
/// If it cannot.
pub(super) fn work_folder<'a>(found: &'a Basis<'_>) -> Result<&'a str> {
    found.work_path.to_str().with_context(|| {
        format!(
            "Work directory {} is not UTF-8, which GitHub cannot store: choose another one",
            found.work_path.display()
        )
    })
}
