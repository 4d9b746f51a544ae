//! `status` as a whole, on a host made of a temporary directory: files as the module writes them, units that only exist in
//! memory, and a broker that answers with a list.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Instant;

use github_runners::contract::fleet::Fleet;
use github_runners::contract::protocol::{Answer, Outcome, RemoteRunner};
use github_runners::frontend::ondemand::operate;
use github_runners::reconcile::{self};
use github_runners::status::{RegistrationState, Report, Screen, json_text, look, text};
use github_runners::survey::Places;
use github_runners::units::Activity;
use serde_json::{Value, json};

use crate::fake_broker::FakeBroker;
use crate::fake_units::FakeUnits;

const NOW: u64 = 1_790_000_000;
const URL: &str = "https://github.com/octo-org";

/// Every unit runs, and the first one a job; the timer of passes does this.
fn units(timer: Activity) -> FakeUnits {
    let mut units = FakeUnits::running();
    units.unit.get_mut().since = Some(NOW - 10_000);
    units.apart.insert("github-runner-reconcile.timer".into(), timer);
    let lines = ["2026-01-02 03:04:06Z: Running job: build", "2026-01-02 03:04:05Z: Listening for Jobs"];
    units.printed.insert("github-runner-builder-1.service".into(), lines.map(str::to_owned).into());
    units
}

struct Host {
    fleet: Fleet,
    places: Places,
    on_demand: operate::Places,
    broker: FakeBroker,
    directory: tempfile::TempDir,
}

impl Host {
    /// A host with as many runners, of which the server lists all that `is_listed` names.
    fn new(count: u64, is_listed: impl Fn(u64) -> bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let [ledger, sockets, roots, memory, runtime, textfiles] =
            ["ledger", "sockets", "roots", "memory", "runtime", "textfiles"].map(|name| root.join(name));
        DirBuilder::new().mode(0o700).create(&ledger).unwrap();
        for directory in [&sockets, &textfiles] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(root.join("token"), "ghp_fake").unwrap();
        let instances: Vec<Value> = (1..=count).map(|id| declare(&root, id)).collect();
        let fleet = json!({
            "version": 1, "instances": instances, "deleteUnknownOffline": false,
            "textfileDirectory": textfiles, "brokerProperties": [],
        });
        let fleet = Fleet::parse(fleet.to_string().as_bytes()).unwrap();
        let list = (1..=count).filter(|id| is_listed(*id));
        let list = list.map(|id| RemoteRunner { id, name: format!("builder-{id}"), online: true, busy: id % 2 == 1 });
        let broker = broker(list.collect());
        broker.listen(&sockets.join("builder-1"));
        let places = Places { ledger, sockets, roots: ["a", "b", "c"].map(|name| roots.join(name)), memory, runtime };
        let on_demand = operate::Places {
            settings: root.join("on-demand.json"),
            home: root.join("on-demand"),
            desk: root.join("desk.sock"),
        };
        Self { fleet, places, on_demand, broker, directory }
    }

    fn look(&self) -> Report {
        look(&self.fleet, &units(Activity::Active), &self.places, &self.on_demand, NOW).unwrap()
    }
}

/// Writes the files of one runner; its line of the fleet file.
fn declare(root: &Path, id: u64) -> Value {
    let instance = format!("builder-{id}");
    let mut manifest: Value = serde_json::from_str(include_str!("../fixtures/manifest-v2.json")).unwrap();
    manifest["instance"] = json!(instance);
    let registration = &mut manifest["registration"];
    (registration["name"], registration["url"]) = (json!(instance), json!(URL));
    registration["tokenFile"] = json!(root.join("token"));
    let mut entry: Value = serde_json::from_str(include_str!("../fixtures/ledger-v3.json")).unwrap();
    (entry["instance"], entry["registration"]) = (json!(instance), registration.clone());
    entry["runner"] = json!({ "id": id, "name": instance, "url": URL, "recordedAt": 1 });
    (entry["leftBehind"], entry["attempt"]) = (json!([]), Value::Null);
    let file = root.join(format!("{instance}-manifest.json"));
    fs::write(&file, manifest.to_string()).unwrap();
    fs::write(root.join(format!("ledger/{instance}.json")), entry.to_string()).unwrap();
    json!({
        "instance": instance, "pool": "builder", "unit": format!("github-runner-{instance}.service"),
        "manifest": file, "restartPolicy": "when-idle", "drainTimeout": null, "workDirectory": "/nonexistent",
    })
}

/// A broker that answers every question with the list.
fn broker(list: Vec<RemoteRunner>) -> FakeBroker {
    let broker = FakeBroker::default();
    broker.answers_with(Answer {
        credential_expires: Some(NOW + 100 * 86_400),
        requests: 1,
        rate_limit_remaining: Some(4_999),
        ..Answer::unasked(Outcome::Listed(list))
    });
    broker
}

