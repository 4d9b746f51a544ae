//! What is asked of supervisors, which are threads of the test here, and what becomes of their answers.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use serde_json::json;

use super::super::sample_tests::{LIFETIME, class, fault, key, registration};
use super::*;
use crate::frontend::ondemand::kind::user_data;
use crate::frontend::ondemand::settings::ClassSettings;
use crate::machines::nspawn::protocol::{Answer, Errand, Order, Progress, Request};
use crate::machines::nspawn::wire::{Connection, Listener};
use crate::registration::jit::JitRegistration;

/// A run directory with a socket for new supervisors, and a registration.
struct Host {
    directory: tempfile::TempDir,
    class: ClassSettings,
    registration: JitRegistration,
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registration = registration();
        fs::write(directory.path().join("registration.json"), registration.to_text().unwrap()).unwrap();
        fs::create_dir(directory.path().join("jobs")).unwrap();
        Self { directory, class: class(), registration }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn kind(&self) -> Nspawn {
        Nspawn::new(self.path())
    }

    fn launch(&self) -> Result<(), Fault> {
        let (key, token) = (key(), token());
        let file: PathBuf = self.path().join("registration.json");
        self.kind()
            .launch(&Launch {
                key: &key,
                token: &token,
                class: &self.class,
                registration: &file,
                lifetime: LIFETIME,
                repository: &self.registration.repository,
                run: self.registration.run,
            })
            .map_err(fault)
    }

    /// A supervisor that takes one order, and answers it so.
    fn supervisor(&self, answer: Progress) -> JoinHandle<(Order, String)> {
        let listener = Listener::bind(&self.path().join("machines.sock")).unwrap();
        thread::spawn(move || {
            let connection = listener.accept().unwrap();
            let received = connection.receive::<Errand>().unwrap().unwrap();
            let Errand::Make(order) = received.message else { panic!("{:?}", received.message) };
            let [memory] = <[_; 1]>::try_from(received.descriptors).unwrap();
            let memory = File::from(memory);
            let mut data = vec![0; usize::try_from(memory.metadata().unwrap().len()).unwrap()];
            memory.read_exact_at(&mut data, 0).unwrap();
            connection.send(&Progress::Doing("Starting".into()), &[]).unwrap();
            connection.send(&answer, &[]).unwrap();
            (order, String::from_utf8(data).unwrap())
        })
    }

    /// A machine with this number, whose supervisor gives one answer.
    fn machine(&self, number: u64, answer: impl FnOnce(Request) -> Answer + Send + 'static) -> JoinHandle<()> {
        let job = self.path().join("jobs").join(number.to_string());
        fs::create_dir(&job).unwrap();
        let record = json!({"image": "runner", "made": 1, "group": "/a", "cache": null});
        fs::write(job.join("record.json"), record.to_string()).unwrap();
        let listener = Listener::bind(&job.join("socket")).unwrap();
        thread::spawn(move || {
            let connection: Connection = listener.accept().unwrap();
            let request = connection.receive::<Request>().unwrap().unwrap().message;
            let ends = request == Request::End;
            connection.send(&answer(request), &[]).unwrap();
            if ends {
                fs::remove_dir_all(&job).unwrap();
            }
        })
    }
}

fn token() -> Token {
    Token::new("host", &key(), 1, 1)
}

#[test]
fn a_machine_is_asked_for_by_a_number_that_no_job_of_gitlab_has_with_its_user_data_and_until_its_deadline() {
    let host = Host::new();
    let supervisor = host.supervisor(Progress::Ready);
    host.launch().unwrap();
    let (order, data) = supervisor.join().unwrap();
    assert_eq!(order.job.to_string(), host.kind().name(&key(), &token()));
    assert!(order.job > i64::MAX.unsigned_abs(), "GitLab's numbers are those of a signed integer");
    assert_eq!((order.image.as_str(), order.cache, order.user_data), ("runner", None, true));
    assert_eq!(order.timeout, LIFETIME.as_secs());
    let expected = user_data::script(
        &host.registration,
        &Launch {
            key: &key(),
            token: &token(),
            class: &host.class,
            registration: Path::new(""),
            lifetime: LIFETIME,
            repository: &host.registration.repository,
            run: host.registration.run,
        },
    );
    assert_eq!(data, expected);
}

#[test]
fn what_the_supervisor_says_of_an_order_is_what_the_desk_hears() {
    for fault in [
        Fault::NoCapacity("All 4 slots for machines are taken".into()),
        Fault::Duplicate("It is there already".into()),
        Fault::NotFound("There is no image runner".into()),
        Fault::Configuration("Image runner is not booted".into()),
        Fault::Unavailable("It was powered off before it was ready".into()),
    ] {
        let host = Host::new();
        let supervisor = host.supervisor(Progress::Failed(fault.clone()));
        assert_eq!(host.launch(), Err(fault));
        supervisor.join().unwrap();
    }
}

#[test]
fn without_a_registration_or_an_image_nobody_is_asked() {
    let host = Host::new();
    let said = |host: &Host| host.launch().unwrap_err().to_string();
    fs::write(host.path().join("registration.json"), r#"{"id": 7, "secret": "FAKE"}"#).unwrap();
    let broken = said(&host);
    assert!(broken.contains("it is no registration of this release") && !broken.contains("FAKE"), "{broken}");
    fs::remove_file(host.path().join("registration.json")).unwrap();
    assert!(said(&host).contains("there is no such file"));
    let local = KindSettings::Local { unit: "a".into(), work_directory: "/run".into() };
    let other = Host { class: ClassSettings { kind: local, ..class() }, ..Host::new() };
    assert!(matches!(other.launch(), Err(Fault::Configuration(_))));
}

#[test]
fn a_look_finds_the_machines_of_orders_and_none_of_jobs() {
    let host = Host::new();
    let answer = |_| Answer::Look { ready: true, stage: None };
    let of_a_job = host.machine(4_711, answer);
    let ours = host.machine(OURS | 5, answer);
    // Whoever is too busy to answer has not ended.
    let silent = host.machine(OURS | 6, |_| Answer::Failed(Fault::Busy("later".into())));
    let seen = |number: u64| Seen::standing((OURS | number).to_string(), false);
    assert_eq!(host.kind().look().unwrap(), [seen(5), seen(6)]);
    for machine in [of_a_job, ours, silent] {
        machine.join().unwrap();
    }
    assert_eq!(Nspawn::new("/nonexistent").look().unwrap(), []);
}

#[test]
fn only_machines_of_orders_are_ended_and_a_missing_one_is_fine() {
    let host = Host::new();
    for name in ["4711", "", "-1", "9223372036854775807", "../1", "18446744073709551616"] {
        let said = host.kind().end(name).unwrap_err().to_string();
        assert!(said.contains("nothing was done"), "{name}: {said}");
        assert!(host.kind().console(name).is_err());
    }
    let name = (OURS | 5).to_string();
    host.kind().end(&name).unwrap();
    let machine = host.machine(OURS | 5, |request| {
        assert_eq!(request, Request::End);
        Answer::Ending
    });
    host.kind().end(&name).unwrap();
    machine.join().unwrap();
    assert!(!host.path().join("jobs").join(&name).exists());
}

#[test]
fn the_console_is_the_machines_word_and_empty_without_one() {
    let host = Host::new();
    let name = (OURS | 5).to_string();
    assert_eq!(host.kind().console(&name).unwrap(), "");
    let machine = host.machine(OURS | 5, |_| Answer::Console("it powers off".into()));
    assert_eq!(host.kind().console(&name).unwrap(), "it powers off");
    machine.join().unwrap();
}
