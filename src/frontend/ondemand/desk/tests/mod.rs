//! What a desk does for orders, from the question to the end, with everything that can go wrong on the way.

mod cloud;
mod ends;
mod figures;
mod kills;
mod life;
mod refusals;
mod server;
mod world;

use super::super::order::State;
use super::super::refusal::Code;
use super::super::wire::{Ask, Outcome, Runner};
use world::World;

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

/// An operator wants it to end.
fn end_by_hand(world: &World) {
    std::fs::create_dir(world.state("ends")).unwrap();
    std::fs::write(world.state("ends").join(LABEL), "").unwrap();
}
