//! The script that makes a new instance a runner: the pool's own, or ours. Pure.
//!
//! GARM 0.2 and later puts a finished script into the pool's extra specs. For an older GARM, or a pool with a template, it is
//! made here. Values go into our script as assignments in quotes, so no value can end up as a command.

use anyhow::{Context as _, Result, bail};

use super::bootstrap::{Bootstrap, Tool};
use super::extra_specs::ExtraSpecs;
use super::template::{self, Fields, Value};
use super::tools;

/// The user of the instance that runs the runner.
pub const USER: &str = "runner";

/// Both servers take more, and no script needs it.
const LONGEST: usize = 4 << 20;

/// What our script does with its values.
const INSTALL: &str = include_str!("install.sh");

/// The script for the instance.
///
/// # Errors
///
/// What of template or input makes it impossible, without a value.
pub fn script(bootstrap: &Bootstrap, specs: &ExtraSpecs) -> Result<String> {
    let values = Values::new(bootstrap, specs);
    match &specs.runner_install_template {
        Some(template) => template::render(template, &values, LONGEST).context(
            "`runner_install_template` in extra_specs cannot be used; docs/garm.md says what a template may have",
        ),
        None if bootstrap.os_type == "windows" => bail!(
            "There is no install script for Windows here: GARM 0.2 and later brings one, or give one as \
             `runner_install_template` in extra_specs"
        ),
        None => values.install(),
    }
}

/// What templates see.
struct Values<'a> {
    bootstrap: &'a Bootstrap,
    specs: &'a ExtraSpecs,
    tool: Option<&'a Tool>,
    labels: String,
}

impl<'a> Values<'a> {
    fn new(bootstrap: &'a Bootstrap, specs: &'a ExtraSpecs) -> Self {
        let tool = tools::choose(&bootstrap.tools, &bootstrap.os_type, &bootstrap.arch);
        Self { bootstrap, specs, tool, labels: bootstrap.labels.join(",") }
    }

    fn debug(&self) -> bool {
        self.specs.enable_boot_debug || self.bootstrap.options.enable_boot_debug
    }

    fn tool(&self) -> Result<&'a Tool, String> {
        self.tool.ok_or_else(|| {
            "GARM names no release of the runner for this system: see `os_type` and `os_arch` of the pool".into()
        })
    }

    /// Our script, with its values at the top.
    fn install(&self) -> Result<String> {
        let (given, tool) = (self.bootstrap, self.tool().map_err(anyhow::Error::msg)?);
        if given.metadata_url.is_empty() || given.callback_url.is_empty() {
            bail!("GARM gives no `metadata-url` or no `callback-url`: set both in GARM's `[default]`");
        }
        let assignments = [
            ("CALLBACK_TOKEN", given.instance_token.expose()),
            ("CALLBACK_URL", &given.callback_url),
            ("CHECKSUM", &tool.sha256),
            ("DEBUG", if self.debug() { "true" } else { "false" }),
            ("DOWNLOAD_TOKEN", tool.token.expose()),
            ("DOWNLOAD_URL", &tool.download_url),
            ("FILE_NAME", &tool.filename),
            ("JIT", if given.jit { "true" } else { "false" }),
            ("METADATA_URL", &given.metadata_url),
            ("REPO_URL", &given.repo_url),
            ("RUNNER_GROUP", &given.runner_group),
            ("RUNNER_LABELS", &self.labels),
            ("RUNNER_NAME", &given.name),
        ];
        Ok(format!("#!/usr/bin/env bash\n{}{INSTALL}", assigned(&assignments)))
    }
}

impl Fields for Values<'_> {
    fn field(&self, name: &str) -> Result<Value<'_>, String> {
        let given = self.bootstrap;
        Ok(Value::Text(match name {
            "FileName" => &self.tool()?.filename,
            "DownloadURL" => &self.tool()?.download_url,
            "TempDownloadToken" => self.tool()?.token.expose(),
            "RunnerUsername" | "RunnerGroup" => USER,
            "RepoURL" => &given.repo_url,
            "MetadataURL" => &given.metadata_url,
            "RunnerName" => &given.name,
            "RunnerLabels" => &self.labels,
            "CallbackURL" => &given.callback_url,
            "CallbackToken" => given.instance_token.expose(),
            "CABundle" => &given.ca_bundle,
            "GitHubRunnerGroup" => &given.runner_group,
            "EnableBootDebug" => return Ok(Value::Flag(self.debug())),
            "UseJITConfig" => return Ok(Value::Flag(given.jit)),
            "ExtraContext" => return Ok(Value::Map(&self.specs.extra_context)),
            _ => return Err(format!("there is no field {}", crate::model::shown(name))),
        }))
    }
}

/// Lines that give values to variables of a shell.
#[must_use]
pub fn assigned(values: &[(&str, &str)]) -> String {
    let lines: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    lines.concat()
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
