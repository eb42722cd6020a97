//! Who is there besides the measured clients, and before them: idle connections and slow senders. (Slow readers are in
//! `slow_reader`.)

use super::clients::MAKING;
use super::link::{Link, Owner};
use super::tally::End;
use super::{Plan, Request};
use oneloop::set_interval;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Between two bytes of a slow sender: 10 bytes a second.
const BYTE_EVERY: Duration = Duration::from_millis(100);
/// The body that a slow sender promises, in bytes: more than it sends in hours.
const PROMISED: usize = 1_000_000;
/// Where no idle connection is answered for so long, the server has no thread for them; they come all the same,
const STALLED: Duration = Duration::from_millis(100);
/// so many more at a time.
const MORE: usize = 1000;
/// How long a peer's connection may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Connections that have asked once and stay.
pub struct Idle {
    me: Weak<Idle>,
    port: u16,
    most: usize,
    request: Rc<[u8]>,
    links: RefCell<Vec<Rc<Link>>>,
    /// Asked, and not answered yet.
    pending: Cell<usize>,
    /// How many may be pending, and since when.
    allowed: Cell<(usize, Instant)>,
}

impl Idle {
    pub fn new(plan: &Plan) -> Rc<Idle> {
        Rc::new_cyclic(|me| Idle {
            me: me.clone(),
            port: plan.port,
            most: plan.peers.idle,
            request: Request::get("/").bytes(plan.port, false).into(),
            links: RefCell::default(),
            pending: Cell::new(0),
            allowed: Cell::new((MAKING, Instant::now())),
        })
    }

    /// Opens more connections. Returns whether all are open and were answered.
    pub fn set_up(&self) -> bool {
        let Some(me) = self.me.upgrade() else { return true };
        let (allowed, since) = self.allowed.get();
        if since.elapsed() > STALLED {
            self.allowed.set((allowed + MORE, Instant::now()));
        }
        while self.links.borrow().len() < self.most && self.pending.get() < self.allowed.get().0 {
            let link = Link::open(self.port, 0, LIMIT, me.clone());
            link.ask(&self.request, None);
            self.pending.set(self.pending.get() + 1);
            self.links.borrow_mut().push(link);
        }
        self.links.borrow().len() == self.most && self.pending.get() == 0
    }

    /// Those that are open.
    pub fn connections(&self) -> usize {
        self.links.borrow().iter().filter(|link| link.is_made()).count()
    }
}

impl Owner for Idle {
    fn ended(&self, _link: &Rc<Link>, _end: End) {
        self.pending.set(self.pending.get().saturating_sub(1));
        self.allowed.set((self.allowed.get().0, Instant::now()));
    }
}

/// Connections whose request comes at 10 bytes a second. One that the server cuts is replaced.
pub struct SlowSenders {
    me: Weak<SlowSenders>,
    port: u16,
    links: RefCell<Vec<Rc<Link>>>,
}

impl SlowSenders {
    pub fn start(plan: &Plan) -> Rc<SlowSenders> {
        let senders = Rc::new_cyclic(|me| SlowSenders { me: me.clone(), port: plan.port, links: RefCell::default() });
        for place in 0..plan.peers.slow_senders {
            let link = senders.open(place);
            senders.links.borrow_mut().extend(link);
        }
        if plan.peers.slow_senders > 0 {
            let me = senders.me.clone();
            set_interval(BYTE_EVERY, move || me.upgrade().into_iter().for_each(|me| me.trickle())).unref();
        }
        senders
    }

    fn open(&self, place: usize) -> Option<Rc<Link>> {
        let link = Link::open(self.port, place, LIMIT, self.me.upgrade()?);
        let start = format!("POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        link.trickle(start.as_bytes());
        if place % 2 == 1 {
            link.trickle(format!("Content-Length: {PROMISED}\r\n\r\n").as_bytes());
        } else {
            // A field that never ends.
            link.trickle(b"X-Slow: ");
        }
        Some(link)
    }

    fn trickle(&self) {
        for place in 0..self.links.borrow().len() {
            if self.links.borrow()[place].is_closed() {
                if let Some(link) = self.open(place) {
                    self.links.borrow_mut()[place] = link;
                }
            } else {
                self.links.borrow()[place].trickle(b"x");
            }
        }
    }

    /// Those that are open.
    pub fn connections(&self) -> usize {
        self.links.borrow().iter().filter(|link| link.is_made()).count()
    }
}

impl Owner for SlowSenders {
    /// Cut, or told off with an answer: replaced at the next byte.
    fn ended(&self, link: &Rc<Link>, _end: End) {
        link.abandon();
    }
}
