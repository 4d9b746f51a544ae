//! The way to GitHub: through whom, and whom to believe there.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Instant;

use github_runners::contract::protocol::{Outcome, Verb};
use serde_json::json;

use super::harness::{Reply, Stand, finish, start_with};
use crate::github::{Identity, Odd, Tls};
use crate::times::PATIENCE;

/// Asks a broker of `stand` with these variables besides, of which an empty one is taken away.
fn ask(stand: &Stand, variables: &[(&str, &str)]) -> Reply {
    ask_for(stand, variables, PATIENCE)
}

/// The same with so many seconds of patience.
fn ask_for(stand: &Stand, variables: &[(&str, &str)], patience: u64) -> Reply {
    let mut program = stand.program();
    for (name, value) in variables {
        if value.is_empty() {
            program.env_remove(name)
        } else {
            program.env(name, value)
        };
    }
    let question = json!({ "version": 1, "instance": "runner1", "patience": patience, "verb": Verb::Preflight });
    finish(start_with(&mut program, &format!("{question}\n")), Instant::now())
}

fn is_ready(told: &Reply) -> bool {
    matches!(told.answer.outcome, Outcome::Ready { .. })
}

/// A proxy that gives every connection this answer.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            // The client may be gone.
            _ = client.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn the_variables_of_other_schemes_do_not_disturb_the_way() {
    let stand = Stand::new();
    let others =
        [("all_proxy", "socks5://me:hidden@127.0.0.1:1"), ("ALL_PROXY", "%"), ("http_proxy", "http://127.0.0.1:1")];
    assert!(is_ready(&ask(&stand, &others)));
    let proxy = format!(" {} ", stand.github.proxy_url().unwrap());
    assert!(is_ready(&ask(
        &stand,
        &[("https_proxy", ""), ("HTTPS_PROXY", &proxy), ("HTTP_PROXY", "http://127.0.0.1:1")]
    )));
}

#[test]
fn who_is_to_be_reached_directly_is_reached_directly() {
    let stand = Stand::at("https://ghes.example/octo-org");
    // There is no such host, so that the name of a host without an address is what is met.
    for list in ["localhost, ghes.example", "example", ".example", "ghes.example:443"] {
        let text = ask_for(&stand, &[("no_proxy", list)], 1).unreachable();
        assert!(!text.contains("proxy"), "{list}: {text}");
    }
    assert!(stand.github.proxied_hosts().is_empty());
    assert!(is_ready(&ask(&stand, &[("no_proxy", "other.example, api.github.com")])));
}

#[test]
fn a_proxy_that_wants_a_password_is_told_at_once_and_keeps_it() {
    let stand = Stand::new();
    let wants = answering("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n");
    let with_password = wants.replace("http://", "http://me:hidden@");
    for (proxy, parts) in [
        (wants.as_str(), ["wants a name and a password (status 407)", "write https_proxy as"]),
        (&with_password, ["does not accept its name and password (status 407)", "correct them in https_proxy"]),
    ] {
        let told = ask(&stand, &[("https_proxy", proxy)]);
        assert!(!told.journal.contains("hidden"), "{}", told.journal);
        let text = told.unreachable();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

#[test]
fn the_certificates_that_nix_names_are_believed() {
    let stand = Stand::new();
    let ca = stand.github.ca_file().unwrap();
    let ca = ca.to_str().unwrap();
    assert!(is_ready(&ask(&stand, &[("SSL_CERT_FILE", ""), ("NIX_SSL_CERT_FILE", ca)])));
    assert!(is_ready(&ask(&stand, &[("SSL_CERT_FILE", "/dev/null"), ("NIX_SSL_CERT_FILE", ca)])));
    let text = ask(&stand, &[("NIX_SSL_CERT_FILE", "/missing/ca.pem")]).refusal();
    assert!(text.contains("NIX_SSL_CERT_FILE names \"/missing/ca.pem\"") && text.contains("No such file"), "{text}");
}

/// A broker that trusts just the certificate that the server shows.
fn trusting(odd: Odd) -> (Stand, PathBuf) {
    let identity = Identity::alone(&["api.github.com".into()], odd).unwrap();
    let stand = Stand::with(Tls { listen: None, identity: identity.clone() });
    let directory = stand.directory().join("trusted");
    let [_, certificate, _] = identity.write(&directory).unwrap();
    (stand, certificate)
}

#[test]
fn a_certificate_out_of_its_time_points_to_the_clock() {
    for (odd, part) in [(Odd::Over, "expired at 2001-"), (Odd::ToCome, "is good from 4001-")] {
        let (stand, certificate) = trusting(odd);
        let text = ask(&stand, &[("SSL_CERT_FILE", certificate.to_str().unwrap())]).unreachable();
        assert!(text.contains(part) && text.contains("by the clock of this host, which says 20"), "{text}");
        assert!(text.contains("set the clock if that is wrong"), "{text}");
    }
}

#[test]
fn a_trusted_certificate_of_a_form_that_is_not_accepted_is_told_with_the_way_out() {
    for (odd, parts) in [
        (Odd::Authority, ["one of an authority (CA:TRUE)", "signed by that authority and with CA:FALSE"]),
        (Odd::CommonNameOnly, ["by its common name only", "with a subject alternative name"]),
    ] {
        let (stand, certificate) = trusting(odd);
        let text = ask(&stand, &[("SSL_CERT_FILE", certificate.to_str().unwrap())]).unreachable();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

#[test]
fn that_the_runner_is_to_believe_everybody_holds_for_no_broker_and_that_is_told() {
    let stand = Stand::new();
    let other = tempfile::tempdir().unwrap();
    let [ca, ..] = Identity::make(&["api.github.com".into()]).unwrap().write(other.path()).unwrap();
    for (value, told) in [("1", true), ("True", true), ("0", false), ("", false)] {
        let variables = [("SSL_CERT_FILE", ca.to_str().unwrap()), ("GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY", value)];
        let text = ask(&stand, &variables).unreachable();
        assert!(text.contains("nobody whom the system knows signed it"), "{text}");
        assert_eq!(text.contains("TLS_NO_VERIFY holds for the runner only"), told, "{value}: {text}");
    }
    assert!(stand.seen().is_empty());
}
