//! `configure`: the order of operations of contract 1.6, with points to fail at.
//!
//! Source: ConfigurationManager.cs:78-494. `.runner` is written last: it is the only
//! sign of success, and everything before it may exist half done.

use anyhow::{Result, bail};
use nix::unistd::gethostname;
use serde_json::{Value, json};

use super::{
    faults::{self, Fault},
    files::{self, Extent, Settings},
    prompts::{self, Question},
    server::{self, Group, Purpose, Registered, Server, Tenant},
    signals,
    start::Start,
    target::Target,
    terminal,
};

const BANNER: &str = "
--------------------------------------------------------------------------------
|        ____ _ _   _   _       _          _        _   _                      |
|       / ___(_) |_| | | |_   _| |__      / \\   ___| |_(_) ___  _ __  ___      |
|      | |  _| | __| |_| | | | | '_ \\    / _ \\ / __| __| |/ _ \\| '_ \\/ __|     |
|      | |_| | | |_|  _  | |_| | |_) |  / ___ \\ (__| |_| | (_) | | | \\__ \\     |
|       \\____|_|\\__|_| |_|\\__,_|_.__/  /_/   \\_\\___|\\__|_|\\___/|_| |_|___/     |
|                                                                              |
|                       Self-hosted runner registration                        |
|                                                                              |
--------------------------------------------------------------------------------";

/// Labels that every runner gets unless refused.
const DEFAULT_LABELS: [&str; 3] = ["self-hosted", "Linux", "X64"];

/// Registers the runner.
///
/// # Errors
///
/// Each with the runner's own text; exit code 1.
pub fn configure(start: &mut Start) -> Result<()> {
    signals::exit_on_interrupt(start.script.fault.has(Fault::Deaf))?;
    terminal::line(BANNER);
    if files::is_configured(&start.root) {
        bail!(
            "Cannot configure the runner because it is already configured. To reconfigure the runner, run 'config.cmd remove' or './config.sh remove' first."
        );
    }

    terminal::section("Authentication");
    let url = Question {
        name: "url",
        text: "What is the URL of your repository?",
        default: "",
        optional: false,
        secret: false,
        valid: prompts::server_url,
    };
    let url = url.ask(&start.arguments)?;
    let hosted = Target::new(&url).hosted;
    let mut server = server::connect(start, Target::new(&url));
    let token = token(start, server.as_mut(), Purpose::Register)?;
    let tenant = server.tenant(Purpose::Register, &token)?;
    faults::noise(start);
    terminal::success("Connected to GitHub");
    let public_key = files::key(&start.root, &start.environment)?;

    terminal::section("Runner Registration");
    let group = group(start, server.as_mut())?;
    let (name, existing) = name(start, server.as_mut())?;
    let labels = labels(start)?;
    let mut body = json!({
        "url": url,
        "group_id": group.id,
        "name": name,
        "version": start.script.version,
        "updates_disabled": start.arguments.flag("disableupdate"),
        "ephemeral": start.arguments.flag("ephemeral"),
        "labels": labels,
        "public_key": public_key,
    });
    if let Some(id) = existing {
        body["runner_id"] = id.into();
        body["replace"] = true.into();
    }
    faults::point(start, Fault::DieBeforeServer, Fault::HangBeforeServer)?;
    let registered = server.register(&body)?;
    faults::point(start, Fault::DieAfterServer, Fault::HangAfterServer)?;
    terminal::line("");
    terminal::success(match existing {
        None => "Runner successfully added",
        Some(_) => "Successfully replaced the runner",
    });

    write_credentials(start, &registered)?;
    if !tenant.use_v2_flow {
        terminal::success("Runner connection is good");
    }
    terminal::section("Runner settings");
    let settings = settings(start, url, hosted, &group, tenant, registered)?;
    write_settings(start, &settings)?;
    terminal::success("Settings Saved.");
    terminal::line("");
    faults::late_failure(start)
}

/// ConfigurationManager.cs:710-735: an API token wins, and mints the short-lived one.
pub fn token(start: &Start, server: &mut dyn Server, purpose: Purpose) -> Result<String> {
    match start.arguments.value("pat") {
        Some(pat) => server.token(purpose, pat),
        None => Question {
            name: "token",
            text: "What is your runner register token?",
            default: "",
            optional: false,
            secret: true,
            valid: prompts::not_empty,
        }
        .ask(&start.arguments),
    }
}

fn group(start: &Start, server: &mut dyn Server) -> Result<Group> {
    let mut groups = server.groups()?;
    groups.retain(|group| !group.is_hosted);
    if groups.is_empty() {
        bail!("Could not find any self-hosted runner groups. Contact support.");
    }
    let default = groups.iter().find(|group| group.default);
    let default = default.map_or("default", |group| &group.name).to_owned();
    let wanted = Question {
        name: "runnergroup",
        text: "Enter the name of the runner group to add this runner to:",
        default: &default,
        optional: false,
        secret: false,
        valid: prompts::not_empty,
    };
    let wanted = wanted.ask(&start.arguments)?;
    match groups.into_iter().find(|group| group.name.eq_ignore_ascii_case(&wanted)) {
        Some(group) => Ok(group),
        None => bail!("Could not find any self-hosted runner group named \"{wanted}\"."),
    }
}

/// The name, and the id of the runner that is to be replaced.
fn name(start: &Start, server: &mut dyn Server) -> Result<(String, Option<u64>)> {
    let host = gethostname()?.to_string_lossy().into_owned();
    let host = host.split('.').next().unwrap_or_default();
    let name = Question {
        name: "name",
        text: "Enter the name of runner:",
        default: host,
        optional: false,
        secret: false,
        valid: prompts::not_empty,
    };
    let name = name.ask(&start.arguments)?;
    let existing = server.find(&name)?;
    if existing.is_some() {
        terminal::line("A runner exists with the same name");
        if !start.arguments.flag("replace") {
            bail!("A runner exists with the same name {name}.");
        }
    }
    Ok((name, existing))
}

/// CommandSettings.cs:344-360: split at commas, not trimmed, compared without case.
fn labels(start: &Start) -> Result<Vec<Value>> {
    let given = Question {
        name: "labels",
        text: "Enter any additional labels (ex. label-1,label-2):",
        default: "",
        optional: true,
        secret: false,
        valid: prompts::labels,
    };
    let given = given.ask(&start.arguments)?;
    let mut own: Vec<&str> = Vec::new();
    for label in given.split(',').filter(|label| !label.is_empty()) {
        if !own.iter().any(|known| known.eq_ignore_ascii_case(label)) {
            own.push(label);
        }
    }
    let no_defaults = start.arguments.flag("no-default-labels");
    if no_defaults && own.is_empty() {
        bail!("Disabling default labels via --no-default-labels without specifying --labels is not supported");
    }
    let system = DEFAULT_LABELS.iter().filter(|_| !no_defaults);
    let label = |name: &&str, kind| json!({ "id": 0, "name": name, "type": kind });
    let system = system.map(|name| label(name, "system"));
    Ok(system.chain(own.iter().map(|name| label(name, "user"))).collect())
}

fn write_credentials(start: &Start, registered: &Registered) -> Result<()> {
    let fault = &start.script.fault;
    let authorization = &registered.authorization;
    let content = files::credentials(&authorization.client_id, &authorization.token_url);
    let file = start.root.join(files::CREDENTIALS);
    if fault.has(Fault::TruncateCredentials) {
        files::write(&file, &content, Extent::Half)?;
        fault.die_at(Fault::TruncateCredentials)?;
    }
    files::write(&file, &content, Extent::Whole)?;
    fault.die_at(Fault::DieAfterCredentials)
}

fn settings(
    start: &Start,
    url: String,
    hosted: bool,
    group: &Group,
    tenant: Tenant,
    registered: Registered,
) -> Result<Settings> {
    let work = Question {
        name: "work",
        text: "Enter name of work folder:",
        default: "_work",
        optional: false,
        secret: false,
        valid: prompts::not_empty,
    };
    let work = work.ask(&start.arguments)?;
    let fault = &start.script.fault;
    let ephemeral = start.arguments.flag("ephemeral");
    let v2 = tenant.use_v2_flow;
    Ok(Settings {
        agent_id: if fault.has(Fault::ZeroId) { 0 } else { registered.id },
        agent_name: Some(if fault.has(Fault::WrongName) { "someone-else".to_owned() } else { registered.name }),
        pool_id: group.id,
        pool_name: Some(group.name.clone()),
        disable_update: start.arguments.flag("disableupdate"),
        ephemeral: ephemeral != fault.has(Fault::WrongEphemeral),
        server_url: Some(tenant.url).filter(|url| !url.is_empty()),
        git_hub_url: Some(if fault.has(Fault::WrongUrl) { "https://github.com/someone-else".to_owned() } else { url }),
        work_folder: Some(work),
        use_v2_flow: v2,
        use_runner_admin_flow: v2,
        server_url_v2: v2.then_some(registered.authorization.server_url),
        is_hosted_server: (!hosted).then_some(false),
    })
}

fn write_settings(start: &Start, settings: &Settings) -> Result<()> {
    let fault = &start.script.fault;
    let file = start.root.join(files::RUNNER);
    for (cut, extent) in [(Fault::TruncateRunner, Extent::Half), (Fault::EmptyRunner, Extent::Empty)] {
        if fault.has(cut) {
            files::write(&file, settings, extent)?;
            fault.die_at(cut)?;
        }
    }
    if !fault.has(Fault::NoRunner) {
        files::write(&file, settings, Extent::Whole)?;
    }
    fault.die_at(Fault::DieAfterRunner)?;
    for (lie, name) in [(Fault::NoCredentials, files::CREDENTIALS), (Fault::NoKey, files::KEY)] {
        if fault.has(lie) {
            std::fs::remove_file(start.root.join(name))?;
        }
    }
    Ok(())
}
