//! What systemd gives the broker: the API credential and a copy of the ledger entry.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::contract::manifest::Manifest;
use crate::contract::names;
use crate::contract::protocol::Secret;
use crate::ledger::Entry;
use crate::model::{GithubApp, Token, TokenKind, TokenPath, shown};
use crate::units::drop_ins::{REMEDY, drop_ins, places, reset_by};

/// A key has a few kilobytes, a ledger entry not many more.
const MAX_BYTES: u64 = 1 << 20;

/// The names of what systemd gives; see `nixos/units/broker.nix`.
const CREDENTIAL: &str = "credential";
const LEDGER: &str = "ledger";
/// Of a file that is always there, so that it tells whether systemd was asked for files at all.
const GIVEN: &str = "given";
/// What the unit has in the place of a file that is not there.
const NO_FILE: &[u8] = b"no file\n";

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
        let (option, path) = match &manifest.github_app {
            Some(app) => ("githubApp.privateKeyFile", Some(&app.private_key_file)),
            None => ("tokenFile", manifest.registration.token_file.as_ref()),
        };
        match given(CREDENTIAL, manifest)? {
            Some(content) => Self::parse(content, manifest),
            None => Err(format!(
                "{} does not exist, which is the file of `{option}`: create it, or see why it was removed.",
                path.map_or("The file", TokenPath::as_str)
            )),
        }
    }

    fn parse(content: Vec<u8>, manifest: &Manifest) -> Result<Self, String> {
        if let Some(app) = &manifest.github_app {
            if content.trim_ascii().is_empty() {
                return Err("The file of `githubApp.privateKeyFile` is empty: put the key of the App there.".into());
            }
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

/// Reads the ledger entry. A blank one, as a power cut can leave it, is none.
///
/// # Errors
///
/// One sentence. An entry that cannot be read, or that nobody gave, is not an absent one.
pub fn ledger(manifest: &Manifest) -> Result<Option<Entry>, String> {
    given(LEDGER, manifest)?.map_or(Ok(None), |content| parse_ledger(&content, manifest))
}

fn parse_ledger(content: &[u8], manifest: &Manifest) -> Result<Option<Entry>, String> {
    if Entry::is_blank(content) {
        return Ok(None);
    }
    Entry::parse(content, &manifest.instance)
        .map(Some)
        .map_err(|error| format!("The ledger entry of the runner cannot be read: {error:#}."))
}

/// What systemd gave under a name; `None` if the unit asks for it and the file is not there.
///
/// # Errors
///
/// One sentence: systemd gave nothing, and who told it so, as far as that can be seen.
fn given(name: &str, manifest: &Manifest) -> Result<Option<Vec<u8>>, String> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    let unit = names::broker(&manifest.instance, "");
    let nothing = || not_given(name, reset_by(&drop_ins(&places(), &unit), "LoadCredential").as_deref());
    let Some(directory) = directory.map(PathBuf::from) else { return Err(nothing()) };
    match read(&directory, name)? {
        Some(content) if content != NO_FILE => Ok(Some(content)),
        // The unit has something to say for a missing file, also if it asks for no file at all.
        Some(_) if read(&directory, GIVEN)?.is_some() => Ok(None),
        _ => Err(nothing()),
    }
}

/// Why systemd gave nothing, and the way out; `culprit` is the drop-in that took it away.
fn not_given(name: &str, culprit: Option<&Path>) -> String {
    let what = if name == LEDGER { "ledger entry" } else { "credential" };
    let Some(culprit) = culprit else {
        return format!(
            "systemd gave the broker no {what}: start it by its socket, with `LoadCredential=` as this module sets it."
        );
    };
    format!(
        "systemd gave the broker no {what}, because `LoadCredential=` is reset by {}: {REMEDY}.",
        shown(&culprit.to_string_lossy())
    )
}

fn read(directory: &Path, name: &str) -> Result<Option<Vec<u8>>, String> {
    let fault = |error: std::io::Error| format!("The broker cannot read its credential `{name}`: {error}.");
    let file = match File::open(directory.join(name)) {
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
    fn who_took_a_credential_away_is_named() {
        assert!(not_given(CREDENTIAL, None).contains("gave the broker no credential: start it by its socket"));
        let said = not_given(LEDGER, Some(Path::new("/run/systemd/system/service.d/zzz-container.conf")));
        assert!(said.contains("no ledger entry, because `LoadCredential=` is reset by"), "{said}");
        assert!(said.contains("zzz-container.conf"), "{said}");
    }

    #[test]
    fn an_empty_key_is_called_empty() {
        let mut manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        manifest.github_app = serde_json::from_value(serde_json::json!({
            "id": "Iv1.0000", "login": null, "privateKeyFile": "/run/secrets/k", "installationId": null
        }))
        .unwrap();
        for content in ["", "\n"] {
            assert!(Credential::parse(content.into(), &manifest).unwrap_err().contains("privateKeyFile` is empty"));
        }
    }

    #[test]
    fn a_blank_ledger_is_none_and_a_broken_one_a_fault() {
        let manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        for blank in ["", "\n", "\0\0\0"] {
            assert_eq!(parse_ledger(blank.as_bytes(), &manifest).unwrap(), None);
        }
        assert!(parse_ledger(include_bytes!("../../tests/fixtures/ledger-v3.json"), &manifest).unwrap().is_some());
        assert!(parse_ledger(b"{", &manifest).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn the_unit_gives_files_by_the_same_names() {
        let contract: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/contract.json")).unwrap();
        let here = serde_json::json!({
            "credential": CREDENTIAL, "ledger": LEDGER, "given": GIVEN,
            "noFile": std::str::from_utf8(NO_FILE).unwrap(),
        });
        assert_eq!(contract["credentials"], here);
    }
}
