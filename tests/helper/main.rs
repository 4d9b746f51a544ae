//! What is claimed about `github-runner-helper`, and about the source that it is built from.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

#[path = "../support/beside.rs"]
mod beside;
#[path = "../stand-ins/github/mod.rs"]
mod github;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/harness.rs"]
mod harness;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/host.rs"]
mod host;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/server.rs"]
mod server;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;

mod architecture;
mod claims;
mod configure;
mod crash;
