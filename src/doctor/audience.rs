//! Who can have a runner run their code, in words. Pure.
//!
//! What the server does not show is told and no fault: the credential is good for runners, and need not be for this.

use super::finding::Finding;
use crate::contract::audience::{Approval, Audience, Reach, Sight};
use crate::contract::fleet::Trust;
use crate::contract::protocol::{Answer, Outcome};
use crate::model::{Registration, RunnerGroup, Scope, shown};
use crate::registration::retire::reason;

const TOPIC: &str = "pull requests";

/// Judges what a broker said about a runner that is registered so and trusted so.
#[must_use]
pub fn finding(registration: &Registration, trust: Option<Trust>, answer: &Answer) -> Finding {
    let unseen = |why: &str| {
        Finding::good(TOPIC, format!("whether strangers can open some that run here cannot be seen, because {why}"))
    };
    let (reach, approval) = match &answer.outcome {
        Outcome::Audience(Audience { reach: Sight::Is(reach), approval }) => (*reach, approval.as_ref()),
        Outcome::Audience(Audience { reach: Sight::Unseen(why), .. }) => return unseen(why),
        outcome => return unseen(&reason(outcome)),
    };
    let what = served(registration, reach);
    let is_open = matches!(reach, Reach::Public | Reach::PublicInGroup { .. });
    if is_open && trust == Some(Trust::Untrusted) {
        return Finding::good(TOPIC, format!("{what}, and jobs are not trusted (`trust = \"untrusted\"`)"));
    }
    if !is_open {
        return Finding::good(TOPIC, what);
    }
    let said = format!("{what}; {}", who(registration.url.scope(), approval));
    // The rule is the last of the ways out, and this one is taken.
    if approval == Some(&Sight::Is(Approval::AllExternal)) {
        return Finding::good(TOPIC, said);
    }
    Finding::warning(TOPIC, said, way_out(registration, reach))
}

/// What the runner serves, and for whom that is open.
fn served(registration: &Registration, reach: Reach) -> String {
    let name = match registration.url.scope() {
        Scope::Repository(owner, name) => shown(&format!("{owner}/{name}")),
        Scope::Organization(name) | Scope::Enterprise(name) => shown(name),
    };
    let group = match &registration.runner_group {
        Some(group) => format!("runner group {} of {name}", shown(RunnerGroup::as_str(group))),
        None => format!("the default runner group of {name}"),
    };
    match reach {
        Reach::Public => format!("{name} is public"),
        Reach::Collaborators => format!("{name} is public, but only its collaborators open pull requests"),
        Reach::Internal => format!("{name} is internal, so only people of its enterprise open pull requests"),
        Reach::Private => format!("{name} is private, so only people with access open pull requests"),
        Reach::PublicInGroup { selected: false } => format!("{group} lets public repositories in"),
        Reach::PublicInGroup { selected: true } => {
            format!("{group} lets public repositories in, those that were selected for it")
        }
        Reach::NonePublicInGroup => format!("{group} lets no public repository in"),
    }
}

/// Who has code run by a pull request, and what of it waits.
fn who(scope: &Scope, approval: Option<&Sight<Approval>>) -> String {
    let (what, rule) = match approval {
        Some(Sight::Is(Approval::NewToServer)) => (
            "the code of whoever opens a pull request runs here at once, and only that of new accounts that had nothing merged yet waits for an approval",
            "first_time_contributors_new_to_github",
        ),
        Some(Sight::Is(Approval::FirstTime)) => (
            "the code of whoever had anything merged once, be it a typo, runs here at once by a pull request, and that of all others after an approval",
            "first_time_contributors",
        ),
        Some(Sight::Is(Approval::AllExternal)) => {
            ("the code of a stranger's pull request runs here after an approval only", "all_external_contributors")
        }
        unseen => {
            let why = match unseen {
                Some(Sight::Unseen(why)) => why,
                _ => "its broker does not tell",
            };
            return format!(
                "whoever opens a pull request can have code run here, and whether that waits for an approval cannot be seen, because {why}"
            );
        }
    };
    let whose = match scope {
        Scope::Repository(..) => "",
        Scope::Organization(_) | Scope::Enterprise(_) => " of the organisation, from which a repository can differ",
    };
    format!("{what} (rule `{rule}`{whose})")
}

