//! The connections of an agent, and the calls that wait for one.
//!
//! ```text
//!   begin(call) ──► a free connection, the newest first, and clean ──────────────────────────► start
//!        │ none                                                                                 ▲
//!        ▼                                                                                      │
//!      queue ──► fewer are being made than calls wait, and there is a slot: dial ──made──► the first in the queue takes it
//!        └────────────────── or a connection becomes free: the first in the queue takes it ──────┘
//! ```
//! A slot is the right to have a connection: of those to one place, and of those in all. It is taken when a connection is begun, and
//! `gone` frees it, and nothing else does.

use super::call::{Call, End, Link};
use super::connection::{Connection, Left, Loss, Owner};
use super::dialing::dial;
use super::error::RequestErrorKind;
use super::host::{Host, Waiting};
use super::known::Known;
use super::limits::AgentLimits;
use super::place::Place;
use super::proxy::Proxy;
use super::retry::{Attempt, is_idempotent, may_retry};
use super::spares::Spares;
use super::stats::{AgentStats, HostStats};
use crate::event_loop::{Loop, set_deadline};
use crate::net::{Address, Chunk, CloseReason, Context, Flow};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

pub(super) struct Pool {
    me: Weak<Pool>,
    cx: Rc<Context>,
    limits: RefCell<Rc<AgentLimits>>,
    hosts: RefCell<BTreeMap<Rc<Place>, Host>>,
    /// How many slots are taken in all.
    open: Cell<usize>,
    /// The number of the next call that waits.
    next: Cell<u64>,
    destroyed: Cell<bool>,
    counts: Counts,
    pub known: RefCell<Known>,
    pub spares: Rc<Spares>,
    proxy: RefCell<Option<Rc<Proxy>>>,
    /// Whom to trust; `None`: the roots of the system.
    #[cfg(feature = "tls")]
    tls: RefCell<Option<crate::secure::Client>>,
}

#[derive(Default)]
struct Counts {
    requests: Cell<u64>,
    dialed: Cell<u64>,
    reused: Cell<u64>,
    retried: Cell<u64>,
}

impl Pool {
    pub fn new(lp: &Rc<Loop>) -> Rc<Pool> {
        Rc::new_cyclic(|me| Pool {
            me: me.clone(),
            cx: Context::of(lp),
            limits: RefCell::default(),
            hosts: RefCell::default(),
            open: Cell::new(0),
            next: Cell::new(0),
            destroyed: Cell::new(false),
            counts: Counts::default(),
            known: RefCell::default(),
            spares: Rc::default(),
            proxy: RefCell::default(),
            #[cfg(feature = "tls")]
            tls: RefCell::default(),
        })
    }

    pub fn lp(&self) -> &Rc<Loop> {
        &self.cx.lp
    }

    pub fn set_limits(&self, limits: AgentLimits) {
        *self.limits.borrow_mut() = Rc::new(limits);
    }

    pub fn set_proxy(&self, proxy: Option<Proxy>) {
        *self.proxy.borrow_mut() = proxy.map(Rc::new);
    }

    pub fn proxy(&self) -> Option<Rc<Proxy>> {
        self.proxy.borrow().clone()
    }

    #[cfg(feature = "tls")]
    pub fn set_tls(&self, client: crate::secure::Client) {
        *self.tls.borrow_mut() = Some(client);
    }

    // ---- Taking a free connection

    /// The newest free connection of a place that is clean. Those that are not are closed.
    fn check_out(&self, place: &Place) -> Option<Rc<Connection>> {
        loop {
            let newest = self.hosts.borrow_mut().get_mut(place)?.free.pop()?;
            if newest.is_clean(self.cx.lp.now()) {
                return Some(newest);
            }
        }
    }

    fn start(&self, connection: &Rc<Connection>, call: &Rc<Call>) {
        if connection.is_used() {
            self.counts.reused.set(self.counts.reused.get() + 1);
        }
        connection.start(call);
    }

    // ---- The queue

