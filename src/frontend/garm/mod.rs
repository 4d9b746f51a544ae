//! The external provider of GARM for Incus and LXD: instances that become runners.
//!
//! GARM starts one process for each operation and says in the environment ([`environment`]) which; a new instance is described
//! on standard input ([`bootstrap`]). The settings ([`settings`]) and what a pool wants beside ([`extra_specs`]) are those of
//! the Go providers for Incus and LXD, whose configurations and instances are taken over as they are. An instance gets a script
//! ([`script`]) by cloud-init ([`user_data`]), and everything is checked before the server is asked ([`specify`]).
//!
//! All of this is strangers' text: it is read with limits and by its types, and no error repeats a value that can be secret.

mod answer;
mod bootstrap;
pub mod check;
mod environment;
mod extra_specs;
pub mod instances;
mod object;
mod provider;
mod script;
mod secrets;
mod settings;
pub mod setup;
mod specify;
mod template;
mod tools;
mod user_data;

pub use environment::{COMMAND, Code, command};
pub use provider::{End, run};
pub use settings::Settings;
