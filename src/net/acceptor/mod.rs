//! A listening socket and its connections. This file holds the type, `listen` and `close`. `accepting.rs` accepts
//! connections; `backlog.rs` handles those that still wait when the server closes.

mod accepting;
mod backlog;

use super::connections::Connections;
use super::room::Room;
use super::{Accepted, Address, Context, Listen, Stream};
use crate::callback::{Site, discard};
use crate::event_loop::driver::{Listener, Ready};
use crate::event_loop::{Kind, Loop, Moment, Source, Time, Token};
use crate::notice;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// The server for which an acceptor takes connections: one of `net`, or one of `http`.
pub(crate) trait Owner {
    /// A connection was accepted. The owner makes a stream from it, within the acceptor's turn.
    fn accepted(self: Rc<Self>, connection: Accepted);
    /// A connection was accepted beyond the limit of [`set_max_connections`](Acceptor::set_max_connections). The owner has
    /// it refused or closed.
    fn dropped(self: Rc<Self>, connection: Accepted);
    /// The loop has handled all input that the kernel had when [`Acceptor::look`] was called. Connections that still have no
    /// request are idle, and the owner may close them.
    fn looked(self: Rc<Self>) {}
    /// The server is closed and its last connection is gone. Called once, in the closing phase.
    fn closed(self: Rc<Self>);
}

type Once = (Site, Box<dyn FnOnce()>);

/// A listening socket, and the count of the connections that came from it.
///
/// ```text
///   idle ──listen──► listening ──close──► closing ──last connection gone──► idle
/// ```
/// `close` accepts the connections that wait in the backlog before it closes the listening socket, since that would reset
/// them. The owner gets these connections in the acceptor's next turn. If the owner asked for it with
/// [`look`](Acceptor::look), the loop then handles all input that the kernel has, before the owner is told that it may
/// close idle connections.
pub(crate) struct Acceptor {
    cx: Rc<Context>,
    room: Rc<Room>,
    listener: RefCell<Option<Listener>>,
    /// The address of the listening socket, kept for `address()`.
    address: RefCell<Option<Address>>,
    token: Cell<Token>,
    owner: RefCell<Option<Rc<dyn Owner>>>,
    listening: Cell<Option<Once>>,
    on_closed: RefCell<Vec<Once>>,
    connections: Rc<Connections>,
    max_connections: Cell<usize>,
    closing: Cell<bool>,
    /// Connections that were in the backlog when the listening socket was closed.
    last: RefCell<VecDeque<Accepted>>,
    /// The moment of the last `look`, while the owner waits for [`Owner::looked`].
    looking: Cell<Option<Moment>>,
    unref: Cell<bool>,
    /// True if the backlog may have connections.
    acceptable: Cell<bool>,
    queued: Cell<bool>,
    /// True if a timer is set to try again.
    retrying: Cell<bool>,
    complained: Cell<Option<Time>>,
}

impl Acceptor {
    pub fn new(cx: &Rc<Context>) -> Rc<Acceptor> {
        Rc::new(Acceptor {
            cx: cx.clone(),
            room: Room::of(cx),
            listener: RefCell::default(),
            address: RefCell::default(),
            token: Cell::new(Token::NONE),
            owner: RefCell::default(),
            listening: Cell::default(),
            on_closed: RefCell::default(),
            connections: Connections::of(&cx.lp),
            max_connections: Cell::new(usize::MAX),
            closing: Cell::new(false),
            last: RefCell::default(),
            looking: Cell::new(None),
            unref: Cell::new(false),
            acceptable: Cell::new(false),
            queued: Cell::new(false),
            retrying: Cell::new(false),
            complained: Cell::new(None),
        })
    }

    pub fn cx(&self) -> &Rc<Context> {
        &self.cx
    }

    /// Binds and listens at once; the loop calls `listening` later. The acceptor holds the owner until the close is
    /// complete.
    pub fn listen(
        self: &Rc<Self>,
        listen: &Listen,
        owner: Rc<dyn Owner>,
        site: Site,
        listening: Box<dyn FnOnce()>,
    ) -> io::Result<()> {
        if self.token.get() != Token::NONE {
            let what = if self.closing.get() { "it is still closing" } else { "it is listening already" };
            discard(listening);
            return Err(named(listen, io::Error::new(ErrorKind::AlreadyExists, what)));
        }
        let lp = &self.cx.lp;
        if lp.has_ended() {
            discard(listening);
            return Err(named(listen, io::Error::other("its loop is gone")));
        }
        let bound = listen.bind(lp.driver().resolver()).and_then(|bind| lp.driver().listen(&bind, listen.how()));
        let mut listener = match bound {
            Ok(listener) => listener,
            Err(error) => {
                discard(listening);
                return Err(named(listen, error));
            }
        };
        *self.address.borrow_mut() = listener.local_addr().ok();
        let token = lp.insert(self.clone());
        if let Err(error) = lp.driver().register_listener(&mut listener, token.number()) {
            lp.remove(token);
            drop(listener);
            self.address.take();
            discard(listening);
            return Err(named(listen, error));
        }
        if let Some(address) = &*self.address.borrow() {
            notice::info!(target: "oneloop::net", "listening on {address}");
        }
        *self.listener.borrow_mut() = Some(listener);
        self.token.set(token);
        self.closing.set(false);
        *self.owner.borrow_mut() = Some(owner);
        self.listening.set(Some((site, listening)));
        if !self.unref.get() {
            lp.hold();
        }
        self.queued.set(false);
        self.queue();
        Ok(())
    }

