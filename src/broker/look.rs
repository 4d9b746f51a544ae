//! Questions that change nothing.

use crate::contract::protocol::{Outcome, Whom};
use crate::github::Failure;
use crate::model::{RunnerGroup, shown};

use super::issue::name;
use super::session::Session;

/// Looks a runner up: by its id, by the configured name, or by the name that an attempt asked for. Only at the configured
/// address or at one that the ledger names for it.
pub fn observe(session: &Session, whom: Whom) -> Result<Outcome, Failure> {
    let home = &session.manifest.registration;
    let seen = match whom {
        Whom::Name => session.home()?.find(&name(home.name.as_ref())?)?,
        Whom::Attempt => {
            let Some(asked) = session.attempted()? else {
                return Err(Failure::Refused(
                    "The ledger knows of no attempt to register, so there is nothing to look for.".into(),
                ));
            };
            session.api(&asked.url)?.find(&name(asked.name.as_ref())?)?
        }
        Whom::Id { id, url } if url == home.url.as_str() => session.home()?.runner(id)?,
        Whom::Id { id, url } => {
            let Some((_, url)) = session.known(id, &url)? else {
                return Err(Failure::Refused(format!(
                    "The ledger knows no runner of id {id} at {}, which is not the configured address, so it is not looked for there.",
                    shown(&url)
                )));
            };
            session.api(&url)?.runner(id)?
        }
    };
    Ok(Outcome::Seen(seen))
}

/// All runners of the configured address.
pub fn list(session: &Session) -> Result<Outcome, Failure> {
    session.home()?.list().map(Outcome::Listed)
}

/// Finds out whether the credential is good.
pub fn preflight(session: &Session) -> Result<Outcome, Failure> {
    let api = session.home()?;
    api.check()?;
    let newest_runner = match api.newest_runner() {
        // The credential has just been found good; this is only something to know besides.
        Err(Failure::Refused(_)) => None,
        newest => newest?,
    };
    Ok(Outcome::Ready { newest_runner, releases: api.releases()? })
}

/// Finds out who can have code run here. What GitHub does not show is a part of the answer.
pub fn audience(session: &Session) -> Result<Outcome, Failure> {
    let group = session.manifest.registration.runner_group.as_ref().map(RunnerGroup::as_str);
    session.home()?.audience(group).map(Outcome::Audience)
}
