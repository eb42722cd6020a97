//! Request heads: what is accepted, what it means, what is refused with which status, however the bytes are split.

use oneloop::proto::h1::{
    Fault, Framing, HeadLimits, IncomingRequest, MAX_FIELDS, Parsed, RequestParser, TargetForm, Version,
};
use proptest::prelude::*;

type Outcome = Result<Option<(usize, String)>, Fault>;

/// All that a head says.
fn told(head: &IncomingRequest) -> String {
    let fields = head.fields().iter_bytes();
    let fields = fields.map(|(name, value)| format!("{name}={};", characters(value))).collect::<String>();
    format!(
        "{} {} {} {:?} {} {:?} {:?} host={:?} persistent={} continue={} expectation={:?} upgrade={} {}",
        head.method(),
        head.target(),
        head.path(),
        head.query(),
        head.version(),
        head.form(),
        head.framing(),
        head.host(),
        head.persistent(),
        head.expects_continue(),
        head.expectation(),
        head.wants_upgrade(),
        fields
    )
}

/// A character for each byte: values need not be UTF-8.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Feeds growing prefixes that end at `ends` and then all; stops at the first result that is not `Partial`.
fn feed(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &HeadLimits,
    into: &mut IncomingRequest,
) -> Outcome {
    let mut parser = RequestParser::default();
    for end in ends.into_iter().chain([bytes.len()]) {
        if let Parsed::Complete { len } = parser.parse(&bytes[..end], limits, into)? {
            return Ok(Some((len, told(into))));
        }
    }
    Ok(None)
}

/// The outcome, which must be the same whole, a byte at a time, and in two pieces at every place.
fn outcome_with(bytes: &[u8], limits: &HeadLimits) -> Outcome {
    let mut into = IncomingRequest::new();
    let whole = feed(bytes, [], limits, &mut into);
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(feed(bytes, 0..bytes.len(), limits, &mut into), whole, "a byte at a time: {shown:?}");
    for at in 0..bytes.len() {
        assert_eq!(feed(bytes, [at], limits, &mut into), whole, "in two pieces at {at}: {shown:?}");
    }
    whole
}

fn outcome(bytes: &[u8]) -> Outcome {
    outcome_with(bytes, &HeadLimits::default())
}

fn accepted(bytes: &[u8]) -> IncomingRequest {
    let shown = String::from_utf8_lossy(bytes);
    let len = outcome(bytes).unwrap_or_else(|fault| panic!("{fault}: {shown:?}")).map(|(len, _)| len);
    assert_eq!(len, Some(bytes.len()), "{shown:?}");
    let mut into = IncomingRequest::new();
    RequestParser::default().parse(bytes, &HeadLimits::default(), &mut into).unwrap();
    into
}

/// A 1.1 request with these lines behind a Host.
fn with(lines: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes()
}

#[test]
fn a_head_is_taken_apart() {
    let head = accepted(
        b"POST /a/b?c=d?e HTTP/1.1\r\nHost: example.org:80\r\nX-One:1\r\nx-one: \t two words\t \r\nEmpty:\r\nBlank:  \r\n\
          content-LENGTH: 5\r\n\r\n",
    );
    assert_eq!((head.method(), head.target(), head.version()), ("POST", "/a/b?c=d?e", Version::Http11));
    assert_eq!(head.method_and_target(), b"POST /a/b?c=d?e");
    assert_eq!((head.path(), head.query(), head.form()), ("/a/b", Some("c=d?e"), TargetForm::Origin));
    assert_eq!((head.host(), head.framing()), (Some("example.org:80"), Framing::Length(5)));
    assert_eq!(
        head.iter().collect::<Vec<_>>(),
        [
            ("Host", "example.org:80"),
            ("X-One", "1"),
            ("x-one", "two words"),
            ("Empty", ""),
            ("Blank", ""),
            ("content-LENGTH", "5")
        ]
    );
    assert!(head.len() == 6 && !head.is_empty());
    assert_eq!(head.fields().iter().collect::<Vec<_>>(), head.iter().collect::<Vec<_>>());
    assert_eq!((head.get("X-ONE"), head.get("X-On"), head.get("blank")), (Some("1"), None, Some("")));
    assert_eq!(head.get_all("x-one").collect::<Vec<_>>(), ["1", "two words"]);
    assert!(!head.is_head() && !head.is_connect());
}

