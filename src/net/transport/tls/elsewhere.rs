//! Steps of a handshake that are taken on another thread. While the session is away, nothing is read: what comes stays in the kernel.

use super::{Failure, Own, Received, Tls};
use crate::secure::{Handshakes, Step, Stepped};
use std::io;

/// Where the session is during a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    /// It is here, and waits for its way to a thread.
    InLine,
    Away,
    /// It has come back, and the stream does not know yet.
    Back,
}

/// Returns whether input begins with a whole record. Nothing is signed before that (RFC 8446, 5.1: five bytes of head, of which two say how
/// many bytes follow).
pub(super) fn has_whole_record(input: &[u8]) -> bool {
    let Some(&[_, _, _, high, low]) = input.first_chunk::<5>() else { return false };
    input.len() >= 5 + usize::from(u16::from_be_bytes([high, low]))
}

impl Tls {
    /// What a read reports, if a step elsewhere determines it.
    pub(super) fn read_elsewhere(&mut self) -> Option<Received> {
        let handshake = self.handshake.as_mut()?;
        match handshake.place {
            Place::Here => return None,
            Place::InLine | Place::Away => return Some(Received::Own(Own::Away)),
            Place::Back => handshake.place = Place::Here,
        }
        // The kernel may have refused our bytes for good: the next read says so.
        let has_failed = self.failed.as_ref().is_some_and(|failure| !matches!(**failure, Failure::Io(_)));
        if has_failed || self.session.as_ref().is_none_or(|session| session.is_handshaking()) {
            return None;
        }
        self.handshake = None;
        Some(Received::Own(Own::Secured))
    }

    /// Returns whether the session is away, or waits for its way to a thread.
    pub fn is_elsewhere(&self) -> bool {
        self.handshake.as_ref().is_some_and(|handshake| matches!(handshake.place, Place::InLine | Place::Away))
    }

    /// Puts a step in line that is to be taken elsewhere. Returns whether it is such a step.
    pub(super) fn enter_line(&mut self, input: &[u8]) -> bool {
        let Some(handshake) = &mut self.handshake else { return false };
        if handshake.steps != Handshakes::Workers || !has_whole_record(input) {
            return false;
        }
        handshake.place = Place::InLine;
        self.input = input.to_vec();
        self.unprocessed = true;
        true
    }

    /// Hands out the step that is in line. `None` if it is needed no more.
    pub fn leave(&mut self) -> Option<Step> {
        let handshake = self.handshake.as_mut().filter(|handshake| handshake.place == Place::InLine)?;
        handshake.place = Place::Away;
        self.unprocessed = false;
        Some(Step { session: self.session.take()?, input: std::mem::take(&mut self.input) })
    }

    /// Goes on as if the step had been taken here. The next read reports what has come of it.
    pub fn come_back(&mut self, stepped: io::Result<Stepped>) {
        if let Some(handshake) = &mut self.handshake {
            handshake.place = Place::Back;
        }
        match stepped {
            Ok(stepped) => {
                self.session = Some(stepped.session);
                self.plain = stepped.plain;
                self.input = stepped.input;
                let out = stepped.out;
                self.take_result(stepped.pumped, &out);
            }
            Err(error) => self.fail(Failure::Elsewhere(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::has_whole_record;
    use crate::secure::Session;

    #[test]
    fn a_session_that_may_be_away_takes_no_more_memory_than_one_that_may_not() {
        assert_eq!(size_of::<Option<Session>>(), size_of::<Session>());
    }

    #[test]
    fn a_record_is_whole_when_as_many_bytes_have_come_as_its_head_says() {
        let record = [22, 3, 1, 0, 3, 7, 8, 9];
        for count in 0..record.len() {
            assert!(!has_whole_record(&record[..count]), "{count}");
        }
        assert!(has_whole_record(&record) && has_whole_record(&[&record[..], &record[..2]].concat()));
    }
}
