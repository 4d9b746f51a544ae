//! The version of a program, from the name of its package in the store: nothing has to be run for it.

use std::path::{Component, Path};

/// How long the digest before a package's name is.
const DIGEST: usize = 32;

/// The version in the name of the package that holds `path`, as in `/nix/store/DIGEST-github-runner-2.333.1/bin/…`;
/// `None` if it is in no package, or in one without a version.
#[must_use]
pub fn package_version(path: &Path) -> Option<&str> {
    let mut parts = path.strip_prefix("/nix/store").ok()?.components();
    let Component::Normal(package) = parts.next()? else { return None };
    let (digest, name) = package.to_str()?.split_once('-')?;
    if digest.len() != DIGEST {
        return None;
    }
    // What Nix takes for the version: from the first dash on that no letter follows.
    let dash = name.match_indices('-').map(|(at, _)| at);
    let version = dash.map(|at| &name[at + 1..]).find(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))?;
    (!version.is_empty()).then_some(version)
}

/// The three numbers of a version such as `2.333.1`, also before a dash; so versions are compared.
#[must_use]
pub fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('-').next()?.split('.').map(|number| number.parse().ok());
    let found = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_nix_takes_for_it() {
        for (name, version) in [
            ("github-runner-2.333.1", Some("2.333.1")),
            ("github-runner-2.333.1-patched", Some("2.333.1-patched")),
            ("github-runner", None),
            ("github-runner-", None),
            ("github-runner-wrapped", None),
        ] {
            let path = format!("/nix/store/{}-{name}/bin/Runner.Listener", "0".repeat(DIGEST));
            assert_eq!(package_version(Path::new(&path)), version, "{name}");
        }
        for path in ["/opt/runner-2.3/bin/Runner.Listener", "/nix/store", "/nix/store/short-a-1.0/bin", ""] {
            assert_eq!(package_version(Path::new(path)), None, "{path}");
        }
    }
}
