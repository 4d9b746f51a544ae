//! The log of a job: takes bytes of several streams, adds time stamps, and sends it while the job runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::Value;

use super::control::{Control, MOMENT};
use super::network::Network;
use super::shared::Utc;

/// The largest part that is sent at once.
const LARGEST_PART: usize = 512 << 10;

/// One stream of a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Output = b'O' as isize,
    Errors = b'E' as isize,
}

/// A log that is being sent; clones write into the same one.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    /// Whether the last line of each stream has no end yet.
    open: [bool; 2],
    /// In bytes; what is beyond is dropped.
    limit: usize,
    is_full: bool,
    is_done: bool,
}

impl Trace {
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Log { limit, ..Log::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sentence of the runner itself.
    pub fn line(&self, text: &str) {
        self.write(Stream::Output, format!("{text}\n").as_bytes());
    }

    /// What came out of a stream.
    pub fn write(&self, stream: Stream, bytes: &[u8]) {
        let log = &mut *self.lock();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if log.is_full {
                return;
            }
            let open = &mut log.open[usize::from(stream == Stream::Errors)];
            let goes_on = if *open { '+' } else { ' ' };
            let letter = if stream == Stream::Output { 'O' } else { 'E' };
            let stamp = format!("{} 00{letter}{goes_on}", now());
            *open = !piece.ends_with(b"\n");
            log.bytes.extend(stamp.as_bytes());
            log.bytes.extend(piece);
            if *open {
                log.bytes.push(b'\n');
            }
            if log.bytes.len() > log.limit {
                log.is_full = true;
                let text = format!("{} 00O Job's log exceeded limit of {} bytes.\n", now(), log.limit);
                log.bytes.extend(text.as_bytes());
            }
        }
    }

    /// Sends everything until [`Self::finish`].
    pub fn send(&self, network: &Network, job: &Value, control: &Control) -> JoinHandle<Result<()>> {
        let (trace, network, job, control) = (self.clone(), network.clone(), job.clone(), control.clone());
        thread::spawn(move || {
            let mut sent = 0;
            loop {
                let (part, is_done) = {
                    let log = trace.lock();
                    let end = log.bytes.len().min(sent + LARGEST_PART);
                    (log.bytes[sent..end].to_vec(), log.is_done && end == log.bytes.len())
                };
                // An empty part asks whether the job is cancelled.
                network.append(&job, &part, sent, &control)?;
                sent += part.len();
                if is_done {
                    return Ok(());
                }
                thread::sleep(MOMENT);
            }
        })
    }

    /// No more is written.
    pub fn finish(&self) {
        self.lock().is_done = true;
    }
}

/// `2026-11-29T12:12:58.307378Z`.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Utc::from_unix(since.as_secs()).iso().replace('Z', &format!(".{:06}Z", since.subsec_micros()))
}
