//! `github-runnerctl fleet doctor`: GARM, and what its pools need outside of it, each fault with its way out.
//!
//! It changes nothing. It asks GARM, the provider's own program for its `check` and for instances, and the provider's server for
//! images. What cannot be asked is a finding, and no reason to leave out the next one.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::finding::{Finding, Group, Report};
use crate::frontend::fleet::pass::{self, Examined, Failure};
use crate::frontend::fleet::{Declaration, Kind, Provider, Server, State, Thing};
use crate::machines::incus::{Connection, Endpoint, Incus, Owner};

/// The way out of what passes do.
const APPLY: &str = "run `github-runnerctl fleet apply`, or wait for the next pass";

/// Makes the checks.
#[must_use]
pub fn report(declaration: &Path) -> Report {
    let mut garm = Group { title: "GARM".into(), findings: vec![] };
    let declared = match pass::read(declaration) {
        Ok(declared) => declared,
        Err(error) => {
            garm.findings.push(Finding::error("declaration", &error));
            return Report { groups: vec![garm] };
        }
    };
    let examined = match pass::examine(&declared) {
        Ok(Ok(examined)) => Some(examined),
        Ok(Err(failure)) => {
            garm.findings.push(failed(&declared, &failure));
            None
        }
        Err(error) => {
            garm.findings.push(Finding::error("garm", &error));
            None
        }
    };
    let mut groups = vec![];
    if let Some(examined) = &examined {
        garm.findings.extend(of_garm(&declared, examined));
        let findings = examined.report.things.iter().map(of_thing).collect();
        groups.push(Group { title: "What is declared".into(), findings });
    }
    groups.insert(0, garm);
    for (name, provider) in &declared.providers {
        let findings = of_provider(&declared, name, provider, examined.as_ref());
        groups.push(Group { title: format!("Provider {name}"), findings });
    }
    Report { groups }
}

fn failed(declared: &Declaration, failure: &Failure) -> Finding {
    let said = failure.said().to_owned();
    match failure {
        Failure::Away(_) => Finding::fault("garm", said, format!("start GARM, or correct `api` ({})", declared.api)),
        Failure::Refused { .. } => Finding { remedy: None, ..Finding::fault("garm", said, "") },
    }
}

fn of_garm(declared: &Declaration, examined: &Examined) -> Vec<Finding> {
    let (seen, user) = (&examined.session.seen, &declared.admin.user);
    if examined.session.is_new {
        return vec![Finding::fault("garm", "answers, and has no administrator yet", APPLY)];
    }
    let version = if seen.controller.version.is_empty() { "of some version" } else { &seen.controller.version };
    let mut findings = vec![Finding::good("garm", format!("{version} answers, and lets {user} in"))];
    for (topic, url) in
        [("metadata url", &seen.controller.metadata_url), ("callback url", &seen.controller.callback_url)]
    {
        findings.push(if url.is_empty() {
            Finding::fault(topic, "is not set, and GARM does nothing without it", APPLY)
        } else {
            Finding::good(topic, url)
        });
    }
    for credentials in seen.credentials.iter().filter(|one| declared.credentials.contains_key(&one.name)) {
        let name = &credentials.name;
        findings.push(if credentials.rate_limit.is_some() {
            Finding::good("credentials", format!("{name} are accepted by {}", credentials.endpoint.name))
        } else {
            let remedy = "wait for half a minute after GARM's start; then see its log, and renew the token or key";
            Finding::warning(
                "credentials",
                format!("{} has not answered to {name} yet", credentials.endpoint.name),
                remedy,
            )
        });
    }
    for entity in seen.repositories.iter().chain(&seen.organizations) {
        let name = entity.full_name();
        let status = &entity.pool_manager_status;
        findings.push(if status.running {
            Finding::good("entity", format!("{name} is looked after"))
        } else {
            let why = if status.failure_reason.is_empty() { "it does not say why" } else { &status.failure_reason };
            let remedy = "correct its credentials, or its name at GitHub";
            Finding::fault("entity", format!("GARM does not look after {name}: {why}"), remedy)
        });
    }
    let makes = declared.pools.values().map(|pool| &pool.make).chain(declared.scale_sets.values().map(|set| &set.make));
    let needed: BTreeSet<&String> = makes.map(|make| &make.provider).chain(declared.providers.keys()).collect();
    for name in needed {
        findings.push(if seen.providers.iter().any(|known| known.name == *name) {
            Finding::good("provider", format!("{name} is known to GARM"))
        } else {
            let remedy = "add a [[provider]] of that name to GARM's configuration, and restart GARM";
            Finding::fault("provider", format!("GARM has no provider {name}"), remedy)
        });
    }
    findings
}

