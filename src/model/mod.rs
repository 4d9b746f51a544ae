//! Values that were checked once and can be relied on afterwards.
//!
//! Everything here is pure: no file system, no process, no clock, no environment. Whoever holds one of
//! these values need not check it again.

mod app;
mod date;
mod id;
mod memory;
mod places;
mod registration;
mod releases;
mod repository;
mod shown;
mod token;
mod url;
mod version;

pub use app::GithubApp;
pub use date::{date, date_and_time, span};
pub use id::id;
pub use memory::MemorySize;
pub use places::WorkDirMode;
pub(crate) use places::{
    closed_directories, is_general_directory, runner_directories, runtime_directories, system_directory_in,
};
pub use registration::{
    Change, InstanceName, Label, Registration, RunnerGroup, RunnerName, TokenPath, TokenType, WorkDir, changes,
};
pub use releases::{Behind, Releases, Standing};
pub use repository::Repository;
pub use shown::{is_obeyed, plain, shown};
pub use token::{SALT_BYTES, Token, TokenDigest, TokenFault, TokenKind, hex};
pub use url::{RegistrationUrl, Scope};
pub use version::{numbers, package_version};
