//! The chapters about what happens in ordinary times: starting, restarting, and changing the configuration.

use anyhow::{Result, ensure};

use crate::demo::{Demo, TOKENS};
use crate::facts::{COMPLETE, Expected};
use crate::steps::STEPS;

/// Nothing is there yet.
pub fn first_start(demo: &mut Demo) -> Result<()> {
    demo.page.story(
        "The administrator adds a runner to configuration.nix, puts an access token into the token file and runs \
         nixos-rebuild switch. The unit starts for the first time.",
    )?;
    demo.steps(&STEPS[..1])?.with("this is the first start")?.with("Getting a registration token: got one")?;
    demo.staged()?;
    demo.steps(&STEPS[1..])?;
    demo.page.story(
        "The unit's main program takes over. Somebody pushes a commit, and the runner gets a job. Later the host shuts \
         down. The registration stays, because the runner will come back.",
    )?;
    let status = demo.job("build", "echo built >result.txt")?;
    demo.settle(status)?.with("Runner runner1: stopped")?;
    ensure!(demo.path("work/result.txt").exists(), "The job should have left its result");
    let id = demo.id()?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })
}

/// The same again.
pub fn unchanged(demo: &mut Demo) -> Result<()> {
    demo.page.story(
        "The host boots. Nobody changed anything and GitHub still knows the runner, so the registration is kept; only \
         the work directory is emptied for the next job.",
    )?;
    let (id, requests, spent) = (demo.id()?, demo.github.records().len(), demo.spent);
    demo.start()?.with("Keeping the registration")?;
    let took = demo.spent.saturating_sub(spent);
    let requests = demo.github.records().split_off(requests);
    let looked = requests.iter().map(|request| (request.method.as_str(), request.path.ends_with(&format!("/{id}"))));
    ensure!(looked.eq([("GET", true)]), "GitHub should have been asked about id {id} and nothing else");
    ensure!(!demo.path("work/result.txt").exists(), "The work directory should be empty");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })?;
    demo.page.fact("time", &format!("{:.1} ms for all three steps, with one request", took.as_secs_f64() * 1000.0))
}

/// Labels are fixed when a runner registers, so a change needs a new registration.
pub fn changed_label(demo: &mut Demo) -> Result<()> {
    let old = demo.id()?;
    demo.page.story("The administrator adds a label in configuration.nix, and the switch restarts the unit:")?;
    demo.page.quote("extraLabels = [ \"nixos\" \"gpu\" ];")?;
    demo.manifest.registration.extra_labels.push("gpu".to_owned().try_into().map_err(anyhow::Error::msg)?);
    let said = demo.start()?.with("extraLabels changed")?;
    took_back(demo, old, said)?;
    demo.page.story(
        "The ledger knew whose the old runner was, so it was taken back before the new one took its name: nobody had \
         to visit a page, and `replace` stays off, so that a runner of somebody else could not have been hit.",
    )?;
    let id = demo.id()?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })
}

/// A new token.
pub fn rotated_token(demo: &mut Demo) -> Result<()> {
    let old = demo.id()?;
    demo.page.story(
        "The access token is about to expire. The administrator puts a new one into the token file, revokes the old \
         one, and restarts the unit. (With `reRegisterOnTokenChange = false` it would keep its registration.)",
    )?;
    demo.token(TOKENS[1])?;
    demo.github.change(|github| github.pats = vec![TOKENS[1].to_owned()])?;
    let said = demo.start()?.with("the content of the token file changed")?;
    took_back(demo, old, said)?;
    let id = demo.id()?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })
}

/// The old registration was deleted, and the new one is another.
pub fn took_back(demo: &Demo, old: u64, said: crate::steps::Said) -> Result<()> {
    said.with(&format!("Took back the former registration \"runner1\", id {old}"))?
        .with(&format!("Deleting the runner of id {old}: deleted"))?;
    ensure!(demo.id()? != old, "The runner should have a new id");
    Ok(())
}
