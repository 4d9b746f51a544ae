//! What the reader sees: plain text of at most [`WIDTH`] columns, with the temporary directory shortened.
//!
//! Nothing reaches standard output by another way, so this is also where it is made sure that no token does.

use std::io::{self, Write as _};

use anyhow::{Result, ensure};

const WIDTH: usize = 100;
const INDENT: &str = "    ";

/// The output.
pub struct Page {
    /// What is shown as `/demo`.
    root: String,
    /// What must never be shown.
    secrets: Vec<String>,
    /// Everything shown so far.
    shown: String,
}

impl Page {
    /// An empty page on which `root` becomes `/demo`.
    pub fn new(root: String) -> Self {
        Self { root, secrets: Vec::new(), shown: String::new() }
    }

    /// From now on `secrets` must not be shown, and must not have been.
    pub fn hide(&mut self, secrets: Vec<String>) -> Result<()> {
        ensure!(secrets.iter().all(|secret| !self.shown.contains(secret)), "A token was shown");
        self.secrets = secrets;
        Ok(())
    }

    /// The beginning of a chapter.
    pub fn heading(&mut self, title: &str) -> Result<()> {
        self.show(&format!("\n{title}\n{}\n", "=".repeat(title.chars().count())))
    }

    /// What happens, told in a paragraph.
    pub fn story(&mut self, text: &str) -> Result<()> {
        self.show("\n")?;
        self.wrapped("", "", text)
    }

    /// Something that was written by a person, as it stands.
    pub fn quote(&mut self, text: &str) -> Result<()> {
        self.show(&format!("\n{INDENT}{text}\n"))
    }

    /// A command that runs now.
    pub fn command(&mut self, text: &str) -> Result<()> {
        self.show("\n")?;
        self.wrapped("  $ ", "      ", text)
    }

    /// A line that a program said.
    pub fn said(&mut self, line: &str) -> Result<()> {
        self.wrapped("    | ", "    |   ", line)
    }

    /// A line of the journal of the broker that a step asked.
    pub fn broker(&mut self, line: &str) -> Result<()> {
        self.wrapped("      broker | ", "             |   ", line)
    }

    /// What is the case after the steps; each fact has a name of at most nine characters.
    pub fn fact(&mut self, name: &str, text: &str) -> Result<()> {
        self.wrapped(&format!("{INDENT}{name:<10}"), &" ".repeat(14), text)
    }

    /// A line of its own at the margin of the commands.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.show("\n")?;
        self.wrapped("  ", "  ", text)
    }

    fn wrapped(&mut self, first: &str, next: &str, text: &str) -> Result<()> {
        // Before the words are counted, so that it does not depend on where the directory is.
        let text = text.replace(&self.root, "/demo");
        let mut line = first.to_owned();
        let mut blank = true;
        for word in text.split(' ') {
            if !blank && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.show(&format!("{line}\n"))?;
                next.clone_into(&mut line);
            } else if !blank {
                line.push(' ');
            }
            line.push_str(word);
            blank = false;
        }
        self.show(&format!("{line}\n"))
    }

    fn show(&mut self, text: &str) -> Result<()> {
        let text = text.replace(&self.root, "/demo");
        ensure!(self.secrets.iter().all(|secret| !text.contains(secret)), "A token was about to be shown");
        self.shown.push_str(&text);
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}
