//! Requests about instances that there are: ending them, closing their metadata service, reading their console.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::describe::missing;
use super::form::{Form, invalid};
use super::instance::Condition;
use super::refusal::{Refusal, Result};
use super::shared::Utc;
use super::state::State;
use super::xml::{list, tag, text};

/// `TerminateInstances`: all of them, or none.
pub fn terminate(state: &mut State, form: &Form) -> Result<String> {
    form.only(&["InstanceId.N", "DryRun", "Force", "SkipOsShutdown"])?;
    form.need("InstanceId.1")?;
    let ids = form.list("InstanceId");
    if let Some(id) = ids.iter().find(|id| state.instance(id).is_none()) {
        return Err(missing(id));
    }
    dry(form)?;
    let mut items = Vec::new();
    for id in ids {
        let previous = state.instance(id).map_or(Condition::Terminated, |instance| instance.condition);
        state.terminate(id);
        let current = state.instance(id).map_or(Condition::Terminated, |instance| instance.condition);
        items.push(text("instanceId", id) + &current.xml("currentState") + &previous.xml("previousState"));
    }
    Ok(list("instancesSet", items))
}

/// `ModifyInstanceMetadataOptions`.
pub fn metadata(state: &mut State, form: &Form) -> Result<String> {
    form.only(&[
        "InstanceId",
        "HttpEndpoint",
        "HttpTokens",
        "HttpPutResponseHopLimit",
        "InstanceMetadataTags",
        "DryRun",
    ])?;
    let id = form.need("InstanceId")?;
    let instance = state.instance_mut(id).ok_or_else(|| missing(id))?;
    if matches!(instance.condition, Condition::ShuttingDown | Condition::Terminated) {
        let text = format!("The instance '{id}' is not in a state from which its metadata options can be modified");
        return Err(Refusal::bad("IncorrectInstanceState", text));
    }
    let mut options = instance.metadata.clone();
    let on = ["enabled", "disabled"];
    options.http_endpoint = form.word("HttpEndpoint", &on, &options.http_endpoint)?.into();
    options.instance_metadata_tags = form.word("InstanceMetadataTags", &on, &options.instance_metadata_tags)?.into();
    options.http_tokens = form.word("HttpTokens", &["required", "optional"], &options.http_tokens)?.into();
    if let Some(hops) = form.number("HttpPutResponseHopLimit")? {
        if !(1..=64).contains(&hops) {
            return Err(invalid("HttpPutResponseHopLimit", &hops.to_string()));
        }
        options.http_put_response_hop_limit = hops;
    }
    dry(form)?;
    // Applied a moment later, as whoever looks at the instance sees.
    let told = text("instanceId", id) + &tag("instanceMetadataOptions", &options.xml("pending"));
    instance.metadata = options;
    Ok(told)
}

/// `GetConsoleOutput`.
pub fn console(state: &State, form: &Form) -> Result<String> {
    form.only(&["InstanceId", "Latest", "DryRun"])?;
    form.flag("Latest")?;
    let id = form.need("InstanceId")?;
    let instance = state.instance(id).ok_or_else(|| missing(id))?;
    dry(form)?;
    // In lines, as such encodings often are.
    let encoded = STANDARD.encode(instance.console_text());
    let lines: Vec<&str> = (0..encoded.len()).step_by(76).map(|at| &encoded[at..encoded.len().min(at + 76)]).collect();
    let time = Utc::from_unix(state.now()).iso().replace('Z', ".000Z");
    Ok(text("instanceId", id) + &text("timestamp", time) + &tag("output", &lines.join("\n")))
}

/// Stops a request that is only a question.
pub fn dry(form: &Form) -> Result<()> {
    if form.flag("DryRun")? != Some(true) {
        return Ok(());
    }
    let text = "Request would have succeeded, but DryRun flag is set.";
    Err(Refusal::new(412, "DryRunOperation", text))
}
