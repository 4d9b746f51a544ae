//! What a desk does for orders, from the question to the end, with everything that can go wrong on the way.

mod kills;
mod world;

use super::super::order::State;
use super::super::reason::Reason;
use super::super::refusal::Code;
use super::super::wire::{Ask, Outcome, Runner};
use crate::machines::Fault;
use world::{Mischief, World, create};

const ONE: &str = "od-7-build.x86_64";
const LABEL: &str = "od-7-build";

fn runner(outcome: Option<Outcome>) -> Runner {
    match outcome {
        Some(Outcome::Runners(mut runners)) if runners.len() == 1 => runners.remove(0),
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Option<Outcome>) -> Code {
    match outcome {
        Some(Outcome::Refused(explanation)) => explanation.error,
        other => panic!("{other:?}"),
    }
}

fn look() -> Ask {
    Ask::Look { label: LABEL.to_owned().try_into().unwrap() }
}

fn destroy() -> Ask {
    Ask::Destroy { labels: vec![LABEL.to_owned().try_into().unwrap()] }
}

/// An order whose runner waits for its job.
fn online() -> World {
    let mut world = World::new();
    world.queue(7, LABEL);
    world.create(LABEL);
    world.turn();
    assert_eq!(world.state_of(ONE), Some(State::Launched));
    world.boot();
    world.after(2);
    assert_eq!(world.state_of(ONE), Some(State::Online));
    world
}

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
    let answer = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    assert!(answer.try_recv().is_err());
    world.boot();
    world.after(2);
    assert_eq!(runner(answer.try_recv().ok()).state, State::Online);
}

#[test]
fn whoever_waits_for_a_run_that_is_not_there_is_told_and_the_label_is_not_used_up() {
    let mut world = World::new();
    let label = "od-4711-build";
    let answer = world.begin(create(label, &["x86_64"]), None, 300);
    world.turn();
    assert_eq!(refused(answer.try_recv().ok()), Code::RunOver);
    assert!(world.desk.orders.is_empty());
    world.asked();
    for _ in 0..5 {
        assert_eq!(refused(world.create(label)), Code::RunOver);
    }
    assert_eq!(world.asked(), Vec::<&str>::new(), "asking again costs nothing for half a minute");
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
            let Ok(event) = world.inbox.recv_timeout(std::time::Duration::from_millis(100)) else { break };
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
        if let Ok(event) = world.inbox.recv_timeout(std::time::Duration::from_millis(100)) {
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
fn no_room_is_a_refusal_to_whoever_asked() {
    let mut world = World::new();
    world.vms.fault.lock().unwrap().replace(Fault::NoCapacity("All slots are taken".into()));
    world.queue(7, LABEL);
    let answer = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    world.after(2);
    assert_eq!(refused(answer.try_recv().ok()), Code::NoCapacity);
    world.after(2);
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    world.is_clean();
    // Its label was never served, so it can be asked for again, but not at once.
    world.vms.fault.lock().unwrap().take();
    assert_eq!(refused(world.create(LABEL)), Code::NoCapacity);
    world.after(300);
    world.create(LABEL);
    world.after(31);
    assert_eq!(world.state_of(ONE), Some(State::Launched));
}

#[test]
fn a_stranger_ends_no_runner_whose_job_waits_and_its_workflow_no_busy_one() {
    let mut world = online();
    runner(world.ask(destroy()));
    world.after(61);
    assert_eq!(world.state_of(ONE), Some(State::Online), "its job still waits");
    world.start_jobs();
    world.ask(destroy());
    world.after(61);
    assert_eq!(world.state_of(ONE), Some(State::Busy));
    world.end_jobs();
    world.after(15);
    world.is_clean();
}

#[test]
fn a_runner_that_no_job_waits_for_any_more_goes_when_somebody_says_so() {
    let mut world = online();
    world.server.lock().unwrap().queued.clear();
    world.ask(destroy());
    world.after(61);
    world.after(2);
    assert_eq!((world.state_of(ONE), &world.order(ONE).reason), (Some(State::Ended), &Some(Reason::GivenUp)));
    world.is_clean();
}

#[test]
fn a_run_that_is_over_ends_its_runner_and_a_job_that_never_comes_as_well() {
    let mut world = online();
    world.server.lock().unwrap().over.insert(7);
    world.after(61);
    world.after(2);
    assert_eq!(world.order(ONE).reason, Some(Reason::RunOver));
    world.is_clean();
    let mut world = online();
    world.after(301);
    world.after(2);
    assert_eq!(world.order(ONE).reason, Some(Reason::NoJob));
    world.is_clean();
}

#[test]
fn a_busy_runner_lives_until_its_deadline_and_no_longer() {
    let mut world = online();
    world.start_jobs();
    world.after(15);
    let deadline = world.order(ONE).deadline;
    let label = LABEL.to_owned().try_into().unwrap();
    std::fs::create_dir(world.state("ends")).unwrap();
    std::fs::write(world.state("ends").join(LABEL), "").unwrap();
    world.after(60);
    assert_eq!(world.state_of(ONE), Some(State::Busy), "the operator's wish waits for the job, too");
    world.now = deadline;
    world.turn();
    assert!(world.vms.all.lock().unwrap().is_empty());
    for _ in 0..3 {
        world.server.lock().unwrap().runners.values_mut().for_each(|runner| runner.busy = false);
        world.after(61);
    }
    assert_eq!(world.order(ONE).reason, Some(Reason::Deadline));
    world.is_clean();
    let left = super::super::operate::ends(world.desk.hands.book.home()).unwrap();
    assert!(!left.contains(&label), "a wish is forgotten with its order");
}

#[test]
fn without_a_proof_two_classes_of_one_label_are_two_orders_and_a_third_is_too_many() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = serde_json::json!(["none"]));
    let label = "rr_runner_00000000000000000000000000000001";
    let answer = world.begin(create(label, &["x86_64", "arm64"]), None, 300);
    world.turn();
    world.boot();
    world.after(2);
    let Ok(Outcome::Runners(runners)) = answer.try_recv() else { panic!() };
    assert_eq!(runners.len(), 2);
    assert!(runners.iter().all(|runner| runner.state == State::Online));
    assert!(!world.asked().contains(&"run"), "nothing is looked up");
    assert_eq!(refused(world.create("rr_runner_2")), Code::Limit);
}

