//! Primitives on directory handles, for directories that hostile processes can change at any time.
//!
//! The rule: open once, check the descriptor, use the descriptor. Below an opened directory only single
//! names are used, no link is followed and no mount is crossed. Nothing here knows what a runner is, and
//! nothing here reads JSON.

mod dir;
mod file;
mod lock;
mod probe;
mod purge;
mod space;
mod staged;
mod walk;

pub use dir::{Dir, Entry};
pub use file::{FileFault, LastLink, read_regular_file};
pub use lock::Lock;
pub use purge::{Purged, empty, empty_but};
pub use space::Space;
pub use staged::Staged;
pub use walk::Place;
