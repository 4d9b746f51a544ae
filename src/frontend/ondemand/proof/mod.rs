//! How a run shows that it wants the runner: three kinds of proof, each a judge. Pure.
//!
//! A judge is given what was wanted and what GitHub said, or a token and GitHub's keys, and decides; nothing here asks anybody.
//! Repositories are compared by id: a name can go to somebody else. What is not clear proves nothing.

pub mod artifact;
pub mod keys;
pub mod oidc;
pub mod queue;

use super::label::{Key, Run};
use super::refusal::Refusal;
use crate::model::Repository;

/// What came of a proof.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The run wants the runner.
    Proven {
        /// Whether the run may be of a stranger's making: of a pull request from a fork.
        fork: bool,
    },
    /// It has not shown it yet; another look may find it.
    NotYet,
    /// It will not show it, whatever comes.
    Refused(Refusal),
}

/// A repository that is served, as configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// Its name.
    pub name: Repository,
    /// Its id on the server.
    pub id: u64,
    /// The id of its owner there.
    pub owner: u64,
    /// Whether runs of pull requests from forks are served.
    pub forks: bool,
}

/// What has to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Label and class of the order.
    pub key: &'a Key,
    /// The run that is to want it.
    pub run: Run,
    /// Where that run is.
    pub repository: &'a Served,
}

/// The repository of this name among those that are served.
///
/// # Errors
///
/// There is none of exactly this name; upper and lower case are the same, as to GitHub.
pub fn served<'a>(all: &'a [Served], name: &Repository) -> Result<&'a Served, Refusal> {
    all.iter().find(|served| served.name.is(name)).ok_or_else(|| Refusal::Repository(name.as_str().into()))
}

impl Wanted<'_> {
    /// Whether a run belongs to a fork: `repository` is where it runs, and `head` where its commit comes from. One whose origin
    /// is gone is a fork's.
    ///
    /// # Errors
    ///
    /// It runs in another repository, or belongs to a fork and those are not served.
    fn fork(&self, repository: u64, head: Option<u64>) -> Result<bool, Refusal> {
        if repository != self.repository.id {
            return Err(Refusal::Repository(self.repository.name.as_str().into()));
        }
        self.admit(head != Some(repository))
    }

    /// The same where it is known.
    fn admit(&self, fork: bool) -> Result<bool, Refusal> {
        if fork && !self.repository.forks {
            return Err(Refusal::Event("pull requests from forks".into()));
        }
        Ok(fork)
    }
}

#[cfg(test)]
mod samples {
    use super::*;

    pub const RUN: Run = 19_283_746;
    pub const REPOSITORY: u64 = 123_456;
    pub const OWNER: u64 = 42;
    pub const NOW: u64 = 1_790_000_000;

    pub fn repository() -> Served {
        let name = Repository::parse("octo-org/example").unwrap();
        Served { name, id: REPOSITORY, owner: OWNER, forks: true }
    }

    pub fn key(label: &str) -> Key {
        let (label, class) = (label.to_owned().try_into().unwrap(), "x86_64".to_owned().try_into().unwrap());
        Key::new(label, class).unwrap()
    }

    /// Judges for the label of the run.
    pub fn judged(repository: &Served, judge: impl FnOnce(&Wanted) -> Verdict) -> Verdict {
        judge(&Wanted { key: &key("od-19283746-1-build"), run: RUN, repository })
    }
}

#[cfg(test)]
mod tests {
    use super::samples::repository;
    use super::*;

    #[test]
    fn a_repository_is_served_by_its_whole_name_only() {
        let all = [repository()];
        let found = |name: &str| served(&all, &Repository::parse(name).unwrap()).map(|served| served.id);
        assert_eq!(found("Octo-Org/EXAMPLE").unwrap(), all[0].id);
        for other in ["octo-org/example-2", "octo-org/exampl", "octo-org2/example", "o/octo-org"] {
            assert_eq!(found(other), Err(Refusal::Repository(other.into())), "{other}");
        }
    }
}
