//! A registered runner in a temporary directory, once for the helper and once for nixpkgs' steps.
//!
//! Nothing here registers: the files that a listener would leave are written by hand, because only starts that
//! keep a registration are measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use github_runners::contract::manifest::{CredentialPlace, Manifest};
use github_runners::model::{Registration, RegistrationUrl, TokenType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::nixpkgs_steps;

/// The steps of a start, in order.
pub const STEPS: [&str; 3] = ["prepare", "configure", "record"];
const TOKEN: &str = "AFAKETOKENFAKETOKENFAKETOKEN\n";
const DIRECTORIES: [&str; 6] = ["state", "work", "logs", "nixpkgs-state", "nixpkgs-work", "nixpkgs-logs"];

/// The helper that is measured: as packages have it, which Cargo builds here if nobody names another one.
pub fn helper() -> PathBuf {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    HELPER.get_or_init(|| std::env::var_os("GITHUB_RUNNER_HELPER").map_or_else(packaged, PathBuf::from)).clone()
}

fn packaged() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_github-runner-helper");
    let target = Path::new(built).ancestors().nth(2).expect("a target directory");
    let version = rustc().arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("the name of this platform");
    let mut compile = Command::new(env!("CARGO"));
    compile.args(["build", "--quiet", "--release", "--bin", "github-runner-helper", "--config", ".cargo/static.toml"]);
    compile.args(["--no-default-features", "--features", "helper"]);
    compile.args(["--target", host, "--target-dir"]).arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(
        compile.status().expect("cargo runs").success(),
        "the helper is built as for packages, with a static C library"
    );
    target.join(host).join("release/github-runner-helper")
}

/// The manifest of the runner whose starts are measured.
fn manifest(token: PathBuf) -> Manifest {
    let url = RegistrationUrl::parse("https://github.com/octo-org/example").expect("an address");
    let label = |name: &str| name.to_owned().try_into().expect("a label");
    let registration = Registration {
        name: Some("runner1".to_owned().try_into().expect("a name")),
        extra_labels: ["nixos", "x86_64"].map(label).into(),
        ..Registration::new(url)
    };
    let token = token.into_os_string().into_string().expect("UTF-8 path");
    let credential = CredentialPlace {
        token_file: Some(token.try_into().expect("a path")),
        token_type: TokenType::Auto,
        github_app: None,
        environment: BTreeMap::new(),
    };
    let instance = "runner1".to_owned().try_into().expect("a name");
    let manifest = Manifest::new(instance, registration, credential, "/bin/false".into());
    Manifest { registration_interval: 0, start_distance: 1, ..manifest }
}

/// The compiler that built this program.
fn rustc() -> Command {
    Command::new(Path::new(env!("CARGO")).with_file_name("rustc"))
}

/// Builds a program into `directory` that does nothing, static and at a fixed address as `.cargo/static.toml` has the
/// helper. No step can take less time.
pub fn empty_program(directory: &Path) -> PathBuf {
    let (source, program) = (directory.join("empty.rs"), directory.join("empty"));
    fs::write(&source, "fn main() {}").expect("a source");
    let mut compile = rustc();
    compile.args(["-C", "target-feature=+crt-static", "-C", "relocation-model=static"]);
    compile.args(["-C", "opt-level=z", "-C", "panic=abort", "-C", "strip=symbols", "-o"]);
    run(compile.arg(&program).arg(&source));
    program
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
        let manifest = manifest(host.path("token"));
        let registration = manifest.registration.to_object().expect("an object");
        fs::write(host.path("config.json"), Value::Object(registration).to_string()).expect("a configuration");
        fs::write(host.path("manifest.json"), manifest.to_text().expect("a manifest")).expect("a manifest");
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
        let state = self.path("nixpkgs-state");
        nixpkgs_steps::remember(&state, &self.path("config.json"), &self.path("token")).expect("a known configuration");
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
        nixpkgs_steps::write(self.0.path(), &self.path("config.json"), &self.path("token")).expect("scripts")
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
