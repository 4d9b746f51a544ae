//! The directories of one runner, which hostile jobs can write: reading, emptying and reaching them.

pub mod logs;
pub mod purge;
mod snapshot;
pub mod start;

pub use snapshot::{
    CREDENTIALS, CREDENTIALS_MIGRATED, Content, DIAGNOSTICS, ENVIRONMENT, KEY, NAME_TAKEN, NIXPKGS_CONFIG,
    NIXPKGS_TOKEN, REGISTRATION_FILES, SETTINGS, SETTINGS_MIGRATED, STAGED_TOKEN, Settings, Snapshot, VERSION_REFUSED,
};
