//! Published messages that have not reached all of their subscribers yet. `publish` itself gives a message to all of them, if an iteration
//! may deliver so much ([`Limits::deliveries`](super::Limits::deliveries)). If not, the message waits, and so does everything that the
//! endpoint publishes behind it.
//!
//! ```text
//!   publish ─► nothing waits, and few enough? ─ yes ─► it is given to each subscriber now
//!                          │ no
//!                          ▼
//!   what waits, and the line of its topics ─► check phases: the round of the first topic goes on, as far as one iteration goes
//!                          │                                   └─► its subscribers in turn: Connection::catch_up
//!                          └─► a send, a ping, a close of one socket, or a change of its topics: Connection::catch_up first
//! ```
//! Whatever makes a socket catch up, it is given all that waits for it, in the order of the calls. So sent and published messages keep
//! their order, and what came together is sent together. Each publication has a number, and a socket notes the newest one that was there
//! when it last caught up (`Rare::caught_up`): what is newer, and of one of its topics, is what it has not been given.
//!
//! A round visits each subscriber of a topic once. All that was published before the round began has reached everybody when it ends, and
//! is dropped.

use super::connection::{Connection, EndpointCore};
use super::frame::Frame;
use crate::event_loop::{Loop, set_immediate};
use crate::net::{Flow, LARGE, Stream};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// The most messages that may wait. With more, or more than `Limits::max_pending` bytes of them, `publish` delivers all that waits before
/// it returns: a program that publishes faster than the loop delivers is held up itself.
const MOST: usize = 1_024;
/// A message of so many bytes counts as one more delivery, since its bytes are copied. Those of `LARGE` messages are not.
const COPIED: usize = 1_024;

/// What an endpoint has published.
#[derive(Default)]
pub(super) struct Publications {
    /// What waits, the oldest first.
    list: RefCell<VecDeque<Publication>>,
    /// The number of the newest publication. The first one has number 1.
    newest: Cell<u64>,
    /// How many bytes of messages are in `list`.
    bytes: Cell<usize>,
    /// The topics that have publications in `list`.
    line: RefCell<VecDeque<Round>>,
    /// The next check phase goes on.
    scheduled: Cell<bool>,
    /// The iteration in which `publish` last delivered messages itself, and how many more it may there.
    iteration: Cell<u64>,
    left: Cell<usize>,
}

/// A message that waits for some of its subscribers.
pub(super) struct Publication {
    pub topic: Rc<str>,
    /// `None` once it has reached all.
    frame: Option<Frame>,
    /// The place of the socket that does not get it, if there is one.
    pub but: Option<usize>,
    /// Subscribers that fall behind are left out.
    pub skip: bool,
}

/// How far the round of a topic has come.
struct Round {
    topic: Rc<str>,
    /// Subscribers below this place were visited.
    next: usize,
    /// The number of the newest publication when the round began.
    newest: u64,
}

impl Publication {
    pub fn new(topic: Rc<str>, frame: Frame, but: Option<usize>, skip: bool) -> Publication {
        Publication { topic, frame: Some(frame), but, skip }
    }

    fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| frame.as_bytes().len())
    }
}

/// How many deliveries one of a message of this length counts as.
fn cost(length: usize) -> usize {
    1 + if length < LARGE { length / COPIED } else { 0 }
}

impl Publications {
    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.list.borrow().iter().filter(|publication| publication.frame.is_some()).count()
    }

    /// Returns whether `publish` itself may deliver a message to so many subscribers. If so, it counts for this iteration, which may
    /// deliver `most`.
    pub fn take(&self, iteration: u64, most: usize, subscribers: usize, length: usize) -> bool {
        if self.iteration.replace(iteration) != iteration {
            self.left.set(most);
        }
        let count = subscribers.saturating_mul(cost(length));
        let may = self.list.borrow().is_empty() && count <= self.left.get();
        if may {
            self.left.set(self.left.get() - count);
        }
        may
    }

    fn add(&self, publication: Publication) {
        let mut line = self.line.borrow_mut();
        if !line.iter().any(|round| Rc::ptr_eq(&round.topic, &publication.topic)) {
            line.push_back(Round { topic: publication.topic.clone(), next: 0, newest: 0 });
        }
        self.newest.set(self.newest.get() + 1);
        self.bytes.set(self.bytes.get() + publication.len());
        self.list.borrow_mut().push_back(publication);
    }

    /// The round that goes on next.
    fn first_round(&self) -> Option<Round> {
        let mut round = self.line.borrow_mut().pop_front()?;
        if round.next == 0 {
            round.newest = self.newest.get();
        }
        Some(round)
    }

    /// The round goes on when others have had their turn.
    fn put_back(&self, round: Round) {
        self.line.borrow_mut().push_back(round);
    }

    /// Ends a round: drops what has reached all. The topic stays in the line if something of it still waits.
    fn end_round(&self, round: Round) {
        let mut list = self.list.borrow_mut();
        let first = self.newest.get() + 1 - list.len() as u64;
        let mut waits = false;
        for (number, publication) in (first..).zip(list.iter_mut()) {
            if !Rc::ptr_eq(&publication.topic, &round.topic) || publication.frame.is_none() {
                continue;
            }
            if number <= round.newest {
                self.bytes.set(self.bytes.get() - publication.len());
                publication.frame = None;
            } else {
                waits = true;
            }
        }
        while list.front().is_some_and(|publication| publication.frame.is_none()) {
            list.pop_front();
        }
        drop(list);
        if waits {
            self.put_back(Round { next: 0, ..round });
        }
    }
}

