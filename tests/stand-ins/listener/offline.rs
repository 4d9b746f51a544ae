//! A server without a network: accepts every token, knows the names that the script
//! calls taken, and counts ids in a file beside the script.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    script::{Offline, ServerStep},
    server::{ATTEMPTS, Authorization, Group, Purpose, Registered, Server, Tenant, failure, print_failure},
    shared::{guid, sha256},
    target::Target,
};

/// See the description of the file.
pub struct OfflineServer {
    rules: Offline,
    ids: PathBuf,
    target: Target,
}

impl OfflineServer {
    /// A server that behaves by `rules`.
    pub fn new(rules: &Offline, directory: &Path, target: Target) -> Self {
        let ids = rules.ids.clone();
        Self { rules: rules.clone(), ids: ids.unwrap_or_else(|| directory.join("stand-in-ids")), target }
    }

    fn step(&self, step: ServerStep, method: &str, path: &str) -> Result<()> {
        let Some(refusal) = self.rules.refuse.as_ref().filter(|refusal| refusal.step == step) else {
            return Ok(());
        };
        let attempts = if refusal.status == 404 { 1 } else { ATTEMPTS };
        for _ in 0..attempts {
            let url = self.target.shown(path);
            print_failure(refusal.status, method, &url, "STAND:IN:0", &refusal.body);
        }
        Err(failure(refusal.status))
    }

    fn next_id(&self) -> Result<u64> {
        let last = match fs::read_to_string(&self.ids) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "0".to_owned(),
            result => result.with_context(|| format!("Failed to read {}", self.ids.display()))?,
        };
        let next = last.trim().parse::<u64>()? + 1;
        fs::write(&self.ids, next.to_string()).with_context(|| format!("Failed to count in {}", self.ids.display()))?;
        Ok(next)
    }
}

impl Server for OfflineServer {
    fn token(&mut self, purpose: Purpose, pat: &str) -> Result<String> {
        let path = format!("actions/runners/{}", purpose.token());
        let path = self.target.entity(&path, "repository")?;
        self.step(ServerStep::Token, "POST", &path)?;
        Ok(format!("AFAKETOKEN{}", &sha256(pat).to_uppercase()[..19]))
    }

    fn tenant(&mut self, _: Purpose, _: &str) -> Result<Tenant> {
        self.step(ServerStep::Tenant, "POST", &self.target.api("actions/runner-registration"))?;
        let legacy = self.rules.legacy;
        Ok(Tenant {
            url: if legacy { "https://pipelines.actions.example/fake/".to_owned() } else { String::new() },
            use_v2_flow: !legacy,
        })
    }

    fn groups(&mut self) -> Result<Vec<Group>> {
        let path = self.target.entity("actions/runner-groups", "enterprise")?;
        self.step(ServerStep::Groups, "Get", &path)?;
        let further = self.rules.groups.iter().map(String::as_str);
        let names = std::iter::once("Default").chain(further);
        Ok((1..)
            .zip(names)
            .map(|(id, name)| Group { id, name: name.to_owned(), default: id == 1, is_hosted: false })
            .collect())
    }

    fn find(&mut self, name: &str) -> Result<Option<u64>> {
        self.step(ServerStep::Find, "Get", &self.target.entity("actions/runners", "enterprise")?)?;
        let mut taken = (1_001..).zip(&self.rules.taken);
        let found = taken.find(|(_, taken)| taken.eq_ignore_ascii_case(name));
        Ok(found.map(|(id, _)| id))
    }

    fn register(&mut self, body: &Value) -> Result<Registered> {
        self.step(ServerStep::Register, "Post", &self.target.api("actions/runners/register"))?;
        let id = match body["runner_id"].as_u64() {
            Some(id) => id,
            None => self.next_id()?,
        };
        Ok(Registered {
            id,
            name: body["name"].as_str().unwrap_or_default().to_owned(),
            authorization: Authorization {
                token_url: "https://token.actions.example/_apis/oauth2/token".to_owned(),
                server_url: "https://broker.actions.example/".to_owned(),
                client_id: guid(&format!("offline {id}")),
            },
        })
    }

    fn delete(&mut self, _: &str, id: u64) -> Result<()> {
        let path = format!("actions/runners/{id}");
        self.step(ServerStep::Delete, "Delete", &self.target.entity(&path, "enterprise")?)
    }
}
