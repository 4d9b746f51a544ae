//! What a pool of runners goes through, in this order.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::fleet::{Fleet, Made};
use crate::garm::{Garm, NAME, Runner, text};
use crate::github::{self, Config, GitHub, State};
use crate::incus::{FLAVOR, FOREIGN, IMAGE, LONELY, incus, instances, prepare};
use crate::times::REAPS;
use crate::tools::{wait_for, wait_within};
use crate::webhook::{Course, Job};

const OWNER: &str = "octo-org";
const REPOSITORY: &str = "example";
const ENTITY: &str = "repos/octo-org/example";
const LABEL: &str = "incus";
/// Of a fake account.
const PAT: &str = "ghp_FAKE0000000000000000000000000000FAKE";
const WEBHOOK_SECRET: &str = "fake-webhook-secret";

type Scenario = fn(&Site) -> Result<()>;

/// All scenarios by their names.
pub const SCENARIOS: [(&str, Scenario); 7] = [
    ("a pool of two gets two instances that run and are tagged", pool),
    ("a declared fleet takes over what was made by hand, changes and deletes as it is told", declared),
    ("a runner with a job is replaced, and gone when the job is over", job),
    ("a provider that is killed while it makes an instance leaves none behind", killed),
    ("an image that is unknown is told to the operator, and nothing is made", unknown_image),
    ("an instance that vanished is replaced, and one that stopped runs again", vanished),
    ("a pool that is emptied leaves what others made", emptied),
];

/// GARM between a forge and a server, with one pool.
pub struct Site {
    pub garm: Garm,
    github: GitHub,
    repository: String,
    pool: String,
}

impl Site {
    /// Sets everything up as an operator does.
    pub fn start(programs: &Path) -> Result<Self> {
        prepare()?;
        let state = State { pats: vec![PAT.into()], entities: vec![ENTITY.into()], ..State::default() };
        let github = github::start(Config { state, ..Config::default() })?;
        let garm = Garm::start(programs)?;
        let url = github.url();
        let here = ["--base-url", &url, "--api-base-url", &url, "--upload-url", &url];
        garm.ask(
            &[&["github", "endpoint", "create", "--name", "stand-in", "--description", "of tests"], &here[..]].concat(),
        )?;
        let pat = ["--auth-type", "pat", "--pat-oauth-token", PAT, "--endpoint", "stand-in"];
        garm.ask(
            &[&["github", "credentials", "add", "--name", "fake", "--description", "of tests"], &pat[..]].concat(),
        )?;
        let names = ["--owner", OWNER, "--name", REPOSITORY, "--credentials", "fake"];
        let added = garm.ask(&[&["repo", "add", "--webhook-secret", WEBHOOK_SECRET], &names[..]].concat())?;
        let mut site = Self { garm, github, repository: text(&added, "id")?, pool: String::new() };
        site.pool = site.add_pool(IMAGE, FLAVOR, LABEL, "2")?;
        Ok(site)
    }

    /// A pool of the repository, with as many idle runners.
    fn add_pool(&self, image: &str, flavor: &str, label: &str, idle: &str) -> Result<String> {
        let what = ["--provider-name", NAME, "--image", image, "--flavor", flavor, "--tags", label];
        let count = ["--repo", &self.repository, "--min-idle-runners", idle, "--max-runners", "6", "--enabled=true"];
        text(&self.garm.ask(&[&["pool", "add"], &what[..], &count[..]].concat())?, "id")
    }

    fn update_pool(&self, pool: &str, changes: &[&str]) -> Result<()> {
        self.garm.ask(&[&["pool", "update", pool], changes].concat()).map(drop)
    }

    /// Ends a pool with its runners.
    fn remove_pool(&self, pool: &str) -> Result<()> {
        self.update_pool(pool, &["--enabled=false", "--min-idle-runners", "0"])?;
        wait_for("the pool to be empty", || {
            let runners = self.garm.runners(pool)?;
            for runner in runners.iter().filter(|runner| ["error", "running"].contains(&runner.status.as_str())) {
                // It may be tried again at this moment, and is asked for once more.
                _ = self.garm.order(["runner", "delete"], &runner.name);
            }
            Ok(runners.is_empty().then_some(()))
        })?;
        self.garm.order(["pool", "delete"], pool).map(drop)
    }

    /// Waits until the pool has `count` runners whose instances run, and the server has these instances and the foreign one.
    fn settled(&self, count: usize) -> Result<BTreeSet<String>> {
        wait_for("the pool to have its runners", || self.all_run(&[&self.pool], count))
    }

