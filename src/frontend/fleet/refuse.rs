//! What of a declaration cannot be, each in one sentence with its way out. Pure.
//!
//! What only GARM knows, such as its providers, is left to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::declaration::{Declaration, Entity, GITHUB, Make, Server, VERSION};
use crate::model::shown;

/// The largest number of runners or minutes that is taken; GARM has no limit of its own.
const MOST: u64 = 100_000;

/// Reads a declaration.
///
/// # Errors
///
/// What is wrong with it: its form, or all sentences of what cannot be.
pub fn parse(text: &[u8]) -> Result<Declaration, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let version: Version =
        serde_json::from_slice(text).map_err(|_| "it is no JSON object with a `version`: write one".to_owned())?;
    if version.version != VERSION {
        return Err(format!("it has version {}, and this program reads version {VERSION}", version.version));
    }
    let declaration: Declaration = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let faults = faults(&declaration);
    if faults.is_empty() { Ok(declaration) } else { Err(faults.join("; ")) }
}

fn faults(declared: &Declaration) -> Vec<String> {
    let mut faults = Vec::new();
    if let Err(why) = host(&declared.api) {
        faults.push(format!("api {} {why}", shown(&declared.api)));
    }
    twice("endpoints", &declared.endpoints, &mut faults);
    twice("credentials", &declared.credentials, &mut faults);
    twice("repositories", &declared.repositories, &mut faults);
    twice("organizations", &declared.organizations, &mut faults);
    servers(declared, &mut faults);
    entities(declared, &mut faults);
    pools(declared, &mut faults);
    for (name, provider) in &declared.providers {
        if let Some(server) = &provider.server
            && !is_one_way(server)
        {
            let way = "write either `socket`, or `url` with `clientCertificate` and `clientKey`";
            faults.push(format!("providers.{name}.server is no way to a server: {way}"));
        }
    }
    faults
}

/// Where the API is: host with port, and whether it is asked by TLS.
///
/// # Errors
///
/// The end of a sentence.
pub fn host(api: &str) -> Result<(&str, bool), String> {
    let (rest, is_secure) = match (api.strip_prefix("https://"), api.strip_prefix("http://")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return Err("begins neither with https:// nor with http://".into()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(|c: char| "/?#@".contains(c) || c.is_whitespace() || c.is_control()) {
        return Err("is more or less than http(s)://HOST:PORT: take everything else away".into());
    }
    let name = match rest.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => rest,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<core::net::IpAddr>();
    if !is_secure && bare != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        return Err("is not of this host, and the password would cross the network in the clear: use https://".into());
    }
    Ok((rest, is_secure))
}

/// GARM knows these names without case.
fn twice<T>(what: &str, named: &BTreeMap<String, T>, faults: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for name in named.keys() {
        if !known.insert(name.to_ascii_lowercase()) {
            faults.push(format!("{what} has {} twice, and GARM does not tell case: rename one", shown(name)));
        }
        if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
            faults.push(format!("{what} has the name {}, which is empty or has blanks: rename it", shown(name)));
        }
    }
}

fn servers(declared: &Declaration, faults: &mut Vec<String>) {
    if declared.endpoints.keys().any(|name| name.eq_ignore_ascii_case(GITHUB)) {
        faults.push(format!("endpoints has {GITHUB}, which exists by itself: leave it out"));
    }
    for (name, credentials) in &declared.credentials {
        let endpoint = &credentials.endpoint;
        if endpoint != GITHUB && !declared.endpoints.contains_key(endpoint) {
            faults.push(format!("credentials.{name} names endpoint {}, which is not declared", shown(endpoint)));
        }
        if credentials.token.is_some() == credentials.app.is_some() {
            faults.push(format!("credentials.{name} needs exactly one of `token` and `app`"));
        }
    }
}

