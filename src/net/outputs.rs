use super::large_buffers::LargeBuffers;
use super::output::Output;
use std::cell::{Cell, RefCell};

/// How many bytes of memory are kept for outputs to come: enough for some 4,000 small messages that are written at a time, as when
/// one is published to that many sockets.
const KEPT: usize = 1024 * 1024;

/// Empty outputs, kept for the next streams that have output pending. So to write to many streams, again and again, allocates
/// nothing. Their memory has a bound.
#[derive(Default)]
pub(super) struct Outputs {
    #[expect(clippy::vec_box, reason = "streams have boxes, so that a stream without output is small")]
    empty: RefCell<Vec<Box<Output>>>,
    /// The memory of the empty outputs, in bytes.
    bytes: Cell<usize>,
}

impl Outputs {
    pub fn take(&self) -> Box<Output> {
        let Some(output) = self.empty.borrow_mut().pop() else { return Box::default() };
        self.bytes.set(self.bytes.get() - output.memory());
        output
    }

    /// Takes back an output whose bytes have all been sent.
    pub fn give_back(&self, mut output: Box<Output>, buffers: &LargeBuffers) {
        // A piece into which nothing was written has a buffer, too.
        output.advance(0, buffers);
        let bytes = self.bytes.get() + output.memory();
        if bytes <= KEPT {
            self.bytes.set(bytes);
            self.empty.borrow_mut().push(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_given_back_is_taken_again_with_its_memory() {
        let (outputs, buffers) = (Outputs::default(), LargeBuffers::default());
        let mut output = outputs.take();
        output.append(b"some bytes");
        output.advance(10, &buffers);
        let memory = output.memory();
        outputs.give_back(output, &buffers);
        assert_eq!(outputs.bytes.get(), memory);
        let output = outputs.take();
        assert_eq!((output.memory(), outputs.bytes.get()), (memory, 0));
    }

    #[test]
    fn no_more_memory_is_kept_than_is_allowed() {
        let (outputs, buffers) = (Outputs::default(), LargeBuffers::default());
        let all: Vec<_> = (0..20_000).map(|_| outputs.take()).collect();
        for mut output in all {
            output.append(&[0; 500]);
            output.advance(500, &buffers);
            outputs.give_back(output, &buffers);
        }
        let kept = outputs.empty.borrow().len();
        let each = outputs.take().memory();
        assert!(kept * each <= KEPT && (kept + 1) * each > KEPT, "{kept} of {each} bytes");
        let mut large = outputs.take();
        large.append(&vec![0; 100_000]);
        large.advance(100_000, &buffers);
        assert!(large.memory() < 500, "a large buffer is not kept");
    }
}
