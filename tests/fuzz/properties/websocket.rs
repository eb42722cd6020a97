//! Frames of the WebSocket protocol: any split gives the same events, in the limit; and what was read is read again from frames
//! that this library sends.
//!
//! The input: a byte for the side, whether compression was agreed, and the limit, a byte for the cuts, the frames.

use super::choices::{Choices, cuts};
use oneloop::proto::ws::{Compressed, Decoder, Event, Fault, FrameHead, Message, Opcode, Role, is_close_code, mask};

pub fn holds(bytes: &[u8]) {
    let (mut choices, frames) = Choices::split(bytes, 2);
    let choice = choices.byte();
    let receiver = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let receiver = Receiver { role: receiver, may_compress: choice & 4 > 0 };
    let limit = if choice & 2 == 0 { 1 << 20 } else { usize::from(choice >> 3) };
    let ends = cuts(choices.byte(), frames.len());
    let whole = read(frames, [], receiver, limit);
    assert_eq!(read(frames, ends.iter().copied(), receiver, limit), whole, "in pieces that end at {ends:?}");
    assert_eq!(read(frames, 0..frames.len(), receiver, limit), whole, "a byte at a time");
    let (told, _) = whole;
    let mut again = Vec::new();
    for one in &told {
        match one {
            Told::Text(text) => assert!(text.len() <= limit),
            Told::Binary(bytes) => assert!(bytes.len() <= limit),
            Told::Compressed(_, content) => {
                assert!(receiver.may_compress && content.len() <= limit + limit / 4 + 64);
            }
            Told::Ping(content) | Told::Pong(content) => assert!(content.len() <= 125),
            Told::Close(code, reason) => {
                assert!(code.is_none_or(is_close_code) && reason.len() <= 123);
            }
        }
        one.encode(&mut again, receiver.role);
    }
    assert_eq!(read(&again, [], receiver, limit), (told, None));
}

#[derive(Clone, Copy)]
struct Receiver {
    role: Role,
    may_compress: bool,
}

impl Receiver {
    fn decoder(self) -> Decoder {
        if self.may_compress { Decoder::with_compression(self.role) } else { Decoder::new(self.role) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Text(String),
    Binary(Vec<u8>),
    Compressed(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl Told {
    fn encode(&self, out: &mut Vec<u8>, receiver: Role) {
        let (opcode, content) = match self {
            Told::Text(text) => (Opcode::Text, text.as_bytes().to_vec()),
            Told::Binary(bytes) => (Opcode::Binary, bytes.clone()),
            Told::Compressed(text, bytes) => (if *text { Opcode::Text } else { Opcode::Binary }, bytes.clone()),
            Told::Ping(content) => (Opcode::Ping, content.clone()),
            Told::Pong(content) => (Opcode::Pong, content.clone()),
            Told::Close(None, _) => (Opcode::Close, Vec::new()),
            Told::Close(Some(code), reason) => (Opcode::Close, [&code.to_be_bytes(), reason.as_bytes()].concat()),
        };
        let key = (receiver == Role::Server).then_some([7, 0, 0xff, content.len() as u8]);
        let compressed = matches!(self, Told::Compressed(..));
        FrameHead { last: true, compressed, opcode, mask: key, length: content.len() as u64 }.encode(out);
        let start = out.len();
        out.extend(content);
        if let Some(key) = key {
            mask(&mut out[start..], key, 0);
        }
    }
}

/// Feeds pieces that end at `ends`, each byte once, except for those that the decoder does not consume.
fn read(
    frames: &[u8],
    ends: impl IntoIterator<Item = usize>,
    receiver: Receiver,
    limit: usize,
) -> (Vec<Told>, Option<Fault>) {
    let (mut decoder, mut told, mut held) = (receiver.decoder(), Vec::new(), Vec::new());
    let mut at = 0;
    for end in ends.into_iter().chain([frames.len()]) {
        held.extend_from_slice(&frames[at..end.max(at)]);
        at = end.max(at);
        loop {
            let step = match decoder.decode(&mut held, limit) {
                Ok(step) => step,
                Err(fault) => return (told, Some(fault)),
            };
            let needs_more = step.event == Event::NeedMore;
            match step.event {
                Event::NeedMore => {}
                Event::Message(Message::Text(text)) => told.push(Told::Text(text.into())),
                Event::Message(Message::Binary(bytes)) => told.push(Told::Binary(bytes.into())),
                Event::Compressed(Compressed { text, content }) => told.push(Told::Compressed(text, content.into())),
                Event::Ping(content) => told.push(Told::Ping(content.into())),
                Event::Pong(content) => told.push(Told::Pong(content.into())),
                Event::Close(close) => told.push(Told::Close(close.code, close.reason.into())),
            }
            let consumed = step.consumed;
            assert!(consumed <= held.len());
            held.drain(..consumed);
            if needs_more {
                // A head, or a control frame.
                assert!(held.len() < 14 + 125, "{} bytes wait", held.len());
                break;
            }
            assert!(consumed > 0, "an event without a byte");
        }
    }
    (told, None)
}