    fn wait(&self, place: &Rc<Place>, call: &Rc<Call>) {
        let limits = self.present_limits();
        let queued = self.hosts.borrow().get(place).map_or(0, |host| host.waiting.len());
        if queued >= limits.queued {
            let words = format!("{queued} requests wait for a connection already");
            return call.end_soon(End::of(RequestErrorKind::QueueFull, CloseReason::TooMany, words));
        }
        let number = self.next.get();
        self.next.set(number + 1);
        let waiting = self.waiting(number, call, &limits);
        self.hosts.borrow_mut().entry(place.clone()).or_default().waiting.push_back(waiting);
        self.dial_for(place);
    }

    fn waiting(&self, number: u64, call: &Rc<Call>, limits: &AgentLimits) -> Waiting {
        let (pool, weak, after) = (self.me.clone(), Rc::downgrade(call), limits.queue);
        let timer = set_deadline(after, move || {
            if let (Some(pool), Some(call)) = (pool.upgrade(), weak.upgrade()) {
                pool.waited_too_long(&call);
            }
        });
        Waiting { number, call: call.clone(), timer }
    }

    fn waited_too_long(&self, call: &Rc<Call>) {
        if let Some(place) = call.place()
            && self.leave_queue(place, call)
        {
            let words = format!("no connection was free within {:?}", self.present_limits().queue);
            call.end(&End::of(RequestErrorKind::QueueTimeout, CloseReason::ConnectTimeout, words));
        }
    }

    /// Returns whether the call has waited.
    fn leave_queue(&self, place: &Rc<Place>, call: &Rc<Call>) -> bool {
        let left = {
            let mut hosts = self.hosts.borrow_mut();
            let Some(host) = hosts.get_mut(place) else { return false };
            let at = host.waiting.iter().position(|waiting| Rc::ptr_eq(&waiting.call, call));
            at.and_then(|at| host.waiting.remove(at))
        };
        self.tidy(place);
        let Some(left) = left else { return false };
        left.timer.clear();
        true
    }

    /// Forgets a place with which there is nothing to do any more.
    fn tidy(&self, place: &Rc<Place>) {
        if self.has(place, Host::is_unused) {
            self.hosts.borrow_mut().remove(place);
        }
    }

    /// Returns whether there is such a host at this place.
    fn has(&self, place: &Place, is: impl Fn(&Host) -> bool) -> bool {
        self.hosts.borrow().get(place).is_some_and(is)
    }

    /// Takes the first call from the queue that this connection may carry. One that is sent for the second time gets a new connection.
    fn next_call(&self, connection: &Connection) -> Option<Rc<Call>> {
        let next = {
            let mut hosts = self.hosts.borrow_mut();
            let host = hosts.get_mut(&connection.place)?;
            let used = connection.is_used();
            let at = host.waiting.iter().position(|waiting| !used || !waiting.call.is_retried())?;
            host.waiting.remove(at)?
        };
        next.timer.clear();
        Some(next.call)
    }

    // ---- Making connections

    /// Makes connections for the calls that wait, as long as there are slots.
    fn dial_for(&self, place: &Rc<Place>) {
        while self.has(place, Host::wants_dial) && self.has_slot(place) {
            let site = match self.hosts.borrow().get(place).and_then(|host| host.waiting.front()) {
                Some(first) => first.call.site(),
                None => return,
            };
            self.counts.dialed.set(self.counts.dialed.get() + 1);
            self.open.set(self.open.get() + 1);
            let limits = self.present_limits();
            let owner: Weak<dyn Owner> = self.me.clone();
            let connection = Connection::new(&self.cx, owner, place, limits.clone());
            if let Some(host) = self.hosts.borrow_mut().get_mut(place) {
                host.open += 1;
                host.dialing += 1;
                host.all.push(Rc::downgrade(&connection));
            }
            dial(&self.cx, place, &limits, site, |stream| connection.set_stream(stream), connection.clone());
        }
    }

