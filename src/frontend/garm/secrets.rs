//! Takes the secrets of a call out of sentences. Pure.
//!
//! A server may repeat what it was sent, whole or cut, and GARM shows errors to everybody who may look at runners. So the tokens
//! are taken out in each form in which they were sent, and long beginnings of them, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::bootstrap::{Bootstrap, Secret};

/// A shorter beginning of a secret can stand anywhere, and tells nothing.
const SHORTEST: usize = 6;

/// Every form in which a secret of a call can come back.
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a new instance: the tokens, and what proxies are given to know their users.
    #[must_use]
    pub fn of(bootstrap: &Bootstrap) -> Self {
        let tokens = bootstrap.tools.iter().map(|tool| &tool.token).chain([&bootstrap.instance_token]);
        let tokens = tokens.map(Secret::expose);
        let proxies = [&bootstrap.proxy.http, &bootstrap.proxy.https].into_iter().filter_map(|url| credential(url));
        let all = tokens.chain(proxies).filter(|secret| secret.len() >= SHORTEST);
        let mut forms: Vec<String> = all.flat_map(forms).collect();
        // A long one may have a shorter one in it.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms)
    }

    /// `text` without them.
    #[must_use]
    pub fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            let text = text.replace(secret.as_str(), "***");
            // Whoever cut the text may have cut it here.
            let cut = (SHORTEST..secret.len()).rev().find_map(|end| {
                let part = secret.get(..end)?;
                text.strip_suffix('…').unwrap_or(&text).ends_with(part).then_some(part)
            });
            cut.map_or_else(|| text.clone(), |part| text.replace(part, "***"))
        })
    }
}

/// The name and password of an address.
fn credential(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.rsplit_once('@')?.0)
}

/// A secret as it is, and within a longer text in base64, where it can begin at each of three places.
fn forms(secret: &str) -> impl Iterator<Item = String> {
    let encoded = (0..3).map(move |place| {
        let text = STANDARD_NO_PAD.encode([&vec![0; place], secret.as_bytes()].concat());
        // The letters at both ends are of what stands beside it, too.
        let (first, last) = ([0, 2, 3][place], (place + secret.len()) / 3 * 4);
        text.get(first..last).unwrap_or_default().to_owned()
    });
    [secret.to_owned()].into_iter().chain(encoded).filter(|form| form.len() >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        let input = json!({
            "name": "garm-1", "image": "x", "instance-token": "fake-instance-token",
            "tools": [{"temp_download_token": "fake-download-token"}, {}],
            "proxy_config": {"http_proxy": "http://me:fake-password@proxy:1"},
        });
        Secrets::of(&Bootstrap::parse(input.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn whole_secrets_are_taken_out() {
        let text =
            "Invalid config: fake-instance-token and fake-download-token, http://me:fake-password@proxy:1".to_owned();
        assert_eq!(secrets().hide(text), "Invalid config: *** and ***, http://***@proxy:1");
    }

    #[test]
    fn a_secret_that_was_cut_is_taken_out_as_well() {
        for (text, clean) in [
            ("config fake-instance-tok…", "config ***…"),
            ("config fake-insta", "config ***"),
            ("config fake-i…", "config ***…"),
            ("config fake", "config fake"),
        ] {
            assert_eq!(secrets().hide(text.into()), clean);
        }
    }

    proptest! {
        #[test]
        fn no_text_around_it_keeps_a_secret_in_base64(before in "[a-z ]{0,9}", after in "[a-z ]{0,9}") {
            let text = STANDARD.encode(format!("{before}fake-instance-token{after}"));
            let hidden = secrets().hide(format!("Invalid user.user-data {text}"));
            prop_assert!(hidden.contains("***"), "{}", hidden);
            // Of its 26 letters those at the ends that stand for what is beside it as well are left.
            let kept = hidden.replace("***", "");
            prop_assert!(kept.len() + 22 <= "Invalid user.user-data ".len() + text.len(), "{}", hidden);
        }

        #[test]
        fn no_text_is_a_danger(text in "\\PC{0,60}") {
            _ = secrets().hide(text);
        }
    }
}
