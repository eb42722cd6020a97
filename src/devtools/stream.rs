//! The stream: while pages are open, it sends the same messages to all of them.

use super::answer::refuse;
use super::copy::copy;
use super::held::{Follower, Held};
use super::json;
use super::merge::Detail;
use super::message;
use super::numbers::Readings;
use super::requests;
use crate::event_loop::{Iteration, Recording, Timeout, mark_turn_as_own, now, recording, set_interval};
use crate::http::{Request, Response, Server};
use crate::worker;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, SystemTime};

/// How often a message is pushed. Nobody could see more messages, and each push is itself a turn of the loop that the page shows.
const EVERY: Duration = Duration::from_millis(100);
/// Every fifth message has the numbers: the counters of the loop and the server (see `numbers.rs`). To count the connections of
/// each state, the server looks at every one of them.
const NUMBERS_EVERY: u32 = 5;
/// Every tenth message has the requests. To find them, the server looks at every connection as well, so no message has both
/// the numbers and the requests.
const REQUESTS_EVERY: u32 = 10;
/// A reader with this many unread bytes gets no more messages until it has read them. Then it asks for the history.
const PENDING: usize = 1 << 20;
/// How many streams there may be at a time. The tabs of one browser share one.
const READERS: usize = 16;

pub(super) struct Stream {
    boot: String,
    /// The prefix at which the page is mounted.
    prefix: String,
    server: RefCell<Option<Server>>,
    readers: RefCell<Vec<(u32, Response)>>,
    next_reader: Cell<u32>,
    timer: Cell<Option<Timeout>>,
    /// The serial number of the first iteration that the next message covers.
    next: Cell<u64>,
    pushes: Cell<u32>,
    /// True while the records for a push are being copied, which takes several iterations on a busy loop.
    copying: Cell<bool>,
    follower: RefCell<Follower>,
    readings: RefCell<Readings>,
    /// How many requests there were for the page and its files.
    requests: Cell<u64>,
}

impl Stream {
    pub fn new(server: &Server, prefix: &str) -> Rc<Stream> {
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Rc::new(Stream {
            boot: format!("{:x}", started.as_nanos()),
            prefix: prefix.to_owned(),
            server: RefCell::new(Some(server.clone())),
            readers: RefCell::default(),
            next_reader: Cell::new(0),
            timer: Cell::new(None),
            next: Cell::new(0),
            pushes: Cell::new(0),
            copying: Cell::new(false),
            follower: RefCell::default(),
            readings: RefCell::default(),
            requests: Cell::new(0),
        })
    }

    pub fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// Ends the stream, because the server has closed.
    pub fn end(&self) {
        self.stop();
        let server = self.server.take();
        drop(server);
    }

    pub fn subscribe(self: &Rc<Self>, req: &Request, res: Response) {
        if self.readers.borrow().len() >= READERS {
            res.set_header("Retry-After", "5");
            refuse(&res, 503, "There are too many readers.\n");
            return;
        }
        res.set_header("Content-Type", "text/event-stream");
        if req.method() == "HEAD" {
            res.end(());
            return;
        }
        // After how many milliseconds a browser connects again when its stream has broken.
        res.write("retry: 1000\n\n").ignore();
        let id = self.next_reader.replace(self.next_reader.get().wrapping_add(1));
        let stream = self.clone();
        res.on_close(move |_, _| stream.leave(id));
        self.readers.borrow_mut().push((id, res));
        self.start();
    }

    fn leave(&self, id: u32) {
        mark_turn_as_own();
        let left: Vec<_> = self.readers.borrow_mut().extract_if(.., |(other, _)| *other == id).collect();
        drop(left);
        if self.readers.borrow().is_empty() {
            self.stop();
        }
    }

