//! Getting what registers the runner.
//!
//! A runner is never made twice: after an answer that was lost the name is looked up first, and what is found is given
//! back for the caller to judge. Nobody's runner is deleted for its name, unless `replace` says so and it had the name
//! before. What was made for somebody who does not get to know of it is deleted again.

use crate::contract::protocol::{Outcome, RemoteRunner};
use crate::github::{Api, Creation, Deletion, Failure, Jit, JitRequest, SETTLING};
use crate::model::{RunnerName, shown};
use crate::state::start::host_name;

use super::labels::labels;
use super::memory::Fact;
use super::pinned;
use super::session::{Session, called};

/// So often another runner is deleted for the name, or GitHub may contradict itself about it.
const MOST_REPLACED: u32 = 2;

/// A registration token.
pub fn token(session: &Session) -> Result<Outcome, Failure> {
    let api = session.home()?;
    let _turn = session.turn()?;
    api.registration_token().map(Outcome::Token)
}

/// A runner that the server makes.
pub fn jit(session: &Session, work_folder: String) -> Result<Outcome, Failure> {
    let registration = &session.manifest.registration;
    if !registration.ephemeral {
        return Err(Failure::Refused("GitHub makes ephemeral runners only: set `ephemeral`.".into()));
    }
    if !work_folder.starts_with('/') {
        return Err(Failure::Refused("The work folder of the question is not an absolute path.".into()));
    }
    let name = name(registration.name.as_ref())?;
    let api = session.home()?;
    let mut group = session.group(&api, None)?;
    let mut request = JitRequest {
        runner_group_id: group.value,
        labels: labels(registration, std::env::consts::ARCH),
        name: name.clone(),
        work_folder,
    };
    // Those who had the name before anything was asked for; anybody else who has it later may be what was asked for.
    let mut before: Vec<u64> = session.held_before().into_iter().collect();
    let mut lost: Option<String> = None;
    let mut conflicts = 0;
    let mut settling = SETTLING.into_iter();
    for attempt in 0.. {
        let turn = session.turn()?;
        let answer = api.make(&request);
        drop(turn);
        let taken = match answer {
            Ok(Creation::New(jit)) => return made(session, &api, jit),
            Ok(Creation::NameTaken) => true,
            // Nothing was made. A group can have been deleted since another broker looked it up.
            Ok(Creation::Refused(refusal)) => {
                if let Some(other) = other_group(session, &api, &group)? {
                    group = other;
                    request.runner_group_id = group.value;
                } else if refusal.status != 404 {
                    return Err(api.refused(&refusal));
                } else {
                    group.kept = false;
                    // What it says about the credential is more than this said.
                    api.check()?;
                    match settling.next() {
                        Some(wait) if session.spends(wait)? => {}
                        _ => return without_jit(session, &api),
                    }
                }
                continue;
            }
            Err(Failure::Lost(why)) => {
                lost = Some(why);
                false
            }
            Err(other) => return Err(other),
        };
        let holder = api.find(&name).map_err(|failure| match (failure, &lost) {
            (Failure::Unreachable(later), Some(why)) => {
                Failure::Unreachable(format!("{why}, so it is not known whether the runner was made, and then {later}"))
            }
            (other, _) => other,
        })?;
        if let Some(seen) = &holder {
            if lost.is_some() && !before.contains(&seen.id) {
                return Ok(Outcome::Uncertain(seen.clone()));
            }
            before.push(seen.id);
        }
        if taken || holder.is_some() {
            if let Some(kept) = kept(session, &api, holder, &name, conflicts)? {
                return Ok(kept);
            }
            conflicts += 1;
        }
        if let Some(why) = lost.as_ref().filter(|_| !taken) {
            session.pause(attempt, why.clone())?;
        }
    }
    Err(Failure::Unreachable("it was tried too often".into()))
}

