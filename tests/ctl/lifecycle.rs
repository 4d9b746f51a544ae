//! The demonstrations of the README work as the README says, and show what they promise.
//!
//! They check their own facts; here it is checked that they do so, to their end, in their order, and within their width.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something of each chapter, in the order in which it is shown.
const LIFECYCLE: &[&str] = &[
    "1. The first start",
    "this is the first start",
    "broker | Getting a registration token: got one",
    "state     .staged-token, mode 0400: a registration token",
    "| Recorded runner \"runner1\", id 22, of https://github.com/octo-org/example",
    "Job build completed with result: Succeeded",
    "| Runner runner1: stopped",
    "ledger    names id 22; to take back: nothing",
    "2. A restart without a change",
    "Keeping the registration",
    "broker | Looking up the runner of id 22: found",
    "ms for all three steps, with one request",
    "3. A changed label",
    "extraLabels changed: [\"nixos\"] → [\"nixos\",\"gpu\"]",
    "| Took back the former registration \"runner1\", id 22",
    "broker | Deleting the runner of id 22: deleted",
    "ledger    names id 24; to take back: nothing",
    "GitHub    id 24 \"runner1\", offline, labels self-hosted Linux X64 nixos gpu",
    "4. A rotated token",
    "the content of the token file changed",
    "broker | Deleting the runner of id 24: deleted",
    "5. GitHub is down",
    "warning: Could not see whether GitHub still knows id 26",
    "Keeping the registration",
    "broker | warning: Looking up the runner of id 26: no useful answer",
    "s for all three steps; the look gives up after 5 s",
    "6. GitHub forgot the runner",
    "GitHub does not know id 26 any more",
    "ledger    names id 28; to take back: nothing",
    "7. An ephemeral runner",
    "ephemeral changed: false → true",
    "broker | Having GitHub make a runner: made \"runner1\" (id 29)",
    "github-runner-helper configure, record   (say nothing)",
    "Job first completed with result: Succeeded",
    "| Runner runner1: did its job; no registration is left",
    "GitHub    none",
    "Job second completed with result: Succeeded",
    "GitHub    none",
    "8. A stop before a job came",
    "broker | Having GitHub make a runner: made \"runner1\" (id 31)",
    "| Took back the former registration \"runner1\", id 31",
    "ledger    names no runner; to take back: nothing",
    "GitHub    none",
    "9. A hostile job",
    ".runner is a symbolic link",
    ".credentials has 2 hard links",
    ".credentials_rsaparams is a fifo",
    "outside   both files as before",
    "10. An empty token file",
    "Token file /demo/token is empty",
    "Keeping the registration",
    "10 chapters, 42 steps of the helper, 15 connections to the broker, 9 registrations",
];

/// The same of a runner on demand.
const ON_DEMAND: &[&str] = &[
    "1. Strangers",
    "HTTP 403 {\"error\": \"run-over\", \"message\": \"There is no such run that still goes on",
    "broker | Looking up run 666 of octo-org/example: there is none",
    "GitHub    no runner",
    "book      od-4711-miner.small.json { \"state\": \"accepted\", \"proof\": \"queue\", \"attempt\": 0",
    "is let go: No job of the run waits",
    "2. An order",
    "HTTP 202",
    "| Order od-4711-build (small) of octo-org/example is proven",
    "book      od-4711-build.small.json { \"state\": \"registering\"",
    "GitHub    no runner",
    "book      od-4711-build.small.json { \"state\": \"launching\", \"attempt\": 1",
    "GitHub    id 21 \"od-4711-build-small\", offline, labels od-4711-build arch_x86_64",
    "3. The desk is killed",
    "| Order od-4711-build (small): asked for machine od-4711-build.small",
    "book      od-4711-build.small.json { \"state\": \"online\", \"attempt\": 1",
    "made      one registration, one machine",
    "HTTP 200",
    "4. The job",
    "book      od-4711-build.small.json { \"state\": \"busy\"",
    "5. The operator's stop",
    "HTTP 503",
    "maintenance until noon",
    "6. The end of the job",
    "| Order od-4711-build (small) is over: Its job is done.",
    "book      od-4711-build.small.json { \"state\": \"ended\"",
    "7. What is left",
    "GitHub    no runner",
    "24 hours and 50 minutes later",
    "HTTP 200",
    "10 minutes later",
    "HTTP 404",
    "book      no order, and nothing else of it on this host",
    "1 registration, 1 machine",
];

/// Where Cargo put a demonstration. `cargo test` builds it, `cargo test --test ctl` does not.
fn demonstration(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    // Where the tests run without their sources there is nothing to compare with.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let sources = fs::read_dir(sources).into_iter().flatten();
    let changed = sources.map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap()).max();
    assert!(
        built.is_ok_and(|built| changed <= Some(built)),
        "{} is missing or older than its source; run `cargo build --example {name}`, with `--release` if the tests are",
        program.display()
    );
    program
}

/// Runs a demonstration, which has to show these parts in this order.
fn tells(name: &str, parts: &[&str]) {
    // The programs beside it were built for this test, so nothing has to be built.
    for program in [
        env!("CARGO_BIN_EXE_github-runner-helper"),
        env!("CARGO_BIN_EXE_github-runnerctl"),
        env!("CARGO_BIN_EXE_github-runner-door"),
    ] {
        assert!(Path::new(program).exists());
    }
    let output = Command::new(demonstration(name)).env_remove("CARGO").stdin(Stdio::null()).output().unwrap();
    let (told, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaints}\nafter:\n{told}");
    let mut rest = told.as_str();
    for line in parts {
        let at = rest.find(line);
        rest = &rest[at.unwrap_or_else(|| panic!("{line:?} is missing, or in another place:\n{told}"))..];
        rest = &rest[line.len()..];
    }
    let wide: Vec<&str> = told.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "wider than 100 columns: {wide:#?}");
    for secret in ["ghp_", "AFAKE"] {
        assert!(!told.contains(secret) && !complaints.contains(secret), "a token was shown:\n{told}");
    }
    assert!(!told.contains(env::temp_dir().to_str().unwrap()), "the temporary directory is not shortened:\n{told}");
}

#[test]
fn the_demonstration_tells_the_whole_life_of_a_runner() {
    tells("lifecycle", LIFECYCLE);
}

#[test]
fn the_other_demonstration_tells_the_whole_life_of_a_runner_on_demand() {
    tells("on-demand", ON_DEMAND);
}
