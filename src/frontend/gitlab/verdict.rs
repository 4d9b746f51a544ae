//! How a step of the driver ended, and which exit code means that to gitlab-runner. Pure.

use crate::machines::Fault;
use crate::machines::nspawn::Answer;

/// The end of one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is done.
    Success,
    /// The job's own script failed, with this exit code.
    Script(u8),
    /// The job asks for what it can never get here: a sentence. Trying again changes nothing.
    Refused(String),
    /// Something that is none of the job's commands failed: a sentence.
    System(String),
}

impl Verdict {
    /// For a fault of a machine.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        Self::System(fault.to_string())
    }

    /// What the end of a stage means. A stage that was told to end, `stopped`, is never a success: scripts of some versions of
    /// gitlab-runner end with 0 when SIGTERM ends them.
    #[must_use]
    pub fn of_stage(answer: Result<Answer, Fault>, stopped: bool) -> Self {
        match answer {
            Ok(Answer::Exit(0)) if stopped => Self::Script(128 + SIGTERM),
            Ok(Answer::Exit(0)) => Self::Success,
            Ok(Answer::Exit(code)) => Self::Script(code),
            // Beyond these there is no signal.
            Ok(Answer::Signal(signal @ 1..=64)) => Self::Script(128 + signal),
            Ok(Answer::Gone(gone)) => Self::System(gone.sentence().into()),
            Ok(Answer::Failed(fault)) | Err(fault) => Self::fault(&fault),
            Ok(other) => Self::System(format!("The supervisor of this job answered {other:?}, which ends no stage")),
        }
    }
}

/// Its number on every architecture of Linux.
const SIGTERM: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::nspawn::Gone;

    #[test]
    fn every_exit_code_of_a_script_is_kept() {
        assert_eq!(Verdict::of_stage(Ok(Answer::Exit(0)), false), Verdict::Success);
        for code in 1..=255 {
            assert_eq!(Verdict::of_stage(Ok(Answer::Exit(code)), false), Verdict::Script(code));
            assert_eq!(Verdict::of_stage(Ok(Answer::Exit(code)), true), Verdict::Script(code));
        }
    }

    #[test]
    fn a_signal_is_128_more_and_a_stopped_stage_no_success() {
        assert_eq!(Verdict::of_stage(Ok(Answer::Signal(9)), false), Verdict::Script(137));
        assert_eq!(Verdict::of_stage(Ok(Answer::Signal(64)), false), Verdict::Script(192));
        assert_eq!(Verdict::of_stage(Ok(Answer::Exit(0)), true), Verdict::Script(143));
    }

    #[test]
    fn what_no_script_can_answer_for_is_a_sentence() {
        for answer in [
            Ok(Answer::Gone(Gone::PoweredOff)),
            Ok(Answer::Failed(Fault::Other("no".into()))),
            Ok(Answer::Signal(0)),
            Ok(Answer::Signal(65)),
            Ok(Answer::Ending),
            Err(Fault::Unavailable("gone".into())),
        ] {
            for stopped in [false, true] {
                let verdict = Verdict::of_stage(answer.clone(), stopped);
                assert!(matches!(&verdict, Verdict::System(why) if !why.is_empty()), "{answer:?}: {verdict:?}");
            }
        }
    }
}
