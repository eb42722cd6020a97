//! Sends files as responses, as fast as the peer takes them. Workers read them, a chunk at a time. They read a large file only to
//! bring it into the operating system's memory, from which the loop sends it (`sendfile`).
//!
//! ```text
//!   send_file ─┬─► worker: stat, preconditions, open, first chunk ─► head + chunk ─┬─► all sent: end
//!              │                                                                   │
//!              │         worker: next chunk ◄── at once, or at drain, if Full ◄────┤
//!              │                     └────────────────► write ─────────────────────┘
//!              │    (large: worker: open ─► head ─► worker: next MiB into memory ─► sendfile ─► at drain, again)
//!              └─► asked for often (`hot_files`): preconditions, head + content (large: sendfile from a file that is open)
//! ```

mod order;
mod parts;
mod transfer;

use super::conditional::Outcome;
use super::hot_files::loaded::{Description, Store};
use super::hot_files::warm::STRETCH;
use super::hot_files::{Hot, Known};
use super::outgoing::Phase;
use super::own_answer::write_unsatisfiable;
use super::range::Selection;
use super::response::Response;
use crate::event_loop::driver::is_out_of_descriptors;
use crate::event_loop::next_tick;
use crate::net::CloseReason;
use crate::notice;
use crate::worker;
use order::{Ask, CHUNK, Content, Found, Order};
use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::Path;
use transfer::Transfer;

