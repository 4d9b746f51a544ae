//! Pools and scale sets. Pure.

use serde_json::{Map, Value, json};

use super::super::declaration::{Make, Pool};
use super::super::seen::kind_of;
use super::super::step::{Action, Kind, Plan, Step};
use super::super::wire;
use super::pairing::lower;
use super::{Inputs, Pairing, differs, pair};
use crate::model::shown;

/// What GARM takes for a scale set's group of runners if nobody says anything.
const USUAL_GROUP: &str = "Default";

pub fn pools(inputs: Inputs<'_>, plan: &mut Plan) {
    let mut pairs = pair(inputs.declared, inputs.seen, inputs.memory);
    for (name, wanted) in &inputs.declared.pools {
        let pairing = pairs.remove(name.as_str()).unwrap_or(Pairing::Missing);
        let (found, is_new) = match pairing {
            Pairing::Is(found) => (found, false),
            Pairing::Found(found) => (found, true),
            Pairing::Missing => {
                let mut step = Step::new(Action::Create, Kind::Pool, name);
                step.entity = Some(wanted.entity.clone());
                step.body = made(&wanted.make, "");
                step.body.insert("tags".into(), json!(wanted.tags));
                step.body.insert("priority".into(), json!(wanted.priority));
                plan.steps.push(step);
                continue;
            }
            Pairing::Ambiguous(ids) => {
                let said = format!(
                    "it can be any of {}: `github-runnerctl fleet adopt {name} ID` says which one it is",
                    ids.join(", ")
                );
                plan.refuse(Kind::Pool, name, said);
                continue;
            }
        };
        let entity = inputs.seen.entity(inputs.declared, kind_of(&wanted.entity), &wanted.entity);
        let stays = entity.is_some_and(|entity| entity.id == found.whose.entity_id());
        if let Some(said) = unmovable(stays, found, &wanted.make.provider) {
            plan.refuse(Kind::Pool, name, said);
            continue;
        }
        let of_pool = |step: Step| Step { entity: Some(wanted.entity.clone()), ..step };
        if is_new {
            let step = Step { id: Some(found.id.clone()), ..Step::new(Action::Adopt, Kind::Pool, name) };
            plan.steps.push(of_pool(step));
        }
        let update = Step::update(Kind::Pool, name, &found.id, difference(wanted, found), false);
        plan.steps.extend(update.map(of_pool));
    }
}

/// Why what is declared is not what was found.
fn unmovable(stays: bool, found: &wire::Pool, provider: &str) -> Option<String> {
    let way = "declare one of another name, and delete this one when it has no instances any more";
    if !stays {
        return Some(format!("it is one of {}, and GARM cannot move it: {way}", shown(found.whose.shown())));
    }
    if found.provider_name != provider {
        let is = shown(&found.provider_name);
        return Some(format!("its provider is {is}, which GARM cannot change: {way}"));
    }
    None
}

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

pub fn scale_sets(inputs: Inputs<'_>, plan: &mut Plan) {
    for (name, wanted) in &inputs.declared.scale_sets {
        let at_github = wanted.name.as_ref().unwrap_or(name);
        let entity = inputs.seen.entity(inputs.declared, kind_of(&wanted.entity), &wanted.entity);
        let found = entity.and_then(|entity| {
            let mut sets = inputs.seen.scale_sets.iter();
            sets.find(|set| set.whose.entity_id() == entity.id && set.name.eq_ignore_ascii_case(at_github))
        });
        let Some(found) = found else {
            let mut step = Step::new(Action::Create, Kind::ScaleSet, name);
            step.entity = Some(wanted.entity.clone());
            step.body = made(&wanted.make, USUAL_GROUP);
            step.body.insert("name".into(), json!(at_github));
            if !wanted.labels.is_empty() {
                step.body.insert("labels".into(), json!(wanted.labels));
            }
            plan.steps.push(step);
            continue;
        };
        if let Some(said) = unmovable(true, found, &wanted.make.provider) {
            plan.refuse(Kind::ScaleSet, name, said);
            continue;
        }
        let labels = lower(wanted.labels.iter().map(String::as_str).filter(|label| label != at_github));
        let mut known = lower(found.tags.iter().map(|tag| tag.name.as_str()));
        known.remove(&at_github.to_lowercase());
        if labels != known {
            let said = "GARM cannot change the labels of a scale set: declare one of another name, and delete this one \
                        when it has no instances any more";
            plan.refuse(Kind::ScaleSet, name, said.into());
        }
        let body = changed(&wanted.make, found, "runner_group", USUAL_GROUP);
        let update = Step::update(Kind::ScaleSet, name, &found.id, body, false);
        plan.steps.extend(update.map(|step| Step { entity: Some(wanted.entity.clone()), ..step }));
    }
}

/// All that a new one is told.
fn made(make: &Make, usual_group: &str) -> Map<String, Value> {
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
fn changed(make: &Make, found: &wire::Pool, group_field: &str, usual_group: &str) -> Map<String, Value> {
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
