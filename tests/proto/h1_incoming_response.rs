//! Heads of responses that are received: what is accepted, what it means, what is refused, however the bytes are split.

use oneloop::proto::h1::{
    BodyDecoder, BodyEvent, BodyLimits, Fault, Fields, Framing, HeadLimits, IncomingResponse, MAX_FIELDS, Parsed,
    RequestInfo, ResponseParser, Version,
};
use proptest::prelude::*;

const GET: RequestInfo = RequestInfo { head: false, connect: false, version: Version::Http11 };
const HEAD: RequestInfo = RequestInfo { head: true, ..GET };
const CONNECT: RequestInfo = RequestInfo { connect: true, ..GET };

/// All that a head says.
fn told(head: &IncomingResponse) -> String {
    format!(
        "{} {} {:?} {:?} {:?} {} {}",
        head.version(),
        head.status(),
        head.reason(),
        head.fields().iter_bytes().collect::<Vec<_>>(),
        head.framing(&GET),
        head.persistent(),
        head.is_upgrade(),
    )
}

/// Feeds growing prefixes that end at `ends` and then all; stops at the first result that is not `Partial`.
fn feed(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &HeadLimits,
) -> Result<Option<(usize, String)>, Fault> {
    let (mut parser, mut head) = (ResponseParser::default(), IncomingResponse::new());
    for end in ends.into_iter().chain([bytes.len()]) {
        match parser.parse(&bytes[..end], limits, &mut head) {
            Ok(Parsed::Complete { len }) => return Ok(Some((len, told(&head)))),
            Ok(Parsed::Partial) => assert_eq!((head.status(), head.fields().len()), (0, 0)),
            Err(fault) => {
                assert_eq!(parser.parse(&bytes[..end], limits, &mut head), Err(fault), "the same bytes again");
                assert_eq!((head.status(), head.fields().len()), (0, 0));
                return Err(fault);
            }
        }
    }
    Ok(None)
}

/// The outcome, which must be the same whole and a byte at a time.
fn outcome(bytes: &[u8]) -> Result<Option<(usize, String)>, Fault> {
    let whole = feed(bytes, [], &HeadLimits::default());
    assert_eq!(feed(bytes, 0..bytes.len(), &HeadLimits::default()), whole, "{:?}", String::from_utf8_lossy(bytes));
    whole
}

fn head(text: &str) -> IncomingResponse {
    outcome(text.as_bytes()).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
    let mut head = IncomingResponse::new();
    let parsed = ResponseParser::default().parse(text.as_bytes(), &HeadLimits::default(), &mut head);
    assert_eq!(parsed, Ok(Parsed::Complete { len: text.len() }), "{text:?}");
    head
}

#[test]
fn a_status_line_is_taken_apart() {
    for (line, version, status, reason) in [
        ("HTTP/1.1 200 OK", Version::Http11, 200, &b"OK"[..]),
        ("HTTP/1.0 404 Not Found", Version::Http10, 404, b"Not Found"),
        ("HTTP/1.7 599 \t a  b ", Version::Http11, 599, b"\t a  b "),
        ("HTTP/1.1 100 ", Version::Http11, 100, b""),
        ("HTTP/1.1 204", Version::Http11, 204, b""),
        ("HTTP/1.1 200 \u{e9}", Version::Http11, 200, "\u{e9}".as_bytes()),
    ] {
        let head = head(&format!("{line}\r\nA: b\r\n\r\n"));
        assert_eq!((head.version(), head.status(), head.reason()), (version, status, reason), "{line}");
        assert_eq!(head.get("a"), Some("b"));
    }
    assert!(head("HTTP/1.1 103 Early Hints\r\n\r\n").is_informational());
    assert!(!head("HTTP/1.1 200 OK\r\n\r\n").is_informational());
}

