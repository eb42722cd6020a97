//! Connections of all kinds that a server has on a bad day, all at once, each again and again.

use super::polite::{self, Outcome, Pace};
use super::{address, numbers, on_leash, site};
use crate::child::Launch;
use crate::traffic;
use oneloop::net::{self, Socket};
use oneloop::{set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The role of the crowd's process.
pub const ROLE: &str = "crowd";
/// How often it prints a report.
pub const REPORT: Duration = Duration::from_secs(5);
/// The connections come in groups: the time between two groups, and the number of connections in a second.
const RAMP: Duration = Duration::from_millis(10);
const PER_SECOND: usize = 2_000;
/// How many requests a batch of a pipeliner has.
const BATCH: usize = 16;
/// The size of an upload, in bytes.
const UPLOAD: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Idle,
    Silent,
    Active,
    SlowHead,
    SlowBody,
    SlowReader,
    HalfCloser,
    Vanishing,
    Resetting,
    Bad,
    Pipeliner,
    Uploader,
    Downloader,
}

/// How many of a hundred connections are of each kind.
const SHARES: [(Kind, usize); 13] = [
    (Kind::Idle, 38),
    (Kind::Silent, 5),
    (Kind::Active, 20),
    (Kind::SlowHead, 5),
    (Kind::SlowBody, 5),
    (Kind::SlowReader, 5),
    (Kind::HalfCloser, 4),
    (Kind::Vanishing, 4),
    (Kind::Resetting, 4),
    (Kind::Bad, 3),
    (Kind::Pipeliner, 3),
    (Kind::Uploader, 2),
    (Kind::Downloader, 2),
];

impl Kind {
    fn of(number: usize) -> Kind {
        // 37 and 100 have no common divisor, so each hundred connections have all kinds, mixed.
        let mut place = number * 37 % 100;
        for (kind, share) in SHARES {
            if place < share {
                return kind;
            }
            place -= share;
        }
        Kind::Idle
    }

    /// The bytes that it sends when it is connected.
    fn opening(self) -> Vec<u8> {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let post = |bytes: usize| format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        match self {
            Kind::Idle | Kind::HalfCloser => get("/"),
            Kind::Active => get("/later"),
            Kind::Silent => String::new(),
            Kind::SlowHead | Kind::Vanishing => "GET / HTTP/1.1\r\nHost: a\r\n".into(),
            Kind::SlowBody => post(1_000_000),
            Kind::SlowReader | Kind::Resetting => get("/download"),
            Kind::Bad => "GET / HTTP/1.1\r\nHost: a\r\nbad field\r\n\r\n".into(),
            Kind::Pipeliner => get("/").repeat(BATCH),
            Kind::Uploader => post(UPLOAD) + &"x".repeat(UPLOAD),
            Kind::Downloader => get("/file"),
        }
        .into_bytes()
    }

    /// The only answer that it may get, if it is to get one.
    fn status(self) -> Option<u16> {
        match self {
            Kind::Bad => Some(400),
            Kind::SlowHead | Kind::SlowBody => Some(408),
            Kind::Silent | Kind::Vanishing => None,
            _ => Some(200),
        }
    }
}

/// A report, which the process prints every five seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// How many connections are open, not counting polite ones.
    pub open: u64,
    /// How many connections have been made since the last report.
    pub made: u64,
    /// How many whole answers have come since the last report, not counting those of polite clients.
    pub answered: u64,
    /// How many answers were wrong, since the beginning.
    pub wrong: u64,
    /// The results of the polite clients since the last report.
    pub polite: Outcome,
}

impl Report {
    /// Reads a report that the process has printed.
    pub fn parse(line: &str) -> Option<Report> {
        let (counts, outcome) = line.split_once('|')?;
        let counts: Vec<u64> = counts.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[open, made, answered, wrong] = &counts[..] else { return None };
        Some(Report { open, made, answered, wrong, polite: polite::parse(outcome).ok()? })
    }
}

/// How to start the process, which goes on until it is told to end.
pub fn launch(port: u16, connections: u64, pace: Pace) -> io::Result<Launch> {
    let numbers = [port.into(), connections, pace.clients, pace.interval.as_millis() as u64];
    Ok(numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string())))
}

/// The main function of the process, with the arguments PORT CONNECTIONS CLIENTS INTERVAL_MS.
pub fn main(args: &[String]) -> io::Result<()> {
    let [port, connections, clients, interval] = numbers::<4>(args)?;
    on_leash(|| std::process::exit(0));
    let crowd = Rc::new(Crowd { port: port as u16, random: Cell::new(1), ..Crowd::default() });
    let (begun, all) = (Cell::new(0), connections as usize);
    let group = PER_SECOND * RAMP.as_millis() as usize / 1000;
    let (coming, ramp) = (crowd.clone(), Rc::new(Cell::new(None)));
    let over = ramp.clone();
    ramp.set(Some(set_interval(RAMP, move || {
        for _ in 0..group.min(all - begun.get()) {
            coming.clone().come(begun.get());
            begun.set(begun.get() + 1);
        }
        if begun.get() == all
            && let Some(ramp) = over.take()
        {
            oneloop::Timeout::clear(&ramp);
        }
    })));
    let tally = polite::start(port as u16, Pace { clients, interval: Duration::from_millis(interval) });
    set_interval(REPORT, move || {
        let Outcome { answered, failed, p50, p99, max } = tally.take();
        let (open, made, answers, wrong) =
            (crowd.open.get(), crowd.made.take(), crowd.answered.take(), crowd.wrong.get());
        println!("{open} {made} {answers} {wrong}|{answered} {failed} {p50} {p99} {max}");
    });
    oneloop::run()
}

