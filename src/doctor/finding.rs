//! What a check found, and how a list of that looks.
//!
//! Pure: texts in, text out. Whatever a file or a job may have put into one is made harmless here.

use std::fmt::Write as _;

use crate::model::plain;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Nothing to do.
    Good,
    /// It works, but not for ever or not for all jobs; or nobody can tell.
    Warning,
    /// It keeps a runner from working.
    Fault,
}

impl Level {
    /// The word, the sign and the colour for it.
    fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Good => ("ok", "✓", "32"),
            Self::Warning => ("warning", "!", "33"),
            Self::Fault => ("fault", "✗", "31"),
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The thing, in one or two words.
    pub topic: &'static str,
    /// What is so, in one sentence without a full stop.
    pub said: String,
    /// The way out; `None` if there is nothing to do, or if `said` ends in it, as errors of the runner's own steps do.
    pub remedy: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn good(topic: &'static str, said: impl Into<String>) -> Self {
        Self { level: Level::Good, topic, said: said.into(), remedy: None }
    }

    /// Something to know or to do before it becomes a fault.
    #[must_use]
    pub fn warning(topic: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, topic, said: said.into(), remedy: Some(remedy.into()) }
    }

    /// It has to be repaired.
    #[must_use]
    pub fn fault(topic: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fault, topic, said: said.into(), remedy: Some(remedy.into()) }
    }

    /// An error of a step, which ends in its way out.
    #[must_use]
    pub fn error(topic: &'static str, error: &anyhow::Error) -> Self {
        Self { level: Level::Fault, topic, said: format!("{error:#}"), remedy: None }
    }
}

/// The findings about one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// This host, or a runner.
    pub title: String,
    /// In the order of checking.
    pub findings: Vec<Finding>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The host first, then the runners.
    pub groups: Vec<Group>,
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// Signs in place of words.
    pub signs: bool,
    /// Colours, as escape sequences.
    pub colours: bool,
}

impl Report {
    /// How many findings are of this level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings().filter(|finding| finding.level == level).count()
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.groups.iter().flat_map(|group| &group.findings)
    }

    /// The report as text.
    #[must_use]
    pub fn render(&self, look: Look) -> String {
        let width = self.findings().map(|finding| finding.topic.len()).max().unwrap_or(0);
        let mut text = String::new();
        for group in &self.groups {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{}", harmless(&group.title));
            for finding in &group.findings {
                let (word, sign, colour) = finding.level.look();
                let mark = if look.signs { sign.to_owned() } else { format!("{word:<7}") };
                let mark = if look.colours { format!("\u{1b}[{colour}m{mark}\u{1b}[0m") } else { mark };
                _ = writeln!(text, "  {mark}  {:<width$}  {}", finding.topic, harmless(&finding.said));
                if let Some(remedy) = &finding.remedy {
                    let indent = width + if look.signs { 7 } else { 13 };
                    _ = writeln!(text, "{:indent$}→ {}", "", harmless(remedy));
                }
            }
            text.push('\n');
        }
        text + &self.summary() + "\n"
    }

    fn summary(&self) -> String {
        let count = |level, one: &str, many: &str| match self.count(level) {
            0 => format!("no {many}"),
            1 => format!("1 {one}"),
            more => format!("{more} {many}"),
        };
        format!("{}, {}", count(Level::Fault, "fault", "faults"), count(Level::Warning, "warning", "warnings"))
    }
}

/// Whoever reads this on a terminal must not be at the mercy of what a file or a name contained, and what another program
/// said in several lines is one here.
fn harmless(text: &str) -> String {
    plain(&text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let findings = vec![
            Finding::good("unit", "runs a job"),
            Finding::warning("work directory", "is in memory", "set `workDir`"),
            Finding::fault("token", "is\u{1b}[31m\u{202e}\nempty", "fill it"),
        ];
        Report { groups: vec![Group { title: "Runner a".into(), findings }] }
    }

    #[test]
    fn without_a_terminal_there_are_words_only() {
        insta::assert_snapshot!(report().render(Look::default()), @r"
        Runner a
          ok       unit            runs a job
          warning  work directory  is in memory
                                   → set `workDir`
          fault    token           is\u{1b}[31m\u{202e} empty
                                   → fill it

        1 fault, 1 warning
        ");
    }

    #[test]
    fn signs_and_colours_are_for_terminals() {
        let text = report().render(Look { signs: true, colours: false });
        assert!(text.contains("  ✓  unit  ") && text.contains("  ✗  token ") && !text.contains('\u{1b}'), "{text}");
        assert!(report().render(Look { signs: true, colours: true }).contains("\u{1b}[33m!\u{1b}[0m  work directory"));
    }

    #[test]
    fn nothing_found_is_said_so() {
        assert_eq!(Report::default().render(Look::default()), "no faults, no warnings\n");
    }
}
