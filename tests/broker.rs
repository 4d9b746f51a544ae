//! The broker keeps its promises, as the real program against a GitHub of the test's own.
//!
//! It reaches that one as it would reach the real one: through a proxy, by TLS, as `https://api.github.com`. No network
//! but loopback, no account, no privileges. Whatever is asked, the harness makes sure that no credential shows up in an
//! address, in the journal or in an answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

#[path = "stand-ins/github/mod.rs"]
mod github;

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/times.rs"]
mod times;

#[path = "broker/apps.rs"]
mod apps;
#[path = "broker/asking.rs"]
mod asking;
#[path = "broker/deliveries.rs"]
mod deliveries;
#[path = "broker/figures.rs"]
mod figures;
#[path = "broker/given.rs"]
mod given;
#[path = "broker/harness.rs"]
mod harness;
#[path = "broker/issue.rs"]
mod issue;
#[path = "broker/limits.rs"]
mod limits;
#[path = "broker/list.rs"]
mod list;
#[path = "broker/look.rs"]
mod look;
#[path = "broker/refusals.rs"]
mod refusals;
#[path = "broker/retire.rs"]
mod retire;
#[path = "broker/scale.rs"]
mod scale;
#[path = "broker/sharing.rs"]
mod sharing;
#[path = "broker/sharing_faults.rs"]
mod sharing_faults;
#[path = "broker/ways.rs"]
mod ways;
