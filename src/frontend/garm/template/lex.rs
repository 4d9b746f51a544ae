//! Cuts a template into text and actions, and actions into words. Pure.
//!
//! The rules about blanks are Go's: `{{-` and `-}}` take away the blanks outside of them if a blank stands on their inside.

use super::refusal::Refusal;
use crate::model::shown;

/// A part of a template.
#[derive(Debug, PartialEq)]
pub enum Piece<'a> {
    /// Is copied.
    Text(&'a str),
    /// Stood between braces, on this line.
    Action(usize, Vec<Word>),
}

/// A part of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// The name of a function or the like.
    Name(String),
    /// `.A.B`, or `$.A.B` from the very top.
    Path { from_top: bool, names: Vec<String> },
    /// A text in quotes.
    Text(String),
    /// `(`
    Open,
    /// `)`
    Close,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a whole template.
pub fn pieces(template: &str) -> Result<Vec<Piece<'_>>, Refusal> {
    let mut pieces = Vec::new();
    let (mut at, mut trim) = (0, false);
    // Counted on from the action before: a template can have very many.
    let (mut line, mut counted) = (1, 0);
    loop {
        let rest = &template[at..];
        let end = rest.find("{{").unwrap_or(rest.len());
        let opened = rest.get(end + 2..);
        let trims_before = opened.is_some_and(|inner| inner.starts_with('-') && inner[1..].starts_with(BLANKS));
        let mut text = &rest[..end];
        if trim {
            text = text.trim_start_matches(BLANKS);
        }
        if trims_before {
            text = text.trim_end_matches(BLANKS);
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        if opened.is_none() {
            return Ok(pieces);
        }
        at += end + 2 + if trims_before { 2 } else { 0 };
        line += template[counted..at].matches('\n').count();
        counted = at;
        let mut action = Action { template, at };
        if let Some(words) = action.words()? {
            pieces.push(Piece::Action(line, words));
        }
        (at, trim) = action.close()?;
    }
}

/// One action, read from its beginning.
struct Action<'a> {
    template: &'a str,
    at: usize,
}

impl Action<'_> {
    fn rest(&self) -> &str {
        &self.template[self.at..]
    }

    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal { line: 1 + self.template[..self.at].matches('\n').count(), why: why.into() })
    }

    /// Its end, if that is here: its length, and whether blanks after it are taken away.
    fn end(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        match rest.strip_prefix(BLANKS) {
            Some(inner) if inner.starts_with("-}}") => Some((4, true)),
            _ => rest.starts_with("}}").then_some((2, false)),
        }
    }

    /// Where the text after it begins, and whether blanks are taken away there.
    fn close(&self) -> Result<(usize, bool), Refusal> {
        match self.end() {
            Some((length, trim)) => Ok((self.at + length, trim)),
            None => self.refuse("a comment ends before its braces do"),
        }
    }

    /// Its words, up to its end; `None` for a comment.
    fn words(&mut self) -> Result<Option<Vec<Word>>, Refusal> {
        if let Some(comment) = self.rest().strip_prefix("/*") {
            let Some(length) = comment.find("*/") else { return self.refuse("a comment has no end") };
            self.at += length + 4;
            return Ok(None);
        }
        let mut words = Vec::new();
        while self.end().is_none() {
            let Some(first) = self.rest().chars().next() else { return self.refuse("`{{` has no `}}`") };
            if BLANKS.contains(&first) {
                self.at += 1;
                continue;
            }
            let word = self.word(first)?;
            let is_apart = word == Word::Open
                || self.end().is_some()
                || self.rest().starts_with(BLANKS)
                || self.rest().starts_with(')');
            if !is_apart {
                return self.refuse("blanks are missing between two words");
            }
            words.push(word);
        }
        Ok(Some(words))
    }

    fn word(&mut self, first: char) -> Result<Word, Refusal> {
        match first {
            '(' | ')' => {
                self.at += 1;
                Ok(if first == '(' { Word::Open } else { Word::Close })
            }
            '"' => self.quoted(),
            '`' => {
                let Some(length) = self.rest()[1..].find('`') else { return self.refuse("a text has no end") };
                let text = self.rest()[1..=length].replace('\r', "");
                self.at += length + 2;
                Ok(Word::Text(text))
            }
            '.' | '$' => self.path(first == '$'),
            '|' => self.refuse("pipelines (`|`) are not known here"),
            ':' | '=' => self.refuse("variables are not known here"),
            '0'..='9' | '+' | '-' | '\'' => self.refuse("numbers and letters are not known here: use texts in quotes"),
            c if is_letter(c) => Ok(Word::Name(self.name())),
            c => self.refuse(format!("the character {} is not known here", shown(&c.to_string()))),
        }
    }

    fn name(&mut self) -> String {
        let name: String = self.rest().chars().take_while(|c| is_letter(*c)).collect();
        self.at += name.len();
        name
    }

    fn path(&mut self, from_top: bool) -> Result<Word, Refusal> {
        if from_top {
            self.at += 1;
            if self.rest().starts_with(is_letter) {
                return self.refuse("variables are not known here");
            }
        }
        let mut names = Vec::new();
        while self.rest().starts_with('.') {
            self.at += 1;
            let name = self.name();
            if name.is_empty() && (from_top || !names.is_empty()) {
                return self.refuse("a `.` has no name after it");
            }
            if name.starts_with(|c: char| c.is_numeric()) {
                return self.refuse("numbers are not known here: use texts in quotes");
            }
            if name.is_empty() {
                break;
            }
            names.push(name);
        }
        Ok(Word::Path { from_top, names })
    }

    /// A text with Go's escapes.
    fn quoted(&mut self) -> Result<Word, Refusal> {
        let mut text = String::new();
        let rest = self.template[self.at + 1..].char_indices();
        let mut letters = rest.clone();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.at += place + 2;
                    return Ok(Word::Text(text));
                }
                '\n' => break,
                '\\' => {
                    let escaped = letters.next().and_then(|(_, kind)| unescape(kind, &mut letters));
                    let Some(letter) = escaped else {
                        return self.refuse("a text has an escape that is not known here");
                    };
                    text.push(letter);
                }
                letter => text.push(letter),
            }
        }
        self.refuse("a text has no end")
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn unescape(kind: char, letters: &mut std::str::CharIndices<'_>) -> Option<char> {
    let mut digits = |count, most| {
        let text: String = letters.by_ref().take(count).map(|(_, digit)| digit).collect();
        let is_whole = text.len() == count && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = is_whole.then(|| u32::from_str_radix(&text, 16).ok())??;
        // Beyond that, `\x` is a byte and no letter.
        (number <= most).then(|| char::from_u32(number))?
    };
    Some(match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '"' => kind,
        'x' => return digits(2, 0x7f),
        'u' => return digits(4, u32::MAX),
        'U' => return digits(8, u32::MAX),
        _ => return None,
    })
}