#[test]
fn strangers_get_no_class_that_is_not_for_them() {
    let mut world = World::with(|settings| settings["classes"]["x86_64"]["forks"] = false.into());
    world.server.lock().unwrap().forks.insert(7);
    world.queue(7, LABEL);
    let answer = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    assert_eq!(refused(answer.try_recv().ok()), Code::Event);
    let mut world = World::with(|settings| {
        settings["classes"]["x86_64"]["forks"] = false.into();
        settings["repositories"][0]["proofs"] = serde_json::json!(["none"]);
    });
    assert_eq!(refused(world.create(LABEL)), Code::Event, "without a proof nobody knows whose run asks");
}

#[test]
fn what_cannot_be_served_is_refused_with_its_reason() {
    let mut world = World::new();
    assert_eq!(refused(world.create("rr_runner_1")), Code::Label, "it names no run, so nothing can be proven");
    assert_eq!(refused(world.ask(create(LABEL, &["riscv64"]))), Code::Class);
    let Ask::Create { label, classes, .. } = create(LABEL, &["x86_64"]) else { panic!() };
    let other = Some(crate::model::Repository::parse("octo-org/other").unwrap());
    let ask = Ask::Create { label: label.clone(), classes: classes.clone(), repository: other, run: None };
    assert_eq!(refused(world.ask(ask)), Code::Repository);
    let ask = Ask::Create { label, classes, repository: None, run: Some(8) };
    assert_eq!(refused(world.ask(ask)), Code::Label, "the label says another run");
    assert_eq!(world.asked(), Vec::<&str>::new(), "none of it costs a look");
}

#[test]
fn a_token_that_nobody_can_judge_is_refused_after_one_look_for_keys() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = serde_json::json!(["oidc"]));
    assert_eq!(refused(world.create(LABEL)), Code::Token, "there is none");
    // `{"alg":"RS256","kid":"stranger"}` and nothing good behind it.
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6InN0cmFuZ2VyIn0.e30.AA";
    assert_eq!(refused(world.ask_with(create(LABEL, &["x86_64"]), Some(token))), Code::Token);
    assert_eq!(refused(world.ask_with(create(LABEL, &["x86_64"]), Some(token))), Code::Token);
    assert_eq!(world.asked(), ["keys"]);
    assert!(world.desk.orders.is_empty());
}

#[test]
fn nothing_new_begins_while_the_operator_says_so_or_a_file_cannot_be_read() {
    let mut world = online();
    std::fs::write(world.state("stopped"), "until Monday").unwrap();
    assert_eq!(refused(world.create("od-8-build")), Code::Paused);
    assert_eq!(runner(world.create(LABEL)).state, State::Online, "what there is goes on");
    std::fs::remove_file(world.state("stopped")).unwrap();
    std::fs::write(world.state("orders/od-9-a.x86_64.json"), "{").unwrap();
    let stray = world::Vm { runner: 1, is_stopped: false };
    world.vms.all.lock().unwrap().insert("vm-stray".into(), stray);
    world.kill();
    assert_eq!(refused(world.create("od-8-build")), Code::Paused);
    world.after(100);
    world.after(100);
    assert_eq!(world.vms.all.lock().unwrap().len(), 2, "it may be the machine of the file");
}

