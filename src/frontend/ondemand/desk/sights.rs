//! What is known of runs: one look serves all orders of a run, and nobody can have the same one looked at again and again. Pure.

use std::collections::BTreeMap;

use super::event::{RunName, Silence};
use super::looks::Wish;
use crate::contract::workflow::{QueuedJob, RunState, WorkflowRun};

/// Between two looks at the jobs of a run that orders wait for, in seconds.
pub const AGAIN: u64 = 30;
/// Between two looks at whether the run of an open order is over, in seconds.
const OVER: u64 = 60;
/// How many runs are remembered of which there is no order.
const MOST_STRANGE: usize = 256;

/// What was seen of one run, and when, in seconds since 1970.
#[derive(Debug, Default)]
pub struct Sight {
    /// The run; the inner `None` if there is none.
    pub run: Option<(u64, Option<WorkflowRun>)>,
    /// Those of its jobs that waited.
    pub jobs: Option<(u64, Vec<QueuedJob>)>,
    /// Why the last look came to nothing, and from when on there may be another one.
    pub silence: Option<(String, u64)>,
    /// Whether it is being looked at.
    pub is_looked_at: bool,
    /// When that look was begun: what it finds is as old as that.
    pub began: u64,
}

impl Sight {
    /// What is to be looked at so that a proof can be judged; `None` if what was seen is new enough.
    #[must_use]
    pub fn for_proof(&self, now: u64) -> Option<Wish> {
        let is_there = !matches!(self.run, Some((_, None)));
        let is_new = |at: u64| now.abs_diff(at) < AGAIN;
        let run = match &self.run {
            None => true,
            // While it goes on only its jobs are of interest.
            Some((_, Some(run))) if matches!(run.state, RunState::Queued | RunState::InProgress) => false,
            // It may be run again, and one that is not there may come.
            Some((at, _)) => !is_new(*at),
        };
        let jobs = (run || is_there) && !self.jobs.as_ref().is_some_and(|(at, _)| is_new(*at));
        (run || jobs).then_some(Wish { run, jobs })
    }

    /// Whether it is time to find out if the run is over.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        !self.is_looked_at
            && self.silence.as_ref().is_none_or(|(_, from)| now >= *from)
            && self.run.as_ref().is_none_or(|(at, _)| now.abs_diff(*at) >= OVER)
    }

    /// Whether the run is known to have been over at this time or later: it can be run again. One that is not shown may be out of
    /// this credential's sight.
    #[must_use]
    pub fn is_over_since(&self, time: u64) -> bool {
        matches!(&self.run, Some((at, Some(run))) if run.state == RunState::Completed && *at >= time)
    }

    /// Whether it was over when it was looked at last, which was before this time.
    #[must_use]
    pub fn was_over_before(&self, time: u64) -> Option<u64> {
        match &self.run {
            Some((at, Some(run))) if run.state == RunState::Completed && *at < time => Some(*at),
            _ => None,
        }
    }

    /// When it was looked at last.
    #[must_use]
    pub fn last(&self) -> u64 {
        let run = self.run.as_ref().map_or(0, |(at, _)| *at);
        self.jobs.as_ref().map_or(run, |(at, _)| run.max(*at))
    }

    /// Takes note of a look.
    pub fn note(
        &mut self,
        run: Option<Result<Option<WorkflowRun>, Silence>>,
        jobs: Option<Result<Vec<QueuedJob>, Silence>>,
        now: u64,
    ) {
        (self.is_looked_at, self.silence) = (false, None);
        let mut silent = |silence: Silence| {
            let from = now + silence.wait.unwrap_or(AGAIN);
            self.silence = Some((silence.why, from));
        };
        match run {
            Some(Ok(run)) => self.run = Some((self.began, run)),
            Some(Err(silence)) => silent(silence),
            None => {}
        }
        match jobs {
            Some(Ok(jobs)) => self.jobs = Some((self.began, jobs)),
            Some(Err(silence)) => silent(silence),
            None => {}
        }
    }
}

/// All runs.
#[derive(Debug, Default)]
pub struct Sights {
    runs: BTreeMap<RunName, Sight>,
}

