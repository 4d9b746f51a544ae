use super::*;

const GOLDEN: &str = include_str!("../../../tests/eval/golden/persistent.service");

fn unit(text: &str, lifted: &[&str]) -> String {
    let sandbox = Sandbox::parse(text, Path::new("/run/github-runner/persistent"));
    sandbox.unit("github-runner-explain-0", lifted, Path::new("/run/x/command"), Path::new("/run/x/0"), 600)
}

#[test]
fn a_copy_has_the_sandbox_and_nothing_of_the_runner() {
    let copy = unit(GOLDEN, &[]);
    for kept in
        ["DynamicUser=true", "SystemCallFilter=~@mount", "UMask=0066", "PrivateUsers=true", "RestrictNamespaces=true"]
    {
        assert!(copy.contains(&format!("\n{kept}\n")), "{kept}: {copy}");
    }
    for never in ["ExecStartPre", "ExecStopPost", "StateDirectory", "LoadCredential", "Restart=", "Wants=", "%S/"] {
        let is_variable = |line: &str| line.starts_with("Environment=");
        assert!(!copy.lines().filter(|line| !is_variable(line)).any(|line| line.contains(never)), "{never}: {copy}");
    }
    assert_eq!(copy.matches("ExecStart=").count(), 1);
    assert!(copy.contains("InaccessiblePaths=\"-/run/github-runner/persistent\"\n"));
    for closed in ["/var/lib/github-runner", "/var/lib/github-runner-registrations"] {
        assert!(copy.contains(&format!("InaccessiblePaths=-{closed}\n")), "{closed}");
    }
    assert!(copy.ends_with("Environment=HOME=%t/github-runner-explain-0\n"), "after the runner's own");
}

#[test]
fn what_is_lifted_stands_behind_what_lifts_it() {
    let copy = unit(GOLDEN, &["SystemCallFilter="]);
    let last = copy.lines().rfind(|line| line.starts_with("SystemCallFilter="));
    assert_eq!(last, Some("SystemCallFilter="));
}

#[test]
fn drop_ins_comments_and_long_lines_are_read_as_systemd_reads_them() {
    let text = "# /etc/a.service\n[Service]\nPrivateTmp=yes\nEnvironment=A=1 \\\n  B=2\n;UMask=0000\n[Install]\nUMask=0777\n# /etc/a.service.d/b.conf\n[Service]\nPrivateTmp=no\nDeviceAllow=\nBindPaths=-/dev/kvm\nBindPaths=/srv/cache\nUser=builder\n";
    let sandbox = Sandbox::parse(text, Path::new("/w"));
    assert!(!sandbox.is_on("PrivateTmp"));
    assert_eq!(sandbox.values("UMask"), [""; 0]);
    assert_eq!(sandbox.values("Environment"), ["A=1    B=2"]);
    assert_eq!((sandbox.values("BindPaths"), sandbox.values("User")), (vec!["-/dev/kvm"], vec!["builder"]));
    assert!(Sandbox::parse("[Unit]\nDescription=x\n", Path::new("/w")).is_empty());
    let dynamic = Sandbox::parse("[Service]\nDynamicUser=1\nUser=github-runner-a\n", Path::new("/w"));
    assert_eq!(dynamic.values("User"), [""; 0], "the copy has a user of its own");
}

#[test]
fn an_empty_value_takes_back_what_stood_before() {
    let sandbox = Sandbox::parse("[Service]\nSystemCallFilter=~@mount\nSystemCallFilter=\n", Path::new("/w"));
    assert!(!sandbox.is_on("SystemCallFilter"));
    let again = Sandbox::parse("[Service]\nSystemCallFilter=\nSystemCallFilter=~@clock\n", Path::new("/w"));
    assert!(again.is_on("SystemCallFilter"));
}

#[test]
fn what_jobs_keep_is_closed_and_nothing_leads_there() {
    let text = "[Service]\nEnvironment=\"RUNNER_TOOL_CACHE=/srv/ci/tools\"\nEnvironment=\"XDG_CACHE_HOME=/srv/ci/xdg\"\nEnvironment=\"A=1\"\nReadWritePaths=/srv/ci\n";
    let copy = Sandbox::parse(text, Path::new("/w")).unit("one", &[], Path::new("/s"), Path::new("/o"), 1);
    assert!(copy.contains("\nInaccessiblePaths=-/srv/ci\n"), "{copy}");
    assert!(!copy.contains("/srv/ci/") && copy.contains("A=1"), "{copy}");
    for path in ["/var/lib/github-runner-home", "/run/github-runner-containers"] {
        assert!(copy.contains(&format!("InaccessiblePaths=-{path}\n")), "{path}");
    }
}
