use crate::event_loop::set_immediate;
use crate::notice;
use crate::worker;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes that wait while a worker writes. This is some 10,000 lines; if a disk stands still for longer, lines are
/// dropped, and no more memory is used.
const MOST_WAITING: usize = 1024 * 1024;
/// A buffer that has grown beyond this size, in bytes, is freed after it was written.
const GROWN: usize = 64 * 1024;

/// Writes lines to the program's writer, on a worker thread.
///
/// ```text
///   add ─► waiting ──check phase──► a job of the library: one write_all ─► done ─► what has come meanwhile: the next job
/// ```
/// There is one job at a time, so that the lines stay in order.
pub(super) struct Writer {
    /// The running job locks it. The loop locks it only while no job runs, and when the loop ends.
    output: Arc<Mutex<Output>>,
    waiting: RefCell<Vec<u8>>,
    /// Whether a job runs, or an immediate will start one.
    busy: Cell<bool>,
    /// How many lines were dropped since the last job.
    lost: Cell<u64>,
}

/// The program's writer, and the lines that a job is to write.
struct Output {
    to: Box<dyn io::Write + Send>,
    lines: Vec<u8>,
}

impl Writer {
    pub fn new(to: impl io::Write + Send + 'static) -> Rc<Writer> {
        Rc::new(Writer {
            output: Arc::new(Mutex::new(Output { to: Box::new(to), lines: Vec::new() })),
            waiting: RefCell::default(),
            busy: Cell::new(false),
            lost: Cell::new(0),
        })
    }

    /// Adds a line. It is written after the poll phase, with all others that the phase adds.
    pub fn add(self: &Rc<Self>, line: &str) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() + line.len() >= MOST_WAITING {
            self.lost.set(self.lost.get() + 1);
            return;
        }
        waiting.extend_from_slice(line.as_bytes());
        waiting.push(b'\n');
        drop(waiting);
        if !self.busy.replace(true) {
            let writer = self.clone();
            set_immediate(move || writer.write());
        }
    }

    /// Starts a job that writes all that waits.
    fn write(self: &Rc<Self>) {
        std::mem::swap(&mut lock(&self.output).lines, &mut *self.waiting.borrow_mut());
        let (writer, output) = (self.clone(), self.output.clone());
        worker::run_for_library(move || lock(&output).write(), move |result| writer.written(result));
    }

    fn written(self: &Rc<Self>, result: Result<io::Result<()>, worker::Error>) {
        // If the job was refused, its lines are still there.
        lock(&self.output).lines.clear();
        let error: Option<&dyn fmt::Display> = match &result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            notice::warn!(target: "oneloop::access", "lines of the access log cannot be written: {error}");
        }
        let lost = self.lost.take();
        if lost > 0 {
            notice::warn!(target: "oneloop::access", "lines of the access log were dropped, since writing is slow: {lost}");
        }
        if self.waiting.borrow().is_empty() {
            self.busy.set(false);
        } else {
            self.write();
        }
    }
}

/// The loop has ended, or the server was dropped. No later turn could give the lines to a worker, and writing them now holds up
/// no callback. A job that has not begun may never begin.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut output = lock(&self.output);
        output.lines.append(self.waiting.get_mut());
        if !output.lines.is_empty() {
            // An error is ignored, since nothing is left that could handle it.
            let _ = output.write();
        }
    }
}

impl Output {
    fn write(&mut self) -> io::Result<()> {
        // The lines are taken out, so that they are not written twice if the writer panics.
        let mut lines = std::mem::take(&mut self.lines);
        self.to.write_all(&lines)?;
        self.to.flush()?;
        lines.clear();
        lines.shrink_to(GROWN);
        self.lines = lines;
        Ok(())
    }
}

/// After a panic of the writer, the next lines are given to it all the same.
fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}
