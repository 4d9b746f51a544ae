//! One question to GitHub, as often as it needs asking within the time that there is.
//!
//! Repeats only what may be repeated, starts nothing once whoever asked is gone (but for undoing what was done for
//! them), and lets no answer through that repeats the credential.

use std::cell::Cell;
use std::time::Duration;

use super::ApiBase;
use super::wait::{REMAINING, Spare, Verdict, is_limited, number, verdict};
use crate::contract::protocol::Secret;
use crate::http::time;
use crate::http::{Broken, Call, Effect, Response, Surroundings, Transport};
use crate::model::shown;

/// No single attempt takes longer.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(30);

/// Why there is no final answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// GitHub refuses. Sentences: what is wrong and the way out.
    Refused(String),
    /// No useful answer in time. The end of a sentence.
    Unreachable(String),
    /// Too many requests until this time, in seconds since 1970.
    RateLimited(u64),
    /// It may have happened or not; only for [`Effect::Once`]. The end of a sentence.
    Lost(String),
    /// Nobody waits for the answer any more.
    AskerGone,
}

/// GitHub, for one request of a broker.
pub struct Client<'a> {
    base: ApiBase,
    transport: &'a dyn Transport,
    surroundings: &'a dyn Surroundings,
    patience: Duration,
    expires: Cell<Option<u64>>,
    requests: Cell<u64>,
    remaining: Cell<Option<u64>>,
    clock_ahead: Cell<Option<i64>>,
    undoing: Cell<bool>,
}

impl<'a> Client<'a> {
    /// A client for the API at `base`, which may take `patience` for everything together.
    #[must_use]
    pub fn new(
        base: ApiBase,
        transport: &'a dyn Transport,
        surroundings: &'a dyn Surroundings,
        patience: Duration,
    ) -> Self {
        Self {
            base,
            transport,
            surroundings,
            patience,
            expires: Cell::default(),
            requests: Cell::default(),
            remaining: Cell::default(),
            clock_ahead: Cell::default(),
            undoing: Cell::default(),
        }
    }

    /// When the credential expires, in seconds since 1970, if an answer said so.
    #[must_use]
    pub fn credential_expires(&self) -> Option<u64> {
        self.expires.get()
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// By how many seconds GitHub's clock is ahead of this host's, if an answer said so.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<i64> {
        self.clock_ahead.get()
    }

    /// How many more GitHub takes before its limit, if an answer said so: by the last one that did.
    #[must_use]
    pub fn rate_limit_remaining(&self) -> Option<u64> {
        self.remaining.get()
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.surroundings.now()
    }

    /// How long everything together may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits for something else than GitHub.
    ///
    /// # Errors
    ///
    /// Nobody waits for the answer any more.
    pub fn wait(&self, time: Duration) -> Result<(), Failure> {
        if self.stays(time) { Ok(()) } else { Err(Failure::AskerGone) }
    }

    /// Waits for something that takes its time at GitHub; `false`, and at once, if there is no more time than that.
    ///
    /// # Errors
    ///
    /// Nobody waits for the answer any more.
    pub fn spends(&self, time: Duration) -> Result<bool, Failure> {
        if self.left().is_none_or(|left| left <= time) {
            return Ok(false);
        }
        self.wait(time).map(|()| true)
    }

    /// Whether whoever asked is still there.
    #[must_use]
    pub fn asker_is_there(&self) -> bool {
        self.surroundings.asker_stays(Duration::ZERO)
    }

    /// From now on everything serves to undo what was done, so it is done whether somebody waits for it or not. The
    /// time that there is remains the same.
    pub fn undo(&self) {
        self.undoing.set(true);
    }

    /// The host that is asked.
    #[must_use]
    pub fn host(&self) -> &str {
        self.base.host()
    }

    /// Asks, and asks again while that can help.
    ///
    /// # Errors
    ///
    /// No final answer. Refusals of GitHub are answers here.
    pub fn send(&self, call: &Call, bearer: &Secret) -> Result<Response, Failure> {
        self.send_as(call, Some(bearer))
    }

