//! JIT configurations: what is asked for, and what the answer holds (runner contract, 1.9 and 4.7). Pure.
//!
//! The names of the files are the server's and are not checked here: whoever writes them must do that.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::names::{bounded, same_name};
use crate::contract::protocol::Secret;
use crate::http::Response;

/// A configuration has ten thousand bytes or so. However it is written as JSON, it fits into one answer of a broker.
const LARGEST: usize = 64 << 10;

/// What a runner is to be made with.
#[derive(Serialize)]
pub struct JitRequest {
    /// Its name.
    pub name: String,
    /// The id of its group.
    pub runner_group_id: u64,
    /// All of its labels; the server adds none.
    pub labels: Vec<String>,
    /// Where jobs will run.
    pub work_folder: String,
}

/// A runner that the server made.
#[derive(Debug)]
pub struct Jit {
    /// Its id; 0 is none.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The files of its registration, or why it is of no use: the end of a sentence.
    pub files: Result<BTreeMap<String, Secret>, String>,
}

/// What came of making a runner.
#[derive(Debug)]
pub enum Creation {
    /// It was made.
    New(Jit),
    /// There is one of that name already.
    NameTaken,
    /// It was not made, and that may be because there is no such group; [`super::Api::refused`] tells what it means
    /// otherwise.
    Refused(Response),
}

/// Reads a good answer about the runner that was to be called `wanted`.
///
/// # Errors
///
/// It does not tell which runner was made, or tells of another one: the end of a sentence.
pub fn read(response: &Response, wanted: &str) -> Result<Jit, String> {
    #[derive(Deserialize)]
    struct Runner {
        id: u64,
        name: String,
    }
    #[derive(Deserialize)]
    struct Answer {
        runner: Runner,
        encoded_jit_config: String,
    }
    let answer: Answer = response.json()?;
    let Runner { id, name } = answer.runner;
    if !same_name(&name, wanted) {
        // Its id may be that of somebody else's runner, so nothing is done with it; what was made is found by its name.
        return Err("GitHub's answer is about a runner of another name than was asked for".into());
    }
    let files = if id == 0 { Err("it is for a runner with no id".into()) } else { files(&answer.encoded_jit_config) };
    Ok(Jit { id, name: bounded(&name), files })
}

/// Base64 of an object from names to base64 of contents.
fn files(encoded: &str) -> Result<BTreeMap<String, Secret>, String> {
    if encoded.len() > LARGEST {
        return Err("it is far too large".into());
    }
    let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| "it is not base64".to_owned());
    let files: BTreeMap<String, String> =
        serde_json::from_slice(&decode(encoded)?).map_err(|_| "it is no JSON object of texts".to_owned())?;
    if files.is_empty() {
        return Err("it is empty".into());
    }
    let text =
        |content: String| String::from_utf8(decode(&content)?).map_err(|_| "a file of it is not UTF-8".to_owned());
    files.into_iter().map(|(name, content)| Ok((name, Secret::new(text(content)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encode(value: &str) -> String {
        BASE64_STANDARD.encode(value)
    }

    #[test]
    fn files_are_unpacked() {
        let files = files(&encode(&json!({ ".runner": encode("{}"), "../x": encode("ü") }).to_string())).unwrap();
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.expose())).collect();
        assert_eq!(files, [("../x", "ü"), (".runner", "{}")]);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let not_utf8 = BASE64_STANDARD.encode([0xff]);
        for (encoded, part) in [
            ("%".to_owned(), "not base64"),
            (encode("[]"), "no JSON object"),
            (encode(r#"{".runner":1}"#), "no JSON object"),
            (encode(r#"{".runner":"%"}"#), "not base64"),
            (encode(&format!(r#"{{".runner":"{not_utf8}"}}"#)), "not UTF-8"),
            (encode("{}"), "empty"),
            ("A".repeat(LARGEST + 1), "too large"),
        ] {
            assert!(files(&encoded).unwrap_err().contains(part), "{part}");
        }
    }
}
