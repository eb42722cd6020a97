//! What a worker does for one request: one job that looks, opens and reads the first chunk, which of a small file is all.

use super::super::conditional::{Conditions, Outcome, Validators, characters};
use super::super::media_type;
use super::super::range::Selection;
use super::super::request::Request;
use super::super::response::Response;
use super::hot::Loaded;
use super::stamp::Stamp;
use super::warm::{Place, place};
use crate::event_loop::driver::{FileRoom, OpenFile, read_at};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Read in one job, and so the most that is held of a file for a peer, beside what `Limits::pending_output` allows. Large
/// enough that the way to the worker and back is lost beside it.
pub(super) const CHUNK: u64 = 128 * 1024;

/// What of the request, and of what the program has set, decides how a file is answered with.
pub(super) struct Ask {
    /// The request decides; else it is a status that the program has set.
    pub answers_request: bool,
    conditions: Conditions,
    /// Those that the program has set itself.
    etag: Option<String>,
    modified: Option<String>,
    /// Not for HEAD.
    pub content_wanted: bool,
    /// The connection takes a large file without its being read.
    sends_files: bool,
}

impl Ask {
    pub fn of(res: &Response) -> Ask {
        let answers_request = res.status() == 200;
        let mut conditions = Conditions::default();
        if answers_request {
            conditions = Conditions::of(&Request(res.0.clone()));
        }
        if res.header("Accept-Ranges").is_some_and(|units| units.eq_ignore_ascii_case("none")) {
            conditions.ignore_range();
        }
        Ask {
            answers_request,
            conditions,
            etag: res.header_bytes("ETag").map(|tag| characters(&tag)),
            modified: res.header("Last-Modified"),
            content_wanted: !res.0.head().is_head(),
            sends_files: res.0.sends_files(),
        }
    }

    /// Holds the request's conditions against the file's state.
    pub fn decide(&self, file: &Description) -> Outcome {
        let own = &file.validators;
        let outcome = if self.etag.is_none() && self.modified.is_none() {
            self.conditions.evaluate(own, file.size.unwrap_or(0))
        } else {
            let mut validators = own.clone();
            validators.replace(self.etag.as_deref(), self.modified.as_deref());
            self.conditions.evaluate(&validators, file.size.unwrap_or(0))
        };
        match outcome {
            // Of a file without a size there are no parts.
            Outcome::Send(_) if file.size.is_none() => Outcome::Send(Selection::Whole),
            outcome => outcome,
        }
    }
}

/// What is said of a file, whatever is sent of it.
pub(super) struct Description {
    pub validators: Validators,
    /// As the field's value.
    pub last_modified: Option<String>,
    pub media_type: &'static str,
    /// `None`: nobody knows, before it has been read to its end.
    pub size: Option<u64>,
}

impl Description {
    pub fn of(path: &Path, metadata: &Metadata) -> Description {
        let validators = Validators::of(metadata, SystemTime::now());
        let last_modified = validators.last_modified();
        Description { validators, last_modified, media_type: media_type::of(path), size: Some(metadata.len()) }
    }

    fn without_size(path: &Path) -> Description {
        let validators = Validators::default();
        Description { validators, last_modified: None, media_type: media_type::of(path), size: None }
    }
}

/// A job for one request.
pub(super) struct Order {
    pub path: PathBuf,
    pub ask: Ask,
    /// It is asked for often: all of it is wanted, up to so many bytes, to answer others with as well.
    pub load: Option<u64>,
    pub room: FileRoom,
}

/// What the job found.
pub(super) enum Found {
    /// A file that is to be kept, whole.
    Hot(Loaded),
    /// What this request gets.
    File {
        outcome: Outcome,
        file: Description,
        /// Bytes to send, where that is known.
        length: Option<u64>,
        content: Content,
    },
}

/// What is to be sent of a file.
pub(super) enum Content {
    /// Nothing: only the head is wanted.
    None,
    /// All of it is here.
    Whole(Vec<u8>),
    /// The first chunk is here; the file has more.
    First(Vec<u8>, Counted),
    /// All of it is to be sent from the file, from `start` on.
    There { file: Counted, place: Place, start: u64 },
}

/// A file that is open for as long as its peer takes it, and counts as such from the job on.
pub(super) struct Counted {
    pub file: File,
    pub counted: OpenFile,
}

