//! Runners on demand: what is missing for them is named before a workflow asks.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use github_runners::contract::cloud;
use github_runners::contract::protocol::{Answer, Outcome, Verb};
use github_runners::contract::workflow::SigningKey;
use github_runners::doctor::{Finding, Level, Report};
use github_runners::units::{Activity, Unit};
use serde_json::{Value, json};

use super::practice::{Practice, only};
use crate::fake_broker::FakeBroker;
use crate::fake_units::FakeUnits;
use crate::host::Host;

/// A host that makes runners on demand of all kinds, and a broker that answers well.
struct OnDemand {
    practice: Practice,
    settings: Value,
    manifest: Value,
    broker: FakeBroker,
    cloud: Arc<Mutex<cloud::Outcome>>,
    _incus: UnixListener,
    _machines: UnixListener,
}

fn ready() -> Outcome {
    Outcome::Ready { newest_runner: None, releases: vec![] }
}

fn key() -> Outcome {
    Outcome::Keys(vec![SigningKey { kid: "a".into(), n: "fake".into(), e: "AQAB".into() }])
}

/// What the broker says where all is well.
fn good() -> Vec<Outcome> {
    vec![ready(), Outcome::Run(None), Outcome::Run(None), key()]
}

fn checked(what: &str, good: Option<bool>, words: &str) -> cloud::Checked {
    cloud::Checked { what: what.into(), good, words: words.into() }
}

/// The broker of a cloud, which says this whoever asks.
fn cloud_broker(listener: UnixListener) -> Arc<Mutex<cloud::Outcome>> {
    let says = Arc::new(Mutex::new(cloud::Outcome::Checked(vec![checked("image", Some(true), "ami-1 is available")])));
    let said = Arc::clone(&says);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let question: cloud::Question = serde_json::from_str(&line).unwrap();
            assert!(matches!(question.verb, cloud::Verb::Check) && question.class == "pmu", "{line}");
            let outcome = serde_json::to_value(&*said.lock().unwrap()).unwrap();
            writeln!(&stream, "{}", json!({ "version": cloud::VERSION, "requests": 1, "outcome": outcome })).unwrap();
        }
    });
    says
}

impl OnDemand {
    fn new() -> Self {
        let practice = Practice::new(Host::new());
        let path = |name: &str| practice.host.path(name);
        let mut settings: Value =
            serde_json::from_str(include_str!("../../fixtures/on-demand-settings-v1.json")).unwrap();
        settings["manifest"] = json!(path("on-demand-manifest.json"));
        settings["broker"] = json!(path("on-demand-broker"));
        settings["classes"]["arm64"]["kind"]["incus"]["socket"] = json!(path("incus.sock"));
        settings["classes"]["pmu"]["kind"]["ec2"]["broker"] = json!(path("cloud.sock"));
        let cloud = cloud_broker(UnixListener::bind(path("cloud.sock")).unwrap());
        let mut manifest: Value = serde_json::from_str(include_str!("../../fixtures/manifest-v2.json")).unwrap();
        manifest["instance"] = json!("on-demand");
        (manifest["registration"]["url"], manifest["registration"]["runnerGroup"]) =
            (json!("https://github.com/octo-org"), json!("on-demand"));
        let broker = FakeBroker::default();
        broker.listen(&path("on-demand-broker"));
        fs::set_permissions(path("on-demand-broker"), fs::Permissions::from_mode(0o600)).unwrap();
        let machines = json!({ "machines": { "images": { "nixos": { "system": "/x" } }, "runDirectory": path("") } });
        fs::write(path("machines.json"), machines.to_string()).unwrap();
        let (incus, machines) =
            (UnixListener::bind(path("incus.sock")).unwrap(), UnixListener::bind(path("machines.sock")).unwrap());
        let this = Self { practice, settings, manifest, broker, cloud, _incus: incus, _machines: machines };
        this.broker.answers_in_turn(&good());
        this
    }

    /// Only the section about it.
    fn check(&self) -> Report {
        fs::write(self.practice.host.path("on-demand.json"), self.settings.to_string()).unwrap();
        fs::write(self.practice.host.path("on-demand-manifest.json"), self.manifest.to_string()).unwrap();
        let mut report = self.practice.check();
        report.groups.retain(|group| group.title == "Runners on demand");
        assert_eq!(report.groups.len(), 1);
        report
    }