#[derive(Default)]
struct Crowd {
    port: u16,
    random: Cell<u64>,
    open: Cell<u64>,
    made: Cell<u64>,
    answered: Cell<u64>,
    wrong: Cell<u64>,
}

fn more(count: &Cell<u64>, by: u64) {
    count.set(count.get() + by);
}

impl Crowd {
    /// A random time around `seconds`: from half of it to one and a half times as long.
    fn about(&self, time: Duration) -> Duration {
        // xorshift is good enough here.
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        time.mul_f64(0.5 + (random % 1000) as f64 / 1000.0)
    }

    /// Connects, does what its kind does until the connection ends, and connects again after a while.
    fn come(self: Rc<Self>, number: usize) {
        let kind = Kind::of(number);
        let me = self.clone();
        let was_open = Rc::new(Cell::new(false));
        let opened = was_open.clone();
        let socket = net::connect((address(number).as_str(), self.port), move |socket| {
            more(&me.open, 1);
            more(&me.made, 1);
            opened.set(true);
            me.clone().begin(kind, socket);
        });
        let me = self.clone();
        let unread = RefCell::new(Vec::new());
        socket.on_data(move |socket, bytes| me.clone().take(kind, socket, &unread, bytes));
        socket.on_error(|_, _| ());
        socket.on_close(move |_, _| {
            if was_open.get() {
                self.open.set(self.open.get().saturating_sub(1));
            }
            let again = self.clone();
            set_timeout(self.about(Duration::from_secs(1)), move || again.come(number));
        });
    }

    fn begin(self: Rc<Self>, kind: Kind, socket: &Socket) {
        socket.write(kind.opening()).ignore();
        match kind {
            Kind::HalfCloser => socket.end(()),
            Kind::SlowHead => self.drip(socket.clone(), "X: y\r\n"),
            Kind::SlowBody => self.drip(socket.clone(), "z"),
            Kind::SlowReader => {
                socket.pause();
                self.sip(socket.clone());
            }
            Kind::Vanishing => self.later(2, socket, |_, socket| socket.destroy()),
            Kind::Resetting => self.later(1, socket, |_, socket| socket.reset()),
            _ => {}
        }
    }

    fn later(self: Rc<Self>, seconds: u64, socket: &Socket, f: impl FnOnce(Rc<Self>, &Socket) + 'static) {
        let socket = socket.clone();
        set_timeout(self.about(Duration::from_secs(seconds)), move || {
            if !socket.is_closed() {
                f(self, &socket);
            }
        });
    }

    /// Sends a piece every second.
    fn drip(self: Rc<Self>, socket: Socket, piece: &'static str) {
        self.later(1, &socket, move |me, socket| {
            socket.write(piece).ignore();
            me.drip(socket.clone(), piece);
        });
    }

    /// Reads a little every few seconds.
    fn sip(self: Rc<Self>, socket: Socket) {
        self.later(4, &socket, |me, socket| {
            socket.resume();
            me.sip(socket.clone());
        });
    }

    fn take(self: Rc<Self>, kind: Kind, socket: &Socket, unread: &RefCell<Vec<u8>>, bytes: &[u8]) {
        match kind {
            // Neither of these reads to the end.
            Kind::Resetting | Kind::SlowReader => return socket.pause(),
            _ => {}
        }
        let mut unread = unread.borrow_mut();
        unread.extend_from_slice(bytes);
        let mut whole = 0;
        loop {
            match traffic::answer(&unread) {
                Ok(None) => break,
                Ok(Some(answer)) => {
                    let long_enough = kind != Kind::Downloader || answer.length - answer.head == site::FILE;
                    if kind.status() != Some(answer.status) || !long_enough {
                        more(&self.wrong, 1);
                    }
                    whole += 1;
                    unread.drain(..answer.length);
                }
                Err(_) => {
                    more(&self.wrong, 1);
                    return socket.destroy();
                }
            }
        }
        if unread.is_empty() {
            *unread = Vec::new();
        }
        more(&self.answered, whole);
        let pause = match kind {
            Kind::Active => 1,
            // The answers to a batch may come in several pieces.
            Kind::Pipeliner if whole > 0 && unread.is_empty() => 2,
            Kind::Uploader | Kind::Downloader => 4,
            _ => return,
        };
        if whole > 0 {
            self.later(pause, socket, move |_, socket| socket.write(kind.opening()).ignore());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_connections_have_all_kinds_in_their_shares() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<usize>(), 100);
        for (kind, share) in SHARES {
            assert_eq!((300..400).filter(|number| Kind::of(*number) == kind).count(), share);
        }
    }
}
