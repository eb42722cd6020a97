//! Responses: what is written, how content is framed, and that nothing can be smuggled into a head.

use oneloop::proto::h1::{
    BodyPlan, ConnectionField, ConnectionOption, Encoding, FieldError, Framing, HeadLimits, IncomingRequest,
    OutgoingResponse, RequestInfo, RequestParser, Version, connection_field, encode_informational, persistent, reason,
    response_framing,
};
use proptest::prelude::*;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

fn head(status: u16, fields: &[(&str, &str)]) -> OutgoingResponse {
    let mut head = OutgoingResponse::new();
    head.set_status(status).unwrap();
    for (name, value) in fields {
        head.append(name, value).unwrap();
    }
    head
}

fn encoded(head: &OutgoingResponse, framing: Framing, connection: ConnectionField) -> String {
    let mut out = Vec::new();
    head.encode(&mut out, &Encoding { framing, date: None, connection });
    String::from_utf8(out).unwrap()
}

#[test]
fn a_hello() {
    let mut head = OutgoingResponse::new();
    head.set("Content-Type", "text/plain").unwrap();
    let mut out = b"before".to_vec();
    let how = Encoding { framing: Framing::Length(13), date: Some(DATE), connection: ConnectionField::None };
    head.encode(&mut out, &how);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "beforeHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 13\r\n\r\n"
    );
}

#[test]
fn framing_and_connection_are_written() {
    use {ConnectionField as C, Framing as F};
    for (fields, framing, connection, rest) in [
        (&[][..], F::None, C::None, ""),
        (&[], F::UntilClose, C::Close, "Connection: close\r\n"),
        (&[], F::Length(0), C::KeepAlive, "Connection: keep-alive\r\nContent-Length: 0\r\n"),
        (&[], F::Length(u64::MAX), C::None, "Content-Length: 18446744073709551615\r\n"),
        (&[], F::Length(1_234_567_890), C::None, "Content-Length: 1234567890\r\n"),
        (&[], F::Chunked, C::Close, "Connection: close\r\nTransfer-Encoding: chunked\r\n"),
        // What was set is not said twice.
        (&[("content-length", "5")], F::Length(5), C::None, "content-length: 5\r\n"),
        (&[("Transfer-Encoding", "Chunked")], F::Chunked, C::None, "Transfer-Encoding: Chunked\r\n"),
        (&[("Connection", "close")], F::None, C::Close, "Connection: close\r\n"),
        (&[("Connection", "Keep-Alive")], F::None, C::KeepAlive, "Connection: Keep-Alive\r\n"),
        (&[("Connection", "Upgrade")], F::None, C::Close, "Connection: Upgrade\r\nConnection: close\r\n"),
        // What was set and contradicts is not said.
        (&[("A", "b"), ("Content-Length", "5"), ("C", "d")], F::None, C::None, "A: b\r\nC: d\r\n"),
        (&[("Content-Length", "5")], F::Chunked, C::None, "Transfer-Encoding: chunked\r\n"),
        (&[("Content-Length", "5")], F::Length(0), C::None, "Content-Length: 0\r\n"),
        (&[("Content-Length", "5")], F::UntilClose, C::None, ""),
        (&[("Transfer-Encoding", "chunked")], F::None, C::None, ""),
        (&[("Transfer-Encoding", "chunked"), ("A", "b")], F::Length(3), C::None, "A: b\r\nContent-Length: 3\r\n"),
        (&[("Connection", "keep-alive")], F::None, C::Close, "Connection: close\r\n"),
        (&[("Connection", "close")], F::None, C::KeepAlive, "Connection: close\r\n"),
    ] {
        let text = encoded(&head(200, fields), framing, connection);
        assert_eq!(text, format!("HTTP/1.1 200 OK\r\n{rest}\r\n"), "{fields:?} {framing:?} {connection:?}");
    }
}

