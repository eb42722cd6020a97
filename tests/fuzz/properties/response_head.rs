//! Heads of responses that are received: any split gives the same as the whole, and what was accepted can be read in one way
//! only.
//!
//! The input: a byte for the limits, a byte for the cuts, the head and what follows it.

use super::choices::Choices;
use super::heads::{self, Head};
use super::latin1;
use oneloop::proto::h1::{Fault, HeadLimits, IncomingResponse, Parsed, RequestInfo, ResponseParser, Version};

pub fn holds(bytes: &[u8]) {
    let (mut choices, wire) = Choices::split(bytes, 2);
    let limits = limits(choices.byte());
    if let Some((head, len)) = heads::read::<IncomingResponse>(wire, choices.byte(), &limits) {
        check(&head, &wire[..len], &limits);
    }
}

/// Mostly the defaults, else such as the input can reach.
fn limits(choice: u8) -> HeadLimits {
    let size = usize::from(choice >> 2);
    match choice & 3 {
        0 => HeadLimits { bytes: 16 + 16 * size, ..HeadLimits::default() },
        1 => HeadLimits { fields: size / 4, ..HeadLimits::default() },
        _ => HeadLimits::default(),
    }
}

impl Head for IncomingResponse {
    type Parser = ResponseParser;

    fn parse(parser: &mut ResponseParser, bytes: &[u8], limits: &HeadLimits, into: &mut Self) -> Result<Parsed, Fault> {
        parser.parse(bytes, limits, into)
    }

    fn is_empty(&self) -> bool {
        self.status() == 0 && self.fields().is_empty()
    }

    fn told(&self) -> String {
        let fields: Vec<_> = self.fields().iter_bytes().collect();
        format!(
            "{:?} {} {:?} {fields:?} {:?} {} {}",
            self.version(),
            self.status(),
            self.reason(),
            self.framing(&RequestInfo::default()),
            self.persistent(),
            self.is_upgrade(),
        )
    }
}

/// An accepted head says what stands on the wire, read in the plainest way.
fn check(head: &IncomingResponse, wire: &[u8], limits: &HeadLimits) {
    let text = &*latin1::characters(wire);
    assert!(wire.len() <= limits.bytes && head.fields().len() <= limits.fields);
    let mut lines = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line").split("\r\n");
    let line = lines.next().unwrap();
    let (version, rest) = line.split_at(8);
    let (status, reason) = rest.split_at(4);
    assert_eq!(version.get(..7), Some("HTTP/1."));
    assert_eq!(head.version() == Version::Http10, version.ends_with('0'));
    assert_eq!(format!(" {}", head.status()), status);
    assert!((100..600).contains(&head.status()));
    assert_eq!(latin1::characters(head.reason()), reason.strip_prefix(' ').unwrap_or_default());
    assert!(reason.is_empty() || reason.starts_with(' '));
    let plain: Vec<_> = lines
        .map(|line| line.split_once(':').expect("every line is a field"))
        .map(|(name, value)| (name, value.trim_matches([' ', '\t']).to_owned()))
        .collect();
    let listed: Vec<_> = head.fields().iter_bytes().map(|(name, value)| (name, latin1::characters(value))).collect();
    assert_eq!(listed, plain);
    assert!(text.bytes().filter(|&byte| byte == b'\n').count() == text.matches("\r\n").count());
}
