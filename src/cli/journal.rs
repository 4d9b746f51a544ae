//! Log lines as the journal wants them: a level prefix, one sentence, nothing else.
//!
//! systemd takes the `<N>` prefix off and adds time and unit by itself. On a terminal the prefix would be noise,
//! so it is written only when systemd connected the unit's output to the journal.
//!
//! A subscriber of its own, because there are no spans to keep: the usual one reserves room for those of thousands
//! of threads, which takes longer to set up than some steps take to run.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::model::is_obeyed;

/// The journal makes a new entry of what is beyond 48 KiB, and would obey a prefix there.
const LONGEST_LINE: usize = 8 * 1024;

/// Sends all log lines of this process to standard error.
pub fn start() {
    let journal = Journal { prefix: std::env::var_os("JOURNAL_STREAM").is_some() };
    // Fails only if the process has a subscriber already, which then stays.
    _ = tracing::subscriber::set_global_default(journal);
}

struct Journal {
    prefix: bool,
}

impl Journal {
    /// One line of the journal for each line of `message`.
    fn lines(&self, level: Level, message: &str) -> String {
        let number = match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            _ => 6,
        };
        let mark = match level {
            _ if self.prefix => format!("<{number}>"),
            Level::ERROR => "error: ".into(),
            Level::WARN => "warning: ".into(),
            _ => String::new(),
        };
        // Whoever reads this on a terminal must not be at the mercy of what a file or a name contained.
        let harmless = |c: char| if is_obeyed(c) && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
        message.lines().fold(String::new(), |mut lines, line| {
            lines += &mark;
            lines.extend(line.chars().take(LONGEST_LINE).map(harmless));
            lines + "\n"
        })
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let lines = self.lines(*event.metadata().level(), &message.0);
        // In one piece, so that threads do not mix; where nobody reads, nothing can be said about it.
        _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The sentence of an event; this program gives events no other fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string cannot fail.
            _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_message_has_its_level() {
        let (journal, terminal) = (Journal { prefix: true }, Journal { prefix: false });
        assert_eq!(journal.lines(Level::ERROR, "a\nb"), "<3>a\n<3>b\n");
        assert_eq!(journal.lines(Level::INFO, "a"), "<6>a\n");
        assert_eq!(terminal.lines(Level::WARN, "a\nb"), "warning: a\nwarning: b\n");
        assert_eq!(terminal.lines(Level::INFO, ""), "");
        assert_eq!(terminal.lines(Level::INFO, "a\u{1b}[31m"), "a\u{fffd}[31m\n");
        assert_eq!(terminal.lines(Level::INFO, "a\u{202e}b\u{200b}\t\"c\""), "a\u{fffd}b\u{fffd}\t\"c\"\n");
        assert_eq!(journal.lines(Level::INFO, &"x".repeat(50_000)).len(), "<6>\n".len() + LONGEST_LINE);
    }
}