#[test]
fn status_lines() {
    let line = |head: &OutgoingResponse| {
        encoded(head, Framing::None, ConnectionField::None).strip_suffix("\r\n\r\n").unwrap().to_owned()
    };
    for status in 100..=999 {
        assert_eq!(line(&head(status, &[])), format!("HTTP/1.1 {status} {}", reason(status)));
    }
    assert_eq!((reason(404), reason(413), reason(599), reason(0)), ("Not Found", "Content Too Large", "", ""));
    let mut custom = head(200, &[]);
    custom.set_reason("All Right").unwrap();
    assert_eq!((line(&custom).as_str(), custom.reason()), ("HTTP/1.1 200 All Right", "All Right"));
    for bad in ["a\r\nb: c", "a\n", "\0", "\u{e4}"] {
        assert_eq!(custom.set_reason(bad), Err(FieldError::Reason));
    }
    assert_eq!(custom.reason(), "All Right");
    custom.set_reason("").unwrap();
    assert_eq!(line(&custom), "HTTP/1.1 200 OK");
    for bad in [0, 1, 99, 1000, u16::MAX] {
        assert_eq!(custom.set_status(bad), Err(FieldError::Status));
    }
    assert_eq!(custom.status(), 200);
}

#[test]
fn fields_are_set_appended_and_removed() {
    let mut head = OutgoingResponse::new();
    head.set("A", "1").unwrap();
    head.append("b", " 2 ").unwrap();
    head.append("a", "3").unwrap();
    head.append("AB", "").unwrap();
    assert_eq!(head.iter().collect::<Vec<_>>(), [("A", "1"), ("b", "2"), ("a", "3"), ("AB", "")]);
    assert_eq!((head.get("a"), head.get("B"), head.get("ab"), head.get("c")), (Some("1"), Some("2"), Some(""), None));
    head.set("a", "4: 5").unwrap();
    assert_eq!(head.iter().collect::<Vec<_>>(), [("b", "2"), ("AB", ""), ("a", "4: 5")]);
    // Only a whole name is one.
    assert!(
        ["", ":", "a:", "a: 4", "4", "b: 2\r\nAB"].iter().all(|other| !head.has(other) && head.get(other).is_none())
    );
    assert!(head.remove("B") && !head.remove("B") && !head.has("b"));
    assert!(head.has("A"));
    // Names whose lengths differ by 64, with the same letters at both ends, share a bit of the filter.
    let long = "A".repeat(65);
    head.set(&long, "6").unwrap();
    assert_eq!((head.get("a"), head.get(&long)), (Some("4: 5"), Some("6")));
    let capacity = head.capacity();
    head.clear();
    assert_eq!((head.iter().count(), head.status(), head.capacity()), (0, 200, capacity));
    assert!(!head.has("a"));
    head.shrink();
    assert_eq!(head.capacity(), 0);
}

#[test]
fn special_fields_are_known() {
    let mut head = OutgoingResponse::new();
    assert_eq!(head.append("Content-Length", "5, 5"), Err(FieldError::ContentLength));
    assert_eq!(head.append("Transfer-Encoding", "gzip"), Err(FieldError::TransferEncoding));
    assert_eq!(head.iter().count(), 0);
    head.set("content-length", "42").unwrap();
    assert_eq!(head.declared_length(), Some(42));
    assert_eq!(head.append("Content-Length", "42"), Err(FieldError::ContentLength));
    for bad in ["", "x", "-1", "5, 5", "18446744073709551616"] {
        assert_eq!(head.set("Content-Length", bad), Err(FieldError::ContentLength), "{bad}");
    }
    assert_eq!((head.declared_length(), head.get("content-length")), (Some(42), Some("42")));
    head.set("Content-Length", "43").unwrap();
    assert_eq!((head.declared_length(), head.iter().count()), (Some(43), 1));
    head.remove("Content-Length");
    assert_eq!(head.declared_length(), None);

    for bad in ["gzip", "gzip, chunked", "chunked, chunked", ""] {
        assert_eq!(head.set("Transfer-Encoding", bad), Err(FieldError::TransferEncoding), "{bad}");
    }
    head.set("transfer-encoding", "CHUNKED").unwrap();
    assert!(head.wants_chunked());
    assert_eq!(head.append("Transfer-Encoding", "chunked"), Err(FieldError::TransferEncoding));
    head.remove("Transfer-Encoding");
    assert!(!head.wants_chunked());

    head.set("Connection", "upgrade").unwrap();
    assert!(!head.wants_close());
    head.append("connection", "foo, Close").unwrap();
    assert!(head.wants_close());
    head.set("Connection", "keep-alive").unwrap();
    assert!(!head.wants_close());

    head.set("Date", "yesterday").unwrap();
    let mut out = Vec::new();
    head.encode(&mut out, &Encoding { date: Some(DATE), ..Encoding::default() });
    assert!(!String::from_utf8(out).unwrap().contains("1994"));
    head.clear();
    assert_eq!((head.wants_close(), head.wants_chunked(), head.declared_length()), (false, false, None));
}

