//! What makes a registration what it is. A change of any of these values needs a new registration.
//!
//! The rules follow what the listener does with each value: it drops what it does not understand and
//! registers all the same (actions/runner `CommandLineParser.cs:75`, `CommandSettings.cs:376`), so a value
//! that it would drop is refused here.

use std::fmt;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{RegistrationUrl, shown, system_directory_in};

/// How much of a list is shown; its texts are JSON, so they hold no control characters of ASCII.
const LONGEST_VALUE: usize = 1000;

/// The compared part of a manifest; its field names are those of nixpkgs' module.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Registration {
    /// Whether the registration ends with its first job.
    pub ephemeral: bool,
    /// Labels in addition to the default ones.
    pub extra_labels: Vec<Label>,
    /// The runner's name; `None` leaves it to the listener, which takes the host name.
    pub name: Option<RunnerName>,
    /// Whether the labels `self-hosted`, operating system and architecture are left out.
    pub no_default_labels: bool,
    /// The runner group; `None` means the default group.
    pub runner_group: Option<RunnerGroup>,
    /// Where the token is. The path is compared, as nixpkgs does; the content is compared by digest. `None` if a
    /// GitHub App registers the runner.
    pub token_file: Option<TokenPath>,
    /// Where the runner registers.
    pub url: RegistrationUrl,
    /// The configured work directory; `None` means the runtime directory of the unit.
    pub work_dir: Option<WorkDir>,
}

impl Registration {
    /// A registration at this address of which nothing else is configured.
    #[must_use]
    pub fn new(url: RegistrationUrl) -> Self {
        Self {
            ephemeral: false,
            extra_labels: vec![],
            name: None,
            no_default_labels: false,
            runner_group: None,
            token_file: None,
            url,
            work_dir: None,
        }
    }

    /// Reads what [`Registration::to_object`] wrote.
    ///
    /// # Errors
    ///
    /// Names the field that is unknown, missing or wrong.
    pub fn from_object(object: Map<String, Value>) -> Result<Self, String> {
        serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
    }

    /// Checks what concerns more than one field.
    ///
    /// # Errors
    ///
    /// One sentence that names the fields and the way out.
    pub fn check(&self) -> Result<(), String> {
        if self.no_default_labels && self.extra_labels.is_empty() {
            return Err("`noDefaultLabels` is set but `extraLabels` is empty: give at least one label".into());
        }
        Ok(())
    }

    /// The name under which the server knows the runner on a host of this name, as the listener chooses it
    /// (actions/runner `CommandSettings.cs:229`).
    #[must_use]
    pub fn name_on<'a>(&'a self, host: &'a str) -> &'a str {
        self.name.as_ref().map_or(host, RunnerName::as_str)
    }

    /// The fields as a JSON object, for comparison and for the ledger.
    ///
    /// # Errors
    ///
    /// Only if JSON cannot express a value, such as a path that is not UTF-8.
    pub fn to_object(&self) -> Result<Map<String, Value>, String> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err("registration is no JSON object".into()),
            Err(error) => Err(format!("registration cannot be written as JSON: {error}")),
        }
    }
}

/// How the content of the token file is to be understood.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    /// By its prefix.
    Auto,
    /// As an access token.
    Access,
    /// As a registration token.
    Registration,
}

/// A field whose value is no longer what it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The field's name in the manifest.
    pub field: String,
    /// What it was; `null` if it was absent.
    pub old: Value,
    /// What it is; `null` if it is absent.
    pub new: Value,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Value| match value {
            Value::String(text) => shown(text),
            other => other.to_string().chars().take(LONGEST_VALUE).collect(),
        };
        write!(f, "{} changed: {} → {}", self.field, value(&self.old), value(&self.new))
    }
}

