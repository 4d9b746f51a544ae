//! Figures as a text file for `node_exporter`'s textfile collector, in `OpenMetrics` 1.0.
//!
//! The collector reads the older text format of Prometheus, so only what both have is used: gauges and counters. An `info` or
//! an `unit` would have it refuse the file. A counter's family goes without `_total` here, which the collector does not know:
//! it takes every value, and hands them on without their help and type. Knows nothing of runners.

use std::fmt::{Display, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;

use crate::sys::Place;

/// What a figure can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Go up and down.
    Gauge,
    /// Only go up, or begin anew at 0. Its name ends in `_total`.
    Counter,
}

/// The text of a file, figure by figure.
#[derive(Debug, Default)]
pub struct Page(String);

/// What tells the values of one figure apart: name and value of each label.
pub type Labels<'a> = Vec<(&'a str, &'a str)>;

impl Page {
    /// Adds a figure with all its values. Without any it is left out, because it is not known.
    pub fn add<'a, V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, V)>,
    ) {
        let word = if kind == Kind::Counter { "counter" } else { "gauge" };
        let mut is_first = true;
        for (labels, value) in values {
            // Writing to a string cannot fail.
            if is_first {
                let family = name.strip_suffix("_total").filter(|_| kind == Kind::Counter).unwrap_or(name);
                _ = writeln!(self.0, "# HELP {family} {help}\n# TYPE {family} {word}");
                is_first = false;
            }
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    /// The text, with its end mark.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}# EOF\n", self.0)
    }

    /// Puts the file in place, complete or not at all, readable by everybody.
    ///
    /// # Errors
    ///
    /// Names the directory and what is wrong with it.
    pub fn write(&self, directory: &Path, name: &str) -> Result<()> {
        let write = || -> Result<()> {
            let Some(dir) = Place::walk(directory)?.open()? else { bail!("it does not exist: create it") };
            let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
            // What is written beside it ends otherwise, so the collector does not read it.
            dir.replace_file(name, self.text().as_bytes(), mode, None)
        };
        write().with_context(|| format!("Failed to write figures into {}", directory.display()))
    }
}

/// The value of a label between its quotes.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_help_and_its_kind_once() {
        let mut page = Page::default();
        page.add("up", Kind::Gauge, "Whether it runs.", [(vec![("runner", "a")], 1), (vec![("runner", "b")], 0)]);
        page.add("asked_total", Kind::Counter, "How often.", [(vec![], 7)]);
        page.add::<u64>("unknown", Kind::Gauge, "Nobody knows.", []);
        insta::assert_snapshot!(page.text(), @r#"
        # HELP up Whether it runs.
        # TYPE up gauge
        up{runner="a"} 1
        up{runner="b"} 0
        # HELP asked How often.
        # TYPE asked counter
        asked_total 7
        # EOF
        "#);
    }

    #[test]
    fn a_hostile_value_stays_in_its_quotes() {
        let mut page = Page::default();
        page.add("up", Kind::Gauge, "Help.", [(vec![("runner", "a\"} 1\nfake{x=\"\\")], 1)]);
        let text = page.text();
        assert_eq!(text.lines().nth(2).unwrap(), r#"up{runner="a\"} 1\nfake{x=\"\\"} 1"#);
    }

    #[test]
    fn the_file_is_replaced_and_a_missing_directory_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().canonicalize().unwrap();
        let mut page = Page::default();
        for value in [1, 2] {
            page.add("up", Kind::Gauge, "Help.", [(vec![], value)]);
            page.write(&directory, "a.prom").unwrap();
            assert_eq!(std::fs::read_to_string(directory.join("a.prom")).unwrap(), page.text());
        }
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        let error = format!("{:#}", page.write(&directory.join("missing"), "a.prom").unwrap_err());
        assert!(error.ends_with("missing: it does not exist: create it"), "{error}");
    }
}
