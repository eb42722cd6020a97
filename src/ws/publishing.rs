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
//!
//! If too much waits, `publish` delivers all of it before it returns: a program that publishes faster than the loop delivers is held up itself.

use super::connection::{Connection, EndpointCore};
use super::frame::Frame;
use super::publications::{Publication, Publications, cost};
use crate::event_loop::{Loop, set_immediate};
use crate::net::{Flow, Stream};
use std::rc::Rc;

impl EndpointCore {
    /// What the endpoint has published, if something waits.
    #[inline]
    pub fn waiting(&self) -> Option<&Publications> {
        if self.waits.get() { self.publications.get().map(|publications| &**publications) } else { None }
    }

    /// The number of the newest publication that waits, or has waited.
    pub fn newest_publication(&self) -> u64 {
        self.publications.get().map_or(0, |publications| publications.newest())
    }

    /// Has a message wait for its subscribers.
    pub fn keep(self: &Rc<Self>, lp: &Rc<Loop>, publication: Publication) {
        let publications = self.publications.get_or_init(Box::default);
        publications.add(publication);
        self.waits.set(true);
        if publications.is_too_much(self.limits.borrow().max_pending) {
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
        self.waits.set(!publications.is_empty());
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
        let newest = publications.newest();
        let before = self.if_rare(|rare| std::mem::replace(&mut rare.caught_up, newest)).unwrap_or(newest);
        let mut count = 0;
        publications.each_since(before, |publication, frame| {
            let mine = publication.but != Some(self.place.get()) && self.has_topic(&publication.topic);
            if mine && self.open_stream().is_some() {
                count += cost(frame.as_bytes().len());
                self.deliver(stream, frame, publication.skip);
            }
        });
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
