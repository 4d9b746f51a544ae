//! Texts that one program writes and another reads, each with a version. Nothing here touches the system.

#[cfg(feature = "ctl")]
pub mod audience;
#[cfg(feature = "ctl")]
pub mod cloud;
#[cfg(feature = "ctl")]
pub mod fleet;
pub mod manifest;
pub mod names;
#[cfg(feature = "ctl")]
pub mod openmetrics;
pub mod protocol;
pub mod sighting;
pub mod workflow;
