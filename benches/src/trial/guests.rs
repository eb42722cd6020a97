//! Clients of WebSockets that behave: each has one message under way, whose round trip is measured, and reads the news.

use super::hall::{GUEST, NEWS, PLACE};
use super::numbers;
use super::polite::{self, Outcome, Pace, Tally};
use crate::child::{self, Launch};
use oneloop::ws::{self, Message, WebSocket};
use oneloop::{set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The role of their process.
pub const ROLE: &str = "guests";
/// How long a client that was cut off waits before it connects again.
const AGAIN: Duration = Duration::from_millis(100);
/// A client that has had no answer, or no news, for this time counts as one that has lost something.
const LOST: Duration = Duration::from_secs(20);
/// How often that is checked.
const CHECK: Duration = Duration::from_secs(5);

struct Guest {
    port: u16,
    interval: Duration,
    /// When the message that has not come back yet was due to be sent, and which one it is.
    due: Cell<Instant>,
    serial: Cell<u64>,
    asked: RefCell<String>,
    /// The number of the last news of this connection; when they came.
    news: Cell<u64>,
    heard: Cell<Instant>,
    tally: Rc<Tally>,
}

impl Guest {
    fn connect(self: Rc<Self>) {
        self.news.set(0);
        let me = self.clone();
        let url = format!("ws://127.0.0.1:{}{PLACE}?{GUEST}", self.port);
        let socket = ws::connect(url, move |socket| me.ask(socket, Instant::now()));
        let me = self.clone();
        socket.on_message(move |socket, message| me.clone().take(socket, message));
        socket.on_error(|_, _| ());
        socket.on_close(move |_, _| {
            self.tally.fail();
            let me = self.clone();
            set_timeout(AGAIN, move || me.connect());
        });
    }

    fn ask(&self, socket: &WebSocket, due: Instant) {
        self.due.set(due);
        self.serial.set(self.serial.get() + 1);
        let text = format!("message {}", self.serial.get());
        socket.send(&*text).ignore();
        self.asked.replace(text);
    }

    fn take(self: Rc<Self>, socket: &WebSocket, message: Message<'_>) {
        let Message::Text(text) = message else { return self.tally.fail() };
        let now = Instant::now();
        if let Some(news) = text.strip_prefix(NEWS) {
            let serial = news.split(' ').next().and_then(|serial| serial.parse().ok()).unwrap_or(0);
            let before = self.news.replace(serial);
            self.heard.set(now);
            if before != 0 && serial != before + 1 {
                self.tally.fail();
            }
            return;
        }
        if text != *self.asked.borrow() {
            return self.tally.fail();
        }
        self.tally.add(self.due.get(), now);
        // If an answer comes after the next message was due, that message is late from its due time on.
        let next = self.due.get() + self.interval;
        if next <= now {
            self.ask(socket, next);
        } else {
            let socket = socket.clone();
            set_timeout(next - now, move || self.ask(&socket, Instant::now()));
        }
    }

    fn check(&self) {
        let now = Instant::now();
        if now > self.due.get() + LOST.max(2 * self.interval) || now > self.heard.get() + LOST {
            self.tally.fail();
        }
    }
}

/// How to start their process, which prints its results when the time is over.
pub fn launch(port: u16, pace: Pace, time: Duration) -> io::Result<Launch> {
    let numbers = [port.into(), pace.clients, pace.interval.as_millis() as u64, time.as_millis() as u64];
    Ok(numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string())))
}

/// Measures them while nothing else happens.
pub fn measure(port: u16, pace: Pace, time: Duration) -> io::Result<Outcome> {
    polite::parse(&child::run(&launch(port, pace, time)?, time + Duration::from_secs(30))?)
}

/// The main function of their process, with the arguments PORT CLIENTS INTERVAL_MS TIME_MS. The first tenth of the time does not
/// count.
pub fn main(args: &[String]) -> io::Result<()> {
    let [port, clients, interval, time] = numbers::<4>(args)?;
    child::end_with_parent();
    let (time, interval) = (Duration::from_millis(time), Duration::from_millis(interval));
    let (tally, now) = (Rc::new(Tally::default()), Instant::now());
    let mut guests = Vec::new();
    for number in 0..clients {
        let guest = Rc::new(Guest {
            port: port as u16,
            interval,
            due: Cell::new(now),
            serial: Cell::new(0),
            asked: RefCell::default(),
            news: Cell::new(0),
            heard: Cell::new(now),
            tally: tally.clone(),
        });
        guests.push(guest.clone());
        // Spread over the interval, so that they do not all send at once.
        set_timeout(interval.mul_f64(number as f64 / clients as f64), move || guest.connect());
    }
    let warm = tally.clone();
    set_timeout(time / 10, move || _ = warm.take());
    set_interval(CHECK, move || guests.iter().for_each(|guest| guest.check()));
    set_timeout(time, oneloop::stop);
    oneloop::run()?;
    let Outcome { answered, failed, p50, p99, max } = tally.take();
    println!("{answered} {failed} {p50} {p99} {max}");
    Ok(())
}
