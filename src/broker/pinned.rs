//! The version of a listener that is registered for one job. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::contract::protocol::Secret;

/// The listener's own file, and its setting.
const FILE: &str = ".runner";
const SETTING: &str = "DisableUpdate";

/// Has the listener keep its version, whatever the server made of the files: what runs is pinned, by the store or by whoever made an
/// image, and a listener that would update itself ends instead, and its machine with it. It tells the server so at each poll
/// (docs/contracts/actions-runner.md, `--disableupdate`). Settings that cannot be read stay as they are: whoever writes them refuses
/// them.
#[must_use]
pub fn keep_version(mut files: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let Some(text) = files.get(FILE) else { return files };
    let text = text.expose().trim_start_matches('\u{feff}');
    let Ok(mut settings) = serde_json::from_str::<Map<String, Value>>(text) else { return files };
    settings.retain(|name, _| !name.eq_ignore_ascii_case(SETTING));
    // As the server writes such values.
    settings.insert(SETTING.into(), "True".into());
    files.insert(FILE.into(), Secret::new(Value::Object(settings).to_string()));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(settings: &str) -> String {
        let files = [(FILE, settings), (".credentials", "{}")];
        let files = files.map(|(name, text)| (name.to_owned(), Secret::new(text.into())));
        let kept = keep_version(files.into());
        assert_eq!(kept[".credentials"].expose(), "{}");
        kept[FILE].expose().to_owned()
    }

    #[test]
    fn a_listener_keeps_its_version_whatever_the_server_says() {
        let good = r#"{"AgentId":"7","Ephemeral":"True"}"#;
        for (given, rest) in [
            (good.to_owned(), ""),
            (good.replace('{', r#"{"disableUpdate":false,"#), ""),
            (format!("\u{feff}{}", good.replace('{', r#"{"Odd":[1],"#)), r#","Odd":[1]"#),
        ] {
            assert_eq!(kept(&given), format!(r#"{{"AgentId":"7","DisableUpdate":"True","Ephemeral":"True"{rest}}}"#));
        }
        for bad in ["", "[]", "no JSON"] {
            assert_eq!(kept(bad), bad);
        }
    }
}
