//! Writes bodies of requests to files. The worker pool writes, a piece at a time, and the peer is slowed down to that
//! speed.
//!
//! ```text
//!   on_data ─► waiting ─┬─ enough, or the end ─► worker: (create,) write ─┬─► more waits: again
//!                 ▲     └─ too much waits: pause                          │
//!                 └────────────────── resume ◄────────────────────────────┤
//!                                                 the end: sync, rename ◄─┘ ─► done
//! ```
//! The unfinished file is an [`Unfinished`], whose drop removes the file. So it is removed whatever ends the exchange or
//! the job.

use super::answer::{Answer, answer};
use super::body_error::SaveError;
use super::exchange::{Exchange, Listener, On};
use super::request::Request;
use super::unfinished_file::Unfinished;
use crate::callback::Site;
use crate::event_loop::current;
use crate::worker;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A job writes at least this many bytes, unless the body ends before. A body with fewer bytes is written by a single job.
const PIECE: usize = 128 * 1024;
/// How many bytes may wait while a job writes, before the peer is slowed down.
const MOST: usize = 2 * PIECE;

impl Request {
    /// Writes the body into a file and passes its size to `done`, once. The worker pool does the writing, and the peer is
    /// slowed down to its speed, so that at most about 320 KiB wait in memory while a job writes as much.
    ///
    /// Until the body is whole, it is in a file of another name in the same folder (`.oneloop-….part`, with a part that cannot be
    /// guessed). Then that file is synced to the disk and renamed, and replaces a file that has the path already. A program that
    /// reads the path sees the old file or the new one, never a part. The folder itself is not synced: a file that was renamed
    /// just before the power fails may have its old name afterwards.
    ///
    /// A body of more than `limit` bytes is an error, and the request is answered 413 unless `done` answers. If the request
    /// states its length, the error comes at once. A body that is cut off, a full disk, and a lack of file descriptors are errors
    /// too. After an error no file is left behind (unless the process is killed), and a file that was at the path before stays.
    /// Once the whole body has come, the file is kept, even if the client does not wait for the answer.
    ///
    /// The path is used as it is: check a name that comes from the client before you pass it. A relative path is resolved
    /// in the working directory at the time of this call.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.save_to("upload.bin", 1024 * 1024 * 1024, move |saved| {
    ///         res.set_status(201).end(format!("{} bytes\n", saved?));
    ///         Ok(())
    ///     });
    /// });
    /// ```
    ///
    /// The loop calls `done`, in the poll phase or when the exchange ends. It may return an error, as a handler may: `?` on
    /// its argument answers 413 to a body that is too large, 503 if there are too few file descriptors or no thread can
    /// write, and otherwise 500.
    #[track_caller]
    pub fn save_to<R: Answer>(
        &self,
        path: impl AsRef<Path>,
        limit: u64,
        done: impl FnOnce(Result<u64, SaveError>) -> R + 'static,
    ) {
        let site = Location::caller();
        let exchange = self.0.clone();
        let path = path.as_ref();
        let save = Rc::new(Save {
            // Made absolute now, since the working directory may be another one when a worker makes the file.
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            limit,
            size: Cell::new(0),
            waiting: RefCell::default(),
            unfinished: Cell::new(None),
            writes: Cell::new(false),
            holds_back: Cell::new(false),
            ended: Cell::new(false),
            listener: Cell::new(None),
            done: Cell::new(Some(Box::new(move |result| answer(&exchange, || done(result))))),
        });
        // `done` is not called within this call, because only the loop calls callbacks.
        if let Some(error) = self.no_body() {
            return self.0.call_soon(site, move |_| save.fail(SaveError::of(error)));
        }
        if self.announced_length().is_some_and(|length| length > limit) {
            let request = self.clone();
            return self.0.call_soon(site, move |_| save.too_large(&request));
        }
        save.listen(self, site);
    }
}

/// A body that is being written into a file. It is held by the listeners of the request, and by the job that writes.
struct Save {
    path: PathBuf,
    limit: u64,
    /// How many bytes have come so far.
    size: Cell<u64>,
    /// The bytes that no job has taken yet.
    waiting: RefCell<Vec<u8>>,
    /// The file that is not whole. `None` while a job has it, or if no job has made it yet.
    unfinished: Cell<Option<Unfinished>>,
    /// True while a job is at work.
    writes: Cell<bool>,
    /// True if the request was paused by this `Save`, and not by the program.
    holds_back: Cell<bool>,
    /// True once the whole body has come.
    ended: Cell<bool>,
    /// The id of the data listener of this `Save`.
    listener: Cell<Option<u32>>,
    done: Cell<Option<Box<dyn FnOnce(Result<u64, SaveError>)>>>,
}

