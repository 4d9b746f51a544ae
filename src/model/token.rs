//! The secret that registers a runner: what counts as one, of which kind it is, and how to compare two
//! without keeping either.
//!
//! Must not print a token. `Debug` is redacted, there is no `Display`, and no fault repeats the content.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::TokenType;

/// No token that GitHub makes is shorter.
const SHORTEST: usize = 20;

/// How many random bytes go into a [`TokenDigest`].
pub const SALT_BYTES: usize = 16;

/// A token as it stood in its file, without the newlines at its end.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(String);

/// Which door of the listener a token opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenKind {
    /// An API credential, from which the listener mints a registration token: `--pat`.
    Access,
    /// A registration token, good for an hour: `--token`.
    Registration,
}

/// Why the content of a file is no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenFault {
    /// Nothing in it, or nothing but newlines.
    Empty,
    /// More than [`Token::MAX_BYTES`].
    TooLong,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// More than one line.
    MultiLine,
    /// A private key of an App or of SSH.
    PrivateKey,
    /// An assignment as in a shell, or quotes around it.
    Assignment,
    /// A control character or a blank.
    BlankOrControl,
    /// Characters outside ASCII, which no token has.
    NotAscii,
    /// A refresh token (`ghr_`), which registers nothing.
    RefreshToken,
}

impl Token {
    /// The largest token that is accepted. GitHub speaks of up to 255 characters; the newer,
    /// self-describing ones are longer, so there is room.
    pub const MAX_BYTES: usize = 4096;

    /// Reads the content of a token file. Newlines at its end are not part of the token, however many there are, as the
    /// shell of nixpkgs' module reads it.
    ///
    /// # Errors
    ///
    /// What is wrong with the content, see [`TokenFault`].
    pub fn parse(content: &[u8]) -> Result<Self, TokenFault> {
        if content.len() > Self::MAX_BYTES {
            return Err(TokenFault::TooLong);
        }
        let text = std::str::from_utf8(content).map_err(|_| TokenFault::NotUtf8)?;
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            return Err(TokenFault::Empty);
        }
        if text.contains("-----BEGIN") {
            return Err(TokenFault::PrivateKey);
        }
        if text.contains('\n') {
            return Err(TokenFault::MultiLine);
        }
        if is_assigned_or_quoted(text) {
            return Err(TokenFault::Assignment);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(TokenFault::BlankOrControl);
        }
        if !text.is_ascii() {
            return Err(TokenFault::NotAscii);
        }
        if text.starts_with("ghr_") {
            return Err(TokenFault::RefreshToken);
        }
        Ok(Self(text.into()))
    }

    /// The secret itself. For the one environment variable and the one file that must hold it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Which kind it is: as configured, or by its look.
    ///
    /// Access tokens start with `gh`, a letter and `_`, or with `github_pat_`; those from before 2021
    /// are 40 hexadecimal digits. Registration tokens have no prefix.
    #[must_use]
    pub fn kind(&self, configured: TokenType) -> TokenKind {
        match configured {
            TokenType::Access => TokenKind::Access,
            TokenType::Auto if self.looks_like_access() => TokenKind::Access,
            TokenType::Registration | TokenType::Auto => TokenKind::Registration,
        }
    }

    fn looks_like_access(&self) -> bool {
        let old = self.0.len() == 40 && self.0.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        old || has_known_prefix(&self.0)
    }
}

fn has_known_prefix(text: &str) -> bool {
    matches!(text.as_bytes(), [b'g', b'h', b'a'..=b'z', b'_', ..]) || text.starts_with("github_pat_")
}

/// Whether `text` is a token as a file of variables has it: `TOKEN=…`, `export TOKEN="…"`, `"…"`.
fn is_assigned_or_quoted(text: &str) -> bool {
    let is_name = |name: &str| {
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let value = match text.split_once('=') {
        Some((name, value)) if is_name(name) => value.trim(),
        _ => text,
    };
    let bare = value.trim_matches(['"', '\'']);
    let is_long = bare.len() >= SHORTEST && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // Nothing but a `=` at the end is no assignment.
    (bare.len() < text.len()) && (has_known_prefix(bare) || is_long)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty: write the token into it",
            Self::TooLong => "is larger than any token (4096 bytes): it should hold the token and nothing else",
            Self::NotUtf8 => "is not UTF-8 text: it should hold the token and nothing else",
            Self::MultiLine => "has more than one line: it should hold the token in a single line",
            Self::PrivateKey => "holds a private key: an access token or registration token is expected",
            Self::Assignment => "holds the token as a variable or in quotes, as a shell has it (`TOKEN=…`): leave the token alone in it, without a name, a `=` or quotes",
            Self::BlankOrControl => "contains a blank or a control character: it should hold the token and nothing else",
            Self::NotAscii => "contains characters that no token has: it should hold the token and nothing else",
            Self::RefreshToken => "holds a refresh token (`ghr_`), which cannot register a runner: use an access token or a registration token",
        })
    }
}

impl std::error::Error for TokenFault {}

/// A salted SHA-256 of a secret: tells whether a secret is the one from before, and nothing else.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDigest {
    salt: String,
    sha256: String,
}

