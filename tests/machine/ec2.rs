//! The EC2 of a machine: the stand-in as a process of its own, whose instances are machines that boot.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::github::{CA, Github};
use crate::tools::{run, set_mode, wait_for};

/// For its certificate and its instances.
const HOME: &str = "/var/lib/stand-in-ec2";
/// What the image of its instances is made from; see `on-demand` beside this.
pub const IMAGE: &str = "/var/lib/images/ec2";
/// The endpoint of the classes, by the machine's table of hosts.
const NAME: &str = "ec2.example.org";
const ADDRESS: &str = "127.0.0.1:8443";

/// A running stand-in; ends with the value, and all of its instances do.
pub struct Ec2 {
    child: Child,
    agent: ureq::Agent,
}

impl Ec2 {
    /// Starts the stand-in that lies in `programs`, from whose instances nothing but GitHub's is reached.
    pub fn start(programs: &Path, github: &Github) -> Result<Self> {
        fs::create_dir_all(HOME)?;
        set_mode(HOME, 0o700)?;
        let tool =
            |name: &str| programs.join(name).into_os_string().into_string().ok().context("a path that is no text");
        if !fs::exists(format!("{HOME}/ca.pem"))? {
            run(&tool("stand-in-github")?, &["--make-ca", HOME, "--host", NAME])?;
            fs::write("/run/secrets/aws", CREDENTIAL)?;
            set_mode("/run/secrets/aws", 0o400)?;
        }
        // Brokers of classes on EC2 believe both.
        let mine = fs::read_to_string(format!("{HOME}/ca.pem"))?;
        let all = fs::read_to_string(CA)?;
        if !all.contains(&mine) {
            fs::write(CA, all + &mine)?;
        }
        let port = github.port()?;
        let [certificate, key, work, started] =
            ["certificate.pem", "key.pem", "instances", "address"].map(|name| format!("{HOME}/{name}"));
        _ = fs::remove_file(&started);
        // Those of a stand-in before, whose instances may have had the same names.
        _ = fs::remove_dir_all(&work);
        let child = Command::new(tool("stand-in-ec2")?)
            .args(["--listen", ADDRESS, "--tls-cert", &certificate, "--tls-key", &key, "--address-file", &started])
            .args(["--boot", IMAGE, "--work", &work, "--forward", "443", "--forward", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("Failed to start the stand-in for EC2")?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from([Certificate::from_pem(mine.as_bytes())?]))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let ec2 = Self { child, agent: ureq::Agent::config_builder().tls_config(tls).build().new_agent() };
        wait_for("the stand-in for EC2", || Ok(fs::exists(&started)?.then_some(())))?;
        Ok(ec2)
    }

    fn tell(&self, what: &str, body: &Value) -> Result<Value> {
        let address = format!("https://{NAME}:8443/stand-in/{what}");
        let answer = self.agent.post(address).send_json(body).and_then(|mut answer| answer.body_mut().read_json());
        answer.with_context(|| format!("The stand-in for EC2 does not take {what}"))
    }

    /// What goes wrong next: rules of the stand-in.
    pub fn rules(&self, rules: &Value) -> Result<()> {
        self.tell("rules", rules).map(drop)
    }

    /// All instances that there ever were.
    pub fn instances(&self) -> Result<Vec<Value>> {
        let all = self.tell("instances", &json!({}))?;
        all.as_array().cloned().context("no list of instances")
    }

    /// How many requests there were, all together and of an action.
    pub fn requests(&self) -> Result<Value> {
        Ok(self.tell("log", &json!({}))?["counts"].clone())
    }

    /// Takes a spot instance away.
    pub fn interrupt(&self, instance: &Value) -> Result<()> {
        self.tell("interrupt", &json!({ "instance": instance["id"] })).map(drop)
    }

    /// Fails unless there were so many instances, and each of them is gone.
    pub fn is_over(&self, most: usize) -> Result<()> {
        let all = self.instances()?;
        ensure!(all.len() <= most, "there were {} instances: {all:?}", all.len());
        ensure!(all.iter().all(|one| one["state"] == "terminated"), "an instance is left: {all:?}");
        Ok(())
    }
}

/// The keys that the stand-in takes: those of AWS's own examples.
const CREDENTIAL: &str =
    "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n";

impl Drop for Ec2 {
    fn drop(&mut self) {
        // It ends its instances first.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        _ = self.child.wait();
    }
}