#[test]
fn a_field_is_not_taken_for_another_of_the_same_length() {
    for (name, value) in
        [("Vary", "a"), ("Set-Cookie", "close"), ("Accept-Charset", "5"), ("X-Accel-Buffering", "chunked")]
    {
        let head = head(200, &[(name, value)]);
        assert_eq!((head.wants_close(), head.wants_chunked(), head.declared_length()), (false, false, None), "{name}");
        let mut out = Vec::new();
        let how = Encoding { date: Some(DATE), connection: ConnectionField::Close, ..Encoding::default() };
        head.encode(&mut out, &how);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "HTTP/1.1 200 OK\r\n{name}: {value}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                 Connection: close\r\n\r\n"
            )
        );
    }
}

/// Of the four special fields, each is removed alone: what it stood for is said by us again, the others stand.
#[test]
fn a_special_field_that_is_removed_takes_only_its_own_effect_with_it() {
    const SPECIAL: [(&str, &str); 4] =
        [("Date", "yesterday"), ("Connection", "close"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")];
    for (removed, _) in SPECIAL {
        let mut head = head(200, &SPECIAL);
        assert!(head.remove(removed), "{removed}");
        assert_eq!(head.wants_close(), removed != "Connection", "without {removed}");
        assert_eq!(head.declared_length(), (removed != "Content-Length").then_some(5), "without {removed}");
        assert_eq!(head.wants_chunked(), removed != "Transfer-Encoding", "without {removed}");
        let mut out = Vec::new();
        let how = Encoding { framing: Framing::Chunked, date: Some(DATE), connection: ConnectionField::Close };
        head.encode(&mut out, &how);
        let text = String::from_utf8(out).unwrap();
        let says = |line: &str| text.matches(line).count();
        let date = if removed == "Date" { "Date: Sun, 06 Nov 1994" } else { "Date: yesterday" };
        assert_eq!((says("Date:"), says(date)), (1, 1), "without {removed}: {text}");
        assert_eq!(says("Connection: close\r\n"), 1, "without {removed}: {text}");
        assert_eq!(says("Transfer-Encoding: chunked\r\n"), 1, "without {removed}: {text}");
        assert_eq!(says("Content-Length:"), 0, "without {removed}: {text}");
    }
}

#[test]
fn a_response_holds_about_as_much_memory_as_it_says() {
    let mut head = OutgoingResponse::new();
    assert_eq!(head.capacity(), 0);
    head.set(&"N".repeat(30), "v".repeat(1_000)).unwrap();
    assert!((1_034..2_000).contains(&head.capacity()), "{}", head.capacity());
    let fields = head.capacity();
    head.set_reason(&"r".repeat(1_000)).unwrap();
    assert!((fields + 1_000..fields + 2_000).contains(&head.capacity()), "{}", head.capacity());
}

#[test]
fn every_field_error_says_what_is_wrong() {
    use FieldError::*;
    let all = [
        Name,
        Value,
        TooLong,
        Status,
        Reason,
        ContentLength,
        TransferEncoding,
        LengthAndCoding,
        LengthMismatch,
        Forbidden,
    ];
    let texts = all.map(|error| error.to_string());
    for (at, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..at].contains(text), "{:?}", all[at]);
    }
}

