use std::process::Command;

use serde_json::json;

use super::*;

fn given(change: impl FnOnce(&mut Value)) -> Bootstrap {
    let mut input = json!({"name": "garm-1", "image": "trixie", "os_type": "linux"});
    change(&mut input);
    Bootstrap::parse(input.to_string().as_bytes()).unwrap()
}

fn config(bootstrap: &Bootstrap, specs: &ExtraSpecs) -> Value {
    let text = user_data(bootstrap, specs, "#!/bin/bash\n").unwrap();
    let json = text.strip_prefix("#cloud-config\n").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn cloud_init_is_given_the_values_of_the_go_providers() {
    let expected = json!({
        "users": ["default"],
        "package_upgrade": true,
        "packages": ["curl", "tar"],
        "system_info": {"default_user": {
            "name": "runner", "home": "/home/runner", "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "groups": ["sudo", "adm", "cdrom", "dialout", "dip", "video", "plugdev", "netdev", "docker", "lxd"],
        }},
        "runcmd": ["rm -rf /garm-pre-install", "su -l -c /install_runner.sh runner", "rm -f /install_runner.sh"],
        "write_files": [{
            "path": "/install_runner.sh", "content": "IyEvYmluL2Jhc2gK", "encoding": "b64", "owner": "root:root",
            "permissions": "755",
        }],
    });
    assert_eq!(config(&given(|_| ()), &ExtraSpecs::default()), expected);
}

#[test]
fn what_a_pool_wants_beside_is_there() {
    let bundle = "-----BEGIN CERTIFICATE-----\nRkFLRQ==\n-----END CERTIFICATE-----\n";
    let bootstrap = given(|input| {
        input["ca-cert-bundle"] = json!(STANDARD.encode(bundle));
        input["ssh-keys"] = json!(["ssh-ed25519 FAKE"]);
    });
    let specs = ExtraSpecs {
        disable_updates: true,
        extra_packages: vec!["jq".into()],
        pre_install_scripts: vec![("01-a".into(), b"a".into()), ("02-b".into(), b"b".into())],
        ..ExtraSpecs::default()
    };
    let config = config(&bootstrap, &specs);
    assert_eq!(config["package_upgrade"], false);
    assert_eq!(config["packages"], json!(["jq"]));
    assert_eq!(config["ssh_authorized_keys"], json!(["ssh-ed25519 FAKE"]));
    assert_eq!(config["ca-certs"], json!({"remove-defaults": false, "trusted": [bundle]}));
    assert_eq!(config["runcmd"][0], "/garm-pre-install/01-a");
    assert_eq!(config["runcmd"][1], "/garm-pre-install/02-b");
    let paths: Vec<&str> = (0..3).map(|place| config["write_files"][place]["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/garm-pre-install/01-a", "/garm-pre-install/02-b", "/install_runner.sh"]);
    assert_eq!(config["write_files"][1]["content"], "Yg==");
}

#[test]
fn without_updates_and_packages_there_is_no_list_of_them() {
    let specs = ExtraSpecs { disable_updates: true, ..ExtraSpecs::default() };
    assert!(config(&given(|_| ()), &specs).get("packages").is_none());
}

#[test]
fn windows_gets_a_script_with_one_mark() {
    let windows = given(|input| input["os_type"] = json!("windows"));
    for script in ["Write-Output x\n", "#ps1_sysnative\nWrite-Output x\n"] {
        let text = user_data(&windows, &ExtraSpecs::default(), script).unwrap();
        assert_eq!(text, "#ps1_sysnative\nWrite-Output x\n");
    }
}

#[test]
fn proxies_are_told_to_package_managers_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for path in ["etc/apt/apt.conf.d", "etc/dnf", "etc/zypp", "etc/sysconfig"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    std::fs::write(root.join("etc/dnf/dnf.conf"), "[main]\n").unwrap();
    let bootstrap = given(|input| {
        input["proxy_config"] = json!({"http_proxy": "http://a:1/$(touch x)", "no_proxy": "b;c"});
    });
    let error = user_data(&bootstrap, &ExtraSpecs::default(), "").unwrap_err().to_string();
    assert!(error.contains("`http_proxy`") && !error.contains("touch"), "{error}");
    let bootstrap = given(|input| {
        input["proxy_config"] =
            json!({"http_proxy": "http://a:1/;id", "https_proxy": "http://a:2", "no_proxy": "localhost, 10.0.0.0/8 "});
    });
    let config = config(&bootstrap, &ExtraSpecs::default());
    let command: Vec<&str> =
        config["bootcmd"][0].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let script = command[2].replace("/etc/", &format!("{}/etc/", root.display()));
    for _ in 0..2 {
        let status = Command::new(command[0]).args([command[1], &script]).status().unwrap();
        assert!(status.success());
    }
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let apt = "Acquire::http::Proxy \"http://a:1/;id\";\nAcquire::https::Proxy \"http://a:2\";\n";
    assert_eq!(read("etc/apt/apt.conf.d/95garm-proxy"), apt);
    assert_eq!(read("etc/dnf/dnf.conf"), "[main]\nproxy=http://a:2\n");
    assert!(read("etc/sysconfig/proxy").contains("NO_PROXY=\"localhost,10.0.0.0/8\""));
}
