//! Requests over TLS to one host, as GitHub's interface needs them and every other server's would.
//!
//! The credential goes into one header only: never into an address, a log line or an error. Redirects are not followed,
//! answers are capped. Nothing here reads files, but for the certificates that the system trusts, and nothing here repeats
//! a request: that is for whoever knows what it does at the server.

mod call;
mod https;
mod proxy;
mod roots;
pub mod time;

pub use call::{Broken, Call, Effect, Method, Response, Surroundings, Transport};
pub use https::{Https, Service};