    /// The runners of these pools, if all is as it should be.
    fn all_run(&self, pools: &[&str], count: usize) -> Result<Option<BTreeSet<String>>> {
        let mut runners = Vec::new();
        for pool in pools {
            runners.extend(self.garm.runners(pool)?);
        }
        let running: BTreeSet<String> =
            runners.iter().filter(|runner| runner.status == "running").map(|runner| runner.name.clone()).collect();
        let at_server = instances()?;
        let all_run = at_server.iter().all(|instance| instance.status == "Running");
        let there: BTreeSet<String> = at_server.into_iter().map(|instance| instance.name).collect();
        let expected: BTreeSet<String> = running.iter().cloned().chain([FOREIGN.to_owned()]).collect();
        let is_settled = running.len() == count && runners.len() == count && all_run && there == expected;
        Ok(is_settled.then_some(running))
    }

    /// The number of a runner at the forge.
    fn number(&self, name: &str) -> Option<u64> {
        self.github.state().runners.iter().find(|runner| runner.name == name).map(|runner| runner.id)
    }

    /// What the runners themselves would tell the forge.
    fn come_online(&self, names: &BTreeSet<String>) -> Result<()> {
        self.github.change(|state| {
            for runner in state.runners.iter_mut().filter(|runner| names.contains(&runner.name)) {
                runner.status = "online".into();
            }
        })
    }
}

fn pool(site: &Site) -> Result<()> {
    let names = site.settled(2)?;
    for instance in instances()?.iter().filter(|instance| instance.name != FOREIGN) {
        let tag = |key: &str| instance.config(key);
        ensure!(tag("user.runner-controller-id") == Some(&site.garm.controller), "{instance:?}");
        ensure!(tag("user.runner-pool-id") == Some(&site.pool), "{instance:?}");
        ensure!(tag("user.user-data").is_some_and(|data| data.starts_with("#cloud-config\n")), "{instance:?}");
    }
    for name in &names {
        ensure!(site.number(name).is_some(), "the forge has no runner {name}");
        let runner = site.garm.runner(name)?;
        ensure!(!runner.addresses.is_empty(), "{runner:?}");
    }
    site.come_online(&names)
}

fn declared(site: &Site) -> Result<()> {
    let before = site.settled(2)?;
    let pool = json!({"image": IMAGE, "flavor": FLAVOR, "tags": [LABEL], "minIdleRunners": 2, "maxRunners": 6});
    let repository = format!("{OWNER}/{REPOSITORY}");
    let forge = site.github.url();
    let made = Made { forge: &forge, pat: PAT, secret: WEBHOOK_SECRET, repository: &repository, pool };
    let mut fleet = Fleet::of(&site.garm, &made)?;
    let (_, told) = fleet.run(&["apply"], 0)?;
    ensure!(told.contains(&format!("it is {}", site.pool)) && !told.contains("Created"), "{told}");
    let (_, told) = fleet.run(&["apply"], 0)?;
    ensure!(told.is_empty(), "the second pass says {told}");
    let (told, _) = fleet.run(&["status"], 0)?;
    ensure!(told.contains("2 running"), "{told}");
    let (told, _) = fleet.run(&["doctor"], 0)?;
    ensure!(told.contains("GARM knows all that are of its own"), "{told}");
    // Another one comes and goes, and nothing else is touched.
    fleet.declaration["pools"]["second"] = fleet.declaration["pools"]["first"].clone();
    fleet.declaration["pools"]["second"]["tags"] = json!(["second"]);
    fleet.declaration["pools"]["second"]["enabled"] = json!(false);
    fleet.run(&["apply"], 0)?;
    fleet.declaration["pools"]["second"]["image"] = json!("another");
    let (_, told) = fleet.run(&["apply"], 0)?;
    ensure!(told.contains("(image)"), "{told}");
    fleet.run(&["delete", "pool", "second"], 1)?;
    fleet.declaration["pools"].as_object_mut().context("pools")?.remove("second");
    fleet.run(&["apply"], 0)?;
    let (told, _) = fleet.run(&["status"], 0)?;
    ensure!(told.contains("not declared"), "{told}");
    fleet.run(&["delete", "pool", "second"], 0)?;
    let (told, _) = fleet.run(&["apply", "--dry-run"], 0)?;
    ensure!(told == "Everything is as declared\n", "{told}");
    ensure!(site.settled(2)? == before, "runners are touched");
    Ok(())
}

