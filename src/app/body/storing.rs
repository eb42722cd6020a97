//! A form with files while it comes in: fields gather in memory, and files go to temporary files, which the worker pool writes.
//!
//! ```text
//!   body ─► Multipart ─┬─ fields ─► Form ─────────────────────────────────────────────────┐
//!                      └─ files ──► steps ─┬─ enough, or the end ─► worker: open, write ──┴─► Upload ─► done
//!                                   ▲      └─ too much waits: pause                  │
//!                                   └────────────── resume ◄───────────────────────┘
//! ```
//! There is one job at a time, and it gets all the steps that wait. Each temporary file belongs to an [`Unfinished`], which
//! removes the file when it is dropped. The job, this form or the [`Upload`] holds it, so the file is removed whatever ends the
//! request.

use super::form::Form;
use super::upload::{Upload, UploadedFile};
use crate::callback::Site;
use crate::event_loop::current;
use crate::event_loop::driver::OpenFile;
use crate::http::{Error, Request, Result, SaveError, Unfinished};
use crate::proto::multipart::{Multipart, MultipartEvent, MultipartFault, Part};
use crate::worker;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A job writes at least this many bytes, unless the body ends before.
const PIECE: usize = 128 * 1024;
/// How many bytes may wait while a job writes, before the peer is slowed down.
const MOST: usize = 2 * PIECE;

/// Reads a form and passes it to `done`, once, from the loop.
pub(super) fn store(
    req: &Request,
    site: Site,
    reader: Multipart,
    limit: u64,
    folder: PathBuf,
    done: impl FnOnce(Result<Upload>) -> Result + 'static,
) {
    let storing = Rc::new(Storing {
        request: req.clone(),
        site,
        limit,
        folder,
        size: Cell::new(0),
        form: RefCell::new(Coming { reader, fields: Vec::new(), part: Present::None, steps: Vec::new(), waiting: 0 }),
        files: RefCell::default(),
        open: Cell::new(None),
        counted: Cell::new(None),
        writes: Cell::new(false),
        holds_back: Cell::new(false),
        ended: Cell::new(false),
        done: Cell::new(Some(Box::new(done))),
    });
    let (data, end) = (storing.clone(), storing.clone());
    req.take_body(
        site,
        move |_, bytes| data.data(bytes),
        move |_| end.end(),
        move |_, error| {
            if !storing.ended.get() {
                storing.fail(error.into());
            }
        },
    );
}

/// A form that is being stored. The listeners of the request hold it, and the job that writes.
struct Storing {
    request: Request,
    site: Site,
    limit: u64,
    folder: PathBuf,
    /// How many bytes of the body have come.
    size: Cell<u64>,
    form: RefCell<Coming>,
    /// The files that are whole.
    files: RefCell<Vec<UploadedFile>>,
    /// The file that is being written, between jobs.
    open: Cell<Option<(Part, Unfinished, u64)>>,
    /// Counts the file that may be open while the peer is waited for: one, however many files the form has.
    counted: Cell<Option<OpenFile>>,
    /// True while a job is at work.
    writes: Cell<bool>,
    /// True if this form has paused the request.
    holds_back: Cell<bool>,
    /// True once the whole body has come.
    ended: Cell<bool>,
    done: Cell<Option<Box<dyn FnOnce(Result<Upload>) -> Result>>>,
}

/// The parts of the form that have come and are in memory.
struct Coming {
    reader: Multipart,
    fields: Vec<(String, String)>,
    part: Present,
    /// The steps that no job has taken yet.
    steps: Vec<Step>,
    /// How many bytes of files wait in `steps`.
    waiting: usize,
}

/// The part that is coming in.
enum Present {
    None,
    Field(String, Vec<u8>),
    File,
}

/// One thing that a job does to the file that is being stored.
enum Step {
    Open(Part),
    Write(Vec<u8>),
    Close,
}

impl Coming {
    fn read(&mut self, mut bytes: &[u8]) -> Result {
        loop {
            let step = self.reader.decode(bytes).map_err(refused)?;
            match step.event {
                MultipartEvent::NeedMore => return Ok(()),
                // No file was chosen.
                MultipartEvent::Part(Part { file_name: Some(name), .. }) if name.is_empty() => {}
                MultipartEvent::Part(part) if part.file_name.is_some() => {
                    self.part = Present::File;
                    self.steps.push(Step::Open(part));
                }
                MultipartEvent::Part(part) => self.part = Present::Field(part.name, Vec::new()),
                MultipartEvent::Data(bytes) => match (&mut self.part, self.steps.last_mut()) {
                    (Present::Field(_, value), _) => value.extend_from_slice(bytes),
                    (Present::File, last) => {
                        self.waiting += bytes.len();
                        match last {
                            Some(Step::Write(before)) => before.extend_from_slice(bytes),
                            _ => self.steps.push(Step::Write(bytes.to_vec())),
                        }
                    }
                    (Present::None, _) => {}
                },
                MultipartEvent::PartEnd => match std::mem::replace(&mut self.part, Present::None) {
                    Present::Field(name, value) => {
                        let value =
                            String::from_utf8(value).map_err(|_| Error::new(400, "form: a field is no UTF-8"))?;
                        self.fields.push((name, value));
                    }
                    Present::File => self.steps.push(Step::Close),
                    Present::None => {}
                },
                MultipartEvent::End => {}
            }
            bytes = bytes.get(step.consumed..).unwrap_or_default();
        }
    }
}

