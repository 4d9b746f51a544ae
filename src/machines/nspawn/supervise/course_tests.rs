//! What follows from each event at each time.

use super::*;
use crate::machines::nspawn::protocol::LONGEST_GRACE;

const HOUR: Duration = Duration::from_secs(3_600);

/// Longer than all of the others here, shorter than the time of a machine.
const FOR_STAGES: Purpose = Purpose::Stages { idle: Duration::from_secs(3_000) };

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hello() -> Event {
    Event::Agent(Report::Hello { version: VERSION })
}

fn stage(client: Client) -> Event {
    Event::Asked(client, Request::Stage { name: format!("stage {client}") })
}

/// A machine that is ready, and one whose stage of client 1 runs since second 10.
fn ready() -> Course {
    let mut course = Course::new(false, HOUR, FOR_STAGES);
    assert_eq!(course.on(s(1), hello()), [Act::Start, Act::Ready]);
    course
}

fn busy() -> Course {
    let mut course = ready();
    assert_eq!(course.on(s(10), stage(1)), [Act::Stage(1)]);
    course
}

fn note(client: Client, answer: Answer, took: u64) -> Act {
    Act::Note(Note { stage: format!("stage {client}"), answer, took: s(took) })
}

#[test]
fn a_machine_that_boots_is_ready_when_its_init_says_so() {
    let mut course = Course::new(true, HOUR, FOR_STAGES);
    assert_eq!(course.on(s(0), Event::Booted), [], "the image's word alone is nothing");
    assert_eq!(course.on(s(1), hello()), [Act::Start]);
    let refused = course.on(s(1), stage(1));
    assert!(matches!(refused.as_slice(), [Act::Answer(1, Answer::Failed(Fault::Busy(_)))]), "{refused:?}");
    assert_eq!(course.on(s(2), Event::Booted), [Act::Ready]);
    assert_eq!(course.on(s(2), Event::Booted), [], "it is said once");
    assert_eq!(course.on(s(3), stage(2)), [Act::Stage(2)]);
}

#[test]
fn a_stage_ends_with_the_very_code_or_signal() {
    for (report, answer) in [
        (Report::Exit(0), Answer::Exit(0)),
        (Report::Exit(255), Answer::Exit(255)),
        (Report::Signal(15), Answer::Signal(15)),
        (Report::Failed("no bash".into()), Answer::Failed(Fault::Other("no bash".into()))),
    ] {
        let mut course = busy();
        let acts = course.on(s(12), Event::Agent(report));
        assert_eq!(acts, [Act::Answer(1, answer.clone()), note(1, answer, 2)]);
        assert_eq!(course.on(s(13), stage(2)), [Act::Stage(2)], "and the next one can begin");
    }
}

#[test]
fn two_stages_never_run_at_once_but_one_waits_for_what_nobody_waits_for() {
    let mut course = busy();
    assert!(matches!(course.on(s(11), stage(2)).as_slice(), [Act::Answer(2, Answer::Failed(Fault::Busy(_)))]));
    assert_eq!(course.on(s(12), Event::Left(1)), [Act::Cancel(0)]);
    assert_eq!(course.on(s(12), stage(3)), []);
    assert!(matches!(course.on(s(12), stage(4)).as_slice(), [Act::Answer(4, Answer::Failed(Fault::Busy(_)))]));
    let acts = course.on(s(13), Event::Agent(Report::Signal(9)));
    assert_eq!(acts, [note(1, Answer::Signal(9), 3), Act::Stage(3)]);
}

#[test]
fn a_waiting_driver_that_leaves_is_forgotten() {
    let mut course = busy();
    course.on(s(11), Event::Left(1));
    course.on(s(12), stage(2));
    assert_eq!(course.on(s(12), Event::Left(2)), []);
    assert_eq!(course.on(s(13), Event::Agent(Report::Signal(9))), [note(1, Answer::Signal(9), 3)]);
}

