//! Questions that change nothing.

use github_runners::protocol::{Outcome, Seen, Verb};

use crate::github::Pat;
use crate::harness::{ENTITY, NAME, PAT, Stand, URL, idle};

#[test]
fn a_runner_is_found_by_name_and_by_id() {
    let mut stand = Stand::new();
    assert_eq!(stand.ask(&Verb::Observe { id: None }).answer.outcome, Outcome::Seen(None));
    stand.add_runner(7, "RUNNER1", ENTITY);
    stand.github.change(|state| state.runners[0].status = "online".into()).unwrap();
    let seen = Seen { online: true, ..idle(7, "RUNNER1") };
    assert_eq!(stand.ask(&Verb::Observe { id: None }).answer.outcome, Outcome::Seen(Some(seen.clone())));
    assert_eq!(stand.ask(&Verb::Observe { id: Some(7) }).answer.outcome, Outcome::Seen(Some(seen)));
    assert_eq!(stand.ask(&Verb::Observe { id: Some(8) }).answer.outcome, Outcome::Seen(None));
    stand.add_runner(9, NAME, "repos/octo-org/old");
    stand.know(9, NAME, "https://github.com/octo-org/old");
    assert_eq!(stand.ask(&Verb::Observe { id: Some(9) }).answer.outcome, Outcome::Seen(Some(idle(9, NAME))));
}

#[test]
fn a_host_of_its_own_is_asked_at_its_own_address() {
    let stand = Stand::at("https://ghes.example/octo-org");
    stand.ask(&Verb::Observe { id: None });
    let path = "GET /api/v3/orgs/octo-org/actions/runners?name=runner1&per_page=100&page=1 200";
    assert_eq!(stand.seen(), [path]);
    assert_eq!(stand.github.proxied_hosts(), ["ghes.example:443"]);
}

#[test]
fn a_good_credential_is_good_and_its_expiry_known() {
    let stand = Stand::new();
    let expires = 4_000_000_000;
    let pat = Pat { expires: Some(expires), ..Pat::new(PAT) };
    stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(pat))).unwrap();
    let told = stand.ask(&Verb::Preflight);
    assert_eq!(told.answer.outcome, Outcome::Ready { newest_runner: Some("2.336.0".into()) });
    assert_eq!(told.answer.credential_expires, Some(expires));
    assert_eq!(told.journal, "Checking the credential: it is good; the newest runner has version \"2.336.0\"\n");
    assert_eq!(stand.count("GET", "/actions/runners?per_page=1"), 1);
}

#[test]
fn nothing_of_this_changes_anything() {
    let mut stand = Stand::new();
    stand.know(7, NAME, URL);
    for verb in [Verb::Preflight, Verb::Observe { id: None }, Verb::Observe { id: Some(7) }] {
        stand.ask(&verb);
    }
    assert!(stand.github.records().iter().all(|record| record.method == "GET"));
}
