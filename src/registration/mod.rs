//! The life of a registration: deciding about it, asking for it, taking it back.

pub mod ask;
pub mod attempt;
pub mod credential;
mod dependence;
pub mod jit;
pub mod pace;
pub mod paced;
pub mod plan;
pub mod retire;
pub mod secrecy;
pub mod sighted;
pub mod started;
