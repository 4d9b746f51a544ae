//! Who asks: the signature of a request, checked part by part, so that a refusal names what is wrong.

use super::http::Request;
use super::refusal::{Refusal, Result};
use super::sign::{Signer, moment};
use super::state::State;

/// How far a client's clock may be off, in seconds.
const TOLERANCE: u64 = 15 * 60;

/// What the header says.
struct Authorization<'a> {
    key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::new(401, "AuthFailure", message)
}

fn read(value: &str) -> Option<Authorization<'_>> {
    let fields = value.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let scope: Vec<&str> = field("Credential")?.split('/').collect();
    let [key, day, region, service, "aws4_request"] = scope[..] else { return None };
    let signed = field("SignedHeaders")?.split(';').collect();
    Some(Authorization { key, day, region, service, signed, signature: field("Signature")? })
}

/// Whether a request to `service` is signed by somebody who is known.
pub fn check(state: &State, request: &Request, service: &str) -> Result<()> {
    let header = request.header("authorization").ok_or_else(|| refused("The request has no single Authorization"))?;
    let said = read(header).ok_or_else(|| refused("The Authorization header is malformed"))?;
    if said.region != state.region {
        return Err(refused(format!("Credential should be scoped to a valid region, not '{}'", said.region)));
    }
    if said.service != service {
        return Err(refused(format!("Credential should be scoped to the service '{service}', not '{}'", said.service)));
    }
    let date = request.header("x-amz-date").ok_or_else(|| refused("The request has no single x-amz-date"))?;
    let moment = moment(date).ok_or_else(|| refused("x-amz-date is malformed"))?;
    if said.day != &date[..8] {
        return Err(refused("The day of the credential is not that of x-amz-date"));
    }
    let key = state.key(said.key).ok_or_else(|| {
        Refusal::new(401, "InvalidClientTokenId", "The security token included in the request is invalid.")
    })?;
    let headers = signed_headers(request, &said.signed)?;
    let (access_key, secret_key) = (key.access_key.as_str(), key.secret_key.as_str());
    let signer = Signer { access_key, secret_key, session_token: None, region: &state.region, service };
    if signer.signature(&headers, &request.body, date) != said.signature {
        return Err(Refusal::new(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    if key.session_token.as_deref() != request.header("x-amz-security-token") {
        return Err(Refusal::new(401, "InvalidClientTokenId", "The session token is not that of the access key."));
    }
    if state.now().abs_diff(moment) > TOLERANCE {
        return Err(Refusal::bad("RequestExpired", "Request has expired."));
    }
    Ok(())
}

/// The headers that are signed, with their values. Some have to be among them.
fn signed_headers(request: &Request, names: &[&str]) -> Result<Vec<(String, String)>> {
    let has_token = request.header("x-amz-security-token").is_some();
    let needed = ["host", "x-amz-date"].into_iter().chain(has_token.then_some("x-amz-security-token"));
    for name in needed {
        if !names.contains(&name) {
            return Err(refused(format!("'{name}' must be a signed header")));
        }
    }
    if !names.is_sorted() {
        return Err(refused("SignedHeaders is not sorted"));
    }
    let value = |name: &str| {
        let value = request.header(name).ok_or_else(|| refused(format!("'{name}' is signed, and not there once")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    names.iter().map(|name| value(name)).collect()
}
