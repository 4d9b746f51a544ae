//! The stand-ins are right about what they stand in for.
//!
//! Whatever is tested against a stand-in is only as good as it is; so each trap of the
//! runner contract that it claims to reproduce is pinned here. No network but
//! loopback, no account, no privileges.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

#[path = "../ec2/mod.rs"]
mod ec2;
#[path = "../github/mod.rs"]
mod github;
#[path = "../gitlab/mod.rs"]
mod gitlab;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../support/gitlab.rs"]
mod site;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../support/times.rs"]
mod times;
#[path = "../../support/wait.rs"]
mod wait;

mod accounts;
mod apps;
mod client;
mod configure;
mod deliveries;
#[path = "ec2.rs"]
mod ec2_claims;
mod faults;
mod gitlab_runner;
mod grammar;
#[path = "../../support/harness.rs"]
mod harness;
mod jit;
mod remove;
mod rest;
mod run;
mod tls;
mod tokens;
mod workflows;
