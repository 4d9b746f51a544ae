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
    let help = "When the last pass over the fleet of GARM ended, in seconds since 1970.";
    page.add("github_runner_garm_last_pass_seconds", Form::Gauge, help, [(vec![], now)]);
    let Some(report) = report else { return page };
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for thing in &report.things {
        *counts.entry((thing.kind.to_string(), thing.state.word().replace(' ', "_"))).or_default() += 1;
    }
    let values =
        counts.iter().map(|((kind, state), count)| (vec![("kind", kind.as_str()), ("state", state.as_str())], *count));
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

#[cfg(test)]
mod tests {
    use super::super::report::{State, Thing};
    use super::*;

    #[test]
    fn what_is_written_is_what_the_documents_are_made_of() {
        let thing = |kind, name: &str, state, instances: &[(&str, usize)]| Thing {
            kind,
            name: name.into(),
            state,
            id: None,
            instances: instances.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect(),
            said: vec![],
        };
        let things = vec![
            thing(Kind::Controller, "controller", State::InPlace, &[]),
            thing(Kind::Endpoint, "ghes", State::Refused, &[]),
            thing(Kind::Credentials, "octo", State::Differs, &[]),
            thing(Kind::Repository, "octo-org/example", State::Missing, &[]),
            thing(Kind::Organization, "octo-org", State::InPlace, &[]),
            thing(Kind::Webhook, "octo-org", State::InPlace, &[]),
            thing(Kind::Pool, "small", State::InPlace, &[("error", 1), ("running", 2)]),
            thing(Kind::ScaleSet, "builders", State::InPlace, &[("running", 3)]),
            thing(Kind::Pool, "gone", State::NotDeclared, &[("running", 9)]),
        ];
        let report = Report { version: 1, controller: "c".into(), controller_version: "v0.2.1".into(), things };
        let text = figures(Some(&report), 1_800_000_000).text();
        assert_eq!(text, include_str!("../../../tests/fixtures/github-runners-garm.prom"));
        assert!(!figures(None, 1).text().contains("things"));
    }
}
