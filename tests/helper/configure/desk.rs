//! A host whose listener is the stand-in, prepared and ready to be configured.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::harness::{example, parse};
use crate::host::{Host, Said};

/// See the description of the file.
pub struct Desk(pub Host);

impl Desk {
    /// A desk whose listener follows `script`.
    pub fn new(script: Value) -> Self {
        Self::with(script, |_| ())
    }

    /// The same, with a manifest or token that `edit` changed before it was prepared.
    pub fn with(mut script: Value, edit: impl FnOnce(&mut Host)) -> Self {
        let mut host = Host::new();
        fs::create_dir(host.path("dump")).unwrap();
        symlink(example("stand-in-listener"), host.path("listener/Runner.Listener")).unwrap();
        script["dump"] = json!(host.path("dump"));
        fs::write(host.path("listener/stand-in.json"), script.to_string()).unwrap();
        edit(&mut host);
        host.prepare().good();
        Self(host)
    }

    /// Runs `configure` in an environment with one variable that is passed on and one that is not.
    pub fn configure(&self) -> Said {
        let mut command = self.0.command("configure");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LD_SECRET", "never");
        command.output().unwrap().into()
    }

    /// How the listener was started, each time.
    pub fn dumps(&self) -> Vec<Value> {
        self.0.tree("dump").iter().map(|name| parse(&self.0.path("dump").join(name))).collect()
    }

    /// How the listener was started, the only time.
    pub fn dump(&self) -> Value {
        let dumps = self.dumps();
        assert_eq!(dumps.len(), 1, "the listener runs once");
        dumps.into_iter().next().unwrap()
    }

    /// A path without the temporary directory that it lies in.
    pub fn short(&self, text: &str) -> String {
        text.replace(&self.0.path("").display().to_string(), "/HOST/")
    }

    /// Fails if `token` is in any file that a listener or a job could reach.
    #[track_caller]
    pub fn assert_nowhere(&self, token: &str) {
        for directory in ["state", "work", "logs", "dump", "ledger"] {
            for name in self.0.tree(directory) {
                let content = fs::read(self.0.path(directory).join(&name)).unwrap_or_default();
                let found = content.windows(token.len()).any(|window| window == token.as_bytes());
                assert!(!found, "{directory}/{name} holds the token");
            }
        }
    }
}
