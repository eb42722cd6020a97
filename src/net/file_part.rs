use crate::event_loop::driver::Unsent;
use std::fs::File;
use std::sync::Arc;

/// Bytes of a file that are sent straight from the file. They take no memory while they are pending.
///
/// The code that makes a part first has its bytes read into the operating system's memory, because the loop sends them and
/// would otherwise wait for the disk. If the file has become shorter, the connection is closed
/// ([`CloseReason::BadResponse`](super::CloseReason::BadResponse)).
pub(crate) struct FilePart {
    pub file: Arc<File>,
    pub offset: u64,
    pub len: usize,
    /// The limit of unsent bytes in the kernel from this part on. `None`: the connection keeps the one that it has.
    pub unsent: Option<Unsent>,
}
