//! Primitives on directory handles, for directories that hostile processes can change at any time.
//!
//! The rule: open once, check the descriptor, use the descriptor. Below an opened directory only single
//! names are used, no link is followed and no mount is crossed. Nothing here knows what a runner is, and
//! nothing here reads JSON.

mod cgroup;
mod dir;
mod file;
mod lock;
mod purge;
mod space;
mod staged;
mod volume;
mod walk;

pub use cgroup::ControlGroup;
pub use dir::{Dir, Entry};
pub use file::{FileFault, LastLink, read_regular_file};
pub use lock::Lock;
pub use purge::{Purged, empty};
pub use space::Space;
pub use staged::Staged;
pub use volume::{Mounted, Volume, memory, on_host};
pub use walk::Place;
