//! What the script is, and what it does where the programs that it calls note their calls.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::super::sample_tests::{DEADLINE, LIFETIME, class, key, registration};
use super::*;
use crate::frontend::ondemand::order::Token;
use crate::frontend::ondemand::settings::{ClassSettings, Download, KindSettings};
use crate::model::Repository;

fn script_for(repository: &str, run: Option<u64>) -> String {
    let mut registration = registration();
    registration.repository = Repository::parse(repository).unwrap();
    registration.run = run;
    with(&registration)
}

fn with(registration: &JitRegistration) -> String {
    of_class(registration, &class())
}

fn of_class(registration: &JitRegistration, class: &ClassSettings) -> String {
    let key = key();
    let token = Token::new("host", &key, 1, 1);
    script(
        registration,
        &Launch {
            key: &key,
            token: &token,
            class,
            registration: Path::new("/run/registration.json"),
            lifetime: LIFETIME,
            repository: &registration.repository,
            run: registration.run,
        },
    )
}

/// The assignments in front of the script.
fn values(script: &str) -> BTreeMap<&str, &str> {
    let (top, rest) = script.split_once("# shellcheck").unwrap();
    assert_eq!(format!("# shellcheck{rest}"), SCRIPT, "the script itself is always the same");
    let lines = top.strip_prefix("#!/usr/bin/env bash\n").unwrap().lines();
    lines.map(|line| line.split_once('=').unwrap()).collect()
}

fn decoded(value: &str) -> String {
    let text = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap();
    String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn in_front_of_the_script_stand_its_values() {
    let script = script_for("octo-org/example", Some(19_283_746));
    let hook = BASE64_STANDARD.encode(HOOK);
    let (top, _) = script.split_once("# shellcheck").unwrap();
    insta::assert_snapshot!(top.replace(&hook, "[hook]"), @r"
    #!/usr/bin/env bash
    deadline=1800000000
    longest=3600
    patience=600
    runner_url=''
    runner_sha256=''
    registered_key='eyJmYWtlIjoia2V5In0='
    registered_credentials='eyJmYWtlIjoiY3JlZGVudGlhbHMifQ=='
    registered_settings='eyJBZ2VudElkIjoiNyIsIkFnZW50TmFtZSI6Im9kLTE5MjgzNzQ2LTEtYnVpbGQteDg2XzY0IiwiRXBoZW1lcmFsIjoiVHJ1ZSJ9'
    order='cmVwb3NpdG9yeT1vY3RvLW9yZy9leGFtcGxlCnJ1bj0xOTI4Mzc0Ngo='
    hook='[hook]'
    ");
    assert_eq!(decoded(values(&script)["hook"]), HOOK);
    assert_eq!(decoded(values(&script)["order"]), "repository=octo-org/example\nrun=19283746\n");
    assert_eq!(decoded(values(&script_for("o/r", None))["order"]), "repository=o/r\nrun=\n");
}

#[test]
fn nothing_of_a_caller_or_of_a_server_is_a_part_of_the_script() {
    let (owner, name) = ("o".repeat(48), "r".repeat(100));
    for repository in ["o/...", "O_o/.-_", "o/-n", "0/--", &format!("{owner}/{name}")] {
        let script = script_for(repository, Some(u64::MAX));
        let expected = format!("repository={repository}\nrun={}\n", u64::MAX);
        assert_eq!(decoded(values(&script)["order"]), expected);
    }
    let mut hostile = registration();
    let odd = "'; touch pwned; echo $(touch pwned) `touch pwned` \\\n\" ${HOME}\nEND\n";
    for file in hostile.files.values_mut() {
        *file = crate::contract::protocol::Secret::new(odd.into());
    }
    let script = with(&hostile);
    for (name, value) in values(&script) {
        let is_data = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\'');
        assert!(value.bytes().all(is_data), "{name}={value}");
    }
    let host = Host::new();
    assert!(host.run(&script, DEADLINE - 100));
    assert_eq!(fs::read_to_string(host.runner(".credentials")).unwrap(), odd);
    assert!(!host.path("pwned").exists());
}

#[test]
fn the_script_is_what_bash_reads() {
    for text in [script_for("o/r", Some(1)).as_str(), HOOK] {
        assert!(Command::new("bash").args(["-n", "-c", text]).status().unwrap().success());
    }
}

#[test]
fn first_of_all_the_end_is_set_and_no_clock_puts_it_off_for_longer_than_the_class_has() {
    let script = script_for("o/r", Some(1));
    for (clock, seconds) in [(DEADLINE - 100, Some(100)), (0, Some(3_600)), (DEADLINE, None), (DEADLINE + 9, None)] {
        let host = Host::new();
        assert_eq!(host.run(&script, clock), seconds.is_some(), "{clock}: {}", host.said());
        let calls = host.calls();
        let Some(seconds) = seconds else {
            assert_eq!(calls, ["systemctl poweroff --force"], "nothing else is begun");
            assert!(host.said().contains("time of this machine is over"), "{}", host.said());
            continue;
        };
        let timer = format!(
            "systemd-run --quiet --unit=github-runner-deadline --on-active={seconds}s --timer-property=AccuracySec=1s \
             systemctl poweroff --force"
        );
        assert_eq!(calls[0], timer);
        assert!(host.drop_in().contains(&format!("RuntimeMaxSec={seconds}\n")));
    }
}

#[test]
fn files_have_the_very_bytes_for_the_runner_alone_and_no_secret_is_on_a_command_line() {
    let (registration, host) = (registration(), Host::new());
    assert!(host.run(&with(&registration), DEADLINE - 100), "{}", host.said());
    for (name, secret) in &registration.files {
        let path = host.runner(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), secret.expose());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let encoded = BASE64_STANDARD.encode(secret.expose());
        let leaked = host.calls().into_iter().find(|call| call.contains(secret.expose()) || call.contains(&encoded));
        assert_eq!(leaked, None);
    }
    assert_eq!(fs::read_to_string(host.runner("job-started.sh")).unwrap(), HOOK);
    assert_eq!(fs::read_to_string(host.runner(".order")).unwrap(), "repository=octo-org/example\nrun=19283746\n");
    let given: Vec<String> = host.calls().into_iter().filter(|call| call.starts_with("chown")).collect();
    assert_eq!(given.len(), 5);
    assert!(given.iter().all(|call| call.starts_with("chown runner:runner ")), "{given:?}");
}

