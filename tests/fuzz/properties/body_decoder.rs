//! Content: any split gives the same as the whole, and what was accepted can be read in one way only.
//!
//! The input: a byte for framing and limits, a byte for the cuts, the content and what follows it.

use super::choices::{Choices, cuts};
use super::latin1;
use oneloop::proto::h1::{
    BodyDecoder, BodyEvent, BodyLimits, Fault, Fields, Framing, chunk, is_allowed_trailer, last_chunk,
};

pub fn holds(bytes: &[u8]) {
    let (mut choices, wire) = Choices::split(bytes, 2);
    let (framing, limits) = framing(choices.byte());
    let ends = cuts(choices.byte(), wire.len());
    let whole = feed(framing, wire, [], &limits);
    assert_eq!(feed(framing, wire, ends.iter().copied(), &limits), whole, "in pieces that end at {ends:?}");
    assert_eq!(feed(framing, wire, 0..wire.len(), &limits), whole, "a byte at a time");
    match (framing, whole) {
        (Framing::Length(length), outcome) => {
            let content = outcome.expect("nothing can be wrong with bytes that are counted");
            let expected = (wire.len() as u64 >= length).then(|| &wire[..length as usize]);
            assert_eq!(content.map(|content| content.bytes).as_deref(), expected);
        }
        (_, Ok(Some(content))) => check(&content, wire, &limits),
        _ => {}
    }
}

fn framing(choice: u8) -> (Framing, BodyLimits) {
    let size = u64::from(choice >> 2);
    match choice & 3 {
        0 => (Framing::Length(if size == 63 { u64::MAX } else { size }), BodyLimits::default()),
        1 => {
            let size = size as usize;
            (Framing::Chunked, BodyLimits { extensions: size as u64, trailers: 2 * size, trailer_fields: size / 8 })
        }
        _ => (Framing::Chunked, BodyLimits::default()),
    }
}

#[derive(Debug, PartialEq)]
struct Content {
    bytes: Vec<u8>,
    trailers: Vec<(String, String)>,
    consumed: usize,
}

/// Feeds pieces that end at `ends`, each byte once. `None` where the content has not ended.
fn feed(
    framing: Framing,
    wire: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &BodyLimits,
) -> Result<Option<Content>, Fault> {
    let mut decoder = BodyDecoder::new(framing);
    let (mut bytes, mut trailers, mut at) = (Vec::new(), Fields::new(), 0);
    for end in ends.into_iter().chain([wire.len()]) {
        loop {
            let piece = &wire[at..end.max(at)];
            let remaining = decoder.remaining();
            let step = decoder.decode(piece, limits, &mut trailers)?;
            at += step.consumed;
            assert!(step.consumed <= piece.len());
            match step.event {
                BodyEvent::NeedMore => {
                    assert_eq!(step.consumed, piece.len());
                    assert!(!decoder.is_done());
                    break;
                }
                BodyEvent::Data(data) => {
                    assert!(!data.is_empty() && data.as_ptr_range().end == piece[..step.consumed].as_ptr_range().end);
                    assert!(framing == Framing::Chunked || decoder.remaining() == remaining - data.len() as u64);
                    bytes.extend_from_slice(data);
                }
                BodyEvent::End => {
                    assert!(decoder.is_done() && decoder.remaining() == 0);
                    let told = trailers.iter_bytes().map(|(name, value)| (name.to_owned(), latin1::characters(value)));
                    return Ok(Some(Content { bytes, trailers: told.collect(), consumed: at }));
                }
            }
        }
    }
    Ok(None)
}

/// Chunks that were accepted are those on the wire, read in the plainest way; and written again they are the same.
fn check(content: &Content, wire: &[u8], limits: &BodyLimits) {
    let (bytes, lines, consumed) = read_plainly(wire);
    assert_eq!((&bytes, consumed), (&content.bytes, content.consumed));
    let trailers: Vec<_> = lines
        .iter()
        .map(|line| {
            let (name, value) = line.split_once(':').expect("every line is a field");
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        })
        .collect();
    assert_eq!(trailers, content.trailers);
    assert!(trailers.len() <= limits.trailer_fields && trailers.iter().all(|(name, _)| is_allowed_trailer(name)));

    let mut fields = Fields::new();
    for (name, value) in &trailers {
        fields.push(name, latin1::bytes(value)).expect("what was received can be sent");
    }
    let mut again = Vec::new();
    for piece in bytes.chunks(7) {
        chunk(&mut again, piece);
    }
    last_chunk(&mut again, &fields);
    let read = feed(Framing::Chunked, &again, [], &BodyLimits { trailers: usize::MAX, ..*limits }).unwrap().unwrap();
    assert_eq!((read.bytes, read.trailers, read.consumed), (bytes, trailers, again.len()));
}

/// The data of the chunks, the lines of the trailer section, and where it ends. Panics where that cannot be told.
fn read_plainly(wire: &[u8]) -> (Vec<u8>, Vec<String>, usize) {
    let (mut content, mut at) = (Vec::new(), 0);
    // Only a trailer's value may have bytes above ASCII.
    let line = |at: &mut usize, is_field: bool| {
        let rest = &wire[*at..];
        let end = rest.iter().position(|&byte| byte == b'\n').expect("a line has an end");
        *at += end + 1;
        let line = latin1::characters(&rest[..end]);
        let line = line.strip_suffix('\r').expect("which is CR LF").to_owned();
        let ascii = if is_field { line.split(':').next().unwrap() } else { &line };
        assert!(ascii.is_ascii() && !line.contains(|c: char| c.is_ascii_control() && c != '\t'), "{line:?}");
        line
    };
    loop {
        let first = line(&mut at, false);
        let digits: String = first.chars().take_while(char::is_ascii_hexdigit).collect();
        let after = first[digits.len()..].trim_start_matches([' ', '\t']);
        assert!(after.starts_with(';') || digits.len() == first.len(), "{first:?}");
        let size = usize::from_str_radix(&digits, 16).expect("a size");
        if size == 0 {
            break;
        }
        content.extend_from_slice(&wire[at..at + size]);
        assert_eq!(&wire[at + size..at + size + 2], b"\r\n");
        at += size + 2;
    }
    let mut lines = Vec::new();
    loop {
        match line(&mut at, true) {
            last if last.is_empty() => return (content, lines, at),
            field => lines.push(field),
        }
    }
}
