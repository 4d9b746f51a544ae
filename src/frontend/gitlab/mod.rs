//! The driver of GitLab Runner's custom executor: each job in a machine of its own.
//!
//! gitlab-runner starts one process for each step of a job, with its own rights: [`config`], [`prepare`], [`run`] for each
//! sub-stage, [`cleanup`]. None of them has privileges, and none leaves anything behind: machines are made and ended by their
//! supervisors, see [`crate::machines`].
//!
//! Who a job is comes from one file, which gitlab-runner wrote ([`response`]): numbers, and the name of an image that is looked
//! up in the settings. Variables of the job stand in the environment under `CUSTOM_ENV_…`, and jobs choose them: nothing
//! here reads one. Facts about gitlab-runner are those of `docs/contracts/gitlab-custom-executor.md`.

mod call;
pub mod cleanup;
pub mod config;
pub mod prepare;
mod relay;
mod response;
pub mod run;
mod script;
mod settings;
mod signals;
mod verdict;

pub use call::Call;
pub use settings::Settings;
pub use verdict::Verdict;

/// Where the projects of jobs are in a machine.
const BUILDS: &str = "/builds";

/// Where the caches of jobs are in a machine: the store of the project, if the operator configured one.
const CACHE: &str = "/cache";
