//! Who can have a runner run their code, as far as the server shows it to the runner's credential. Types only.

use serde::{Deserialize, Serialize};

/// Whose jobs a runner may be given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Audience {
    /// Who can open pull requests whose jobs come to the runner.
    pub reach: Sight<Reach>,
    /// Which of these pull requests wait for an approval. `None` if strangers can open none, or if that is not seen.
    pub approval: Option<Sight<Approval>>,
}

/// Something that the server shows, or does not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Sight<T> {
    /// It is so.
    Is(T),
    /// It cannot be seen. The reason, to stand behind "because".
    Unseen(String),
}

/// What a runner serves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// A public repository: everybody can open pull requests.
    Public,
    /// A public repository whose pull requests its collaborators open and nobody else.
    Collaborators,
    /// A repository of an enterprise, that all of its people see.
    Internal,
    /// A private repository.
    Private,
    /// A runner group of an organisation that lets public repositories in.
    PublicInGroup {
        /// Whether only those that were selected.
        selected: bool,
    },
    /// A runner group of an organisation without public repositories.
    NonePublicInGroup,
}

/// Whose pull requests from forks run nothing before somebody who may write has approved that. Workflows for
/// `pull_request_target` never wait.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Approval {
    /// Of new accounts that never had anything merged.
    NewToServer,
    /// Of whoever never had anything merged.
    FirstTime,
    /// Of all who are no members.
    AllExternal,
}
