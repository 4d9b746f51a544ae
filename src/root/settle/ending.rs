//! What the end of a unit means, as a function of what systemd and the files say.
//!
//! Sources: systemd.exec(5) on `$SERVICE_RESULT`; actions/runner `Constants.cs:150` and `Runner.cs` for the codes. The
//! code alone tells little (0 has several meanings), so it is read together with the files.

use crate::ledger::{Exit, ExitKind};
use crate::state::Snapshot;

/// After this time without a failure, in seconds, the next one is the first again. Longer than any wait between two.
const FORGIVEN: u64 = 60 * 60;

/// What systemd says about an end.
#[derive(Clone, Debug)]
pub(in crate::root) struct Ending {
    /// `$SERVICE_RESULT`
    pub(in crate::root) result: String,
    /// `$EXIT_CODE`; absent if the listener never ran.
    pub(in crate::root) code: Option<String>,
    /// `$EXIT_STATUS`: a number, or the name of a signal.
    pub(super) status: Option<String>,
}

/// Whether the listener's settings are still there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::root) enum Files {
    Kept,
    /// There, but not as any listener leaves them.
    Damaged,
    Gone,
}

impl Files {
    /// What a look into the state directory says; `None` stands for one that failed.
    pub(in crate::root) fn of(snapshot: Option<&Snapshot>) -> Self {
        match snapshot {
            Some(snapshot) if snapshot.settings_are_gone() => Self::Gone,
            Some(snapshot) if snapshot.identity().is_some() => Self::Kept,
            _ => Self::Damaged,
        }
    }
}

impl Ending {
    /// What systemd says to the step that runs.
    pub(in crate::root) fn of_unit() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self {
            result: variable("SERVICE_RESULT").unwrap_or_default(),
            code: variable("EXIT_CODE"),
            status: variable("EXIT_STATUS"),
        }
    }

    /// The kind of this end, and the same as a sentence without its subject.
    pub(in crate::root) fn meaning(&self, ephemeral: bool, files: Files) -> (ExitKind, String) {
        let success = self.result == "success";
        let status = self.status.as_deref().unwrap_or_default();
        let (kind, said) = match (self.code.as_deref(), status) {
            (None, _) if success => (ExitKind::Clean, "stopped before its listener ran".into()),
            (None, _) => (ExitKind::NotStarted, format!("failed to start ({})", self.result)),
            (Some("exited"), "0") => match (ephemeral, files) {
                (true, Files::Gone) => (ExitKind::JobDone, "did its job".into()),
                (true, Files::Kept) => (ExitKind::Clean, "stopped without having finished a job".into()),
                (false, Files::Kept) => (ExitKind::Clean, "stopped".into()),
                (_, Files::Damaged) => (ExitKind::Clean, "stopped, and its settings are damaged".into()),
                (false, Files::Gone) => {
                    (ExitKind::Clean, "ended because GitHub had deleted it; it registers anew at the next start".into())
                }
            },
            (Some("exited"), "1") => {
                (ExitKind::Terminated, "ended for good (exit code 1); GitHub may have deleted its registration".into())
            }
            (Some("exited"), "5") => {
                (ExitKind::SessionConflict, "ended because GitHub sees another session of it (exit code 5)".into())
            }
            (Some("exited"), "7") => {
                (ExitKind::VersionDeprecated, "ended because its version is too old (exit code 7)".into())
            }
            (Some("exited"), code) => (ExitKind::Crashed, format!("ended with exit code {code}")),
            (Some(_), signal) if success => (ExitKind::Clean, format!("was stopped by signal {signal}")),
            (Some(_), signal) => (ExitKind::Crashed, format!("was ended by signal {signal} ({})", self.result)),
        };
        (kind, said)
    }
}

impl Ending {
    /// From when on the next start's wait counts. A start that systemd cut off, most likely while it waited, goes on with
    /// its wait instead of beginning another one; or a unit with little time would wait forever.
    pub(super) fn counts_from(&self, last: Option<&Exit>, at: u64) -> u64 {
        let cut_off = self.result == "timeout" && self.code.is_none();
        last.filter(|last| cut_off && last.failures > 0).map_or(at, |last| last.at)
    }
}

