//! What a broker tells of runs of workflows: as much as shows whether a run wants a runner. Types only.
//!
//! Everything here was written by somebody else, perhaps in a pull request of a stranger. Ids and states are typed, texts are
//! short and of plain characters, so that the longest answer is known.

use serde::{Deserialize, Serialize};

use crate::model::id;

/// The most jobs of one answer: ten pages.
pub const MOST_JOBS: usize = 1_000;
/// A job that wants more labels at once than this is not told of.
pub const MOST_LABELS: usize = 20;
/// The longest label that is told of; those of orders are shorter.
pub const LONGEST_LABEL: usize = 64;
/// The most keys of one answer; GitHub has a handful.
pub const MOST_KEYS: usize = 32;

/// How far a run is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// At least one of its jobs waits for a runner, whatever the others do.
    Queued,
    /// Jobs of it run.
    InProgress,
    /// It is over, however it ended.
    Completed,
    /// It waits for people or for another run, and wants no runner; or it has a state that is not known here.
    Held,
}

/// A run of a workflow.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorkflowRun {
    /// Its number.
    #[serde(deserialize_with = "id")]
    pub id: u64,
    /// The id of the repository that it runs in.
    #[serde(deserialize_with = "id")]
    pub repository: u64,
    /// The id of the repository that its commit comes from; `None` if that one is gone.
    pub head_repository: Option<u64>,
    /// How far it is.
    pub state: RunState,
    /// Which attempt is the last one, from 1 on.
    #[serde(deserialize_with = "id")]
    pub attempt: u64,
}

/// A job that waits for a runner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueuedJob {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: u64,
    /// The run that it belongs to.
    #[serde(deserialize_with = "id")]
    pub run: u64,
    /// Those of the labels that it wants which could be an order's: letters, digits, `-`, `_` and `.`, in lower case.
    pub labels: Vec<String>,
}

/// An artifact of a run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Artifact {
    /// Its name, which is the one that was asked for.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// Whether its content was deleted by time.
    pub expired: bool,
    /// The run that made it.
    #[serde(deserialize_with = "id")]
    pub run: u64,
    /// The id of the repository that the run runs in.
    #[serde(deserialize_with = "id")]
    pub repository: u64,
    /// The id of the repository that the run's commit comes from; `None` if that one is gone.
    pub head_repository: Option<u64>,
}

/// An RSA key with which ID tokens are signed by RS256.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SigningKey {
    /// What tokens call it by.
    pub kid: String,
    /// The modulus, in base64url without padding.
    pub n: String,
    /// The exponent, in the same way.
    pub e: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::protocol::{MAX_ANSWER_BYTES, Outcome};

    fn line(outcome: &Outcome) -> String {
        let line = serde_json::to_string(outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&line).unwrap(), *outcome);
        line
    }

    #[test]
    fn answers_keep_their_form() {
        let run = WorkflowRun { id: 7, repository: 3, head_repository: None, state: RunState::InProgress, attempt: 1 };
        insta::assert_snapshot!(line(&Outcome::Run(Some(run))), @r#"{"run":{"id":7,"repository":3,"headRepository":null,"state":"inProgress","attempt":1}}"#);
        insta::assert_snapshot!(line(&Outcome::Run(None)), @r#"{"run":null}"#);
        let job = QueuedJob { id: 9, run: 7, labels: vec!["od-7-build".into()] };
        insta::assert_snapshot!(line(&Outcome::Jobs(vec![job])), @r#"{"jobs":[{"id":9,"run":7,"labels":["od-7-build"]}]}"#);
        let artifact = Artifact {
            name: "od".into(),
            created_at: 5,
            expired: false,
            run: 7,
            repository: 3,
            head_repository: Some(4),
        };
        insta::assert_snapshot!(line(&Outcome::Artifact(Some(artifact))), @r#"{"artifact":{"name":"od","createdAt":5,"expired":false,"run":7,"repository":3,"headRepository":4}}"#);
        let key = SigningKey { kid: "k".into(), n: "AQ".into(), e: "AQAB".into() };
        insta::assert_snapshot!(line(&Outcome::Keys(vec![key])), @r#"{"keys":[{"kid":"k","n":"AQ","e":"AQAB"}]}"#);
    }

    #[test]
    fn the_longest_answer_about_jobs_is_read() {
        let labels = vec!["x".repeat(LONGEST_LABEL); MOST_LABELS];
        let jobs = vec![QueuedJob { id: u64::MAX, run: u64::MAX, labels }; MOST_JOBS];
        assert!((line(&Outcome::Jobs(jobs)).len() as u64) < MAX_ANSWER_BYTES / 2);
    }
}
