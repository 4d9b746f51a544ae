//! Which of GARM's pools is which declared one. Pure.
//!
//! Its id is remembered. Where it is not, because the answer to its creation or the whole memory was lost, a pool is known by its
//! repository or organization, its provider and its tags, if it is the only one; among several by everything else that is declared
//! of it. What cannot be told apart is told, and not guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{difference, lower};
use crate::frontend::fleet::declaration::{Declaration, Pool};
use crate::frontend::fleet::memory::Memory;
use crate::frontend::fleet::seen::{Seen, kind_of};
use crate::frontend::fleet::wire;

/// What became of a declared pool.
#[derive(Clone, Debug)]
pub enum Pairing<'a> {
    /// It is this one.
    Is(&'a wire::Pool),
    /// It can only be this one, which nobody remembered.
    Found(&'a wire::Pool),
    /// It does not exist.
    Missing,
    /// It can be any of these.
    Ambiguous(Vec<&'a str>),
}

impl<'a> Pairing<'a> {
    /// The pool, if it is known.
    #[must_use]
    pub fn pool(&self) -> Option<&'a wire::Pool> {
        match self {
            Self::Is(pool) | Self::Found(pool) => Some(pool),
            Self::Missing | Self::Ambiguous(_) => None,
        }
    }
}

/// By which a pool is known: entity, provider and tags.
type Key = (String, String, BTreeSet<String>);

/// Pairs all declared pools.
#[must_use]
pub fn pair<'a>(declared: &'a Declaration, seen: &'a Seen, memory: &Memory) -> BTreeMap<&'a str, Pairing<'a>> {
    let mut pairs = BTreeMap::new();
    let mut groups: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
    for (name, pool) in &declared.pools {
        let known = memory.pool(name).and_then(|id| seen.pools.iter().find(|found| found.id == id));
        if let Some(found) = known {
            pairs.insert(name.as_str(), Pairing::Is(found));
        } else if let Some(entity) = seen.entity(declared, kind_of(&pool.entity), &pool.entity) {
            let key = (entity.id.clone(), pool.make.provider.clone(), lower(pool.tags.iter().map(String::as_str)));
            groups.entry(key).or_default().push(name);
        } else {
            pairs.insert(name, Pairing::Missing);
        }
    }
    let taken: BTreeSet<String> = pairs.values().filter_map(|pair| Some(pair.pool()?.id.clone())).collect();
    for (key, names) in groups {
        let left = seen.pools.iter().filter(|found| key_of(found) == key && !taken.contains(&found.id)).collect();
        group(declared, memory, names, left, &mut pairs);
    }
    pairs
}

/// Pairs pools of one key with those of GARM that are nobody's yet.
fn group<'a>(
    declared: &'a Declaration,
    memory: &Memory,
    mut names: Vec<&'a str>,
    mut left: Vec<&'a wire::Pool>,
    pairs: &mut BTreeMap<&'a str, Pairing<'a>>,
) {
    // Those that were asked for are more likely to have come about.
    names.sort_by_key(|name| !memory.was_asked(name));
    names.retain(|name| {
        let pool: &Pool = &declared.pools[*name];
        let same: Vec<usize> = (0..left.len()).filter(|at| difference(pool, left[*at]).is_empty()).collect();
        match same[..] {
            [] => true,
            [at] => {
                pairs.insert(name, Pairing::Found(left.remove(at)));
                false
            }
            _ => {
                let ids = same.iter().map(|at| left[*at].id.as_str()).collect();
                pairs.insert(name, Pairing::Ambiguous(ids));
                false
            }
        }
    });
    // What another name is remembered for was that one's, though it is not declared any more.
    let others: BTreeSet<&str> = memory.pools.values().filter_map(|pool| pool.id.as_deref()).collect();
    left.retain(|found| !others.contains(found.id.as_str()));
    let asked = names.iter().filter(|name| memory.was_asked(name)).count();
    let chosen = if names.len() == 1 || asked == 1 { names.first().copied() } else { None };
    match (chosen, &left[..]) {
        (_, []) => pairs.extend(names.into_iter().map(|name| (name, Pairing::Missing))),
        (Some(chosen), [found]) => {
            pairs.extend(names.into_iter().map(|name| (name, Pairing::Missing)));
            pairs.insert(chosen, Pairing::Found(found));
        }
        _ => {
            let ids: Vec<&str> = left.iter().map(|found| found.id.as_str()).collect();
            pairs.extend(names.into_iter().map(|name| (name, Pairing::Ambiguous(ids.clone()))));
        }
    }
}

fn key_of(found: &wire::Pool) -> Key {
    let tags = lower(found.tags.iter().map(|tag| tag.name.as_str()));
    (found.whose.entity_id().to_owned(), found.provider_name.clone(), tags)
}
