//! The part that strangers reach: HTTP on a Unix socket behind the proxy of the host.
//!
//! It has no secret, no file, no network and no right but to ask the desk ([`super::wire`]). Bytes become a request ([`http`]), a
//! request becomes a question or a refusal ([`route`], [`errand`], in the words of [`rest`] or of rr's Lambda, [`compatible`]), and an
//! answer becomes bytes again ([`reply`]). Only [`serve`] and [`ask`] touch sockets. It decides nothing: what was understood
//! goes to the desk as it was said, and what was not gets a sentence.

pub mod ask;
pub mod compatible;
pub mod errand;
pub mod http;
pub mod places;
pub mod reply;
pub mod rest;
pub mod route;
pub mod serve;
