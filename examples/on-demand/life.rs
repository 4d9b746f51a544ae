//! The chapters about the one order that is served: from the request to the end of its job.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};

use crate::desk::{BROKER_GATE, MACHINE_GATE};
use crate::facts::wait_for;
use crate::machine::ALIVE;
use crate::settings::CLASS;
use crate::stage::Stage;

/// The label of the order.
pub const LABEL: &str = "od-4711-build";
/// The run that it is for.
pub const RUN: u64 = 4_711;
/// What every request says.
pub const WISH: &str = r#"{"class":"small","repository":"octo-org/example"}"#;

/// From the request to the registration.
pub fn ordered(stage: &mut Stage) -> Result<()> {
    stage.page.story(
        "A job of the run itself asks, with the label that the next job has in its `runs-on`. It sends no secret. (So that there \
         is time to look, the demonstration holds the desk twice: before it asks a broker, and before it makes a machine.)",
    )?;
    for gate in [BROKER_GATE, MACHINE_GATE] {
        fs::write(stage.path(gate), "")?;
    }
    stage.ask("PUT", &format!("/v1/runners/{LABEL}"), WISH)?.with(202)?.in_state("accepted")?;
    stage.until("is proven")?;
    for end in [format!("/actions/runs/{RUN}"), format!("/actions/runs/{RUN}/jobs")] {
        ensure!(stage.was_asked(&end), "The broker should have asked for {end}");
    }
    let order = stage.book(LABEL, "registering", &["proof", "run", "fork", "attempt", "candidate"])?;
    ensure!(order["proof"] == "queue" && order["run"] == RUN && order["attempt"] == 1, "The proof should be the queue");
    ensure!(stage.registrations() == 0, "Nothing should be registered yet");
    stage.at_github(0)?;
    stage.page.story(
        "GitHub itself said that a job waits for this label: that is the proof. The book says what is about to be done, and only \
         then the order's own broker is asked for a registration.",
    )?;
    fs::remove_file(stage.path(BROKER_GATE))?;
    stage.until("registered runner")?;
    stage.book(LABEL, "launching", &["attempt", "candidate", "repeated", "onlineAt"])?;
    let id = stage.learn(LABEL)?;
    ensure!(stage.github.state().runners.iter().any(|runner| runner.id == id), "GitHub should list id {id}");
    let mode = fs::metadata(stage.registration_file(LABEL))?.permissions().mode() & 0o7777;
    ensure!(mode == 0o400, "The mode of the registration is {mode:o}");
    stage.at_github(1)?;
    stage.page.fact(
        "ready",
        "run/orders/ has its registration, mode 0400: a key for one runner and one job. It is all that the machine gets; the \
         access token stays with the broker.",
    )
}

/// Between registration and machine.
pub fn killed(stage: &mut Stage) -> Result<()> {
    stage.page.story("Now, with a registration and no machine, the desk dies.")?;
    ensure!((stage.registrations(), stage.machines()) == (1, 0), "There should be a registration and no machine");
    stage.page.command("kill -KILL desk")?;
    stage.kill_desk()?;
    fs::remove_file(stage.path(MACHINE_GATE))?;
    stage.page.story("systemd starts another one, which has nothing but the book, and looks what came of it.")?;
    stage.start_desk()?;
    stage.until("is online")?;
    ensure!((stage.registrations(), stage.machines()) == (1, 1), "There should be one registration and one machine");
    let order = stage.book(LABEL, "online", &["attempt", "candidate", "repeated", "busyAt"])?;
    ensure!(
        order["attempt"] == 1 && order["candidate"] == 1 && order["repeated"] == true,
        "It should be the same attempt"
    );
    stage.at_github(1)?;
    ensure!(stage.github.state().runners[0].status == "online", "The runner should be online");
    let registration = stage.registration_file(LABEL);
    wait_for("the registration to go, which nobody needs any more", || Ok(!registration.exists()))?;
    stage.page.fact("made", "one registration, one machine: it was asked for twice under the same name")?;
    stage.page.fact("ready", "nothing: the machine has its registration, so the file is gone")?;
    stage.page.story("The caller was told to look again, and asks the same. It is the same order.")?;
    stage.ask("PUT", &format!("/v1/runners/{LABEL}?wait=300"), WISH)?.with(200)?.in_state("online")?;
    ensure!((stage.registrations(), stage.machines()) == (1, 1), "The same request should have made nothing");
    Ok(())
}

/// The runner has its job.
pub fn job(stage: &mut Stage) -> Result<()> {
    stage.page.story(
        "GitHub gives the waiting job to the only runner with its label. The desk looks every 15 s, as nothing is urgent any more.",
    )?;
    stage.github.change(|github| github.runs[0].jobs[0].status = "in_progress".into())?;
    fs::write(stage.path("job/begin"), "")?;
    stage.until("is busy")?;
    let order = stage.book(LABEL, "busy", &["reason"])?;
    ensure!(order["busyAt"].is_u64(), "The book should say since when it is busy");
    stage.at_github(1)?;
    let machines = stage.names("machines")?;
    ensure!(machines == [format!("{LABEL}.{CLASS}")], "There should be one machine: {machines:?}");
    let machine = stage.path("machines").join(&machines[0]);
    let alive = File::open(machine.join(ALIVE))?;
    ensure!(matches!(alive.try_lock(), Err(TryLockError::WouldBlock)), "The machine should live");
    stage.alive = Some(alive);
    let built = machine.join("work/built");
    ensure!(built.exists(), "The job should work in {}", built.display());
    stage.page.fact("machine", &format!("{}: its job works in work/", machines[0]))
}

/// The job is over.
pub fn done(stage: &mut Stage) -> Result<()> {
    stage
        .page
        .story("The job ends. GitHub forgets the runner, the listener ends, and the desk takes down what is left.")?;
    fs::write(stage.path("job/end"), "")?;
    stage.until("is over")?;
    stage.github.change(|github| {
        github.runs[0].jobs[0].status = "completed".into();
        github.runs[0].status = "completed".into();
    })?;
    let order = stage.book(LABEL, "ended", &["attempt", "candidate", "reason"])?;
    ensure!(order["reason"] == "done", "Its job should be done: {order}");
    order["endedAt"].as_u64().context("The book should say when it ended").map(drop)
}
