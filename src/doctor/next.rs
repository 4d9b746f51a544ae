//! The next start in words: what it would do, why, and after how long.

use super::finding::Finding;
use crate::model::shown;
use crate::registration::pace::Wait;
use crate::registration::plan::{Action, Orphan};
use crate::root::prepare::Foreseen;

/// What all findings about the next start are called.
pub const TOPIC: &str = "next start";

/// Everything that is known about the next start.
#[must_use]
pub fn findings(foreseen: &Foreseen) -> Vec<Finding> {
    let Foreseen { plan, asks, notes, .. } = foreseen;
    let does = does(plan.action);
    let mut findings: Vec<Finding> =
        plan.reasons.iter().map(|reason| Finding::good(TOPIC, format!("it {does}: {reason}"))).collect();
    if let Some(Orphan { id, name, page, taken_over }) = &plan.gives_up {
        let end = match page.as_ref().filter(|_| !taken_over) {
            Some(page) => format!("; GitHub lists it at {page} until it is taken back"),
            None => String::new(),
        };
        findings.push(Finding::good(TOPIC, format!("it gives up the registration {}, id {id}{end}", shown(name))));
    }
    if *asks {
        findings.push(Finding::good(
            TOPIC,
            "it asks GitHub first, unless a pass saw the runner online within the three minutes before, and registers anew if GitHub does not know it any more",
        ));
    }
    findings.push(waits(foreseen));
    findings.extend(notes.iter().map(|note| Finding::good(TOPIC, note.clone())));
    findings.extend(unknown(foreseen));
    findings
}

/// The same in one line, and the wait if there is one.
#[must_use]
pub fn summary(foreseen: &Foreseen) -> Vec<Finding> {
    let reasons: Vec<String> = foreseen.plan.reasons.iter().map(ToString::to_string).collect();
    let decision = Finding::good(TOPIC, format!("it {}: {}", does(foreseen.plan.action), reasons.join("; ")));
    let wait = foreseen.wait.map(|_| waits(foreseen));
    std::iter::once(decision).chain(wait).chain(unknown(foreseen)).collect()
}

fn unknown(foreseen: &Foreseen) -> impl Iterator<Item = Finding> {
    let remedy = "only the start itself can tell; see its journal then";
    foreseen.unknown.iter().map(move |what| Finding::warning(TOPIC, what.clone(), remedy))
}

fn does(action: Action) -> &'static str {
    match action {
        Action::Keep => "keeps the registration",
        Action::Adopt => "adopts the registration",
        Action::Register => "registers anew",
    }
}

fn waits(foreseen: &Foreseen) -> Finding {
    let Some((seconds, why)) = foreseen.wait else { return Finding::good(TOPIC, "it waits for nothing") };
    let (why, remedy) = match why {
        Wait::Failures(times) => {
            let said = foreseen.said.as_deref().unwrap_or_default();
            (
                format!("{times} in a row failed: {said}"),
                "repair that; a start with another configuration or token, or `systemctl restart` of a unit that waits, goes on at once",
            )
        }
        Wait::RateLimit => ("GitHub wants no requests for so long".into(), "wait"),
        // As after each stop of an ephemeral runner.
        Wait::Registered => {
            return Finding::good(TOPIC, format!("it waits {seconds} s, because the last registration was not used"));
        }
    };
    Finding::warning(TOPIC, format!("it waits {seconds} s, because {why}"), remedy)
}