#[test]
fn nothing_can_split_a_response() {
    for bad in (0u8..32).filter(|&byte| byte != b'\t').chain([127]).map(char::from) {
        let mut head = head(200, &[("A", "b")]);
        let text = format!("x{bad}y");
        assert_eq!(head.set("X", &text), Err(FieldError::Value), "{bad:?}");
        assert_eq!(head.append("X", &text), Err(FieldError::Value), "{bad:?}");
        assert_eq!(head.set(&text, "x"), Err(FieldError::Name), "{bad:?}");
        assert_eq!(head.append(&text, "x"), Err(FieldError::Name), "{bad:?}");
        assert_eq!(head.set_reason(&text), Err(FieldError::Reason), "{bad:?}");
        assert_eq!(head.iter().collect::<Vec<_>>(), [("A", "b")]);
        let mut out = Vec::new();
        assert_eq!(encode_informational(&mut out, 103, &[("A", "b"), ("X", &text)]), Err(FieldError::Value));
        assert_eq!(encode_informational(&mut out, 103, &[(&text, "x")]), Err(FieldError::Name));
        assert!(out.is_empty());
    }
    for bad in ["", " ", "\t", "a b", "a:", "(", "\"", "a/b", "[", "{"] {
        assert_eq!(OutgoingResponse::new().set(bad, "x"), Err(FieldError::Name), "{bad:?}");
    }
}

/// Text goes out as UTF-8 and bytes as they are (RFC 9110, 5.5), but not where they could say how the response is read.
#[test]
fn bytes_above_ascii_are_sent_in_values_only() {
    for good in ["\u{80}", "José", "🌱"] {
        let mut head = OutgoingResponse::new();
        head.set("X", good).unwrap();
        head.append("x", good.to_owned().into_bytes()).unwrap();
        assert_eq!((head.get("X"), head.get_bytes("x")), (Some(good), Some(good.as_bytes())));
        assert_eq!(head.iter().collect::<Vec<_>>(), [("X", good), ("x", good)]);
        assert_eq!(head.set(good, "x"), Err(FieldError::Name));
        assert_eq!(head.set_reason(good), Err(FieldError::Reason));
        for name in ["Connection", "Date"] {
            assert_eq!(head.set(name, good), Err(FieldError::Value), "{name}");
            assert_eq!(head.append(name, good), Err(FieldError::Value), "{name}");
        }
        assert_eq!(head.set("Content-Length", good), Err(FieldError::ContentLength));
        assert_eq!(head.set("Transfer-Encoding", good), Err(FieldError::TransferEncoding));
        let mut out = Vec::new();
        encode_informational(&mut out, 103, &[("A", good)]).unwrap();
        assert!(out.ends_with(format!("\r\nA: {good}\r\n\r\n").as_bytes()));
        assert_eq!(encode_informational(&mut out, 103, &[("Connection", good)]), Err(FieldError::Value));
    }
    for byte in 0x80..=0xff {
        let mut head = OutgoingResponse::new();
        head.set("X", [byte]).unwrap();
        assert_eq!((head.get("X"), head.get_bytes("X"), head.has("X")), (None, Some(&[byte][..]), true));
        assert_eq!((head.iter().count(), head.iter_bytes().count()), (0, 1));
        let mut out = Vec::new();
        head.encode(&mut out, &Encoding::default());
        assert!(out.ends_with(&[b"\r\nX: ", &[byte][..], b"\r\n\r\n"].concat()), "{byte}");
        assert!(head.remove("x") && !head.has("X"));
    }
}

