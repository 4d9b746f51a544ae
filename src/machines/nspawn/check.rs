//! What can be checked of a host before a job comes: kernel, ids, images, network. Changes nothing but for modules
//! that the kernel loads to answer.

use std::fs;
use std::io;
use std::path::Path;

use super::range::overlap;
use super::settings::{GIVEN, NetworkMode, Settings, Source};
use super::{image, network};

/// The first kernel whose overlayfs takes a lower layer with other user ids.
const OLDEST_KERNEL: (u32, u32) = (5, 19);

/// What stages of every job call, in the image.
const PROGRAMS: [&str; 2] = ["bash", "git"];

/// File systems whose files never have other ids, as `statfs(2)` lists them: NFS and 9p.
const NEVER: [i64; 2] = [0x6969, 0x0102_1997];

/// Where programs of the host may be that a unit finds.
const HOST_PLACES: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"];

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The thing, in one or two words.
    pub topic: &'static str,
    /// What is so.
    pub result: Outcome,
}

/// What was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is as it should be: a sentence.
    Good(String),
    /// Some jobs will miss it: a sentence, and the way out.
    Warning(String, String),
    /// No job can run: a sentence, and the way out.
    Fault(String, String),
}

/// Looks at everything that these settings need.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Check> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut checks = vec![kernel(release.trim()), ids(settings), socket(settings)];
    checks.extend(settings.images.keys().flat_map(|name| images(settings, name)));
    checks.extend(programs(settings));
    checks.extend(forwarding(settings));
    if settings.network.mode == NetworkMode::Private {
        checks.extend(rules(network::try_rules(&settings.network.host_ports)));
    }
    checks
}

fn check(topic: &'static str, result: Outcome) -> Check {
    Check { topic, result }
}

fn kernel(release: &str) -> Check {
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let result = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_KERNEL => {
            Outcome::Good(format!("is Linux {release}"))
        }
        _ => Outcome::Fault(
            format!("is Linux {release}, whose overlayfs takes no layer with other user ids"),
            format!("use Linux {}.{} or newer", OLDEST_KERNEL.0, OLDEST_KERNEL.1),
        ),
    };
    check("kernel", result)
}

fn ids(settings: &Settings) -> Check {
    let (base, end) = (settings.uid_base, settings.end_of_ids());
    let taken = GIVEN.iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        overlap(&text, base, end).map(|line| format!("`{line}` of {path}"))
    });
    let result = match taken {
        None => Outcome::Good(format!("{base} to {} are nobody's", end - 1)),
        Some(line) => Outcome::Fault(
            format!("{base} to {} overlap with {line}", end - 1),
            "change machines.uidBase of the settings, or that line".into(),
        ),
    };
    check("user ids", result)
}

fn socket(settings: &Settings) -> Check {
    let path = settings.run_directory.join("machines.sock");
    let result = if path.exists() {
        Outcome::Good(format!("{} is there", path.display()))
    } else {
        let way = "start gitlab-nspawn.socket; without NixOS, `gitlab-nspawn-executor units` prints it".into();
        Outcome::Fault(format!("{} is missing", path.display()), way)
    };
    check("socket", result)
}

fn images(settings: &Settings, name: &str) -> Vec<Check> {
    let topic = "image";
    let Some(configured) = settings.image(name) else { return vec![] };
    if let Err(fault) = image::init(name, configured) {
        return vec![check(topic, Outcome::Fault(fault.to_string(), "see machines.images of the settings".into()))];
    }
    let mut checks = Vec::new();
    // The store of a system may be without other ids.
    if let Source::Root(root) = &configured.source
        && let Err(error) = layers_on(root)
    {
        let way = "keep it on ext4, xfs, btrfs or tmpfs".into();
        checks.push(check(topic, Outcome::Fault(format!("{name}: {error}"), way)));
    }
    let mut missing = image::missing(configured, &PROGRAMS);
    if settings.gitlab_runner.is_none() {
        missing.extend(image::missing(configured, &[image::RUNNER]));
    }
    if missing.contains(&"bash") {
        checks.push(check(topic, Outcome::Fault(format!("{name} has no bash"), "install it in the image".into())));
    } else if !missing.is_empty() {
        let way = "install it in the image; for gitlab-runner, machines.gitlabRunner of the settings is enough".into();
        let lost = "without git there are no sources, without gitlab-runner no caches and artifacts";
        checks.push(check(topic, Outcome::Warning(format!("{name} has no {}: {lost}", missing.join(" and no ")), way)));
    }
    if checks.is_empty() {
        checks.push(check(topic, Outcome::Good(format!("{name} is complete"))));
    }
    checks
}

/// Whether files of `root` can have other user ids in a machine: by the kind of their file system, as nothing is mounted here.
fn layers_on(root: &Path) -> anyhow::Result<()> {
    use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
    let kind = statfs(root)?.filesystem_type();
    let is_never = NEVER.iter().any(|never| i128::from(*never) == i128::from(kind.0));
    if kind == OVERLAYFS_SUPER_MAGIC || is_never {
        anyhow::bail!("{} is on a file system whose files cannot have other user ids", root.display());
    }
    Ok(())
}

