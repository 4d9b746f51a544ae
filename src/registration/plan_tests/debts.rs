//! A table of what is given up: what becomes a debt, and for how long.

use super::*;

#[test]
fn what_is_given_up_goes_into_the_ledger_until_github_removes_it() {
    let mut case = Case::unchanged();
    case.token = Token::parse(b"AFAKEOTHER").unwrap();
    let first = case.plan().debts;
    assert_eq!((first.len(), first[0].runner.id, first[0].since), (1, 21, NOW));

    // The next registration fails over and over: the debt is neither lost nor doubled.
    case.entry().runner = None;
    case.entry().debts = first.clone();
    case.state = nothing();
    assert_eq!(case.plan().debts, first);

    case.entry().debts[0].since = NOW - 16 * 24 * 60 * 60;
    assert_eq!(case.plan().debts, []);
}

#[test]
fn files_that_jobs_wrote_never_become_a_debt() {
    let mut case = Case::unchanged();
    case.entry = None;
    case.settings().id = 4711;
    let plan = case.plan();
    assert_eq!(plan.debts, [], "only what the ledger recorded may be taken back later");
    assert_eq!(plan.gives_up.unwrap().id, 4711, "but people are told");
}

#[test]
fn a_registration_that_was_never_recorded_becomes_a_debt_when_it_is_given_up() {
    let mut case = Case::unchanged().attempted();
    case.manifest.registration.ephemeral = true;
    assert_eq!(case.plan().debts[0].runner.id, 21);
    case.settings().name = "not-what-was-asked".into();
    assert_eq!(case.plan().debts, []);
}

#[test]
fn a_debt_that_was_noted_before_a_purge_that_never_came_is_forgotten() {
    let mut case = Case::unchanged();
    let runner = case.entry().runner.clone().unwrap();
    case.entry().debts.push(Debt { runner, ephemeral: false, since: NOW });
    let plan = case.plan();
    assert_eq!((plan.action, plan.debts), (Action::Keep, vec![]), "the living runner is no debt");
}

#[test]
fn a_noted_ephemeral_registration_stays_a_debt_when_its_files_are_gone() {
    let mut case = Case::ephemeral();
    let noted = case.plan().debts;
    case.entry().debts = noted.clone();
    case.state = nothing();
    assert_eq!(case.plan().debts, noted, "a start that was cut off in its purge loses no id");
}

#[test]
fn the_ledger_keeps_no_more_than_it_can_read_again() {
    let mut case = Case::ephemeral();
    case.entry().debts = (100..100 + 500)
        .map(|id| Debt {
            runner: Runner { id, name: "n".into(), url: "u".into(), recorded_at: NOW },
            ephemeral: true,
            since: NOW,
        })
        .collect();
    let plan = case.plan();
    assert_eq!((plan.debts.len(), plan.forgotten.len(), plan.forgotten[0].runner.id), (500, 1, 100));
    assert_eq!(plan.debts.last().unwrap().runner.id, 21);
}

#[test]
fn a_used_up_ephemeral_registration_is_no_debt() {
    let mut case = Case::ephemeral();
    case.state = nothing();
    assert_eq!(case.plan().debts, []);
    assert_eq!(Case::ephemeral().plan().debts.len(), 1, "one that was cut off is");
}

#[test]
fn a_registration_that_github_forgot_is_made_anew_and_owes_nothing() {
    let mut case = Case::unchanged();
    (case.api, case.gone) = (true, Some(21));
    insta::assert_snapshot!(case.words(), @"Register: GitHub does not know id 21 any more");
    assert_eq!(case.plan().debts, []);
}

#[test]
fn where_the_server_can_be_asked_an_ephemeral_registration_is_a_debt_until_it_says_otherwise() {
    let mut case = Case::ephemeral();
    case.state = nothing();
    case.api = true;
    assert_eq!(case.plan().debts[0].runner.id, 21);
}
