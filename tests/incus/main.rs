//! Instances of Incus and LXD: the same claims against the stand-ins, and against the real servers on a booted host.
//!
//! `tests/machine/garm` makes such a host, and names its socket; without one the stand-ins are asked.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

mod downloads;
mod host;
mod instances;
#[cfg(feature = "ctl")]
mod orders;
mod others;
#[path = "../stand-ins/incus/mod.rs"]
mod stand_in;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;
