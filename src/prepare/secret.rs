//! The token file, and randomness for its digest.
//!
//! No error repeats what a file holds.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use crate::model::{SALT_BYTES, Token};
use crate::sys::{FileFault, LastLink, read_regular_file};

/// Reads the token file.
///
/// # Errors
///
/// Names the file and what is wrong with it.
pub(super) fn read(path: &str) -> Result<Token> {
    let fault = |what: &dyn std::fmt::Display| anyhow!("Token file {path} {what}");
    match read_regular_file(Path::new(path), Token::MAX_BYTES as u64 + 1, LastLink::Follow)? {
        Ok(Some(content)) => Token::parse(&content).map_err(|what| fault(&what)),
        Ok(None) => Err(fault(&"does not exist: create it, or order the unit after whatever creates it")),
        Err(FileFault::Size(_)) => Err(fault(&crate::model::TokenFault::TooLong)),
        Err(what) => Err(fault(&format!("{what}: it should be a regular file that holds the token"))),
    }
}

/// Random bytes for a digest.
///
/// # Errors
///
/// If the system has no randomness.
pub(super) fn salt() -> Result<[u8; SALT_BYTES]> {
    let mut salt = [0; SALT_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut salt))
        .context("Failed to read random bytes")?;
    Ok(salt)
}
