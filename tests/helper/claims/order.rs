//! What is asked of the server and when: nothing is deleted there before everything is possible here, and nothing is asked
//! while a limit lasts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use github_runners::contract::protocol::Outcome;
use serde_json::json;

use super::debts::Mounts;
use super::recovery::{edit, now};
use super::register::{ephemeral, registered};
use crate::host::{Host, is_root};
use crate::server::Server;

#[test]
fn nothing_more_is_asked_after_the_question_that_met_the_limit() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    server.state().instead = Some(Outcome::RateLimited(now() + 1_000));
    assert!(host.prepare().bad().contains("GitHub's rate limit is used up"));
    assert_eq!(server.asked(), "retire 21");
    // Nor by the end of that start, nor by the next one, which waits.
    host.settle("exit-code", None).good();
    assert_eq!(server.asked(), "");
}

#[test]
fn an_end_asks_nothing_while_a_limit_lasts_and_owes_it() {
    let (host, server) = ephemeral();
    host.prepare().good();
    server.asked();
    edit(&host, |ledger| ledger["notBefore"] = json!(now() + 1_000));
    let said = host.step("release").good();
    assert!(said.contains("rate limit is used up"), "{said}");
    host.settle("success", Some(("killed", "INT"))).good();
    assert_eq!((server.asked().as_str(), host.ledger()["leftBehind"][0]["runner"]["id"].clone()), ("", json!(41)));
    edit(&host, |ledger| ledger["notBefore"] = json!(null));
    // What an end met, the next start keeps to.
    server.state().instead = Some(Outcome::RateLimited(now() + 1_000));
    host.settle("success", Some(("killed", "INT"))).good();
    assert_eq!(server.asked(), "retire 41");
    assert!(host.ledger()["notBefore"].as_u64().is_some_and(|end| end > now()));
}

/// What makes a name impossible to remove, and what undoes it.
struct Fixed(std::path::PathBuf);

impl Fixed {
    fn new(path: std::path::PathBuf, flag: &str) -> Option<Self> {
        let done = Command::new("chattr").arg(flag).arg(&path).output().is_ok_and(|output| output.status.success());
        done.then_some(Self(path))
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        _ = Command::new("chattr").arg("-ia").arg(&self.0).status();
    }
}

/// Asserts that a start that has to register anew fails and asks the server nothing, and that nothing was lost.
fn costs_nothing(host: &Host, server: &Server, what: &str) {
    server.asked();
    let (before, ids) = (host.tree("state"), server.ids());
    let said = host.prepare().bad();
    assert_eq!((server.asked().as_str(), server.ids()), ("", ids), "{what}: {said}");
    let left = host.tree("state");
    for name in before.iter().filter(|name| name.starts_with(".runner") || name.starts_with(".credentials")) {
        assert!(left.contains(name), "{what}: {name} is gone: {said}");
    }
}

type Spoil = fn(&Path, &mut Mounts) -> Option<Fixed>;

fn file(path: std::path::PathBuf) -> std::path::PathBuf {
    fs::write(&path, "x").unwrap();
    path
}

/// What keeps a directory from being emptied or written.
const OBSTACLES: [(&str, &str, Spoil); 8] = [
    ("an immutable file in the work directory", "work", |path, _| Fixed::new(file(path.join("x")), "+i")),
    ("an append-only file in the work directory", "work", |path, _| Fixed::new(file(path.join("x")), "+a")),
    ("an immutable work directory", "work", |path, _| Fixed::new(path.into(), "+i")),
    ("an immutable file among those of the state", "state", |path, _| Fixed::new(file(path.join("x")), "+i")),
    ("an immutable file of the registration", "state", |path, _| Fixed::new(path.join(".runner"), "+i")),
    ("an append-only file of the registration", "state", |path, _| Fixed::new(path.join(".credentials"), "+a")),
    ("an immutable state directory", "state", |path, _| Fixed::new(path.into(), "+i")),
    ("an append-only state directory", "state", |path, _| Fixed::new(path.into(), "+a")),
];

#[test]
fn what_cannot_be_emptied_is_found_before_the_server_is_asked_to_delete() {
    if !is_root("make a file immutable") {
        return;
    }
    for kind in ["changed", "ephemeral"] {
        for (what, directory, spoil) in OBSTACLES {
            let (host, server) = given_up(kind);
            let mut mounts = Mounts(vec![]);
            let Some(_fixed) = spoil(&host.path(directory), &mut mounts) else {
                eprintln!("no immutable files here: {what} was not tried");
                continue;
            };
            costs_nothing(&host, &server, &format!("{kind}: {what}"));
        }
        for (what, directory) in [("a mount in the work directory", "work/m"), ("a mount in the state", "state/m")] {
            let (host, server) = given_up(kind);
            let mut mounts = Mounts(vec![]);
            mounts.add(&["-t", "tmpfs", "tmpfs"], host.path(directory));
            costs_nothing(&host, &server, &format!("{kind}: {what}"));
        }
        for what in ["work", "state"] {
            let (host, server) = given_up(kind);
            let mut mounts = Mounts(vec![]);
            let place = host.path(what);
            mounts.add(&["-o", "bind,ro", place.to_str().unwrap()], place.clone());
            costs_nothing(&host, &server, &format!("{kind}: a read-only {what} directory"));
        }
        let (host, server) = given_up(kind);
        let mut mounts = Mounts(vec![]);
        mounts.bind(host.state(".runner"));
        costs_nothing(&host, &server, &format!("{kind}: a bind-mounted .runner"));
    }
}

/// A runner that has to register anew although its registration is there.
fn given_up(kind: &str) -> (Host, Server) {
    if kind == "changed" {
        let (mut host, server) = registered();
        *host.registration("extraLabels") = json!(["other"]);
        return (host, server);
    }
    let (host, server) = ephemeral();
    host.prepare().good();
    (host, server)
}

#[test]
fn a_start_that_is_refused_by_the_server_keeps_what_a_later_one_decides_by() {
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    fs::create_dir_all(host.state("_diag/deep")).unwrap();
    fs::write(host.state(".nixos-current-config.json"), "{}").unwrap();
    fs::create_dir(host.state(".runner_migrated")).unwrap();
    symlink("/etc/hostname", host.state(".credentials_migrated")).unwrap();
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    host.prepare().bad();
    let left =
        [".credentials", ".credentials_migrated", ".credentials_rsaparams", ".nixos-current-config.json", ".runner"];
    assert_eq!(host.tree("state"), left, "what is no registration goes before, also under such a name");
    server.state().instead = None;
    host.prepare().good();
    assert_eq!(host.tree("state"), [".staged-token"]);
}
