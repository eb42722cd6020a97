//! Peers of WebSockets that do not behave. They are stubborn: they go on after the server has said that it closes.

use super::hall::{PLACE, UNREAD};
use super::{address, numbers, on_leash};
use crate::child::Launch;
use crate::websocket::handshake;
use oneloop::net::{self, CloseReason, Flow, Socket};
use oneloop::{set_immediate, set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The role of their processes: those that flood have one of their own, so that the others come in time.
pub const ROLE: &str = "intruders";
/// The time between two pieces of those that drip.
const EVERY: Duration = Duration::from_secs(1);
/// They come in groups; this is the time between two groups.
const RAMP: Duration = Duration::from_millis(10);
/// Those that flood begin so long after the last of them has its socket: their floods would hold up the handshakes of their process.
const LATER: Duration = Duration::from_secs(1);
/// How many bytes those that flood have on their way at a time: more than a socket takes at once.
const FLOOD: usize = 128 * 1024;
/// What a dripping handshake is answered.
const REFUSED: &[u8] = b"HTTP/1.1 408 ";

/// What they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The handshake comes a field at a time.
    Handshake,
    /// Nothing follows the handshake; it reads, but answers no ping.
    Silent,
    /// A frame comes byte by byte.
    Drip,
    /// Pings, as fast as they go; their pongs are not read.
    Pings,
    /// A message of empty fragments without an end, as fast as they go.
    Empty,
    /// A message of fragments of one byte without an end, as fast as they go.
    Fragments,
    /// It has subscribed, and reads nothing.
    Unread,
    /// A frame without a mask, and many more behind it.
    Unmasked,
}

/// How many of a hundred there are of each kind, and for which reasons the server may cut them. A handshake that drips has no socket yet:
/// it is answered 408. Who does not read is cut as one that answers no ping if there were too few news to fill the kernel's buffers.
pub const KINDS: [(Kind, usize, &[&str]); 8] = [
    (Kind::Handshake, 20, &[]),
    (Kind::Silent, 24, &["ping-timeout"]),
    (Kind::Drip, 16, &["slow-receive"]),
    (Kind::Pings, 5, &["write-stall", "slow-send"]),
    (Kind::Empty, 3, &["slow-receive"]),
    (Kind::Fragments, 2, &["slow-receive", "bad-message"]),
    (Kind::Unread, 15, &["overflow", "write-stall", "slow-send", "ping-timeout"]),
    (Kind::Unmasked, 15, &["bad-message"]),
];

impl Kind {
    fn of(number: usize) -> Kind {
        // 37 and 100 have no common divisor, so each hundred have all kinds, mixed.
        let mut place = number * 37 % 100;
        for (kind, share, _) in KINDS {
            if place < share {
                return kind;
            }
            place -= share;
        }
        Kind::Silent
    }

    /// How many of so many peers are of this kind.
    pub fn count(self, peers: usize) -> usize {
        (0..peers).filter(|number| Kind::of(*number) == self).count()
    }

    /// Its name, which the server is told.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Handshake => "handshake",
            Kind::Silent => "silent",
            Kind::Drip => "drip",
            Kind::Pings => "pings",
            Kind::Empty => "empty",
            Kind::Fragments => "fragments",
            Kind::Unread => UNREAD,
            Kind::Unmasked => "unmasked",
        }
    }

    /// What it sends every second, behind this.
    fn drips(self) -> Option<(&'static [u8], &'static [u8])> {
        match self {
            Kind::Handshake => Some((b"", b"X: y\r\n")),
            // A frame of 10,000 bytes.
            Kind::Drip => Some((b"\x82\xfe\x27\x10mask", b"z")),
            Kind::Unmasked => Some((b"\x81\x05hello", b"\x81\x05hello")),
            _ => None,
        }
    }

    /// What it sends all the time, behind this.
    fn floods(self) -> Option<(&'static [u8], &'static [u8])> {
        match self {
            Kind::Pings => Some((b"", b"\x89\x84\0\0\0\0ping")),
            Kind::Empty => Some((b"\x01\x80mask", b"\x00\x80mask")),
            Kind::Fragments => Some((b"\x02\x81maskx", b"\x00\x81maskx")),
            _ => None,
        }
    }
}

