//! Root in a machine tries to get out, to lie, and to use things up.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use github_runners::machines::nspawn::Answer;
use github_runners::machines::{Machines as _, Token};
use serde_json::json;

use crate::host::{Host, run, with_cache};

#[test]
fn root_in_a_machine_changes_nothing_of_the_host() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    host.made(1);
    // Each line says something only if it got through.
    let script = r"
        mknod /dev/disk b 254 0 2> /dev/null && cat /dev/disk > /dev/null 2>&1 && echo device
        mount -o remount,rw /proc/sys 2> /dev/null; echo bad 2> /dev/null > /proc/sys/kernel/core_pattern && echo core_pattern
        mkdir -p /p && mount -t proc proc /p 2> /dev/null; echo bad 2> /dev/null > /p/sys/kernel/core_pattern && echo fresh
        echo h 2> /dev/null > /proc/sysrq-trigger && echo sysrq
        mount -o remount,rw,bind /run/ci-machine/agent 2> /dev/null && echo remounted
        ( : > /run/ci-machine/agent ) 2> /dev/null && echo agent
        rm -f /run/ci-machine/socket 2> /dev/null && echo removed
        ls /proc/1/root/home/* > /dev/null 2>&1 && echo home
        chattr +i /etc/hostname 2> /dev/null && echo immutable
        true
    ";
    let ended = run(&host, 1, script);
    assert_eq!((ended.answer, ended.stdout.as_str()), (Answer::Exit(0), ""), "{}", ended.stderr);
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), pattern);
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_job_finds_nobody_behind_the_socket_of_the_agent() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let script = r#"perl -MSocket -e '
        socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die;
        print connect($s, pack_sockaddr_un("/run/ci-machine/socket")) ? "connected" : "refused";'"#;
    let ended = run(&host, 1, script);
    assert_eq!(ended.stdout, "refused", "{ended:?}");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn names_and_trees_that_are_hard_to_remove_are_removed() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let script = r"
        mkdir -p /deep && cd /deep && for n in $(seq 300); do mkdir d && cd d; done
        ln -s / /link; mkfifo /fifo; touch $'/new\nline' $'/\xff'; chmod 000 /deep
        mkdir /locked && touch /locked/file && chmod 000 /locked
        ln -s ../../../../../../../../../../../etc/passwd /etc/resolv.conf.new
        echo made
    ";
    assert_eq!(run(&host, 1, script).stdout, "made\n");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn a_bounded_fork_bomb_ends_with_its_stage() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let script = "for n in $(seq 500); do setsid -f sleep 3600; (sleep 3600 &) ; done; exit 3";
    assert_eq!(run(&host, 1, script).answer, Answer::Exit(3));
    let left = run(&host, 1, "cat /proc/[0-9]*/comm | grep -c sleep");
    assert_eq!(left.stdout, "0\n");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_cache_outlives_its_machine_and_belongs_to_nobody_on_the_host() {
    if !crate::host::can_make_machines() {
        return;
    }
    let cache = tempfile::tempdir_in("/var/tmp").unwrap();
    let host = Host::new(&json!({"cache": {"directory": cache.path(), "limit": 1_000_000}}));
    let made = |token, project, protected| host.create(&with_cache(token, project, protected)).unwrap();
    made(1, 7, false);
    let ended = run(
        &host,
        1,
        "cp /bin/true /cache/tool && chmod 4755 /cache/tool && mknod /cache/null c 1 3 2> /dev/null; stat -c %u /cache /cache/tool; grep ' /cache ' /proc/mounts",
    );
    assert!(ended.stdout.starts_with("0\n0\n"), "{ended:?}");
    assert!(ended.stdout.contains("nosuid") && ended.stdout.contains("nodev"), "{ended:?}");
    host.client().delete(Token(1)).unwrap();
    assert_eq!(fs::metadata(cache.path().join("7/tool")).unwrap().uid(), host.first_id());
    // Another machine, with other ids, sees its own file.
    made(2, 9, false);
    made(3, 7, false);
    assert_eq!(run(&host, 3, "stat -c %u /cache/tool; /cache/tool && echo runs").stdout, "0\nruns\n");
    assert_eq!(run(&host, 2, "ls /cache").stdout, "", "another project has another cache");
    made(4, 7, true);
    assert_eq!(run(&host, 4, "ls /cache").stdout, "", "a protected branch has another cache");
    run(&host, 3, "head -c 2000000 /dev/urandom > /cache/large");
    for token in [2, 3, 4] {
        host.client().delete(Token(token)).unwrap();
    }
    assert_eq!(fs::read_dir(cache.path().join("7")).unwrap().count(), 0, "what is above the limit is emptied");
    host.nothing_is_left();
}

#[test]
fn a_cache_that_cannot_be_counted_keeps_no_job() {
    if !crate::host::can_make_machines() {
        return;
    }
    let cache = tempfile::tempdir_in("/var/tmp").unwrap();
    let host = Host::new(&json!({"cache": {"directory": cache.path(), "limit": 1_000_000}}));
    host.create(&with_cache(1, 7, false)).unwrap();
    fs::rename(cache.path().join("7"), cache.path().join("away")).unwrap();
    fs::write(cache.path().join("7"), "").unwrap();
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
    assert!(host.log().contains("Failed to check the size of the cache 7"), "{}", host.log());
}

#[test]
fn a_machine_makes_a_bounded_number_of_control_groups() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let script = "mkdir -p /c && mount -t cgroup2 none /c && cd /c && echo 9999 2> /dev/null > cgroup.max.descendants
        for n in $(seq 600); do mkdir g$n 2> /dev/null || break; done; ls -d g* | wc -l";
    let made = run(&host, 1, script);
    assert!((1..=512).contains(&made.stdout.trim().parse().unwrap_or(0)), "{made:?}");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_machine_has_the_usual_devices_and_those_that_are_named() {
    if !crate::host::can_make_machines() || !Path::new("/dev/fuse").exists() {
        return;
    }
    let listed = |host: &Host| {
        let ended = run(host, 1, "cd /dev && find . -type b -o -type c | sort | tr '\\n' ' '");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
        ended.stdout
    };
    let host = Host::new(&json!({}));
    host.made(1);
    let usual = listed(&host);
    assert!(usual.contains("./null ") && !usual.contains("./fuse ") && !usual.contains("./kvm "), "{usual}");
    let host = Host::new(&json!({"devices": ["/dev/fuse"]}));
    host.made(1);
    let opened = run(&host, 1, "exec 3<> /dev/fuse && stat -c '%u %a' /dev/fuse");
    assert_eq!(opened.stdout, "0 666\n", "whoever may open that of the host: {opened:?}");
    assert_eq!(listed(&host).replace("./fuse ", ""), usual, "and no other");
}

#[test]
fn what_is_written_to_memory_has_a_limit() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({"limits": {"tmpfs": "16M"}}));
    host.made(1);
    let ended = run(&host, 1, "head -c 64M /dev/zero > /file; echo $?; stat -c %s /file");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "1", "{ended:?}");
    assert!(lines[1].parse::<u64>().unwrap() <= 16 << 20, "{ended:?}");
    assert_eq!(fs::read_dir(host.path("state/jobs/1")).unwrap().count(), 0, "it is in the mount of the unit");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}
