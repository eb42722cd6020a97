//! Requests that are sent: what is written, how content is framed, and that nothing can be smuggled into a head. A server reads
//! back what was meant.

use oneloop::proto::h1::{
    BodyDecoder, BodyEncoder, BodyEvent, BodyLimits, BodyPlan, ConnectionField, Encoding, FieldError, Fields, Framing,
    HeadLimits, IncomingRequest, OutgoingRequest, Parsed, RequestInfo, RequestParser, TargetForm, request_framing,
};
use proptest::prelude::*;

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> OutgoingRequest {
    let mut head = OutgoingRequest::new();
    head.set_line(method, target).unwrap();
    for (name, value) in fields {
        head.append(name, value).unwrap();
    }
    head
}

fn encoded(head: &OutgoingRequest, framing: Framing, connection: ConnectionField) -> String {
    let mut out = Vec::new();
    head.encode(&mut out, &Encoding { framing, date: None, connection });
    String::from_utf8(out).unwrap()
}

#[test]
fn a_get() {
    let head = request("GET", "/seed?n=1", &[("Accept", "text/plain"), ("host", " localhost:7777 ")]);
    let mut out = b"before".to_vec();
    head.encode(&mut out, &Encoding::default());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "beforeGET /seed?n=1 HTTP/1.1\r\nHost: localhost:7777\r\nAccept: text/plain\r\n\r\n"
    );
}

#[test]
fn host_is_the_first_field_and_there_is_one() {
    let mut head = request("GET", "/", &[("A", "b")]);
    assert_eq!(encoded(&head, Framing::None, ConnectionField::None), "GET / HTTP/1.1\r\nHost: \r\nA: b\r\n\r\n");
    assert!(!head.has("Host") && !head.remove("host"));
    head.append("HOST", "a").unwrap();
    assert_eq!(head.append("Host", "b"), Err(FieldError::Host));
    assert_eq!((head.host(), head.get("hosT")), ("a", Some("a")));
    head.set("hoSt", "[::1]:80").unwrap();
    assert_eq!(head.iter_bytes().collect::<Vec<_>>(), [("Host", &b"[::1]:80"[..]), ("A", b"b")]);
    for bad in ["a b", "a\r\nX: y", "a/b", "u@a", "a, b", "\u{e9}", "a:70000"] {
        assert_eq!(head.set_host(bad), Err(FieldError::Host), "{bad:?}");
        assert_eq!(head.set("Host", bad), Err(FieldError::Host), "{bad:?}");
    }
    assert_eq!(head.set("Host", b"\xff"), Err(FieldError::Host));
    assert_eq!(head.host(), "[::1]:80");
    assert!(head.remove("host"));
    assert_eq!(head.host(), "");
}

#[test]
fn a_method_and_a_target_are_one_line() {
    let mut head = request("GET", "/a", &[]);
    let long = "M".repeat(33);
    for bad in ["", " ", "G T", "GET\r\n", "GET\0", "G\u{e9}T", "GET:", &long] {
        assert_eq!(head.set_line(bad, "/"), Err(FieldError::Method), "{bad:?}");
    }
    for (method, bad) in [
        ("GET", ""),
        ("GET", "a"),
        ("GET", "*"),
        ("GET", "?a"),
        ("GET", "/a b"),
        ("GET", "/ HTTP/1.1\r\nX: y"),
        ("GET", "/\t"),
        ("GET", "/#a"),
        ("GET", "/\u{e9}"),
        ("GET", "/\x7f"),
        ("GET", "ftp://a/"),
        ("GET", "http://"),
        ("GET", "http://user@a/"),
        ("GET", "a:80"),
        ("CONNECT", "/"),
        ("CONNECT", "a"),
        ("CONNECT", "a:0"),
        ("CONNECT", "http://a/"),
    ] {
        assert_eq!(head.set_line(method, bad), Err(FieldError::Target), "{method} {bad:?}");
    }
    assert_eq!((head.method(), head.target()), ("GET", "/a"), "nothing has changed");
    for (method, target, form) in [
        ("GET", "/", TargetForm::Origin),
        ("get", "//a/../%zz?b?c", TargetForm::Origin),
        ("OPTIONS", "*", TargetForm::Asterisk),
        ("CONNECT", "example.org:443", TargetForm::Authority),
        ("CONNECT", "[::1]:443", TargetForm::Authority),
        ("GET", "http://a:80/b?c", TargetForm::Absolute),
        (&long[..32], "/", TargetForm::Origin),
    ] {
        head.set_line(method, target).unwrap();
        assert_eq!((head.method(), head.target()), (method, target));
        head.set_host(if form == TargetForm::Authority { target } else { "a" }).unwrap();
        let wire = encoded(&head, Framing::None, ConnectionField::None);
        let mut read = IncomingRequest::new();
        let parsed = RequestParser::default().parse(wire.as_bytes(), &HeadLimits::default(), &mut read);
        assert_eq!(parsed, Ok(Parsed::Complete { len: wire.len() }), "{wire:?}");
        assert_eq!((read.method(), read.target(), read.form()), (method, target, form));
    }
}

