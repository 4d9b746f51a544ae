//! Who can have a runner run their code: whether what it serves is public, and whose pull requests wait for an approval
//! (runner contract, 4.7).
//!
//! Never fails because of what GitHub says or does not say: what cannot be seen is told with the reason. A refusal here says
//! nothing about the credential, which may well be good for runners alone.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::base::entity;
use super::client::Failure;
use super::kind::translated;
use super::list::{Group, Groups, Pages};
use super::names::bounded;
use crate::contract::audience::{Approval, Audience, Reach, Sight};
use crate::http::{Call, Response};
use crate::model::{Scope, date_and_time, shown};

/// Of a repository, what tells who sees it.
#[derive(Deserialize)]
struct Repository {
    /// The only one of the two that every release of the server has.
    private: Option<bool>,
    visibility: Option<String>,
    /// Who can open pull requests: `all` or `collaborators_only`. Younger than the others.
    pull_request_creation_policy: Option<String>,
}

#[derive(Deserialize)]
struct Rule {
    approval_policy: String,
}

impl Api<'_> {
    /// Who can have code run on a runner of the address, in the group of this name or in the default one.
    ///
    /// # Errors
    ///
    /// Only [`Failure::AskerGone`].
    pub fn audience(&self, group: Option<&str>) -> Result<Audience, Failure> {
        let reach = seen(match self.url.scope() {
            Scope::Repository(..) => self.look("").map(|repository| visibility(&repository)),
            Scope::Organization(_) => self.reach_of_group(group),
            Scope::Enterprise(_) => Err(Failure::Refused("GitHub is asked nothing about an enterprise".into())),
        })?;
        // Where it is of no account, GitHub answers with an error.
        let asks = matches!(reach, Sight::Is(Reach::Public | Reach::PublicInGroup { .. }));
        let approval = if asks { Some(self.approval()?) } else { None };
        Ok(Audience { reach, approval })
    }

    fn reach_of_group(&self, name: Option<&str>) -> Result<Sight<Reach>, Failure> {
        let path = format!("{}/actions/runner-groups?", entity(self.url.scope()));
        let found = self.pages_judged(
            &path,
            |_, response| shown_to_us(response),
            |page: Groups| page.runner_groups.into_iter().find(|group| group.is(name)),
        )?;
        Ok(match found {
            Pages::Found(group) => reach_of(&group),
            Pages::All | Pages::Endless => Sight::Unseen("GitHub does not list its runner group".into()),
        })
    }

    fn approval(&self) -> Result<Sight<Approval>, Failure> {
        if self.is_of_app() && matches!(self.url.scope(), Scope::Organization(_)) {
            // A question that is known to be refused is not asked.
            return Ok(Sight::Unseen("the App's token is good for nothing but runners".into()));
        }
        seen(self.look("/actions/permissions/fork-pr-contributor-approval").map(|rule| approval_by(&rule)))
    }

    /// Reads what is at `rest` below the address.
    fn look<T: DeserializeOwned>(&self, rest: &str) -> Result<T, Failure> {
        let response = self.send(&Call::get(entity(self.url.scope()) + rest))?;
        shown_to_us(&response)?.json().map_err(Failure::Unreachable)
    }
}

/// A good answer, or why it is none.
fn shown_to_us(response: &Response) -> Result<&Response, Failure> {
    let status = response.status;
    if status == 200 {
        return Ok(response);
    }
    let needed = response.header("x-accepted-github-permissions").map(translated).filter(|needed| !needed.is_empty());
    let needed = needed.map_or_else(String::new, |needed| format!("; it takes {}", bounded(&needed)));
    Err(Failure::Refused(match status {
        301 | 307 | 308 => "it has another name now".into(),
        _ => format!("GitHub does not show it to the credential (status {status}){needed}"),
    }))
}

/// Makes a part of the answer of every failure that is none of ours.
fn seen<T>(looked: Result<Sight<T>, Failure>) -> Result<Sight<T>, Failure> {
    match looked {
        Err(Failure::Refused(why) | Failure::Unreachable(why) | Failure::Lost(why)) => Ok(Sight::Unseen(why)),
        Err(Failure::RateLimited(until)) => {
            Ok(Sight::Unseen(format!("GitHub takes no more requests before {}", date_and_time(until))))
        }
        other => other,
    }
}

/// Whoever says in one field that it is open is believed.
fn visibility(repository: &Repository) -> Sight<Reach> {
    let limited = repository.pull_request_creation_policy.as_deref() == Some("collaborators_only");
    match (repository.private, repository.visibility.as_deref()) {
        (Some(false), _) | (_, Some("public")) if limited => Sight::Is(Reach::Collaborators),
        (Some(false), _) | (_, Some("public")) => Sight::Is(Reach::Public),
        (_, Some("internal")) => Sight::Is(Reach::Internal),
        (_, Some("private")) | (Some(true), None) => Sight::Is(Reach::Private),
        (_, Some(other)) => odd("visibility", other),
        (None, None) => Sight::Unseen("GitHub's answer does not tell".into()),
    }
}

fn reach_of(group: &Group) -> Sight<Reach> {
    match (group.allows_public_repositories, group.visibility.as_deref()) {
        (None, _) => Sight::Unseen("GitHub's answer does not tell".into()),
        (Some(false), _) | (_, Some("private")) => Sight::Is(Reach::NonePublicInGroup),
        (Some(true), visibility) => Sight::Is(Reach::PublicInGroup { selected: visibility == Some("selected") }),
    }
}

fn approval_by(rule: &Rule) -> Sight<Approval> {
    match rule.approval_policy.as_str() {
        "first_time_contributors_new_to_github" => Sight::Is(Approval::NewToServer),
        "first_time_contributors" => Sight::Is(Approval::FirstTime),
        "all_external_contributors" => Sight::Is(Approval::AllExternal),
        other => odd("rule", other),
    }
}

fn odd<T>(what: &str, value: &str) -> Sight<T> {
    Sight::Unseen(format!("GitHub names a {what} that this program does not know: {}", shown(value)))
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
