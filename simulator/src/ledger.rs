//! What happened: each exchange with its events, the trace, and what was found wrong.

use super::plan::{Plan, What};
use super::random::mix;
use oneloop::http::{Response, Server};
use oneloop::net::CloseReason;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// The first of these are told.
const FAULTS: usize = 20;

pub struct Ledger {
    pub plan: Plan,
    /// Rounds of the loop so far.
    pub iteration: Cell<u64>,
    /// A hash of all events so far.
    pub trace: Cell<u64>,
    /// Prints each event.
    pub verbose: bool,
    pub faults: RefCell<Vec<String>>,
    pub exchanges: RefCell<Vec<Rc<Exchange>>>,
    /// Responses that a handler keeps for ever.
    pub kept: RefCell<Vec<Response>>,
    /// Closures that are alive and were given to the library.
    pub closures: Cell<i64>,
    pub accepted: Cell<u64>,
    pub refused: Cell<u64>,
    pub server: RefCell<Option<Server>>,
    /// The server's `on_close` was called, and it does not listen again.
    pub closed: Cell<bool>,
    pub server_closes: Cell<u32>,
    /// How often who closed it was told that it is.
    pub told: Cell<u32>,
    /// It was closed among the traffic.
    pub shut: Cell<bool>,
    /// For each connection, the iteration in which a request of it was dispatched last, and how many were.
    pub dispatched: RefCell<Vec<(u64, u32)>>,
    /// For each connection that asks in turn, the iteration in which its present request was sent.
    pub asked: RefCell<Vec<Option<u64>>>,
    pub upgraded: RefCell<Vec<(u32, Rc<Cell<u32>>)>>,
    /// The largest single write so far, in bytes.
    pub largest_write: Cell<usize>,
}

/// By which listener a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Request,
    /// It is one more than its connection may bring.
    Beyond,
    Upgrade,
}

/// One request that was dispatched, and what became of it.
pub struct Exchange {
    /// `None`: its target is none of ours.
    pub id: Option<u32>,
    pub connection: u32,
    pub finished: Cell<u32>,
    pub response_closes: Cell<u32>,
    pub closes: Cell<u32>,
    pub reason: Cell<Option<CloseReason>>,
    /// When that was told, on the virtual clock.
    pub ended: Cell<Duration>,
    pub door: Door,
}

impl Ledger {
    pub fn new(plan: Plan, verbose: bool) -> Rc<Ledger> {
        let connections = plan.connections.len();
        Rc::new(Ledger {
            plan,
            iteration: Cell::new(0),
            trace: Cell::new(0),
            verbose,
            faults: RefCell::default(),
            exchanges: RefCell::default(),
            kept: RefCell::default(),
            closures: Cell::new(0),
            accepted: Cell::new(0),
            refused: Cell::new(0),
            server: RefCell::default(),
            closed: Cell::new(false),
            server_closes: Cell::new(0),
            told: Cell::new(0),
            shut: Cell::new(false),
            dispatched: RefCell::new(vec![(0, 0); connections]),
            asked: RefCell::new(vec![None; connections]),
            upgraded: RefCell::default(),
            largest_write: Cell::new(0),
        })
    }

    pub fn fault(&self, text: impl Display) {
        if self.verbose {
            println!("{:>12?} FAULT {text}", oneloop::now());
        }
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS {
            faults.push(format!("{text} (at {:?})", oneloop::now()));
        }
    }

    /// An event: the order, the time and the subject of all of them are the trace.
    pub fn event(&self, what: &str, subject: u64) {
        if self.verbose {
            println!("{:>12?} {what} {subject}", oneloop::now());
        }
        let mut hash = mix(self.trace.get() ^ oneloop::now().as_nanos() as u64);
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.trace.set(mix(hash ^ subject));
    }
}

/// What every closure that the library gets has with it: it counts them, and notes what they are called for.
pub struct Watch {
    pub ledger: Rc<Ledger>,
    pub exchange: Rc<Exchange>,
}

impl Watch {
    pub fn new(ledger: &Rc<Ledger>, exchange: Rc<Exchange>) -> Watch {
        ledger.closures.set(ledger.closures.get() + 1);
        Watch { ledger: ledger.clone(), exchange }
    }

    pub fn subject(&self) -> u64 {
        self.exchange.id.map_or(u64::MAX, u64::from)
    }

    pub fn what(&self) -> Option<What> {
        self.exchange.id.map(|id| self.ledger.plan.requests[id as usize].what)
    }

    /// A listener of the exchange was called: never after its close.
    pub fn called(&self, what: &str) {
        self.ledger.event(what, self.subject());
        if self.exchange.closes.get() > 0 {
            self.ledger.fault(format_args!("request {}: {what} after its close", self.subject()));
        }
    }

    pub fn fault(&self, text: impl Display) {
        self.ledger.fault(format_args!("request {}: {text}", self.subject()));
    }
}

impl Clone for Watch {
    fn clone(&self) -> Watch {
        Watch::new(&self.ledger, self.exchange.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ledger.closures.set(self.ledger.closures.get() - 1);
    }
}
