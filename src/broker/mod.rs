//! Answers questions of root with the API credential that it alone holds.
//!
//! One process for one connection, started by its socket. It knows one runner: address, name, labels and group come from
//! the manifest, and what may be deleted from the ledger, so a question cannot turn the credential against anything
//! else. It reads these, its credential and nothing more: no state, no logs, no work directory. It writes its answers and
//! one line in the journal for each, none of them with the credential; and, if systemd gives it a directory for that, what
//! other brokers of the same credential need not ask for once more.
//!
//! Number, length and age of what a connection can ask are limited, and each question has a patience of its own.

pub mod cloud;
mod credential;
mod installation;
mod issue;
mod labels;
mod line;
mod look;
mod memory;
mod pinned;
mod retire;
mod said;
mod session;
mod shared;
mod surroundings;
mod workflows;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Answer, Issue, LIFE, MOST_QUESTIONS, ONE_QUESTION, Outcome, Request, VERSION, Verb};
use crate::github::{ApiBase, Client, Failure, GITHUB};
use crate::http::Https;
use crate::ledger::Entry;
use crate::state::start::read_manifest;
use credential::Credential;
use memory::Memory;
use session::Session;
use shared::SharedDirectory;
use surroundings::Real;

/// Nobody is kept waiting longer, whatever was asked for.
const LONGEST_PATIENCE: u64 = 10 * 60;

/// What questions need besides GitHub, read for the first one.
struct Setup {
    manifest: Manifest,
    credential: Credential,
    ledger: Result<Option<Entry>, String>,
    https: Https,
}

/// Reads questions from standard input and writes an answer to each to standard output, until no more come.
///
/// # Errors
///
/// Only if no answer could be given: whoever asked is gone. Refusals are answers.
pub fn run(manifest: &Path) -> Result<()> {
    let began = Instant::now();
    let stdin = std::io::stdin();
    let mut questions = line::Questions::new(&stdin);
    let mut prepared = None;
    let mut next = Some(questions.first());
    let mut asked = 0;
    while let Some(line) = next {
        asked += 1;
        let goes_on = answer_line(manifest, &mut prepared, line)? && asked < MOST_QUESTIONS && began.elapsed() < LIFE;
        next = if goes_on { questions.next() } else { None };
    }
    Ok(())
}

/// Answers one question; tells whether another one can follow.
fn answer_line(path: &Path, prepared: &mut Option<Setup>, line: Result<Vec<u8>, String>) -> Result<bool> {
    let surroundings = Real::start();
    let can_follow = line.is_ok();
    let question = line.and_then(|line| request(&line));
    let asked = said::verb(question.as_ref().ok().map(|request| &request.verb));
    let version = question.as_ref().map_or(VERSION, |request| request.version);
    let found = question.and_then(|request| Ok((prepare(path, prepared, &request)?, request)));
    let (Setup { manifest, credential, ledger, https }, request) = match found {
        Ok(found) => found,
        Err(fault) => {
            tell(&asked, &Answer { version, ..Answer::unasked(Outcome::Refused(fault)) })?;
            return Ok(can_follow && version != ONE_QUESTION);
        }
    };
    let patience = Duration::from_secs(request.patience.min(LONGEST_PATIENCE));
    // Another host, perhaps by another proxy; it is asked too rarely to keep this.
    let issuer = (request.verb == Verb::Keys).then(|| workflows::issuer(manifest));
    let (base, https) = match &issuer {
        None => (ApiBase::of(&manifest.registration.url), https),
        Some(Ok(https)) => (ApiBase::issuer_for(&manifest.registration.url), https),
        Some(Err(fault)) => {
            tell(&asked, &Answer { version, ..Answer::unasked(Outcome::Refused(fault.clone())) })?;
            return Ok(version != ONE_QUESTION);
        }
    };
    let client = Client::new(base, https, &surroundings, patience);
    let memory = Memory::new(SharedDirectory::open(), credential, &client);
    let session = Session::new(manifest, credential, ledger, &client, &memory);
    let outcome = match answer(&session, request.verb) {
        Ok(outcome) => outcome,
        Err(Failure::Refused(text)) => Outcome::Refused(text),
        Err(Failure::Unreachable(text) | Failure::Lost(text)) => Outcome::Unreachable(text),
        Err(Failure::RateLimited(until)) => Outcome::RateLimited(until),
        Err(Failure::AskerGone) => bail!("Stopped before {asked} was done: whoever asked is gone"),
    };
    let answer = Answer {
        version,
        credential_expires: client.credential_expires(),
        requests: client.requests(),
        rate_limit_remaining: client.rate_limit_remaining(),
        clock_ahead: client.clock_ahead(),
        outcome,
    };
    tell(&asked, &answer).inspect_err(|_| issue::unheard(&session, &answer.outcome))?;
    Ok(version != ONE_QUESTION)
}

