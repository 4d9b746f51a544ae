//! The GitHub of a machine: the stand-in as a process of its own, asked over HTTP.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::tools::{run, set_mode, wait_for};

/// Where the listener reads what it is to do.
const SCRIPT: &str = "/run/stand-in/listener.json";
/// For the stand-in's own files, which hold tokens.
const PRIVATE: &str = "/run/stand-in/private";
/// Whom brokers believe, see `run` beside this and the scenario machine of `nixos/tests/checks.nix`.
pub const CA: &str = "/run/stand-in/ca.pem";
/// Where brokers find `api.github.com`, by the machine's table of hosts.
const API: &str = "127.0.0.1:443";

/// What a lasting one knows, which survives the machine's reboots.
const LASTING: &str = "/var/lib/stand-in";
const UNIT: &str = "stand-in-github.service";

/// A running stand-in; ends with the value, unless it is a lasting one.
pub struct Github {
    child: Option<Child>,
    base: String,
}

impl Github {
    /// Starts the stand-in that lies in `programs`.
    pub fn start(programs: &Path) -> Result<Self> {
        let command = prepare(programs, PRIVATE)?;
        let child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("Failed to start {}", command[0]))?;
        Self::started(Some(child))
    }

    /// Starts it as a unit that outlives all others of this boot, with what it knew in the last one.
    pub fn start_lasting(programs: &Path) -> Result<Self> {
        let command = prepare(programs, LASTING)?;
        let mut arguments = vec!["--quiet", "--unit", UNIT, "--property=DefaultDependencies=no", "--"];
        arguments.extend(command.iter().map(String::as_str));
        run("systemd-run", &arguments)?;
        Self::started(None)
    }

    fn started(child: Option<Child>) -> Result<Self> {
        let address_file = format!("{PRIVATE}/address");
        let address = wait_for("the address of the GitHub stand-in", || Ok(fs::read_to_string(&address_file).ok()))?;
        // The second line has the address of the API.
        let plain = address.lines().next().context("an empty address file")?;
        let github = Self { child, base: format!("http://{plain}") };
        github.script(&json!({}))?;
        Ok(github)
    }

    /// Where listeners find it, on this machine's loopback.
    pub fn port(&self) -> Result<String> {
        self.base.rsplit_once(':').map(|(_, port)| port.to_owned()).context("an address without a port")
    }

    /// Tells the listener what to do at its next start.
    pub fn script(&self, script: &Value) -> Result<()> {
        let mut script = script.clone();
        script["github"] = json!(self.base);
        // In one step, because a listener may just be starting.
        let new = format!("{SCRIPT}.new");
        fs::write(&new, script.to_string())?;
        set_mode(&new, 0o644)?;
        fs::rename(&new, SCRIPT).context("Failed to put the script of the listener in place")
    }

    /// Accepts another personal access token.
    pub fn accept(&self, token: &str) -> Result<()> {
        ureq::post(self.control("pats")).send_json(token).map(drop).context("Failed to add a token to the stand-in")
    }

    /// The runners that the server lists under a name.
    pub fn runners(&self, name: &str) -> Result<Vec<Value>> {
        let all: Vec<Value> = ureq::get(self.control("runners"))
            .call()
            .and_then(|mut answer| answer.body_mut().read_json())
            .context("Failed to ask the stand-in for its runners")?;
        Ok(all.into_iter().filter(|runner| runner["name"] == name).collect())
    }

    /// How many registrations succeeded so far.
    pub fn registrations(&self) -> Result<usize> {
        let by_listener = self.answered("POST", "/actions/runners/register")?.len();
        Ok(by_listener + self.answered("POST", "/actions/runners/generate-jitconfig")?.len())
    }

    /// How many requests brokers made.
    pub fn by_brokers(&self) -> Result<usize> {
        let by_broker = |record: &&Value| {
            record["user-agent"].as_str().is_some_and(|agent| agent.starts_with("github-runners-nixos"))
        };
        Ok(self.records()?.iter().filter(by_broker).count())
    }

    /// The requests that succeeded, by method and a piece of the path.
    pub fn answered(&self, method: &str, path: &str) -> Result<Vec<Value>> {
        let fits = |record: &Value| {
            record["method"] == method
                && record["path"].as_str().is_some_and(|found| found.contains(path))
                && record["status"].as_u64().is_some_and(|status| (200..300).contains(&status))
        };
        Ok(self.records()?.into_iter().filter(fits).collect())
    }

    /// How many requests had this piece in their path, also those whose answers still wait.
    pub fn asked(&self, method: &str, path: &str) -> Result<usize> {
        let fits = |record: &&Value| {
            record["method"] == method && record["path"].as_str().is_some_and(|found| found.contains(path))
        };
        Ok(self.records()?.iter().filter(fits).count())
    }

    /// Fails if a request had a secret in its address, or came from a broker without TLS.
    pub fn check_addresses(&self) -> Result<()> {
        for record in self.records()? {
            ensure!(record["secret-in-path"] == false, "a secret in the address of a request: {record}");
            let broker = record["user-agent"].as_str().is_some_and(|agent| agent.starts_with("github-runners-nixos"));
            ensure!(!broker || record["secure"] == true, "a broker asked without TLS: {record}");
        }
        Ok(())
    }

    /// Tells the stand-in something about itself, see its control interface.
    pub fn tell(&self, what: &str, value: &Value) -> Result<()> {
        ureq::post(self.control(what)).send_json(value).map(drop).with_context(|| format!("Failed to set {what}"))
    }

    /// Ends everything that an earlier scenario may have left going wrong.
    pub fn reset(&self) -> Result<()> {
        self.down(false)?;
        ureq::delete(self.control("faults")).call().context("Failed to drop faults")?;
        self.script(&json!({}))
    }

    /// Stops answering, or begins again.
    pub fn down(&self, down: bool) -> Result<()> {
        self.tell("down", &json!(down))
    }

    /// Makes the next request whose path has this piece do what it should `delay` milliseconds late.
    pub fn delay(&self, method: &str, path: &str, delay: u64) -> Result<()> {
        self.tell("faults", &json!({ "method": method, "path": path, "status": null, "delay-ms": delay }))
    }

    /// A registration token for an entity such as `repos/octo-org/example`, good for an hour.
    pub fn registration_token(&self, entity: &str) -> Result<String> {
        let answer: Value = ureq::post(self.control("tokens"))
            .send_json(json!({ "entity": entity, "kind": "registration" }))
            .and_then(|mut answer| answer.body_mut().read_json())
            .context("Failed to get a registration token")?;
        answer["token"].as_str().map(String::from).context("the answer has no token")
    }

    /// Whether a listener with the given fault has come to where it hangs, as far as the server sees it.
    pub fn is_hanging(&self, point: &str) -> Result<bool> {
        let step = if point == "hang-before-server" { "/actions/runner-groups" } else { "/actions/runners/register" };
        let records = self.records()?;
        Ok(records.last().is_some_and(|last| {
            last["path"].as_str().is_some_and(|path| path.contains(step) || path.contains("/actions/runners?"))
        }))
    }

    /// Removes a runner, as a person would on its page.
    pub fn remove(&self, id: u64) -> Result<()> {
        ureq::delete(self.control(&format!("runners/{id}"))).call().map(drop).context("Failed to remove a runner")
    }

    /// Everything that was asked.
    pub fn records(&self) -> Result<Vec<Value>> {
        ureq::get(self.control("records"))
            .call()
            .and_then(|mut answer| answer.body_mut().read_json())
            .context("Failed to ask the stand-in for its record")
    }

    fn control(&self, what: &str) -> String {
        format!("{}/_stand-in/{what}", self.base)
    }
}

