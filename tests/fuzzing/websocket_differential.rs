//! Nearly valid WebSocket frames, as `proto::ws` reads them and as `wsproto` does (`fuzz/oracles`). It needs Python and `wsproto`, so it is
//! not a part of `cargo test`; `.ci/differential` runs it.

use crate::properties::message::{Ending, Framed, Message};
use crate::properties::oracle::Oracle;
use oneloop::proto::ws::{Decoder, Event, FrameHead, Message as Told, Opcode, Role, mask};
use std::collections::BTreeMap;
use std::env;

/// Streams that are under way to the oracle at a time.
const BATCH: usize = 256;

/// Chance from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A stream: who receives it, and a few frames, of which some are wrong.
fn stream(random: &mut Random) -> Vec<u8> {
    let to_client = random.one_in(2);
    let mut bytes = vec![u8::from(to_client)];
    let mut within = false;
    for _ in 0..1 + random.below(6) {
        frame(random, &mut bytes, to_client, &mut within);
    }
    if random.one_in(6) {
        let at = 1 + random.below(bytes.len() as u64 - 1) as usize;
        bytes[at] = random.below(256) as u8;
    }
    if random.one_in(6) {
        let end = 1 + random.below(bytes.len() as u64) as usize;
        bytes.truncate(end);
    }
    bytes
}

fn frame(random: &mut Random, bytes: &mut Vec<u8>, to_client: bool, within: &mut bool) {
    let first = match random.below(16) {
        0 => random.below(256) as u8,
        1 | 2 => 0x89,
        3 => 0x8a,
        4 => 0x88,
        _ => {
            let opcode = if *within { 0 } else { 1 + random.below(2) as u8 };
            *within = random.one_in(3);
            opcode | if *within { 0 } else { 0x80 }
        }
    };
    let content = match first {
        0x88 if random.one_in(8) => vec![3],
        0x88 if random.one_in(8) => Vec::new(),
        0x88 => {
            let codes = [999, 1000, 1001, 1004, 1005, 1006, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000];
            let code = if random.one_in(3) { random.below(65_536) as u16 } else { codes[random.below(15) as usize] };
            [code.to_be_bytes().to_vec(), content(random, 20)].concat()
        }
        0x89 | 0x8a => content(random, 130),
        _ => content(random, 300),
    };
    let key = (to_client == random.one_in(40)).then(|| (random.below(1 << 32) as u32).to_be_bytes());
    let begin = bytes.len();
    let head =
        FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: key, length: content.len() as u64 };
    head.encode(bytes);
    bytes[begin] = first;
    if random.one_in(30) && content.len() < 126 {
        // A length that is not in its shortest form, of two bytes or of eight.
        let (code, zeros) = if random.one_in(2) { (126, 1) } else { (127, 7) };
        bytes[begin + 1] = bytes[begin + 1] & 0x80 | code;
        let length = [vec![0; zeros], vec![content.len() as u8]].concat();
        bytes.splice(begin + 2..begin + 2, length);
    }
    let begin = bytes.len();
    bytes.extend(&content);
    if let Some(key) = key {
        mask(&mut bytes[begin..], key, 0);
    }
}

/// Mostly text, of characters of each length.
fn content(random: &mut Random, most: u64) -> Vec<u8> {
    let (mut text, length) = (String::new(), random.below(most));
    while (text.len() as u64) < length {
        text.push(['a', 'é', '€', '𝄞', '\u{d7ff}', '\u{10ffff}'][random.below(6) as usize]);
    }
    let mut bytes = text.into_bytes();
    if random.one_in(12) && !bytes.is_empty() {
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] = random.below(256) as u8;
    }
    if random.one_in(6) {
        bytes.truncate(bytes.len().saturating_sub(1));
    }
    bytes
}

/// How we read it.
fn read(stream: &[u8]) -> Framed {
    let role = if stream.first() == Some(&1) { Role::Client } else { Role::Server };
    let (mut decoder, mut rest) = (Decoder::new(role), stream.get(1..).unwrap_or_default().to_vec());
    let mut messages = Vec::new();
    let mut note = |kind: &str, code: String, content: &[u8]| {
        let (method, target, content) = (kind.to_owned(), code, content.to_vec());
        messages.push(Message { method, target, content, trailers: Vec::new(), whole: true });
    };
    let (ending, why) = loop {
        let step = match decoder.decode(&mut rest, usize::MAX) {
            Ok(step) => step,
            Err(fault) => break (Ending::Refused, format!("{} {fault}", fault.close_code())),
        };
        match step.event {
            Event::NeedMore => break (Ending::Incomplete, String::new()),
            Event::Message(Told::Text(text)) => note("text", String::new(), text.as_bytes()),
            Event::Message(Told::Binary(bytes)) => note("binary", String::new(), bytes),
            Event::Compressed(_) => unreachable!("nobody has agreed on compression"),
            Event::Ping(content) => note("ping", String::new(), content),
            Event::Pong(content) => note("pong", String::new(), content),
            Event::Close(close) => {
                note("close", close.code.unwrap_or(1005).to_string(), close.reason.as_bytes());
                break (Ending::Closed, String::new());
            }
        }
        let consumed = step.consumed;
        rest.drain(..consumed);
    };
    Framed { messages, ending, why }
}