/// Every field that differs between two registrations, in alphabetical order.
///
/// An absent field counts as its default (`null`, `false`, `[]`), so that a configuration that was written
/// before a field existed compares equal.
#[must_use]
pub fn changes(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Change> {
    let mut fields: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
    fields.sort_unstable();
    fields
        .into_iter()
        .filter_map(|field| {
            let value = |side: &Map<String, Value>| side.get(field).cloned().unwrap_or(Value::Null);
            let (old, new) = (value(old), value(new));
            let same = old == new || (is_default(&old) && is_default(&new));
            (!same).then(|| Change { field: field.clone(), old, new })
        })
        .collect()
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Makes a newtype around a text that was checked by `$check`.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

checked_text!(
    /// The name of a runner: 1 to 64 characters that the listener does not take for an option.
    RunnerName,
    |text| option_value("name", text, 64)
);
checked_text!(
    /// One label: no comma, because the listener splits at commas; at most 256 characters, because one
    /// longer label makes it drop all of them (`Validators.cs`).
    Label,
    |text| {
        option_value("label", text, 256)?;
        if text.contains(',') {
            return Err(format!("label `{text}` contains a comma, where the listener would split it: write two labels"));
        }
        Ok(())
    }
);
checked_text!(
    /// The name of a runner group.
    RunnerGroup,
    |text| option_value("runnerGroup", text, 256)
);
checked_text!(
    /// The name of a configured runner: it names the unit, the directories and the ledger file.
    InstanceName,
    |text| {
        let good = !text.is_empty()
            && text.len() <= 128
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'-'));
        if good {
            return Ok(());
        }
        Err(format!(
            "instance `{}` cannot name a unit: use 1 to 128 letters, digits and `:_.-`, not starting with a dot",
            text.escape_debug()
        ))
    }
);
checked_text!(
    /// The path of a file that holds a secret: absolute, and not in the store, which everybody can read.
    TokenPath,
    |text| {
        absolute("secret file", text)?;
        if Path::new(text).starts_with("/nix/store") {
            return Err(format!("secret file `{text}` lies in the store, which everybody can read: keep it outside, for example in /run/secrets"));
        }
        Ok(())
    }
);
checked_text!(
    /// A configured work directory: absolute, and not one that the system needs. It may start with a
    /// specifier of systemd, such as `%S`, which stands for an absolute path that only systemd knows.
    WorkDir,
    |text| {
        if !text.starts_with('%') {
            absolute("workDir", text)?;
        }
        match system_directory_in(Path::new(text)) {
            Some(system) => Err(format!("workDir `{text}` is or contains {system}, and the work directory is emptied at every start: choose a directory of its own")),
            None => Ok(()),
        }
    }
);

fn option_value(what: &str, text: &str, max: usize) -> Result<(), String> {
    let fault = |fault: &str| Err(format!("{what} `{}` {fault}", text.escape_debug()));
    if text.trim().is_empty() {
        return fault("is blank: give it a value or leave it out");
    }
    if text.starts_with('-') {
        return fault("starts with `-`, so the listener would take it for an option and drop it: choose another one");
    }
    if text.chars().count() > max {
        return fault(&format!("is longer than {max} characters: shorten it"));
    }
    if text.chars().any(char::is_control) {
        return fault("contains a control character: remove it");
    }
    Ok(())
}

fn absolute(what: &str, text: &str) -> Result<(), String> {
    let path = Path::new(text);
    let fault = |fault: &str| Err(format!("{what} `{}` {fault}", text.escape_debug()));
    if !path.is_absolute() {
        return fault("is not an absolute path: write it from the root directory on");
    }
    if text.contains('\0') || path.components().any(|part| part == Component::ParentDir) {
        return fault("contains `..` or a null character: write the path out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_changed_field_is_named_with_both_values() {
        let old = object(&json!({ "extraLabels": ["a"], "name": "one", "url": "u" }));
        let new = object(&json!({ "extraLabels": ["a", "b"], "name": null, "url": "u" }));
        let texts: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(texts, [r#"extraLabels changed: ["a"] → ["a","b"]"#, r#"name changed: "one" → null"#]);
    }

    #[test]
    fn an_absent_field_counts_as_its_default() {
        let old = object(&json!({ "name": "one" }));
        let new = object(&json!({ "name": "one", "ephemeral": false, "workDir": null, "extraLabels": [] }));
        assert_eq!(changes(&old, &new), []);
        assert_eq!(changes(&new, &old), []);
    }

    #[test]
    fn values_that_the_listener_would_drop_are_refused() {
        let long = "x".repeat(65);
        for (text, part) in [
            ("-x", "starts with `-`"),
            ("", "is blank"),
            ("  ", "is blank"),
            ("a\nb", "control"),
            (&long, "longer than 64"),
        ] {
            let error = RunnerName::try_from(text.to_string()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let long = "x".repeat(257);
        for (text, part) in [("-x", "starts with `-`"), ("", "is blank"), ("a,b", "comma"), (&long, "longer than 256")]
        {
            let error = Label::try_from(text.to_string()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(RunnerName::try_from("ü".repeat(64)).is_ok(), "the limit counts characters");
        assert!(Label::try_from("x".repeat(256)).is_ok());
    }

    #[test]
    fn a_work_directory_that_the_system_needs_is_refused() {
        for text in ["/", "/var", "/var/lib/", "/nix", "/home", "//etc", "/run/."] {
            assert!(WorkDir::try_from(text.to_string()).unwrap_err().contains("is emptied"), "{text}");
        }
        for text in ["/var/lib/gh-work", "/scratch", "/home/ci/work", "%C/work"] {
            assert!(WorkDir::try_from(text.to_string()).is_ok(), "{text}");
        }
        assert!(WorkDir::try_from("work".to_string()).unwrap_err().contains("absolute"));
        assert!(WorkDir::try_from("/srv/../etc/x".to_string()).unwrap_err().contains(".."));
    }

    #[test]
    fn a_token_in_the_store_is_refused() {
        assert!(TokenPath::try_from("/nix/store/x-token".to_string()).unwrap_err().contains("everybody can read"));
    }
}
