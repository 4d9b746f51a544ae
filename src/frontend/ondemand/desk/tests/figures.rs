//! What many orders cost together.

use super::super::super::order::State;
use super::world::World;

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
        world.desk.clock.advance(7);
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
