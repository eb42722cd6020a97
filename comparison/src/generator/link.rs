//! A connection that has one request under way at a time.

use super::answer::Reader;
use super::tally::End;
use oneloop::net::{self, Chunk, Socket, Target};
use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// Who hears of a connection.
pub trait Owner {
    /// It is there.
    fn connected(&self, _link: &Rc<Link>) {}

    /// The request under way has ended; also where the connection did not come about.
    fn ended(&self, link: &Rc<Link>, end: End);

    /// The server closed it while nothing was under way.
    fn closed(&self, _link: &Rc<Link>) {}
}

/// A connection.
pub struct Link {
    /// Its place among those of its owner.
    pub place: usize,
    socket: Socket,
    reader: RefCell<Reader>,
    made: Cell<bool>,
    /// A request is under way.
    asked: Cell<bool>,
    /// The server said that it closes it.
    closing: Cell<bool>,
    /// The length that the answer's body must have.
    expect: Cell<Option<u64>>,
    /// Its owner wants to hear no more of it.
    abandoned: Cell<bool>,
}

impl Link {
    /// Connects; gives up after `limit`. What is asked before goes out then.
    pub fn open(port: u16, place: usize, limit: Duration, owner: Rc<dyn Owner>) -> Rc<Link> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = net::connect(Target::from(address).timeout(limit), |_| ());
        let link = Rc::new(Link {
            place,
            socket: socket.clone(),
            reader: RefCell::default(),
            made: Cell::new(false),
            asked: Cell::new(false),
            closing: Cell::new(false),
            expect: Cell::new(None),
            abandoned: Cell::new(false),
        });
        // These closures hold the link, and the link the socket; the socket drops them when it has closed.
        let (me, told) = (link.clone(), owner.clone());
        socket.on_connect(move |_| {
            me.made.set(true);
            if !me.abandoned.get() {
                told.connected(&me);
            }
        });
        let (me, told) = (link.clone(), owner.clone());
        socket.on_data(move |_, bytes| me.read(bytes, &*told));
        let me = link.clone();
        socket.on_close(move |_, _| {
            if me.abandoned.get() {
                return;
            }
            if me.asked.replace(false) || !me.made.get() {
                owner.ended(&me, End::Refused);
            } else {
                owner.closed(&me);
            }
        });
        link
    }

    /// Sends a request, whose answer the owner will hear of.
    pub fn ask(&self, request: &Rc<[u8]>, expect: Option<u64>) {
        self.asked.set(true);
        self.expect.set(expect);
        // One request is under way at most, so that what is pending is bounded by it.
        self.socket.write(request.clone()).ignore();
    }

    /// Sends a part of a request of which no answer is awaited.
    pub fn trickle(&self, bytes: &[u8]) {
        self.socket.write(Chunk::from(bytes)).ignore();
    }

    /// Returns whether it is connected and not closed.
    pub fn is_made(&self) -> bool {
        self.made.get() && !self.socket.is_closed()
    }

    /// Returns whether no request can be sent on it any more: it is closed, or about to be.
    pub fn is_closed(&self) -> bool {
        self.closing.get() || self.socket.is_closed()
    }

    /// Closes it without another word to its owner.
    pub fn abandon(&self) {
        self.abandoned.set(true);
        self.socket.destroy();
    }

    /// Leaves it to the server, which was asked to close it.
    pub fn leave(&self) {
        self.abandoned.set(true);
    }

    fn read(self: &Rc<Self>, mut bytes: &[u8], owner: &dyn Owner) {
        while !bytes.is_empty() && !self.abandoned.get() {
            let read = if self.asked.get() { self.reader.borrow_mut().read(bytes).ok() } else { None };
            let Some((taken, answer)) = read else {
                // Unreadable, or more than was asked for.
                self.asked.set(false);
                self.abandon();
                return owner.ended(self, End::Error);
            };
            bytes = &bytes[taken..];
            if let Some(answer) = answer {
                self.asked.set(false);
                self.closing.set(answer.close);
                let right = self.expect.get().is_none_or(|length| length == answer.length);
                owner.ended(
                    self,
                    match answer.status {
                        200 if right => End::Answered,
                        503 => End::Refused,
                        _ => End::Error,
                    },
                );
            }
        }
    }
}