/// How many failures in a row this end makes, and how many of these are of its kind.
pub(super) fn failures(last: Option<&Exit>, kind: ExitKind, at: u64) -> (u32, u32) {
    if matches!(kind, ExitKind::Clean | ExitKind::JobDone) {
        return (0, 0);
    }
    match last {
        Some(last) if last.failures > 0 && at.saturating_sub(last.at) < FORGIVEN => {
            let alike = if last.kind == kind { last.alike } else { 0 };
            (last.failures.saturating_add(1), alike.saturating_add(1))
        }
        _ => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(result: &str, code: &str, status: &str, ephemeral: bool, files: Files) -> (ExitKind, String) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ending { result: result.into(), code: text(code), status: text(status) }.meaning(ephemeral, files)
    }

    #[test]
    fn every_end_has_its_meaning() {
        use ExitKind::*;
        for (result, code, status, kind, said) in [
            ("success", "", "", Clean, "stopped before its listener ran"),
            ("exit-code", "", "", NotStarted, "failed to start (exit-code)"),
            ("timeout", "", "", NotStarted, "failed to start (timeout)"),
            ("success", "exited", "0", Clean, "stopped"),
            ("exit-code", "exited", "1", Terminated, "may have deleted"),
            ("exit-code", "exited", "2", Crashed, "exit code 2"),
            ("exit-code", "exited", "3", Crashed, "exit code 3"),
            ("exit-code", "exited", "5", SessionConflict, "another session"),
            ("exit-code", "exited", "7", VersionDeprecated, "too old"),
            ("exit-code", "exited", "143", Crashed, "exit code 143"),
            ("success", "killed", "INT", Clean, "stopped by signal INT"),
            ("signal", "killed", "KILL", Crashed, "signal KILL (signal)"),
            ("core-dump", "dumped", "ABRT", Crashed, "signal ABRT (core-dump)"),
            ("oom-kill", "killed", "KILL", Crashed, "signal KILL (oom-kill)"),
            ("", "", "", NotStarted, "failed to start ()"),
        ] {
            let (found, text) = meaning(result, code, status, false, Files::Kept);
            assert_eq!(found, kind, "{result} {code} {status}");
            assert!(text.contains(said), "{result} {code} {status}: {text}");
        }
    }

    #[test]
    fn exit_code_0_is_read_together_with_the_files() {
        let end = |ephemeral, files| meaning("success", "exited", "0", ephemeral, files);
        assert_eq!(end(true, Files::Gone), (ExitKind::JobDone, "did its job".into()));
        assert_eq!(end(true, Files::Kept).0, ExitKind::Clean);
        assert!(end(false, Files::Gone).1.contains("registers anew"));
        assert!(end(true, Files::Damaged).1.contains("damaged"), "no job that damages them counts as done");
        assert_eq!(end(false, Files::Kept).1, "stopped");
    }

    #[test]
    fn a_start_that_is_cut_off_while_it_waits_goes_on_with_its_wait() {
        let ending = |result: &str, code: Option<&str>| Ending {
            result: result.into(),
            code: code.map(str::to_owned),
            status: None,
        };
        let last =
            |failures| Exit { at: 10_000, kind: ExitKind::NotStarted, said: String::new(), failures, alike: failures };
        assert_eq!(ending("timeout", None).counts_from(Some(&last(6)), 10_090), 10_000);
        assert_eq!(ending("timeout", None).counts_from(Some(&last(0)), 10_090), 10_090);
        assert_eq!(ending("timeout", Some("killed")).counts_from(Some(&last(6)), 10_090), 10_090);
        assert_eq!(ending("exit-code", None).counts_from(Some(&last(6)), 10_090), 10_090);
        assert_eq!(ending("timeout", None).counts_from(None, 10_090), 10_090);
    }

    #[test]
    fn failures_are_counted_altogether_and_by_kind_and_forgiven_with_time() {
        let last = |kind, failures, alike| Exit { at: 10_000, kind, said: String::new(), failures, alike };
        let crashed = last(ExitKind::Crashed, 5, 3);
        assert_eq!(failures(Some(&crashed), ExitKind::Crashed, 10_100), (6, 4));
        assert_eq!(failures(Some(&crashed), ExitKind::Terminated, 10_100), (6, 1), "taking turns is no recovery");
        assert_eq!(failures(Some(&crashed), ExitKind::Crashed, 10_000 + FORGIVEN), (1, 1));
        assert_eq!(failures(Some(&crashed), ExitKind::Clean, 10_100), (0, 0));
        assert_eq!(failures(Some(&crashed), ExitKind::JobDone, 10_100), (0, 0));
        assert_eq!(failures(Some(&last(ExitKind::Clean, 0, 0)), ExitKind::Crashed, 10_001), (1, 1));
        assert_eq!(failures(None, ExitKind::Crashed, 10_100), (1, 1));
        let many = last(ExitKind::Crashed, u32::MAX, u32::MAX);
        assert_eq!(failures(Some(&many), ExitKind::Crashed, 10_001), (u32::MAX, u32::MAX));
    }
}