/// Writes the answer, and a line about it.
fn tell(asked: &str, answer: &Answer) -> Result<()> {
    let (good, words) = said::outcome(&answer.outcome);
    line::write(answer).with_context(|| format!("Failed to answer; {asked}: {words}"))?;
    if good {
        tracing::info!("{asked}: {words}");
    } else {
        tracing::warn!("{asked}: {words}");
    }
    Ok(())
}

/// Reads what questions need, unless that was done, and checks that this one is for this broker.
fn prepare<'a>(path: &Path, prepared: &'a mut Option<Setup>, request: &Request) -> Result<&'a Setup, String> {
    if let Some(prepared) = prepared {
        is_for(request, &prepared.manifest)?;
        return Ok(prepared);
    }
    let manifest = read_manifest(path).map_err(|error| format!("{error:#}"))?;
    is_for(request, &manifest)?;
    let (credential, ledger) = (Credential::read(&manifest)?, credential::ledger(&manifest));
    let https = Https::to(ApiBase::of(&manifest.registration.url).host(), GITHUB)?;
    Ok(prepared.insert(Setup { manifest, credential, ledger, https }))
}

fn answer(session: &Session, verb: Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::Issue(Issue::Token) => issue::token(session),
        Verb::Issue(Issue::Jit { work_folder }) => issue::jit(session, work_folder),
        Verb::Retire { id, url } => retire::retire(session, id, &url),
        Verb::Observe(whom) => look::observe(session, whom),
        Verb::List => look::list(session),
        Verb::Preflight => look::preflight(session),
        Verb::Audience => look::audience(session),
        Verb::Run { repository, run } => workflows::run(session, &repository, run),
        Verb::Jobs { repository, run } => workflows::jobs(session, &repository, run),
        Verb::Artifact { repository, run, name } => workflows::artifact(session, &repository, run, &name),
        Verb::Keys => workflows::keys(session),
    }
}

/// Reads a question.
fn request(line: &[u8]) -> Result<Request, String> {
    #[derive(Deserialize)]
    struct Header {
        version: u64,
    }
    let no_question =
        |_| "The broker does not understand the question: ask it with a helper of its release.".to_owned();
    let header: Header = serde_json::from_slice(line).map_err(no_question)?;
    if ![ONE_QUESTION, VERSION].contains(&header.version) {
        return Err(format!(
            "The question has version {}, and the broker knows version {VERSION}: both must come from one release.",
            header.version
        ));
    }
    serde_json::from_slice(line).map_err(no_question)
}

fn is_for(request: &Request, manifest: &Manifest) -> Result<(), String> {
    if request.instance == manifest.instance {
        return Ok(());
    }
    Err(format!("This is the broker of runner {}, not of {}.", manifest.instance.as_str(), request.instance.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_questions_are_refused_with_the_reason() {
        for (line, part) in [
            ("", "does not understand"),
            ("[]", "does not understand"),
            (r#"{"version":3,"instance":"a","patience":5,"verb":"preflight"}"#, "version 3"),
            (r#"{"version":1,"instance":"a","patience":5,"verb":"destroy"}"#, "does not understand"),
            (r#"{"version":1,"instance":"a/b","patience":5,"verb":"preflight"}"#, "does not understand"),
        ] {
            assert!(request(line.as_bytes()).unwrap_err().contains(part), "{line}");
        }
    }

    #[test]
    fn a_question_of_the_release_before_is_understood() {
        let line = r#"{"version":1,"instance":"a","patience":5,"verb":{"issue":"token"}}"#;
        assert_eq!(request(line.as_bytes()).unwrap().verb, Verb::Issue(Issue::Token));
    }
}
