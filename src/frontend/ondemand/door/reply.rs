//! Answers as bytes. Pure.
//!
//! Everything but the paragraph for people is JSON, and no answer may be kept or repeated by anybody in between. Nothing
//! that a stranger wrote gets into the head of an answer, but for a label that was checked.

use std::fmt::{Display, Write as _};

use serde_json::{Value, json};

use super::http::{Fault, LONGEST_BODY};
use crate::frontend::ondemand::refusal::{Code, Explanation, Refusal};

/// When to ask again, in seconds, for whoever is not answered for want of room or of an answer.
pub const AGAIN: u64 = 5;

/// One answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Fields of the head besides those of every answer.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// What the body is.
    pub kind: &'static str,
}

impl Reply {
    /// One with a body of JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, fields: Vec::new(), body: format!("{body}\n"), kind: "application/json" }
    }

    /// One without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: String::new(), kind: "application/json" }
    }

    /// One for people.
    #[must_use]
    pub fn text(body: &str) -> Self {
        Self { status: 200, fields: Vec::new(), body: body.into(), kind: "text/plain; charset=utf-8" }
    }

    /// A refusal.
    #[must_use]
    pub fn refused(why: &Explanation) -> Self {
        let reply = Self::json(why.error.status(), &json!({ "error": why.error, "message": why.message }));
        match (why.error, why.retry_after) {
            // RFC 9110, 15.5.2, has a 401 say what it wants.
            (Code::Token, _) => reply.with("WWW-Authenticate", "Bearer"),
            (_, Some(seconds)) => reply.with("Retry-After", seconds),
            _ => reply,
        }
    }

    /// A refusal of the door itself.
    #[must_use]
    pub fn refusal(why: &Refusal) -> Self {
        let reply = Self::refused(&why.explanation());
        if let Refusal::Method(methods) = why { reply.with("Allow", methods) } else { reply }
    }

    /// A refusal of a request that cannot be understood.
    #[must_use]
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::refusal(&Refusal::Malformed(why.into()))
    }

    /// What is said of bytes that are no request.
    #[must_use]
    pub fn fault(fault: Fault) -> Self {
        let malformed = |status, why: &str| Self { status, ..Self::malformed(why) };
        match fault {
            Fault::Malformed(why) => malformed(400, &format!("{why}: send one plain HTTP/1.1 request")),
            Fault::Version => malformed(505, "The version of HTTP is another one: send HTTP/1.1 or 1.0"),
            Fault::Method => Self::refusal(&Refusal::Method("GET, PUT, POST, DELETE")),
            Fault::NoLength => malformed(411, "The body has no length: send it whole, with its Content-Length"),
            Fault::LongHead | Fault::ManyFields => Self::refusal(&Refusal::HeadTooLong),
            Fault::LongBody => Self::refusal(&Refusal::BodyTooLong(LONGEST_BODY)),
            Fault::TransferEncoding => Self::refusal(&Refusal::NotImplemented("Transfer-Encoding")),
            // Clients that hear this send the same again without it.
            Fault::Expectation => Self { status: 417, ..Self::refusal(&Refusal::NotImplemented("Expect")) },
            Fault::Ended => malformed(400, "The request ends before its last byte: send it whole"),
            Fault::Late => malformed(408, "The request took too long to come: send it in one go"),
        }
    }

    /// What is said if there is no place for a connection, or no answer of the desk.
    #[must_use]
    pub fn busy() -> Self {
        Self::refusal(&Refusal::Busy(AGAIN))
    }

    /// The same with one field more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    /// How it is sent. The connection ends with it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        let length = self.body.len().to_string();
        let mut usual =
            vec![("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
        if self.status != 204 {
            usual.extend([("Content-Type", self.kind), ("Content-Length", length.as_str())]);
        }
        for (name, value) in usual.into_iter().chain(self.fields.iter().map(|(name, value)| (*name, value.as_str()))) {
            // Writing to a string cannot fail.
            _ = write!(text, "{name}: {value}\r\n");
        }
        (text + "\r\n" + &self.body).into_bytes()
    }
}

/// The words behind a status. Nobody reads them; a client that does gets those of RFC 9110.
fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_its_connection_and_says_how_long_it_is() {
        let text = |reply: Reply| String::from_utf8(reply.bytes()).unwrap().replace('\r', "");
        insta::assert_snapshot!(text(Reply::json(202, &json!({ "a": 1 })).with("Retry-After", 5)), @r#"
        HTTP/1.1 202 Accepted
        Connection: close
        Cache-Control: no-store
        X-Content-Type-Options: nosniff
        Content-Type: application/json
        Content-Length: 8
        Retry-After: 5

        {"a":1}
        "#);
        assert!(!text(Reply::empty(204)).contains("Content-Length"));
    }

    #[test]
    fn every_fault_is_a_refusal_with_the_way_out() {
        for (fault, status) in [
            (Fault::Malformed("The head has a control character"), 400),
            (Fault::Version, 505),
            (Fault::Method, 405),
            (Fault::NoLength, 411),
            (Fault::LongHead, 431),
            (Fault::ManyFields, 431),
            (Fault::LongBody, 413),
            (Fault::TransferEncoding, 501),
            (Fault::Expectation, 417),
            (Fault::Ended, 400),
            (Fault::Late, 408),
        ] {
            let reply = Reply::fault(fault);
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            assert!(body["error"].is_string() && body["message"].as_str().unwrap().contains(": "), "{body}");
            assert_eq!(reply.status, status, "{fault:?}");
            assert!(!phrase(status).is_empty(), "{status}");
        }
        assert_eq!(Reply::busy().fields, [("Retry-After", "5".to_owned())]);
    }
}
