use super::{COMMENT, Event, HEARTBEAT, PENDING, open};
use crate::event_loop::{Timeout, current, set_interval};
use crate::http::{Request, Response};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

/// How many events are kept for readers that come back. A reader that was away for longer has to look at everything anew.
const KEPT: usize = 256;
/// How many readers a channel has at most. Each has a connection, and gets a copy of each event.
const READERS: usize = 10_000;
/// After how many seconds a reader that was turned away may try again.
const RETRY_AFTER: u32 = 5;

/// Events that go to many readers: each event is written once, and sent to all who are connected. Clones are the same channel,
/// and when the last one is dropped, all streams end.
///
/// Each event gets an id, unless it has one. A browser that loses its connection connects again, and says which event it got
/// last; it then gets those that it missed, of which the channel keeps 256. If the channel does not know the id any more (the
/// reader was away for too long, or the server was started anew), the first event of the new stream has the name `reset`, with
/// no data: the page should look at everything anew.
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
/// # Limits
/// A reader that does not read is closed when 64 KiB wait for it. The reader after 10,000 gets 503 (see
/// [`set_readers`](Channel::set_readers)). What [`Response::sse`] says of comments, HEAD and shutdowns holds here too.
#[derive(Clone)]
pub struct Channel(Rc<Inner>);

struct Inner {
    readers: RefCell<Slab<Response>>,
    most: Cell<usize>,
    kept: RefCell<VecDeque<Kept>>,
    /// Begins the ids of this channel, so that they are not those of a channel of an earlier run.
    start: String,
    sent: Cell<u64>,
    heartbeat: Cell<Option<Timeout>>,
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
            heartbeat: Cell::new(None),
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
        let key = inner.readers.borrow_mut().insert(res.clone());
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
    /// The event is written to all readers in this call, and given to the kernel in the next pending phases of the loop, 1,024
    /// readers in each.
    ///
    /// ```
    /// use oneloop::app::{Channel, Event};
    ///
    /// let channel = Channel::new();
    /// channel.send(Event::data("hello"));
    /// ```
    pub fn send(&self, event: Event) {
        let inner = &self.0;
        inner.sent.set(inner.sent.get() + 1);
        let id = match event.own_id() {
            Some(id) => id.to_owned(),
            None => inner.last_id(),
        };
        let text: Rc<str> = match event.own_id() {
            Some(_) => event.to_string().into(),
            None => format!("id: {id}\n{event}").into(),
        };
        for (_, res) in inner.readers.borrow().iter().filter(|(_, res)| !res.is_ended()) {
            res.write(text.clone()).ignore();
        }
        let mut kept = inner.kept.borrow_mut();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept { id, text });
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
    /// The id that the channel gives to the last event that was sent.
    fn last_id(&self) -> String {
        format!("{}-{}", self.start, self.sent.get())
    }

    /// Sends what came after the event with this id.
    fn replay(&self, last: &[u8], res: &Response) {
        let kept = self.kept.borrow();
        let missed = match kept.iter().rposition(|event| event.id.as_bytes() == last) {
            Some(at) => Some(kept.iter().skip(at + 1)),
            None if kept.is_empty() && last == self.last_id().as_bytes() => return,
            None => None,
        };
        match missed {
            // More than that could close the reader for not reading, again and again.
            Some(missed) if missed.clone().map(|event| event.text.len()).sum::<usize>() <= PENDING => {
                missed.for_each(|event| res.write(event.text.clone()).ignore());
            }
            _ => {
                // The reader goes on from here: when it comes back, it has not missed anything before this event.
                let id = kept.back().map_or_else(|| self.last_id(), |event| event.id.clone());
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
            let timer = set_interval(HEARTBEAT, move || {
                if let Some(inner) = channel.upgrade() {
                    inner.beat();
                }
            });
            timer.unref();
            timer
        })));
    }

    fn beat(&self) {
        for (_, res) in self.readers.borrow().iter().filter(|(_, res)| !res.is_ended()) {
            res.write(COMMENT).ignore();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(timer) = self.heartbeat.take() {
            timer.clear();
        }
        for (_, res) in self.readers.get_mut().iter().filter(|(_, res)| !res.is_ended()) {
            res.end(());
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("readers", &self.readers()).finish_non_exhaustive()
    }
}
