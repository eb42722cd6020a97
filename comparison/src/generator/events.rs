//! One event to many: clients that wait for it, and one that publishes it.

use super::clients::{MAKING, REFUSED_PAUSE};
use super::crew::Driven;
use super::link::{Link, Owner};
use super::tally::{End, Tally, Window};
use super::{Plan, Request};
use oneloop::set_timeout;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// How long the server is left alone after the last client has begun to wait, so that all are known to it: this long,
const SETTLE: Duration = Duration::from_millis(50);
/// and so much longer for each of them.
const SETTLE_EACH: Duration = Duration::from_micros(50);

/// Clients that cannot begin to wait, because they are refused again and again, are not waited for any longer.
const LONGEST_SETTLE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Waiter {
    link: Option<Rc<Link>>,
    /// It has asked.
    waiting: bool,
    /// It waits for the event that is being published.
    due: bool,
}

pub struct Events {
    me: Weak<Events>,
    port: u16,
    limit: Duration,
    event: Rc<[u8]>,
    publish: Rc<[u8]>,
    waiters: RefCell<Vec<Waiter>>,
    publisher: RefCell<Option<Rc<Link>>>,
    /// Since when an event is being published.
    published: Cell<Option<Instant>>,
    /// When the last one began to wait.
    asked: Cell<Instant>,
    /// When the last event was over, or the warm-up began.
    over: Cell<Instant>,
    most: usize,
    making: Cell<usize>,
    begun: Cell<bool>,
    window: Cell<Option<Window>>,
    tally: RefCell<Tally>,
}

impl Events {
    pub fn new(plan: &Plan, waiters: usize) -> Rc<Events> {
        let publish = Request { method: "POST".into(), ..Request::get("/publish") };
        Rc::new_cyclic(|me| Events {
            me: me.clone(),
            port: plan.port,
            limit: Duration::from_secs_f64(plan.timeout),
            event: Request::get("/event").bytes(plan.port, false).into(),
            publish: publish.bytes(plan.port, false).into(),
            waiters: RefCell::default(),
            publisher: RefCell::default(),
            published: Cell::new(None),
            asked: Cell::new(Instant::now()),
            over: Cell::new(Instant::now()),
            most: waiters,
            making: Cell::new(0),
            begun: Cell::new(false),
            window: Cell::new(None),
            tally: RefCell::default(),
        })
    }

    /// Adds a client, which begins to wait at once.
    fn add(&self) {
        let place = self.waiters.borrow().len();
        self.waiters.borrow_mut().push(Waiter::default());
        self.wait(place);
    }

    /// Has a client wait, on a new connection where it has none.
    fn wait(&self, place: usize) {
        let Some(me) = self.me.upgrade() else { return };
        let mut waiters = self.waiters.borrow_mut();
        let waiter = &mut waiters[place];
        let link = waiter.link.take().filter(|link| !link.is_closed());
        let link = link.unwrap_or_else(|| Link::open(self.port, place, self.limit, me));
        link.ask(&self.event, None);
        (waiter.link, waiter.waiting) = (Some(link), true);
        self.asked.set(Instant::now());
    }

    fn publish(&self, now: Instant) {
        let Some(me) = self.me.upgrade() else { return };
        for waiter in self.waiters.borrow_mut().iter_mut() {
            waiter.due = waiter.waiting;
        }
        self.published.set(Some(now));
        let mut publisher = self.publisher.borrow_mut();
        let link = publisher.take().filter(|link| !link.is_closed());
        let link = link.unwrap_or_else(|| Link::open(self.port, self.most, self.limit, me));
        link.ask(&self.publish, None);
        *publisher = Some(link);
    }

    fn count(&self, now: Instant, end: End) {
        if let (Some(window), Some(published)) = (self.window.get(), self.published.get()) {
            self.tally.borrow_mut().ended(window, false, true, published, now, end);
        }
    }

    fn is_all_woken(&self) -> bool {
        self.waiters.borrow().iter().all(|waiter| !waiter.due)
    }
}

impl Owner for Events {
    fn connected(&self, _link: &Rc<Link>) {
        self.making.set(self.making.get().saturating_sub(1));
    }

    fn ended(&self, link: &Rc<Link>, end: End) {
        let now = Instant::now();
        if link.place == self.most {
            if end != End::Answered {
                self.count(now, end);
            }
            return;
        }
        let due = {
            let mut waiters = self.waiters.borrow_mut();
            let waiter = &mut waiters[link.place];
            waiter.waiting = false;
            std::mem::take(&mut waiter.due)
        };
        if due || end != End::Answered {
            self.count(now, end);
        }
        if due && self.is_all_woken() {
            self.published.set(None);
            self.over.set(now);
        }
        let place = link.place;
        if end == End::Answered {
            self.wait(place);
        } else {
            self.making.set(self.making.get().saturating_sub(1));
            link.abandon();
            let me = self.me.clone();
            set_timeout(REFUSED_PAUSE, move || me.upgrade().into_iter().for_each(|me| me.wait(place)));
        }
    }
}

impl Driven for Events {
    fn set_up(&self, _now: Instant) -> bool {
        while self.waiters.borrow().len() < self.most && self.making.get() < MAKING {
            self.making.set(self.making.get() + 1);
            self.add();
        }
        self.waiters.borrow().len() == self.most && self.making.get() == 0
    }

    fn missing(&self) -> usize {
        self.most - self.waiters.borrow().len() + self.making.get()
    }

    fn begin(&self, from: Instant, window: Window, _rate: f64) {
        self.window.set(Some(window));
        self.begun.set(true);
        self.over.set(from);
        while self.waiters.borrow().len() < self.most {
            self.add();
        }
    }

    fn pace(&self, now: Instant) {
        let over = self.window.get().is_none_or(|window| now >= window.end);
        let settled =
            (self.asked.get() + SETTLE + SETTLE_EACH * self.most as u32).min(self.over.get() + LONGEST_SETTLE);
        if self.begun.get() && !over && self.published.get().is_none() && now >= settled {
            self.publish(now);
        }
    }

    fn next(&self) -> Option<Instant> {
        None
    }

    fn expire(&self, now: Instant) {
        let Some(published) = self.published.get() else { return };
        if now.saturating_duration_since(published) <= self.limit {
            return;
        }
        let late: Vec<usize> = {
            let mut waiters = self.waiters.borrow_mut();
            let late = (0..waiters.len()).filter(|place| waiters[*place].due).collect();
            for waiter in waiters.iter_mut().filter(|waiter| waiter.due) {
                (waiter.due, waiter.waiting) = (false, false);
                waiter.link.take().into_iter().for_each(|link| link.abandon());
            }
            late
        };
        self.publisher.borrow_mut().take().into_iter().for_each(|link| link.abandon());
        late.iter().for_each(|_| self.count(now, End::TimedOut));
        self.published.set(None);
        self.over.set(now);
        late.into_iter().for_each(|place| self.wait(place));
    }

    fn is_settled(&self) -> bool {
        self.published.get().is_none()
    }

    fn happened(&self) -> u64 {
        0
    }

    fn connections(&self) -> usize {
        self.waiters.borrow().iter().filter(|waiter| waiter.link.as_ref().is_some_and(|link| link.is_made())).count()
    }

    fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }
}
