//! A filter of system calls, taken apart: which of its entries is in the way, where the whole filter would be too much to open. Pure.

use super::copy::Sandbox;

/// The directive.
pub const NAME: &str = "SystemCallFilter";
/// What `sandbox.namespaces` takes off the list.
pub const OF_NAMESPACES: [&str; 2] = ["~@mount", "~capset"];

/// One that refuses what is on its list.
#[derive(Debug, Eq, PartialEq)]
pub struct Filter {
    lines: Vec<String>,
}

impl Filter {
    /// The filter of a sandbox. `None` if there is none, or one that allows what is on its list: taking an entry off refuses more.
    #[must_use]
    pub fn of(sandbox: &Sandbox) -> Option<Self> {
        let mut lines: Vec<String> = sandbox.values(NAME).into_iter().map(str::to_owned).collect();
        lines.retain(|line| !line.is_empty());
        // The first line decides which kind it is, see systemd.exec(5).
        lines.first().is_some_and(|line| line.starts_with('~')).then_some(Self { lines })
    }

    /// Its entries, which refuse.
    #[must_use]
    pub fn entries(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| line.starts_with('~')).collect()
    }

    /// What stands behind a unit's lines so that these entries are gone. Without any there is no filter.
    #[must_use]
    pub fn without(&self, entries: &[usize]) -> Vec<String> {
        let mut lines = vec![format!("{NAME}=")];
        if entries.len() < self.entries().len() {
            let mut number = 0;
            for line in &self.lines {
                let is_entry = line.starts_with('~');
                if !(is_entry && entries.contains(&number)) {
                    lines.push(format!("{NAME}={line}"));
                }
                number += usize::from(is_entry);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn filter(lines: &str) -> Option<Filter> {
        let lines: Vec<String> = lines.split(',').map(|line| format!("SystemCallFilter={line}\n")).collect();
        Filter::of(&Sandbox::parse(&format!("[Service]\n{}", lines.concat()), Path::new("/w")))
    }

    #[test]
    fn each_entry_goes_alone_and_what_others_took_off_stays_off() {
        let filter = filter("~@mount,~capset,@mount,~@raw-io").unwrap();
        assert_eq!(filter.entries(), ["~@mount", "~capset", "~@raw-io"]);
        let without = |entries: &[usize]| filter.without(entries).join(" ").replace("SystemCallFilter=", "=");
        assert_eq!(without(&[]), "= =~@mount =~capset =@mount =~@raw-io");
        assert_eq!(without(&[1]), "= =~@mount =@mount =~@raw-io");
        assert_eq!(without(&[0, 2]), "= =~capset =@mount");
        assert_eq!(without(&[0, 1, 2]), "=", "or what was taken off would be all that is allowed");
    }

    #[test]
    fn only_what_refuses_is_taken_apart() {
        assert_eq!(filter("@system-service,~@mount"), None);
        assert_eq!(filter("~@mount,"), None, "an empty value takes it back");
        assert_eq!(filter("~@mount,,~capset").unwrap().entries(), ["~capset"]);
    }
}