/// What is given out where the server knows nothing of making runners, as old releases of GitHub Enterprise Server: a
/// registration token, unless somebody wants it otherwise.
fn without_jit(session: &Session, api: &Api) -> Result<Outcome, Failure> {
    let url = &session.manifest.registration.url;
    if url.is_hosted() || session.manifest.method.is_some() {
        return Err(api.makes_none());
    }
    tracing::info!(
        "{} knows nothing of making runners, so this one registers by a token; `registration.method = \"configure\"` saves the time to find out",
        url.host()
    );
    api.registration_token().map(Outcome::Token)
}

/// The group by a look of our own, if that makes a difference.
fn other_group(session: &Session, api: &Api, group: &Fact<u64>) -> Result<Option<Fact<u64>>, Failure> {
    if !group.kept {
        return Ok(None);
    }
    let other = session.group(api, Some(group.value))?;
    Ok((other.value != group.value).then_some(Fact { kept: false, ..other }))
}

/// The outcome if the name stays with its holder; otherwise it is free now.
fn kept(
    session: &Session,
    api: &Api,
    holder: Option<RemoteRunner>,
    name: &str,
    conflicts: u32,
) -> Result<Option<Outcome>, Failure> {
    match holder {
        Some(seen) if !session.manifest.replace || conflicts >= MOST_REPLACED => Ok(Some(Outcome::NameTaken(seen))),
        Some(seen) => match api.delete(seen.id)? {
            Deletion::Busy => Ok(Some(Outcome::NameTaken(RemoteRunner { busy: true, ..seen }))),
            Deletion::Now => {
                tracing::info!("Deleted runner {} to take its name, because of `replace`", called(&seen.name, seen.id));
                Ok(None)
            }
            Deletion::Gone => Ok(None),
        },
        None if conflicts >= MOST_REPLACED => Err(Failure::Refused(format!(
            "GitHub says that the name {} is taken, but shows no such runner: set another `name`.",
            shown(name)
        ))),
        None => Ok(None),
    }
}

/// What is said about a runner that was made, if there is anybody to say it to.
fn made(session: &Session, api: &Api, jit: Jit) -> Result<Outcome, Failure> {
    match jit.files {
        Ok(files) if session.asker_is_there() => {
            Ok(Outcome::Jit { id: jit.id, name: jit.name, files: pinned::keep_version(files) })
        }
        Ok(_) => {
            tell_undone(&jit.name, jit.id, &undo(session, Some(api), jit.id));
            Err(Failure::AskerGone)
        }
        // The server just made it for us, and it is of no use to anybody.
        Err(why) => Err(Failure::Refused(format!(
            "GitHub made runner {} with a configuration that cannot be used, because {why}; {}. Set `registration.method` to \"configure\".",
            called(&jit.name, jit.id),
            undo(session, Some(api), jit.id)
        ))),
    }
}

/// Deletes what `outcome` tells of, because nobody heard it.
pub fn unheard(session: &Session, outcome: &Outcome) {
    if let Outcome::Jit { id, name, .. } = outcome {
        session.undo();
        tell_undone(name, *id, &undo(session, session.home().ok().as_ref(), *id));
    }
}

fn tell_undone(name: &str, id: u64, then: &str) {
    tracing::warn!("GitHub made runner {} for somebody who is gone; {then}", called(name, id));
}

/// Deletes a runner that was just made, if it can be asked for; the end of a sentence about it.
fn undo(session: &Session, api: Option<&Api>, id: u64) -> String {
    session.undo();
    // No runner has the id 0.
    match api.filter(|_| id > 0).map(|api| api.delete(id)) {
        Some(Ok(Deletion::Now | Deletion::Gone)) => "the runner was deleted again".into(),
        _ => format!(
            "the runner could not be deleted again: remove it on {} by hand if it is there",
            session.manifest.registration.url.settings_page()
        ),
    }
}

/// The name under which a runner is registered: the one that was configured, or the host's.
pub fn name(configured: Option<&RunnerName>) -> Result<String, Failure> {
    if let Some(name) = configured {
        return Ok(name.as_str().into());
    }
    host_name().map_err(|error| Failure::Refused(format!("{error:#}.")))
}
