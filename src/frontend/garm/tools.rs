//! Which release of the runner an instance gets, and what GARM's words for systems are elsewhere. Pure.

use super::bootstrap::Tool;

/// An architecture, by each of its names.
struct Architecture {
    /// GARM's.
    garm: &'static str,
    /// That of releases of the runner.
    runner: &'static str,
    /// That of Incus and LXD.
    server: &'static str,
}

const ARCHITECTURES: [Architecture; 3] = [
    Architecture { garm: "amd64", runner: "x64", server: "x86_64" },
    Architecture { garm: "arm64", runner: "arm64", server: "aarch64" },
    Architecture { garm: "arm", runner: "arm", server: "armv7l" },
];

/// Incus' and LXD's word for an architecture of GARM; nothing stands for the first.
#[must_use]
pub fn of_server(arch: &str) -> Option<&'static str> {
    let known =
        if arch.is_empty() { ARCHITECTURES.first() } else { ARCHITECTURES.iter().find(|known| known.garm == arch) };
    known.map(|known| known.server)
}

/// GARM's word for an architecture of Incus or LXD.
#[must_use]
pub fn of_garm(architecture: &str) -> Option<&'static str> {
    ARCHITECTURES.iter().find(|known| known.server == architecture).map(|known| known.garm)
}

/// The release for a system, if GARM has named one that can be downloaded.
#[must_use]
pub fn choose<'a>(tools: &'a [Tool], os_type: &str, arch: &str) -> Option<&'a Tool> {
    let arch = if arch.is_empty() { "amd64" } else { arch };
    let known = ARCHITECTURES.iter().find(|known| known.garm == arch)?;
    let os = if os_type == "windows" { "win" } else { os_type };
    tools.iter().find(|tool| {
        let fits =
            [os, os_type].contains(&tool.os.as_str()) && [known.runner, arch].contains(&tool.architecture.as_str());
        fits && !tool.filename.is_empty() && !tool.download_url.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(os: &str, architecture: &str) -> Tool {
        let (download_url, filename) = (format!("https://example/{os}-{architecture}"), "runner.tar.gz".into());
        Tool { os: os.into(), architecture: architecture.into(), download_url, filename, ..Tool::default() }
    }

    #[test]
    fn the_release_of_the_system_is_taken() {
        let tools = [("osx", "x64"), ("linux", "arm64"), ("linux", "x64"), ("win", "x64"), ("linux", "arm")];
        let tools = tools.map(|(os, architecture)| tool(os, architecture));
        for (os, arch, expected) in [
            ("linux", "amd64", Some("linux-x64")),
            ("linux", "", Some("linux-x64")),
            ("linux", "arm64", Some("linux-arm64")),
            ("linux", "arm", Some("linux-arm")),
            ("windows", "amd64", Some("win-x64")),
            ("windows", "arm64", None),
            ("linux", "i386", None),
        ] {
            let chosen = choose(&tools, os, arch).map(|tool| tool.download_url.as_str());
            assert_eq!(chosen, expected.map(|name| format!("https://example/{name}")).as_deref(), "{os} {arch}");
        }
    }

    #[test]
    fn a_release_without_a_file_is_none() {
        let without = |change: fn(&mut Tool)| {
            let mut tool = tool("linux", "amd64");
            change(&mut tool);
            choose(&[tool], "linux", "amd64").is_none()
        };
        assert!(!without(|_| ()));
        assert!(without(|tool| tool.filename.clear()));
        assert!(without(|tool| tool.download_url.clear()));
    }

    #[test]
    fn architectures_have_one_word_at_the_servers() {
        assert_eq!(
            ["", "amd64", "arm64", "arm", "i386"].map(of_server),
            [Some("x86_64"), Some("x86_64"), Some("aarch64"), Some("armv7l"), None]
        );
        assert_eq!(
            ["x86_64", "aarch64", "armv7l", "riscv64"].map(of_garm),
            [Some("amd64"), Some("arm64"), Some("arm"), None]
        );
    }
}
