//! What servers answer, as Incus 6.0 and LXD 5.0 write it. Pure.
//!
//! An answer is a stranger's text: of it only what is needed is read, and nothing of it decides where the next request goes
//! without having been looked at.

use serde::Deserialize;

/// The frame of each answer. The status of HTTP says nothing: Incus has 200 above failures.
#[derive(Debug, Deserialize)]
struct Frame<T> {
    #[serde(rename = "type")]
    kind: Type,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_code: Option<u16>,
    #[serde(default = "Option::default")]
    metadata: Option<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Sync,
    Async,
    Error,
}

/// One answer.
#[derive(Debug, Eq, PartialEq)]
pub enum Answer<T> {
    /// What was asked for; nothing where there is nothing to tell.
    Done(Option<T>),
    /// An operation does it from now on.
    Begun(OperationId),
    /// A refusal.
    Refused(Refusal),
}

/// What a server says about what it does not do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// As in HTTP.
    pub code: u16,
    /// In the server's words, which are shown after [`told`] only.
    pub text: String,
}

/// The name of an operation. It goes into addresses, so it was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperationId(String);

impl OperationId {
    /// From an address such as `/1.0/operations/UUID?project=P`, or the UUID alone.
    fn parse(text: &str) -> Option<Self> {
        let path = text.split('?').next()?;
        let id = path.rsplit('/').next()?;
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(id.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Answer<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let frame = Frame::<T>::deserialize(deserializer)?;
        match frame.kind {
            Type::Sync => Ok(Self::Done(frame.metadata)),
            Type::Async => frame
                .operation
                .and_then(|path| OperationId::parse(&path))
                .map(Self::Begun)
                .ok_or_else(|| serde::de::Error::custom("no operation")),
            Type::Error => Ok(Self::Refused(Refusal {
                code: frame.error_code.unwrap_or_default(),
                text: frame.error.unwrap_or_default(),
            })),
        }
    }
}

/// An operation, as far as it got.
#[derive(Debug, Deserialize)]
pub struct Operation {
    id: String,
    status_code: u16,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    err: Option<String>,
    #[serde(default)]
    resources: Option<Resources>,
}

#[derive(Debug, Deserialize)]
struct Resources {
    #[serde(default)]
    instances: Option<Vec<String>>,
    /// Containers, as older servers name them.
    #[serde(default)]
    containers: Option<Vec<String>>,
}

/// How far an operation is.
#[derive(Debug, Eq, PartialEq)]
pub enum Course {
    /// It goes on.
    Running,
    /// It did what it was for.
    Done,
    /// It did not, in the server's words.
    Failed(String),
}

impl Operation {
    /// How far it is.
    pub fn course(self) -> Course {
        match self.status_code {
            200 => Course::Done,
            ..200 => Course::Running,
            _ => Course::Failed(self.err.filter(|text| !text.is_empty()).unwrap_or_else(|| "it was cancelled".into())),
        }
    }

