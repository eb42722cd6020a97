//! Makes the connection of a stream, for any protocol: looks the name up, then tries its addresses by the rules of RFC 8305
//! ("Happy Eyeballs").
//!
//! ```text
//!   look-up ──addresses, families in turn──► attempt 1 ──250 ms, or it fails──► attempt 2 ──► …
//!                                                └────────── the first that connects ─────────┴──► the stream; the rest are closed
//! ```
//! A slow attempt goes on when the next one begins, since it may be the only one that ever succeeds. Attempts end when one
//! succeeds, or when the time limit of the whole dial has passed.

use super::context::Connecting;
use super::look_up::{Asker, LookUps};
use super::place::Place;
use super::{Address, CloseReason, Stream, Target};
use crate::callback::Site;
use crate::event_loop::driver::{Io, Ready};
use crate::event_loop::{Deadline, Kind, Loop, Source, Token, next_tick, set_deadline};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How many attempts of one dial may be under way at a time. Each has a file descriptor, and a name may have dozens of
/// addresses.
const PARALLEL: usize = 6;

/// The making of one connection. The net context keeps it, under the token of its stream, until it has succeeded or failed.
pub(crate) struct Dial {
    stream: Weak<Stream>,
    /// Where to connect to, for error messages.
    to: Place,
    /// How long an attempt runs before the next one begins.
    delay: Duration,
    /// Addresses that have not been tried yet.
    left: RefCell<VecDeque<Address>>,
    attempts: RefCell<Vec<Rc<Attempt>>>,
    failed: RefCell<Vec<(Address, io::Error)>>,
    looking_up: Cell<bool>,
    timers: Timers,
}

#[derive(Default)]
struct Timers {
    /// Limits the whole dial.
    whole: Cell<Option<Deadline>>,
    /// Limits the look-up; afterwards, begins the next attempt.
    step: Cell<Option<Deadline>>,
}

impl Dial {
    /// Begins to connect. Later the loop calls `Protocol::connected`, or closes the stream with the reason of the failure.
    pub fn start(stream: &Rc<Stream>, target: Target, site: Site) {
        let left = match &target.place {
            Place::Ip(address) => VecDeque::from([Address::Ip(*address)]),
            Place::Path(path) => VecDeque::from([Address::Unix(Some(path.clone()))]),
            Place::Abstract(name) => VecDeque::from([Address::Abstract(name.clone())]),
            Place::Port(_) | Place::Host(..) | Place::Unclear(..) => VecDeque::new(),
        };
        let host = match &target.place {
            Place::Host(host, _) => Some(host.clone()),
            Place::Port(_) => Some("localhost".to_owned()),
            _ => None,
        };
        let known = host.as_deref().and_then(|host| LookUps::known(&stream.cx().lp, host, target.look_up_age.into()));
        let dial = Rc::new(Dial {
            stream: Rc::downgrade(stream),
            to: target.place,
            delay: target.attempt_delay,
            left: RefCell::new(left),
            attempts: RefCell::default(),
            failed: RefCell::default(),
            looking_up: Cell::new(host.is_some() && known.is_none()),
            timers: Timers::default(),
        });
        stream.cx().dials.borrow_mut().insert(stream.token(), dial.clone());
        dial.after(&dial.timers.whole, target.timeout, move |dial| dial.out_of_time(target.timeout));
        match host.filter(|_| known.is_none()) {
            Some(host) => {
                let limit = target.look_up_timeout;
                dial.after(&dial.timers.step, limit, move |dial| dial.look_up_out_of_time(limit));
                let asker: Weak<Dial> = Rc::downgrade(&dial);
                LookUps::ask(&stream.cx().lp, site, &host, asker);
            }
            // The first attempt begins in a tick, not in this call: if it fails, the loop must report the failure.
            None => {
                let weak = Rc::downgrade(&dial);
                next_tick(move || match (weak.upgrade(), known) {
                    (Some(dial), Some(known)) => dial.resolved(&Ok(known)),
                    (Some(dial), None) => dial.go_on(),
                    (None, _) => {}
                });
            }
        }
    }

    fn after(self: &Rc<Dial>, slot: &Cell<Option<Deadline>>, time: Duration, f: impl FnOnce(&Rc<Dial>) + 'static) {
        let weak = Rc::downgrade(self);
        let timer = set_deadline(time, move || {
            if let Some(dial) = weak.upgrade() {
                f(&dial);
            }
        });
        clear(slot.replace(Some(timer)));
    }