#[test]
fn only_the_driver_of_a_stage_cancels_it_and_an_agent_that_does_not_obey_is_ended() {
    let mut course = busy();
    let cancel = |client| Event::Asked(client, Request::Cancel { grace: 1_000_000 });
    assert!(matches!(course.on(s(11), cancel(2)).as_slice(), [Act::Answer(2, Answer::Failed(Fault::Busy(_)))]));
    assert_eq!(course.on(s(11), cancel(1)), [Act::Cancel(LONGEST_GRACE)]);
    assert_eq!(course.next_tick(), s(11 + LONGEST_GRACE + 30));
    assert_eq!(course.on(s(100), Event::Tick), []);
    assert_eq!(course.on(s(11 + LONGEST_GRACE + 30), Event::Tick), [Act::Kill]);
    let gone = Answer::Gone(Gone::AgentLied);
    let acts = course.on(s(700), Event::Exited(None, false));
    assert_eq!(acts, [Act::Answer(1, gone.clone()), note(1, gone, 690)]);
}

#[test]
fn why_a_machine_is_gone_comes_from_how_it_ended() {
    for (code, memory, reason) in [
        (Some(0), false, Gone::PoweredOff),
        (Some(133), false, Gone::Rebooted),
        (Some(1), false, Gone::Killed),
        (None, false, Gone::Killed),
        (None, true, Gone::Memory),
    ] {
        let mut course = busy();
        assert_eq!(course.on(s(11), Event::AgentGone), [], "it is not known yet");
        let acts = course.on(s(12), Event::Exited(code, memory));
        assert_eq!(acts, [Act::Answer(1, Answer::Gone(reason)), note(1, Answer::Gone(reason), 2)]);
        let later = course.on(s(20), stage(2));
        assert_eq!(later, [Act::Answer(2, Answer::Gone(reason))], "also a later stage is told");
    }
}

#[test]
fn a_machine_without_its_agent_is_ended_and_what_is_asked_meanwhile_gets_the_reason() {
    let mut course = ready();
    course.on(s(10), Event::AgentGone);
    assert_eq!(course.on(s(11), stage(1)), []);
    let end = s(10) + SHUTDOWN;
    assert_eq!(course.next_tick(), end);
    assert_eq!(course.on(end, Event::Tick), [Act::Kill]);
    let acts = course.on(end + s(1), Event::Exited(None, false));
    assert_eq!(acts[0], Act::Answer(1, Answer::Gone(Gone::AgentKilled)));
}

#[test]
fn an_agent_that_the_kernel_killed_for_lack_of_memory_is_not_laid_to_the_job() {
    let mut course = busy();
    course.on(s(11), Event::AgentGone);
    assert_eq!(course.on(s(11) + SHUTDOWN, Event::Tick), [Act::Kill]);
    let acts = course.on(s(12) + SHUTDOWN, Event::Exited(None, true));
    assert_eq!(acts[0], Act::Answer(1, Answer::Gone(Gone::Memory)));
    let mut liar = busy();
    liar.on(s(11), hello());
    let acts = liar.on(s(12), Event::Exited(None, true));
    assert_eq!(acts[0], Act::Answer(1, Answer::Gone(Gone::AgentLied)), "what we ended ourselves has our reason");
}

#[test]
fn an_agent_that_says_what_was_not_asked_is_ended_with_its_machine() {
    for report in
        [Report::Exit(0), Report::Signal(9), Report::Failed(String::new()), Report::Hello { version: VERSION }]
    {
        let mut course = ready();
        assert_eq!(course.on(s(2), Event::Agent(report.clone())), [Act::Kill], "{report:?}");
        assert_eq!(course.on(s(2), Event::Agent(report)), [], "once");
    }
    let mut early = Course::new(false, HOUR, FOR_STAGES);
    assert_eq!(early.on(s(1), Event::Agent(Report::Exit(0))), [Act::Kill]);
    let mut other = Course::new(false, HOUR, FOR_STAGES);
    assert_eq!(other.on(s(1), Event::Agent(Report::Hello { version: VERSION + 1 })), [Act::Kill]);
}

