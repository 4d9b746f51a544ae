//! `place` and `clear`, killed at every change: the next start of the same order has its registration and nothing else.

use super::kills::at_every_change;
use crate::claims::place::{assert_placed, left_over, systemd_makes_directories};
use crate::host::Host;

/// What a start after the kill makes of it, and its end.
#[track_caller]
fn begins_and_ends(host: &Host, when: &str) {
    systemd_makes_directories(host);
    let said = host.step("place").good();
    assert_placed(host, &format!("{when}: {said}"));
    host.ended("clear", "success", Some(("exited", "0"))).good();
    assert!(!host.path("state").exists() && !host.path("work").exists(), "{when}");
}

#[test]
fn a_start_of_an_order_killed_anywhere_is_made_up_for_by_the_next_one() {
    let kills = at_every_change("place", left_over, |host, when| begins_and_ends(host, when));
    assert!(kills > 40, "died at {kills} places only");
}

#[test]
fn after_a_start_of_an_order_killed_anywhere_its_end_leaves_nothing() {
    let kills = at_every_change("place", left_over, |host, when| {
        host.ended("clear", "signal", None).good();
        assert!(!host.path("state").exists() && !host.path("work").exists(), "{when}");
    });
    assert!(kills > 40, "died at {kills} places only");
}

#[test]
fn an_end_of_an_order_killed_anywhere_is_made_up_for_by_the_next_start() {
    let placed = || {
        let host = left_over();
        host.step("place").good();
        host
    };
    let kills = at_every_change("clear", placed, |host, when| begins_and_ends(host, when));
    assert!(kills > 5, "died at {kills} places only");
}
