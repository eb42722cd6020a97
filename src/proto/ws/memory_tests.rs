//! The decoder with memory that it is given: apart, because the decoder imports the memory, and not the other way round.

use super::memory::{Memory, ROOMY};
use super::{Decoder, Event, FrameHead, Message, Opcode, Role};
use std::cell::RefCell;

/// Memory that has as many buffers as are asked for, each as large as it may be, and notes which it gave and got back.
#[derive(Default)]
struct Large {
    given: RefCell<Vec<usize>>,
    back: RefCell<Vec<usize>>,
}

impl Memory for Large {
    fn take(&self, least: usize, most: usize) -> Option<Vec<u8>> {
        (least <= most).then(|| {
            self.given.borrow_mut().push(most);
            Vec::with_capacity(most)
        })
    }

    fn give_back(&self, buffer: Vec<u8>) {
        self.back.borrow_mut().push(buffer.capacity());
    }
}

#[test]
fn a_message_in_given_memory_is_the_same_and_no_larger_than_what_has_come_allows() {
    let text = "a plant, 🌱, and ".repeat(20_000);
    let messages = [(Opcode::Text, Message::Text(&text)), (Opcode::Binary, Message::Binary(text.as_bytes()))];
    for (opcode, message) in messages {
        let (memory, mut decoder) = (Large::default(), Decoder::new(Role::Client));
        let mut frame = Vec::new();
        FrameHead { last: true, compressed: false, opcode, mask: None, length: text.len() as u64 }.encode(&mut frame);
        frame.extend_from_slice(text.as_bytes());
        let (mut come, mut told) = (0, 0);
        for piece in frame.chunks(10_001) {
            let mut piece = piece.to_vec();
            come += piece.len();
            let step = decoder.decode_with(&mut piece, usize::MAX, &memory).unwrap();
            match step.event {
                Event::Message(whole) => told += usize::from(whole == message),
                other => assert_eq!(other, Event::NeedMore),
            }
            assert!(memory.given.borrow().last().is_none_or(|given| *given <= ROOMY * come));
        }
        assert_eq!(told, 1);
        decoder.give_back_to(&memory);
        let (given, back) = (memory.given.take(), memory.back.take());
        assert!(!given.is_empty() && given.iter().all(|given| back.contains(given)), "{given:?}, {back:?}");
    }
}

/// 64 KiB is what the loop reads at a time.
#[test]
fn a_message_of_1_mib_that_comes_by_whole_reads_gets_one_buffer_and_is_never_moved() {
    let (memory, mut decoder) = (Large::default(), Decoder::new(Role::Client));
    let mut frame = Vec::new();
    let length = 1024 * 1024;
    FrameHead { last: true, compressed: false, opcode: Opcode::Binary, mask: None, length }.encode(&mut frame);
    let head = frame.len();
    frame.resize(head + length as usize, 7);
    let steps = frame.chunks_mut(64 * 1024).map(|read| {
        let step = decoder.decode_with(read, length as usize, &memory).unwrap();
        matches!(step.event, Event::Message(message) if message.as_bytes().len() as u64 == length)
    });
    assert_eq!(steps.filter(|whole| *whole).count(), 1);
    assert_eq!(
        (memory.given.borrow().len(), memory.back.take()),
        (1, vec![0]),
        "that with which it began is given back, which was empty"
    );
}
