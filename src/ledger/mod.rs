//! What the host knows about its registrations, out of reach of every job.
//!
//! One file per runner in a directory that only root can enter. It holds the configuration that the present
//! registration was made with, a digest of the token (never the token), the runner's id and name on the server,
//! and the registrations that this host gave up without being able to remove them from GitHub. It also says who made the
//! runner: only what is declared, or was, is a pass's to take down.
//!
//! Order of writing, so that every crash is found by looking: what is given up is noted in the old entry first; the new
//! entry, an attempt without a runner, is written beside it before anything is deleted, and takes its place after the
//! old state was purged and before the server is asked or the new secret is staged; the runner is added as soon as the
//! server named it, or by `record` when the listener registered it; a debt is struck out after the server said that it
//! is paid.

mod directory;
mod draft;
mod entry;
mod owner;
mod turn;

pub use directory::Ledger;
pub use draft::Draft;
pub use entry::{Attempt, Debt, Entry, Exit, ExitKind, NameHolder, Registrations, Runner, VERSION};
pub use owner::{Lease, Owner};
