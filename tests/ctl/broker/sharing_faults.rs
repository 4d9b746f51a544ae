//! Whatever lies in the directory that brokers share, and whoever holds a lock there: questions are answered.

use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use github_runners::contract::protocol::{Issue, Outcome, Verb};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::apps::{app, stand};
use super::harness::{Reply, Stand, URL};
use crate::times::AT_ONCE;

/// Makes something of a path that it must not be.
type Spoil = &'static dyn Fn(&Path);

/// The file with the token, after a first question.
fn kept_token(stand: &Stand) -> PathBuf {
    assert!(matches!(stand.ask(&Verb::List).answer.outcome, Outcome::Listed(_)));
    let [file] = &stand.shared("token-")[..] else { panic!("one token is kept") };
    file.clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut entry = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut entry);
    fs::write(file, entry.to_string()).unwrap();
}

/// Asks once more; the answer must be good, and cost a new token or not.
fn asks(stand: &Stand, new_token: bool) -> Reply {
    let before = stand.count("POST", "/access_tokens");
    let told = stand.ask(&Verb::List);
    assert!(matches!(told.answer.outcome, Outcome::Listed(_)), "{}", told.journal);
    assert_eq!(stand.count("POST", "/access_tokens") - before, usize::from(new_token), "{}", told.journal);
    told
}

#[test]
fn what_is_kept_nobody_else_can_read() {
    let stand = stand(URL, app()).sharing();
    let file = kept_token(&stand);
    assert_eq!(mode(&file), 0o600);
    let token = &stand.github.state().installation_tokens[0];
    let expected = json!({ "version": 1, "until": token.expires, "value": token.secret });
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), expected);
    assert!(!file.to_str().unwrap().contains(&token.secret));
    asks(&stand, false);
    assert!(fs::read_dir(stand.runtime.as_ref().unwrap()).unwrap().all(|entry| mode(&entry.unwrap().path()) == 0o600));
}

#[test]
fn a_token_is_not_used_for_the_last_five_minutes_of_its_time() {
    let stand = stand(URL, app()).sharing();
    let file = kept_token(&stand);
    let now = stand.github.state().now();
    for (until, new_token) in [(now + 330, false), (now + 290, true), (now, true), (0, true), (now + 9_999_999, true)] {
        change(&file, |entry| entry["until"] = json!(until));
        asks(&stand, new_token);
    }
    change(&file, |entry| entry["version"] = json!(2));
    asks(&stand, true);
}

