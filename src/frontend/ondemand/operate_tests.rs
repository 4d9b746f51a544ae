use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use super::*;
use crate::frontend::ondemand::order::Reason;
use crate::frontend::ondemand::wire::{Answer, Outcome, Status};

const ORDER: &str = include_str!("../../../tests/fixtures/order-v1.json");
const LABEL: &str = "od-19283746-1-build";

struct Host {
    places: Places,
    _temporary: tempfile::TempDir,
}

impl Host {
    /// A host whose desk never ran.
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let places =
            Places { settings: root.join("settings.json"), home: root.join("home"), desk: root.join("desk.sock") };
        fs::write(&places.settings, include_str!("../../../tests/fixtures/on-demand-settings-v1.json")).unwrap();
        Self { places, _temporary: temporary }
    }

    fn dir(&self) -> Dir {
        home(&self.places).unwrap()
    }

    fn book(&self) -> Book {
        Book::open(self.dir()).unwrap()
    }

    fn order(&self, state: State) {
        let mut order: Order = serde_json::from_str(ORDER).unwrap();
        let is_over = matches!(state, State::Ending | State::Ended);
        (order.state, order.reason) = (state, is_over.then_some(Reason::Done));
        order.ended_at = (state == State::Ended).then_some(order.since);
        self.book().write(&order).unwrap();
    }

    /// A desk that answers one question, which it hands over.
    fn desk(&self) -> JoinHandle<Question> {
        let listener = UnixListener::bind(&self.places.desk).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let status = Status { open: 1, paused: None, classes: std::collections::BTreeMap::new() };
            stream.write_all(&Answer::new(Outcome::Status(status)).line().unwrap()).unwrap();
            Question::of_line(line.as_bytes()).unwrap()
        })
    }
}

#[test]
fn a_host_that_makes_no_runners_on_demand_says_so() {
    let host = Host::new();
    fs::remove_file(&host.places.settings).unwrap();
    for error in
        [stop(&host.places, None).unwrap_err(), start(&host.places).unwrap_err(), end(&host.places, LABEL).unwrap_err()]
    {
        let error = format!("{error:#}");
        assert!(error.contains("makes no runners on demand") && error.contains("settings.json"), "{error}");
    }
    assert!(settings(&host.places.settings).unwrap().is_none());
    assert!(!host.places.home.exists());
    fs::write(&host.places.settings, "{}").unwrap();
    let error = format!("{:#}", settings(&host.places.settings).unwrap_err());
    assert!(error.contains("settings.json") && error.contains("`version`"), "{error}");
}

#[test]
fn what_stops_everything_new_holds_until_it_is_taken_back() {
    let host = Host::new();
    let now_stopped = || stopped(&host.dir()).unwrap();
    stop(&host.places, Some(" we move house ")).unwrap();
    assert_eq!(now_stopped().as_deref(), Some("we move house"));
    let file = host.places.home.join("stopped");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&host.places.home).unwrap().permissions().mode() & 0o777, 0o700);
    stop(&host.places, None).unwrap();
    assert_eq!(now_stopped().as_deref(), Some(NO_TEXT));
    assert!(start(&host.places).unwrap());
    assert!(!start(&host.places).unwrap());
    assert_eq!(now_stopped(), None);
}

#[test]
fn a_text_that_callers_cannot_be_told_is_refused() {
    let host = Host::new();
    for text in ["", "  ", "a\nb", "a\u{1b}[2Jb", "a\u{202e}b", &"ü".repeat(201)] {
        assert!(stop(&host.places, Some(text)).unwrap_err().to_string().contains("plain characters"), "{text:?}");
    }
    assert!(!host.places.home.exists());
    stop(&host.places, Some(&"ü".repeat(200))).unwrap();
}

