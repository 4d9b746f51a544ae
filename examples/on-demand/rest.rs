//! The chapter about what is left when an order is over, and for how long.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use github_runners::frontend::ondemand::plan::MEMORY;
use serde_json::Value;

use crate::facts::wait_for;
use crate::life::{LABEL, WISH};
use crate::settings::CLASS;
use crate::stage::Stage;

/// How much of the memory is left in the story, in seconds.
const LEFT: u64 = 600;

/// Nothing, but that the label was served.
pub fn left(stage: &mut Stage) -> Result<()> {
    settled(stage)?;
    stage.at_github(0)?;
    for (name, directory) in [("machines", "machines"), ("ready", "run/orders")] {
        let names = stage.names(directory)?;
        ensure!(names.is_empty(), "{directory} should be empty: {names:?}");
        stage.page.fact(name, "none")?;
    }
    let alive = stage.alive.take().context("The machine should have been seen alive")?;
    // Every process of it would hold the lock.
    alive.try_lock().context("A process of the machine is left")?;
    stage.page.fact("processes", "none of the machine")?;
    stage.page.fact("ledger", "names no runner; to take back: nothing")?;
    let hours = MEMORY / 3600;
    stage.page.story(&format!(
        "The book remembers the order for {hours} hours: a label is served once, or whoever read it in a log could have it again."
    ))?;
    let target = format!("/v1/runners/{LABEL}");
    stage.ask("PUT", &format!("{target}?wait=60"), WISH)?.with(200)?.in_state("ended")?;
    stage.page.story(&format!(
        "{} hours and {} minutes later (times in its file are set back):",
        hours - 1,
        60 - LEFT / 60
    ))?;
    stage.set_back(LABEL, MEMORY - LEFT)?;
    stage.ask("PUT", &format!("{target}?wait=60"), WISH)?.with(200)?.in_state("ended")?;
    ensure!((stage.registrations(), stage.machines()) == (1, 1), "The label should have been served once");
    stage.book(LABEL, "ended", &["reason"])?;
    stage.page.story(&format!("{} minutes later:", LEFT / 60))?;
    stage.set_back(LABEL, LEFT)?;
    let file = stage.order_file(LABEL);
    wait_for("the order to be forgotten", || Ok(!file.exists()))?;
    stage.ask("GET", &target, "")?.with(404)?;
    for directory in ["state/orders", "run/orders", "run/manifests", "machines"] {
        let names = stage.names(directory)?;
        ensure!(names.is_empty(), "{directory} should be empty: {names:?}");
    }
    stage.page.fact("book", "no order, and nothing else of it on this host")
}

/// Waits until the ledger names nothing of the order any more.
fn settled(stage: &Stage) -> Result<()> {
    let entry = stage.path("state/registrations").join(format!("{LABEL}-{CLASS}.json"));
    wait_for("the ledger to name nothing of the order", || {
        let text = fs::read(&entry).context("Failed to read the ledger")?;
        let entry: Value = serde_json::from_slice(&text).context("Failed to understand the ledger")?;
        let owes = entry["leftBehind"].as_array().is_none_or(|debts| !debts.is_empty());
        Ok(entry["runner"].is_null() && entry["attempt"].is_null() && !owes)
    })
}