fn way_out(registration: &Registration, reach: Reach) -> String {
    let page = registration.url.settings_page();
    let page = page.trim_end_matches("/runners");
    let group = match reach {
        Reach::PublicInGroup { .. } => "take public repositories out of the group, ",
        _ => "",
    };
    format!(
        "{group}set `trust = \"untrusted\"`, or have a machine made for each job (`services.github-runner-on-demand`); at least let GitHub \"Require approval for all external contributors\" at {page}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::manifest::Manifest;
    use crate::doctor::finding::Level;
    use crate::model::RegistrationUrl;

    fn registration(url: &str) -> Registration {
        let manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        Registration { url: RegistrationUrl::parse(url).unwrap(), runner_group: None, ..manifest.registration }
    }

    fn judged(url: &str, reach: Reach, approval: Option<Sight<Approval>>, trust: Option<Trust>) -> Finding {
        let outcome = Outcome::Audience(Audience { reach: Sight::Is(reach), approval });
        finding(&registration(url), trust, &Answer::unasked(outcome))
    }

    const REPOSITORY: &str = "https://github.com/octo-org/example";
    const ORGANIZATION: &str = "https://github.com/octo-org";

    #[test]
    fn a_public_repository_is_warned_of_with_its_rule() {
        for (approval, level, part) in [
            (Some(Sight::Is(Approval::NewToServer)), Level::Warning, "`first_time_contributors_new_to_github`)"),
            (Some(Sight::Is(Approval::FirstTime)), Level::Warning, "(rule `first_time_contributors`)"),
            (Some(Sight::Is(Approval::AllExternal)), Level::Good, "(rule `all_external_contributors`)"),
            (Some(Sight::Unseen("WHY".into())), Level::Warning, "cannot be seen, because WHY"),
            (None, Level::Warning, "cannot be seen"),
        ] {
            let found = judged(REPOSITORY, Reach::Public, approval.clone(), None);
            assert!(found.said.starts_with("\"octo-org/example\" is public; "), "{found:?}");
            assert!(found.level == level && found.said.contains(part), "{found:?}");
            let remedy = found.remedy.unwrap_or_default();
            assert_eq!(
                remedy.ends_with("at https://github.com/octo-org/example/settings/actions"),
                level != Level::Good
            );
            let found = judged(REPOSITORY, Reach::Public, approval, Some(Trust::Untrusted));
            assert!(found.level == Level::Good && found.said.contains("`trust = \"untrusted\"`"), "{found:?}");
        }
    }

    #[test]
    fn what_is_closed_to_strangers_is_good() {
        for (url, reach, part) in [
            (REPOSITORY, Reach::Private, "is private"),
            (REPOSITORY, Reach::Internal, "is internal"),
            (REPOSITORY, Reach::Collaborators, "only its collaborators"),
            (ORGANIZATION, Reach::NonePublicInGroup, "default runner group of \"octo-org\" lets no public"),
        ] {
            let found = judged(url, reach, None, None);
            assert!(found.level == Level::Good && found.said.contains(part), "{found:?}");
        }
    }

    #[test]
    fn a_group_with_public_repositories_is_warned_of_by_its_name() {
        for (selected, part) in [(false, "lets public repositories in; "), (true, "those that were selected for it; ")]
        {
            let approval = Some(Sight::Is(Approval::FirstTime));
            let found = judged(ORGANIZATION, Reach::PublicInGroup { selected }, approval, None);
            assert!(found.level == Level::Warning && found.said.contains(part), "{found:?}");
            assert!(found.said.contains("`first_time_contributors` of the organisation"), "{found:?}");
            let remedy = found.remedy.unwrap();
            assert!(remedy.starts_with("take public repositories out of the group, set `trust"), "{remedy}");
            assert!(remedy.ends_with("at https://github.com/organizations/octo-org/settings/actions"), "{remedy}");
        }
        let mut registration = registration(ORGANIZATION);
        registration.runner_group = serde_json::from_value("Big".into()).unwrap();
        let audience = Audience { reach: Sight::Is(Reach::PublicInGroup { selected: false }), approval: None };
        let found = finding(&registration, None, &Answer::unasked(Outcome::Audience(audience)));
        assert!(found.said.starts_with("runner group \"Big\" of \"octo-org\" lets"), "{found:?}");
    }

    #[test]
    fn what_cannot_be_seen_is_told_and_no_fault() {
        let unseen = Audience { reach: Sight::Unseen("it is dark".into()), approval: None };
        for (outcome, part) in [
            (Outcome::Audience(unseen), "because it is dark"),
            (
                Outcome::Refused("The broker does not understand the question.".into()),
                "does not understand the question",
            ),
            (Outcome::Unreachable("its broker did not answer".into()), "did not answer"),
            (Outcome::RateLimited(1_790_000_000), "rate limit"),
            (Outcome::Gone, "something else than it was asked"),
        ] {
            let found = finding(&registration(REPOSITORY), None, &Answer::unasked(outcome));
            assert!(found.level == Level::Good && found.said.contains(part), "{found:?}");
        }
    }
}