impl Sights {
    /// What is known of a run.
    #[must_use]
    pub fn get(&self, name: &RunName) -> Option<&Sight> {
        self.runs.get(name)
    }

    /// The same, to be changed.
    pub fn of(&mut self, name: &RunName) -> &mut Sight {
        self.runs.entry(name.clone()).or_default()
    }

    /// Forgets runs that `is_wanted` says nothing about: the older ones if there are too many, and all that are too old to be of
    /// use.
    pub fn forget(&mut self, is_wanted: impl Fn(&RunName) -> bool, now: u64) {
        self.runs.retain(|name, sight| sight.is_looked_at || is_wanted(name) || now.abs_diff(sight.last()) < AGAIN);
        while self.runs.len() > MOST_STRANGE {
            let strange = self.runs.iter().filter(|(name, sight)| !sight.is_looked_at && !is_wanted(name));
            let Some(oldest) = strange.min_by_key(|(_, sight)| sight.last()).map(|(name, _)| name.clone()) else {
                return;
            };
            self.runs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Repository;

    const NOW: u64 = 1_790_000_000;

    fn run(state: RunState) -> WorkflowRun {
        WorkflowRun { id: 7, repository: 1, head_repository: Some(1), state, attempt: 1 }
    }

    #[test]
    fn a_first_proof_costs_two_looks_and_one_that_waits_one_each_half_minute() {
        let mut sight = Sight { began: NOW, ..Sight::default() };
        assert_eq!(sight.for_proof(NOW), Some(Wish { run: true, jobs: true }));
        sight.note(Some(Ok(Some(run(RunState::InProgress)))), Some(Ok(vec![])), NOW);
        assert_eq!(sight.for_proof(NOW + AGAIN - 1), None);
        assert_eq!(sight.for_proof(NOW + AGAIN), Some(Wish { run: false, jobs: true }));
        assert_eq!(sight.for_proof(NOW + 1_000), Some(Wish { run: false, jobs: true }));
    }

    #[test]
    fn a_run_that_is_not_there_costs_one_look_each_half_minute_whoever_asks() {
        let mut sight = Sight { began: NOW, ..Sight::default() };
        sight.note(Some(Ok(None)), None, NOW);
        assert_eq!(sight.for_proof(NOW + AGAIN - 1), None);
        assert_eq!(sight.for_proof(NOW + AGAIN), Some(Wish { run: true, jobs: true }));
        assert!(!sight.is_over_since(0), "it may be out of sight");
        sight.began = NOW + AGAIN;
        sight.note(Some(Ok(Some(run(RunState::Completed)))), Some(Ok(vec![])), NOW + AGAIN);
        assert_eq!(sight.for_proof(NOW + 2 * AGAIN), Some(Wish { run: true, jobs: true }), "it may be run again");
    }

    #[test]
    fn silence_keeps_what_was_seen_and_is_waited_for() {
        let mut sight = Sight { began: NOW, ..Sight::default() };
        sight.note(Some(Ok(Some(run(RunState::Completed)))), Some(Ok(vec![])), NOW);
        assert!(sight.is_over_since(0));
        assert!(!sight.is_due(NOW + OVER - 1) && sight.is_due(NOW + OVER));
        let limit = Silence { why: "limit".into(), wait: Some(900 - OVER) };
        sight.began = NOW + OVER;
        sight.note(Some(Err(limit)), None, NOW + OVER);
        assert!(sight.is_over_since(0) && !sight.is_due(NOW + 899) && sight.is_due(NOW + 900));
    }

    #[test]
    fn strangers_cannot_have_more_than_so_many_runs_remembered() {
        let repository = Repository::parse("octo-org/example").unwrap();
        let mut sights = Sights::default();
        for run in 1..=1_000 {
            let sight = sights.of(&(repository.clone(), run));
            sight.began = NOW + run / 100;
            sight.note(Some(Ok(None)), None, NOW + run / 100);
            sights.forget(|(_, run)| *run == 1, NOW);
            assert!(sights.runs.len() <= MOST_STRANGE);
        }
        assert!(sights.get(&(repository.clone(), 1)).is_some(), "one that an order is for is kept");
        sights.forget(|_| false, NOW + 100);
        assert!(sights.runs.is_empty());
    }
}
