//! Messages as `sd_notify(3)` knows them: to the host's systemd, and from the machine's nspawn.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Tells systemd that this process is alive.
#[derive(Debug)]
pub struct Watchdog {
    socket: UnixDatagram,
    /// How often it has to be told.
    pub interval: Duration,
}

impl Watchdog {
    /// The one of this unit; `None` if it has none, as outside of systemd.
    ///
    /// # Errors
    ///
    /// If systemd's socket cannot be reached.
    pub fn of_unit(socket: Option<&str>, microseconds: Option<&str>) -> Result<Option<Self>> {
        let (Some(path), Some(limit)) = (socket, microseconds.and_then(|text| text.parse().ok())) else {
            return Ok(None);
        };
        let connect = || {
            let address = match path.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(path)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = connect().with_context(|| format!("Failed to connect to {path}"))?;
        Ok(Some(Self { socket, interval: Duration::from_micros(limit) / 3 }))
    }

    /// From now on this process has to say that it is alive within `limit`.
    pub fn tighten(&mut self, limit: Duration) {
        self.interval = limit / 3;
        // If systemd does not listen, the longer time of the unit stays.
        _ = self.socket.send(format!("WATCHDOG_USEC={}", limit.as_micros()).as_bytes());
        self.pat();
    }

    /// Tells it now.
    pub fn pat(&self) {
        // If systemd does not listen for once, the next time counts.
        _ = self.socket.send(b"WATCHDOG=1");
    }
}

/// Where nspawn says that the machine's init is ready.
#[derive(Debug)]
pub struct Readiness(UnixDatagram);

impl Readiness {
    /// Makes the socket at `path`.
    ///
    /// # Errors
    ///
    /// As `bind(2)`.
    pub fn bind(path: &Path) -> Result<Self> {
        let bind = || {
            let socket = UnixDatagram::bind(path)?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        bind().map(Self).with_context(|| format!("Failed to listen on {}", path.display()))
    }

    /// Reads what came, and tells whether it was the readiness.
    #[must_use]
    pub fn came(&self) -> bool {
        let mut buffer = [0; 4_096];
        let mut ready = false;
        while let Ok(length) = self.0.recv(&mut buffer) {
            ready |= buffer[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1");
        }
        ready
    }
}

impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_in_time_and_readiness_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let readiness = Readiness::bind(&path).unwrap();
        assert!(!readiness.came());
        let socket = path.to_str();
        let mut watchdog = Watchdog::of_unit(socket, Some("3000000")).unwrap().unwrap();
        assert_eq!(watchdog.interval, Duration::from_secs(1));
        watchdog.pat();
        assert!(!readiness.came());
        watchdog.tighten(Duration::from_millis(1_500));
        assert_eq!(watchdog.interval, Duration::from_millis(500));
        let mut buffer = [0; 64];
        let length = readiness.0.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"WATCHDOG_USEC=1500000");
        watchdog.socket.send(b"STATUS=READY=1\nX=1").unwrap();
        assert!(!readiness.came());
        watchdog.socket.send(b"STATUS=x\nREADY=1").unwrap();
        assert!(readiness.came());
        assert!(Watchdog::of_unit(socket, None).unwrap().is_none());
        assert!(Watchdog::of_unit(None, Some("1")).unwrap().is_none());
    }
}