#[test]
fn the_framing_of_a_request_is_that_of_its_table() {
    use {FieldError as E, Framing as F};
    let (length, chunked) = (&[("Content-Length", "5")][..], &[("Transfer-Encoding", "chunked")][..]);
    let sends = |framing| Ok(BodyPlan { framing, body: true });
    let nothing = Ok(BodyPlan { framing: F::None, body: false });
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH", "QUERY", "post"] {
        let empty = if matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS") { nothing } else { sends(F::Length(0)) };
        for (fields, known, framing) in [
            (&[][..], Some(0), empty),
            (&[], Some(5), sends(F::Length(5))),
            (&[], None, sends(F::Chunked)),
            (length, None, sends(F::Length(5))),
            (length, Some(5), sends(F::Length(5))),
            (length, Some(4), Err(E::LengthMismatch)),
            (length, Some(0), Err(E::LengthMismatch)),
            (chunked, None, sends(F::Chunked)),
            (chunked, Some(5), sends(F::Chunked)),
            (&[length[0], chunked[0]], None, Err(E::LengthAndCoding)),
        ] {
            assert_eq!(request_framing(&request(method, "/", fields), known), framing, "{method} {fields:?} {known:?}");
        }
    }
    for (method, target) in [("CONNECT", "a:80"), ("TRACE", "/")] {
        for known in [None, Some(0)] {
            assert_eq!(request_framing(&request(method, target, &[]), known), nothing, "{method}");
            for fields in [length, chunked] {
                assert_eq!(request_framing(&request(method, target, fields), known), Err(E::NoContent), "{method}");
            }
        }
        assert_eq!(request_framing(&request(method, target, &[]), Some(1)), Err(E::NoContent), "{method}");
    }
}

#[test]
fn a_request_never_has_both_framing_fields() {
    for (fields, framing, rest) in [
        (&[][..], Framing::None, ""),
        (&[], Framing::Length(0), "Content-Length: 0\r\n"),
        (&[], Framing::Chunked, "Transfer-Encoding: chunked\r\n"),
        (&[("content-length", "5")], Framing::Length(5), "content-length: 5\r\n"),
        (&[("Content-Length", "5")], Framing::Chunked, "Transfer-Encoding: chunked\r\n"),
        (&[("Transfer-Encoding", "chunked")], Framing::Length(3), "Content-Length: 3\r\n"),
    ] {
        let wire = encoded(&request("POST", "/", fields), framing, ConnectionField::None);
        assert_eq!(wire, format!("POST / HTTP/1.1\r\nHost: \r\n{rest}\r\n"), "{fields:?} {framing:?}");
    }
    let mut head = request("POST", "/", &[("Content-Length", "5")]);
    assert_eq!(head.append("CONTENT-LENGTH", "5"), Err(FieldError::ContentLength));
    assert_eq!(head.set("Content-Length", "+5"), Err(FieldError::ContentLength));
    assert_eq!(head.set("Transfer-Encoding", "gzip, chunked"), Err(FieldError::TransferEncoding));
    assert_eq!(head.set("A", "b\r\nC: d"), Err(FieldError::Value));
    assert_eq!(head.set("A\r\n", "b"), Err(FieldError::Name));
    let keeps = request("GET", "/", &[("Connection", "keep-alive, Upgrade")]);
    let wire = encoded(&keeps, Framing::None, ConnectionField::Close);
    assert!(wire.ends_with("Connection: keep-alive, Upgrade\r\nConnection: close\r\n\r\n"), "{wire:?}");
}

