//! What `doctor` promises: it names the fault and the way out, foretells the next start, and changes nothing.
//!
//! The starts that it foretells are made by the built helper on the same directories.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

#[allow(dead_code, reason = "other claims use more of it")]
#[path = "support/host.rs"]
mod host;
#[allow(dead_code, reason = "other claims use more of it")]
#[path = "support/server.rs"]
mod server;

#[path = "doctor/faults.rs"]
mod faults;
#[path = "doctor/practice.rs"]
mod practice;
#[path = "doctor/program.rs"]
mod program;
#[path = "doctor/starts.rs"]
mod starts;
