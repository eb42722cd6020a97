use super::{COMMENT, Event, HEARTBEAT, PENDING, open};
use crate::event_loop::{Timeout, current, set_immediate, set_interval};
use crate::http::{Request, Response};
use crate::net::Chunk;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

/// How many events are kept for readers that come back. A reader that missed more events has to load its page's content again.
const KEPT: usize = 256;
/// How many readers a channel has at most. Each has a connection, and gets a copy of each event.
const READERS: usize = 10_000;
/// After how many seconds a reader that was turned away may try again.
const RETRY_AFTER: u32 = 5;
/// To how many readers events are written at a time, in half a millisecond or so. Other callbacks have their turns between.
const SLICE: usize = 500;
/// In how many parts the readers get their comments, for the same reason.
const BEATS: usize = 16;

/// A stream of events for many readers: the program sends each event once, and all connected readers get it. Clones are the same
/// channel, and when the last one is dropped, all streams end.
///
/// Each event gets an id, unless it has one. A browser that loses its connection connects again, and says which event it got
/// last. It then gets the events that it missed: the channel keeps the last 256. If the channel does not know the id any more
/// (the reader was away for too long, or the server was started anew), the first event of the new stream has the name `reset`,
/// with no data: the page should load its content again.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{Channel, Event};
///
/// let todos = Channel::new();
/// let readers = todos.clone();
/// let server = oneloop::http::create_server(move |req, res| readers.add(&req, res));
/// # server.listen(80, ()).unwrap();
/// # let peer = sim.connect(80);
/// # peer.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
/// # sim.settle();
/// // and whenever something changes:
/// todos.send(Event::data("water the plants").name("added")?);
/// # sim.settle();
/// # assert!(peer.text().contains("\nevent: added\ndata: water the plants\n\n"), "{}", peer.text());
/// # Ok::<(), oneloop::app::EventError>(())
/// ```
/// ```js
/// const events = new EventSource("/events");
/// events.addEventListener("added", event => show(event.data));
/// events.addEventListener("reset", () => location.reload());
/// ```
///
/// # Limits A reader that does not read is closed when 64 KiB are pending for it. If there are 10,000 readers, the next one gets
/// 503 (see [`set_readers`](Channel::set_readers)). The rules of [`Response::sse`] about comments, HEAD and shutdowns apply to
/// these streams, too.
#[derive(Clone)]
pub struct Channel(Rc<Inner>);

struct Inner {
    readers: RefCell<Slab<Reader>>,
    most: Cell<usize>,
    /// The last events that were sent; the newest has the number `sent`.
    kept: RefCell<VecDeque<Kept>>,
    /// The beginning of all ids of this channel. It makes them differ from the ids of earlier runs of the program.
    start: String,
    sent: Cell<u64>,
    /// The slot of the reader that gets its events next; `None` if all readers have all events.
    delivering: Cell<Option<usize>>,
    heartbeat: Cell<Option<Timeout>>,
    beats: Cell<usize>,
}

struct Reader {
    res: Response,
    /// The number of the last event that it got.
    got: u64,
}

struct Kept {
    id: String,
    text: Rc<str>,
}

impl Channel {
    /// Makes a channel without readers.
    ///
    /// ```
    /// assert_eq!(oneloop::app::Channel::new().readers(), 0);
    /// ```
    pub fn new() -> Channel {
        let wall = current().map_or(UNIX_EPOCH, |lp| lp.driver().wall());
        let start = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Channel(Rc::new(Inner {
            readers: RefCell::default(),
            most: Cell::new(READERS),
            kept: RefCell::default(),
            start: format!("{:x}", start.as_nanos()),
            sent: Cell::new(0),
            delivering: Cell::new(None),
            heartbeat: Cell::new(None),
            beats: Cell::new(0),
        }))
    }

    /// Makes the response a stream of this channel's events. First the reader gets the events that it has missed, if the
    /// request has a `Last-Event-ID`.
    ///
    /// If there are as many readers as there may be, the answer is 503 with `Retry-After`. (An `EventSource` then gives up, and
    /// its page has to make a new one.)
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let channel = oneloop::app::Channel::new();
    /// let server = oneloop::http::create_server(move |req, res| channel.add(&req, res));
    /// # server.listen(80, ()).unwrap();
    /// # let peer = sim.connect(80);
    /// # peer.write("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: of-yesterday\r\n\r\n");
    /// # sim.settle();
    /// # assert!(peer.text().contains("event: reset\ndata: \n\n"), "{}", peer.text());
    /// ```
    pub fn add(&self, req: &Request, res: Response) {
        let inner = &self.0;
        if inner.readers.borrow().len() >= inner.most.get() {
            res.set_header("Retry-After", RETRY_AFTER.to_string()).set_status(503).end("there are too many readers\n");
            return;
        }
        if !open(&res) {
            return;
        }
        if let Some(last) = req.header_bytes("Last-Event-ID").filter(|id| !id.is_empty()) {
            inner.replay(last, &res);
        }
        let key = inner.readers.borrow_mut().insert(Reader { res: res.clone(), got: inner.sent.get() });
        let channel = Rc::downgrade(inner);
        res.on_close(move |_, _| {
            if let Some(inner) = channel.upgrade() {
                inner.remove(key);
            }
        });
        inner.start_heartbeat();
    }

