//! Refusals of GitHub come with the way out.

use github_runners::contract::protocol::{Issue, Verb, Whom};

use super::harness::{PAT, Stand, URL};
use crate::github::{Fault, Pat};

const REPOSITORY: &str = "https://github.com/octo-org/example";

#[test]
fn a_token_with_limits_is_told_what_it_lacks() {
    let seeing = |entities: &[&str]| Some(entities.iter().map(|entity| (*entity).into()).collect());
    for (url, pat, parts) in [
        (URL, Pat { expires: Some(1), ..Pat::new(PAT) }, ["has expired, was revoked", "tokenFile"]),
        (URL, Pat { permission: false, ..Pat::new(PAT) }, ["\"Self-hosted runners: Read and write\"", "organisation"]),
        (REPOSITORY, Pat { permission: false, ..Pat::new(PAT) }, ["\"Administration: Read and write\"", "repository"]),
        (URL, Pat { sso_required: true, ..Pat::new(PAT) }, ["open https://github.com/orgs/octo-org/sso", "authorise"]),
        (
            REPOSITORY,
            Pat { entities: seeing(&[]), ..Pat::new(PAT) },
            ["may not see or not administer", "correct `url`"],
        ),
        (URL, Pat { entities: seeing(&[]), ..Pat::new(PAT) }, ["may not see the runners of", "\"octo-org\""]),
    ] {
        let stand = Stand::at(url);
        stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(pat))).unwrap();
        for verb in [Verb::Preflight, Verb::Issue(Issue::Token), Verb::Observe(Whom::Id { id: 7, url: url.into() })] {
            let text = stand.ask(&verb).refusal();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}

#[test]
fn a_user_and_a_typing_error_are_told_from_an_organisation() {
    let stand = Stand::new();
    stand
        .github
        .change(|state| (state.entities.push("orgs/other".into()), state.users.push("octo-org".into())))
        .unwrap();
    let text = stand.ask(&Verb::Preflight).refusal();
    assert!(text.contains("account of a user") && text.contains("https://github.com/octo-org/REPOSITORY"), "{text}");
    stand.github.change(|state| state.users.clear()).unwrap();
    assert!(stand.ask(&Verb::Preflight).refusal().contains("There is no organisation \"octo-org\""));
}

#[test]
fn refusals_are_never_repeated() {
    for status in [401, 403, 404, 422] {
        let stand = Stand::at(REPOSITORY);
        stand.inject(Fault { times: 9, ..Fault::next("", status) });
        stand.ask(&Verb::Issue(Issue::Token)).refusal();
        assert_eq!(stand.seen().len(), 1, "{status}");
    }
}

#[test]
fn the_reason_of_a_refusal_comes_before_any_advice() {
    let link = "https://github.com/settings/personal-access-tokens/1234567";
    let lifetime = format!(
        "The 'octo-org' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days. Please adjust your token's lifetime at the following URL: {link}"
    );
    for (status, message, part) in [
        (
            403,
            "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
            "add it to the IP allow list",
        ),
        (403, "Repository level self-hosted runners are disabled on this repository.", "have an owner allow them"),
        (403, "Repository was archived so is read-only.", "is archived"),
        (403, "`octo-org` forbids access via a personal access token (classic).", "admits no classic access tokens"),
        (403, lifetime.as_str(), link),
        (403, "Sorry. Your account was suspended.", "is suspended"),
        (404, "Repository was archived so is read-only.", "is archived"),
    ] {
        let stand = Stand::at(REPOSITORY);
        stand.inject(Fault { message: message.into(), times: 9, ..Fault::next("/actions/runners", status) });
        let text = stand.ask(&Verb::Issue(Issue::Token)).refusal();
        assert!(text.contains(part) && !text.contains("give it the scope"), "{text}");
    }
}

#[test]
fn what_github_says_cannot_disturb_the_journal() {
    let stand = Stand::at(REPOSITORY);
    stand.inject(Fault { message: format!("a\n<0>b\u{1b}[31m{}", "x".repeat(9_999)), ..Fault::next("", 422) });
    let told = stand.ask(&Verb::Issue(Issue::Token));
    assert_eq!(told.journal.lines().count(), 1);
    assert!(told.journal.len() < 500 && !told.journal.contains('\u{1b}'), "{}", told.journal);
}
