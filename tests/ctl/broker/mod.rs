//! The broker keeps its promises, as the real program against a GitHub of the test's own.
//!
//! It reaches that one as it would reach the real one: through a proxy, by TLS, as `https://api.github.com`. No network
//! but loopback, no account, no privileges. Whatever is asked, the harness makes sure that no credential shows up in an
//! address, in the journal or in an answer.

mod apps;
mod asking;
mod audience;
mod connection;
mod deliveries;
mod figures;
mod given;
pub mod harness;
mod issue;
mod limits;
mod list;
mod look;
mod refusals;
mod retire;
mod scale;
mod sharing;
mod sharing_faults;
mod ways;
mod workflows;
