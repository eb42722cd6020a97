//! A file as a worker finds it: opened, described for the head of an answer, read, and looked at again.

use super::opened::Opened;
use super::stamp::Stamp;
use crate::event_loop::driver::read_at;
use crate::http::conditional::Validators;
use crate::http::file_types;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek};
use std::path::Path;
use std::time::SystemTime;

/// The properties of a file that the head of an answer states.
pub(in crate::http) struct Description {
    pub validators: Validators,
    /// The value of the `Last-Modified` field.
    pub last_modified: Option<String>,
    pub media_type: &'static str,
    /// `None` if the size is known only after the file has been read to its end.
    pub size: Option<u64>,
}

impl Description {
    pub fn of(path: &Path, metadata: &Metadata) -> Description {
        let validators = Validators::of(metadata, SystemTime::now());
        let last_modified = validators.last_modified();
        Description { validators, last_modified, media_type: file_types::of(path), size: Some(metadata.len()) }
    }

    pub fn without_size(path: &Path) -> Description {
        let validators = Validators::default();
        Description { validators, last_modified: None, media_type: file_types::of(path), size: None }
    }
}

/// Where the content of a kept file is.
pub(in crate::http) enum Store<B> {
    Memory(B),
    /// In the file.
    Open(Opened),
}

/// A file, as a worker has read or opened it.
pub(in crate::http) struct Loaded {
    pub file: Description,
    pub stamp: Stamp,
    pub content: Store<Vec<u8>>,
}

/// Returns whether a file has a byte just before `end`. Some files are shorter than the size that they state.
pub(in crate::http) fn ends_there(file: &File, end: u64) -> io::Result<bool> {
    Ok(read_at(file, &mut [0], end - 1)? > 0)
}

pub(in crate::http) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Checked before opening, because opening a named pipe waits until some process writes into it.
    if !fs::metadata(path)?.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Loads all of a small file. `None` if its stated size is not the number of bytes that can be read.
pub(in crate::http) fn load(path: &Path, file: &File, metadata: &Metadata) -> io::Result<Option<Loaded>> {
    let bytes = read(file, metadata.len() + 1)?;
    if bytes.is_empty() || bytes.len() as u64 != metadata.len() {
        let mut file = file;
        file.rewind()?;
        return Ok(None);
    }
    Ok(Some(Loaded::new(path, metadata, Store::Memory(bytes))))
}

impl Loaded {
    pub fn new(path: &Path, metadata: &Metadata, content: Store<Vec<u8>>) -> Loaded {
        Loaded { file: Description::of(path, metadata), stamp: Stamp::of(metadata, SystemTime::now()), content }
    }
}

/// Looks at a kept file again, which may be open, and loads it if it has changed. `None` if it is unchanged. A large file that
/// has changed is not kept any longer.
pub(in crate::http) fn look_again(
    path: &Path,
    stamp: &Stamp,
    opened: Option<Opened>,
    most: u64,
) -> io::Result<Option<Loaded>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() && stamp.still_holds(&metadata) {
        return Ok(None);
    }
    // The stamp is the same, but it was made so soon after a change that the file may have changed again. An open file can be
    // kept all the same: its present content is sent, with weak validators, which do not promise the same bytes.
    if let Some(opened) = opened.filter(|_| stamp.seems_to_hold(&metadata)) {
        return Ok(Some(Loaded::new(path, &metadata, Store::Open(opened))));
    }
    let (file, metadata) = open(path)?;
    let loaded = if metadata.len() <= most { load(path, &file, &metadata)? } else { None };
    loaded.map(Some).ok_or_else(|| io::Error::other("it is not to be kept any more"))
}

/// Reads `count` bytes, or fewer if the file ends before, with one call if the system gives them at once. (`read_to_end`
/// would read in small pieces that grow.)
pub(in crate::http) fn read(mut file: &File, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(count).map_err(|_| ErrorKind::FileTooLarge)?];
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

pub(in crate::http) fn shorter() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter while it was sent")
}
