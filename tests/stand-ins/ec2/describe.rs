//! `DescribeInstances`.

use super::change::dry;
use super::filters::{self, COMMON};
use super::form::Form;
use super::instance::Instance;
use super::refusal::{Refusal, Result};
use super::state::State;
use super::world::ACCOUNT;
use super::xml::{list, text};

const ACTION: &str = "DescribeInstances";

/// Lists instances.
pub fn instances(state: &mut State, form: &Form) -> Result<String> {
    form.only(&[&["InstanceId.N"], COMMON.as_slice()].concat())?;
    if let Some(page) = filters::further(state, form, ACTION) {
        return page.map(told);
    }
    let ids = form.list("InstanceId");
    if !ids.is_empty() && form.has("MaxResults") {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let filters = filters::read(form)?;
    dry(form)?;
    state.look();
    let shown: Vec<&Instance> = state.instances.iter().filter(|instance| state.is_shown(instance)).collect();
    let result = wanted(&shown, &ids).and_then(|wanted| {
        // Also an unknown filter of an empty list is one.
        filters::fit(&filters, |name| known(name).then(Vec::new))?;
        let mut items = Vec::new();
        for instance in wanted {
            if filters::fit(&filters, |name| Some(values(instance, name)))? {
                items.push(reservation(instance));
            }
        }
        Ok(items)
    });
    state.looked();
    filters::first(state, form, ACTION, result?).map(told)
}

fn wanted<'a>(shown: &[&'a Instance], ids: &[&str]) -> Result<Vec<&'a Instance>> {
    if ids.is_empty() {
        return Ok(shown.to_vec());
    }
    let find = |id: &&str| {
        let found = shown.iter().find(|instance| instance.id == **id);
        found.copied().ok_or_else(|| missing(id))
    };
    ids.iter().map(find).collect()
}

/// An id that is none, or none any more.
pub fn missing(id: &str) -> Refusal {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    if digits.len() != 17 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Refusal::bad("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\""));
    }
    Refusal::bad("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}

fn known(name: &str) -> bool {
    name.starts_with("tag:")
        || ["tag-key", "instance-state-name", "client-token", "instance-lifecycle", "instance-type", "subnet-id"]
            .contains(&name)
}

fn values(instance: &Instance, name: &str) -> Vec<String> {
    let tag = name.strip_prefix("tag:");
    match name {
        "tag-key" => instance.own_tags().map(|(key, _)| key.clone()).collect(),
        "instance-state-name" => vec![instance.condition.word().into()],
        "client-token" => vec![instance.token.clone()],
        "instance-lifecycle" => instance.is_spot.then(|| "spot".into()).into_iter().collect(),
        "instance-type" => vec![instance.kind.clone()],
        "subnet-id" => vec![instance.subnet.clone()],
        _ => instance.own_tags().filter(|(key, _)| tag == Some(key.as_str())).map(|(_, value)| value.clone()).collect(),
    }
}

fn reservation(instance: &Instance) -> String {
    text("reservationId", instance.id.replace("i-", "r-"))
        + &text("ownerId", ACCOUNT)
        + "<groupSet/>"
        + &list("instancesSet", [instance.xml()])
}

fn told((items, next): (Vec<String>, String)) -> String {
    list("reservationSet", items) + &next
}
