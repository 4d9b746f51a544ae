//! What an operator says about single things: that something which is not declared any more goes, and which pool is which.

use anyhow::{Context as _, Result, anyhow, bail};

use super::Session;
use super::store::Store;
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::memory::Remembered;
use crate::frontend::fleet::report::{Orphan, orphans};
use crate::frontend::fleet::step::Kind;
use crate::frontend::fleet::wire::{Instance, Pool};
use crate::model::shown;

/// Deletes something that is not declared.
///
/// # Errors
///
/// If it is declared, not there or still in use, or GARM does not do it.
pub fn delete(declared: &Declaration, kind: Kind, name: &str) -> Result<()> {
    let store = Store::open(&declared.state_file)?;
    let _lock = store.lock()?;
    let mut session = reached(declared, &store)?;
    let orphan = {
        let all = orphans(declared, &session.seen, &session.memory);
        let of_kind = all.into_iter().filter(|orphan| orphan.kind == kind);
        let mut fitting = of_kind.filter(|orphan| orphan.name == name || orphan.id == name);
        let first = fitting.next();
        if fitting.next().is_some() {
            bail!("GARM has more than one {kind} {}: name it by its id, as `fleet status --json` has it", shown(name));
        }
        match first {
            Some(orphan) => found(&session, &orphan)?,
            None if is_declared(declared, kind, name) => {
                bail!("{kind} {} is declared, and the next pass would make it anew: take it out first", shown(name))
            }
            None => bail!("GARM has no {kind} {} that is not declared; `fleet status` lists them", shown(name)),
        }
    };
    let way: Vec<&str> = match kind {
        Kind::Endpoint => vec!["github", "endpoints", &orphan],
        Kind::Credentials => vec!["github", "credentials", &orphan],
        Kind::Repository => vec!["repositories", &orphan],
        Kind::Organization => vec!["organizations", &orphan],
        Kind::Pool => vec!["pools", &orphan],
        Kind::ScaleSet => vec!["scalesets", &orphan],
        Kind::Controller | Kind::Webhook => bail!("A {kind} is not deleted here"),
    };
    session
        .garm
        .delete(&way)
        .map_err(|failure| anyhow!("Failed to delete {kind} {}: {}", shown(name), failure.said()))?;
    match kind {
        Kind::Credentials => session.memory.credentials.retain(|known, _| known != name),
        Kind::Repository | Kind::Organization => session.memory.webhooks.retain(|known, _| known != name),
        Kind::Pool => session.memory.pools.retain(|_, known| known.id.as_deref() != Some(&orphan)),
        _ => {}
    }
    store.write(&session.memory)
}

/// Its id, once nothing runs in it.
fn found(session: &Session, orphan: &Orphan<'_>) -> Result<String> {
    let instances = match orphan.pool {
        Some(_) => {
            let word = if orphan.kind == Kind::Pool { "pools" } else { "scalesets" };
            let listed = session.garm.list::<Instance>(&[word, &orphan.id, "instances"]);
            listed.map_err(|failure| anyhow!("Failed to list the instances of it: {}", failure.said()))?.len()
        }
        None => 0,
    };
    if instances > 0 {
        bail!(
            "{} {} has {instances} instances, some of which may run jobs: declare it with `enabled` false and \
             `minIdleRunners` 0 until they are gone, or delete them with `garm-cli runner delete`",
            orphan.kind,
            shown(&orphan.name)
        );
    }
    Ok(orphan.id.clone())
}

fn is_declared(declared: &Declaration, kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Endpoint => declared.endpoints.contains_key(name),
        Kind::Credentials => declared.credentials.contains_key(name),
        Kind::Repository => declared.repositories.contains_key(name),
        Kind::Organization => declared.organizations.contains_key(name),
        Kind::Pool => declared.pools.contains_key(name),
        Kind::ScaleSet => declared.scale_sets.contains_key(name),
        Kind::Controller | Kind::Webhook => false,
    }
}

/// Remembers which of GARM's pools a declared one is.
///
/// # Errors
///
/// If one of the two is not there, or the pool is another one's.
pub fn adopt(declared: &Declaration, name: &str, id: &str) -> Result<()> {
    let store = Store::open(&declared.state_file)?;
    let _lock = store.lock()?;
    let mut session = reached(declared, &store)?;
    if !declared.pools.contains_key(name) {
        bail!("Pool {} is not declared: name it as the declaration does", shown(name));
    }
    let pool = session.seen.pools.iter().find(|pool: &&Pool| pool.id == id);
    pool.with_context(|| format!("GARM has no pool {}; `fleet status` lists those that are not declared", shown(id)))?;
    let other = session.memory.pools.iter().find(|(other, known)| *other != name && known.id.as_deref() == Some(id));
    if let Some((other, _)) = other.filter(|(other, _)| declared.pools.contains_key(*other)) {
        bail!("Pool {id} is {} already", shown(other));
    }
    session.memory.pools.retain(|_, known| known.id.as_deref() != Some(id));
    session.memory.pools.insert(name.into(), Remembered { id: Some(id.into()) });
    store.write(&session.memory)
}

fn reached(declared: &Declaration, store: &Store) -> Result<Session> {
    let session = Session::open(declared, store, false)?.map_err(|failure| anyhow!("{}", failure.said()))?;
    if session.is_new {
        bail!("GARM has no administrator yet: `github-runnerctl fleet apply` makes it");
    }
    Ok(session)
}