    /// What is wrong, if anything is.
    fn bad(&self) -> Vec<Finding> {
        self.check().findings().filter(|finding| finding.level != Level::Good).cloned().collect()
    }
}

#[test]
fn a_host_that_makes_none_has_no_such_section() {
    let report = Practice::new(Host::new()).check();
    assert!(report.groups.iter().all(|group| group.title != "Runners on demand"));
}

#[test]
fn a_sound_host_has_no_faults_and_its_broker_is_only_asked_what_it_sees() {
    let host = OnDemand::new();
    let report = host.check();
    assert_eq!(report.findings().filter(|finding| finding.level != Level::Good).count(), 0, "{report:#?}");
    let asked = host.broker.asked();
    let name = |verb: &Verb| match verb {
        Verb::Preflight => "preflight".to_owned(),
        Verb::Run { repository, run } => format!("{} {run}", repository.as_str()),
        Verb::Keys => "keys".into(),
        other => panic!("{other:?}"),
    };
    let asked: Vec<String> = asked.iter().map(name).collect();
    assert_eq!(asked, ["preflight", "octo-org/example 1", "octo-org/other 1", "keys"]);
    for part in [
        "image nixos",
        "github-runner-on-demand-host@.service",
        "incus.sock",
        "runner-door.socket is active",
        "pmu, image: ami-1 is",
    ] {
        assert!(report.findings().any(|finding| finding.said.contains(part)), "{part}: {report:#?}");
    }
}

#[test]
fn one_runner_alone_is_looked_at_without_them() {
    let host = OnDemand::new();
    host.check();
    let report = host.practice.try_run(Some("runner1"), false).unwrap();
    assert!(report.groups.iter().all(|group| group.title != "Runners on demand"));
}

#[test]
fn settings_and_manifests_that_cannot_be_read_are_named() {
    let mut host = OnDemand::new();
    host.manifest["surprise"] = json!(1);
    only(&host.check(), Level::Fault, "manifest", "unknown field `surprise`");
    assert!(host.broker.asked().is_empty());
    host.settings["limits"]["surprise"] = json!(1);
    only(&host.check(), Level::Fault, "settings", "unknown field `surprise`");
}

#[test]
fn what_github_does_not_show_has_its_way_out() {
    let refused = |why: &str| Outcome::Refused(why.into());
    let away = || Outcome::Unreachable("it has no address".into());
    for (answers, level, topic, part) in [
        (vec![refused("No scope: give it one.")], Level::Fault, "GitHub", "No scope: give it one"),
        (
            vec![ready(), refused("It is not shown: let it have \"Actions: Read-only\"."), Outcome::Run(None), key()],
            Level::Fault,
            "repository",
            "runs of octo-org/example cannot be looked up: It is not shown: let it have \"Actions",
        ),
        (vec![ready(), Outcome::Run(None), away(), key()], Level::Fault, "repository", "octo-org/other"),
        (vec![ready(), Outcome::Run(None), Outcome::RateLimited(1), key()], Level::Warning, "repository", "rate limit"),
        (vec![ready(), Outcome::Run(None), Outcome::Run(None), away()], Level::Fault, "ID tokens", "no address"),
        (
            vec![ready(), Outcome::Run(None), Outcome::Run(None), Outcome::Keys(vec![])],
            Level::Fault,
            "ID tokens",
            "cannot be checked",
        ),
    ] {
        let host = OnDemand::new();
        host.broker.answers_in_turn(&answers);
        only(&host.check(), level, topic, part);
    }
}

#[test]
fn keys_are_asked_for_and_the_clock_matters_only_where_id_tokens_are_taken() {
    let mut host = OnDemand::new();
    host.broker.answers_with(Answer { clock_ahead: Some(-31), ..Answer::unasked(ready()) });
    let is_told =
        |found: &[Finding]| found.iter().any(|finding| finding.said.contains("good ID tokens may be refused"));
    assert!(is_told(&host.bad()));
    host.settings["repositories"][0]["proofs"] = json!(["queue"]);
    assert!(!is_told(&host.bad()));
    host.broker.asked();
    host.broker.answers_in_turn(&good());
    assert!(host.bad().is_empty() && !host.broker.asked().contains(&Verb::Keys));
}

