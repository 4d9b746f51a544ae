//! How long the steps of a machine take: `cargo test --release --test machines figures -- --ignored --nocapture`.

use std::time::Instant;

use github_runners::machines::{Machines as _, Specification, Token};
use serde_json::json;

use crate::host::{Host, run, specification};

/// How often each step is measured; the middle one is shown.
const TIMES: u64 = 11;

#[test]
#[ignore = "measures"]
fn figures() {
    for image in ["plain", "booted"] {
        let host = Host::new(&json!({}));
        let mut taken: [Vec<f64>; 3] = Default::default();
        for token in 1..=TIMES {
            let mut began = Instant::now();
            let mut lap = || std::mem::replace(&mut began, Instant::now()).elapsed().as_secs_f64() * 1_000.0;
            host.create(&Specification { image: image.into(), ..specification(token) }).unwrap();
            taken[0].push(lap());
            run(&host, token, "true");
            taken[1].push(lap());
            host.client().delete(Token(token)).unwrap();
            taken[2].push(lap());
        }
        for (step, mut times) in ["made", "stage of true", "ended"].into_iter().zip(taken) {
            times.sort_by(f64::total_cmp);
            println!("figure {image}, {step}: {:.0} ms", times[times.len() / 2]);
        }
    }
}
