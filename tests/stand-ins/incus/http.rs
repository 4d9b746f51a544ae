//! HTTP/1.1 over any connection: as much of it as clients of this interface use, and its breaking at any moment.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::rules::Then;
use super::{Shared, listen, routes};

/// A request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
}

impl Request {
    /// The value of a parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| routes::decoded(value))
    }
}

/// Answers the requests of a connection until it ends. `allowed` is the only project of a client with a certificate.
pub fn serve(shared: &Shared, connection: &mut (impl Read + Write), allowed: Option<&str>) -> io::Result<()> {
    loop {
        let Some(request) = read(connection)? else { return Ok(()) };
        let address = format!("{}?{}", request.path, request.query);
        let then = {
            let mut state = shared.lock();
            let usual = format!("?project={}", super::PROJECT);
            let shown = address.replace(&format!("{usual}&"), "?").replace(&usual, "");
            state.requests.push(format!("{} {}", request.method, shown.trim_end_matches('?')));
            state.rules.iter_mut().find_map(|rule| rule.applies(&request.method, &address))
        };
        match &then {
            Some(Then::LoseRequest) => return Ok(()),
            Some(Then::Hang) => {
                // Until the client goes, or the server ends.
                return connection.read(&mut [0]).map(drop);
            }
            Some(Then::Say(status, body)) => {
                write(connection, &(*status, body.clone()))?;
                continue;
            }
            Some(Then::Raw(bytes)) => {
                connection.write_all(bytes)?;
                return connection.flush();
            }
            _ => {}
        }
        if let Some(Then::Late(time)) = &then {
            pause(shared, *time);
        }
        let answer = routes::answer(shared, &request, allowed);
        match then {
            Some(Then::LoseAnswer) => return Ok(()),
            Some(Then::Restart) => {
                listen::forget(shared);
                return Ok(());
            }
            Some(Then::Delay(time)) => pause(shared, time),
            Some(then) => shared.lock().spoil(&then),
            None => {}
        }
        if request.path.ends_with("/console") && answer.0 == 200 {
            let text = answer.1["metadata"].as_str().unwrap_or_default();
            write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            )?;
            connection.flush()?;
            continue;
        }
        write(connection, &answer)?;
    }
}

/// Waits, and no longer than the server lives.
fn pause(shared: &Shared, time: Duration) {
    let until = std::time::Instant::now() + time;
    let mut state = shared.lock();
    while !state.is_over {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return;
        }
        state = shared.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
    }
}

fn read(connection: &mut impl Read) -> io::Result<Option<Request>> {
    // Clients of one request at a time send nothing more before its answer.
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, address) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Some(Request { method, path, query, body }))
}

fn write(connection: &mut impl Write, (status, body): &Answer) -> io::Result<()> {
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    connection.flush()
}
