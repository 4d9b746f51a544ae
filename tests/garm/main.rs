//! The provider for GARM: claims about the built program, called as GARM calls it, with a stand-in for Incus and LXD.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

mod answers;
mod calls;
mod figures;
mod install;
mod kills;
mod people;
mod refusals;
#[path = "../stand-ins/incus/mod.rs"]
mod stand_in;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;
