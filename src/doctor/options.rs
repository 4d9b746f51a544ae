//! What `doctor` was asked for, and where it looks.

use std::path::Path;

use crate::survey::Places;

/// What was asked for, and where things are.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The fleet file.
    pub fleet: &'a Path,
    /// The only runner to look at; all of them if there is none.
    pub instance: Option<&'a str>,
    /// Whether to say what the next start would do, in place of all checks.
    pub start_check: bool,
    /// The directories of runners.
    pub places: &'a Places,
    /// Where Nix is, if it is on this host.
    pub nix: &'a Path,
    /// How it is configured.
    pub nix_conf: &'a Path,
    /// The settings of runners on demand.
    pub on_demand: &'a Path,
    /// The settings of machines of systemd-nspawn.
    pub machines: &'a Path,
}
