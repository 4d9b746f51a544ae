//! A fleet of GARM that is declared: passes that bring GARM's endpoints, credentials, repositories, organizations, pools and scale
//! sets in line with a declaration, by GARM's API.
//!
//! A pass ([`pass`]) reads first, decides in memory ([`plan`]) and writes only differences. It deletes nothing: what is not declared
//! is told ([`report`]), and taken away by a command. What it has to know from one time to the next is remembered ([`memory`]): a
//! pool has no name in GARM, and GARM shows no secret. All but passes is pure.
//!
//! GARM's own answers are a stranger's text, and every request to it has a limit of time and size.

mod declaration;
mod figures;
mod material;
mod memory;
pub mod pass;
mod plan;
mod refuse;
mod report;
mod seen;
mod step;
mod wire;

pub use declaration::{Declaration, Provider, Server};
pub use report::{State, Thing};
pub use step::Kind;