impl Order {
    /// On a worker.
    pub fn fulfil(&self) -> io::Result<Found> {
        let (file, metadata) = open(&self.path)?;
        let size = metadata.len();
        if let Some(most) = self.load
            && size <= most
            && let Some(loaded) = load(&self.path, &file, &metadata)?
        {
            return Ok(Found::Hot(loaded));
        }
        if size == 0 {
            return self.to_its_end(file, Some(&metadata));
        }
        let described = Description::of(&self.path, &metadata);
        let outcome = self.ask.decide(&described);
        let (start, length) = match outcome {
            Outcome::Send(Selection::Whole) => (0, size),
            Outcome::Send(Selection::Part { first, last }) => (first, last - first + 1),
            _ => return Ok(Found::File { outcome, file: described, length: Some(0), content: Content::None }),
        };
        let mut content = Content::None;
        if self.ask.content_wanted && self.ask.sends_files && length > CHUNK && ends_there(&file, start + length)? {
            content = Content::There { file: self.counted(file)?, place: place(&metadata), start };
        } else if self.ask.content_wanted {
            if start > 0 {
                (&file).seek(SeekFrom::Start(start))?;
            }
            let first = read(&file, length.min(CHUNK))?;
            if (first.len() as u64) < length.min(CHUNK) {
                if file.metadata()?.len() != size {
                    return Err(shorter());
                }
                // It says a size that it does not have, as those of Linux's /sys do.
                (&file).rewind()?;
                return self.to_its_end(file, None);
            }
            let whole = first.len() as u64 == length;
            content = if whole { Content::Whole(first) } else { Content::First(first, self.counted(file)?) };
        }
        Ok(Found::File { outcome, file: described, length: Some(length), content })
    }

    fn counted(&self, file: File) -> io::Result<Counted> {
        Ok(Counted { file, counted: self.room.open_file()? })
    }

    /// A file that says that it is empty may have content all the same, made up when it is read (Linux's /proc).
    fn to_its_end(&self, file: File, empty: Option<&Metadata>) -> io::Result<Found> {
        let first = read(&file, CHUNK)?;
        let (described, length) = match empty {
            Some(metadata) if first.is_empty() => (Description::of(&self.path, metadata), Some(0)),
            _ => (Description::without_size(&self.path), None),
        };
        let outcome = self.ask.decide(&described);
        let content = match outcome {
            Outcome::Send(_) if !self.ask.content_wanted => Content::None,
            Outcome::Send(_) if first.len() as u64 == CHUNK => Content::First(first, self.counted(file)?),
            Outcome::Send(_) => Content::Whole(first),
            _ => Content::None,
        };
        Ok(Found::File { outcome, file: described, length, content })
    }
}

/// Returns whether a file has a byte before `end`. Not every file has the size that it says.
fn ends_there(file: &File, end: u64) -> io::Result<bool> {
    Ok(read_at(file, &mut [0], end - 1)? > 0)
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Before it is opened: to open a pipe is to wait until somebody writes into it.
    if !fs::metadata(path)?.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// All of a small file. `None`: its size is not what can be read of it.
fn load(path: &Path, file: &File, metadata: &Metadata) -> io::Result<Option<Loaded>> {
    let bytes = read(file, metadata.len() + 1)?;
    if bytes.is_empty() || bytes.len() as u64 != metadata.len() {
        let mut file = file;
        file.rewind()?;
        return Ok(None);
    }
    Ok(Some(Loaded { file: Description::of(path, metadata), stamp: Stamp::of(metadata, SystemTime::now()), bytes }))
}

/// For a file that is kept: `None` where it is still what it was.
pub(super) fn look_again(path: &Path, stamp: &Stamp, most: u64) -> io::Result<Option<Loaded>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() && stamp.still_holds(&metadata) {
        return Ok(None);
    }
    let (file, metadata) = open(path)?;
    let loaded = if metadata.len() <= most { load(path, &file, &metadata)? } else { None };
    loaded.map(Some).ok_or_else(|| io::Error::other("it is not to be kept any more"))
}

/// So many bytes, or fewer where the file ends before. By one call, where the system gives them at once: `read_to_end` asks
/// in small pieces that grow.
pub(super) fn read(mut file: &File, count: u64) -> io::Result<Vec<u8>> {
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

pub(super) fn shorter() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter while it was sent")
}