#[test]
fn what_is_no_status_line_is_refused_at_the_first_byte_that_cannot_be_right() {
    for (line, at, fault) in [
        ("ICY 200 OK\r\n", 0, Fault::Version),
        ("\r\nHTTP/1.1 200 OK\r\n", 0, Fault::Version),
        ("GET / HTTP/1.1\r\n", 0, Fault::Version),
        ("HTTP/2.0 200 OK\r\n", 7, Fault::VersionUnsupported),
        ("HTTP/1.1\r\n", 8, Fault::StatusLine),
        ("HTTP/1.1\t200 OK\r\n", 8, Fault::StatusLine),
        ("HTTP/1.10 200 OK\r\n", 8, Fault::StatusLine),
        ("HTTP/1.1  200 OK\r\n", 9, Fault::StatusCode),
        ("HTTP/1.1 20 OK\r\n", 11, Fault::StatusCode),
        ("HTTP/1.1 099 OK\r\n", 9, Fault::StatusCode),
        ("HTTP/1.1 600 OK\r\n", 9, Fault::StatusCode),
        ("HTTP/1.1 +20 OK\r\n", 9, Fault::StatusCode),
        ("HTTP/1.1 2000 OK\r\n", 12, Fault::StatusLine),
        ("HTTP/1.1 200\tOK\r\n", 12, Fault::StatusLine),
        ("HTTP/1.1 200 a\0b\r\n", 14, Fault::StatusLine),
        ("HTTP/1.1 200\n", 12, Fault::BareLf),
        ("HTTP/1.1 200 OK\n", 15, Fault::BareLf),
        ("HTTP/1.1 200 OK\rA: b\r\n", 16, Fault::BareCr),
    ] {
        assert_eq!(outcome(line.as_bytes()), Err(fault), "{line:?}");
        assert_eq!(outcome(&line.as_bytes()[..at]), Ok(None), "{line:?}");
        assert_eq!(outcome(&line.as_bytes()[..=at]), Err(fault), "{line:?}");
    }
}

#[test]
fn fields_are_read_by_the_rules_of_requests() {
    for (fields, fault) in [
        ("A : b\r\n\r\n", Fault::SpaceBeforeColon),
        (" A: b\r\n\r\n", Fault::Folded),
        ("A: b\r\n c\r\n\r\n", Fault::Folded),
        ("A: b\n\r\n", Fault::BareLf),
        ("A: b\r\n\n", Fault::BareLf),
        ("A: \x01\r\n\r\n", Fault::FieldValue),
        ("\u{e9}: b\r\n\r\n", Fault::FieldName),
        ("Connection: \u{e9}\r\n\r\n", Fault::FieldValueNotAscii),
    ] {
        assert_eq!(outcome(format!("HTTP/1.1 200 OK\r\n{fields}").as_bytes()), Err(fault), "{fields:?}");
    }
    let head = head("HTTP/1.1 200 OK\r\nA:b\r\na: \u{e9}\t\r\n\r\n");
    assert_eq!(head.fields().get_all("A").collect::<Vec<_>>(), ["b", "\u{e9}"]);
}

