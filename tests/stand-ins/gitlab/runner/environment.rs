//! The variables of a job, in the order of the real runner: of two with one name the later wins.

use serde_json::Value;

use super::VERSION;
use super::config::Runner;

/// One variable.
#[derive(Clone, Debug)]
pub struct Variable {
    pub key: String,
    pub value: String,
    /// Whether the job gets a path in its place.
    pub is_file: bool,
}

fn variable(key: &str, value: impl Into<String>) -> Variable {
    Variable { key: key.into(), value: value.into(), is_file: false }
}

/// The directories in the guest, known once `config` has answered.
#[derive(Clone, Debug)]
pub struct Directories {
    pub builds: String,
    pub cache: String,
    pub project: String,
}

/// All variables of a job; `status` is `running`, `success`, `failed` or `canceled`.
pub fn variables(runner: &Runner, job: &Value, directories: Option<&Directories>, status: &str) -> Vec<Variable> {
    let mut all = vec![variable("FF_NETWORK_PER_BUILD", "false"), variable("FF_TIMESTAMPS", "true")];
    let image = job["image"]["name"].as_str().unwrap_or_default();
    if !image.is_empty() {
        all.push(variable("CI_JOB_IMAGE", image));
    }
    all.push(variable("CI_RUNNER_SHORT_TOKEN", short_token(runner)));
    let configured = runner.environment.iter().filter_map(|entry| entry.split_once('='));
    all.extend(configured.map(|(key, value)| variable(key, value)));
    if let Some(directories) = directories {
        all.push(variable("CI_BUILDS_DIR", &directories.builds));
        all.push(variable("CI_PROJECT_DIR", &directories.project));
    }
    all.push(variable("CI_CONCURRENT_ID", "0"));
    all.push(variable("CI_CONCURRENT_PROJECT_ID", "0"));
    all.push(variable("CI_SERVER", "yes"));
    all.push(variable("CI_JOB_STATUS", status));
    all.push(variable("CI_JOB_TIMEOUT", job["runner_info"]["timeout"].to_string()));
    for given in job["variables"].as_array().into_iter().flatten() {
        let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
        all.push(Variable { key: text("key"), value: text("value"), is_file: given["file"] == true });
    }
    all.push(variable("CI_SHARED_ENVIRONMENT", "true"));
    all.push(variable("CI_RUNNER_VERSION", VERSION));
    all.push(variable("CI_RUNNER_REVISION", "00000000"));
    all.push(variable("CI_RUNNER_EXECUTABLE_ARCH", "linux/amd64"));
    if let Some(directories) = directories {
        all.push(variable("RUNNER_TEMP_PROJECT_DIR", format!("{}.tmp", directories.project)));
    }
    all
}

/// The first characters of the token behind its prefix.
pub fn short_token(runner: &Runner) -> String {
    runner.token.trim_start_matches("glrt-").chars().take(9).collect()
}

/// The value of a variable of the job.
pub fn value<'a>(variables: &'a [Variable], key: &str) -> Option<&'a str> {
    variables.iter().rfind(|variable| variable.key == key).map(|variable| variable.value.as_str())
}

/// `CUSTOM_ENV_CI_JOB_SERVICES`: empty if there is none.
pub fn services(job: &Value) -> String {
    let services = job["services"].as_array().cloned().unwrap_or_default();
    let shown = services.iter().map(|service| {
        serde_json::json!({
            "name": service["name"], "alias": service["alias"].as_str().unwrap_or_default(),
            "entrypoint": service["entrypoint"], "command": service["command"]
        })
    });
    let shown: Vec<Value> = shown.collect();
    if shown.is_empty() { String::new() } else { Value::from(shown).to_string() }
}
