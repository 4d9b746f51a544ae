//! When the door is there: started with its socket, gone when nobody comes.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use github_runners::frontend::ondemand::door::places::Limits;

use crate::host::{Host, PROGRAM, good, online, rest, status};
use crate::times::FOREVER;
use crate::wait::wait_for;

#[test]
fn who_connects_before_the_door_is_there_is_answered() {
    let mut host = Host::new(online);
    let early = host.connect();
    std::io::Write::write_all(&mut &early, good().as_bytes()).unwrap();
    host.start();
    assert_eq!(status(&rest(early)), 200);
}

#[test]
fn the_door_ends_when_nobody_comes_and_not_before_its_last_connection() {
    let host = Host::new(online);
    let limits = Limits { idle: Duration::from_secs(1), request: Duration::from_secs(3), ..Limits::default() };
    let begin = Instant::now();
    let door = host.serve(limits.clone());
    // It takes longer than the door would wait for a first one.
    assert_eq!(status(&rest(host.connect())), 408);
    door.join().unwrap().unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(4), "{:?}", begin.elapsed());
    // The next door finds the socket as it was.
    let door = host.serve(limits);
    assert_eq!(status(&host.says(good())), 200);
    door.join().unwrap().unwrap();
}

#[test]
fn without_a_desk_callers_are_told_to_ask_again() {
    let host = Host::new(online);
    std::fs::remove_file(host.socket.with_file_name("desk")).unwrap();
    host.serve(Limits { idle: FOREVER, ..Limits::default() });
    let answer = host.says(good());
    assert!(status(&answer) == 503 && answer.contains("Retry-After: 5"), "{answer}");
    // It needs nobody for this.
    assert_eq!(status(&host.says("GET / HTTP/1.0\r\n\r\n")), 200);
}

#[test]
fn a_standard_input_that_is_no_listening_socket_is_told() {
    let (one, _other) = UnixStream::pair().unwrap();
    let network = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for input in [Stdio::null(), Stdio::piped(), OwnedFd::from(one).into(), OwnedFd::from(network).into()] {
        let arguments = ["--desk", "/nonexistent", "--prefix", "od"];
        let output = Command::new(PROGRAM).args(arguments).stdin(input).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("must be a listening Unix socket"), "{said}");
    }
}

#[test]
fn the_program_says_what_it_is() {
    let run = |argument| Command::new(PROGRAM).arg(argument).stdin(Stdio::null()).output().unwrap();
    let help = run("--help");
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--compatible-prefix PREFIX"));
    let unknown = run("--listen");
    assert!(!unknown.status.success() && String::from_utf8(unknown.stderr).unwrap().contains("no option `--listen`"));
}

#[test]
fn the_program_ends_when_it_is_told_to() {
    let host = Host::with_program(online);
    assert_eq!(status(&host.says(good())), 200);
    let process = nix::unistd::Pid::from_raw(host.process().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let file = format!("/proc/{}/stat", host.process());
    wait_for("its end", || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(") Z ")).then_some(()));
}
