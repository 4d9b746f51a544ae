//! A broker that answers what it is told, and remembers what it was asked: for tests of those who ask brokers. `server` has
//! one with a server behind it, and the real one has tests of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use github_runners::contract::protocol::{Answer, Outcome, Request, Verb};

#[derive(Clone, Default)]
pub struct FakeBroker {
    asked: Arc<Mutex<Vec<Request>>>,
    /// What it answers, one after the other; the last one again and again.
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl FakeBroker {
    /// Answers at this socket from now on.
    pub fn listen(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let this = self.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                this.asked.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                let mut answers = this.answers.lock().unwrap();
                let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                stream.write_all((serde_json::to_string(&answer).unwrap() + "\n").as_bytes()).unwrap();
            }
        });
    }

    /// Another broker, whose questions are remembered together with those of this one.
    pub fn beside(&self) -> Self {
        Self { asked: Arc::clone(&self.asked), answers: Arc::default() }
    }

    /// From now on, this outcome of one request.
    pub fn answers(&self, outcome: Outcome) {
        self.answers_in_turn(&[outcome]);
    }

    /// From now on, these outcomes of one request each.
    pub fn answers_in_turn(&self, outcomes: &[Outcome]) {
        let answer = |outcome: &Outcome| Answer { requests: 1, ..Answer::unasked(outcome.clone()) };
        *self.answers.lock().unwrap() = outcomes.iter().map(answer).collect();
    }

    /// From now on, this whole answer.
    pub fn answers_with(&self, answer: Answer) {
        *self.answers.lock().unwrap() = vec![answer];
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Verb> {
        self.requests().into_iter().map(|request| request.verb).collect()
    }

    /// The same as whole requests.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}
