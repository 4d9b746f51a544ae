//! What jobs may ask of the host's Nix daemon: the real one, with the settings that the module gives to the host.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::tries;
use crate::Machine;
use crate::tools::{run, set_mode};

/// Where the settings of a runner let the daemon look, and where they do not.
const CACHES: [&str; 2] = ["/srv/cache", "/srv/other"];
/// Signs for the key that the settings name; made with the machine.
const KEY: &str = "/etc/cache.sec";
const RUNNERS: [&str; 3] = ["hostile", "may-nix", "may-nix-trusted"];

/// Builds a path, copies it to both caches, to the first one with or without a signature, and forgets it.
fn cached(name: &str, signed: bool) -> Result<String> {
    let path = run("nix-build", &["--no-out-link", "--expr", &derivation(name)])?.trim().to_owned();
    let key = if signed { format!("&secret-key={KEY}") } else { String::new() };
    for (cache, key) in [(CACHES[0], key.as_str()), (CACHES[1], "")] {
        let store = format!("file://{cache}?compression=none{key}");
        run("nix", &["--extra-experimental-features", "nix-command", "copy", "--to", &store, &path])?;
    }
    run("nix-store", &["--delete", &path])?;
    Ok(path)
}

fn derivation(name: &str) -> String {
    format!(
        r#"derivation {{ name = "{name}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }}"#
    )
}

pub fn nix(machine: &Machine) -> Result<()> {
    // Debian lets a group of its own in; NixOS everybody, and the daemon decides.
    set_mode("/nix/var/nix/daemon-socket", 0o755)?;
    for (name, expected) in RUNNERS.iter().zip([
        &[][..],
        &["a build", "a signed path of the cache"],
        &["a build", "a signed path of the cache", "another cache", "a path without a signature"],
    ]) {
        let [signed, unsigned, elsewhere, copied] =
            [("signed", true), ("unsigned", false), ("elsewhere", false), ("copied", false)]
                .map(|(kind, signed)| cached(&format!("{name}-{kind}"), signed));
        let probes = [
            ("a build", format!("nix-build --no-out-link --expr '{}'", derivation(&format!("{name}-built")))),
            ("a signed path of the cache", format!("nix-store --realise {}", signed?)),
            ("a path of the cache without a signature", format!("nix-store --realise {}", unsigned?)),
            (
                "another cache",
                format!("nix-store --realise {} --option substituters 'file://{}?trusted=1'", elsewhere?, CACHES[1]),
            ),
            (
                "a path without a signature",
                format!(
                    "nix --extra-experimental-features nix-command copy --no-check-sigs --from file://{} {}",
                    CACHES[1], copied?
                ),
            ),
            // Whatever the daemon does for it, it is no way around it.
            ("the store by hand", "touch /nix/store/made || touch /nix/var/nix/made".to_owned()),
        ];
        tries(machine, name, &probes, expected)?;
    }
    let settings = fs::read_to_string("/etc/nix/nix.conf").context("settings of Nix")?;
    ensure!(settings.contains("extra-trusted-users = github-runner-may-nix-trusted\n"), "{settings}");
    Ok(())
}
