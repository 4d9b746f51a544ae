//! Answers as values, in GitHub's shape, so that routing stays free of HTTP machinery.

use serde_json::{Value, json};

/// What to send back. An empty body is sent as no body at all.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// Headers besides those that every answer has.
    pub headers: Vec<(String, String)>,
    /// The JSON body, if any.
    pub body: Option<Value>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// 204, as after a deletion.
    pub fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }

    /// An error in the shape that GitHub gives all of them.
    pub fn error(status: u16, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self::json(status, body)
    }

    /// 401: the credential is wrong, expired or revoked.
    pub fn bad_credentials() -> Self {
        Self::error(401, "Bad credentials")
    }

    /// 401: no credential at all.
    pub fn requires_authentication() -> Self {
        Self::error(401, "Requires authentication")
    }

    /// 403: the account that the App is installed in has suspended it.
    pub fn suspended() -> Self {
        Self::error(403, "This installation has been suspended")
    }

    /// 404: missing, or no access; GitHub does not tell which.
    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 409: the name of a runner is taken.
    pub fn name_taken(name: &str) -> Self {
        Self::error(409, &format!("Already exists - A runner with the name {name} already exists."))
    }

    /// 422 with the given text.
    pub fn unprocessable(message: &str) -> Self {
        Self::error(422, message)
    }

    /// The answer with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
