//! Questions that change nothing.

use crate::github::Failure;
use crate::protocol::Outcome;

use super::issue::name;
use super::session::Session;

/// Looks a runner up: by its id where it was registered, or by the configured name.
pub fn observe(session: &Session, id: Option<u64>) -> Result<Outcome, Failure> {
    let Some(id) = id else {
        let name = name(session)?;
        return session.home()?.find(&name).map(Outcome::Seen);
    };
    let api = match session.known(id)? {
        Some((_, url)) => session.api(&url)?,
        None => session.home()?,
    };
    api.runner(id).map(Outcome::Seen)
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
    Ok(Outcome::Ready { newest_runner })
}
