//! GitHub, systemd and the listeners, in a few lines each, which do what the contracts say.

use github_runners::survey::Recall;

pub const RUNNERS: usize = 4;

/// One runner of the world, on both sides.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct One {
    pub ephemeral: bool,
    /// The present configuration; `None` if it was removed.
    pub declared: Option<u32>,
    /// Counts configurations, so that none comes twice.
    configurations: u32,
    /// Since when another configuration waits.
    pub changed: Option<u64>,
    /// An operator stopped it.
    pub stopped: bool,
    /// With which configuration the unit was started, and when; `None` if it does not run.
    pub runs: Option<(u32, u64)>,
    pub has_job: bool,
    /// GitHub has given it the job, but there is no worker yet that the host could see.
    pub is_unseen: bool,
    /// GitHub still counts a job on its registration when that is given up.
    lingers: bool,
    /// GitHub does not hear of it, although it runs.
    pub deaf: bool,
    /// Something else than the configuration made it, and owns it until then.
    pub leased: Option<u64>,
    /// The ledger has an entry, which names these.
    pub has_entry: bool,
    pub recorded: Option<u64>,
    pub owes: Vec<u64>,
    pub registration_differs: bool,
    pub recall: Recall,
}

/// Whether GitHub's interface answers. Jobs come another way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    Up,
    Down,
    /// Not before this time.
    Limited(u64),
}

#[derive(Clone, Debug)]
pub struct World {
    pub now: u64,
    pub api: Api,
    /// GitHub's list does not show yet who runs a job.
    pub list_lags: bool,
    last_id: u64,
    /// Id and owner of what GitHub has.
    pub server: Vec<(u64, usize)>,
    pub runners: Vec<One>,
}

impl World {
    pub fn new() -> Self {
        let one = |at| One { ephemeral: at % 2 == 0, declared: Some(0), ..One::default() };
        let runners = (0..RUNNERS).map(one).collect();
        let mut world = Self { now: 1_000_000, api: Api::Up, list_lags: false, last_id: 0, server: vec![], runners };
        (0..RUNNERS).for_each(|at| world.start(at));
        world
    }

    /// What runs, and how often anything was registered.
    pub fn runs(&self) -> String {
        let runs: Vec<_> = self.runners.iter().map(|one| (one.runs, one.has_entry)).collect();
        format!("{:?}", (self.last_id, runs))
    }

    /// Everything that a pass must leave alone when all is in order.
    pub fn state(&self) -> String {
        let runs: Vec<_> = self.runners.iter().map(|one| (one.runs, &one.owes, one.has_entry)).collect();
        format!("{:?}", (&self.server, self.last_id, runs))
    }

    pub fn answers(&self) -> bool {
        match self.api {
            Api::Up => true,
            Api::Down => false,
            Api::Limited(until) => self.now >= until,
        }
    }

    pub fn is_listed(&self, id: u64) -> bool {
        self.server.iter().any(|(listed, _)| *listed == id)
    }

    pub fn delete(&mut self, ids: &[u64]) {
        self.server.retain(|(id, _)| !ids.contains(id));
    }

    pub fn named(&self, at: usize) -> Vec<u64> {
        let one = &self.runners[at];
        one.recorded.iter().chain(&one.owes).copied().collect()
    }

    pub fn is_leased(&self, at: usize) -> bool {
        self.runners[at].leased.is_some_and(|until| self.now < until)
    }

    /// Something else makes a runner of that name, if it is free, and owns it for so long.
    pub fn lease(&mut self, at: usize, seconds: u64) {
        let one = &self.runners[at];
        if one.declared.is_some() || one.has_entry {
            return;
        }
        self.last_id += 1;
        self.server.push((self.last_id, at));
        let one = &mut self.runners[at];
        (one.has_entry, one.recorded, one.registration_differs) = (true, Some(self.last_id), true);
        (one.leased, one.runs, one.deaf) = (Some(self.now + seconds), Some((0, self.now)), false);
    }

    pub fn forget(&mut self, at: usize) {
        (self.runners[at].recorded, self.runners[at].owes) = (None, vec![]);
    }

