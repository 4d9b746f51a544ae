//! A GitHub for tests: as much of its REST interface as registering a runner needs.
//!
//! It exists so that tests, the example and the demonstration can run whole
//! registrations without network or account, see every request, and make GitHub fail
//! on purpose. It keeps its state in memory, checks credentials as GitHub does, and
//! answers with GitHub's texts (runner contract, sections 4.2, 4.3 and 4.7).
//!
//! It must never be part of a shipped package, never call out, and never keep a
//! credential that it saw: records hold digests.
//!
//! Embed it in a test or an example with
//! `#[path = "../tests/stand-ins/github/mod.rs"] mod github;` and [`start`].

#![allow(dead_code, reason = "every program that embeds the stand-in uses another part")]
#![allow(unused_imports, reason = "every program that embeds the stand-in uses another part")]

mod answer;
mod auth;
mod control;
mod faults;
mod record;
mod routes;
mod server;
#[allow(clippy::duplicate_mod, reason = "a program may embed both stand-ins, each complete by itself")]
#[path = "../shared.rs"]
mod shared;
mod state;

pub use faults::Fault;
pub use record::{Authorization, Record};
pub use server::{Config, GitHub, replace, start};
pub use state::{Group, Label, Runner, State, Token, TokenKind};
