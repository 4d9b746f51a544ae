//! Speaking to GitHub: as much of its REST interface as registering runners, and seeing who wants one, needs (runner
//! contract, 4.7).
//!
//! The credential goes to one host only, the API host of the configured address, and into one header only: never into
//! an address, a log line or an error. Nothing here reads files, and nothing here decides what is to be registered or
//! deleted.

mod api;
mod app;
mod audience;
mod base;
mod client;
mod explain;
mod jit;
mod keys;
mod kind;
mod list;
mod names;
mod reasons;
mod wait;
mod workflows;

#[cfg(test)]
mod fake;

pub use api::{Api, Deletion, SETTLING, Source};
pub use app::{App, InstallationToken, Purpose, installation_token};
pub use base::{ApiBase, GITHUB, ISSUER};
pub use client::{Client, Failure};
pub use jit::{Creation, Jit, JitRequest};
pub use keys::signing_keys;
pub use kind::CredentialKind;
pub use names::same_name;