#[test]
fn at_an_organization_a_group_should_decide_who_takes_a_runner() {
    let mut host = OnDemand::new();
    host.manifest["registration"]["runnerGroup"] = Value::Null;
    only(&host.check(), Level::Warning, "runner group", "`runnerGroup`");
    host.manifest["registration"]["url"] = json!("https://github.com/octo-org/example");
    host.broker.answers_in_turn(&good());
    assert!(host.bad().is_empty());
}

#[test]
fn a_broker_that_others_can_ask_or_nobody_can_is_named() {
    let host = OnDemand::new();
    let socket = host.practice.host.path("on-demand-broker");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    only(&host.check(), Level::Fault, "broker", "restart `github-runner-broker-on-demand.socket`");
    fs::remove_file(&socket).unwrap();
    only(&host.check(), Level::Fault, "broker", "cannot be found");
    assert!(host.broker.asked().is_empty());
}

#[test]
fn units_that_do_not_run_or_do_not_exist_are_named() {
    for unit in ["github-runner-door.socket", "github-runner-on-demand.socket", "github-runner-on-demand.timer"] {
        let mut host = OnDemand::new();
        host.practice.units.apart.insert(unit.into(), Activity::Inactive);
        only(&host.check(), Level::Fault, "units", &format!("systemctl start {unit}"));
    }
    let mut host = OnDemand::new();
    host.practice.units = FakeUnits::like(Unit::default());
    let said: Vec<String> = host.bad().into_iter().map(|finding| finding.said).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[3].contains("systemd does not know github-runner-on-demand-host@.service"), "{said:?}");
}

#[test]
fn a_class_without_what_makes_its_machines_is_named() {
    let mut host = OnDemand::new();
    host.settings["classes"]["x86_64"]["kind"]["nspawn"]["image"] = json!("debian");
    only(&host.check(), Level::Fault, "class", "or use one of these: nixos");
    let host = OnDemand::new();
    fs::remove_file(host.practice.host.path("machines.sock")).unwrap();
    only(&host.check(), Level::Fault, "class", "gitlab-nspawn.socket");
    let host = OnDemand::new();
    fs::remove_file(host.practice.host.path("machines.json")).unwrap();
    only(&host.check(), Level::Fault, "class", "services.gitlab-nspawn");
    let host = OnDemand::new();
    fs::remove_file(host.practice.host.path("incus.sock")).unwrap();
    only(&host.check(), Level::Fault, "class", "arm64 does not reach its server");
}

#[test]
fn what_a_cloud_says_of_a_class_is_told_and_a_broker_that_says_nothing_is_a_fault() {
    let host = OnDemand::new();
    *host.cloud.lock().unwrap() = cloud::Outcome::Checked(vec![
        checked("types", Some(false), "x1.none does not exist here: correct `types`"),
        checked("quota", None, "this credential may not read it"),
        checked("image", Some(true), "ami-1 is available"),
    ]);
    let bad: Vec<(Level, String)> = host.bad().into_iter().map(|finding| (finding.level, finding.said)).collect();
    assert_eq!(bad.len(), 2, "{bad:?}");
    assert!(bad[0].0 == Level::Fault && bad[0].1.starts_with("pmu, types: x1.none does not exist"), "{bad:?}");
    assert!(bad[1].0 == Level::Warning && bad[1].1.starts_with("pmu, quota: "), "{bad:?}");
    let host = OnDemand::new();
    *host.cloud.lock().unwrap() =
        cloud::Outcome::Refused(cloud::Refusal::Credential("AuthFailure: the key is wrong".into()));
    only(&host.check(), Level::Fault, "class", "pmu: AuthFailure");
    let host = OnDemand::new();
    fs::remove_file(host.practice.host.path("cloud.sock")).unwrap();
    only(&host.check(), Level::Fault, "class", "does not answer");
}
