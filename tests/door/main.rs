//! The door: claims about the built program and about its limits, with a desk of the test behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

mod bytes;
mod figures;
mod host;
mod life;
mod limits;
mod proxy;
mod request;
mod step;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;