    /// The stream, as long as it is waiting for this connection.
    fn stream(&self) -> Option<Rc<Stream>> {
        self.stream.upgrade().filter(|stream| stream.is_connecting())
    }

    // ---- Addresses

    /// Begins the next attempt. If there is no address left and no attempt is under way, the dial has failed.
    fn go_on(self: &Rc<Dial>) {
        clear(self.timers.step.take());
        let Some(stream) = self.stream() else { return };
        while self.attempts.borrow().len() < PARALLEL {
            let next = self.left.borrow_mut().pop_front();
            let Some(address) = next else { break };
            match Attempt::start(self, &stream, &address) {
                Ok(attempt) => {
                    self.attempts.borrow_mut().push(attempt);
                    if !self.left.borrow().is_empty() {
                        self.after(&self.timers.step, self.delay, Dial::go_on);
                    }
                    return;
                }
                Err(error) => self.failed.borrow_mut().push((address, error)),
            }
        }
        if self.attempts.borrow().is_empty() {
            self.all_failed();
        }
    }

    fn attempt_failed(self: &Rc<Dial>, attempt: &Rc<Attempt>, error: io::Error) {
        self.attempts.borrow_mut().retain(|other| !Rc::ptr_eq(other, attempt));
        self.failed.borrow_mut().push((attempt.address.clone(), error));
        self.go_on();
    }

    fn succeeded(self: &Rc<Dial>, io: Io, address: &Address) {
        if let Some(stream) = self.stream() {
            stream.cx().end_dial(stream.token());
            stream.connected(io, address);
        }
    }

    // ---- Failures

    fn all_failed(&self) {
        if let (Place::Host(host, _), Some(stream)) = (&self.to, self.stream()) {
            LookUps::forget(&stream.cx().lp, host);
        }
        let kind = match (self.to.check(), self.failed.borrow().last()) {
            (Err(unclear), _) => unclear.kind(),
            (_, Some((_, error))) => error.kind(),
            (_, None) => ErrorKind::NotFound,
        };
        let why = match self.to.check() {
            Err(unclear) => unclear.to_string(),
            Ok(()) if self.failed.borrow().is_empty() => "the name has no address".to_owned(),
            Ok(()) => self.failures().join("; "),
        };
        self.fail(CloseReason::ConnectFailed, kind, why);
    }

    fn out_of_time(&self, limit: Duration) {
        let mut why = vec![format!("no connection within {limit:?}")];
        if self.looking_up.get() {
            why.push("its name is still being looked up".to_owned());
        }
        why.extend(self.failures());
        why.extend(self.attempts.borrow().iter().map(|attempt| format!("{} does not answer", attempt.address)));
        self.fail(CloseReason::ConnectTimeout, ErrorKind::TimedOut, why.join("; "));
    }

    fn look_up_out_of_time(&self, limit: Duration) {
        let why = format!("the look-up of its name took longer than {limit:?}: does the name server answer?");
        self.fail(CloseReason::ConnectTimeout, ErrorKind::TimedOut, why);
    }

    /// The error of each address that failed, in the order of the failures.
    fn failures(&self) -> Vec<String> {
        let to = self.to.to_string();
        let text = |(address, error): &(Address, io::Error)| {
            let address = address.to_string();
            if address == to { error.to_string() } else { format!("{address}: {error}") }
        };
        self.failed.borrow().iter().map(text).collect()
    }

    #[cold]
    fn fail(&self, reason: CloseReason, kind: ErrorKind, why: impl Display) {
        if let Some(stream) = self.stream() {
            stream.destroy_with(reason, io::Error::new(kind, format!("cannot connect to {}: {why}", self.to)));
        }
    }
}

impl Connecting for Dial {
    /// Ends all attempts and timers.
    fn end(&self) {
        clear(self.timers.whole.take());
        clear(self.timers.step.take());
        self.left.take();
        for attempt in self.attempts.take() {
            attempt.close();
        }
    }
}

impl Asker for Dial {
    fn resolved(self: Rc<Self>, found: &io::Result<Vec<SocketAddr>>) {
        let (Place::Host(_, port) | Place::Port(port)) = self.to else { return };
        self.looking_up.set(false);
        match found {
            Ok(found) => {
                *self.left.borrow_mut() = in_order(found, port).into_iter().map(Address::Ip).collect();
                self.go_on();
            }
            Err(error) => self.fail(CloseReason::ConnectFailed, error.kind(), error),
        }
    }
}

