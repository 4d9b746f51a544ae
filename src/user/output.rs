//! What the listener says: cut into lines, without the secret, and what to advise when it failed.
//!
//! Pure. The texts come from actions/runner's source (`ConfigurationManager.cs`, `RunnerDotcomServer.cs`); they
//! only choose an advice, never what is done.

use crate::contract::manifest::Manifest;
use crate::model::{RunnerName, is_obeyed, package_version};

/// A line longer than this is cut.
const MAX_LINE: usize = 8 * 1024;
const HIDDEN: &str = "***";

/// Cuts a stream of bytes into lines and hides a secret in them, also when it arrives in pieces.
pub(super) struct LineScrubber<'a> {
    secret: &'a str,
    rest: Vec<u8>,
}

impl<'a> LineScrubber<'a> {
    pub(super) fn new(secret: &'a str) -> Self {
        Self { secret, rest: Vec::new() }
    }

    /// Takes the next bytes and returns the lines that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.extend(self.show(&line));
        }
        // The secret is cut by no boundary: what could be its beginning stays for the next round.
        while self.rest.len() > MAX_LINE + self.secret.len() {
            let text = scrub(&self.rest, self.secret.as_bytes());
            let keep = text.len().saturating_sub(self.secret.len().saturating_sub(1));
            lines.extend(self.show(&text[..keep]));
            self.rest = text[keep..].to_vec();
        }
        lines
    }

    /// Returns what came after the last line end.
    pub(super) fn finish(self) -> Option<String> {
        self.show(&self.rest)
    }

    fn show(&self, line: &[u8]) -> Option<String> {
        let line = scrub(line, self.secret.as_bytes());
        let text = String::from_utf8_lossy(&line);
        // Whoever reads the journal on a terminal must see what was said, and nothing must hide in it.
        let text: String = text.trim_end().chars().filter(|c| *c == '\t' || !is_obeyed(*c)).collect();
        // Without what is not seen a secret may have come together that was in pieces before.
        let text = text.replace(self.secret, HIDDEN);
        (!text.is_empty()).then_some(text)
    }
}

/// Whether a line belongs to the large letters with which the listener greets.
pub(super) fn is_banner(line: &str) -> bool {
    line.starts_with('|') || line.starts_with("-----")
}

fn scrub(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest, secret) {
        shown.extend_from_slice(&rest[..at]);
        shown.extend_from_slice(HIDDEN.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    shown.extend_from_slice(rest);
    shown
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    (!wanted.is_empty()).then(|| text.windows(wanted.len()).position(|window| window == wanted))?
}

/// Whether the listener found a runner of its name before it asked for a registration (`ConfigurationManager.cs:332`).
pub(super) fn found_name_taken(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("A runner exists with the same name"))
}

/// Whether the server refused to register this version of the listener. Its words are no interface; these were reported.
pub(super) fn is_too_old(lines: &[String]) -> bool {
    lines.iter().map(|line| line.to_ascii_lowercase()).any(|line| {
        let is_about_it = line.contains("runner version") || line.contains("version of the runner");
        is_about_it
            && ["out of date", "no longer register", "deprecated", "too old"].iter().any(|part| line.contains(part))
    })
}

/// Whether the server does not know the registration token, as it may in the first seconds after it made it
/// (`ConfigurationManager.cs:868`). Nothing was registered then.
pub(super) fn is_not_known_yet(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("NotFound from 'POST") && line.contains("/actions/runner-registration'"))
}

