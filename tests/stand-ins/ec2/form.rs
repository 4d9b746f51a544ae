//! The form of a request: flat names, lists that count from 1, and nothing that was not asked for.

use std::collections::BTreeSet;

use super::refusal::{Refusal, Result};

/// Parameters as they were sent, decoded, sorted by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self> {
        let malformed = || Refusal::bad("MalformedQueryString", "The query string contains a syntax error");
        let body = std::str::from_utf8(body).map_err(|_| malformed())?;
        let mut pairs = Vec::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else { return Err(malformed()) };
            pairs.push((name, value));
        }
        pairs.sort();
        if let Some(twice) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(Refusal::bad("InvalidParameterValue", format!("{} is there twice", twice[0].0)));
        }
        Ok(Self(pairs))
    }

    /// A value that may be absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value that has to be there.
    pub fn need(&self, name: &str) -> Result<&str> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::bad("MissingParameter", format!("The request must contain the parameter {name}")))
    }

    /// The values of a list: `NAME.1`, `NAME.2` and so on.
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|number| self.get(&format!("{name}.{number}"))).collect()
    }

    /// How many structures a list has: `NAME.1.…`, `NAME.2.…` and so on.
    pub fn structures(&self, name: &str) -> usize {
        (1..=self.0.len()).take_while(|number| self.has(&format!("{name}.{number}."))).count()
    }

    /// Whether anything begins with this.
    pub fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }

    /// A value of these words.
    pub fn word<'a>(&'a self, name: &str, words: &[&str], otherwise: &'a str) -> Result<&'a str> {
        let word = self.get(name).unwrap_or(otherwise);
        if words.contains(&word) { Ok(word) } else { Err(invalid(name, word)) }
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        self.get(name).map(|value| value.parse().map_err(|_| invalid(name, value))).transpose()
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.get(name).map(|value| value.parse().map_err(|_| invalid(name, value))).transpose()
    }

    /// Refuses names that are not among these, in which `N` stands for the number of an item, and lists with a gap.
    pub fn only(&self, allowed: &[&str]) -> Result<()> {
        let mut known = BTreeSet::new();
        for (name, _) in &self.0 {
            let parts: Vec<&str> = name.split('.').collect();
            let is_number = |part: &str| part.parse::<u64>().is_ok();
            let shape: Vec<&str> = parts.iter().map(|part| if is_number(part) { "N" } else { part }).collect();
            let shape = shape.join(".");
            if !["Action", "Version"].contains(&shape.as_str()) && !allowed.contains(&shape.as_str()) {
                return Err(Refusal::bad("UnknownParameter", format!("The parameter {name} is not recognized")));
            }
            known.extend((1..=parts.len()).map(|length| parts[..length].join(".")));
        }
        let has_gap = |name: &&String| {
            let (list, number) = name.rsplit_once('.').unwrap_or_default();
            let before = number.parse::<u64>().ok().map(|number| number.checked_sub(1));
            match before {
                // Names of keys may be numbers only where lists are.
                None | Some(Some(0)) => false,
                Some(None) => true,
                Some(Some(before)) => !known.contains(&format!("{list}.{before}")),
            }
        };
        match known.iter().find(has_gap) {
            Some(name) => Err(Refusal::bad("InvalidParameterValue", format!("{name} is no place in a list from 1"))),
            None => Ok(()),
        }
    }
}

/// A value that cannot be.
pub fn invalid(name: &str, value: &str) -> Refusal {
    Refusal::bad("InvalidParameterValue", format!("Value ({value}) for parameter {name} is invalid."))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}
