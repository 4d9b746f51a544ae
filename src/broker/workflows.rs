//! Looking up what shows that a run of a workflow wants a runner: the run, its jobs, its artifacts; and the keys of the ID tokens
//! that jobs have. Changes nothing.
//!
//! Only for repositories of the manifest. An answer about a repository of another id than the manifest has is none: somebody
//! else may have got the name.

use crate::contract::manifest::Manifest;
use crate::contract::protocol::Outcome;
use crate::github::{ApiBase, Failure, ISSUER, signing_keys};
use crate::http::Https;
use crate::model::{Repository, shown};

use super::session::Session;

/// The longest name of an artifact that is looked for: two of the longest names that an order can have.
const LONGEST_NAME: usize = 128;

/// A run of a repository.
pub fn run(session: &Session, repository: &Repository, run: u64) -> Result<Outcome, Failure> {
    let (api, id) = session.workflows(repository)?;
    let found = api.run(run)?;
    if let Some(found) = &found {
        is_same(repository, id, found.repository)?;
    }
    Ok(Outcome::Run(found))
}

/// The jobs of a run that wait for a runner. GitHub does not say the repository's id with them: the run has it.
pub fn jobs(session: &Session, repository: &Repository, run: u64) -> Result<Outcome, Failure> {
    let (api, _) = session.workflows(repository)?;
    api.queued_jobs(run).map(Outcome::Jobs)
}

/// The youngest artifact of a run that has this name.
pub fn artifact(session: &Session, repository: &Repository, run: u64, name: &str) -> Result<Outcome, Failure> {
    let (api, id) = session.workflows(repository)?;
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    {
        return Err(Failure::Refused(format!(
            "{} is no name of an artifact of an order: it has up to {LONGEST_NAME} letters, digits, `-`, `_` and `.`.",
            shown(name)
        )));
    }
    let found = api.artifact(run, name)?;
    if let Some(found) = &found {
        is_same(repository, id, found.repository)?;
    }
    Ok(Outcome::Artifact(found))
}

/// What the issuer is asked through.
///
/// # Errors
///
/// One sentence: this broker has no business with it, or the network is not usable.
pub fn issuer(manifest: &Manifest) -> Result<Https, String> {
    if manifest.repositories.is_empty() {
        return Err("This broker serves no repository, so it has no use for keys of ID tokens.".into());
    }
    Https::to(ApiBase::issuer_for(&manifest.registration.url).host(), ISSUER)
}

/// The keys of the issuer.
pub fn keys(session: &Session) -> Result<Outcome, Failure> {
    signing_keys(session.issuer(), &session.manifest.registration.url.issuer()).map(Outcome::Keys)
}

fn is_same(repository: &Repository, expected: u64, seen: u64) -> Result<(), Failure> {
    if expected == seen {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "Repository {} has the id {seen} at GitHub and {expected} in the configuration, so it is another one: correct its `id` if it is the right one.",
        shown(repository.as_str())
    )))
}
