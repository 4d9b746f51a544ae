//! A work directory whose content outlives starts: as this runner's jobs left it, and no files of anybody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use crate::host::{Host, is_root, mode, owner};

/// A registered runner whose work directory is kept, with something of a job in it.
pub fn kept() -> Host {
    let mut host = Host::new();
    host.manifest["cleanWorkDir"] = json!("never");
    let host = host.registered();
    fs::create_dir(host.path("work/repo")).unwrap();
    fs::write(host.path("work/repo/cache"), "warm").unwrap();
    host
}

/// Gives the runner another user, as systemd does it.
pub fn given_to(host: &Host, uid: u32) {
    for path in ["state", "state/.runner", "state/.credentials", "state/.credentials_rsaparams"] {
        chown(host.path(path), Some(uid), Some(uid)).unwrap();
    }
}

fn is_warm(host: &Host) -> bool {
    fs::read_to_string(host.path("work/repo/cache")).is_ok_and(|text| text == "warm")
}

#[test]
fn it_outlives_starts_whatever_they_decide_about_the_registration() {
    let mut host = kept();
    for _ in 0..2 {
        let said = host.prepare().good();
        assert!(said.contains("Keeping the registration") && !said.contains("Emptied"), "{said}");
        host.step("record").good();
        assert!(is_warm(&host));
    }
    *host.registration("extraLabels") = json!(["other"]);
    *host.registration("ephemeral") = json!(true);
    let said = host.prepare().good();
    assert!(said.contains("Registering runner1 anew") && !said.contains("Emptied"), "{said}");
    host.configured(22);
    host.step("record").good();
    assert!(is_warm(&host));
    // The other way round it is as ever.
    host.manifest.as_object_mut().unwrap().remove("cleanWorkDir");
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory") && !is_warm(&host), "{said}");
}

#[test]
fn its_owner_and_mode_are_set_as_ever() {
    let host = kept();
    fs::set_permissions(host.path("work"), fs::Permissions::from_mode(0o3777)).unwrap();
    host.prepare().good();
    assert_eq!((mode(&host.path("work")), is_warm(&host)), (0o700, true));
}

#[test]
fn what_a_job_made_of_the_names_of_links_does_not_stop_the_next_start() {
    let host = kept();
    fs::write(host.path("beside"), "").unwrap();
    for name in [".runner", "_diag", ".credentials"] {
        let path = host.path("work").join(name);
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("deep/deeper")).unwrap();
        symlink(host.path(""), path.join("out")).unwrap();
    }
    fs::remove_file(host.path("work/.credentials_rsaparams")).unwrap();
    symlink(host.path("beside"), host.path("work/.credentials_rsaparams")).unwrap();
    host.prepare().good();
    host.step("record").good();
    assert!(is_warm(&host) && host.path("beside").exists());
    assert_eq!(fs::read_link(host.path("work/.runner")).unwrap(), host.state(".runner"));
    assert_eq!(fs::read_link(host.path("work/_diag")).unwrap(), host.state("_diag"));
}

#[test]
fn a_first_start_and_one_without_the_ledger_empty_it() {
    let mut host = Host::new();
    host.manifest["cleanWorkDir"] = json!("never");
    fs::write(host.path("work/of-somebody"), "").unwrap();
    let said = host.prepare().good();
    assert!(said.contains("although `cleanWorkDir` is \"never\", because the ledger does not know"), "{said}");
    assert!(host.tree("work").is_empty());

    let host = kept();
    fs::remove_dir_all(host.path("ledger")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("the ledger does not know") && !is_warm(&host), "{said}");
}

#[test]
fn a_start_with_another_address_empties_it() {
    let mut host = kept();
    *host.registration("url") = json!("https://github.com/octo-org/other");
    let said = host.prepare().good();
    assert!(said.contains("its files are of jobs for another `url`"), "{said}");
    assert!(!is_warm(&host));
    fs::write(host.path("work/new"), "").unwrap();
    host.configured(22);
    host.prepare().good();
    assert!(host.path("work/new").exists(), "from now on it is known");
}

#[test]
fn a_start_with_another_user_empties_it_before_that_user_has_it() {
    if !is_root("handing a directory over") {
        return;
    }
    let host = kept();
    given_to(&host, 64_321);
    let said = host.prepare().good();
    assert!(said.contains("belongs to user id 0 instead of 64321, and no job gets files of another user"), "{said}");
    assert_eq!((owner(&host.path("work")), host.tree("work")), (64_321, vec![]));

    fs::write(host.path("work/mine"), "").unwrap();
    host.prepare().good();
    assert!(host.path("work/mine").exists());
}

#[test]
fn a_directory_of_others_is_refused_and_not_emptied() {
    if !is_root("a directory of another user") {
        return;
    }
    let mut host = Host::new();
    host.manifest["cleanWorkDir"] = json!("never");
    chown(host.path("work"), Some(64_322), None).unwrap();
    fs::write(host.path("work/precious"), "").unwrap();
    let said = host.prepare().bad();
    assert!(said.contains("belongs to user id 64322") && !said.contains("Emptying"), "{said}");
    assert_eq!((owner(&host.path("work")), host.path("work/precious").exists()), (64_322, true));
}

#[test]
fn a_full_disk_is_no_reason_to_empty_it() {
    if !is_root("mounting") {
        return;
    }
    let host = kept();
    let ledger = host.path("ledger");
    let entry = fs::read(ledger.join("runner1.json")).unwrap();
    mount(Some("small"), &ledger, Some("tmpfs"), MsFlags::empty(), Some("size=64k,mode=700")).unwrap();
    fs::write(ledger.join("runner1.json"), entry).unwrap();
    let mut large = vec![0; 1 << 20];
    while fs::write(ledger.join("large"), &large).is_err() && !large.is_empty() {
        large.truncate(large.len() / 2);
    }
    fs::write(ledger.join("rest"), vec![0; 64 << 10]).ok();
    // What would change the entry.
    let mut host = host;
    *host.registration("extraLabels") = json!(["other"]);
    let said = host.prepare();
    umount2(&ledger, MntFlags::MNT_DETACH).unwrap();
    assert!(said.bad().contains("No space left on device"));
    assert!(is_warm(&host));
}
