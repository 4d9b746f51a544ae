use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::thread;

use super::super::sample_tests::{LIFETIME, class, key, registration};
use super::*;
use crate::contract::cloud::{Answer, Instance, Market, Question, VERSION};
use crate::frontend::ondemand::settings::{ClassSettings, KindSettings};
use crate::model::Repository;

fn placement() -> Placement {
    Placement {
        market: Market::Spot,
        instance_type: "c7i.xlarge".into(),
        subnet: "subnet-0000000000000000a".into(),
        image: Image { id: "ami-00000000000000001".into(), root_device: "/dev/sda1".into(), other_devices: vec![] },
    }
}

/// A broker that gives these answers, one for each connection, and what it was asked.
struct Told {
    home: tempfile::TempDir,
    asked: thread::JoinHandle<Vec<String>>,
}

fn broker(answers: Vec<Outcome>) -> Told {
    let home = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(home.path().join("broker")).unwrap();
    let asked = thread::spawn(move || {
        let mut asked = vec![];
        for outcome in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            asked.push(line);
            let answer = Answer { version: VERSION, requests: 1, outcome };
            writeln!(&stream, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
        }
        asked
    });
    std::fs::write(home.path().join("order.json"), registration().to_text().unwrap()).unwrap();
    Told { home, asked }
}

fn settings() -> ClassSettings {
    let kind =
        KindSettings::Ec2 { broker: "/nowhere".into(), place: "here".into(), spot: 4, candidates: 8, runner: None };
    ClassSettings { kind, ..class() }
}

fn launch(told: &Told, kind: &Ec2, attempt: u32) -> Result<(), Unmade> {
    let (key, class, repository) = (key(), settings(), Repository::parse("octo-org/example").unwrap());
    let registration = told.home.path().join("order.json");
    kind.launch(&Launch {
        key: &key,
        token: &Token::new("host", &key, attempt, 1),
        class: &class,
        registration: &registration,
        lifetime: LIFETIME,
        repository: &repository,
        run: Some(19_283_746),
    })
}

fn kind(told: &Told) -> Ec2 {
    Ec2::new(told.home.path().join("broker"), key().class, "here")
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

fn verb(line: &str) -> Verb {
    serde_json::from_str::<Question>(line).unwrap().verb
}

#[test]
fn a_request_is_repeated_word_for_word_by_whoever_asks_again() {
    let lost = || refused(Refusal::Passing("no answer".into()));
    let told = broker(vec![Outcome::Placed(placement()), lost(), Outcome::Launched]);
    assert!(matches!(launch(&told, &kind(&told), 1), Err(Unmade::Fault(Fault::Unavailable(_)))));
    // The next desk, which does not ask where: that would be another request if another image came meanwhile.
    launch(&told, &kind(&told), 1).unwrap();
    let asked = told.asked.join().unwrap();
    assert!(matches!(verb(&asked[0]), Verb::Place { image: None, .. }));
    assert_eq!(asked[1], asked[2]);
    let Verb::Launch(wanted) = verb(&asked[1]) else { panic!("{}", asked[1]) };
    assert_eq!((wanted.name.as_str(), wanted.placement), (key().to_string().as_str(), placement()));
    let user_data = wanted.user_data.expose();
    assert!(user_data.starts_with("#!/usr/bin/env bash\n") && user_data.len() < 16 << 10, "{}", user_data.len());
}

#[test]
fn another_token_is_another_request_for_the_image_that_is_known() {
    let told = broker(vec![
        Outcome::Placed(placement()),
        refused(Refusal::NoRoom("InsufficientInstanceCapacity: none".into())),
        Outcome::Placed(placement()),
        Outcome::Launched,
    ]);
    let kind = kind(&told);
    let first = launch(&told, &kind, 1).unwrap_err();
    assert_eq!(first, Fault::NoCapacity("InsufficientInstanceCapacity".into()).into());
    launch(&told, &kind, 2).unwrap();
    let asked = told.asked.join().unwrap();
    assert!(matches!(verb(&asked[2]), Verb::Place { image: Some(image), .. } if image == placement().image));
}

#[test]
fn every_refusal_says_what_can_be_tried_next() {
    let why = || "why".to_owned();
    for (refusal, expected) in [
        (Refusal::NoRoom(why()), Unmade::Fault(Fault::NoCapacity(why()))),
        (Refusal::NoSpot(why()), Unmade::NoRoomUpTo(4, why())),
        (Refusal::Quota(why()), Unmade::NoRoomUpTo(8, why())),
        (Refusal::Passing(why()), Unmade::Fault(Fault::Unavailable(why()))),
        (Refusal::Slower(why()), Unmade::NotAsked(why())),
        (Refusal::NoRoom("Code: of arn:aws:iam".into()), Unmade::Fault(Fault::NoCapacity("Code".into()))),
        (Refusal::Mismatch(why()), Unmade::Fault(Fault::Other(why()))),
        (Refusal::Over(why()), Unmade::Fault(Fault::Duplicate(why()))),
        (Refusal::Credential(why()), Unmade::Fault(Fault::Configuration(why()))),
        (Refusal::Configuration(why()), Unmade::Fault(Fault::Configuration(why()))),
    ] {
        let told = broker(vec![Outcome::Placed(placement()), refused(refusal)]);
        assert_eq!(launch(&told, &kind(&told), 1), Err(expected));
        told.asked.join().unwrap();
    }
}

#[test]
fn a_broker_that_is_not_there_or_says_nothing_proves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let nobody = Ec2::new(home.path().join("broker"), key().class, "here");
    assert!(matches!(nobody.look(), Err(Fault::Unavailable(_))));
    let told = broker(vec![Outcome::Done]);
    assert!(matches!(kind(&told).look(), Err(Fault::Unavailable(_))));
    told.asked.join().unwrap();
    let listener = UnixListener::bind(home.path().join("broker")).unwrap();
    let hangs_up = thread::spawn(move || drop(listener.accept()));
    assert!(matches!(nobody.end("token"), Err(Fault::Unavailable(_))));
    hangs_up.join().unwrap();
}

#[test]
fn a_question_that_makes_nothing_leaves_an_order_as_if_it_had_not_been_tried() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("order.json"), registration().to_text().unwrap()).unwrap();
    let told = Told { home, asked: thread::spawn(Vec::new) };
    assert!(matches!(launch(&told, &kind(&told), 1), Err(Unmade::NotAsked(_))), "nobody listens");
    for refusal in [Refusal::Passing("why".into()), Refusal::Slower("why".into())] {
        let told = broker(vec![refused(refusal)]);
        assert_eq!(launch(&told, &kind(&told), 1), Err(Unmade::NotAsked("why".into())));
    }
}

#[test]
fn a_look_tells_what_stands_and_what_is_over() {
    use cloud::Condition as Of;
    let instance = |token: &str, condition| Instance { token: token.into(), condition };
    let all = [("a", Of::Alive), ("b", Of::Stopped), ("c", Of::Over), ("d", Of::NoRoom)];
    let told = broker(vec![Outcome::Listed(all.map(|(token, condition)| instance(token, condition)).to_vec())]);
    let seen: Vec<_> = kind(&told).look().unwrap().into_iter().map(|seen| seen.condition).collect();
    assert_eq!(seen, [Condition::Alive, Condition::Stopped, Condition::Over, Condition::NoRoom]);
    told.asked.join().unwrap();
}
