//! What an endpoint has published and has not yet delivered to all subscribers: see `publishing.rs`.

use super::frame::Frame;
use crate::net::LARGE;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// The most messages that may wait.
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
    pub scheduled: Cell<bool>,
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
pub(super) struct Round {
    pub topic: Rc<str>,
    /// Subscribers below this place were visited.
    pub next: usize,
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
pub(super) fn cost(length: usize) -> usize {
    1 + if length < LARGE { length / COPIED } else { 0 }
}

impl Publications {
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether more waits than may: more messages, or more than `most` bytes of them.
    pub fn is_too_much(&self, most: usize) -> bool {
        self.list.borrow().len() > MOST || self.bytes.get() > most
    }

    /// The number of the newest publication.
    pub fn newest(&self) -> u64 {
        self.newest.get()
    }

    /// Calls `f` with each message that waits and is newer than the publication of this number, the oldest first. `f` may not publish.
    pub fn each_since(&self, number: u64, mut f: impl FnMut(&Publication, &Frame)) {
        let list = self.list.borrow();
        let newer = usize::try_from(self.newest.get() - number).unwrap_or(usize::MAX).min(list.len());
        for publication in list.range(list.len() - newer..) {
            if let Some(frame) = &publication.frame {
                f(publication, frame);
            }
        }
    }

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
        let may = self.is_empty() && count <= self.left.get();
        if may {
            self.left.set(self.left.get() - count);
        }
        may
    }

    pub fn add(&self, publication: Publication) {
        let mut line = self.line.borrow_mut();
        if !line.iter().any(|round| Rc::ptr_eq(&round.topic, &publication.topic)) {
            line.push_back(Round { topic: publication.topic.clone(), next: 0, newest: 0 });
        }
        self.newest.set(self.newest.get() + 1);
        self.bytes.set(self.bytes.get() + publication.len());
        self.list.borrow_mut().push_back(publication);
    }

    /// The round that goes on next.
    pub fn first_round(&self) -> Option<Round> {
        let mut round = self.line.borrow_mut().pop_front()?;
        if round.next == 0 {
            round.newest = self.newest.get();
        }
        Some(round)
    }

    /// The round goes on when others have had their turn.
    pub fn put_back(&self, round: Round) {
        self.line.borrow_mut().push_back(round);
    }

    /// Ends a round: drops what has reached all. The topic stays in the line if something of it still waits.
    pub fn end_round(&self, round: Round) {
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
