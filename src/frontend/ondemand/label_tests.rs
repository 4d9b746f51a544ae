use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> Prefix {
    text.to_owned().try_into().unwrap()
}

fn class(text: &str) -> Class {
    text.to_owned().try_into().unwrap()
}

fn grammar() -> Grammar {
    Grammar { prefix: prefix("od"), compatible: Some(prefix("rr_runner_")) }
}

#[test]
fn a_label_names_its_run() {
    for (text, run) in [
        ("od-19283746-1-build", 19_283_746),
        ("od-1-a", 1),
        ("od-7-a_b-c", 7),
        ("od-18446744073709551615-1", u64::MAX),
        ("od-1-rr_runner_a", 1),
    ] {
        let (label, named) = grammar().parse(text).unwrap();
        assert_eq!((label.as_str(), named), (text, Some(run)));
    }
}

#[test]
fn a_compatible_label_names_none_and_is_one_label_in_every_spelling() {
    let parse = |text| grammar().parse(text).unwrap();
    let (label, run) = parse("rr_runner_0123456789abcdef0123456789abcdef");
    assert_eq!((label.as_str(), run), ("rr_runner_0123456789abcdef0123456789abcdef", None));
    assert_eq!(parse("RR_runner_A"), parse("rr_runner_a"));
    let alone = Grammar { compatible: None, ..grammar() };
    assert_eq!(alone.parse("rr_runner_a"), Err(LabelFault::Prefix));
}

#[test]
fn hostile_labels_are_refused_each_with_its_fault() {
    let long = format!("od-1-{}", "a".repeat(58));
    let tail = format!("rr_runner_{}", "a".repeat(41));
    let huge = "a".repeat(100_000);
    for (text, fault) in [
        ("", LabelFault::Empty),
        // What the original takes: the rest of a script, an option, wildcards of a filter.
        ("rr_runner_abc; curl evil|sh", LabelFault::Character),
        ("rr_runner_a\n--token x", LabelFault::Character),
        ("rr_runner_a*", LabelFault::Character),
        ("rr_runner_a??", LabelFault::Character),
        ("rr_runner_*", LabelFault::Character),
        ("rr_runner_", LabelFault::Name),
        ("rr_runner_a-b", LabelFault::Character),
        (&tail, LabelFault::TooLong),
        // Paths, formats, other alphabets.
        ("od-1-a/../b", LabelFault::Character),
        ("../od-1-a", LabelFault::Character),
        ("od-1-a.json", LabelFault::Character),
        ("od-1-a\0", LabelFault::Character),
        ("od-1-a\n", LabelFault::Character),
        (" od-1-a", LabelFault::Character),
        ("od-1-a,ubuntu-latest", LabelFault::Character),
        ("od-1-%s", LabelFault::Character),
        ("od-1-\u{430}", LabelFault::Character),
        ("od-\u{661}-a", LabelFault::Character),
        ("od-1-\u{212a}", LabelFault::Character),
        ("${{ github.run_id }}", LabelFault::Character),
        (&long, LabelFault::TooLong),
        (&huge, LabelFault::TooLong),
        // Other people's.
        ("-od-1-a", LabelFault::Prefix),
        ("odd-1-a", LabelFault::Prefix),
        ("od", LabelFault::Prefix),
        ("od_1_a", LabelFault::Prefix),
        ("ubuntu-latest", LabelFault::Prefix),
        ("self-hosted", LabelFault::Prefix),
        ("xod-1-a", LabelFault::Prefix),
        // No run, or one that is written in another way.
        ("od-", LabelFault::Run),
        ("od--a", LabelFault::Run),
        ("od-x-a", LabelFault::Run),
        ("od-0-a", LabelFault::Run),
        ("od-01-a", LabelFault::Run),
        ("od-1x-a", LabelFault::Run),
        ("od-18446744073709551616-a", LabelFault::Run),
        ("od-111111111111111111111-a", LabelFault::Run),
        // No name.
        ("od-1", LabelFault::Name),
        ("od-1-", LabelFault::Name),
        ("od-1--a", LabelFault::Name),
        ("od-1-_a", LabelFault::Name),
        ("od-1-a-", LabelFault::Name),
        ("od-1-a_", LabelFault::Name),
        ("OD-1-a", LabelFault::UpperCase),
        ("od-1-Build", LabelFault::UpperCase),
    ] {
        assert_eq!(grammar().parse(text).unwrap_err(), fault, "{text:?}");
    }
}

