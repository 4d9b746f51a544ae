//! The file as the collector reads it.

use super::*;
use crate::survey::sample::{NOW, host};
use crate::survey::{Recall, Standing};

const DAY: u64 = 24 * 60 * 60;

#[test]
fn everything_that_is_known_is_told_and_nothing_else() {
    let (_, mut host, mut memory) = host(&["a", "b", "former"]);
    host.runners[1].situation.server = Server::Silent("no route".into());
    host.runners[1].situation.unit.activity = Activity::Failed;
    host.runners[1].entry = None;
    let entry = host.runners[0].entry.as_mut().unwrap();
    entry.registration["ephemeral"] = true.into();
    entry.registrations.jobs = 41;
    let former = &mut host.runners[2];
    (former.configured, former.situation.wanted, former.situation.server) = (None, None, Server::NoCredential);
    memory.runners.insert("a".into(), Recall { pending_since: Some(NOW), ..Recall::default() });
    let standing = Standing { remaining: Some(4_999), expires: Some(1), limited: None, silent: 0 };
    memory.credentials.insert("/run/secrets/of-nobody".into(), standing);
    memory.credentials.get_mut("/run/secrets/t").unwrap().remaining = Some(4_321);
    memory.count("offline");
    memory.count("removed");
    (memory.requests, memory.took) = (12, 1_045);
    memory.releases.get_mut("github.com").unwrap().learn(None, [("2.334.0", NOW - 9 * DAY)], NOW);
    // Read by the collector and by a strict reader of `OpenMetrics` in `tests/metrics/run`.
    assert_eq!(figures(&host, &memory, |_| true).text(), include_str!("../../../tests/fixtures/github-runners.prom"));
}

#[test]
fn a_runner_that_was_taken_back_just_now_is_not_told_any_more() {
    let (_, host, memory) = host(&["a", "b"]);
    let page = figures(&host, &memory, |found| found.instance.as_str() == "a");
    assert!(page.text().contains("runner=\"a\"") && !page.text().contains("runner=\"b\""));
}

#[test]
fn nothing_is_told_of_a_registration_at_an_address_that_nobody_listed() {
    let (_, mut host, memory) = host(&["a"]);
    host.runners[0].entry.as_mut().unwrap().runner.as_mut().unwrap().url = "https://github.com/o/former".into();
    let text = figures(&host, &memory, |_| true).text();
    assert!(text.contains("github_runner_up") && !text.contains("github_runner_online"), "{text}");
}

#[test]
fn a_version_that_is_behind_has_a_deadline_where_github_has_one() {
    let (_, mut host, mut memory) = host(&["a", "b"]);
    let releases = memory.releases.get_mut("github.com").unwrap();
    releases.learn(None, [("2.334.0", NOW - 9 * DAY)], NOW);
    let behind = memory.releases["github.com"].clone();
    memory.releases.insert("ghes.example".into(), behind);
    let other = &mut host.runners[1].configured.as_mut().unwrap().manifest.registration;
    other.url = crate::model::RegistrationUrl::parse("https://ghes.example/o").unwrap();
    let text = figures(&host, &memory, |_| true).text();
    for line in [
        "github_runner_version_current{runner=\"a\"} 0",
        "github_runner_version_current{runner=\"b\"} 0",
        &format!("github_runner_version_deadline_seconds{{runner=\"a\"}} {}", NOW + 21 * DAY),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("version_deadline_seconds{").count(), 1, "{text}");
    memory.releases.clear();
    let text = figures(&host, &memory, |_| true).text();
    assert!(!text.contains("version_current") && !text.contains("version_deadline"), "{text}");
}

#[test]
fn a_directory_that_is_missing_fails_nothing() {
    tell(Path::new("/nonexistent/textfiles"), &Page::default());
}