    fn start(self: &Rc<Self>) {
        let running = self.timer.take();
        if running.is_some() {
            self.timer.set(running);
            return;
        }
        // Push only iterations that begin from now on. A page gets the earlier ones from the history.
        self.next.set(recording(u64::MAX).map_or(0, |recording| recording.next));
        self.readings.borrow_mut().clear();
        // Begin with a message that has both the numbers and the requests, so that a page is complete at once.
        self.pushes.set(0);
        let stream: Weak<Stream> = Rc::downgrade(self);
        let timer = set_interval(EVERY, move || {
            if let Some(stream) = stream.upgrade() {
                stream.push();
            }
        });
        timer.unref();
        self.timer.set(Some(timer));
    }

    fn stop(&self) {
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
    }

    fn push(self: &Rc<Self>) {
        mark_turn_as_own();
        // A stream never ends by itself, so it would keep a server that shuts down from closing.
        if self.listening().is_none() {
            let readers = self.readers.take();
            for (_, reader) in readers {
                reader.end(());
            }
            self.stop();
            return;
        }
        if self.copying.replace(true) {
            return;
        }
        let stream = self.clone();
        let next = self.next.get();
        copy(next, move |copied| {
            stream.copying.set(false);
            stream.tell(&copied.unwrap_or_else(|| nothing(next)));
        });
    }

    fn listening(&self) -> Option<Server> {
        let server = self.server.borrow().clone();
        server.filter(Server::is_listening)
    }

    fn tell(&self, recording: &Recording) {
        let Some(server) = self.listening() else { return };
        let text = self.message(&server, recording);
        for (_, reader) in &*self.readers.borrow() {
            if reader.pending() < PENDING {
                reader.write(&text).ignore();
            }
        }
    }

    fn message(&self, server: &Server, recording: &Recording) -> String {
        self.next.set(recording.next);
        let held = self.follower.borrow_mut().follow(&recording.iterations);
        let pushes = self.pushes.replace(self.pushes.get().wrapping_add(1));
        let mut text = String::from("data: ");
        json::object(&mut text, |all| {
            message::write(all, &self.boot, recording, &held, Detail::PUSH);
            if pushes.is_multiple_of(NUMBERS_EVERY) {
                self.write_numbers(all.name("numbers"), server, 0);
            }
            if pushes % REQUESTS_EVERY == 1 {
                requests::write(all, server, &self.prefix);
            }
        });
        text.push_str("\n\n");
        text
    }

    /// Writes the numbers. `asking`: how many requests for `/metrics` are being answered. These requests and the streams are
    /// left out of the numbers of requests, because the page itself has made them.
    fn write_numbers(&self, out: &mut String, server: &Server, asking: usize) {
        let own = self.readers.borrow().len() + asking;
        self.readings.borrow_mut().write(out, server, self.requests.get(), own);
    }

    /// Passes `then` a message with everything that is recorded from the iteration `since` on. A worker writes the text, so
    /// that the loop goes on meanwhile.
    pub fn history(&self, since: u64, then: impl FnOnce(String) + 'static) {
        let boot = self.boot.clone();
        copy(since, move |copied| {
            let recording = copied.unwrap_or_else(|| nothing(since));
            let write = move || {
                let mut text = String::new();
                json::object(&mut text, |all| {
                    message::write(all, &boot, &recording, &all_held(&recording.iterations), Detail::HISTORY);
                });
                text
            };
            worker::run_for_library(write, move |text| {
                mark_turn_as_own();
                if let Ok(text) = text {
                    then(text);
                }
            });
        });
    }

    /// Returns the answer to `/metrics`: the numbers, without iterations and requests. Rates are over the last second, or over
    /// the time since the last reading, if that is longer: while no page is open, only these calls read the counters.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        match &*self.server.borrow() {
            Some(server) => self.write_numbers(&mut text, server, 1),
            None => text.push_str("{}"),
        }
        text
    }
}

/// An empty recording, for a program that has stopped recording: the numbers can be shown nevertheless.
fn nothing(since: u64) -> Recording {
    Recording { at: now(), iterations: Vec::new(), dropped: 0, next: since }
}

fn all_held(iterations: &[Iteration]) -> Vec<Held> {
    let mut follower = Follower::default();
    follower.follow(iterations)
}
