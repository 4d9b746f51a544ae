//! Bytes of strangers become one request, or a fault. Pure.
//!
//! The rule is narrower than HTTP's: one request a connection, an end of line is CR and LF, a length is given at most once and in
//! digits, and nothing is decoded. Two programs that read one request in two ways is how requests are smuggled; what has a second
//! reading is refused here. `httparse` splits the head into its parts, after the bytes that no head has were refused.
//!
//! Memory is bounded by the limits below, whatever a length says: nothing is reserved for bytes that did not come.

use httparse::{EMPTY_HEADER, Error, Header};

/// The longest head, in bytes, with the empty line at its end.
pub const LONGEST_HEAD: usize = 16 * 1024;

/// The most fields of a head.
pub const MOST_FIELDS: usize = 32;

/// The longest body, in bytes.
pub const LONGEST_BODY: usize = 8 * 1024;

/// What is wanted of a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Look.
    Get,
    /// Ask for a runner.
    Put,
    /// The form of rr's Lambda.
    Post,
    /// Ask for an end.
    Delete,
}

/// A request that was read to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// What is wanted.
    pub method: Method,
    /// Of what: begins with `/`, printable ASCII, not decoded, without the query.
    pub path: String,
    /// What follows the first `?`, not decoded.
    pub query: Option<String>,
    /// The field `X-Real-IP`, which the proxy in front writes.
    pub source: Option<String>,
    /// The field `Authorization`.
    pub authorization: Option<String>,
    /// As many bytes as the length said.
    pub body: Vec<u8>,
}

/// Why bytes are no request that is taken here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No HTTP, or HTTP with two readings. A sentence.
    Malformed(&'static str),
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// None of [`Method`].
    Method,
    /// A body is needed and no length was given.
    NoLength,
    /// More than [`LONGEST_HEAD`].
    LongHead,
    /// More than [`MOST_FIELDS`].
    ManyFields,
    /// More than [`LONGEST_BODY`].
    LongBody,
    /// Any `Transfer-Encoding`.
    TransferEncoding,
    /// Any `Expect`.
    Expectation,
    /// The bytes ended before the request did.
    Ended,
    /// The request was not whole in time.
    Late,
}

/// A request on its way in.
#[derive(Debug, Default)]
pub struct Incoming {
    /// The head; once it was read, the body.
    bytes: Vec<u8>,
    /// How many bytes of the head were looked at.
    seen: usize,
    /// The request without its body, and the length of that.
    head: Option<(Request, usize)>,
}

impl Incoming {
    /// Takes the next bytes. The request, once it is whole; bytes beyond it are never looked at.
    ///
    /// # Errors
    ///
    /// As soon as the bytes cannot become a request.
    pub fn add(&mut self, more: &[u8]) -> Result<Option<Request>, Fault> {
        self.bytes.extend_from_slice(more);
        if self.head.is_none() {
            let Some(end) = self.end_of_head()? else { return Ok(None) };
            self.head = Some(head(&self.bytes[..end])?);
            self.bytes.drain(..end);
        }
        let Some((request, length)) = self.head.take_if(|(_, length)| *length <= self.bytes.len()) else {
            return Ok(None);
        };
        self.bytes.truncate(length);
        Ok(Some(Request { body: std::mem::take(&mut self.bytes), ..request }))
    }

    /// Whether nothing came at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.head.is_none()
    }

    /// Where the body begins. Each byte is looked at once, however few come at a time.
    fn end_of_head(&mut self) -> Result<Option<usize>, Fault> {
        let mut before = self.seen.checked_sub(1).and_then(|at| self.bytes.get(at)).copied();
        while let Some(&byte) = self.bytes.get(self.seen) {
            if self.seen == LONGEST_HEAD {
                return Err(Fault::LongHead);
            }
            if (byte == b'\n') != (before == Some(b'\r')) {
                return Err(Fault::Malformed("A line of the head does not end with CR and LF"));
            }
            if byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t') {
                return Err(Fault::Malformed("The head has a control character"));
            }
            if self.seen == 0 && !byte.is_ascii_uppercase() {
                return Err(Fault::Malformed("The first line does not begin with a method"));
            }
            self.seen += 1;
            before = Some(byte);
            if self.bytes[..self.seen].ends_with(b"\r\n\r\n") {
                return Ok(Some(self.seen));
            }
        }
        Ok(None)
    }
}

/// A head with the empty line at its end: the request without its body, and the length of that.
fn head(bytes: &[u8]) -> Result<(Request, usize), Fault> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Fault::Malformed("The head ends twice")),
        Err(Error::TooManyHeaders) => return Err(Fault::ManyFields),
        Err(Error::Version) => return Err(Fault::Version),
        Err(Error::HeaderName | Error::HeaderValue) => return Err(Fault::Malformed("A field of the head is none")),
        Err(_) => return Err(Fault::Malformed("The first line is not METHOD TARGET VERSION")),
    }
    let fields: &[Header<'_>] = parsed.headers;
    if field(fields, "transfer-encoding")?.is_some() {
        return Err(Fault::TransferEncoding);
    }
    if field(fields, "expect")?.is_some() {
        return Err(Fault::Expectation);
    }
    if field(fields, "host")?.is_none() && parsed.version == Some(1) {
        return Err(Fault::Malformed("The field Host is missing"));
    }
    let method = match parsed.method {
        Some("GET") => Method::Get,
        Some("PUT") => Method::Put,
        Some("POST") => Method::Post,
        Some("DELETE") => Method::Delete,
        _ => return Err(Fault::Method),
    };
    let length = match (field(fields, "content-length")?, method) {
        (Some(digits), _) => body_length(digits)?,
        (None, Method::Get | Method::Delete) => 0,
        (None, Method::Put | Method::Post) => return Err(Fault::NoLength),
    };
    if length > 0 && matches!(method, Method::Get | Method::Delete) {
        return Err(Fault::Malformed("GET and DELETE have no body here"));
    }
    let (path, query) = target(parsed.path.unwrap_or_default())?;
    let owned = |name| Ok(field(fields, name)?.map(String::from));
    let (source, authorization) = (owned("x-real-ip")?, owned("authorization")?);
    Ok((Request { method, path, query, source, authorization, body: Vec::new() }, length))
}

/// A field that may be there once. The others may be there as often as they like, and hold what they like.
fn field<'a>(fields: &[Header<'a>], name: &str) -> Result<Option<&'a str>, Fault> {
    let mut found = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let value = found.next().map(|field| field.value);
    if found.next().is_some() {
        return Err(Fault::Malformed("A field that counts is given twice"));
    }
    let text = |value| std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
    value.map(|value| text(value).ok_or(Fault::Malformed("A field that counts is not ASCII"))).transpose()
}

/// The length that a field gives.
fn body_length(digits: &str) -> Result<usize, Fault> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Malformed("The field Content-Length is no number"));
    }
    // What does not fit a number is longer than anything.
    digits.parse().ok().filter(|length| *length <= LONGEST_BODY).ok_or(Fault::LongBody)
}

/// Path and query of a target. Absolute addresses, `*` and authorities are for proxies and servers of another kind.
fn target(text: &str) -> Result<(String, Option<String>), Fault> {
    if !text.starts_with('/') {
        return Err(Fault::Malformed("The target does not begin with /"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(Fault::Malformed("The target has a character that no address has"));
    }
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query.into())));
    Ok((path.into(), query))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