impl TokenDigest {
    /// The digest of `token` under `salt`, which should be random.
    #[must_use]
    pub fn new(token: &Token, salt: [u8; SALT_BYTES]) -> Self {
        Self::of(&token.0, salt)
    }

    /// The digest of any text that has a token in it.
    #[must_use]
    pub fn of(text: &str, salt: [u8; SALT_BYTES]) -> Self {
        let salt = hex(&salt);
        let sha256 = Self::digest(&salt, text);
        Self { salt, sha256 }
    }

    /// Whether `token` is the one this digest was made of.
    #[must_use]
    pub fn matches(&self, token: &Token) -> bool {
        self.is_of(&token.0)
    }

    /// Whether `text` is the one this digest was made of.
    #[must_use]
    pub fn is_of(&self, text: &str) -> bool {
        self.sha256 == Self::digest(&self.salt, text)
    }

    fn digest(salt: &str, text: &str) -> String {
        let mut hash = Sha256::new();
        // The salt's length is fixed, so salt and text cannot run into each other.
        hash.update(salt);
        hash.update(text);
        hex(&hash.finalize())
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_at_the_end_are_not_part_of_the_token() {
        for text in [&b"AFAKETOKEN\n"[..], b"AFAKETOKEN\n\n", b"AFAKETOKEN\n\n\n\n"] {
            assert_eq!(Token::parse(text).unwrap(), Token::parse(b"AFAKETOKEN").unwrap());
        }
    }

    #[test]
    fn a_token_as_a_variable_or_in_quotes_is_told_as_such() {
        for text in [
            "TOKEN=ghp_fake",
            "TOKEN=\"ghp_fake\"",
            "export GITHUB_TOKEN='github_pat_fake'",
            "TOKEN = ghs_fake",
            "TOKEN=AFAKETOKENFAKETOKENFAKETOKEN\n",
            "\"ghp_fake\"",
            "'AFAKETOKENFAKETOKENFAKETOKEN'",
        ] {
            let fault = Token::parse(text.as_bytes()).unwrap_err();
            assert_eq!(fault, TokenFault::Assignment, "{text}");
            assert!(!fault.to_string().contains("fake") && !fault.to_string().contains("FAKE"), "{fault}");
        }
        assert!(Token::parse(b"AFAKETOKENFAKETOKENFAKETOKEN==").is_ok());
    }

    #[test]
    fn content_that_is_no_token_is_refused() {
        let huge = vec![b'A'; Token::MAX_BYTES + 1];
        let cases: &[(&[u8], TokenFault)] = &[
            (b"", TokenFault::Empty),
            (b"\n", TokenFault::Empty),
            (b"\n\n", TokenFault::Empty),
            (&huge, TokenFault::TooLong),
            (b"A\xffB", TokenFault::NotUtf8),
            (b"A\nB", TokenFault::MultiLine),
            (b"\nA", TokenFault::MultiLine),
            (b"-----BEGIN RSA PRIVATE KEY-----\nfake\n", TokenFault::PrivateKey),
            (b" A", TokenFault::BlankOrControl),
            (b"A\r\n", TokenFault::BlankOrControl),
            (b"A\0B", TokenFault::BlankOrControl),
            (b"A\x1b[0mB", TokenFault::BlankOrControl),
            ("tök".as_bytes(), TokenFault::NotAscii),
            (b"ghr_fake", TokenFault::RefreshToken),
        ];
        for (content, fault) in cases {
            assert_eq!(Token::parse(content).unwrap_err(), *fault, "{:?}", String::from_utf8_lossy(content));
        }
    }

    #[test]
    fn the_kind_follows_the_prefix_unless_configured() {
        let kind = |text: &str, configured| Token::parse(text.as_bytes()).unwrap().kind(configured);
        for text in [
            "ghp_fake",
            "gho_fake",
            "ghs_fake",
            "ghu_fake",
            "ghx_fake",
            "github_pat_fake",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert_eq!(kind(text, TokenType::Auto), TokenKind::Access, "{text}");
            assert_eq!(kind(text, TokenType::Registration), TokenKind::Registration, "{text}");
        }
        for text in
            ["AFAKETOKENFAKETOKENFAKETOKEN", "ghost", "gh1_fake", "ghpfake", "0123456789ABCDEF0123456789ABCDEF01234567"]
        {
            assert_eq!(kind(text, TokenType::Auto), TokenKind::Registration, "{text}");
            assert_eq!(kind(text, TokenType::Access), TokenKind::Access, "{text}");
        }
    }

    #[test]
    fn a_digest_knows_its_token_and_no_other() {
        let token = Token::parse(b"ghp_fake1").unwrap();
        let digest = TokenDigest::new(&token, [7; SALT_BYTES]);
        assert!(digest.matches(&token));
        assert!(!digest.matches(&Token::parse(b"ghp_fake2").unwrap()));
        assert_ne!(digest, TokenDigest::new(&token, [8; SALT_BYTES]));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", Token::parse(b"ghp_fake").unwrap()), "Token(redacted)");
    }
}
