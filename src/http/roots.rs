//! The certificates that the system trusts, and what they do not make acceptable, in words.
//!
//! The only place that reads files here. `NIX_SSL_CERT_FILE` comes before `SSL_CERT_FILE`, as in the OpenSSL of nixpkgs.

use std::path::{Path, PathBuf};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};

use crate::model::{date_and_time, shown};

/// Reads what the system trusts.
///
/// # Errors
///
/// One sentence: there is nothing, and where it was looked for.
pub fn trusted(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<CertificateDer<'static>>, String> {
    let set = |name: &'static str| Some((name, variable(name).filter(|value| !value.is_empty())?));
    let of_nix = set("NIX_SSL_CERT_FILE");
    let directory = set("SSL_CERT_DIR").map(|(_, path)| PathBuf::from(path));
    let found = match &of_nix {
        Some((_, file)) => rustls_native_certs::load_certs_from_paths(Some(Path::new(file)), directory.as_deref()),
        None => rustls_native_certs::load_native_certs(),
    };
    if !found.certs.is_empty() {
        return Ok(found.certs);
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
    Err(match of_nix.or_else(|| set("SSL_CERT_FILE")).or_else(|| set("SSL_CERT_DIR")) {
        Some((name, path)) => format!(
            "The variable {name} names {}, in which no certificates of authorities are found{why}: let it name a file of them that the broker can read.",
            shown(&path)
        ),
        None => format!(
            "The system has no certificates of authorities{why}: set `security.pki`, or SSL_CERT_FILE to a file of them."
        ),
    })
}

/// Why a certificate is not accepted: the end of a sentence, with the way out.
#[must_use]
pub fn unacceptable(fault: &CertificateError) -> String {
    let clock = |now: UnixTime| {
        format!(
            "by the clock of this host, which says {}: set the clock if that is wrong",
            date_and_time(now.as_secs())
        )
    };
    match fault {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the certificate of the host expired at {}, {}, or have the host get a new one",
            date_and_time(not_after.as_secs()),
            clock(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the certificate of the host is good from {} on only, {}",
            date_and_time(not_before.as_secs()),
            clock(*time)
        ),
        // The latter where an authority has the name of one that is known.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate of the host is not trusted, because nobody whom the system knows signed it: add the certificate of its authority to `security.pki.certificateFiles`".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "the certificate of the host names it by its common name only or not at all: have the host get one with a subject alternative name (subjectAltName)".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "the certificate of the host is for others ({}): does something between here and GitHub answer in its place?",
            shown(&presented.join(", "))
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate of the host is not one for servers: have the host get one with the extended key usage serverAuth".into()
        }
        // The library of the library has names for these only.
        CertificateError::Other(other) => match other.to_string() {
            name if name.contains("CaUsedAsEndEntity") => {
                "the certificate of the host is one of an authority (CA:TRUE), with which a server may not speak for itself: have the host get one of its own, signed by that authority and with CA:FALSE".into()
            }
            name if name.contains("UnsupportedCertVersion") => {
                "the certificate of the host has the form of version 1, which names no hosts: have the host get one of version 3 with a subject alternative name (subjectAltName)".into()
            }
            name => format!("the certificate of the host cannot be accepted ({name}): have the host get another one"),
        },
        fault => format!("the certificate of the host cannot be accepted ({fault}): have the host get another one"),
    }
}