    /// Sends an event to all readers, and keeps it for those who come back.
    ///
    /// The event is written to the first 500 readers in this call, and to the others in the next iterations, 500 in each, so that
    /// a large channel does not hold up the loop. Each reader gets all events in order.
    ///
    /// ```
    /// use oneloop::app::{Channel, Event};
    ///
    /// let channel = Channel::new();
    /// channel.send(Event::data("hello"));
    /// ```
    pub fn send(&self, event: Event) {
        let inner = &self.0;
        let id = match event.own_id() {
            Some(id) => id.to_owned(),
            None => inner.id_of(inner.sent.get() + 1),
        };
        let text: Rc<str> = match event.own_id() {
            Some(_) => event.to_string().into(),
            None => format!("id: {id}\n{event}").into(),
        };
        inner.keep(Kept { id, text });
        if inner.delivering.get().is_none() {
            inner.delivering.set(Some(0));
            inner.deliver();
        }
    }

    /// The number of readers that are connected.
    ///
    /// ```
    /// assert_eq!(oneloop::app::Channel::new().readers(), 0);
    /// ```
    pub fn readers(&self) -> usize {
        self.0.readers.borrow().len()
    }

    /// Sets how many readers there may be (10,000 by default). The next one gets 503.
    ///
    /// ```
    /// use oneloop::app::Channel;
    ///
    /// let channel = Channel::new();
    /// channel.set_readers(100);
    /// ```
    pub fn set_readers(&self, most: usize) -> &Self {
        self.0.most.set(most);
        self
    }
}

impl Default for Channel {
    fn default() -> Channel {
        Channel::new()
    }
}

impl Inner {
    /// The id that the channel gives to the event with this number.
    fn id_of(&self, number: u64) -> String {
        format!("{}-{number}", self.start)
    }

    fn keep(&self, event: Kept) {
        if self.kept.borrow().len() == KEPT {
            // An event may only be forgotten when all readers have got it.
            while self.delivering.get().is_some() {
                self.deliver_slice();
            }
            self.kept.borrow_mut().pop_front();
        }
        self.kept.borrow_mut().push_back(event);
        self.sent.set(self.sent.get() + 1);
    }

    fn deliver(self: &Rc<Self>) {
        self.deliver_slice();
        if self.delivering.get().is_some() {
            let channel = Rc::downgrade(self);
            set_immediate(move || {
                if let Some(inner) = channel.upgrade().filter(|inner| inner.delivering.get().is_some()) {
                    inner.deliver();
                }
            });
        }
    }

    /// Writes to the next readers what they have not got.
    fn deliver_slice(&self) {
        let Some(from) = self.delivering.get() else { return };
        let (mut readers, kept, sent) = (self.readers.borrow_mut(), self.kept.borrow(), self.sent.get());
        let end = (from + SLICE).min(readers.capacity());
        for key in from..end {
            let Some(reader) = readers.get_mut(key).filter(|reader| reader.got < sent) else { continue };
            let missing = usize::try_from(sent - reader.got).unwrap_or(usize::MAX);
            for event in kept.iter().skip(kept.len().saturating_sub(missing)) {
                write(&reader.res, event.text.clone());
            }
            reader.got = sent;
        }
        // Readers before this slice may not have got the events that were sent in the meantime.
        let is_behind = || readers.iter().any(|(_, reader)| reader.got < sent);
        self.delivering.set(match end < readers.capacity() {
            true => Some(end),
            false => is_behind().then_some(0),
        });
    }

    /// Sends the events that came after the one with this id.
    fn replay(&self, last: &[u8], res: &Response) {
        let kept = self.kept.borrow();
        let missed = match kept.iter().rposition(|event| event.id.as_bytes() == last) {
            Some(at) => Some(kept.iter().skip(at + 1)),
            None if kept.is_empty() && last == self.id_of(0).as_bytes() => return,
            None => None,
        };
        match missed {
            // If more bytes than `PENDING` were written at once, the reader could be closed for not reading. It would come back,
            // ask for the same events, and be closed again.
            Some(missed) if missed.clone().map(|event| event.text.len()).sum::<usize>() <= PENDING => {
                missed.for_each(|event| res.write(event.text.clone()).ignore());
            }
            _ => {
                // The reader goes on from here: when it comes back, it has not missed anything before this event.
                let id = kept.back().map_or_else(|| self.id_of(0), |event| event.id.clone());
                res.write(format!("id: {id}\nevent: reset\ndata: \n\n")).ignore();
            }
        }
    }

    fn remove(&self, key: usize) {
        let removed = self.readers.borrow_mut().try_remove(key);
        drop(removed);
        if self.readers.borrow().is_empty()
            && let Some(timer) = self.heartbeat.take()
        {
            timer.clear();
        }
    }

    fn start_heartbeat(self: &Rc<Self>) {
        let running = self.heartbeat.take();
        self.heartbeat.set(Some(running.unwrap_or_else(|| {
            let channel = Rc::downgrade(self);
            let timer = set_interval(HEARTBEAT / BEATS as u32, move || {
                if let Some(inner) = channel.upgrade() {
                    inner.beat();
                }
            });
            timer.unref();
            timer
        })));
    }

    /// Sends a comment to one reader of `BEATS`.
    fn beat(&self) {
        let turn = self.beats.get();
        self.beats.set((turn + 1) % BEATS);
        let readers = self.readers.borrow();
        for key in (turn..readers.capacity()).step_by(BEATS) {
            if let Some(reader) = readers.get(key) {
                write(&reader.res, COMMENT);
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        while self.delivering.get().is_some() {
            self.deliver_slice();
        }
        if let Some(timer) = self.heartbeat.take() {
            timer.clear();
        }
        for (_, reader) in self.readers.get_mut().iter().filter(|(_, reader)| !reader.res.is_ended()) {
            reader.res.end(());
        }
    }
}

/// A response that has ended may still be among the readers, until its listeners are told.
fn write<'a>(res: &Response, chunk: impl Into<Chunk<'a>>) {
    if !res.is_ended() {
        res.write(chunk).ignore();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("readers", &self.readers()).finish_non_exhaustive()
    }
}
