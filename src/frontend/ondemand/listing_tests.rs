use std::collections::BTreeMap;

use super::*;
use crate::frontend::ondemand::book::Pages;
use crate::frontend::ondemand::order::Reason;

const NOW: u64 = 1_790_000_000;

fn order(label: &str, state: State) -> Order {
    let mut order: Order = serde_json::from_str(include_str!("../../../tests/fixtures/order-v1.json")).unwrap();
    (order.label, order.state, order.tries) = (label.to_owned().try_into().unwrap(), state, vec![]);
    order
}

fn listing(all: bool) -> Listing {
    let launching = Order {
        tries: vec![Try { candidate: 1, code: "no\u{1b}room".into() }],
        since: NOW - 5,
        ..order("od-19283746-1-build", State::Launching)
    };
    let waiting = Order { since: NOW - 61, accepted_at: NOW - 61, run: None, ..order("rr_runner_0a", State::Accepted) };
    let ended = |label: &str, ago: u64| Order {
        ended_at: Some(NOW - ago),
        since: NOW - ago,
        reason: Some(Reason::Registration("no\u{1b}".into())),
        ..order(label, State::Ended)
    };
    let orders = [launching, waiting, ended("od-1-late", 60), ended("od-1-old", 2 * 60 * 60)];
    let pages = Pages {
        orders: orders.into_iter().map(|order| (order.key(), order)).collect::<BTreeMap<_, _>>(),
        faults: vec![("od-1-x.y.json".into(), "it is damaged".into())],
    };
    Listing::of(Look { at: NOW, pages, stopped: Some("we move".into()), debts: 0 }, all)
}

#[test]
fn each_order_has_a_line_the_open_ones_first() {
    insta::assert_snapshot!(listing(false).text(), @r#"
    Nothing new begins: we move

    LABEL                CLASS   STATE      SINCE  ENDS    REPOSITORY        RUN       WHY
    rr_runner_0a         x86_64  accepted   1 min  -       octo-org/example  -
    od-19283746-1-build  x86_64  launching  5 s    in 1 h  octo-org/example  19283746  Tried: no\u{1b}room
    od-1-late            x86_64  ended      1 min  -       octo-org/example  19283746  GitHub registers no runner for it ("no\u{1b}"): the operator has to look at the credential.

    od-1-x.y.json: it is damaged
    "#);
    assert!(listing(true).text().contains("od-1-old"));
}

#[test]
fn programs_get_the_same_as_values() {
    insta::assert_snapshot!(listing(false).json().unwrap(), @r#"
    {
      "version": 1,
      "at": 1790000000,
      "stopped": "we move",
      "orders": [
        {
          "label": "rr_runner_0a",
          "class": "x86_64",
          "state": "accepted",
          "since": 1789999939,
          "deadline": 1790003600,
          "repository": "octo-org/example",
          "run": null,
          "proof": "queue",
          "fork": false,
          "reason": null,
          "tries": []
        },
        {
          "label": "od-19283746-1-build",
          "class": "x86_64",
          "state": "launching",
          "since": 1789999995,
          "deadline": 1790003600,
          "repository": "octo-org/example",
          "run": 19283746,
          "proof": "queue",
          "fork": false,
          "reason": null,
          "tries": [
            {
              "candidate": 1,
              "code": "no\\u{1b}room"
            }
          ]
        },
        {
          "label": "od-1-late",
          "class": "x86_64",
          "state": "ended",
          "since": 1789999940,
          "deadline": 1790003600,
          "repository": "octo-org/example",
          "run": 19283746,
          "proof": "queue",
          "fork": false,
          "reason": "GitHub registers no runner for it (\"no\\u{1b}\"): the operator has to look at the credential.",
          "tries": []
        }
      ],
      "unreadable": [
        {
          "file": "od-1-x.y.json",
          "why": "it is damaged"
        }
      ]
    }
    "#);
}

#[test]
fn a_host_without_orders_says_so() {
    assert_eq!(Listing::of(Look::default(), true).text(), "There are no orders.\n");
}
