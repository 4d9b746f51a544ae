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

/// `text` with everything escaped that a terminal would not print but obey, on one line; quotes stay what they are.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        match c {
            '"' | '\'' | '\\' => plain.push(c),
            c => plain.extend(c.escape_debug()),
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
    fn a_secret_that_is_cut_before_its_end_stays_hidden() {
        let text = shown(&format!("https://{}@github.com", "s".repeat(300)));
        assert!(!text.contains("sss"), "{text}");
    }
}
