//! Answers questions of the desk with the credential of a cloud that it alone holds: a process for one question, started by its
//! socket.
//!
//! What instances may be comes from its manifest, and which ones are ours from the tag that it gives them: no question can have it
//! touch another one. It reads these, its credential and the host's id, and writes its answer and one line in the journal.

mod account;
mod check;
mod manifest;

use std::cell::Cell;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tracing::{info, warn};

use super::line::Questions;
use super::surroundings::Real;
use crate::contract::cloud::{Answer, Outcome, Question, Refusal, VERSION, Verb};
use crate::contract::names::on_demand_host;
use crate::http::Post;
use crate::machines::ec2::{self, Asker, MOST_USER_DATA, Scope, Service, Shape};
use crate::model::shown;
use manifest::Manifest;

/// Nobody is kept waiting longer, whatever was asked for.
const LONGEST_PATIENCE: u64 = 120;

/// Reads a question from standard input and writes its answer to standard output. `machine_id` is the file with the host's id.
///
/// # Errors
///
/// Only if no answer could be given: whoever asked is gone. Refusals are answers.
pub fn run(manifest: &Path, machine_id: &Path) -> Result<()> {
    let stdin = std::io::stdin();
    let requests = Cell::new(0);
    let question = Questions::new(&stdin).first().and_then(|line| read(&line)).map_err(Refusal::Configuration);
    let asked = question.as_ref().map_or("A question", |question| word(&question.verb));
    let outcome = match question.and_then(|question| answer(manifest, machine_id, question, &requests)) {
        Ok(outcome) => outcome,
        Err(refusal) => Outcome::Refused(refusal),
    };
    let requests = requests.get();
    match &outcome {
        Outcome::Refused(refusal) => {
            warn!("{asked}: refused after {requests} requests: {}", shown(&refusal.to_string()));
        }
        Outcome::Placed(placed) => {
            info!("{asked}: {} {} in {}", placed.market.word(), shown(&placed.instance_type), shown(&placed.subnet));
        }
        Outcome::Listed(all) => info!("{asked}: {} instances, {requests} requests", all.len()),
        _ => info!("{asked}: done, {requests} requests"),
    }
    let mut line = serde_json::to_vec(&Answer { version: VERSION, requests, outcome })?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line).and_then(|()| stdout.flush()).with_context(|| format!("Failed to answer; {asked}"))
}

/// Reads a question. What is wrong with it is never repeated: it can hold secrets.
fn read(line: &[u8]) -> Result<Question, String> {
    #[derive(Deserialize)]
    struct Header {
        version: u64,
    }
    let other = "the question is of another release than the broker: take both from the same one";
    let header: Header = serde_json::from_slice(line).map_err(|_| other)?;
    if header.version != VERSION {
        return Err(other.into());
    }
    serde_json::from_slice(line).map_err(|_| other.into())
}

fn word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Place { .. } => "Place",
        Verb::Launch(_) => "Launch",
        Verb::List => "List",
        Verb::End { .. } => "End",
        Verb::Seal { .. } => "Seal",
        Verb::Console { .. } => "Console",
        Verb::Check => "Check",
    }
}

fn answer(path: &Path, machine_id: &Path, question: Question, requests: &Cell<u32>) -> Result<Outcome, Refusal> {
    let manifest = Manifest::read(path).map_err(Refusal::Configuration)?;
    if question.class != manifest.class {
        return Err(Refusal::Configuration(format!("this is the broker of class {}", manifest.class)));
    }
    let id = std::fs::read_to_string(machine_id)
        .map_err(|error| Refusal::Configuration(format!("failed to read {}: {error}", machine_id.display())))?;
    let host = on_demand_host(&id);
    let credential = account::credential(&manifest)?;
    let name = manifest.endpoint.split_once("://").map_or("", |(_, host)| host);
    let is_secure = manifest.endpoint.starts_with("https://");
    let way = if is_secure {
        let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
        Post::secure(host, "EC2").map_err(Refusal::Configuration)?
    } else {
        Post::plain("EC2")
    };
    let surroundings = Real::start();
    let asker = Asker {
        service: Service { endpoint: &manifest.endpoint, scope: Scope { region: &manifest.region, service: "ec2" } },
        credential: &credential,
        way: &way,
        surroundings: &surroundings,
        patience: Duration::from_secs(question.patience.min(LONGEST_PATIENCE)),
        requests: Cell::new(0),
    };
    let outcome = done(&asker, &manifest, &host, question.verb);
    requests.set(asker.requests.get());
    outcome
}

fn done(asker: &Asker<'_>, manifest: &Manifest, host: &str, verb: Verb) -> Result<Outcome, Refusal> {
    let shape = Shape {
        host,
        groups: &manifest.security_groups,
        public_address: manifest.public_address,
        volume: manifest.volume,
    };
    match verb {
        Verb::Place { token, image } => {
            let image = match image.filter(|image| manifest.may_be(image)) {
                Some(image) => image,
                None => ec2::find_image(asker, manifest.wanted(), &manifest.architecture)?,
            };
            let placed = manifest.place(&token, image);
            placed.map(Outcome::Placed).ok_or_else(|| Refusal::Configuration("there is no such candidate".into()))
        }
        Verb::Launch(launch) => {
            if !manifest.has(&launch.placement) {
                return Err(Refusal::Configuration("the class has no such type or subnet any more".into()));
            }
            let bytes = launch.user_data.expose().len();
            if bytes > MOST_USER_DATA {
                return Err(Refusal::Configuration(format!(
                    "the user data has {bytes} bytes, and EC2 takes {MOST_USER_DATA}"
                )));
            }
            match asker.ask(&ec2::run(&launch, &shape)).and_then(|answer| ec2::is_made(&answer)) {
                Ok(()) | Err(Refusal::Over(_)) => Ok(Outcome::Launched),
                Err(refusal) => Err(refusal),
            }
        }
        Verb::List => {
            let all = ec2::list(asker, host)?;
            Ok(Outcome::Listed(all.into_iter().map(|found| found.instance).collect()))
        }
        Verb::End { token } => ec2::end(asker, host, &token).map(|()| Outcome::Done),
        Verb::Seal { token } => ec2::seal(asker, host, &token).map(|()| Outcome::Done),
        Verb::Console { token } => ec2::console(asker, host, &token).map(Outcome::Console),
        Verb::Check => Ok(Outcome::Checked(check::check(asker, manifest, &shape))),
    }
}
