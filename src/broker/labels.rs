//! The labels of a runner that the server makes, as the listener would choose them. Pure.

use crate::model::{Label, Registration};

/// All labels, each once: GitHub compares them without regard to case.
pub fn labels(registration: &Registration, architecture: &str) -> Vec<String> {
    let architecture = match architecture {
        "x86_64" => Some("X64"),
        "x86" => Some("X86"),
        "aarch64" => Some("ARM64"),
        "arm" => Some("ARM"),
        _ => None,
    };
    let default = ["self-hosted", "Linux"].into_iter().chain(architecture).filter(|_| !registration.no_default_labels);
    let extra = registration.extra_labels.iter().map(Label::as_str);
    default.chain(extra).fold(Vec::new(), |mut labels: Vec<String>, label| {
        if !labels.iter().any(|known| known.to_lowercase() == label.to_lowercase()) {
            labels.push(label.into());
        }
        labels
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn registration(field: &str, value: Value) -> Registration {
        let mut manifest: Value = serde_json::from_str(include_str!("../../tests/fixtures/manifest-v2.json")).unwrap();
        manifest["registration"]["extraLabels"] = json!(["nix", "LINUX", "Nix"]);
        manifest["registration"][field] = value;
        serde_json::from_value(manifest["registration"].clone()).unwrap()
    }

    #[test]
    fn labels_are_those_of_the_listener_each_once() {
        let default = registration("noDefaultLabels", json!(false));
        assert_eq!(labels(&default, "x86_64"), ["self-hosted", "Linux", "X64", "nix"]);
        assert_eq!(labels(&default, "aarch64")[2], "ARM64");
        assert_eq!(labels(&default, "riscv64"), ["self-hosted", "Linux", "nix"]);
        assert_eq!(labels(&registration("noDefaultLabels", json!(true)), "x86_64"), ["nix", "LINUX"]);
    }
}