#[test]
fn a_file_of_somebodys_own_making_stops_as_well_and_steers_no_terminal() {
    let host = Host::new();
    let dir = host.dir();
    let file = host.places.home.join("stopped");
    for (content, expected) in
        [(&b""[..], NO_TEXT), (b"\n \n", NO_TEXT), (b"a\x1b[2Jb\n", "a[2Jb"), (b"a\xffb", "a\u{fffd}b")]
    {
        fs::write(&file, content).unwrap();
        assert_eq!(stopped(&dir).unwrap().as_deref(), Some(expected));
    }
    fs::write(&file, "x".repeat(5_000)).unwrap();
    assert_eq!(stopped(&dir).unwrap().unwrap().len(), LONGEST_TEXT);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    assert!(format!("{:#}", stopped(&dir).unwrap_err()).contains("symbolic link"));
}

#[test]
fn an_order_that_is_to_end_is_written_down_and_the_desk_looks() {
    for (state, part) in [
        (State::Accepted, "let go"),
        (State::Launching, "GitHub deletes its runner"),
        (State::Busy, "not cut short: it ends after it, at the latest on 2026-09-21"),
    ] {
        let host = Host::new();
        host.order(state);
        let desk = host.desk();
        let said = end(&host.places, LABEL).unwrap();
        assert!(said.len() == 1 && said[0].contains(part), "{said:?}");
        assert_eq!(desk.join().unwrap().ask, Ask::Status);
        let label = Label::try_from(LABEL.to_owned()).unwrap();
        assert_eq!(ends(&host.dir()).unwrap(), BTreeSet::from([label.clone()]));
        let mode = fs::metadata(host.places.home.join("ends")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(host.places.home.join("ends/od-1-a.new"), "").unwrap();
        for _ in 0..2 {
            forget_end(&host.dir(), &label).unwrap();
            assert!(ends(&host.dir()).unwrap().is_empty());
        }
    }
}

#[test]
fn what_cannot_end_is_named_and_nothing_is_written() {
    let host = Host::new();
    host.order(State::Ended);
    for label in [LABEL, "od-1-other", "../stopped", "A", ""] {
        let error = format!("{:#}", end(&host.places, label).unwrap_err());
        assert!(error.contains("There is no order") && error.contains("on-demand list"), "{error}");
    }
    assert!(ends(&host.dir()).unwrap().is_empty());
    forget_end(&host.dir(), &Label::try_from(LABEL.to_owned()).unwrap()).unwrap();
}

#[test]
fn a_desk_that_does_not_answer_is_told_and_the_wish_stays() {
    let host = Host::new();
    host.order(State::Online);
    let error = format!("{:#}", end(&host.places, LABEL).unwrap_err());
    assert!(error.contains("will be done") && error.contains("github-runner-on-demand.socket"), "{error}");
    assert_eq!(ends(&host.dir()).unwrap().len(), 1);
}

#[test]
fn a_look_changes_nothing_and_finds_what_is_owed() {
    let host = Host::new();
    assert!(look(&host.places.home, 0).unwrap().pages.orders.is_empty());
    assert!(!host.places.home.exists());
    home(&host.places).unwrap();
    assert!(look(&host.places.home, 0).unwrap().pages.orders.is_empty());
    assert_eq!(fs::read_dir(&host.places.home).unwrap().count(), 0);
    host.order(State::Ended);
    let ended = serde_json::from_str::<Order>(ORDER).unwrap().since;
    let name = format!("{LABEL}-x86_64");
    let mut entry: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/ledger-v3.json")).unwrap();
    entry["instance"] = name.clone().into();
    let file = host.places.home.join(format!("registrations/{name}.json"));
    fs::write(&file, entry.to_string()).unwrap();
    let debts = |at| look(&host.places.home, at).unwrap().debts;
    assert_eq!((debts(ended + LATE - 1), debts(ended + LATE)), (0, 1));
    fs::write(&file, "{").unwrap();
    assert_eq!(debts(ended + LATE), 1, "what cannot be read may be owed");
    (entry["runner"], entry["attempt"], entry["leftBehind"]) =
        (serde_json::Value::Null, serde_json::Value::Null, serde_json::json!([]));
    fs::write(&file, entry.to_string()).unwrap();
    assert_eq!(debts(ended + LATE), 0);
    fs::set_permissions(&host.places.home, Permissions::from_mode(0o755)).unwrap();
    assert!(format!("{:#}", look(&host.places.home, 0).unwrap_err()).contains("mode 0700"));
}