#[test]
fn what_an_answer_depends_on_is_told() {
    let info = |method, target| RequestInfo::from(&request(method, target, &[]));
    assert_eq!((info("HEAD", "/").head, info("CONNECT", "a:80").connect), (true, true));
    assert_eq!((info("head", "/").head, info("GET", "/").connect), (false, false));
    let expects = |value| request("PUT", "/", &[("Expect", value)]).expects_continue();
    assert!(expects("100-Continue") && expects("a, 100-continue") && !expects("100") && !expects(""));
    let offers = |fields: &[(&str, &str)]| request("GET", "/", fields).offers_upgrade();
    assert!(offers(&[("Connection", "keep-alive"), ("connection", "a, UPGRADE"), ("Upgrade", "b")]));
    assert!(!offers(&[("Upgrade", "b")]) && !offers(&[("Connection", "upgrade")]));
}

#[test]
fn buffers_are_used_again() {
    let mut head = request("GET", "/a", &[("Host", "b"), ("C", "d")]);
    let capacity = head.capacity();
    head.clear();
    assert_eq!((head.method(), head.target(), head.host(), head.iter_bytes().count()), ("", "", "", 0));
    assert_eq!(head.capacity(), capacity);
    head.shrink();
    assert_eq!(head.capacity(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever can be set is read back by our server as one request with the same parts.
    #[test]
    fn a_server_reads_what_was_meant(
        method in "[A-Z]{1,8}",
        target in "/[!-~]{0,12}",
        fields in prop::collection::vec(("[A-Za-z-]{1,10}|Content-Length|Transfer-Encoding|Connection", "[ -~\r\n]{0,8}|[0-9]|chunked|close"), 0..6),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4),
        is_known in any::<bool>(),
    ) {
        let mut head = OutgoingRequest::new();
        prop_assume!(head.set_line(&method, &target).is_ok());
        head.set_host("example.org").unwrap();
        for (name, value) in &fields {
            let _ = head.append(name, value);
        }
        let content = pieces.concat();
        let known = is_known.then_some(content.len() as u64);
        let Ok(plan) = request_framing(&head, known) else { return Ok(()) };
        let (mut wire, mut trailers) = (Vec::new(), Fields::new());
        head.encode(&mut wire, &Encoding { framing: plan.framing, ..Encoding::default() });
        trailers.push("Digest", "x").unwrap();
        let mut encoder = BodyEncoder::new(plan.content());
        let sent = pieces.iter().try_for_each(|piece| encoder.encode(&mut wire, piece, false, &trailers));
        if sent.and_then(|()| encoder.encode(&mut wire, b"", true, &trailers)).is_err() {
            return Ok(());
        }
        wire.extend_from_slice(b"GET ");
        let mut read = IncomingRequest::new();
        let parsed = RequestParser::default().parse(&wire, &HeadLimits::default(), &mut read);
        let Ok(Parsed::Complete { len }) = parsed else { panic!("{parsed:?} {:?}", String::from_utf8_lossy(&wire)) };
        prop_assert_eq!((read.method(), read.target(), read.host()), (&*method, &*target, Some("example.org")));
        let (mut rest, mut received, mut trailers) = (&wire[len..], Vec::new(), Fields::new());
        let mut decoder = BodyDecoder::new(read.framing());
        loop {
            let step = decoder.decode(rest, &BodyLimits::default(), &mut trailers).unwrap();
            rest = &rest[step.consumed..];
            match step.event {
                BodyEvent::Data(data) => received.extend_from_slice(data),
                BodyEvent::NeedMore => panic!("it is not whole"),
                BodyEvent::End => break,
            }
        }
        prop_assert_eq!(rest, b"GET ");
        prop_assert_eq!(received, if plan.body { content } else { Vec::new() });
        prop_assert_eq!(trailers.len(), usize::from(read.framing() == Framing::Chunked));
    }
}
