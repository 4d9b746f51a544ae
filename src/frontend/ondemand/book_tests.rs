use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::sys::Place;

const FIXTURE: &str = include_str!("../../../tests/fixtures/order-v1.json");

fn key() -> Key {
    Key::from_stem("od-19283746-1-build.x86_64").unwrap()
}

fn order() -> Order {
    Order::parse(FIXTURE.as_bytes(), &key()).unwrap()
}

fn open(path: &Path) -> Result<Book> {
    Book::open(Place::walk(path).unwrap().open().unwrap().unwrap())
}

fn home() -> (tempfile::TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), Permissions::from_mode(0o700)).unwrap();
    let path = temporary.path().canonicalize().unwrap();
    (temporary, path)
}

#[test]
fn what_was_written_is_read_by_whoever_comes_next() {
    let (_temporary, path) = home();
    open(&path).unwrap().write(&order()).unwrap();
    let file = path.join("orders/od-19283746-1-build.x86_64.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // As a kill in the middle of writing leaves it.
    fs::write(path.join("orders/od-19283746-1-build.x86_64.json.new"), "{").unwrap();
    let book = open(&path).unwrap();
    let pages = book.read().unwrap();
    assert_eq!(pages.orders, BTreeMap::from([(key(), order())]));
    assert!(pages.faults.is_empty());
    book.remove(&key()).unwrap();
    book.remove(&key()).unwrap();
    assert!(book.read().unwrap().orders.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_hides_no_other_one() {
    let (_temporary, path) = home();
    let book = open(&path).unwrap();
    book.write(&order()).unwrap();
    let orders = path.join("orders");
    for (name, content) in
        [("od-1-a.x.json", ""), ("od-1-b.x.json", "{}"), ("od-1-c.x.json", FIXTURE), ("A.json", FIXTURE)]
    {
        fs::write(orders.join(name), content).unwrap();
    }
    fs::write(orders.join("od-1-d.x.json"), vec![b' '; 65 << 10]).unwrap();
    symlink(orders.join("od-19283746-1-build.x86_64.json"), orders.join("od-1-e.x.json")).unwrap();
    fs::create_dir(orders.join("od-1-f.x.json")).unwrap();
    nix::unistd::mkfifo(&orders.join("od-1-g.x.json"), Mode::S_IRWXU).unwrap();
    fs::hard_link(orders.join("od-1-a.x.json"), path.join("other")).unwrap();
    let pages = book.read().unwrap();
    assert_eq!(pages.orders.len(), 1);
    let said: Vec<String> = pages.faults.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    for (name, part) in [
        ("A.json", "named as no order"),
        ("od-1-a.x.json", "hard links"),
        ("od-1-b.x.json", "no JSON object with a `version`"),
        ("od-1-c.x.json", "another order"),
        ("od-1-d.x.json", "more than expected"),
        ("od-1-e.x.json", "symbolic link"),
        ("od-1-f.x.json", "a directory"),
        ("od-1-g.x.json", "a fifo"),
    ] {
        assert!(said.iter().any(|said| said.starts_with(name) && said.contains(part)), "{name}: {said:#?}");
    }
    assert_eq!(said.len(), 8);
}

#[test]
fn one_process_has_the_book_at_a_time() {
    let (_temporary, path) = home();
    let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
    let held = one.lock(Duration::ZERO).unwrap();
    assert!(held.is_some() && other.lock(Duration::ZERO).unwrap().is_none());
    drop(held);
    assert!(other.lock(Duration::ZERO).unwrap().is_some());
}

#[test]
fn a_book_that_others_can_enter_is_refused() {
    let (_temporary, path) = home();
    fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
    assert!(open(&path).unwrap_err().to_string().contains("others than root"));
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    drop(open(&path).unwrap());
    fs::set_permissions(path.join("registrations"), Permissions::from_mode(0o755)).unwrap();
    assert!(format!("{:#}", open(&path).unwrap_err()).contains("0700"));
    fs::remove_dir(path.join("orders")).unwrap();
    symlink("/etc", path.join("orders")).unwrap();
    assert!(open(&path).is_err(), "a link is no directory of orders");
}

#[test]
fn registrations_outlive_the_files_of_orders() {
    let (_temporary, path) = home();
    let book = open(&path).unwrap();
    book.write(&order()).unwrap();
    let instance = key().runner_name().try_into().unwrap();
    let entry = crate::ledger::Entry::new(&instance, serde_json::Map::new(), None);
    book.ledger().stage(&entry, &instance).unwrap().commit().unwrap();
    book.remove(&key()).unwrap();
    let book = open(&path).unwrap();
    assert_eq!(book.ledger().instances().unwrap(), std::slice::from_ref(&instance));
    assert_eq!(book.ledger().load(&instance).unwrap(), Some(entry));
}
