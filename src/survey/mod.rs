//! Looking at a host: what is declared, what runs, what the ledger remembers, and what the server lists.
//!
//! Passes, `status` and `doctor` all read it here. Must not decide, and changes nothing but what passes remember.

pub mod counted;
mod gather;
pub mod lists;
mod memory;
mod places;
pub mod releases;
mod runner;
#[cfg(test)]
pub(crate) mod sample;
mod situation;
pub mod transient;

pub use gather::{Host, gather, one};
pub use memory::{Absence, Memory, Recall, Standing};
pub use places::{Places, memory_directory, open_ledger, read_fleet, read_memory};
pub use runner::{Configuration, HostRunner};
pub use situation::{Intent, Knowledge, Server, Situation};
