//! Reads what stands in files: secrets and certificates.
//!
//! What cannot be read is told with its thing and keeps nothing else from being done. No error repeats what a file holds.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::contract::protocol::Secret;
use crate::frontend::fleet::declaration::{Credentials, Declaration};
use crate::frontend::fleet::material::{Material, Proof};
use crate::model::Token;
use crate::sys::{LastLink, read_regular_file};

/// The largest file; a bundle of all authorities of the world is a fifth of it.
const LARGEST: u64 = 1 << 20;

/// Reads all files.
#[must_use]
pub fn material(declared: &Declaration) -> Material {
    let told = |error: anyhow::Error| format!("{error:#}");
    let credentials = declared.credentials.iter();
    let credentials = credentials.map(|(name, declared)| (name.clone(), proof(declared).map_err(told))).collect();
    let entities = declared.repositories.iter().chain(&declared.organizations);
    let webhook = |path: &Path| line(path).map(Proof::webhook);
    let webhooks =
        entities.map(|(name, entity)| (name.clone(), webhook(&entity.webhook_secret_file).map_err(told))).collect();
    let endpoints = declared.endpoints.iter();
    let files = endpoints.filter_map(|(name, endpoint)| Some((name, endpoint.ca_certificate_file.as_ref()?)));
    let certificates = files.map(|(name, path)| (name.clone(), bundle(path).map_err(told))).collect();
    Material { credentials, webhooks, certificates }
}

fn proof(declared: &Credentials) -> Result<Proof> {
    if let Some(token) = &declared.token {
        let content = content(&token.file)?;
        let parsed = Token::parse(&content).with_context(|| format!("{} is no token", token.file.display()))?;
        return Ok(Proof::token(Secret::new(parsed.expose().into())));
    }
    let app = declared.app.as_ref().context("There is neither a token nor an app")?;
    let path = app.key_file.display();
    let text = String::from_utf8(content(&app.key_file)?).ok().with_context(|| format!("{path} is no text"))?;
    // GARM says nothing but "Server error" to another one.
    if !text.contains("-----BEGIN RSA PRIVATE KEY-----") {
        bail!("{path} has no RSA key of PKCS #1, as GARM needs it: write it anew with `openssl rsa -traditional`");
    }
    Ok(Proof::app(app.id, app.installation, Secret::new(text)))
}

/// The single line of a file.
///
/// # Errors
///
/// If it cannot be read, or holds something else.
pub fn line(path: &Path) -> Result<Secret> {
    let content = content(path)?;
    let text = str::from_utf8(&content).ok().with_context(|| format!("{} is no UTF-8 text", path.display()))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() || text.contains(char::is_control) {
        bail!("{} does not hold one line: write the secret and nothing else into it", path.display());
    }
    Ok(Secret::new(text.into()))
}

fn bundle(path: &Path) -> Result<String> {
    let content = content(path)?;
    if !content.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
        bail!("{} has no certificate as PEM", path.display());
    }
    Ok(BASE64_STANDARD.encode(content))
}

fn content(path: &Path) -> Result<Vec<u8>> {
    match read_regular_file(path, LARGEST, LastLink::Follow)? {
        Ok(Some(content)) => Ok(content),
        Ok(None) => bail!("There is no file {}", path.display()),
        Err(fault) => bail!("{} cannot be used: {fault}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_from_their_files_and_are_in_no_text_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "fake-webhook-secret\n").unwrap();
        let secret = line(&path).unwrap();
        assert_eq!(secret.expose(), "fake-webhook-secret");
        let proof = Proof::webhook(secret);
        assert!(!format!("{proof:?}").contains("fake-webhook-secret"));
        let digest = proof.digest([7; 16]);
        assert!(proof.is(Some(&digest)) && !proof.is(None));
        assert!(!Proof::token(Secret::new("fake-webhook-secret".into())).is(Some(&digest)), "of another kind");
        for text in ["", "\n", "two\nlines\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(line(&path).unwrap_err().to_string().contains("one line"), "{text:?}");
        }
    }

    #[test]
    fn a_key_of_another_form_is_told_before_garm_sees_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nfake\n").unwrap();
        let app = crate::frontend::fleet::declaration::App { id: 1, installation: 2, key_file: path };
        let declared =
            Credentials { endpoint: "github.com".into(), description: String::new(), token: None, app: Some(app) };
        let error = format!("{:#}", proof(&declared).unwrap_err());
        assert!(error.contains("openssl rsa -traditional") && !error.contains("fake\n"), "{error}");
    }
}
