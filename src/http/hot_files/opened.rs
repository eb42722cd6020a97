use super::warm::{Place, place};
use crate::event_loop::driver::{FileRoom, OpenFile};
use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;

/// A file that is open for peers. It counts as open until the last clone of this is dropped.
#[derive(Clone)]
pub(in crate::http) struct Opened {
    pub file: Arc<File>,
    pub place: Place,
    _counted: Arc<OpenFile>,
}

impl Opened {
    /// # Errors
    /// If no more files may be open for peers now: see `FileRoom::open_file`.
    pub fn new(file: File, metadata: &Metadata, room: &FileRoom) -> io::Result<Opened> {
        let counted = Arc::new(room.open_file()?);
        Ok(Opened { file: Arc::new(file), place: place(metadata), _counted: counted })
    }
}
