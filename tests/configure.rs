//! What `configure` promises, as claims about the built helper with the stand-in listener.
//!
//! How the listener itself behaves is claimed in `stand_ins`; nothing here looks inside the library.

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

#[path = "configure/desk.rs"]
mod desk;
#[path = "configure/refused.rs"]
mod refused;
#[path = "configure/registers.rs"]
mod registers;
