//! The steps of an App and what is said when one is refused. Touches nothing: the server is a list of answers.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

use super::super::fake::Fake;
use super::*;

const KEY: &str = include_str!("../../tests/stand-ins/github/app-key.pem");
const PUBLIC_KEY: &str = include_str!("../../tests/stand-ins/github/app-public-key.pem");
const FOUND: &str = r#"{"id":7,"account":{"login":"Octo-Org"},"suspended_at":null}"#;
const MADE: &str = r#"{"token":"ghs_fake","expires_at":"2026-12-24T10:00:00Z"}"#;

fn ask(fake: &Fake, key: &str, url: &str, installation: Option<u64>) -> Result<String, String> {
    let key = Secret::new(key.into());
    let app = App { id: "Iv1.0000", key: &key, login: "octo-org".into(), installation, purpose: Purpose::Runners };
    let url = RegistrationUrl::parse(url).unwrap();
    match installation_token(&fake.client(9), &app, &url) {
        Ok(made) => {
            assert_eq!(made.expires, Some(1_798_106_400));
            Ok(made.token.expose().into())
        }
        Err(Failure::Refused(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_proof_is_signed_by_the_key_and_short_lived() {
    let now = 1_790_000_000;
    let proof = proof("Iv1.0000", &Secret::new(KEY.into()), now).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
    let claims = decode::<Value>(proof.expose(), &key, &validation).unwrap().claims;
    assert_eq!(claims, json!({ "iat": now - 60, "exp": now + 540, "iss": "Iv1.0000" }));
}

#[test]
fn what_is_no_rsa_key_is_refused_without_being_repeated() {
    let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let broken = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (key, part) in [
        ("ghp_fake", "no key in PEM form"),
        ("", "no key in PEM form"),
        (&ec, "no RSA key"),
        (broken, "cannot be read"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "a passphrase"),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nAAAA\n", "a passphrase"),
        (&KEY.replace('\n', "\\n"), "real line breaks"),
    ] {
        let text = ask(&Fake::new(), key, "https://github.com/octo-org", None).unwrap_err();
        assert!(text.contains(part) && !text.contains("ghp_fake") && !text.contains("AAAA"), "{text}");
    }
}

#[test]
fn the_token_is_narrowed_to_what_is_needed() {
    let repository = narrowed(&Scope::Repository("o".into(), "r".into()), Purpose::Runners).unwrap();
    assert_eq!(repository, json!({ "repositories": ["r"], "permissions": { "administration": "write" } }));
    let organization = narrowed(&Scope::Organization("o".into()), Purpose::Runners).unwrap();
    assert_eq!(organization, json!({ "permissions": { "organization_self_hosted_runners": "write" } }));
    let workflows = narrowed(&Scope::Repository("o".into(), "r".into()), Purpose::Workflows).unwrap();
    assert_eq!(workflows, json!({ "repositories": ["r"], "permissions": { "actions": "read" } }));
    assert_eq!(narrowed(&Scope::Enterprise("e".into()), Purpose::Runners), None);
    let text = ask(&Fake::new(), KEY, "https://github.com/enterprises/e", None).unwrap_err();
    assert!(text.contains("lets no App"), "{text}");
}

#[test]
fn the_installation_is_looked_up_or_the_configured_one() {
    for (url, installation, path) in [
        ("https://github.com/octo-org", None, "/orgs/octo-org/installation"),
        ("https://github.com/octo-org/example", None, "/repos/octo-org/example/installation"),
        ("https://github.com/octo-org/example", Some(7), "/app/installations/7"),
    ] {
        let fake = Fake::new().answers(200, &[], FOUND).answers(201, &[], MADE);
        assert_eq!(ask(&fake, KEY, url, installation).unwrap(), "ghs_fake");
        assert_eq!(fake.asked(), [format!("GET {path}"), "POST /app/installations/7/access_tokens".into()]);
        assert!(fake.credentials().iter().all(|credential| credential.split('.').count() == 3), "the key is not sent");
    }
}

#[test]
fn every_refused_step_says_what_is_wrong_and_the_way_out() {
    let other = FOUND.replace("Octo-Org", "other");
    let suspended = FOUND.replace("null", "\"2026-01-01T00:00:00Z\"");
    let message = |text: &str| format!(r#"{{"message":"{text}"}}"#);
    let repository = "https://github.com/octo-org/example";
    // The local clock of the tests says 2026-09-21 14:13:20.
    let (same, other_time) = ("Mon, 21 Sep 2026 14:13:20 GMT", "Mon, 21 Sep 2026 14:33:20 GMT");
    for (answers, installation, part) in [
        (vec![(401, same, message("A JSON web token could not be decoded"))], None, "key was deleted there"),
        (
            vec![(401, other_time, message("'Expiration time' claim"))],
            None,
            "the one of GitHub 2026-09-21 14:33:20 UTC",
        ),
        (vec![(404, same, message("Integration not found"))], None, "knows no App \"Iv1.0000\""),
        (vec![(404, same, message("Not Found"))], None, "not installed in the account \"octo-org\" with access"),
        (vec![(404, same, message("Not Found"))], Some(8), "has no installation 8"),
        (vec![(200, same, other)], None, "belongs to the account \"other\", not to \"octo-org\""),
        (vec![(200, same, suspended)], None, "is suspended"),
        (
            vec![(200, same, FOUND.into()), (403, same, message("This installation has been suspended"))],
            None,
            "is suspended",
        ),
        (
            vec![(200, same, FOUND.into()), (422, same, message("The permissions requested are not granted"))],
            None,
            "lacks the permission \"Administration: Read and write\"",
        ),
        (
            vec![(200, same, FOUND.into()), (422, same, message("There is at least one repository that"))],
            None,
            "does not reach this repository",
        ),
    ] {
        let fake = answers
            .iter()
            .fold(Fake::new(), |fake, (status, date, body)| fake.answers(*status, &[("date", date)], body));
        let text = ask(&fake, KEY, repository, installation).unwrap_err();
        assert!(text.contains(part) && text.ends_with('.'), "{text}");
    }
}
