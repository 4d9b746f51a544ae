//! A credential that jobs could read or exchange is refused, whatever hides it for the time being; nothing is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use rustix::fs::{XattrFlags, setxattr};
use serde_json::json;

use crate::host::{Host, is_root};

/// The user of the unit.
const JOBS: u32 = 64_321;
const OTHERS: u32 = 64_322;
const TOKEN: &str = "secrets/token";

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A host whose unit has a user of its own, who can come to everything that is not closed; `None` where nobody can make
/// files of others.
fn host() -> Option<Host> {
    is_root("a file of another user").then(|| {
        let mut host = Host::new();
        set_mode(&host.path(""), 0o755);
        fs::create_dir(host.path("secrets")).unwrap();
        set_mode(&host.path("secrets"), 0o755);
        fs::rename(host.path("token"), host.path(TOKEN)).unwrap();
        *host.registration("tokenFile") = json!(host.path(TOKEN));
        for path in ["state", "logs", "work"] {
            chown(host.path(path), Some(JOBS), Some(JOBS)).unwrap();
        }
        host
    })
}

/// Gives a user the right to read `path` by an access control list.
fn let_read(path: &Path, user: u32) {
    let entry =
        |tag: u16, rights: u16, id: u32| [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let entries = [entry(1, 6, none), entry(2, 4, user), entry(4, 0, none), entry(16, 4, none), entry(32, 0, none)];
    let list = [&2_u32.to_le_bytes()[..], &entries.concat()].concat();
    setxattr(path, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
}

/// `prepare` refuses for this reason before it changes anything, and accepts it where jobs may know everything.
#[track_caller]
fn is_refused(mut host: Host, part: &str) {
    fs::write(host.path("work/left-over"), "").unwrap();
    let said = host.prepare().bad();
    assert!(said.contains(part) && said.contains("user id 64321") && said.contains("chmod 0400"), "{said}");
    assert_eq!((host.tree("state"), host.tree("work")), (vec![], vec!["left-over".to_owned()]), "nothing was changed");
    host.manifest["trustJobsLikeRoot"] = json!(true);
    host.prepare().good();
}

/// Opens the token to jobs.
type Open<'a> = &'a dyn Fn(&Host, &Path);

#[test]
fn a_token_that_jobs_can_read_is_refused() {
    let cases: [(Open<'_>, &str); 6] = [
        (&|_, token| set_mode(token, 0o644), "which has mode 0644"),
        (&|_, token| chown(token, Some(JOBS), None).unwrap(), "because it is the owner"),
        (&|_, token| let_read(token, JOBS), "an access control list"),
        (
            &|_, token| {
                chown(token, None, Some(JOBS)).unwrap();
                set_mode(token, 0o440);
            },
            "which has mode 0440",
        ),
        (&|host, _| chown(host.path("secrets"), Some(JOBS), None).unwrap(), "can exchange"),
        (&|host, _| set_mode(&host.path("secrets"), 0o777), "can exchange"),
    ];
    for (open, part) in cases {
        let Some(host) = host() else { return };
        open(&host, &host.path(TOKEN));
        is_refused(host, part);
    }
}

#[test]
fn a_key_of_an_app_that_jobs_can_read_is_refused() {
    let Some(mut host) = host() else { return };
    fs::rename(host.path(TOKEN), host.path("app.pem")).unwrap();
    set_mode(&host.path("app.pem"), 0o604);
    *host.registration("tokenFile") = json!(null);
    host.manifest["githubApp"] =
        json!({ "id": "Iv1.0000", "login": null, "privateKeyFile": host.path("app.pem"), "installationId": null });
    let said = host.prepare().bad();
    assert!(said.contains("app.pem, which has mode 0604"), "{said}");
}

#[test]
fn a_group_that_the_unit_adds_counts() {
    let Some(mut host) = host() else { return };
    chown(host.path(TOKEN), None, Some(64_399)).unwrap();
    set_mode(&host.path(TOKEN), 0o440);
    let said = host.prepare().good();
    assert!(said.contains("members of group id 64399 can read the secret"), "{said}");
    host.manifest["supplementaryGroups"] = json!(["64399"]);
    host.prepare().bad();
}

#[test]
fn where_a_moved_link_leads_is_what_counts() {
    let Some(host) = host() else { return };
    // As sops-nix and agenix provide secrets.
    for generation in ["1", "2"] {
        fs::create_dir_all(host.path("secrets.d").join(generation)).unwrap();
        fs::copy(host.path(TOKEN), host.path("secrets.d").join(generation).join("token")).unwrap();
    }
    chown(host.path("secrets.d/2/token"), Some(JOBS), None).unwrap();
    fs::remove_dir_all(host.path("secrets")).unwrap();
    symlink(host.path("secrets.d/1"), host.path("secrets")).unwrap();
    let said = host.prepare().good();
    assert!(!said.contains("can read") && !said.contains("can exchange"), "{said}");
    fs::remove_file(host.path("secrets")).unwrap();
    symlink(host.path("secrets.d/2"), host.path("secrets")).unwrap();
    let said = host.prepare().bad();
    assert!(said.contains("secrets.d/2/token, because it is the owner"), "{said}");
}

#[test]
fn others_who_can_read_a_token_are_told_and_stop_nobody() {
    let Some(host) = host() else { return };
    chown(host.path(TOKEN), Some(OTHERS), None).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("user id 64322 can read the secret"), "{said}");
}

#[test]
fn a_token_in_a_closed_directory_is_nobodys_business() {
    let Some(mut host) = host() else { return };
    fs::create_dir(host.path("closed")).unwrap();
    set_mode(&host.path("closed"), 0o700);
    fs::rename(host.path(TOKEN), host.path("closed/token")).unwrap();
    set_mode(&host.path("closed/token"), 0o644);
    *host.registration("tokenFile") = json!(host.path("closed/token"));
    let said = host.prepare().good();
    assert!(!said.contains("can read"), "{said}");
}
