//! The command `check`: whether the settings are good and the server answers, before GARM needs either.
//!
//! It asks the server what every call asks first, and for instances of nobody. It changes nothing.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use super::settings::Settings;
use crate::machines::Machines as _;
use crate::machines::incus::{Endpoint, Incus, Kind, Owner};

/// What was found, line by line.
///
/// # Errors
///
/// What keeps the provider from working.
pub fn run(path: &Path) -> Result<String> {
    let settings = Settings::read(path)?;
    let mut text = told(&settings);
    // No controller has this id, so nobody's instances are meant.
    let owner = Owner { controller: "nobody".into(), pool: None };
    Incus::open(&settings.connection, owner)?.list()?;
    _ = writeln!(text, "The server answers, and project {} is there.", settings.connection.project);
    Ok(text)
}

/// What the settings mean.
fn told(settings: &Settings) -> String {
    let mut text = String::new();
    let mut line = |line: String| text += &(line + "\n");
    match &settings.connection.endpoint {
        Endpoint::Socket(path) => line(format!("Server: socket {}, no proxy", path.display())),
        Endpoint::Https { url, server_certificate, ca, client_key, .. } => {
            let trusted = match (server_certificate, ca) {
                (Some(path), _) => format!("its certificate is {}", path.display()),
                (None, Some(path)) => format!("signed by {}", path.display()),
                (None, None) => "signed by an authority of this system".into(),
            };
            line(format!("Server: {url}, {trusted}"));
            if let (Some(_), Some(_)) = (server_certificate, ca) {
                line("Remark: tls_ca has no effect beside tls_server_certificate".into());
            }
            if !names_port(url) {
                line(format!("Remark: {url} is port 443; servers usually listen at 8443"));
            }
            if std::fs::metadata(client_key).is_ok_and(|key| key.mode() & 0o077 != 0) {
                line(format!("Remark: others than its owner may read {}: chmod 600", client_key.display()));
            }
        }
    }
    line(format!("Project: {}", settings.connection.project));
    let kind = match settings.kind {
        Kind::Container => "containers",
        Kind::VirtualMachine if settings.secure_boot => "virtual machines that start signed kernels only",
        Kind::VirtualMachine => "virtual machines",
    };
    line(format!("Instances: {kind}, unless a pool says otherwise"));
    let first = if settings.include_default_profile { "default, then the pool's flavor" } else { "the pool's flavor" };
    line(format!("Profiles: {first}"));
    if settings.remotes.is_empty() {
        line("Images: those of the server alone".into());
    }
    for remote in &settings.remotes {
        line(format!("Images {}: of {}, {}", remote.name, remote.address, remote.protocol));
        if let Some(fault) = remote.fault() {
            line(format!("Remark: {fault}"));
        } else if !["simplestreams", "incus", "lxd", "oci"].contains(&remote.protocol.as_str()) {
            line(format!("Remark: no server knows protocol {} of image_remotes.{}", remote.protocol, remote.name));
        }
    }
    for oddity in &settings.oddities {
        line(format!("Remark: {oddity}"));
    }
    text
}

/// Whether an address ends with a port, that of IPv6 among them.
fn names_port(url: &str) -> bool {
    let last = url.trim_end_matches('/').rsplit_once(':');
    last.is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_with_what_is_odd_about_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("provider.toml");
        let key = directory.path().join("client.key");
        std::fs::write(&key, "").unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let text = format!(
            "url = 'https://incus.example:8443'\nclient_certificate = '/c'\nclient_key = '{}'\nother = 1\n\
             [image_remotes.a]\naddr = 'https://a.example'\nprotocol = 'ftp'\n",
            key.display()
        );
        std::fs::write(&path, text).unwrap();
        let told = told(&Settings::read(&path).unwrap());
        for said in [
            "Server: https://incus.example:8443, signed by an authority of this system\n",
            "chmod 600\n",
            "Project: garm-project\n",
            "Instances: virtual machines, unless",
            "Profiles: the pool's flavor\n",
            "Images a: of https://a.example, ftp\n",
            "Remark: no server knows protocol ftp",
            "Remark: key \"other\" is not known",
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
    }

    #[test]
    fn what_of_the_way_over_the_network_may_surprise_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("provider.toml");
        let told_of = |url: &str, more: &str| {
            let text = format!("url = '{url}'\nclient_certificate = '/c'\nclient_key = '/k'\n{more}");
            std::fs::write(&path, text).unwrap();
            told(&Settings::read(&path).unwrap())
        };
        let (pin, authority) = ("tls_server_certificate = '/s'\n", "tls_ca = '/a'\n");
        let both = told_of("https://incus.example:8443", &format!("{pin}{authority}"));
        assert!(both.contains("its certificate is /s") && both.contains("tls_ca has no effect beside"), "{both}");
        for one in [pin, authority] {
            let told = told_of("https://[fd00::1]:8443/", one);
            assert!(!told.contains("no effect") && !told.contains("443; "), "{told}");
        }
        for url in ["https://incus.example", "https://[fd00::1]", "https://incus.example/"] {
            let told = told_of(url, "");
            assert!(told.contains("is port 443; servers usually listen at 8443"), "{told}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("provider.toml");
        std::fs::write(&path, format!("unix_socket_path = '{}'", directory.path().join("no.socket").display()))
            .unwrap();
        let error = format!("{:#}", run(&path).unwrap_err());
        assert!(error.contains("no.socket"), "{error}");
    }
}
