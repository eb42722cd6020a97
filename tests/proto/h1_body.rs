//! Content of requests: chunks, extensions, trailers and lengths, however the bytes are split.

use oneloop::proto::h1::{
    BodyDecoder, BodyEncoder, BodyEvent, BodyLimits, Fault, FieldError, Fields, Framing, chunk, chunk_start,
    is_allowed_trailer, last_chunk,
};
use proptest::prelude::*;

/// Content, trailers and how many bytes were consumed; `None` where the content has not ended.
type Outcome = Result<Option<(Vec<u8>, Vec<(String, String)>, usize)>, Fault>;

/// Feeds pieces that end at `ends`, giving each byte once and never again.
fn feed(framing: Framing, bytes: &[u8], ends: impl IntoIterator<Item = usize>, limits: &BodyLimits) -> Outcome {
    let mut decoder = BodyDecoder::new(framing);
    let (mut content, mut trailers, mut at) = (Vec::new(), Fields::new(), 0);
    for end in ends.into_iter().chain([bytes.len()]) {
        loop {
            let piece = &bytes[at..end];
            let step = decoder.decode(piece, limits, &mut trailers)?;
            at += step.consumed;
            assert_eq!(step.event == BodyEvent::End, decoder.is_done() && !matches!(step.event, BodyEvent::Data(_)));
            match step.event {
                BodyEvent::Data(data) => {
                    assert!(!data.is_empty());
                    content.extend_from_slice(data);
                }
                BodyEvent::NeedMore => {
                    assert_eq!(step.consumed, piece.len());
                    break;
                }
                BodyEvent::End => {
                    let told = trailers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                    return Ok(Some((content, told.collect(), at)));
                }
            }
        }
    }
    Ok(None)
}

/// The outcome, which must be the same whole, a byte at a time, and in two pieces at every place.
fn outcome_with(framing: Framing, bytes: &[u8], limits: &BodyLimits) -> Outcome {
    let whole = feed(framing, bytes, [], limits);
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(feed(framing, bytes, 0..bytes.len(), limits), whole, "a byte at a time: {shown:?}");
    for at in 0..bytes.len() {
        assert_eq!(feed(framing, bytes, [at], limits), whole, "in two pieces at {at}: {shown:?}");
    }
    whole
}

fn chunked(bytes: &str) -> Outcome {
    outcome_with(Framing::Chunked, bytes.as_bytes(), &BodyLimits::default())
}

fn content(bytes: &str) -> String {
    let (content, _, consumed) = chunked(bytes).unwrap_or_else(|fault| panic!("{fault}: {bytes:?}")).unwrap();
    assert_eq!(consumed, bytes.len(), "{bytes:?}");
    String::from_utf8(content).unwrap()
}

#[test]
fn no_content_and_lengths() {
    let limits = BodyLimits::default();
    for framing in [Framing::None, Framing::Length(0)] {
        assert!(BodyDecoder::new(framing).is_done());
        assert_eq!(outcome_with(framing, b"GET", &limits), Ok(Some((vec![], vec![], 0))));
    }
    assert_eq!(outcome_with(Framing::Length(3), b"abcGET", &limits), Ok(Some((b"abc".to_vec(), vec![], 3))));
    assert_eq!(outcome_with(Framing::Length(4), b"abc", &limits), Ok(None));
    assert_eq!(outcome_with(Framing::Length(u64::MAX), b"abc", &limits), Ok(None));
    let mut decoder = BodyDecoder::new(Framing::Length(3));
    let step = decoder.decode(b"abcd", &limits, &mut Fields::new()).unwrap();
    assert_eq!((step.consumed, step.event), (3, BodyEvent::Data(b"abc")));
    assert!(decoder.is_done(), "known without another call");
}

