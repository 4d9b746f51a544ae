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
    // What is needed whatever else is lifted: if it is enough, there is no other set.
    if trial.works(std::slice::from_ref(&needed))? == [true] {
        return Ok(Found::Lines(needed));
    }
    // One of several would do. Each is put back if it works without it.
    let mut set = all;
    for one in (0..count).filter(|at| !needed.contains(at)) {
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
        assert_eq!(found(&[&[0, 2, 7]]), (Found::Lines(vec![0, 2, 7]), 11));
        assert_eq!(found(&[&[0, 1, 2, 3, 4, 5, 6, 7]]).0, Found::Lines((0..8).collect()));
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