    /// What `prepare` and its companions do: keep what is good, or take back and register anew. What fails is tried again.
    pub fn start(&mut self, at: usize) {
        let one = &self.runners[at];
        let Some(declared) = one.declared.filter(|_| !one.stopped && one.runs.is_none()) else { return };
        if self.is_leased(at) {
            return;
        }
        let may_keep = !one.ephemeral && !one.registration_differs;
        let kept = one.recorded.filter(|id| may_keep && (!self.answers() || self.is_listed(*id)));
        (self.runners[at].has_entry, self.runners[at].leased) = (true, None);
        if kept.is_none() {
            if !self.answers() {
                return;
            }
            let former = self.named(at);
            self.forget(at);
            if std::mem::take(&mut self.runners[at].lingers) {
                self.runners[at].owes = former;
            } else {
                self.delete(&former);
            }
            self.last_id += 1;
            self.server.push((self.last_id, at));
            (self.runners[at].recorded, self.runners[at].registration_differs) = (Some(self.last_id), false);
        }
        let one = &mut self.runners[at];
        (one.runs, one.changed, one.deaf) = (Some((declared, self.now)), None, false);
    }

    /// The end of a unit, with what `settle` does.
    pub fn stop(&mut self, at: usize) {
        let one = &mut self.runners[at];
        (one.runs, one.has_job, one.is_unseen) = (None, false, false);
        if self.is_leased(at) {
            return;
        }
        let one = &mut self.runners[at];
        if one.ephemeral {
            one.owes.extend(one.recorded.take());
            if self.answers() {
                self.delete(&self.named(at));
                self.forget(at);
            }
        }
    }

    pub fn stop_by_hand(&mut self, at: usize) {
        self.runners[at].stopped = true;
        self.stop(at);
    }

    pub fn start_by_hand(&mut self, at: usize) {
        self.runners[at].stopped = false;
        self.start(at);
    }

    pub fn job_starts(&mut self, at: usize, is_seen: bool) {
        let one = &self.runners[at];
        let can = one.runs.is_some() && !one.deaf && one.recorded.is_some_and(|id| self.is_listed(id));
        if can && !self.runners[at].has_job {
            (self.runners[at].has_job, self.runners[at].is_unseen) = (true, !is_seen);
        }
    }

    pub fn job_ends(&mut self, at: usize) {
        self.runners[at].is_unseen = false;
        if !std::mem::take(&mut self.runners[at].has_job) || !self.runners[at].ephemeral {
            return;
        }
        // GitHub forgets it, and the unit ends.
        self.delete(&self.runners[at].recorded.into_iter().collect::<Vec<_>>());
        self.stop(at);
    }

    pub fn crash(&mut self, at: usize) {
        if self.runners[at].runs.is_some() {
            self.stop(at);
        }
    }

    pub fn forgets(&mut self, at: usize) {
        if !self.runners[at].has_job {
            self.delete(&self.runners[at].recorded.into_iter().collect::<Vec<_>>());
        }
    }

    pub fn lingers(&mut self, at: usize) {
        self.runners[at].lingers = true;
    }

    pub fn falls_silent(&mut self, at: usize) {
        self.runners[at].deaf |= !self.runners[at].has_job;
    }

    /// A switch to another configuration, of the registration or of something else; also of one that had been removed.
    pub fn switch(&mut self, at: usize, registration: bool) {
        let one = &mut self.runners[at];
        one.configurations += 1;
        (one.declared, one.stopped) = (Some(one.configurations), false);
        one.registration_differs |= registration;
        one.changed.get_or_insert(self.now);
    }

    pub fn remove(&mut self, at: usize) {
        self.runners[at].declared = None;
    }

    /// systemd starts again what ended or failed to start.
    pub fn systemd(&mut self) {
        (0..RUNNERS).for_each(|at| self.start(at));
    }

    /// What holds at every moment: no registration without a name in the ledger, and never two that could get a job.
    pub fn check(&self) {
        for (at, one) in self.runners.iter().enumerate() {
            let all: Vec<u64> = self.server.iter().filter(|(_, owner)| *owner == at).map(|(id, _)| *id).collect();
            let known = |id: &u64| one.has_entry && (one.recorded == Some(*id) || one.owes.contains(id));
            assert!(all.iter().all(known), "the ledger of {at} does not name {all:?}: {one:?}");
            let debts = all.iter().filter(|id| one.recorded != Some(**id)).count();
            assert!(all.len() - debts <= 1 && debts <= one.owes.len());
        }
    }
}
