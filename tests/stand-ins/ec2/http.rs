//! HTTP/1.1 over any connection: as much of it as clients of these interfaces use, and its breaking before an answer.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Larger bodies are not read; user data of the largest size takes a tenth of it.
const LARGEST_BODY: usize = 1 << 20;
/// No line of a head is longer.
const LONGEST_LINE: u64 = 64 << 10;

/// A request, its body as it was sent.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fitting = self.headers.iter().filter(|(known, _)| known == name);
        let value = fitting.next().map(|(_, value)| value.as_str());
        if fitting.next().is_some() { None } else { value }
    }
}

/// An answer.
pub struct Response {
    pub status: u16,
    pub kind: &'static str,
    pub body: Vec<u8>,
}

impl Response {
    /// In XML.
    pub fn xml(status: u16, body: String) -> Self {
        Self { status, kind: "text/xml;charset=UTF-8", body: body.into() }
    }

    /// In plain words.
    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind: "text/plain", body: body.into() }
    }
}

/// Answers the requests of a connection until it ends, or until there is no answer to one.
pub fn serve(connection: impl Read + Write, answer: impl Fn(Request) -> Option<Response>) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(request) = read(&mut reader)? {
        let closes = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let Some(response) = answer(request) else { return Ok(()) };
        write(reader.get_mut(), &response)?;
        if closes {
            return Ok(());
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    while let Some(line) = line(reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method: method.into(), path: path.into(), query: query.into(), headers, body: vec![] };
    if request.header("transfer-encoding").is_some() {
        return Err(invalid("a body without a length"));
    }
    let length: usize = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| invalid("a length"))?;
    if length > LARGEST_BODY {
        return Err(invalid("a body that is too large"));
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = reader.by_ref().take(LONGEST_LINE).read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end().to_owned()))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn write(connection: &mut impl Write, response: &Response) -> io::Result<()> {
    let Response { status, kind, body } = response;
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
        length = body.len()
    );
    connection.write_all(&[head.as_bytes(), body].concat())?;
    connection.flush()
}
