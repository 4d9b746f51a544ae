//! One question to GitHub, as often as it needs asking within the time that there is.
//!
//! Repeats only what may be repeated, starts nothing once whoever asked is gone (but for undoing what was done for
//! them), and lets no answer through that repeats the credential.

use std::cell::Cell;
use std::time::Duration;

use super::call::{Broken, Call, Effect, Response, Surroundings, Transport};
use super::wait::{Spare, Verdict, is_limited, verdict};
use super::{ApiBase, time};
use crate::protocol::Secret;

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
        Self { base, transport, surroundings, patience, expires: Cell::new(None), undoing: Cell::new(false) }
    }

    /// When the credential expires, in seconds since 1970, if an answer said so.
    #[must_use]
    pub fn credential_expires(&self) -> Option<u64> {
        self.expires.get()
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.surroundings.now()
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
        let address = self.base.at(&call.path);
        let mut why = "there was no time left to ask GitHub".to_owned();
        for attempt in 0.. {
            let Some(left) = self.left() else { break };
            if call.effect != Effect::None && !self.stays(Duration::ZERO) {
                return Err(Failure::AskerGone);
            }
            let sent = self.transport.send(&address, call, bearer, left.min(LONGEST_ATTEMPT));
            let sent = sent.and_then(|response| sound(response, bearer));
            if let Some(expires) = sent.as_ref().ok().and_then(|response| response.header(EXPIRATION)) {
                self.expires.set(time::expiration(expires));
            }
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
fn sound(response: Response, bearer: &Secret) -> Result<Response, Broken> {
    let passing = |why: &str| Err(Broken { why: why.into(), lasting: false });
    let secret = bearer.expose();
    let repeats = |text: &[u8]| text.windows(secret.len().max(1)).any(|part| part == secret.as_bytes());
    if repeats(&response.body) || response.headers.iter().any(|(_, value)| value.contains(secret)) {
        return passing("the answer repeats the credential, so it is not GitHub's");
    }
    let kind = response.header("content-type").unwrap_or_default();
    if (200..300).contains(&response.status) && !response.body.is_empty() && !kind.contains("json") {
        return passing("the answer is not JSON; does something between here and GitHub answer in its place?");
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, NOW};
    use super::*;
    use serde_json::json;

    fn bearer() -> Secret {
        Secret::new("ghp_fake".into())
    }

    fn call(effect: Effect) -> Call {
        match effect {
            Effect::None => Call::get("/x".into()),
            _ => Call::post("/x".into(), json!({}), effect),
        }
    }

    fn down() -> Broken {
        Broken { why: "it is down".into(), lasting: false }
    }

    #[test]
    fn failures_are_repeated_until_an_answer_comes() {
        for effect in [Effect::None, Effect::Repeatable] {
            let fake = Fake::new().fails(down()).answers(502, &[], "").answers(200, &[], "{}");
            assert_eq!(fake.client(60).send(&call(effect), &bearer()).unwrap().status, 200);
            assert_eq!(fake.asked().len(), 3);
        }
    }

    #[test]
    fn what_must_not_happen_twice_is_not_repeated() {
        for fake in [Fake::new().fails(down()), Fake::new().answers(500, &[], "")] {
            let lost = fake.client(60).send(&call(Effect::Once), &bearer()).unwrap_err();
            assert!(matches!(lost, Failure::Lost(_)), "{lost:?}");
            assert_eq!(fake.asked().len(), 1);
        }
        let fake = Fake::new().answers(429, &[("retry-after", "3")], "{}").answers(201, &[], "{}");
        assert_eq!(fake.client(60).send(&call(Effect::Once), &bearer()).unwrap().status, 201);
        assert_eq!(fake.waited(), [Duration::from_secs(3)]);
    }

    #[test]
    fn patience_ends() {
        let mut fake = Fake::new();
        for _ in 0..100 {
            fake = fake.fails(down());
        }
        let failure = fake.client(20).send(&call(Effect::None), &bearer()).unwrap_err();
        assert_eq!(failure, Failure::Unreachable("it is down".into()));
        assert!(fake.waited().iter().sum::<Duration>() < Duration::from_secs(20));
        let fake = Fake::new().answers(403, &[("retry-after", "600")], "{}");
        let failure = fake.client(20).send(&call(Effect::None), &bearer()).unwrap_err();
        assert_eq!(failure, Failure::RateLimited(NOW + 600));
        assert!(fake.waited().is_empty());
    }

    #[test]
    fn nothing_is_changed_for_somebody_who_is_gone() {
        let fake = Fake::new().answers(200, &[], "{}").asker_leaves();
        assert_eq!(fake.client(20).send(&call(Effect::Once), &bearer()).unwrap_err(), Failure::AskerGone);
        assert_eq!(fake.client(20).send(&call(Effect::Repeatable), &bearer()).unwrap_err(), Failure::AskerGone);
        assert!(fake.asked().is_empty());
        assert_eq!(fake.client(20).send(&call(Effect::None), &bearer()).unwrap().status, 200);
    }

    #[test]
    fn what_was_done_for_somebody_who_is_gone_is_undone() {
        let fake = Fake::new().fails(down()).answers(502, &[], "").answers(204, &[], "").asker_leaves();
        let client = fake.client(20);
        assert!(!client.asker_is_there());
        client.undo();
        assert_eq!(client.send(&call(Effect::Repeatable), &bearer()).unwrap().status, 204);
        assert_eq!((fake.asked().len(), fake.waited().len()), (3, 2));
    }

    #[test]
    fn answers_that_are_not_of_github_are_not_believed() {
        for body in ["{\"message\":\"Bearer ghp_fake\"}", "<html>"] {
            let fake = Fake::new().answers(200, &[("content-type", "text/html")], body);
            let failure = fake.client(0).send(&call(Effect::None), &bearer());
            assert!(failure.is_err());
            let failure = format!("{:?}", fake.client(1).send(&call(Effect::None), &bearer()).unwrap_err());
            assert!(failure.starts_with("Unreachable") && !failure.contains("ghp_fake"), "{failure}");
        }
    }

    #[test]
    fn the_expiry_of_the_credential_is_kept() {
        let fake = Fake::new().answers(200, &[(EXPIRATION, "2026-12-24 10:00:00 UTC")], "{}");
        let client = fake.client(5);
        client.send(&call(Effect::None), &bearer()).unwrap();
        assert_eq!(client.credential_expires(), Some(1_798_106_400));
    }
}