    /// Returns whether there is a slot for another connection to this place. To have one, a free connection may be closed; its slot is
    /// free in the closing phase, and then this is asked again.
    fn has_slot(&self, place: &Place) -> bool {
        let limits = self.present_limits();
        let (open, free) = match self.hosts.borrow().get(place) {
            Some(host) => (host.open, host.free.first().cloned()),
            None => (0, None),
        };
        if open >= limits.per_host.max(1) {
            // Only a call that must not have a used connection waits while one is free.
            if let Some(oldest) = free {
                self.retire(&oldest, CloseReason::MadeRoom);
            }
            return false;
        }
        if self.open.get() >= limits.in_all.max(1) {
            if let Some(oldest) = self.longest_free() {
                self.retire(&oldest, CloseReason::MadeRoom);
            }
            return false;
        }
        true
    }

    /// Of all free connections the one that has been free longest.
    fn longest_free(&self) -> Option<Rc<Connection>> {
        let hosts = self.hosts.borrow();
        hosts.values().filter_map(|host| host.free.first()).min_by_key(|free| free.since.get()).cloned()
    }

    fn retire(&self, connection: &Rc<Connection>, reason: CloseReason) {
        self.unusable(connection);
        connection.destroy(reason);
    }

    /// A slot is free: who has waited longest may have it.
    fn serve(&self) {
        let limits = self.present_limits();
        loop {
            let longest = {
                let hosts = self.hosts.borrow();
                let may = |host: &Host| host.wants_dial() && host.open < limits.per_host.max(1);
                let waiting = hosts.iter().filter(|(_, host)| may(host));
                let first = |host: &Host| host.waiting.front().map_or(u64::MAX, |waiting| waiting.number);
                waiting.min_by_key(|(_, host)| first(host)).map(|(place, _)| place.clone())
            };
            let Some(place) = longest else { return };
            if !self.has_slot(&place) {
                return;
            }
            self.dial_for(&place);
        }
    }

    // ---- The end

    /// Fails the call that a connection could not be made for: the one that has waited longest, if fewer are being made than wait.
    fn not_made(&self, place: &Rc<Place>, end: &End) {
        let fails = {
            let mut hosts = self.hosts.borrow_mut();
            let Some(host) = hosts.get_mut(place) else { return };
            if host.wants_dial() { host.waiting.pop_front() } else { None }
        };
        if let Some(fails) = fails {
            fails.timer.clear();
            fails.call.end(end);
        }
    }

    /// Ends all connections, and the calls that they carry or that wait for one.
    pub fn destroy(&self) {
        self.destroyed.set(true);
        self.drop_all();
    }

    fn drop_all(&self) {
        let (mut calls, mut connections) = (Vec::new(), Vec::new());
        for host in self.hosts.borrow_mut().values_mut() {
            calls.extend(host.waiting.drain(..));
            host.free.clear();
            connections.extend(host.all.iter().filter_map(Weak::upgrade));
        }
        self.hosts.borrow_mut().retain(|_, host| !host.is_unused());
        for waiting in calls {
            waiting.timer.clear();
            let words = "its agent was destroyed";
            waiting.call.end_soon(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
        }
        for connection in connections {
            connection.destroy(CloseReason::Destroyed);
        }
    }

    /// Closes the connections that nobody uses.
    pub fn close_free(&self) {
        let free: Vec<_> = self.hosts.borrow_mut().values_mut().flat_map(|host| host.free.drain(..)).collect();
        for connection in free {
            connection.destroy(CloseReason::Destroyed);
        }
    }

    /// The limits in force now.
    pub fn present_limits(&self) -> Rc<AgentLimits> {
        self.limits.borrow().clone()
    }

    pub fn stats(&self) -> AgentStats {
        let stats = |(place, host): (&Rc<Place>, &Host)| HostStats {
            host: place.to_string(),
            active: host.open - host.dialing - host.free.len(),
            idle: host.free.len(),
            connecting: host.dialing,
            queued: host.waiting.len(),
        };
        AgentStats {
            hosts: self.hosts.borrow().iter().map(stats).collect(),
            requests: self.counts.requests.get(),
            connections: self.counts.dialed.get(),
            reused: self.counts.reused.get(),
            retried: self.counts.retried.get(),
        }
    }
}

impl Link for Pool {
    fn begin(&self, call: &Rc<Call>) {
        self.counts.requests.set(self.counts.requests.get() + 1);
        let Some(place) = call.place() else { return };
        if self.destroyed.get() {
            let words = "its agent was destroyed";
            return call.end_soon(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
        }
        match self.check_out(place) {
            Some(connection) => self.start(&connection, call),
            None => self.wait(place, call),
        }
    }

    fn send(&self, call: &Rc<Call>, chunk: Chunk<'_>, _last: bool) -> Flow {
        if call.hold(&chunk) >= self.limits.borrow().pending_output { Flow::Full } else { Flow::Ready }
    }

    fn wake(&self, _: &Call) {}

    fn abort(&self, call: &Rc<Call>, end: End) {
        if let Some(place) = call.place() {
            self.leave_queue(place, call);
        }
        call.end_soon(end);
    }

    fn pending(&self, call: &Call) -> usize {
        call.held()
    }

    fn peer(&self, _: &Call) -> Option<Address> {
        None
    }
}

impl Owner for Pool {
    fn free(&self, connection: &Rc<Connection>) {
        let first = !connection.is_used();
        if first && let Some(host) = self.hosts.borrow_mut().get_mut(&connection.place) {
            host.dialing = host.dialing.saturating_sub(1);
        }
        if !first && self.has(&connection.place, Host::is_awaited) && !connection.is_silent() {
            return self.retire(connection, CloseReason::BadMessage);
        }
        if let Some(call) = self.next_call(connection) {
            return self.start(connection, &call);
        }
        let now = self.cx.lp.now();
        if self.destroyed.get() || !connection.may_rest(now) {
            return self.retire(connection, CloseReason::Finished);
        }
        connection.rest(now);
        if let Some(host) = self.hosts.borrow_mut().get_mut(&connection.place) {
            host.free.push(connection.clone());
        }
        // A call that must have a new connection, or another place, may need its slot more.
        self.dial_for(&connection.place);
        if self.open.get() >= self.present_limits().in_all {
            self.serve();
        }
    }