#[test]
fn informational_responses() {
    let mut out = Vec::new();
    encode_informational(&mut out, 100, &[]).unwrap();
    encode_informational(&mut out, 103, &[("Link", " </a>; rel=preload "), ("link", "</b>")]).unwrap();
    let expected =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nlink: </b>\r\n\r\n";
    assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
    for status in [0, 99, 101, 200, 304] {
        assert_eq!(encode_informational(&mut out, status, &[]), Err(FieldError::Status));
    }
    for name in ["content-length", "Transfer-Encoding"] {
        assert_eq!(encode_informational(&mut out, 102, &[(name, "5")]), Err(FieldError::Forbidden));
    }
    assert_eq!(out.len(), expected.len());
}

#[test]
fn how_content_is_framed() {
    use {FieldError as E, Framing as F, Version::*};
    let get = |version| RequestInfo { version, ..RequestInfo::default() };
    let to_head = |version| RequestInfo { head: true, ..get(version) };
    let connect = RequestInfo { connect: true, ..get(Http11) };
    let length = &[("Content-Length", "5")][..];
    let chunked = &[("Transfer-Encoding", "chunked")][..];
    let both = &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")][..];
    for (request, status, fields, known, expected) in [
        (get(Http11), 200, &[][..], Some(13), Ok((F::Length(13), true))),
        (get(Http11), 200, &[], Some(0), Ok((F::Length(0), true))),
        (get(Http11), 200, &[], None, Ok((F::Chunked, true))),
        (get(Http10), 200, &[], Some(13), Ok((F::Length(13), true))),
        (get(Http10), 200, &[], None, Ok((F::UntilClose, true))),
        (get(Http11), 200, length, None, Ok((F::Length(5), true))),
        (get(Http10), 200, length, None, Ok((F::Length(5), true))),
        (get(Http11), 200, length, Some(5), Ok((F::Length(5), true))),
        (get(Http11), 200, length, Some(6), Err(E::LengthMismatch)),
        (get(Http11), 200, chunked, None, Ok((F::Chunked, true))),
        (get(Http11), 200, chunked, Some(5), Ok((F::Chunked, true))),
        (get(Http10), 200, chunked, Some(5), Ok((F::Length(5), true))),
        (get(Http10), 200, chunked, None, Ok((F::UntilClose, true))),
        (get(Http11), 200, both, None, Err(E::LengthAndCoding)),
        (get(Http11), 101, chunked, None, Ok((F::None, false))),
        (get(Http11), 204, length, Some(5), Ok((F::None, false))),
        (get(Http11), 204, chunked, None, Ok((F::None, false))),
        (get(Http11), 205, length, Some(5), Ok((F::Length(0), false))),
        (get(Http11), 304, &[], Some(0), Ok((F::None, false))),
        (get(Http11), 304, length, Some(0), Ok((F::Length(5), false))),
        (get(Http11), 304, chunked, None, Ok((F::None, false))),
        (to_head(Http11), 200, &[], Some(13), Ok((F::Length(13), false))),
        (to_head(Http11), 200, &[], Some(0), Ok((F::None, false))),
        (to_head(Http11), 200, &[], None, Ok((F::None, false))),
        (to_head(Http10), 200, &[], None, Ok((F::None, false))),
        (to_head(Http11), 200, length, Some(0), Ok((F::Length(5), false))),
        (to_head(Http11), 200, chunked, None, Ok((F::Chunked, false))),
        (to_head(Http10), 200, chunked, None, Ok((F::None, false))),
        (connect, 200, length, Some(5), Ok((F::None, false))),
        (connect, 299, chunked, None, Ok((F::None, false))),
        (connect, 404, &[], Some(5), Ok((F::Length(5), true))),
    ] {
        let plan = response_framing(&request, &head(status, fields), known);
        let expected = expected.map(|(framing, body)| BodyPlan { framing, body });
        assert_eq!(plan, expected, "{request:?} {status} {fields:?} {known:?}");
        if let Ok(plan) = plan {
            assert_eq!(plan.must_close(), plan.framing == F::UntilClose);
            let text = encoded(&head(status, fields), plan.framing, ConnectionField::None).to_lowercase();
            let says = |name| text.matches(name).count();
            assert_eq!(says("content-length:"), usize::from(matches!(plan.framing, F::Length(_))), "{text}");
            assert_eq!(says("transfer-encoding:"), usize::from(plan.framing == F::Chunked), "{text}");
        }
    }
}

