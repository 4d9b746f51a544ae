//! Passes over the world: the decisions are the real ones, and the acts do what `reconcile` does, step by step.

use github_runners::contract::fleet::RestartPolicy;
use github_runners::contract::protocol::RemoteRunner;
use github_runners::ledger::{Lease, Owner, Runner};
use github_runners::reconcile::{Cause, Decision, plan};
use github_runners::survey::{Intent, Knowledge, Recall, Server, Situation};
use github_runners::units::{Activity, Unit};

use super::world::{Api, One, RUNNERS, World};

/// The `drainTimeout` of the last runner; the others have none.
const DEADLINE: u64 = 600;

/// What happens after a pass has read everything, and before it acts.
#[derive(Clone, Copy, Debug)]
pub enum Late {
    Nothing,
    Job(usize),
    Outage,
}

/// At which runner a pass is killed, and how far into what it does about that one; 0 is before it remembers anything.
#[derive(Clone, Copy, Debug)]
pub struct Killed(pub usize, pub u8);

impl World {
    fn situation(&self, at: usize) -> Situation {
        let one = &self.runners[at];
        let runner = |id| Runner { id, name: "a".into(), url: "u".into(), recorded_at: 0 };
        let seen = |id| RemoteRunner {
            id,
            name: "a".into(),
            online: one.runs.is_some() && !one.deaf,
            busy: one.has_job && !self.list_lags,
        };
        let server = match (one.declared, self.answers()) {
            (None, _) => Server::NoCredential,
            (Some(_), false) => Server::Silent("nobody answers".into()),
            (Some(_), true) => Server::Lists(one.recorded.filter(|id| self.is_listed(*id)).map(seen)),
        };
        let activity = match one.runs {
            Some(_) => Activity::Active,
            None if one.declared.is_some() && !one.stopped => Activity::Starting,
            None => Activity::Inactive,
        };
        Situation {
            wanted: one.declared.map(|declared| Intent {
                policy: RestartPolicy::WhenIdle,
                drain_timeout: (at == RUNNERS - 1).then_some(DEADLINE),
                outdated: one.runs.is_some_and(|(version, _)| version != declared),
                registers_anew: one.ephemeral || one.registration_differs,
            }),
            unit: Unit {
                activity,
                since: one.runs.map(|(_, since)| since),
                has_job: one.has_job && !one.is_unseen,
                ..Unit::default()
            },
            known: Some(Knowledge {
                owner: one.leased.map_or(Owner::Declared, |until| Owner::Other(Lease { name: "order".into(), until })),
                runner: one.recorded.map(runner),
                owes: !one.owes.is_empty(),
                started: one.runs.map(|(version, _)| version.to_string()),
            }),
            server,
        }
    }

    /// What a pass does, each time with the look that comes right before it. `steps` says after how many it is killed.
    fn act(&mut self, at: usize, decision: &Decision, steps: u8) {
        let is_busy = self.runners[at].has_job;
        match decision {
            Decision::Leave(_) => {}
            Decision::RetireThenRestart(_) | Decision::Restart(_) | Decision::Dissolve if is_busy => {}
            Decision::RetireThenRestart(runner) => {
                if !self.answers() || steps == 0 {
                    return;
                }
                self.delete(&[runner.id]);
                if steps == 1 {
                    return;
                }
                self.runners[at].recorded = None;
                if steps > 2 {
                    self.stop(at);
                    self.start(at);
                }
            }
            // It asks first, and does nothing without an answer.
            Decision::Restart(Cause::Changed) if !self.answers() => {}
            Decision::Restart(_) | Decision::CutShort => {
                if steps > 0 {
                    if matches!(decision, Decision::Restart(Cause::Missing | Cause::Offline)) {
                        self.runners[at].recall.cure(self.now);
                    }
                    self.stop(at);
                    self.start(at);
                }
            }
            Decision::Pay => {
                let one = &mut self.runners[at];
                if steps > 0 && one.runs.is_none() && one.leased.take().is_some() {
                    one.owes.extend(one.recorded.take());
                }
                if self.answers() && steps > 0 {
                    self.delete(&self.runners[at].owes.clone());
                    if steps > 1 {
                        self.runners[at].owes.clear();
                    }
                }
            }
            Decision::Dissolve => {
                let is_clear = self.named(at).is_empty();
                if (!self.answers() && !is_clear) || steps == 0 {
                    return;
                }
                self.delete(&self.named(at));
                if steps > 1 {
                    self.forget(at);
                }
                if steps > 2 {
                    self.stop(at);
                }
                if steps > 3 {
                    let one = &mut self.runners[at];
                    (one.has_entry, one.leased, one.recall) = (false, None, Recall::default());
                }
            }
        }
    }

    /// A pass, and what it decided about each runner.
    pub fn pass(&mut self, late: Late, killed: Option<Killed>) -> Vec<Decision> {
        let known = |one: &One| one.declared.is_some() || one.has_entry;
        let found: Vec<(usize, Situation)> =
            (0..RUNNERS).filter(|at| known(&self.runners[*at])).map(|at| (at, self.situation(at))).collect();
        let could_ask = self.answers();
        match late {
            Late::Nothing => {}
            Late::Job(at) => self.job_starts(at, true),
            Late::Outage => self.api = Api::Down,
        }
        let mut decisions = Vec::new();
        for (at, found) in &found {
            let (decision, recall) = plan(found, &self.runners[*at].recall, self.now);
            let ends = matches!(decision, Decision::Restart(_));
            assert!(!ends || !found.unit.has_job, "{at} has a job, and is to be restarted: {decision:?}");
            let is_left = matches!(decision, Decision::Leave(_));
            assert!(!self.is_leased(*at) || is_left, "something else owns {at}: {decision:?}");
            if !matches!(killed, Some(Killed(_, 0))) {
                self.runners[*at].recall = recall;
            }
            decisions.push((*at, decision));
        }
        for (at, decision) in &decisions {
            let asks =
                matches!(decision, Decision::RetireThenRestart(_) | Decision::Pay | Decision::Restart(Cause::Changed));
            assert!(could_ask || !asks, "GitHub is asked about {at} although it does not answer");
            let steps = match killed {
                Some(Killed(_, 0)) => 0,
                Some(Killed(end, _)) if *at > end => 0,
                Some(Killed(end, steps)) if *at == end => steps,
                _ => u8::MAX,
            };
            let (had_job, changed) = (self.runners[*at].has_job, self.runners[*at].changed);
            self.act(*at, decision, steps);
            let is_over = changed.is_some_and(|changed| self.now - changed >= DEADLINE);
            let may_end = *decision == Decision::CutShort && *at == RUNNERS - 1 && is_over;
            assert!(self.runners[*at].has_job == had_job || may_end, "a pass ended the job of {at}: {decision:?}");
        }
        self.now += 60;
        self.list_lags = false;
        self.runners.iter_mut().for_each(|one| one.is_unseen = false);
        decisions.into_iter().map(|(_, decision)| decision).collect()
    }
}
