//! What the driver, the supervisor and the agent say to each other. Pure.
//!
//! All sockets are Unix sockets of type `SOCK_SEQPACKET`: a packet is one message, one JSON object, with the descriptors
//! that belong to it. So nothing is ever half read, and one loop without threads serves them all.
//!
//! * Driver → supervisor, the accepted connection of `machines.sock`: [`Errand`], with a pidfd of gitlab-runner or with user data.
//!   Supervisor → driver: [`Progress`] until it is ready or failed. If the connection ends before, the machine ends.
//! * Driver → supervisor, `jobs/ID/socket`: one [`Request`] for each connection, [`Request::Cancel`] as the only one that
//!   may follow. Supervisor → driver: one [`Answer`]. A driver that goes away ends its stage.
//! * Supervisor → agent: [`Command`]. Agent → supervisor: [`Report`]. The agent runs among hostile processes of the same
//!   user, so a report is a job's word: it decides how the job itself ends, and nothing else.

use serde::{Deserialize, Serialize};

use crate::machines::{Cache, Fault};

/// The version of all messages. Programs of different versions meet only while a host is being updated.
pub const VERSION: u32 = 1;

/// Where sockets and what lives as long as a machine are, unless a test has another place.
pub const RUN_DIRECTORY: &str = "/run/gitlab-nspawn";

/// By this name the init of a machine finds user data among its system credentials, see systemd.exec(5).
pub const USER_DATA: &str = "github-runner.user-data";

/// No user data is longer, in bytes. systemd takes a MiB for all credentials of a machine.
pub const LONGEST_USER_DATA: u64 = 256 * 1024;

/// Where a machine has what is not its image's: the agent, and the socket to which it connects.
pub const HOME: &str = "/run/ci-machine";

/// Where stages look for programs besides, as in `PATH`: the usual places, then those of NixOS.
pub const PROGRAMS: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin:/run/current-system/sw/bin";

/// No message is longer, in bytes.
pub const LONGEST_MESSAGE: usize = 16 * 1024;

/// No message has more descriptors.
pub const MOST_DESCRIPTORS: usize = 3;

/// The longest name of a stage, in bytes.
pub const LONGEST_STAGE: usize = 128;

/// The longest grace between SIGTERM and SIGKILL, in seconds: what the runner itself waits at most by default.
pub const LONGEST_GRACE: u64 = 600;

/// How much of a sentence of an agent is repeated, in characters.
const LONGEST_SENTENCE: usize = 500;

/// What a new supervisor is started for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errand {
    /// Make a machine and be its supervisor. One descriptor comes with it: a pidfd, at whose end the machine ends, or
    /// the user data as sealed memory, see [`Order::user_data`].
    Make(Order),
    /// Take away what is left of a job whose supervisor does not answer.
    Clear {
        /// The job's number.
        job: u64,
    },
}

/// A machine that is to be made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// [`VERSION`].
    pub version: u32,
    /// The job's number.
    pub job: u64,
    /// The name of an image of the settings.
    pub image: String,
    /// After how many seconds the machine ends, whatever it does.
    pub timeout: u64,
    /// What the job keeps for the next one of its project.
    pub cache: Option<Cache>,
    /// Whether the descriptor that comes with the order is user data. The machine has its own work then: it takes no stages, is
    /// ready once it was handed its data, and belongs to nobody. Left out if it has none, so that programs of before this field
    /// and after it understand each other; who does not know it refuses such an order.
    #[serde(default, rename = "userData", skip_serializing_if = "is_absent")]
    pub user_data: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "for serde")]
fn is_absent(user_data: &bool) -> bool {
    !user_data
}

/// How far the machine is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// A sentence for the job's log.
    Doing(String),
    /// The machine takes stages, or what was to be cleared is gone. The connection is not needed any more.
    Ready,
    /// There is no machine and will be none.
    Failed(Fault),
}

/// What a driver wants of a machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Run a script. Three descriptors come with it: the script, a pipe for stdout, a pipe for stderr.
    Stage {
        /// The name of the stage, for the journal.
        name: String,
    },
    /// End the stage of this connection: SIGTERM to all its processes, SIGKILL after as many seconds.
    Cancel {
        /// At most [`LONGEST_GRACE`].
        grace: u64,
    },
    /// End the machine.
    End,
    /// Say what the machine is and does.
    Look,
    /// Give the end of what the machine wrote to its console.
    Console,
}

/// What a driver gets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The script ended with this exit code.
    Exit(u8),
    /// The script was ended by this signal.
    Signal(u8),
    /// The script cannot have run to its end: the machine is gone.
    Gone(Gone),
    /// The request was refused, or its script could not be started.
    Failed(Fault),
    /// To [`Request::End`]: the machine is being killed.
    Ending,
    /// To [`Request::Look`].
    Look {
        /// Whether it takes stages already.
        ready: bool,
        /// The stage that runs.
        stage: Option<String>,
    },
    /// To [`Request::Console`].
    Console(String),
}

