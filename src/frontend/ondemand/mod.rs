//! Runners on demand: a workflow asks for a runner of its own, and gets one machine for one job.
//!
//! An *order* ([`order`]) is one wanted runner: a label and a class ([`label`]), and the proof that came with it. What may
//! become one is decided by [`limits`] and [`rate`], what is done about it next by [`plan`], what that makes of it by
//! [`course`], and the [`book`] has it on disk before it happens. Strangers get a [`refusal`] with a sentence. They reach the
//! [`door`] and nothing else, which asks by the [`wire`].
//!
//! Labels, classes and repositories are strangers' text. They are checked once, where they come in, and go into no script,
//! no command line and no filter.

pub mod book;
pub mod breaker;
#[cfg(test)]
mod claims_tests;
pub mod course;
#[cfg(feature = "ctl")]
pub mod desk;
pub mod door;
#[cfg(feature = "ctl")]
pub mod figures;
#[cfg(feature = "ctl")]
pub mod kind;
pub mod label;
pub mod limits;
#[cfg(feature = "ctl")]
pub mod listing;
#[cfg(feature = "ctl")]
pub mod operate;
pub mod order;
#[cfg(feature = "ctl")]
pub mod overview;
pub mod plan;
#[cfg(feature = "ctl")]
pub mod proof;
pub mod rate;
pub mod reason;
pub mod refusal;
#[cfg(feature = "ctl")]
pub mod settings;
pub mod source;
pub mod strays;
pub mod wire;