#[test]
fn each_fault_says_the_way_out() {
    use LabelFault::{Character, Empty, Name, Prefix, Run, TooLong, UpperCase, WithClass};
    for fault in [Empty, TooLong, Character, UpperCase, Prefix, Run, Name] {
        assert!(fault.to_string().contains(": "), "{fault}");
    }
    assert!(WithClass.to_string().contains(": "));
}

#[test]
fn hostile_classes_and_prefixes_are_refused() {
    for text in ["x86_64", "arm64", "a", "0123456789abcdef"] {
        assert_eq!(class(text).as_str(), text);
    }
    for text in ["", "X86", "x86-64", "a.b", "a/b", "..", "a b", "a\0", "a\n", "ä", "0123456789abcdef0", "$(id)"] {
        assert!(Class::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    for text in
        ["", "o", "1od", "-od", "_od", "Od", "o.d", "od/", "od\n", "abcdefghijklm", "ubuntu", "windows", "macos-x"]
    {
        assert!(Prefix::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    for text in ["od", "a1", "rr_runner_", "abcdefghijkl"] {
        assert_eq!(prefix(text).as_str(), text);
    }
}

#[test]
fn a_key_fits_into_the_name_of_a_runner() {
    let label = |length: usize| grammar().parse(&format!("od-1-{}", "a".repeat(length - 5))).unwrap().0;
    for (length, of_class, is_good) in
        [(62, "a", true), (62, "ab", false), (47, "0123456789abcdef", true), (48, "0123456789abcdef", false)]
    {
        let key = Key::new(label(length), class(of_class));
        assert_eq!(key.is_ok(), is_good, "{length} {of_class}");
        assert!(key.is_err() || key.unwrap().runner_name().len() <= 64);
    }
}

#[test]
fn a_file_name_is_read_back_and_others_are_nobodys() {
    let key = Key::new(grammar().parse("od-1-build").unwrap().0, class("x86_64")).unwrap();
    assert_eq!(key.stem(), "od-1-build.x86_64");
    assert_eq!(key.runner_name(), "od-1-build-x86_64");
    assert_eq!(key.to_string(), "od-1-build (x86_64)");
    assert_eq!(Key::from_stem(&key.stem()), Some(key));
    for stem in
        ["", ".", "..", "od-1-build", "od-1-build.", ".x86_64", "OD-1-a.x", "od-1-a.x.y", "od-1-a.X", "1.x", "-.x"]
    {
        assert_eq!(Key::from_stem(stem), None, "{stem:?}");
    }
}

#[test]
fn a_label_that_was_taken_once_is_read_whatever_the_prefix_is_now() {
    let read = |text: &str| serde_json::from_str::<Label>(&format!("\"{text}\"")).is_ok();
    assert!(read("other-1-a") && read("rr_runner_a"));
    assert!(!read("") && !read("Od-1-a") && !read("1-a") && !read("a.b") && !read("a/b"));
}

/// Texts out of what labels are made of, and of what they must not hold.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "od",
        "od-",
        "rr_runner_",
        "RR_",
        "1",
        "0",
        "19283746",
        "a",
        "B",
        "-",
        "_",
        ".",
        "/",
        "..",
        "*",
        "?",
        "\n",
        "\0",
        ";",
        "ä",
        " ",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_taken_can_name_a_file_and_a_runner_and_says_its_run(text in text()) {
        if let Ok((label, run)) = grammar().parse(&text) {
            let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
            prop_assert!(label.as_str().bytes().all(is_good) && label.as_str().eq_ignore_ascii_case(&text));
            let start = run.map_or_else(|| "rr_runner_".into(), |run| format!("od-{run}-"));
            prop_assert!(label.as_str().starts_with(&start), "{label:?} {run:?}");
            prop_assert_eq!(grammar().parse(label.as_str()), Ok((label.clone(), run)));
            let key = Key::new(label, class("x86_64")).unwrap();
            prop_assert!(key.runner_name().len() <= 64);
            prop_assert_eq!(Key::from_stem(&key.stem()), Some(key));
        }
    }
}
