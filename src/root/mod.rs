//! The steps of a unit that run as root, outside of its sandbox. They open no connection but to the broker of their runner,
//! and start no process but for one: `settle::unit` asks systemd to keep its unit down.

#[cfg(feature = "helper")]
pub mod clear;
mod enclose;
pub mod leftovers;
#[cfg(feature = "helper")]
mod link;
#[cfg(feature = "helper")]
pub mod place;
pub mod prepare;
#[cfg(feature = "helper")]
pub mod record;
#[cfg(feature = "helper")]
pub mod release;
#[cfg(feature = "helper")]
pub mod settle;
pub mod stop;
