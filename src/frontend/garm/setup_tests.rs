use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::*;

fn wish() -> Wish {
    let text = |text: &str| text.to_owned();
    Wish {
        garm: text("192.0.2.10:9997"),
        client: text("incus"),
        project: text("garm-project"),
        profile: text("garm"),
        network: text("garm0"),
        storage: text("default"),
    }
}

/// Runs the script with a client that notes what it is asked, and has everything or nothing, made by this script or not.
fn run(wish: &Wish, directory: &Path, there: bool, ours: bool) -> (Output, String) {
    let bin = directory.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let client = bin.join(&wish.client);
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n*\" show \"*) exit {} ;;\n*\" get \"*) echo {} ; exit ;;\n\
         *\" device list \"*) cat {2}/devices 2> /dev/null; exit 0 ;;\n*\" edit \"*) cat >> {2}/input ;;\nesac\necho \"$*\" >> {2}/asked\n",
        i32::from(!there),
        if ours { "yes" } else { "" },
        directory.display()
    );
    std::fs::write(&client, text).unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    _ = std::fs::remove_file(directory.join("asked"));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let script = script(wish).unwrap();
    let output = Command::new("sh").args(["-c", &script]).current_dir(directory).env("PATH", path).output().unwrap();
    (output, std::fs::read_to_string(directory.join("asked")).unwrap_or_default())
}

fn asked(wish: &Wish, directory: &Path, there: bool) -> String {
    let (output, asked) = run(wish, directory, there, true);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    asked
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_server_gets_everything_and_one_that_has_it_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let first = asked(&wish(), directory.path(), false);
    for said in [
        "network acl create garm0-guests\n",
        "network create garm0 --type bridge user.garm-provider=yes\n",
        "network set garm0 security.acls garm0-guests\n",
        "project create garm-project -c features.images=false -c features.profiles=true -c user.garm-provider=yes\n",
        "project set garm-project restricted.networks.access garm0\n",
        "profile create garm --project garm-project\n",
        "profile edit garm --project garm-project\n",
        "config trust add-certificate garm-client/client.crt --name garm-garm-project --restricted --projects garm-project\n",
    ] {
        assert!(first.contains(said), "{said}: {first}");
    }
    let key = directory.path().join("garm-client/client.key");
    let before = std::fs::read(&key).unwrap();
    assert_eq!((mode(key.parent().unwrap()), mode(&key)), (0o700, 0o600));
    let input = std::fs::read_to_string(directory.path().join("input")).unwrap();
    assert!(input.contains("destination: 192.0.2.10/32\n  destination_port: \"9997\"\n"), "{input}");
    let second = asked(&wish(), directory.path(), true);
    assert!(!["create", "trust"].iter().any(|word| second.contains(word)), "{second}");
    assert!(second.contains("profile edit garm "), "who was killed before it was filled goes on: {second}");
    assert!(second.contains("network acl edit garm0-guests\n"), "{second}");
    assert_eq!(std::fs::read(&key).unwrap(), before);
    // The profile is the administrator's then.
    std::fs::write(directory.path().join("devices"), "root\n").unwrap();
    let third = asked(&wish(), directory.path(), true);
    assert!(!third.contains("profile"), "{third}");
}

#[test]
fn what_somebody_else_made_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (output, asked) = run(&wish(), directory.path(), true, false);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("network garm0 already") && said.contains("--network"), "{said}");
    assert_eq!(asked, "");
}

#[test]
fn a_pair_that_somebody_else_put_there_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["client.key", "client.crt"] {
        std::fs::write(elsewhere.path().join(name), "").unwrap();
    }
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("garm-client")).unwrap();
    let (output, asked) = run(&wish(), directory.path(), false, true);
    assert!(!output.status.success() && !asked.contains("trust"), "{asked}");
    std::fs::remove_file(directory.path().join("garm-client")).unwrap();
    std::fs::create_dir(directory.path().join("garm-client")).unwrap();
    let (output, asked) = run(&wish(), directory.path(), false, true);
    assert!(!output.status.success() && !asked.contains("trust"), "half a pair: {asked}");
}

#[test]
fn lxd_is_asked_in_its_own_words() {
    let directory = tempfile::tempdir().unwrap();
    let lxc = Wish { client: "lxc".into(), ..wish() };
    let asked = asked(&lxc, directory.path(), false);
    assert!(asked.contains("config trust add garm-client/client.crt --name"), "{asked}");
}

#[test]
fn guests_reach_no_local_network_but_garm() {
    let outside = outside();
    assert_eq!(
        outside,
        "1.0.0.0-9.255.255.255,11.0.0.0-100.63.255.255,100.128.0.0-126.255.255.255,128.0.0.0-169.253.255.255,\
         169.255.0.0-172.15.255.255,172.32.0.0-192.167.255.255,192.169.0.0-223.255.255.255,2000::/3"
    );
}

#[test]
fn what_cannot_work_is_named_by_its_option() {
    for (change, said) in [
        (Wish { garm: "garm.example:443".into(), ..wish() }, "--garm"),
        (Wish { garm: "127.0.0.1:9997".into(), ..wish() }, "the instance itself"),
        (Wish { garm: "0.0.0.0:9997".into(), ..wish() }, "the instance itself"),
        (Wish { client: "sh".into(), ..wish() }, "--client"),
        (Wish { project: "a b".into(), ..wish() }, "--project"),
        (Wish { profile: "$(id)".into(), ..wish() }, "--profile"),
        (Wish { network: "a-network-with-a-long-name".into(), ..wish() }, "--network"),
        (Wish { storage: String::new(), ..wish() }, "--storage"),
    ] {
        let error = script(&change).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(script(&Wish { garm: "[2001:db8::1]:443".into(), ..wish() }).unwrap().contains("garm='2001:db8::1/128'"));
}