impl EndpointCore {
    /// What the endpoint has published, if something waits.
    #[inline]
    pub fn waiting(&self) -> Option<&Publications> {
        if self.waits.get() { self.publications.get().map(|publications| &**publications) } else { None }
    }

    /// The number of the newest publication that waits, or has waited.
    pub fn newest_publication(&self) -> u64 {
        self.publications.get().map_or(0, |publications| publications.newest.get())
    }

    /// Has a message wait for its subscribers.
    pub fn keep(self: &Rc<Self>, lp: &Rc<Loop>, publication: Publication) {
        let publications = self.publications.get_or_init(Box::default);
        publications.add(publication);
        self.waits.set(true);
        let many = publications.list.borrow().len() > MOST;
        if many || publications.bytes.get() > self.limits.borrow().max_pending {
            self.deliver(publications, usize::MAX);
        } else {
            self.schedule(lp, publications);
        }
    }

    fn schedule(self: &Rc<Self>, lp: &Rc<Loop>, publications: &Publications) {
        if !publications.scheduled.replace(true) {
            let (endpoint, lp) = (Rc::downgrade(self), Rc::downgrade(lp));
            set_immediate(move || {
                if let (Some(endpoint), Some(lp)) = (endpoint.upgrade(), lp.upgrade()) {
                    endpoint.go_on(&lp);
                }
            });
        }
    }

    /// Delivers as much as one iteration does.
    fn go_on(self: &Rc<Self>, lp: &Rc<Loop>) {
        let Some(publications) = self.publications.get() else { return };
        publications.scheduled.set(false);
        lp.label_turn_by(&["WebSocket ", &self.name.borrow(), " delivers what was published"]);
        let most = self.limits.borrow().deliveries;
        self.deliver(publications, most.max(1));
        if self.waits.get() {
            self.schedule(lp, publications);
        }
    }

    /// Goes on with the rounds, up to `left` deliveries. One who has nothing to get counts as well.
    fn deliver(&self, publications: &Publications, mut left: usize) {
        // Writing never calls user code, so the lists may stay borrowed.
        let (subscriptions, sockets) = (self.subscriptions.borrow(), self.sockets.borrow());
        while left > 0
            && let Some(mut round) = publications.first_round()
        {
            let stopped = subscriptions.from(&round.topic, round.next).find(|&place| {
                if left == 0 {
                    return true;
                }
                let socket = sockets.get(place).and_then(|socket| Some((socket, socket.open_stream()?)));
                let count = socket.map_or(0, |(socket, stream)| socket.catch_up(stream));
                left = left.saturating_sub(count.max(1));
                false
            });
            match stopped {
                Some(place) => {
                    round.next = place;
                    publications.put_back(round);
                }
                None => publications.end_round(round),
            }
        }
        self.waits.set(!publications.list.borrow().is_empty());
    }
}

impl Connection {
    /// Gives the socket all that waits for it. Returns how many deliveries that counts as.
    #[inline]
    pub fn catch_up(&self, stream: &Rc<Stream>) -> usize {
        self.endpoint.waiting().map_or(0, |publications| self.catch_up_with(stream, publications))
    }

    #[cold]
    fn catch_up_with(&self, stream: &Rc<Stream>, publications: &Publications) -> usize {
        let newest = publications.newest.get();
        let before = self.if_rare(|rare| std::mem::replace(&mut rare.caught_up, newest)).unwrap_or(newest);
        let list = publications.list.borrow();
        let missed = usize::try_from(newest - before).unwrap_or(usize::MAX).min(list.len());
        let mut count = 0;
        for publication in list.range(list.len() - missed..) {
            let mine = publication.but != Some(self.place.get()) && self.has_topic(&publication.topic);
            let Some(frame) = publication.frame.as_ref().filter(|_| mine) else { continue };
            if self.open_stream().is_none() {
                break;
            }
            count += cost(frame.as_bytes().len());
            self.deliver(stream, frame, publication.skip);
        }
        count
    }

    /// Sends a published message now. `None`: the socket is left out, since it falls behind.
    #[inline]
    pub fn deliver(&self, stream: &Rc<Stream>, frame: &Frame, skip: bool) -> Option<Flow> {
        let core = &self.endpoint;
        if skip && stream.pending() >= core.limits.borrow().pending_output {
            core.skipped.set(core.skipped.get() + 1);
            return None;
        }
        Some(self.write_frame(stream, self.form_of(stream, frame)))
    }
}
