//! All runners of an address, in as few requests as GitHub allows.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use github_runners::contract::protocol::{Outcome, RemoteRunner, Verb};
use github_runners::registration::ask::{Ask as _, Broker};

use super::harness::{ENTITY, Reply, Stand, idle};
use crate::github::{Delivery, Fault, Runner};
use crate::times::{APART, HANGS, SHORT};

/// A GitHub with as many runners at the address, and one at another.
fn stand(count: u64) -> Stand {
    let stand = Stand::new();
    stand.add_runner(1, "elsewhere", "orgs/other");
    stand.add_runner(2, "first", ENTITY);
    let first = stand.github.state().runners[1].clone();
    let runner = |id| Runner { id, name: name(id), status: "online".into(), busy: id % 2 == 1, ..first.clone() };
    stand
        .github
        .change(|state| {
            state.runners.truncate(1);
            // The latest first, as no promise of GitHub's forbids.
            state.runners.extend((2..count + 2).rev().map(runner));
        })
        .unwrap();
    stand
}

fn name(id: u64) -> String {
    format!("{id}-{}", "x".repeat(50))
}

fn listed(told: Reply) -> Vec<RemoteRunner> {
    let Outcome::Listed(runners) = told.answer.outcome else { panic!("{}", told.journal) };
    runners
}

#[test]
fn every_runner_of_the_address_is_listed_a_hundred_for_one_request() {
    for (count, requests) in [(0, 1), (1, 1), (100, 1), (101, 2), (1_000, 10)] {
        let stand = stand(count);
        let told = stand.ask(&Verb::List);
        assert_eq!(told.journal, format!("Listing the runners: there are {count}\n"));
        assert_eq!((told.answer.requests, told.answer.rate_limit_remaining), (requests, Some(5_000 - requests)));
        let expected = (2..count + 2).map(|id| RemoteRunner { online: true, busy: id % 2 == 1, ..idle(id, &name(id)) });
        assert_eq!(listed(told), expected.collect::<Vec<_>>());
        let paths = (1..=requests)
            .map(|page| format!("GET /orgs/octo-org/actions/runners?per_page=100&page={page} 200"))
            .collect::<Vec<_>>();
        assert_eq!(stand.seen(), paths);
    }
}

#[test]
fn the_longest_list_gets_through() {
    let stand = stand(10_000);
    assert_eq!(listed(stand.ask(&Verb::List)).len(), 10_000);
    assert_eq!(stand.count("GET", "/actions/runners?"), 100);
    stand.add_runner(20_000, "one-more", ENTITY);
    let text = stand.ask(&Verb::List).refusal();
    assert!(text.contains("remove runners that nobody needs on https://github.com/"), "{text}");
    assert_eq!(stand.count("GET", "/actions/runners?"), 101);
}

#[test]
fn whoever_asks_over_the_socket_gets_the_longest_list() {
    let stand = stand(10_000);
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("runner1");
    let listener = UnixListener::bind(&socket).unwrap();
    let instance = "runner1".to_string().try_into().unwrap();
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| Broker::once(&socket, &instance).ask(Verb::List, HANGS));
        let stream = listener.accept().unwrap().0;
        let mut program = stand.program();
        program.stdin(OwnedFd::from(stream.try_clone().unwrap())).stdout(OwnedFd::from(stream)).stderr(Stdio::null());
        assert!(program.status().unwrap().success());
        drop(program);
        asked.join().unwrap()
    });
    let Outcome::Listed(runners) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!((runners.len(), answer.requests), (10_000, 100));
}

/// Makes the second page fail, after a first one that is as it should be.
fn fail_second(stand: &Stand, fault: Fault) {
    stand.inject(Fault::default());
    stand.inject(fault);
}

fn limited(seconds: u64) -> Fault {
    Fault { headers: [("retry-after".into(), seconds.to_string())].into(), ..Fault::next("", 429) }
}

#[test]
fn a_page_that_fails_is_asked_for_again_alone() {
    for fault in [Fault::next("", 502), Fault::badly("", Delivery::CutOff), limited(1)] {
        let stand = stand(201);
        fail_second(&stand, fault);
        let told = stand.ask(&Verb::List);
        assert_eq!(told.answer.requests, 4);
        assert_eq!(listed(told).len(), 201);
        let seen = stand.seen();
        let pages: Vec<_> = seen.iter().map(|line| line.split("&page=").last().unwrap().split(' ').next()).collect();
        assert_eq!(pages, ["1", "2", "2", "3"].map(Some));
    }
}

#[test]
fn a_page_that_does_not_come_leaves_no_part_of_a_list() {
    let stand = stand(201);
    fail_second(&stand, Fault::next("", 403));
    assert!(stand.ask(&Verb::List).refusal().contains("administer the runners of"));
    fail_second(&stand, Fault { times: 99, ..Fault::next("", 502) });
    assert!(stand.ask_for(&Verb::List, SHORT).unreachable().contains("error 502"));
}

#[test]
fn a_limit_in_the_middle_of_a_list_is_told() {
    let stand = stand(201);
    stand.github.change(|state| state.rate_limit = 1).unwrap();
    let told = stand.ask(&Verb::List);
    let Outcome::RateLimited(until) = told.answer.outcome else { panic!("{}", told.journal) };
    assert!(until.abs_diff(stand.github.state().rate_reset) <= APART, "{until}");
    assert_eq!((told.answer.requests, told.answer.rate_limit_remaining), (2, Some(0)));
}

#[test]
fn the_address_of_the_next_page_is_not_followed() {
    let stand = stand(1);
    let link = "<https://evil.example/orgs/octo-org/actions/runners?page=7>; rel=\"next\"";
    stand.inject(Fault { headers: [("link".into(), link.into())].into(), ..Fault::default() });
    assert_eq!(listed(stand.ask(&Verb::List)).len(), 1);
    assert!(stand.seen()[1].contains("&page=2 "), "{:?}", stand.seen());
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    let stand = stand(1);
    let link = "<https://api.github.com/>; rel=\"next\"";
    stand.inject(Fault { headers: [("link".into(), link.into())].into(), times: 999, ..Fault::default() });
    assert!(stand.ask(&Verb::List).refusal().contains("does not end after 100 pages of 100"));
    assert_eq!(stand.seen().len(), 100);
}
