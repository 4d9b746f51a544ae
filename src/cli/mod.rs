//! The command lines of the programs, and how they speak to the journal.

#[cfg(feature = "ctl")]
pub mod ctl;
#[cfg(feature = "on-demand")]
pub mod door;
#[cfg(feature = "garm")]
pub mod garm;
#[cfg(feature = "gitlab")]
pub mod gitlab;
#[cfg(feature = "helper")]
pub mod helper;
pub mod journal;
#[cfg(feature = "gitlab")]
mod machines;
