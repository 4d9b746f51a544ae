//! The steps that run as the service user, inside the sandbox of the unit.
//!
//! They may start the listener and must not need root.

pub mod configure;
mod output;
mod process;
