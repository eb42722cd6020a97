//! Clients that behave: keep-alive connections with one request at a time each, whose latency is measured.

use super::numbers;
use crate::child::{self, Launch};
use crate::figures::Latencies;
use crate::traffic;
use oneloop::net::{self, Socket};
use oneloop::set_timeout;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The role of their process.
pub const ROLE: &str = "polite";
/// How long a client that was cut off waits before it connects again.
const AGAIN: Duration = Duration::from_millis(100);
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// How many clients there are, and how often each sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The number of clients, each with one connection.
    pub clients: u64,
    /// The time between two requests of one client. Zero: it sends the next one as soon as it is answered.
    pub interval: Duration,
}

/// The results.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// How many answers had the status 200.
    pub answered: u64,
    /// How many other answers there were, and connections that were closed or could not be made.
    pub failed: u64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// Milliseconds.
    pub max: f64,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { answered, failed, p50, p99, max } = self;
        write!(f, "{answered} answered, {failed} failed; p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms")
    }
}

/// The results of the clients of one loop since they were last taken.
#[derive(Debug, Default)]
pub struct Tally {
    latencies: RefCell<Latencies>,
    answered: Cell<u64>,
    failed: Cell<u64>,
}

impl Tally {
    /// Takes the results and begins anew.
    pub fn take(&self) -> Outcome {
        let latencies = self.latencies.take();
        let milliseconds = |share: f64| latencies.percentile(share) / 1000.0;
        Outcome {
            answered: self.answered.take(),
            failed: self.failed.take(),
            p50: milliseconds(0.5),
            p99: milliseconds(0.99),
            max: milliseconds(1.0),
        }
    }

    /// Counts an answer to a request that was due at this time.
    pub(super) fn add(&self, due: Instant, now: Instant) {
        let took = u64::try_from(now.duration_since(due).as_micros()).unwrap_or(u64::MAX);
        self.latencies.borrow_mut().add(took, 1);
        self.answered.set(self.answered.get() + 1);
    }

    pub(super) fn fail(&self) {
        self.failed.set(self.failed.get() + 1);
    }
}

/// Starts the clients on this thread's loop. They send requests until the loop ends.
pub fn start(port: u16, pace: Pace) -> Rc<Tally> {
    let tally = Rc::new(Tally::default());
    for number in 0..pace.clients {
        let client = Rc::new(Client {
            port,
            interval: pace.interval,
            due: Cell::new(Instant::now()),
            unread: RefCell::default(),
            tally: tally.clone(),
        });
        // Spread over the interval, so that they do not all send at once.
        let offset = pace.interval.mul_f64(number as f64 / pace.clients as f64);
        set_timeout(offset, move || client.connect());
    }
    tally
}

struct Client {
    port: u16,
    interval: Duration,
    /// When the request that is not answered yet was due to be sent.
    due: Cell<Instant>,
    unread: RefCell<Vec<u8>>,
    tally: Rc<Tally>,
}

impl Client {
    fn connect(self: Rc<Self>) {
        self.unread.borrow_mut().clear();
        let me = self.clone();
        let socket = net::connect(("127.0.0.1", self.port), move |socket| me.ask(socket, Instant::now()));
        let me = self.clone();
        socket.on_data(move |socket, bytes| me.clone().take(socket, bytes));
        socket.on_error(|_, _| ());
        socket.on_close(move |_, _| {
            self.tally.fail();
            let me = self.clone();
            set_timeout(AGAIN, move || me.connect());
        });
    }

    fn ask(&self, socket: &Socket, due: Instant) {
        self.due.set(due);
        socket.write(REQUEST).ignore();
    }

    fn take(self: Rc<Self>, socket: &Socket, bytes: &[u8]) {
        self.unread.borrow_mut().extend_from_slice(bytes);
        let whole = traffic::answer(&self.unread.borrow());
        match whole {
            Ok(None) => return,
            Ok(Some(answer)) if answer.status == 200 => {
                self.unread.borrow_mut().drain(..answer.length);
            }
            _ => return socket.destroy(),
        }
        let now = Instant::now();
        self.tally.add(self.due.get(), now);
        // If an answer comes after the next request was due, that request is late from its due time on.
        let next = self.due.get() + self.interval;
        if self.interval.is_zero() {
            self.ask(socket, now);
        } else if next <= now {
            self.ask(socket, next);
        } else {
            let socket = socket.clone();
            set_timeout(next - now, move || self.ask(&socket, Instant::now()));
        }
    }
}

/// Measures clients in a process of their own; `place` may pin it.
pub fn measure(port: u16, pace: Pace, time: Duration, place: impl FnOnce(Launch) -> Launch) -> io::Result<Outcome> {
    let said = child::run(&place(launch(port, pace, time)?), time + Duration::from_secs(30))?;
    parse(&said)
}

/// How to start their process, which prints its results when the time is over.
pub fn launch(port: u16, pace: Pace, time: Duration) -> io::Result<Launch> {
    let numbers = [port.into(), pace.clients, pace.interval.as_millis() as u64, time.as_millis() as u64];
    Ok(numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string())))
}

/// Reads the results that their process has printed.
pub fn parse(said: &str) -> io::Result<Outcome> {
    let figures: Vec<f64> = said.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let &[answered, failed, p50, p99, max] = &figures[..] else {
        return Err(io::Error::other(format!("the polite clients said {said:?}")));
    };
    Ok(Outcome { answered: answered as u64, failed: failed as u64, p50, p99, max })
}

/// The main function of their process, with the arguments PORT CLIENTS INTERVAL_MS TIME_MS. The first tenth of the time
/// does not count.
pub fn main(args: &[String]) -> io::Result<()> {
    let [port, clients, interval, time] = numbers::<4>(args)?;
    child::end_with_parent();
    let time = Duration::from_millis(time);
    let tally = start(port as u16, Pace { clients, interval: Duration::from_millis(interval) });
    let warm = tally.clone();
    set_timeout(time / 10, move || {
        let _ = warm.take();
    });
    set_timeout(time, oneloop::stop);
    oneloop::run()?;
    let Outcome { answered, failed, p50, p99, max } = tally.take();
    println!("{answered} {failed} {p50} {p99} {max}");
    Ok(())
}

/// The options that the trials share: the number of clients, and the requests per second of each.
pub fn pace(options: &[(String, u64)]) -> Pace {
    let rate = super::option(options, "rate", 20).max(1);
    Pace { clients: super::option(options, "clients", 50), interval: Duration::from_secs(1) / rate as u32 }
}
