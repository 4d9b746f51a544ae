//! Packets on Unix sockets, with descriptors: the only way in which these programs speak.
//!
//! A message that is too long, has too many descriptors or is no JSON is an error of its sender, never of the reader:
//! descriptors that came along are closed, nothing is kept.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, UCred,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{LONGEST_MESSAGE, MOST_DESCRIPTORS};

/// One end of a connection.
#[derive(Debug)]
pub struct Connection(OwnedFd);

/// A message with the descriptors that came with it.
#[derive(Debug)]
pub struct Received<T> {
    /// What was said.
    pub message: T,
    /// In the order in which they were sent.
    pub descriptors: Vec<OwnedFd>,
}

impl Connection {
    /// Takes over a connected socket, which must be of type `SOCK_SEQPACKET`.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub fn adopt(socket: OwnedFd) -> Result<Self> {
        let kind = rustix::net::sockopt::socket_type(&socket).context("Failed to take over a connection: no socket")?;
        if kind != SocketType::SEQPACKET {
            bail!("Failed to take over a connection: its socket must be of type SOCK_SEQPACKET");
        }
        Ok(Self(socket))
    }

    /// Connects to the socket at `path`, and waits for its backlog.
    ///
    /// # Errors
    ///
    /// As `connect(2)`.
    pub fn open(path: &Path) -> rustix::io::Result<Self> {
        let socket = new_socket()?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self(socket))
    }

    /// Sends one message; waits if the other side does not read, unless the connection is nonblocking.
    ///
    /// # Errors
    ///
    /// As `sendmsg(2)`.
    pub fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let text = serde_json::to_vec(message).context("Failed to write a message")?;
        if text.len() > LONGEST_MESSAGE {
            bail!("Failed to send a message: it has {} bytes, more than {LONGEST_MESSAGE}", text.len());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            bail!("Failed to send a message: it has {} descriptors", descriptors.len());
        }
        let sent = rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)
        })
        .context("Failed to send a message")?;
        if sent != text.len() {
            bail!("Failed to send a message: {sent} of {} bytes went out", text.len());
        }
        Ok(())
    }

    /// Waits for one message. `None` is the end of the connection.
    ///
    /// # Errors
    ///
    /// As `recvmsg(2)`; if the message is none of `T`.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Option<Received<T>>> {
        let mut text = vec![0; LONGEST_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            let buffer = &mut [IoSliceMut::new(&mut text)];
            rustix::net::recvmsg(&self.0, buffer, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let received = match received {
            // Who went away without reading what was sent leaves this behind instead of an end.
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            received => received.context("Failed to receive a message")?,
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        // The kernel rounds the room for descriptors up.
        let too_many = descriptors.len() > MOST_DESCRIPTORS;
        if too_many || received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            bail!("A message is longer than {LONGEST_MESSAGE} bytes, or has more than {MOST_DESCRIPTORS} descriptors");
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        let text = &text[..received.bytes];
        let message = serde_json::from_slice(text).map_err(|error| anyhow!("A message is not understood: {error}"))?;
        Ok(Some(Received { message, descriptors }))
    }

    /// Says that nothing more is sent. The other side sees the end, and can still answer.
    ///
    /// # Errors
    ///
    /// As `shutdown(2)`.
    pub fn finish(&self) -> Result<()> {
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write).context("Failed to end a connection")
    }

    /// Who connected, as the kernel saw it: process, user and group, in the namespaces of this process.
    ///
    /// # Errors
    ///
    /// As `getsockopt(2)`.
    pub fn peer(&self) -> Result<UCred> {
        rustix::net::sockopt::socket_peercred(&self.0).context("Failed to find out who connected")
    }

    /// From now on nothing waits: a full or an empty connection is an error.
    ///
    /// # Errors
    ///
    /// As `fcntl(2)`.
    pub fn never_wait(&self) -> Result<()> {
        let flags = rustix::fs::fcntl_getfl(&self.0).context("Failed to look at a connection")?;
        rustix::fs::fcntl_setfl(&self.0, flags | rustix::fs::OFlags::NONBLOCK).context("Failed to set up a connection")
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A socket that waits for connections.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Makes the socket at `path`, whose name must be free, with the rights that the mask of this process leaves.
    ///
    /// # Errors
    ///
    /// As `bind(2)`.
    pub fn bind(path: &Path) -> Result<Self> {
        let bind = || {
            let socket = new_socket()?;
            rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
            rustix::net::listen(&socket, BACKLOG)?;
            Ok::<_, rustix::io::Errno>(socket)
        };
        bind().map(Self).with_context(|| format!("Failed to listen on {}", path.display()))
    }

    /// Takes the next connection.
    ///
    /// # Errors
    ///
    /// As `accept(2)`.
    pub fn accept(&self) -> Result<Connection> {
        let accepted =
            rustix::net::accept_with(&self.0, SocketFlags::CLOEXEC).context("Failed to accept a connection")?;
        Ok(Connection(accepted))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How many may wait for a listener.
const BACKLOG: i32 = 16;

fn new_socket() -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Two ends of one connection.
///
/// # Errors
///
/// As `socketpair(2)`.
#[cfg(test)]
pub fn pair() -> rustix::io::Result<(Connection, Connection)> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map(|(one, other)| (Connection(one), Connection(other)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors_and_the_end_is_seen() {
        let (one, other) = pair().unwrap();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        one.send(&"first", &[reader.as_fd()]).unwrap();
        one.send(&"second", &[]).unwrap();
        writer.write_all(b"said").unwrap();
        drop(writer);
        let received: Received<String> = other.receive().unwrap().unwrap();
        assert_eq!(received.message, "first");
        let mut text = String::new();
        File::from(received.descriptors.into_iter().next().unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "said");
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "both ends are the same pipe");
        assert_eq!(other.receive::<String>().unwrap().unwrap().message, "second");
        drop(one);
        assert!(other.receive::<String>().unwrap().is_none());
    }

    #[test]
    fn what_is_too_long_or_no_json_is_refused_and_the_next_message_is_read() {
        let (one, other) = pair().unwrap();
        let raw = |bytes: &[u8]| rustix::net::send(&one, bytes, SendFlags::NOSIGNAL).unwrap();
        raw(&vec![b'1'; LONGEST_MESSAGE + 1]);
        raw(b"{");
        raw(b"\"good\"");
        assert!(other.receive::<String>().unwrap_err().to_string().contains("longer than 16384 bytes"));
        assert!(other.receive::<String>().unwrap_err().to_string().contains("not understood"));
        assert_eq!(other.receive::<String>().unwrap().unwrap().message, "good");
        assert!(one.send(&"x".repeat(LONGEST_MESSAGE), &[]).is_err());
    }

    #[test]
    fn more_descriptors_than_allowed_are_refused_and_closed() {
        let (one, other) = pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let many: Vec<BorrowedFd<'_>> = vec![writer.as_fd(); MOST_DESCRIPTORS + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS + 1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        rustix::net::sendmsg(&one, &[IoSlice::new(b"1")], &mut control, SendFlags::NOSIGNAL).unwrap();
        assert!(other.receive::<u8>().is_err());
        drop(many);
        drop(writer);
        let mut reader = reader;
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "no copy is left");
    }

    #[test]
    fn a_stream_is_no_connection() {
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(Connection::adopt(stream.into()).unwrap_err().to_string().contains("SOCK_SEQPACKET"));
        assert!(Connection::adopt(File::open("/dev/null").unwrap().into()).is_err());
    }
}