#[test]
fn the_unit_of_the_image_is_started_and_where_it_has_none_one_is_written() {
    let script = script_for("o/r", Some(1));
    let own = Host::new();
    own.mark("has-unit");
    assert!(own.run(&script, DEADLINE - 100), "{}", own.said());
    assert!(!own.path("units/github-actions-runner.service").exists());
    let written = Host::new();
    assert!(written.run(&script, DEADLINE - 100), "{}", written.said());
    let unit = fs::read_to_string(written.path("units/github-actions-runner.service")).unwrap();
    let here = written.directory.path().to_str().unwrap();
    insta::assert_snapshot!(unit.replace(here, ""), @r"
    [Unit]
    Description=GitHub Actions runner

    [Service]
    User=runner
    WorkingDirectory=/home/actions-runner
    ExecStart=/home/actions-runner/bin/Runner.Listener run --startuptype service
    ");
    insta::assert_snapshot!(written.drop_in().replace(here, ""), @r"
    [Unit]
    SuccessAction=poweroff
    FailureAction=poweroff-force

    [Service]
    Type=notify
    NotifyAccess=all
    Restart=no
    TimeoutStartSec=600
    RuntimeMaxSec=100
    StandardOutput=journal+console
    Environment=RUNNER_ROOT=/home/actions-runner
    Environment=ACTIONS_RUNNER_HOOK_JOB_STARTED=/home/actions-runner/job-started.sh
    ");
    for host in [own, written] {
        let calls = host.calls();
        assert_eq!(
            calls[calls.len() - 2..],
            [
                "systemctl daemon-reload".to_owned(),
                "systemctl start --no-block github-actions-runner.service".to_owned()
            ]
        );
    }
}

#[test]
fn whatever_fails_powers_the_machine_off_and_says_why() {
    let script = script_for("o/r", Some(1));
    for (fault, said) in [
        ("systemd-run-fails", "it powers off"),
        ("chown-fails", "Line "),
        ("no-listener", "so it is none for runners"),
        ("daemon-reload-fails", "it powers off"),
        ("other-owner", "does not belong to the user runner: chown it in the image"),
    ] {
        let host = Host::new();
        host.mark(fault);
        assert!(!host.run(&script, DEADLINE - 100), "{fault}");
        let calls = host.calls();
        assert_eq!(calls.last().map(String::as_str), Some("systemctl poweroff --force"), "{fault}: {calls:?}");
        assert!(!calls.iter().any(|call| call.contains("start --no-block")), "{fault}: {calls:?}");
        assert!(host.said().contains(said), "{fault}: {}", host.said());
    }
}

/// The script of a class that names a runner with this digest.
fn fetching(sha256: &str) -> String {
    let runner = Download { url: "https://example.org/runner.tar.gz".into(), sha256: sha256.into() };
    let kind =
        KindSettings::Ec2 { broker: "/b".into(), place: "here".into(), spot: 1, candidates: 1, runner: Some(runner) };
    of_class(&registration(), &ClassSettings { kind, ..class() })
}

/// A machine at whose address there is a runner, and the digest of that.
fn with_archive() -> (Host, String) {
    let host = Host::new();
    fs::remove_dir_all(host.path("home")).unwrap();
    let made = host.path("made");
    fs::create_dir_all(made.join("bin")).unwrap();
    fs::write(made.join("bin/Runner.Listener"), "").unwrap();
    fs::set_permissions(made.join("bin/Runner.Listener"), fs::Permissions::from_mode(0o755)).unwrap();
    let archive = host.path("archive");
    let tar = Command::new("tar").args(["-czf"]).arg(&archive).arg("-C").arg(&made).arg("bin").status().unwrap();
    assert!(tar.success());
    let digest = crate::model::hex(&Sha256::digest(fs::read(&archive).unwrap()));
    (host, digest)
}

#[test]
fn a_runner_that_the_class_names_is_fetched_for_a_user_who_may_do_everything() {
    let (host, digest) = with_archive();
    host.mark("no-user");
    assert!(host.run(&fetching(&digest), DEADLINE - 100), "{}", host.said());
    assert!(
        host.runner("bin/Runner.Listener").exists() && !host.path("fetched").exists(),
        "unpacked, and nothing is left"
    );
    assert_eq!(fs::read_to_string(host.path("sudoers")).unwrap(), "runner ALL=(ALL) NOPASSWD:ALL\n");
    let calls = host.calls();
    assert!(calls[0].starts_with("systemd-run "), "the end is set before anything is fetched: {calls:?}");
    let fetched = calls.iter().find(|call| call.starts_with("curl ")).unwrap();
    assert!(fetched.contains("--proto =https") && fetched.ends_with(" https://example.org/runner.tar.gz"), "{fetched}");
    assert!(calls.iter().any(|call| call.starts_with("useradd ") && call.ends_with(" runner")), "{calls:?}");
    assert!(!host.drop_in().contains("GLOBALIZATION"), "the library is there");
    let (bare, digest) = with_archive();
    bare.mark("no-library");
    assert!(bare.run(&fetching(&digest), DEADLINE - 100), "{}", bare.said());
    assert!(bare.drop_in().ends_with("\nEnvironment=DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1\n"), "{}", bare.drop_in());
}

#[test]
fn a_runner_that_is_another_one_or_cannot_be_fetched_powers_the_machine_off() {
    let (host, digest) = with_archive();
    let other = digest.replace(|c: char| c.is_ascii_hexdigit(), "0");
    assert!(!host.run(&fetching(&other), DEADLINE - 100));
    assert!(host.said().contains("has another SHA-256 than 0000"), "{}", host.said());
    assert!(!host.runner("bin/Runner.Listener").exists(), "nothing of it is unpacked");
    let (host, digest) = with_archive();
    host.mark("curl-fails");
    assert!(!host.run(&fetching(&digest), DEADLINE - 100));
    assert!(host.said().contains("cannot be fetched from https://example.org/"), "{}", host.said());
    assert_eq!(host.calls().last().map(String::as_str), Some("systemctl poweroff --force"));
}

#[test]
fn without_a_user_of_the_name_the_runner_is_roots() {
    let host = Host::new();
    host.mark("no-user");
    assert!(host.run(&script_for("o/r", Some(1)), DEADLINE - 100), "{}", host.said());
    let unit = fs::read_to_string(host.path("units/github-actions-runner.service")).unwrap();
    assert!(unit.contains("\nUser=root\n"), "{unit}");
}

/// A machine that is a directory. Programs that would change this one note their calls.
struct Host {
    directory: tempfile::TempDir,
}

/// Stands for each program; what is marked beside it fails.
const PROGRAM: &str = r#"#!/usr/bin/env bash
here=$(dirname "$(dirname "$0")") name=${0##*/}
echo "$name $*" >> "$here/calls"
[[ ! -e $here/$name-fails ]] || exit 1
case "$name $1" in
    'systemctl cat') [[ -e $here/has-unit ]] ;;
    'systemctl daemon-reload') [[ ! -e $here/daemon-reload-fails ]] ;;
    'date +%s') cat "$here/clock" ;;
    'id -u') [[ ! -e $here/no-user ]] ;;
    useradd*) rm -f "$here/no-user" ;;
    curl*)
        while [[ $1 != --output ]]; do shift; done
        cp "$here/archive" "$2"
        ;;
    ldconfig*) [[ -e $here/no-library ]] || echo '  libicuuc.so.74 => /lib/libicuuc.so.74' ;;
    'id -gn') echo "$2" ;;
    stat*) [[ -e $here/other-owner ]] && echo root || echo runner ;;
    'install --mode=0440') cat > "$here/sudoers" ;;
    install*) mkdir -p "${!#}" ;;