#[test]
fn framing_follows_from_the_request_the_status_and_the_fields() {
    let cases = [
        ("Content-Length: 5\r\n", Ok(Framing::Length(5))),
        ("Content-Length: 0\r\n", Ok(Framing::Length(0))),
        ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
        ("", Ok(Framing::UntilClose)),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Fault::LengthRepeated)),
        ("Content-Length: 5, 5\r\n", Err(Fault::LengthInvalid)),
        ("Content-Length: +5\r\n", Err(Fault::LengthInvalid)),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Fault::LengthAndCoding)),
        ("Transfer-Encoding: gzip, chunked\r\n", Err(Fault::CodingUnknown)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Fault::CodingInvalid)),
        ("Transfer-Encoding: identity\r\n", Err(Fault::CodingUnknown)),
    ];
    for (fields, framing) in cases {
        for status in [200, 205, 206, 302, 404, 500] {
            let head = head(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n"));
            assert_eq!(head.framing(&GET), framing, "{status} {fields:?}");
            assert_eq!(head.framing(&HEAD), Ok(Framing::None), "{status} {fields:?}");
            let tunnel = (200..=299).contains(&status);
            assert_eq!(head.framing(&CONNECT), if tunnel { Ok(Framing::None) } else { framing }, "{status} {fields:?}");
        }
        for status in [100, 101, 103, 199, 204, 304] {
            let head = head(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n"));
            assert_eq!(head.framing(&GET), Ok(Framing::None), "{status} {fields:?}");
        }
    }
    let http10 = head("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(http10.framing(&GET), Err(Fault::CodingInHttp10));
}

#[test]
fn persistence_and_upgrades_follow_from_version_and_connection() {
    for (text, persistent) in [
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true),
    ] {
        assert_eq!(head(text).persistent(), persistent, "{text:?}");
    }
    for (status, fields, upgrade) in [
        (101, "Connection: x, Upgrade\r\nUpgrade: ws\r\n", true),
        (101, "Connection: Upgrade\r\n", false),
        (101, "Upgrade: ws\r\n", false),
        (200, "Connection: Upgrade\r\nUpgrade: ws\r\n", false),
    ] {
        assert_eq!(head(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n")).is_upgrade(), upgrade, "{status} {fields:?}");
    }
}

/// Informational responses precede the final one; what follows its content is left for the next.
#[test]
fn responses_behind_one_another_are_read_one_by_one() {
    let wire = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nbasil\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end";
    let (mut parser, mut head) = (ResponseParser::default(), IncomingResponse::new());
    let (mut rest, mut contents) = (&wire[..], Vec::new());
    while !rest.is_empty() {
        let parsed = parser.parse(rest, &HeadLimits::default(), &mut head);
        let Ok(Parsed::Complete { len }) = parsed else { panic!("{parsed:?}") };
        rest = &rest[len..];
        let framing = head.framing(&GET).unwrap();
        let mut content = Vec::new();
        let (mut decoder, mut trailers) = (BodyDecoder::new(framing), Fields::new());
        loop {
            let step = decoder.decode(rest, &BodyLimits::default(), &mut trailers).unwrap();
            rest = &rest[step.consumed..];
            match step.event {
                BodyEvent::Data(data) => content.extend_from_slice(data),
                BodyEvent::NeedMore | BodyEvent::End => break,
            }
        }
        contents.push((head.status(), framing, String::from_utf8(content).unwrap()));
    }
    assert_eq!(
        contents,
        [
            (103, Framing::None, String::new()),
            (200, Framing::Chunked, "basil".to_owned()),
            (200, Framing::UntilClose, "until the end".to_owned()),
        ]
    );
}

#[test]
fn a_head_has_limits_and_the_parser_is_eight_bytes() {
    assert_eq!(size_of::<ResponseParser>(), 8);
    let of = |fields: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(fields));
    assert!(outcome(of(MAX_FIELDS).as_bytes()).is_ok());
    assert_eq!(outcome(of(MAX_FIELDS + 1).as_bytes()), Err(Fault::TooManyFields));
    let text = of(2);
    for (bytes, fits) in [(text.len(), true), (text.len() - 1, false), (12, false)] {
        let limits = HeadLimits { bytes, ..HeadLimits::default() };
        for ends in [0..0, 0..text.len()] {
            let outcome = feed(text.as_bytes(), ends, &limits);
            assert_eq!(
                outcome.map(|told| told.is_some()),
                if fits { Ok(true) } else { Err(Fault::HeadTooLarge) },
                "{bytes}"
            );
        }
    }
}

#[test]
fn buffers_are_used_again() {
    let (mut parser, mut head) = (ResponseParser::default(), IncomingResponse::new());
    let full = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n";
    let bare = b"HTTP/1.0 200\r\n\r\n";
    for text in [&full[..], bare, full, bare] {
        assert_eq!(parser.parse(text, &HeadLimits::default(), &mut head), Ok(Parsed::Complete { len: text.len() }));
        assert_eq!(Ok(Some((text.len(), told(&head)))), outcome(text));
    }
    let capacity = head.capacity();
    head.clear();
    assert_eq!((head.status(), head.fields().len(), head.capacity()), (0, 0, capacity));
    head.shrink();
    assert_eq!(head.capacity(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chance_bytes_are_no_response(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let outcome = outcome(&bytes);
        prop_assert!(!matches!(outcome, Ok(Some(_))));
    }
}
