//! The smallest set of lines without which a command works, found in few runs. Pure, but for the runs.

use anyhow::Result;

/// Runs the command with some lines lifted.
pub trait Trial {
    /// Whether it works with each of these sets lifted, which are numbers of lines.
    ///
    /// # Errors
    ///
    /// If it cannot be run.
    fn works(&mut self, sets: &[Vec<usize>]) -> Result<Vec<bool>>;
}

/// What is in the way.
#[derive(Debug, Eq, PartialEq)]
pub enum Found {
    /// Nothing: it works.
    Works,
    /// No line: it fails with all of them lifted.
    Elsewhere,
    /// These together. Without any one of them lifted it fails.
    Lines(Vec<usize>),
}

/// Looks for it among `count` lines: a run for each, and a few more.
///
/// # Errors
///
/// If the command cannot be run.
pub fn search(count: usize, trial: &mut dyn Trial) -> Result<Found> {
    let all: Vec<usize> = (0..count).collect();
    let first = trial.works(&[vec![], all.clone()])?;
    match first[..] {
        [true, ..] => return Ok(Found::Works),
        [_, false] => return Ok(Found::Elsewhere),
        _ => {}
    }
    let without = |one: usize, set: &[usize]| -> Vec<usize> { set.iter().copied().filter(|at| *at != one).collect() };
    let each: Vec<Vec<usize>> = all.iter().map(|one| without(*one, &all)).collect();
    let worked = trial.works(&each)?;
    let needed: Vec<usize> = all.iter().copied().filter(|at| !worked[*at]).collect();
    // What is needed beside all others may be enough. If it is not, one of several would do.
    let is_enough = trial.works(std::slice::from_ref(&needed))? == [true];
    let (mut set, doubtful) = if is_enough {
        // A line can do harm only because another one is lifted: without its own `/tmp` a command may find that of the host closed.
        let doubtful = if needed.len() > 1 { needed.clone() } else { vec![] };
        (needed, doubtful)
    } else {
        (all, (0..count).filter(|at| !needed.contains(at)).collect())
    };
    // Each is put back if it works without it.
    for one in doubtful {
        let fewer = without(one, &set);
        if trial.works(std::slice::from_ref(&fewer))? == [true] {
            set = fewer;
        }
    }
    Ok(Found::Lines(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works if one of the sets of a list is lifted as a whole.
    struct Needs(Vec<Vec<usize>>, usize);

    impl Trial for Needs {
        fn works(&mut self, sets: &[Vec<usize>]) -> Result<Vec<bool>> {
            self.1 += sets.len();
            let works = |set: &Vec<usize>| self.0.iter().any(|needed| needed.iter().all(|at| set.contains(at)));
            Ok(sets.iter().map(works).collect())
        }
    }

    fn found(needs: &[&[usize]]) -> (Found, usize) {
        let mut trial = Needs(needs.iter().map(|set| set.to_vec()).collect(), 0);
        (search(8, &mut trial).unwrap(), trial.1)
    }

    #[test]
    fn what_works_and_what_no_line_keeps_from_it_costs_two_runs() {
        assert_eq!(found(&[&[]]), (Found::Works, 2));
        assert_eq!(found(&[]), (Found::Elsewhere, 2));
    }

    #[test]
    fn the_only_set_is_found_with_a_run_for_each_line() {
        assert_eq!(found(&[&[3]]), (Found::Lines(vec![3]), 11));
        assert_eq!(found(&[&[0, 2, 7]]), (Found::Lines(vec![0, 2, 7]), 14));
        assert_eq!(found(&[&[0, 1, 2, 3, 4, 5, 6, 7]]).0, Found::Lines((0..8).collect()));
    }

    #[test]
    fn a_line_that_is_in_the_way_only_without_another_one_is_not_told() {
        /// Works without line 1, but where line 4 is lifted only if line 5 is, too.
        struct Harms;
        impl Trial for Harms {
            fn works(&mut self, sets: &[Vec<usize>]) -> Result<Vec<bool>> {
                let has = |set: &Vec<usize>, at: usize| set.contains(&at);
                Ok(sets.iter().map(|set| has(set, 1) && (!has(set, 4) || has(set, 5))).collect())
            }
        }
        assert_eq!(search(8, &mut Harms).unwrap(), Found::Lines(vec![1]));
    }

    #[test]
    fn of_several_sets_one_is_told_of_which_each_line_is_needed() {
        for needs in [&[&[1, 2][..], &[5]][..], &[&[0, 3], &[3, 6]], &[&[1], &[2], &[3, 4]]] {
            let (found, runs) = found(needs);
            let Found::Lines(set) = &found else { panic!("{found:?}") };
            assert!(needs.iter().any(|needed| needed == &set.as_slice()), "{needs:?}: {found:?}");
            assert!(runs <= 2 + 8 + 1 + 8);
        }
    }
}
