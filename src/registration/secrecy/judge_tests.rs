//! Who could come to a secret. Touches nothing: the way is a list of what stands on it.

use super::*;
use crate::sys::AccessList;

const JOBS: u32 = 990;

fn person() -> Person {
    Person { uid: Some(JOBS), gids: vec![980] }
}

fn rights(uid: u32, gid: u32, mode: u32) -> Rights {
    Rights { uid, gid, mode, list: None }
}

/// A way of directories and links to a file, each in the one before it, unless it follows a link.
fn stops(all: &[(&str, Rights)]) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    let mut above: Vec<usize> = Vec::new();
    for (index, (path, rights)) in all.iter().enumerate() {
        // A link leads somewhere else, from the root directory on.
        if *path == "/" {
            above.clear();
        }
        let is_directory = index + 1 < all.len() && !path.ends_with('@');
        stops.push(Stop { path: path.into(), rights: rights.clone(), is_directory, above: above.clone() });
        if is_directory {
            above.push(index);
        }
    }
    stops
}

fn of_root(mode: u32) -> Rights {
    rights(0, 0, mode)
}

fn judged(all: &[(&str, Rights)]) -> (String, String) {
    let Exposure { to_jobs, to_others } = judge(&stops(all), &person(), 0);
    (to_jobs.join("; "), to_others.join("; "))
}

#[test]
fn what_the_user_of_jobs_can_read_or_change_is_open_to_jobs() {
    let list = |users, groups| Some(AccessList { group: 0, users, groups });
    let listed = |users, groups| Rights { list: list(users, groups), ..of_root(0o640) };
    for (rights, part) in [
        (of_root(0o644), "mode 0644"),
        (of_root(0o602), "can change"),
        (rights(JOBS, 0, 0o400), "the owner"),
        (rights(JOBS, 0, 0), "the owner"),
        (rights(0, 980, 0o440), "mode 0440"),
        (listed(vec![(JOBS, READ)], vec![]), "access control list"),
        (listed(vec![], vec![(980, READ)]), "access control list"),
    ] {
        let (to_jobs, _) = judged(&[("/", of_root(0o755)), ("/etc", of_root(0o755)), ("/etc/t", rights.clone())]);
        assert!(to_jobs.contains("user id 990") && to_jobs.contains(part), "{rights:?}: {to_jobs}");
        // Behind a directory that the user cannot pass it is open to nobody.
        let closed = judged(&[("/", of_root(0o755)), ("/root", of_root(0o700)), ("/root/t", rights)]);
        assert_eq!(closed, (String::new(), String::new()));
    }
}

#[test]
fn a_secret_as_it_should_be_is_open_to_nobody() {
    for way in [
        &[("/", of_root(0o755)), ("/etc", of_root(0o755)), ("/etc/t", of_root(0o400))][..],
        &[("/", of_root(0o755)), ("/tmp", of_root(0o1777)), ("/tmp/t", of_root(0o600))],
        // As sops-nix and agenix have it: a link, and directories that a group may pass.
        &[
            ("/", of_root(0o755)),
            ("/run", of_root(0o755)),
            ("/run/secrets@", of_root(0o777)),
            ("/", of_root(0o755)),
            ("/run", of_root(0o755)),
            ("/run/secrets.d", rights(0, 96, 0o751)),
            ("/run/secrets.d/2", rights(0, 96, 0o751)),
            ("/run/secrets.d/2/t", of_root(0o400)),
        ],
    ] {
        assert_eq!(judged(way), (String::new(), String::new()), "{way:?}");
    }
}

#[test]
fn a_moved_link_shows_what_the_new_file_lets_the_user_read() {
    let (to_jobs, _) = judged(&[
        ("/", of_root(0o755)),
        ("/run", of_root(0o755)),
        ("/run/secrets@", of_root(0o777)),
        ("/", of_root(0o755)),
        ("/run", of_root(0o755)),
        ("/run/secrets.d", rights(0, 96, 0o751)),
        ("/run/secrets.d/t", rights(JOBS, 980, 0o400)),
    ]);
    assert!(to_jobs.contains("/run/secrets.d/t, because it is the owner"), "{to_jobs}");
    // Where the link lies does not protect where it leads to.
    let (to_jobs, _) = judged(&[
        ("/", of_root(0o755)),
        ("/root", of_root(0o700)),
        ("/root/t@", of_root(0o777)),
        ("/", of_root(0o755)),
        ("/srv", of_root(0o755)),
        ("/srv/t", of_root(0o644)),
    ]);
    assert!(to_jobs.contains("/srv/t, which has mode 0644"), "{to_jobs}");
}

#[test]
fn whoever_can_exchange_something_on_the_way_chooses_the_secret() {
    let way = |directory: Rights, file: Rights| judged(&[("/", of_root(0o755)), ("/a", directory), ("/a/t", file)]);
    for (directory, file) in [
        (rights(JOBS, 0, 0o755), of_root(0o400)),
        (rights(JOBS, 0, 0o500), of_root(0o400)),
        (rights(0, 980, 0o770), of_root(0o400)),
        (of_root(0o777), of_root(0o400)),
        (rights(JOBS, 0, 0o1755), of_root(0o400)),
    ] {
        let (to_jobs, _) = way(directory.clone(), file);
        assert!(to_jobs.contains("can exchange /a/t"), "{directory:?}: {to_jobs}");
    }
    let (to_jobs, _) = judged(&[("/", of_root(0o755)), ("/tmp", of_root(0o1777)), ("/tmp/t@", rights(JOBS, 0, 0o777))]);
    assert!(to_jobs.contains("can exchange /tmp/t@"), "{to_jobs}");
}

#[test]
fn what_is_open_to_others_is_told() {
    let way = |directory: Rights, file: Rights| judged(&[("/", of_root(0o755)), ("/a", directory), ("/a/t", file)]);
    for (directory, file, part) in [
        (of_root(0o755), rights(1000, 0, 0o400), "user id 1000 can read"),
        (of_root(0o755), rights(0, 96, 0o440), "members of group id 96 can read"),
        (rights(1000, 100, 0o755), of_root(0o400), "user id 1000 can exchange /a/t"),
        (rights(0, 100, 0o775), of_root(0o400), "members of group id 100 can exchange /a/t"),
        (of_root(0o1777), rights(1000, 0, 0o600), "user id 1000 can exchange /a/t"),
    ] {
        let (to_jobs, to_others) = way(directory.clone(), file.clone());
        assert!(to_jobs.is_empty() && to_others.contains(part), "{directory:?} {file:?}: {to_jobs}, {to_others}");
    }
}

#[test]
fn of_a_dynamic_user_is_only_known_that_nothing_is_theirs() {
    let nobody = Person::default();
    let way = |mode| stops(&[("/", of_root(0o755)), ("/etc", of_root(0o755)), ("/etc/t", rights(1000, 96, mode))]);
    assert!(judge(&way(0o440), &nobody, 0).to_jobs.is_empty());
    assert!(judge(&way(0o444), &nobody, 0).to_jobs[0].starts_with("the user of the unit can read"));
}
