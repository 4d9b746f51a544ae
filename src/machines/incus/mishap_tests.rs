//! Whatever goes wrong, in any order: a delete that succeeds leaves nothing, and a list that succeeds leaves nothing out.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::stand_tests::{FOREIGN, OURS, hasty, specification};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Durations, Flavor, Rule, StandIn, State, Then};
use crate::times::AT_ONCE;

const SHORT: Duration = Duration::from_millis(20);
/// More mishaps than any case has.
const MOST_DELETES: usize = 60;

fn mishap() -> impl Strategy<Value = Then> {
    let refusal = |code: u16| Then::Say(code, json!({"type": "error", "error_code": code, "error": "not now"}));
    prop_oneof![
        Just(Then::LoseAnswer),
        Just(Then::LoseRequest),
        Just(Then::Restart),
        Just(Then::Delay(SHORT)),
        Just(Then::ForgetOperation),
        Just(Then::FailOperation("it failed")),
        Just(Then::Pretend),
        Just(Then::Hang),
        Just(Then::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"type\"".to_vec())),
        Just(refusal(500)),
        Just(refusal(503)),
        Just(refusal(400)),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let place = prop_oneof![
        Just(("POST", "/instances")),
        Just(("PUT", "/state")),
        Just(("DELETE", "/instances")),
        Just(("GET", "/wait")),
        Just(("GET", "/1.0/operations?")),
        Just(("GET", "/1.0/operations/0")),
        Just(("GET", "/1.0/instances/r-1")),
        Just(("GET", "/1.0/instances?")),
        Just(("GET", "/1.0/instances/r-2")),
    ];
    (place, mishap(), 1..4_u32).prop_map(|((method, part), then, times)| {
        // Who waits for the answer to a creation waits for as long as a slow machine needs to read it.
        let then = if method == "POST" && matches!(then, Then::Hang) { Then::LoseRequest } else { then };
        Rule::new(method, part, then).times(times)
    })
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), Just(SHORT), Just(SHORT * 5)]
}

/// What a list may have at the least and at the most, and has.
fn listed_in_full(server: &StandIn, list: impl FnOnce() -> Result<Vec<super::Instance>, Fault>) {
    let ours = || -> BTreeSet<String> { server.names().into_iter().filter(|name| name != "theirs").collect() };
    let before = ours();
    if let Ok(list) = list() {
        let listed: BTreeSet<String> = list.into_iter().map(|found| found.name).collect();
        let after = ours();
        let missing: Vec<&String> = before.intersection(&after).filter(|name| !listed.contains(*name)).collect();
        assert!(missing.is_empty(), "the list leaves {missing:?} out");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mishap_hides_or_leaves_an_instance(
        is_incus: bool,
        is_killed: bool,
        rules in prop::collection::vec(rule(), 1..8),
        download in duration(),
        create in duration(),
        stop in duration(),
        delete in duration(),
    ) {
        let server = StandIn::start(if is_incus { Flavor::Incus } else { Flavor::Lxd });
        server.add("theirs", 103, &FOREIGN);
        server.add("r-2", 103, &OURS);
        server.with(|state| state.untold.push("r-2".into()));
        server.take(Durations { download, create, stop, delete, start: create, address: create });
        for rule in rules {
            server.inject(rule);
        }
        let client = hasty(&server, |times| {
            (times.answer, times.accept, times.restart, times.lost) = (SHORT * 5, AT_ONCE, SHORT * 5, SHORT);
            (times.create, times.power, times.address, times.end) = (SHORT * 20, SHORT * 10, SHORT * 2, SHORT * 20);
            (times.late, times.read, times.turn) = (SHORT, SHORT * 50, SHORT);
            times.make = AT_ONCE;
        });
        // Who is killed waits for nothing, and takes nothing back.
        let killed = hasty(&server, |times| {
            *times = client.server.times;
            (times.create, times.lost, times.end) = Default::default();
        });
        // It may be made, or not.
        let made = if is_killed { &killed } else { &client }.create(&specification("r-1"));
        if made.is_ok() {
            assert!(server.names().contains(&"r-1".to_owned()), "it was made, and is not there");
        }
        listed_in_full(&server, || client.list());
        for name in ["r-1", "r-2"] {
            let tries = (0..MOST_DELETES).take_while(|_| client.delete(name).is_err()).count();
            assert!(tries < MOST_DELETES, "{name} cannot be deleted");
            assert!(!server.names().contains(&name.to_owned()), "{name} is there still, after {made:?}");
            server.with(State::finish);
            assert!(!server.names().contains(&name.to_owned()), "{name} came after its end, after {made:?}");
            listed_in_full(&server, || client.list());
        }
        assert_eq!(server.names(), ["theirs"]);
        assert_eq!(server.with(|state| state.instances.values().next().unwrap().status), 103);
    }
}