/// The class of what both make of a stream. An error is a finding.
fn compare(ours: &Framed, theirs: &Framed) -> Result<String, String> {
    let code = |framed: &Framed| framed.why.split(' ').next().unwrap_or_default().to_owned();
    // Bad gateway, 1014, is registered with IANA (RFC 6455, 11.7), and not in its list. With a reason that is not UTF-8 we see 1007.
    let is_close =
        ours.messages.last().is_some_and(|last| last.target == "1014") || ours.why.starts_with("1007 the close");
    if theirs.why.ends_with("CLOSE with unknown reserved code") && is_close {
        return Ok("a close code that it does not know".into());
    }
    let both = format!("{:?} {} here, {:?} {} there", ours.ending, ours.why, theirs.ending, theirs.why);
    if ours.messages != theirs.messages {
        return Err(format!("other messages; {both}"));
    }
    match (ours.ending, theirs.ending) {
        (Ending::Refused, Ending::Refused) if code(ours) == code(theirs) => Ok(format!("refused: {}", code(ours))),
        (ours, theirs) if ours == theirs && ours != Ending::Refused => Ok(format!("{ours:?}")),
        // Our decoder looks at the first two bytes of a head, at what may follow what, and at each byte of a text, before the frame goes on.
        (Ending::Refused, Ending::Incomplete) => Ok("refused here by less of the frame".into()),
        _ => Err(both),
    }
}

#[test]
#[ignore = "needs Python and wsproto: .ci/differential"]
fn frames_are_read_as_wsproto_reads_them() {
    let number = |name: &str, usual: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (count, seed) = (number("DIFFERENTIAL_STREAMS", 20_000), number("DIFFERENTIAL_SEED", 1));
    let mut oracle = match Oracle::start("python3", "wsproto_frames.py") {
        Ok(oracle) => oracle,
        Err(error) if env::var_os("CI").is_some() => panic!("wsproto is missing: {error}"),
        Err(_) => return println!("SKIPPED: wsproto is not installed"),
    };
    let mut random = Random(seed);
    let (mut counts, mut findings) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, Vec<u8>>::new());
    for _ in 0..count.div_ceil(BATCH as u64) {
        let streams: Vec<_> = (0..BATCH).map(|_| stream(&mut random)).collect();
        for (stream, theirs) in streams.iter().zip(oracle.ask(&streams)) {
            match compare(&read(stream), &theirs) {
                Ok(class) => *counts.entry(class).or_default() += 1,
                Err(what) => {
                    let shortest = findings.entry(what).or_insert_with(|| stream.clone());
                    if stream.len() < shortest.len() {
                        shortest.clone_from(stream);
                    }
                }
            }
        }
    }
    println!("{}: {count} streams of frames from seed {seed}", oracle.name);
    counts.iter().for_each(|(class, count)| println!("{count:>9}  {class}"));
    findings.iter().for_each(|(what, stream)| println!("\n{what}\n    {}", stream.escape_ascii()));
    assert!(findings.is_empty(), "{} kinds of findings", findings.len());
    assert!(counts.len() >= 4, "the streams are too much alike: {counts:?}");
}

/// The comparison sees what it is for.
#[test]
fn a_difference_between_readers_of_frames_is_seen() {
    let hello = read(b"\x01\x81\x05Hello");
    assert_eq!((hello.messages[0].method.as_str(), hello.ending), ("text", Ending::Incomplete));
    assert!(compare(&hello, &hello).is_ok());
    let refused = read(b"\x01\x81\x05Hello\x83\0");
    assert_eq!(refused.ending, Ending::Refused);
    assert!(compare(&hello, &refused).is_err() && compare(&refused, &hello).is_ok());
    let other_code = Framed { why: "1007 not UTF-8".to_owned(), ..refused.clone() };
    assert!(compare(&refused, &other_code).is_err());
    assert!(compare(&hello, &read(b"\x01\x81\x04Hell")).is_err());
}
