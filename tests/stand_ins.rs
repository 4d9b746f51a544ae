//! The stand-ins are right about what they stand in for.
//!
//! Whatever is tested against a stand-in is only as good as it is; so each trap of the
//! runner contract that it claims to reproduce is pinned here. No network but
//! loopback, no account, no privileges.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

#[path = "stand-ins/github/mod.rs"]
mod github;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/times.rs"]
mod times;

#[path = "stand-ins/tests/accounts.rs"]
mod accounts;
#[path = "stand-ins/tests/apps.rs"]
mod apps;
#[path = "stand-ins/tests/client.rs"]
mod client;
#[path = "stand-ins/tests/configure.rs"]
mod configure;
#[path = "stand-ins/tests/deliveries.rs"]
mod deliveries;
#[path = "stand-ins/tests/faults.rs"]
mod faults;
#[path = "stand-ins/tests/grammar.rs"]
mod grammar;
#[path = "support/harness.rs"]
mod harness;
#[path = "stand-ins/tests/jit.rs"]
mod jit;
#[path = "stand-ins/tests/remove.rs"]
mod remove;
#[path = "stand-ins/tests/rest.rs"]
mod rest;
#[path = "stand-ins/tests/run.rs"]
mod run;
#[path = "stand-ins/tests/tls.rs"]
mod tls;
#[path = "stand-ins/tests/tokens.rs"]
mod tokens;