/// How to start the process of those that flood, or of the others. They come spread over `seconds`; when it is told to end, it prints how
/// many handshakes were refused. `connections`: of both processes together.
pub fn launch(port: u16, connections: u64, seconds: u64, floods: bool) -> io::Result<Launch> {
    let numbers = [port.into(), connections, seconds, floods.into()];
    Ok(numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string())))
}

/// The main function of their process, with the arguments PORT CONNECTIONS SECONDS FLOODS (1, or 0).
pub fn main(args: &[String]) -> io::Result<()> {
    let [port, connections, seconds, floods] = numbers::<4>(args)?;
    let (port, connections) = (port as u16, connections as usize);
    // That their loop is late is what they are for.
    oneloop::set_stderr_fallback(false);
    let refused = Arc::new(AtomicU64::new(0));
    let count = refused.clone();
    on_leash(move || {
        println!("{}", count.load(Ordering::Relaxed));
        std::process::exit(0)
    });
    let kept: Rc<RefCell<Vec<Socket>>> = Rc::default();
    let groups = Duration::from_secs(seconds.max(1)).as_millis() / RAMP.as_millis();
    let group = connections.div_ceil(groups as usize);
    let begun = Cell::new(0);
    let floods = floods == 1;
    let waiting = Rc::new(Waiting {
        sockets: RefCell::default(),
        all: (0..connections).filter(|number| Kind::of(*number).floods().is_some()).count(),
    });
    set_interval(RAMP, move || {
        for number in begun.get()..connections.min(begun.get() + group) {
            let kind = Kind::of(number);
            if kind.floods().is_some() == floods {
                kept.borrow_mut().push(come(port, number, kind, &waiting, &refused));
            }
            begun.set(number + 1);
        }
    });
    oneloop::run()
}

fn come(port: u16, number: usize, kind: Kind, waiting: &Rc<Waiting>, refused: &Arc<AtomicU64>) -> Socket {
    let socket = net::connect((address(number).as_str(), port), move |socket| {
        socket.set_allow_half_open(true);
        let request = handshake(&format!("{PLACE}?{}", kind.name()), port);
        // Without the empty line at its end it is no request yet.
        let whole = if kind == Kind::Handshake { request.len() - 2 } else { request.len() };
        socket.write(&request[..whole]).ignore();
    });
    let (is_first, waiting, refused) = (Cell::new(true), waiting.clone(), refused.clone());
    socket.on_data(move |socket, bytes| {
        if !is_first.replace(false) {
            return;
        }
        if kind == Kind::Handshake && bytes.starts_with(REFUSED) {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        // Its socket is open.
        if let Some((before, all)) = kind.floods() {
            waiting.flood(socket, before, all);
        }
        if matches!(kind, Kind::Unread | Kind::Pings) {
            socket.pause();
        }
    });
    if let Some((before, piece)) = kind.drips() {
        drip(socket.clone(), before, piece);
    }
    socket.on_error(|_, _| ());
    socket.on_close(|_, _: CloseReason| ());
    socket
}

fn drip(socket: Socket, piece: &'static [u8], next: &'static [u8]) {
    set_timeout(EVERY, move || {
        if !socket.is_closed() {
            socket.write(piece).ignore();
            drip(socket, next, next);
        }
    });
}

/// Those that flood, until all of them have come.
struct Waiting {
    sockets: RefCell<Vec<(Socket, Rc<[u8]>)>>,
    /// How many there will be.
    all: usize,
}

impl Waiting {
    fn flood(&self, socket: &Socket, before: &[u8], all: &[u8]) {
        let all: Rc<[u8]> = all.repeat(FLOOD / all.len()).into();
        socket.write(before).ignore();
        let again = all.clone();
        socket.on_drain(move |socket| pour(socket.clone(), again.clone()));
        self.sockets.borrow_mut().push((socket.clone(), all));
        if self.sockets.borrow().len() == self.all {
            let sockets = self.sockets.take();
            set_timeout(LATER, move || sockets.into_iter().for_each(|(socket, all)| pour(socket, all)));
        }
    }
}

/// Sends until the kernel takes no more: then there is a drain.
fn pour(socket: Socket, all: Rc<[u8]>) {
    if socket.write(all.clone()) == Flow::Ready {
        set_immediate(move || pour(socket, all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_intruders_are_of_all_kinds_in_their_shares() {
        assert_eq!(KINDS.iter().map(|(_, share, _)| share).sum::<usize>(), 100);
        for (kind, share, _) in KINDS {
            assert_eq!(kind.count(100), share);
        }
    }
}
