//! Makes a machine: takes the job's number and a range of ids, mounts its root, starts nspawn.
//!
//! The order is the order of undoing: the number is taken first and let go last. A step that fails leaves the rest to
//! `ended`, as a supervisor that was killed at the same place would.

mod mount;

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::machines::nspawn::arguments::Plan;
use crate::machines::nspawn::claim::Places;
use crate::machines::nspawn::inner::bound_to_us;
use crate::machines::nspawn::notify::Readiness;
use crate::machines::nspawn::protocol::{Answer, Order, Progress, Request};
use crate::machines::nspawn::range::{Slot, overlap, take};
use crate::machines::nspawn::settings::{GIVEN, NetworkMode, Ports, Settings};
use crate::machines::nspawn::wire::{Connection, Listener};
use crate::machines::nspawn::{cache, ended, group, image};
use crate::machines::{Fault, Token};
use mount::mount;

use super::course::Purpose;
use super::given::Given;

/// How long the machine that had the number before may take to end.
const END: Duration = Duration::from_secs(120);

/// How often it is looked at meanwhile.
const AGAIN: Duration = Duration::from_millis(10);

/// A machine whose nspawn was started.
pub struct Machine {
    /// Whose it is.
    pub token: Token,
    /// Its nspawn.
    pub nspawn: Child,
    /// What others connect to.
    pub sockets: Sockets,
    /// The runner that it was made for, if its end is the machine's.
    pub runner: Option<OwnedFd>,
    /// What it is for.
    pub purpose: Purpose,
    /// The file with its user data, as long as that is needed.
    pub user_data: Option<PathBuf>,
    /// Whether it has an init.
    pub boots: bool,
    /// When it ends, counted from the start of its supervision.
    pub lifetime: Duration,
    /// Whose addresses its private network has, if it has one.
    pub slot: Option<Slot>,
    /// Ports of the host that it may reach.
    pub ports: Ports,
    /// The lock of the network's rules.
    pub rules: PathBuf,
    /// Variables for its stages.
    pub environment: Vec<(String, String)>,
    /// The control group of its unit.
    pub group: String,
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn other(error: anyhow::Error) -> Fault {
    Fault::Other(format!("{error:#}"))
}

/// Makes the machine of an order.
pub fn make(
    places: &Places,
    settings: &Settings,
    order: &Order,
    given: Given,
    orderer: &Connection,
) -> Result<Machine, Fault> {
    let token = Token(order.job);
    let tell = |text: &str| {
        // Who went away is noticed before anything is taken.
        _ = orderer.send(&Progress::Doing(text.into()), &[]);
    };
    let name = &order.image;
    let configured = settings.image(name).ok_or_else(|| {
        let names: Vec<&str> = settings.images.keys().map(String::as_str).collect();
        Fault::NotFound(format!("There is no image {}; there is: {}", name.escape_debug(), names.join(", ")))
    })?;
    let init = image::init(name, configured)?;
    if order.user_data && init.is_none() {
        return Err(Fault::Configuration(format!(
            "Image {name} is not booted, so nothing in it would read user data: set its `boot`, or use another image"
        )));
    }
    check_ids(settings)?;
    let kept = settings.cache.as_ref().zip(order.cache.map(cache::name));
    let group = group::own().map_err(other)?;
    ended::sweep(places, settings).map_err(other)?;
    loop {
        // Who asks for work again does not know that it is being done; who asks for stages again has given the first ones up.
        if order.user_data && works(places, token).map_err(other)? {
            return Err(Fault::Duplicate(format!("Machine {token} is there already, and does its work")));
        }
        make_way(places, settings, token)?;
        // That may have taken minutes, and another attempt may need the number by now.
        if is_gone(orderer).map_err(other)? {
            return Err(Fault::Unavailable("Who asked for the machine went away".into()));
        }
        if places.take(token, name, &group, kept.as_ref().map(|(_, name)| name.clone())).map_err(other)? {
            break;
        }
        tell("Another attempt of this job has the machine's number; it is ended");
    }
    let slot = take(&places.slots(), settings.slots, token).map_err(other)?.ok_or_else(|| {
        Fault::NoCapacity(format!(
            "All {} slots for machines are taken; see machines.slots of the settings",
            settings.slots
        ))
    })?;
    let first_id = slot.first_id(settings.uid_base);
    let mounted = mount(places, settings, token, &configured.source, kept, first_id).map_err(other)?;
    let sockets = listen(places, token, first_id).map_err(other)?;
    let (runner, user_data, purpose) = match given {
        Given::Runner(runner) => (Some(runner), None, Purpose::Stages { idle: Duration::from_secs(settings.idle) }),
        Given::UserData(data) => (None, Some(write(places, token, &data).map_err(other)?), Purpose::OwnWork),
    };
    let plan = Plan {
        token,
        slot,
        first_id,
        root: mounted.root,
        program: std::env::current_exe().map_err(|error| other(error.into()))?,
        socket: sockets.agent_path.clone(),
        init,
        store: mounted.store,
        nix_daemon: configured.nix_daemon,
        network: settings.network.mode,
        devices: mounted.devices,
        cache: mounted.cache,
        gitlab_runner: settings.gitlab_runner.clone(),
        user_data: user_data.clone(),
    };
    // Where not even bash is seen, programs come with the image's init, and nothing can be said.
    if !order.user_data
        && settings.gitlab_runner.is_none()
        && image::missing(configured, &["bash", image::RUNNER]) == [image::RUNNER]
    {
        tell(&format!(
            "WARNING: Image {name} has no {0}, so artifacts and `cache:` fail. Install it there, or set machines.gitlabRunner",
            image::RUNNER
        ));
    }
    tell(&format!("Starting machine {} of image {name}", plan.name()));
    let nspawn = spawn(&plan, &sockets.readiness_path)?;
    Ok(Machine {
        token,
        nspawn,
        sockets,
        runner,
        purpose,
        user_data,
        boots: plan.init.is_some(),
        lifetime: Duration::from_secs(order.timeout),
        slot: (settings.network.mode == NetworkMode::Private).then_some(slot),
        ports: settings.network.host_ports.clone(),
        rules: places.rules(),
        environment: plan.environment(),
        group,
    })
}

/// Whether a machine of this number is there, in whatever state.
fn works(places: &Places, token: Token) -> Result<bool> {
    let standing = places.standing()?;
    let record = standing.into_iter().find_map(|(other, record)| record.filter(|_| other == token));
    Ok(record.is_some_and(|record| group::is_populated(&record.group)))
}

/// Writes user data where nspawn reads it: in memory, for root alone, as everything that this process makes.
fn write(places: &Places, token: Token, data: &[u8]) -> Result<PathBuf> {
    let path = places.job(token).join("user-data");
    let write = || fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(data);
    write().context("Failed to write the user data of a machine")?;
    Ok(path)
}

/// Whether who asked for a machine waits no more. It has nothing more to say, so whatever comes is its end.
fn is_gone(orderer: &Connection) -> Result<bool> {
    let mut polled = [PollFd::new(orderer, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = rustix::io::retry_on_intr(|| poll(&mut polled, Some(&timeout)));
    Ok(ready.context("Failed to look at a connection")? > 0)
}

/// What others connect to.
pub struct Sockets {
    /// What drivers connect to.
    pub drivers: Listener,
    /// What the agent connects to, once.
    pub agent: Option<Listener>,
    /// The name of that socket, removed after it.
    pub agent_path: PathBuf,
    /// Where nspawn says that the init is ready.
    pub readiness: Readiness,
    readiness_path: PathBuf,
}

fn listen(places: &Places, token: Token, first_id: u32) -> Result<Sockets> {
    let job = places.job(token);
    let (agent_path, drivers_path, readiness_path) = (job.join("agent"), job.join("socket"), job.join("notify"));
    let agent = Listener::bind(&agent_path)?;
    // Only the machine's root can connect.
    chown(&agent_path, Some(first_id), Some(first_id)).context("Failed to hand the agent's socket over")?;
    let drivers = Listener::bind(&drivers_path)?;
    places.share(&drivers_path)?;
    let readiness = Readiness::bind(&readiness_path)?;
    Ok(Sockets { drivers, agent: Some(agent), agent_path, readiness, readiness_path })
}

fn spawn(plan: &Plan, notify: &Path) -> Result<Child, Fault> {
    let mut command = bound_to_us("systemd-nspawn");
    command
        .args(plan.arguments())
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("NOTIFY_SOCKET", notify)
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Fault::Configuration(format!("Failed to start systemd-nspawn: {error}; is it installed?")))
}

/// Ends the machine that has the number of `token`, if one has, and returns when nothing of it is left.
pub fn make_way(places: &Places, settings: &Settings, token: Token) -> Result<(), Fault> {
    let end = Instant::now() + END;
    let mut asked = false;
    loop {
        let standing = places.standing().map_err(other)?;
        let Some((_, record)) = standing.into_iter().find(|(other, _)| *other == token) else { return Ok(()) };
        let is_alive = record.as_ref().is_some_and(|record| group::is_populated(&record.group));
        if !is_alive {
            ended::clear(places, settings, token, record.as_ref()).map_err(other)?;
        } else if !asked {
            // Its unit takes everything away. If its supervisor does not answer, that is about to happen anyway.
            asked = true;
            if let Ok(connection) = Connection::open(&places.job(token).join("socket"))
                && connection.send(&Request::End, &[]).is_ok()
            {
                _ = connection.receive::<Answer>();
            }
        } else if Instant::now() >= end {
            return Err(Fault::Busy(format!(
                "An earlier machine of job {token} still stands after {} s; `systemctl list-units 'gitlab-nspawn@*'` shows its unit",
                END.as_secs()
            )));
        } else {
            std::thread::sleep(AGAIN);
        }
    }
}

fn check_ids(settings: &Settings) -> Result<(), Fault> {
    let end = settings.end_of_ids();
    for path in GIVEN {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(line) = overlap(&text, settings.uid_base, end) {
            return Err(Fault::Configuration(format!(
                "The user ids {} to {end} of machines overlap with `{line}` in {path}; see machines.uidBase of the settings",
                settings.uid_base
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::nspawn::wire::pair;

    #[test]
    fn who_went_away_or_wants_no_machine_any_more_is_seen() {
        let (driver, orderer) = pair().unwrap();
        assert!(!is_gone(&orderer).unwrap());
        driver.finish().unwrap();
        assert!(is_gone(&orderer).unwrap());
        let (driver, orderer) = pair().unwrap();
        drop(driver);
        assert!(is_gone(&orderer).unwrap());
    }
}
