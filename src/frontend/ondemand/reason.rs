//! Why an order ends: one word for files, a sentence for whoever asked. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::shown;

/// Why an order ends. Texts are those of servers, and were not made harmless yet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Its job is done, or its runner ended by itself after it was online.
    Done,
    /// No job came in time.
    NoJob,
    /// The runner did not connect in time.
    NotOnline,
    /// Its time is over.
    Deadline,
    /// The run is over or was cancelled.
    RunOver,
    /// A job that the order could be for was not queued in time.
    NotQueued,
    /// Its caller gave it up.
    GivenUp,
    /// The operator ended it.
    Operator,
    /// Its machine ended before its runner connected, or is gone.
    MachineLost,
    /// No candidate had room; what each of them said is in the order's tries.
    NoCapacity,
    /// Nobody who could make a machine answered in time.
    Unavailable(String),
    /// Machines of this class cannot be made as they are configured.
    Configuration(String),
    /// The server registers no such runner.
    Registration(String),
    /// A runner that is not the order's has its name.
    NameTaken,
}

impl Reason {
    /// The word for it, as in files and answers. The words are an interface.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NoJob => "noJob",
            Self::NotOnline => "notOnline",
            Self::Deadline => "deadline",
            Self::RunOver => "runOver",
            Self::NotQueued => "notQueued",
            Self::GivenUp => "givenUp",
            Self::Operator => "operator",
            Self::MachineLost => "machineLost",
            Self::NoCapacity => "noCapacity",
            Self::Unavailable(_) => "unavailable",
            Self::Configuration(_) => "configuration",
            Self::Registration(_) => "registration",
            Self::NameTaken => "nameTaken",
        }
    }

    /// Whether it says that the class does not work, and not that nobody needed the machine.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        use Reason::{Configuration, MachineLost, NoCapacity, NotOnline, Registration, Unavailable};
        matches!(self, NotOnline | MachineLost | NoCapacity | Unavailable(_) | Configuration(_) | Registration(_))
    }
}

impl fmt::Display for Reason {
    /// A sentence for whoever asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("Its job is done."),
            Self::NoJob => f.write_str("No job came in time: ask for a runner only when its job is about to be queued."),
            Self::NotOnline => f.write_str("Its runner did not connect in time: the journal of the host has its console."),
            Self::Deadline => f.write_str("Its time is over: split the job, or have the class's `ttl` raised."),
            Self::RunOver => f.write_str("Its run is over or was cancelled."),
            Self::NotQueued => f.write_str(
                "No job with this label was queued in time: write the same label into `runs-on` of a job that does not wait for others.",
            ),
            Self::GivenUp => f.write_str("It was given up by its workflow."),
            Self::Operator => f.write_str("The operator of the service ended it."),
            Self::MachineLost => f.write_str("Its machine ended before the runner connected: run the workflow again."),
            Self::NoCapacity => f.write_str("There was no room for its machine anywhere: run the workflow again later."),
            Self::Unavailable(why) => {
                write!(f, "No machine could be made in time ({}): run the workflow again later.", shown(why))
            }
            Self::Configuration(why) => {
                write!(f, "Machines of its class cannot be made ({}): the operator has to change the class.", shown(why))
            }
            Self::Registration(why) => {
                write!(f, "GitHub registers no runner for it ({}): the operator has to look at the credential.", shown(why))
            }
            Self::NameTaken => f.write_str("A runner of this name exists already: use another label."),
        }
    }
}
