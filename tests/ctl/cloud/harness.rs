//! An EC2, a manifest, a credential and a machine's id, and a broker that is asked with them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use github_runners::contract::cloud::{
    Answer, Checked, Condition, Image, Launch, Market, Outcome, Placement, Refusal, VERSION, Verb,
};
use github_runners::contract::protocol::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ec2::{
    self, ACCESS_KEY, Config, Ec2, Entry, GROUP, IMAGE, Instance, ROOT_DEVICE, SECRET_KEY, SUBNET_A, SUBNET_B,
};
use crate::times::PATIENCE;

/// The id of this host, and what stands for it in a tag: SHA-256 of `github-runner-on-demand` and the id.
pub const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";
pub const HOST: &str = "db485d9de7869c5c8963b6f762669d56ea4c98d27ce7e93ae2eb80cdae188828";
/// The tag.
pub const TAG: &str = "github-runner-on-demand";
/// What no output may have a part of.
pub const HIDDEN: &str = "hiddenhiddenhidden";
/// What machines of most tests are told.
pub const USER_DATA: &str = "#!/bin/sh\n# hiddenhiddenhidden\n";

/// What one broker is given.
pub struct Cloud {
    pub ec2: Ec2,
    pub manifest: Value,
    /// Not even a file, if it is absent.
    pub credential: Option<Vec<u8>>,
    directory: TempDir,
}

/// What one broker said.
#[derive(Debug)]
pub struct Reply {
    pub answer: Answer,
    pub journal: String,
    pub took: Duration,
}

/// A file of these keys.
pub fn keys(access: &str, secret: &str, session: Option<&str>) -> Vec<u8> {
    let session = session.map_or(String::new(), |token| format!("aws_session_token = {token}\n"));
    format!("[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n{session}").into()
}

/// The token of a candidate, of an order that begins with the first subnet.
pub fn token(candidate: usize) -> String {
    format!("{}-{candidate}", "0".repeat(40))
}

/// Where most machines are.
pub fn placement() -> Placement {
    Placement {
        market: Market::Spot,
        instance_type: "c7i.xlarge".into(),
        subnet: SUBNET_A.into(),
        image: Image { id: IMAGE.into(), root_device: ROOT_DEVICE.into(), other_devices: vec![] },
    }
}

/// A request for a machine.
pub fn launch(token: &str, placement: Placement) -> Launch {
    Launch { token: token.into(), name: "od-1-build.pmu".into(), placement, user_data: Secret::new(USER_DATA.into()) }
}

impl Cloud {
    /// Two types in two zones, spot first, with the key that EC2 accepts.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// The same with another EC2.
    pub fn with(config: Config) -> Self {
        let ec2 = ec2::start(config).unwrap();
        let mut manifest: Value = serde_json::from_str(include_str!("../../fixtures/cloud-manifest-v1.json")).unwrap();
        for (field, value) in [
            ("endpoint", json!(ec2.url())),
            ("quotas", json!(ec2.url())),
            ("image", json!({ "id": IMAGE })),
            ("instanceTypes", json!(["c7i.xlarge", "m7i.large"])),
            ("subnets", json!([SUBNET_A, SUBNET_B])),
            ("securityGroups", json!([GROUP])),
        ] {
            manifest[field] = value;
        }
        let credential = Some(keys(ACCESS_KEY, SECRET_KEY, None));
        Self { ec2, manifest, credential, directory: tempfile::tempdir().unwrap() }
    }

