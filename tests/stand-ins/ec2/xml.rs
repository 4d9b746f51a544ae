//! XML by hand: elements without attributes, and text that is escaped.

use std::fmt::{Display, Write as _};

/// The first line of answers.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// An element around others.
pub fn tag(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// An element with a text.
pub fn text(name: &str, value: impl Display) -> String {
    tag(name, &escaped(&value.to_string()))
}

/// A list: an `item` for each.
pub fn list(name: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().map(|item| tag("item", &item)).collect();
    tag(name, &items)
}

/// The whole answer of an action.
pub fn answer(action: &str, request: &str, inner: &str) -> String {
    let namespace = format!("http://ec2.amazonaws.com/doc/{}/", super::VERSION);
    let id = text("requestId", request);
    format!("{DECLARATION}<{action}Response xmlns=\"{namespace}\">{id}{inner}</{action}Response>")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // XML has no other control characters, however they are written.
            '\n' | '\r' | '\t' => {
                // Writing to a string cannot fail.
                _ = write!(escaped, "&#{};", u32::from(character));
            }
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
