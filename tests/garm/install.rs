//! The install script of a provider, for a GARM that brings none: it runs here, with its paths in a directory, a stand-in for GARM
//! and in place of what changes a system programs that only note their arguments.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use github_runners::model::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::calls::{Garm, TOKENS, changed};
use crate::stand_in::Flavor;

/// What GARM and the server of releases say, by path.
type Pages = Arc<Mutex<Vec<(String, u16, Vec<u8>)>>>;

/// A guest with a GARM beside it.
struct Guest {
    directory: tempfile::TempDir,
    url: String,
    pages: Pages,
    /// Path, token and body of every request.
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Guest {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (pages, asked) = (Pages::default(), Arc::default());
        let guest =
            Self { directory: tempfile::tempdir().unwrap(), url, pages: Arc::clone(&pages), asked: Arc::clone(&asked) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (pages, asked) = (Arc::clone(&pages), Arc::clone(&asked));
                // A client that goes away is its own affair.
                thread::spawn(move || _ = answer(stream.unwrap(), &pages, &asked));
            }
        });
        for path in ["home/runner", "etc/systemd/system", "opt/cache", "bin"] {
            fs::create_dir_all(guest.path(path)).unwrap();
        }
        let notes = guest.path("notes");
        for (name, script) in [
            ("sudo", "exec \"$@\"".to_owned()),
            ("chown", format!("echo chown \"$@\" >> {}", notes.display())),
            ("systemctl", format!("echo systemctl \"$@\" >> {}", notes.display())),
            ("sleep", String::new()),
        ] {
            guest.program(&format!("bin/{name}"), &script);
        }
        guest.page("/c/status", 200, b"");
        guest.page("/c/system-info/", 200, b"");
        guest.page("/m/credentials/runner", 200, br#"{"agentId": "17", "agentName": "garm-1"}"#);
        guest.page("/m/credentials/credentials", 200, b"{\"scheme\": \"OAuth\"}");
        guest.page("/m/credentials/credentials_rsaparams", 200, b"{\"d\": \"fake\"}");
        guest.page("/m/system/service-name", 200, b"actions.runner.octo-org-example.garm-1");
        guest.page("/m/systemd/unit-file?runAsUser=runner", 200, b"[Service]\n");
        guest.page("/m/runner-registration-token/", 200, b"fake-registration");
        guest
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn program(&self, path: &str, script: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn page(&self, path: &str, status: u16, body: &[u8]) {
        let mut pages = self.pages.lock().unwrap();
        pages.retain(|(known, ..)| known != path);
        pages.push((path.into(), status, body.into()));
    }

    /// Puts a release of the runner where it can be downloaded.
    fn release(&self) -> String {
        self.runner("release");
        let archive = self.path("runner.tar.gz");
        let tar = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(self.path("release")).arg(".").status();
        assert!(tar.unwrap().success());
        let bytes = fs::read(archive).unwrap();
        self.page("/runner.tar.gz", 200, &bytes);
        hex(&Sha256::digest(&bytes))
    }

    /// An unpacked runner.
    fn runner(&self, at: &str) {
        let notes = self.path("notes");
        for name in ["bin/installdependencies.sh", "bin/runsvc.sh", "svc.sh", "config.sh"] {
            let note = format!("echo {name} \"$@\" >> {}", notes.display());
            let more = match name {
                "config.sh" => {
                    let token = format!("echo \"$ACTIONS_RUNNER_INPUT_TOKEN\" >> {}", notes.display());
                    token + "\necho '{\"agentId\": 23}' > .runner"
                }
                "svc.sh" => "echo actions.runner.x.service > .service".into(),
                _ => String::new(),
            };
            self.program(&format!("{at}/{name}"), &format!("{note}\n{more}"));
        }
    }

    /// Runs the script that the provider makes of this, with its paths in this guest.
    fn run(&self, change: impl FnOnce(&mut Value)) -> Output {
        let garm = Garm::new(Flavor::Incus);
        let bootstrap = changed("garm-1", |bootstrap| {
            bootstrap["extra_specs"] = Value::Null;
            bootstrap["callback-url"] = json!(format!("{}/c", self.url));
            bootstrap["metadata-url"] = json!(format!("{}/m", self.url));
            bootstrap["tools"][0]["download_url"] = json!(format!("{}/runner.tar.gz", self.url));
            bootstrap["labels"] = json!(["a", "b"]);
            change(bootstrap);
        });
        garm.create(&bootstrap).expect(0);
        let data = garm.config("garm-1", "user.user-data").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        let script = decoded(data["write_files"][0]["content"].as_str().unwrap());
        let inner = |text: String, path: &str| {
            let moved = self.path(&path[1..]);
            text.replace(&format!("={path}"), &format!("={}", moved.display()))
        };
        let script = ["/home/runner", "/opt/cache", "/etc/systemd/system"].into_iter().fold(script, inner);
        // A label of SELinux is nothing for a test's directory.
        let script = script.replace("/sys/fs/selinux", "/nonexistent");
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        Command::new("bash").arg("-c").arg(script).env("PATH", path).output().unwrap()
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.path("notes")).unwrap_or_default()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// What was sent to a path, with its token checked.
    #[track_caller]
    fn sent(&self, path: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let of_path = asked.iter().filter(|(known, ..)| known == path);
        of_path
            .map(|(_, token, body)| {
                assert_eq!(token, &format!("Bearer {}", TOKENS[0]));
                serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
            })
            .collect()
    }

    /// The last status, and the number of those before it that said `installing`.
    fn ended(&self) -> (Value, usize) {
        let mut sent = self.sent("/c/status");
        let last = sent.pop().expect("a status");
        assert!(sent.iter().all(|status| status["status"] == "installing"), "{sent:?}");
        (last, sent.len())
    }
}

fn decoded(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

/// Answers one request, as long as it has one.
fn answer(mut stream: TcpStream, pages: &Pages, asked: &Mutex<Vec<(String, String, String)>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let (mut token, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => token = value.trim().into(),
            "content-length" => length = value.trim().parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.lock().unwrap().push((path.clone(), token, String::from_utf8(body).unwrap()));
    let page = pages.lock().unwrap().iter().find(|(known, ..)| *known == path).cloned();
    let (_, status, body) = page.unwrap_or((path, 404, Vec::new()));
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_runner_is_downloaded_checked_and_started_with_the_registration_of_garm() {
    let guest = Guest::new();
    let sum = guest.release();
    succeeded(&guest.run(|bootstrap| bootstrap["tools"][0]["sha256_checksum"] = json!(sum)));
    let download = guest.asked.lock().unwrap().iter().find(|(path, ..)| path == "/runner.tar.gz").cloned().unwrap();
    assert_eq!(download.1, format!("Bearer {}", TOKENS[1]));
    let runner = guest.path("home/runner/actions-runner");
    assert!(guest.read("home/runner/actions-runner/.runner").contains("agentName"));
    for name in [".runner", ".credentials", ".credentials_rsaparams"] {
        assert_eq!(mode(&runner.join(name)), 0o600, "{name}");
    }
    let unit = "actions.runner.octo-org-example.garm-1.service";
    assert_eq!(guest.read("home/runner/actions-runner/.service"), format!("{unit}\n"));
    assert_eq!(guest.read(&format!("etc/systemd/system/{unit}")), "[Service]\n");
    let expected = format!(
        "bin/installdependencies.sh\nsystemctl daemon-reload\nsystemctl enable {unit}\nsystemctl start {unit}\n"
    );
    assert_eq!(guest.notes(), expected);
    assert!(mode(&runner.join("runsvc.sh")) & 0o111 != 0);
    let (last, before) = guest.ended();
    assert_eq!((&last["status"], &last["agent_id"]), (&json!("idle"), &json!(17)));
    assert!(before >= 3, "{before}");
    let info = guest.sent("/c/system-info/");
    assert_eq!((info.len(), &info[0]["agent_id"]), (1, &json!(17)));
    assert!(info[0]["os_name"].is_string());
}

#[test]
fn without_jit_a_runner_registers_by_a_token() {
    let guest = Guest::new();
    guest.release();
    succeeded(&guest.run(|bootstrap| {
        bootstrap["jit_config_enabled"] = json!(false);
        bootstrap["github-runner-group"] = json!("The group");
    }));
    let notes = guest.notes();
    let expected = "config.sh --unattended --url https://github.com/octo-org/example --name garm-1 --labels a,b \
                    --no-default-labels --ephemeral --runnergroup The group\nfake-registration\nsvc.sh install runner\nsvc.sh start\n";
    assert!(notes.ends_with(expected), "{notes}");
    assert_eq!(guest.ended().0["agent_id"], 23);
}

#[test]
fn the_runner_of_an_image_is_used_and_nothing_is_downloaded() {
    for version in ["latest", "2.330.0"] {
        let guest = Guest::new();
        guest.runner(&format!("opt/cache/actions-runner/{version}"));
        succeeded(&guest.run(|_| ()));
        assert!(!guest.asked.lock().unwrap().iter().any(|(path, ..)| path == "/runner.tar.gz"));
        assert!(guest.notes().starts_with("chown --recursive "), "{}", guest.notes());
        assert_eq!(guest.ended().0["status"], "idle");
    }
}

#[test]
fn a_runner_of_an_image_that_cannot_be_copied_is_told() {
    let guest = Guest::new();
    guest.runner("opt/cache/actions-runner/latest");
    guest.program("bin/chown", "exit 1");
    assert!(!guest.run(|_| ()).status.success());
    let (last, _) = guest.ended();
    assert_eq!((last["status"].as_str(), guest.notes().as_str()), (Some("failed"), ""));
}

#[test]
fn a_runner_with_another_checksum_is_not_unpacked() {
    let guest = Guest::new();
    guest.release();
    let output = guest.run(|bootstrap| bootstrap["tools"][0]["sha256_checksum"] = json!("00".repeat(32)));
    assert!(!output.status.success());
    let (last, _) = guest.ended();
    assert_eq!(last["status"], "failed");
    assert!(last["message"].as_str().unwrap().contains("another checksum"), "{last}");
    assert!(!guest.path("home/runner/actions-runner/bin").exists());
}

#[test]
fn what_garm_does_not_hand_out_is_told_to_it() {
    for (path, said) in [
        ("/m/credentials/credentials", "does not hand out credentials/credentials"),
        ("/m/system/service-name", "does not hand out system/service-name"),
        ("/m/systemd/unit-file?runAsUser=runner", "does not hand out systemd/unit-file"),
    ] {
        let guest = Guest::new();
        guest.release();
        guest.page(path, 500, b"broken");
        assert!(!guest.run(|_| ()).status.success());
        let (last, _) = guest.ended();
        assert_eq!(last["status"], "failed");
        assert!(last["message"].as_str().unwrap().contains(said), "{last}");
        let times = guest.asked.lock().unwrap().iter().filter(|(asked, ..)| asked == path).count();
        assert_eq!(times, 5, "tries");
    }
    let guest = Guest::new();
    guest.release();
    guest.page("/m/system/service-name", 200, b"../../../etc/cron.d/x");
    assert!(!guest.run(|_| ()).status.success());
    assert!(guest.ended().0["message"].as_str().unwrap().contains("a service name that is none"));
}

#[test]
fn a_garm_that_does_not_listen_stops_nothing() {
    let guest = Guest::new();
    guest.release();
    guest.page("/c/status", 500, b"");
    guest.page("/c/system-info/", 500, b"");
    succeeded(&guest.run(|_| ()));
    assert!(guest.notes().contains("systemctl start"));
}

#[test]
fn no_token_is_on_a_command_line_or_in_the_log() {
    let guest = Guest::new();
    guest.release();
    let seen = guest.path("seen");
    let curl = Command::new("sh").args(["-c", "command -v curl"]).output().unwrap();
    let curl = String::from_utf8(curl.stdout).unwrap();
    guest.program("bin/curl", &format!("echo \"$@\" >> {}\nexec {} \"$@\"", seen.display(), curl.trim()));
    let output = guest.run(|_| ());
    succeeded(&output);
    let text = [fs::read(seen).unwrap(), output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("/m/credentials/runner") && !TOKENS.iter().any(|token| text.contains(token)), "{text}");
}
