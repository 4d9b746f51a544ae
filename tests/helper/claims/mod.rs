//! What the README promises of the helper, as claims about the built program.
//!
//! Nothing here looks inside the library: a claim is about a command line, files and what is said.

mod attempt;
mod clear;
mod connections;
mod debts;
mod hostile;
pub mod keeping;
mod logs;
mod lost;
mod manifest;
mod order;
pub mod place;
mod purge;
mod recovery;
mod register;
mod room;
mod secrecy;
mod settle;
mod sighted;
mod start;
mod stop;
mod token;
mod volume;
mod work;
