//! Output as the runner's terminal class writes it: unmasked, flushed line by line.
//!
//! Write errors are ignored, as .NET's console does: a runner outlives a closed pipe.

use std::io::{self, Write as _};

/// A line on standard output.
pub fn line(text: &str) {
    out(format!("{text}\n"));
}

/// `√ <text>`: U+221A, also where the locale is `C` (Terminal.cs:176-185).
pub fn success(text: &str) {
    line(&format!("√ {text}"));
}

/// `# <text>` between blank lines.
pub fn section(text: &str) {
    line(&format!("\n# {text}\n"));
}

/// A line on standard error.
pub fn error(text: &str) {
    err(format!("{text}\n"));
}

/// Bytes on standard output, at once.
pub fn out(bytes: impl AsRef<[u8]>) {
    let mut stdout = io::stdout();
    _ = stdout.write_all(bytes.as_ref());
    _ = stdout.flush();
}

/// Bytes on standard error.
pub fn err(bytes: impl AsRef<[u8]>) {
    _ = io::stderr().write_all(bytes.as_ref());
}
