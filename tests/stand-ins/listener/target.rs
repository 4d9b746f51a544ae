//! From the registration url to hosts and paths.
//!
//! UrlUtil.cs:9-22, ConfigurationManager.cs:745-768, 775, RunnerDotcomServer.cs:179-232.
//! Port and user information are dropped, as the runner drops them.

use anyhow::{Result, anyhow};

/// Where a registration belongs.
pub struct Target {
    /// As given.
    pub url: String,
    /// Whether the rules of github.com apply.
    pub hosted: bool,
    /// `https://api.github.com` and the like, as printed and as the `Host` says.
    pub api_host: String,
    scheme: String,
    prefix: &'static str,
    entity: Option<String>,
}

impl Target {
    /// Takes `url` apart.
    pub fn new(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let host = host.split(':').next().unwrap_or(host).to_lowercase();
        let hosted = ["github.com", "www.github.com", "github.localhost"].contains(&host.as_str())
            || host.ends_with(".ghe.localhost")
            || host.ends_with(".ghe.com");
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let entity = match segments[..] {
            [organisation] => Some(format!("orgs/{organisation}")),
            [kind, name] if kind.eq_ignore_ascii_case("enterprises") => Some(format!("{kind}/{name}")),
            [owner, name] => Some(format!("repos/{owner}/{name}")),
            _ => None,
        };
        Self {
            url: url.to_owned(),
            hosted,
            api_host: if hosted { format!("api.{host}") } else { host },
            scheme: scheme.to_owned(),
            prefix: if hosted { "" } else { "/api/v3" },
            entity,
        }
    }

    /// The path of an API call that belongs to no entity.
    pub fn api(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }

    /// The path of an API call below the organisation, repository or enterprise.
    ///
    /// # Errors
    ///
    /// The url names none; `expected` completes the runner's sentence about it.
    pub fn entity(&self, rest: &str, expected: &str) -> Result<String> {
        let entity = self.entity.as_deref();
        let entity = entity.ok_or_else(|| anyhow!("'{}' should point to an org or {expected}.", self.url))?;
        Ok(self.api(&format!("{entity}/{rest}")))
    }

    /// The address of an API call as the runner would print it.
    pub fn shown(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.api_host)
    }
}