#[test]
fn whatever_wants_the_end_gets_it_and_the_stage_is_told_why() {
    for (event, reason) in [(Event::RunnerGone, Gone::RunnerGone), (Event::Terminated, Gone::Killed)] {
        let acts = busy().on(s(12), event);
        let gone = Answer::Gone(reason);
        assert_eq!(acts, [Act::Answer(1, gone.clone()), note(1, gone, 2), Act::Quit(reason)]);
    }
    let ended = Answer::Gone(Gone::Ended);
    let acts = busy().on(s(12), Event::Asked(5, Request::End));
    let expected =
        [Act::Answer(5, Answer::Ending), Act::Answer(1, ended.clone()), note(1, ended, 2), Act::Quit(Gone::Ended)];
    assert_eq!(acts, expected);
    let mut course = busy();
    assert_eq!(course.next_tick(), HOUR);
    let late = Answer::Gone(Gone::Deadline);
    let acts = course.on(HOUR, Event::Tick);
    assert_eq!(acts, [Act::Answer(1, late.clone()), note(1, late, 3_590), Act::Quit(Gone::Deadline)]);
}

#[test]
fn a_machine_that_nobody_uses_ends_and_looking_at_it_is_no_use() {
    let idle = s(600);
    let mut course = Course::new(false, HOUR, Purpose::Stages { idle });
    course.on(s(1), hello());
    assert_eq!(course.next_tick(), s(601));
    course.on(s(10), stage(1));
    assert_eq!(course.next_tick(), HOUR, "a stage may take as long as the job");
    assert_eq!(course.on(s(2_000), Event::Tick), []);
    course.on(s(2_000), Event::Agent(Report::Exit(0)));
    course.on(s(2_500), Event::Asked(2, Request::Look));
    course.on(s(2_500), Event::Left(2));
    assert_eq!(course.next_tick(), s(2_600));
    assert_eq!(course.on(s(2_599), Event::Tick), []);
    assert_eq!(course.on(s(2_600), Event::Tick), [Act::Quit(Gone::Unused)]);
    let mut slow = Course::new(true, HOUR, Purpose::Stages { idle });
    slow.on(s(1), hello());
    assert_eq!(slow.on(s(700), Event::Tick), [], "while it boots somebody waits for it");
    slow.on(s(700), Event::Booted);
    assert_eq!(slow.on(s(1_299), Event::Tick), []);
    slow.on(s(1_299), Event::Exited(Some(0), false));
    assert_eq!(slow.on(s(1_300), Event::Tick), [Act::Quit(Gone::PoweredOff)], "the reason stays the first one");
}

#[test]
fn before_it_is_ready_every_end_is_told_to_who_asked_for_the_machine() {
    for event in [Event::OrdererGone, Event::RunnerGone, Event::Terminated, Event::Exited(Some(1), false)] {
        for agent in [false, true] {
            let mut course = Course::new(true, HOUR, FOR_STAGES);
            if agent {
                course.on(s(1), hello());
            }
            let acts = course.on(s(2), event.clone());
            assert!(
                matches!(acts.as_slice(), [Act::Failed(one), Act::Quit(other)] if one == other),
                "{event:?}: {acts:?}"
            );
        }
    }
    assert_eq!(ready().on(s(2), Event::OrdererGone), [], "afterwards nobody needs it");
}

#[test]
fn looking_tells_what_the_machine_does() {
    let look = |course: &mut Course| course.on(s(11), Event::Asked(9, Request::Look));
    let mut starting = Course::new(true, HOUR, FOR_STAGES);
    assert_eq!(look(&mut starting), [Act::Answer(9, Answer::Look { ready: false, stage: None })]);
    let looked = look(&mut busy());
    assert_eq!(looked, [Act::Answer(9, Answer::Look { ready: true, stage: Some("stage 1".into()) })]);
    assert_eq!(ready().on(s(3), Event::Asked(9, Request::Console)), [Act::Console(9)]);
}

