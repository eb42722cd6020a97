//! Files as responses: read by the worker pool, a chunk at a time, as fast as the peer takes them.
//!
//! ```text
//!   send_file ─► worker: stat, preconditions, open, first chunk ─► head + chunk ─┬─► all sent: end
//!                                                                                │
//!                      worker: next chunk ◄── at once, or at drain, if Full ◄────┤
//!                                  └────────────────► write ─────────────────────┘
//! ```

use super::conditional::{Conditions, Outcome, Validators};
use super::exchange::Phase;
use super::range::Selection;
use super::{Request, Response, media_type};
use crate::event_loop::set_timeout;
use crate::net::{CloseReason, Flow};
use crate::notice;
use crate::worker;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Read in one job, and so the most that is held of a file for a peer, beside what `Limits::pending_output` allows. Large
/// enough that the way to the worker and back is lost beside it.
const CHUNK: u64 = 128 * 1024;
/// When the workers' queue is full, a transfer that has begun asks again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(20);

impl Response {
    /// Answers with a file, and ends the response. The file is opened and read by the [worker pool](crate::worker), in
    /// chunks, no faster than the peer takes them: of a large file at most 128 KiB are in memory for each peer, beside
    /// [`Limits::pending_output`](super::Limits::pending_output), and the loop never waits for a disk.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| match req.path() {
    ///     "/report" => {
    ///         res.set_header("Cache-Control", "max-age=3600");
    ///         res.send_file("report.pdf");
    ///     }
    ///     _ => {
    ///         res.set_status(404).send_file("not-found.html");
    ///     }
    /// });
    /// ```
    ///
    /// The path is used as it is: one that was made from a request has to be checked before (see the example
    /// `static_files`).
    ///
    /// What was set before stays: a `Content-Type` (else it is that of the extension), `Cache-Control`, an `ETag` or
    /// `Last-Modified` of your own, and a status that is not 200, with which the file is sent as it is. With 200, the request
    /// decides (RFC 9110, 13 and 14):
    ///
    /// | the request | the answer |
    /// |---|---|
    /// | is GET or HEAD, without conditions | 200, with `ETag`, `Last-Modified`, `Accept-Ranges: bytes` |
    /// | has an `If-None-Match` or `If-Modified-Since` that says that the client has it | 304 |
    /// | has an `If-Match` or `If-Unmodified-Since` that does not hold | 412 |
    /// | is GET and has a `Range` of one part (and `If-Range`, if any, holds) | 206, or 416 where there is no such part |
    /// | has several ranges, or `Accept-Ranges: none` was set | 200: the range is ignored |
    /// | has another method | 200, without conditions |
    ///
    /// | the file | the answer |
    /// |---|---|
    /// | is missing, or its name is none | 404 |
    /// | must not be read; is a directory or anything else but a file | 403 |
    /// | cannot be read for another reason | 500, and the log says which |
    /// | cannot be read now, since the workers' queue is full | 503 |
    /// | shrinks while it is sent | the connection is cut; the peer sees that the response is not whole |
    /// | grows meanwhile | it is sent up to the length that was announced |
    ///
    /// The answers from 403 on are the library's: what was set for the file (its caching, its type) is not for them.
    ///
    /// The `ETag` is made of the file's size and time. A file that was changed less than 3 s ago has a weak one, with which
    /// no download is resumed, since another change might not show.
    #[track_caller]
    pub fn send_file(&self, path: impl AsRef<Path>) {
        if self.0.phase.get() != Phase::Open || self.0.fixed.get() || self.0.is_over() {
            log::debug!(target: "oneloop::http", "{}: send_file after the head was sent", self.0);
            return;
        }
        let order = Order::new(self, path.as_ref());
        let res = self.clone();
        worker::run_for_library(
            move || order.fulfil(),
            move |result| match result {
                Ok(Ok(found)) => res.send_found(found),
                Ok(Err(error)) => res.refuse_file(status_of(&error), &error),
                Err(error) if error.is_queue_full() => res.refuse_file(503, &error),
                Err(error) => res.refuse_file(500, &error),
            },
        );
    }