impl Save {
    fn listen(self: &Rc<Self>, request: &Request, site: Site) {
        if !request.is_complete() {
            let save = self.clone();
            let listener =
                request.on_data_at(site, move |exchange, bytes| save.data(&Request(exchange.clone()), bytes));
            self.listener.set(listener);
        }
        let save = self.clone();
        let end = move |exchange: &Rc<Exchange>| {
            save.ended.set(true);
            save.write_on(&Request(exchange.clone()));
        };
        request.add(On::End, site, Listener::Once(Some(Box::new(end))));
        let save = self.clone();
        let close = move |_: &Rc<Exchange>, reason| {
            if !save.ended.get() {
                save.fail(SaveError::Closed(reason));
            }
        };
        request.0.add(On::RequestClose, site, Listener::Close(Some(Box::new(close))));
    }

    fn data(self: &Rc<Self>, req: &Request, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        self.size.set(self.size.get().saturating_add(bytes.len() as u64));
        if self.size.get() > self.limit {
            return self.too_large(req);
        }
        self.waiting.borrow_mut().extend_from_slice(bytes);
        self.write_on(req);
        if self.waiting.borrow().len() >= MOST {
            self.holds_back.set(true);
            req.pause();
        }
    }

    /// Hands the waiting bytes to a job, if there are enough of them and no job is at work.
    fn write_on(self: &Rc<Self>, req: &Request) {
        let last = self.ended.get();
        if self.writes.get() || self.is_over() || !last && self.waiting.borrow().len() < PIECE {
            return;
        }
        let unfinished = self.unfinished.take();
        let mut counted = None;
        // A file that a single job opens and closes is not counted as open for a peer: a slow peer cannot keep it open.
        if unfinished.is_none() && !last {
            match current().map(|lp| lp.driver().descriptors().file_room().open_file()).transpose() {
                Ok(file) => counted = file,
                Err(error) => {
                    self.take_no_more(req);
                    return self.fail(SaveError::File(error));
                }
            }
        }
        self.writes.set(true);
        let (path, bytes) = (self.path.clone(), self.waiting.take());
        let (save, req) = (self.clone(), req.clone());
        worker::run_for_library(
            move || {
                let mut unfinished = unfinished.map_or_else(|| Unfinished::create(&path, counted), Ok)?;
                unfinished.write_all(&bytes)?;
                if last { unfinished.finish(&path).map(|()| None) } else { Ok(Some(unfinished)) }
            },
            move |result: Result<io::Result<Option<Unfinished>>, worker::Error>| {
                save.writes.set(false);
                match result.unwrap_or_else(|error| Err(error.into())) {
                    Ok(None) => save.finish(Ok(save.size.get())),
                    // The save has failed meanwhile, so the file is not needed any more.
                    Ok(unfinished) if save.is_over() => remove(unfinished),
                    Ok(unfinished) => {
                        save.unfinished.set(unfinished);
                        save.write_on(&req);
                        save.go_on(&req);
                    }
                    Err(error) => {
                        save.take_no_more(&req);
                        save.fail(SaveError::File(error));
                    }
                }
            },
        );
    }

    fn is_over(&self) -> bool {
        let done = self.done.take();
        let over = done.is_none();
        self.done.set(done);
        over
    }

    fn too_large(&self, req: &Request) {
        req.0.outgoing().set_fallback(413);
        self.take_no_more(req);
        self.fail(SaveError::TooLarge { limit: self.limit });
    }

    /// Stops listening: the rest of the body is discarded, unless others listen for it.
    fn take_no_more(&self, req: &Request) {
        if let Some(listener) = self.listener.take() {
            req.0.remove(listener);
        }
        self.go_on(req);
    }

    fn go_on(&self, req: &Request) {
        if self.holds_back.replace(false) {
            req.resume();
        }
    }

    fn fail(&self, error: SaveError) {
        remove(self.unfinished.take());
        self.finish(Err(error));
    }

    fn finish(&self, result: Result<u64, SaveError>) {
        self.waiting.take();
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl Drop for Save {
    fn drop(&mut self) {
        remove(self.unfinished.take());
    }
}

/// Removes the file on a worker, since that may take long.
fn remove(unfinished: Option<Unfinished>) {
    if let Some(unfinished) = unfinished {
        worker::run_for_library(move || drop(unfinished), |_| ());
    }
}
