//! Making texts harmless that jobs could have written, before people read them.
//!
//! The journal cuts long lines and obeys a level prefix at the start of the rest, terminals obey escape
//! sequences, and an address may hold a password.

const LONGEST: usize = 200;

/// `text` in quotes, without control characters, without what stands before an `@` in an address, and cut to 200
/// characters.
#[must_use]
pub fn shown(text: &str) -> String {
    // Before cutting, so that no secret loses the sign that ends it.
    let hidden = match text.split_once("//").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, host)) => &format!("{scheme}//***@{host}"),
        None => text,
    };
    let mut rest = hidden.chars();
    let short: String = rest.by_ref().take(LONGEST).collect();
    let more = if rest.next().is_some() { "…" } else { "" };
    format!("\"{}\"{more}", short.escape_debug())
}

/// Whether a terminal or a pager would obey `c` and not print it: what controls it, what turns the direction of a line
/// around, and what has no width, which makes one text look like another one.
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    !matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1
}

/// `text` with everything escaped that a terminal would not print but obey, on one line; quotes stay what they are.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        if is_obeyed(c) {
            plain.extend(c.escape_debug());
        } else {
            plain.push(c);
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_jobs_are_made_harmless() {
        assert_eq!(shown("runner1"), "\"runner1\"");
        assert_eq!(shown("a\n<0>b\u{1b}[31m"), r#""a\n<0>b\u{1b}[31m""#);
        assert_eq!(shown("https://x:ghp_fake@github.com/o/r"), "\"https://***@github.com/o/r\"");
        assert_eq!(shown(&"x".repeat(50_000)).len(), 200 + 2 + "…".len());
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(plain("the runner's \"name\" · ü"), "the runner's \"name\" · ü");
        assert_eq!(plain("a\nb\u{1b}[2J\u{9b}m\u{202e}c"), r"a\nb\u{1b}[2J\u{9b}m\u{202e}c");
    }

    #[test]
    fn what_has_no_width_or_turns_a_line_around_is_obeyed() {
        // Controls, a soft hyphen, joiners, marks, embeddings, isolates, separators, tags.
        for c in "\0\t\n\u{7f}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200f}\u{2028}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0001}\u{e0041}".chars() {
            assert!(is_obeyed(c), "{c:?}");
        }
        assert!(!"aä√漢✓…' \"\\\u{fffd}".contains(is_obeyed));
    }

    #[test]
    fn a_secret_that_is_cut_before_its_end_stays_hidden() {
        let text = shown(&format!("https://{}@github.com", "s".repeat(300)));
        assert!(!text.contains("sss"), "{text}");
    }
}
