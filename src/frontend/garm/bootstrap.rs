//! What GARM writes to standard input when it wants an instance. Pure.
//!
//! It holds a bearer token for GARM itself and maybe one for GitHub, so no error repeats a value, and `Debug` hides both.
//! Keys that nobody knows are passed over: they come with versions of GARM.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::object::{Object, base64};
use crate::model::shown;

/// The largest input. GARM sends some KiB, and as much more as a pool's extra specs have.
pub const MAX_SIZE: usize = 8 << 20;

/// What GARM wants.
#[derive(Clone)]
pub struct Bootstrap {
    /// The runner's name, which becomes the instance's.
    pub name: String,
    /// Releases of the runner to choose from.
    pub tools: Vec<Tool>,
    /// The forge's address of the repository, organization or enterprise.
    pub repo_url: String,
    /// Where the instance says what it does.
    pub callback_url: String,
    /// Where the instance asks for what it needs.
    pub metadata_url: String,
    /// What it proves itself with at both.
    pub instance_token: Secret,
    /// Public keys for the instance's user.
    pub ssh_keys: Vec<String>,
    /// The pool's own settings, of any form.
    pub extra_specs: Value,
    /// The group of runners, maybe empty.
    pub runner_group: String,
    /// Certificates that the instance shall trust, as PEM; maybe empty.
    pub ca_bundle: String,
    /// `amd64`, `arm64`, `arm`, or empty for the first.
    pub arch: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// The profile.
    pub flavor: String,
    /// The image.
    pub image: String,
    /// Labels of the runner; none with JIT.
    pub labels: Vec<String>,
    /// The pool, maybe empty.
    pub pool: String,
    /// Options that GARM has a place for and never sets.
    pub options: Options,
    /// Whether GARM holds the runner's registration, as files.
    pub jit: bool,
    /// Proxies of the instance.
    pub proxy: Proxy,
}

/// A release of the runner.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tool {
    /// `linux`, `win` or `osx`.
    pub os: String,
    /// `x64`, `arm64` or `arm`.
    pub architecture: String,
    /// Where it is.
    pub download_url: String,
    /// Its file's name.
    pub filename: String,
    /// What the download wants, maybe empty.
    pub token: Secret,
    /// What its file has to have, maybe empty.
    pub sha256: String,
}

/// `user_data_options`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Leave the image's packages as they are.
    pub disable_updates: bool,
    /// Packages to install.
    pub extra_packages: Vec<String>,
    /// Show each command of the install script on the console.
    pub enable_boot_debug: bool,
}

/// `proxy_config`; each maybe empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxy {
    /// For http.
    pub http: String,
    /// For https.
    pub https: String,
    /// Hosts that are reached directly.
    pub none: String,
}

/// A text that is never shown.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the user data and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Bootstrap {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The place where it is no JSON, or the key that has another type, that is missing, or whose value cannot work.
    pub fn parse(input: &[u8]) -> Result<Self> {
        if input.iter().all(u8::is_ascii_whitespace) {
            bail!("GARM wrote nothing to standard input: a new instance is described there");
        }
        if input.len() > MAX_SIZE {
            bail!("GARM wrote more than {MAX_SIZE} bytes to standard input: the extra specs of the pool are too large");
        }
        let value: Value = serde_json::from_slice(input).map_err(|error| {
            anyhow::anyhow!(
                "What GARM wrote to standard input is no JSON at line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        let object = Object::new("the instance of standard input", &value)?;
        let name = object.needed("name")?;
        if !is_name(&name) {
            bail!(
                "No instance can be called {}: names have 1 to 63 letters, digits and `-`, with no `-` at an end; change \
                 the runner's prefix of the pool",
                shown(&name)
            );
        }
        let tools = object.list("tools")?.iter().map(Tool::read).collect::<Result<_>>()?;
        let bundle = base64(&object.text("ca-cert-bundle")?, "`ca-cert-bundle`")?;
        let no_options = Value::Object(serde_json::Map::new());
        let no_options = Object::new("no options", &no_options)?;
        let options = object.object("user_data_options")?.unwrap_or(no_options);
        let proxy = object.object("proxy_config")?.unwrap_or(no_options);
        Ok(Self {
            name,
            tools,
            repo_url: object.text("repo_url")?,
            callback_url: object.text("callback-url")?,
            metadata_url: object.text("metadata-url")?,
            instance_token: object.text("instance-token")?.into(),
            ssh_keys: object.texts("ssh-keys")?,
            extra_specs: object.value("extra_specs").cloned().unwrap_or_default(),
            runner_group: object.text("github-runner-group")?,
            ca_bundle: certificates(bundle)?,
            arch: object.text("arch")?,
            os_type: object.text("os_type")?,
            flavor: object.text("flavor")?,
            image: object.needed("image")?,
            labels: object.texts("labels")?,
            pool: object.text("pool_id")?,
            options: Options {
                disable_updates: options.flag("disable_updates_on_boot")?,
                extra_packages: options.texts("extra_packages")?,
                enable_boot_debug: options.flag("enable_boot_debug")?,
            },
            jit: object.flag("jit_config_enabled")?,
            proxy: Proxy {
                http: proxy.text("http_proxy")?,
                https: proxy.text("https_proxy")?,
                none: proxy.text("no_proxy")?,
            },
        })
    }
}

impl Tool {
    fn read(value: &Value) -> Result<Self> {
        let object = Object::new("an entry of `tools`", value)?;
        Ok(Self {
            os: object.text("os")?,
            architecture: object.text("architecture")?,
            download_url: object.text("download_url")?,
            filename: object.text("filename")?,
            token: object.text("temp_download_token")?.into(),
            sha256: object.text("sha256_checksum")?,
        })
    }
}

/// Whether an instance can have this name. The servers are as strict or stricter.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    letters && !is_number && name.len() <= 63 && !name.starts_with('-') && !name.ends_with('-')
}

/// A bundle as text, if it is one of certificates. cloud-init would write anything into the trusted ones.
fn certificates(bundle: Vec<u8>) -> Result<String> {
    const WRONG: &str =
        "`ca-cert-bundle` is no bundle of certificates in PEM: mend `ca_cert_bundle` of the endpoint in GARM";
    let text = String::from_utf8(bundle).ok().context(WRONG)?;
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("-----BEGIN CERTIFICATE-----") {
        let (body, after) = after.split_once("-----END CERTIFICATE-----").context(WRONG)?;
        let body: String = body.split_whitespace().collect();
        if body.is_empty() || base64(&body, "it").is_err() {
            bail!(WRONG);
        }
        rest = after;
    }
    if rest.len() == text.len() && !text.trim().is_empty() {
        bail!(WRONG);
    }
    Ok(text)
}

#[cfg(test)]
#[path = "bootstrap_tests.rs"]
mod tests;
