//! What gitlab-runner gives to each call, and how a call ends.
//!
//! The environment holds names of files and two exit codes that gitlab-runner chose, beside thousands of variables that the job
//! chose. Only the five named here are read.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use rustix::process::{PidfdFlags, getppid, pidfd_open};

use super::response::Response;
use super::verdict::Verdict;
use crate::model::is_obeyed;

/// One call by gitlab-runner.
#[derive(Debug)]
pub struct Call {
    response: Option<PathBuf>,
    code_file: Option<PathBuf>,
    build_failure: u8,
    system_failure: u8,
}

impl Call {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        let code = |name: &str, usual| code(env::var_os(name).as_deref(), usual);
        Self {
            response: env::var_os("JOB_RESPONSE_FILE").map(PathBuf::from),
            code_file: env::var_os("BUILD_EXIT_CODE_FILE").map(PathBuf::from),
            build_failure: code("BUILD_FAILURE_EXIT_CODE", 1),
            system_failure: code("SYSTEM_FAILURE_EXIT_CODE", 2),
        }
    }

    /// The job that this call is for.
    ///
    /// # Errors
    ///
    /// If gitlab-runner did not say, or it cannot be read.
    pub fn response(&self) -> Result<Response> {
        let path = self.response.as_ref().context(
            "JOB_RESPONSE_FILE is not set: this program is called by gitlab-runner 14.1 or later, as its custom executor",
        )?;
        Response::read(path)
    }

    /// Says what there is to say, and gives the exit code.
    #[must_use]
    pub fn end(&self, verdict: &Verdict) -> ExitCode {
        match verdict {
            Verdict::Success => ExitCode::SUCCESS,
            Verdict::Script(code) => match self.write_code(*code) {
                Ok(()) => ExitCode::from(self.build_failure),
                Err(error) => {
                    say(&format!("ERROR: The script ended with {code}. {error:#}"));
                    ExitCode::from(self.system_failure)
                }
            },
            Verdict::Refused(why) => {
                say(&format!("ERROR: {why}"));
                ExitCode::from(self.build_failure)
            }
            Verdict::System(why) => {
                say(&format!("ERROR: {why}"));
                ExitCode::from(self.system_failure)
            }
        }
    }

    /// Written afresh for each failure, since gitlab-runner keeps the file from one sub-stage to the next. Versions before
    /// 17.9 name none and know only failure.
    fn write_code(&self, code: u8) -> Result<()> {
        let Some(path) = &self.code_file else { return Ok(()) };
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let opened = File::options().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(path);
        let written = opened.and_then(|mut file| file.write_all(format!("{code}\n").as_bytes()));
        written.with_context(|| format!("Failed to write its exit code to {}", path.display()))
    }
}

/// A number that gitlab-runner named for failures.
fn code(named: Option<&OsStr>, usual: u8) -> u8 {
    let named = named.and_then(|value| value.to_str()?.parse().ok());
    named.filter(|code| *code != 0).unwrap_or(usual)
}

/// The process that called, which is gitlab-runner.
///
/// # Errors
///
/// If it is gone, or in a process namespace that this one does not see.
pub fn runner() -> Result<OwnedFd> {
    let parent = getppid().context("Failed to find gitlab-runner: the parent of this process cannot be seen")?;
    let runner = pidfd_open(parent, PidfdFlags::empty()).context("Failed to watch gitlab-runner")?;
    // Otherwise its number may stand for another process by now.
    (getppid() == Some(parent)).then_some(runner).context("gitlab-runner ended while it called this program")
}

/// A line for the job's log. Where nobody reads, nothing can be said about it.
pub fn say(text: &str) {
    let harmless = |c| if is_obeyed(c) { char::REPLACEMENT_CHARACTER } else { c };
    let line: String = text.chars().map(harmless).chain(['\n']).collect();
    _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn call(directory: &Path) -> Call {
        let code_file = Some(directory.join("build_exit_code"));
        Call { response: None, code_file, build_failure: 1, system_failure: 2 }
    }

    fn is(code: ExitCode, number: u8) -> bool {
        format!("{code:?}") == format!("{:?}", ExitCode::from(number))
    }

    #[test]
    fn each_failure_writes_its_own_code() {
        let directory = tempfile::tempdir().unwrap();
        let call = call(directory.path());
        for code in [255, 1, 42] {
            assert!(is(call.end(&Verdict::Script(code)), 1));
            let written = std::fs::read_to_string(directory.path().join("build_exit_code")).unwrap();
            assert_eq!(written, format!("{code}\n"));
        }
        assert!(is(call.end(&Verdict::Success), 0));
        assert!(is(call.end(&Verdict::System("x".into())), 2));
        assert!(is(call.end(&Verdict::Refused("x".into())), 1));
    }

    #[test]
    fn a_code_that_cannot_be_written_is_a_system_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("build_exit_code");
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(is(call(directory.path()).end(&Verdict::Script(42)), 2));
        assert!(!directory.path().join("elsewhere").exists());
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(is(call(directory.path()).end(&Verdict::Script(42)), 2));
        let none = Call { code_file: None, ..call(directory.path()) };
        assert!(is(none.end(&Verdict::Script(42)), 1));
    }

    #[test]
    fn exit_codes_are_those_that_were_named_unless_they_would_mean_success() {
        for (named, number) in [(None, 2), (Some("7"), 7), (Some("0"), 2), (Some("256"), 2), (Some("x"), 2)] {
            assert_eq!(code(named.map(OsStr::new), 2), number, "{named:?}");
        }
    }
}
