//! Claims about machines of systemd-nspawn: real ones, made by the built program, without systemd as the first process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with the reason")]

mod ends;
mod figures;
mod given;
mod host;
mod hostile;
mod kills;
mod limits;
mod network;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/nspawn.rs"]
mod nspawn;
#[cfg(feature = "ctl")]
mod orders;
mod reboot;
mod stages;
mod systemd;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../support/times.rs"]
mod times;
#[path = "../support/wait.rs"]
mod wait;
mod work;
