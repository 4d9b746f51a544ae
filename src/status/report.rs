//! What `status` says, as values: the schema of `status --json`, version 1. `docs/status-v1.schema.json` is made of these
//! types and of what is written about their fields, and `docs/status.md` of that, so these texts are for users.
//!
//! Fields are added without a new version, so whoever reads it must skip unknown ones; anything else makes a new version.
//! Times are seconds since 1970. Absent facts are `null`, and never left out. No text has control characters, and none
//! is secret: of credentials there are paths and times only. Nothing here reads, decides or prints.

use serde::Serialize;

use crate::contract::fleet::RestartPolicy;
use crate::ledger::ExitKind;

/// The version of the schema.
pub const VERSION: u64 = 1;

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of the schema: 1.
    pub version: u64,
    /// When the host was looked at.
    pub at: u64,
    /// Whether nothing has a fault; the exit code is 0 then, and 1 if not.
    pub well: bool,
    /// Whether this host makes passes by itself. If not, somebody has to run `github-runnerctl reconcile`.
    pub passes: bool,
    /// When the last reconcile pass began.
    pub last_pass: Option<u64>,
    /// What is wrong with the passes over all runners, each as a sentence without its end.
    pub faults: Vec<String>,
    /// The declared runners, then the others that have a ledger entry, each by name.
    pub runners: Vec<Row>,
    /// Runners that workflows order; `null` on a host that makes none.
    pub on_demand: Option<OnDemandNow>,
}

/// Runners on demand.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OnDemandNow {
    /// Why nothing new begins, in the operator's words; `null` if it does.
    pub stopped: Option<String>,
    /// Open orders: those that have or may get a machine.
    pub open: usize,
    /// The most that there can be; 0 if the settings cannot be read.
    pub max: u32,
    /// Orders that wait for their proof.
    pub waiting: usize,
    /// When the oldest open order began; `null` if there is none.
    pub oldest: Option<u64>,
    /// What the orders of today, by UTC, cost or may cost, in ten-thousandths of the operator's unit.
    pub cost_today: u64,
    /// The most that a day may cost; `null` if no class costs anything.
    pub cost_per_day: Option<u64>,
    /// The configured classes, by name.
    pub classes: Vec<ClassNow>,
    /// How many orders are over whose registrations GitHub may still list, for longer than it takes.
    pub debts: usize,
    /// Files of orders that cannot be read.
    pub unreadable: Vec<String>,
    /// What is wrong with all this, each as a sentence without its end. Empty if it is well.
    pub faults: Vec<String>,
}

/// A class of runners that can be ordered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClassNow {
    /// Its name.
    pub class: String,
    /// Its open orders.
    pub open: usize,
    /// The most that it can have.
    pub max: u32,
    /// Until when it is not tried, because its last machines had no job; `null` if it is.
    pub paused_until: Option<u64>,
}

/// One runner.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name on this host.
    pub instance: String,
    /// Whether it is configured.
    pub declared: bool,
    /// What else made it and owns it for a time; `null` for a runner that is configured or was.
    pub owner: Option<OwnerNow>,
    /// Its unit; `null` if the runner could not be looked at.
    pub unit: Option<UnitNow>,
    /// Its registration.
    pub registration: Registration,
    /// How what runs stands to what is configured; `null` for a runner that is not configured and for one that could not be looked at.
    pub configuration: Option<ConfigurationNow>,
    /// How its unit ended last; `null` if it never did.
    pub last_exit: Option<LastExit>,
    /// What it registers with, and what one that is not configured is taken back with.
    pub credential: CredentialNow,
    /// The version of the configured runner package; `null` if its path does not tell.
    pub runner_version: Option<String>,
    /// The newest version that its server told of; `null` if nobody knows.
    pub newest_version: Option<String>,
    /// From when on, at the latest, GitHub gives no jobs to the present version; `null` if it is the newest, if nobody
    /// knows, and for a server that GitHub does not run.
    pub version_deadline: Option<u64>,
    /// What its jobs may that the usual sandbox keeps from them, as its configuration says; empty if that is nothing.
    pub may: Vec<String>,
    /// How many former registrations GitHub may still list.
    pub debts: usize,
    /// What the last reconcile pass said about it, as the end of a sentence that begins with its name.
    pub said: Option<String>,
    /// What is wrong with it, each as the end of a sentence that begins with its name. Empty if it is well.
    pub faults: Vec<String>,
}

