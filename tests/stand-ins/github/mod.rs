//! A GitHub for tests: as much of its REST interface as registering a runner, and seeing who wants one, needs.
//!
//! It exists so that tests, the example and the demonstration can run whole
//! registrations without network or account, see every request, and make GitHub fail
//! on purpose. It keeps its state in memory, checks credentials as GitHub does, and
//! answers with GitHub's texts (runner contract, sections 4.2, 4.3 and 4.7). Clients that
//! know no other address than `https://api.github.com` reach it by TLS and a proxy.
//!
//! It must never be part of a shipped package, never call out, and never keep a
//! credential that it saw: records hold digests.
//!
//! Embed it in a test or an example with
//! `#[path = "../tests/stand-ins/github/mod.rs"] mod github;` and [`start`].

#![allow(dead_code, reason = "every program that embeds the stand-in uses another part")]
#![allow(unused_imports, reason = "every program that embeds the stand-in uses another part")]

mod access;
mod accounts;
mod answer;
mod app;
mod apps;
mod auth;
mod control;
mod delivery;
mod faults;
mod issuer;
mod jit;
mod jwt;
mod labels;
mod paging;
mod pat;
mod proxy;
mod record;
mod register;
mod routes;
mod runner;
mod runners;
mod server;
mod service;
#[allow(clippy::duplicate_mod, reason = "a program may embed both stand-ins, each complete by itself")]
#[path = "../shared.rs"]
mod shared;
mod state;
mod tls;
mod workflows;

pub use app::{App, Installation, InstallationToken, Permissions};
pub use faults::{Delivery, Fault};
pub use issuer::{KEY_ID, id_token, keys as issuer_keys};
pub use jit::JitChanges;
pub use pat::Pat;
pub use record::{Authorization, Record};
pub use runner::{Group, Label, Runner};
pub use server::{Config, GitHub, replace, start};
pub use state::{State, Token, TokenKind};
pub use tls::{Identity, Odd, Tls};
pub use workflows::{Artifact, Job, Run};

/// PEM of the key of an App of the tests; nothing else was ever protected by it.
pub const APP_KEY: &str = include_str!("app-key.pem");
/// PEM of its public half, for [`App::public_key`].
pub const APP_PUBLIC_KEY: &str = include_str!("app-public-key.pem");
