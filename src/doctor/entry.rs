//! What the ledger says about a runner, as a pure function of its entry.

use std::path::Path;

use super::finding::Finding;
use crate::ledger::{Debt, Entry};
use crate::model::{RegistrationUrl, date, shown};

const TOPIC: &str = "ledger entry";

/// Judges an entry. `can_ask` tells whether the runner's credential can take registrations back.
#[must_use]
pub fn entry(entry: Option<&Entry>, can_ask: bool) -> Vec<Finding> {
    let Some(entry) = entry else { return vec![Finding::good(TOPIC, "there is none: it never started here")] };
    let mut findings = vec![registration(entry)];
    if let Some(attempt) = &entry.attempt {
        let said = format!("a registration was begun on {}, and its result is not known", date(attempt.since));
        findings.push(if can_ask {
            Finding::warning(TOPIC, said, "the next start looks at GitHub what came of it, unless one is under way now")
        } else {
            Finding::warning(
                TOPIC,
                said,
                format!("the next start goes on with it; nobody can ask GitHub{}", page(entry)),
            )
        });
    }
    findings.extend(debts(entry, can_ask));
    if let Some(exit) = entry.last_exit.as_ref().filter(|exit| exit.failures > 0) {
        let times = if exit.failures == 1 { "once".into() } else { format!("{} times in a row", exit.failures) };
        let said = format!("the unit failed {times}, the last time on {}: {}", date(exit.at), exit.said);
        findings.push(Finding::warning(TOPIC, said, "see its journal, and repair what it names"));
    }
    findings
}

/// What an entry means that is not there although the runner has state: the ledger is in `directory`.
#[must_use]
pub fn lost(directory: &Path, can_ask: bool) -> Finding {
    let said =
        "there is none, although the state directory is not empty: it was lost, or another program made that state";
    let keep = format!("keep {} where the state is kept, also if the rest of the host is not", directory.display());
    Finding::warning(
        TOPIC,
        said,
        if can_ask { keep } else { format!("{keep}; if the name is taken, remove that runner on its page") },
    )
}

fn registration(entry: &Entry) -> Finding {
    Finding::good(
        TOPIC,
        match &entry.runner {
            Some(runner) => {
                let (name, url, day) = (shown(&runner.name), shown(&runner.url), date(runner.recorded_at));
                format!("runner {name}, id {}, of {url}, since {day}", runner.id)
            }
            None => "no runner is registered".into(),
        },
    )
}

fn debts(entry: &Entry, can_ask: bool) -> Option<Finding> {
    let [.., youngest] = entry.debts.as_slice() else { return None };
    let Debt { runner, since, .. } = youngest;
    let said = format!(
        "GitHub may still list {} that this host gave up, the last one {}, id {}, on {}",
        match entry.debts.len() {
            1 => "a registration".into(),
            more => format!("{more} registrations"),
        },
        shown(&runner.name),
        runner.id,
        date(*since)
    );
    Some(if can_ask {
        Finding::warning(TOPIC, said, "the next start or end of the unit takes back what GitHub lets go")
    } else {
        let place = RegistrationUrl::parse(&runner.url).map(|url| url.settings_page());
        let place = place.map_or_else(|_| "in its settings".into(), |page| format!("at {page}"));
        Finding::warning(TOPIC, said, format!("remove it {place}, or use an access token or a GitHub App, which can"))
    })
}

/// Where somebody can look in place of the broker.
fn page(entry: &Entry) -> String {
    let url = entry.registration.get("url").and_then(serde_json::Value::as_str);
    let url = url.and_then(|url| RegistrationUrl::parse(url).ok());
    url.map(|url| format!(", so look at {}", url.settings_page())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::ledger::{Attempt, Exit, ExitKind, NameHolder};

    fn fixture() -> Entry {
        let text = include_bytes!("../../tests/fixtures/ledger-v3.json");
        let ledger = Entry::parse(text, &"runner1".to_string().try_into().unwrap()).unwrap();
        Entry { attempt: None, last_exit: None, debts: vec![], ..ledger }
    }

    #[test]
    fn an_entry_without_open_ends_is_good() {
        let findings = entry(Some(&fixture()), true);
        assert!(findings.len() == 1 && findings[0].level == Level::Good, "{findings:?}");
        assert!(findings[0].said.contains("id 21"), "{findings:?}");
        assert_eq!(entry(None, true)[0].level, Level::Good);
    }

    #[test]
    fn debts_attempts_and_failures_are_told_with_who_looks_after_them() {
        let old = fixture().runner.unwrap();
        let left = Debt { runner: old, ephemeral: false, since: 1_790_000_000 };
        let exit = Exit { at: 1_790_000_000, kind: ExitKind::Crashed, said: "it fell".into(), failures: 3, alike: 1 };
        let attempt = Attempt { since: 1_790_000_000, before: NameHolder::Nobody, host: None };
        let ledger = fixture();
        for (ledger, can_ask, said, remedy) in [
            (Entry { debts: vec![left.clone()], ..ledger.clone() }, true, "a registration that", "takes back"),
            (Entry { debts: vec![left; 2], ..ledger.clone() }, false, "2 registrations", "remove it at https://"),
            (
                Entry { attempt: Some(attempt.clone()), ..ledger.clone() },
                true,
                "begun on 2026-09-21",
                "looks at GitHub",
            ),
            (Entry { attempt: Some(attempt), ..ledger.clone() }, false, "begun on 2026-09-21", "look at https://"),
            (Entry { last_exit: Some(exit), ..ledger }, true, "failed 3 times in a row", "journal"),
        ] {
            let findings = entry(Some(&ledger), can_ask);
            assert_eq!((findings.len(), findings[1].level), (2, Level::Warning), "{findings:?}");
            assert!(findings[1].said.contains(said), "{findings:?}");
            assert!(findings[1].remedy.as_ref().unwrap().contains(remedy), "{findings:?}");
        }
    }

    #[test]
    fn a_lost_entry_says_what_to_keep() {
        for (can_ask, part) in [(true, "keep /ledger where the state is kept"), (false, "remove that runner")] {
            let found = lost(Path::new("/ledger"), can_ask);
            assert!(found.level == Level::Warning && found.remedy.as_ref().unwrap().contains(part), "{found:?}");
        }
    }
}
