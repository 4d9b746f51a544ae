//! By what the cloud is asked: a file that systemd gives, or the role of this host; never one for want of the other.

use std::path::PathBuf;

use super::manifest::{By, Manifest};
use crate::contract::cloud::Refusal;
use crate::http::Post;
use crate::machines::ec2::{Credential, role};

/// The name of what systemd gives; see nixos/units/cloud-broker.nix.
const CREDENTIAL: &str = "credential";
const MAX_BYTES: usize = 64 << 10;
/// Where the metadata service of an instance is.
const METADATA: &str = "http://169.254.169.254";

/// Reads or asks for it, anew for each question: keys are changed, and those of a role end after hours.
///
/// # Errors
///
/// [`Refusal::Credential`] or [`Refusal::Passing`].
pub fn credential(manifest: &Manifest) -> Result<Credential, Refusal> {
    match manifest.credential {
        By::File => of_file(),
        By::InstanceProfile => {
            let address = manifest.metadata.as_deref().unwrap_or(METADATA);
            role(&Post::plain("The metadata service"), address)
        }
    }
}

fn of_file() -> Result<Credential, Refusal> {
    let fault = |why: &str| Refusal::Credential(format!("the file of `credentialFile` {why}"));
    let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) else {
        return Err(fault("was not given: start the broker by its socket"));
    };
    let text = std::fs::read(directory.join(CREDENTIAL)).map_err(|error| fault(&format!("cannot be read: {error}")))?;
    if text.len() > MAX_BYTES {
        return Err(fault("is far too long"));
    }
    let text = String::from_utf8(text).map_err(|_| fault("is no text"))?;
    Credential::of_file(&text).map_err(|why| fault(&why))
}
