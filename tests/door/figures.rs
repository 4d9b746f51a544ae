//! What the program costs: `cargo test --release --test door figures -- --ignored --nocapture`, with the path of the program as
//! packages have it in `DOOR` to measure that one.

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::{Host, good, online, status};
use crate::wait::wait_for;

/// How long requests are made for one figure.
const TURN: Duration = Duration::from_secs(5);

/// A line of the process' status, in KiB.
fn kib(host: &Host, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", host.process())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().split(' ').next().unwrap().parse().unwrap()
}

fn threads(host: &Host) -> usize {
    fs::read_dir(format!("/proc/{}/task", host.process())).unwrap().count()
}

/// How many requests a second are answered, by so many callers at once.
fn rate(host: &Host, request: &str, callers: usize) -> f64 {
    let begin = Instant::now();
    let counts = thread::scope(|scope| {
        let caller = || {
            let mut count = 0_u32;
            while begin.elapsed() < TURN {
                assert_eq!(status(&host.says(request)), 200);
                count += 1;
            }
            count
        };
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum::<u32>()
    });
    f64::from(counts) / begin.elapsed().as_secs_f64()
}

#[test]
#[ignore = "measures; wants an idle machine and the program as packages have it"]
fn figures_of_the_door() {
    let host = Host::with_program(online);
    println!("figure size: {} KiB", fs::metadata(crate::host::program()).unwrap().len() / 1024);
    assert_eq!(status(&host.says(good())), 200);
    println!("figure memory after one request: {} KiB", kib(&host, "VmRSS"));
    for callers in [1, 8] {
        let people = rate(&host, "GET / HTTP/1.0\r\n\r\n", callers);
        println!("figure requests that the door answers itself, {callers} at once: {people:.0} a second");
        let desk = rate(&host, &good(), callers);
        println!("figure requests with a question to the desk, {callers} at once: {desk:.0} a second");
    }
    println!("figure memory after all of them: {} KiB, at most {} KiB", kib(&host, "VmRSS"), kib(&host, "VmHWM"));
    let idle = Host::with_program(online);
    let connections: Vec<_> = (0..64).map(|_| idle.connect()).collect();
    wait_for("a thread for each connection", || (threads(&idle) == 65).then_some(()));
    println!("figure memory with 64 idle connections: {} KiB", kib(&idle, "VmRSS"));
    drop(connections);
    let full = Host::with_program(online);
    let mut connections: Vec<_> = (0..64).map(|_| full.connect()).collect();
    for stream in &mut connections {
        // A whole head and body but for the last byte: the most that one connection can have kept.
        let fields = format!("X: {}\r\nContent-Length: 8192\r\n\r\n{}", "x".repeat(16_000), "y".repeat(8_191));
        stream.write_all(format!("POST / HTTP/1.0\r\n{fields}").as_bytes()).unwrap();
    }
    wait_for("a thread for each connection", || (threads(&full) == 65).then_some(()));
    let begin = Instant::now();
    let mut most = 0;
    while begin.elapsed() < Duration::from_secs(2) {
        most = kib(&full, "VmHWM").max(most);
    }
    println!("figure memory with 64 connections that sent all but a byte: {most} KiB");
}
