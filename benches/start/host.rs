//! A registered runner in a temporary directory, once for the helper and once for nixpkgs' steps.
//!
//! Nothing here registers: the files that a listener would leave are written by hand, because only starts that
//! keep a registration are measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::json;
use tempfile::TempDir;

/// The steps of a start, in order.
pub const STEPS: [&str; 4] = ["prepare", "configure", "record", "link"];
const TOKEN: &str = "AFAKETOKENFAKETOKENFAKETOKEN\n";
const NIXPKGS_STEPS: &str = include_str!("../nixpkgs-steps.sh");
const DIRECTORIES: [&str; 6] = ["state", "work", "logs", "nixpkgs-state", "nixpkgs-work", "nixpkgs-logs"];

/// The helper that is measured: as packages have it, which Cargo builds here if nobody names another one.
pub fn helper() -> PathBuf {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    HELPER.get_or_init(|| std::env::var_os("GITHUB_RUNNER_HELPER").map_or_else(packaged, PathBuf::from)).clone()
}

fn packaged() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_github-runner-helper");
    let target = Path::new(built).ancestors().nth(2).expect("a target directory");
    let cargo = env!("CARGO");
    let version = Command::new(Path::new(cargo).with_file_name("rustc")).arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("the name of this platform");
    let mut compile = Command::new(cargo);
    compile.args(["build", "--quiet", "--release", "--bin", "github-runner-helper", "--config", ".cargo/static.toml"]);
    compile.args(["--no-default-features", "--features", "helper"]);
    compile.args(["--target", host, "--target-dir"]).arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(
        compile.status().expect("cargo runs").success(),
        "the helper is built as for packages, with a static C library"
    );
    target.join(host).join("release/github-runner-helper")
}

/// See the description of the file.
pub struct Host(TempDir);

impl Host {
    /// Directories below `place`, a token, a manifest.
    pub fn new(place: &Path) -> Self {
        let host = Self(tempfile::tempdir_in(place).expect("a temporary directory"));
        for name in DIRECTORIES {
            fs::create_dir(host.path(name)).expect("a directory");
        }
        fs::write(host.path("token"), TOKEN).expect("a token file");
        let registration = json!({
            "ephemeral": false, "extraLabels": ["nixos", "x86_64"], "name": "runner1", "noDefaultLabels": false,
            "runnerGroup": null, "tokenFile": host.path("token"), "url": "https://github.com/octo-org/example",
            "workDir": null
        });
        fs::write(host.path("config.json"), registration.to_string()).expect("a configuration");
        let manifest = json!({
            "version": 2, "instance": "runner1", "registration": registration, "replace": false,
            "tokenType": "auto", "githubApp": null, "method": null, "reRegisterOnTokenChange": true,
            "registrationInterval": 0, "startDistance": 1, "listener": "/bin/false"
        });
        fs::write(host.path("manifest.json"), manifest.to_string()).expect("a manifest");
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes both registrations complete.
    pub fn register(&self) {
        run(&mut self.step("prepare"));
        fs::remove_file(self.path("state/.staged-token")).expect("a staged token");
        let settings = json!({
            "agentId": 21, "agentName": "runner1", "ephemeral": false, "gitHubUrl": "https://github.com/octo-org/example"
        });
        for state in ["state", "nixpkgs-state"] {
            for (name, text) in
                [(".credentials_rsaparams", "{}"), (".credentials", "{}"), (".runner", &settings.to_string())]
            {
                fs::write(self.path(state).join(name), text).expect("a file of the registration");
            }
        }
        fs::copy(self.path("token"), self.path("nixpkgs-state/.current-token")).expect("a copy of the token");
        let link = self.path("nixpkgs-state/.nixos-current-config.json");
        std::os::unix::fs::symlink(self.path("config.json"), link).expect("a link to the configuration");
        run(&mut self.step("record"));
    }

    /// The command line of a step of the helper.
    pub fn step(&self, step: &str) -> Command {
        let mut command = Command::new(helper());
        command.arg(step).stdin(Stdio::null());
        command.arg("--manifest").arg(self.path("manifest.json"));
        for name in ["state", "work", "logs", "ledger"] {
            if name != "ledger" || matches!(step, "prepare" | "record") {
                command.arg(format!("--{name}-directory")).arg(self.path(name));
            }
        }
        if step == "prepare" {
            // Nobody is there, and with a registration token nobody is asked.
            command.arg("--broker").arg(self.path("broker"));
        }
        command
    }

    /// Writes nixpkgs' steps as scripts, and names them.
    pub fn nixpkgs_steps(&self) -> Vec<PathBuf> {
        let parts: Vec<PathBuf> = NIXPKGS_STEPS.split("\n#@ ").skip(1).map(|part| self.script(part)).collect();
        assert_eq!(parts.len(), 3, "nixpkgs runs three steps");
        parts
    }

    fn script(&self, part: &str) -> PathBuf {
        let (name, text) = part.split_once('\n').expect("a name and a script");
        let quoted = |name: &str| format!("'{}'", self.path(name).display());
        let text = text
            .replace("@CONFIG@", &quoted("config.json"))
            .replace("@TOKEN@", &quoted("token"))
            .replace("@LISTENER@", "false");
        let path = self.path(&format!("{name}.sh"));
        fs::write(&path, text).expect("a script");
        path
    }

    /// The command line of one of nixpkgs' steps.
    pub fn nixpkgs_step(&self, script: &Path) -> Command {
        let mut command = Command::new("bash");
        command.arg(script).stdin(Stdio::null());
        command.args(["nixpkgs-state", "nixpkgs-work", "nixpkgs-logs"].map(|name| self.path(name)));
        command
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
