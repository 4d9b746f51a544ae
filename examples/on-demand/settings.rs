//! What the module would write: the manifest of the broker that looks things up, and the settings of the desk.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The repository that is served, and its id.
pub const REPOSITORY: (&str, u64) = ("octo-org/example", 123_456);
/// The one class of runners.
pub const CLASS: &str = "small";
/// How labels begin.
pub const PREFIX: &str = "od";

/// Writes both below `root`.
pub fn write(root: &Path) -> Result<()> {
    let (name, id) = REPOSITORY;
    let registration = json!({
        "ephemeral": true, "extraLabels": ["on-demand"], "name": "on-demand", "noDefaultLabels": true,
        "runnerGroup": null, "tokenFile": root.join("token"), "url": "https://github.com/octo-org", "workDir": null,
    });
    let manifest = json!({
        "version": 2, "instance": "on-demand", "replace": false, "tokenType": "access", "githubApp": null,
        "method": null, "reRegisterOnTokenChange": true, "registrationInterval": 60,
        "listener": root.join("listener/Runner.Listener"), "registration": registration,
        "repositories": [{ "name": name, "id": id }],
    });
    let class = json!({
        "max": 4, "ttl": 3600, "processors": 1, "pricePerHour": 0, "architecture": "x86_64", "notOnline": 300,
        "noJob": 300, "forks": false,
        "kind": { "local": { "unit": CLASS, "workDirectory": root.join("machines/%i/work") } },
    });
    let settings = json!({
        "version": 1, "address": "https://ci.example.org", "prefix": PREFIX, "compatiblePrefix": null,
        "manifest": root.join("manifest.json"), "broker": root.join("broker"), "brokerProperties": [],
        "repositories": [{ "name": name, "id": id, "owner": null, "proofs": ["queue"], "forks": false }],
        "classes": { (CLASS): class }, "limits": {}, "textfileDirectory": null,
    });
    put(&root.join("manifest.json"), &manifest)?;
    put(&root.join("settings.json"), &settings)
}

/// Writes a file of JSON.
pub fn put(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, value.to_string()).with_context(|| format!("Failed to write {}", path.display()))
}
