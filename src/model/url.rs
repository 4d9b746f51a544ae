//! The address under which a runner registers, and what follows from it.
//!
//! Must not make requests: it only takes an address apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a runner is registered for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// All repositories that an organisation lets use the runner.
    Organization(String),
    /// One repository: owner and name.
    Repository(String, String),
    /// An enterprise account.
    Enterprise(String),
}

/// A registration address that the listener accepts and that carries no secret.
///
/// The text is kept as it was written, because the listener stores and sends it verbatim
/// (actions/runner `ConfigurationManager.cs:140`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistrationUrl {
    text: String,
    host: String,
    scope: Scope,
}

impl RegistrationUrl {
    /// Takes `text` apart.
    ///
    /// # Errors
    ///
    /// One sentence that names the address, the fault and the way out. Refused are plain http (the token
    /// would cross the network readably), user information (it would be stored in `.runner`), ports (the
    /// listener drops them, `ConfigurationManager.cs:745`), and paths that name neither an organisation,
    /// a repository nor an enterprise.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = |what: &str| format!("url `{}` {what}", text.escape_debug());
        let Some(rest) = text.strip_prefix("https://") else {
            return Err(fault(
                "does not start with `https://`: write it as in the browser, such as `https://github.com/octo-org/example`",
            ));
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            // The text is not repeated: what stands before the `@` is likely a secret.
            return Err(
                "url contains user information before an `@`: remove it; the token belongs into `tokenFile`".into()
            );
        }
        if host.contains(':') {
            return Err(fault("has a port, which the listener would drop: use the standard port"));
        }
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')) {
            return Err(fault("has no valid host name"));
        }
        if host.eq_ignore_ascii_case("www.github.com") {
            return Err(fault("uses `www.github.com`, for which no API host exists: use `github.com`"));
        }
        if text.len() > 512 {
            return Err("url is longer than 512 characters: no organisation or repository has such a one".into());
        }
        let path = path.trim_end_matches('/');
        if !path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\' | b'%' | b'@')) {
            return Err(fault(
                "has a query, a fragment or an unusual character: keep only the path of the organisation or repository",
            ));
        }
        let segments: Vec<&str> = path.split('/').collect();
        if let [page, organization, ..] = *segments.as_slice()
            && (page.eq_ignore_ascii_case("orgs") || page.eq_ignore_ascii_case("organizations"))
        {
            // Nobody is called so on GitHub; the browser shows such an address for many pages of an organization.
            return Err(fault(&format!(
                "is one of the pages about an organization: write the address of the organization itself, `https://{host}/{organization}`"
            )));
        }
        let scope = match *segments.as_slice() {
            [enterprises, name] if enterprises.eq_ignore_ascii_case("enterprises") && !name.is_empty() => {
                Scope::Enterprise(name.into())
            }
            [organization] if !organization.is_empty() => Scope::Organization(organization.into()),
            [_, repository] if repository.as_bytes().ends_with(b".git") => {
                return Err(fault("ends in `.git`: remove that ending"));
            }
            [owner, repository] if !owner.is_empty() && !repository.is_empty() => {
                Scope::Repository(owner.into(), repository.into())
            }
            _ => return Err(fault("names neither an organisation, a repository nor an enterprise")),
        };
        Ok(Self { text: text.into(), host: host.into(), scope })
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, in lower case.
    #[must_use]
    pub fn host(&self) -> String {
        self.host.to_ascii_lowercase()
    }

    /// Whether GitHub itself runs the server, and not somebody else perhaps an old release of it (runner contract, 1.5).
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        let host = self.host();
        matches!(host.as_str(), "github.com" | "github.localhost")
            || host.ends_with(".ghe.com")
            || host.ends_with(".ghe.localhost")
    }

    /// Who signs the ID tokens of jobs on this server: the `iss` of such a token, and where its keys are described
    /// (docs/contracts/github-workflows.md, 2). An enterprise that has chosen an issuer of its own has another one.
    #[must_use]
    pub fn issuer(&self) -> String {
        let host = self.host();
        match host.as_str() {
            "github.com" => "https://token.actions.githubusercontent.com".into(),
            _ if self.is_hosted() => format!("https://token.actions.{host}"),
            _ => format!("https://{host}/_services/token"),
        }
    }

    /// What the runner is registered for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The web page that lists the runners of this scope and lets people remove them.
    #[must_use]
    pub fn settings_page(&self) -> String {
        let host = &self.host;
        match &self.scope {
            Scope::Organization(name) => format!("https://{host}/organizations/{name}/settings/actions/runners"),
            Scope::Repository(owner, name) => format!("https://{host}/{owner}/{name}/settings/actions/runners"),
            Scope::Enterprise(name) => format!("https://{host}/enterprises/{name}/settings/actions/runners"),
        }
    }
}

impl TryFrom<String> for RegistrationUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<RegistrationUrl> for String {
    fn from(url: RegistrationUrl) -> Self {
        url.text
    }
}

impl fmt::Display for RegistrationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_has_its_settings_page() {
        for (url, page) in [
            ("https://github.com/octo-org", "https://github.com/organizations/octo-org/settings/actions/runners"),
            ("https://github.com/octo-org/", "https://github.com/organizations/octo-org/settings/actions/runners"),
            ("https://github.com/octo-org/example", "https://github.com/octo-org/example/settings/actions/runners"),
            ("https://ghes.example/Enterprises/octo", "https://ghes.example/enterprises/octo/settings/actions/runners"),
        ] {
            assert_eq!(RegistrationUrl::parse(url).unwrap().settings_page(), page);
        }
    }

    #[test]
    fn unusable_addresses_are_refused_with_the_reason() {
        for (url, part) in [
            ("http://github.com/o/r", "does not start with `https://`"),
            ("github.com/o/r", "does not start with `https://`"),
            ("https://ghes.example:8443/o", "has a port"),
            ("https://www.github.com/o", "no API host"),
            ("https://github.com", "names neither"),
            ("https://github.com/", "names neither"),
            ("https://github.com/o/r/settings", "names neither"),
            ("https://github.com//r", "names neither"),
            (
                "https://github.com/orgs/octo-org",
                "write the address of the organization itself, `https://github.com/octo-org`",
            ),
            ("https://github.com/orgs/octo-org/repositories", "`https://github.com/octo-org`"),
            ("https://github.com/organizations/o/settings/actions/runners", "`https://github.com/o`"),
            ("https://github.com/o/r.git", "ends in `.git`"),
            ("https://github.com/o/r?x=1", "has a query"),
            ("https://github.com/o/r\n", "unusual character"),
            ("https:///o/r", "no valid host name"),
        ] {
            let error = RegistrationUrl::parse(url).unwrap_err();
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn a_secret_in_the_address_is_not_repeated() {
        let error = RegistrationUrl::parse("https://x:ghp_fake@github.com/o/r").unwrap_err();
        assert!(error.contains("user information") && !error.contains("ghp_fake"), "{error}");
    }
}
