use proptest::prelude::*;

use super::*;

const GOOD: &str = "PUT /v1/runners/od-1-a?wait=300 HTTP/1.1\r\nHost: ci.example.org\r\nX-Real-IP: 192.0.2.1\r\n\
                    Authorization: Bearer a.b.c\r\nContent-Length: 18\r\n\r\n{\"class\":\"x86_64\"}";

fn read(bytes: &[u8]) -> Result<Option<Request>, Fault> {
    Incoming::default().add(bytes)
}

/// A good request with these lines in the place of the length's.
fn with(lines: &str) -> Result<Option<Request>, Fault> {
    read(GOOD.replace("Content-Length: 18\r\n", lines).as_bytes())
}

/// A good look with this target.
fn at(target: &str) -> Result<Option<Request>, Fault> {
    read(format!("GET {target} HTTP/1.1\r\nHost: ci.example.org\r\n\r\n").as_bytes())
}

fn malformed<T: std::fmt::Debug>(read: Result<T, Fault>) -> &'static str {
    match read {
        Err(Fault::Malformed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_request_is_read_as_it_was_sent() {
    let request = read(GOOD.as_bytes()).unwrap().unwrap();
    assert_eq!((request.method, request.path.as_str()), (Method::Put, "/v1/runners/od-1-a"));
    assert_eq!(request.query.as_deref(), Some("wait=300"));
    assert_eq!(request.source.as_deref(), Some("192.0.2.1"));
    assert_eq!(request.authorization.as_deref(), Some("Bearer a.b.c"));
    assert_eq!(request.body, b"{\"class\":\"x86_64\"}");
}

#[test]
fn no_prefix_of_a_good_request_is_one_and_none_is_a_fault() {
    for end in 0..GOOD.len() {
        assert_eq!(read(&GOOD.as_bytes()[..end]), Ok(None), "{end}");
    }
}

#[test]
fn bytes_that_come_one_by_one_or_with_more_behind_them_are_the_same_request() {
    let whole = read(GOOD.as_bytes()).unwrap().unwrap();
    let mut incoming = Incoming::default();
    assert!(incoming.is_empty());
    let mut bytes = GOOD.bytes().map(|byte| incoming.add(&[byte]).unwrap());
    assert_eq!(bytes.by_ref().find_map(|request| request), Some(whole.clone()));
    assert_eq!(bytes.count(), 0, "it was read before its last byte");
    assert_eq!(read(format!("{GOOD}GET / HTTP/1.1\r\n").as_bytes()).unwrap(), Some(whole));
}

#[test]
fn a_length_is_given_once_and_in_digits() {
    assert_eq!(with(""), Err(Fault::NoLength));
    for lines in [
        "Content-Length: 18\r\nContent-Length: 18\r\n",
        "Content-Length: 18\r\ncontent-length: 3\r\n",
        "Content-Length: 18, 18\r\n",
        "Content-Length: +18\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x12\r\n",
        "Content-Length: 1 8\r\n",
        "Content-Length:\r\n",
        "Content-Length: \u{664}\r\n",
    ] {
        malformed(with(lines));
    }
    for long in ["8193", "99999999999", "99999999999999999999999999999999"] {
        assert_eq!(with(&format!("Content-Length: {long}\r\n")), Err(Fault::LongBody), "{long}");
    }
    assert!(with("Content-Length: 018\r\n").unwrap().is_some());
    let largest = with("Content-Length: 8192\r\n").unwrap();
    assert_eq!(largest, None, "the rest is waited for");
}

#[test]
fn a_look_or_an_end_has_no_body() {
    for method in ["GET", "DELETE"] {
        let with_length = |length| format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nx");
        assert!(read(with_length(0).as_bytes()).unwrap().unwrap().body.is_empty(), "{method}");
        malformed(read(with_length(1).as_bytes()));
    }
}

#[test]
fn chunks_and_expectations_are_refused_with_or_without_a_length() {
    for lines in [
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 18\r\n",
        "Content-Length: 18\r\nTRANSFER-ENCODING: identity\r\n",
        "Transfer-Encoding:\r\nContent-Length: 18\r\n",
    ] {
        assert_eq!(with(lines), Err(Fault::TransferEncoding), "{lines}");
    }
    assert_eq!(with("Content-Length: 18\r\nExpect: 100-continue\r\n"), Err(Fault::Expectation));
    malformed(with("Transfer-Encoding : chunked\r\nContent-Length: 18\r\n"));
}

#[test]
fn a_second_way_to_write_a_line_is_refused() {
    for lines in [
        "Content-Length: 18\n",
        "Content-Length: 18\r",
        "Content-Length: 18\r\r\n",
        "Content-Length: 18\r\n folded\r\n",
        "Content-Length: 18\r\n\tfolded\r\n",
        "Content-Length : 18\r\n",
        " Content-Length: 18\r\n",
        "Content-Length: 18\0\r\n",
        "X: \u{7f}\r\nContent-Length: 18\r\n",
        ": x\r\nContent-Length: 18\r\n",
        "no field\r\nContent-Length: 18\r\n",
        "N\u{e4}me: x\r\nContent-Length: 18\r\n",
        "Authorization: Bearer d.e.f\r\nContent-Length: 18\r\n",
        "x-real-ip: 192.0.2.2\r\nContent-Length: 18\r\n",
        "Host: other.example\r\nContent-Length: 18\r\n",
    ] {
        malformed(with(lines));
    }
}

#[test]
fn the_first_line_has_one_form() {
    for (line, fault) in [
        ("GET / HTTP/2.0", Fault::Version),
        ("GET / HTTP/0.9", Fault::Version),
        ("HEAD / HTTP/1.1", Fault::Method),
        ("OPTIONS * HTTP/1.1", Fault::Method),
        ("CONNECT ci.example.org:443 HTTP/1.1", Fault::Method),
        ("TRACE / HTTP/1.1", Fault::Method),
    ] {
        assert_eq!(read(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()), Err(fault), "{line}");
    }
    for line in
        ["GET /", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "get / HTTP/1.1", "\r\nGET / HTTP/1.1"]
    {
        assert!(read(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()).is_err(), "{line}");
    }
    malformed(read(b"\x16\x03\x01\x02"));
    malformed(read(b"GET / HTTP/1.1\r\n\r\n"));
    assert!(read(b"GET / HTTP/1.0\r\n\r\n").unwrap().is_some(), "the proxy's own version");
}

#[test]
fn a_target_is_a_path_of_this_host_and_is_not_decoded() {
    for target in
        ["http://ci.example.org/", "https://ci.example.org/v1/status", "*", "ci.example.org:80", "v1", "?wait=1"]
    {
        malformed(at(target));
    }
    for target in ["/a#b", "/\u{e4}", "/\u{7f}", "/a\tb"] {
        malformed(at(target));
    }
    let request = at("/v1/runners/od%2D1-a/../x//?a=%00?b").unwrap().unwrap();
    assert_eq!(request.path, "/v1/runners/od%2D1-a/../x//");
    assert_eq!(request.query.as_deref(), Some("a=%00?b"));
}

#[test]
fn a_head_has_its_limits_and_takes_no_more_memory() {
    let long = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    assert!(read(long(LONGEST_HEAD).as_bytes()).unwrap().is_some());
    assert_eq!(read(long(LONGEST_HEAD + 1).as_bytes()), Err(Fault::LongHead));
    let mut incoming = Incoming::default();
    let endless = b"GET / HTTP/1.1\r\nX: ".iter().copied().chain(std::iter::repeat_n(b'x', 100_000));
    let fault = endless.map(|byte| incoming.add(&[byte])).find_map(Result::err);
    assert_eq!(fault, Some(Fault::LongHead));
    assert_eq!(incoming.bytes.len(), LONGEST_HEAD + 1);
    let many = |count| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    assert!(read(many(MOST_FIELDS).as_bytes()).unwrap().is_some());
    assert_eq!(read(many(MOST_FIELDS + 1).as_bytes()), Err(Fault::ManyFields));
}

/// Bytes that look like requests more often than chance would have it.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET ",
        "PUT ",
        "POST ",
        "DELETE ",
        "/",
        "/v1/runners/od-1-a",
        " HTTP/1.1",
        " HTTP/1.0",
        "\r\n",
        "\r",
        "\n",
        "\r\n\r\n",
        "Host: a",
        "Content-Length: ",
        "Transfer-Encoding: chunked",
        "Expect: x",
        "X-Real-IP: ::1",
        "3",
        "8193",
        ":",
        " ",
        "\t",
        "\0",
        "{}",
        "%00",
        "?wait=1",
        "abc",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word: &str| word.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..4);
    prop::collection::vec(prop_oneof![8 => word, 1 => noise], 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_read_does_not_depend_on_how_it_came(bytes in pieces(), cut in 0_usize..400) {
        let cut = cut.min(bytes.len());
        let mut incoming = Incoming::default();
        let first = incoming.add(&bytes[..cut]);
        let parts = if first == Ok(None) { incoming.add(&bytes[cut..]) } else { first };
        prop_assert_eq!(parts, read(&bytes));
    }

    #[test]
    fn what_is_read_keeps_to_the_limits(bytes in pieces()) {
        if let Ok(Some(request)) = read(&bytes) {
            prop_assert!(request.body.len() <= LONGEST_BODY);
            prop_assert!(request.path.starts_with('/') && request.path.bytes().all(|byte| byte.is_ascii_graphic()));
            let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            prop_assert!(!text.contains("\ntransfer-encoding:") && !text.contains("\nexpect:"));
            prop_assert!(text.matches("\ncontent-length:").count() <= 1);
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn a_changed_byte_is_a_fault_or_a_request_of_the_same_length(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut changed = GOOD.as_bytes().to_vec();
        changed[at] = byte;
        if let Ok(Some(request)) = read(&changed) {
            prop_assert!(request.body.len() <= 18);
        }
    }

    #[test]
    fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        _ = read(&bytes);
    }
}
