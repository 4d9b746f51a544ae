//! Who gets nothing, and what they are told.

use serde_json::json;

use super::super::super::order::State;
use super::super::super::refusal::Code;
use super::super::super::wire::{Ask, Outcome};
use super::world::{Vm, World, create};
use super::{LABEL, ONE, online, refused, runner};
use crate::machines::Fault;
use crate::model::Repository;

/// A request for a label that says nothing of a run, by one.
fn of_run(run: u64) -> Ask {
    let Ask::Create { label, classes, .. } = create("rr_runner_1", &["x86_64"]) else { panic!() };
    Ask::Create { label, classes, repository: None, run: Some(run) }
}

#[test]
fn whoever_waits_for_a_run_that_is_not_there_is_told_and_the_label_is_not_used_up() {
    let mut world = World::new();
    let label = "od-4711-build";
    let answered = world.begin(create(label, &["x86_64"]), None, 300);
    world.turn();
    assert_eq!(refused(answered.answer.try_recv().ok()), Code::RunOver);
    assert!(world.desk.orders.is_empty());
    world.asked();
    for _ in 0..5 {
        assert_eq!(refused(world.create(label)), Code::RunOver);
    }
    assert_eq!(world.asked(), Vec::<&str>::new(), "asking again costs nothing for half a minute");
}

#[test]
fn no_room_is_a_refusal_to_whoever_asked() {
    let mut world = World::new();
    world.vms.fault.lock().unwrap().replace(Fault::NoCapacity("All slots are taken".into()));
    world.queue(7, LABEL);
    let answered = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    world.after(2);
    assert_eq!(refused(answered.answer.try_recv().ok()), Code::NoCapacity);
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
fn without_a_proof_two_classes_of_one_label_are_two_orders_and_a_third_is_too_many() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = json!(["none"]));
    let label = "rr_runner_00000000000000000000000000000001";
    let answered = world.begin(create(label, &["x86_64", "arm64"]), None, 300);
    world.turn();
    world.boot();
    world.after(2);
    let Ok(Outcome::Runners(runners)) = answered.answer.try_recv() else { panic!() };
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
    let answered = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    assert_eq!(refused(answered.answer.try_recv().ok()), Code::Event);
    let mut world = World::with(|settings| {
        settings["classes"]["x86_64"]["forks"] = false.into();
        settings["repositories"][0]["proofs"] = json!(["none"]);
    });
    assert_eq!(refused(world.create(LABEL)), Code::Event, "without a proof nobody knows whose run asks");
}

#[test]
fn what_cannot_be_served_is_refused_with_its_reason() {
    let mut world = World::new();
    assert_eq!(refused(world.create("rr_runner_1")), Code::Label, "it names no run, so nothing can be proven");
    assert_eq!(refused(world.ask(create(LABEL, &["riscv64"]))), Code::Class);
    let Ask::Create { label, classes, .. } = create(LABEL, &["x86_64"]) else { panic!() };
    let other = Some(Repository::parse("octo-org/other").unwrap());
    let ask = Ask::Create { label: label.clone(), classes: classes.clone(), repository: other, run: None };
    assert_eq!(refused(world.ask(ask)), Code::Repository);
    let ask = Ask::Create { label, classes, repository: None, run: Some(8) };
    assert_eq!(refused(world.ask(ask)), Code::Label, "the label says another run");
    assert_eq!(world.asked(), Vec::<&str>::new(), "none of it costs a look");
}

#[test]
fn a_token_that_nobody_can_judge_is_refused_after_one_look_for_keys() {
    let mut world = World::with(|settings| settings["repositories"][0]["proofs"] = json!(["oidc"]));
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
    let stray = Vm { runner: 1, is_stopped: false };
    world.vms.all.lock().unwrap().insert("vm-stray".into(), stray);
    world.kill();
    assert_eq!(refused(world.create("od-8-build")), Code::Paused);
    world.after(100);
    world.after(100);
    assert_eq!(world.vms.all.lock().unwrap().len(), 2, "it may be the machine of the file");
}

#[test]
fn an_order_that_nobody_has_shown_a_right_to_keeps_nobody_from_its_label() {
    let mut world = World::new();
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
    let answered = world.begin(create(LABEL, &["x86_64"]), None, 300);
    world.turn();
    std::fs::write(world.state("stopped"), "until Monday").unwrap();
    world.queue(7, LABEL);
    world.after(31);
    assert_eq!(refused(answered.answer.try_recv().ok()), Code::Paused);
    assert_eq!(*world.vms.launches.lock().unwrap(), 0);
}

#[test]
fn who_hung_up_is_not_remembered() {
    let mut world = World::new();
    for _ in 0..50 {
        drop(world.begin(create(LABEL, &["x86_64"]), None, 300));
    }
    assert!(world.desk.waiting.len() >= 50);
    world.turn();
    assert!(world.desk.waiting.is_empty());
}

#[test]
fn a_stranger_whose_own_question_is_refused_takes_no_place() {
    let mut world = World::new();
    world.ask(of_run(7));
    std::fs::write(world.state("stopped"), "until Monday").unwrap();
    assert_eq!(refused(world.ask(of_run(5))), Code::Paused);
    assert_eq!(world.order("rr_runner_1.x86_64").run, Some(7));
}
