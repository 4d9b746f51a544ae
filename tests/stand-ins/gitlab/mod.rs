//! A GitLab for tests: as much of its coordinator as a runner asks while it works on jobs.
//!
//! It exists so that jobs can be run, cancelled and read without a server or an account, by the stand-in of `gitlab-runner`
//! beside it and by the real one. It speaks section 9 of the executor's contract, over plain HTTP on loopback, and serves
//! git repositories by `git http-backend`.
//!
//! It must never be part of a shipped package, and never be reachable from outside of the machine.

#![allow(dead_code, reason = "every program that embeds the stand-in uses another part")]
#![allow(unused_imports, reason = "every program that embeds the stand-in uses another part")]

mod coordinator;

pub use coordinator::{Cancel, Coordinator, Ended, Job, RUNNER_TOKEN, example_job, plain};
