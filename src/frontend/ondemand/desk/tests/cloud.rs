//! The broker of a cloud whose instances are files: the id of the runner in each. It lives on when a desk is killed, and fails the test
//! when the same token comes with another request.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::contract::cloud::{
    Answer, Condition, Image, Instance, Launch, Market, Outcome, Placement, Question, Refusal, VERSION, Verb,
};

/// What it was asked for, by token, and what nobody may do.
#[derive(Default)]
pub struct Asked {
    launches: BTreeMap<String, String>,
    places: usize,
    /// Whether what is asked for is made, and nobody hears of it or sees it in a list before it is asked for again.
    pub is_silent: bool,
    /// How often something was asked for that was asked for before.
    repeats: usize,
    /// The first repeat that was another request.
    pub fault: Option<String>,
}

impl Asked {
    /// Whether an instance was asked for.
    pub fn has_launched(&self) -> bool {
        !self.launches.is_empty()
    }

    /// Whether the same token came once more.
    pub fn was_repeated(&self) -> bool {
        self.repeats > 0 || self.fault.is_some()
    }

    fn is_hidden(&self) -> bool {
        self.is_silent && !self.was_repeated()
    }
}

/// Answers at `cloud` below `home`, with instances below `machines`.
pub fn serve(home: &Path) -> Arc<Mutex<Asked>> {
    let listener = UnixListener::bind(home.join("cloud")).unwrap();
    let (asked, machines) = (Arc::<Mutex<Asked>>::default(), home.join("machines"));
    let shared = Arc::clone(&asked);
    thread::spawn(move || {
        let mut unanswered = vec![];
        for stream in listener.incoming().flatten() {
            let mut line = String::new();
            _ = BufReader::new(&stream).read_line(&mut line);
            // A desk that was killed wrote only a part of it.
            let Ok(question) = serde_json::from_str::<Question>(&line) else { continue };
            let mut asked = shared.lock().unwrap();
            let is_launch = matches!(question.verb, Verb::Launch(_));
            let outcome = answer(&mut asked, &machines, question.verb);
            if is_launch && asked.is_hidden() {
                unanswered.push(stream);
                continue;
            }
            let answer = Answer { version: VERSION, requests: 1, outcome };
            _ = writeln!(&stream, "{}", serde_json::to_string(&answer).unwrap());
        }
    });
    asked
}

fn answer(asked: &mut Asked, machines: &Path, verb: Verb) -> Outcome {
    let place = |token: &str| -> PathBuf { machines.join(token) };
    match verb {
        Verb::Place { .. } => {
            asked.places += 1;
            Outcome::Placed(Placement {
                market: Market::Spot,
                instance_type: "c7i.xlarge".into(),
                // Another one each time, as after a switch: only what was asked for first may be asked for again.
                subnet: format!("subnet-{:017x}", asked.places),
                image: Image {
                    id: "ami-00000000000000001".into(),
                    root_device: "/dev/sda1".into(),
                    other_devices: vec![],
                },
            })
        }
        Verb::Launch(launch) => {
            let text = serde_json::to_string(&launch).unwrap();
            match asked.launches.get(&launch.token) {
                Some(before) if *before != text => asked.fault = Some(launch.token),
                Some(_) => asked.repeats += 1,
                None => {
                    fs::write(place(&launch.token), runner(&launch)).unwrap();
                    asked.launches.insert(launch.token, text);
                }
            }
            Outcome::Launched
        }
        Verb::List if asked.is_hidden() => Outcome::Listed(vec![]),
        Verb::List => {
            let instance = |token: &String| {
                let condition = if place(token).exists() { Condition::Alive } else { Condition::Over };
                Instance { token: token.clone(), condition }
            };
            Outcome::Listed(asked.launches.keys().map(instance).collect())
        }
        Verb::End { token } => {
            _ = fs::remove_file(place(&token));
            Outcome::Done
        }
        Verb::Seal { token } if !place(&token).exists() => Outcome::Refused(Refusal::Passing("it is gone".into())),
        Verb::Seal { .. } => Outcome::Done,
        Verb::Console { .. } => Outcome::Console(String::new()),
        Verb::Check => Outcome::Checked(vec![]),
    }
}

/// The id of the runner that an instance becomes by its user data.
fn runner(launch: &Launch) -> String {
    let (_, rest) = launch.user_data.expose().split_once("registered_settings='").unwrap();
    let settings = BASE64_STANDARD.decode(rest.split_once('\'').unwrap().0).unwrap();
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap();
    settings["AgentId"].as_str().unwrap().into()
}
