use super::super::response::Response;
use super::order::{CHUNK, read, shorter};
use crate::event_loop::driver::OpenFile;
use crate::event_loop::{current, set_timeout};
use crate::net::{CloseReason, Flow};
use crate::notice;
use crate::worker;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// When the workers' queue is full, a transfer that has begun asks again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// A file that is longer than one chunk, on its way.
///
/// It is held by the job that reads, or by the listener that waits for drain; where the exchange ends both let go of it.
pub(super) struct Transfer {
    res: Response,
    file: Arc<File>,
    _counted: OpenFile,
    /// Bytes that are still to be written to the response; `None`: all up to the file's end, wherever that is.
    left: Cell<Option<u64>>,
    /// The last write found the output full.
    waits: Cell<bool>,
    listens: Cell<bool>,
}

impl Transfer {
    pub fn start(res: Response, file: File, length: Option<u64>, first: Vec<u8>) {
        let Some(counted) = current().and_then(|lp| lp.driver().descriptors().open_file()) else {
            return res.refuse_file(503, &"as many files are being sent as there are descriptors for");
        };
        let transfer = Rc::new(Transfer {
            res,
            file: Arc::new(file),
            _counted: counted,
            left: Cell::new(length),
            waits: Cell::new(false),
            listens: Cell::new(false),
        });
        transfer.send(first);
    }

    fn send(self: &Rc<Self>, bytes: Vec<u8>) {
        let count = bytes.len() as u64;
        let last = match self.left.get() {
            Some(left) => {
                self.left.set(Some(left.saturating_sub(count)));
                left <= count
            }
            None => count < CHUNK,
        };
        if last {
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
        let (file, left) = (self.file.clone(), self.left.get());
        let transfer = self.clone();
        worker::run_for_library(
            move || {
                let count = left.unwrap_or(CHUNK).min(CHUNK);
                let bytes = read(&file, count)?;
                let whole = left.is_none() || bytes.len() as u64 == count;
                if whole { Ok(bytes) } else { Err(shorter()) }
            },
            move |result| transfer.was_read(result),
        );
    }

    fn was_read(self: &Rc<Self>, result: Result<io::Result<Vec<u8>>, worker::Error>) {
        if self.res.is_ended() {
            return;
        }
        match result {
            Ok(Ok(bytes)) => self.send(bytes),
            Err(error) if error.is_queue_full() || error.is_no_thread() => {
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
