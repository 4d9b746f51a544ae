//! What GARM reads on standard output: instances as JSON. Pure.
//!
//! The state that GARM keeps allows two results of a creation, `running` and `error`; of any other it forgets that the instance
//! exists. `provider_id` is the name, by which GARM asks from then on.

use serde_json::{Value, json};

use super::tools;
use crate::machines::incus::{Instance, Status};

/// An instance as GARM reads it.
#[must_use]
pub fn instance(instance: &Instance) -> Value {
    let mut answer = json!({
        "provider_id": instance.name,
        "name": instance.name,
        "status": match instance.status {
            Status::Running => "running",
            Status::Stopped => "stopped",
            Status::Error => "error",
            Status::Unknown => "unknown",
        },
    });
    let os_type = instance.os_name.as_deref().map(|name| if name.contains("windows") { "windows" } else { "linux" });
    for (key, value) in [
        ("os_type", os_type),
        ("os_name", instance.os_name.as_deref()),
        ("os_version", instance.os_version.as_deref()),
        ("os_arch", tools::of_garm(&instance.architecture)),
    ] {
        if let Some(value) = value {
            answer[key] = value.into();
        }
    }
    if !instance.addresses.is_empty() {
        let address = |address: &String| json!({"address": address, "type": "public"});
        answer["addresses"] = instance.addresses.iter().map(address).collect();
    }
    answer
}

/// An instance that was just made. It runs: otherwise its creation would have failed.
#[must_use]
pub fn made(made: &Instance, os_type: &str) -> Value {
    let mut answer = instance(made);
    answer["status"] = "running".into();
    answer["os_type"] = os_type.into();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(status: Status) -> Instance {
        Instance {
            name: "garm-1".into(),
            status,
            os_name: Some("debian".into()),
            os_version: Some("trixie".into()),
            architecture: "x86_64".into(),
            addresses: vec!["10.0.0.2".into(), "fd00::2".into()],
            controller: None,
            pool: None,
        }
    }

    #[test]
    fn an_instance_has_the_keys_that_garm_reads() {
        let expected = json!({
            "provider_id": "garm-1", "name": "garm-1", "status": "running", "os_type": "linux", "os_name": "debian",
            "os_version": "trixie", "os_arch": "amd64",
            "addresses": [{"address": "10.0.0.2", "type": "public"}, {"address": "fd00::2", "type": "public"}],
        });
        assert_eq!(instance(&example(Status::Running)), expected);
        for (status, word) in [(Status::Stopped, "stopped"), (Status::Error, "error"), (Status::Unknown, "unknown")] {
            assert_eq!(instance(&example(status))["status"], word);
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let unknown = Instance {
            os_name: None,
            os_version: None,
            architecture: "riscv64".into(),
            addresses: vec![],
            ..example(Status::Stopped)
        };
        let expected = json!({"provider_id": "garm-1", "name": "garm-1", "status": "stopped"});
        assert_eq!(instance(&unknown), expected);
    }

    #[test]
    fn a_new_instance_is_never_anything_but_running() {
        for status in [Status::Running, Status::Stopped, Status::Error, Status::Unknown] {
            let answer = made(&example(status), "windows");
            assert_eq!((answer["status"].as_str(), answer["os_type"].as_str()), (Some("running"), Some("windows")));
        }
    }
}