/// What to do about a failed registration, from the listener's last lines.
pub(super) fn advice(lines: &[String], manifest: &Manifest) -> String {
    let said = |part: &str| lines.iter().any(|line| line.contains(part));
    let registration = &manifest.registration;
    let page = registration.url.settings_page();
    let name = shown_name(registration.name.as_ref());
    if found_name_taken(lines) {
        return format!(
            "What to do: a runner {name} is already registered; remove it at {page}, give this one another name, or set `replace = true` if it may be taken over."
        );
    }
    if is_too_old(lines) {
        let version = package_version(&manifest.listener).map_or_else(String::new, |version| format!(" {version}"));
        return format!(
            "What to do: GitHub registers no runner of this version{version} any more. Set `package` to a newer one than {}, for example by updating nixpkgs, and switch; until then the unit stays down.",
            manifest.listener.display()
        );
    }
    if said("runner group") {
        return "What to do: check `runnerGroup`; the group must exist and be open to this organisation or repository."
            .into();
    }
    if said("401") || said("403") || said("404") || said("Bad credentials") {
        let Some(file) = &registration.token_file else {
            return format!(
                "What to do: GitHub did not accept the registration token that it gave to the App just before; check that `url` is the page of an organisation or repository, see {page}."
            );
        };
        return format!(
            "What to do: GitHub did not accept the registration token. If {0} holds one, it died after its hour: put a new one from {page} there, or better an access token, which stays valid. If {0} holds an access token that does not look like one, set `tokenType = \"access\"`.",
            file.as_str()
        );
    }
    if said("Permission to read the directory contents is required") {
        return "What to do: every directory above the state directory must be readable for the service user; set the mode of the one named above to 0755.".into();
    }
    format!(
        "What to do: see the lines above and the log files, which the next step of root puts into the logs directory. If the server got the registration all the same, a runner {name} appears at {page}; remove it there before the next start, or set `replace = true`."
    )
}

/// The name under which the server knows the runner, as far as the configuration tells.
fn shown_name(name: Option<&RunnerName>) -> String {
    name.map_or_else(|| "of this host's name".into(), |name| format!("`{}`", name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]], secret: &str) -> Vec<String> {
        let mut scrubber = LineScrubber::new(secret);
        let mut lines: Vec<String> = pieces.iter().flat_map(|piece| scrubber.push(piece)).collect();
        lines.extend(scrubber.finish());
        lines
    }

    #[test]
    fn a_secret_is_hidden_however_it_arrives() {
        assert_eq!(lines(&[b"a FAKE b\nFAKEFAKE\nend FA", b"KE"], "FAKE"), ["a *** b", "******", "end ***"]);
        for cut in 0..=12 {
            let text = b"xxxxFAKExxxx";
            assert_eq!(lines(&[&text[..cut], &text[cut..]], "FAKE"), ["xxxx***xxxx"], "cut at {cut}");
        }
    }

    #[test]
    fn a_secret_is_hidden_at_every_place_of_an_endless_line() {
        for offset in (MAX_LINE - 20)..(MAX_LINE + 20) {
            let mut text = vec![b'x'; offset];
            text.extend_from_slice(b"FAKESECRET");
            text.extend(vec![b'y'; 2 * MAX_LINE]);
            let shown = lines(&[&text], "FAKESECRET").concat();
            assert!(shown.contains("***") && !shown.contains("FAKESECRET"), "offset {offset}");
            assert_eq!(shown.len(), text.len() - "FAKESECRET".len() + HIDDEN.len(), "offset {offset}");
        }
    }

    #[test]
    fn a_version_that_is_too_old_is_known_by_what_the_server_says() {
        let is = |line: &str| is_too_old(&[line.to_owned()]);
        assert!(is(r#"{"message":"Your runner version is out of date and can no longer register. Please update."}"#));
        assert!(is("Runner version v2.317.0 is deprecated and cannot receive messages."));
        assert!(!is("Current runner version: '2.333.1'") && !is(r#"{"message":"Not Found"}"#));
    }

    #[test]
    fn bytes_that_are_no_text_and_escape_sequences_are_made_harmless() {
        assert_eq!(lines(&[b"\xff\xfeok\x1b[31mred\x07\r\n\n"], "FAKE"), ["\u{fffd}\u{fffd}ok[31mred"]);
        assert_eq!(lines(&[b"FA\x1bKE FA\0KE"], "FAKE"), ["*** ***"]);
        assert_eq!(lines(&["FA\u{200b}KE \u{202e}ok\u{2066}".as_bytes()], "FAKE"), ["*** ok"]);
    }
}
