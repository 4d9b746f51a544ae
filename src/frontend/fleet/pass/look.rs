//! One look at everything that GARM has. It changes nothing.

use super::api::{Failure, Garm};
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::seen::{Seen, Webhook};
use crate::frontend::fleet::step::Kind;
use crate::frontend::fleet::wire::{Hook, Pool};

/// What GARM says of a way that it does not know; of webhooks if it does not manage any.
const NO_SUCH_WAY: &str = "Not found";

/// Looks. Of a GARM whose addresses are not set nothing but itself can be seen, and nothing else can be in it.
///
/// # Errors
///
/// If anything of it cannot be read: half of what there is would be taken for all.
pub fn look(garm: &Garm, declared: &Declaration) -> Result<Seen, Failure> {
    let mut seen = Seen { controller: garm.get(&["controller"])?, ..Seen::default() };
    match rest(garm, &mut seen) {
        Err(failure) if failure.has_word("urls_required") => return Ok(seen),
        done => done?,
    }
    for (kind, entities) in [(Kind::Repository, &declared.repositories), (Kind::Organization, &declared.organizations)]
    {
        for (name, _) in entities.iter().filter(|(_, wanted)| wanted.install_webhook) {
            if let Some(id) = seen.entity(declared, kind, name).map(|entity| entity.id.clone()) {
                seen.webhooks.insert((kind, name.clone()), webhook(garm, kind, &id)?);
            }
        }
    }
    Ok(seen)
}

fn rest(garm: &Garm, seen: &mut Seen) -> Result<(), Failure> {
    seen.endpoints = garm.list(&["github", "endpoints"])?;
    seen.credentials = garm.list(&["github", "credentials"])?;
    seen.repositories = garm.list(&["repositories"])?;
    seen.organizations = garm.list(&["organizations"])?;
    seen.providers = garm.list(&["providers"])?;
    // The lists leave the extra specs out.
    let pools: Vec<Pool> = garm.list(&["pools"])?;
    seen.pools = each(garm, "pools", &pools)?;
    let sets: Vec<Pool> = garm.list(&["scalesets"])?;
    seen.scale_sets = each(garm, "scalesets", &sets)?;
    Ok(())
}

/// All with all that they have; what is deleted meanwhile is not there.
fn each(garm: &Garm, word: &str, listed: &[Pool]) -> Result<Vec<Pool>, Failure> {
    let found = listed.iter().map(|pool| match garm.get::<Pool>(&[word, &pool.id]) {
        Ok(whole) if whole.id == pool.id => Ok(Some(whole)),
        Ok(_) => Err(Failure::Away(format!("GARM answers for {word}/{} with another one", pool.id))),
        Err(failure) if failure.is(404) => Ok(None),
        Err(failure) => Err(failure),
    });
    found.filter_map(Result::transpose).collect()
}

fn webhook(garm: &Garm, kind: Kind, id: &str) -> Result<Webhook, Failure> {
    match garm.get::<Hook>(&[word(kind), id, "webhook"]) {
        Ok(hook) if hook.active => Ok(Webhook::Active),
        Ok(_) => Ok(Webhook::Inactive),
        Err(failure @ Failure::Away(_)) => Err(failure),
        Err(failure) if failure.has_word(NO_SUCH_WAY) => {
            let way = "set `enable_webhook_management = true` in [default] of its configuration, or `installWebhook` to false";
            Ok(Webhook::Unknown(format!("GARM does not manage webhooks: {way}")))
        }
        Err(failure) if failure.is(404) => Ok(Webhook::Missing),
        Err(failure) => Ok(Webhook::Unknown(failure.said().into())),
    }
}

/// The way of a kind of entity.
#[must_use]
pub fn word(kind: Kind) -> &'static str {
    if kind == Kind::Repository { "repositories" } else { "organizations" }
}
