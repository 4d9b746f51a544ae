//! Pools and scale sets. Pure.

use serde_json::json;

use super::difference::{USUAL_GROUP, changed, difference, lower, made};
use super::inputs::Inputs;
use super::pairing::{Pairing, pair};
use crate::frontend::fleet::seen::kind_of;
use crate::frontend::fleet::step::{Action, Kind, Plan, Step};
use crate::frontend::fleet::wire;
use crate::model::shown;

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
