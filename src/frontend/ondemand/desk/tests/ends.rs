//! How orders end before their job is done: by their workflow, their run, their time, an operator, or because nobody names them.

use std::sync::atomic::Ordering;

use super::super::super::order::{Maker, State};
use super::super::super::reason::Reason;
use super::world::{Vm, World};
use super::{LABEL, ONE, destroy, end_by_hand, online, runner};
use crate::frontend::ondemand::operate;
use crate::machines::Fault;
use crate::wait::wait_for;

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
    end_by_hand(&world);
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
    let left = operate::ends(world.desk.hands.book.home()).unwrap();
    assert!(!left.contains(&label), "a wish is forgotten with its order");
}

#[test]
fn a_machine_that_no_order_names_is_ended_after_a_second_look() {
    let mut world = World::new();
    world.vms.all.lock().unwrap().insert("vm-stray".into(), Vm { runner: 1, is_stopped: false });
    world.turn();
    world.after(59);
    assert_eq!(world.vms.all.lock().unwrap().len(), 1);
    world.after(1);
    world.turn();
    wait_for("its end", || world.vms.all.lock().unwrap().is_empty().then_some(()));
}

#[test]
fn an_order_whose_class_is_gone_is_ended_by_the_operator_and_its_machine_is_found() {
    let mut world = online();
    world.switch(|settings| drop(settings["classes"].as_object_mut().unwrap().remove("x86_64")));
    end_by_hand(&world);
    for _ in 0..3 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    world.is_clean();
}

#[test]
fn a_machine_of_a_class_that_has_another_kind_now_is_found_where_it_is() {
    let mut world = online();
    let before = std::sync::Arc::clone(&world.vms);
    world.other_kind();
    for _ in 0..3 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Online), "it is no stray, and not gone");
    end_by_hand(&world);
    for _ in 0..3 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    assert!(before.all.lock().unwrap().is_empty());
}

#[test]
fn a_machine_of_another_kind_that_does_not_answer_is_not_taken_for_gone_before_its_deadline() {
    let mut world = online();
    world.start_jobs();
    world.after(15);
    assert_eq!(world.state_of(ONE), Some(State::Busy));
    let before = std::sync::Arc::clone(&world.vms);
    before.is_silent.store(true, Ordering::SeqCst);
    world.other_kind();
    // Whoever was asked by this desk was not asked by one before it.
    world.desk.clock.advance(60);
    for _ in 0..20 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Busy), "nobody knows about its machine");
    let deadline = world.order(ONE).deadline;
    world.server.lock().unwrap().runners.clear();
    world.now = deadline;
    for _ in 0..20 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended), "it ended by itself");
}

#[test]
fn a_kind_that_does_not_answer_keeps_no_order_of_another_one() {
    let mut world = World::new();
    world.vms.is_silent.store(true, Ordering::SeqCst);
    world.vms.maker.lock().unwrap().replace(Maker::Incus);
    world.other_kind();
    world.queue(7, LABEL);
    world.create(LABEL);
    world.turn();
    assert_eq!((world.state_of(ONE), world.order(ONE).maker), (Some(State::Launched), Some(Maker::Nspawn)));
    world.kill();
    world.desk.clock.advance(60);
    world.present().all.lock().unwrap().clear();
    world.server.lock().unwrap().runners.clear();
    for _ in 0..4 {
        world.after(15);
    }
    assert_eq!(world.state_of(ONE), Some(State::Ended));
    assert!(world.vms.ends.lock().unwrap().is_empty(), "it was never asked");
}

#[test]
fn a_machine_that_is_gone_ends_its_order_while_the_server_still_counts_its_job() {
    let mut world = online();
    world.start_jobs();
    world.after(15);
    assert_eq!(world.state_of(ONE), Some(State::Busy));
    world.vms.all.lock().unwrap().clear();
    drop(world.asked());
    world.after(15);
    assert_eq!((world.state_of(ONE), &world.order(ONE).reason), (Some(State::Ended), &Some(Reason::Done)));
    let refused = world.asked().into_iter().filter(|word| *word == "retire").count();
    assert!(refused <= 1, "it was asked {refused} times");
    // It gives up jobs of runners that are silent, later.
    world.server.lock().unwrap().runners.values_mut().for_each(|runner| runner.busy = false);
    for _ in 0..3 {
        world.after(61);
    }
    world.is_clean();
}

#[test]
fn a_runner_is_gone_only_when_two_lists_lack_it() {
    let mut world = online();
    let id = *world.server.lock().unwrap().runners.keys().next().unwrap();
    world.server.lock().unwrap().slips = Some(id);
    world.after(15);
    world.after(15);
    assert_eq!(world.state_of(ONE), Some(State::Online));
    world.server.lock().unwrap().runners.clear();
    world.after(15);
    world.after(15);
    assert_eq!(world.order(ONE).reason, Some(Reason::Done));
}

#[test]
fn whoever_may_be_making_a_machine_is_asked_to_end_it_before_its_order_is_over() {
    let mut world = World::new();
    world.vms.fault.lock().unwrap().replace(Fault::Unavailable("the answer is missing".into()));
    world.queue(7, LABEL);
    world.create(LABEL);
    assert_eq!(world.state_of(ONE), Some(State::Launching));
    // While its maker is left alone after that silence.
    end_by_hand(&world);
    for _ in 0..20 {
        world.after(1);
    }
    assert_eq!((world.state_of(ONE), &world.order(ONE).reason), (Some(State::Ended), &Some(Reason::Operator)));
    assert_eq!(world.vms.ends.lock().unwrap().len(), 1);
}

#[test]
fn a_stray_that_is_slow_to_end_is_ended_once() {
    let mut world = World::new();
    let vms = std::sync::Arc::clone(&world.vms);
    vms.all.lock().unwrap().insert("vm-stray".into(), Vm { runner: 1, is_stopped: false });
    let slow = vms.slow.lock();
    world.turn();
    for _ in 0..5 {
        world.after(61);
    }
    wait_for("the end that takes long", || (!vms.ends.lock().unwrap().is_empty()).then_some(()));
    world.after(61);
    drop(slow);
    wait_for("the end of the machine", || vms.all.lock().unwrap().is_empty().then_some(()));
    assert_eq!(vms.ends.lock().unwrap().len(), 1);
}