#[test]
fn the_four_forms_of_target() {
    use TargetForm::*;
    for (line, form, path, query, host) in [
        ("GET / HTTP/1.1", Origin, "/", None, "h"),
        ("GET //a HTTP/1.1", Origin, "//a", None, "h"),
        ("GET /? HTTP/1.1", Origin, "/", Some(""), "h"),
        ("GET /%zz%4?%&[]@!$'()*+,;=:-._~ HTTP/1.1", Origin, "/%zz%4", Some("%&[]@!$'()*+,;=:-._~"), "h"),
        ("GET /<a>\\^`|?{\"b\":1}| HTTP/1.1", Origin, "/<a>\\^`|", Some("{\"b\":1}|"), "h"),
        ("GET http://b/\\|?{} HTTP/1.1", Absolute, "/\\|", Some("{}"), "b"),
        ("HEAD http://b/c?d HTTP/1.1", Absolute, "/c", Some("d"), "b"),
        ("GET HTTPS://b:8443 HTTP/1.1", Absolute, "/", None, "b:8443"),
        ("GET http://[::1]?d HTTP/1.1", Absolute, "/", Some("d"), "[::1]"),
        ("OPTIONS http://b HTTP/1.1", Absolute, "/", None, "b"),
        ("CONNECT b:10 HTTP/1.1", Authority, "b:10", None, "b:10"),
        ("CONNECT b:443 HTTP/1.1", Authority, "b:443", None, "b:443"),
        ("CONNECT [::1]:443 HTTP/1.1", Authority, "[::1]:443", None, "[::1]:443"),
        ("OPTIONS * HTTP/1.1", Asterisk, "*", None, "h"),
        ("OPTIONS /a HTTP/1.1", Origin, "/a", None, "h"),
    ] {
        let head = accepted(format!("{line}\r\nHost: h\r\n\r\n").as_bytes());
        let told = (head.form(), head.path(), head.query(), head.host());
        assert_eq!(told, (form, path, query, Some(host)), "{line}");
        assert_eq!(head.target(), line.split(' ').nth(1).unwrap());
    }
}

#[test]
fn request_lines_that_are_refused() {
    use Fault::*;
    for (line, fault) in [
        ("GET a HTTP/1.1", TargetForm),
        ("GET * HTTP/1.1", TargetForm),
        ("options * HTTP/1.1", TargetForm),
        ("OPTIONS ** HTTP/1.1", TargetForm),
        ("GET ?a HTTP/1.1", TargetForm),
        ("GET example.org:80 HTTP/1.1", TargetForm),
        ("GET ftp://a/ HTTP/1.1", TargetForm),
        ("GET http:///a HTTP/1.1", TargetForm),
        ("GET http://:80/a HTTP/1.1", TargetForm),
        ("GET http:/a HTTP/1.1", TargetForm),
        ("GET http://u@a/ HTTP/1.1", TargetForm),
        ("GET http://u:p@a/ HTTP/1.1", TargetForm),
        ("GET http://a:b/ HTTP/1.1", TargetForm),
        ("CONNECT a HTTP/1.1", TargetForm),
        ("CONNECT a: HTTP/1.1", TargetForm),
        ("CONNECT a:0 HTTP/1.1", TargetForm),
        ("CONNECT [::1]:00 HTTP/1.1", TargetForm),
        ("CONNECT :80 HTTP/1.1", TargetForm),
        ("CONNECT /a HTTP/1.1", TargetForm),
        ("CONNECT a:80/ HTTP/1.1", TargetForm),
        ("CONNECT http://a:80 HTTP/1.1", TargetForm),
        ("CONNECT u@a:80 HTTP/1.1", TargetForm),
        ("GET /a#b HTTP/1.1", TargetByte),
        ("GET /\u{fc} HTTP/1.1", TargetByte),
        ("GET /?a#b HTTP/1.1", TargetByte),
        ("GET # HTTP/1.1", TargetByte),
        ("GET /?\u{e9} HTTP/1.1", TargetByte),
        ("GET \" HTTP/1.1", TargetForm),
        ("GET \\a HTTP/1.1", TargetForm),
        ("GET http://a\\b/ HTTP/1.1", TargetForm),
        ("GET http://a|b/ HTTP/1.1", TargetForm),
        ("GET http://{a}/ HTTP/1.1", TargetForm),
        ("GET http://a\\@b/ HTTP/1.1", TargetForm),
        ("CONNECT a|b:1 HTTP/1.1", TargetForm),
        ("GET /\0 HTTP/1.1", TargetByte),
        ("GET /\t HTTP/1.1", TargetByte),
        ("GET /\u{7f} HTTP/1.1", TargetByte),
        ("GET  / HTTP/1.1", TargetByte),
        ("GET\t/ HTTP/1.1", Method),
        (" GET / HTTP/1.1", Method),
        ("G\u{e9}T / HTTP/1.1", Method),
        ("GE(T / HTTP/1.1", Method),
        ("GET", Method),
        ("\u{16}\u{3}\u{1}\u{2}", Method),
        ("GET ", TargetByte),
        ("GET \n", TargetByte),
        ("GET /", VersionMissing),
        ("GET /\n", VersionMissing),
        ("GET / ", Version),
        ("GET /  HTTP/1.1", Version),
        ("GET / HTTP/1.1 ", Version),
        ("GET / HTTP/1.1\t", Version),
        ("GET / http/1.1", Version),
        ("GET / HTTP/1", Version),
        ("GET / HTTP/1.", Version),
        ("GET / HTTP/1.10", Version),
        ("GET / HTTP/11.1", Version),
        ("GET / HTTP/20.0", Version),
        ("GET / HTTP/2", Version),
        ("GET / HTTP/.1", Version),
        ("GET / HTTP/1.x", Version),
        ("GET / HTTP 1.1", Version),
        ("GET / ICY/1.1", Version),
        ("GET /a b HTTP/1.1", Version),
        ("GET / HTTP/2.0", VersionUnsupported),
        ("GET / HTTP/0.9", VersionUnsupported),
        ("GET / HTTP/3.1", VersionUnsupported),
        ("PRI * HTTP/2.0", VersionUnsupported),
        ("GET / HTTP/1.1\n", BareLf),
        ("GET / HTTP/1.1\r", BareCr),
    ] {
        assert_eq!(outcome(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()), Err(fault), "{line:?}");
    }
}

