//! The smallest set of lines without which a command works, found in few runs. Pure, but for the runs.

use anyhow::Result;

/// Runs the command with some lines lifted.
pub trait Trial {
    /// Whether it works with this set lifted, which are numbers of lines.
    ///
    /// # Errors
    ///
    /// If it cannot be run.
    fn works(&mut self, set: &[usize]) -> Result<bool>;
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

/// Looks for it among `count` lines: half of them is put back if it works without that half, then a quarter, at last each alone. So few
/// lines are found in few runs. Lines that stay lifted were seen to be enough, also where lifting one line puts another in the way.
///
/// # Errors
///
/// If the command cannot be run.
pub fn search(count: usize, trial: &mut dyn Trial) -> Result<Found> {
    let mut set: Vec<usize> = (0..count).collect();
    if trial.works(&[])? {
        return Ok(Found::Works);
    }
    if !trial.works(&set)? {
        return Ok(Found::Elsewhere);
    }
    let mut size = count;
    while size > 1 {
        size = size.div_ceil(2);
        for part in set.clone().chunks(size) {
            let fewer: Vec<usize> = set.iter().copied().filter(|at| !part.contains(at)).collect();
            // With none lifted it fails.
            if !fewer.is_empty() && trial.works(&fewer)? {
                set = fewer;
            }
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
        fn works(&mut self, set: &[usize]) -> Result<bool> {
            self.1 += 1;
            Ok(self.0.iter().any(|needed| needed.iter().all(|at| set.contains(at))))
        }
    }

    fn found(count: usize, needs: &[&[usize]]) -> (Found, usize) {
        let mut trial = Needs(needs.iter().map(|set| set.to_vec()).collect(), 0);
        (search(count, &mut trial).unwrap(), trial.1)
    }

    #[test]
    fn what_works_costs_a_run_and_what_no_line_keeps_from_it_two() {
        assert_eq!(found(8, &[&[]]), (Found::Works, 1));
        assert_eq!(found(8, &[]), (Found::Elsewhere, 2));
    }

    #[test]
    fn the_only_set_is_found_and_the_smaller_the_sooner() {
        for (set, runs) in [(&[3][..], 10), (&[26], 6), (&[0], 12), (&[0, 2, 3, 4], 18), (&[1, 9, 17, 25], 31)] {
            assert_eq!(found(27, &[set]), (Found::Lines(set.to_vec()), runs));
        }
        assert_eq!(found(8, &[&[0, 1, 2, 3, 4, 5, 6, 7]]), (Found::Lines((0..8).collect()), 16));
        assert_eq!(found(1, &[&[0]]), (Found::Lines(vec![0]), 2));
    }

    #[test]
    fn a_line_that_is_in_the_way_only_without_another_one_is_not_told() {
        /// Works without line 1, but where line 4 is lifted only if line 5 is, too.
        struct Harms;
        impl Trial for Harms {
            fn works(&mut self, set: &[usize]) -> Result<bool> {
                Ok(set.contains(&1) && (!set.contains(&4) || set.contains(&5)))
            }
        }
        assert_eq!(search(8, &mut Harms).unwrap(), Found::Lines(vec![1]));
    }

    #[test]
    fn of_several_sets_one_is_told_of_which_each_line_is_needed() {
        for needs in [&[&[1, 2][..], &[5]][..], &[&[0, 3], &[3, 6]], &[&[1], &[2], &[3, 4]]] {
            let Found::Lines(set) = found(8, needs).0 else { panic!("{needs:?}") };
            assert!(needs.iter().any(|needed| needed == &set.as_slice()), "{needs:?}: {set:?}");
        }
    }
}