impl Drop for Github {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
            eprintln!("Failed to stop the GitHub stand-in: {error}");
        }
    }
}

/// Makes what it needs; its command line, with what it knows in `state`.
fn prepare(programs: &Path, state: &str) -> Result<Vec<String>> {
    for directory in [PRIVATE, state] {
        fs::create_dir_all(directory)?;
        set_mode(directory, 0o700)?;
    }
    let state_file = format!("{state}/github.json");
    if !fs::exists(&state_file)? {
        let groups = json!([{ "id": 1, "name": "Default", "default": true }, { "id": 2, "name": "trusted" }]);
        fs::write(&state_file, json!({ "groups": groups }).to_string())?;
    }
    let program = programs.join("stand-in-github").into_os_string().into_string();
    let program = program.map_err(|_| anyhow::anyhow!("a path that is no text"))?;
    run(&program, &["--make-ca", PRIVATE, "--host", "api.github.com"])?;
    fs::copy(format!("{PRIVATE}/ca.pem"), CA)?;
    set_mode(CA, 0o644)?;
    let [address, certificate, key] = ["address", "certificate.pem", "key.pem"].map(|name| format!("{PRIVATE}/{name}"));
    let arguments = ["--listen", "127.0.0.1:0", "--address-file", &address, "--state-file", &state_file];
    let tls = ["--tls-listen", API, "--tls-certificate", &certificate, "--tls-key", &key];
    Ok([&[program.as_str()], arguments.as_slice(), tls.as_slice()].concat().into_iter().map(str::to_owned).collect())
}
