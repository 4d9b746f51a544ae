//! The way down into a deep tree, with few open files and few names however long it is.
//!
//! Whatever is done here for one directory must take the same time at any depth, or a job builds a tree in seconds that
//! takes hours to remove.

use std::collections::VecDeque;
use std::ffi::CString;

use crate::sys::Dir;
use crate::sys::purge::BATCH;

/// How many directories are held open, counted from the deepest one.
const OPEN: usize = 16;
/// How many names of directories are kept at a time, in the whole tree.
pub(super) const NAMES: usize = 32 * BATCH;

/// How many directories of the way are remembered, from the deepest one up. A unit with little memory has to be able to
/// clean up, and a job to build a tree of millions takes minutes only.
pub(super) const REMEMBERED: usize = if cfg!(test) { 100 } else { 1 << 16 };

/// A directory on the way down.
pub(super) struct Level {
    pub(super) name: CString,
    /// `None` while so many deeper ones are open.
    pub(super) dir: Option<Dir>,
    pub(super) identity: (u64, u64),
    /// How often it turned out not to be empty after everything in it was removed.
    pub(super) passes: usize,
    /// Directories in it that are still to be removed; perhaps not all.
    children: Vec<CString>,
}

impl Level {
    pub(super) fn new(name: CString, dir: Dir, identity: (u64, u64)) -> Self {
        Self { name, dir: Some(dir), identity, passes: 0, children: vec![] }
    }
}

/// The directories from the top of the tree to the present one, the deepest of them.
#[derive(Default)]
pub(super) struct Way {
    levels: VecDeque<Level>,
    /// How many further up were forgotten.
    forgotten: usize,
    /// How many names all levels have together, also one that was taken off for a moment.
    names: usize,
    /// No level before this one has names. Without it, each step would look through all levels above.
    first_named: usize,
    #[cfg(test)]
    looked_at: usize,
}

impl Way {
    /// How many directories lie above the next one.
    pub(super) fn depth(&self) -> usize {
        self.forgotten + self.levels.len()
    }

    /// Whether those at the top were forgotten, so that the end of the way is not the end of the tree.
    pub(super) fn is_cut(&self) -> bool {
        self.forgotten > 0
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Level> {
        self.levels.back_mut()
    }

    pub(super) fn pop(&mut self) -> Option<Level> {
        self.levels.pop_back()
    }

    /// Goes down to `level`, and closes the one that is far enough above by now.
    pub(super) fn push(&mut self, level: Level) {
        self.levels.push_back(level);
        if self.levels.len() > REMEMBERED
            && let Some(first) = self.levels.pop_front()
        {
            self.names -= first.children.len();
            self.first_named = self.first_named.saturating_sub(1);
            self.forgotten += 1;
        }
        if let Some(index) = self.levels.len().checked_sub(OPEN + 1) {
            self.levels[index].dir = None;
        }
    }

    /// Takes the next name of `level`, which was taken off before.
    pub(super) fn next_child(&mut self, level: &mut Level) -> Option<CString> {
        let child = level.children.pop();
        self.names -= usize::from(child.is_some());
        child
    }

    /// Puts `level`, which has no names, back with those of the directories in it. If there are too many then, those
    /// furthest up give theirs back, and list what is left of them once more when it is their turn.
    pub(super) fn push_with_names(&mut self, mut level: Level, names: Vec<CString>) {
        self.names += names.len();
        self.first_named = self.first_named.min(self.levels.len());
        while self.names > NAMES
            && let Some(above) = self.levels.get_mut(self.first_named)
        {
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
            self.first_named += 1;
            if !above.children.is_empty() {
                self.names -= std::mem::take(&mut above.children).len();
                above.passes = above.passes.saturating_sub(1);
            }
        }
        level.children = names;
        self.levels.push_back(level);
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;
    use nix::sys::stat::Mode;

    use super::*;

    fn level() -> Level {
        let fd = nix::fcntl::open("/", OFlag::O_PATH, Mode::empty()).unwrap();
        Level::new(c"d".into(), Dir::from_fd(fd), (0, 0))
    }

    fn names(count: usize) -> Vec<CString> {
        vec![c"d".into(); count]
    }

    /// Lists the deepest level, which has `count` directories, and enters one of them.
    fn go_down(way: &mut Way, count: usize) {
        let listed = way.pop().unwrap();
        way.push_with_names(listed, names(count));
        let mut entered = way.pop().unwrap();
        way.next_child(&mut entered).unwrap();
        way.push(entered);
        way.push(level());
    }

    fn way() -> Way {
        let mut way = Way::default();
        way.push(level());
        way
    }

    #[test]
    fn a_step_takes_the_same_work_at_any_depth() {
        for branches in [1, 2, 100] {
            let mut way = way();
            for _ in 0..20_000 {
                go_down(&mut way, branches);
            }
            assert!(way.looked_at <= 20_000, "{branches}: {} levels looked at", way.looked_at);
            // And up and down again at the end of it, over more levels each time.
            let before = way.looked_at;
            let mut steps = 0;
            for distance in 1..100 {
                for _ in 0..distance {
                    let mut left = way.pop().unwrap();
                    while way.next_child(&mut left).is_some() {}
                }
                for _ in 0..distance {
                    go_down(&mut way, branches);
                }
                steps += distance;
            }
            let looked_at = way.looked_at - before;
            assert!(looked_at <= 2 * steps, "{branches}: {looked_at} levels looked at for {steps} steps");
        }
    }

    #[test]
    fn names_and_open_files_are_few_however_deep_it_goes() {
        let mut way = way();
        for _ in 0..200 {
            go_down(&mut way, NAMES / 2);
        }
        let kept: usize = way.levels.iter().map(|level| level.children.len()).sum();
        assert_eq!(kept, way.names);
        assert!(kept <= NAMES + NAMES / 2, "{kept} names");
        assert!(way.levels.iter().filter(|level| level.dir.is_some()).count() <= OPEN + 1);
        assert!(way.levels.len() <= REMEMBERED && way.is_cut() && way.depth() == 201, "{} levels", way.levels.len());
    }
}
