//! GitLab's jobs in machines of their own: claims about the driver, and about jobs from the coordinator to the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

mod calls;
mod driver;
#[path = "../stand-ins/gitlab/mod.rs"]
mod gitlab;
mod host;
mod jobs;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/nspawn.rs"]
mod nspawn;
mod outcomes;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/gitlab.rs"]
mod site;
mod supervisor;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;

/// The program under test.
fn driver() -> &'static str {
    calls::DRIVER
}

/// Whether machines can be made. Says so if not, because the test then proves less.
fn is_root() -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        eprintln!("not root: no machine was made");
    }
    root
}
