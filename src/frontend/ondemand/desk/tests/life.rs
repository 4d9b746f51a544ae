//! Orders from their question to their end, also when desk, server or host die on the way.

use serde_json::json;

use super::super::super::order::State;
use super::super::super::reason::Reason;
use super::server::{Mischief, REPOSITORY};
use super::world::{World, create};
use super::{LABEL, ONE, end_by_hand, look, online, runner};
use crate::contract::workflow::Artifact;
use crate::machines::Fault;

#[test]
fn an_order_lives_from_its_question_to_its_end_and_leaves_nothing() {
    let mut world = World::new();
    assert_eq!(runner(world.create(LABEL)).state, State::Accepted);
    assert_eq!(world.asked(), ["run", "jobs"], "an unproven request costs two looks");
    world.after(10);
    assert_eq!(world.state_of(ONE), Some(State::Accepted), "its job is not queued yet");
    world.queue(7, LABEL);
    world.after(21);
    assert_eq!(world.state_of(ONE), Some(State::Launched));
    assert_eq!(world.materials(), 1);
    world.boot();
    world.after(2);
    assert_eq!(world.state_of(ONE), Some(State::Online));
    assert_eq!(world.materials(), 0, "nobody needs the registration's files any more");
    world.start_jobs();
    world.after(15);
    assert_eq!(world.state_of(ONE), Some(State::Busy));
    world.end_jobs();
    world.after(15);
    assert_eq!(world.order(ONE).reason, Some(Reason::Done));
    assert_eq!(runner(world.ask(look())).state, State::Ended);
    world.is_clean();
    assert_eq!(runner(world.create(LABEL)).state, State::Ended, "a label is served once");
    assert_eq!(*world.vms.launches.lock().unwrap(), 1);
    world.after(25 * 60 * 60);
    assert_eq!(world.state_of(ONE), None);
    assert_eq!(std::fs::read_dir(world.state("registrations")).unwrap().count(), 0);
}

#[test]
fn a_caller_that_waits_is_answered_when_the_runner_is_online() {
    let mut world = World::new();
    world.queue(7, LABEL);
    let answered = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    assert!(answered.answer.try_recv().is_err());
    world.boot();
    world.after(2);
    assert_eq!(runner(answered.answer.try_recv().ok()).state, State::Online);
}

#[test]
fn a_desk_that_is_killed_at_any_event_makes_no_second_machine_and_leaves_nothing() {
    for kills_after in 0..14 {
        let mut world = World::new();
        world.queue(7, LABEL);
        drop(world.begin(create(LABEL, &["x86_64"]), None, 0));
        world.desk.step_all(world.now);
        world.desk.look_about(world.now);
        for _ in 0..kills_after {
            // One event at a time, until nothing comes by itself.
            let Some(event) = world.event() else { break };
            world.desk.hear(event, world.now);
            world.desk.step_all(world.now);
        }
        world.kill();
        for _ in 0..40 {
            world.boot();
            world.start_jobs();
            world.after(15);
        }
        world.end_jobs();
        for _ in 0..40 {
            world.after(15);
        }
        if let Some(state) = world.state_of(ONE) {
            assert_eq!(state, State::Ended, "killed after {kills_after}: {:?}", world.order(ONE));
        }
        assert!(*world.vms.launches.lock().unwrap() <= 2, "killed after {kills_after}");
        world.is_clean();
    }
}

#[test]
fn a_lost_answer_is_found_out_and_taken_back_before_another_registration_is_asked_for() {
    let mut world = World::new();
    world.server.lock().unwrap().mischief = Some(Mischief::LosesAnswer);
    world.queue(7, LABEL);
    world.create(LABEL);
    for _ in 0..3 {
        world.after(20);
    }
    assert_eq!(world.state_of(ONE), Some(State::Launched));
    let server = world.server.lock().unwrap();
    assert_eq!((server.made, server.runners.len()), (2, 1));
}

