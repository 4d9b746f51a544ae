//! What of a pool or a scale set differs. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::inputs::differs;
use crate::frontend::fleet::declaration::{Make, Pool};
use crate::frontend::fleet::wire;

/// What GARM takes for a scale set's group of runners if nobody says anything.
pub const USUAL_GROUP: &str = "Default";

/// What has to be changed about a pool.
pub fn difference(wanted: &Pool, found: &wire::Pool) -> Map<String, Value> {
    let mut body = changed(&wanted.make, found, "github-runner-group", "");
    let tags = |names: Vec<&str>| lower(names.into_iter());
    let declared = tags(wanted.tags.iter().map(String::as_str).collect());
    if declared != tags(found.tags.iter().map(|tag| tag.name.as_str()).collect()) {
        body.insert("tags".into(), json!(wanted.tags));
    }
    differs(&mut body, "priority", &wanted.priority, &found.priority);
    body
}

/// All that a new one is told.
pub fn made(make: &Make, usual_group: &str) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |field: &str, value: Value| body.insert(field.into(), value);
    put("provider_name", json!(make.provider));
    put("image", json!(make.image));
    put("flavor", json!(make.flavor));
    put("os_type", json!(make.os_type));
    put("os_arch", json!(make.os_arch));
    put("max_runners", json!(make.max_runners));
    put("min_idle_runners", json!(make.min_idle_runners));
    put("runner_bootstrap_timeout", json!(make.bootstrap_timeout_minutes));
    put("runner_prefix", json!(make.runner_prefix));
    put("github-runner-group", json!(group(make, usual_group)));
    put("enabled", json!(make.enabled));
    if !make.extra_specs.is_empty() {
        put("extra_specs", json!(make.extra_specs));
    }
    body
}

/// What has to be changed of what pools and scale sets have in common.
pub fn changed(make: &Make, found: &wire::Pool, group_field: &str, usual_group: &str) -> Map<String, Value> {
    let mut body = Map::new();
    differs(&mut body, "image", &make.image, &found.image);
    differs(&mut body, "flavor", &make.flavor, &found.flavor);
    differs(&mut body, "os_type", &make.os_type, &found.os_type);
    differs(&mut body, "os_arch", &make.os_arch, &found.os_arch);
    let (most, least) = (make.max_runners, make.min_idle_runners);
    differs(&mut body, "max_runners", &most, &found.max_runners);
    differs(&mut body, "min_idle_runners", &least, &found.min_idle_runners);
    let timeout = make.bootstrap_timeout_minutes;
    differs(&mut body, "runner_bootstrap_timeout", &timeout, &found.runner_bootstrap_timeout);
    differs(&mut body, "runner_prefix", &make.runner_prefix, &found.runner_prefix);
    let known = if found.runner_group.is_empty() { usual_group } else { &found.runner_group };
    differs(&mut body, group_field, &group(make, usual_group).to_owned(), &known.to_owned());
    differs(&mut body, "enabled", &make.enabled, &found.enabled);
    let known = found.extra_specs.as_object().cloned().unwrap_or_default();
    if make.extra_specs != known {
        body.insert("extra_specs".into(), json!(make.extra_specs));
    }
    body
}

fn group<'a>(make: &'a Make, usual: &'a str) -> &'a str {
    if make.runner_group.is_empty() { usual } else { &make.runner_group }
}

/// GARM does not tell the case of tags.
pub fn lower<'a>(tags: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    tags.map(str::to_lowercase).collect()
}