/// Why a machine is gone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gone {
    /// The kernel killed it for lack of memory.
    Memory,
    /// The job powered it off.
    PoweredOff,
    /// The job rebooted it.
    Rebooted,
    /// The agent in it was killed.
    AgentKilled,
    /// The agent in it said what no agent says.
    AgentLied,
    /// Somebody outside killed it or its supervisor.
    Killed,
    /// The job's time is over.
    Deadline,
    /// The runner that wanted it is gone.
    RunnerGone,
    /// Nobody ran a stage in it for too long.
    Unused,
    /// Somebody asked for its end: cleanup, or an operator.
    Ended,
}

impl Gone {
    /// One sentence for the job's log, without a full stop.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Memory => "The machine of this job met its memory limit and the kernel killed it",
            Self::PoweredOff => "The job powered its machine off",
            Self::Rebooted => "The job rebooted its machine, which is never started twice",
            Self::AgentKilled => "The job killed the agent in its machine",
            Self::AgentLied => "The agent in the machine of this job said what no agent says, so the machine was ended",
            Self::Killed => "The machine of this job was killed from outside",
            Self::Deadline => "The time of this job's machine is over",
            Self::RunnerGone => "The gitlab-runner that this machine was made for is gone",
            Self::Unused => "Nobody ran anything in the machine of this job for so long that it was ended",
            Self::Ended => "The machine of this job was asked to end",
        }
    }
}

/// What the supervisor wants of the agent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The machine is complete, the image's init may start. Names and values for all stages.
    Start {
        /// Variables of the environment, beside the usual ones.
        environment: Vec<(String, String)>,
    },
    /// Run a script. Three descriptors come with it, as with [`Request::Stage`].
    Stage,
    /// SIGTERM to all processes of the stage, SIGKILL after as many seconds.
    Cancel {
        /// At most [`LONGEST_GRACE`].
        grace: u64,
    },
}

/// What the agent says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// It is there.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// The stage ended, with everything that it had started.
    Exit(u8),
    /// The stage was ended by this signal, with everything that it had started.
    Signal(u8),
    /// The script could not be started: a sentence.
    Failed(String),
}

/// What an agent says, short and without what a terminal would obey: a job may have taken its place.
#[must_use]
pub fn harmless(text: &str) -> String {
    text.chars().take(LONGEST_SENTENCE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of each message is what another version of the programs meets.
    #[test]
    fn messages_look_as_they_are_promised() {
        let text = |message: &dyn erased::Message| message.text();
        let order = Order {
            version: VERSION,
            job: 4711,
            image: "debian".into(),
            timeout: 60,
            cache: Some(Cache { project: 7, protected: true }),
            user_data: false,
        };
        let own_work = Order { cache: None, user_data: true, ..order.clone() };
        insta::assert_snapshot!(text(&Errand::Clear { job: 4711 }), @r#"{"clear":{"job":4711}}"#);
        insta::assert_snapshot!(text(&Errand::Make(order)), @r#"{"make":{"version":1,"job":4711,"image":"debian","timeout":60,"cache":{"project":7,"protected":true}}}"#);
        insta::assert_snapshot!(text(&Errand::Make(own_work)), @r#"{"make":{"version":1,"job":4711,"image":"debian","timeout":60,"cache":null,"userData":true}}"#);
        insta::assert_snapshot!(text(&Progress::Ready), @r#""ready""#);
        insta::assert_snapshot!(text(&Progress::Failed(Fault::NotFound("There is no image x".into()))), @r#"{"failed":{"kind":"not-found","reason":"There is no image x"}}"#);
        insta::assert_snapshot!(text(&Request::Stage { name: "build_script".into() }), @r#"{"stage":{"name":"build_script"}}"#);
        insta::assert_snapshot!(text(&Request::Cancel { grace: 10 }), @r#"{"cancel":{"grace":10}}"#);
        insta::assert_snapshot!(text(&Request::End), @r#""end""#);
        insta::assert_snapshot!(text(&Answer::Exit(42)), @r#"{"exit":42}"#);
        insta::assert_snapshot!(text(&Answer::Gone(Gone::PoweredOff)), @r#"{"gone":"powered-off"}"#);
        insta::assert_snapshot!(text(&Report::Hello { version: VERSION }), @r#"{"hello":{"version":1}}"#);
    }

    /// A supervisor of before the field refuses what has it, because it knows all of its fields.
    #[test]
    fn an_order_of_a_program_that_knows_no_user_data_has_none() {
        let text = r#"{"make":{"version":1,"job":1,"image":"debian","timeout":60,"cache":null}}"#;
        let Ok(Errand::Make(order)) = serde_json::from_str(text) else { panic!("it is not understood") };
        assert!(!order.user_data);
        let later = text.replace("\"cache\"", "\"later\":true,\"cache\"");
        assert!(serde_json::from_str::<Errand>(&later).is_err());
    }

    mod erased {
        pub trait Message {
            fn text(&self) -> String;
        }
        impl<T: serde::Serialize> Message for T {
            fn text(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }
}
