//! An EC2 for tests: as much of its query interface as starting, watching and ending one machine at a time needs.
//!
//! It keeps what it knows in memory, checks signatures as AWS does, is strict about parameters, and fails on purpose: rules refuse
//! requests, lose answers, or take instances away again. It also serves the metadata of instances and the credential of a host, and
//! one quota of Service Quotas. The program `stand-in-ec2` boots instances as machines of systemd-nspawn besides.
//!
//! It must never be part of a shipped package, never call out, and use nothing of the code under test: what is wrong with a client's
//! signature or form has to show here.
//!
//! Embed it in a test with `#[path = "../stand-ins/ec2/mod.rs"] mod ec2;` and [`start`].

#![allow(dead_code, unused_imports, reason = "each program that embeds the stand-in uses another part")]

mod api;
mod auth;
mod catalog;
mod change;
mod control;
mod describe;
mod filters;
mod form;
mod http;
mod instance;
mod life;
mod listen;
mod metadata;
mod quotas;
mod refusal;
mod rules;
mod run;
mod server;
#[allow(clippy::duplicate_mod, reason = "a program may embed several stand-ins, each complete by itself")]
#[path = "../shared.rs"]
mod shared;
mod sign;
mod state;
mod wanted;
mod world;
mod xml;

pub use control::Settings;
pub use instance::{Condition, Instance, MetadataOptions};
pub use listen::{Door, Tls};
pub use rules::{Rule, Then};
pub use server::{Config, Ec2, start};
pub use shared::{Utc, unix_now};
pub use sign::Signer;
pub use state::{After, Entry, Event, HostRole, Key, State};
pub use world::{GROUP, IMAGE, IMAGE_ARM, REGION, ROOT_DEVICE, SUBNET_A, SUBNET_B, SUBNET_C};

/// The access key that is accepted if nothing else is said; it is AWS's own example.
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// Its secret, AWS's example as well.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The version of the interface.
pub const VERSION: &str = "2016-11-15";
