//! The diagnostic log that every start leaves, `_diag/Runner_<utc>-utc.log`.
//!
//! Known secrets are masked by value. An argument such as `--token=X` is traced before
//! the parser knows that it is one, so there the secret stands in clear, as it does in
//! the runner (CommandLineParser.cs:75).

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use super::shared::Utc;

/// An open log.
pub struct Log {
    file: File,
    secrets: Vec<String>,
}

impl Log {
    /// Makes `_diag` and the log below `root`.
    ///
    /// # Errors
    ///
    /// `_diag` or the file cannot be made; the runner does not survive that.
    pub fn create(root: &Path) -> io::Result<Self> {
        let directory = root.join("_diag");
        fs::create_dir_all(&directory)?;
        let name = format!("Runner_{}-utc.log", Utc::now().compact());
        let file = File::options().append(true).create(true).open(directory.join(name))?;
        Ok(Self { file, secrets: Vec::new() })
    }

    /// From now on `secret` is written as `***`.
    pub fn hide(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Writes a line. A full disk stops no runner.
    pub fn trace(&mut self, text: &str) {
        let masked = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"));
        _ = writeln!(self.file, "[{} INFO Listener] {masked}", Utc::now().sortable());
    }
}
