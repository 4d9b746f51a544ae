//! What the program costs: `cargo test --test garm figures -- --ignored --nocapture`, with the path of the program as packages have
//! it in `PROVIDER`, and of a Go provider in `GO_PROVIDER` to call it in turns with that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::calls::{CONTROLLER, Garm, POOL, PROVIDER, REMOTE, Said, bootstrap, socket_settings};
use crate::stand_in::{Durations, Flavor};

/// How often each call is made.
const TURNS: usize = 21;

/// Half of the times are shorter.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Times of one call, made by each program in turn, as a line.
fn figure(
    garm: &mut Garm,
    programs: &[PathBuf],
    what: &str,
    begin: impl Fn(&Garm),
    call: impl Fn(&Garm) -> Said,
) -> String {
    let mut times = vec![Vec::new(); programs.len()];
    for _ in 0..TURNS {
        for (program, times) in programs.iter().zip(&mut times) {
            garm.program.clone_from(program);
            begin(garm);
            let start = Instant::now();
            let said = call(garm);
            times.push(start.elapsed());
            assert_eq!(said.code, Some(0), "{}: {said:?}", program.display());
        }
    }
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    let share = medians.get(1).map(|go| format!(", {:.2} of it", medians[0].as_secs_f64() / go.as_secs_f64()));
    garm.program.clone_from(&programs[0]);
    format!("figure {what}: {medians:?}{}", share.unwrap_or_default())
}

/// The most memory that a call has at a time, in KiB. The kernel counts for a child what its parent had before, so the program is
/// looked at itself, and strace keeps it from ending for half a second.
fn memory(garm: &Garm, program: &Path, command: &str) -> u64 {
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=exit_group",
        "-e",
        "inject=exit_group:delay_enter=500000",
    ]);
    strace.args(["env", "-i"]);
    strace.args(garm.environment(command, "garm-1").iter().map(|(name, value)| format!("{name}={value}")));
    strace.arg(program).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = strace.spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let program = fs::canonicalize(program).unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let traced = fs::read_to_string(&children).unwrap_or_default();
        let process = PathBuf::from("/proc").join(traced.trim());
        if fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program) {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let kib =
                status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok());
            most = kib.unwrap_or(0).max(most);
        }
    }
    most
}

#[test]
#[ignore = "measures; wants an idle machine and the program as packages have it"]
fn figures_of_commands() {
    let ours = std::env::var_os("PROVIDER").map_or_else(|| PROVIDER.into(), PathBuf::from);
    let programs: Vec<PathBuf> = [ours].into_iter().chain(std::env::var_os("GO_PROVIDER").map(PathBuf::from)).collect();
    let sizes = programs.iter().map(|program| fs::metadata(program).unwrap().len() / 1024);
    println!("figure size: {:?} KiB", sizes.collect::<Vec<_>>());
    for flavor in Flavor::BOTH {
        let mut garm = Garm::new(flavor);
        garm.program.clone_from(&programs[0]);
        garm.settings(&(socket_settings(&garm.server) + REMOTE));
        let named = |what: &str| format!("{flavor:?} {what}");
        println!("{}", figure(&mut garm, &programs, &named("GetVersion"), |_| (), |garm| garm.call("GetVersion", "")));
        garm.create(&bootstrap("garm-1")).expect(0);
        println!(
            "{}",
            figure(&mut garm, &programs, &named("GetInstance"), |_| (), |garm| garm.call("GetInstance", "garm-1"))
        );
        for count in [1, 50, 69, 500] {
            while garm.server.names().len() < count {
                let name = format!("other-{}", garm.server.names().len());
                garm.server.add(
                    &name,
                    102,
                    &[("user.runner-controller-id", CONTROLLER), ("user.runner-pool-id", POOL)],
                );
            }
            let what = named(&format!("ListInstances of {count}"));
            println!("{}", figure(&mut garm, &programs, &what, |_| (), |garm| garm.call("ListInstances", "")));
        }
        let ours = &programs[..1];
        let gone = |garm: &Garm| garm.server.add("gone", 102, &[("user.runner-controller-id", CONTROLLER)]);
        println!(
            "{}",
            figure(&mut garm, ours, &named("DeleteInstance"), gone, |garm| garm.call("DeleteInstance", "gone"))
        );
        garm.server.take(Durations { address: Duration::from_secs(2), ..Durations::default() });
        let begin = Instant::now();
        garm.create(&bootstrap("garm-2")).expect(0);
        println!("figure {}: {:?}", named("CreateInstance, with an address after 2 s"), begin.elapsed());
        for (command, what) in [("GetInstance", "GetInstance"), ("ListInstances", "ListInstances of 500")] {
            let most: Vec<u64> = programs.iter().map(|program| memory(&garm, program, command)).collect();
            println!("figure {}: {most:?} KiB", named(&format!("{what}, memory")));
        }
    }
}
