//! The secrets and certificates of a declaration, as values: what GARM is sent, and what is remembered of it. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::contract::protocol::Secret;
use crate::model::{SALT_BYTES, TokenDigest};

/// Everything that stands in files.
#[derive(Debug, Default)]
pub struct Material {
    /// By the name of the credentials.
    pub credentials: BTreeMap<String, Result<Proof, String>>,
    /// Secrets of webhooks, by the name of the repository or organization.
    pub webhooks: BTreeMap<String, Result<Proof, String>>,
    /// PEM as base64, by the name of the endpoint.
    pub certificates: BTreeMap<String, Result<String, String>>,
}

/// A secret in the form in which GARM takes it.
#[derive(Debug)]
pub struct Proof {
    text: Secret,
    how: How,
}

#[derive(Debug)]
enum How {
    Token,
    App { app_id: u64, installation_id: u64 },
    Webhook,
}

impl Proof {
    /// A personal access token.
    #[must_use]
    pub fn token(text: Secret) -> Self {
        Self { text, how: How::Token }
    }

    /// The key of an app, as PEM, for one of its installations.
    #[must_use]
    pub fn app(app_id: u64, installation_id: u64, text: Secret) -> Self {
        Self { text, how: How::App { app_id, installation_id } }
    }

    /// The secret of a webhook.
    #[must_use]
    pub fn webhook(text: Secret) -> Self {
        Self { text, how: How::Webhook }
    }

    /// What a digest is made of: everything that has to be sent anew when it changes.
    fn digested(&self) -> String {
        match self.how {
            How::Token => format!("token\n{}", self.text.expose()),
            How::App { app_id, installation_id } => format!("app\n{app_id}\n{installation_id}\n{}", self.text.expose()),
            How::Webhook => format!("webhook\n{}", self.text.expose()),
        }
    }

    /// Whether GARM was given this one last.
    #[must_use]
    pub fn is(&self, remembered: Option<&TokenDigest>) -> bool {
        remembered.is_some_and(|digest| digest.is_of(&self.digested()))
    }

    /// What is remembered of it.
    #[must_use]
    pub fn digest(&self, salt: [u8; SALT_BYTES]) -> TokenDigest {
        TokenDigest::of(&self.digested(), salt)
    }

    /// Puts it into what GARM is sent.
    pub fn put_into(&self, body: &mut Map<String, Value>) {
        let text = self.text.expose();
        let (field, value) = match self.how {
            How::Token => ("pat", json!({"oauth2_token": text})),
            How::App { app_id, installation_id } => {
                let key = BASE64_STANDARD.encode(text);
                ("app", json!({"app_id": app_id, "installation_id": installation_id, "private_key_bytes": key}))
            }
            How::Webhook => ("webhook_secret", json!(text)),
        };
        body.insert(field.into(), value);
    }
}
