//! Peers that are as slow as they can be, and stubborn: they go on after the server has answered and sent its FIN.

use super::{address, numbers, on_leash};
use crate::child::Launch;
use oneloop::net::{self, CloseReason, Socket};
use oneloop::{set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The role of their process.
pub const ROLE: &str = "sluggish";
/// The time between two pieces of what they send.
const EVERY: Duration = Duration::from_secs(1);
/// They come in groups; this is the time between two groups.
const RAMP: Duration = Duration::from_millis(10);

/// The part of an exchange in which they are slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// slowloris: they send the head, a field at a time.
    Head,
    /// slow post: they send the body, a byte at a time.
    Body,
    /// slow read: they ask for a large answer and never read it.
    Read,
}

impl Kind {
    /// The name in the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Head => "head",
            Kind::Body => "body",
            Kind::Read => "read",
        }
    }

    /// The bytes with which they begin.
    fn opening(self) -> &'static str {
        match self {
            Kind::Head => "GET / HTTP/1.1\r\nHost: a\r\n",
            Kind::Body => "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
            Kind::Read => "GET /download HTTP/1.1\r\nHost: a\r\n\r\n",
        }
    }

    fn piece(self) -> Option<&'static str> {
        match self {
            Kind::Head => Some("X: y\r\n"),
            Kind::Body => Some("z"),
            Kind::Read => None,
        }
    }
}

/// How to start their process. They come spread over `seconds`; it prints `open` when all have been connected.
pub fn launch(port: u16, connections: u64, kind: Kind, seconds: u64) -> io::Result<Launch> {
    let numbers = [port.into(), connections, seconds];
    let launch = numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string()));
    Ok(launch.arg(kind.name()))
}

/// The main function of their process, with the arguments PORT CONNECTIONS SECONDS KIND.
pub fn main(args: &[String]) -> io::Result<()> {
    let [port, connections, seconds] = numbers::<3>(args)?;
    let (port, connections) = (port as u16, connections as usize);
    let kind = [Kind::Head, Kind::Body, Kind::Read]
        .into_iter()
        .find(|kind| args.last().is_some_and(|last| last == kind.name()));
    let kind = kind.ok_or_else(|| io::Error::other("the kind is head, body or read"))?;
    on_leash(|| std::process::exit(0));
    let (begun, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let kept: Rc<RefCell<Vec<Socket>>> = Rc::default();
    let groups = Duration::from_secs(seconds.max(1)).as_millis() / RAMP.as_millis();
    let group = connections.div_ceil(groups as usize);
    set_interval(RAMP, move || {
        for _ in 0..group.min(connections - begun.get()) {
            let open = open.clone();
            let socket = attack(port, begun.get(), kind, move || {
                open.set(open.get() + 1);
                if open.get() == connections {
                    println!("open");
                }
            });
            kept.borrow_mut().push(socket);
            begun.set(begun.get() + 1);
        }
    });
    oneloop::run()
}

fn attack(port: u16, number: usize, kind: Kind, connected: impl FnOnce() + 'static) -> Socket {
    let socket = net::connect((address(number).as_str(), port), move |socket| {
        connected();
        socket.set_allow_half_open(true);
        socket.write(kind.opening()).ignore();
        match kind.piece() {
            Some(piece) => go_on(socket.clone(), piece),
            None => socket.pause(),
        }
    });
    socket.on_data(|_, _| ());
    socket.on_error(|_, _| ());
    socket.on_close(|_, _: CloseReason| ());
    socket
}

fn go_on(socket: Socket, piece: &'static str) {
    set_timeout(EVERY, move || {
        if !socket.is_closed() {
            socket.write(piece).ignore();
            go_on(socket, piece);
        }
    });
}