#[test]
fn a_host_on_which_all_is_well_is_told_so_and_left_as_it_was() {
    let host = Host::new(3, |_| true);
    let report = host.look();
    assert!(report.well, "{}", text(&report, Screen::default()));
    assert_eq!(report.runners[0].registration.state, RegistrationState::Busy);
    assert_eq!(report.runners[1].registration.state, RegistrationState::Online);
    let jobs: Vec<Option<&str>> = report.runners.iter().map(|row| row.registration.job.as_deref()).collect();
    assert_eq!(jobs, [Some("build"), None, None]);
    // What the answer said about the credential is known at once.
    assert_eq!(report.runners[0].credential.expires, Some(NOW + 100 * 86_400));
    assert!(!host.places.memory.exists() && !host.places.runtime.exists());
    assert_eq!(fs::read_dir(host.directory.path().join("textfiles")).unwrap().count(), 0);
}

#[test]
fn nothing_is_well_while_nobody_makes_passes() {
    let host = Host::new(1, |_| true);
    let report = look(&host.fleet, &units(Activity::Inactive), &host.places, &host.on_demand, NOW).unwrap();
    assert!(!report.well && report.runners[0].faults.is_empty());
    assert!(report.faults[0].starts_with("No passes are made"), "{:?}", report.faults);
}

#[test]
fn a_host_that_makes_no_passes_by_itself_is_not_blamed_for_it() {
    let mut host = Host::new(1, |_| true);
    host.fleet.passes = false;
    let report = look(&host.fleet, &units(Activity::Inactive), &host.places, &host.on_demand, NOW).unwrap();
    assert!(report.well && !report.passes, "{:?}", report.faults);
}

#[test]
fn one_runner_that_cannot_be_read_hides_no_other() {
    let host = Host::new(3, |id| id != 3);
    fs::write(host.places.ledger.join("builder-2.json"), "{").unwrap();
    let report = host.look();
    let faults: Vec<&[String]> = report.runners.iter().map(|row| row.faults.as_slice()).collect();
    assert!(faults[0].is_empty());
    assert!(faults[1][0].starts_with("could not be looked at: Failed to read ledger entry builder-2.json"));
    assert_eq!(faults[2], ["runs, but GitHub does not list it"]);
    let out = text(&report, Screen::default());
    assert!(out.ends_with("builder-3: runs, but GitHub does not list it\n"), "{out}");
}

#[test]
fn a_host_that_cannot_be_read_is_an_error() {
    let host = Host::new(1, |_| true);
    fs::set_permissions(&host.places.ledger, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = look(&host.fleet, &units(Activity::Active), &host.places, &host.on_demand, NOW).unwrap_err();
    assert!(format!("{error:#}").contains("set its mode to 0700"), "{error:#}");
}

#[test]
fn a_fleet_file_that_is_missing_is_no_report() {
    let program = env!("CARGO_BIN_EXE_github-runnerctl");
    let output = std::process::Command::new(program).args(["status", "--fleet", "/nonexistent"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
}

#[test]
fn a_thousand_runners_cost_one_question() {
    let host = Host::new(1_000, |_| true);
    let start = Instant::now();
    let report = host.look();
    let looked = start.elapsed();
    let screen = Screen { width: Some(160), colours: true };
    let (table, json) = (text(&report, screen), json_text(&report).unwrap());
    let told = start.elapsed().saturating_sub(looked);
    println!("looked at 1000 runners in {looked:?}, told about them in {told:?}");
    assert!(report.well && host.broker.asked().len() == 1);
    assert!(table.lines().count() > 1_000 && json.contains("builder-1000"));
    let order: Vec<String> = report.runners.iter().map(|row| row.instance.clone()).collect();
    assert_eq!(order, (1..=1_000).map(|id| format!("builder-{id}")).collect::<Vec<_>>());
}

#[test]
fn a_pass_writes_its_figures_where_the_collector_looks() {
    let host = Host::new(2, |_| true);
    reconcile::run(&host.fleet, &units(Activity::Active), &host.places).unwrap();
    let file = host.directory.path().join("textfiles/github-runners.prom");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("github_runner_online{runner=\"builder-2\"} 1\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions(), std::os::unix::fs::PermissionsExt::from_mode(0o100_644));
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    reconcile::run(&host.fleet, &units(Activity::Active), &host.places).unwrap();
}

#[test]
fn runners_on_demand_are_told_where_there_are_any_and_what_is_wrong_with_them_counts() {
    let host = Host::new(1, |_| true);
    assert_eq!(host.look().on_demand, None);
    fs::write(&host.on_demand.settings, include_str!("../fixtures/on-demand-settings-v1.json")).unwrap();
    let report = host.look();
    let on_demand = report.on_demand.as_ref().unwrap();
    assert!(report.well && on_demand.faults.is_empty() && on_demand.max == 6, "{on_demand:?}");
    assert!(!host.on_demand.home.exists(), "it was only looked at");
    let out = text(&report, Screen::default());
    assert!(out.contains("\nx86_64     0 of 4  ready\n"), "{out}");
    operate::stop(&host.on_demand, Some("we move house")).unwrap();
    let report = host.look();
    assert!(!report.well && report.runners[0].faults.is_empty());
    assert!(
        text(&report, Screen::default()).ends_with(
            "\nNo runners are ordered (we move house): `github-runnerctl on-demand start` takes that back\n"
        )
    );
}
