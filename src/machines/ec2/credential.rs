//! What AWS is asked with, as it stands in a file or as the metadata service tells it. Pure.

use serde::Deserialize;

use crate::contract::protocol::Secret;

/// A pair of keys, and the token of a session if it is one.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name of the key.
    pub access: String,
    /// The key.
    pub secret: Secret,
    /// The session.
    pub session: Option<Secret>,
}

impl Credential {
    /// Reads the profile `default` of a file of shared credentials.
    ///
    /// # Errors
    ///
    /// The end of a sentence about the file.
    pub fn of_file(text: &str) -> Result<Self, String> {
        let mut is_ours = false;
        let (mut access, mut secret, mut session) = (None, None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                is_ours = name.trim() == "default";
                continue;
            }
            let (name, value) =
                line.split_once('=').ok_or("has a line that is neither `[profile]` nor `name = value`")?;
            let slot = match name.trim() {
                "aws_access_key_id" => &mut access,
                "aws_secret_access_key" => &mut secret,
                "aws_session_token" => &mut session,
                _ => continue,
            };
            if is_ours {
                *slot = Some(checked(value)?);
            }
        }
        match (access, secret) {
            (Some(access), Some(secret)) => {
                Ok(Self { access, secret: Secret::new(secret), session: session.map(Secret::new) })
            }
            _ => Err("has no `[default]` with `aws_access_key_id` and `aws_secret_access_key`".into()),
        }
    }

    /// Reads what the metadata service says of a role.
    ///
    /// # Errors
    ///
    /// The end of a sentence about the answer.
    pub fn of_role(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Role {
            code: String,
            access_key_id: String,
            secret_access_key: Secret,
            token: Secret,
        }
        // The text of the error could repeat a value.
        let role: Role = serde_json::from_slice(text).map_err(|_| "is no credential")?;
        if role.code != "Success" {
            return Err("is no credential".into());
        }
        let session = Secret::new(checked(role.token.expose())?);
        let secret = Secret::new(checked(role.secret_access_key.expose())?);
        Ok(Self { access: checked(&role.access_key_id)?, secret, session: Some(session) })
    }
}

/// A value that can stand in a header.
fn checked(value: &str) -> Result<String, String> {
    let value = value.trim();
    let is_good = !value.is_empty() && value.len() <= 4096 && value.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(value.into()) } else { Err("has a key that is empty or holds characters that no key has".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_the_command_line_of_aws_reads_it() {
        let text = "# of the account for runners\n[other]\naws_access_key_id = AKIDOTHER\n\n[default]\nregion=x\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key = fake/key+=\n; end\n[last]\naws_session_token = no\n";
        let read = Credential::of_file(text).unwrap();
        assert_eq!(
            (read.access.as_str(), read.secret.expose(), read.session.is_none()),
            ("AKIDEXAMPLE", "fake/key+=", true)
        );
        let with_session = text.replace("region=x", "aws_session_token = tok");
        assert_eq!(Credential::of_file(&with_session).unwrap().session.unwrap().expose(), "tok");
        assert!(!format!("{read:?}").contains("fake/key"));
    }

    #[test]
    fn what_is_no_credential_is_told_without_a_word_of_it() {
        for (text, part) in [
            ("", "no `[default]`"),
            ("[default]\naws_access_key_id = A\n", "no `[default]`"),
            ("[default]\naws_access_key_id = \naws_secret_access_key = b\n", "empty"),
            ("[default]\naws_access_key_id = A\naws_secret_access_key = hid den\n", "characters"),
            ("AKIDEXAMPLE\nhidden\n", "a line that is neither"),
        ] {
            let told = Credential::of_file(text).unwrap_err();
            assert!(told.contains(part) && !told.contains("hid"), "{told}");
        }
        for text in ["", "{}", r#"{"Code":"Failed","AccessKeyId":"a","SecretAccessKey":"hidden","Token":"t"}"#] {
            let told = Credential::of_role(text.as_bytes()).unwrap_err();
            assert!(!told.contains("hidden"), "{told}");
        }
        let role =
            r#"{"Code":"Success","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"fake","Token":"tok","Expiration":"x"}"#;
        assert_eq!(Credential::of_role(role.as_bytes()).unwrap().session.unwrap().expose(), "tok");
    }
}
