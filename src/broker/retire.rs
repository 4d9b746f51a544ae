//! Deleting a runner on the server: only one whose id and address the ledger knows and whose name the server confirms.
//!
//! GitHub deletes an idle runner at once and keeps a busy one, so nothing has to be asked beforehand about that.

use crate::contract::protocol::Outcome;
use crate::github::{Deletion, Failure, same_name};
use crate::model::{RegistrationUrl, shown};

use super::session::{Session, called};

/// Deletes the runner of this id at this address.
pub fn retire(session: &Session, id: u64, url: &str) -> Result<Outcome, Failure> {
    let Some((runners, url)) = session.known(id, url)? else {
        let page = RegistrationUrl::parse(url).map_or_else(|_| "GitHub".into(), |url| url.settings_page());
        return Ok(Outcome::NotOurs(format!(
            "The ledger knows no runner of id {id} at {}, so it is not deleted: remove it on {page} by hand if it is not needed.",
            shown(url)
        )));
    };
    let api = session.api(&url)?;
    let Some(seen) = api.runner(id)? else { return Ok(Outcome::Gone) };
    if !runners.iter().any(|runner| same_name(&runner.name, &seen.name)) {
        let expected = runners.first().map_or_else(String::new, |runner| called(&runner.name, id));
        return Ok(Outcome::NotOurs(format!(
            "GitHub shows runner {} where the ledger has {expected}, so it is not deleted: remove it on {} by hand if it is not needed.",
            called(&seen.name, id),
            url.settings_page()
        )));
    }
    Ok(match api.delete(id)? {
        Deletion::Now => Outcome::Retired,
        Deletion::Gone => Outcome::Gone,
        Deletion::Busy => Outcome::Busy,
    })
}
