//! Checks the grammar of a head, one byte at a time. This is used for heads that arrive in pieces or are invalid.

use super::{
    fault::Fault,
    field_line::{FieldLine, Part},
    limits::{HeadLimits, MAX_FIELDS},
};

/// The first line of a head, one byte at a time: the request line, or the status line.
pub(super) trait StartLine: Copy + Default {
    /// Reads one byte, which is number `at` of the head. Returns whether it is the CR that ends the line. A fault is returned for
    /// the first byte that no valid line can have at its place.
    fn step(&mut self, byte: u8, at: u32, limits: &HeadLimits) -> Result<bool, Fault>;

    /// The fault if the limit of the whole head is reached in this line.
    fn too_large(&self) -> Fault;
}

/// How far the head was scanned, and what may come next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan<L> {
    /// The position of the first byte that was not looked at yet.
    at: u32,
    /// How many field lines have begun, at most [`MAX_FIELDS`].
    fields: u8,
    part: HeadPart<L>,
}

/// The part of the head in which the scan is. The LF of the start line already belongs to the fields.
#[derive(Clone, Copy, Debug)]
enum HeadPart<L> {
    StartLine(L),
    Fields(FieldLine),
}

impl<L: Default> Default for HeadPart<L> {
    fn default() -> Self {
        HeadPart::StartLine(L::default())
    }
}

impl<L: StartLine> Scan<L> {
    pub(super) fn is_new(&self) -> bool {
        self.at == 0
    }

    /// Looks at the bytes that came since the last call. `Some(len)` when the head has ended, with its length.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Fault> {
        let limit = limits.bytes.min(u32::MAX as usize);
        while let Some(&byte) = bytes.get(self.at as usize) {
            if self.at as usize >= limit {
                break;
            }
            #[cfg(test)]
            tests::STEPS.with(|steps| steps.set(steps.get() + 1));
            let ended = self.step(byte, limits)?;
            self.at += 1;
            if ended {
                return Ok(Some(self.at as usize));
            }
        }
        if self.at as usize >= limit {
            return Err(match &self.part {
                HeadPart::StartLine(line) => line.too_large(),
                HeadPart::Fields(_) => Fault::HeadTooLarge,
            });
        }
        Ok(None)
    }

    /// Reads one byte. Returns whether it is the last one of the head.
    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<bool, Fault> {
        match &mut self.part {
            HeadPart::StartLine(line) => {
                if line.step(byte, self.at, limits)? {
                    self.part = HeadPart::Fields(FieldLine::LineCr);
                }
                Ok(false)
            }
            HeadPart::Fields(line) => {
                let part = line.step(byte)?;
                if part == Part::NameStart {
                    if usize::from(self.fields) >= limits.fields.min(MAX_FIELDS) {
                        return Err(Fault::TooManyFields);
                    }
                    self.fields += 1;
                }
                Ok(part == Part::End)
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// How many bytes were looked at on this thread.
        pub(in super::super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }
}
