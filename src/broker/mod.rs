//! Answers one question of root with the API credential that it alone holds.
//!
//! One process for one question, started by its socket. It knows one runner: address, name, labels and group come from
//! the manifest, and what may be deleted from the ledger, so a question cannot turn the credential against anything
//! else. It reads these, its credential and nothing more: no state, no logs, no work directory. It writes its answer and
//! one line in the journal, neither of them with the credential; and, if systemd gives it a directory for that, what
//! other brokers of the same credential need not ask for once more.

mod credential;
mod installation;
mod issue;
mod kept;
mod labels;
mod line;
mod look;
mod memory;
mod retire;
mod said;
mod session;
mod surroundings;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Answer, Issue, Outcome, Request, VERSION, Verb};
use crate::github::{ApiBase, Client, Failure, GITHUB};
use crate::http::Https;
use crate::state::start::read_manifest;
use credential::Credential;
use kept::Kept;
use memory::Memory;
use session::Session;
use surroundings::Real;

/// Nobody is kept waiting longer, whatever was asked for.
const LONGEST_PATIENCE: u64 = 10 * 60;

/// What a question needs besides GitHub.
struct Prepared {
    verb: Verb,
    patience: Duration,
    manifest: Manifest,
    credential: Credential,
    https: Https,
}

/// Reads one question from standard input and writes one answer to standard output.
///
/// # Errors
///
/// Only if no answer could be given: whoever asked is gone. Refusals are answers.
pub fn run(manifest: &Path) -> Result<()> {
    let surroundings = Real::start();
    let question = line::read().and_then(|line| request(&line));
    let asked = said::verb(question.as_ref().ok().map(|request| &request.verb));
    let Prepared { verb, patience, manifest, credential, https } =
        match question.and_then(|request| prepare(manifest, request)) {
            Ok(prepared) => prepared,
            Err(fault) => return tell(&asked, &Answer::unasked(Outcome::Refused(fault))),
        };
    let client = Client::new(ApiBase::of(&manifest.registration.url), &https, &surroundings, patience);
    let memory = Memory::new(Kept::open(), &credential, &client);
    let session = Session::new(&manifest, &credential, credential::ledger(&manifest), &client, &memory);
    let outcome = match answer(&session, verb) {
        Ok(outcome) => outcome,
        Err(Failure::Refused(text)) => Outcome::Refused(text),
        Err(Failure::Unreachable(text) | Failure::Lost(text)) => Outcome::Unreachable(text),
        Err(Failure::RateLimited(until)) => Outcome::RateLimited(until),
        Err(Failure::AskerGone) => bail!("Stopped before {asked} was done: whoever asked is gone"),
    };
    let answer = Answer {
        version: VERSION,
        credential_expires: client.credential_expires(),
        requests: client.requests(),
        rate_limit_remaining: client.rate_limit_remaining(),
        clock_ahead: client.clock_ahead(),
        outcome,
    };
    tell(&asked, &answer).inspect_err(|_| issue::unheard(&session, &answer.outcome))
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

/// Reads what the question needs, and checks that it is for this broker.
fn prepare(manifest: &Path, request: Request) -> Result<Prepared, String> {
    let manifest = read_manifest(manifest).map_err(|error| format!("{error:#}"))?;
    is_for(&request, &manifest)?;
    Ok(Prepared {
        credential: Credential::read(&manifest)?,
        https: Https::to(ApiBase::of(&manifest.registration.url).host(), GITHUB)?,
        patience: Duration::from_secs(request.patience.min(LONGEST_PATIENCE)),
        verb: request.verb,
        manifest,
    })
}

fn answer(session: &Session, verb: Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::Issue(Issue::Token) => issue::token(session),
        Verb::Issue(Issue::Jit { work_folder }) => issue::jit(session, work_folder),
        Verb::Retire { id, url } => retire::retire(session, id, &url),
        Verb::Observe(whom) => look::observe(session, whom),
        Verb::List => look::list(session),
        Verb::Preflight => look::preflight(session),
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
    if header.version != VERSION {
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
            (r#"{"version":2,"instance":"a","patience":5,"verb":"preflight"}"#, "version 2"),
            (r#"{"version":1,"instance":"a","patience":5,"verb":"destroy"}"#, "does not understand"),
            (r#"{"version":1,"instance":"a/b","patience":5,"verb":"preflight"}"#, "does not understand"),
        ] {
            assert!(request(line.as_bytes()).unwrap_err().contains(part), "{line}");
        }
    }
}
