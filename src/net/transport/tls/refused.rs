use std::collections::VecDeque;

/// Ciphertext that the kernel has not taken.
#[derive(Default)]
pub(super) struct Refused {
    pub bytes: Vec<u8>,
    pub at: usize,
    /// The records: how many bytes of each are left, how many it had, and how many bytes of plaintext it has.
    pub records: VecDeque<(usize, usize, usize)>,
    /// How many bytes of plaintext of the first record count as sent already.
    of_first: usize,
}

impl Refused {
    /// Notes that the kernel has taken bytes. Returns how many bytes of plaintext count as sent by that. A record counts by and by, so
    /// that a slow peer does not seem to take nothing; its last byte counts when all of it has gone.
    pub fn note_sent(&mut self, mut count: usize) -> usize {
        self.at += count;
        let mut gone = 0;
        while let Some((left, bytes, plaintext)) = self.records.front_mut() {
            if *left > count {
                *left -= count;
                let sent = (*bytes - *left).min(plaintext.saturating_sub(1));
                gone += sent.saturating_sub(self.of_first);
                self.of_first = self.of_first.max(sent);
                break;
            }
            count -= *left;
            gone += *plaintext - self.of_first;
            self.of_first = 0;
            self.records.pop_front();
        }
        gone
    }
}
