//! From a call of GARM to its answer.
//!
//! Everything that can be refused is refused before the server is asked. The answer goes to standard output and nothing else
//! does; a sentence about what failed goes to standard error, without the tokens of the call.

use std::io::{IsTerminal as _, Read};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::answer;
use super::bootstrap::{Bootstrap, MAX_SIZE, is_name};
use super::environment::{Action, Call, Code, Command, INTERFACES};
use super::extra_specs::{self, ExtraSpecs};
use super::object::base64;
use super::secrets::Secrets;
use super::settings::{self, Settings};
use super::specify::specify;
use crate::machines::incus::{Incus, Owner};
use crate::machines::{Fault, Machines as _};
use crate::model::shown;

/// How a call ends.
#[derive(Debug, Eq, PartialEq)]
pub struct End {
    /// For standard output.
    pub answer: String,
    /// For standard error: a sentence.
    pub why: String,
    /// For GARM.
    pub code: Code,
}

impl End {
    fn answer(answer: impl Into<String>) -> Self {
        Self { answer: answer.into(), why: String::new(), code: Code::Success }
    }

    /// The call was not understood.
    #[must_use]
    pub fn refused(error: &anyhow::Error) -> Self {
        Self { answer: String::new(), why: format!("{error:#}"), code: Code::Failure }
    }

    fn fault(fault: &Fault) -> Self {
        Self { answer: String::new(), why: fault.to_string(), code: Code::of(fault) }
    }
}

/// Does what GARM asks for. `extra_specs` is the variable of that name, which only a validation looks at.
#[must_use]
pub fn run(command: &Command, extra_specs: &str) -> End {
    match command {
        Command::Version => End::answer(concat!("v", env!("CARGO_PKG_VERSION"))),
        Command::Interfaces => End::answer(json!(INTERFACES).to_string()),
        Command::SettingsSchema => End::answer(settings::schema().to_string()),
        Command::ExtraSpecsSchema => End::answer(extra_specs::schema().to_string()),
        Command::Validate => validate(extra_specs).map_or_else(|error| End::refused(&error), |()| End::answer("")),
        Command::Act(call) => match act(call) {
            Ok(Value::Null) => End::answer(""),
            Ok(answer) => End::answer(answer.to_string()),
            Err(fault) => End::fault(&fault),
        },
    }
}

/// Looks at extra specs as the variable has them: base64 of JSON.
fn validate(text: &str) -> Result<()> {
    let bytes = base64(text, "The variable GARM_POOL_EXTRASPECS")?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let value: Value =
        serde_json::from_slice(&bytes).ok().context("The variable GARM_POOL_EXTRASPECS holds no JSON")?;
    ExtraSpecs::parse(&value).map(drop)
}

fn act(call: &Call) -> Result<Value, Fault> {
    let wrong = |error: anyhow::Error| Fault::Configuration(format!("{error:#}"));
    let settings = Settings::read(&call.settings).map_err(wrong)?;
    let open = |pool: Option<&str>| {
        let owner = Owner { controller: call.controller.clone(), pool: pool.map(String::from) };
        Incus::open(&settings.connection, owner)
    };
    match &call.action {
        Action::Create(pool) => {
            let bootstrap = read_input().and_then(|input| Bootstrap::parse(&input)).map_err(wrong)?;
            create(&settings, &bootstrap, pool, open).map_err(|fault| without_secrets(fault, &bootstrap))
        }
        Action::Get(name) => Ok(answer::instance(&open(None)?.get(existing(name)?)?)),
        // It is for nobody but the server to say that something is gone.
        Action::Delete(name) if !is_name(name) => Err(Fault::Configuration(format!(
            "No instance can be called {}, so none was deleted: remove the runner by `garm-cli runner delete \
             --force-remove-runner`",
            shown(name)
        ))),
        Action::Delete(name) => open(None)?.delete(name).map(|()| Value::Null),
        Action::Start(name) => open(None)?.start(existing(name)?).map(|()| Value::Null),
        Action::Stop(name) => open(None)?.stop(existing(name)?).map(|()| Value::Null),
        Action::List(pool) => {
            let instances = open(Some(pool))?.list()?;
            Ok(instances.iter().map(answer::instance).collect())
        }
        Action::RemoveAll => remove_all(&open(None)?).map(|()| Value::Null),
    }
}

fn create(
    settings: &Settings,
    bootstrap: &Bootstrap,
    pool: &str,
    open: impl Fn(Option<&str>) -> Result<Incus, Fault>,
) -> Result<Value, Fault> {
    let pool = if bootstrap.pool.is_empty() { pool } else { &bootstrap.pool };
    if pool.is_empty() {
        return Err(Fault::Configuration("GARM names no pool for the instance, so nobody could find it again".into()));
    }
    let specification = specify(settings, bootstrap)?;
    let made = open(Some(pool))?.create(&specification)?;
    let os_type = if bootstrap.os_type == "windows" { "windows" } else { "linux" };
    Ok(answer::made(&made, os_type))
}

/// Removes all instances of the controller; what cannot be removed keeps nothing else.
fn remove_all(machines: &Incus) -> Result<(), Fault> {
    let mut all = Ok(());
    for instance in machines.list()? {
        let one = machines.delete(&instance.name);
        all = all.and(one);
    }
    all
}

fn existing(name: &str) -> Result<&str, Fault> {
    let none = || Fault::NotFound(format!("There is no instance {}", shown(name)));
    is_name(name).then_some(name).ok_or_else(none)
}

/// What GARM writes to standard input, all of it.
fn read_input() -> Result<Vec<u8>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        bail!("Standard input is a terminal: GARM describes a new instance there, as JSON");
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    input.lock().take(most).read_to_end(&mut bytes).context("Failed to read standard input")?;
    Ok(bytes)
}

/// The same fault without the secrets of the call.
fn without_secrets(fault: Fault, bootstrap: &Bootstrap) -> Fault {
    let secrets = Secrets::of(bootstrap);
    let (make, why): (fn(String) -> Fault, String) = match fault {
        Fault::NotFound(why) => (Fault::NotFound, why),
        Fault::Duplicate(why) => (Fault::Duplicate, why),
        Fault::Busy(why) => (Fault::Busy, why),
        Fault::NoCapacity(why) => (Fault::NoCapacity, why),
        Fault::Unavailable(why) => (Fault::Unavailable, why),
        Fault::Configuration(why) => (Fault::Configuration, why),
        Fault::Other(why) => (Fault::Other, why),
    };
    make(secrets.hide(why))
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
