//! Trees that a hostile job built to stop the purge, or to lead it elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;

use super::hostile::Victim;
use super::work::prepare_with_work;
use crate::beside::beside;
use crate::host::{Host, is_root};

/// Makes directories in each other, `depth` deep, the way only relative names can.
fn dig(top: &Path, depth: usize) {
    let mut dir = nix::dir::Dir::open(top, nix::fcntl::OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        nix::sys::stat::mkdirat(&dir, "d", Mode::S_IRWXU).unwrap();
        dir = nix::dir::Dir::openat(&dir, "d", nix::fcntl::OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    }
}

/// The same where some of them may be there already, or vanish meanwhile.
fn dig_again(top: &Path, depth: usize) {
    drop(fs::create_dir_all(top.join(vec!["d"; depth].join("/"))));
}

#[test]
fn ten_thousand_directories_in_each_other_are_removed() {
    let host = Host::new().registered();
    dig(&host.path("work"), 10_000);
    dig(&host.path("state"), 10_000);
    fs::remove_file(host.state(".runner")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory: 4 files, 10000 directories"), "{said}");
    assert_eq!(fs::read_dir(host.path("work")).unwrap().count(), 0);
}

#[test]
fn a_hundred_thousand_directories_in_each_other_are_removed() {
    let host = Host::new().registered();
    // In memory where there is such a place, because a disk takes minutes to make them.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    dig(memory.path(), 100_000);
    let said = prepare_with_work(&host, memory.path()).good();
    assert!(said.contains("Emptied the work directory: 0 files, 100000 directories"), "{said}");
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
}

#[test]
fn deep_trees_that_branch_everywhere_are_removed() {
    let host = Host::new().registered();
    dig(&host.path("work"), 60);
    let mut path = host.path("work");
    for level in 0..60 {
        path.push("d");
        for branch in 0..5 {
            fs::create_dir_all(path.join(format!("branch-{branch}/x"))).unwrap();
            fs::write(path.join(format!("file-{level}-{branch}")), "").unwrap();
        }
    }
    // More branches at the bottom than names are kept at a time.
    for branch in 0..1000 {
        fs::create_dir(path.join(format!("more-{branch}"))).unwrap();
    }
    let said = host.prepare().good();
    assert!(said.contains("Emptied the work directory: 304 files, 1660 directories"), "{said}");
    assert!(host.tree("work").is_empty());
}

#[test]
fn a_tree_that_is_deep_and_wide_takes_time_by_its_size_only() {
    let host = Host::new().registered();
    // Many names on the way, so that few can be kept of the wide directory at its end.
    dig(&host.path("work"), 160);
    let mut path = host.path("work");
    for level in 0..160 {
        path.push("d");
        for branch in 0..if level < 34 { 0 } else { 128 } {
            fs::create_dir(path.join(branch.to_string())).unwrap();
        }
    }
    for branch in 0..20_000 {
        fs::create_dir(path.join(format!("wide-{branch}"))).unwrap();
    }
    let trace = host.path("trace");
    let mut strace = std::process::Command::new("strace");
    strace.args(["--seccomp-bpf", "-f", "-qq", "-c", "-e", "trace=getdents64", "-o"]).arg(&trace);
    strace.arg(env!("CARGO_BIN_EXE_github-runner-helper")).args(host.arguments("prepare"));
    assert!(strace.output().unwrap().status.success());
    // Each of 36,000 directories is listed once or twice, with two calls. Listing the wide one again for each of its
    // children would take thousands of times as many.
    let summary = fs::read_to_string(trace).unwrap();
    let line = summary.lines().find(|line| line.ends_with(" getdents64")).unwrap_or_else(|| panic!("{summary}"));
    let calls: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((36_000..200_000).contains(&calls), "{calls} calls");
    assert_eq!(fs::read_dir(host.path("work")).unwrap().count(), 0);
}

#[test]
fn a_deep_tree_that_is_moved_while_it_is_purged_leads_nowhere_else() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    let (work, outside) = (host.path("work"), host.path("outside"));
    // The lower half of the tree goes to and fro between the tree and a directory that is not purged.
    let low = work.join(["d"; 50].join("/"));
    let to_and_fro = || {
        drop(fs::rename(&low, outside.join("moved")));
        drop(fs::rename(outside.join("moved"), &low));
    };
    beside(to_and_fro, || {
        for _ in 0..20 {
            dig_again(&work, 100);
            let said = host.prepare();
            assert!(said.ok || said.text.contains("something keeps"), "{}", said.text);
        }
    });
    assert!(outside.join("file").exists());
}

struct Mount(std::path::PathBuf);

impl Mount {
    fn bind(from: &Path, to: &Path) -> Self {
        assert!(Command::new("mount").arg("--bind").args([from, to]).status().unwrap().success());
        Self(to.into())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

#[test]
fn mount_points_are_not_crossed_and_named() {
    if !is_root("a mount") {
        return;
    }
    for below in ["work/a/b", "state/a/b"] {
        let host = Host::new().registered();
        fs::create_dir(host.path("outside")).unwrap();
        fs::write(host.path("outside/file"), "").unwrap();
        fs::create_dir_all(host.path(below)).unwrap();
        fs::remove_file(host.state(".runner")).unwrap();
        let mount = Mount::bind(&host.path("outside"), &host.path(below));
        let said = host.prepare().bad();
        assert!(said.contains("b: a file system is mounted on it"), "{said}");
        assert_eq!(host.tree("outside"), ["file"]);
        drop(mount);
        host.prepare().good();
    }
}

#[test]
fn a_file_that_is_mounted_is_not_read() {
    if !is_root("a mount") {
        return;
    }
    let host = Host::new().registered();
    let victim = Victim::new(&host);
    let mount = Mount::bind(&host.path("victim"), &host.state(".runner"));
    let said = host.prepare().bad();
    assert!(said.contains(".runner is a mount point"), "{said}");
    victim.check(&host, &said);
    drop(mount);
}

#[test]
fn what_cannot_be_removed_from_the_work_directory_does_not_cost_the_registration() {
    if !is_root("a mount") {
        return;
    }
    let mut host = Host::new().registered();
    *host.registration("extraLabels") = serde_json::json!(["other"]);
    fs::create_dir(host.path("outside")).unwrap();
    fs::create_dir(host.path("work/a")).unwrap();
    let mount = Mount::bind(&host.path("outside"), &host.path("work/a"));
    let before = host.tree("state");
    assert!(host.prepare().bad().contains("Failed to empty the work directory"));
    assert_eq!(host.tree("state"), before);
    drop(mount);
    host.prepare().good();
}

#[test]
fn immutable_files_are_named() {
    if !is_root("an immutable file") {
        return;
    }
    let host = Host::new().registered();
    let file = host.path("work/a");
    fs::write(&file, "").unwrap();
    let change = |flag: &str| Command::new("chattr").arg(flag).arg(&file).status().is_ok_and(|status| status.success());
    if !change("+i") {
        eprintln!("this file system has no immutable files: not tried");
        return;
    }
    let said = host.prepare();
    assert!(change("-i"));
    assert!(said.bad().contains("Failed to remove a: it or its directory is immutable"));
}

#[test]
fn a_directory_that_is_swapped_while_it_is_purged_leads_nowhere_else() {
    let host = Host::new().registered();
    fs::create_dir(host.path("outside")).unwrap();
    fs::write(host.path("outside/file"), "").unwrap();
    let work = host.path("work");
    // Whoever wins the race, nothing outside may be touched. Only fresh names are written through.
    let mut count = 0;
    let mut make = || {
        count += 1;
        let (dir, link) = (work.join(format!("dir-{count}")), work.join(format!("link-{count}")));
        drop(fs::create_dir(&dir));
        drop(fs::create_dir(dir.join("deep")));
        drop(symlink(host.path("outside"), &link));
        (dir, link)
    };
    let mut pairs: [_; 4] = std::array::from_fn(|_| make());
    let is_gone = |path: &Path| path.symlink_metadata().is_err();
    let swap = || {
        for pair in &mut pairs {
            let (dir, link) = &*pair;
            let swapped = renameat2(AT_FDCWD, dir, AT_FDCWD, link, RenameFlags::RENAME_EXCHANGE);
            // Another pair for each that is gone: whoever fills faster than others empty has all the time of a start.
            if swapped.is_err() && is_gone(dir) && is_gone(link) {
                *pair = make();
            }
        }
    };
    beside(swap, || {
        for _ in 0..50 {
            let said = host.prepare();
            assert!(said.ok || said.text.contains("something keeps filling"), "{}", said.text);
        }
    });
    assert!(count > 4, "no pair was emptied and made again");
    assert_eq!(host.tree("outside"), ["file"]);
}
