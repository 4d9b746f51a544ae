//! The file as the collector reads it.

use super::*;
use crate::reconcile::memory::{Recall, Standing};
use crate::reconcile::sample::{NOW, host};

#[test]
fn everything_that_is_known_is_told_and_nothing_else() {
    let (_, mut host, mut memory) = host(&["a", "b", "former"]);
    host.runners[1].situation.server = Server::Silent("no route".into());
    host.runners[1].situation.unit.activity = Activity::Failed;
    host.runners[1].ledger = None;
    let former = &mut host.runners[2];
    (former.configured, former.situation.wanted, former.situation.server) = (None, None, Server::NoCredential);
    memory.runners.insert("a".into(), Recall { pending_since: Some(NOW), ..Recall::default() });
    let standing = Standing { remaining: Some(4_999), expires: Some(1), limited: None, silent: 0 };
    memory.credentials.insert("/run/secrets/of-nobody".into(), standing);
    memory.credentials.get_mut("/run/secrets/t").unwrap().remaining = Some(4_321);
    memory.count("offline");
    memory.count("removed");
    (memory.requests, memory.took) = (12, 1_045);
    insta::assert_snapshot!(figures(&host, &memory, |_| true).text(), @r#"
    # HELP github_runner_up Whether the runner's unit is active.
    # TYPE github_runner_up gauge
    github_runner_up{runner="a"} 1
    github_runner_up{runner="b"} 0
    github_runner_up{runner="former"} 1
    # HELP github_runner_busy Whether the runner runs a job.
    # TYPE github_runner_busy gauge
    github_runner_busy{runner="a"} 0
    github_runner_busy{runner="b"} 0
    github_runner_busy{runner="former"} 0
    # HELP github_runner_restart_pending Whether a restart with another configuration is due.
    # TYPE github_runner_restart_pending gauge
    github_runner_restart_pending{runner="a"} 1
    github_runner_restart_pending{runner="b"} 0
    # HELP github_runner_failures_in_a_row How often the unit ended in a failure since its last good end.
    # TYPE github_runner_failures_in_a_row gauge
    github_runner_failures_in_a_row{runner="a"} 0
    github_runner_failures_in_a_row{runner="former"} 0
    # HELP github_runner_version_info The version of the configured runner package.
    # TYPE github_runner_version_info gauge
    github_runner_version_info{runner="a",version="2.333.1"} 1
    github_runner_version_info{runner="b",version="2.333.1"} 1
    # HELP github_runner_registered Whether GitHub lists the runner.
    # TYPE github_runner_registered gauge
    github_runner_registered{runner="a"} 1
    # HELP github_runner_online Whether GitHub lists the runner as online.
    # TYPE github_runner_online gauge
    github_runner_online{runner="a"} 1
    # HELP github_runner_registrations_total How often the runner asked for a registration.
    # TYPE github_runner_registrations_total counter
    github_runner_registrations_total{runner="a"} 0
    github_runner_registrations_total{runner="former"} 0
    # HELP github_runner_debts Former registrations that GitHub may still list.
    # TYPE github_runner_debts gauge
    github_runner_debts{runner="a"} 0
    github_runner_debts{runner="former"} 0
    # HELP github_runner_token_expiry_seconds When the credential expires, in seconds since 1970.
    # TYPE github_runner_token_expiry_seconds gauge
    github_runner_token_expiry_seconds{credential="/run/secrets/t"} 1791209600
    # HELP github_runners_api_rate_limit_remaining How many more requests GitHub took from the credential before its limit, when it was asked last.
    # TYPE github_runners_api_rate_limit_remaining gauge
    github_runners_api_rate_limit_remaining{credential="/run/secrets/t"} 4321
    # HELP github_runner_restarts_total Restarts by passes, on this host.
    # TYPE github_runner_restarts_total counter
    github_runner_restarts_total{cause="changed"} 0
    github_runner_restarts_total{cause="deadline"} 0
    github_runner_restarts_total{cause="missing"} 0
    github_runner_restarts_total{cause="offline"} 1
    # HELP github_runners_removed_total Runners taken back by passes: not configured any more, or offline and of no ledger.
    # TYPE github_runners_removed_total counter
    github_runners_removed_total{cause="former"} 1
    github_runners_removed_total{cause="unknown"} 0
    # HELP github_runners_api_requests_total Requests to GitHub that passes caused.
    # TYPE github_runners_api_requests_total counter
    github_runners_api_requests_total 12
    # HELP github_runners_unreadable Runners that the pass could not look at.
    # TYPE github_runners_unreadable gauge
    github_runners_unreadable 0
    # HELP github_runners_reconcile_duration_seconds How long the last pass took.
    # TYPE github_runners_reconcile_duration_seconds gauge
    github_runners_reconcile_duration_seconds 1.045
    # HELP github_runners_last_reconcile_seconds When the last pass began, in seconds since 1970.
    # TYPE github_runners_last_reconcile_seconds gauge
    github_runners_last_reconcile_seconds 1789999970
    "#);
}

#[test]
fn a_runner_that_was_taken_back_just_now_is_not_told_any_more() {
    let (_, host, memory) = host(&["a", "b"]);
    let page = figures(&host, &memory, |found| found.instance.as_str() == "a");
    assert!(page.text().contains("runner=\"a\"") && !page.text().contains("runner=\"b\""));
}

#[test]
fn a_directory_that_is_missing_fails_nothing() {
    tell(Path::new("/nonexistent/textfiles"), &Page::default());
}
