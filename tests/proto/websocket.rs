//! Frames of the WebSocket protocol and the messages that they make, however the bytes are split.

use oneloop::proto::ws::{
    CloseFrame, Compressed, Decoder, Event, Fault, FrameHead, MaskKey, Message, Opcode, Role, is_close_code, mask,
};
use proptest::prelude::*;

const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];
const LIMIT: usize = 1000;

/// A frame of a client, with any first byte.
fn frame(first: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    announced(first, content.len() as u64, content)
}

/// A frame of a client that announces this length.
fn announced(first: u8, length: u64, content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: Some(KEY), length }.encode(&mut frame);
    frame[0] = first;
    let begin = frame.len();
    frame.extend_from_slice(content);
    mask(&mut frame[begin..], KEY, 0);
    frame
}

/// Feeds pieces that end at `ends`, as a connection does: what is not consumed is given again. Returns what was told, the fault,
/// and how many bytes had come before it.
fn feed(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> (Vec<String>, Option<(Fault, usize)>) {
    feed_to(Decoder::new(Role::Server), bytes, ends)
}

fn feed_to(
    mut decoder: Decoder,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> (Vec<String>, Option<(Fault, usize)>) {
    let (mut told, mut held, mut at) = (Vec::new(), Vec::new(), 0);
    for end in ends.into_iter().chain([bytes.len()]) {
        held.extend_from_slice(&bytes[at..end]);
        at = end;
        loop {
            let step = match decoder.decode(&mut held, LIMIT) {
                Ok(step) => step,
                Err(fault) => return (told, Some((fault, end))),
            };
            let more = step.event == Event::NeedMore;
            if !more {
                told.push(match step.event {
                    Event::Message(Message::Text(text)) => format!("text {text}"),
                    Event::Message(Message::Binary(bytes)) => format!("binary {bytes:?}"),
                    Event::Compressed(Compressed { text, content }) => format!("compressed {text} {content:?}"),
                    Event::Ping(content) => format!("ping {content:?}"),
                    Event::Pong(content) => format!("pong {content:?}"),
                    Event::Close(CloseFrame { code, reason }) => format!("close {code:?} {reason}"),
                    Event::NeedMore => unreachable!(),
                });
            }
            let consumed = step.consumed;
            held.drain(..consumed);
            if more {
                break;
            }
        }
    }
    (told, None)
}

/// What is told, whole and at every split in two, and a byte at a time.
fn told(bytes: &[u8]) -> Result<Vec<String>, (Vec<String>, Fault)> {
    let result = |(told, fault): (Vec<String>, Option<(Fault, usize)>)| match fault {
        None => Ok(told),
        Some((fault, _)) => Err((told, fault)),
    };
    let whole = result(feed(bytes, []));
    for at in 0..=bytes.len() {
        assert_eq!(result(feed(bytes, [at])), whole, "split at {at}");
    }
    assert_eq!(result(feed(bytes, 0..bytes.len())), whole, "a byte at a time");
    whole
}

fn fault(bytes: &[u8]) -> Fault {
    let (told, fault) = told(bytes).expect_err("a fault");
    assert!(told.is_empty(), "{told:?}");
    fault
}

#[test]
fn a_message_is_one_whether_it_comes_in_one_frame_or_in_many() {
    assert_eq!(told(&frame(0x81, b"Hello")).unwrap(), ["text Hello"]);
    assert_eq!(told(&frame(0x82, b"\0\xff")).unwrap(), ["binary [0, 255]"]);
    assert_eq!(told(&frame(0x81, b"")).unwrap(), ["text "]);
    let fragments = [frame(0x01, b"Hel"), frame(0x00, b""), frame(0x00, b"l"), frame(0x80, b"o"), frame(0x82, b"")];
    assert_eq!(told(&fragments.concat()).unwrap(), ["text Hello", "binary []"]);
    let empty = [frame(0x02, b""), frame(0x80, b"")].concat();
    assert_eq!(told(&empty).unwrap(), ["binary []"]);
}

#[test]
fn control_frames_between_fragments_do_not_touch_the_message() {
    let euro = "€".as_bytes();
    let bytes = [
        frame(0x01, &euro[..1]),
        frame(0x89, b"\xff\xfe"),
        frame(0x00, &euro[1..2]),
        frame(0x8a, b""),
        frame(0x80, &euro[2..]),
        frame(0x88, b"\x03\xe9gone"),
    ];
    assert_eq!(told(&bytes.concat()).unwrap(), ["ping [255, 254]", "pong []", "text €", "close Some(1001) gone"]);
    let (told, fault) = feed(&[frame(0x02, b"part"), frame(0x88, b"")].concat(), []);
    assert_eq!((told, fault), (vec!["close None ".to_owned()], None));
}

#[test]
fn what_is_no_frame_or_out_of_order_is_refused() {
    assert_eq!(fault(&frame(0xc1, b"x")), Fault::ReservedBit);
    assert_eq!(fault(&[frame(0x01, b"x"), frame(0xc0, b"x")].concat()), Fault::ReservedBit);
    assert_eq!(fault(&frame(0x83, b"")), Fault::Opcode);
    assert_eq!(fault(&frame(0x09, b"")), Fault::FragmentedControl);
    assert_eq!(fault(&frame(0x89, [0; 126])), Fault::LongControl);
    assert_eq!(fault(&frame(0x80, b"x")), Fault::NothingToContinue);
    assert_eq!(fault(&frame(0x00, b"x")), Fault::NothingToContinue);
    assert_eq!(fault(&[frame(0x01, b"x"), frame(0x81, b"x")].concat()), Fault::MessageWithinMessage);
    assert_eq!(fault(b"\x81\x01x"), Fault::Unmasked);
    assert_eq!(fault(b"GET / HTTP/1.1\r\n\r\n"), Fault::ReservedBit);
    assert_eq!(fault(&frame(0x88, b"\x03")), Fault::HalfCloseCode);
    assert_eq!(fault(&frame(0x88, b"\x03\xed")), Fault::CloseCode);
    assert_eq!(fault(&frame(0x88, b"\x03\xe8\xc3")), Fault::CloseReason);
    let (told, fault) = told(&[frame(0x81, b"before"), frame(0x80, b"")].concat()).unwrap_err();
    assert_eq!((told, fault), (vec!["text before".to_owned()], Fault::NothingToContinue));
}

#[test]
fn every_close_code_is_taken_or_refused_and_every_fault_has_one_that_may_be_sent() {
    for code in 0..=u16::MAX {
        let (told, fault) = feed(&frame(0x88, code.to_be_bytes()), []);
        assert_eq!(fault.is_none(), is_close_code(code), "{code}: {told:?}");
    }
    for fault in [Fault::TooLarge, Fault::Utf8, Fault::CloseReason, Fault::CloseCode, Fault::Opcode] {
        assert!(is_close_code(fault.close_code()) && fault.text().len() <= 123);
    }
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_head_and_one_at_the_limit_passes() {
    assert_eq!(told(&frame(0x82, [b'x'; LIMIT])).unwrap().len(), 1);
    for length in [LIMIT as u64 + 1, 1 << 16, u64::from(u32::MAX), 1 << 32, i64::MAX as u64] {
        let bytes = announced(0x82, length, b"x");
        let head = bytes.len() - 1;
        assert_eq!(feed(&bytes, 0..bytes.len()), (vec![], Some((Fault::TooLarge, head))), "{length}");
    }
    // What is left after the first fragment is counted, and no sum overflows.
    let first = frame(0x02, [b'x'; LIMIT - 1]);
    assert_eq!(told(&[first.clone(), frame(0x80, b"y")].concat()).unwrap().len(), 1);
    for length in [2, u64::from(u32::MAX), i64::MAX as u64] {
        let bytes = [first.clone(), announced(0x80, length, b"")].concat();
        assert_eq!(feed(&bytes, []), (vec![], Some((Fault::TooLarge, bytes.len()))), "{length}");
    }
    // A control frame within the message is not counted.
    let full = [frame(0x02, [b'x'; LIMIT]), frame(0x89, b"ping"), frame(0x80, b"")].concat();
    assert_eq!(feed(&full, []).0.len(), 2);
}

#[test]
fn a_byte_that_is_not_utf8_is_refused_at_once_also_within_a_frame() {
    let bytes = announced(0x81, 100, b"ab\xffcdefghij");
    let bad = bytes.len() - 8;
    assert_eq!(feed(&bytes, 0..bytes.len()), (vec![], Some((Fault::Utf8, bad))));
    assert_eq!(feed(&bytes, []).1, Some((Fault::Utf8, bytes.len())), "as soon as it has come");
    // The third fragment begins with the byte that makes a surrogate.
    let bytes = [frame(0x01, b"ok"), frame(0x00, b"\xed"), announced(0x80, 20, b"\xa0\x80")].concat();
    assert_eq!(feed(&bytes, 0..bytes.len()).1, Some((Fault::Utf8, bytes.len() - 1)));
    // A text that ends within a character.
    assert_eq!(fault(&frame(0x81, b"a\xe2\x82")), Fault::Utf8);
    assert_eq!(fault(&[frame(0x01, b"\xf0\x9f"), frame(0x80, b"")].concat()), Fault::Utf8);
    // Bytes may be anything.
    assert_eq!(told(&[frame(0x02, b"\xff"), frame(0x80, b"\xc3")].concat()).unwrap(), ["binary [255, 195]"]);
}

#[test]
fn a_compressed_message_is_the_payload_of_its_frames_in_any_split() {
    let bytes = [frame(0xc1, "whole"), frame(0x42, ""), frame(0x00, "par"), frame(0x89, "?"), frame(0x80, "ts")];
    let bytes = [bytes.concat(), frame(0xc2, ""), frame(0x81, "plain")].concat();
    let expected = [
        format!("compressed true {:?}", b"whole"),
        format!("ping {:?}", b"?"),
        format!("compressed false {:?}", b"parts"),
        "compressed false []".to_owned(),
        "text plain".to_owned(),
    ];
    for at in 0..=bytes.len() {
        let (told, fault) = feed_to(Decoder::with_compression(Role::Server), &bytes, [at]);
        assert_eq!((&told[..], fault), (&expected[..], None), "split at {at}");
    }
    let (told, fault) = feed_to(Decoder::with_compression(Role::Server), &bytes, 0..bytes.len());
    assert_eq!((&told[..], fault), (&expected[..], None), "a byte at a time");
}

#[test]
fn the_bit_of_compression_is_refused_but_in_the_first_frame_of_a_message() {
    assert_eq!(fault(&frame(0xc1, "")), Fault::ReservedBit, "not agreed");
    for bytes in [
        [frame(0x41, "a"), frame(0xc0, "b")].concat(),
        [frame(0x41, "a"), frame(0x40, "b")].concat(),
        [frame(0x01, "a"), frame(0xc0, "b")].concat(),
        frame(0xc9, ""),
        frame(0xc8, ""),
    ] {
        let fault = feed_to(Decoder::with_compression(Role::Server), &bytes, []).1.map(|(fault, _)| fault);
        assert_eq!(fault, Some(Fault::ReservedBit), "{bytes:x?}");
    }
    assert_eq!(Fault::ReservedBit.close_code(), 1002);
}

#[test]
fn a_compressed_message_may_be_a_little_larger_than_the_limit_and_no_more() {
    let most = LIMIT + LIMIT / 4 + 64;
    for (bytes, is_refused) in [
        (frame(0xc2, vec![0; most]), false),
        (announced(0xc2, most as u64 + 1, b""), true),
        ([frame(0x42, vec![0; most - 1]), frame(0x80, "1")].concat(), false),
        ([frame(0x42, vec![0; most - 1]), announced(0x80, 2, b"")].concat(), true),
        ([frame(0x42, vec![0; most]), announced(0x80, u64::MAX >> 1, b"")].concat(), true),
    ] {
        let (told, fault) = feed_to(Decoder::with_compression(Role::Server), &bytes, []);
        assert_eq!(fault.map(|(fault, _)| fault), is_refused.then_some(Fault::TooLarge));
        assert_eq!(told.len(), usize::from(!is_refused));
    }
}

#[test]
fn a_message_takes_memory_as_it_comes_and_gives_it_back() {
    let mut decoder = Decoder::new(Role::Server);
    let mut begun = announced(0x82, 1 << 40, b"x");
    let step = decoder.decode(&mut begun, usize::MAX).unwrap();
    assert_eq!((step.consumed, step.event), (15, Event::NeedMore));
    assert!(decoder.is_within_message(), "a terabyte was announced, and one byte has come");

    let mut decoder = Decoder::new(Role::Server);
    let mut whole = [frame(0x01, b"a"), frame(0x80, b"b")].concat();
    let consumed = decoder.decode(&mut whole, 10).unwrap().consumed;
    assert_eq!(consumed, whole.len());
    assert!(!decoder.is_within_message());
    assert_eq!(decoder.decode(&mut [], 10).unwrap().event, Event::NeedMore);
    assert!(!decoder.is_within_message());
}

/// A message in fragments with control frames in between: the frames and what they tell.
fn message() -> impl Strategy<Value = (Vec<u8>, Vec<String>)> {
    let text =
        "[a-z\u{e9}\u{20ac}\u{1f331}]{0,40}".prop_map(|text| (text.clone().into_bytes(), format!("text {text}")));
    let binary =
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| (bytes.clone(), format!("binary {bytes:?}")));
    let content = prop_oneof![(Just(1_u8), text), (Just(2_u8), binary)];
    let control = proptest::option::of(prop_oneof![Just(9_u8), Just(10_u8)]);
    (content, proptest::collection::vec((any::<prop::sample::Index>(), control), 0..4)).prop_map(
        |((opcode, (content, last)), mut cuts)| {
            cuts.sort_by_key(|(cut, _)| cut.index(content.len() + 1));
            let (mut bytes, mut told, mut at) = (Vec::new(), Vec::new(), 0);
            for (number, (cut, control)) in cuts.iter().enumerate() {
                let end = cut.index(content.len() + 1);
                bytes.extend(frame(if number == 0 { opcode } else { 0 }, &content[at..end]));
                at = end;
                if let Some(control) = control {
                    bytes.extend(frame(0x80 | control, [number as u8]));
                    told.push(format!("{} [{number}]", if *control == 9 { "ping" } else { "pong" }));
                }
            }
            bytes.extend(frame(if cuts.is_empty() { 0x80 | opcode } else { 0x80 }, &content[at..]));
            told.push(last);
            (bytes, told)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_in_any_fragments_is_told_in_any_split(
        messages in proptest::collection::vec(message(), 1..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<String> = messages.into_iter().flat_map(|(_, told)| told).collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        prop_assert_eq!(feed(&bytes, ends), (expected.clone(), None));
        prop_assert_eq!(feed(&bytes, 0..bytes.len()), (expected, None));
    }
}
