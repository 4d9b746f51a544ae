//! What the script of each sub-stage does: section 4 of the contract.

use std::fmt::Write as _;

use serde_json::Value;

use super::config::Runner;
use super::environment::{Directories, Variable, value};
use super::script::{exports, guarded, quoted, shown};

/// All that scripts depend on.
pub struct Given<'a> {
    pub runner: &'a Runner,
    pub job: &'a Value,
    pub variables: Vec<Variable>,
    pub directories: &'a Directories,
}

impl Given<'_> {
    /// Commands of a stage; `None` if it has nothing to do and is not called.
    pub fn commands(&self, stage: &str) -> Option<String> {
        let commands = match stage {
            "prepare_script" => {
                return Some("echo \"Running on $(hostname) via the stand-in...\"\n".into());
            }
            "get_sources" => self.sources(),
            "clear_worktree" => format!("rm -rf {}\n", quoted(&self.directories.project)),
            "restore_cache" => self.caches(|policy, _| policy != "push", "cache-extractor", "Extracting cache")?,
            "download_artifacts" => self.dependencies()?,
            "after_script" => self.step("after_script")?,
            "build_script" => self.step("script")?,
            "archive_cache" => self.archive(true)?,
            "archive_cache_on_failure" => self.archive(false)?,
            "upload_artifacts_on_success" => self.upload(true)?,
            "upload_artifacts_on_failure" => self.upload(false)?,
            "cleanup_file_variables" => {
                return Some(format!("rm -rf {}\n", quoted(&format!("{}.tmp", self.directories.project))));
            }
            step => self.step(step.strip_prefix("step_")?)?,
        };
        Some(exports(&self.variables, self.directories) + &commands)
    }

    fn enter(&self) -> String {
        format!("cd {}\n", quoted(&self.directories.project))
    }

    fn step(&self, name: &str) -> Option<String> {
        let step = self.job["steps"].as_array()?.iter().find(|step| step["name"] == name)?;
        let script = step["script"].as_array()?.iter().filter_map(Value::as_str);
        Some(self.enter() + &script.map(shown).collect::<String>())
    }

    fn sources(&self) -> String {
        let project = quoted(&self.directories.project);
        if matches!(value(&self.variables, "GIT_STRATEGY"), Some("none" | "empty")) {
            return format!("echo 'Skipping Git repository setup'\nmkdir -p {project}\n");
        }
        let git = &self.job["git_info"];
        let text = |key: &str| quoted(git[key].as_str().unwrap_or_default());
        let refspecs = git["refspecs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let refspecs: Vec<String> = refspecs.map(quoted).collect();
        format!(
            "rm -rf {project}\ngit init --quiet {project}\ncd {project}\ngit remote add origin {}\n\
             git fetch --depth {} --quiet origin {}\ngit checkout --force --quiet {}\n",
            text("repo_url"),
            git["depth"].as_u64().unwrap_or(20),
            refspecs.join(" "),
            text("sha")
        )
    }

    /// Commands for each cache whose policy and `when` fit.
    fn caches(&self, fits: impl Fn(&str, &str) -> bool, command: &str, says: &str) -> Option<String> {
        let mut commands = String::new();
        for cache in self.job["cache"].as_array()? {
            let text = |key: &str, other: &'static str| cache[key].as_str().unwrap_or(other).to_owned();
            if !fits(&text("policy", "pull-push"), &text("when", "on_success")) {
                continue;
            }
            let path = self.job["job_info"]["project_full_path"].as_str().unwrap_or_default();
            let file = format!("{}/{path}/{}/cache.zip", self.directories.cache, text("key", "default"));
            let paths = if command == "cache-archiver" { paths(cache) } else { String::new() };
            let file = quoted(&file);
            // Writing to a string cannot fail.
            _ = writeln!(commands, "gitlab-runner {command} --file {file}{paths} || echo 'Failed: {says}'");
        }
        (!commands.is_empty()).then(|| self.enter() + &guarded(says, &commands))
    }

    fn archive(&self, success: bool) -> Option<String> {
        let fits = |policy: &str, when: &str| policy != "pull" && applies(when, success);
        self.caches(fits, "cache-archiver", "Creating cache")
    }

    fn dependencies(&self) -> Option<String> {
        let dependencies = self.job["dependencies"].as_array()?.iter();
        let with_artifacts = dependencies.filter(|dependency| dependency["artifacts_file"].is_object());
        let commands: String = with_artifacts
            .map(|dependency| self.transfer("artifacts-downloader", &dependency["token"], &dependency["id"], ""))
            .collect();
        (!commands.is_empty()).then(|| self.enter() + &guarded("Artifacts downloading", &commands))
    }

    fn upload(&self, success: bool) -> Option<String> {
        let artifacts = self.job["artifacts"].as_array()?.iter();
        let wanted = artifacts.filter(|artifact| applies(artifact["when"].as_str().unwrap_or("on_success"), success));
        let job = self.job;
        let commands: String = wanted
            .map(|artifact| self.transfer("artifacts-uploader", &job["token"], &job["id"], &paths(artifact)))
            .collect();
        (!commands.is_empty()).then(|| self.enter() + &guarded("Uploading artifacts", &commands))
    }

    fn transfer(&self, command: &str, token: &Value, id: &Value, paths: &str) -> String {
        let token = quoted(token.as_str().unwrap_or_default());
        format!("gitlab-runner {command} --url {} --token {token} --id {id}{paths}\n", quoted(&self.runner.url))
    }
}

fn paths(of: &Value) -> String {
    let paths = of["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
    paths.fold(String::new(), |all, path| all + " --path " + &quoted(path))
}

fn applies(when: &str, success: bool) -> bool {
    when == "always" || (when == "on_failure") != success
}
