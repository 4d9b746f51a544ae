//! The demonstration of the README works as the README says, and shows what it promises.
//!
//! It checks its own facts; here it is checked that it does so, to its end, in its order, and within its width.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers as well")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something of each chapter, in the order in which it is shown.
const LINES: &[&str] = &[
    "1. The first start",
    "this is the first start",
    "| Recorded runner \"runner1\", id 22, of https://github.com/octo-org/example",
    "Job build completed with result: Succeeded",
    "ledger    names id 22; left behind: none",
    "2. A restart without a change",
    "Keeping the registration",
    "ms for all four steps, without a request",
    "3. A changed label",
    "extraLabels changed: [\"nixos\"] → [\"nixos\",\"gpu\"]",
    "A runner exists with the same name runner1.",
    "What to do: ",
    "ledger    names no runner; left behind: id 22",
    "ledger    names id 25; left behind: id 22",
    "4. A rotated token",
    "the content of the token file changed",
    "Successfully replaced the runner",
    "5. An ephemeral runner",
    "Job first completed with result: Succeeded",
    "GitHub    none",
    "Job second completed with result: Succeeded",
    "GitHub    none",
    "6. A hostile job",
    ".runner is a symbolic link",
    ".credentials has 2 hard links",
    ".credentials_rsaparams is a fifo",
    "outside   both files as before",
    "7. An empty token file",
    "Token file /demo/token is empty",
    "Keeping the registration",
    "7 chapters, 39 steps of the helper, 7 registrations",
];

/// Where Cargo put the demonstration. `cargo test` builds it, `cargo test --test lifecycle` does not.
fn demonstration() -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/lifecycle");
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    // Where the tests run without their sources there is nothing to compare with.
    let sources = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/lifecycle")).into_iter().flatten();
    let changed = sources.map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap()).max();
    assert!(
        built.is_ok_and(|built| changed <= Some(built)),
        "{} is missing or older than its source; run `cargo build --example lifecycle`, with `--release` if the tests are",
        program.display()
    );
    program
}

#[test]
fn the_demonstration_tells_the_whole_life_of_a_runner() {
    // The helper beside it was built for this test, so nothing has to be built.
    assert!(Path::new(env!("CARGO_BIN_EXE_github-runner-helper")).exists());
    let output = Command::new(demonstration()).env_remove("CARGO").stdin(Stdio::null()).output().unwrap();
    let (told, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaints}\nafter:\n{told}");
    let mut rest = told.as_str();
    for line in LINES {
        let at = rest.find(line);
        rest = &rest[at.unwrap_or_else(|| panic!("{line:?} is missing, or in another place:\n{told}"))..];
        rest = &rest[line.len()..];
    }
    let wide: Vec<&str> = told.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "wider than 100 columns: {wide:#?}");
    for secret in ["ghp_", "AFAKE"] {
        assert!(!told.contains(secret) && !complaints.contains(secret), "a token was shown:\n{told}");
    }
    assert!(!told.contains(env::temp_dir().to_str().unwrap()), "the temporary directory is not shortened:\n{told}");
}
