//! Signatures of AWS, version 4, for requests with a body (AWS, "Create a signed AWS API request"). Pure.

use ring::hmac::{HMAC_SHA256, Key, sign as hmac};
use sha2::{Digest as _, Sha256};

use super::credential::Credential;
use crate::model::hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Such as `eu-central-1`.
    pub region: &'a str,
    /// Such as `ec2`.
    pub service: &'a str,
}

/// The headers of a request, but for `host`, with the signature of the body and of all of them. `headers` are names in lower case and
/// values; `moment` is as in `20261129T101112Z`.
#[must_use]
pub fn signed(
    credential: &Credential,
    scope: Scope<'_>,
    host: &str,
    headers: &[(&'static str, &str)],
    moment: &str,
    body: &str,
) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> =
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.extend([("host", host.to_owned()), ("x-amz-date", moment.to_owned())]);
    all.extend(credential.session.iter().map(|token| ("x-amz-security-token", token.expose().to_owned())));
    all.sort();
    let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines = all.iter().map(|(name, value)| format!("{name}:{}", value.trim())).collect::<Vec<_>>().join("\n");
    let request = format!("POST\n/\n\n{lines}\n\n{names}\n{}", hex(&Sha256::digest(body)));
    let day = moment.get(..8).unwrap_or_default();
    let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!("{ALGORITHM}\n{moment}\n{place}\n{}", hex(&Sha256::digest(request)));
    let first = format!("AWS4{}", credential.secret.expose());
    let mut key = Key::new(HMAC_SHA256, first.as_bytes());
    for part in [day, scope.region, scope.service, "aws4_request"] {
        key = Key::new(HMAC_SHA256, hmac(&key, part.as_bytes()).as_ref());
    }
    let signature = hex(hmac(&key, text.as_bytes()).as_ref());
    let access = &credential.access;
    all.retain(|(name, _)| *name != "host");
    all.push((
        "authorization",
        format!("{ALGORITHM} Credential={access}/{place}, SignedHeaders={names}, Signature={signature}"),
    ));
    all
}

/// The moment of so many seconds since 1970, as signatures have it.
#[must_use]
pub fn moment(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    let date = crate::model::date(seconds).replace('-', "");
    format!("{date}T{:02}{:02}{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::protocol::Secret;

    fn example(session: Option<&str>) -> Credential {
        Credential {
            access: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            session: session.map(|token| Secret::new(token.into())),
        }
    }

    fn authorization(
        session: Option<&str>,
        scope: Scope<'_>,
        host: &str,
        headers: &[(&'static str, &str)],
        moment: &str,
        body: &str,
    ) -> String {
        let headers = signed(&example(session), scope, host, headers, moment, body);
        assert!(headers.iter().all(|(name, _)| *name != "host"), "the client says it");
        headers.into_iter().find(|(name, _)| *name == "authorization").unwrap().1
    }

    /// The cases `post-vanilla`, `post-x-www-form-urlencoded`, its `-parameters` and `post-sts-header-before` of AWS's suite for signers.
    #[test]
    fn the_published_cases_have_the_published_signatures() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let with_charset = ("content-type", "application/x-www-form-urlencoded; charset=utf8");
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (headers, session, body, signature) in [
            (&[][..], None, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (&[form], None, "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
            (
                &[with_charset],
                None,
                "Param1=value1",
                "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
            ),
            (&[], Some(token), "", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
        ] {
            let scope = Scope { region: "us-east-1", service: "service" };
            let told = authorization(session, scope, "example.amazonaws.com", headers, "20150830T123600Z", body);
            assert!(told.ends_with(&format!("Signature={signature}")), "{body} {headers:?}: {told}");
        }
    }

    /// What botocore 1.44.8 signs.
    #[test]
    fn a_request_of_today_is_signed_as_the_sdk_does() {
        let told = authorization(
            Some("tok"),
            Scope { region: "us-east-1", service: "ec2" },
            "ec2.us-east-1.amazonaws.com",
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            "20261129T101112Z",
            "Action=DescribeInstances&Version=2016-11-15",
        );
        assert_eq!(
            told,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261129/us-east-1/ec2/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=14d8e0343d158ee8b3bdc9f924f5c8e73059568b8bac2d08cae0e27fe62faca0"
        );
    }

    #[test]
    fn moments_have_no_signs_between_their_parts() {
        assert_eq!(moment(1_795_947_072), "20261129T101112Z");
        assert_eq!(moment(0), "19700101T000000Z");
    }
}
