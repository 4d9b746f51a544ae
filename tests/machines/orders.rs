//! One order's machine from its user data to its end: the desk's kind of machine, the script, and the hook before the job, in an
//! image of Debian whose listener is a few lines of bash.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use github_runners::contract::protocol::Secret;
use github_runners::frontend::ondemand::kind::nspawn::Nspawn;
use github_runners::frontend::ondemand::kind::{Kind as _, Launch, Unmade};
use github_runners::frontend::ondemand::label::Key;
use github_runners::frontend::ondemand::order::{Cost, Token};
use github_runners::frontend::ondemand::settings::{ClassSettings, KindSettings};
use github_runners::machines::Fault;
use github_runners::model::Repository;
use github_runners::registration::jit::JitRegistration;
use serde_json::json;

use crate::host::Host;
use crate::wait::wait_for;
use crate::work::{ended, host};

const REPOSITORY: &str = "octo-org/example";
const RUN: u64 = 19_283_746;

/// Has a job of the run in its credentials, whose hook is called as the runner does it.
const LISTENER: &str = r#"#!/bin/bash
cd /home/runner/actions-runner || exit 1
export GITHUB_REPOSITORY=Octo-Org/example GITHUB_RUN_ID=$(sed 's/[^0-9]//g' .credentials)
bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED" > said
echo "hook $?, $(id -un), $(stat --format '%a %U' .credentials), $(systemctl is-active github-actions-runner)" >> said
grep -q lingers .credentials || exit 0
sleep infinity
"#;

/// An image for runners, without anything that is theirs but the user, the directory and the program.
fn image(root: &Path) {
    let append = |file: &str, line: &str| {
        let path = root.join("etc").join(file);
        fs::write(&path, fs::read_to_string(&path).unwrap() + line).unwrap();
    };
    append("passwd", "runner:x:1000:1000::/home/runner:/bin/bash\n");
    append("group", "runner:x:1000:\n");
    let listener = root.join("home/runner/actions-runner/bin/Runner.Listener");
    fs::create_dir_all(listener.parent().unwrap()).unwrap();
    fs::write(&listener, LISTENER).unwrap();
    fs::set_permissions(&listener, fs::Permissions::from_mode(0o755)).unwrap();
    for made in listener.ancestors().take(4) {
        chown(made, Some(1000), Some(1000)).unwrap();
    }
}

fn class() -> ClassSettings {
    ClassSettings {
        max: 4,
        ttl: 3_600,
        processors: 1,
        price_per_hour: Cost(0),
        architecture: "x86_64".to_owned().try_into().unwrap(),
        not_online: 1_000,
        no_job: 1_000,
        forks: false,
        kind: KindSettings::Nspawn { image: "worker".into() },
    }
}

/// Launches the machine of attempt `attempt`, which ends after `seconds`, and gives its name.
fn launch(host: &Host, kind: &Nspawn, attempt: u32, credentials: &str, seconds: u64) -> Result<String, Fault> {
    let key = Key::from_stem("od-19283746-1-build.x86_64").unwrap();
    let token = Token::new("host", &key, attempt, 1);
    let (name, secret) = (key.runner_name(), |text: &str| Secret::new(text.into()));
    let settings = json!({"AgentId": "7", "AgentName": name, "Ephemeral": "True"}).to_string();
    let files = BTreeMap::from([
        (".runner".to_owned(), secret(&settings)),
        (".credentials".to_owned(), secret(credentials)),
        (".credentials_rsaparams".to_owned(), secret(r#"{"fake": "key"}"#)),
    ]);
    let repository = Repository::parse(REPOSITORY).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let deadline = now + seconds;
    let registration = JitRegistration { id: 7, name, files, repository, run: Some(RUN), deadline };
    let path = host.path("registration.json");
    fs::write(&path, registration.to_text().unwrap()).unwrap();
    kind.launch(&Launch {
        key: &key,
        token: &token,
        class: &class(),
        registration: &path,
        lifetime: Duration::from_secs(seconds),
        repository: &registration.repository,
        run: registration.run,
    })
    .map_err(|unmade| match unmade {
        Unmade::Fault(fault) => fault,
        Unmade::NoRoomUpTo(_, why) | Unmade::NotAsked(why) => Fault::NoCapacity(why),
    })?;
    Ok(kind.name(&key, &token))
}

/// What the listener wrote, once it is complete.
fn said(host: &Host, name: &str) -> String {
    let path = host.path("state/jobs").join(name).join("upper/home/runner/actions-runner/said");
    wait_for("a job", || fs::read_to_string(&path).ok().filter(|text| text.contains("hook ")))
}

#[test]
fn an_order_gets_a_machine_for_one_job_that_ends_with_it_by_its_deadline_or_when_somebody_wants_it() {
    if !crate::host::can_make_machines() {
        return;
    }
    let (_image, host) = host(&json!({}), image);
    let kind = Nspawn::new(host.path("run"));
    let made = |attempt, credentials: &str, seconds| {
        launch(&host, &kind, attempt, credentials, seconds).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()))
    };
    let lingers = format!(r#"{{"run": {RUN}, "lingers": true}}"#);
    let first = made(1, &lingers, 3_000);
    assert_eq!(said(&host, &first), "hook 0, runner, 600 runner, active\n", "{}", host.log());
    let seen: Vec<String> = kind.look().unwrap().into_iter().map(|seen| seen.name).collect();
    assert_eq!(seen, std::slice::from_ref(&first));
    assert!(matches!(launch(&host, &kind, 1, &lingers, 3_000), Err(Fault::Duplicate(_))));
    kind.end(&first).unwrap();
    assert_eq!(kind.look().unwrap(), []);
    // Its job is over.
    let second: u64 = made(2, &format!(r#"{{"run": {RUN}}}"#), 3_000).parse().unwrap();
    ended(&host, second);
    // A job of another run took its label, and fails.
    let third: u64 = made(3, r#"{"run": 5}"#, 3_000).parse().unwrap();
    ended(&host, third);
    // Its time is over, whatever it does.
    let fourth: u64 = made(4, &lingers, 12).parse().unwrap();
    ended(&host, fourth);
    for job in [second, third, fourth] {
        let log = host.log();
        let gone = |why: &str| log.contains(&format!("Job {job}: {why}"));
        let over = gone("The job powered its machine off");
        assert!(over || (job == fourth && gone("The time of this job's machine is over")), "{job}\n{log}");
    }
    host.nothing_is_left();
}