fn entities(declared: &Declaration, faults: &mut Vec<String>) {
    let is_known = |entity: &Entity| declared.credentials.contains_key(&entity.credentials);
    let parts = |name: &str| name.split('/').filter(|part| !part.is_empty()).count();
    for (what, count, entities) in
        [("repositories", 2, &declared.repositories), ("organizations", 1, &declared.organizations)]
    {
        for (name, entity) in entities {
            if parts(name) != count || name.matches('/').count() + 1 != count {
                let form = if count == 2 { "OWNER/NAME" } else { "a name without a slash" };
                faults.push(format!("{what} has {}, which is not {form}", shown(name)));
            }
            if !is_known(entity) {
                let credentials = shown(&entity.credentials);
                faults.push(format!("{what}.{name} names credentials {credentials}, which are not declared"));
            }
        }
    }
}

fn pools(declared: &Declaration, faults: &mut Vec<String>) {
    let is_known =
        |entity: &String| declared.repositories.contains_key(entity) || declared.organizations.contains_key(entity);
    for (name, pool) in &declared.pools {
        common(&format!("pools.{name}"), &pool.make, faults);
        if !is_known(&pool.entity) {
            faults.push(format!("pools.{name} is of {}, which is not declared", shown(&pool.entity)));
        }
        if pool.tags.is_empty() || pool.tags.iter().any(String::is_empty) {
            faults.push(format!("pools.{name} needs at least one tag, and none that is empty"));
        }
    }
    let mut names = BTreeSet::new();
    for (name, set) in &declared.scale_sets {
        common(&format!("scaleSets.{name}"), &set.make, faults);
        if !is_known(&set.entity) {
            faults.push(format!("scaleSets.{name} is of {}, which is not declared", shown(&set.entity)));
        }
        if !names.insert((&set.entity, set.name.as_ref().unwrap_or(name))) {
            faults.push(format!("scaleSets.{name} has the name of another one of {}", shown(&set.entity)));
        }
    }
}

fn common(what: &str, make: &Make, faults: &mut Vec<String>) {
    for (field, value) in [
        ("provider", &make.provider),
        ("image", &make.image),
        ("flavor", &make.flavor),
        ("runnerPrefix", &make.runner_prefix),
    ] {
        if value.is_empty() {
            faults.push(format!("{what}.{field} is empty"));
        }
    }
    for (field, value, known) in [
        ("osType", &make.os_type, &["linux", "windows"][..]),
        ("osArch", &make.os_arch, &["amd64", "arm64", "arm", "i386"]),
    ] {
        if !known.contains(&value.as_str()) {
            faults.push(format!("{what}.{field} is {}: GARM knows {}", shown(value), known.join(", ")));
        }
    }
    if make.max_runners == 0 || make.max_runners > MOST {
        faults.push(format!("{what}.maxRunners is not from 1 to {MOST}; to make no runners set `enabled` to false"));
    }
    if make.min_idle_runners > make.max_runners {
        faults.push(format!("{what}.minIdleRunners is more than maxRunners"));
    }
    if make.bootstrap_timeout_minutes == 0 || make.bootstrap_timeout_minutes > MOST {
        faults.push(format!("{what}.bootstrapTimeoutMinutes is not from 1 to {MOST}"));
    }
}

