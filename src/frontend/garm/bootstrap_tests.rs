use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// As real GARM writes it, with fake secrets.
pub fn whole() -> Value {
    json!({
        "name": "rs-jz94szof2dpb",
        "tools": [{
            "os": "linux", "architecture": "x64", "download_url": "https://garm.example/runner.tar.gz",
            "filename": "actions-runner-linux-x64-2.330.0.tar.gz", "temp_download_token": "fake-download-token",
            "sha256_checksum": "00",
        }],
        "repo_url": "https://github.com/octo-org/example",
        "callback-url": "https://garm.example/api/v1/callbacks", "metadata-url": "https://garm.example/api/v1/metadata",
        "instance-token": "fake-instance-token", "ssh-keys": null,
        "extra_specs": {"disable_updates": true}, "github-runner-group": "", "ca-cert-bundle": "",
        "arch": "amd64", "os_type": "linux", "flavor": "garm-small", "image": "trixie", "labels": null,
        "pool_id": "ee8cd594-68d9-4ed1-a7cc-a752b52af76f",
        "user_data_options": {"disable_updates_on_boot": false, "extra_packages": null, "enable_boot_debug": false},
        "jit_config_enabled": true, "proxy_config": {"http_proxy": "", "https_proxy": "", "no_proxy": ""},
    })
}

fn parsed(value: &Value) -> Result<Bootstrap> {
    Bootstrap::parse(value.to_string().as_bytes())
}

#[test]
fn what_garm_writes_is_read() {
    let bootstrap = parsed(&whole()).unwrap();
    assert_eq!(bootstrap.name, "rs-jz94szof2dpb");
    assert_eq!(bootstrap.tools[0].architecture, "x64");
    assert_eq!(bootstrap.instance_token.expose(), "fake-instance-token");
    assert_eq!(bootstrap.extra_specs, json!({"disable_updates": true}));
    assert!(bootstrap.jit && bootstrap.labels.is_empty() && bootstrap.ca_bundle.is_empty());
}

#[test]
fn an_older_garm_leaves_keys_out() {
    let least = parsed(&json!({"name": "garm-1", "image": "trixie"})).unwrap();
    assert!(least.tools.is_empty() && !least.jit);
    assert_eq!((least.proxy, least.options, least.extra_specs), (Proxy::default(), Options::default(), Value::Null));
}

#[test]
fn what_cannot_work_is_named_without_its_value() {
    for (pointer, value, said) in [
        ("/name", json!(""), "has no `name`"),
        ("/name", json!("-x"), "No instance can be called \"-x\""),
        ("/name", json!("../../1.0"), "change the runner's prefix"),
        ("/name", json!("a".repeat(64)), "1 to 63"),
        ("/image", json!(null), "has no `image`"),
        ("/tools", json!({"a": "fake"}), "`tools` in the instance of standard input has to be a list"),
        ("/tools/0", json!("fake"), "an entry of `tools` is no JSON object"),
        ("/tools/0/filename", json!(["fake"]), "`filename`"),
        ("/instance-token", json!(["fake"]), "`instance-token`"),
        ("/jit_config_enabled", json!("fake"), "`jit_config_enabled`"),
        ("/labels", json!(["fake", 1]), "`labels`"),
        ("/ca-cert-bundle", json!("-----BEGIN fake"), "`ca-cert-bundle` is not base64"),
        ("/ca-cert-bundle", json!(STANDARD.encode("fake")), "no bundle of certificates"),
        ("/ca-cert-bundle", json!(STANDARD.encode("-----BEGIN CERTIFICATE-----\nfake")), "no bundle of certificates"),
        ("/user_data_options", json!("fake"), "`user_data_options`"),
        ("/proxy_config/no_proxy", json!(5), "`no_proxy` in proxy_config"),
    ] {
        let mut changed = whole();
        *changed.pointer_mut(pointer).unwrap() = value;
        let error = format!("{:#}", parsed(&changed).map(drop).unwrap_err());
        assert!(error.contains(said) && !error.contains("fake"), "{pointer}: {error}");
    }
    for (input, said) in
        [(&b""[..], "wrote nothing"), (b" \n", "wrote nothing"), (b"{\"name\": \"fake", "line 1, column 14")]
    {
        let error = format!("{:#}", Bootstrap::parse(input).map(drop).unwrap_err());
        assert!(error.contains(said) && !error.contains("fake"), "{error}");
    }
    let large = vec![b'x'; MAX_SIZE + 1];
    assert!(Bootstrap::parse(&large).map(drop).unwrap_err().to_string().contains("too large"));
}

#[test]
fn names_are_those_of_the_servers() {
    let longest = "a".repeat(63);
    for name in ["garm-1", "4cpu-abc", "A", "a1", &longest] {
        assert!(is_name(name), "{name}");
    }
    let long = "a".repeat(64);
    for name in ["", "-a", "a-", "123", "a.b", "a_b", "a/b", "ä", "a b", &long] {
        assert!(!is_name(name), "{name}");
    }
}

#[test]
fn certificates_are_taken_as_they_are() {
    let pem = "# ours\n-----BEGIN CERTIFICATE-----\nRkFL\nRQ==\n-----END CERTIFICATE-----\n".repeat(2);
    let mut changed = whole();
    changed["ca-cert-bundle"] = json!(STANDARD.encode(&pem));
    assert_eq!(parsed(&changed).unwrap().ca_bundle, pem);
}

#[test]
fn a_secret_is_not_shown() {
    let bootstrap = parsed(&whole()).unwrap();
    let shown = format!("{:?} {:?}", bootstrap.tools, bootstrap.instance_token);
    assert!(!shown.contains("fake"), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = Bootstrap::parse(&bytes);
    }

    #[test]
    fn a_part_of_the_input_is_none(end in 0_usize..1_000) {
        let text = whole().to_string();
        prop_assume!(end < text.len());
        let error = format!("{:#}", Bootstrap::parse(&text.as_bytes()[..end]).map(drop).unwrap_err());
        prop_assert!(!error.contains("fake"));
    }

    #[test]
    fn keys_that_nobody_knows_change_nothing(key in "x[a-z_]{1,12}") {
        let mut more = whole();
        more[&key] = json!({"a": [1, null]});
        prop_assert_eq!(parsed(&more).unwrap().name, parsed(&whole()).unwrap().name);
    }
}
