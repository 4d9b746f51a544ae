//! The part of `config.toml` that the custom executor needs, with the defaults of the real runner.

use std::time::Duration;

use serde::Deserialize;

/// The whole file. Keys that this stand-in has no use for are passed over.
#[derive(Deserialize)]
pub struct Config {
    pub runners: Vec<Runner>,
}

#[derive(Deserialize)]
pub struct Runner {
    pub name: String,
    pub url: String,
    pub token: String,
    pub executor: String,
    #[serde(default)]
    pub builds_dir: String,
    #[serde(default)]
    pub cache_dir: String,
    /// `NAME=value` each.
    #[serde(default)]
    pub environment: Vec<String>,
    /// In KiB.
    #[serde(default = "four_mebibytes")]
    pub output_limit: usize,
    pub custom: Custom,
}

/// `[runners.custom]`; times are in seconds.
#[derive(Deserialize)]
#[serde(default)]
pub struct Custom {
    pub config_exec: String,
    pub config_args: Vec<String>,
    pub config_exec_timeout: u64,
    pub prepare_exec: String,
    pub prepare_args: Vec<String>,
    pub prepare_exec_timeout: u64,
    pub run_exec: String,
    pub run_args: Vec<String>,
    pub cleanup_exec: String,
    pub cleanup_args: Vec<String>,
    pub cleanup_exec_timeout: u64,
    pub graceful_kill_timeout: u64,
    pub force_kill_timeout: u64,
}

impl Default for Custom {
    fn default() -> Self {
        let none = || (String::new(), Vec::new());
        let ((config_exec, config_args), (prepare_exec, prepare_args)) = (none(), none());
        let ((run_exec, run_args), (cleanup_exec, cleanup_args)) = (none(), none());
        Self {
            config_exec,
            config_args,
            config_exec_timeout: 3_600,
            prepare_exec,
            prepare_args,
            prepare_exec_timeout: 3_600,
            run_exec,
            run_args,
            cleanup_exec,
            cleanup_args,
            cleanup_exec_timeout: 3_600,
            graceful_kill_timeout: 600,
            force_kill_timeout: 10,
        }
    }
}

impl Custom {
    /// From SIGTERM to SIGKILL, and from there to giving up.
    pub fn graces(&self) -> (Duration, Duration) {
        (Duration::from_secs(self.graceful_kill_timeout), Duration::from_secs(self.force_kill_timeout))
    }
}

fn four_mebibytes() -> usize {
    4_096
}
