//! Units of systemd that are only in memory, for tests of everything that looks at units or acts on them.
//!
//! All of them are alike, but for those that are set apart by name. Nobody may touch one unless the test allows it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::Result;
use github_runners::units::{Activity, Unit, Units};

pub struct FakeUnits {
    /// How each unit is.
    pub unit: RefCell<Unit>,
    /// What these units do instead.
    pub apart: BTreeMap<String, Activity>,
    /// After so many looks the job of all units ends; 0 for one that goes on.
    pub looks_with_job: Cell<u32>,
    /// Whether units may be restarted and stopped.
    pub may_be_touched: bool,
    /// What was done to units, in order, such as `restart github-runner-one.service`.
    pub done: RefCell<Vec<String>>,
    /// Properties by unit and name; those without a unit are of all.
    pub properties: BTreeMap<(String, String), String>,
    /// What units printed, the last line first.
    pub printed: BTreeMap<String, Vec<String>>,
    pub version: u32,
}

impl FakeUnits {
    /// Units that run and may be looked at.
    pub fn running() -> Self {
        let unit = Unit {
            activity: Activity::Active,
            since: Some(1),
            result: "success".into(),
            has_job: false,
            is_defined: true,
        };
        Self::like(unit)
    }

    /// Units that may be looked at.
    pub fn like(unit: Unit) -> Self {
        Self {
            unit: RefCell::new(unit),
            apart: BTreeMap::new(),
            looks_with_job: Cell::new(0),
            may_be_touched: false,
            done: RefCell::default(),
            properties: BTreeMap::new(),
            printed: BTreeMap::new(),
            version: 257,
        }
    }

    /// The same units, which may be restarted and stopped.
    pub fn touchable(self) -> Self {
        Self { may_be_touched: true, ..self }
    }

    /// Gives a unit, or all if it is named `""`, a property.
    pub fn set(&mut self, unit: &str, name: &str, value: &str) {
        self.properties.insert((unit.into(), name.into()), value.into());
    }

    fn touch(&self, verb: &str, unit: &str) {
        assert!(self.may_be_touched, "{verb} {unit}");
        self.done.borrow_mut().push(format!("{verb} {unit}"));
    }
}

impl Units for FakeUnits {
    fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>> {
        if self.looks_with_job.get() == 1 {
            self.unit.borrow_mut().has_job = false;
        }
        self.looks_with_job.set(self.looks_with_job.get().saturating_sub(1));
        let all = self.unit.borrow().clone();
        let unit = |name: &str| Unit { activity: *self.apart.get(name).unwrap_or(&all.activity), ..all.clone() };
        Ok(units.iter().map(|name| ((*name).to_owned(), unit(name))).collect())
    }

    fn list(&self, patterns: &[&str]) -> Result<BTreeMap<String, Unit>> {
        // Those that are set apart have names; the beginning of a pattern is enough to tell them from others.
        let begins =
            |name: &str| patterns.iter().any(|pattern| name.starts_with(pattern.split('*').next().unwrap_or_default()));
        self.show(&self.apart.keys().map(String::as_str).filter(|name| begins(name)).collect::<Vec<_>>())
    }

    fn start(&self, unit: &str) -> Result<()> {
        self.touch("start", unit);
        Ok(())
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        self.touch("reset-failed", unit);
        Ok(())
    }

    fn restart(&self, unit: &str) -> Result<()> {
        self.touch("restart", unit);
        Ok(())
    }

    fn stop(&self, unit: &str) -> Result<()> {
        self.touch("stop", unit);
        if unit.starts_with('/') {
            // As systemd does to what is mounted there.
            nix::mount::umount(unit)?;
        }
        self.unit.borrow_mut().activity = Activity::Inactive;
        Ok(())
    }

    fn property(&self, unit: &str, name: &str) -> Result<String> {
        let value = |unit: &str| self.properties.get(&(unit.to_owned(), name.to_owned()));
        Ok(value(unit).or_else(|| value("")).cloned().unwrap_or_default())
    }

    fn printed(&self, unit: &str) -> Result<Vec<String>> {
        Ok(self.printed.get(unit).cloned().unwrap_or_default())
    }

    fn version(&self) -> Result<Option<u32>> {
        Ok(Some(self.version))
    }
}