    pub fn is_listening(&self) -> bool {
        self.listener.borrow().is_some()
    }

    pub fn address(&self) -> Option<Address> {
        self.address.borrow().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    pub fn set_max_connections(&self, max: usize) {
        self.max_connections.set(max);
    }

    pub fn set_referenced(&self, on: bool) {
        if self.unref.replace(!on) == on && self.is_listening() {
            if on { self.cx.lp.hold() } else { self.cx.lp.release() }
        }
    }

    pub fn is_referenced(&self) -> bool {
        !self.unref.get()
    }

    /// Stops listening at once. `closed` is called in a closing phase, when the last connection is gone; if the server was
    /// not listening, in the next closing phase.
    pub fn close(self: &Rc<Self>, site: Site, closed: Box<dyn FnOnce()>) {
        if self.cx.lp.has_ended() {
            return discard(closed);
        }
        self.on_closed.borrow_mut().push((site, closed));
        if self.token.get() == Token::NONE {
            // The acceptor gets a slot in the loop only for the callback, which the loop must call.
            self.token.set(self.cx.lp.insert(self.clone()));
            self.closing.set(true);
            self.cx.lp.make_closing(self.token.get());
            return;
        }
        if self.closing.replace(true) {
            return;
        }
        if let Some(listener) = &*self.listener.borrow() {
            self.take_backlog(listener);
        }
        if self.stop_listening() && !self.unref.get() {
            self.cx.lp.release();
        }
        if self.last.borrow().is_empty() {
            self.check_closed();
        } else {
            self.queue();
        }
    }

    /// Closes the listening socket. Returns whether there was one.
    fn stop_listening(&self) -> bool {
        self.address.take();
        let listener = self.listener.borrow_mut().take();
        listener.map(|listener| self.cx.lp.driver().close_listener(listener)).is_some()
    }

    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Does nothing before this acceptor is closing and its owner has got all connections of the backlog. Then it has the acceptor
    /// closed, as soon as the last of its connections is gone.
    fn check_closed(&self) {
        if self.closing.get() && self.last.borrow().is_empty() {
            self.connections.close_when_gone(self.token.get());
        }
    }

    /// Returns whether `stream` is one of the connections of this acceptor.
    pub fn has(&self, stream: &Stream) -> bool {
        stream.is_of(&self.connections)
    }

    fn queue(&self) {
        if !self.queued.replace(true) {
            self.cx.lp.make_ready(self.token.get());
        }
    }

    /// Calls `listening`, before any connection is given to the owner.
    fn announce(&self) {
        if let Some((site, listening)) = self.listening.take() {
            // If the server was closed before this turn, `listening` is not called.
            if self.is_listening() {
                self.cx.lp.call(site, &"listening", listening);
            } else {
                discard(listening);
            }
        }
    }
}

#[cold]
fn named(listen: &Listen, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
}

impl Source for Acceptor {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, _ready: Ready) {
        self.announce();
        self.accept_waiting();
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.queued.set(false);
        self.announce();
        if self.closing.get() || self.looking.get().is_some() {
            self.end_backlog();
        }
        if self.room.close_leaving() {
            self.queue();
        }
        self.accept_waiting();
    }

    fn due(self: Rc<Self>, _lp: &Rc<Loop>) {}

    fn closed(self: Rc<Self>, lp: &Rc<Loop>) {
        self.token.set(Token::NONE);
        self.closing.set(false);
        self.looking.set(None);
        discard(self.listening.take());
        let owner = self.owner.borrow_mut().take();
        if let Some(owner) = owner {
            owner.closed();
        }
        for (site, closed) in self.on_closed.take() {
            lp.call(site, &"a server's close", closed);
        }
    }

    fn teardown(&self) {
        self.stop_listening();
        self.drop_last();
        self.token.set(Token::NONE);
        let owner = self.owner.borrow_mut().take();
        discard(owner);
        discard(self.listening.take());
        let on_closed = self.on_closed.take();
        discard(on_closed);
    }

    fn kind(&self) -> Kind {
        Kind::Listener
    }

    fn buffered(&self) -> usize {
        0
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
