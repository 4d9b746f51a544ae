//! What a pass does to a unit, to the server and to the ledger, whatever was decided some seconds ago.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::contract::protocol::{Answer, RemoteRunner};
use crate::fake_broker::FakeBroker;
use crate::fake_units::FakeUnits;
use crate::survey::sample::{self, NOW};
use crate::sys::Place;
use crate::units::Unit;

const UNIT: &str = "github-runner-one.service";

/// A runner that a pass found idle, and what turned out since.
struct Case {
    found: HostRunner,
    unit: Unit,
    answer: Outcome,
    /// The entry as it is by now.
    entry: Entry,
    is_locked: bool,
    /// Whether the next start would register it.
    would_start: bool,
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct End {
    restarted: bool,
    is_recorded: bool,
    asked: Vec<Verb>,
    counted: u64,
}

fn case(answer: Outcome) -> Case {
    let (_, mut host, _) = sample::host(&["one"]);
    let found = host.runners.remove(0);
    let (unit, entry) = (found.situation.unit.clone(), found.entry.clone().unwrap());
    Case { found, unit, answer, entry, is_locked: false, would_start: true }
}

impl Case {
    fn run(self, decision: &Decision) -> End {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let open = || {
            let dir = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap().open().unwrap().unwrap();
            Ledger::new(dir).unwrap()
        };
        let (ledger, other) = (open(), open());
        let instance = self.found.instance.clone();
        ledger.stage(&self.entry, &instance).unwrap().commit().unwrap();
        let _held = self.is_locked.then(|| other.lock(&instance, Duration::ZERO).unwrap().unwrap());
        let sockets = tempfile::tempdir().unwrap();
        let broker = FakeBroker::default();
        broker.answers_with(Answer::unasked(self.answer));
        broker.listen(&sockets.path().join("one"));
        let units = FakeUnits::like(self.unit).touchable();
        let mut memory = Memory::default();
        let silent = BTreeMap::new();
        let would_start = |_: &crate::contract::fleet::Declaration| {
            anyhow::ensure!(self.would_start, "the token can be read by jobs");
            Ok(())
        };
        let mut hands = Hands {
            ledger: &ledger,
            units: &units,
            sockets: sockets.path(),
            would_start: &would_start,
            memory: &mut memory,
            silent,
            now: NOW,
        };
        act(&mut hands, &self.found, decision).unwrap();
        let restarted = *units.done.borrow() == [format!("restart {UNIT}")];
        assert!(restarted || units.done.borrow().is_empty());
        let is_recorded = other.load(&instance).unwrap().unwrap().runner.is_some();
        End { restarted, is_recorded, asked: broker.asked(), counted: memory.restarts.values().sum() }
    }
}

fn left_alone(asked: &[Verb]) -> End {
    End { restarted: false, is_recorded: true, asked: asked.to_vec(), counted: 0 }
}

fn restarted(is_recorded: bool, asked: &[Verb]) -> End {
    End { restarted: true, is_recorded, asked: asked.to_vec(), counted: 1 }
}

const URL: &str = "https://github.com/o/r";

fn retire() -> Verb {
    Verb::Retire { id: 21, url: URL.into() }
}

fn look() -> Verb {
    Verb::Observe(Whom::Id { id: 21, url: URL.into() })
}

fn seen(busy: bool) -> Outcome {
    Outcome::Seen(Some(RemoteRunner { id: 21, name: "one".into(), online: true, busy }))
}

/// Answers after which nobody knows whether the runner is idle.
fn silences() -> [Outcome; 4] {
    [
        Outcome::Unreachable("no route".into()),
        Outcome::RateLimited(NOW + 60),
        Outcome::Refused("no".into()),
        Outcome::NotOurs("another name".into()),
    ]
}

#[test]
fn a_registration_is_not_given_up_for_one_that_the_start_would_not_make() {
    let runner = case(Outcome::Busy).entry.runner.unwrap();
    let refused = Case { would_start: false, ..case(Outcome::Retired) };
    assert_eq!(refused.run(&Decision::RetireThenRestart(runner)), left_alone(&[]));
    let restarts = Case { would_start: false, ..case(seen(false)) };
    assert!(restarts.run(&Decision::Restart(Cause::Changed)).restarted, "what keeps its registration loses none");
}

#[test]
fn a_runner_that_registers_anew_restarts_only_if_the_server_deleted_it() {
    let runner = case(Outcome::Busy).entry.runner.unwrap();
    let decision = Decision::RetireThenRestart(runner);
    assert_eq!(case(Outcome::Busy).run(&decision), left_alone(&[retire()]));
    for answer in silences() {
        assert_eq!(case(answer).run(&decision), left_alone(&[retire()]));
    }
    assert_eq!(case(Outcome::Retired).run(&decision), restarted(false, &[retire()]));
    assert_eq!(case(Outcome::Gone).run(&decision), restarted(false, &[retire()]));
    let mut ending = case(Outcome::Gone);
    ending.unit.has_job = true;
    assert_eq!(ending.run(&decision), left_alone(&[retire()]), "its job just ends");
    let mut pretending = case(Outcome::Retired);
    pretending.unit.has_job = true;
    assert_eq!(pretending.run(&decision), restarted(false, &[retire()]), "the server knows better than a name");
}

#[test]
fn a_runner_that_keeps_its_registration_restarts_only_if_nobody_knows_of_a_job() {
    let decision = Decision::Restart(Cause::Changed);
    assert_eq!(case(seen(true)).run(&decision), left_alone(&[look()]));
    for answer in silences() {
        assert_eq!(case(answer).run(&decision), left_alone(&[look()]));
    }
    let mut working = case(seen(false));
    working.unit.has_job = true;
    assert_eq!(working.run(&decision), left_alone(&[look()]));
    assert_eq!(case(seen(false)).run(&decision), restarted(true, &[look()]));
    let mut unasked = case(Outcome::Gone);
    let token = crate::model::Token::parse(b"BFAKETOKENFAKETOKEN").unwrap();
    let kind = crate::model::TokenKind::Registration;
    unasked.found.configured.as_mut().unwrap().credential =
        Ok(crate::registration::credential::Credential::Token(token, kind));
    assert_eq!(unasked.run(&decision), restarted(true, &[]), "nobody can be asked, and there is no worker");
}

#[test]
fn what_the_server_does_not_see_is_not_asked_for_but_a_worker_counts() {
    for cause in [Cause::Missing, Cause::Offline] {
        assert_eq!(case(Outcome::Gone).run(&Decision::Restart(cause)), restarted(true, &[]));
        let mut working = case(Outcome::Gone);
        working.unit.has_job = true;
        assert_eq!(working.run(&Decision::Restart(cause)), left_alone(&[]));
    }
}

#[test]
fn only_the_run_that_was_decided_about_is_touched() {
    let runner = case(Outcome::Busy).entry.runner.unwrap();
    for decision in
        [Decision::RetireThenRestart(runner), Decision::Restart(Cause::Changed), Decision::Restart(Cause::Missing)]
    {
        let mut locked = case(Outcome::Retired);
        locked.is_locked = true;
        assert_eq!(locked.run(&decision), left_alone(&[]), "a start is under way");
        let mut anew = case(Outcome::Retired);
        anew.entry.runner.as_mut().unwrap().id = 22;
        assert_eq!(anew.run(&decision), left_alone(&[]), "it registered anew");
        let mut again = case(Outcome::Retired);
        again.entry.started = Some("another unit".into());
        assert_eq!(again.run(&decision), left_alone(&[]), "it started anew");
        for activity in [Activity::Starting, Activity::Stopping] {
            let mut moving = case(seen(false));
            moving.unit.activity = activity;
            assert!(!moving.run(&decision).restarted, "{decision:?} {activity:?}");
        }
    }
    assert_eq!(case(Outcome::Busy).run(&Decision::CutShort), restarted(true, &[]));
    let mut again = case(Outcome::Busy);
    again.entry.started = Some("another unit".into());
    assert_eq!(again.run(&Decision::CutShort), left_alone(&[]));
}
