//! Speaking to GitHub: as much of its REST interface as registering runners needs (runner contract, 4.7).
//!
//! The credential goes to one host only, the API host of the configured address, and into one header only: never into
//! an address, a log line or an error. Redirects are not followed. Nothing here reads files, but for the certificates
//! that the system trusts, and nothing here decides what is to be registered or deleted.

mod api;
mod app;
mod base;
mod call;
mod client;
mod explain;
mod https;
mod jit;
mod kind;
mod list;
mod names;
mod proxy;
mod reasons;
mod roots;
mod time;
mod wait;

#[cfg(test)]
mod fake;

pub use api::{Api, Deleted, SETTLING, Source};
pub use app::{App, InstallationToken, installation_token};
pub use base::ApiBase;
pub use call::{Broken, Call, Effect, Method, Response, Surroundings, Transport};
pub use client::{Client, Failure};
pub use https::Https;
pub use jit::{Jit, JitRequest, Made};
pub use kind::CredentialKind;
pub use names::same_name;
