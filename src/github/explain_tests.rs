//! Every kind of refusal with the words for it. Touches nothing.

use super::*;

const NOW: u64 = 1_798_106_400;

fn explained(url: &str, kind: CredentialKind, account: Account, status: u16, headers: &[(&str, &str)]) -> String {
    let url = RegistrationUrl::parse(url).unwrap();
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let response = Response { status, headers, body: b"{\"message\":\"Not good\"}".to_vec() };
    explain(&response, &Question { url: &url, kind, app: false, account, now: NOW, expires: None })
}

const ORGANIZATION: &str = "https://github.com/octo-org";
const REPOSITORY: &str = "https://github.com/octo-org/example";
const ENTERPRISE: &str = "https://github.com/enterprises/octo";

#[test]
fn every_refusal_says_what_is_wrong_and_the_way_out() {
    use Account::{Missing, Organization, Unknown, User};
    use CredentialKind::{App, Classic, FineGrained, Unknown as Garbage};
    for (url, kind, account, status, headers, parts) in [
        (
            REPOSITORY,
            FineGrained,
            Unknown,
            401,
            &[][..],
            ["has expired, was revoked", "\"Administration: Read and write\""],
        ),
        (ORGANIZATION, Classic, Unknown, 401, &[], ["was not copied whole", "scope `admin:org`"]),
        (ORGANIZATION, Garbage, Unknown, 401, &[], ["does not look like an access token", "registration token"]),
        (
            REPOSITORY,
            FineGrained,
            Unknown,
            403,
            &[("x-accepted-github-permissions", "administration=write")],
            ["give it the permission \"Administration: Read and write\" of the repository", "and says \"Not good\""],
        ),
        (
            ORGANIZATION,
            App,
            Unknown,
            403,
            &[("x-accepted-github-permissions", "organization_self_hosted_runners=write")],
            ["\"Self-hosted runners: Read and write\" of the organisation", "\"octo-org\""],
        ),
        (ORGANIZATION, FineGrained, Unknown, 403, &[], ["\"Self-hosted runners: Read and write\"", "octo-org"]),
        (
            ORGANIZATION,
            Classic,
            Unknown,
            403,
            &[("x-oauth-scopes", "repo, gist"), ("x-accepted-oauth-scopes", "admin:org")],
            ["has the scopes \"repo, gist\"", "add the scope `admin:org`"],
        ),
        (REPOSITORY, Classic, Unknown, 404, &[("x-oauth-scopes", "")], ["no scope at all", "add the scope `repo`"]),
        (
            REPOSITORY,
            Classic,
            Unknown,
            404,
            &[("x-oauth-scopes", "repo")],
            ["There is no repository", "as somebody who"],
        ),
        (
            ORGANIZATION,
            Classic,
            Unknown,
            403,
            &[("x-github-sso", "required; url=https://github.com/orgs/octo-org/sso?authorization_request=x")],
            ["single sign-on", "open https://github.com/orgs/octo-org/sso?authorization_request=x"],
        ),
        (
            ORGANIZATION,
            Classic,
            Unknown,
            403,
            &[("x-github-sso", "required; url=https://evil.example/x")],
            ["single sign-on", "choose \"Configure SSO\" beside the token"],
        ),
        (ORGANIZATION, FineGrained, User, 404, &[], ["account of a user", "https://github.com/octo-org/REPOSITORY"]),
        (ORGANIZATION, FineGrained, Missing, 404, &[], ["There is no organisation \"octo-org\"", "correct `url`"]),
        (ORGANIZATION, FineGrained, Organization, 404, &[], ["may not see the runners of organisation", "Self-hosted"]),
        (REPOSITORY, FineGrained, Unknown, 404, &[], ["may not see or not administer", "let the credential reach"]),
        (ENTERPRISE, App, Unknown, 404, &[], ["enterprise \"octo\"", "only classic tokens can have"]),
        (REPOSITORY, App, Unknown, 301, &[], ["renaming", "set `url` to the present one"]),
        (REPOSITORY, App, Unknown, 422, &[], ["status 422", "\"Not good\""]),
    ] {
        let text = explained(url, kind, account, status, headers);
        for part in parts {
            assert!(text.contains(part), "{status} {headers:?}: {text}");
        }
        assert!(text.ends_with('.') && !text.contains("evil.example"), "{text}");
    }
}

#[test]
fn a_known_expiry_is_told() {
    let url = RegistrationUrl::parse(REPOSITORY).unwrap();
    let response = Response { status: 401, ..Response::default() };
    let kind = CredentialKind::FineGrained;
    let question =
        Question { url: &url, kind, app: false, account: Account::Unknown, now: NOW, expires: Some(NOW - 1) };
    assert!(explain(&response, &question).contains("it expired at 2026-12-24 09:59:59 UTC"));
    let text = explain(&response, &Question { expires: Some(NOW + 1), ..question });
    assert!(!text.contains("2026"), "{text}");
}

#[test]
fn clocks_that_differ_are_both_told() {
    let at = |date: &str| Response { headers: vec![("date".into(), date.into())], ..Response::default() };
    assert_eq!(skew(&at("Thu, 24 Dec 2026 10:01:00 GMT"), NOW), None);
    insta::assert_snapshot!(skew(&at("Thu, 24 Dec 2026 10:01:01 GMT"), NOW).unwrap(), @"The clock of this host says 2026-12-24 10:00:00 UTC, the one of GitHub 2026-12-24 10:01:01 UTC: set the clock of this host.");
    assert_eq!(skew(&at("yesterday"), NOW), None);
}

#[test]
fn an_app_is_never_told_of_an_access_token() {
    for (url, kind) in [(REPOSITORY, CredentialKind::App), (ORGANIZATION, CredentialKind::Jwt)] {
        let url = RegistrationUrl::parse(url).unwrap();
        for status in [401, 403, 404, 422] {
            let response = Response { status, ..Response::default() };
            let question = Question { url: &url, kind, app: true, account: Account::Unknown, now: NOW, expires: None };
            let text = explain(&response, &question);
            assert!(!text.contains("tokenFile") && !text.contains("copied"), "{status}: {text}");
        }
    }
}

#[test]
fn the_reason_comes_before_the_advice_whatever_the_status() {
    let url = RegistrationUrl::parse(REPOSITORY).unwrap();
    for status in [401, 403, 404, 422] {
        let body = br#"{"message":"Repository was archived so is read-only."}"#.to_vec();
        let response = Response { status, body, ..Response::default() };
        let question = Question {
            url: &url,
            kind: CredentialKind::Classic,
            app: false,
            account: Account::Unknown,
            now: NOW,
            expires: None,
        };
        assert!(explain(&response, &question).contains("is archived"), "{status}");
    }
}