#[test]
fn versions() {
    assert_eq!(accepted(b"GET / HTTP/1.0\r\n\r\n").version(), Version::Http10);
    assert_eq!(accepted(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").version(), Version::Http11);
    // RFC 9110, 2.5: a higher minor version is processed as the highest that is known.
    let head = accepted(b"\r\nGET /a HTTP/1.7\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    assert_eq!((head.version(), head.target(), head.framing()), (Version::Http11, "/a", Framing::Length(3)));
    assert_eq!(outcome(b"GET / HTTP/1.9\r\n\r\n"), Err(Fault::HostMissing));
    assert_eq!([Version::Http10, Version::Http11].map(|version| version.to_string()), ["HTTP/1.0", "HTTP/1.1"]);
}

#[test]
fn methods() {
    let long = |len: usize| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(len));
    assert_eq!(accepted(long(32).as_bytes()).method().len(), 32);
    assert_eq!(outcome(long(33).as_bytes()), Err(Fault::MethodTooLong));
    // The line end that may precede is no part of it.
    assert_eq!(accepted(format!("\r\n{}", long(32)).as_bytes()).method().len(), 32);
    assert_eq!(outcome(format!("\r\n{}", long(33)).as_bytes()), Err(Fault::MethodTooLong));
    assert_eq!(accepted(b"!#$%&'*+-.^_`|~ / HTTP/1.0\r\n\r\n").method(), "!#$%&'*+-.^_`|~");
    assert!(accepted(b"HEAD / HTTP/1.0\r\n\r\n").is_head());
    assert!(!accepted(b"head / HTTP/1.0\r\n\r\n").is_head());
    assert!(accepted(b"CONNECT a:1 HTTP/1.0\r\n\r\n").is_connect());
}

#[test]
fn one_line_end_may_precede() {
    accepted(b"\r\nGET / HTTP/1.0\r\n\r\n");
    for bad in ["\r\n\r\n", "\n", "\n\n", "\n\r\n", "\r\n\n", " \r\n", "\t"] {
        assert_eq!(outcome(format!("{bad}GET / HTTP/1.0\r\n\r\n").as_bytes()), Err(Fault::Method), "{bad:?}");
    }
    assert_eq!(outcome(b"\rGET / HTTP/1.0\r\n\r\n"), Err(Fault::BareCr));
    assert_eq!(outcome(b"\r\r\nGET / HTTP/1.0\r\n\r\n"), Err(Fault::BareCr));
}

#[test]
fn field_lines_that_are_refused() {
    use Fault::*;
    for (lines, fault) in [
        ("A : b", SpaceBeforeColon),
        ("A\t: b", SpaceBeforeColon),
        ("A b: c", SpaceBeforeColon),
        (": b", FieldName),
        ("A", FieldName),
        ("A\u{fc}: b", FieldName),
        ("A(: b", FieldName),
        ("A\0: b", FieldName),
        ("\0: b", FieldName),
        (" A: b", Folded),
        ("\tA: b", Folded),
        ("A: b\r\n c", Folded),
        ("A: b\r\n\tc", Folded),
        ("A: b\r\n \r\n", Folded),
        ("A: b\nC: d", BareLf),
        ("A: b\n", BareLf),
        ("A:\n", BareLf),
        ("A\n: b", FieldName),
        ("A: b\rC: d", BareCr),
        ("A: b\r\r", BareCr),
        ("A:\r", BareCr),
        ("A: b\0c", FieldValue),
        ("A: \0", FieldValue),
        ("A: b\u{7f}", FieldValue),
        ("A: b\u{b}", FieldValue),
        ("A: \u{fc}\0", FieldValue),
        ("Connection: \u{fc}", FieldValueNotAscii),
        ("Connection: keep-aliv\u{e9}, close", FieldValueNotAscii),
        ("expect: 100-continue, \u{fc}", FieldValueNotAscii),
        ("Upgrade: \u{fc}", FieldValueNotAscii),
        ("Host: \u{fc}", HostRepeated),
        ("Content-Length: 1\u{b2}", LengthInvalid),
        ("Transfer-Encoding: chunked\u{fc}", CodingInvalid),
        ("Transfer-Encoding: \u{fc}, chunked", CodingInvalid),
    ] {
        assert_eq!(outcome(&with(lines)), Err(fault), "{lines:?}");
    }
    assert_eq!(outcome(b"GET / HTTP/1.0\r\nHost: \xff\r\n\r\n"), Err(HostInvalid));
    assert_eq!(outcome(b"GET / HTTP/1.0\r\nUpgrade: \xff\r\n\r\n"), Err(FieldValueNotAscii));
    assert_eq!(outcome(b"GET / HTTP/1.0\r\nA: b\r\n\n"), Err(BareLf));
    assert_eq!(outcome(b"GET / HTTP/1.0\r\n\n"), Err(BareLf));
    assert_eq!(outcome(b"GET / HTTP/1.0\r\nA: b\r\n\rX"), Err(BareCr));
    assert_eq!(outcome(b"GET / HTTP/1.0\nA: b\n\n"), Err(BareLf));
}

/// RFC 9110, 5.5: bytes above ASCII in a value are opaque data. Each is kept, wherever it stands, and looked at as text
/// where it is UTF-8.
#[test]
fn bytes_above_ascii_in_a_value_are_kept_as_they_are() {
    for byte in 0x80..=0xff {
        let wire = [b"GET / HTTP/1.0\r\nX: ", &[byte][..], b" a", &[byte], b"\r\nY: \xc3\xa9\r\nX: z\r\n\r\n"].concat();
        let head = accepted(&wire);
        let raw = [byte, b' ', b'a', byte];
        assert_eq!((head.get_bytes("x"), head.get("x")), (Some(&raw[..]), None));
        assert_eq!(head.get("y"), Some("é"));
        let fields = head.fields();
        assert_eq!(fields.iter_bytes().collect::<Vec<_>>(), [("X", &raw[..]), ("Y", "é".as_bytes()), ("X", b"z")]);
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("Y", "é"), ("X", "z")]);
        assert_eq!(fields.get_all_bytes("X").collect::<Vec<_>>(), [&raw[..], b"z"]);
        assert_eq!(fields.get_all("X").collect::<Vec<_>>(), ["z"]);
    }
}

