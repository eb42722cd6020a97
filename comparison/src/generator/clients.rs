//! The clients whose requests are measured: a closed loop, or an open one at a fixed rate.

use super::arrivals::{Arrivals, Mix};
use super::crew::Driven;
use super::link::{Link, Owner};
use super::tally::{End, Tally, Window};
use super::{Load, Plan};
use oneloop::set_timeout;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Connections that are being made at the same time while the load is set up: far below every backlog.
pub const MAKING: usize = 128;
/// How long a client waits after it was refused, before it tries again.
pub const REFUSED_PAUSE: Duration = Duration::from_millis(10);

/// A request as it is sent.
struct Prepared {
    bytes: Rc<[u8]>,
    timed: bool,
    expect: Option<u64>,
}

/// A client: at most one request under way.
struct Client {
    link: Option<Rc<Link>>,
    /// The request under way: when it was meant to be sent, and which it is.
    asked: Option<(Instant, usize)>,
}

pub struct Clients {
    me: Weak<Clients>,
    port: u16,
    open: bool,
    fresh: bool,
    /// Clients, in an open loop at most.
    most: usize,
    limit: Duration,
    requests: Vec<Prepared>,
    mix: RefCell<Mix>,
    clients: RefCell<Vec<Client>>,
    /// In an open loop: clients with nothing to do, the one that was busy last at the end.
    free: RefCell<Vec<usize>>,
    /// In an open loop: requests without a client.
    queue: RefCell<VecDeque<(Instant, usize)>>,
    arrivals: RefCell<Option<(Instant, Arrivals)>>,
    window: Cell<Option<Window>>,
    tally: RefCell<Tally>,
    /// While the load is set up: connections that are not there yet.
    making: Cell<usize>,
    /// Grows with all that happens.
    happened: Cell<u64>,
}

impl Clients {
    pub fn new(plan: &Plan, part: usize) -> Rc<Clients> {
        let (open, most) = match plan.load {
            Load::Closed { connections } | Load::Events { waiters: connections } => (false, connections),
            Load::Open { connections, .. } => (true, connections),
        };
        let requests = plan.requests.iter().map(|request| Prepared {
            bytes: request.bytes(plan.port, plan.fresh).into(),
            timed: request.timed,
            expect: request.expect,
        });
        Rc::new_cyclic(|me| Clients {
            me: me.clone(),
            port: plan.port,
            open,
            fresh: plan.fresh,
            most,
            limit: Duration::from_secs_f64(plan.timeout),
            requests: requests.collect(),
            mix: RefCell::new(Mix::new(plan.requests.iter().map(|request| request.weight), part as u64)),
            clients: RefCell::default(),
            free: RefCell::default(),
            queue: RefCell::default(),
            arrivals: RefCell::default(),
            window: Cell::new(None),
            tally: RefCell::default(),
            making: Cell::new(0),
            happened: Cell::new(0),
        })
    }

    /// Adds a client, which begins to ask at once.
    fn add(&self, meant: Instant, request: usize) {
        let place = {
            let mut clients = self.clients.borrow_mut();
            clients.push(Client { link: None, asked: None });
            clients.len() - 1
        };
        self.ask(place, meant, request);
    }

    /// Has a client without anything under way ask.
    fn ask(&self, place: usize, meant: Instant, request: usize) {
        let Some(me) = self.me.upgrade() else { return };
        let mut clients = self.clients.borrow_mut();
        let client = &mut clients[place];
        if client.link.as_ref().is_none_or(|link| link.is_closed()) {
            client.link = Some(Link::open(self.port, place, self.limit, me));
        }
        client.asked = Some((meant, request));
        if let Some(link) = &client.link {
            link.ask(&self.requests[request].bytes, self.requests[request].expect);
        }
    }

    /// Returns whether nothing more is to be sent.
    fn is_over(&self, now: Instant) -> bool {
        self.window.get().is_some_and(|window| now >= window.end)
    }

    /// A client's request has ended: counts it, and gives the client the next.
    fn settle(&self, place: usize, now: Instant, end: End) {
        self.happened.set(self.happened.get() + 1);
        let mut clients = self.clients.borrow_mut();
        let client = &mut clients[place];
        let Some((meant, request)) = client.asked.take() else { return };
        if let Some(window) = self.window.get() {
            self.tally.borrow_mut().ended(window, self.open, self.requests[request].timed, meant, now, end);
        }
        match end {
            End::Answered if self.fresh => client.link.take().into_iter().for_each(|link| link.leave()),
            End::Answered => {}
            _ => client.link.take().into_iter().for_each(|link| link.abandon()),
        }
        drop(clients);
        if self.open {
            self.free.borrow_mut().push(place);
            self.dispatch();
        } else if end == End::Refused {
            let me = self.me.clone();
            set_timeout(REFUSED_PAUSE, move || me.upgrade().into_iter().for_each(|me| me.go_on(place)));
        } else {
            self.go_on(place);
        }
    }

