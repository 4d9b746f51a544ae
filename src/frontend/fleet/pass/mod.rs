//! A pass: look, decide, do the difference. Also what every other command begins with.

mod act;
mod api;
mod files;
mod look;
pub mod remove;
mod store;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};

use super::declaration::Declaration;
use super::figures::{FILE, figures};
use super::material::Material;
use super::memory::Memory;
use super::plan::{Inputs, plan};
use super::refuse::parse;
use super::report::Report;
use super::seen::Seen;
use super::step::{Kind, Plan, Step};
use super::wire::Instance;
use crate::model::plain;
use crate::sys::{LastLink, post, read_regular_file};
use act::Actor;
pub use api::Failure;
use api::Garm;
use files::line;
use files::material;
use look::look;
use store::Store;

/// The largest declaration.
const LARGEST: u64 = 8 << 20;

/// How a pass ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// Everything is as declared.
    Good,
    /// Some of it is not, and has been told.
    Faulty,
    /// GARM does not answer: the next pass goes on.
    Away(String),
}

/// Reads a declaration.
///
/// # Errors
///
/// If it cannot be read, or says what cannot be.
pub fn read(path: &Path) -> Result<Declaration> {
    let failed = || format!("Failed to read the fleet of GARM from {}", path.display());
    let content = match read_regular_file(path, LARGEST, LastLink::Follow).with_context(failed)? {
        Ok(Some(content)) => content,
        Ok(None) => bail!("There is no file {}: name the declaration with --declaration", path.display()),
        Err(fault) => return Err(anyhow!("{fault}")).with_context(failed),
    };
    parse(&content).map_err(|why| anyhow!(why)).with_context(failed)
}

/// A GARM that was reached, and what a command knows of it.
pub struct Session {
    /// The way to it.
    pub garm: Garm,
    /// What is remembered of it.
    pub memory: Memory,
    /// What it has; nothing of one without an administrator.
    pub seen: Seen,
    /// Whether the administrator is still to be made.
    pub is_new: bool,
}

impl Session {
    /// Logs in and looks. Nothing is changed, but for the administrator of a new GARM if `may_begin`.
    ///
    /// # Errors
    ///
    /// The inner one: what GARM says, or that it does not answer. The outer one: what is wrong here.
    pub fn open(declared: &Declaration, store: &Store, may_begin: bool) -> Result<Result<Self, Failure>> {
        let password = line(&declared.admin.password_file).context("Failed to read the password of GARM")?;
        let garm = Garm::open(declared, password).map_err(|why| anyhow!("Failed to prepare the way to GARM: {why}"))?;
        let mut memory = store.read()?;
        let reached = Self::reach(&garm, declared, may_begin);
        Ok(reached.map(|(seen, is_new)| {
            if !is_new && memory.is_of_another(&seen.controller.id) {
                tracing::warn!(
                    "This is another GARM than before: its pools are looked for, and it is given all secrets"
                );
            }
            Self { garm, memory, seen, is_new }
        }))
    }

    fn reach(garm: &Garm, declared: &Declaration, may_begin: bool) -> Result<(Seen, bool), Failure> {
        match garm.login() {
            Err(failure) if failure.has_word("init_required") => {
                if !may_begin {
                    return Ok((Seen::default(), true));
                }
                match garm.first_run(&declared.admin.email) {
                    // Somebody else was faster; who it was shows at the login.
                    Err(failure) if failure.is(409) => {}
                    done => {
                        done?;
                        tracing::info!("Made the administrator {} of GARM", declared.admin.user);
                    }
                }
                garm.login()?;
            }
            done => done?,
        }
        Ok((look(garm, declared)?, false))
    }
}

/// Makes a pass, and writes its figures.
///
/// # Errors
///
/// What is wrong here: the declaration, the password's file, the memory, the directory of figures.
pub fn apply(declared: &Declaration) -> Result<End> {
    let (end, report) = make(declared, &material(declared))?;
    if let Some(directory) = &declared.textfile_directory {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        post(directory, FILE, figures(report.as_ref(), now).text().as_bytes())?;
    }
    Ok(end)
}