    /// Changes a field of the manifest.
    pub fn set(&mut self, field: &str, value: Value) {
        self.manifest[field] = value;
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with everything that systemd would give it.
    pub fn program(&self) -> Command {
        let manifest = self.write("manifest", self.manifest.to_string());
        let machine_id = self.write("machine-id", format!("{MACHINE_ID}\n"));
        let credentials = self.directory.path().join("credentials");
        if credentials.exists() {
            fs::remove_dir_all(&credentials).unwrap();
        }
        fs::create_dir(&credentials).unwrap();
        if let Some(text) = &self.credential {
            fs::write(credentials.join("credential"), text).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        command.arg("cloud-broker").arg("--manifest").arg(manifest).arg("--machine-id").arg(machine_id);
        // What is at hand must not be taken for want of what is configured.
        command.env_clear().env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("CREDENTIALS_DIRECTORY", credentials);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A question, as the desk writes it.
    pub fn question(verb: &Verb, patience: u64) -> String {
        format!("{}\n", json!({ "version": VERSION, "class": "pmu", "patience": patience, "verb": verb }))
    }

    /// Starts a broker and gives it a text, after which nothing more comes.
    pub fn start(&self, text: &str) -> Child {
        let mut child = self.program().spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child
    }

    /// Asks, and checks what holds for every answer.
    pub fn ask(&self, verb: &Verb) -> Reply {
        self.ask_for(verb, PATIENCE)
    }

    /// The same with so many seconds of patience: with none, each request is made once.
    pub fn ask_for(&self, verb: &Verb, patience: u64) -> Reply {
        self.say(&Self::question(verb, patience))
    }

    /// The same with any text.
    pub fn say(&self, text: &str) -> Reply {
        let (before, started) = (self.ec2.log().len(), Instant::now());
        let reply = finish(self.start(text), started);
        self.check(&reply, before);
        reply
    }

    /// What holds for every answer. EC2 had seen so many requests before.
    pub fn check(&self, reply: &Reply, before: usize) {
        let log = &self.ec2.log()[before..];
        assert_eq!(reply.answer.version, VERSION);
        assert_eq!(usize::try_from(reply.answer.requests).unwrap(), log.len(), "{log:#?}");
        let filter = [("Filter.1.Name", format!("tag:{TAG}")), ("Filter.1.Value.1", HOST.into())];
        for entry in log.iter().filter(|entry| entry.action == "DescribeInstances") {
            let sent = entry.parameters.iter().filter(|(name, _)| name.starts_with("Filter"));
            assert!(sent.map(|(name, value)| (name.as_str(), value.clone())).eq(filter.clone()), "{entry:?}");
        }
        // One line, and a refusal is one there as well.
        let journal = &reply.journal;
        assert_eq!(journal.lines().count(), 1, "{journal}");
        if let Outcome::Refused(refusal) = &reply.answer.outcome {
            assert!(journal.contains("refused"), "{journal} of {refusal}");
        }
    }

    /// Asks for a machine.
    pub fn launch(&self, launch: &Launch) -> Reply {
        self.ask(&Verb::Launch(Box::new(launch.clone())))
    }

    /// The placement of a candidate.
    pub fn place(&self, candidate: usize) -> Placement {
        match self.ask(&Verb::Place { token: token(candidate), image: None }).answer.outcome {
            Outcome::Placed(placement) => placement,
            other => panic!("{other:?}"),
        }
    }

    /// Makes a machine of a token where most are.
    pub fn make(&self, token: &str) -> Instance {
        let reply = self.launch(&launch(token, placement()));
        assert_eq!(reply.answer.outcome, Outcome::Launched, "{}", reply.journal);
        self.ec2.instances().pop().unwrap()
    }

    /// All machines, by token.
    pub fn list(&self) -> Vec<(String, Condition)> {
        match self.ask(&Verb::List).answer.outcome {
            Outcome::Listed(all) => all.into_iter().map(|found| (found.token, found.condition)).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Ends the machines of a token.
    pub fn end(&self, token: &str) -> Reply {
        self.ask(&Verb::End { token: token.into() })
    }

    /// What was looked at.
    pub fn looked(&self) -> Vec<Checked> {
        match self.ask(&Verb::Check).answer.outcome {
            Outcome::Checked(all) => all,
            other => panic!("{other:?}"),
        }
    }

    /// All requests of an action.
    pub fn sent(&self, action: &str) -> Vec<Entry> {
        self.ec2.log().into_iter().filter(|entry| entry.action == action).collect()
    }

    /// Where a test may have its own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Reply {
    /// Why it was refused.
    #[track_caller]
    pub fn refusal(self) -> Refusal {
        match self.answer.outcome {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}\n{}", self.journal),
        }
    }
}

/// Waits for the one answer and the journal, in which there is no secret.
pub fn finish(mut child: Child, started: Instant) -> Reply {
    let (mut answer, mut journal) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {journal}");
    assert_eq!((answer.lines().count(), answer.ends_with('\n')), (1, true), "{answer}");
    for text in [&answer, &journal] {
        for secret in [HIDDEN, SECRET_KEY] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    Reply { answer: serde_json::from_str(&answer).unwrap(), journal, took: started.elapsed() }
}
