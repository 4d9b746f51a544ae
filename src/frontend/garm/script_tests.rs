use std::process::Command;

use serde_json::{Value as Json, json};

use super::*;

fn given(change: impl FnOnce(&mut Json)) -> Bootstrap {
    let mut input = json!({
        "name": "garm-1", "image": "trixie", "arch": "amd64", "os_type": "linux", "instance-token": "fake-token",
        "metadata-url": "https://garm.example/m", "callback-url": "https://garm.example/c",
        "repo_url": "https://github.com/octo-org/example", "labels": ["a", "b"],
        "tools": [{
            "os": "linux", "architecture": "x64", "download_url": "https://example/r.tar.gz", "filename": "r.tar.gz",
            "temp_download_token": "fake-download",
        }],
    });
    change(&mut input);
    Bootstrap::parse(input.to_string().as_bytes()).unwrap()
}

fn with_template(template: &str) -> ExtraSpecs {
    ExtraSpecs { runner_install_template: Some(template.into()), ..ExtraSpecs::default() }
}

#[test]
fn a_template_sees_every_field() {
    let template = "{{ .FileName }} {{ .DownloadURL }} {{ .TempDownloadToken }} {{ .RunnerUsername }} {{ .RunnerGroup }} \
                    {{ .RepoURL }} {{ .MetadataURL }} {{ .RunnerName }} {{ .RunnerLabels }} {{ .CallbackURL }} \
                    {{ .CallbackToken }} [{{ .CABundle }}] [{{ .GitHubRunnerGroup }}] {{ .EnableBootDebug }} \
                    {{ .UseJITConfig }} {{ .ExtraContext }}";
    let mut specs = with_template(template);
    specs.extra_context = vec![("a".into(), "b".into())];
    let expected = "r.tar.gz https://example/r.tar.gz fake-download runner runner https://github.com/octo-org/example \
                    https://garm.example/m garm-1 a,b https://garm.example/c fake-token [] [] false false map[a:b]";
    assert_eq!(script(&given(|_| ()), &specs).unwrap(), expected);
}

#[test]
fn only_a_template_that_names_the_release_needs_one() {
    let without = given(|input| input["tools"] = json!([]));
    assert_eq!(script(&without, &with_template("x {{ .RunnerName }}")).unwrap(), "x garm-1");
    let error = format!("{:#}", script(&without, &with_template("{{ .DownloadURL }}")).unwrap_err());
    assert!(error.contains("line 1: GARM names no release"), "{error}");
}

#[test]
fn no_value_of_our_script_becomes_a_command() {
    let odd = "'; touch pwned; echo $(touch pwned) `touch pwned` \\\n\"";
    let script = script(&given(|input| input["repo_url"] = json!(odd)), &ExtraSpecs::default()).unwrap();
    let (top, _) = script.split_once("# shellcheck").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("{top}\nprintf %s \"$REPO_URL\"")])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), odd);
    assert!(!directory.path().join("pwned").exists());
}

#[test]
fn scripts_of_ours_are_what_shells_read() {
    let script = script(&given(|_| ()), &ExtraSpecs::default()).unwrap();
    assert!(script.starts_with("#!/usr/bin/env bash\nCALLBACK_TOKEN='fake-token'\n"), "{script}");
    for (shell, text) in [("bash", script.as_str()), ("sh", include_str!("proxy.sh"))] {
        let status = Command::new(shell).args(["-n", "-c", text]).status().unwrap();
        assert!(status.success(), "{shell}");
    }
}