    /// Its name, if it goes on and does something to this instance.
    pub fn if_on(self, instance: &str) -> Option<OperationId> {
        let resources = self.resources.as_ref()?;
        let mut paths = resources.instances.iter().chain(&resources.containers).flatten();
        let named = |path: &String| path.split('?').next().and_then(|path| path.rsplit('/').next()) == Some(instance);
        // Somebody's shell or console is no work, and stays for as long as they like.
        let is_work = self.status_code < 200 && self.class.as_deref() != Some("websocket");
        (is_work && paths.any(named)).then(|| OperationId::parse(&self.id)).flatten()
    }
}

/// All operations, by how far they are: `running`, `pending` and others.
pub type Operations = std::collections::BTreeMap<String, Vec<Operation>>;

/// What a server is.
#[derive(Debug, Deserialize)]
pub struct About {
    /// Names of what it can do beyond its first version.
    #[serde(default)]
    pub api_extensions: Vec<String>,
}

/// A server's words for people: on one line, without what a terminal would obey, and cut.
pub fn told(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut rest = text.trim().chars();
    let cut: String = rest.by_ref().take(LONGEST).collect();
    let more = if rest.next().is_some() { "…" } else { "" };
    format!("{}{more}", crate::model::plain(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<Answer<Value>, serde_json::Error> {
        serde_json::from_str(&value.to_string())
    }

    #[test]
    fn the_body_says_what_an_answer_is() {
        let done = json!({"type": "sync", "status": "Success", "status_code": 200, "operation": "", "error_code": 0, "error": "", "metadata": [1]});
        assert_eq!(read(&done).unwrap(), Answer::Done(Some(json!([1]))));
        assert_eq!(read(&json!({"type": "sync", "metadata": null})).unwrap(), Answer::Done(None));
        let begun =
            json!({"type": "async", "status_code": 100, "operation": "/1.0/operations/6f-1?project=p", "metadata": {}});
        assert_eq!(read(&begun).unwrap(), Answer::Begun(OperationId("6f-1".into())));
        let refused = json!({"error": "Not Found", "error_code": 404, "type": "error"});
        assert_eq!(read(&refused).unwrap(), Answer::Refused(Refusal { code: 404, text: "Not Found".into() }));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for value in [
            json!({}),
            json!([]),
            json!("sync"),
            json!({"type": "other"}),
            json!({"type": "async"}),
            json!({"type": "async", "operation": ""}),
            json!({"type": "async", "operation": "/1.0/operations/"}),
            json!({"type": "async", "operation": "/1.0/operations/a b"}),
            json!({"type": "async", "operation": "/1.0/operations/.."}),
            json!({"type": "async", "operation": format!("/1.0/operations/{}", "a".repeat(65))}),
            json!({"type": "error", "error_code": -1}),
            json!({"type": "error", "error_code": "404"}),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn an_operation_is_judged_by_its_code() {
        let operation = |code: u16, err: &str| -> Operation {
            serde_json::from_value(json!({"id": "a", "status_code": code, "err": err})).unwrap()
        };
        assert_eq!(operation(103, "").course(), Course::Running);
        assert_eq!(operation(105, "").course(), Course::Running);
        assert_eq!(operation(200, "").course(), Course::Done);
        assert_eq!(operation(400, "no").course(), Course::Failed("no".into()));
        assert_eq!(operation(401, "").course(), Course::Failed("it was cancelled".into()));
    }

    #[test]
    fn an_operation_is_found_by_the_instance_that_it_is_about() {
        let on = |resources: Value, code: u16| {
            let operation = json!({"id": "a", "status_code": code, "resources": resources});
            serde_json::from_value::<Operation>(operation).unwrap().if_on("r-1").is_some()
        };
        assert!(on(json!({"instances": ["/1.0/instances/r-1?project=p"]}), 103));
        assert!(on(json!({"containers": ["/1.0/containers/r-1"], "instances": null}), 103));
        assert!(!on(json!({"instances": ["/1.0/instances/r-1"]}), 200));
        assert!(!on(json!({"instances": ["/1.0/instances/r-11"], "profiles": ["r-1"]}), 103));
        assert!(!on(json!(null), 103));
    }

    #[test]
    fn a_console_that_somebody_has_open_is_no_work_on_its_instance() {
        let is_work = |class: &str| {
            let resources = json!({"instances": ["/1.0/instances/r-1"]});
            let operation = json!({"id": "a", "class": class, "status_code": 103, "resources": resources});
            serde_json::from_value::<Operation>(operation).unwrap().if_on("r-1").is_some()
        };
        assert!(is_work("task") && !is_work("websocket"));
    }

    #[test]
    fn words_of_a_server_stay_on_one_short_line() {
        assert_eq!(told(" a\nb\u{1b}[31m \"c\" "), r#"a\nb\u{1b}[31m "c""#);
        assert_eq!(told(&"x".repeat(1 << 20)).chars().count(), 301);
    }
}
