use std::cell::RefCell;

use super::*;
use crate::machines::{Cache, Instance, State};

const SETTINGS: &str = r#"{
    "machines": {"images": {"debian": {"root": "/a"}, "nixos": {"root": "/b"}}, "cache": {"directory": "/c", "limit": 1}},
    "defaultImage": "debian"
}"#;

fn settings(text: &str) -> Settings {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.json");
    std::fs::write(&path, text).unwrap();
    Settings::read(&path).unwrap()
}

fn response() -> Response {
    Response {
        job: Token(4711),
        cache: Cache { project: 7, protected: true },
        image: None,
        timeout: Duration::from_secs(300),
        services: 0,
        has_steps: false,
    }
}

fn refused(response: &Response) -> String {
    specify(&settings(SETTINGS), response).unwrap_err()
}

#[test]
fn a_job_gets_the_image_that_it_names_or_the_default() {
    let settings = settings(SETTINGS);
    let got = specify(&settings, &response()).unwrap();
    assert_eq!((got.image.as_str(), got.token, got.lifetime), ("debian", Token(4711), Duration::from_secs(1_200)));
    assert_eq!(got.cache, Some(Cache { project: 7, protected: true }));
    let named = Response { image: Some("nixos".into()), ..response() };
    assert_eq!(specify(&settings, &named).unwrap().image, "nixos");
}

#[test]
fn a_cache_is_asked_for_only_where_one_is_configured() {
    let plain = settings(r#"{"machines": {"images": {"debian": {"root": "/a"}}}, "defaultImage": "debian"}"#);
    assert_eq!(specify(&plain, &response()).unwrap().cache, None);
}

#[test]
fn an_unknown_image_is_refused_with_the_names_of_all() {
    for image in ["../../etc", "/etc", "debian ", "Debian", "$IMAGE", "debian:12", "a\u{1b}[31m"] {
        let why = refused(&Response { image: Some(image.into()), ..response() });
        assert!(why.contains(&format!("{image:?}")) && why.ends_with("Its images are: debian, nixos"), "{why}");
    }
    let long = refused(&Response { image: Some("x".repeat(1 << 20)), ..response() });
    assert!(long.len() < 300, "{} bytes", long.len());
    let without = settings(r#"{"machines": {"images": {"debian": {"root": "/a"}}}}"#);
    assert!(specify(&without, &response()).unwrap_err().contains("names no image"));
}

#[test]
fn services_and_steps_are_refused() {
    assert!(refused(&Response { services: 2, ..response() }).contains("has 2 under `services:`"));
    assert!(refused(&Response { has_steps: true, ..response() }).contains("`run:`"));
}

/// Has a machine of the same job already.
struct Taken(RefCell<Vec<&'static str>>);

impl Machines for Taken {
    type Id<'a> = Token;
    type Specification = Specification;
    type Instance = Instance;

    fn create(&self, specification: &Specification) -> Result<Instance, Fault> {
        self.0.borrow_mut().push("create");
        let Specification { token, image, .. } = specification.clone();
        if self.0.borrow().contains(&"delete") {
            Ok(Instance { token, image, state: State::Running, age: 0 })
        } else {
            Err(Fault::Duplicate("It exists".into()))
        }
    }
    fn delete(&self, _: Token) -> Result<(), Fault> {
        self.0.borrow_mut().push("delete");
        Ok(())
    }
    fn get(&self, _: Token) -> Result<Instance, Fault> {
        unreachable!()
    }
    fn list(&self) -> Result<Vec<Instance>, Fault> {
        unreachable!()
    }
    fn start(&self, _: Token) -> Result<(), Fault> {
        unreachable!()
    }
    fn stop(&self, _: Token) -> Result<(), Fault> {
        unreachable!()
    }
    fn console(&self, _: Token) -> Result<String, Fault> {
        unreachable!()
    }
}

#[test]
fn what_an_attempt_before_left_ends_first() {
    let machines = Taken(RefCell::default());
    let specification = specify(&settings(SETTINGS), &response()).unwrap();
    make(&machines, &specification).unwrap();
    assert_eq!(*machines.0.borrow(), ["create", "delete", "create"]);
}
