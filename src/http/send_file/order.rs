//! The job of a worker for one request: it looks at the file, opens it and reads the first chunk, which is all of a small
//! file.

use super::super::conditional::{Conditions, Outcome, characters};
use super::super::exchange::Exchange;
use super::super::file_types;
use super::super::range::Selection;
use crate::event_loop::driver::FileRoom;
use crate::http::hot_files::loaded::{Description, Loaded, Store, ends_there, load, open, read, shorter};
use crate::http::hot_files::opened::Opened;
use crate::http::hot_files::{Hot, Keep};
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The most bytes that one job reads. So this is also the most of a file that is in memory for a peer, besides
/// `Limits::pending_output`. It is large enough that the time to the worker and back does not matter.
pub(super) const CHUNK: u64 = 128 * 1024;

/// The facts that decide how a file is sent: the conditions of the request, and the fields that the program has set.
pub(super) struct Ask {
    /// True if the request's conditions count; false if the program has set a status other than 200.
    pub answers_request: bool,
    conditions: Conditions,
    /// The validators that the program has set itself.
    etag: Option<String>,
    modified: Option<String>,
    /// False for HEAD.
    pub content_wanted: bool,
    /// True if the connection can send a large file without reading it (`sendfile`).
    sends_files: bool,
}

impl Ask {
    pub fn of(exchange: &Exchange, path: &Path) -> Ask {
        let head = exchange.outgoing().head().borrow();
        let answers_request = head.status() == 200;
        let mut conditions = Conditions::default();
        if answers_request {
            conditions = Conditions::of(exchange.head());
        }
        if head.get("Accept-Ranges").is_some_and(|units| units.eq_ignore_ascii_case("none")) {
            conditions.ignore_range();
        }
        Ask {
            answers_request,
            conditions,
            etag: head.get_bytes("ETag").map(characters),
            modified: head.get("Last-Modified").map(str::to_owned),
            content_wanted: !exchange.head().is_head(),
            sends_files: exchange.sends_files(head.get("Content-Type").unwrap_or_else(|| file_types::of(path))),
        }
    }

    /// Returns whether the connection can send a kept file: a file that is kept open needs `sendfile`.
    pub fn can_send(&self, hot: &Hot) -> bool {
        self.sends_files || !hot.is_open()
    }

    /// Evaluates the request's conditions for the file's present state.
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
            // A file of unknown size has no ranges.
            Outcome::Send(_) if file.size.is_none() => Outcome::Send(Selection::Whole),
            outcome => outcome,
        }
    }
}

/// A job for one request.
pub(super) struct Order {
    pub path: PathBuf,
    pub ask: Ask,
    /// `Some` if the file is often asked for: the job loads or opens the file, so that it can be sent for other requests as well.
    pub keep: Option<Keep>,
    pub room: FileRoom,
}

/// The result of the job.
pub(super) enum Found {
    /// A file that is to be kept.
    Hot(Loaded),
    /// The answer to this request.
    File {
        outcome: Outcome,
        file: Description,
        /// How many bytes to send, if that is known.
        length: Option<u64>,
        content: Content,
    },
}

/// The bytes to be sent.
pub(super) enum Content {
    /// No bytes: only the head is sent.
    None,
    /// All bytes.
    Whole(Vec<u8>),
    /// The first chunk, and the file with the rest.
    First(Vec<u8>, Opened),
    /// All bytes are to be sent from the file by `sendfile`, from `start` on.
    There { file: Opened, start: u64 },
}

impl Order {
    /// Does the job. Runs on a worker.
    pub fn fulfil(&self) -> io::Result<Found> {
        let (file, metadata) = open(&self.path)?;
        let size = metadata.len();
        let keep = self.keep.unwrap_or(Keep { memory: 0, open: false });
        if (1..=keep.memory).contains(&size)
            && let Some(loaded) = load(&self.path, &file, &metadata)?
        {
            return Ok(Found::Hot(loaded));
        }
        if keep.open && self.ask.sends_files && size > CHUNK && ends_there(&file, size)? {
            let content = Store::Open(Opened::new(file, &metadata, &self.room)?);
            return Ok(Found::Hot(Loaded::new(&self.path, &metadata, content)));
        }
        if size == 0 {
            return self.to_its_end(file, &metadata, true);
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
            content = Content::There { file: Opened::new(file, &metadata, &self.room)?, start };
        } else if self.ask.content_wanted {
            if start > 0 {
                (&file).seek(SeekFrom::Start(start))?;
            }
            let first = read(&file, length.min(CHUNK))?;
            if (first.len() as u64) < length.min(CHUNK) {
                if file.metadata()?.len() != size {
                    return Err(shorter());
                }
                // The file is shorter than the size that it states, as files of Linux's /sys are.
                (&file).rewind()?;
                return self.to_its_end(file, &metadata, false);
            }
            let whole = first.len() as u64 == length;
            content = if whole {
                Content::Whole(first)
            } else {
                Content::First(first, Opened::new(file, &metadata, &self.room)?)
            };
        }
        Ok(Found::File { outcome, file: described, length: Some(length), content })
    }

    /// Reads a file whose size is not known. A file that states the size 0 may still have content, which is made when the file is
    /// read (Linux's /proc).
    fn to_its_end(&self, file: File, metadata: &Metadata, says_empty: bool) -> io::Result<Found> {
        let first = read(&file, CHUNK)?;
        let (described, length) = match says_empty && first.is_empty() {
            true => (Description::of(&self.path, metadata), Some(0)),
            false => (Description::without_size(&self.path), None),
        };
        let outcome = self.ask.decide(&described);
        let content = match outcome {
            Outcome::Send(_) if !self.ask.content_wanted => Content::None,
            Outcome::Send(_) if first.len() as u64 == CHUNK => {
                Content::First(first, Opened::new(file, metadata, &self.room)?)
            }
            Outcome::Send(_) => Content::Whole(first),
            _ => Content::None,
        };
        Ok(Found::File { outcome, file: described, length, content })
    }
}
