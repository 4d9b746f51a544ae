//! Tokens that prove something, and every kind that must not.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::Served;
use super::super::samples::{NOW, OWNER, REPOSITORY, RUN, judged, key, repository};
use super::*;

/// The only key in these tests; nothing else was ever protected by it.
const PRIVATE: &str = include_str!("../../../../tests/stand-ins/github/app-key.pem");
const PUBLIC: &str = include_str!("../../../../tests/stand-ins/github/app-public-key.pem");
const KEYS: &str = include_str!("../../../../tests/stand-ins/github/issuer-keys.json");
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const AUDIENCE: &str = "https://ci.example.org";

fn keys() -> Vec<SigningKey> {
    let set: Value = serde_json::from_str(KEYS).unwrap();
    let text = |key: &Value, field: &str| key[field].as_str().unwrap().to_owned();
    let key = |key: &Value| SigningKey { kid: text(key, "kid"), n: text(key, "n"), e: text(key, "e") };
    set["keys"].as_array().unwrap().iter().map(key).collect()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "nbf": NOW - 300, "iat": NOW, "jti": "fake",
        "sub": "repo:octo-org/example:ref:refs/heads/main",
        "repository": "octo-org/example", "repository_id": REPOSITORY.to_string(),
        "repository_owner_id": OWNER.to_string(), "run_id": RUN.to_string(), "run_attempt": "1",
        "event_name": "push", "ref": "refs/heads/main", "runner_environment": "github-hosted",
    })
}

fn header(kid: &str) -> Header {
    Header { kid: Some(kid.into()), ..Header::new(Algorithm::RS256) }
}

fn signed(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_rsa_pem(PRIVATE.as_bytes()).unwrap()).unwrap()
}

fn with(field: &str, value: Value) -> String {
    let mut claims = claims();
    claims[field] = value;
    signed(&header("stand-in-1"), &claims)
}

fn verdict_at(token: &str, now: u64) -> Verdict {
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    judged(&repository(), |wanted| judge(wanted, token, &keys(), &expected, now))
}

fn verdict(token: &str) -> Verdict {
    verdict_at(token, NOW)
}

