//! Whenever the helper dies, the next start puts things right.
//!
//! Each system call of `prepare` and `record` that changes something is a place to die at, and so is each point
//! of the listener's own work. Nothing here is about what a good start does; that is in `claims`.

mod kills;
mod listener;
mod orphans;
mod placed;
mod refused;
mod steps;
