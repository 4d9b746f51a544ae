//! The proof by an ID token: a job of the run has one of GitHub's, made for this service. Pure.
//!
//! Only RS256 by a key of the issuer counts; what a token's own header says about keys does not. `sub` is not read: it can be
//! customised, and its form has changed (docs/contracts/github-workflows.md, 2). A token that is sent again gains nothing,
//! because the label has to name its run and an order is made once.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Verdict, Wanted};
use crate::contract::workflow::SigningKey;
use crate::frontend::ondemand::label::run;
use crate::frontend::ondemand::refusal::Refusal;

/// A token of GitHub's has a fourth of it, in bytes.
const LONGEST: usize = 8 * 1024;
/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 30;
/// Runs of this event belong to the repository, but strangers begin them by pull requests from forks.
const STRANGERS_EVENT: &str = "pull_request_target";

/// What a token has to be made for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who signs.
    pub issuer: &'a str,
    /// The address of this service.
    pub audience: &'a str,
}

/// What is used of a token. Ids are numbers written as texts.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: u64,
    nbf: u64,
    repository_id: String,
    repository_owner_id: String,
    run_id: String,
    event_name: String,
}

/// The id of the key that signed the token, as it says itself: only to choose a key by.
///
/// # Errors
///
/// It is no token of the kind that is taken.
pub fn key_id(token: &str) -> Result<String, Refusal> {
    if token.len() > LONGEST {
        return Err(refused("is longer than one of GitHub's is"));
    }
    let header = decode_header(token).map_err(|_| refused("is no JSON web token"))?;
    if header.alg != Algorithm::RS256 {
        return Err(refused("is not signed with RS256"));
    }
    header.kid.ok_or_else(|| refused("does not name its key"))
}

/// Judges a token by `keys` of the issuer; `now` in seconds since 1970.
#[must_use]
pub fn judge(wanted: &Wanted, token: &str, keys: &[SigningKey], expected: &Expected, now: u64) -> Verdict {
    match proves(wanted, token, keys, expected, now) {
        Ok(fork) => Verdict::Proven { fork },
        Err(refusal) => Verdict::Refused(refusal),
    }
}

fn proves(wanted: &Wanted, token: &str, keys: &[SigningKey], expected: &Expected, now: u64) -> Result<bool, Refusal> {
    let claims = verified(token, keys)?;
    if claims.iss != expected.issuer {
        return Err(refused("is of another issuer"));
    }
    if claims.aud != expected.audience {
        return Err(Refusal::Token(format!(
            "The ID token is made for another service: ask GitHub for one with the audience {}.",
            expected.audience
        )));
    }
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(refused("has expired"));
    }
    if claims.nbf > now.saturating_add(LEEWAY) {
        return Err(refused("is not valid yet, so the clock of this service may be wrong"));
    }
    let ours = wanted.repository;
    if number(&claims.repository_id) != Some(ours.id) || number(&claims.repository_owner_id) != Some(ours.owner) {
        return Err(Refusal::Repository(ours.name.as_str().into()));
    }
    if run(&claims.run_id) != Some(wanted.run) || !names_run(wanted.key.label.as_str(), &claims.run_id) {
        return Err(Refusal::Run);
    }
    wanted.admit(claims.event_name == STRANGERS_EVENT)
}

/// The claims, if a key of the issuer signed them.
fn verified(token: &str, keys: &[SigningKey]) -> Result<Claims, Refusal> {
    let kid = key_id(token)?;
    let key = keys
        .iter()
        .find(|key| key.kid == kid)
        .ok_or_else(|| refused("is signed with a key that GitHub does not have"))?;
    let key =
        DecodingKey::from_rsa_components(&key.n, &key.e).map_err(|_| refused("is signed with an unusable key"))?;
    let mut signature = Validation::new(Algorithm::RS256);
    // Everything else is judged by what is known here: the library would read the clock, and takes a claim that is missing.
    signature.required_spec_claims.clear();
    (signature.validate_exp, signature.validate_aud) = (false, false);
    decode::<Claims>(token, &key, &signature)
        .map(|token| token.claims)
        .map_err(|_| refused("has a wrong signature, or lacks something that GitHub's have"))
}

/// Whether a part of the label between two `-` is the run.
fn names_run(label: &str, run: &str) -> bool {
    label.split('-').skip(1).any(|part| part == run)
}

/// An id in the one way that GitHub writes it.
fn number(text: &str) -> Option<u64> {
    run(text)
}

fn refused(what: &str) -> Refusal {
    Refusal::Token(format!("The ID token {what}: get a new one from GitHub in the job that asks."))
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;
