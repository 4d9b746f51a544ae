use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

/// Values as a fixture has them.
struct Known(serde_json::Map<String, Json>, Vec<(String, String)>);

impl Known {
    fn new(values: &Json) -> Self {
        let values = values.as_object().unwrap().clone();
        let context = values["ExtraContext"].as_object().unwrap();
        let context = context.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        Self(values, context)
    }
}

impl Fields for Known {
    fn field(&self, name: &str) -> Result<Value<'_>, String> {
        match self.0.get(name) {
            Some(Json::String(text)) => Ok(Value::Text(text)),
            Some(Json::Bool(flag)) => Ok(Value::Flag(*flag)),
            Some(_) => Ok(Value::Map(&self.1)),
            None => Err("there is no such field".into()),
        }
    }
}

fn fixture() -> Json {
    serde_json::from_str(include_str!("../../../../tests/fixtures/garm-templates.json")).unwrap()
}

/// Read once: tests at random use them some thousand times.
fn values() -> &'static [Known; 2] {
    static VALUES: LazyLock<[Known; 2]> = LazyLock::new(|| {
        let fixture = fixture();
        [0, 1].map(|place| Known::new(&fixture["values"][place]))
    });
    &VALUES
}

fn refusal(template: &str) -> String {
    render(template, &values()[0], 1 << 20).unwrap_err().to_string()
}

#[test]
fn every_template_has_the_result_of_go_or_is_refused() {
    let (fixture, values) = (fixture(), values());
    let mut results = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let template = case["template"].as_str().unwrap();
        for (place, values) in values.iter().enumerate() {
            let ours = render(template, values, 1 << 20);
            if case["refused"] == true {
                assert!(ours.is_err(), "{template:?}: {ours:?}");
                continue;
            }
            let go = case["results"][place].as_str();
            assert_eq!(ours.as_deref().ok(), go, "{template:?}: {ours:?}");
            results += usize::from(go.is_some());
        }
    }
    assert!(results > 150, "{results} results");
}

#[test]
fn no_refusal_has_a_value_in_it() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let template = case["template"].as_str().unwrap();
        if let Err(refusal) = render(template, &values()[0], 1 << 20) {
            let text = refusal.to_string();
            for value in ["fake", "example", "garm-1", "octo-org", "bar", "BEGIN"] {
                assert!(!text.contains(value), "{template}: {text}");
            }
        }
    }
}

#[test]
fn a_refusal_names_line_and_construct() {
    for (template, said) in [
        ("a\nb\n{{ range .X }}", "line 3: \"range\" is not known here"),
        ("a\n{{ .RunnerName | js }}", "line 2: pipelines"),
        ("{{ if .RunnerName }}\n{{ .Nothing }}{{ end }}", "line 2: there is no such field"),
        ("\n{{ if .RunnerName }}\n", "line 2: `{{ if }}` has no `{{ end }}`"),
        ("\n\n{{ end }}", "line 3: `{{ end }}` closes nothing"),
        ("{{ . }}", "name one of them"),
        ("{{\n\n\"open", "line 3: a text has no end"),
        ("{{ printf \"%s\" .RunnerName }}", "line 1: \"printf\" is not known here"),
        ("{{ eq .UseJITConfig \"x\" }}", "line 1: values of two kinds"),
        ("{{ index .RunnerName \"x\" }}", "`index .ExtraContext \"KEY\"`"),
    ] {
        let refusal = refusal(template);
        assert!(refusal.contains(said), "{template}: {refusal}");
    }
}

#[test]
fn what_was_made_to_hurt_is_refused() {
    let deep = |begin: &str, end: &str, times| format!("{}x{}", begin.repeat(times), end.repeat(times));
    render(&deep("{{ if true }}", "{{ end }}", 64), &values()[0], 100).unwrap();
    assert!(refusal(&deep("{{ if true }}", "{{ end }}", 65)).contains("more than 64 conditions"));
    assert!(refusal(&deep("{{ if true }}", "{{ end }}", 100_000)).contains("more than 64 conditions"));
    let parentheses = |times: usize| format!("{{{{ {}true{} }}}}", "( ".repeat(times), ")".repeat(times));
    assert_eq!(render(&parentheses(64), &values()[0], 100).unwrap(), "true");
    assert!(refusal(&parentheses(100_000)).contains("more than 64 parentheses"));
    let large = "{{ .RunnerName }}".repeat(20);
    assert!(render(&large, &values()[0], 100).unwrap_err().to_string().contains("more than 100 bytes"));
}

fn part() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{{-",
        " -}}",
        " ",
        "\n",
        "if",
        "else",
        "end",
        "with",
        ".RunnerName",
        ".ExtraContext",
        ".Foo",
        "$",
        ".",
        "(",
        ")",
        "\"a\"",
        "`b`",
        "and",
        "or",
        "not",
        "eq",
        "ne",
        "index",
        "true",
        "/*",
        "*/",
        "ä",
        "\\",
        "\"",
        "|",
        "{{ end }}",
        "{{ .RunnerName }}",
        "{{ if .UseJITConfig }}",
        "{{ else }}",
    ];
    prop::sample::select(words.map(String::from).to_vec())
}

proptest! {
    #[test]
    fn no_text_is_a_danger(text in "\\PC{0,80}") {
        _ = render(&text, &values()[0], 1_000);
    }

    #[test]
    fn no_order_of_words_is_a_danger(parts in prop::collection::vec(part(), 0..30)) {
        _ = render(&parts.concat(), &values()[0], 1_000);
    }

    #[test]
    fn text_without_braces_stays_what_it_is(text in "[^{]{0,200}") {
        prop_assert_eq!(render(&text, &values()[0], 10_000).unwrap(), text);
    }

    /// Whatever a text in quotes holds, it is printed and never read as anything else.
    #[test]
    fn a_quoted_text_is_printed(text in "[^\"\\\\\n\r]{0,40}") {
        let mut template = String::new();
        write!(template, "{{{{ \"{text}\" }}}}").unwrap();
        prop_assert_eq!(render(&template, &values()[0], 10_000).unwrap(), text);
    }
}
