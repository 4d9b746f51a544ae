//! What the README promises of the helper, as claims about the built program.
//!
//! Nothing here looks inside the library: a claim is about a command line, files and what is said.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

mod attempt;
mod debts;
#[path = "../support/host.rs"]
mod host;
mod hostile;
mod logs;
mod lost;
mod manifest;
mod order;
mod purge;
mod recovery;
mod register;
mod secrecy;
#[path = "../support/server.rs"]
mod server;
mod settle;
mod start;
mod stop;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/times.rs"]
mod times;
mod token;
mod volume;
mod work;