impl Response {
    /// Answers with a file, and ends the response. The file is opened and read by the [worker pool](crate::worker), no faster
    /// than the peer takes it, so that the loop does not wait for a disk.
    ///
    /// On Linux, a file of more than 128 KiB takes no memory of the program: a worker reads it, a MiB at a time, so that it
    /// is in the operating system's memory, and the loop sends it from there (`sendfile`), usually within 10 s. If the
    /// system is so short of memory that it has dropped the bytes by then, the loop waits for the disk. On other systems at
    /// most 128 KiB of a file are in memory for each peer, besides
    /// [`Limits::pending_output`](super::Limits::pending_output).
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
    /// The path is used as it is: check a path that is made from a request before you pass it (see the example
    /// `static_files`). A relative path is resolved in the working directory at the time of this call.
    ///
    /// Files that are often asked for are kept: those of up to 128 KiB in memory, and larger ones open, so that they are sent by
    /// `sendfile`. See [`Limits::hot_files`](super::Limits::hot_files). The content that is sent of a kept file was on disk at
    /// most [`Limits::hot_file_age`](super::Limits::hot_file_age) ago (100 ms by default). So a change, a replacement, a removal
    /// or a loss of permission shows that much later. A change of a file that is kept open shows at once. A file that is asked
    /// for less often is looked at for each request.
    ///
    /// Fields and a status that you have set before stay: a `Content-Type` (otherwise the extension determines it),
    /// `Cache-Control`, an `ETag` or `Last-Modified` of your own, and a status other than 200, with which the whole file is sent.
    /// With 200, the request decides (RFC 9110, 13 and 14):
    ///
    /// | the request | the answer |
    /// |---|---|
    /// | is GET or HEAD, without conditions | 200, with `ETag`, `Last-Modified`, `Accept-Ranges: bytes` |
    /// | has an `If-None-Match` or `If-Modified-Since` that says that the client has it | 304 |
    /// | has an `If-Match` or `If-Unmodified-Since` that does not hold | 412 |
    /// | is GET and has a `Range` of one part (and `If-Range`, if any, holds) | 206, or 416 where there is no such part |
    /// | has several ranges, or a range of an empty file, or `Accept-Ranges: none` was set | 200: the range is ignored |
    /// | has another method | 200, without conditions |
    ///
    /// | the file | the answer |
    /// |---|---|
    /// | is missing, or its name is not valid | 404 |
    /// | must not be read; is a directory or anything else but a file | 403 |
    /// | cannot be read for another reason | 500, and the log says which |
    /// | cannot be read now, since the workers' queue is full, or there is no thread | 503 |
    /// | is longer than 128 KiB, and a third of the file descriptors that peers may use are in use for such files | 503 |
    /// | cannot be opened now, since the process or the system has no file descriptor left | 503 |
    /// | shrinks while it is sent | the connection is cut; the peer sees that the response is not whole |
    /// | grows while it is sent | it is sent up to the length that was announced |
    /// | does not state its size (Linux's `/proc` and `/sys`) | it is read to its end, and sent chunked (to an HTTP/1.0 peer: until the close), without validators and ranges |
    ///
    /// Answers from 403 on are the library's own. Fields that were set for the file (caching, type) are not sent with them.
    ///
    /// # Validators
    /// `ETag` is made of the file's size and its modification time, and `Last-Modified` is that time. A modification time
    /// of whole seconds was set by a tool (an archive, a reproducible build, a layer of a container), and may be the same
    /// for two versions, so it is not used. On Unix the time at which the file was put in its place (`ctime`) is used
    /// instead, and the `ETag` also has the file's inode, so that replicas of a server have different tags for one file; on
    /// other systems such a file has no validators. A file that was modified less than 3 s ago has a weak `ETag`, with
    /// which no download is resumed, since a further change might not show.
    #[track_caller]
    pub fn send_file(&self, path: impl AsRef<Path>) {
        if !self.0.outgoing().is_changeable() || self.0.is_over() {
            log::debug!(target: "oneloop::http", "{}: send_file after the head was sent", *self.0);
            return;
        }
        let (Some(files), Some(lp)) = (self.0.hot_files(), self.0.lp()) else { return };
        let now = lp.now();
        let path = absolute(path.as_ref());
        let ask = Ask::of(&self.0, &path);
        let res = self.clone();
        let often = match files.ask(&path, now) {
            // The file is sent in a tick, so that the rest of this callback finds the response still open, as it does when a
            // worker has to look at the file.
            Known::Hot(hot) if ask.can_send(&hot) => return next_tick(move || res.send_hot(&ask, &hot)),
            Known::Hot(_) => false,
            Known::Look { often } => often,
        };
        let room = lp.driver().descriptors().file_room();
        let keep = often.then(|| files.keep_up_to(room.most()));
        let order = Order { path: path.to_path_buf(), ask, keep, room };
        worker::run_for_library(
            move || (order.fulfil(), order),
            move |result| match result {
                Ok((Ok(Found::Hot(loaded)), order)) => {
                    res.send_hot(&order.ask, &files.loaded(&order.path, loaded, now))
                }
                Ok((Ok(Found::File { outcome, file, length, content }), order)) => {
                    files.seen(&order.path, file.size.unwrap_or(0), now);
                    if res.send_file_head(&order.ask, outcome, &file, length) {
                        res.send_content(content, length);
                    }
                }
                Ok((Err(error), _)) => res.refuse_file(status_of(&error), &error),
                Err(error) if error.is_refusal() => res.refuse_file(503, &error),
                Err(error) => res.refuse_file(500, &error),
            },
        );
    }

    fn refuse_file(&self, status: u16, error: &dyn std::fmt::Display) {
        if status >= 500 {
            notice::warn!(target: "oneloop::http", "{}: a file cannot be sent: {error}; answered {status}", *self.0);
        } else {
            log::debug!(target: "oneloop::http", "{}: no file: {error}; answered {status}", *self.0);
        }
        self.give_up_file(status);
    }

    fn give_up_file(&self, status: u16) {
        // If the program has begun a response meanwhile, the library must not end it.
        if self.0.outgoing().phase() == Phase::Open {
            self.0.give_up(status, CloseReason::BadResponse);
        }
    }