#[test]
fn chunks() {
    assert_eq!(content("0\r\n\r\n"), "");
    assert_eq!(content("5\r\nhello\r\n0\r\n\r\n"), "hello");
    assert_eq!(content("2\r\n\r\n\r\n1\r\n\0\r\n000\r\n\r\n"), "\r\n\0");
    assert_eq!(content("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n"), "abc");
    assert_eq!(content("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), "01234567890123456789a");
    let (_, _, consumed) = chunked("1\r\na\r\n0\r\n\r\nGET /").unwrap().unwrap();
    assert_eq!(consumed, "1\r\na\r\n0\r\n\r\n".len());
    for unfinished in
        ["", "5", "5\r", "5\r\n", "5\r\nhell", "5\r\nhello\r\n", "0\r\n", "0\r\n\r", "0\r\nA: b\r\n", "0;a"]
    {
        assert_eq!(chunked(unfinished), Ok(None), "{unfinished:?}");
    }
}

#[test]
fn the_largest_chunk_is_begun() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let step = decoder.decode(b"FFFFffffFFFFffff\r\nab", &BodyLimits::default(), &mut Fields::new()).unwrap();
    assert_eq!(step.event, BodyEvent::Data(b"ab"));
    assert_eq!(decoder.remaining(), u64::MAX - 2);
}

#[test]
fn chunks_that_are_refused() {
    use Fault::*;
    for (wire, fault) in [
        ("\r\n", ChunkSize),
        ("\n", ChunkSize),
        (";a\r\n", ChunkSize),
        (" 5\r\nhello", ChunkSize),
        ("-5\r\n", ChunkSize),
        ("+5\r\n", ChunkSize),
        ("0x5\r\n", ChunkSize),
        ("5_0\r\n", ChunkSize),
        ("g\r\n", ChunkSize),
        ("5,\r\n", ChunkSize),
        ("5\0\r\n", ChunkSize),
        ("5\u{b}\r\n", ChunkSize),
        ("00000000000000005\r\n", ChunkSize),
        ("10000000000000000\r\n", ChunkSize),
        ("FFFFFFFFFFFFFFFF1\r\n", ChunkSize),
        ("5\nhello", BareLf),
        ("5\rhello", BareCr),
        ("5\r\r\n", BareCr),
        ("5\r\nhello0\r\n", ChunkEnd),
        ("5\r\nhello\n", ChunkEnd),
        ("5\r\nhello\r0", ChunkEnd),
        ("5\r\nhello!\r\n", ChunkEnd),
        ("0\r\n\n", BareLf),
        ("0\r\n\rX", BareCr),
        ("0\n\n", BareLf),
        ("5 \r\nhello", ChunkExtension),
        ("5 5\r\nhello", ChunkExtension),
        ("5 55\r\nhello", ChunkExtension),
        ("5;\r\n", ChunkExtension),
        ("5; \r\n", ChunkExtension),
        ("5;a=\r\n", ChunkExtension),
        ("5;a \r\n", ChunkExtension),
        ("5;a=b \r\n", ChunkExtension),
        ("5;=b\r\n", ChunkExtension),
        ("5;a==b\r\n", ChunkExtension),
        // What stands where `=` or `;` must is neither, though a token follows it.
        ("5;a b\r\n", ChunkExtension),
        ("5;a bc\r\n", ChunkExtension),
        ("5;a(b\r\n", ChunkExtension),
        ("5;a=b c\r\n", ChunkExtension),
        ("5;a=b cd\r\n", ChunkExtension),
        ("5;a=b(c\r\n", ChunkExtension),
        ("5;a=\"b\"(c\r\n", ChunkExtension),
        ("5;a=b\"c\"\r\n", ChunkExtension),
        ("5;a=\"b\"c\r\n", ChunkExtension),
        ("5;a=\"b\r\n", ChunkExtension),
        ("5;a=\"b\\\r\n", ChunkExtension),
        ("5;a=\"\0\"\r\n", ChunkExtension),
        ("5;a=\"\u{fc}\"\r\n", ChunkExtension),
        ("5;a=\"\\\u{7f}\"\r\n", ChunkExtension),
        ("5;a\n", BareLf),
        ("5;a=\"\n", BareLf),
        ("5;a\rb", BareCr),
        ("5;;a\r\n", ChunkExtension),
    ] {
        assert_eq!(chunked(wire), Err(fault), "{wire:?}");
    }
}

#[test]
fn extensions_are_read_over() {
    for extension in [
        ";a",
        ";a;b",
        " ; a",
        "\t;\ta = b ; c",
        ";a=b",
        ";a=\"\"",
        ";a=\"b;c = \t!~ d\"",
        ";a=\"\\\"\\\\\\ \"",
        ";a=\"b\" ;c=\"d\";e",
    ] {
        let wire = format!("1{extension}\r\nx\r\n0{extension}\r\n\r\n");
        assert_eq!(content(&wire), "x", "{extension:?}");
    }
}

#[test]
fn extensions_are_bounded_over_the_whole_content() {
    let limits = BodyLimits { extensions: 5, ..BodyLimits::default() };
    let run = |wire: &str| outcome_with(Framing::Chunked, wire.as_bytes(), &limits).map(|ended| ended.is_some());
    assert_eq!(run("1;ab\r\nx\r\n0;a\r\n\r\n"), Ok(true));
    assert_eq!(run("1;ab\r\nx\r\n0;ab\r\n\r\n"), Err(Fault::ChunkExtensionsTooLarge));
    assert_eq!(run("1;abcdef"), Err(Fault::ChunkExtensionsTooLarge));
    assert_eq!(run("1        "), Err(Fault::ChunkExtensionsTooLarge));
    // A line end is not counted: where it must not stand, that is what is wrong.
    assert_eq!(run("1;abc;\r\nx"), Err(Fault::ChunkExtension));
    assert_eq!(run("1;abcd\nx"), Err(Fault::BareLf));
    assert_eq!(Fault::ChunkExtensionsTooLarge.status(), 413);
}

#[test]
fn trailers() {
    let (content, told, _) =
        chunked("1\r\nx\r\n0\r\nDigest: a  b\r\nX:\r\nY: \t\r\ndigest:c \t\r\n\r\n").unwrap().unwrap();
    assert_eq!(content, b"x");
    let expected = [("Digest", "a  b"), ("X", ""), ("Y", ""), ("digest", "c")];
    assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn trailers_that_are_refused() {
    use Fault::*;
    for (line, fault) in [
        ("Content-Length: 5", TrailerForbidden),
        ("transfer-encoding: chunked", TrailerForbidden),
        ("HOST: a", TrailerForbidden),
        ("Trailer: a", TrailerForbidden),
        ("Connection: close", TrailerForbidden),
        ("Authorization: a", TrailerForbidden),
        ("Set-Cookie: a", TrailerForbidden),
        ("Content-Type: a", TrailerForbidden),
        ("Content-Encoding: a", TrailerForbidden),
        ("Content-Range: a", TrailerForbidden),
        ("A : b", SpaceBeforeColon),
        (": b", FieldName),
        ("A", FieldName),
        ("A\0: b", FieldName),
        (" A: b", Folded),
        ("A: b\r\n c", Folded),
        ("A: b\nC: d", BareLf),
        ("A:\nC: d", BareLf),
        ("A: b\rC: d", BareCr),
        ("A: \0", FieldValue),
        ("A: b\u{1}", FieldValue),
        ("A: \u{fc}\0", FieldValue),
        ("\u{fc}: b", FieldName),
    ] {
        assert_eq!(chunked(&format!("0\r\n{line}\r\n\r\n")), Err(fault), "{line:?}");
    }
    // Bytes above ASCII are opaque, and kept.
    let trailers = chunked("0\r\nA: \u{fc}\t\r\n\r\n").map(|content| content.map(|(_, trailers, _)| trailers));
    assert_eq!(trailers, Ok(Some(vec![("A".to_owned(), "\u{fc}".to_owned())])));
    assert!(is_allowed_trailer("Server-Timing") && !is_allowed_trailer("CONTENT-length"));
}

#[test]
fn trailers_are_bounded() {
    let wire = "0\r\nA: b\r\nC: d\r\n\r\n";
    let run = |trailers, trailer_fields| {
        let limits = BodyLimits { trailers, trailer_fields, ..BodyLimits::default() };
        outcome_with(Framing::Chunked, wire.as_bytes(), &limits).map(|ended| ended.is_some())
    };
    assert_eq!(run(12, 2), Ok(true));
    assert_eq!(run(11, 2), Err(Fault::TrailersTooLarge));
    assert_eq!(run(12, 1), Err(Fault::TooManyTrailers));
    assert_eq!(run(0, 2), Err(Fault::TrailersTooLarge));
    assert_eq!((Fault::TrailersTooLarge.status(), Fault::TooManyTrailers.status()), (431, 431));
}

#[test]
fn fields_take_only_what_can_be_sent() {
    let mut fields = Fields::new();
    assert_eq!(fields.capacity(), 0);
    fields.push("A", " b\t").unwrap();
    for (name, value, error) in [
        ("", "b", FieldError::Name),
        ("A b", "b", FieldError::Name),
        ("A:", "b", FieldError::Name),
        ("A\r\n", "b", FieldError::Name),
        ("\u{c4}", "b", FieldError::Name),
        ("A", "b\r\nC: d", FieldError::Value),
        ("A", "b\n", FieldError::Value),
        ("A", "\0", FieldError::Value),
        ("A", "\u{e4}\u{7f}", FieldError::Value),
    ] {
        assert_eq!(fields.push(name, value), Err(error), "{name:?} {value:?}");
    }
    assert_eq!(fields.iter().collect::<Vec<_>>(), [("A", "b")]);
    fields.push("B", [0xe4]).unwrap();
    fields.push("B", "\u{e4}").unwrap();
    assert_eq!((fields.get_bytes("b"), fields.get("b")), (Some(&[0xe4][..]), None));
    assert_eq!(fields.get_all("b").collect::<Vec<_>>(), ["\u{e4}"]);
    fields.clear();
    assert!(fields.is_empty() && fields.capacity() > 0 && fields.get("a").is_none());
    fields.shrink();
    assert_eq!(fields.capacity(), 0);
}

#[test]
fn fields_say_whether_there_are_any() {
    let mut fields = Fields::new();
    assert_eq!((fields.is_empty(), fields.len()), (true, 0));
    fields.push("A", "").unwrap();
    fields.push("a", "b").unwrap();
    assert_eq!((fields.is_empty(), fields.len()), (false, 2));
}

#[test]
fn fields_hold_about_as_much_memory_as_they_say() {
    let mut fields = Fields::new();
    fields.push("A", "b".repeat(1_000)).unwrap();
    assert!((1_001..4_000).contains(&fields.capacity()), "{}", fields.capacity());
}

#[test]
fn forbidden_trailers_are_not_sent() {
    let mut fields = Fields::new();
    fields.push("Content-Length", "5").unwrap();
    fields.push("Digest", "x").unwrap();
    let mut out = Vec::new();
    last_chunk(&mut out, &fields);
    assert_eq!(out, b"0\r\nDigest: x\r\n\r\n");
}

#[test]
fn chunk_sizes_are_written_in_hexadecimal() {
    for len in [1usize, 9, 10, 15, 16, 255, 256, 65_535, 1 << 20, usize::MAX] {
        let mut out = Vec::new();
        chunk_start(&mut out, len);
        assert_eq!(out, format!("{len:x}\r\n").as_bytes());
    }
    let mut out = Vec::new();
    chunk(&mut out, b"");
    assert!(out.is_empty(), "an empty chunk would end the content");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_encoded_is_decoded(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
        trailers in prop::collection::vec(("X[a-z]{0,8}", "([!-~]([ -~]{0,8}[!-~])?)?"), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (mut wire, mut fields) = (Vec::new(), Fields::new());
        for piece in &pieces {
            chunk(&mut wire, piece);
        }
        for (name, value) in &trailers {
            fields.push(name, value).unwrap();
        }
        last_chunk(&mut wire, &fields);
        let len = wire.len();
        wire.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let mut ends = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect::<Vec<_>>();
        ends.sort();
        let expected = Ok(Some((pieces.concat(), trailers, len)));
        prop_assert_eq!(&feed(Framing::Chunked, &wire, ends, &BodyLimits::default()), &expected);
        prop_assert_eq!(&feed(Framing::Chunked, &wire, 0..wire.len(), &BodyLimits::default()), &expected);
    }

    #[test]
    fn any_split_of_anything_gives_the_same(
        wire in prop::collection::vec(prop_oneof![
            6 => prop::sample::select(&["0\r\n\r\n", "1\r\nx\r\n", "2;a=b\r\nxy\r\n", "0\r\nA: b\r\n\r\n", "0\r\n"][..]),
            1 => prop::sample::select(&["\r", "\n", "\r\n", "0", "f", ";", "=", "\"", "\\", " ", "a", ":", "\0", "\u{e4}"][..]),
        ], 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        extensions in 0u64..20,
        trailers in 0usize..20,
        trailer_fields in 0usize..3,
    ) {
        let wire = wire.concat().into_bytes();
        let limits = BodyLimits { extensions, trailers, trailer_fields };
        let mut ends = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect::<Vec<_>>();
        ends.sort();
        let whole = feed(Framing::Chunked, &wire, [], &limits);
        prop_assert_eq!(&feed(Framing::Chunked, &wire, ends, &limits), &whole);
        prop_assert_eq!(&feed(Framing::Chunked, &wire, 0..wire.len(), &limits), &whole);
    }
}

/// How the content of one message is framed, given and brought to the reader.
#[derive(Clone, Debug)]
struct Journey {
    pieces: Vec<Vec<u8>>,
    trailers: Vec<(String, String)>,
    ends: Vec<usize>,
}

fn journey() -> impl Strategy<Value = Journey> {
    let pieces = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6);
    let trailers = prop::collection::vec(("x-[a-z]{1,5}", "[!-~]{0,5}"), 0..3);
    (pieces, trailers, prop::collection::vec(0usize..400, 0..8)).prop_map(|(pieces, trailers, ends)| Journey {
        pieces,
        trailers,
        ends,
    })
}

proptest! {
    /// What the encoder writes is what the decoder reads, in each framing and however the bytes are split.
    #[test]
    fn the_encoder_and_the_decoder_agree(journey in journey()) {
        let content = journey.pieces.concat();
        let mut trailers = Fields::new();
        for (name, value) in &journey.trailers {
            trailers.push(name, value).unwrap();
        }
        for framing in [Framing::Length(content.len() as u64), Framing::Chunked, Framing::UntilClose] {
            let mut wire = Vec::new();
            let mut encoder = BodyEncoder::new(framing);
            for piece in &journey.pieces {
                encoder.encode(&mut wire, piece, false, &trailers).unwrap();
            }
            encoder.encode(&mut wire, b"", true, &trailers).unwrap();
            let mut ends: Vec<usize> = journey.ends.iter().map(|end| end % (wire.len() + 1)).collect();
            ends.sort();
            if framing == Framing::UntilClose {
                prop_assert_eq!(until_close(&wire, &ends), content.clone());
                continue;
            }
            let expected = if framing == Framing::Chunked { journey.trailers.clone() } else { Vec::new() };
            let read = feed(framing, &wire, ends, &BodyLimits::default());
            prop_assert_eq!(read, Ok(Some((content.clone(), expected, wire.len()))), "{:?}", framing);
        }
    }
}

/// Reads content that ends with the input, in pieces that end at `ends`.
fn until_close(wire: &[u8], ends: &[usize]) -> Vec<u8> {
    let mut decoder = BodyDecoder::new(Framing::UntilClose);
    let (mut content, mut at) = (Vec::new(), 0);
    for &end in ends.iter().chain([&wire.len()]) {
        let step = decoder.decode(&wire[at..end], &BodyLimits::default(), &mut Fields::new()).unwrap();
        assert_eq!((step.consumed, decoder.is_done()), (end - at, false));
        if let BodyEvent::Data(data) = step.event {
            content.extend_from_slice(data);
        }
        at = end;
    }
    assert!(decoder.end_of_input());
    let step = decoder.decode(b"x", &BodyLimits::default(), &mut Fields::new()).unwrap();
    assert_eq!((step.consumed, step.event), (0, BodyEvent::End));
    content
}

/// The end of input completes only what nothing else delimits, or what had ended before.
#[test]
fn input_that_ends_early_leaves_framed_content_unfinished() {
    for (framing, wire, whole) in [
        (Framing::None, &b""[..], true),
        (Framing::UntilClose, b"", true),
        (Framing::Length(3), b"abc", true),
        (Framing::Length(3), b"ab", false),
        (Framing::Chunked, b"0\r\n\r\n", true),
        (Framing::Chunked, b"3\r\nabc\r\n", false),
        (Framing::Chunked, b"3\r\nabc\r\n0\r\n\r", false),
    ] {
        let mut decoder = BodyDecoder::new(framing);
        let mut at = 0;
        loop {
            let step = decoder.decode(&wire[at..], &BodyLimits::default(), &mut Fields::new()).unwrap();
            at += step.consumed;
            if !matches!(step.event, BodyEvent::Data(_)) {
                break;
            }
        }
        assert_eq!(decoder.end_of_input(), whole, "{framing:?} {wire:?}");
    }
}
