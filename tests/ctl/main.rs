//! What is claimed about `github-runnerctl`: brokers, passes, status, doctor, and its documents.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

#[path = "../stand-ins/ec2/mod.rs"]
mod ec2;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/broker.rs"]
mod fake_broker;
#[path = "../support/units.rs"]
mod fake_units;
#[path = "../stand-ins/garm/mod.rs"]
mod garm;
#[path = "../stand-ins/github/mod.rs"]
mod github;
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

mod broker;
mod cloud;
mod contract;
mod doctor;
mod documents;
mod fleets;
mod garm_fleet;
mod jobs;
mod lifecycle;
mod ondemand;
mod passes;
mod status;
