//! The steps of a unit that run as root, outside of its sandbox. They start no process and open no connection but to the
//! broker of their runner.

pub mod leftovers;
#[cfg(feature = "helper")]
mod link;
pub mod prepare;
#[cfg(feature = "helper")]
pub mod record;
#[cfg(feature = "helper")]
pub mod release;
#[cfg(feature = "helper")]
pub mod settle;
pub mod stop;