    /// Sends a file that is kept.
    fn send_hot(&self, ask: &Ask, hot: &Hot) {
        let outcome = ask.decide(&hot.file);
        let whole = hot.file.size.unwrap_or(0);
        let (first, last) = match outcome {
            Outcome::Send(Selection::Part { first, last }) => (first, last),
            _ => (0, whole.saturating_sub(1)),
        };
        if !self.send_file_head(ask, outcome, &hot.file, Some(last - first + 1)) {
            return;
        }
        if !ask.content_wanted {
            return self.end(());
        }
        match &hot.content {
            // Many requests ask for this file, so it is in the operating system's memory, and reading the next part is quick.
            // Therefore it is read in parts as the peer takes them, however slow the peer is.
            Store::Open(file) => Transfer::by_parts(self.clone(), file.clone(), first, last - first + 1, STRETCH),
            Store::Memory(content) => {
                let part = usize::try_from(first).ok().zip(usize::try_from(last).ok());
                match part.and_then(|(first, last)| content.get(first..=last)) {
                    Some(part) if part.len() < content.len() => self.end(part),
                    _ => self.end(content.clone()),
                }
            }
        }
    }

    /// Sets the status and the fields for a file. Returns whether content follows. If not, this method has sent the
    /// whole answer, or the program has sent another one.
    fn send_file_head(&self, ask: &Ask, outcome: Outcome, file: &Description, length: Option<u64>) -> bool {
        if !self.0.outgoing().is_changeable() || self.0.is_over() {
            log::debug!(target: "oneloop::http", "{}: the file came after the head was sent", *self.0);
            return false;
        }
        if outcome == Outcome::Failed {
            self.give_up_file(412);
            return false;
        }
        if let (Outcome::Send(Selection::Unsatisfiable), Some(size)) = (outcome, file.size) {
            self.send_unsatisfiable(size);
            return false;
        }
        if ask.answers_request {
            self.set_validators(file);
        }
        if outcome == Outcome::NotModified {
            // The client has the fields that describe the content already (RFC 9110, 15.4.5).
            for name in ["Content-Type", "Content-Length", "Content-Encoding", "Content-Language"] {
                self.remove_header(name);
            }
            self.set_status(304);
            self.end(());
            return false;
        }
        if let (Outcome::Send(Selection::Part { first, last }), Some(size)) = (outcome, file.size) {
            self.set_status(206);
            self.set_header("Content-Range", format!("bytes {first}-{last}/{size}"));
        }
        self.set_unless_there("Content-Type", file.media_type);
        self.remove_header("Transfer-Encoding");
        match length {
            Some(length) => self.set_header("Content-Length", length),
            None => self.remove_header("Content-Length"),
        };
        true
    }

    fn send_content(&self, content: Content, length: Option<u64>) {
        if length.is_none() {
            // If the head were not sent first, `end` would add a Content-Length for the bytes that it gets.
            self.flush_headers();
        }
        match content {
            Content::None => self.end(()),
            Content::Whole(bytes) => self.end(bytes),
            Content::First(bytes, file) => Transfer::read(self.clone(), file, length, bytes),
            // The peer may be slow. So the first part is small, and is sent soon after a worker has read it.
            Content::There { file, start } => {
                Transfer::by_parts(self.clone(), file, start, length.unwrap_or(0), CHUNK);
            }
        }
    }

    fn set_validators(&self, file: &Description) {
        if file.size.is_some() {
            self.set_unless_there("Accept-Ranges", "bytes");
        }
        if let Some(etag) = &file.validators.etag {
            self.set_unless_there("ETag", etag);
        }
        if let Some(date) = &file.last_modified {
            self.set_unless_there("Last-Modified", date);
        }
    }

    fn set_unless_there(&self, name: &str, value: &str) {
        if !self.has_header(name) {
            self.set_header(name, value);
        }
    }

    fn send_unsatisfiable(&self, size: u64) {
        let text = write_unsatisfiable(&mut self.0.outgoing().head().borrow_mut(), size);
        self.end(text);
    }
}

/// The status for an error of opening or reading a file.
fn status_of(error: &io::Error) -> u16 {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput => 404,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory => 403,
        _ if is_out_of_descriptors(error) => 503,
        _ => 500,
    }
}

/// Makes a path absolute now, since the working directory may be another one when a worker opens it.
fn absolute(path: &Path) -> Cow<'_, Path> {
    if path.is_absolute() {
        Cow::Borrowed(path)
    } else {
        std::path::absolute(path).map_or(Cow::Borrowed(path), Cow::Owned)
    }
}