#[track_caller]
fn is_refused(token: &str, part: &str) {
    match verdict(token) {
        Verdict::Refused(Refusal::Token(text)) => {
            assert!(text.contains(part), "{text}");
            assert!(text.ends_with('.') && !text.contains(token), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_of_the_run_made_for_this_service_proves_it() {
    let token = signed(&header("stand-in-1"), &claims());
    assert_eq!(key_id(&token).unwrap(), "stand-in-1");
    assert_eq!(verdict(&token), Verdict::Proven { fork: false });
}

#[test]
fn a_token_for_another_service_is_refused() {
    for audience in [
        json!("https://github.com/octo-org"),
        json!("https://ci.example.org/"),
        json!("https://CI.example.org"),
        json!(""),
    ] {
        is_refused(&with("aud", audience), "audience https://ci.example.org");
    }
}

#[test]
fn a_token_for_several_services_is_refused() {
    is_refused(&with("aud", json!([AUDIENCE, "https://evil.example"])), "lacks something");
}

#[test]
fn a_token_of_another_issuer_is_refused() {
    for issuer in [
        "https://evil.example",
        "https://token.actions.githubusercontent.com/octo",
        "http://token.actions.githubusercontent.com",
    ] {
        is_refused(&with("iss", json!(issuer)), "another issuer");
    }
}

#[test]
fn an_expired_token_is_refused() {
    is_refused(&with("exp", json!(NOW - LEEWAY)), "has expired");
    is_refused(&with("exp", json!(0)), "has expired");
    let token = signed(&header("stand-in-1"), &claims());
    assert_eq!(verdict_at(&token, NOW + 300 + LEEWAY - 1), Verdict::Proven { fork: false });
    assert!(matches!(verdict_at(&token, NOW + 300 + LEEWAY), Verdict::Refused(_)));
}

#[test]
fn a_token_that_is_not_valid_yet_is_refused() {
    is_refused(&with("nbf", json!(NOW + LEEWAY + 1)), "not valid yet");
    assert_eq!(verdict(&with("nbf", json!(NOW + LEEWAY))), Verdict::Proven { fork: false });
}

#[test]
fn a_token_signed_with_another_key_is_refused() {
    // The second key of the issuer is not the one that signs.
    is_refused(&signed(&header("stand-in-2"), &claims()), "wrong signature");
}

#[test]
fn a_token_with_an_unknown_key_is_refused() {
    is_refused(&signed(&header("stand-in-3"), &claims()), "key that GitHub does not have");
    is_refused(&signed(&header(""), &claims()), "key that GitHub does not have");
}

#[test]
fn a_token_that_names_no_key_is_refused() {
    is_refused(&signed(&Header::new(Algorithm::RS256), &claims()), "does not name its key");
}

#[test]
fn a_token_that_brings_its_own_key_is_refused() {
    let header = Header { jku: Some("https://evil.example/jwks".into()), ..header("stand-in-3") };
    is_refused(&signed(&header, &claims()), "key that GitHub does not have");
}

#[test]
fn an_unsigned_token_is_refused() {
    let encoded = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE"] {
        let head = encoded(json!({ "alg": alg, "typ": "JWT", "kid": "stand-in-1" }));
        is_refused(&format!("{head}.{}.", encoded(claims())), "no JSON web token");
    }
    // Or one of RS256 without its signature.
    let head = encoded(json!({ "alg": "RS256", "typ": "JWT", "kid": "stand-in-1" }));
    is_refused(&format!("{head}.{}.", encoded(claims())), "wrong signature");
}

#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let header = Header { kid: Some("stand-in-1".into()), ..Header::new(Algorithm::HS256) };
    for secret in [PUBLIC.as_bytes(), keys()[0].n.as_bytes()] {
        is_refused(&encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap(), "not signed with RS256");
    }
}

#[test]
fn a_token_of_another_algorithm_of_the_same_key_is_refused() {
    for alg in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let header = Header { kid: Some("stand-in-1".into()), ..Header::new(alg) };
        is_refused(&signed(&header, &claims()), "not signed with RS256");
    }
}

#[test]
fn a_token_that_lacks_something_is_refused() {
    for field in ["iss", "aud", "exp", "nbf", "repository_id", "repository_owner_id", "run_id", "event_name"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(field);
        is_refused(&signed(&header("stand-in-1"), &claims), "lacks something");
    }
    is_refused(&with("exp", json!("never")), "lacks something");
    is_refused(&with("exp", json!(-1)), "lacks something");
    is_refused(&with("run_id", json!(RUN)), "lacks something");
}

#[test]
fn a_changed_token_is_refused() {
    let good = signed(&header("stand-in-1"), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let mut other = claims();
    other["run_id"] = json!("1");
    let body = BASE64_URL_SAFE_NO_PAD.encode(other.to_string());
    is_refused(&[parts[0], &body, parts[2]].join("."), "wrong signature");
    is_refused(&good[..good.len() - 2], "wrong signature");
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "ghp_fake", "\0", "ü.ü.ü"] {
        is_refused_as_none(text);
    }
    is_refused(&"x".repeat(LONGEST + 1), "longer than one of GitHub's");
}

#[track_caller]
fn is_refused_as_none(text: &str) {
    let Verdict::Refused(Refusal::Token(said)) = verdict(text) else { panic!("{text}") };
    assert!(said.contains("no JSON web token"), "{said}");
}

#[test]
fn a_token_of_another_repository_or_owner_is_refused() {
    for (field, value) in [
        ("repository_id", "123457"),
        ("repository_id", "0123456"),
        ("repository_id", "123456 "),
        ("repository_id", ""),
        ("repository_owner_id", "43"),
        ("repository_owner_id", "+42"),
    ] {
        let refused = Verdict::Refused(Refusal::Repository("octo-org/example".into()));
        assert_eq!(verdict(&with(field, json!(value))), refused, "{field} {value}");
    }
}

#[test]
fn a_token_of_another_run_than_the_labels_is_refused() {
    for run in ["19283747", "1928374", "1", "019283746", ""] {
        assert_eq!(verdict(&with("run_id", json!(run))), Verdict::Refused(Refusal::Run), "{run}");
    }
    // Also if whoever asks says that it is for that run, and the label does not.
    let (repository, other) = (repository(), key("od-19283747-1-build"));
    let wanted = Wanted { key: &other, run: RUN, repository: &repository };
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    let token = signed(&header("stand-in-1"), &claims());
    assert_eq!(judge(&wanted, &token, &keys(), &expected, NOW), Verdict::Refused(Refusal::Run));
    let compatible = key("rr_runner_19283746");
    let wanted = Wanted { key: &compatible, ..wanted };
    assert_eq!(judge(&wanted, &token, &keys(), &expected, NOW), Verdict::Refused(Refusal::Run));
}

#[test]
fn neither_the_subject_nor_the_name_of_the_repository_counts() {
    for subject in
        [json!("repo:evil/evil:ref:refs/heads/main"), json!("repo:octo-org@42/example@123456:x"), json!(7), Value::Null]
    {
        assert_eq!(verdict(&with("sub", subject)), Verdict::Proven { fork: false });
    }
    assert_eq!(verdict(&with("repository", json!("octo-org/renamed"))), Verdict::Proven { fork: false });
}

#[test]
fn a_run_that_a_stranger_began_counts_as_a_forks() {
    let token = with("event_name", json!("pull_request_target"));
    assert_eq!(verdict(&token), Verdict::Proven { fork: true });
    let closed = Served { forks: false, ..repository() };
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    let refused = judged(&closed, |wanted| judge(wanted, &token, &keys(), &expected, NOW));
    assert!(matches!(refused, Verdict::Refused(Refusal::Event(_))), "{refused:?}");
}

#[test]
fn a_weak_key_of_the_issuer_is_not_used() {
    let weak = vec![SigningKey { n: "AQ".into(), ..keys().remove(0) }];
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    let token = signed(&header("stand-in-1"), &claims());
    let refused = judged(&repository(), |wanted| judge(wanted, &token, &weak, &expected, NOW));
    assert!(matches!(refused, Verdict::Refused(Refusal::Token(_))), "{refused:?}");
}
