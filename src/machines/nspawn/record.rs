//! What a job's directory says about its machine, for whoever comes later: `record.json`.
//!
//! Written by root before anything else of the machine exists, and never changed. Jobs never see it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::sys::{LastLink, read_regular_file};

/// Its name in the job's directory.
pub const FILE: &str = "record.json";

/// It has a few hundred bytes.
const MAX_SIZE: u64 = 16 * 1024;

/// One machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The image's name.
    pub image: String,
    /// When it was asked for, in seconds since 1970.
    pub made: u64,
    /// The control group of its unit, below the hierarchy of cgroups(7) version 2: `/gitlab.slice/gitlab-nspawn@1.service`.
    pub group: String,
    /// The name of the cache that it may write.
    pub cache: Option<String>,
}

impl Record {
    /// Reads the one in `directory`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(FILE);
        match read_regular_file(&path, MAX_SIZE, LastLink::Refuse)? {
            Ok(None) => Ok(None),
            Ok(Some(text)) => {
                serde_json::from_slice(&text).map(Some).with_context(|| format!("Failed to read {}", path.display()))
            }
            Err(fault) => bail!("Failed to read {}: it {fault}", path.display()),
        }
    }
}
