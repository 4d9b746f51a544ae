//! Figures as a text file for `node_exporter`'s textfile collector, in `OpenMetrics` 1.0. Pure.
//!
//! The collector reads the older text format of Prometheus, so only what both have is used: gauges, counters and summaries. An
//! `info` or an `unit` would have it refuse the file. A counter's family goes without `_total` here, which the collector does not know:
//! it takes every value, and hands them on without their help and type. Knows nothing of runners.

use std::fmt::{Display, Write as _};

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
        let family = name.strip_suffix("_total").filter(|_| kind == Kind::Counter).unwrap_or(name);
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.head(family, if kind == Kind::Counter { "counter" } else { "gauge" }, help);
        }
        for (labels, value) in values {
            self.line(name, &labels, &value);
        }
    }

    /// Adds what was measured again and again, as the sum of it and how often; otherwise as [`Page::add`].
    pub fn add_sums<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels<'a>, u64, u64)>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.head(name, "summary", help);
        }
        for (labels, sum, count) in values {
            self.line(&format!("{name}_sum"), &labels, &sum);
            self.line(&format!("{name}_count"), &labels, &count);
        }
    }

    fn head(&mut self, family: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        _ = writeln!(self.0, "# HELP {family} {help}\n# TYPE {family} {kind}");
    }

    fn line(&mut self, name: &str, labels: &Labels<'_>, value: &dyn Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// The text, with its end mark.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}# EOF\n", self.0)
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
        page.add_sums("took_seconds", "How long.", [(vec![("class", "a")], 12, 3)]);
        page.add_sums("unknown_seconds", "Nobody knows.", []);
        insta::assert_snapshot!(page.text(), @r#"
        # HELP up Whether it runs.
        # TYPE up gauge
        up{runner="a"} 1
        up{runner="b"} 0
        # HELP asked How often.
        # TYPE asked counter
        asked_total 7
        # HELP took_seconds How long.
        # TYPE took_seconds summary
        took_seconds_sum{class="a"} 12
        took_seconds_count{class="a"} 3
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
}
