//! The metadata service, version 2: what an instance is told, and the credential of a host's role.
//!
//! Each instance has a port of its own, since its address is the same one in every network. A host is an instance that nobody here
//! has launched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::http::{Request, Response};
use super::server::Shared;
use super::shared::{Utc, sha256};
use super::state::State;

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Whom a port is for.
pub enum Whose {
    Instance(String),
    Host,
}

/// The service at one port.
pub struct Metadata {
    pub shared: Arc<Shared>,
    pub whose: Whose,
    /// Until when tokens are good.
    pub tokens: Mutex<BTreeMap<String, Instant>>,
}

impl Metadata {
    /// Answers a request.
    pub fn answer(&self, request: &Request) -> Response {
        let state = self.shared.lock();
        if !self.is_open(&state) {
            return Response::plain(403, "");
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") => self.token(request),
            ("GET", path) if self.is_allowed(&state, request) => {
                found(self.get(&state, path).map(|text| Response::plain(200, text)))
            }
            ("GET", _) => Response::plain(401, ""),
            _ => Response::plain(405, ""),
        }
    }

    fn is_open(&self, state: &State) -> bool {
        match &self.whose {
            Whose::Host => true,
            Whose::Instance(id) => {
                state.instance(id).is_some_and(|instance| instance.metadata.http_endpoint == "enabled")
            }
        }
    }

    fn token(&self, request: &Request) -> Response {
        let time = request.header(TTL).and_then(|time| time.parse().ok()).filter(|time| (1..=21_600).contains(time));
        let Some(time) = time else { return Response::plain(400, "") };
        if request.header("x-forwarded-for").is_some() {
            return Response::plain(403, "");
        }
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = sha256(format!("metadata token {} {:p}", tokens.len(), self));
        tokens.insert(token.clone(), Instant::now() + Duration::from_secs(time));
        Response::plain(200, token)
    }

    fn is_allowed(&self, state: &State, request: &Request) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        match request.header(TOKEN) {
            Some(token) => tokens.get(token).is_some_and(|until| *until > Instant::now()),
            // Version 1, which has none.
            None => match &self.whose {
                Whose::Host => false,
                Whose::Instance(id) => {
                    state.instance(id).is_some_and(|instance| instance.metadata.http_tokens == "optional")
                }
            },
        }
    }

    fn get(&self, state: &State, path: &str) -> Option<Vec<u8>> {
        match (&self.whose, path) {
            (_, "/latest/meta-data/placement/region") => Some(state.region.clone().into()),
            (Whose::Host, path) => credential(state, path).map(Into::into),
            (Whose::Instance(id), path) => {
                let instance = state.instance(id)?;
                match path {
                    // None is not the same as an empty one.
                    "/latest/user-data" if instance.user_data.is_empty() => None,
                    "/latest/user-data" => Some(instance.user_data.clone()),
                    "/latest/meta-data/instance-id" => Some(instance.id.clone().into()),
                    "/latest/meta-data/instance-type" => Some(instance.kind.clone().into()),
                    "/latest/meta-data/placement/availability-zone" => Some(instance.zone.clone().into()),
                    _ => None,
                }
            }
        }
    }
}

/// The name of the host's role, or its credential.
fn credential(state: &State, path: &str) -> Option<String> {
    let role = state.host.as_ref()?;
    let name = path.strip_prefix(ROLES)?;
    if name.is_empty() {
        return Some(role.name.clone());
    }
    let time = |moment| Utc::from_unix(moment).iso();
    (name == role.name).then(|| {
        json!({
            "Code": "Success", "LastUpdated": time(state.now()), "Type": "AWS-HMAC", "AccessKeyId": role.key.access_key,
            "SecretAccessKey": role.key.secret_key, "Token": role.key.session_token,
            "Expiration": time(state.now() + role.lasts),
        })
        .to_string()
    })
}

fn found(response: Option<Response>) -> Response {
    response.unwrap_or_else(|| Response::plain(404, "<html><body>404 - Not Found</body></html>"))
}
