//! A socket of this host in the place of the network: the library makes requests, this makes connections.
//!
//! The library does not promise the form of its connectors from one release to the next. What changes there fails to compile
//! here and in [`super::tls`], and nowhere else.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

/// Connects to one socket, whatever host an address names.
#[derive(Debug)]
pub struct Socket(pub PathBuf);

impl Connector for Socket {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Stream>, Error> {
        let end = End::of(details.timeout)?;
        let stream = connected(&self.0, end)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Stream { stream, buffers }))
    }
}

/// A connection to the socket at `path`. A server that is too busy to take it is waited for until `end`.
fn connected(path: &Path, end: End) -> Result<UnixStream, Error> {
    let socket: OwnedFd =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(io::Error::from)?;
    let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
    loop {
        // What is sent later has limits of its own; here it is how long the kernel waits for a place in the queue.
        set_socket_timeout(&socket, sockopt::Timeout::Send, end.left()?).map_err(io::Error::from)?;
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(Error::Io(error.into())),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// When one step has to be over, however many calls it takes.
#[derive(Clone, Copy)]
struct End {
    limit: NextTimeout,
    /// Nothing for a step without a limit.
    at: Option<Instant>,
}

impl End {
    /// That of a step that begins now.
    fn of(limit: NextTimeout) -> Result<Self, Error> {
        if limit.after.is_zero() {
            return Err(Error::Timeout(limit.reason));
        }
        Ok(Self { limit, at: limit.not_zero().and_then(|left| Instant::now().checked_add(*left)) })
    }

    /// What is left. An error once that is nothing.
    fn left(self) -> Result<Option<Duration>, Error> {
        let left = self.at.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) { Err(Error::Timeout(self.limit.reason)) } else { Ok(left) }
    }
}

/// A connection, whose calls never wait: only [`Stream::wait`] does.
#[derive(Debug)]
pub struct Stream {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Stream {
    /// Waits until there is something to read, or room to write.
    fn wait(&self, what: PollFlags, end: End) -> Result<(), Error> {
        let left =
            end.left()?.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
        match poll(&mut [PollFd::new(&self.stream, what)], left.as_ref()) {
            // Whoever asked tries, and comes back for what is left of the limit.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(Error::Io(error.into())),
        }
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let end = End::of(timeout.for_write())?;
        let mut sent = 0;
        while sent < amount {
            match self.stream.write(&self.buffers.output()[sent..amount]) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(more) => sent += more,
                Err(error) if is_too_early(&error) => self.wait(PollFlags::OUT, end)?,
                Err(error) => return Err(Error::Io(error)),
            }
            end.left()?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let end = End::of(timeout.for_read())?;
        let amount = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(amount) => break amount,
                Err(error) if is_too_early(&error) => self.wait(PollFlags::IN, end)?,
                Err(error) => return Err(Error::Io(error)),
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Nothing may have come, not even an end.
        self.stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// Whether a call has to be made once more, later.
fn is_too_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Asks nobody for addresses: a socket has none.
#[derive(Debug)]
pub struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::sync::mpsc;
    use std::thread;

    use rustix::net::{bind, listen};
    use ureq::Timeout;

    use super::*;

    /// Far more than anything here takes.
    const FOREVER: Duration = Duration::from_secs(100);

    fn after(time: Duration) -> NextTimeout {
        NextTimeout { after: time.into(), reason: Timeout::Global, ..NextTimeout::default() }
    }

    /// What `work` ends with. It is a fault of its own that it does not end.
    fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(work()));
        told.recv_timeout(FOREVER).expect("it ends")
    }

    #[test]
    fn a_server_that_takes_no_connection_is_given_up_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let new = || socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
        let (server, address) = (new(), SocketAddrUnix::new(&path).unwrap());
        bind(&server, &address).unwrap();
        listen(&server, 0).unwrap();
        // Until nobody else has a place in its queue.
        let waiting: Vec<OwnedFd> = std::iter::repeat_with(new)
            .take_while(|client| match connect(client, &address) {
                Ok(()) => true,
                Err(Errno::AGAIN) => false,
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert!(!waiting.is_empty());
        let end = End::of(after(Duration::from_millis(50))).unwrap();
        let fault = in_time(move || connected(&path, end)).unwrap_err();
        assert!(matches!(fault, Error::Timeout(Timeout::Global)), "{fault:?}");
    }

    #[test]
    fn the_limit_of_what_is_sent_holds_for_all_of_it() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        // The least that the kernel has: what is sent goes in many parts, none of which waits as long as the limit.
        sockopt::set_socket_send_buffer_size(ours.as_fd(), 1).unwrap();
        ours.set_nonblocking(true).unwrap();
        let size = 1 << 20;
        thread::spawn(move || {
            let mut part = vec![0; 4096];
            while theirs.read(&mut part).is_ok_and(|amount| amount > 0) {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let mut stream = Stream { stream: ours, buffers: LazyBuffers::new(1, size) };
        // It takes a second and more.
        let sent = in_time(move || {
            stream.buffers.output().fill(b'x');
            stream.transmit_output(size, after(Duration::from_millis(200)))
        });
        assert!(matches!(sent, Err(Error::Timeout(Timeout::Global))), "{sent:?}");
    }
}
