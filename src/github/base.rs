//! Where the API of an address is (runner contract, 1.5), and the paths in it. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::Service;
use crate::model::{RegistrationUrl, Scope};

/// What every request to GitHub says.
pub const GITHUB: Service = Service {
    name: "GitHub",
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
};

/// What every request to the issuer of ID tokens says.
pub const ISSUER: Service =
    Service { name: "GitHub's issuer of ID tokens", headers: &[("accept", "application/json")] };

/// What stays as it is in a segment of a path, or in a value of a query.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');
/// A segment of nothing but dots would lead to another path.
const DOTS: &AsciiSet = &SEGMENT.add(b'.');

/// The one host that is asked, which alone gets the credential, and what stands before every path there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiBase(String);

impl ApiBase {
    /// The API that is responsible for `url`.
    #[must_use]
    pub fn of(url: &RegistrationUrl) -> Self {
        let host = url.host();
        Self(if url.is_hosted() { format!("https://api.{host}") } else { format!("https://{host}/api/v3") })
    }

    /// What signs the ID tokens of jobs on the server of `url`. No credential ever goes there.
    #[must_use]
    pub fn issuer_for(url: &RegistrationUrl) -> Self {
        Self(url.issuer())
    }

    /// The address of a path, which starts with a slash.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The host, as it may be shown, and as connections are made to it.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.0.trim_start_matches("https://");
        host.split_once('/').map_or(host, |(host, _)| host)
    }
}

/// The path of what runners are registered for.
#[must_use]
pub fn entity(scope: &Scope) -> String {
    match scope {
        Scope::Organization(name) => format!("/orgs/{}", encoded(name)),
        Scope::Repository(owner, name) => format!("/repos/{}/{}", encoded(owner), encoded(name)),
        Scope::Enterprise(name) => format!("/enterprises/{}", encoded(name)),
    }
}

/// `text` as one segment of a path, or one value of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let only_dots = text.bytes().all(|byte| byte == b'.');
    utf8_percent_encode(text, if only_dots { DOTS } else { SEGMENT }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_its_api() {
        for (url, base, host) in [
            ("https://github.com/o/r", "https://api.github.com", "api.github.com"),
            ("https://GitHub.com/o", "https://api.github.com", "api.github.com"),
            ("https://octo.ghe.com/o", "https://api.octo.ghe.com", "api.octo.ghe.com"),
            ("https://ghes.example/enterprises/e", "https://ghes.example/api/v3", "ghes.example"),
            ("https://github.com.evil.example/o", "https://github.com.evil.example/api/v3", "github.com.evil.example"),
            ("https://notgithub.com/o", "https://notgithub.com/api/v3", "notgithub.com"),
            ("https://notghe.com/o", "https://notghe.com/api/v3", "notghe.com"),
            ("https://github.localhost/o", "https://api.github.localhost", "api.github.localhost"),
        ] {
            let found = ApiBase::of(&RegistrationUrl::parse(url).unwrap());
            assert_eq!((found.at("").as_str(), found.host()), (base, host), "{url}");
        }
    }

    #[test]
    fn each_host_has_its_issuer() {
        for (url, base, host) in [
            (
                "https://GitHub.com/o",
                "https://token.actions.githubusercontent.com",
                "token.actions.githubusercontent.com",
            ),
            ("https://octo.ghe.com/o", "https://token.actions.octo.ghe.com", "token.actions.octo.ghe.com"),
            ("https://ghes.example/o/r", "https://ghes.example/_services/token", "ghes.example"),
            ("https://notgithub.com/o", "https://notgithub.com/_services/token", "notgithub.com"),
        ] {
            let found = ApiBase::issuer_for(&RegistrationUrl::parse(url).unwrap());
            assert_eq!((found.at("").as_str(), found.host()), (base, host), "{url}");
        }
    }

    #[test]
    fn names_cannot_lead_to_other_paths() {
        for (scope, path) in [
            (Scope::Organization("octo-org".into()), "/orgs/octo-org"),
            (Scope::Repository("o".into(), "r.rs".into()), "/repos/o/r.rs"),
            (Scope::Repository("..".into(), "a&b".into()), "/repos/%2E%2E/a%26b"),
            (Scope::Enterprise("e:1".into()), "/enterprises/e%3A1"),
        ] {
            assert_eq!(entity(&scope), path);
        }
        assert_eq!(encoded("a b/ü"), "a%20b%2F%C3%BC");
    }
}
