//! What a request to EC2 says: names and values, in a body of a form. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The version of the interface.
const VERSION: &str = "2016-11-15";
/// What stands for itself in a form.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Form {
    body: String,
}

impl Form {
    /// Of this action.
    #[must_use]
    pub fn of(action: &str) -> Self {
        Self { body: format!("Action={action}&Version={VERSION}") }
    }

    /// With a value besides. A space is a `+`, which whoever reads the form again for its signature makes of it as well.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let value = utf8_percent_encode(value, ENCODED).to_string().replace("%20", "+");
        self.body.push('&');
        self.body.push_str(name);
        self.body.push('=');
        self.body.push_str(&value);
        self
    }

    /// With a list, whose places count from 1. `name` ends before the dot.
    #[must_use]
    pub fn with_list<'a>(self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        values.into_iter().zip(1..).fold(self, |form, (value, at)| form.with(&format!("{name}.{at}"), value))
    }

    /// As it is sent.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_value_can_become_another_one() {
        let form = Form::of("RunInstances").with("Tag", "a&b=c*~ ü/").with_list("SubnetId", ["s-1", "s-2"]);
        assert_eq!(
            form.body(),
            "Action=RunInstances&Version=2016-11-15&Tag=a%26b%3Dc%2A%7E+%C3%BC%2F&SubnetId.1=s-1&SubnetId.2=s-2"
        );
    }
}