#[test]
fn another_request_on_the_connection_of_a_stage_is_refused_and_ends_the_stage() {
    for request in [Request::Stage { name: "other".into() }, Request::Look, Request::Console] {
        let mut course = busy();
        let acts = course.on(s(11), Event::Asked(1, request.clone()));
        let [Act::Answer(1, Answer::Failed(Fault::Busy(_))), Act::Cancel(0)] = acts.as_slice() else {
            panic!("{request:?}: {acts:?}");
        };
        assert_eq!(course.on(s(11), stage(2)), [], "the next one waits for its end");
        let acts = course.on(s(12), Event::Asked(2, request.clone()));
        assert!(matches!(acts.as_slice(), [Act::Answer(2, Answer::Failed(Fault::Busy(_)))]), "{request:?}: {acts:?}");
        assert_eq!(course.on(s(13), Event::Agent(Report::Signal(9))), [note(1, Answer::Signal(9), 3)]);
    }
}

#[test]
fn what_an_agent_says_is_short_and_moves_no_terminal() {
    let mut course = busy();
    let lie = format!("\u{1b}[2J\r\n{}", "x".repeat(16_000));
    let acts = course.on(s(12), Event::Agent(Report::Failed(lie)));
    let [Act::Answer(1, Answer::Failed(Fault::Other(said))), _] = acts.as_slice() else { panic!("{acts:?}") };
    assert_eq!(*said, format!(" [2J  {}", "x".repeat(494)));
}

/// Its agent said that it is there, and its init was started.
fn working() -> Course {
    let mut course = Course::new(true, HOUR, Purpose::OwnWork);
    assert_eq!(course.on(s(1), hello()), [Act::Start, Act::Ready]);
    course
}

#[test]
fn a_machine_with_work_of_its_own_is_ready_when_its_init_is_started_and_lives_without_who_wanted_it() {
    let mut course = working();
    for event in [Event::OrdererGone, Event::Booted, Event::AgentGone, Event::Tick] {
        assert_eq!(course.on(s(3_599), event.clone()), [], "{event:?}");
    }
    assert_eq!(course.next_tick(), HOUR, "nothing else is waited for");
    assert_eq!(course.on(HOUR, Event::Tick), [Act::Quit(Gone::Deadline)]);
}

#[test]
fn a_machine_with_work_of_its_own_is_over_when_it_ends_by_itself() {
    for (code, memory, reason) in [
        (Some(0), false, Gone::PoweredOff),
        (Some(133), false, Gone::Rebooted),
        (Some(1), false, Gone::Killed),
        (None, true, Gone::Memory),
    ] {
        let mut course = working();
        course.on(s(10), Event::AgentGone);
        assert_eq!(course.on(s(11), Event::Exited(code, memory)), [Act::Quit(reason)], "nobody will ask why");
    }
}

#[test]
fn a_machine_with_work_of_its_own_takes_no_stages_and_ends_when_somebody_wants_it() {
    let refused = working().on(s(2), stage(1));
    assert!(matches!(refused.as_slice(), [Act::Answer(1, Answer::Failed(Fault::Configuration(_)))]), "{refused:?}");
    let looked = working().on(s(2), Event::Asked(2, Request::Look));
    assert_eq!(looked, [Act::Answer(2, Answer::Look { ready: true, stage: None })]);
    assert_eq!(working().on(s(2), Event::Asked(3, Request::Console)), [Act::Console(3)]);
    let ended = working().on(s(2), Event::Asked(4, Request::End));
    assert_eq!(ended, [Act::Answer(4, Answer::Ending), Act::Quit(Gone::Ended)]);
    assert_eq!(working().on(s(2), Event::Terminated), [Act::Quit(Gone::Killed)]);
    assert_eq!(working().on(s(2), Event::Agent(Report::Exit(0))), [Act::Kill], "its agent has nothing to say");
}

#[test]
fn a_machine_with_work_of_its_own_is_not_made_for_who_went_away_before() {
    let mut course = Course::new(true, HOUR, Purpose::OwnWork);
    let acts = course.on(s(1), Event::OrdererGone);
    assert_eq!(acts, [Act::Failed(Gone::Ended), Act::Quit(Gone::Ended)]);
}