/// What owns a runner that the configuration did not make.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OwnerNow {
    /// Its kind and name.
    pub name: String,
    /// When its time ends; from then on passes may take the runner back.
    pub until: u64,
}

/// A runner's unit.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UnitNow {
    /// The name of the unit.
    pub name: String,
    /// What it is doing.
    pub state: UnitState,
    /// Since when; `null` if it did nothing since boot.
    pub since: Option<u64>,
    /// Whether a runner's worker is among its processes, so that it runs a job.
    pub has_job: bool,
}

/// What a unit is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum UnitState {
    /// It runs.
    Active,
    /// It is being started, or waits to be started again.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It does not run.
    Inactive,
    /// It does not run, and its end was a failure.
    Failed,
}

/// A runner's registration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// How GitHub sees it.
    pub state: RegistrationState,
    /// Why that is not known.
    pub why: Option<String>,
    /// The name of the job that it runs, if its journal tells.
    pub job: Option<String>,
    /// Its id on GitHub.
    pub id: Option<u64>,
    /// Its name on GitHub.
    pub name: Option<String>,
    /// The page that it is registered for.
    pub url: Option<String>,
}

/// How GitHub sees a registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RegistrationState {
    /// Connected, without a job.
    Online,
    /// It runs a job.
    Busy,
    /// Listed, but not connected.
    Offline,
    /// Not listed.
    Missing,
    /// The ledger knows of no registration.
    None,
    /// GitHub could not be asked, or gave no answer.
    Unknown,
}

/// How what runs stands to what is configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationNow {
    /// Whether a restart is due.
    pub state: ConfigurationState,
    /// Since when it is, if a reconcile pass has seen it.
    pub since: Option<u64>,
    /// Who restarts it then: `when-idle`, `immediate` or `never`.
    pub policy: RestartPolicy,
}

/// Whether a restart is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ConfigurationState {
    /// It runs as configured.
    Current,
    /// What runs was started from another configuration.
    Pending,
    /// It does not run, and its next start takes the configuration.
    NextStart,
}

/// How a unit ended last.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LastExit {
    /// When.
    pub at: u64,
    /// What it was, by kind: `jobDone`, `clean`, `notStarted`, `terminated`, `sessionConflict`, `versionDeprecated` or
    /// `crashed`.
    pub kind: ExitKind,
    /// The same as a sentence, and what was decided.
    pub said: String,
    /// How many times in a row it ended in a failure.
    pub failures: u32,
}

/// What a runner registers with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CredentialNow {
    /// What kind it is.
    pub kind: CredentialKind,
    /// The path of the file that holds it.
    pub file: Option<String>,
    /// What is wrong with it.
    pub fault: Option<String>,
    /// When it expires, if GitHub said so.
    pub expires: Option<u64>,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    /// A GitHub App.
    App,
    /// An access token.
    AccessToken,
    /// A registration token.
    RegistrationToken,
    /// It cannot be told.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where [`the_published_schema_is_that_of_the_types`] writes the schema, besides comparing it.
    const WRITTEN_TO: &str = "STATUS_SCHEMA";

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
        let schema = generator.into_root_schema_for::<Report>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if let Some(path) = std::env::var_os(WRITTEN_TO) {
            std::fs::write(path, &text).unwrap();
        }
        // A change of anything that is there makes a new version.
        assert_eq!(text, include_str!("../../docs/status-v1.schema.json"), "{text}");
    }
}
