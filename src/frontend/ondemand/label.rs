//! Labels and classes: what a stranger may call a runner. Pure.
//!
//! A label comes out of a workflow, so everybody can write one. It names a file and a runner, so it is checked here byte by
//! byte and as a whole, before anything else happens with it. It goes into no script, command line or filter all the same.

use std::fmt;

use serde::{Deserialize, Serialize};

/// GitHub's longest name of a runner, which is `LABEL-CLASS`.
const LONGEST_NAME: usize = 64;
/// The longest name of a class.
const LONGEST_CLASS: usize = 16;
/// With a class of one character it would be just possible.
const LONGEST_LABEL: usize = LONGEST_NAME - 2;
/// The most characters behind a compatible prefix, as the original has it.
const LONGEST_TAIL: usize = 40;
/// The most digits of a run's number.
const MOST_DIGITS: usize = 20;
/// How labels of GitHub's own runners begin; `windows-11-arm` would be a good label of ours.
const HOSTED: [&str; 5] = ["linux", "macos", "self-hosted", "ubuntu", "windows"];

/// The number of a workflow's run; never 0.
pub type Run = u64;

/// How labels of this host begin: 2 to 12 of `a-z`, `0-9`, `_` and `-`, the first one a letter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// A class of runners: a name of the configuration, 1 to 16 of `a-z`, `0-9` and `_`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Class(String);

/// A label in lower case, as GitHub stores it, so that two spellings of one label are one label.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// What tells one order from all others: a label and a class.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// The label.
    pub label: Label,
    /// The class.
    pub class: Class,
}

/// Which labels are taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grammar {
    /// Before `-RUN-NAME`.
    pub prefix: Prefix,
    /// Before up to 40 letters, digits and `_`, for workflows that were written for another service. Such a label names no run.
    pub compatible: Option<Prefix>,
}

/// Why a text is no label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LabelFault {
    /// There is nothing in it.
    Empty,
    /// It is longer than the name of a runner can be.
    TooLong,
    /// It has a character that no label has here.
    Character,
    /// It is in upper case, where only lower case is taken.
    UpperCase,
    /// It does not begin as labels of this host do.
    Prefix,
    /// What follows the prefix is not the number of a run.
    Run,
    /// Nothing follows the run's number, or it ends in `-` or `_`.
    Name,
    /// Together with the class it is longer than the name of a runner can be.
    WithClass,
}

impl fmt::Display for LabelFault {
    /// The end of a sentence that begins with the label, and the way out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty: give the label that the job has in `runs-on`",
            Self::TooLong => "is longer than 62 characters: shorten the part after the run's number",
            Self::Character => "has a character that no label has here: use a-z, 0-9, `-` and `_`",
            Self::UpperCase => "has upper case, which GitHub does not keep: write it in lower case",
            Self::Prefix => "does not begin as the labels of this service do: see the `label` of its action",
            Self::Run => "does not go on with `-` and the run's number: put ${{ github.run_id }} after the prefix",
            Self::Name => "has no name at its end: add one such as `-build` after the run's number",
            Self::WithClass => "is too long: together with the name of the class it can have 63 characters",
        })
    }
}

impl Grammar {
    /// Takes a label apart: the label itself, and the run that it names.
    ///
    /// # Errors
    ///
    /// The first fault from the left, after those of the whole.
    pub fn parse(&self, text: &str) -> Result<(Label, Option<Run>), LabelFault> {
        check_characters(text)?;
        let lower = text.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix(&self.prefix.0).and_then(|rest| rest.strip_prefix('-')) {
            if lower != text {
                return Err(LabelFault::UpperCase);
            }
            let (digits, name) = rest.split_once('-').unwrap_or((rest, ""));
            let run = run(digits).ok_or(LabelFault::Run)?;
            let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
            if !is_end(name.bytes().next()) || !is_end(name.bytes().next_back()) {
                return Err(LabelFault::Name);
            }
            return Ok((Label(lower), Some(run)));
        }
        let Some(tail) = self.compatible.as_ref().and_then(|prefix| lower.strip_prefix(&prefix.0)) else {
            return Err(LabelFault::Prefix);
        };
        match tail {
            "" => Err(LabelFault::Name),
            _ if tail.contains('-') => Err(LabelFault::Character),
            _ if tail.len() > LONGEST_TAIL => Err(LabelFault::TooLong),
            _ => Ok((Label(lower), None)),
        }
    }
}

/// What holds for every label, by whatever grammar.
fn check_characters(text: &str) -> Result<(), LabelFault> {
    if text.is_empty() {
        return Err(LabelFault::Empty);
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(LabelFault::Character);
    }
    if text.len() > LONGEST_LABEL {
        return Err(LabelFault::TooLong);
    }
    Ok(())
}

/// The number of a run in the one way that GitHub writes it: without a zero before it, so that a number has one label.
#[must_use]
pub fn run(digits: &str) -> Option<Run> {
    let is_number = !digits.is_empty()
        && digits.len() <= MOST_DIGITS
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

impl Label {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    /// Takes a label that some grammar took before: the configured prefix may be another one by now.
    fn try_from(text: String) -> Result<Self, String> {
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
        match check_characters(&text) {
            Ok(()) if starts && text == text.to_ascii_lowercase() => Ok(Self(text)),
            _ => Err("it has a label that was never taken".into()),
        }
    }
}

impl Class {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Class {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if text.is_empty() || text.len() > LONGEST_CLASS || !text.bytes().all(is_good) {
            return Err("the name of a class has 1 to 16 of a-z, 0-9 and `_`".into());
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !(2..=12).contains(&text.len()) || !starts || !text.bytes().all(is_good) {
            return Err("a prefix of labels has 2 to 12 of a-z, 0-9, `-` and `_`, and begins with a letter".into());
        }
        if HOSTED.iter().any(|hosted| text.starts_with(hosted)) {
            return Err(
                "a prefix of labels cannot begin as labels of GitHub's own runners do: choose another one".into()
            );
        }
        Ok(Self(text))
    }
}

impl Prefix {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// Puts label and class together.
    ///
    /// # Errors
    ///
    /// [`LabelFault::WithClass`] if no runner could have the name.
    pub fn new(label: Label, class: Class) -> Result<Self, LabelFault> {
        if label.0.len() + 1 + class.0.len() > LONGEST_NAME {
            return Err(LabelFault::WithClass);
        }
        Ok(Self { label, class })
    }

    /// The name of the runner on the server. A class has no `-`, so no two orders have the same.
    #[must_use]
    pub fn runner_name(&self) -> String {
        format!("{}-{}", self.label.0, self.class.0)
    }

    /// The name of the order's file, without an ending.
    #[must_use]
    pub fn stem(&self) -> String {
        format!("{}.{}", self.label.0, self.class.0)
    }

    /// Reads [`Key::stem`]; `None` for every other text.
    #[must_use]
    pub fn from_stem(stem: &str) -> Option<Self> {
        let (label, class) = stem.split_once('.')?;
        Self::new(label.to_owned().try_into().ok()?, class.to_owned().try_into().ok()?).ok()
    }
}

impl fmt::Display for Key {
    /// For people: `od-1-build (x86_64)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.label.0, self.class.0)
    }
}

impl From<Prefix> for String {
    fn from(value: Prefix) -> Self {
        value.0
    }
}

impl From<Class> for String {
    fn from(value: Class) -> Self {
        value.0
    }
}

impl From<Label> for String {
    fn from(value: Label) -> Self {
        value.0
    }
}

#[cfg(test)]
#[path = "label_tests.rs"]
mod tests;
