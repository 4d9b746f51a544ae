//! Runners on demand: a workflow asks for a runner of its own, and gets one machine for one job.
//!
//! An *order* ([`order`]) is one wanted runner: a label and a class ([`label`]), and the proof that came with it. What may
//! become one is decided by [`limits`], what happens to it next by [`plan`], and what has happened is in the [`book`]
//! before it does. Strangers get a [`refusal`] with a sentence.
//!
//! Labels, classes and repositories are strangers' text. They are checked once, where they come in, and go into no script,
//! no command line and no filter.

pub mod label;
pub mod order;
pub mod refusal;
pub mod source;