fn programs(settings: &Settings) -> Vec<Check> {
    let mut wanted = vec!["systemd-nspawn"];
    if settings.network.mode == NetworkMode::Private {
        wanted.extend(["ip", "nft"]);
    }
    let is_missing = |program: &&str| !HOST_PLACES.iter().any(|place| Path::new(place).join(program).exists());
    // On NixOS the units have them in a path of their own.
    if Path::new("/etc/NIXOS").exists() {
        return vec![];
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(is_missing).collect();
    let result = if missing.is_empty() {
        Outcome::Good(format!("{} are installed", wanted.join(", ")))
    } else {
        let way = "on Debian they are in systemd-container, iproute2 and nftables".into();
        Outcome::Fault(format!("{} is missing", missing.join(", ")), way)
    };
    vec![check("programs", result)]
}

fn forwarding(settings: &Settings) -> Option<Check> {
    if settings.network.mode != NetworkMode::Private {
        return (settings.network.mode == NetworkMode::Host).then(|| {
            let said = "machines have the host's, so jobs reach services on its loopback".into();
            check("network", Outcome::Warning(said, "set machines.network.mode to private".into()))
        });
    }
    let is_on = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
    let way = "set net.ipv4.ip_forward = 1 with sysctl; `gitlab-nspawn-executor units` prints the file".into();
    let result = if !is_on("/proc/sys/net/ipv4/ip_forward") {
        Outcome::Fault("this host forwards nothing, so machines reach nobody".into(), way)
    } else if network::host_name_servers().is_empty() && settings.network.resolvers.is_empty() {
        let said = "the host's name servers are on its loopback, which machines do not reach".into();
        Outcome::Fault(said, "name others in machines.network.resolvers of the settings".into())
    } else {
        Outcome::Good("is private, and forwarded".into())
    };
    Some(check("network", result))
}

/// Whether the kernel takes the rules of machines, from what `nft` said. Its `fib`, which keeps senders from lying, is a module of
/// its own that small kernels lack, and without it no machine gets its network.
fn rules(tried: anyhow::Result<()>) -> Option<Check> {
    let result = match tried {
        Ok(()) => Outcome::Good("takes the rules of machines".into()),
        // Another check says so, where it has to be in the path.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) =>
        {
            return None;
        }
        Err(error) => {
            let said = format!("{error:#}");
            let way = "if a module is missing, give the kernel nft_fib_inet, nft_masq and nft_reject_inet; or set machines.network.mode to none or host";
            Outcome::Fault(
                format!("refuses the rules of machines: {}", said.lines().next().unwrap_or_default()),
                way.into(),
            )
        }
    };
    Some(check("packet filter", result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_are_faults() {
        for (release, good) in
            [("5.19.0", true), ("6.1.0-18-amd64", true), ("5.18.3", false), ("4.9", false), ("x", false)]
        {
            let is_good = matches!(kernel(release).result, Outcome::Good(_));
            assert_eq!(is_good, good, "{release}");
        }
    }

    #[test]
    fn an_image_without_bash_is_a_fault_and_without_git_a_warning() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = directory.path().canonicalize().unwrap();
        let text = serde_json::json!({"machines": {"images": {"a": {"root": path, "boot": false}}}}).to_string();
        let settings = Settings::parse(text.as_bytes()).unwrap();
        let found = || images(&settings, "a").pop().unwrap().result;
        assert!(matches!(found(), Outcome::Fault(said, _) if said.contains("no bash")));
        fs::create_dir_all(path.join("usr/bin")).unwrap();
        std::os::unix::fs::symlink("nowhere-on-this-host", path.join("usr/bin/bash")).unwrap();
        assert!(matches!(found(), Outcome::Warning(said, _) if said.contains("no git and no gitlab-runner")));
        for program in ["git", "gitlab-runner"] {
            fs::write(path.join("usr/bin").join(program), "").unwrap();
        }
        assert_eq!(found(), Outcome::Good("a is complete".into()));
    }

    #[test]
    fn a_kernel_without_fib_is_a_fault_and_a_missing_nft_is_somebody_elses() {
        let result = |tried| rules(tried).map(|check| check.result);
        let refused =
            anyhow::anyhow!("exit status: 1: /dev/stdin:12:5-60: Error: Could not process rule: No such file\n   ^^^");
        let found = result(Err(refused));
        assert!(
            matches!(&found, Some(Outcome::Fault(said, way)) if said.ends_with("No such file") && way.contains("nft_fib_inet")),
            "{found:?}"
        );
        let missing = anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(result(Err(missing)), None);
        assert!(matches!(result(Ok(())), Some(Outcome::Good(_))));
    }
}
