//! Signature Version 4, from its description: the one of the stand-in, which shares nothing with that of a client.

use sha2::{Digest as _, Sha256};

use super::shared::sha256;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whoever signs, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    pub access_key: &'a str,
    pub secret_key: &'a str,
    /// Of a temporary credential.
    pub session_token: Option<&'a str>,
    pub region: &'a str,
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers of a `POST /` with these: they, lower-case, and those that the signature adds. `date` is as `20260102T030405Z`.
    pub fn headers(&self, given: &[(&str, &str)], body: &[u8], date: &str) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> =
            given.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
        headers.push(("x-amz-date".into(), date.into()));
        headers.extend(self.session_token.map(|token| ("x-amz-security-token".to_owned(), token.to_owned())));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let scope = format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service);
        let signature = self.signature(&headers, body, date);
        let value = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            names.join(";")
        );
        headers.push(("authorization".into(), value));
        headers
    }

    /// The signature over exactly these headers, which are sorted.
    pub fn signature(&self, headers: &[(String, String)], body: &[u8], date: &str) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{}\n", trimmed(value))).collect();
        let canonical = format!("POST\n/\n\n{}\n{}\n{}", lines.concat(), names.join(";"), sha256(body));
        let day = date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256(canonical));
        let start = format!("AWS4{}", self.secret_key).into_bytes();
        let key = [day, self.region, self.service, "aws4_request"]
            .iter()
            .fold(start, |key, part| hmac(&key, part.as_bytes()).to_vec());
        hmac(&key, text.as_bytes()).map(|byte| format!("{byte:02x}")).concat()
    }
}

/// HMAC with SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// A value with single spaces.
fn trimmed(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Seconds since the epoch, as `20260102T030405Z`.
pub fn stamp(moment: u64) -> String {
    super::shared::Utc::from_unix(moment).iso().replace(['-', ':'], "")
}

/// The other way round. Method: Howard Hinnant, `days_from_civil`.
pub fn moment(stamp: &str) -> Option<u64> {
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if stamp.len() != 16 || !stamp.ends_with('Z') || year < 1970 || !(1..13).contains(&month) {
        return None;
    }
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let days = year / 400 * 146_097 + year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
    Some(days.checked_sub(719_468)? * 86_400 + hour * 3_600 + minute * 60 + second)
}