#[test]
fn a_server_that_is_away_costs_no_attempt_and_a_refusal_ends_the_order() {
    let mut world = World::new();
    world.queue(7, LABEL);
    drop(world.begin(create(LABEL, &["x86_64"]), None, 0));
    // It goes away right after the proof.
    while world.state_of(ONE) == Some(State::Accepted) {
        world.desk.step_all(world.now);
        if let Some(event) = world.event() {
            world.server.lock().unwrap().is_down = true;
            world.desk.hear(event, world.now);
        }
        world.now += 1;
    }
    for _ in 0..10 {
        world.after(16);
    }
    assert_eq!((world.state_of(ONE), world.order(ONE).attempt), (Some(State::Registering), 0));
    world.server.lock().unwrap().is_down = false;
    world.server.lock().unwrap().mischief = Some(Mischief::Refuses);
    world.after(16);
    assert!(matches!(world.order(ONE).reason, Some(Reason::Registration(_))), "{:?}", world.order(ONE));
    for _ in 0..30 {
        world.after(30);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    world.is_clean();
}

#[test]
fn after_a_reboot_the_registration_is_taken_back_and_another_one_made() {
    let mut world = World::new();
    world.vms.fault.lock().unwrap().replace(Fault::Unavailable("the maker does not answer".into()));
    world.queue(7, LABEL);
    world.create(LABEL);
    assert_eq!(world.state_of(ONE), Some(State::Launching));
    world.vms.fault.lock().unwrap().take();
    world.reboot();
    for _ in 0..5 {
        world.after(5);
    }
    assert_eq!((world.state_of(ONE), world.order(ONE).attempt), (Some(State::Launched), 2));
    assert_eq!(world.server.lock().unwrap().runners.len(), 1);
}

#[test]
fn an_artifact_of_the_run_is_a_proof() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = json!(["artifact"]));
    world.create(LABEL);
    assert_eq!(world.state_of(ONE), Some(State::Accepted));
    let artifact = Artifact {
        name: format!("od.{ONE}"),
        created_at: world.now,
        expired: false,
        run: 7,
        repository: REPOSITORY,
        head_repository: Some(7),
    };
    world.server.lock().unwrap().artifacts.push(artifact);
    world.after(30);
    assert_eq!((world.state_of(ONE), world.order(ONE).fork), (Some(State::Launched), true));
    assert_eq!(world.asked().iter().filter(|asked| **asked == "artifact").count(), 2);
}

#[test]
fn a_run_that_is_run_again_is_served_again() {
    let mut world = online();
    world.server.lock().unwrap().over.insert(7);
    world.after(61);
    world.after(2);
    assert_eq!(world.order(ONE).reason, Some(Reason::RunOver));
    world.server.lock().unwrap().over.clear();
    let again = "od-7-again";
    world.queue(7, again);
    world.create(again);
    assert_eq!(world.state_of("od-7-again.x86_64"), Some(State::Accepted), "what was seen is older than the order");
    world.after(31);
    assert_eq!(world.state_of("od-7-again.x86_64"), Some(State::Launched));
}

#[test]
fn an_order_that_cannot_be_written_is_tried_again_later_and_whoever_asks_does_not_hurry_it() {
    let mut world = World::new();
    world.queue(7, LABEL);
    drop(world.begin(create(LABEL, &["x86_64"]), None, 0));
    loop {
        world.desk.step_all(world.now);
        if world.state_of(ONE) == Some(State::Launching) {
            break;
        }
        match world.event() {
            Some(event) => world.desk.hear(event, world.now),
            None => world.now += 1,
        }
    }
    let path = world.state("orders").join(format!("{ONE}.json"));
    let text = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    // It would never rest otherwise.
    world.turn();
    for _ in 0..5 {
        world.create(LABEL);
    }
    let launches = *world.vms.launches.lock().unwrap();
    assert!(launches <= 2, "{launches}");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, text).unwrap();
    world.after(15);
    assert_eq!(world.state_of(ONE), Some(State::Launched));
}

#[test]
fn a_limit_that_is_said_to_be_over_long_ago_is_waited_for_all_the_same() {
    let mut world = online();
    world.server.lock().unwrap().is_limited = true;
    drop(world.asked());
    end_by_hand(&world);
    world.turn();
    assert_eq!(world.state_of(ONE), Some(State::Ending));
    let before = world.asked().len();
    for _ in 0..14 {
        world.after(1);
    }
    assert!(before + world.asked().len() <= 3, "{before}");
    world.server.lock().unwrap().is_limited = false;
    for _ in 0..4 {
        world.after(30);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    world.is_clean();
}
