//! What is claimed of processes that outlive a unit, with a kernel in a temporary directory.

use super::*;

const UNIT: &str = "github-runner-a.service";
const SLICES: &str = "github.slice/github-runners.slice/github-runners-a.slice/github-runner-a.service";

/// A kernel in a temporary directory, in whose hierarchy `systemd` the unit's group has these processes.
struct Host(tempfile::TempDir);

impl Host {
    fn new(group: &str) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.write("proc/self/cgroup", &format!("4:memory:/x\n1:name=systemd:/{group}\n0::/elsewhere\n"));
        host
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn process(&self, pid: u32, name: &str, parent: u32) {
        let text = format!("Name:\t{name}\nState:\tS (sleeping)\nPPid:\t{parent}\nUid:\t990\t990\t990\t990\n");
        self.write(&format!("proc/{pid}/status"), &text);
    }

    fn leftovers(&self) -> Result<Vec<Leftover>> {
        let (proc, groups) = (self.0.path().join("proc"), self.0.path().join("groups"));
        Kernel { proc: &proc, groups: &groups }.leftovers(UNIT, 7)
    }
}

#[test]
fn whoever_is_in_the_units_group_beside_the_step_is_named() {
    for own in [SLICES.to_owned(), format!("{SLICES}/.control")] {
        let host = Host::new(&own);
        host.write(&format!("groups/systemd/{own}/cgroup.procs"), "7\n");
        if own != SLICES {
            host.write(&format!("groups/systemd/{SLICES}/cgroup.procs"), "");
        }
        assert_eq!(host.leftovers().unwrap(), [], "alone");
        // One where jobs are, one in a group that a job made, one that has ended, one that systemd gave to the step.
        host.write(&format!("groups/systemd/{SLICES}/cgroup.procs"), "7\n21\n23\n24\n");
        host.write(&format!("groups/systemd/{SLICES}/own/deeper/cgroup.procs"), "22\n0\n");
        host.write(&format!("groups/systemd/{SLICES}/own/cgroup.procs"), "");
        host.process(21, "sleep", 1);
        host.process(22, r"x\ny", 1);
        host.process(24, "(sd-pam)", 7);
        let mut names: Vec<_> = host.leftovers().unwrap().into_iter().map(|one| (one.pid, one.name)).collect();
        names.sort();
        assert_eq!(names, [(0, String::new()), (21, "sleep".into()), (22, r"x\ny".into())]);
    }
}

#[test]
fn outside_of_the_units_group_nobody_is_looked_for() {
    for group in ["", "user.slice/session-1.scope", "x.slice/github-runner-b.service", "github-runner-a.service.d/x"] {
        assert_eq!(Host::new(group).leftovers().unwrap(), [], "{group}");
    }
}

#[test]
fn a_group_that_cannot_be_seen_is_no_empty_one() {
    let host = Host::new(SLICES);
    assert!(host.leftovers().is_err(), "no hierarchy is mounted");
    host.write(&format!("groups/systemd/{SLICES}/cgroup.procs"), "21\n");
    host.process(21, "sleep", 1);
    let error = host.leftovers().unwrap_err().to_string();
    assert!(error.contains("this process is not in systemd/github.slice/"), "{error}");
}

#[cfg(feature = "helper")]
#[test]
fn the_unit_of_an_order_is_known_by_its_class_whatever_the_order() {
    let class = "on-demand-x86_64".to_owned().try_into().unwrap();
    let unit = "github-runner-on-demand-x86_64@od-7-build.x86_64.service";
    for (group, found) in [
        (format!("x.slice/{unit}"), Some(unit)),
        (format!("x.slice/{unit}/.control"), Some(unit)),
        (SLICES.to_owned(), None),
        ("x.slice/github-runner-on-demand-other@od-7-build.other.service".into(), None),
        ("x.slice/github-runner-on-demand-x86_64@.service.d".into(), None),
        (String::new(), None),
    ] {
        let host = Host::new(&group);
        let kernel = Kernel { proc: &host.0.path().join("proc"), groups: host.0.path() };
        assert_eq!(kernel.unit(|name| names::is_order_of(&class, name)).unwrap().as_deref(), found, "{group}");
    }
}

#[test]
fn unified_hybrid_and_old_hierarchies_are_known() {
    let found = |text| groups(text, "u.service").iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    assert_eq!(found("0::/s.slice/u.service"), ["s.slice/u.service", "unified/s.slice/u.service"]);
    assert_eq!(found("2:cpu:/u.service\n1:name=systemd:/u.service/.control\n"), ["systemd/u.service"]);
    assert_eq!(found("nonsense\n0::/\n"), [""; 0]);
}

#[test]
fn the_refusal_names_some_and_the_way_out() {
    let one = |pid| Leftover { pid, name: "sleep".into(), user: "990".into() };
    let text = refusal(UNIT, &(21..=30).map(one).collect::<Vec<_>>());
    assert!(text.contains(r#": 21 "sleep" of user id 990, 22 "#) && text.contains(", 2 more. End them"), "{text}");
    assert!(text.contains("`systemctl kill --signal=KILL github-runner-a.service`"), "{text}");
}

#[test]
fn only_static_users_linger() {
    let host = tempfile::tempdir().unwrap();
    let (users, linger) = (host.path().join("passwd"), host.path().join("linger"));
    fs::write(&users, "root:x:0:0::/root:/bin/sh\nci:x:1001:100::/home/ci:/bin/sh\n").unwrap();
    assert_eq!(lingering_in(&users, &linger, 1001), None);
    fs::create_dir(&linger).unwrap();
    fs::write(linger.join("ci"), "").unwrap();
    assert_eq!(lingering_in(&users, &linger, 1001).as_deref(), Some("ci"));
    assert_eq!(lingering_in(&users, &linger, 0), None);
    assert_eq!(lingering_in(&users, &linger, 61_234), None, "a dynamic user");
}
