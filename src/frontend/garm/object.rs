//! Values out of a JSON object, by key and type. Pure.
//!
//! Errors name the key and the type that is expected, and never a value: those of GARM hold tokens. That is why the objects
//! are not read by derived code, whose errors repeat what they found.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// An object, and how sentences call it.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    what: &'a str,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Takes `value` for one.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn new(what: &'a str, value: &'a Value) -> Result<Self> {
        let map = value.as_object().with_context(|| format!("{what} is no JSON object"))?;
        Ok(Self { what, map })
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// A value that is there and not null.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(&self, key: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        read(value).with_context(|| format!("`{key}` in {} has to be {kind}", self.what)).map(Some)
    }

    /// A text; empty if it is not there.
    ///
    /// # Errors
    ///
    /// As all that follow: if it is of another type.
    pub fn text(&self, key: &str) -> Result<String> {
        Ok(self.typed(key, "a text", Value::as_str)?.unwrap_or_default().to_owned())
    }

    /// A text that has to be there.
    pub fn needed(&self, key: &str) -> Result<String> {
        let text = self.text(key)?;
        if text.is_empty() {
            bail!("{} has no `{key}`", self.what);
        }
        Ok(text)
    }

    /// Yes or no; no if it is not there.
    pub fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.typed(key, "true or false", Value::as_bool)?.unwrap_or(false))
    }

    /// A list; empty if it is not there.
    pub fn list(&self, key: &str) -> Result<&'a [Value]> {
        let list = self.typed(key, "a list", Value::as_array)?;
        Ok(list.map_or(&[], Vec::as_slice))
    }

    /// A list of texts; empty if it is not there.
    pub fn texts(&self, key: &str) -> Result<Vec<String>> {
        let all = |value: &'a Value| value.as_array()?.iter().map(|entry| entry.as_str().map(String::from)).collect();
        Ok(self.typed(key, "a list of texts", all)?.unwrap_or_default())
    }

    /// Texts by name; none if they are not there.
    pub fn texts_by_name(&self, key: &str) -> Result<Vec<(String, String)>> {
        let all = |value: &'a Value| {
            let pairs = value.as_object()?.iter();
            pairs.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        Ok(self.typed(key, "an object of texts", all)?.unwrap_or_default())
    }

    /// An object within this one.
    pub fn object(&self, key: &'a str) -> Result<Option<Object<'a>>> {
        Ok(self.typed(key, "an object", Value::as_object)?.map(|map| Object { what: key, map }))
    }
}

/// The bytes that `text` stands for.
///
/// # Errors
///
/// If it is no base64. The text says so without a word of it, and says if it looks as if nobody had encoded it.
pub fn base64(text: &str, what: &str) -> Result<Vec<u8>> {
    // Programs that encode often break lines.
    let joined: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    STANDARD.decode(joined).ok().with_context(|| {
        let is_raw = text.trim().contains([' ', '#', '$', '{', ';']);
        let guess = if is_raw { "looks like raw text" } else { "is cut off or has other letters" };
        format!("{what} is not base64: it {guess}. Encode it with `base64 --wrap=0 FILE`")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_or_null_is_empty() {
        for value in [json!({}), json!({"a": null})] {
            let object = Object::new("it", &value).unwrap();
            assert_eq!(object.text("a").unwrap(), "");
            assert!(!object.flag("a").unwrap());
            assert!(object.list("a").unwrap().is_empty());
            assert!(object.texts("a").unwrap().is_empty());
            assert!(object.texts_by_name("a").unwrap().is_empty());
            assert!(object.object("a").unwrap().is_none());
            assert_eq!(object.needed("a").unwrap_err().to_string(), "it has no `a`");
        }
    }

    #[test]
    fn another_type_is_an_error_that_names_the_key_and_no_value() {
        let value = json!({"a": {"x": ["fake-secret"]}, "b": "fake-secret", "c": ["fake-secret", 1]});
        let object = Object::new("it", &value).unwrap();
        for error in [
            object.text("a").unwrap_err(),
            object.text("c").unwrap_err(),
            object.flag("b").unwrap_err(),
            object.list("b").unwrap_err(),
            object.texts("c").unwrap_err(),
            object.texts_by_name("a").unwrap_err(),
            object.object("b").map(drop).unwrap_err(),
            Object::new("`x`", &json!("fake-secret")).map(drop).unwrap_err(),
        ] {
            let error = format!("{error:#}");
            assert!(error.contains('`') && !error.contains("fake"), "{error}");
        }
    }

    #[test]
    fn raw_text_in_the_place_of_base64_is_told_as_such() {
        assert_eq!(base64("ZWNo\nbyBo\r\naQ==\n", "x").unwrap(), b"echo hi");
        let raw = base64("#!/bin/bash\necho fake-secret\n", "`a`").unwrap_err().to_string();
        assert_eq!(raw, "`a` is not base64: it looks like raw text. Encode it with `base64 --wrap=0 FILE`");
        let cut = base64("ZWNobyBoaQ=", "`a`").unwrap_err().to_string();
        assert!(cut.contains("cut off"), "{cut}");
    }
}
