//! The keys with which GitHub signs ID tokens of jobs, from the issuer's own description of itself
//! (docs/contracts/github-workflows.md, 2).
//!
//! Everybody may read them, so no credential is sent. Both addresses are on the issuer's host: the description may name no other
//! one, and redirects are not followed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::{Client, Failure};
use crate::contract::workflow::{MOST_KEYS, SigningKey};
use crate::http::{Call, Response};
use crate::model::shown;

const DESCRIPTION: &str = "/.well-known/openid-configuration";
/// The longest key id, and the longest modulus: 8,192 bits in base64url.
const LONGEST_ID: usize = 128;
const LONGEST_MODULUS: usize = 1_366;
/// The longest exponent: 32 bits, which is more than any has.
const LONGEST_EXPONENT: usize = 6;

/// What an issuer says of itself, as far as it is used.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// RFC 7517, section 5.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The keys for RS256 of `issuer`, whose host `client` asks. Keys of other kinds, and such without an id, are left out.
///
/// # Errors
///
/// No final answer, one that is not the issuer's, or no key at all.
pub fn signing_keys(client: &Client, issuer: &str) -> Result<Vec<SigningKey>, Failure> {
    let description: Description = read(&client.send_openly(&Call::get(DESCRIPTION.into()))?)?;
    if description.issuer != issuer {
        return Err(Failure::Refused(format!(
            "{} says that it is the issuer {} and not {issuer}: ID tokens of an enterprise with an issuer of its own are not taken; use another proof.",
            client.host(),
            shown(&description.issuer)
        )));
    }
    let is_plain = |path: &str| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    let Some(path) = description.jwks_uri.strip_prefix(issuer).filter(|path| is_plain(path)) else {
        return Err(Failure::Refused(format!(
            "{} names {} as the place of its keys, which is not below {issuer}: they are not taken from elsewhere. Use another proof.",
            client.host(),
            shown(&description.jwks_uri)
        )));
    };
    let set: KeySet = read(&client.send_openly(&Call::get(path.into()))?)?;
    let mut keys = BTreeMap::new();
    for key in set.keys.into_iter().filter_map(usable) {
        if keys.insert(key.kid.clone(), key).is_some() {
            return Err(Failure::Unreachable("two keys of the issuer have one id".into()));
        }
    }
    match keys.len() {
        0 => Err(Failure::Unreachable("the issuer shows no key for RS256".into())),
        count if count > MOST_KEYS => {
            Err(Failure::Unreachable(format!("the issuer shows {count} keys, and {MOST_KEYS} are the most")))
        }
        _ => Ok(keys.into_values().collect()),
    }
}

fn read<T: serde::de::DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    match response.status {
        200 => response.json().map_err(Failure::Unreachable),
        status => Err(Failure::Unreachable(format!("the issuer of ID tokens answers with status {status}"))),
    }
}

fn usable(key: Key) -> Option<SigningKey> {
    let is_base64url = |text: &str, longest: usize| {
        !text.is_empty()
            && text.len() <= longest
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let is_for_signatures = key.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    if key.kty != "RSA" || !is_for_signatures || key.alg.as_deref().is_some_and(|alg| alg != "RS256") {
        return None;
    }
    let (kid, n, e) = (key.kid?, key.n?, key.e?);
    let is_good = !kid.is_empty() && kid.len() <= LONGEST_ID && kid.bytes().all(|b| b.is_ascii_graphic());
    (is_good && is_base64url(&n, LONGEST_MODULUS) && is_base64url(&e, LONGEST_EXPONENT)).then_some(SigningKey {
        kid,
        n,
        e,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://token.actions.githubusercontent.com";

    fn described(issuer: &str, keys: &str) -> Fake {
        Fake::new().answers(200, &[], &json!({ "issuer": issuer, "jwks_uri": keys }).to_string())
    }

    fn key(kid: &str) -> Value {
        json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": "AQ-_", "e": "AQAB", "x5t": "other" })
    }

    fn found(keys: &Value) -> Result<Vec<String>, Failure> {
        let fake = described(ISSUER, &format!("{ISSUER}/.well-known/jwks")).answers(
            200,
            &[],
            &json!({ "keys": keys }).to_string(),
        );
        let found = signing_keys(&fake.issuer(9), ISSUER);
        assert_eq!(fake.asked(), ["GET /.well-known/openid-configuration", "GET /.well-known/jwks"]);
        assert_eq!(fake.credentials(), ["", ""]);
        found.map(|keys| keys.into_iter().map(|key| key.kid).collect())
    }

    #[test]
    fn keys_for_rs256_are_taken_and_others_left_out() {
        assert_eq!(found(&json!([key("b"), key("a")])).unwrap(), ["a", "b"]);
        for (field, value) in [
            ("kty", json!("EC")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("kid", Value::Null),
            ("kid", json!("")),
            ("kid", json!("x".repeat(129))),
            ("kid", json!("a\n")),
            ("n", Value::Null),
            ("n", json!("not base64")),
            ("n", json!("A".repeat(1_367))),
            ("e", json!("")),
        ] {
            let mut other = key("other");
            other[field] = value.clone();
            assert_eq!(found(&json!([key("a"), other])).unwrap(), ["a"], "{field} {value}");
        }
    }

    #[test]
    fn a_set_without_a_usable_key_or_with_a_doubtful_one_is_no_answer() {
        let many: Vec<Value> = (0..33).map(|number| key(&number.to_string())).collect();
        for keys in [json!([]), json!([key("a"), key("a")]), json!(many), json!({}), json!([1])] {
            assert!(matches!(found(&keys), Err(Failure::Unreachable(_))), "{keys}");
        }
    }

    #[test]
    fn keys_are_taken_from_the_issuer_only() {
        for keys in [
            "https://evil.example/.well-known/jwks",
            "https://token.actions.githubusercontent.com.evil.example/jwks",
            "https://token.actions.githubusercontent.com@evil.example/jwks",
            "http://token.actions.githubusercontent.com/jwks",
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/\r\nx",
            "/.well-known/jwks",
        ] {
            let fake = described(ISSUER, keys);
            assert!(matches!(signing_keys(&fake.issuer(9), ISSUER), Err(Failure::Refused(_))), "{keys}");
            assert_eq!(fake.asked().len(), 1, "{keys}");
        }
    }

    #[test]
    fn another_issuer_or_a_redirect_is_not_followed() {
        let other = format!("{ISSUER}/octo-enterprise");
        let fake = described(&other, &format!("{other}/.well-known/jwks"));
        let Err(Failure::Refused(text)) = signing_keys(&fake.issuer(9), ISSUER) else { panic!() };
        assert!(text.contains("octo-enterprise") && text.contains("use another proof"), "{text}");
        let fake = Fake::new().answers(302, &[("location", "https://evil.example/")], "{}");
        assert!(matches!(signing_keys(&fake.issuer(9), ISSUER), Err(Failure::Unreachable(_))));
        assert_eq!(fake.asked().len(), 1);
    }
}
