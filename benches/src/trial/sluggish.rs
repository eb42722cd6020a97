//! Peers that are as slow as they can be, and stubborn: they go on after the server has answered and said FIN.

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
/// Between two pieces of what they send.
const EVERY: Duration = Duration::from_secs(1);
/// They come in groups, so often.
const RAMP: Duration = Duration::from_millis(10);

/// What is slow about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// slowloris: the head, a field at a time.
    Head,
    /// slow post: the body, a byte at a time.
    Body,
    /// slow read: a large answer is asked for and never read.
    Read,
}

impl Kind {
    /// As the command line and the tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Head => "head",
            Kind::Body => "body",
            Kind::Read => "read",
        }
    }

    /// What they begin with.
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

/// How to start their process. They come spread over so many seconds; it says `open` when all have been connected.
pub fn launch(port: u16, connections: u64, kind: Kind, seconds: u64) -> io::Result<Launch> {
    let numbers = [port.into(), connections, seconds];
    let launch = numbers.iter().fold(Launch::own(ROLE)?, |launch, number| launch.arg(number.to_string()));
    Ok(launch.arg(kind.name()))
}

/// Their process: PORT CONNECTIONS SECONDS KIND.
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
