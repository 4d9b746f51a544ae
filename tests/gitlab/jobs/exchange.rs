//! What goes into the machine of a job and comes out of it: variables, secrets, repositories, artifacts, caches.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::host;
use crate::gitlab::Cancel;
use crate::host::Host;
use crate::is_root;
use crate::outcomes::{script_failure, success, with_variable};

#[test]
fn variables_of_a_job_move_nothing_outside() {
    let Some(host) = host() else { return };
    let mut job = host.job(1, &["echo \"$CI_JOB_ID\"", "exit 3"]);
    for (key, value) in [
        ("CI_JOB_ID", "../../x"),
        ("CI_JOB_IMAGE", "../../etc"),
        ("BUILD_EXIT_CODE_FILE", "/etc/planted"),
        ("JOB_RESPONSE_FILE", "/dev/zero"),
        ("TMPDIR", "/etc"),
        ("LD_PRELOAD", "/lib/planted.so"),
        ("LINES", "a\nb\n"),
        ("ODD-NAME", "x"),
    ] {
        job = with_variable(job, key, value);
    }
    assert_eq!(host.run(job), script_failure(3), "{}", host.log(1));
    assert!(!fs::exists("/etc/planted").unwrap());
}

#[test]
fn secrets_of_a_job_are_in_no_process_of_the_host_but_its_runner_and_driver() {
    let Some(host) = host() else { return };
    let secret = "s3cr3t-fake-fake-fake";
    let job =
        with_variable(host.job(1, &["echo begun; until [[ -e /root/go ]]; do sleep 0.05; done"]), "SECRET", secret);
    let mut working = host.site.start(job);
    host.wait_for_log(1, "\nbegun\n");
    let mut holders = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let text = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        let inside = fs::read_to_string(process.path().join("uid_map")).unwrap_or_default()
            != fs::read_to_string("/proc/self/uid_map").unwrap();
        if !inside && (has(&text("environ")) || has(&text("cmdline"))) {
            holders.push(String::from_utf8_lossy(&text("cmdline")).replace('\0', " "));
        }
    }
    host.cancel(1, Cancel::Canceled);
    working.wait();
    assert!(holders.iter().all(|holder| holder.starts_with(crate::driver())), "{holders:?}");
    assert_eq!(holders.len(), 1, "{holders:?}");
}

#[test]
fn repositories_artifacts_dependencies_and_caches_reach_the_machine() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let sha = repository(&directory.path().join("octo-org/example.git"));
    let cache = tempfile::tempdir_in("/var/tmp").unwrap();
    let change = |settings: &mut Value| {
        settings["machines"]["network"]["mode"] = json!("host");
        settings["machines"]["cache"] = json!({"directory": cache.path(), "limit": 1_000_000_000});
    };
    let host = Host::with_repositories(change, Some(directory.path().to_owned()));
    let job = |id, script: &[&str]| {
        let mut job = host.job(id, script);
        job["variables"] = json!([]);
        job["git_info"]["sha"] = json!(sha);
        job["git_info"]["repo_url"] = json!(format!("{}/octo-org/example.git", host.site.coordinator.url()));
        job["cache"] = json!([{"key": "k", "paths": ["kept"], "policy": "pull-push", "when": "always"}]);
        job
    };
    let mut first = job(1, &["cat file", "mkdir -p out kept", "echo made > out/a", "echo kept > kept/b"]);
    let first_id = host.id(1);
    first["artifacts"] = json!([{"name": "a", "paths": ["out/"], "when": "always", "artifact_type": "archive", "artifact_format": "zip"}]);
    assert_eq!(host.run(first), success(), "{}", host.log(1));
    assert!(host.log(1).contains("\ncontent of the repository\n"));
    assert_eq!(host.site.coordinator.job(first_id).unwrap().artifacts.len(), 1);
    let mut second = job(2, &["cat out/a kept/b"]);
    let token = host.site.coordinator.job(first_id).unwrap().token().to_owned();
    second["dependencies"] = json!([{"id": first_id, "token": token, "name": "test", "artifacts_file": {"filename": "artifacts.zip", "size": 1}}]);
    assert_eq!(host.run(second), success(), "{}", host.log(2));
    assert!(host.log(2).contains("\nmade\nkept\n"), "{}", host.log(2));
    // A protected branch reads nothing that others wrote.
    let mut protected = job(3, &["[[ ! -e kept/b ]]"]);
    protected["git_info"]["protected"] = json!(true);
    assert_eq!(host.run(protected), success(), "{}", host.log(3));
}

/// A bare repository with one commit, and its name.
fn repository(path: &std::path::Path) -> String {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir_all(path).unwrap();
    let script = format!(
        "set -e; cd {}; git init --quiet --initial-branch main .; echo 'content of the repository' > file; git add file; \
         git -c user.name=example -c user.email=example@example.com commit --quiet -m first; \
         git clone --quiet --bare . {}; git rev-parse HEAD",
        work.path().display(),
        path.display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
