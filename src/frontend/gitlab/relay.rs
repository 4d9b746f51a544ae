//! Hands the output of a stage on to gitlab-runner: every byte, in its order, as soon as it comes.
//!
//! A stage writes into a pipe of the driver and never into gitlab-runner's own, so that a process of the job that keeps
//! its output open keeps nobody waiting. Writing waits for room by `poll`, so that the driver always hears signals.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionread};

/// What is read at once: as much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// What a pipe takes at once, without waiting, if it takes anything: `PIPE_BUF`.
const PIECE: usize = 4_096;

/// Nobody reads any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closed;

/// One stream of a stage.
pub struct Relay<'a> {
    /// `None` after its end.
    from: Option<File>,
    to: BorrowedFd<'a>,
    buffer: Vec<u8>,
    /// How much of the buffer was written.
    written: usize,
    /// How much is still read, once the stage has ended.
    left: Option<u64>,
}

impl<'a> Relay<'a> {
    pub fn new(from: io::PipeReader, to: BorrowedFd<'a>) -> Self {
        Self { from: Some(File::from(OwnedFd::from(from))), to, buffer: Vec::new(), written: 0, left: None }
    }

    fn is_empty(&self) -> bool {
        self.written == self.buffer.len()
    }

    /// Whether everything was handed on.
    pub fn is_done(&self) -> bool {
        self.from.is_none() && self.is_empty()
    }

    /// The stage has ended: what it wrote is in the pipe by now, and what others write from here on is none of it.
    pub fn end(&mut self) {
        if let Some(from) = &self.from {
            self.left = Some(ioctl_fionread(from).unwrap_or_default());
            self.close_if_read();
        }
    }

    fn close_if_read(&mut self) {
        if self.left == Some(0) {
            self.from = None;
        }
    }

    /// What to wait for: input if there is room for it, room if there is input, and in any case the end of the reader.
    pub fn polled(&self) -> [PollFd<'_>; 2] {
        let (input, output) =
            if self.is_empty() { (PollFlags::IN, PollFlags::empty()) } else { (PollFlags::empty(), PollFlags::OUT) };
        match &self.from {
            Some(from) if self.is_empty() => [PollFd::new(from, input), PollFd::from_borrowed_fd(self.to, output)],
            // A pipe whose writers are gone would wake everybody up until it is read.
            _ => [PollFd::from_borrowed_fd(self.to, output), PollFd::from_borrowed_fd(self.to, output)],
        }
    }

    /// Goes on after these descriptors were found ready.
    ///
    /// # Errors
    ///
    /// If gitlab-runner does not read any more.
    pub fn go_on(&mut self, found: [PollFlags; 2]) -> Result<(), Closed> {
        let [from, to] = found;
        if to.contains(PollFlags::ERR) {
            return Err(Closed);
        }
        if !self.is_empty() {
            return if to.contains(PollFlags::OUT) { self.write() } else { Ok(()) };
        }
        if from.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.read();
        }
        Ok(())
    }

    fn read(&mut self) {
        let Some(from) = &mut self.from else { return };
        let length = self.left.map_or(CHUNK, |left| usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK)));
        self.buffer.resize(length, 0);
        self.written = 0;
        match from.read(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.buffer.clear(),
            Ok(0) | Err(_) => {
                self.buffer.clear();
                self.from = None;
            }
            Ok(length) => {
                self.buffer.truncate(length);
                self.left = self.left.map(|left| left - length as u64);
                self.close_if_read();
            }
        }
    }

    fn write(&mut self) -> Result<(), Closed> {
        let end = self.buffer.len().min(self.written + PIECE);
        match rustix::io::write(self.to, &self.buffer[self.written..end]) {
            Ok(length) => self.written += length,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return Err(Closed),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use rustix::event::{Timespec, poll};

    use super::*;

    /// One turn of the loop; whether anything was ready.
    fn turn(relay: &mut Relay<'_>) -> Result<bool, Closed> {
        let mut polled = relay.polled();
        let ready = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0;
        let found = polled.map(|polled| polled.revents());
        relay.go_on(found)?;
        Ok(ready)
    }

    #[test]
    fn every_byte_arrives_in_order_and_nothing_waits_for_a_line() {
        let ((from, mut script), (mut runner, to)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let mut relay = Relay::new(from, to.as_fd());
        script.write_all(b"no end of line").unwrap();
        while turn(&mut relay).unwrap() {}
        let mut text = [0; 14];
        runner.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"no end of line");
        let all: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        let expected = all.clone();
        let writer = std::thread::spawn(move || script.write_all(&all));
        let reader = std::thread::spawn(move || {
            let mut read = Vec::new();
            runner.read_to_end(&mut read).map(|_| read)
        });
        while !relay.is_done() {
            let mut polled = relay.polled();
            poll(&mut polled, None).unwrap();
            let found = polled.map(|polled| polled.revents());
            relay.go_on(found).unwrap();
        }
        writer.join().unwrap().unwrap();
        drop(to);
        assert!(reader.join().unwrap().unwrap() == expected);
    }

    #[test]
    fn after_the_end_of_a_stage_what_it_wrote_is_handed_on_and_a_process_that_is_left_keeps_nobody() {
        let ((from, mut script), (mut runner, to)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let mut relay = Relay::new(from, to.as_fd());
        script.write_all(b"said").unwrap();
        relay.end();
        assert!(!relay.is_done());
        script.write_all(b"too late").unwrap();
        while !relay.is_done() {
            turn(&mut relay).unwrap();
        }
        drop(to);
        let mut text = String::new();
        runner.read_to_string(&mut text).unwrap();
        assert_eq!(text, "said");
    }

    #[test]
    fn a_silent_stage_is_done_at_its_end() {
        let ((from, _script), (_runner, to)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let mut relay = Relay::new(from, to.as_fd());
        relay.end();
        assert!(relay.is_done());
    }

    #[test]
    fn a_reader_that_is_gone_is_seen_without_a_byte() {
        let ((from, _script), (runner, to)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let mut relay = Relay::new(from, to.as_fd());
        assert_eq!(turn(&mut relay), Ok(false));
        drop(runner);
        assert_eq!(turn(&mut relay), Err(Closed));
    }

    #[test]
    fn a_reader_that_is_slow_keeps_the_stage_waiting_and_not_the_driver() {
        let ((from, script), (runner, to)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let mut relay = Relay::new(from, to.as_fd());
        let flags = rustix::fs::fcntl_getfl(&script).unwrap();
        rustix::fs::fcntl_setfl(&script, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut script = script;
        // Until all pipes are full.
        while script.write(&[0; 4_096]).is_ok() || turn(&mut relay).unwrap() {}
        assert!(!relay.is_done());
        drop(runner);
        assert_eq!(turn(&mut relay), Err(Closed));
    }
}