#[test]
fn host_rules() {
    for (lines, expected) in [
        ("HTTP/1.1\r\nHost: a", Ok(Some("a"))),
        ("HTTP/1.1\r\nhOST:a:80 ", Ok(Some("a:80"))),
        ("HTTP/1.1\r\nHost:", Ok(Some(""))),
        ("HTTP/1.1\r\nHosts: a\r\nHost: [::1]:1", Ok(Some("[::1]:1"))),
        ("HTTP/1.0\r\nX: y", Ok(None)),
        ("HTTP/1.0\r\nHost: b", Ok(Some("b"))),
        ("HTTP/1.1\r\nX: y", Err(Fault::HostMissing)),
        ("HTTP/1.1\r\nHost: a\r\nHost: a", Err(Fault::HostRepeated)),
        ("HTTP/1.0\r\nHost: a\r\nhost:", Err(Fault::HostRepeated)),
        ("HTTP/1.1\r\nHost: a b", Err(Fault::HostInvalid)),
        ("HTTP/1.1\r\nHost: a, b", Err(Fault::HostInvalid)),
        ("HTTP/1.1\r\nHost: u@a", Err(Fault::HostInvalid)),
        ("HTTP/1.1\r\nHost: http://a", Err(Fault::HostInvalid)),
        ("HTTP/1.1\r\nHost: a/b", Err(Fault::HostInvalid)),
        ("HTTP/1.0\r\nHost: a:b", Err(Fault::HostInvalid)),
        // No host but a port: the URI that it makes has to be refused (RFC 9110, 4.2.1).
        ("HTTP/1.1\r\nHost: :80", Err(Fault::HostInvalid)),
        ("HTTP/1.0\r\nHost: :", Err(Fault::HostInvalid)),
    ] {
        let wire = format!("GET / {lines}\r\n\r\n");
        match expected {
            Ok(host) => assert_eq!(accepted(wire.as_bytes()).host(), host, "{lines}"),
            Err(fault) => assert_eq!(outcome(wire.as_bytes()), Err(fault), "{lines}"),
        }
    }
    // An absolute target overrides the field, which must be there and valid all the same.
    assert_eq!(accepted(b"GET http://b/ HTTP/1.0\r\n\r\n").host(), Some("b"));
    assert_eq!(outcome(b"GET http://b/ HTTP/1.1\r\n\r\n"), Err(Fault::HostMissing));
    assert_eq!(outcome(b"GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), Err(Fault::HostInvalid));
    assert_eq!(outcome(b"GET http://b/ HTTP/1.1\r\nHost: :80\r\n\r\n"), Err(Fault::HostInvalid));
    // Only its absence can be waived.
    let waived = HeadLimits { require_host: false, ..HeadLimits::default() };
    assert!(outcome_with(b"GET / HTTP/1.1\r\n\r\n", &waived).is_ok());
    assert_eq!(outcome_with(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &waived), Err(Fault::HostRepeated));
    assert_eq!(outcome_with(b"GET / HTTP/1.1\r\nHost: \"\r\n\r\n", &waived), Err(Fault::HostInvalid));
}

#[test]
fn framing_rules() {
    use Fault::*;
    for (lines, expected) in [
        ("X: y", Ok(Framing::None)),
        ("Content-Length: 0", Ok(Framing::Length(0))),
        ("Content-Length:\t007 ", Ok(Framing::Length(7))),
        ("Content-Length: 18446744073709551615", Ok(Framing::Length(u64::MAX))),
        ("Content-Length: 18446744073709551616", Err(LengthInvalid)),
        ("Content-Length: 99999999999999999999999", Err(LengthInvalid)),
        ("Content-Length:", Err(LengthInvalid)),
        ("Content-Length: +5", Err(LengthInvalid)),
        ("Content-Length: -5", Err(LengthInvalid)),
        ("Content-Length: 0x5", Err(LengthInvalid)),
        ("Content-Length: 5a", Err(LengthInvalid)),
        ("Content-Length: 5 5", Err(LengthInvalid)),
        ("Content-Length: 5, 5", Err(LengthInvalid)),
        ("Content-Length: 5,", Err(LengthInvalid)),
        ("Content-Length: 5.0", Err(LengthInvalid)),
        ("Content-Length: \"5\"", Err(LengthInvalid)),
        ("Content-Length: 5\r\nContent-Length: 5", Err(LengthRepeated)),
        ("Content-Length: 5\r\ncontent-length: 6", Err(LengthRepeated)),
        ("Content_Length: 5", Ok(Framing::None)),
        ("Transfer-Encoding: chunked", Ok(Framing::Chunked)),
        ("transfer-ENCODING:\t ,, CHUNKED\t, ", Ok(Framing::Chunked)),
        ("Transfer-Encoding: ,\r\nTransfer-Encoding: chunked", Ok(Framing::Chunked)),
        ("Transfer-Encoding:", Err(CodingInvalid)),
        ("Transfer-Encoding: ,", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked, chunked", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked, gzip", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked;a=b", Err(CodingInvalid)),
        ("Transfer-Encoding: chun ked", Err(CodingInvalid)),
        ("Transfer-Encoding: \"chunked\"", Err(CodingInvalid)),
        ("Transfer-Encoding: chunked x", Err(CodingInvalid)),
        ("Transfer-Encoding: ;chunked", Err(CodingInvalid)),
        ("Transfer-Encoding: gzip", Err(CodingUnknown)),
        ("Transfer-Encoding: gzip, chunked", Err(CodingUnknown)),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", Err(CodingUnknown)),
        ("Transfer-Encoding: foo;a=b, chunked", Err(CodingUnknown)),
        ("Transfer-Encoding: identity", Err(CodingUnknown)),
        ("Transfer-Encoding: xchunked", Err(CodingUnknown)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Err(LengthAndCoding)),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Err(LengthAndCoding)),
        ("Content-Length: 5\r\nTransfer-Encoding: gzip", Err(LengthAndCoding)),
        ("Content-Length: x\r\nTransfer-Encoding:", Err(LengthAndCoding)),
    ] {
        match expected {
            Ok(framing) => assert_eq!(accepted(&with(lines)).framing(), framing, "{lines:?}"),
            Err(fault) => assert_eq!(outcome(&with(lines)), Err(fault), "{lines:?}"),
        }
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(outcome(old), Err(CodingInHttp10));
    let both = b"POST / HTTP/1.0\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(outcome(both), Err(CodingInHttp10));
    let tunnel = b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(outcome(tunnel), Err(ConnectWithContent));
    let tunnel = b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(outcome(tunnel), Err(ConnectWithContent));
    let tunnel = b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(accepted(tunnel).framing(), Framing::Length(0));
}

#[test]
fn connection_options() {
    for (version, lines, persistent) in [
        ("1.1", "X: y", true),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: close", false),
        ("1.1", "Connection: CLOSE", false),
        ("1.1", "connection:,\t foo ,Close\t,", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive", false),
        ("1.1", "Connection: closed, xclose, clos, other", true),
        ("1.1", "Connection:", true),
        ("1.0", "X: y", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: foo, keep-alive", true),
        ("1.0", "Connection: foo, keep_alive", false),
        ("1.0", "Connection: keep-alive, close", false),
        ("1.0", "Connection: close", false),
        ("1.0", "Keep-Alive: timeout=5", false),
    ] {
        let wire = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n");
        assert_eq!(accepted(wire.as_bytes()).persistent(), persistent, "{version} {lines:?}");
    }
    for (version, lines, wanted) in [
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket", true),
        ("1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade", true),
        ("1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue", true),
        ("1.1", "Connection: upgrade", false),
        ("1.1", "Connection: degrade\r\nUpgrade: websocket", false),
        ("1.1", "Upgrade: websocket", false),
        ("1.1", "Connection: close\r\nUpgrade: websocket", false),
        ("1.0", "Connection: upgrade\r\nUpgrade: websocket", false),
    ] {
        let wire = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n");
        assert_eq!(accepted(wire.as_bytes()).wants_upgrade(), wanted, "{version} {lines:?}");
    }
}

#[test]
fn an_offered_protocol_is_one_of_the_list_whatever_its_case() {
    let offers = |fields: &str| accepted(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").as_bytes());
    let head = offers("Connection: upgrade\r\nUpgrade: h2c, WebSocket\r\nUpgrade:chat/1 ,, x");
    for (protocol, offered) in [
        ("websocket", true),
        ("h2c", true),
        ("CHAT/1", true),
        ("x", true),
        ("chat", false),
        ("web", false),
        ("h2c, WebSocket", false),
        ("", false),
    ] {
        assert_eq!(head.offers(protocol), offered, "{protocol}");
    }
    assert!(!offers("Upgrade: websocket").offers("websocket"), "Connection does not name it");
}

#[test]
fn expectations() {
    for (version, lines, waits, other) in [
        ("1.1", "X: y", false, None),
        ("1.1", "Expect: 100-continue", true, None),
        ("1.1", "eXPECT:100-Continue ", true, None),
        ("1.1", "Expect: , 100-continue,", true, None),
        ("1.1", "Expect: 100-continue, foo=bar", true, Some("foo=bar")),
        ("1.1", "Expect: a\r\nExpect: 100-continue", true, Some("a")),
        ("1.1", "Expect: 100-continued", false, Some("100-continued")),
        ("1.1", "Expect: 100-continue\r\nExpect: 100-continue", true, None),
        ("1.1", "Expect: 100-continue\r\nExpect: b", true, Some("b")),
        ("1.1", "Expect:", false, None),
        ("1.1", "Accept: 100-continue", false, None),
        ("1.0", "Expect: 100-continue", false, None),
    ] {
        let head = accepted(format!("PUT / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n").as_bytes());
        assert_eq!((head.expects_continue(), head.expectation()), (waits, other), "{version} {lines:?}");
    }
    assert_eq!(accepted(b"PUT / HTTP/1.0\r\nExpect: a\r\n\r\n").expectation(), Some("a"), "alone in the head");
}

/// For each field that says something of the message itself: one of the same length, with a value that would matter.
#[test]
fn a_field_is_not_taken_for_another_of_the_same_length() {
    let plain = accepted(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n");
    let told = |head: &IncomingRequest| {
        let expectations = (head.expects_continue(), head.expectation().map(str::to_owned));
        (head.host().map(str::to_owned), head.framing(), head.persistent(), head.wants_upgrade(), expectations)
    };
    for line in [
        "Date: b",
        "Hots: b",
        "Accept: 100-continue",
        "Referer: websocket",
        "User-Agent: close",
        "Keep-Alive: close",
        "Accept-Charset: 5",
        "Content_Length: 5",
        "If-Modified-Since: chunked",
        "Transfer_Encoding: chunked",
    ] {
        let wire = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n{line}\r\n\r\n");
        assert_eq!(told(&accepted(wire.as_bytes())), told(&plain), "{line}");
    }
    // A look-alike does not do what the field must do either.
    for line in ["Date: a", "Hots: a", "Htso: a", "Tsoh: a"] {
        let wire = format!("GET / HTTP/1.1\r\n{line}\r\n\r\n");
        assert_eq!(outcome(wire.as_bytes()), Err(Fault::HostMissing), "{line}");
    }
}

#[test]
fn limits_are_exact() {
    let limits = |bytes, target, fields| HeadLimits { bytes, target, fields, require_host: true };
    let wire = b"GET /abcdefgh HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    let (len, target) = (wire.len(), "/abcdefgh".len());
    assert!(outcome_with(wire, &limits(len, target, 2)).is_ok());
    assert_eq!(outcome_with(wire, &limits(len - 1, target, 2)), Err(Fault::HeadTooLarge));
    assert_eq!(outcome_with(wire, &limits(len, target - 1, 2)), Err(Fault::TargetTooLong));
    assert_eq!(outcome_with(wire, &limits(len, target, 1)), Err(Fault::TooManyFields));
    assert_eq!(outcome_with(wire, &limits(10, 100, 2)), Err(Fault::TargetTooLong));
    assert_eq!(outcome_with(wire, &limits(4 + target, 100, 2)), Err(Fault::TargetTooLong));
    assert_eq!(outcome_with(wire, &limits(5 + target, 100, 2)), Err(Fault::HeadTooLarge));
    assert_eq!(outcome_with(wire, &limits(3, 100, 2)), Err(Fault::HeadTooLarge));
    // What is wrong before the limit is told before it.
    assert_eq!(outcome_with(b"GET /\0bcdefgh HTTP/1.1\r\n", &limits(6, 100, 2)), Err(Fault::TargetByte));
    // Exactly at the limit no further byte is needed to know.
    assert_eq!(outcome_with(&wire[..20], &limits(20, 100, 2)), Err(Fault::HeadTooLarge));
    assert_eq!(outcome_with(&wire[..20], &limits(21, 100, 2)), Ok(None));
}

#[test]
fn no_more_than_a_hundred_fields() {
    let wire = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(count));
    let generous = HeadLimits { fields: usize::MAX, ..HeadLimits::default() };
    assert_eq!(accepted(wire(MAX_FIELDS).as_bytes()).len(), 100);
    assert_eq!(outcome_with(wire(MAX_FIELDS + 1).as_bytes(), &generous), Err(Fault::TooManyFields));
}

#[test]
fn what_follows_a_head_is_left_alone() {
    let wire = b"\r\nGET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /two HTTP/1.1\r\n\0";
    let Ok(Some((len, told))) = outcome(wire) else { panic!() };
    assert_eq!(&wire[len..len + 9], b"POST /two");
    assert!(told.starts_with("GET /one"));
}

#[test]
fn a_parser_serves_one_request_after_another() {
    let wire = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /two HTTP/1.1\r\nHost: b\r\n\r\nGET /three HTTP/1.0\r\n\r\n";
    for step in 1..wire.len() {
        let (mut parser, mut head, mut start, mut targets) =
            (RequestParser::default(), IncomingRequest::new(), 0, Vec::new());
        for end in (step..wire.len()).step_by(step).chain([wire.len()]) {
            while let Parsed::Complete { len } =
                parser.parse(&wire[start..end], &HeadLimits::default(), &mut head).unwrap()
            {
                targets.push(head.target().to_owned());
                start += len;
            }
        }
        assert_eq!((targets, start), (vec!["/one".into(), "/two".into(), "/three".into()], wire.len()), "by {step}");
    }
}

#[test]
fn a_fault_is_told_again() {
    for wire in [&b"GET / HTTP/1.1\r\nA : b\r\n\r\n"[..], b"GET / HTTP/1.1\r\nA: b\r\n\r\n", b"GET / HTTP/1.1\n"] {
        let (mut parser, mut head) = (RequestParser::default(), IncomingRequest::new());
        let first = (1..=wire.len()).find_map(|end| {
            let fault = parser.parse(&wire[..end], &HeadLimits::default(), &mut head).err()?;
            Some((end, fault))
        });
        let (end, fault) = first.unwrap();
        assert_eq!(parser.parse(&wire[..end], &HeadLimits::default(), &mut head), Err(fault));
        assert!(head.is_empty() && head.method().is_empty());
    }
}

#[test]
fn a_fault_is_told_at_the_first_byte_that_cannot_be_right() {
    for (wire, at) in [
        (&b"\x16\x03\x01\x02\x00"[..], 1),
        (b"GET /\xc3\xbc HTTP/1.1\r\n", 6),
        (b"GET / HTTP/2.0\r\n", 14),
        (b"GET / HTTP/1.1\n", 15),
        (b"GET / HTTP/1.1\r\n X: y\r\n", 17),
        (b"GET / HTTP/1.1\r\nX : y\r\n", 18),
        (b"GET / HTTP/1.1\r\nX: y\nZ", 21),
        (b"GET / HTTP/1.1\r\nX: y\r\n\rZ", 24),
    ] {
        let mut parser = RequestParser::default();
        let mut into = IncomingRequest::new();
        let first =
            (1..=wire.len()).find(|&end| parser.parse(&wire[..end], &HeadLimits::default(), &mut into).is_err());
        assert_eq!(first, Some(at), "{:?}", String::from_utf8_lossy(wire));
        assert_eq!(feed(&wire[..at - 1], [], &HeadLimits::default(), &mut into), Ok(None));
    }
}

#[test]
fn a_head_is_reused_without_a_trace_and_without_allocating() {
    let full =
        b"CONNECT b:1 HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n\r\n";
    let bare = b"GET / HTTP/1.0\r\n\r\n";
    let (mut head, limits) = (IncomingRequest::new(), HeadLimits::default());
    let mut parser = RequestParser::default();
    assert_eq!(head.capacity(), 0);
    parser.parse(full, &limits, &mut head).unwrap();
    let capacity = head.capacity();
    assert!(capacity > full.len());
    let plain = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for _ in 0..2 {
        for other in [&bare[..], plain] {
            parser.parse(other, &limits, &mut head).unwrap();
            assert_eq!(told(&head), told(&accepted(other)));
        }
        parser.parse(full, &limits, &mut head).unwrap();
        assert_eq!(told(&head), told(&accepted(full)));
    }
    assert_eq!(head.capacity(), capacity);
    head.clear();
    assert_eq!((head.method(), head.target(), head.path(), head.host(), head.len()), ("", "", "", None, 0));
    assert_eq!(head.capacity(), capacity);
    head.shrink();
    assert_eq!(head.capacity(), 0);
}

#[test]
fn every_fault_has_a_client_or_server_error_status_and_a_text() {
    for fault in Fault::ALL {
        assert!([400, 413, 414, 431, 501, 502, 505].contains(&fault.status()), "{fault:?}");
        assert!(!fault.to_string().is_empty());
    }
    assert_eq!(Fault::TargetTooLong.status(), 414);
    assert_eq!(Fault::HeadTooLarge.status(), 431);
    assert_eq!(Fault::TooManyFields.status(), 431);
    assert_eq!(Fault::MethodTooLong.status(), 501);
    assert_eq!(Fault::CodingUnknown.status(), 501);
    assert_eq!(Fault::VersionUnsupported.status(), 505);
    assert_eq!(Fault::BareLf.status(), 400);
}

/// Valid heads, to be spoiled.
const SEEDS: [&str; 7] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nPOST /p?q HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\nhello",
    "POST /p HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n0\r\n\r\n",
    "GET http://h:1/p HTTP/1.0\r\nConnection: keep-alive\r\nX:\r\n\r\n",
    "CONNECT h:1 HTTP/1.1\r\nHost: h\r\nConnection: upgrade, close\r\nUpgrade: a\r\n\r\n",
    "OPTIONS * HTTP/1.2\r\nHost:\r\nExpect: 100-continue\r\n\r\n",
    "PUT /a%20b HTTP/1.1\r\nHost: a\r\nHost: b\r\nTransfer-Encoding: gzip\r\nContent-Length: 1, 1\r\n\r\n",
];

#[derive(Clone, Debug)]
enum Spoil {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let byte = prop_oneof![prop::sample::select(&b"\r\n\0 \t:,/?1290HaC\x7f\x80\xc3"[..]), any::<u8>()];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Spoil::Replace(at, byte)),
        (at(), byte).prop_map(|(at, byte)| Spoil::Insert(at, byte)),
        at().prop_map(Spoil::Remove),
        (at(), at()).prop_map(|(from, to)| Spoil::Repeat(from, to)),
    ]
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let seed = prop::sample::select(&SEEDS[..]).prop_map(|seed| seed.as_bytes().to_vec());
    let spoilt = (seed, prop::collection::vec(spoil(), 0..4)).prop_map(|(mut bytes, spoils)| {
        for spoil in spoils {
            match spoil {
                Spoil::Replace(at, byte) if !bytes.is_empty() => {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                Spoil::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), byte),
                Spoil::Remove(at) if !bytes.is_empty() => drop(bytes.remove(at.index(bytes.len()))),
                Spoil::Repeat(a, b) => {
                    let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
                    let (from, to) = (a.min(b), a.max(b));
                    let again = bytes[from..to].to_vec();
                    bytes.splice(to..to, again);
                }
                _ => {}
            }
        }
        bytes
    });
    prop_oneof![8 => spoilt, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

/// What an accepted head says of its lines, read from the wire in the plainest way.
fn read_plainly(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text = characters(head);
    let text = text.strip_prefix("\r\n").unwrap_or(&text);
    let text = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line");
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let fields = lines.map(|line| {
        assert!(!line.contains(|c: char| c.is_ascii_control() && c != '\t'), "{line:?}");
        let (name, value) = line.split_once(':').expect("every line is a field");
        assert!(name.is_ascii(), "{line:?}");
        (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
    });
    assert!(first.is_ascii(), "{first:?}");
    (first, fields.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_gives_the_same(
        wire in wire(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        bytes in prop_oneof![Just(16_384usize), 1usize..160],
        target in prop_oneof![Just(16_384usize), 0usize..12],
        fields in prop_oneof![Just(100usize), 0usize..5],
        require_host in any::<bool>(),
    ) {
        let limits = HeadLimits { bytes, fields, target, require_host };
        let mut into = IncomingRequest::new();
        let mut ends = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect::<Vec<_>>();
        ends.sort();
        let split = feed(&wire, ends, &limits, &mut into);
        let bytewise = feed(&wire, 0..wire.len(), &limits, &mut into);
        let whole = feed(&wire, [], &limits, &mut into);
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(&bytewise, &whole);

        if let Ok(Some((len, _))) = whole {
            prop_assert!(len <= bytes && into.len() <= fields && into.target().len() <= target);
            let (line, plain) = read_plainly(&wire[..len]);
            let version = line.rsplit(' ').next().unwrap();
            prop_assert_eq!(&line, &format!("{} {} {version}", into.method(), into.target()));
            prop_assert_eq!(version == "HTTP/1.0", into.version() == Version::Http10);
            let told = into.fields().iter_bytes();
            let told = told.map(|(name, value)| (name.to_owned(), characters(value))).collect::<Vec<_>>();
            prop_assert_eq!(told, plain);
        }
    }
}
