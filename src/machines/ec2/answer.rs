//! What EC2 answers, read strictly: the elements that are needed must be there and of the form that EC2 gives them; others are passed
//! over, and their order means nothing. Pure.
//!
//! Whoever answers may be anybody on the way to the endpoint that the operator named, or a proxy with a page of its own.

use roxmltree::{Document, Node, ParsingOptions};

use crate::model::plain;

/// More than a page of instances with all their tags and disks has.
const MOST_NODES: u32 = 200_000;
/// No id, name or state is longer.
const LONGEST: usize = 256;

/// The root of an answer.
///
/// # Errors
///
/// It is no XML, has a DTD, or is far too large.
pub fn parse(body: &[u8]) -> Result<Document<'_>, String> {
    let no_answer = || "the answer is no XML".to_owned();
    let text = std::str::from_utf8(body).map_err(|_| no_answer())?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|_| no_answer())
}

/// Code and text of an error; `None` if the answer is none that EC2 gives.
#[must_use]
pub fn error(body: &[u8]) -> Option<(String, String)> {
    let document = parse(body).ok()?;
    let fault = Element(document.root_element()).child("Errors")?.child("Error")?;
    let code = fault.text("Code").ok()?;
    let is_code = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    is_code.then(|| (code.to_owned(), fault.child("Message").map(Element::words).unwrap_or_default()))
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a>(pub Node<'a, 'a>);

impl<'a> Element<'a> {
    /// The only element of this name in it.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Self> {
        let mut all = self.0.children().filter(|node| node.is_element() && node.tag_name().name() == name);
        let found = all.next()?;
        // Of two nobody knows which one is meant.
        all.next().is_none().then_some(Self(found))
    }

    /// The same, of an element that has to be there.
    ///
    /// # Errors
    ///
    /// The end of a sentence.
    pub fn need(self, name: &str) -> Result<Self, String> {
        self.child(name).ok_or_else(|| format!("the answer has no {name} where one belongs"))
    }

    /// The items of a list; none if there is no such list.
    pub fn items(self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        let list = self.child(name);
        let nodes = list.into_iter().flat_map(|list| list.0.children());
        nodes.filter(|node| node.is_element() && node.tag_name().name() == "item").map(Self)
    }

    /// The text of an element in it: one line of printable ASCII.
    ///
    /// # Errors
    ///
    /// The end of a sentence.
    pub fn text(self, name: &str) -> Result<&'a str, String> {
        let text = self.need(name)?.0.text().unwrap_or_default().trim();
        let is_good = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|b| (b' '..=b'~').contains(&b));
        if is_good { Ok(text) } else { Err(format!("the answer has a {name} that EC2 does not give")) }
    }

    /// The number of an element in it.
    ///
    /// # Errors
    ///
    /// The end of a sentence.
    pub fn number(self, name: &str) -> Result<u64, String> {
        self.text(name)?.parse().map_err(|_| format!("the answer has a {name} that is no number"))
    }

    /// What it says to people, harmless and short.
    #[must_use]
    pub fn words(self) -> String {
        let words: String = self.0.text().unwrap_or_default().chars().take(LONGEST).collect();
        plain(words.trim())
    }
}

/// What ends a list's page and names the next one; `None` after the last.
///
/// # Errors
///
/// As [`Element::text`], but tokens may be longer.
pub fn next_page(answer: Element<'_>) -> Result<Option<String>, String> {
    let Some(token) = answer.child("nextToken") else { return Ok(None) };
    let token = token.0.text().unwrap_or_default().trim();
    let is_good = token.len() <= 4096 && token.bytes().all(|byte| byte.is_ascii_graphic());
    match (token.is_empty(), is_good) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(token.to_owned())),
        (false, false) => Err("the answer has a nextToken that EC2 does not give".into()),
    }
}

/// An id of EC2: this beginning, a dash and hexadecimal digits.
///
/// # Errors
///
/// The end of a sentence.
pub fn id<'a>(text: &'a str, beginning: &str) -> Result<&'a str, String> {
    let digits = text.strip_prefix(beginning).and_then(|rest| rest.strip_prefix('-'));
    let is_good = digits.is_some_and(|digits| {
        (8..=32).contains(&digits.len()) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    if is_good { Ok(text) } else { Err(format!("the answer has an id that is none of {beginning}-…")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn xml(inner: &str) -> String {
        format!("<?xml version=\"1.0\"?><R xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">{inner}</R>")
    }

    #[test]
    fn errors_are_read_as_ec2_and_as_others_write_them() {
        for request in ["RequestID", "RequestId"] {
            let text = format!(
                "<Response><Errors><Error><Code>InsufficientInstanceCapacity</Code><Message>none\nleft</Message></Error></Errors><{request}>x</{request}></Response>"
            );
            let (code, words) = error(text.as_bytes()).unwrap();
            assert_eq!(code, "InsufficientInstanceCapacity");
            assert!(!words.contains('\n'), "{words}");
        }
        for text in [
            "",
            "<html><body>500</body></html>",
            "<Response><Errors/></Response>",
            "{}",
            "<Response><Errors><Error><Code>a b</Code></Error></Errors></Response>",
            "<Response><Errors><Error><Code>a</Code><Code>b</Code></Error></Errors></Response>",
            "<!DOCTYPE x [<!ENTITY a 'AuthFailure'>]><Response><Errors><Error><Code>&a;</Code></Error></Errors></Response>",
        ] {
            assert_eq!(error(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_missing_twice_or_of_another_form_is_refused() {
        let text = xml("<a>x</a><b>1</b><b>2</b><n>-1</n><s><item/><other/><item/></s>");
        let document = parse(text.as_bytes()).unwrap();
        let root = Element(document.root_element());
        assert_eq!(root.text("a"), Ok("x"));
        assert!(root.text("b").is_err() && root.text("c").is_err() && root.number("n").is_err());
        assert_eq!((root.items("s").count(), root.items("none").count()), (2, 0));
        assert!(id("i-0123456789abcdef0", "i").is_ok());
        for wrong in ["i-", "i-xyz01234", "ami-0123456789abcdef0", "i-01234567&Action=x"] {
            assert!(id(wrong, "i").is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (error(&bytes), parse(&bytes).is_ok());
        }

        #[test]
        fn no_nesting_is_too_deep(depth in 0usize..20_000) {
            let text = "<a>".repeat(depth) + &"</a>".repeat(depth);
            let _ = parse(text.as_bytes()).is_ok();
        }
    }
}
