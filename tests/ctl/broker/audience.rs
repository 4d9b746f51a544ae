//! Who can have code run: what GitHub shows of it to the credential of a runner, and nothing that it would refuse anyway.

use github_runners::contract::audience::{Approval, Audience, Reach, Sight};
use github_runners::contract::protocol::{Outcome, Verb};
use serde_json::json;

use super::apps;
use super::harness::{PAT, Reply, Stand};
use crate::github::{App, Fault, Group, Pat};

const REPOSITORY: &str = "https://github.com/octo-org/example";
const ORGANIZATION: &str = "https://github.com/octo-org";
const RULE: &str = "/actions/permissions/fork-pr-contributor-approval";

fn audience(told: Reply) -> Audience {
    let Outcome::Audience(audience) = told.answer.outcome else { panic!("{:?}\n{}", told.answer, told.journal) };
    audience
}

fn public(stand: &Stand) {
    let visibility = [("octo-org/example".into(), "public".into())].into();
    stand.github.change(|state| state.visibility = visibility).unwrap();
}

fn open_group(stand: &Stand, name: &str) {
    let group = Group { allows_public: true, ..Group::new(2, name) };
    stand.github.change(|state| state.groups.push(group)).unwrap();
}

/// What an App may do that was given everything which a look could take.
fn mighty() -> App {
    let mut app = apps::app();
    let more = ["metadata", "organization_administration"].map(|name| (name.into(), "read".into()));
    app.installations[0].permissions.extend(more);
    app
}

#[test]
fn the_rule_of_a_public_repository_is_looked_up_with_token_and_app_alike() {
    for stand in [Stand::at(REPOSITORY), apps::stand(REPOSITORY, apps::app())] {
        public(&stand);
        for (rule, approval) in [
            (None, Approval::FirstTime),
            (Some("first_time_contributors_new_to_github"), Approval::NewToServer),
            (Some("all_external_contributors"), Approval::AllExternal),
        ] {
            let rules = rule.map(|rule| ("repos/octo-org/example".into(), rule.into())).into_iter().collect();
            stand.github.change(|state| state.approval = rules).unwrap();
            let told = stand.ask(&Verb::Audience);
            assert_eq!(told.journal, "Looking up who can have code run: strangers, by pull requests\n");
            let expected = Audience { reach: Sight::Is(Reach::Public), approval: Some(Sight::Is(approval)) };
            assert_eq!(audience(told), expected);
        }
        assert_eq!((stand.count("GET", RULE), stand.count("POST", "/runners")), (3, 0));
    }
}

#[test]
fn an_app_is_asked_for_no_more_than_its_runners_need() {
    for (url, limits) in [
        (REPOSITORY, json!({ "repositories": ["example"], "permissions": { "administration": "write" } })),
        (ORGANIZATION, json!({ "permissions": { "organization_self_hosted_runners": "write" } })),
    ] {
        let mut stand = apps::stand(url, mighty());
        open_group(&stand, "Open");
        public(&stand);
        stand.manifest["registration"]["runnerGroup"] = json!("open");
        let Audience { approval, .. } = audience(stand.ask(&Verb::Audience));
        let records = stand.github.records();
        let made: Vec<_> = records.iter().filter(|record| record.path.ends_with("/access_tokens")).collect();
        assert_eq!((made.len(), &made[0].body), (1, &limits));
        // The rule of an organisation takes a permission that runners do not need, so nobody asks for it.
        let is_organization = url == ORGANIZATION;
        assert_eq!(stand.count("GET", RULE), usize::from(!is_organization));
        assert_eq!(matches!(approval, Some(Sight::Unseen(_))), is_organization, "{approval:?}");
        assert!(records.iter().all(|record| record.status < 300), "{:?}", stand.seen());
    }
}

#[test]
fn private_repositories_are_asked_for_no_rule() {
    for (visibility, reach) in [(None, Reach::Private), (Some("internal"), Reach::Internal)] {
        let stand = Stand::at(REPOSITORY);
        let known = visibility.map(|word| ("octo-org/example".into(), word.into())).into_iter().collect();
        stand.github.change(|state| state.visibility = known).unwrap();
        let told = stand.ask(&Verb::Audience);
        assert_eq!(told.journal, "Looking up who can have code run: people with access\n");
        assert_eq!(audience(told), Audience { reach: Sight::Is(reach), approval: None });
        assert_eq!(stand.seen(), ["GET /repos/octo-org/example 200"]);
    }
}

#[test]
fn the_group_of_the_runner_is_looked_up_and_the_rule_of_the_organisation() {
    let mut stand = Stand::at(ORGANIZATION);
    open_group(&stand, "Open");
    assert_eq!(audience(stand.ask(&Verb::Audience)).reach, Sight::Is(Reach::NonePublicInGroup));
    assert_eq!(stand.count("GET", RULE), 0);
    stand.manifest["registration"]["runnerGroup"] = json!("open");
    let expected = Audience {
        reach: Sight::Is(Reach::PublicInGroup { selected: false }),
        approval: Some(Sight::Is(Approval::FirstTime)),
    };
    assert_eq!(audience(stand.ask(&Verb::Audience)), expected);
    assert_eq!(stand.count("GET", &format!("/orgs/octo-org{RULE}")), 1);
    stand.github.change(|state| state.groups[1].visibility = "selected".into()).unwrap();
    let Audience { reach, .. } = audience(stand.ask(&Verb::Audience));
    assert_eq!(reach, Sight::Is(Reach::PublicInGroup { selected: true }));
}

#[test]
fn what_github_does_not_show_is_a_part_of_the_answer() {
    let stand = Stand::at(REPOSITORY);
    public(&stand);
    for status in [403, 404] {
        stand.inject(Fault::next(RULE, status));
        let Audience { reach, approval } = audience(stand.ask(&Verb::Audience));
        let Some(Sight::Unseen(why)) = approval else { panic!("{approval:?}") };
        assert!(reach == Sight::Is(Reach::Public) && why.contains(&format!("(status {status})")), "{why}");
        stand.inject(Fault::next("/repos/octo-org/example", status));
        let told = stand.ask(&Verb::Audience);
        assert!(told.journal.contains("that cannot be seen, because GitHub does not show it"), "{}", told.journal);
        let Audience { reach, approval } = audience(told);
        assert!(matches!(reach, Sight::Unseen(_)) && approval.is_none());
    }
    let blind = Pat { entities: Some(vec![]), ..Pat::new(PAT) };
    stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(blind))).unwrap();
    assert!(matches!(audience(stand.ask(&Verb::Audience)).reach, Sight::Unseen(why) if why.contains("status 404")));
}

#[test]
fn a_refused_look_leaves_the_token_of_an_app_to_the_other_brokers() {
    let stand = apps::stand(REPOSITORY, apps::app()).sharing();
    public(&stand);
    assert!(matches!(stand.ask(&Verb::Preflight).answer.outcome, Outcome::Ready { .. }));
    stand.inject(Fault::next(RULE, 403));
    assert!(matches!(audience(stand.ask(&Verb::Audience)).approval, Some(Sight::Unseen(_))));
    assert!(matches!(stand.ask(&Verb::Preflight).answer.outcome, Outcome::Ready { .. }));
    assert_eq!(stand.count("POST", "/access_tokens"), 1);
}
