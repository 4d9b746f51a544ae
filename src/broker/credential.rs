//! What systemd gives the broker: the API credential and a copy of the ledger entry.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;

use crate::ledger::Ledger;
use crate::manifest::Manifest;
use crate::model::{GithubApp, Token, TokenKind};
use crate::protocol::Secret;

/// A key has a few kilobytes, a ledger entry not many more.
const MAX_BYTES: u64 = 1 << 20;

/// What GitHub is asked with.
#[derive(Debug)]
pub enum Credential {
    /// An access token.
    Token(Token),
    /// An App and its private key.
    App(GithubApp, Secret),
}

impl Credential {
    /// Reads the one that the manifest tells of.
    ///
    /// # Errors
    ///
    /// One sentence: it is missing, or is nothing that GitHub's API would take.
    pub fn read(manifest: &Manifest) -> Result<Self, String> {
        let content = read("credential")?.ok_or("The broker got no credential: its unit needs LoadCredential=.")?;
        Self::parse(content, manifest)
    }

    fn parse(content: Vec<u8>, manifest: &Manifest) -> Result<Self, String> {
        if let Some(app) = &manifest.github_app {
            let key = String::from_utf8(content).map_err(|_| "The file of `githubApp.privateKeyFile` is not text.")?;
            return Ok(Self::App(app.clone(), Secret::new(key)));
        }
        let token = Token::parse(&content).map_err(|fault| format!("The file of `tokenFile` {fault}."))?;
        match token.kind(manifest.token_type) {
            TokenKind::Access => Ok(Self::Token(token)),
            TokenKind::Registration => Err(
                "The file of `tokenFile` holds a registration token, with which nothing can be looked up or deleted: put an access token there, or set `tokenType` if it is one.".into(),
            ),
        }
    }
}

/// Reads the ledger entry; a blank one, which its unit puts in the place of one that is missing, is none.
///
/// # Errors
///
/// One sentence. An entry that cannot be read is not an absent one.
pub fn ledger(manifest: &Manifest) -> Result<Option<Ledger>, String> {
    read("ledger")?.map_or(Ok(None), |content| parse_ledger(&content, manifest))
}

fn parse_ledger(content: &[u8], manifest: &Manifest) -> Result<Option<Ledger>, String> {
    if content.trim_ascii().is_empty() {
        return Ok(None);
    }
    Ledger::parse(content, &manifest.instance)
        .map(Some)
        .map_err(|error| format!("The ledger entry of the runner cannot be read: {error:#}."))
}

fn read(name: &str) -> Result<Option<Vec<u8>>, String> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    let directory = directory.ok_or("The broker has no CREDENTIALS_DIRECTORY: start it by its socket.")?;
    let fault = |error: std::io::Error| format!("The broker cannot read its credential `{name}`: {error}.");
    let file = match File::open(PathBuf::from(directory).join(name)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(fault)?,
    };
    let mut content = Vec::new();
    let size = file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(fault)?;
    if size as u64 > MAX_BYTES {
        return Err(format!("The broker's credential `{name}` is larger than {MAX_BYTES} bytes."));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_of_the_api_are_taken() {
        let manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        let parse = |content: &[u8]| Credential::parse(content.to_vec(), &manifest);
        assert!(matches!(parse(b"ghp_fake\n"), Ok(Credential::Token(_))));
        for (content, part) in [
            (&b"AFAKETOKENAFAKETOKENAFAKETOKE"[..], "holds a registration token"),
            (b"ghr_fake", "refresh token"),
            (b"", "is empty"),
            (b"-----BEGIN RSA PRIVATE KEY-----\n", "private key"),
        ] {
            assert!(parse(content).unwrap_err().contains(part), "{part}");
        }
    }

    #[test]
    fn a_blank_ledger_is_none_and_a_broken_one_a_fault() {
        let manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        // The second one is what the unit puts in the place of a file that is missing.
        for blank in ["", "\n"] {
            assert_eq!(parse_ledger(blank.as_bytes(), &manifest).unwrap(), None);
        }
        assert!(parse_ledger(include_bytes!("../../tests/fixtures/ledger-v2.json"), &manifest).unwrap().is_some());
        assert!(parse_ledger(b"{", &manifest).unwrap_err().contains("cannot be read"));
    }
}
