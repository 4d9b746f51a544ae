//! Which job a runner runs, from what its listener printed. GitHub's interface for runners only tells that there is one.
//!
//! A word for people: the name of a job is chosen by whoever wrote the workflow, and nothing is decided by it.

use crate::model::plain;

/// The name of the job in what was printed, the last line first (runner contract, 3.4); `None` if none runs, or if that
/// cannot be told.
pub(super) fn running(printed: &[String]) -> Option<String> {
    printed.iter().filter_map(|line| after_time(line)).find_map(|said| match said.strip_prefix("Running job: ") {
        Some(name) => Some(Some(plain(name))),
        None if is_end(said) => Some(None),
        None => None,
    })?
}

fn is_end(said: &str) -> bool {
    said == "Listening for Jobs" || (said.starts_with("Job ") && said.contains(" completed with result: "))
}

/// What a line says after its time, such as `2026-01-02 03:04:05Z: `.
fn after_time(line: &str) -> Option<&str> {
    const SHAPE: &[u8] = b"0000-00-00 00:00:00Z: ";
    let (time, said) = line.split_at_checked(SHAPE.len())?;
    let fits = |(given, shape): (u8, &u8)| if *shape == b'0' { given.is_ascii_digit() } else { given == *shape };
    time.bytes().zip(SHAPE).all(fits).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(printed: &[&str]) -> Option<String> {
        let lines: Vec<String> = printed.iter().rev().map(|line| (*line).to_owned()).collect();
        running(&lines)
    }

    #[test]
    fn the_last_line_about_jobs_counts() {
        let begin = "2026-01-02 03:04:05Z: Listening for Jobs";
        let first = "2026-01-02 03:04:06Z: Running job: build (ubuntu, 22)";
        let end = "2026-01-02 03:05:06Z: Job build (ubuntu, 22) completed with result: Succeeded";
        let second = "2026-01-02 03:06:06Z: Running job: Job x completed with result: y";
        assert_eq!(job(&[begin, first]).as_deref(), Some("build (ubuntu, 22)"));
        assert_eq!(job(&[begin, first, end]), None);
        assert_eq!(job(&[begin, first, end, second, "whatever"]).as_deref(), Some("Job x completed with result: y"));
        assert_eq!(job(&[first, begin]), None);
        assert_eq!(job(&["Running job: without a time", "2026-01-02 03:04Z: Running job: with half of one"]), None);
        assert_eq!(job(&[]), None);
    }

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        let name = job(&["2026-01-02 03:04:06Z: Running job: a\u{1b}[2Jb\u{202e}c"]).unwrap();
        assert!(!name.contains('\u{1b}') && !name.contains('\u{202e}'), "{name:?}");
    }
}
