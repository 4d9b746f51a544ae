//! What GitHub says itself about a refusal, where it says more than that something is missing. Pure.
//!
//! Its words are no interface, so they only choose a sentence, never what is done. Most were seen in reports of others;
//! that about disabled runners is a guess. Whatever is not known here is passed on as it is.

use super::names::{named, owner};
use crate::model::{RegistrationUrl, Scope, shown};

/// What GitHub says where it says no more than the status does.
const EMPTY: [&str; 7] = [
    "not found",
    "forbidden",
    "bad credentials",
    "requires authentication",
    "resource not accessible by integration",
    "resource not accessible by personal access token",
    "must have admin rights to repository.",
];

/// Whether a refusal says anything of its own.
#[must_use]
pub fn is_telling(message: &str) -> bool {
    let message = message.trim().to_ascii_lowercase();
    !message.is_empty() && !EMPTY.contains(&message.as_str())
}

/// The sentences about a refusal that is known by its words. No permission of the credential would help.
#[must_use]
pub fn known(message: &str, url: &RegistrationUrl) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    let says = |part: &str| lower.contains(part);
    let account = shown(owner(url.scope()));
    let what = named(url.scope());
    let sentence = if says("ip allow list") {
        format!(
            "{account} lets only listed addresses in, and the one by which this host reaches GitHub is none of them: have an owner add it to the IP allow list, under \"Authentication security\" in the settings of {account}."
        )
    } else if says("self-hosted runners") && (says("disabled") || says("not allowed")) {
        let where_else = match url.scope() {
            Scope::Repository(owner, _) => format!(", or set `url` to https://{}/{owner}", url.host()),
            _ => String::new(),
        };
        format!(
            "Self-hosted runners are disabled for {what}: have an owner allow them, under \"Actions\", \"General\" in the settings of {account}{where_else}."
        )
    } else if says("archived") {
        format!(
            "{} is archived, so that nothing runs there any more: have it unarchived, or remove this runner.",
            capitalised(&what)
        )
    } else if says("forbids access via a personal access token (classic)") {
        format!(
            "{account} admits no classic access tokens: use a GitHub App (`githubApp`) or a fine-grained token in the file of `tokenFile`, or have an owner admit them, under \"Personal access tokens\" in the settings of {account}."
        )
    } else if says("forbids access via a fine-grained personal access token") && says("lifetime") {
        let way = link(message, url).map_or_else(
            || "give it a shorter one under \"Fine-grained tokens\" in the settings of its owner".into(),
            |link| format!("give it a shorter one at {link}"),
        );
        format!("{account} admits no fine-grained access tokens that are good for so long as this one: {way}.")
    } else if says("forbids access via a fine-grained personal access token") {
        format!(
            "{account} admits no fine-grained access tokens: use a GitHub App (`githubApp`) or a classic token in the file of `tokenFile`, or have an owner admit them, under \"Personal access tokens\" in the settings of {account}."
        )
    } else if says("suspended") && says("account") {
        "The account that the credential belongs to is suspended: have GitHub's support or the administrator of the server end that, or use the credential of another account.".into()
    } else if says("suspended") {
        suspended(url)
    } else {
        return None;
    };
    Some(format!("{sentence} GitHub says {}.", words(message, url)))
}

/// An installation that its owner stopped.
#[must_use]
pub fn suspended(url: &RegistrationUrl) -> String {
    format!(
        "The installation of the App in the account {} is suspended: its owner can end that under \"GitHub Apps\" in the settings of the account.",
        shown(owner(url.scope()))
    )
}

/// GitHub's words in quotes, cut if they are long; what was cut off keeps its link.
#[must_use]
pub fn words(message: &str, url: &RegistrationUrl) -> String {
    let short = shown(message);
    match link(message, url) {
        Some(link) if !short.contains(link) => format!("{short} ({link})"),
        _ => short,
    }
}

/// The first link to a page of the server itself, or to its manual. Nobody is sent anywhere else.
fn link<'m>(message: &'m str, url: &RegistrationUrl) -> Option<&'m str> {
    const LONGEST: usize = 300;
    let hosts = [format!("https://{}/", url.host()), "https://docs.github.com/".into()];
    message.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '(' | ')')).find_map(|word| {
        let word = word.trim_end_matches(['.', ',', ';', ':']);
        let is_plain = word.len() <= LONGEST && word.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && hosts.iter().any(|host| word.starts_with(host.as_str()))).then_some(word)
    })
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> RegistrationUrl {
        RegistrationUrl::parse("https://github.com/octo-org/example").unwrap()
    }

    #[test]
    fn each_reason_has_its_own_way_out() {
        for (message, parts) in [
            (
                "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
                ["lets only listed addresses in", "add it to the IP allow list"],
            ),
            (
                "Repository level self-hosted runners are disabled on this repository.",
                ["are disabled for repository \"octo-org/example\"", "or set `url` to https://github.com/octo-org."],
            ),
            ("Repository was archived so is read-only.", ["Repository \"octo-org/example\" is archived", "unarchived"]),
            (
                "`octo-org` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
                ["admits no classic access tokens", "use a GitHub App (`githubApp`) or a fine-grained token"],
            ),
            (
                "`octo-org` forbids access via a fine-grained personal access token.",
                ["admits no fine-grained access tokens:", "or a classic token"],
            ),
            (
                "The 'octo-org' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days. Please adjust your token's lifetime at the following URL: https://github.com/settings/personal-access-tokens/1234567",
                ["good for so long", "a shorter one at https://github.com/settings/personal-access-tokens/1234567."],
            ),
            ("Sorry. Your account was suspended.", ["account that the credential belongs to is suspended", "support"]),
            ("This installation has been suspended", ["installation of the App in the account", "its owner can end"]),
        ] {
            let text = known(message, &repository()).unwrap();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(text.ends_with('.') && !text.contains("give it the"), "{text}");
        }
        for message in ["Not Found", "Resource not accessible by integration", "Validation Failed", ""] {
            assert_eq!(known(message, &repository()), None, "{message}");
        }
    }

    #[test]
    fn words_that_are_cut_keep_their_link_but_lead_nobody_elsewhere() {
        let long = |link: &str| format!("{} see {link}.", "x".repeat(300));
        let text = words(&long("https://docs.github.com/rest"), &repository());
        assert!(text.ends_with("… (https://docs.github.com/rest)"), "{text}");
        assert!(words(&long("https://github.com/a?b=c"), &repository()).ends_with("(https://github.com/a?b=c)"));
        for link in ["https://evil.example/x", "https://github.com.evil.example/x", "https://github.com/\u{1b}[31m"] {
            assert!(words(&long(link), &repository()).ends_with('…'), "{link}");
        }
        assert_eq!(words("see https://docs.github.com/rest", &repository()), "\"see https://docs.github.com/rest\"");
    }

    #[test]
    fn what_only_repeats_the_status_tells_nothing() {
        for message in ["Not Found", "Resource not accessible by personal access token", " ", ""] {
            assert!(!is_telling(message), "{message}");
        }
        assert!(is_telling("You must enable two-factor authentication."));
    }
}
