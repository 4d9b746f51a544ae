//! The chapters about what must not do harm: GitHub's failures, a hostile job, and a mistake of the administrator.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};

use crate::demo::{Demo, TOKENS};
use crate::everyday::took_back;
use crate::facts::{COMPLETE, Expected};
use crate::times::AT_ONCE;

/// What the job does. It owns these directories, so nothing can keep it from that.
const ATTACK: &str = "\
cd \"$RUNNER_ROOT\"
rm .runner .credentials .credentials_rsaparams
ln -s ../outside/secret .runner
ln ../outside/linked .credentials
mkfifo .credentials_rsaparams
cd \"$GITHUB_WORKSPACE\"
ln -s ../outside directory
deep=d; for doubled in 1 2 3 4 5 6 7 8 9 10; do deep=$deep/$deep; done; mkdir -p $deep
";

/// Everything about a file that a start could have changed.
type Look = (Vec<u8>, u32, u64, SystemTime);

/// A registration that is good until somebody says otherwise.
pub fn github_is_down(demo: &mut Demo) -> Result<()> {
    demo.page.story("GitHub is down: it closes every connection without an answer. The unit restarts.")?;
    let (id, spent) = (demo.id()?, demo.spent);
    demo.github.change(|github| github.down_until = u64::MAX)?;
    demo.start()?.with("Keeping the registration")?.with("Going on with it")?;
    let took = demo.spent.saturating_sub(spent);
    demo.github.change(|github| github.down_until = 0)?;
    demo.page.story(
        "Nobody could say that the runner is gone, so it starts with the registration that it has, and its listener \
         waits for GitHub.",
    )?;
    ensure!(took < AT_ONCE, "The start should not have waited for longer than 5 s");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })?;
    demo.page.fact("time", &format!("{:.1} s for all three steps; the look gives up after 5 s", took.as_secs_f64()))
}

/// A registration that is not good any more.
pub fn github_forgot(demo: &mut Demo) -> Result<()> {
    let old = demo.id()?;
    demo.page.story(
        "The host was off for two weeks, after which GitHub deletes a runner by itself. The unit starts, with complete \
         files that open nothing any more.",
    )?;
    demo.github.change(|github| github.runners.retain(|runner| runner.id != old))?;
    demo.start()?.with(&format!("GitHub does not know id {old} any more"))?;
    let id = demo.id()?;
    ensure!(id != old, "The runner should have a new id");
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })
}

/// A job leaves traps in the directories that the next start works on.
pub fn hostile_job(demo: &mut Demo) -> Result<()> {
    demo.page.story("The administrator turns that off again. Then somebody runs a job that means harm.")?;
    demo.page.quote("ephemeral = false;")?;
    demo.manifest.registration.ephemeral = false;
    fs::create_dir(demo.path("outside"))?;
    for name in ["secret", "linked"] {
        fs::write(demo.path("outside").join(name), "{\"agentId\": 666, \"agentName\": \"not-yours\"}")?;
    }
    demo.start_briefly()?;
    let old = demo.id()?;
    let before = looks(demo)?;
    let status = demo.job("attack", ATTACK)?;
    demo.settle(status)?.without("666")?.without("not-yours")?;
    ensure!(demo.path("state/.runner").is_symlink(), "The job should have planted a link");
    ensure!(demo.path("work").join("d/".repeat(1024)).is_dir(), "The job should have left deep directories");
    demo.page.story(
        "The job replaced .runner by a link to a file outside, .credentials by a hard link to another one, and the \
         key by a pipe that blocks whoever opens it; in the work directory it left a link to the directory outside \
         and 1,024 directories, one inside the other. The unit restarts.",
    )?;
    let said = demo.start()?.with(".runner is")?.with(".credentials has")?.with(".credentials_rsaparams is")?;
    // Nothing from outside is repeated.
    took_back(demo, old, said.without("666")?.without("not-yours")?)?;
    let id = demo.id()?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })?;
    ensure!(looks(demo)? == before, "The files outside should be as they were");
    demo.page.fact("outside", "both files as before: content, mode, number of links, last change")
}

/// A mistake costs a start, not the registration.
pub fn empty_token(demo: &mut Demo) -> Result<()> {
    demo.page.story("Somebody empties the token file by mistake, and the unit restarts.")?;
    let (id, asked) = (demo.id()?, demo.broker.asked());
    let before = demo.kept()?;
    fs::write(demo.path("token"), "")?;
    demo.step("prepare")?.bad()?.with("is empty")?;
    ensure!(demo.broker.asked() == asked, "The broker should not have been asked");
    ensure!(demo.kept()? == before, "State and ledger should be as they were");
    demo.page.story(
        "Everything is read before anything is deleted, so nothing is lost: state and ledger are the same, byte for \
         byte. The administrator puts the token back, and the unit starts as ever.",
    )?;
    demo.token(TOKENS[1])?;
    demo.start()?.with("Keeping the registration")?;
    demo.afterwards(&Expected { state: COMPLETE, id: Some(id) })
}

fn looks(demo: &Demo) -> Result<[Look; 2]> {
    let look = |name: &str| -> Result<Look> {
        let path = demo.path("outside").join(name);
        let metadata = fs::symlink_metadata(&path).with_context(|| format!("Failed to examine {}", path.display()))?;
        Ok((fs::read(path)?, metadata.mode(), metadata.nlink(), metadata.modified()?))
    };
    Ok([look("secret")?, look("linked")?])
}
