//! What a pass tells in figures. Labels are names of the declaration and words of ours and of GARM; what is not declared is only
//! counted. Pure.

use std::collections::BTreeMap;

use super::report::Report;
use super::step::Kind;
use crate::contract::openmetrics::{Kind as Form, Page};

/// The name of the file; the collector reads those that end so.
pub const FILE: &str = "github-runners-garm.prom";

/// All that is known: without a report GARM did not answer.
#[must_use]
pub fn figures(report: Option<&Report>, now: u64) -> Page {
    let mut page = Page::default();
    let help = "Whether GARM answered at the last pass over its fleet.";
    page.add("github_runner_garm_up", Form::Gauge, help, [(vec![], u8::from(report.is_some()))]);
    let help = "When the last pass over the fleet of GARM ended.";
    page.add("github_runner_garm_pass_timestamp_seconds", Form::Gauge, help, [(vec![], now)]);
    let Some(report) = report else { return page };
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for thing in &report.things {
        *counts.entry((thing.kind.to_string(), thing.state.word())).or_default() += 1;
    }
    let values = counts.iter().map(|((kind, state), count)| (vec![("kind", kind.as_str()), ("state", *state)], *count));
    let help = "Things of GARM's fleet by how they stand after the last pass.";
    page.add("github_runner_garm_things", Form::Gauge, help, values);
    let declared = report.things.iter().filter(|thing| thing.state != super::report::State::NotDeclared);
    let pools = declared.filter(|thing| matches!(thing.kind, Kind::Pool | Kind::ScaleSet));
    let kinds: Vec<(String, &str, &BTreeMap<String, usize>)> =
        pools.map(|pool| (pool.kind.to_string(), pool.name.as_str(), &pool.instances)).collect();
    let values = kinds.iter().flat_map(|(kind, name, instances)| {
        instances.iter().map(move |(status, count)| {
            (vec![("kind", kind.as_str()), ("name", *name), ("status", status.as_str())], *count)
        })
    });
    let help = "Instances of declared pools and scale sets, as GARM knows them.";
    page.add("github_runner_garm_instances", Form::Gauge, help, values);
    page
}
