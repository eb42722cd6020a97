//! Heads of requests: any split gives the same as the whole, and what was accepted can be read in one way only.
//!
//! The input: a byte for the limits, a byte for the cuts, the head and what follows it.

use super::choices::Choices;
use super::heads::{self, Head};
use super::latin1;
use oneloop::proto::h1::{Fault, Framing, HeadLimits, IncomingRequest, Parsed, RequestParser, TargetForm, Version};

pub fn holds(bytes: &[u8]) {
    let (mut choices, wire) = Choices::split(bytes, 2);
    let limits = limits(choices.byte());
    if let Some((head, len)) = heads::read::<IncomingRequest>(wire, choices.byte(), &limits) {
        check(&head, &wire[..len], &limits);
    }
}

/// Mostly the defaults, else such as the input can reach.
fn limits(choice: u8) -> HeadLimits {
    let default = HeadLimits { require_host: choice & 4 == 0, ..HeadLimits::default() };
    let size = usize::from(choice >> 3);
    match choice & 3 {
        0 => HeadLimits { bytes: 24 + 16 * size, ..default },
        1 if choice & 8 != 0 => HeadLimits { fields: size / 2, target: 4 + size, ..default },
        _ => default,
    }
}

impl Head for IncomingRequest {
    type Parser = RequestParser;

    fn parse(parser: &mut RequestParser, bytes: &[u8], limits: &HeadLimits, into: &mut Self) -> Result<Parsed, Fault> {
        parser.parse(bytes, limits, into)
    }

    fn is_empty(&self) -> bool {
        self.fields().is_empty() && self.method().is_empty()
    }

    fn told(&self) -> String {
        let fields: Vec<_> = self.fields().iter_bytes().collect();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {fields:?} {} {} {:?} {}",
            self.method(),
            self.target(),
            self.form(),
            self.path(),
            self.query(),
            self.version(),
            self.host(),
            self.framing(),
            self.persistent(),
            self.expects_continue(),
            self.expectation(),
            self.wants_upgrade(),
        )
    }
}

/// The fields that say how a message is read, and by whom: ASCII only.
const FRAMING: [&str; 6] = ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade"];

/// An accepted head says what stands on the wire, read in the plainest way; and written again it is the same head.
fn check(head: &IncomingRequest, wire: &[u8], limits: &HeadLimits) {
    let text = &*latin1::characters(wire);
    assert!(wire.iter().all(|&byte| matches!(byte, b'\r' | b'\n' | b'\t' | b' '..=b'~' | 0x80..)), "{text:?}");
    assert!(wire.len() <= limits.bytes && head.len() <= limits.fields && head.target().len() <= limits.target);
    let text = text.strip_prefix("\r\n").unwrap_or(text);
    let mut lines = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line").split("\r\n");
    let first = lines.next().unwrap();
    assert!(first.is_ascii() && !first.contains('\t'), "{first:?}");
    let parts: Vec<_> = first.split(' ').collect();
    let [method, target, version] = parts[..] else { panic!("{parts:?} is no request line") };
    assert!(!target.contains('#'), "{target:?}");
    assert_eq!([head.method(), head.target()], [method, target]);
    let minor = version.strip_prefix("HTTP/1.").and_then(|minor| minor.parse::<u8>().ok()).expect("HTTP/1.x");
    assert_eq!((head.version() == Version::Http10, minor < 10), (minor == 0, true));
    let mut plain = Vec::new();
    for line in lines {
        assert!(!line.contains(['\r', '\n']) && !line.starts_with([' ', '\t']), "{line:?}");
        let (name, value) = line.split_once(':').expect("every line is a field");
        assert!(!name.is_empty() && name.is_ascii() && !name.contains([' ', '\t', '"', '(', '/', ';']), "{name:?}");
        assert!(!FRAMING.iter().any(|other| other.eq_ignore_ascii_case(name)) || value.is_ascii(), "{line:?}");
        plain.push((name, value.trim_matches([' ', '\t'])));
    }
    let fields = head.fields();
    let listed: Vec<_> = fields.iter_bytes().map(|(name, value)| (name, latin1::characters(value))).collect();
    assert_eq!(listed.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), plain);
    for (name, _) in &listed {
        assert_eq!(fields.get(name), fields.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok()));
    }
    check_framing(head, &plain);
    check_target(head);

    let again = written(head, minor);
    let mut other = IncomingRequest::new();
    let unbounded = HeadLimits { bytes: usize::MAX, ..*limits };
    let parsed = RequestParser::default().parse(&again, &unbounded, &mut other);
    assert_eq!(parsed, Ok(Parsed::Complete { len: again.len() }), "{:?}", String::from_utf8_lossy(&again));
    assert_eq!(other.told(), head.told());
}

fn check_framing(head: &IncomingRequest, fields: &[(&str, &str)]) {
    let values = |name: &str| {
        let named = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("Content-Length"), values("Transfer-Encoding"));
    let framing = match (&lengths[..], &codings[..]) {
        ([], []) => Framing::None,
        ([length], []) => {
            assert!(length.bytes().all(|byte| byte.is_ascii_digit()), "{length:?}");
            Framing::Length(length.parse().unwrap())
        }
        ([], codings) => {
            let codings = codings.join(",").to_ascii_lowercase();
            let named: Vec<_> = codings.split([',', ' ', '\t']).filter(|coding| !coding.is_empty()).collect();
            assert_eq!((named, head.version()), (vec!["chunked"], Version::Http11));
            Framing::Chunked
        }
        _ => panic!("{lengths:?} with {codings:?} was accepted"),
    };
    assert_eq!(head.framing(), framing);
    assert!(values("Host").len() <= 1);
    assert!(!head.is_connect() || matches!(framing, Framing::None | Framing::Length(0)));
}

fn check_target(head: &IncomingRequest) {
    let target = head.target();
    let rest = match head.query() {
        Some(query) => target.strip_suffix(query).and_then(|rest| rest.strip_suffix('?')).expect("a query ends it"),
        None => target,
    };
    match head.form() {
        TargetForm::Origin => assert!(head.path() == rest && rest.starts_with('/')),
        TargetForm::Asterisk => assert_eq!((head.method(), target, head.path()), ("OPTIONS", "*", "*")),
        TargetForm::Authority => assert!(head.is_connect() && head.host() == Some(target)),
        TargetForm::Absolute => {
            let host = head.host().expect("an absolute target has a host");
            let (scheme, after) = rest.split_once("://").expect("and a scheme");
            assert!(["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme)));
            assert!(!host.is_empty() && !host.contains(['/', '?', '@', ' ']));
            let path = after.strip_prefix(host).expect("which its authority is");
            assert_eq!(head.path(), if path.is_empty() { "/" } else { path });
        }
    }
}

fn written(head: &IncomingRequest, minor: u8) -> Vec<u8> {
    let mut wire = format!("{} {} HTTP/1.{minor}\r\n", head.method(), head.target()).into_bytes();
    for (name, value) in head.fields().iter_bytes() {
        wire.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    wire.extend(b"\r\n");
    wire
}
