use super::warm::{Place, place};
use crate::event_loop::driver::{FileRoom, OpenFile};
use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;

/// A file that is open for peers. It counts as such until the last of its clones is dropped.
#[derive(Clone)]
pub(super) struct Opened {
    pub file: Arc<File>,
    pub place: Place,
    _counted: Arc<OpenFile>,
}

impl Opened {
    /// # Errors
    /// Where as many files are open for peers as may be: see `FileRoom::open_file`.
    pub fn new(file: File, metadata: &Metadata, room: &FileRoom) -> io::Result<Opened> {
        let counted = Arc::new(room.open_file()?);
        Ok(Opened { file: Arc::new(file), place: place(metadata), _counted: counted })
    }
}
