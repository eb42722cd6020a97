/// A message gets no buffer that is more than so many times as large as what has come of it. So a peer that has sent little
/// cannot hold much. One read of the loop (64 KiB) is enough for 1 MiB, the largest message unless the program says otherwise: then its
/// bytes are never moved.
pub(super) const ROOMY: usize = 32;

/// Where large messages get their memory from, and where it goes when they are over.
pub(crate) trait Memory {
    /// An empty buffer with room for `least` bytes at least, and for `most` at most, if there is one.
    fn take(&self, least: usize, most: usize) -> Option<Vec<u8>>;
    /// Takes the memory of a message that is over, or that got a larger one.
    fn give_back(&self, buffer: Vec<u8>);
}

/// The allocator alone.
pub(super) struct Allocated;

impl Memory for Allocated {
    fn take(&self, _least: usize, _most: usize) -> Option<Vec<u8>> {
        None
    }

    fn give_back(&self, _buffer: Vec<u8>) {}
}