/// The error with which a form is refused.
pub(super) fn refused(fault: MultipartFault) -> Error {
    Error::new(fault.status(), format!("form: {fault}"))
}

impl Storing {
    fn data(self: &Rc<Self>, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        self.size.set(self.size.get().saturating_add(bytes.len() as u64));
        if self.size.get() > self.limit {
            return self.fail(SaveError::TooLarge { limit: self.limit }.into());
        }
        let read = self.form.borrow_mut().read(bytes);
        if let Err(error) = read {
            return self.fail(error);
        }
        self.go_on();
        if self.form.borrow().waiting >= MOST && !self.holds_back.replace(true) {
            self.request.pause();
        }
    }

    fn end(self: &Rc<Self>) {
        if self.is_over() {
            return;
        }
        let whole = self.form.borrow().reader.end_of_input().map_err(refused);
        if let Err(error) = whole {
            return self.fail(error);
        }
        self.ended.set(true);
        self.go_on();
    }

    /// Gives the steps that wait to a job, if there are enough of them and no job is at work; or ends, if nothing is left to do.
    fn go_on(self: &Rc<Self>) {
        let (last, waiting) = (self.ended.get(), self.form.borrow().waiting);
        if self.writes.get() || self.is_over() || !last && waiting < PIECE {
            return;
        }
        let steps = {
            let mut form = self.form.borrow_mut();
            form.waiting = 0;
            std::mem::take(&mut form.steps)
        };
        if steps.is_empty() {
            let form = Form::of(std::mem::take(&mut self.form.borrow_mut().fields));
            return self.finish(Ok(Upload::new(form, self.files.take())));
        }
        if !last && let Err(error) = self.count() {
            return self.fail(SaveError::File(error).into());
        }
        self.writes.set(true);
        let (storing, folder, open) = (self.clone(), self.folder.clone(), self.open.take());
        worker::run_for_library(
            move || perform(&folder, steps, open),
            move |result| {
                storing.writes.set(false);
                match result.unwrap_or_else(|error| Err(error.into())) {
                    // The upload has failed meanwhile, so the files are not needed any more.
                    Ok(written) if storing.is_over() => discard(written),
                    Ok((files, open)) => {
                        storing.files.borrow_mut().extend(files);
                        storing.open.set(open);
                        storing.go_on();
                        storing.resume();
                    }
                    Err(error) => storing.fail(SaveError::File(error).into()),
                }
            },
        );
    }

    /// Counts an open file, unless that was done.
    fn count(&self) -> io::Result<()> {
        let counted = match self.counted.take() {
            Some(counted) => Some(counted),
            None => current().map(|lp| lp.driver().descriptors().file_room().open_file()).transpose()?,
        };
        self.counted.set(counted);
        Ok(())
    }

    fn is_over(&self) -> bool {
        let done = self.done.take();
        let over = done.is_none();
        self.done.set(done);
        over
    }

    fn resume(&self) {
        if self.holds_back.replace(false) {
            self.request.resume();
        }
    }

    fn fail(&self, error: Error) {
        if self.is_over() {
            return;
        }
        self.request.set_fallback(error.status());
        self.request.discard();
        discard((self.files.take(), self.open.take()));
        self.finish(Err(error));
    }

    fn finish(&self, result: Result<Upload>) {
        self.counted.take();
        if let Some(done) = self.done.take() {
            self.request.call(self.site, || done(result));
        }
    }
}

type Written = (Vec<UploadedFile>, Option<(Part, Unfinished, u64)>);

/// Does the steps, on a worker. Returns the files that are whole now, and the one that is not.
fn perform(folder: &Path, steps: Vec<Step>, mut open: Option<(Part, Unfinished, u64)>) -> io::Result<Written> {
    let mut files = Vec::new();
    for step in steps {
        match step {
            Step::Open(part) => open = Some((part, Unfinished::private(folder)?, 0)),
            Step::Write(bytes) => {
                if let Some((_, file, size)) = &mut open {
                    file.write_all(&bytes)?;
                    *size += bytes.len() as u64;
                }
            }
            Step::Close => files.extend(open.take().map(|(part, file, size)| UploadedFile::new(part, file, size))),
        }
    }
    Ok((files, open))
}

/// Removes files on a worker, since that may take long.
fn discard(written: Written) {
    let (files, open) = written;
    // When a file is dropped, a worker removes it.
    drop(files);
    if let Some(open) = open {
        worker::run_for_library(move || drop(open), |_| ());
    }
}
