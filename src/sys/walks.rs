//! Many walks at one time: a directory on the way to several ends is opened once.
//!
//! Meant for one look at the places of a host. What was found stays as it was, so nothing is done by it later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Place;

/// The places that were walked to; `None` where something blocks the way.
#[derive(Default)]
pub struct Walks(BTreeMap<PathBuf, Option<Place>>);

impl Walks {
    /// Walks to `path` as [`Place::walk`] does; `None` where that is an error.
    pub fn walk(&mut self, path: &Path) -> Option<&Place> {
        if !self.0.contains_key(path) {
            let place = match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => self.walk(parent).and_then(|parent| parent.below(name).ok()),
                _ => Place::walk(path).ok(),
            };
            self.0.insert(path.into(), place);
        }
        self.0.get(path)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn walks_together_lead_where_each_leads_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/inner")).unwrap();
        fs::write(top.join("file"), "").unwrap();
        symlink("real", top.join("link")).unwrap();
        symlink("../real/inner", top.join("real/up")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        let mut walks = Walks::default();
        let names = [
            "",
            "real",
            "real/inner",
            "link/inner",
            "link/up",
            "link/missing/more",
            "real/up/x",
            "file",
            "file/x",
            "loop",
            "loop/x",
        ];
        for name in names {
            let path = top.join(name);
            let alone =
                Place::walk(&path).ok().map(|place| (place.resolved(), place.is_through_link(), place.is_firm()));
            let together = walks.walk(&path).map(|place| (place.resolved(), place.is_through_link(), place.is_firm()));
            assert_eq!(together, alone, "{name}");
        }
        for path in ["relative", "..", "/a/../b", "/.."] {
            assert_eq!(walks.walk(Path::new(path)).is_some(), Place::walk(Path::new(path)).is_ok(), "{path}");
        }
    }
}
