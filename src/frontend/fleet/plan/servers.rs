//! GARM's own addresses, servers of GitHub's kind, and what GARM speaks to them with. Pure.

use serde_json::{Map, json};

use super::inputs::{Inputs, differs};
use crate::frontend::fleet::step::{Action, Kind, Plan, Step};
use crate::frontend::fleet::wire;
use crate::model::shown;

pub fn controller(Inputs { declared, seen, .. }: Inputs<'_>, plan: &mut Plan) {
    let (wanted, seen) = (&declared.controller, &seen.controller);
    let mut body = Map::new();
    differs(&mut body, "metadata_url", &wanted.metadata, &seen.metadata_url);
    differs(&mut body, "callback_url", &wanted.callback, &seen.callback_url);
    if let Some(url) = &wanted.webhook {
        differs(&mut body, "webhook_url", url, &seen.webhook_url);
    }
    plan.steps.extend(Step::update(Kind::Controller, "controller", "controller", body, false));
}

pub fn endpoints(Inputs { declared, seen, material, .. }: Inputs<'_>, plan: &mut Plan) {
    for (name, wanted) in &declared.endpoints {
        let certificate = match material.certificates.get(name) {
            Some(Err(why)) => {
                plan.refuse(Kind::Endpoint, name, why.clone());
                continue;
            }
            Some(Ok(certificate)) => Some(certificate),
            None => None,
        };
        let Some(found) = seen.endpoints.iter().find(|found| found.name.eq_ignore_ascii_case(name)) else {
            let mut step = Step::new(Action::Create, Kind::Endpoint, name);
            step.body.insert("name".into(), json!(name));
            step.body.insert("description".into(), json!(wanted.description));
            step.body.insert("base_url".into(), json!(wanted.base_url));
            step.body.insert("api_base_url".into(), json!(wanted.api_base_url));
            step.body.insert("upload_base_url".into(), json!(wanted.upload_base_url));
            if let Some(certificate) = certificate {
                step.body.insert("ca_cert_bundle".into(), json!(certificate));
            }
            plan.steps.push(step);
            continue;
        };
        let mut body = Map::new();
        differs(&mut body, "base_url", &wanted.base_url, &found.base_url);
        differs(&mut body, "api_base_url", &wanted.api_base_url, &found.api_base_url);
        differs(&mut body, "upload_base_url", &wanted.upload_base_url, &found.upload_base_url);
        let is_used = seen.credentials.iter().any(|known| known.endpoint.name.eq_ignore_ascii_case(name));
        if is_used && !body.is_empty() {
            let fields: Vec<&str> = body.keys().map(String::as_str).collect();
            let said = format!(
                "GARM cannot change {} of an endpoint that has credentials: declare an endpoint of another name with \
                 credentials of its own, and delete this one when nothing uses it",
                fields.join(", ")
            );
            plan.refuse(Kind::Endpoint, name, said);
            body.clear();
        }
        differs(&mut body, "description", &wanted.description, &found.description);
        match certificate {
            Some(certificate) if !same_certificates(certificate, found) => {
                body.insert("ca_cert_bundle".into(), json!(certificate));
            }
            None if found.ca_cert_bundle.as_deref().is_some_and(|bundle| !bundle.is_empty()) => {
                let said = "GARM cannot take an endpoint's certificates away: declare `caCertificateFile`, or an \
                            endpoint of another name";
                plan.refuse(Kind::Endpoint, name, said.into());
            }
            _ => {}
        }
        plan.steps.extend(Step::update(Kind::Endpoint, name, &found.name, body, false));
    }
}

/// GARM writes each certificate anew and leaves out those that stand there twice.
fn same_certificates(declared: &str, found: &wire::Endpoint) -> bool {
    certificates(declared) == certificates(found.ca_cert_bundle.as_deref().unwrap_or_default())
}

/// The bodies of all certificates in PEM that is base64.
fn certificates(bundle: &str) -> std::collections::BTreeSet<String> {
    use base64::Engine as _;
    let decoded = base64::prelude::BASE64_STANDARD.decode(bundle).unwrap_or_default();
    let text = String::from_utf8_lossy(&decoded).into_owned();
    let parts = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    parts.filter_map(|part| Some(part.split_once("-----END")?.0.split_whitespace().collect())).collect()
}

pub fn credentials(Inputs { declared, seen, memory, material }: Inputs<'_>, plan: &mut Plan) {
    for (name, wanted) in &declared.credentials {
        let proof = match material.credentials.get(name) {
            Some(Ok(proof)) => Some(proof),
            Some(Err(why)) => {
                plan.refuse(Kind::Credentials, name, why.clone());
                None
            }
            None => None,
        };
        let auth_type = if wanted.app.is_some() { "app" } else { "pat" };
        let Some(found) = seen.credentials.iter().find(|found| found.name.eq_ignore_ascii_case(name)) else {
            if proof.is_some() {
                let mut step = Step::new(Action::Create, Kind::Credentials, name);
                step.body.insert("name".into(), json!(name));
                step.body.insert("description".into(), json!(wanted.description));
                step.body.insert("endpoint".into(), json!(wanted.endpoint));
                step.body.insert("auth_type".into(), json!(auth_type));
                step.with_secret = true;
                plan.steps.push(step);
            }
            continue;
        };
        let moved = !found.endpoint.name.eq_ignore_ascii_case(&wanted.endpoint);
        if moved || found.auth_type != auth_type {
            let is = if moved {
                format!("they are of endpoint {}", shown(&found.endpoint.name))
            } else {
                format!("they are of type {}", shown(&found.auth_type))
            };
            let way =
                "declare credentials of another name, have repositories and organizations use them, and delete these";
            plan.refuse(Kind::Credentials, name, format!("GARM cannot change that {is}: {way}"));
            continue;
        }
        let mut body = Map::new();
        differs(&mut body, "description", &wanted.description, &found.description);
        let is_new = proof.is_some_and(|proof| !proof.is(memory.credentials.get(name)));
        plan.steps.extend(Step::update(Kind::Credentials, name, &found.id.to_string(), body, is_new));
    }
}