    /// In a closed loop: the next request of a client.
    fn go_on(&self, place: usize) {
        let now = Instant::now();
        if !self.is_over(now) {
            let request = self.mix.borrow_mut().next();
            self.ask(place, now, request);
        }
    }

    /// In an open loop: the next request that waited too long for a client. They are in the order in which they were meant.
    fn take_too_old(&self, now: Instant) -> Option<(Instant, usize)> {
        let mut queue = self.queue.borrow_mut();
        let (meant, _) = queue.front()?;
        if now.saturating_duration_since(*meant) > self.limit { queue.pop_front() } else { None }
    }

    /// In an open loop: gives waiting requests to free clients.
    fn dispatch(&self) {
        while !self.queue.borrow().is_empty() {
            let free = self.free.borrow_mut().pop();
            if free.is_none() && self.clients.borrow().len() >= self.most {
                return;
            }
            let Some((meant, request)) = self.queue.borrow_mut().pop_front() else { return };
            match free {
                Some(place) => self.ask(place, meant, request),
                None => self.add(meant, request),
            }
        }
    }
}

impl Owner for Clients {
    fn connected(&self, _link: &Rc<Link>) {
        self.making.set(self.making.get().saturating_sub(1));
        self.happened.set(self.happened.get() + 1);
    }

    fn ended(&self, link: &Rc<Link>, end: End) {
        self.making.set(self.making.get().saturating_sub(usize::from(end == End::Refused)));
        self.settle(link.place, Instant::now(), end);
    }
}

impl Driven for Clients {
    fn set_up(&self, now: Instant) -> bool {
        if self.open {
            return true;
        }
        while self.clients.borrow().len() < self.most && self.making.get() < MAKING {
            self.making.set(self.making.get() + 1);
            let request = self.mix.borrow_mut().next();
            self.add(now, request);
        }
        self.clients.borrow().len() == self.most && self.making.get() == 0
    }

    fn missing(&self) -> usize {
        if self.open { 0 } else { self.most - self.clients.borrow().len() + self.making.get() }
    }

    fn begin(&self, from: Instant, window: Window, rate: f64) {
        self.window.set(Some(window));
        if self.open {
            let end = window.end.saturating_duration_since(from);
            *self.arrivals.borrow_mut() = Some((from, Arrivals::new(rate, end)));
        }
        // Those that the set-up had no time for: they have to be there, even if only to be refused.
        while !self.open && self.clients.borrow().len() < self.most {
            let request = self.mix.borrow_mut().next();
            self.add(from, request);
        }
    }

    fn pace(&self, now: Instant) {
        let (Some(window), Some((from, arrivals))) = (self.window.get(), &mut *self.arrivals.borrow_mut()) else {
            return;
        };
        while let Some(due) = arrivals.take(now.saturating_duration_since(*from)) {
            let meant = *from + due;
            self.tally.borrow_mut().arrived(window, meant, now);
            self.happened.set(self.happened.get() + 1);
            let request = self.mix.borrow_mut().next();
            self.queue.borrow_mut().push_back((meant, request));
        }
        self.dispatch();
    }

    fn next(&self) -> Option<Instant> {
        let arrivals = self.arrivals.borrow();
        let (from, arrivals) = arrivals.as_ref()?;
        Some(*from + arrivals.next()?)
    }

    fn expire(&self, now: Instant) {
        while let Some((meant, request)) = self.take_too_old(now) {
            if let Some(window) = self.window.get() {
                let timed = self.requests[request].timed;
                self.tally.borrow_mut().ended(window, true, timed, meant, now, End::TimedOut);
            }
        }
        let too_old = |asked: &Option<(Instant, usize)>| {
            asked.is_some_and(|(meant, _)| now.saturating_duration_since(meant) > self.limit)
        };
        let late: Vec<usize> = {
            let clients = self.clients.borrow();
            (0..clients.len()).filter(|place| too_old(&clients[*place].asked)).collect()
        };
        for place in late {
            let made = self.clients.borrow()[place].link.as_ref().is_some_and(|link| link.is_made());
            self.making.set(self.making.get().saturating_sub(usize::from(!made)));
            // Not even connected in this time is being refused.
            self.settle(place, now, if made { End::TimedOut } else { End::Refused });
        }
    }

    fn is_settled(&self) -> bool {
        self.queue.borrow().is_empty() && self.clients.borrow().iter().all(|client| client.asked.is_none())
    }

    fn happened(&self) -> u64 {
        self.happened.get()
    }

    fn connections(&self) -> usize {
        self.clients.borrow().iter().filter(|client| client.link.as_ref().is_some_and(|link| link.is_made())).count()
    }

    fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }
}