esac
"#;

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory };
        let programs = host.path("bin");
        fs::create_dir_all(&programs).unwrap();
        let names =
            ["systemctl", "systemd-run", "date", "id", "install", "chown", "stat", "useradd", "curl", "ldconfig"];
        for name in names {
            let path = programs.join(name);
            fs::write(&path, PROGRAM).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let listener = host.runner("bin/Runner.Listener");
        fs::create_dir_all(listener.parent().unwrap()).unwrap();
        fs::write(&listener, "").unwrap();
        fs::set_permissions(&listener, fs::Permissions::from_mode(0o755)).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of the runner's root.
    fn runner(&self, name: &str) -> PathBuf {
        self.path("home/actions-runner").join(name)
    }

    fn mark(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
        if name == "no-listener" {
            fs::remove_file(self.runner("bin/Runner.Listener")).unwrap();
        }
    }

    /// Runs the script at this time, with this directory in the place of the system's, and whether it ended well.
    fn run(&self, script: &str, clock: u64) -> bool {
        fs::write(self.path("clock"), clock.to_string()).unwrap();
        let mut text = script.to_owned();
        let here = self.directory.path().display();
        for (place, other) in [
            ("directory=/home/runner/actions-runner\n", format!("directory={here}/home/actions-runner\n")),
            ("units=/run/systemd/system\n", format!("units={here}/units\n")),
            ("> /dev/console", format!(">> {here}/console")),
            ("archive=/var/tmp/actions-runner.tar.gz\n", format!("archive={here}/fetched\n")),
        ] {
            assert_eq!(text.matches(place).count(), 1, "{place}");
            text = text.replace(place, &other);
        }
        let path = format!("{here}/bin:{}", std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-c", &text]).current_dir(self.directory.path()).env("PATH", path);
        command.output().unwrap().status.success()
    }

    /// Calls in their order, those that only look left out.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let looks = ["date ", "id ", "stat ", "systemctl cat ", "ldconfig "];
        text.lines().filter(|line| !looks.iter().any(|look| line.starts_with(look))).map(String::from).collect()
    }

    /// What is on the console.
    fn said(&self) -> String {
        fs::read_to_string(self.path("console")).unwrap_or_default()
    }

    fn drop_in(&self) -> String {
        fs::read_to_string(self.path("units/github-actions-runner.service.d/order.conf")).unwrap()
    }
}
