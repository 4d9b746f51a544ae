//! Just-in-time configurations: the server makes the runner's files.
//!
//! Contract 1.9 and 4.7: always ephemeral, no default labels, labels in lower case, and
//! files in the server's own casing with strings for every value.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    access,
    answer::Answer,
    routes::Seen,
    runner::{Group, Label, Runner},
    shared::{guid, sha256},
    state::State,
};

/// What a test wants to be wrong with the files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct JitChanges {
    /// Further files by name, such as `.env` or `../evil`, with their content.
    pub extra: BTreeMap<String, String>,
    /// Names of files to leave out.
    pub omit: Vec<String>,
    /// Sent instead of the whole encoded configuration.
    pub instead: Option<String>,
    /// Fields that the runner itself is described with instead of its own.
    pub runner: BTreeMap<String, Value>,
}

/// The body of a request, complete.
#[derive(Deserialize)]
struct Wanted {
    name: String,
    runner_group_id: u64,
    labels: Vec<String>,
    #[serde(default = "work")]
    work_folder: String,
}

fn work() -> String {
    "_work".to_owned()
}

/// `POST {entity}/actions/runners/generate-jitconfig`.
pub fn generate(state: &mut State, seen: &Seen, entity: &str) -> Answer {
    if let Some(refusal) = access::allow(state, seen, entity, None) {
        return refusal;
    }
    let wanted = match wanted(&seen.body) {
        Ok(wanted) => wanted,
        Err(text) => return Answer::unprocessable(&text),
    };
    let group = match state.groups.iter().find(|group| group.id == wanted.runner_group_id) {
        None => return Answer::not_found(),
        Some(group) if group.is_hosted => {
            return Answer::error(403, "Self-hosted runners cannot be added to a group of hosted runners");
        }
        Some(group) => group.clone(),
    };
    if state.holder(entity, &wanted.name).is_some() {
        return Answer::name_taken(&wanted.name);
    }
    let id = state.next_id();
    let runner = Runner {
        id,
        name: wanted.name,
        entity: entity.to_owned(),
        group: group.id,
        labels: wanted.labels.iter().map(|name| Label::custom(name)).collect(),
        ephemeral: true,
        updates_disabled: false,
        busy: false,
        status: "offline".to_owned(),
        public_key: format!("JIT {}", sha256(format!("{entity}{id}"))),
    };
    let encoded = encoded(&runner, &group, &wanted.work_folder, &state.jit);
    let mut public = runner.public();
    for (field, value) in &state.jit.runner {
        public[field] = value.clone();
    }
    let answer = Answer::json(201, json!({ "runner": public, "encoded_jit_config": encoded }));
    state.runners.push(runner);
    answer
}

fn wanted(body: &Value) -> Result<Wanted, String> {
    let required = ["name", "runner_group_id", "labels"];
    if let Some(missing) = required.iter().find(|key| body[**key].is_null()) {
        return Err(format!("Invalid input: object is missing required key: {missing}"));
    }
    let wanted = Wanted::deserialize(body).map_err(|_| "Validation Failed".to_owned())?;
    if wanted.name.len() > 64 {
        return Err("Validation Failed: name is too long (maximum is 64 characters)".to_owned());
    }
    if !(1..=100).contains(&wanted.labels.len()) {
        return Err("Validation Failed: between 1 and 100 labels are needed".to_owned());
    }
    Ok(wanted)
}

/// Base64 of an object from file name to base64 of its content.
fn encoded(runner: &Runner, group: &Group, work: &str, changes: &JitChanges) -> String {
    if let Some(instead) = &changes.instead {
        return instead.clone();
    }
    let mut files: BTreeMap<String, String> = [
        (".runner", settings(runner, group, work)),
        (".credentials", credentials(runner)),
        (".credentials_rsaparams", key(runner)),
    ]
    .into_iter()
    .map(|(name, content)| (name.to_owned(), content.to_string()))
    .collect();
    files.extend(changes.extra.clone());
    files.retain(|name, _| !changes.omit.contains(name));
    let object: BTreeMap<&String, String> =
        files.iter().map(|(name, content)| (name, BASE64_STANDARD.encode(content))).collect();
    BASE64_STANDARD.encode(json!(object).to_string())
}

fn settings(runner: &Runner, group: &Group, work: &str) -> Value {
    json!({
        "AgentId": runner.id.to_string(),
        "AgentName": runner.name,
        "DisableUpdate": "False",
        "Ephemeral": "True",
        "PoolId": group.id.to_string(),
        "PoolName": group.name,
        "ServerUrlV2": "https://broker.actions.example/",
        "UseV2Flow": "True",
        "WorkFolder": work,
    })
}

fn credentials(runner: &Runner) -> Value {
    json!({
        "Scheme": "OAuth",
        "Data": {
            "ClientId": guid(&runner.public_key),
            "AuthorizationUrl": "https://token.actions.example/_apis/oauth2/token",
            "RequireFipsCryptography": "True",
        },
    })
}

/// Text in the places of the numbers of an RSA key.
fn key(runner: &Runner) -> Value {
    let part = |name: &str, length: usize| {
        let mut bytes = format!("FAKE KEY, NOT A SECRET: {name} {}", runner.public_key).into_bytes();
        bytes.resize(length, b'.');
        BASE64_STANDARD.encode(bytes)
    };
    json!({
        "d": part("d", 256),
        "dp": part("dp", 128),
        "dq": part("dq", 128),
        "exponent": "AQAB",
        "inverseQ": part("inverseQ", 128),
        "modulus": part("modulus", 256),
        "p": part("p", 128),
        "q": part("q", 128),
    })
}
