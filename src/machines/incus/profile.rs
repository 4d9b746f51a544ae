//! Profiles, and the devices of theirs that an instance gets in another form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::image::listed;
use super::server::Server;
use super::specification::{Limits, Specification};
use crate::machines::Fault;

type Devices = BTreeMap<String, Map<String, Value>>;

/// One profile, as far as it is needed.
#[derive(Debug, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    #[serde(default)]
    devices: Option<Devices>,
}

/// All profiles of the project.
pub fn all(server: &Server) -> Result<Vec<Profile>, Fault> {
    let path = server.path_with(&["profiles"], &[("recursion", "1")]);
    server.list(&path).map_err(|failure| server.fault("list the profiles", failure))
}

/// The names of these profiles, each once: servers refuse a repeated one.
pub fn names(specification: &Specification) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in &specification.profiles {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// The devices of an instance itself, which take the place of the profiles' devices of the same names.
///
/// # Errors
///
/// A profile is missing, or has no root disk whose size could be another one.
pub fn devices(all: &[Profile], specification: &Specification, project: &str) -> Result<Devices, Fault> {
    let mut merged = Devices::new();
    for name in names(specification) {
        let Some(profile) = all.iter().find(|profile| profile.name == name) else {
            let known: Vec<String> = all.iter().map(|profile| profile.name.clone()).collect();
            return Err(Fault::NotFound(format!(
                "The server has no profile {} in project {}; its profiles: {}. The settings name another one, or the flavor of a pool of GARM",
                crate::model::shown(name),
                crate::model::shown(project),
                listed(&known)
            )));
        };
        // The last profile counts.
        merged.extend(profile.devices.clone().unwrap_or_default());
    }
    let is =
        |device: &Map<String, Value>, key: &str, value: &str| device.get(key).and_then(Value::as_str) == Some(value);
    let mut own = Devices::new();
    if let Limits { disk: Some(size), .. } = &specification.limits {
        let root = merged.iter().find(|(_, device)| is(device, "type", "disk") && is(device, "path", "/"));
        let Some((name, device)) = root else {
            return Err(Fault::Configuration(format!(
                "A size of the root disk was asked for ({}), and none of the profiles {} has a disk at `/`",
                super::wire::told(size),
                names(specification).join(", ")
            )));
        };
        let mut device = device.clone();
        device.insert("size".into(), size.as_str().into());
        own.insert(name.clone(), device);
    }
    if let Some(network) = &specification.network {
        let card = merged.iter().find(|(_, device)| is(device, "type", "nic"));
        let name = card.map_or("eth0", |(name, _)| name);
        own.insert(name.to_owned(), card_of(network, card.map(|(_, device)| device)));
    }
    Ok(own)
}

/// A card in this network. Rules, filters and limits of the profiles' card hold in every network; the bridge that it names does not.
fn card_of(network: &str, card: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut device = card.cloned().unwrap_or_default();
    for other in ["nictype", "parent"] {
        device.remove(other);
    }
    device.insert("type".into(), "nic".into());
    device.insert("network".into(), network.into());
    device.entry("name").or_insert_with(|| "eth0".into());
    device
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::machines::incus::stand_tests::specification;

    fn profiles() -> Vec<Profile> {
        serde_json::from_value(json!([
            {"name": "default", "devices": {
                "root": {"type": "disk", "path": "/", "pool": "default"},
                "data": {"type": "disk", "path": "/data", "pool": "default", "source": "v"},
                "net": {"type": "nic", "network": "incusbr0", "name": "enp1s0"},
            }},
            {"name": "small", "devices": null},
            {"name": "fast", "devices": {"root": {"type": "disk", "path": "/", "pool": "nvme"}}},
        ]))
        .unwrap()
    }

    fn specified(names: &[&str], disk: Option<&str>, network: Option<&str>) -> Specification {
        let mut specification = specification("r-1");
        specification.profiles = names.iter().map(ToString::to_string).collect();
        specification.limits.disk = disk.map(String::from);
        specification.network = network.map(String::from);
        specification
    }

    #[test]
    fn devices_of_profiles_are_left_alone_unless_somebody_asks() {
        let plain = specified(&["default", "small"], None, None);
        assert!(devices(&profiles(), &plain, "p").unwrap().is_empty());
    }

    #[test]
    fn another_size_keeps_what_else_the_root_disk_of_the_last_profile_has() {
        let sized = specified(&["default", "fast"], Some("20GiB"), None);
        let own = devices(&profiles(), &sized, "p").unwrap();
        assert_eq!(json!(own), json!({"root": {"type": "disk", "path": "/", "pool": "nvme", "size": "20GiB"}}));
        let without = devices(&profiles(), &specified(&["small"], Some("20GiB"), None), "p").unwrap_err();
        assert!(without.to_string().contains("none of the profiles small has a disk at `/`"), "{without}");
    }

    #[test]
    fn another_network_takes_the_place_of_the_profiles() {
        let networked = specified(&["default"], None, Some("garm"));
        let own = devices(&profiles(), &networked, "p").unwrap();
        assert_eq!(json!(own), json!({"net": {"type": "nic", "network": "garm", "name": "enp1s0"}}));
        let own = devices(&profiles(), &specified(&["small"], None, Some("garm")), "p").unwrap();
        assert_eq!(json!(own), json!({"eth0": {"type": "nic", "network": "garm", "name": "eth0"}}));
    }

    #[test]
    fn another_network_keeps_the_rules_the_filters_and_the_limits_of_the_card() {
        let kept = json!({
            "type": "nic", "name": "enp1s0", "security.acls": "guests", "security.mac_filtering": "true",
            "security.port_isolation": "true", "limits.ingress": "100Mbit", "mtu": "1400",
        });
        for way in [json!({"network": "incusbr0"}), json!({"nictype": "bridged", "parent": "br0"})] {
            let mut card = kept.clone();
            card.as_object_mut().unwrap().extend(way.as_object().unwrap().clone());
            let profiles: Vec<Profile> =
                serde_json::from_value(json!([{"name": "default", "devices": {"net": card}}])).unwrap();
            let mut expected = kept.clone();
            expected["network"] = "garm".into();
            let own = devices(&profiles, &specified(&["default"], None, Some("garm")), "p").unwrap();
            assert_eq!(json!(own), json!({"net": expected}));
        }
    }

    #[test]
    fn an_unknown_profile_is_told_with_those_that_there_are() {
        let fault = devices(&profiles(), &specified(&["default", "larg\u{1b}e"], None, None), "p").unwrap_err();
        let Fault::NotFound(told) = fault else { panic!("{fault:?}") };
        assert!(
            told.contains(r#"no profile "larg\u{1b}e" in project "p"; its profiles: default, small, fast"#),
            "{told}"
        );
    }

    #[test]
    fn a_repeated_profile_counts_once() {
        assert_eq!(names(&specified(&["default", "small", "default"], None, None)), ["default", "small"]);
    }
}