fn is_one_way(server: &Server) -> bool {
    let certificates = [&server.client_certificate, &server.client_key];
    match (&server.socket, &server.url) {
        (Some(_), None) => certificates.iter().all(|path| path.is_none()) && server.server_certificate.is_none(),
        (None, Some(_)) => certificates.iter().all(|path| path.is_some()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn example() -> Value {
        serde_json::from_str(include_str!("../../../tests/fixtures/garm-fleet-v1.json")).unwrap()
    }

    fn refused(change: impl FnOnce(&mut Value)) -> String {
        let mut value = example();
        change(&mut value);
        parse(value.to_string().as_bytes()).map(drop).unwrap_err()
    }

    #[test]
    fn the_fixture_is_a_declaration_and_defaults_are_garms() {
        let declared = parse(example().to_string().as_bytes()).unwrap();
        let set = &declared.scale_sets["builders"].make;
        assert_eq!((set.os_type.as_str(), set.os_arch.as_str(), set.bootstrap_timeout_minutes), ("linux", "amd64", 20));
        assert!(set.enabled && set.runner_prefix == "garm" && set.extra_specs.is_empty());
        assert_eq!(declared.credentials["octo-app"].endpoint, GITHUB);
    }

    #[test]
    fn what_the_module_renders_is_a_declaration() {
        for golden in [
            include_str!("../../../tests/eval/golden/garm-fleet.json"),
            include_str!("../../../tests/eval/golden/garm-fleet-of-pass.json"),
        ] {
            let declared = parse(golden.as_bytes()).unwrap();
            assert!(!declared.pools.is_empty() && !declared.credentials.is_empty());
        }
    }

    #[test]
    fn what_is_not_known_is_refused_at_every_depth() {
        for path in ["", "/admin", "/controller", "/endpoints/ghes", "/credentials/octo-token", "/pools/small"] {
            let error = refused(|value| value.pointer_mut(path).unwrap()["hello"] = json!(1));
            assert!(error.contains("hello"), "{path}: {error}");
        }
        for path in ["/scaleSets/builders", "/repositories/octo-org~1example", "/providers/incus/server"] {
            let error = refused(|value| value.pointer_mut(path).unwrap()["hello"] = json!(1));
            assert!(error.contains("hello"), "{path}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let set = |path: &'static str, to: Value| {
            refused(move |value| {
                let (above, field) = path.rsplit_once('/').unwrap();
                value.pointer_mut(above).unwrap()[field.replace("~1", "/")] = to;
            })
        };
        for (path, to, part) in [
            ("/version", json!(2), "has version 2"),
            ("/api", json!("http://192.0.2.1:9997"), "in the clear: use https://"),
            ("/api", json!("http://localhost.example:9997"), "in the clear"),
            ("/api", json!("https://a.example/api"), "take everything else away"),
            ("/api", json!("https://me:hidden@a.example"), "take everything else away"),
            ("/endpoints/GitHub.com", example()["endpoints"]["ghes"].clone(), "exists by itself"),
            ("/endpoints/GHES", example()["endpoints"]["ghes"].clone(), "does not tell case"),
            ("/credentials/octo-app/token", json!({"file": "/f"}), "exactly one of"),
            ("/credentials/octo-app/endpoint", json!("nowhere"), "not declared"),
            ("/repositories/example", example()["repositories"]["octo-org/example"].clone(), "is not OWNER/NAME"),
            ("/organizations/a~1b", example()["organizations"]["octo-org"].clone(), "without a slash"),
            ("/pools/small/entity", json!("octo-org/other"), "which is not declared"),
            ("/pools/small/tags", json!([]), "at least one tag"),
            ("/pools/small/maxRunners", json!(0), "set `enabled` to false"),
            ("/pools/small/minIdleRunners", json!(9), "more than maxRunners"),
            ("/pools/small/osArch", json!("x86_64"), "GARM knows amd64"),
            ("/scaleSets/other", example()["scaleSets"]["builders"].clone(), "the name of another one"),
            ("/providers/incus/server/socket", json!("/s"), "either `socket`, or `url`"),
        ] {
            let error = set(path, to);
            assert!(error.contains(part) && !error.contains("hidden"), "{path}: {error}");
        }
    }

    #[test]
    fn this_host_may_be_asked_without_tls() {
        for api in ["http://127.0.0.1:9997", "http://[::1]:9997", "http://localhost", "http://127.1.2.3/"] {
            assert!(host(api).is_ok_and(|(_, is_secure)| !is_secure), "{api}");
        }
        assert_eq!(host("https://garm.example:443/"), Ok(("garm.example:443", true)));
    }
}
