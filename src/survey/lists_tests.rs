//! Who is asked for a list, and after whom nobody else is.

use super::*;
use crate::fake_broker::FakeBroker;
use crate::model::InstanceName;
use crate::survey::Standing;
use crate::survey::sample::{self, NOW};

/// Runners of one address, each with a broker that gives this answer, or with none.
struct Case {
    runners: Vec<HostRunner>,
    sockets: tempfile::TempDir,
    asked: FakeBroker,
    memory: Memory,
}

fn case<A: Into<Option<Answer>>>(answers: Vec<A>) -> Case {
    let names: Vec<String> = (0..answers.len()).map(|at| format!("runner{at}")).collect();
    let (_, host, _) = sample::host(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let sockets = tempfile::tempdir().unwrap();
    let asked = FakeBroker::default();
    for (name, answer) in names.iter().zip(answers) {
        let Some(answer) = answer.into() else { continue };
        let broker = asked.beside();
        broker.answers_with(answer);
        broker.listen(&sockets.path().join(name));
    }
    Case { runners: host.runners, sockets, asked, memory: Memory::default() }
}

impl Case {
    /// Whether there is a list, and who was asked for it.
    fn run(&mut self) -> (bool, Vec<usize>) {
        let Lists { by_address, .. } = lists(&self.runners, self.sockets.path(), &mut self.memory, NOW);
        let asked = self.asked.requests().into_iter().map(|request| request.instance);
        let at = |name: InstanceName| self.runners.iter().position(|found| found.instance == name).unwrap();
        (by_address.values().all(Result::is_ok), asked.map(at).collect())
    }

    fn place(&mut self, at: usize) -> &mut crate::contract::manifest::Manifest {
        &mut self.runners[at].configured.as_mut().unwrap().manifest
    }
}

fn answer(outcome: Outcome) -> Answer {
    Answer { requests: 1, ..Answer::unasked(outcome) }
}

fn list() -> Answer {
    answer(Outcome::Listed(vec![]))
}

fn silence() -> Answer {
    answer(Outcome::Unreachable("no route".into()))
}

#[test]
fn the_first_answer_is_enough() {
    assert_eq!(case(vec![list(), list()]).run(), (true, vec![0]));
}

#[test]
fn a_broker_that_is_broken_silences_nobody_but_a_few_are_enough() {
    assert_eq!(case(vec![None, None, Some(list())]).run(), (true, vec![2]));
    let never_asked = Answer::unasked(Outcome::Unreachable("no key".into()));
    assert_eq!(case(vec![never_asked, list()]).run(), (true, vec![0, 1]));
    assert_eq!(case(vec![None, None, None, Some(list())]).run(), (false, vec![]));
}

#[test]
fn a_silent_server_is_waited_for_once_on_each_way() {
    assert_eq!(case(vec![silence(), list()]).run(), (false, vec![0]));
    let mut proxied = case(vec![silence(), silence(), list()]);
    proxied.place(2).broker_environment = BTreeMap::from([("https_proxy".into(), "http://proxy".into())]);
    assert_eq!(proxied.run(), (true, vec![0, 2]));
    // One that only cannot serve this list has not gone.
    let failing = Answer { clock_ahead: Some(0), ..silence() };
    let mut served = case(vec![failing, list()]);
    served.place(1).registration.url = RegistrationUrl::parse("https://github.com/o/zzz").unwrap();
    assert_eq!(served.run(), (false, vec![0, 1]));
    // At another address of the same server, too.
    let mut elsewhere = case(vec![silence(), list()]);
    elsewhere.place(1).registration.url = RegistrationUrl::parse("https://github.com/o/zzz").unwrap();
    assert_eq!(elsewhere.run(), (false, vec![0]));
}

#[test]
fn another_credential_is_asked_after_one_that_is_refused_or_limited() {
    let other = |case: &mut Case| {
        case.place(1).registration.token_file = Some("/run/secrets/other".to_owned().try_into().unwrap());
    };
    let refused = || answer(Outcome::Refused("no".into()));
    assert_eq!(case(vec![refused(), list()]).run(), (false, vec![0]));
    let mut case_of_two = case(vec![refused(), list()]);
    other(&mut case_of_two);
    assert_eq!(case_of_two.run(), (true, vec![0, 1]));
    let mut limited = case(vec![list(), list()]);
    limited
        .memory
        .credentials
        .insert("/run/secrets/t".into(), Standing { limited: Some(NOW + 60), ..Standing::default() });
    assert_eq!(limited.run(), (false, vec![]));
    other(&mut limited);
    assert_eq!(limited.run(), (true, vec![1]));
}
