//! The broker of a cloud keeps its promises, as the real program against an EC2 of the test's own.
//!
//! It reaches that one over plain HTTP, which a manifest allows for loopback alone. No account, no network besides, no privileges.
//! Whatever is asked, the harness makes sure that no secret shows up in an answer or in the journal, that the broker counts its
//! requests rightly, and that it filters instances by its own tag alone.

mod answers;
mod candidates;
mod check;
mod ends;
mod harness;
mod life;
mod lists;
mod questions;
mod role;
mod secrets;