/// How one thing stands.
fn of_thing(thing: &Thing) -> Finding {
    let topic = match thing.kind {
        Kind::Controller => "controller",
        Kind::Endpoint => "endpoint",
        Kind::Credentials => "credentials",
        Kind::Repository => "repository",
        Kind::Organization => "organization",
        Kind::Webhook => "webhook",
        Kind::Pool => "pool",
        Kind::ScaleSet => "scale set",
    };
    let said = thing.said.join("; ");
    let name = &thing.name;
    match thing.state {
        State::InPlace => {
            let failed = thing.instances.get("error").copied().unwrap_or_default();
            if failed > 0 {
                let said = format!("{name} has {failed} instances that failed");
                return Finding::warning(topic, said, "`garm-cli runner show NAME` has the provider's sentence");
            }
            Finding::good(topic, format!("{name} is as declared"))
        }
        State::Missing => Finding::warning(topic, format!("{name} is missing"), APPLY),
        State::Differs => Finding::warning(topic, format!("{name} {said}"), APPLY),
        State::Refused => Finding { remedy: None, ..Finding::fault(topic, format!("{name}: {said}"), "") },
        State::NotDeclared => {
            let remedy = format!("declare it, or run `github-runnerctl fleet delete {} {name}`", thing.kind);
            Finding::warning(topic, format!("{name} is in GARM and not declared"), remedy)
        }
    }
}

fn of_provider(declared: &Declaration, name: &str, provider: &Provider, examined: Option<&Examined>) -> Vec<Finding> {
    let mut findings = vec![match asked(provider, &["check"], "") {
        Ok(said) => Finding::good("check", said.lines().last().unwrap_or_default()),
        Err(error) => Finding::error("check", &error),
    }];
    if let Some(server) = &provider.server {
        findings.extend(of_server(declared, name, server));
    }
    let controller = examined.map(|examined| examined.session.seen.controller.id.as_str());
    if let (Some(examined), Some(controller)) = (examined, controller.filter(|id| !id.is_empty())) {
        findings.push(match unknown(provider, controller, examined) {
            Ok(unknown) if unknown.is_empty() => Finding::good("instances", "GARM knows all that are of its own"),
            Ok(unknown) => {
                let said = format!("GARM does not know {}, which are tagged as its own", unknown.join(", "));
                Finding::warning("instances", said, "look at them, and delete what nobody needs at the server")
            }
            Err(error) => Finding::error("instances", &error),
        });
    }
    findings
}

/// Names of instances at the server that are tagged as this GARM's, and that it does not know.
fn unknown(provider: &Provider, controller: &str, examined: &Examined) -> Result<Vec<String>> {
    let runners = || examined.runners().map_err(|failure| anyhow::anyhow!("{}", failure.said()));
    let known: Vec<_> = runners()?.into_iter().map(|name| json!({"name": name})).collect();
    let known = serde_json::to_string(&known)?;
    let arguments = ["instances", "--controller", controller, "--known", "/dev/stdin"];
    let table = asked(provider, &arguments, &known)?;
    let names = table.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(String::from);
    let mut names: Vec<String> = names.collect();
    if !names.is_empty() {
        // What was made between the two lists is known by now.
        let known: BTreeSet<String> = runners()?.into_iter().collect();
        names.retain(|name| !known.contains(name));
    }
    Ok(names)
}

/// Asks the provider's program, which ends by itself; `input` is what it reads.
fn asked(provider: &Provider, arguments: &[&str], input: &str) -> Result<String> {
    let name = provider.command.display();
    let mut command = Command::new(&provider.command);
    command.args(arguments).arg("--settings").arg(&provider.config);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("Failed to run {name}: correct `command`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read all of it says why.
        _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("Failed to run {name}"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The images of the server that pools of this provider name.
fn of_server(declared: &Declaration, name: &str, server: &Server) -> Vec<Finding> {
    let owner = Owner { controller: "nobody".into(), pool: None };
    let incus = match Incus::open(&Connection { endpoint: endpoint(server), project: server.project.clone() }, owner) {
        Ok(incus) => incus,
        Err(fault) => return vec![Finding::error("server", &anyhow::Error::new(fault))],
    };
    let makes = declared.pools.values().map(|pool| &pool.make).chain(declared.scale_sets.values().map(|set| &set.make));
    let images: BTreeSet<&str> = makes.filter(|make| make.provider == name).map(|make| make.image.as_str()).collect();
    let look = |image: &str| match image.split_once(':') {
        Some(_) => {
            Finding::good("image", format!("{image} is one of a remote; the server fetches it when it is needed"))
        }
        None => match incus.look_at_image(image) {
            Ok(()) => Finding::good("image", format!("{image} is there")),
            Err(fault) => Finding::error("image", &anyhow::Error::new(fault)),
        },
    };
    images.into_iter().map(look).collect()
}

fn endpoint(server: &Server) -> Endpoint {
    match &server.socket {
        Some(path) => Endpoint::Socket(path.clone()),
        // What a declaration may leave out was refused when it was read.
        None => Endpoint::Https {
            url: server.url.clone().unwrap_or_default(),
            client_certificate: server.client_certificate.clone().unwrap_or_default(),
            client_key: server.client_key.clone().unwrap_or_default(),
            server_certificate: server.server_certificate.clone(),
            ca: None,
        },
    }
}
