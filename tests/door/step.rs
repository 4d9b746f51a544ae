//! A step of a job: `request/request.sh` as GitHub's runner runs it, with the programs that it calls watched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::proxy::Proxy;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Ordinary inputs but for the address.
pub const INPUTS: [(&str, &str); 6] = [
    ("LABEL", "od-1-a"),
    ("CLASS", "x86_64"),
    ("REPOSITORY", "octo-org/example"),
    ("WAIT", "600"),
    ("FALLBACK", ""),
    ("AUDIENCE", ""),
];

/// What came of a step.
#[derive(Debug)]
pub struct Done {
    pub succeeded: bool,
    pub said: String,
    /// The outputs as the step wrote them.
    pub output: String,
    /// Arguments of all curls, one a line.
    pub arguments: String,
    /// How long it slept each time.
    pub pauses: Vec<String>,
}

impl Done {
    /// The workflow commands that it said.
    pub fn commands(&self) -> Vec<&str> {
        self.said.lines().filter(|line| line.contains("::") || line.contains("##[")).collect()
    }
}

/// Where a step runs: its programs are watched, and sleeping takes no time.
pub struct Step {
    directory: TempDir,
    inputs: Vec<(String, String)>,
}

impl Step {
    /// With the address of a service.
    pub fn new(address: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = std::env::var("PATH").unwrap();
        let curl = std::env::split_paths(&path).map(|directory| directory.join("curl")).find(|file| file.exists());
        let curl = curl.expect("curl is missing: install it");
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).unwrap();
        for (name, text) in [
            ("curl", format!("printf '%s\\n' \"$@\" >> ../arguments; exec {} \"$@\"", curl.display())),
            ("sleep", "echo \"$1\" >> ../pauses".into()),
        ] {
            fs::write(programs.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(directory.path().join("work")).unwrap();
        fs::create_dir(directory.path().join("scratch")).unwrap();
        let inputs = [("ADDRESS", address)].into_iter().chain(INPUTS);
        Self { directory, inputs: inputs.map(|(name, value)| (format!("INPUT_{name}"), value.into())).collect() }
    }

    /// Which trusts this proxy.
    pub fn before(proxy: &Proxy) -> Self {
        Self::new(&proxy.address).with("CURL_CA_BUNDLE", proxy.certificate().to_str().unwrap())
    }

    /// With another value of an input or variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.inputs.push((name.into(), value.into()));
        self
    }

    /// Runs it to its end; nothing of it is left then.
    pub fn run(self) -> Done {
        let at = |name: &str| self.directory.path().join(name);
        let path = std::env::join_paths(
            [at("bin")].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let output = Command::new("bash")
            .arg(Path::new(ROOT).join("request/request.sh"))
            .current_dir(at("work"))
            .env_clear()
            .env("PATH", path.unwrap())
            .env("TMPDIR", at("scratch"))
            .env("GITHUB_OUTPUT", at("output"))
            .envs(self.inputs.iter().cloned())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |name| fs::read_to_string(at(name)).unwrap_or_default();
        let left = |name| fs::read_dir(at(name)).unwrap().count();
        assert_eq!((left("work"), left("scratch")), (0, 0), "it leaves something behind");
        Done {
            succeeded: output.status.success(),
            said: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
            output: text("output"),
            arguments: text("arguments"),
            pauses: text("pauses").lines().map(String::from).collect(),
        }
    }
}
