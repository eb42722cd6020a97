use std::cell::Cell;

/// Bytes that were read from the peer and that the protocol has not consumed yet: an unfinished head, or input that the
/// protocol does not want now. An empty `Input` allocates no memory.
#[derive(Default)]
pub(super) struct Input(Cell<Option<Box<Held>>>);

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many bytes at the beginning have been consumed and not removed yet.
    start: usize,
}

impl Input {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        let held = self.0.take();
        let len = held.as_ref().map_or(0, |held| held.bytes.len() - held.start);
        self.0.set(held);
        len
    }

    pub fn append(&self, bytes: &[u8]) {
        let mut held = self.0.take().unwrap_or_default();
        // Bytes are moved to the front only if that frees half of the buffer, so that on average each byte is moved at most
        // once.
        if held.start > held.bytes.len() / 2 {
            held.bytes.drain(..held.start);
            held.start = 0;
        }
        held.bytes.extend_from_slice(bytes);
        self.0.set(Some(held));
    }

    /// Lends the bytes to `f`, which returns how many it consumed. Meanwhile the bytes are out of their cell (not
    /// borrowed), since `f` may call user code that looks at this `Input`.
    pub fn consume(&self, f: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let Some(mut held) = self.0.take() else { return 0 };
        let start = held.start;
        let bytes = held.bytes.get_mut(start..).unwrap_or_default();
        let consumed = f(bytes).min(bytes.len());
        held.start += consumed;
        if held.start < held.bytes.len() {
            self.0.set(Some(held));
        }
        consumed
    }

    /// Takes all bytes.
    pub fn take(&self) -> Vec<u8> {
        match self.0.take() {
            Some(held) if held.start == 0 => held.bytes,
            Some(held) => held.bytes.get(held.start..).unwrap_or_default().to_vec(),
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn what_is_not_consumed_stays_and_what_is_empty_holds_nothing() {
        let input = Input::default();
        input.append(b"abc");
        input.append(b"def");
        assert_eq!(input.consume(|bytes| bytes.iter().take_while(|b| **b < b'e').count()), 4);
        assert_eq!(input.len(), 2);
        input.append(b"gh");
        input.consume(|bytes| {
            assert_eq!(bytes, b"efgh");
            1
        });
        assert_eq!(input.take(), b"fgh");
        assert!(input.is_empty() && input.0.take().is_none());
    }
}