    fn unusable(&self, connection: &Rc<Connection>) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(&connection.place) {
            host.free.retain(|free| !Rc::ptr_eq(free, connection));
        }
    }

    fn gone(&self, connection: &Rc<Connection>, left: Left) {
        let place = connection.place.clone();
        if !connection.released.replace(true) {
            self.open.set(self.open.get().saturating_sub(1));
            if let Some(host) = self.hosts.borrow_mut().get_mut(&place) {
                host.open = host.open.saturating_sub(1);
                if !connection.is_made() {
                    host.dialing = host.dialing.saturating_sub(1);
                }
                host.free.retain(|free| !Rc::ptr_eq(free, connection));
                host.all.retain(|one| one.upgrade().is_some_and(|one| !Rc::ptr_eq(&one, connection)));
            }
        }
        match left {
            Left::Nothing => {}
            Left::Call(call, loss) => self.lost(&place, &call, &loss),
            Left::NotMade(end) => self.not_made(&place, &end),
        }
        self.serve();
        self.tidy(&place);
    }

    fn limits(&self) -> Rc<AgentLimits> {
        self.present_limits()
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<crate::secure::Client> {
        self.tls.borrow().clone()
    }
}

impl Pool {
    /// A call has lost its connection before the response was whole: it is sent again, or it ends.
    fn lost(&self, place: &Rc<Place>, call: &Rc<Call>, loss: &Loss) {
        let attempt = {
            let head = call.head().borrow();
            Attempt {
                reused: loss.end.reused,
                answered: loss.answered,
                sent: loss.end.sent,
                idempotent: is_idempotent(head.method()) || head.has("Idempotency-Key"),
                replayable: call.whole().borrow().is_some(),
                allowed: call.may_retry() && !self.destroyed.get(),
                reason: loss.end.reason,
            }
        };
        if !may_retry(&attempt) {
            return call.end(&loss.end);
        }
        log::debug!(target: "oneloop::http", "{call}: its connection was closed before it; it is sent again on a new one");
        self.counts.retried.set(self.counts.retried.get() + 1);
        call.set_retried();
        if let Some(me) = self.me.upgrade() {
            call.carried_by(me);
        }
        let waiting = self.waiting(0, call, &self.present_limits());
        self.hosts.borrow_mut().entry(place.clone()).or_default().waiting.push_front(waiting);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close_free();
    }
}
