//! What calls cost with a real server, made in turns by this project's provider and one in Go.
//!
//! The stand-ins tell what a call costs by itself, see `tests/garm/figures.rs`. Here it is seen what each asks the server for.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::incus::{self, FLAVOR, IMAGE, incus, prepare};

const CONTROLLER: &str = "c0ffee00-0000-4000-8000-000000000001";
const POOL: &str = "ee8cd594-68d9-4ed1-a7cc-a752b52af76f";
/// The Go provider wants one.
const REMOTE: &str = "[image_remotes.images]\naddr = \"https://images.example\"\nprotocol = \"simplestreams\"\n";
/// How often each call is made.
const TURNS: usize = 21;
/// How many instances run; the others are stopped.
const RUNNING: usize = 20;

/// Calls of these programs, the first of which is this project's.
struct Calls {
    programs: [PathBuf; 2],
    settings: PathBuf,
}

impl Calls {
    /// Makes one call, and tells how long it took.
    fn time(&self, program: &Path, command: &str, instance: &str, input: &Value) -> Result<Duration> {
        let start = Instant::now();
        let mut child = Command::new(program)
            .env_clear()
            .env("GARM_COMMAND", command)
            .env("GARM_CONTROLLER_ID", CONTROLLER)
            .env("GARM_POOL_ID", POOL)
            .env("GARM_INSTANCE_ID", instance)
            .env("GARM_PROVIDER_CONFIG_FILE", &self.settings)
            .env("GARM_INTERFACE_VERSION", "v0.1.0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("Failed to run {}", program.display()))?;
        if !input.is_null() {
            child.stdin.take().context("there is no standard input")?.write_all(input.to_string().as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let took = start.elapsed();
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command} of {} failed: {why}", program.display());
        Ok(took)
    }

    /// Times one call of each program in turns, and prints the medians.
    fn figure(&self, what: &str, call: impl Fn(&Path) -> Result<Duration>) -> Result<()> {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (program, times) in self.programs.iter().zip(&mut times) {
                times.push(call(program)?);
            }
        }
        print(what, times);
        Ok(())
    }
}

fn print(what: &str, times: [Vec<Duration>; 2]) {
    let [ours, theirs] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("figure {what}: {ours:.1?}, in Go {theirs:.1?}, {:.2} of it", ours.as_secs_f64() / theirs.as_secs_f64());
}

/// Measures `ours` against `theirs` on this machine.
pub fn run(ours: PathBuf, theirs: PathBuf) -> Result<()> {
    prepare()?;
    let directory = tempfile::tempdir_in("/var/lib")?;
    let settings = directory.path().join("provider.toml");
    fs::write(&settings, format!("{}{REMOTE}", incus::SETTINGS))?;
    let calls = Calls { programs: [ours, theirs], settings };
    calls.figure("GetVersion", |program| calls.time(program, "GetVersion", "", &Value::Null))?;
    let mut made = 0;
    for count in [1, 50, 69] {
        for number in made..count {
            instance(&format!("other-{number}"), number < RUNNING)?;
        }
        made = count;
        let what = format!("ListInstances of {count}");
        calls.figure(&what, |program| calls.time(program, "ListInstances", "", &Value::Null))?;
    }
    calls.figure("GetInstance", |program| calls.time(program, "GetInstance", "other-0", &Value::Null))?;
    let (mut creations, mut deletions) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for _ in 0..TURNS {
        for (at, program) in calls.programs.iter().enumerate() {
            creations[at].push(calls.time(program, "CreateInstance", "", &bootstrap("garm-1"))?);
            deletions[at].push(calls.time(program, "DeleteInstance", "garm-1", &Value::Null)?);
        }
    }
    print("CreateInstance", creations);
    print("DeleteInstance", deletions);
    Ok(())
}

/// Makes an instance of the pool.
fn instance(name: &str, runs: bool) -> Result<()> {
    let verb = if runs { "launch" } else { "init" };
    let tags = [format!("user.runner-controller-id={CONTROLLER}"), format!("user.runner-pool-id={POOL}")];
    let profiles = ["--profile", "default", "--profile", FLAVOR];
    incus(&[&[verb, IMAGE, name, "--config", &tags[0], "--config", &tags[1]], &profiles[..]].concat()).map(drop)
}

/// What GARM writes for a new instance.
fn bootstrap(name: &str) -> Value {
    json!({
        "name": name,
        "tools": [{
            "os": "linux", "architecture": "x64", "download_url": "https://garm.example/runner.tar.gz",
            "filename": "actions-runner-linux-x64-2.330.0.tar.gz",
        }],
        "repo_url": "https://github.com/octo-org/example",
        "callback-url": "https://garm.example/api/v1/callbacks", "metadata-url": "https://garm.example/api/v1/metadata",
        "instance-token": "fake-instance-token",
        "extra_specs": {"runner_install_template": "IyEvYmluL2Jhc2gKZWNobyBoZWxsbwo="},
        "arch": "amd64", "os_type": "linux", "flavor": FLAVOR, "image": IMAGE, "pool_id": POOL,
        "jit_config_enabled": true,
    })
}
