//! Kinds of credentials, as far as their look tells. Pure; holds no secret.

use crate::model::{Scope, shown};

/// What a credential is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// A classic personal access token, or an old one without a prefix, or one of an OAuth App: with scopes.
    Classic,
    /// A fine-grained personal access token.
    FineGrained,
    /// A token of a GitHub App: of an installation, or of a user.
    App,
    /// The signature of a GitHub App itself.
    Jwt,
    /// Nothing that is known.
    Unknown,
}

impl CredentialKind {
    /// What `token` looks like.
    #[must_use]
    pub fn of(token: &str) -> Self {
        match token {
            _ if token.starts_with("ghp_") || token.starts_with("gho_") => Self::Classic,
            _ if token.starts_with("github_pat_") => Self::FineGrained,
            _ if token.starts_with("ghs_") || token.starts_with("ghu_") => Self::App,
            _ if token.len() == 40 && token.bytes().all(|b| b.is_ascii_hexdigit()) => Self::Classic,
            _ => Self::Unknown,
        }
    }
}

/// The scope that a classic token needs.
#[must_use]
pub fn classic_scope(scope: &Scope) -> &'static str {
    match scope {
        Scope::Organization(_) => "admin:org",
        Scope::Repository(..) => "repo",
        Scope::Enterprise(_) => "manage_runners:enterprise",
    }
}

/// What the credential has to be given, in the words of GitHub's pages.
#[must_use]
pub fn needed(scope: &Scope, kind: CredentialKind) -> String {
    let scopes = format!("the scope `{}`", classic_scope(scope));
    let permission = match scope {
        Scope::Organization(name) => {
            format!("the permission \"Self-hosted runners: Read and write\" of organisation {}", shown(name))
        }
        Scope::Repository(owner, name) => format!(
            "the permission \"Administration: Read and write\" of repository {}",
            shown(&format!("{owner}/{name}"))
        ),
        Scope::Enterprise(_) => return format!("{scopes}, which only classic tokens can have"),
    };
    match kind {
        // A scope opens only what its owner may do.
        CredentialKind::Classic => format!("{scopes}, as somebody who administers it"),
        CredentialKind::FineGrained | CredentialKind::App | CredentialKind::Jwt => permission,
        CredentialKind::Unknown => format!("{scopes} (a classic token) or {permission}"),
    }
}

/// A value of `X-Accepted-GitHub-Permissions` in the words of GitHub's pages.
#[must_use]
pub fn translated(header: &str) -> String {
    let set = |set: &str| {
        let one = |permission: &str| {
            let (name, level) = permission.trim().split_once('=').unwrap_or((permission.trim(), "write"));
            let level = if level == "read" { "Read-only" } else { "Read and write" };
            match name {
                "organization_self_hosted_runners" => {
                    format!("\"Self-hosted runners: {level}\" of the organisation")
                }
                "administration" => format!("\"Administration: {level}\" of the repository"),
                "organization_administration" => format!("\"Administration: {level}\" of the organisation"),
                other => format!("{}: {level}", shown(other)),
            }
        };
        set.split(',').filter(|part| !part.trim().is_empty()).map(one).collect::<Vec<_>>().join(" and ")
    };
    let sets: Vec<String> = header.split(';').map(set).filter(|set| !set.is_empty()).collect();
    sets.join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_look() {
        for (token, kind) in [
            ("ghp_fake", CredentialKind::Classic),
            ("gho_fake", CredentialKind::Classic),
            ("0123456789abcdef0123456789abcdef01234567", CredentialKind::Classic),
            ("github_pat_fake", CredentialKind::FineGrained),
            ("ghs_fake", CredentialKind::App),
            ("ghu_fake", CredentialKind::App),
            ("AFAKETOKENAFAKETOKENAFAKETOKE", CredentialKind::Unknown),
        ] {
            assert_eq!(CredentialKind::of(token), kind, "{token}");
        }
    }

    #[test]
    fn permissions_are_named_as_on_the_pages() {
        for (header, text) in [
            ("administration=write", "\"Administration: Read and write\" of the repository"),
            ("organization_self_hosted_runners=read", "\"Self-hosted runners: Read-only\" of the organisation"),
            (
                "administration=write,metadata=read; odd=write",
                "\"Administration: Read and write\" of the repository and \"metadata\": Read-only, or \"odd\": Read and write",
            ),
            ("", ""),
        ] {
            assert_eq!(translated(header), text);
        }
    }

    #[test]
    fn enterprises_need_a_classic_token() {
        let scope = Scope::Enterprise("e".into());
        assert!(needed(&scope, CredentialKind::App).contains("`manage_runners:enterprise`, which only classic"));
        let scope = Scope::Repository("o".into(), "r".into());
        assert!(needed(&scope, CredentialKind::Classic).starts_with("the scope `repo`"));
    }
}
