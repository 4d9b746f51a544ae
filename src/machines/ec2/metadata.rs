//! The credential of the role that this host itself has as an instance of EC2, by the metadata service of version 2.

use std::time::Duration;

use super::ask::Way;
use super::credential::Credential;
use crate::contract::cloud::Refusal;
use crate::http::{Form, Method};

/// It is on the same machine, as it were.
const LIMIT: Duration = Duration::from_secs(2);
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Asks for it. `address` is `http://169.254.169.254`, but in tests.
///
/// # Errors
///
/// [`Refusal::Credential`], if there is no role; [`Refusal::Passing`], if nobody answers.
pub fn role(way: &dyn Way, address: &str) -> Result<Credential, Refusal> {
    let ask = |method, path: &str, header: (&'static str, String)| {
        let (address, headers) = (format!("{address}{path}"), [header]);
        let form = Form { method, address: &address, headers: &headers, body: "" };
        let response = way.send(&form, LIMIT).map_err(|broken| {
            Refusal::Passing(format!("the metadata service of this host does not answer: {}", broken.why))
        })?;
        match response.status {
            200 => Ok(response.body),
            404 => Err(Refusal::Credential(
                "this host has no role: give its instance a profile, or set `credentialFile`".into(),
            )),
            status => Err(Refusal::Passing(format!("the metadata service of this host answers with status {status}"))),
        }
    };
    let lifetime = ("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned());
    let text = |body: Vec<u8>| String::from_utf8(body).unwrap_or_default().trim().to_owned();
    let token = text(ask(Method::Put, "/latest/api/token", lifetime)?);
    let shown = || ("x-aws-ec2-metadata-token", token.clone());
    let roles = text(ask(Method::Get, ROLES, shown())?);
    let name = roles.lines().next().unwrap_or_default();
    // It becomes a part of an address.
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    if !is_name {
        return Err(Refusal::Credential("the metadata service names a role that no role is called".into()));
    }
    let body = ask(Method::Get, &format!("{ROLES}{name}"), shown())?;
    Credential::of_role(&body)
        .map_err(|fault| Refusal::Credential(format!("what the metadata service says of the role {name} {fault}")))
}
