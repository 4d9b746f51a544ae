//! What one question costs. Prints figures; only the limit on memory can fail.

use std::fs;
use std::time::Instant;

use github_runners::contract::protocol::{Outcome, Verb};
use nix::sys::resource::{UsageWho, getrusage};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

use super::harness::Stand;

/// In kilobytes: what one broker may keep in memory at its peak.
const LIMIT: i64 = 12 * 1024;

const AUTHORITIES: usize = 400;

#[test]
#[ignore = "speaks of release builds: cargo test --release --test ctl figures -- --ignored --nocapture"]
fn figures_of_one_question() {
    let stand = Stand::new();
    // As many authorities as systems trust, or more.
    let mut authorities = fs::read_to_string(stand.github.ca_file().unwrap()).unwrap();
    for number in 0..AUTHORITIES {
        // Each with a name of its own: those of one name would all be tried.
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, format!("Authority {number}"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authorities += &authority.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    }
    fs::write(stand.github.ca_file().unwrap(), authorities).unwrap();
    let started = Instant::now();
    let told = stand.ask(&Verb::Preflight);
    assert!(matches!(told.answer.outcome, Outcome::Ready { .. }), "{}", told.journal);
    // The largest of all children; the broker is the only one.
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    let size = fs::metadata(env!("CARGO_BIN_EXE_github-runnerctl")).unwrap().len();
    println!("peak {peak} kB, program {size} bytes, preflight {:?}", started.elapsed());
    assert!(peak < LIMIT, "{peak} kB");
}
