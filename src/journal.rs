//! Log lines as the journal wants them: a level prefix, one sentence, nothing else.
//!
//! systemd takes the `<N>` prefix off and adds time and unit by itself. On a terminal the prefix would be noise,
//! so it is written only when standard error leads to the journal.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The journal makes a new entry of what is beyond 48 KiB, and would obey a prefix there.
const LONGEST_LINE: usize = 8 * 1024;

/// Sends all log lines of this process to standard error.
pub fn start() {
    let format = Format { prefix: std::env::var_os("JOURNAL_STREAM").is_some() };
    tracing_subscriber::fmt().with_max_level(Level::INFO).with_writer(std::io::stderr).event_format(format).init();
}

struct Format {
    prefix: bool,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        let level = *event.metadata().level();
        let number = match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            _ => 6,
        };
        for line in text.lines() {
            let line: String = line.chars().take(LONGEST_LINE).collect();
            if self.prefix {
                write!(writer, "<{number}>")?;
            } else if level == Level::ERROR {
                write!(writer, "error: ")?;
            } else if level == Level::WARN {
                write!(writer, "warning: ")?;
            }
            writeln!(writer, "{line}")?;
        }
        Ok(())
    }
}