fn job(site: &Site) -> Result<()> {
    let before = site.settled(2)?;
    let name = before.first().context("there is no runner")?;
    let number = site.number(name).context("the forge has no such runner")?;
    let here = site.github.url();
    let job = Job { id: 7, label: LABEL, runner: (number, name), site: &here, owner: OWNER, repository: REPOSITORY };
    let hook = format!("{}/webhooks", site.garm.url());
    site.github.change(|state| {
        for runner in state.runners.iter_mut().filter(|runner| runner.id == number) {
            runner.busy = true;
        }
    })?;
    job.tell(Course::InProgress, &hook, WEBHOOK_SECRET)?;
    let during = site.settled(3)?;
    ensure!(during.is_superset(&before), "{during:?}");
    let runner = site.garm.runner(name)?;
    ensure!(runner.course == "active", "{runner:?}");
    // A runner of one job is no more at the forge after it.
    site.github.change(|state| state.runners.retain(|runner| runner.id != number))?;
    job.tell(Course::Completed, &hook, WEBHOOK_SECRET)?;
    let after = site.settled(2)?;
    ensure!(!after.contains(name) && after.is_subset(&during), "{after:?}");
    site.come_online(&after)
}

/// Processes of the provider that make an instance now.
fn creations(provider: &Path) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let is_ours = fs::read_link(path.join("exe")).is_ok_and(|program| program == provider);
        // One that ends meanwhile has none.
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let creates = environment.split(|byte| *byte == 0).any(|entry| entry == b"GARM_COMMAND=CreateInstance");
        found.extend(number.filter(|_| is_ours && creates).map(Pid::from_raw));
    }
    Ok(found)
}

fn killed(site: &Site) -> Result<()> {
    let before = site.settled(2)?;
    let pool = site.add_pool(IMAGE, LONELY, "lonely", "1")?;
    // GARM tries again with the same name: first before the server has anything of it, then while its address is waited for.
    for is_begun in [false, true] {
        wait_for("a creation to kill", || {
            let creations = creations(&site.garm.provider)?;
            let Some(first) = creations.first() else { return Ok(None) };
            if is_begun && instances()?.len() == before.len() + 1 {
                return Ok(None);
            }
            Ok(kill(*first, Signal::SIGKILL).ok())
        })?;
    }
    let after = wait_for("the runner that is made in the end", || site.all_run(&[&site.pool, &pool], 3))?;
    ensure!(after.is_superset(&before), "{after:?}");
    site.remove_pool(&pool)?;
    ensure!(site.settled(2)? == before, "others are touched");
    Ok(())
}

fn unknown_image(site: &Site) -> Result<()> {
    let before = site.settled(2)?;
    let pool = site.add_pool("nowhere", FLAVOR, "other", "1")?;
    let failed = |runner: &Runner| runner.status == "error";
    let fault = wait_for("a failure that is told", || {
        let Some(runner) = site.garm.runners(&pool)?.into_iter().find(failed) else { return Ok(None) };
        Ok(Some(site.garm.runner(&runner.name)?.fault()?).filter(|fault| !fault.is_empty()))
    })?;
    ensure!(fault.contains("nowhere") && fault.contains(IMAGE), "{fault}");
    ensure!(site.settled(2)? == before, "others are touched");
    site.remove_pool(&pool)
}

fn vanished(site: &Site) -> Result<()> {
    let before = site.settled(2)?;
    let mut names = before.iter();
    let (Some(gone), Some(stopped)) = (names.next(), names.next()) else { unreachable!("there are two") };
    incus(&["delete", "--force", gone])?;
    incus(&["stop", "--force", stopped])?;
    site.github.change(|state| {
        for runner in state.runners.iter_mut().filter(|runner| before.contains(&runner.name)) {
            runner.status = "offline".into();
        }
    })?;
    let after = wait_within(REAPS, "the pool to be whole again", || site.all_run(&[&site.pool], 2))?;
    ensure!(!after.contains(gone) && after.contains(stopped), "{before:?} {after:?}");
    ensure!(site.number(gone).is_none(), "the forge still has {gone}");
    Ok(())
}

fn emptied(site: &Site) -> Result<()> {
    site.update_pool(&site.pool, &["--enabled=false", "--min-idle-runners", "0"])?;
    for name in site.settled(2)? {
        site.garm.order(["runner", "delete"], &name)?;
    }
    site.settled(0)?;
    ensure!(site.github.state().runners.is_empty(), "the forge still has runners");
    // Whatever GARM asked the forge for is something that the stand-in knows.
    let unknown = |record: &&github::Record| record.status == 404 && record.method != "DELETE";
    let unknown: Vec<String> = site.github.records().iter().filter(unknown).map(|record| record.path.clone()).collect();
    ensure!(unknown.is_empty(), "GARM asks for {unknown:?}");
    Ok(())
}
