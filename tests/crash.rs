//! Whenever the helper dies, the next start puts things right.
//!
//! Each system call of `prepare` and `record` that changes something is a place to die at, and so is each point
//! of the listener's own work. Nothing here is about what a good start does; that is in `claims`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

#[path = "stand-ins/github/mod.rs"]
mod github;
#[allow(dead_code, reason = "the stand-ins' own tests use more of it")]
#[path = "support/harness.rs"]
mod harness;
#[allow(dead_code, reason = "other claims use more of it")]
#[path = "support/host.rs"]
mod host;
#[allow(dead_code, reason = "other claims use more of it")]
#[path = "support/server.rs"]
mod server;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/times.rs"]
mod times;

#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/listener.rs"]
mod listener;
#[path = "crash/orphans.rs"]
mod orphans;
#[path = "crash/refused.rs"]
mod refused;
#[path = "crash/steps.rs"]
mod steps;
