//! The extra specs of a pool: what GARM hands on of `garm-cli pool add --extra-specs`. Pure.
//!
//! The six keys of the Go providers, and keys of our own. A key that nobody knows is an error, so that no misspelt one is
//! silently without effect. Scripts can hold secrets: no error repeats a value.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::object::{Object, base64};
use crate::machines::incus::{Kind, Limits};
use crate::model::shown;

/// What a pool wants beyond GARM's own settings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExtraSpecs {
    /// Packages to install.
    pub extra_packages: Vec<String>,
    /// Leave the image's packages as they are.
    pub disable_updates: bool,
    /// Show each command of the install script on the console.
    pub enable_boot_debug: bool,
    /// A template in the place of the install script. GARM 0.2 and later puts one here.
    pub runner_install_template: Option<String>,
    /// Scripts that run before it, by name, in the order of their names.
    pub pre_install_scripts: Vec<(String, Vec<u8>)>,
    /// Values for the template.
    pub extra_context: Vec<(String, String)>,
    /// What an instance may take.
    pub limits: Limits,
    /// Container or virtual machine, in place of the settings'.
    pub kind: Option<Kind>,
    /// Profiles after the flavor's.
    pub profiles: Vec<String>,
    /// A network in place of that of the profiles.
    pub network: Option<String>,
    /// A member of the cluster, or `@` and a group.
    pub target: Option<String>,
}

/// Each key, and its form as a JSON Schema.
fn properties() -> [(&'static str, Value); 13] {
    let text = |description: &str| json!({"type": "string", "description": description});
    let encoded = json!({"type": "string", "contentEncoding": "base64"});
    [
        ("cpu", json!({"type": ["string", "integer"], "description": "Processors: a number, or a list such as 0-3"})),
        ("disable_updates", json!({"type": "boolean", "description": "Do not upgrade packages at the first boot"})),
        ("disk", text("Size of the root disk, such as 20GiB")),
        (
            "enable_boot_debug",
            json!({"type": "boolean", "description": "Show the install script on the console, tokens included"}),
        ),
        (
            "extra_context",
            json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "Values for the template"}),
        ),
        ("extra_packages", json!({"type": "array", "items": {"type": "string"}, "description": "Packages to install"})),
        ("instance_type", json!({"type": "string", "enum": ["container", "virtual-machine"]})),
        ("memory", text("Memory, such as 4GiB")),
        ("network", text("A network in place of that of the profiles")),
        (
            "pre_install_scripts",
            json!({"type": "object", "additionalProperties": encoded, "description": "Scripts to run before, as base64"}),
        ),
        (
            "profiles",
            json!({"type": "array", "items": {"type": "string"}, "description": "Profiles after the flavor's"}),
        ),
        (
            "runner_install_template",
            json!({"type": "string", "contentEncoding": "base64", "description": "A template in the place of the install script, as base64"}),
        ),
        ("target", text("A member of the cluster, or @ and a group of members")),
    ]
}

/// All of it as a JSON Schema.
#[must_use]
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": properties().into_iter().map(|(name, form)| (name.to_owned(), form)).collect::<serde_json::Map<_, _>>(),
    })
}

impl ExtraSpecs {
    /// Reads them; null are none.
    ///
    /// # Errors
    ///
    /// The key that is unknown, has another type, or whose value cannot work, and the way out.
    pub fn parse(value: &Value) -> Result<Self> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let object = Object::new("extra_specs of the pool", value)?;
        let known = properties().map(|(name, _)| name);
        if let Some(unknown) = object.keys().find(|key| !known.contains(key)) {
            bail!("extra_specs of the pool has no key {}: there are {}", shown(unknown), known.join(", "));
        }
        let template = object.text("runner_install_template")?;
        let template = (!template.is_empty()).then(|| decoded_template(&template)).transpose()?;
        let scripts = object.texts_by_name("pre_install_scripts")?.into_iter().map(script);
        let kind = match object.text("instance_type")?.as_str() {
            "" => None,
            "container" => Some(Kind::Container),
            "virtual-machine" => Some(Kind::VirtualMachine),
            _ => bail!("`instance_type` in extra_specs has to be `container` or `virtual-machine`"),
        };
        let named = |key: &str| Ok::<_, anyhow::Error>(Some(object.text(key)?).filter(|text| !text.is_empty()));
        Ok(Self {
            extra_packages: object.texts("extra_packages")?,
            disable_updates: object.flag("disable_updates")?,
            enable_boot_debug: object.flag("enable_boot_debug")?,
            runner_install_template: template,
            pre_install_scripts: scripts.collect::<Result<_>>()?,
            extra_context: object.texts_by_name("extra_context")?,
            limits: Limits {
                cpu: processors(object.value("cpu"))?,
                memory: size("memory", named("memory")?)?,
                disk: size("disk", named("disk")?)?,
            },
            kind,
            profiles: object.texts("profiles")?,
            network: named("network")?,
            target: named("target")?,
        })
    }
}

fn decoded_template(text: &str) -> Result<String> {
    let template = base64(text, "`runner_install_template` in extra_specs")?;
    String::from_utf8(template).ok().context("`runner_install_template` in extra_specs is no UTF-8 text")
}

/// A script with a name that the shell of the guest takes for one word and that stays in its directory.
fn script((name, text): (String, String)) -> Result<(String, Vec<u8>)> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@/".contains(&b));
    let stays = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !letters || !stays {
        bail!(
            "`pre_install_scripts` in extra_specs has the name {}: use letters, digits, `.`, `_` and `-`",
            shown(&name)
        );
    }
    let content = base64(&text, &format!("`pre_install_scripts.{name}` in extra_specs"))?;
    Ok((name, content))
}