    fn refuse_file(&self, status: u16, error: &dyn std::fmt::Display) {
        if status >= 500 {
            notice::warn!(target: "oneloop::http", "{}: a file cannot be sent: {error}; answered {status}", self.0);
        } else {
            log::debug!(target: "oneloop::http", "{}: no file: {error}; answered {status}", self.0);
        }
        self.give_up_file(status);
    }

    fn give_up_file(&self, status: u16) {
        // What the program has begun to send meanwhile is not ours to end.
        if self.0.phase.get() == Phase::Open {
            self.0.give_up(status, CloseReason::BadResponse);
        }
    }

    fn send_found(&self, found: Found) {
        if self.0.phase.get() != Phase::Open || self.0.fixed.get() || self.0.is_over() {
            log::debug!(target: "oneloop::http", "{}: the file came after the head was sent", self.0);
            return;
        }
        if found.outcome == Outcome::Failed {
            return self.give_up_file(412);
        }
        if let Outcome::Send(Selection::Unsatisfiable) = found.outcome {
            return self.send_unsatisfiable(found.size);
        }
        if found.answers_request {
            self.set_validators(&found.validators);
        }
        if found.outcome == Outcome::NotModified {
            // The client has what describes the content (RFC 9110, 15.4.5).
            for name in ["Content-Type", "Content-Length", "Content-Encoding", "Content-Language"] {
                self.remove_header(name);
            }
            self.set_status(304);
            return self.end(());
        }
        if let Outcome::Send(Selection::Part { first, last }) = found.outcome {
            self.set_status(206);
            self.set_header("Content-Range", format!("bytes {first}-{last}/{}", found.size));
        }
        self.set_unless_there("Content-Type", found.media_type);
        self.remove_header("Transfer-Encoding");
        self.set_header("Content-Length", found.length);
        match found.content {
            None => self.end(()),
            Some((first, None)) => self.end(first),
            Some((first, Some(file))) => Transfer::start(self.clone(), file, found.length, first),
        }
    }

    fn set_validators(&self, validators: &Validators) {
        self.set_unless_there("Accept-Ranges", "bytes");
        if let Some(etag) = &validators.etag {
            self.set_unless_there("ETag", etag);
        }
        if let Some(date) = validators.last_modified() {
            self.set_unless_there("Last-Modified", &date);
        }
    }

    fn set_unless_there(&self, name: &str, value: &str) {
        if !self.has_header(name) {
            self.set_header(name, value);
        }
    }

    fn send_unsatisfiable(&self, size: u64) {
        self.0.response.borrow_mut().clear();
        self.set_status(416);
        self.set_header("Content-Range", format!("bytes */{size}"));
        self.set_header("Content-Type", "text/plain; charset=utf-8");
        self.end("416 Range Not Satisfiable\n");
    }
}

/// For what a file cannot be opened or read.
fn status_of(error: &io::Error) -> u16 {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput => 404,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory => 403,
        _ => 500,
    }
}

/// What a worker has to do first.
struct Order {
    path: PathBuf,
    /// Is it the request that decides, or a status that the program has set?
    answers_request: bool,
    conditions: Conditions,
    /// Those that the program has set itself.
    etag: Option<String>,
    modified: Option<String>,
    content_wanted: bool,
}

/// What it found.
struct Found {
    outcome: Outcome,
    answers_request: bool,
    validators: Validators,
    media_type: &'static str,
    /// Of the whole file.
    size: u64,
    /// Of what is to be sent.
    length: u64,
    /// The first chunk of it, and the file where there are more. `None`: only the head is wanted.
    content: Option<(Vec<u8>, Option<File>)>,
}

impl Order {
    fn new(res: &Response, path: &Path) -> Order {
        let answers_request = res.status() == 200;
        let mut conditions = Conditions::default();
        if answers_request {
            conditions = Conditions::of(&Request(res.0.clone()));
        }
        if res.header("Accept-Ranges").is_some_and(|units| units.eq_ignore_ascii_case("none")) {
            conditions.ignore_range();
        }
        Order {
            path: path.to_owned(),
            answers_request,
            conditions,
            etag: res.header("ETag"),
            modified: res.header("Last-Modified"),
            content_wanted: !res.0.head.is_head(),
        }
    }