#[test]
fn what_framing_depends_on_is_read_off_the_request() {
    let info = |head, connect, version| RequestInfo { head, connect, version };
    for (line, expected) in [
        ("GET / HTTP/1.1", info(false, false, Version::Http11)),
        ("GET / HTTP/1.0", info(false, false, Version::Http10)),
        ("HEAD / HTTP/1.1", info(true, false, Version::Http11)),
        ("CONNECT a:1 HTTP/1.0", info(false, true, Version::Http10)),
    ] {
        let mut request = IncomingRequest::new();
        let wire = format!("{line}\r\nHost: a\r\n\r\n");
        RequestParser::default().parse(wire.as_bytes(), &HeadLimits::default(), &mut request).unwrap();
        assert_eq!(RequestInfo::from(&request), expected, "{line}");
    }
}

#[test]
fn persistence_is_a_table() {
    use {ConnectionField as C, Version::*};
    for (version, wish, lives) in [
        (Http11, ConnectionOption::None, true),
        (Http11, ConnectionOption::KeepAlive, true),
        (Http11, ConnectionOption::Close, false),
        (Http10, ConnectionOption::None, false),
        (Http10, ConnectionOption::KeepAlive, true),
        (Http10, ConnectionOption::Close, false),
    ] {
        assert_eq!(persistent(version, wish), lives, "{version} {wish:?}");
    }
    for (version, persistent, closing, field) in [
        (Http11, true, false, C::None),
        (Http11, true, true, C::Close),
        (Http11, false, false, C::Close),
        (Http11, false, true, C::Close),
        (Http10, true, false, C::KeepAlive),
        (Http10, true, true, C::Close),
        (Http10, false, false, C::Close),
        (Http10, false, true, C::Close),
    ] {
        assert_eq!(connection_field(version, persistent, closing), field, "{version} {persistent} {closing}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever is accepted comes out of an independent parser as it was set, and nothing else does.
    #[test]
    fn what_is_encoded_is_parsed(
        status in 200u16..=999,
        steps in prop::collection::vec((0u8..3, "[ABab-]{1,3}|[!-~]{0,3}", "[ -~]{0,8}|[\\x00-\\x7f]{0,3}"), 0..12),
        length in any::<u64>(),
    ) {
        let mut head = OutgoingResponse::new();
        head.set_status(status).unwrap();
        let mut model: Vec<(String, String)> = Vec::new();
        for (kind, name, value) in &steps {
            let accepted = match kind {
                0 => head.set(name, value).is_ok(),
                1 => head.append(name, value).is_ok(),
                _ => head.remove(name),
            };
            if !accepted {
                continue;
            }
            if *kind != 1 {
                model.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            }
            if *kind != 2 {
                model.push((name.clone(), value.trim_matches([' ', '\t']).to_owned()));
            }
        }
        let mut out = Vec::new();
        let how = Encoding { framing: Framing::Length(length), date: Some(DATE), ..Encoding::default() };
        head.encode(&mut out, &how);
        model.push(("Date".to_owned(), String::from_utf8(DATE.to_vec()).unwrap()));
        model.push(("Content-Length".to_owned(), length.to_string()));

        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut slots);
        prop_assert_eq!(parsed.parse(&out), Ok(httparse::Status::Complete(out.len())));
        prop_assert_eq!((parsed.code, parsed.reason), (Some(status), Some(reason(status))));
        let told = parsed.headers.iter().map(|field| (field.name.to_owned(), String::from_utf8(field.value.to_vec()).unwrap()));
        prop_assert_eq!(told.collect::<Vec<_>>(), model);
    }
}
