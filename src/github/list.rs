//! Lists of GitHub, which come in pages: looking for one of them, or reading all.
//!
//! Where the next page is follows from the number of the last one. The address that the server gives for it is never
//! used: it could be anywhere.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::{Api, Runner};
use super::base::{encoded, entity};
use super::client::Failure;
use super::names::{named, same_name};
use crate::contract::protocol::RemoteRunner;
use crate::http::{Call, Response};
use crate::model::{Scope, id, shown};

const PER_PAGE: usize = 100;
/// More pages than this many runners or groups are no help to anybody.
const MOST_PAGES: usize = 100;
/// The group that every runner of a repository is in.
const DEFAULT_GROUP: u64 = 1;

/// One page of a list.
pub(super) trait Page {
    /// How many entries it has.
    fn len(&self) -> usize;
}

/// A page of runners.
#[derive(Deserialize)]
struct Runners {
    #[serde(default)]
    total_count: usize,
    runners: Vec<Runner>,
}

impl Page for Runners {
    fn len(&self) -> usize {
        self.runners.len()
    }
}

#[derive(Deserialize)]
pub(super) struct Group {
    #[serde(deserialize_with = "id")]
    id: u64,
    name: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    is_hosted: bool,
    /// Whether public repositories may use its runners.
    pub(super) allows_public_repositories: Option<bool>,
    /// Which repositories may: `all`, `selected` or `private`.
    pub(super) visibility: Option<String>,
}

impl Group {
    /// Whether it is the one of this name, or the default one without a name. It has to be for self-hosted runners.
    pub(super) fn is(&self, name: Option<&str>) -> bool {
        !self.is_hosted && name.map_or(self.default, |name| same_name(&self.name, name))
    }
}

/// A page of runner groups.
#[derive(Deserialize)]
pub(super) struct Groups {
    pub(super) runner_groups: Vec<Group>,
}

impl Page for Groups {
    fn len(&self) -> usize {
        self.runner_groups.len()
    }
}

/// How going through the pages of a list ended.
pub(super) enum Pages<F> {
    /// With what was looked for.
    Found(F),
    /// Without it, at the end of the list.
    All,
    /// Before the end of the list.
    Endless,
}

impl Api<'_> {
    /// The runner of a name, which the server compares without regard to case.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn find(&self, name: &str) -> Result<Option<RemoteRunner>, Failure> {
        self.search(&format!("{}?name={}&", self.path(""), encoded(name)), |answer: Runners| {
            answer.runners.into_iter().find(|runner| same_name(&runner.name, name)).map(RemoteRunner::from)
        })
    }

    /// All runners by ascending id, each once. One that comes or goes meanwhile may be missing.
    ///
    /// # Errors
    ///
    /// As all of these; also if there are more than [`MOST_PAGES`] can show.
    pub fn list(&self) -> Result<Vec<RemoteRunner>, Failure> {
        let mut listed = BTreeMap::new();
        let ended = self.pages(&format!("{}?", self.path("")), |answer: Runners| {
            listed.extend(answer.runners.into_iter().map(|runner| (runner.id, runner.into())));
            (answer.total_count > MOST_PAGES * PER_PAGE).then_some(())
        })?;
        match ended {
            Pages::All => Ok(listed.into_values().collect()),
            Pages::Found(()) | Pages::Endless => Err(Failure::Refused(format!(
                "GitHub's list of the runners of {} does not end after {MOST_PAGES} pages of {PER_PAGE}, and a longer one is not read: remove runners that nobody needs on {}.",
                named(self.url.scope()),
                self.url.settings_page()
            ))),
        }
    }

    /// The id of a runner group; without a name, of the default one.
    ///
    /// # Errors
    ///
    /// As all of these; also if there is no such group, with the names of those that there are.
    pub fn group(&self, name: Option<&str>) -> Result<u64, Failure> {
        if matches!(self.url.scope(), Scope::Repository(..)) {
            return Ok(DEFAULT_GROUP);
        }
        let mut names = Vec::new();
        let path = format!("{}/actions/runner-groups?", entity(self.url.scope()));
        let found = self.search(&path, |answer: Groups| {
            for group in answer.runner_groups.into_iter().filter(|group| !group.is_hosted) {
                if group.is(name) {
                    return Some(group.id);
                }
                names.push(shown(&group.name));
            }
            None
        })?;
        match (found, name) {
            (Some(id), _) => Ok(id),
            (None, None) => Ok(DEFAULT_GROUP),
            (None, Some(name)) => {
                names.truncate(20);
                Err(Failure::Refused(format!(
                    "There is no runner group {} for self-hosted runners in {}: set `runnerGroup` to one of {}.",
                    shown(name),
                    named(self.url.scope()),
                    names.join(", ")
                )))
            }
        }
    }

    /// Goes through the pages of a list until `look` finds something. `path` ends in `?` or `&`.
    fn search<T: DeserializeOwned + Page, F>(
        &self,
        path: &str,
        look: impl FnMut(T) -> Option<F>,
    ) -> Result<Option<F>, Failure> {
        match self.pages(path, look)? {
            Pages::Found(found) => Ok(Some(found)),
            Pages::All => Ok(None),
            Pages::Endless => Err(Failure::Unreachable(format!("GitHub's list does not end after {MOST_PAGES} pages"))),
        }
    }

    /// The same, where it makes a difference how it ended.
    fn pages<T: DeserializeOwned + Page, F>(
        &self,
        path: &str,
        look: impl FnMut(T) -> Option<F>,
    ) -> Result<Pages<F>, Failure> {
        self.pages_judged(path, |api, response| api.expect(200, response), look)
    }

    /// The same, where `good` tells what a bad answer means.
    pub(super) fn pages_judged<T: DeserializeOwned + Page, F>(
        &self,
        path: &str,
        good: impl for<'r> Fn(&Self, &'r Response) -> Result<&'r Response, Failure>,
        mut look: impl FnMut(T) -> Option<F>,
    ) -> Result<Pages<F>, Failure> {
        for page in 1..=MOST_PAGES {
            let response = self.send(&Call::get(format!("{path}per_page={PER_PAGE}&page={page}")))?;
            let shown: T = good(self, &response)?.json().map_err(Failure::Unreachable)?;
            if shown.len() > PER_PAGE {
                // Whoever does not count to what was asked for does not know the list either.
                return Err(Failure::Unreachable(format!(
                    "GitHub showed {} entries on a page of its list, where {PER_PAGE} are the most",
                    shown.len()
                )));
            }
            let found = look(shown);
            let more = response.header("link").is_some_and(|link| link.contains("rel=\"next\""));
            match found {
                Some(found) => return Ok(Pages::Found(found)),
                None if !more => return Ok(Pages::All),
                None => {}
            }
        }
        Ok(Pages::Endless)
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
