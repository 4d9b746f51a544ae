//! Instances of EC2, as far as runners need them: made, listed, closed, ended.
//!
//! The interface is a few forms over HTTP with a signature, and answers of XML. Every name that EC2 gives stays here; whoever asks goes
//! by the token that it made. Nothing here decides which instance is wanted, or remembers one.

mod answer;
mod ask;
mod credential;
#[cfg(test)]
mod fake;
mod form;
mod image;
mod instances;
mod limits;
mod metadata;
mod refusal;
mod run;
mod sign;

pub use ask::{Asker, Service, Way};
pub use credential::Credential;
pub use form::Form;
pub use image::{Wanted, find as find_image};
pub use instances::{console, end, list, seal};
pub use limits::{Subnet, Type, quota, subnets, types};
pub use metadata::role;
pub use run::{MOST_USER_DATA, Shape, is_made, might_run, run};
pub use sign::Scope;