#[test]
fn files_that_no_broker_made_are_ignored_and_replaced() {
    let cases: [(&str, Spoil); 9] = [
        ("is damaged", &|file| fs::write(file, "{\"version\":1,\"until\":99").unwrap()),
        ("is damaged", &|file| fs::write(file, "").unwrap()),
        ("is damaged", &|file| change(file, |entry| entry["value"] = json!(["ghs_fakeLEAK"]))),
        ("has more than 16384 bytes", &|file| {
            File::options().append(true).open(file).unwrap().set_len(1 << 30).unwrap();
        }),
        ("is open to others, with mode 604", &|file| fs::set_permissions(file, Permissions::from_mode(0o604)).unwrap()),
        ("is open to others, with mode 620", &|file| fs::set_permissions(file, Permissions::from_mode(0o620)).unwrap()),
        ("is a link", &|file| {
            let aside = file.with_extension("aside");
            fs::rename(file, &aside).unwrap();
            symlink(aside, file).unwrap();
        }),
        ("is of another kind", &|file| {
            fs::remove_file(file).unwrap();
            nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
        ("belongs to user id 65534", &|file| {
            // Nobody else can make such a file.
            if geteuid().is_root() {
                chown(file, Some(65534), None).unwrap();
            }
        }),
    ];
    for (part, spoil) in cases {
        if part.starts_with("belongs") && !geteuid().is_root() {
            continue;
        }
        let stand = stand(URL, app()).sharing();
        let file = kept_token(&stand);
        spoil(&file);
        let told = asks(&stand, true);
        assert!(told.journal.contains("warning: Ignored token-") && told.journal.contains(part), "{}", told.journal);
        assert!(fs::read_to_string(&file).unwrap().contains("ghs_"));
        asks(&stand, false);
    }
}

#[test]
fn without_a_directory_of_our_own_nothing_is_kept() {
    for (spoil, part) in [
        (&(|path: &Path| fs::remove_dir(path).unwrap()) as Spoil, "cannot be opened"),
        (&|path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap(), "is open to others, with mode 755"),
        (&|path| chown(path, geteuid().is_root().then_some(65534), None).unwrap(), "belongs to user id 65534"),
    ] {
        if part.starts_with("belongs") && !geteuid().is_root() {
            continue;
        }
        let stand = stand(URL, app()).sharing();
        spoil(stand.runtime.as_ref().unwrap());
        for _ in 0..2 {
            let told = asks(&stand, true);
            assert!(told.journal.contains(part) && told.journal.lines().count() == 2, "{}", told.journal);
        }
        assert!(stand.runtime.as_ref().unwrap().read_dir().map_or(0, Iterator::count) == 0);
    }
}

#[test]
fn a_file_that_cannot_be_replaced_costs_a_warning_only() {
    let stand = stand(URL, app()).sharing();
    let file = kept_token(&stand);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for _ in 0..2 {
        let told = asks(&stand, true);
        assert!(told.journal.contains("warning: Failed to write token-"), "{}", told.journal);
    }
    assert_eq!(stand.shared("token-").len(), 1, "nothing is left beside it");
}

#[test]
fn what_a_replaced_credential_left_is_removed() {
    let mut stand = stand(URL, app()).sharing();
    let old = kept_token(&stand);
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3_700);
    File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    for lock in stand.shared("lock-") {
        File::options().append(true).open(lock).unwrap().set_modified(long_ago).unwrap();
    }
    let locks = stand.shared("lock-").len();
    stand.credential += "\n";
    asks(&stand, true);
    assert!(!old.exists());
    assert_eq!((stand.shared("token-").len(), stand.shared("lock-").len()), (1, locks));
}

#[test]
fn a_lock_that_is_never_given_back_delays_and_prevents_nothing() {
    let stand = stand(URL, app()).sharing();
    let verb = Verb::Issue(Issue::Jit { work_folder: "/work".into() });
    assert!(matches!(stand.ask(&verb).answer.outcome, Outcome::Jit { .. }));
    stand.github.change(|state| state.runners.clear()).unwrap();
    for file in [stand.shared("token-"), stand.shared("group-")].concat() {
        fs::remove_file(file).unwrap();
    }
    let locks = stand.shared("lock-");
    assert_eq!(locks.len(), 3, "{locks:?}");
    let _held: Vec<_> = locks
        .iter()
        .map(|lock| {
            Flock::lock(File::open(lock).unwrap(), FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap()
        })
        .collect();
    // All three together take a third of it.
    let told = stand.ask_for(&verb, 30);
    assert!(matches!(told.answer.outcome, Outcome::Jit { .. }), "{}", told.journal);
    assert!(told.took >= Duration::from_secs(10), "{:?}", told.took);
    assert!(told.journal.contains("Did not wait any longer for another broker"), "{}", told.journal);
}

#[test]
fn nobody_waits_for_a_lock_who_has_nobody_to_answer() {
    let stand = stand(URL, app()).sharing();
    let file = kept_token(&stand);
    fs::remove_file(file).unwrap();
    let asked = stand.seen().len();
    let [lock] = &stand.shared("lock-")[..] else { panic!("one lock") };
    let held = Flock::lock(File::open(lock).unwrap(), FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    let mut child = stand.start(&Verb::Issue(Issue::Token), 600);
    let started = Instant::now();
    drop(child.stdout.take());
    let mut journal = String::new();
    child.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{journal}");
    assert!(journal.contains("whoever asked is gone") && started.elapsed() < AT_ONCE, "{journal}");
    assert_eq!(stand.seen().len(), asked);
    drop(held);
}
