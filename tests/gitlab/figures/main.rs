//! What machines cost, against the usual shell scripts, in one run on one machine: run by `tests/gitlab/figures/run` in a booted Debian.
//!
//! The scripts are a transcription of what is usual: `systemd-run` starts `systemd-nspawn --overlay`, and `systemd-run --machine`
//! runs the stages. Both ways are driven by the same stand-in for gitlab-runner. Prints each figure with its ratio and what was
//! to be reached; a figure that is missed is printed as such and fails nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures go to standard output")]

#[path = "../../stand-ins/gitlab/mod.rs"]
mod gitlab;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../support/gitlab.rs"]
mod site;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../support/times.rs"]
mod times;
#[path = "../../support/wait.rs"]
mod wait;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use gitlab::example_job;
use site::Site;

/// How often each figure is taken; the median counts.
const RUNS: u64 = 7;

/// How often ten jobs run at once.
const TENS: u64 = 3;

/// One way to run jobs.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// Prefix of the four executables, or the program itself.
    program: &'static str,
    is_script: bool,
    image: &'static str,
}

const WAYS: [Way; 3] = [
    Way { name: "scripts", program: "/opt/theirs/", is_script: true, image: "" },
    Way { name: "booted", program: "/usr/local/bin/gitlab-nspawn-executor", is_script: false, image: "debian" },
    Way {
        name: "unbooted",
        program: "/usr/local/bin/gitlab-nspawn-executor",
        is_script: false,
        image: "debian-unbooted",
    },
];

/// What was measured, in milliseconds unless said otherwise.
#[derive(Debug, Default)]
struct Taken {
    prepare: Vec<f64>,
    stage: Vec<f64>,
    cleanup: Vec<f64>,
    job: Vec<f64>,
    ten: Vec<f64>,
    /// In KiB.
    memory: Vec<f64>,
}

impl Way {
    fn step(self, step: &str, directory: &Path, more: &[&str]) -> Command {
        let mut command = if self.is_script {
            Command::new(format!("{}{step}", self.program))
        } else {
            let mut command = Command::new(self.program);
            command.arg(step);
            command
        };
        command
            .args(more)
            .env("JOB_RESPONSE_FILE", directory.join("response.json"))
            .env("BUILD_EXIT_CODE_FILE", directory.join("build_exit_code"))
            .env("BUILD_FAILURE_EXIT_CODE", "1")
            .env("SYSTEM_FAILURE_EXIT_CODE", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn config(self) -> String {
        let of = |step: &str| {
            if self.is_script {
                format!("{step}_exec = \"{}{step}\"", self.program)
            } else {
                format!("{step}_exec = \"{}\"\n{step}_args = [\"{step}\"]", self.program)
            }
        };
        let steps = ["prepare", "run", "cleanup"].map(of).join("\n");
        format!(
            "[[runners]]\nname = \"nspawn\"\nurl = \"URL\"\ntoken = \"TOKEN\"\nexecutor = \"custom\"\nbuilds_dir = \"/builds\"\n\
             cache_dir = \"/cache\"\n[runners.custom]\n{steps}\n"
        )
    }

    fn job(self, id: u64) -> Value {
        let mut job = example_job(id, &["true"]);
        job["image"] = json!({"name": self.image});
        job
    }

    /// Takes the single steps once.
    fn steps(self, id: u64, taken: &mut Taken) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("response.json"), self.job(id).to_string()).unwrap();
        let script = directory.path().join("script");
        fs::write(&script, "true\n").unwrap();
        let run = |step: &str, more: &[&str]| {
            let mut command = self.step(step, directory.path(), more);
            command.env("CUSTOM_ENV_CI_JOB_ID", id.to_string());
            let since = Instant::now();
            let status = command.status().unwrap();
            assert!(status.success(), "{} {step}: {status}", self.name);
            millis(since.elapsed())
        };
        let before = memory_in_use();
        taken.prepare.push(run("prepare", &[]));
        for _ in 0..2 {
            taken.stage.push(run("run", &[script.to_str().unwrap(), "build_script"]));
        }
        taken.memory.push(memory_in_use() - before);
        taken.cleanup.push(run("cleanup", &[]));
    }

    /// Takes so many jobs at the same time.
    fn jobs(self, site: &Site, first: u64, count: u64) -> f64 {
        let since = Instant::now();
        let mut all: Vec<_> = (first..first + count).map(|id| site.start(self.job(id))).collect();
        for working in &mut all {
            working.wait();
        }
        let took = millis(since.elapsed());
        for id in first..first + count {
            assert_eq!(site.coordinator.ended(id).unwrap().state, "success", "{}", site.coordinator.log(id));
        }
        took
    }
}

/// Takes all figures, way by way in each round, so that whatever else the machine does hurts all of them.
fn measure() -> [Taken; 3] {
    let mut taken = [Taken::default(), Taken::default(), Taken::default()];
    let sites = WAYS.map(|way| Site::new(&way.config(), None));
    for round in 0..RUNS {
        for ((at, way), (site, taken)) in (1..).zip(WAYS).zip(sites.iter().zip(&mut taken)) {
            let first = at * 10_000 + round * 100;
            way.steps(first, taken);
            taken.job.push(way.jobs(site, first + 1, 1));
            if round < TENS {
                taken.ten.push(way.jobs(site, first + 10, 10));
            }
        }
    }
    taken
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What all processes of this host have for themselves, in KiB: each page is counted once.
fn memory_in_use() -> f64 {
    let of = |process: fs::DirEntry| -> Option<f64> {
        let text = fs::read_to_string(process.path().join("smaps_rollup")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok())
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of).sum()
}

fn main() {
    let [scripts, booted, unbooted] = measure();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("figure load at the end: {}", load.trim());
    let row = |what: &str, unit: &str, of: fn(&Taken) -> &[f64], wanted: [Option<f64>; 2]| {
        let theirs = median(of(&scripts));
        for (name, figures, wanted) in [("booted", &booted, wanted[0]), ("unbooted", &unbooted, wanted[1])] {
            let (ours, ratio) = (median(of(figures)), median(of(figures)) / theirs);
            let judged = wanted.map_or(String::new(), |most| {
                format!(", to reach {most:.2}: {}", if ratio <= most { "reached" } else { "MISSED" })
            });
            println!("figure {what}, {name}: {ours:.0} {unit}, scripts {theirs:.0} {unit}, ratio {ratio:.2}{judged}");
        }
    };
    row("prepare", "ms", |taken| &taken.prepare, [Some(1.0), Some(0.4)]);
    row("a stage of `true`", "ms", |taken| &taken.stage, [Some(0.3), Some(0.3)]);
    row("cleanup", "ms", |taken| &taken.cleanup, [Some(0.5), Some(0.5)]);
    row("a job of `true`", "ms", |taken| &taken.job, [Some(1.0), Some(0.75)]);
    row("ten jobs at once", "ms", |taken| &taken.ten, [None, None]);
    row("memory of an idle machine", "KiB", |taken| &taken.memory, [None, None]);
    let left = |directory: &str| fs::read_dir(directory).map_or(0, Iterator::count);
    println!("figure left by the scripts: {} directories", left("/var/lib/theirs"));
    println!(
        "figure left by this: {} jobs, {} directories",
        left("/run/gitlab-nspawn/jobs"),
        left("/var/lib/gitlab-nspawn/jobs")
    );
}
