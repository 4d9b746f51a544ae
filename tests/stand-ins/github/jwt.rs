//! Checking the JWT that an App proves itself with.
//!
//! The signature is really verified with the App's public key; times are compared with
//! this GitHub's clock, so that a test can set it apart from the client's.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;

use super::{answer::Answer, app::App, auth::Credential, state::State};

/// How far ahead the end of a JWT may lie, in seconds.
const FARTHEST: u64 = 600;

/// Whether `secret` looks like a JWT.
pub fn looks_like(secret: &str) -> bool {
    secret.starts_with("ey") && secret.split('.').count() == 3
}

/// The App that the credential proves.
///
/// # Errors
///
/// The refusal.
pub fn app<'a>(state: &'a State, credential: &Credential) -> Result<&'a App, Answer> {
    let undecodable = || Answer::error(401, "A JSON web token could not be decoded");
    let secret = match credential {
        Credential::None => return Err(Answer::requires_authentication()),
        Credential::Api(secret) => secret,
        Credential::Remote(_) => return Err(undecodable()),
    };
    let claims = unverified(secret).ok_or_else(undecodable)?;
    let issuer = match &claims["iss"] {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let is_issuer = |app: &&App| app.client_id == issuer || app.id.to_string() == issuer;
    let app = state.apps.iter().find(is_issuer).ok_or_else(|| Answer::error(404, "Integration not found"))?;
    let key = DecodingKey::from_rsa_pem(app.public_key.as_bytes())
        .map_err(|error| Answer::error(500, &format!("The public key of App {} is no PEM: {error}", app.id)))?;
    decode::<Value>(secret, &key, &signature_only()).map_err(|_| undecodable())?;
    check_times(&claims, state.now()).map_err(|text| Answer::error(401, text))?;
    Ok(app)
}

fn unverified(secret: &str) -> Option<Value> {
    if !looks_like(secret) {
        return None;
    }
    let mut validation = signature_only();
    validation.insecure_disable_signature_validation();
    decode::<Value>(secret, &DecodingKey::from_secret(&[]), &validation).ok().map(|data| data.claims)
}

/// RS256 and nothing else; the times are checked here, with GitHub's texts.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn check_times(claims: &Value, now: u64) -> Result<(), &'static str> {
    match claims["iat"].as_u64() {
        Some(issued) if issued <= now => {}
        _ => {
            return Err(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            );
        }
    }
    match claims["exp"].as_u64() {
        Some(expires) if expires > now + FARTHEST => Err("'Expiration time' claim ('exp') is too far in the future"),
        Some(expires) if expires > now => Ok(()),
        _ => Err(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ),
    }
}
