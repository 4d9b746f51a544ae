//! Several questions over one connection, and their limits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use github_runners::contract::protocol::{Answer, Issue, MOST_QUESTIONS, ONE_QUESTION, Outcome, VERSION, Verb, Whom};
use serde_json::json;

use super::harness::Stand;
use crate::times::PATIENCE;

/// A broker at the other end of a connection, as its socket starts it.
struct Asker {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
    broker: Child,
}

impl Asker {
    fn new(stand: &Stand) -> Self {
        let (stream, broker) = UnixStream::pair().unwrap();
        let mut program = stand.program();
        program.stdin(OwnedFd::from(broker.try_clone().unwrap())).stdout(OwnedFd::from(broker)).stderr(Stdio::piped());
        let broker = program.spawn().unwrap();
        Self { answers: BufReader::new(stream.try_clone().unwrap()), stream, broker }
    }

    /// Asks without waiting; whether anybody is there to hear it is not told.
    fn say(&mut self, version: u64, instance: &str, verb: &Verb) {
        let question = json!({ "version": version, "instance": instance, "patience": PATIENCE, "verb": verb });
        _ = self.stream.write_all(format!("{question}\n").as_bytes());
    }

    fn ask(&mut self, verb: &Verb) -> Outcome {
        self.say(VERSION, "runner1", verb);
        let answer = self.hear().expect("an answer");
        assert_eq!(answer.version, VERSION);
        answer.outcome
    }

    /// The next answer; `None` if there is none any more.
    fn hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        // A broker that ends leaves what it did not read.
        read.is_ok_and(|read| read > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Ends the connection; the journal of the broker, which ends well.
    fn end(self) -> String {
        let Self { stream, answers, mut broker } = self;
        drop((stream, answers));
        let mut journal = String::new();
        broker.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
        assert!(broker.wait().unwrap().success(), "{journal}");
        journal
    }
}

#[test]
fn a_connection_carries_one_question_after_the_other() {
    let stand = Stand::new();
    let mut asker = Asker::new(&stand);
    assert_eq!(asker.ask(&Verb::Observe(Whom::Name)), Outcome::Seen(None));
    assert!(matches!(asker.ask(&Verb::Issue(Issue::Token)), Outcome::Token(_)));
    let Outcome::Jit { id, .. } = asker.ask(&Verb::Issue(Issue::Jit { work_folder: "/work".into() })) else {
        panic!("no runner was made")
    };
    assert!(matches!(asker.ask(&Verb::Observe(Whom::Name)), Outcome::Seen(Some(seen)) if seen.id == id));
    let journal = asker.end();
    assert_eq!(journal.lines().count(), 4, "one line for each question: {journal}");
}

#[test]
fn a_refusal_is_no_end_of_a_connection() {
    let stand = Stand::new();
    let mut asker = Asker::new(&stand);
    asker.say(VERSION, "other", &Verb::Preflight);
    assert!(matches!(asker.hear().unwrap().outcome, Outcome::Refused(_)));
    assert_eq!(asker.ask(&Verb::Observe(Whom::Name)), Outcome::Seen(None));
    asker.end();
}

#[test]
fn whoever_asks_as_the_release_before_did_gets_one_answer_as_it_was_given() {
    let stand = Stand::new();
    let mut asker = Asker::new(&stand);
    asker.say(ONE_QUESTION, "runner1", &Verb::Observe(Whom::Name));
    let answer = asker.hear().unwrap();
    assert_eq!((answer.version, answer.outcome), (ONE_QUESTION, Outcome::Seen(None)));
    asker.say(ONE_QUESTION, "runner1", &Verb::Observe(Whom::Name));
    assert!(asker.hear().is_none());
    // Also where it is refused.
    let mut asker = Asker::new(&stand);
    asker.say(ONE_QUESTION, "other", &Verb::Preflight);
    assert_eq!(asker.hear().unwrap().version, ONE_QUESTION);
    assert!(asker.hear().is_none());
}

#[test]
fn the_questions_of_a_connection_are_numbered() {
    let stand = Stand::new();
    let mut asker = Asker::new(&stand);
    for _ in 0..=MOST_QUESTIONS {
        asker.say(VERSION, "other", &Verb::Preflight);
    }
    let answers = std::iter::from_fn(|| asker.hear()).count();
    assert_eq!(answers, MOST_QUESTIONS as usize);
    assert!(stand.seen().is_empty());
}

#[test]
fn half_a_question_is_refused_and_the_last_thing_that_is_said() {
    let stand = Stand::new();
    let mut asker = Asker::new(&stand);
    assert_eq!(asker.ask(&Verb::Observe(Whom::Name)), Outcome::Seen(None));
    asker.stream.write_all(b"{").unwrap();
    asker.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(asker.hear().unwrap().outcome, Outcome::Refused(text) if text.contains("before its newline")));
    assert!(asker.hear().is_none());
}
