//! Who can have code run by a pull request: a warning where it is a stranger, unless the runner is for that.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use github_runners::contract::audience::{Approval, Audience, Reach, Sight};
use github_runners::contract::protocol::Outcome;
use github_runners::doctor::{Level, Report};
use serde_json::json;

use super::practice::{Practice, of, only};
use crate::broker::harness::{PAT, Stand};
use crate::github::Fault;
use crate::server::Server;

const TOPIC: &str = "pull requests";
const REPOSITORY: &str = "https://github.com/octo-org/example";

fn answers(server: &Server, reach: Reach, approval: Option<Sight<Approval>>) {
    server.state().audience = Some(Outcome::Audience(Audience { reach: Sight::Is(reach), approval }));
}

/// What is said of it, of which there is one line.
#[track_caller]
fn good(report: &Report) -> &str {
    assert_eq!((report.count(Level::Fault), of(report, Level::Warning, TOPIC).len()), (0, 0), "{report:#?}");
    let [finding] = of(report, Level::Good, TOPIC)[..] else { panic!("{report:#?}") };
    assert_eq!(finding.remedy, None);
    &finding.said
}

#[test]
fn a_runner_of_a_public_repository_is_warned_of_unless_it_is_for_that() {
    let (mut practice, server) = Practice::with_server();
    answers(&server, Reach::Public, Some(Sight::Is(Approval::FirstTime)));
    let report = practice.check();
    only(&report, Level::Warning, TOPIC, "(rule `first_time_contributors`) → set `trust = \"untrusted\"`");
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
    assert_eq!(server.asked(), "preflight, audience");
    practice.fleet["instances"][0]["trust"] = json!("untrusted");
    practice.write();
    assert!(good(&practice.check()).contains("is public, and jobs are not trusted"));
}

#[test]
fn what_strangers_do_not_reach_is_good_and_so_is_what_waits_for_an_approval() {
    let (practice, server) = Practice::with_server();
    assert!(good(&practice.check()).contains("is private"));
    answers(&server, Reach::Public, Some(Sight::Is(Approval::AllExternal)));
    assert!(good(&practice.check()).contains("after an approval only"));
}

#[test]
fn a_group_of_an_organisation_is_warned_of_by_its_name() {
    let (mut practice, server) = Practice::with_server();
    *practice.host.registration("url") = json!("https://github.com/octo-org");
    *practice.host.registration("runnerGroup") = json!("Big");
    practice.write();
    answers(&server, Reach::PublicInGroup { selected: false }, Some(Sight::Unseen("it is dark".into())));
    let report = practice.check();
    let [found] = of(&report, Level::Warning, TOPIC)[..] else { panic!("{report:#?}") };
    assert!(found.said.starts_with("runner group \"Big\" of \"octo-org\" lets public repositories in; "), "{found:?}");
    assert!(found.said.ends_with("because it is dark"), "{found:?}");
    answers(&server, Reach::NonePublicInGroup, None);
    assert!(good(&practice.check()).contains("lets no public repository in"));
}

#[test]
fn what_cannot_be_seen_is_said_so_and_a_broker_of_before_is_no_fault() {
    let (practice, server) = Practice::with_server();
    let not_understood = "The broker does not understand the question: ask it with a helper of its release.";
    for outcome in [
        Outcome::Refused(not_understood.into()),
        Outcome::Unreachable("github.com has no address".into()),
        Outcome::RateLimited(1_790_000_000),
        Outcome::Audience(Audience { reach: Sight::Unseen("of a status".into()), approval: None }),
    ] {
        server.state().audience = Some(outcome);
        assert!(good(&practice.check()).contains("cannot be seen, because "));
    }
}

#[test]
fn nothing_is_asked_about_an_enterprise_nor_where_the_credential_is_not_good() {
    let (mut practice, server) = Practice::with_server();
    server.state().instead = Some(Outcome::Unreachable("github.com has no address".into()));
    assert!(practice.check().findings().all(|finding| finding.topic != TOPIC));
    assert_eq!(server.asked(), "preflight");
    server.state().instead = None;
    *practice.host.registration("url") = json!("https://github.com/enterprises/octo");
    practice.write();
    assert!(practice.check().findings().all(|finding| finding.topic != TOPIC));
    assert_eq!(server.asked(), "preflight");
}

/// What the doctor says whose questions the built broker answers, by what `stand`'s GitHub says.
fn with_broker(practice: &Practice, stand: &Stand) -> Report {
    let socket = practice.places.sockets.join("runner1");
    fs::remove_file(&socket).ok();
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    // As systemd does: one for the credential, and one for this.
    let programs = [stand.program(), stand.program()];
    std::thread::spawn(move || {
        for mut program in programs {
            let stream = listener.accept().unwrap().0;
            program.stdin(OwnedFd::from(stream.try_clone().unwrap())).stdout(OwnedFd::from(stream));
            assert!(program.stderr(Stdio::null()).status().unwrap().success());
        }
    });
    practice.check()
}

#[test]
fn what_github_says_arrives_by_the_broker_that_holds_the_credential() {
    let (practice, _server) = Practice::with_server();
    let stand = Stand::at(REPOSITORY);
    assert!(good(&with_broker(&practice, &stand)).contains("is private"));
    let visibility = [("octo-org/example".into(), "public".into())].into();
    stand.github.change(|state| state.visibility = visibility).unwrap();
    let report = with_broker(&practice, &stand);
    only(&report, Level::Warning, TOPIC, "runs here at once by a pull request");
    assert!(!format!("{report:?}").contains(PAT));
    stand.inject(Fault::next("/fork-pr-contributor-approval", 403));
    only(&with_broker(&practice, &stand), Level::Warning, TOPIC, "cannot be seen, because GitHub does not show it");
    let approval = [("repos/octo-org/example".into(), "all_external_contributors".into())].into();
    stand.github.change(|state| state.approval = approval).unwrap();
    assert!(good(&with_broker(&practice, &stand)).contains("after an approval only"));
}
