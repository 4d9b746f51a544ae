//! The chapters about ephemeral runners: GitHub makes them, and none is left when the unit has ended.

use anyhow::{Result, ensure};

use crate::demo::Demo;
use crate::everyday::took_back;
use crate::facts::Expected;

/// One job for each registration.
pub fn ephemeral(demo: &mut Demo) -> Result<()> {
    let mut previous = demo.id()?;
    demo.page.story(
        "The administrator wants a fresh runner for every job. GitHub makes it and hands out its files (a JIT \
         configuration), so the service user gets no token at all, and configure and record have nothing to do. GitHub \
         removes it after its job, and systemd starts the unit again:",
    )?;
    demo.page.quote("ephemeral = true;")?;
    demo.manifest.registration.ephemeral = true;
    for job in ["first", "second"] {
        demo.page.story(&format!("The {job} round:"))?;
        let said =
            demo.start()?.with("an ephemeral runner registers at every start")?.with("by a JIT configuration")?;
        if job == "first" {
            took_back(demo, previous, said)?;
        }
        let id = demo.id()?;
        ensure!(id != previous, "Each registration should have an id of its own");
        let status = demo.job(job, "echo \"$GITHUB_WORKSPACE\" >result.txt")?;
        demo.settle(status)?.with("did its job; no registration is left")?;
        demo.afterwards(&Expected { state: &[], id: None })?;
        previous = id;
    }
    Ok(())
}

/// Nobody will ever use the registration.
pub fn stopped(demo: &mut Demo) -> Result<()> {
    demo.page.story("The next round. This time the administrator stops the unit before a job comes:")?;
    demo.page.quote("systemctl stop github-runner-runner1")?;
    demo.start()?;
    let id = demo.id()?;
    let status = demo.no_job()?;
    demo.settle(status)?.with(&format!("Deleting the runner of id {id}: deleted"))?.with("no registration is left")?;
    demo.afterwards(&Expected { state: &[], id: None })
}