fn make(declared: &Declaration, material: &Material) -> Result<(End, Option<Report>)> {
    let store = Store::open(&declared.state_file)?;
    let _lock = store.lock()?;
    let mut session = match Session::open(declared, &store, true)? {
        Ok(session) => session,
        Err(failure) => return Ok((ended(&failure), None)),
    };
    let mut plan = planned(declared, material, &session);
    let (seen, memory) = (&session.seen, &mut session.memory);
    let mut done = Actor::new(&session.garm, declared, material, seen, (&store, memory)).run(&plan)?;
    if let Some(why) = done.away {
        return Ok((End::Away(why), None));
    }
    if done.count > 0 {
        match look(&session.garm, declared) {
            Ok(seen) => session.seen = seen,
            Err(failure) => return Ok((ended(&failure), None)),
        }
        // What was refused is in the new plan again.
        plan = planned(declared, material, &session);
        if done.faults.is_empty() {
            // GitHub may take a moment until it lists a new webhook.
            done.faults.extend(plan.steps.iter().filter(|step| step.kind != Kind::Webhook).map(unkept));
        }
    }
    let refused = plan.refused.iter();
    done.faults.extend(
        refused.map(|refused| format!("{} {} is not as declared: {}", refused.kind, refused.name, refused.said)),
    );
    for fault in &done.faults {
        tracing::error!("{fault}");
    }
    match report(declared, &session, &plan) {
        Ok(report) => Ok((if done.faults.is_empty() { End::Good } else { End::Faulty }, Some(report))),
        Err(failure) => Ok((ended(&failure), None)),
    }
}

/// GARM said that it did something, and it is not so.
fn unkept(step: &Step) -> String {
    let fields = step.fields().join(", ");
    format!("{} {} still differs ({fields}) after GARM changed it: see GARM's log", step.kind, step.name)
}

/// How it stands.
pub struct Examined {
    /// What was seen, and the way to see more.
    pub session: Session,
    /// All things.
    pub report: Report,
}

impl Examined {
    /// All runners that GARM knows at this moment, by their names.
    ///
    /// # Errors
    ///
    /// If GARM does not tell them.
    pub fn runners(&self) -> Result<Vec<String>, Failure> {
        let all = instances(&self.session)?;
        Ok(all.into_iter().map(|instance| instance.name).collect())
    }
}

/// Looks how it stands; changes nothing.
///
/// # Errors
///
/// As [`apply`]. The inner one: GARM does not answer, or refuses.
pub fn examine(declared: &Declaration) -> Result<Result<Examined, Failure>> {
    let store = Store::open(&declared.state_file)?;
    let session = match Session::open(declared, &store, false)? {
        Ok(session) => session,
        Err(failure) => return Ok(Err(failure)),
    };
    let report = report(declared, &session, &planned(declared, &material(declared), &session));
    Ok(report.map(|report| Examined { session, report }))
}

fn report(declared: &Declaration, session: &Session, plan: &Plan) -> Result<Report, Failure> {
    let instances = instances(session)?;
    Ok(Report::of(declared, &session.seen, &session.memory, plan, &instances))
}

/// All instances; a GARM that has never begun has none.
fn instances(session: &Session) -> Result<Vec<Instance>, Failure> {
    if session.is_new {
        return Ok(vec![]);
    }
    match session.garm.list(&["instances"]) {
        Err(failure) if failure.has_word("urls_required") => Ok(vec![]),
        listed => listed,
    }
}

/// What a pass would do, in lines; nothing is changed, and nothing remembered.
///
/// # Errors
///
/// As [`apply`].
pub fn foresee(declared: &Declaration) -> Result<(String, End)> {
    let store = Store::open(&declared.state_file)?;
    let session = match Session::open(declared, &store, false)? {
        Ok(session) => session,
        Err(failure) => return Ok((String::new(), ended(&failure))),
    };
    let plan = planned(declared, &material(declared), &session);
    let mut lines = Vec::new();
    if session.is_new {
        lines.push(format!("Would make the administrator {} of GARM", declared.admin.user));
    }
    lines.extend(plan.steps.iter().map(|step| step.told(true)));
    let refused = plan.refused.iter();
    lines.extend(
        refused.map(|refused| format!("Cannot bring about {} {}: {}", refused.kind, refused.name, refused.said)),
    );
    if lines.is_empty() {
        lines.push("Everything is as declared".into());
    }
    let end = if plan.refused.is_empty() { End::Good } else { End::Faulty };
    // Some of it GARM said.
    let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    Ok((lines.join("\n") + "\n", end))
}

/// The plan of a session.
fn planned(declared: &Declaration, material: &Material, session: &Session) -> Plan {
    plan(Inputs { declared, material, seen: &session.seen, memory: &session.memory })
}

/// What a failure means that was no step's.
fn ended(failure: &Failure) -> End {
    match failure {
        Failure::Away(why) => End::Away(why.clone()),
        // What GARM itself fails at passes more often than not.
        Failure::Refused { status: 500.., said, .. } => End::Away(said.clone()),
        Failure::Refused { said, .. } => {
            tracing::error!("{said}");
            End::Faulty
        }
    }
}
