//! The chapters about what happens in ordinary times: starting, restarting, and changing the configuration.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::demo::{Demo, TOKENS};
use crate::facts::{COMPLETE, Expected};

/// Nothing is there yet.
pub fn first_start(demo: &mut Demo) -> Result<()> {
    demo.page.story(
        "The administrator adds a runner to configuration.nix, puts an access token into the token file and runs \
         nixos-rebuild switch. The unit starts for the first time.",
    )?;
    demo.start()?.with("this is the first start")?;
    demo.page.story("The unit's main program takes over. Somebody pushes a commit, and the runner gets a job.")?;
    demo.job("build", "echo built >result.txt")?;
    ensure!(demo.path("work/result.txt").exists(), "The job should have left its result");
    let id = demo.id()?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id), left_behind: &[], github: &[id] })
}

/// The same again.
pub fn unchanged(demo: &mut Demo) -> Result<()> {
    demo.page.story("The host reboots. Nobody changed anything, so the registration is kept; only the work directory is emptied for the next job.")?;
    let (id, requests) = (demo.id()?, demo.github.records().len());
    let before = Instant::now();
    demo.start()?.with("Keeping the registration")?;
    let took = before.elapsed();
    let requests = demo.github.records().len() - requests;
    ensure!(requests == 0, "GitHub should not have been asked");
    ensure!(!demo.path("work/result.txt").exists(), "The work directory should be empty");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id), left_behind: &[], github: &[id] })?;
    demo.page.fact("time", &format!("{:.1} ms for all four steps, without a request", took.as_secs_f64() * 1000.0))
}

/// Labels are fixed when a runner registers, so a change needs a new registration.
pub fn changed_label(demo: &mut Demo) -> Result<()> {
    let old = demo.id()?;
    demo.page.story("The administrator adds a label in configuration.nix:")?;
    demo.page.quote("extraLabels = [ \"nixos\" \"gpu\" ];")?;
    demo.manifest["registration"]["extraLabels"] = json!(["nixos", "gpu"]);
    demo.step("prepare")?.good()?.with("extraLabels changed")?.with(&format!("id {old}"))?;
    demo.step("configure")?.bad()?.with("A runner exists with the same name")?.with("What to do")?;
    demo.page.story(
        "The old runner still has the name, and `replace = false` says that nobody's runner is taken over. The unit \
         fails here, before a job could start.",
    )?;
    demo.afterwards(&Expected { state: &[".credentials_rsaparams"], id: None, left_behind: &[old], github: &[old] })?;

    demo.page.story("The administrator opens the page, removes the old runner, and restarts the unit.")?;
    demo.github.change(|github| github.runners.retain(|runner| runner.id != old))?;
    demo.start()?;
    let id = demo.id()?;
    ensure!(id != old, "The runner should have a new id");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id), left_behind: &[old], github: &[id] })
}

/// A new token, and the permission to take over the old runner's name.
pub fn rotated_token(demo: &mut Demo) -> Result<()> {
    let (old, former) = (demo.id()?, demo.former()?);
    demo.page.story(
        "The access token is about to expire. The administrator puts a new one into the token file and revokes the \
         old one; and sets `replace = true`, so that from now on no page has to be visited:",
    )?;
    demo.page.quote("replace = true;")?;
    demo.manifest["replace"] = true.into();
    demo.token(TOKENS[1])?;
    demo.github.change(|github| github.pats = vec![TOKENS[1].to_owned()])?;
    demo.start()?.with("the content of the token file changed")?.with("Successfully replaced the runner")?;
    ensure!(demo.id()? == old, "A runner that is taken over should keep its id");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(old), left_behind: &former, github: &[old] })
}

/// One job for each registration.
pub fn ephemeral(demo: &mut Demo) -> Result<()> {
    demo.page.story(
        "The administrator wants a fresh runner for every job. GitHub removes an ephemeral runner after its job, \
         and systemd restarts the unit, which registers anew:",
    )?;
    demo.page.quote("ephemeral = true;")?;
    demo.manifest["registration"]["ephemeral"] = true.into();
    let mut previous = 0;
    for job in ["first", "second"] {
        demo.page.story(&format!("The {job} round:"))?;
        demo.start()?.with("an ephemeral runner registers at every start")?;
        demo.job(job, "echo \"$GITHUB_WORKSPACE\" >result.txt")?;
        let (id, left_behind) = (demo.id()?, demo.former()?);
        ensure!(id != previous, "Each registration should have an id of its own");
        demo.afterwards(&Expected { state: &[], id: Some(id), left_behind: &left_behind, github: &[] })?;
        previous = id;
    }
    Ok(())
}