/// A number of processors, or a set of them.
fn processors(value: Option<&Value>) -> Result<Option<String>> {
    const FORM: &str = "`cpu` in extra_specs has to be a number such as 4, or a list such as 0-3,8";
    let text = match value {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_u64().context(FORM)?.to_string(),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(_) => bail!(FORM),
    };
    let number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    let range = |part: &str| part.split_once('-').map_or_else(|| number(part), |(a, b)| number(a) && number(b));
    if text == "0" || !text.split(',').all(range) {
        bail!(FORM);
    }
    Ok(Some(text))
}

/// A number of bytes with one of the units that both servers know.
fn size(key: &str, text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = &text[digits..];
    let units = ["", "B", "kB", "KB", "MB", "GB", "TB", "PB", "EB", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let is_share = unit == "%" && key == "memory";
    if !(1..=18).contains(&digits)
        || text.bytes().take(digits).all(|b| b == b'0')
        || !(units.contains(&unit) || is_share)
    {
        bail!("`{key}` in extra_specs has to be a number with a unit, such as 4GiB");
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_keys_of_the_go_providers_mean_what_they_meant() {
        let specs = ExtraSpecs::parse(&json!({
            "disable_updates": true, "enable_boot_debug": true, "extra_packages": ["jq"],
            "extra_context": {"Foo": "bar"}, "pre_install_scripts": {"02-b": "Yg==", "01-a": "YQ=="},
            "runner_install_template": "IyEvYmluL2Jhc2gK",
        }));
        let specs = specs.unwrap();
        assert!(specs.disable_updates && specs.enable_boot_debug);
        assert_eq!(specs.extra_packages, ["jq"]);
        assert_eq!(specs.extra_context, [("Foo".into(), "bar".into())]);
        assert_eq!(specs.pre_install_scripts, [("01-a".into(), b"a".into()), ("02-b".into(), b"b".into())]);
        assert_eq!(specs.runner_install_template.unwrap(), "#!/bin/bash\n");
    }

    #[test]
    fn keys_of_our_own_are_read() {
        let specs = ExtraSpecs::parse(&json!({
            "cpu": 4, "memory": "4GiB", "disk": "20GiB", "instance_type": "container", "profiles": ["gpu"],
            "network": "runners", "target": "@fast",
        }));
        let limits = Limits { cpu: Some("4".into()), memory: Some("4GiB".into()), disk: Some("20GiB".into()) };
        let expected = ExtraSpecs {
            limits,
            kind: Some(Kind::Container),
            profiles: vec!["gpu".into()],
            network: Some("runners".into()),
            target: Some("@fast".into()),
            ..ExtraSpecs::default()
        };
        assert_eq!(specs.unwrap(), expected);
        for none in [Value::Null, json!({}), json!({"cpu": null, "memory": "", "instance_type": ""})] {
            assert_eq!(ExtraSpecs::parse(&none).unwrap(), ExtraSpecs::default());
        }
    }

    #[test]
    fn what_cannot_work_names_its_key_and_no_value() {
        for (value, said) in [
            (json!([]), "extra_specs of the pool is no JSON object"),
            (json!({"extra_package": []}), "no key \"extra_package\": there are cpu, disable_updates"),
            (json!({"extra_packages": "fake"}), "`extra_packages`"),
            (json!({"disable_updates": "fake"}), "`disable_updates`"),
            (
                json!({"runner_install_template": "#!/bin/bash\necho fake"}),
                "looks like raw text. Encode it with `base64",
            ),
            (json!({"runner_install_template": "/w=="}), "no UTF-8"),
            (
                json!({"pre_install_scripts": {"a": "echo fake"}}),
                "`pre_install_scripts.a` in extra_specs is not base64",
            ),
            (json!({"pre_install_scripts": {"../a": "YQ=="}}), "the name \"../a\""),
            (json!({"pre_install_scripts": {"a b": "YQ=="}}), "the name \"a b\""),
            (json!({"pre_install_scripts": {"a;b": "YQ=="}}), "the name"),
            (json!({"pre_install_scripts": {"": "YQ=="}}), "the name \"\""),
            (json!({"extra_context": {"a": 1}}), "`extra_context`"),
            (json!({"cpu": -1}), "`cpu`"),
            (json!({"cpu": 0}), "`cpu`"),
            (json!({"cpu": "fake"}), "`cpu`"),
            (json!({"cpu": [1]}), "`cpu`"),
            (json!({"memory": "fake"}), "`memory`"),
            (json!({"memory": "0GiB"}), "`memory`"),
            (json!({"memory": "4 GiB"}), "`memory`"),
            (json!({"disk": "50%"}), "`disk`"),
            (json!({"instance_type": "fake"}), "`container` or `virtual-machine`"),
            (json!({"profiles": "fake"}), "`profiles`"),
        ] {
            let error = format!("{:#}", ExtraSpecs::parse(&value).unwrap_err());
            assert!(error.contains(said) && !error.contains("fake"), "{value}: {error}");
        }
    }

    #[test]
    fn every_form_of_a_limit_that_the_servers_know_is_taken() {
        for (key, text) in
            [("cpu", "0-3,8"), ("cpu", "2"), ("memory", "50%"), ("memory", "512MB"), ("disk", "10737418240")]
        {
            ExtraSpecs::parse(&json!({key: text})).unwrap();
        }
    }

    #[test]
    fn the_schema_has_each_key_that_is_read() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"].as_object().unwrap().len(), properties().len());
    }

    proptest! {
        #[test]
        fn no_value_is_a_danger(key in prop::sample::select(properties().map(|(name, _)| name).to_vec()), text in ".{0,20}") {
            _ = ExtraSpecs::parse(&json!({key: text}));
            _ = ExtraSpecs::parse(&json!({key: {text.clone(): text}}));
        }
    }
}