#[test]
fn a_machine_that_no_order_names_is_ended_after_a_second_look() {
    let mut world = World::new();
    world.vms.all.lock().unwrap().insert("vm-stray".into(), world::Vm { runner: 1, is_stopped: false });
    world.turn();
    world.after(59);
    assert_eq!(world.vms.all.lock().unwrap().len(), 1);
    world.after(1);
    world.turn();
    crate::wait::wait_for("its end", || world.vms.all.lock().unwrap().is_empty().then_some(()));
}

#[test]
fn an_order_whose_class_is_gone_is_ended_by_the_operator_and_its_machine_is_found() {
    let mut world = online();
    world.switch(|settings| drop(settings["classes"].as_object_mut().unwrap().remove("x86_64")));
    std::fs::create_dir(world.state("ends")).unwrap();
    std::fs::write(world.state("ends").join(LABEL), "").unwrap();
    for _ in 0..3 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    world.is_clean();
}

#[test]
fn an_artifact_of_the_run_is_a_proof() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = serde_json::json!(["artifact"]));
    world.create(LABEL);
    assert_eq!(world.state_of(ONE), Some(State::Accepted));
    let artifact = crate::contract::workflow::Artifact {
        name: format!("od.{ONE}"),
        created_at: world.now,
        expired: false,
        run: 7,
        repository: world::REPOSITORY,
        head_repository: Some(7),
    };
    world.server.lock().unwrap().artifacts.push(artifact);
    world.after(30);
    assert_eq!((world.state_of(ONE), world.order(ONE).fork), (Some(State::Launched), true));
    assert_eq!(world.asked().iter().filter(|asked| **asked == "artifact").count(), 2);
}

/// A host with many runners that wait for jobs: of one run each, and of one class.
fn many(count: u64) -> World {
    let mut world = World::with(|settings| {
        let class = &mut settings["classes"]["x86_64"];
        (class["max"], class["ttl"], class["noJob"]) = (count.into(), 20_000.into(), 10_000.into());
        let limits = ["open", "perRepository", "perRun", "waiting", "waitingPerSource", "startsPerHour"];
        let limit = |limit: &&str| ((*limit).to_owned(), serde_json::Value::from(count));
        settings["limits"] = limits.iter().map(limit).collect();
    });
    for run in 1..=count {
        let label = format!("od-{run}-build");
        world.queue(run, &label);
        // Not all at once: looks at runs are limited, and so are requests of one address.
        world.now += 7;
        world.desk.began -= std::time::Duration::from_secs(7);
        world.create(&label);
        world.boot();
    }
    world.after(2);
    assert!(world.desk.orders.values().all(|tracked| tracked.order.state == State::Online));
    world
}

#[test]
fn one_list_of_runners_and_one_of_machines_serve_all_orders() {
    let mut world = many(12);
    world.asked();
    world.after(15);
    assert_eq!(world.asked().iter().filter(|asked| **asked != "run").count(), 1);
}

/// Prints how long a pass over 200 orders takes, and what it asks.
#[test]
#[ignore = "a figure"]
#[allow(clippy::print_stdout, reason = "the figure goes to standard output")]
fn figure_of_a_pass_over_200_orders() {
    let mut world = many(200);
    world.asked();
    let start = std::time::Instant::now();
    world.after(15);
    let took = start.elapsed();
    let asked = world.asked();
    let count = |what: &str| asked.iter().filter(|asked| **asked == what).count();
    println!(
        "A pass over 200 orders: {} ms, {} list, {} looks at runs, {} others",
        took.as_millis(),
        count("list"),
        count("run"),
        asked.len() - count("list") - count("run")
    );
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
fn an_order_that_nobody_has_shown_a_right_to_keeps_nobody_from_its_label() {
    let mut world = World::new();
    let of_run = |run| {
        let Ask::Create { label, classes, .. } = create("rr_runner_1", &["x86_64"]) else { panic!() };
        Ask::Create { label, classes, repository: None, run: Some(run) }
    };
    world.ask(of_run(5));
    world.queue(7, "rr_runner_1");
    world.ask(of_run(7));
    world.turn();
    assert_eq!(world.state_of("rr_runner_1.x86_64"), Some(State::Launched));
    assert_eq!(refused(world.ask(of_run(5))), Code::OtherOrder);
}

#[test]
fn what_the_operator_stops_gets_no_machine_even_if_it_was_asked_for_before() {
    let mut world = World::new();
    let answer = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    std::fs::write(world.state("stopped"), "until Monday").unwrap();
    world.queue(7, LABEL);
    world.after(31);
    assert_eq!(refused(answer.try_recv().ok()), Code::Paused);
    assert_eq!(*world.vms.launches.lock().unwrap(), 0);
}
