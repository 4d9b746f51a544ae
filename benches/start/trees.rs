//! Work directories with 100,000 files in 1,000 directories, and other ways to empty them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const DIRECTORIES: usize = 1000;
const FILES: usize = 100;

/// How the directories lie.
#[derive(Clone, Copy)]
pub enum Shape {
    /// All beside each other in the work directory.
    Flat,
    /// As jobs leave them: nearly all in one repository, a hundred in each of ten directories below it.
    Checkout,
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Checkout => "as a checkout",
        }
    }

    fn directory(self, number: usize) -> PathBuf {
        match self {
            Self::Flat => format!("{number:03}").into(),
            Self::Checkout if number < 10 => format!("_actions/{number}").into(),
            Self::Checkout => format!("example/example/{}/{}", number / 100, number % 100).into(),
        }
    }
}

/// A file system to measure on.
pub struct Place {
    pub name: &'static str,
    pub directory: PathBuf,
}

/// The disk, and memory if there is such a file system.
pub fn places() -> Vec<Place> {
    let disk = Place { name: "disk", directory: env!("CARGO_TARGET_TMPDIR").into() };
    let memory = memory().map(|directory| Place { name: "memory", directory });
    std::iter::once(disk).chain(memory).collect()
}

/// A directory in memory.
pub fn memory() -> Option<PathBuf> {
    let shared = PathBuf::from("/dev/shm");
    let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
    let differs = device(&shared).is_some() && device(&shared) != device(Path::new("/"));
    differs.then_some(shared)
}

/// Fills an empty work directory.
pub fn build(work: &Path, shape: Shape) {
    for number in 0..DIRECTORIES {
        let directory = work.join(shape.directory(number));
        fs::create_dir_all(&directory).expect("a directory");
        for file in 0..FILES {
            File::create_new(directory.join(format!("file-{file}"))).expect("a file");
        }
    }
}

pub fn is_empty(work: &Path) -> bool {
    fs::read_dir(work).expect("the work directory").next().is_none()
}

/// What nixpkgs' module empties the work directory with.
pub fn find(work: &Path) -> Command {
    let mut command = Command::new("find");
    command.arg("-H").arg(work).args(["-mindepth", "1", "-delete"]);
    command
}

/// The same command, on the first processor alone.
pub fn on_one_processor(command: &Command) -> Command {
    let mut confined = Command::new("taskset");
    confined.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
    confined
}