    /// The same without a credential, for what everybody may read.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub fn send_openly(&self, call: &Call) -> Result<Response, Failure> {
        self.send_as(call, None)
    }

    fn send_as(&self, call: &Call, bearer: Option<&Secret>) -> Result<Response, Failure> {
        let address = self.base.at(&call.path);
        let mut why = "there was no time left to ask GitHub".to_owned();
        for attempt in 0.. {
            let Some(left) = self.left() else { break };
            if call.effect != Effect::None && !self.stays(Duration::ZERO) {
                return Err(Failure::AskerGone);
            }
            let sent = self.transport.send(&address, call, bearer, left.min(LONGEST_ATTEMPT));
            let sent = sent.and_then(|response| sound(response, bearer));
            self.note(&sent);
            let did_nothing = sent.as_ref().map_or_else(|broken| broken.lasting, is_limited);
            let judged = verdict(&sent, attempt, &self.spare());
            if call.effect == Effect::Once && !did_nothing && judged != Verdict::Take {
                return Err(Failure::Lost(reason(&sent)));
            }
            match judged {
                Verdict::Take => return sent.map_err(|broken| Failure::Unreachable(broken.why)),
                Verdict::Limited(until) => return Err(Failure::RateLimited(until)),
                Verdict::Unreachable(why) => return Err(Failure::Unreachable(why)),
                Verdict::Again(wait) if !self.stays(wait) => return Err(Failure::AskerGone),
                Verdict::Again(_) => why = reason(&sent),
            }
        }
        Err(Failure::Unreachable(why))
    }

    /// Waits before something is tried once more; `attempt` counts from 0.
    ///
    /// # Errors
    ///
    /// There is no time left for it, because of `why`, or nobody waits any more.
    pub fn pause(&self, attempt: u32, why: String) -> Result<(), Failure> {
        match verdict(&Err(Broken { why, lasting: false }), attempt, &self.spare()) {
            Verdict::Again(wait) if self.stays(wait) => Ok(()),
            Verdict::Unreachable(why) => Err(Failure::Unreachable(why)),
            _ => Err(Failure::AskerGone),
        }
    }

    /// Keeps what an attempt tells besides.
    fn note(&self, sent: &Result<Response, Broken>) {
        self.requests.set(self.requests.get() + 1);
        let Ok(response) = sent else { return };
        if let Some(expires) = response.header(EXPIRATION) {
            self.expires.set(time::expiration(expires));
        }
        if let Some(date) = response.server_time() {
            self.clock_ahead
                .set(i64::try_from(date).ok().zip(i64::try_from(self.now()).ok()).map(|(theirs, ours)| theirs - ours));
        }
        if let Some(remaining) = number(response, REMAINING) {
            self.remaining.set(Some(remaining));
        }
    }

    /// Waits, and tells whether there is still a reason to go on.
    fn stays(&self, wait: Duration) -> bool {
        if !self.undoing.get() {
            return self.surroundings.asker_stays(wait);
        }
        self.surroundings.sleep(wait);
        true
    }

    fn spare(&self) -> Spare {
        Spare {
            now: self.surroundings.now(),
            left: self.left().unwrap_or_default(),
            jitter: self.surroundings.jitter(),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.patience.checked_sub(self.surroundings.passed()).filter(|left| !left.is_zero())
    }
}

const EXPIRATION: &str = "github-authentication-token-expiration";

fn reason(sent: &Result<Response, Broken>) -> String {
    match sent {
        Ok(response) => format!("GitHub answers with error {}", response.status),
        Err(broken) => broken.why.clone(),
    }
}

/// An answer that can come from GitHub.
fn sound(response: Response, bearer: Option<&Secret>) -> Result<Response, Broken> {
    let passing = |why: &str| Err(Broken { why: why.into(), lasting: false });
    let repeats = |text: &[u8]| {
        let secret = bearer.map_or("", Secret::expose);
        !secret.is_empty() && text.windows(secret.len()).any(|part| part == secret.as_bytes())
    };
    if repeats(&response.body) || response.headers.iter().any(|(_, value)| repeats(value.as_bytes())) {
        return passing("the answer repeats the credential, so it is not GitHub's");
    }
    let is_json = response.header("content-type").unwrap_or_default().contains("json");
    match response.status {
        200..300 if !response.body.is_empty() && !is_json => {
            passing("the answer is not JSON; does something between here and GitHub answer in its place?")
        }
        // GitHub gives reasons, and only its limits come from what stands before it.
        status @ 300..500 if !is_json && !is_limited(&response) => {
            let elsewhere = response.header("location").and_then(|place| place.split('/').nth(2));
            let elsewhere = elsewhere.map_or_else(String::new, |host| format!(" and leads to {}", shown(host)));
            Err(Broken {
                why: format!(
                    "the answer, of status {status}, is not JSON{elsewhere}, so it is not GitHub's: a proxy or the sign-in page of a network answers in its place"
                ),
                lasting: false,
            })
        }
        _ => Ok(response),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