fn clear(timer: Option<Deadline>) {
    if let Some(timer) = timer {
        timer.clear();
    }
}

/// The order in which addresses are tried: that of the resolver (RFC 6724), but alternating between the families (RFC 8305,
/// section 4), so that a family that does not work delays the connection by one attempt only. Duplicates are removed.
fn in_order(found: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        let address = with_port(*address, port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            return ordered;
        }
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// The attempt to connect to one address. It owns its socket until the socket is connected.
struct Attempt {
    dial: Weak<Dial>,
    address: Address,
    /// `None` once the attempt has ended.
    io: RefCell<Option<Io>>,
    token: Cell<Token>,
    lp: Weak<Loop>,
}

impl Attempt {
    fn start(dial: &Rc<Dial>, stream: &Stream, address: &Address) -> io::Result<Rc<Attempt>> {
        let lp = &stream.cx().lp;
        let mut io = lp.driver().connect(address)?;
        let attempt = Rc::new(Attempt {
            dial: Rc::downgrade(dial),
            address: address.clone(),
            io: RefCell::new(None),
            token: Cell::new(Token::NONE),
            lp: Rc::downgrade(lp),
        });
        attempt.token.set(lp.insert(attempt.clone()));
        if let Err(error) = lp.driver().register(&mut io, attempt.token.get().number()) {
            lp.remove(attempt.token.get());
            return Err(error);
        }
        *attempt.io.borrow_mut() = Some(io);
        Ok(attempt)
    }

    /// Ends the attempt and returns its socket, which closes when it is dropped. The attempt's slot is freed in the closing
    /// phase.
    fn close(&self) -> Option<Io> {
        let io = self.io.borrow_mut().take()?;
        if let Some(lp) = self.lp.upgrade() {
            lp.make_closing(self.token.get());
        }
        Some(io)
    }

    /// Returns whether the connection is made, or the error with which it failed.
    fn outcome(&self) -> io::Result<bool> {
        let io = self.io.borrow();
        let Some(io) = &*io else { return Ok(false) };
        match io.take_error()? {
            Some(error) => Err(error),
            // If the socket has neither an error nor a peer, the event was spurious.
            None => match io.peer_addr() {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}

impl Source for Attempt {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, ready: Ready) {
        if !ready.has(Ready::WRITE.with(Ready::ERROR)) {
            return;
        }
        let outcome = self.outcome();
        if matches!(outcome, Ok(false)) {
            return;
        }
        let io = self.close();
        let (Some(dial), Some(io)) = (self.dial.upgrade(), io) else { return };
        match outcome {
            Ok(_) => dial.succeeded(io, &self.address),
            Err(error) => {
                drop(io);
                dial.attempt_failed(&self, error);
            }
        }
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {}

    fn due(self: Rc<Self>, _lp: &Rc<Loop>) {}

    fn closed(self: Rc<Self>, _lp: &Rc<Loop>) {}

    fn teardown(&self) {
        let io = self.io.borrow_mut().take();
        drop(io);
    }

    fn kind(&self) -> Kind {
        Kind::Attempt
    }

    fn buffered(&self) -> usize {
        0
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::in_order;
    use std::net::SocketAddr;

    #[test]
    fn the_families_are_tried_in_turn_beginning_with_the_resolvers_first() {
        let order = |found: &[&str]| {
            let found: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
            in_order(&found, 80).iter().map(|address| address.ip().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(order(&["::1", "::2", "::3", "1.1.1.1", "1.1.1.2"]), ["::1", "1.1.1.1", "::2", "1.1.1.2", "::3"]);
        assert_eq!(order(&["1.1.1.1", "::1", "::2", "1.1.1.1"]), ["1.1.1.1", "::1", "::2"]);
        assert_eq!(order(&["1.1.1.1", "1.1.1.2"]), ["1.1.1.1", "1.1.1.2"]);
        assert_eq!(order(&[]), [""; 0]);
    }

    #[test]
    fn the_port_is_the_targets_and_the_scope_stays() {
        let found: SocketAddr = "[fe80::1%3]:0".parse().unwrap();
        assert_eq!(in_order(&[found], 80)[0].to_string(), "[fe80::1%3]:80");
    }
}