    /// On a worker.
    fn fulfil(&self) -> io::Result<Found> {
        // Before it is opened: to open a pipe is to wait until somebody writes into it.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let mut validators = Validators::of(&metadata, SystemTime::now());
        validators.replace(self.etag.as_deref(), self.modified.as_deref());
        let outcome = self.conditions.evaluate(&validators, size);
        let (start, length) = match outcome {
            Outcome::Send(Selection::Whole) => (0, size),
            Outcome::Send(Selection::Part { first, last }) => (first, last - first + 1),
            _ => (0, 0),
        };
        let sends = matches!(outcome, Outcome::Send(Selection::Whole | Selection::Part { .. }));
        let content = if sends && self.content_wanted {
            if start > 0 {
                (&file).seek(SeekFrom::Start(start))?;
            }
            let first = read(&file, length.min(CHUNK))?;
            let more = (first.len() as u64) < length;
            Some((first, more.then_some(file)))
        } else {
            None
        };
        let media_type = media_type::of(&self.path);
        let answers_request = self.answers_request;
        Ok(Found { outcome, answers_request, validators, media_type, size, length, content })
    }
}

/// Exactly so many bytes.
fn read(file: &File, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    file.take(count).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == count {
        Ok(bytes)
    } else {
        Err(io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter while it was sent"))
    }
}

/// A file that is longer than one chunk, on its way.
///
/// It is held by the job that reads, or by the listener that waits for drain; where the exchange ends both let go of it.
struct Transfer {
    res: Response,
    file: Arc<File>,
    /// Bytes that are still to be written to the response.
    left: Cell<u64>,
    /// The last write found the output full.
    waits: Cell<bool>,
    listens: Cell<bool>,
}

impl Transfer {
    fn start(res: Response, file: File, length: u64, first: Vec<u8>) {
        let transfer = Rc::new(Transfer {
            res,
            file: Arc::new(file),
            left: Cell::new(length),
            waits: Cell::new(false),
            listens: Cell::new(false),
        });
        transfer.send(first);
    }

    fn send(self: &Rc<Self>, bytes: Vec<u8>) {
        self.left.set(self.left.get().saturating_sub(bytes.len() as u64));
        if self.left.get() == 0 {
            return self.res.end(bytes);
        }
        match self.res.write(bytes) {
            Flow::Ready => self.read_on(),
            Flow::Full => self.wait_for_drain(),
            Flow::Closed => {}
        }
    }

    fn wait_for_drain(self: &Rc<Self>) {
        self.waits.set(true);
        if !self.listens.replace(true) {
            let transfer = self.clone();
            self.res.on_drain(move |_| {
                if transfer.waits.replace(false) {
                    transfer.read_on();
                }
            });
        }
    }

    fn read_on(self: &Rc<Self>) {
        let (file, count) = (self.file.clone(), self.left.get().min(CHUNK));
        let transfer = self.clone();
        worker::run_for_library(move || read(&file, count), move |result| transfer.was_read(result));
    }

    fn was_read(self: &Rc<Self>, result: Result<io::Result<Vec<u8>>, worker::Error>) {
        if self.res.is_ended() {
            return;
        }
        match result {
            Ok(Ok(bytes)) => self.send(bytes),
            Err(error) if error.is_queue_full() => {
                let transfer = self.clone();
                set_timeout(ASK_AGAIN, move || {
                    if !transfer.res.is_ended() {
                        transfer.read_on();
                    }
                });
            }
            Ok(Err(error)) => self.cut(&error),
            Err(error) => self.cut(&error),
        }
    }

    fn cut(&self, error: &dyn std::fmt::Display) {
        notice::warn!(target: "oneloop::http", "{}: a file cannot be sent on: {error}; the connection is cut", self.res.0);
        self.res.0.give_up(500, CloseReason::BadResponse);
    }
}
