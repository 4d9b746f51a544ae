//! What the programs know without being told by the module, against `fixtures/contract.json`, which
//! `tests/eval/claims/contract.nix` reads, too: neither side can change alone.
//!
//! Of a text `module` says whether an evaluation accepts it, and `program` whether a program does. Where a constant is
//! nobody else's business, a test of the same kind stands beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use github_runners::cli::ctl::command;
use github_runners::contract::fleet::{Fleet, RestartPolicy};
use github_runners::contract::manifest::{Manifest, Method};
use github_runners::contract::names;
use github_runners::model::{
    InstanceName, Label, MemorySize, RegistrationUrl, RunnerGroup, RunnerName, Token, TokenFault, TokenKind, TokenType,
    WorkDir, WorkDirMode,
};
use github_runners::state::start::expand;
use github_runners::survey::Places;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn contract() -> Value {
    serde_json::from_str(include_str!("../fixtures/contract.json")).unwrap()
}

/// A text, written out or as a repetition, and whether a program accepts it.
#[derive(Deserialize)]
struct Case {
    text: Option<String>,
    #[serde(default)]
    start: String,
    #[serde(default)]
    repeat: usize,
    #[serde(default)]
    of: String,
    program: bool,
}

impl Case {
    fn text(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.start.clone() + &self.of.repeat(self.repeat))
    }
}

/// Which texts of a field are taken for another verdict than the fixture has.
fn misjudged(field: &str, accepts: impl Fn(String) -> bool) -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_value(contract()[field].clone()).unwrap();
    assert!(cases.iter().any(|case| case.program) && cases.iter().any(|case| !case.program), "{field}");
    cases.iter().filter(|case| accepts(case.text()) != case.program).map(Case::text).collect()
}

#[test]
fn texts_are_accepted_and_refused_as_the_contract_says() {
    let is_secret = |text: String| match Token::parse(text.as_bytes()) {
        Ok(token) => token.kind(TokenType::Auto) == TokenKind::Access,
        Err(fault) => fault == TokenFault::RefreshToken,
    };
    let is_least = |text: String| {
        let mut manifest: Value = serde_json::from_slice(include_bytes!("../fixtures/manifest-v2.json")).unwrap();
        manifest["minFreeSpace"] = text.into();
        Manifest::parse(manifest.to_string().as_bytes()).is_ok()
    };
    let none: &[&str] = &[];
    assert_eq!(misjudged("url", |text| RegistrationUrl::parse(&text).is_ok()), none);
    assert_eq!(misjudged("name", |text| RunnerName::try_from(text).is_ok()), none);
    assert_eq!(misjudged("extraLabels", |text| Label::try_from(text).is_ok()), none);
    assert_eq!(misjudged("runnerGroup", |text| RunnerGroup::try_from(text).is_ok()), none);
    assert_eq!(misjudged("instance", |text| InstanceName::try_from(text).is_ok()), none);
    assert_eq!(misjudged("workDir", |text| WorkDir::try_from(text).is_ok()), none);
    assert_eq!(misjudged("workDirMode", |text| WorkDirMode::try_from(text).is_ok()), none);
    assert_eq!(misjudged("workDirSize", |text| MemorySize::parse(&text).is_ok()), none);
    assert_eq!(misjudged("minFreeSpace", is_least), none);
    assert_eq!(misjudged("secretText", is_secret), none);
}

#[test]
fn words_of_options_are_understood() {
    fn understood<T: DeserializeOwned>(option: &str) -> usize {
        let words = contract()["words"][option].as_array().unwrap().clone();
        let read: Vec<T> = words.into_iter().map(|word| serde_json::from_value(word).unwrap()).collect();
        read.len()
    }
    assert_eq!(understood::<RestartPolicy>("restartPolicy"), 3);
    assert_eq!(understood::<TokenType>("tokenType"), 3);
    assert_eq!(understood::<Method>("registration.method"), 2);
}

#[test]
fn directories_of_the_host_are_those_of_the_contract() {
    let Places { ledger, sockets, roots: [state, logs, runtime], memory, runtime: passes } = Places::default();
    let mut places: BTreeMap<String, PathBuf> = serde_json::from_value(contract()["places"].clone()).unwrap();
    // Of this one systemd tells a broker where its own part is.
    places.remove("kept");
    let status = command();
    let status = status.find_subcommand("status").unwrap();
    let fleet = status.get_arguments().find(|argument| argument.get_id() == "fleet").unwrap();
    let fleet = Path::new(&fleet.get_default_values()[0]).to_owned();
    let here = [
        ("fleet", fleet),
        ("ledger", ledger),
        ("logs", logs),
        ("memory", memory),
        ("passes", passes),
        ("runtime", runtime),
        ("sockets", sockets),
        ("state", state),
    ];
    assert_eq!(places, here.map(|(place, path)| (place.to_owned(), path)).into());
}

#[test]
fn names_of_units_are_those_of_the_contract() {
    let instance = InstanceName::try_from("octo-1".to_owned()).unwrap();
    let here = json!({
        "runner": names::runner(&instance),
        "brokerSocket": names::broker_socket(&instance),
        "broker": names::broker(&instance, ""),
        "containers": names::containers(&instance)[0],
        "containersSocket": names::containers(&instance)[1],
        "pass": names::PASS,
        "passTimer": names::PASS_TIMER,
    });
    assert_eq!(contract()["units"], here);
}

#[test]
fn the_unit_of_an_order_is_of_the_template_that_its_class_has() {
    let template = contract()["orders"]["template"].as_str().unwrap().to_owned();
    let unit = names::order(&format!("{}small", names::ORDER_TEMPLATES), "od-7-build.small");
    assert_eq!(unit.replace("od-7-build.small", ""), template);
    // The manifest of the class calls itself so.
    let class = InstanceName::try_from("on-demand-small".to_owned()).unwrap();
    assert!(names::is_order_of(&class, &unit));
    let [before, between, after] = names::ORDERS.split('*').collect::<Vec<_>>().try_into().unwrap();
    assert!(unit.starts_with(before) && unit.contains(between) && unit.ends_with(after));
}

#[test]
fn specifiers_stand_for_the_directories_of_the_contract_and_no_other_ones_do() {
    let known: BTreeMap<String, PathBuf> =
        ('A'..='z').filter_map(|letter| Some((format!("%{letter}"), expand(&format!("%{letter}")).ok()?))).collect();
    assert_eq!(serde_json::to_value(known).unwrap(), contract()["specifiers"]);
}

#[test]
fn the_formats_of_the_module_are_read() {
    Manifest::parse(include_bytes!("../fixtures/manifest-v2.json")).unwrap();
    Fleet::parse(include_bytes!("../fixtures/fleet-v1.json")).unwrap();
}
