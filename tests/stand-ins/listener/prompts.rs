//! Values that may have to be asked for.
//!
//! CommandSettings.cs:376-426 and PromptManager.cs:53-131. An invalid value counts as
//! absent, which is how one over-long label makes all labels disappear.

use std::io::{self, BufRead as _};

use anyhow::{Result, bail};

use super::{arguments::Arguments, terminal};

/// One value and the rules for it.
pub struct Question<'a> {
    /// Name of the option.
    pub name: &'a str,
    /// Shown in attended mode.
    pub text: &'a str,
    /// Taken when nothing valid was given; empty means none.
    pub default: &'a str,
    /// Whether empty will do.
    pub optional: bool,
    /// Whether typing it is hidden.
    pub secret: bool,
    /// Whether a value is acceptable.
    pub valid: fn(&str) -> bool,
}

impl Question<'_> {
    /// The value that was given, or the default, or an answer from the terminal.
    ///
    /// # Errors
    ///
    /// Unattended and nothing to fall back to; or a secret asked of a redirected input.
    pub fn ask(&self, arguments: &Arguments) -> Result<String> {
        if let Some(value) = arguments.value(self.name).filter(|value| (self.valid)(value)) {
            return Ok(value.to_owned());
        }
        if arguments.flag("unattended") {
            if self.default.is_empty() && !self.optional {
                bail!("Invalid configuration provided for {}. Terminating unattended configuration.", self.name);
            }
            return Ok(self.default.to_owned());
        }
        if self.secret {
            bail!(
                "Cannot read keys when either application does not have a console or when console input has been redirected. Try Console.Read."
            );
        }
        // At the end of input without a default the runner asks forever, and so does this.
        loop {
            terminal::out(format!("{} ", self.text));
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            match line.trim() {
                "" if self.optional || !self.default.is_empty() => {
                    return Ok(self.default.to_owned());
                }
                value if !value.is_empty() && (self.valid)(value) => return Ok(value.to_owned()),
                _ => terminal::line(&format!("Entered value is not a valid value for {}.", self.name)),
            }
        }
    }
}

/// Validators.cs: anything but nothing.
pub fn not_empty(value: &str) -> bool {
    !value.is_empty()
}

/// Validators.cs: an absolute http or https url.
pub fn server_url(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or(value.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

/// Validators.cs: no label longer than 256 characters.
pub fn labels(value: &str) -> bool {
    value.split(',').all(|label| label.chars().count() <= 256)
}
