use super::super::response::Response;
use super::order::CHUNK;
use super::parts::Parts;
use crate::event_loop::set_timeout;
use crate::http::hot_files::loaded::{read, shorter};
use crate::http::hot_files::opened::Opened;
use crate::http::hot_files::warm::warm;
use crate::net::{CloseReason, Flow};
use crate::worker;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// When the workers' queue is full, a transfer that has begun tries again after this time.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The sending of a file that is longer than one chunk.
///
/// It is held by the job that reads, or by the listener for `drain`. When the exchange ends, both drop it.
pub(super) struct Transfer {
    res: Response,
    opened: Opened,
    /// How many bytes are still to be given to the response; `None`: all up to the end of the file.
    left: Cell<Option<u64>>,
    /// `Some` if the file is sent in parts by `sendfile`; `None` if it is read and written.
    parts: Option<Parts>,
    /// True if the last write returned `Full`: the transfer goes on at the next `drain`.
    waits: Cell<bool>,
    listens: Cell<bool>,
}

impl Transfer {
    /// Sends a file by reading it. The first chunk has been read already.
    pub fn read(res: Response, opened: Opened, length: Option<u64>, first: Vec<u8>) {
        Transfer::new(res, opened, length, None).send(first);
    }

    /// Sends `length` bytes from `start` on by `sendfile`. The first part has at most `most` bytes.
    pub fn by_parts(res: Response, opened: Opened, start: u64, length: u64, most: u64) {
        Transfer::new(res, opened, Some(length), Some(Parts::new(start, most))).go_on();
    }

    fn new(res: Response, opened: Opened, left: Option<u64>, parts: Option<Parts>) -> Rc<Transfer> {
        Rc::new(Transfer {
            res,
            opened,
            left: Cell::new(left),
            parts,
            waits: Cell::new(false),
            listens: Cell::new(false),
        })
    }

    fn go_on(self: &Rc<Self>) {
        match &self.parts {
            Some(parts) => self.give_part(parts),
            None => self.read_on(),
        }
    }

    /// Goes on after a write that was not the last: at once, at the next `drain`, or not at all if `flow` says that the
    /// response is closed.
    fn after(self: &Rc<Self>, flow: Flow) {
        match flow {
            Flow::Ready => self.go_on(),
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
                    transfer.go_on();
                }
            });
        }
    }

    // ---- By parts

    fn give_part(self: &Rc<Self>, parts: &Parts) {
        let (Some(files), Some(lp)) = (self.res.0.hot_files(), self.res.0.lp()) else { return };
        let now = lp.now();
        parts.fit(now);
        let at = parts.at();
        if files.warm.holds(self.opened.place, at, now) {
            return self.send_part(parts);
        }
        let (file, transfer) = (self.opened.file.clone(), self.clone());
        worker::run_for_library(
            move || warm(&file, at),
            move |result| {
                if let (Some(()), Some(parts)) = (transfer.succeeded(result), &transfer.parts) {
                    files.warm.note(transfer.opened.place, at, now);
                    transfer.send_part(parts);
                }
            },
        );
    }

    fn send_part(self: &Rc<Self>, parts: &Parts) {
        let exchange = &self.res.0;
        let Some(lp) = exchange.lp() else { return };
        let left = self.left.get().unwrap_or(0);
        let part = parts.next(&self.opened.file, left, lp.now());
        let count = part.len as u64;
        self.left.set(Some(left - count));
        let flow = exchange.send_file(part, left == count);
        if left > count {
            self.after(flow);
        }
    }

    // ---- By reading

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
        self.after(self.res.write(bytes));
    }

    fn read_on(self: &Rc<Self>) {
        let (file, left) = (self.opened.file.clone(), self.left.get());
        let transfer = self.clone();
        worker::run_for_library(
            move || {
                let count = left.unwrap_or(CHUNK).min(CHUNK);
                let bytes = read(&file, count)?;
                let whole = left.is_none() || bytes.len() as u64 == count;
                if whole { Ok(bytes) } else { Err(shorter()) }
            },
            move |result| {
                if let Some(bytes) = transfer.succeeded(result) {
                    transfer.send(bytes);
                }
            },
        );
    }

    // ---- Both

    /// Returns the result of a job if it is still wanted. If the job was refused, starts another one later.
    fn succeeded<T>(self: &Rc<Self>, result: Result<io::Result<T>, worker::Error>) -> Option<T> {
        if self.res.is_ended() {
            return None;
        }
        match result {
            Ok(Ok(value)) => return Some(value),
            Err(error) if error.is_refusal() => {
                let transfer = self.clone();
                set_timeout(ASK_AGAIN, move || {
                    if !transfer.res.is_ended() {
                        transfer.go_on();
                    }
                });
            }
            Ok(Err(error)) => self.cut(&error),
            Err(error) => self.cut(&error),
        }
        None
    }

    fn cut(&self, error: &dyn std::fmt::Display) {
        self.res.0.file_broke_off(error);
        self.res.0.give_up(500, CloseReason::BadResponse);
    }
}
