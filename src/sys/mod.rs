//! Primitives on directory handles, for directories that hostile processes can change at any time.
//!
//! The rule: open once, check the descriptor, use the descriptor. Below an opened directory only single
//! names are used, no link is followed and no mount is crossed. Nothing here knows what a runner is, and
//! nothing here reads JSON.

mod acl;
mod cgroup;
mod dir;
mod file;
mod lock;
mod own;
mod posted;
mod probe;
mod purge;
mod shelf;
mod space;
mod staged;
mod volume;
mod walk;
mod walks;
mod way;

pub use acl::{AccessList, PASS, Person, READ, Rights, WRITE};
pub use cgroup::ControlGroup;
pub use dir::{Dir, EntryKind, NOBODY};
pub use file::{FileFault, LastLink, read_if_there, read_regular_file};
pub use lock::Lock;
pub use own::Attributes;
pub use posted::post;
pub use purge::{Purged, empty, empty_but};
pub use shelf::Listed;
pub use space::Space;
pub use staged::Staged;
pub use volume::{MountState, Volume, memory, on_host};
pub use walk::Place;
pub use walks::Walks;
pub use way::{Stop, way};
