//! What proves to GitHub that this host may register a runner, as far as root looks at it, and randomness for digests.
//!
//! No error repeats what a file holds. The key of an App is only found here, never read: that is the broker's business.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::contract::manifest::Manifest;
use crate::model::{SALT_BYTES, Token, TokenDigest, TokenFault, TokenKind};
use crate::sys::{FileFault, LastLink, read_regular_file};

/// How a runner registers.
#[derive(Debug)]
pub enum Credential {
    /// With the token in its file.
    Token(Token, TokenKind),
    /// With the key of a GitHub App.
    App,
}

impl Credential {
    /// Reads what the manifest names.
    ///
    /// # Errors
    ///
    /// Names the file and what is wrong with it.
    pub fn read(manifest: &Manifest) -> Result<Self> {
        if let Some(app) = &manifest.github_app {
            let path = app.private_key_file.as_str();
            let missing = "create it, or order the unit after whatever creates it";
            return match fs::metadata(path) {
                Ok(file) if file.is_file() && file.len() > 0 => Ok(Self::App),
                Ok(_) => bail!("Private key {path} of the GitHub App is empty or no regular file: put the key there"),
                Err(error) => Err(error).with_context(|| format!("Failed to find private key {path}: {missing}")),
            };
        }
        let Some(path) = &manifest.registration.token_file else { bail!("No credential is configured") };
        let token = read_token(path.as_str())?;
        let kind = token.kind(manifest.token_type);
        Ok(Self::Token(token, kind))
    }

    /// The token, unless it is an App.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        match self {
            Self::Token(token, _) => Some(token),
            Self::App => None,
        }
    }

    /// Whether a broker can use it to look, to register and to delete.
    #[must_use]
    pub fn is_of_api(&self) -> bool {
        !matches!(self, Self::Token(_, TokenKind::Registration))
    }

    /// What the ledger keeps of it.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn digest(&self) -> Result<Option<TokenDigest>> {
        self.token().map(|token| Ok(TokenDigest::new(token, salt()?))).transpose()
    }
}

fn read_token(path: &str) -> Result<Token> {
    let fault = |what: &dyn std::fmt::Display| anyhow!("Token file {path} {what}");
    match read_regular_file(Path::new(path), Token::MAX_BYTES as u64 + 1, LastLink::Follow)? {
        Ok(Some(content)) => Token::parse(&content).map_err(|what| fault(&what)),
        Ok(None) => Err(fault(&"does not exist: create it, or order the unit after whatever creates it")),
        Err(FileFault::Size(_)) => Err(fault(&TokenFault::TooLong)),
        Err(what) => Err(fault(&format!("{what}: it should be a regular file that holds the token"))),
    }
}

/// Random bytes for a digest.
///
/// # Errors
///
/// If the system has no randomness.
pub fn salt() -> Result<[u8; SALT_BYTES]> {
    let mut salt = [0; SALT_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut salt))
        .context("Failed to read random bytes")?;
    Ok(salt)
}
