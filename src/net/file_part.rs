use std::fs::File;
use std::sync::Arc;

/// Bytes of a file that are to be sent from there: they take no memory while they are pending.
///
/// Whoever makes one sees to it that the bytes are in the operating system's memory, since the loop sends them: a part of which
/// some are not makes it wait for the disk. A file that has become shorter costs the connection
/// ([`CloseReason::BadResponse`](super::CloseReason::BadResponse)).
pub(crate) struct FilePart {
    pub file: Arc<File>,
    pub offset: u64,
    pub len: usize,
}
