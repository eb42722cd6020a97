//! The clients: each does what its plan says, and reads what it is answered.

use super::PORT;
use super::ledger::Ledger;
use super::plan::{Act, After, Connection, MS};
use super::reply::Reader;
use oneloop::sim::{Peer, Sim};
use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::time::Duration;

pub struct Client {
    pub number: u32,
    ledger: Rc<Ledger>,
    pub peer: Peer,
    pub reader: RefCell<Reader>,
    /// True if it has read everything that it was sent, as far as that arrived.
    pub faithful: Cell<bool>,
    /// The server has ended the connection.
    pub ended: Cell<bool>,
    /// When its side of the connection ended first, by its own doing.
    pub left: Cell<Option<Duration>>,
    /// It has what it came for.
    pub satisfied: Cell<bool>,
    /// Requests that it has sent in turn.
    sent: Cell<usize>,
    sim: Weak<Sim>,
    pub stop: Cell<Stop>,
}

/// When things happened to a peer that stops in the middle of a head.
#[derive(Clone, Copy, Default)]
pub struct Stop {
    /// It began that head, or has connected.
    pub began: Duration,
    /// It did last what it still had to do, or got the last answer to another request.
    pub quiet: Duration,
    /// It was sent away.
    pub gone: Option<Duration>,
}

impl Client {
    pub fn plan(&self) -> &Connection {
        &self.ledger.plan.connections[self.number as usize]
    }

    /// How many final answers its requests have, where all goes well.
    pub fn answers_due(&self) -> usize {
        let plan = self.plan();
        plan.requests.len() - usize::from(plan.tunnel.is_some()) + usize::from(!plan.refusals.is_empty())
    }

    /// Connects, and does all else when it is time.
    pub fn start(sim: &Rc<Sim>, ledger: &Rc<Ledger>, number: u32) -> Rc<Client> {
        let plan = &ledger.plan.connections[number as usize];
        // The address says which connection it is.
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), number as u16 + 1));
        let requests = &ledger.plan.requests[plan.requests.start as usize..plan.requests.end as usize];
        let heads = requests.iter().map(|request| request.head).collect();
        let connect = requests.iter().position(|request| request.connect);
        let client = Rc::new(Client {
            number,
            ledger: ledger.clone(),
            peer: sim.connect_from(address, PORT),
            reader: RefCell::new(Reader::new(heads, connect)),
            faithful: Cell::new(true),
            ended: Cell::new(false),
            left: Cell::new(None),
            satisfied: Cell::new(false),
            sent: Cell::new(0),
            sim: Rc::downgrade(sim),
            stop: Cell::new(Stop { began: sim.now(), quiet: sim.now(), gone: None }),
        });
        ledger.event("connect", u64::from(number));
        let weak = Rc::downgrade(&client);
        client.peer.on_data(move |peer, _| {
            if let Some(client) = weak.upgrade() {
                client.received(&peer.take());
            }
        });
        let weak = Rc::downgrade(&client);
        client.peer.on_close(move |_| {
            if let Some(client) = weak.upgrade() {
                client.ended();
            }
        });
        for (at, act) in &plan.acts {
            let (weak, act): (Weak<Client>, Act) = (Rc::downgrade(&client), act.clone());
            sim.at(*at as u32 * MS, move || {
                if let Some(client) = weak.upgrade() {
                    client.act(&act);
                }
            });
        }
        if plan.in_turn {
            client.ask();
        }
        client
    }

    fn act(&self, act: &Act) {
        match act {
            Act::Send(range) => self.send(range.clone()),
            Act::Finish => self.finish(),
            Act::Pause => self.peer.pause_reading(),
            Act::Slow(bytes) => self.peer.read_at_rate(*bytes, 50 * MS),
            Act::Resume => self.peer.resume_reading(),
            Act::Close | Act::Reset => {
                self.faithful.set(false);
                self.leaves();
                if *act == Act::Close { self.peer.close() } else { self.peer.reset() }
            }
        }
    }

    pub fn finish(&self) {
        self.leaves();
        self.peer.finish();
    }

    fn leaves(&self) {
        self.left.set(self.left.get().or(Some(self.now())));
    }

    fn now(&self) -> Duration {
        self.sim.upgrade().map_or(Duration::ZERO, |sim| sim.now())
    }

    fn send(&self, range: Range<usize>) {
        let plan = self.plan();
        let (mut stop, now) = (self.stop.get(), self.now());
        if plan.ends.last().is_some_and(|end| (range.start..range.end).contains(end)) {
            stop.began = now;
        }
        stop.quiet = now;
        self.stop.set(stop);
        self.peer.write(&plan.wire[range]);
    }

    /// Sends the next request, and what is behind the last.
    fn ask(&self) {
        let (plan, nth) = (self.plan(), self.sent.get());
        let from = if nth == 0 { 0 } else { plan.ends[nth - 1] };
        let last = nth + 1 == plan.requests.len();
        let to = if last { plan.wire.len() } else { plan.ends[nth] };
        self.sent.set(nth + 1);
        if self.ledger.plan.ideal && nth > 0 && plan.polite {
            self.ledger.asked.borrow_mut()[self.number as usize] = Some(self.ledger.iteration.get());
        }
        self.send(from..to);
    }

    fn received(&self, bytes: &[u8]) {
        let plan = self.plan();
        self.ledger.event("received", bytes.len() as u64);
        if self.ledger.verbose {
            println!("    by {}: {:?}", self.number, String::from_utf8_lossy(bytes));
        }
        let before = self.reader.borrow().replies.len();
        self.reader.borrow_mut().feed(bytes);
        let (whole, closes, upgraded) = {
            let reader = self.reader.borrow();
            let closes = reader.replies.last().is_some_and(|reply| reply.closes);
            (reader.replies.len(), closes, plan.tunnel.is_none_or(|bytes| reader.has_tunnelled(bytes)))
        };
        if whole > before {
            let mut stop = self.stop.get();
            if whole > plan.requests.len() {
                stop.gone = stop.gone.or(Some(self.now()));
            } else {
                stop.quiet = self.now();
            }
            self.stop.set(stop);
        }
        let asked = self.sent.get();
        if plan.in_turn && whole > before && whole == asked && asked < plan.requests.len() && !closes {
            self.ask();
        }
        if whole >= self.answers_due() && upgraded && !self.satisfied.replace(true) {
            match plan.after {
                After::Close => {
                    self.faithful.set(false);
                    self.leaves();
                    self.peer.close();
                }
                After::Finish => self.finish(),
                After::FinishedBefore | After::Stay => {}
            }
        }
    }

    fn ended(&self) {
        self.ledger.event("ended", u64::from(self.number));
        self.ended.set(true);
        let stop = self.stop.get();
        self.stop.set(Stop { gone: stop.gone.or(Some(self.now())), ..stop });
        if !self.peer.was_reset() {
            self.reader.borrow_mut().end();
        }
        self.leaves();
        self.peer.close();
    }
}
