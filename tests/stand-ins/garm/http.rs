//! HTTP/1.1: as much of it as a client of this API uses, and its breaking.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use super::{Shared, Then, lock, routes};

/// A request.
pub struct Request {
    pub method: String,
    /// Below `/api/v1`.
    pub path: String,
    pub token: Option<String>,
    pub body: Value,
}

/// Answers the requests of a connection until it ends.
pub fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        lock(&shared.log).push(format!("{} {}", request.method, request.path));
        let then = lock(&shared.rules)
            .iter_mut()
            .find(|rule| rule.left > 0 && rule.method == request.method && request.path.ends_with(&rule.path))
            .map(|rule| {
                rule.left -= 1;
                rule.then.clone()
            });
        let (status, body) = match &then {
            Some(Then::LoseRequest) => return Ok(()),
            Some(Then::Say(status, text)) => (*status, (*text).to_owned()),
            _ => {
                let (status, body) = routes::answer(&mut lock(&shared.state), &request);
                (status, body.to_string())
            }
        };
        match then {
            Some(Then::LoseAnswer) => return Ok(()),
            Some(Then::Late(time)) => {
                let until = Instant::now() + time;
                let mut over = lock(&shared.is_over);
                while !*over && Instant::now() < until {
                    let left = until.saturating_duration_since(Instant::now());
                    over = shared.changed.wait_timeout(over, left).map_err(|_| io::ErrorKind::Other)?.0;
                }
            }
            _ => {}
        }
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let whole = [head.as_bytes(), body.as_bytes()].concat();
        if matches!(then, Some(Then::CutAnswer)) {
            return stream.write_all(&whole[..head.len() + body.len() / 2]);
        }
        stream.write_all(&whole)?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(String::from);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut token) = (0, None);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => token = value.trim().strip_prefix("Bearer ").map(String::from),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = path.strip_prefix("/api/v1").unwrap_or("/elsewhere").replace("%2F", "%2f");
    Ok(Some(Request { method, path, token, body }))
}
