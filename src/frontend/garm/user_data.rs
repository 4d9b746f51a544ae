//! What cloud-init does in a new instance: the values that the Go providers give it, as JSON. Pure.
//!
//! cloud-config is YAML, and JSON is YAML. For Windows it is a PowerShell script.

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bootstrap::{Bootstrap, Proxy};
use super::extra_specs::ExtraSpecs;
use super::script::{USER, assigned};

/// Where scripts of the pool are, until they ran.
const BEFORE: &str = "/garm-pre-install";

/// Where the install script is, until it ran.
const INSTALL: &str = "/install_runner.sh";

/// Groups that the Go providers give to the runner's user; those that the image does not have are made.
const GROUPS: [&str; 10] = ["sudo", "adm", "cdrom", "dialout", "dip", "video", "plugdev", "netdev", "docker", "lxd"];

/// The user data of an instance with this install script.
///
/// # Errors
///
/// If a proxy is none.
pub fn user_data(bootstrap: &Bootstrap, specs: &ExtraSpecs, script: &str) -> Result<String> {
    if bootstrap.os_type == "windows" {
        const MARK: &str = "#ps1_sysnative\n";
        return Ok(format!("{MARK}{}", script.strip_prefix(MARK).unwrap_or(script)));
    }
    Ok(format!("#cloud-config\n{}\n", cloud_config(bootstrap, specs, script)?))
}

fn cloud_config(bootstrap: &Bootstrap, specs: &ExtraSpecs, script: &str) -> Result<Value> {
    let updates = !(specs.disable_updates || bootstrap.options.disable_updates);
    let packages = if updates { &["curl", "tar"][..] } else { &[] };
    let packages = packages.iter().copied().map(String::from);
    let packages = packages.chain(bootstrap.options.extra_packages.clone()).chain(specs.extra_packages.clone());
    let before: Vec<(String, &[u8])> =
        specs.pre_install_scripts.iter().map(|(name, text)| (format!("{BEFORE}/{name}"), text.as_slice())).collect();
    let mut commands: Vec<String> = before.iter().map(|(path, _)| path.clone()).collect();
    commands.extend([format!("rm -rf {BEFORE}"), format!("su -l -c {INSTALL} {USER}"), format!("rm -f {INSTALL}")]);
    let files = before.into_iter().chain([(INSTALL.to_owned(), script.as_bytes())]);
    let file = |(path, content): (String, &[u8])| {
        json!({
            "path": path,
            "content": STANDARD.encode(content),
            "encoding": "b64",
            "owner": "root:root",
            "permissions": "755",
        })
    };
    let mut config = json!({
        "users": ["default"],
        "package_upgrade": updates,
        "system_info": {"default_user": {
            "name": USER,
            "home": format!("/home/{USER}"),
            "shell": "/bin/bash",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "groups": GROUPS,
        }},
        "runcmd": commands,
        "write_files": files.map(file).collect::<Vec<_>>(),
    });
    let packages: Vec<String> = packages.collect();
    if !packages.is_empty() {
        config["packages"] = packages.into();
    }
    if !bootstrap.ssh_keys.is_empty() {
        config["ssh_authorized_keys"] = bootstrap.ssh_keys.clone().into();
    }
    if !bootstrap.ca_bundle.is_empty() {
        config["ca-certs"] = json!({"remove-defaults": false, "trusted": [bootstrap.ca_bundle]});
    }
    if let Some(script) = proxies(&bootstrap.proxy)? {
        config["bootcmd"] = json!([["sh", "-c", script]]);
    }
    Ok(config)
}

/// A script that tells package managers of the proxies, before anything is installed. It runs at each boot and changes nothing
/// the second time.
fn proxies(proxy: &Proxy) -> Result<Option<String>> {
    const SCRIPT: &str = include_str!("proxy.sh");
    if proxy.http.is_empty() && proxy.https.is_empty() {
        return Ok(None);
    }
    // Files of package managers have quotes of their own.
    let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '`' | '$');
    let clean = |key: &str, value: &str| {
        // A list may have blanks after its commas.
        let value: String = value.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
        if value.contains(is_odd) {
            bail!("`{key}` in proxy_config has quotes, `$` or control characters: mend it in GARM's `[proxy]`");
        }
        Ok(value)
    };
    let (http, https) = (clean("http_proxy", &proxy.http)?, clean("https_proxy", &proxy.https)?);
    let none = clean("no_proxy", &proxy.none)?;
    Ok(Some(assigned(&[("http", &http), ("https", &https), ("none", &none)]) + SCRIPT))
}

#[cfg(test)]
#[path = "user_data_tests.rs"]
mod tests;
