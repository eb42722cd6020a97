use super::{Accepted, Address, Context, Listen, Protocol, Stream};
use crate::callback::{Site, discard};
use crate::event_loop::driver::{Listener, Ready};
use crate::event_loop::{Kind, Loop, Moment, Source, Time, Token, set_timeout};
use crate::notice;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

/// Connections that one turn accepts before the others have theirs.
const BUDGET: usize = 64;
/// Connections that a server takes from its backlog when it closes: what Linux keeps at most unless told otherwise
/// (`net.core.somaxconn`).
const LAST: usize = 4_096;
/// When there is no descriptor left, not even the spare one: how long until it is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Out of descriptors, the log says so once in so long.
const COMPLAIN_EVERY: Time = Time::from_secs(1);

/// Whose connections an acceptor takes: a server of `net`, or one of `http`.
pub(crate) trait Owner {
    /// A connection was accepted. The owner makes a stream of it; within the acceptor's turn.
    fn accepted(self: Rc<Self>, connection: Accepted);
    /// One more than [`set_max_connections`](Acceptor::set_max_connections).
    fn dropped(self: Rc<Self>, connection: Accepted);
    /// All that the kernel had when [`Acceptor::look`] was called has had its turn.
    fn looked(self: Rc<Self>) {}
    /// The server is closed and its last connection gone: in the closing phase, once.
    fn closed(self: Rc<Self>);
}

type Once = (Site, Box<dyn FnOnce()>);

/// A listening socket, and the count of the connections that came from it.
///
/// ```text
///   idle ──listen──► listening ──close──► closing ──last connection gone──► idle
/// ```
/// `close` takes what waits in the backlog before it closes the listening socket, since that would reset it. These connections
/// are made in the acceptor's next turn, and what the kernel has of them and of others is looked at once more before the owner
/// is told that it may close who is idle.
pub(crate) struct Acceptor {
    cx: Rc<Context>,
    listener: RefCell<Option<Listener>>,
    /// Where it listens, kept for `address()`.
    address: RefCell<Option<Address>>,
    token: Cell<Token>,
    owner: RefCell<Option<Rc<dyn Owner>>>,
    listening: Cell<Option<Once>>,
    on_closed: RefCell<Vec<Once>>,
    connections: Cell<usize>,
    max_connections: Cell<usize>,
    closing: Cell<bool>,
    /// Connections that waited in the backlog when it was closed.
    last: RefCell<VecDeque<Accepted>>,
    /// The owner waits for a look at all that the kernel has.
    looking: Cell<Option<Moment>>,
    unref: Cell<bool>,
    /// The backlog may have connections.
    acceptable: Cell<bool>,
    queued: Cell<bool>,
    /// A timer runs, to try again.
    retrying: Cell<bool>,
    complained: Cell<Option<Time>>,
}

impl Acceptor {
    pub fn new(cx: &Rc<Context>) -> Rc<Acceptor> {
        Rc::new(Acceptor {
            cx: cx.clone(),
            listener: RefCell::default(),
            address: RefCell::default(),
            token: Cell::new(Token::NONE),
            owner: RefCell::default(),
            listening: Cell::default(),
            on_closed: RefCell::default(),
            connections: Cell::new(0),
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

    /// Binds and listens at once; `listening` is called by the loop. The owner is held for as long as it listens.
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
        self.connections.get()
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

    /// Stops listening at once. `closed` is called in a closing phase, when the last connection is gone; if the server
    /// did not listen, in the next one.
    pub fn close(self: &Rc<Self>, site: Site, closed: Box<dyn FnOnce()>) {
        if self.cx.lp.has_ended() {
            return discard(closed);
        }
        self.on_closed.borrow_mut().push((site, closed));
        if self.token.get() == Token::NONE {
            // A slot for the sake of the callback, which must come from the loop.
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

    /// Takes all that waits, as many as there may be at once. No callback: that is for the acceptor's turn.
    fn take_backlog(&self, listener: &Listener) {
        let mut last = self.last.borrow_mut();
        for _ in 0..LAST {
            match self.cx.lp.driver().accept(listener) {
                Ok((io, peer)) => last.push_back(Accepted { io, peer }),
                Err(error) if is_about_one(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Makes connections of what was taken from the backlog. Says whether more are left.
    fn accept_last(self: &Rc<Self>) -> bool {
        let Some(owner) = self.owner.borrow().clone() else { return false };
        for _ in 0..BUDGET {
            if self.cx.lp.is_halted() {
                return true;
            }
            let next = self.last.borrow_mut().pop_front();
            match next {
                Some(connection) => self.give(&owner, connection),
                None => return false,
            }
        }
        !self.last.borrow().is_empty()
    }

    fn give(&self, owner: &Rc<dyn Owner>, connection: Accepted) {
        if self.connections.get() >= self.max_connections.get() {
            owner.clone().dropped(connection);
        } else {
            owner.clone().accepted(connection);
        }
    }

    /// Tells the owner, with [`Owner::looked`], when all that the kernel has now has had its turn.
    pub fn look(&self) {
        if self.connections.get() > 0 || self.has_last() {
            self.looking.set(Some(self.cx.lp.this_moment()));
            self.queue();
        }
    }

    /// Closes what was taken from the backlog.
    pub fn drop_last(&self) {
        let last = self.last.take();
        drop(last);
    }

    /// In a turn of its own: what is left of the backlog, and then a look.
    fn end_backlog(self: &Rc<Self>) {
        let had_some = !self.last.borrow().is_empty();
        if self.accept_last() {
            return self.queue();
        }
        if had_some && self.looking.get().is_some() {
            // For what the new ones have sent.
            return self.look();
        }
        let Some(moment) = self.looking.get() else { return self.check_closed() };
        if !self.cx.lp.has_looked_since(moment) {
            return self.queue();
        }
        self.looking.set(None);
        let owner = self.owner.borrow().clone();
        if let Some(owner) = owner {
            owner.looked();
        }
        self.check_closed();
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

    fn check_closed(&self) {
        if self.closing.get() && self.connections.get() == 0 && self.last.borrow().is_empty() {
            self.cx.lp.make_closing(self.token.get());
        }
    }

    /// Returns whether connections that it took from the backlog are still to be made.
    pub fn has_last(&self) -> bool {
        !self.last.borrow().is_empty()
    }

    pub(super) fn connection_opened(&self) {
        self.connections.set(self.connections.get() + 1);
    }

    pub(super) fn connection_closed(&self) {
        self.connections.set(self.connections.get().saturating_sub(1));
        self.check_closed();
    }

    fn queue(&self) {
        if !self.queued.replace(true) {
            self.cx.lp.make_ready(self.token.get());
        }
    }

    fn accept(self: &Rc<Self>) {
        let Some(owner) = self.owner.borrow().clone() else { return };
        for _ in 0..BUDGET {
            if !self.acceptable.get() || !self.is_listening() {
                break;
            }
            if self.cx.lp.is_halted() {
                break;
            }
            if !self.cx.may_accept() {
                // Left in the backlog.
                return if self.cx.is_making_room() { self.queue() } else { self.wait_for_room() };
            }
            let accepted = match &*self.listener.borrow() {
                Some(listener) => self.cx.lp.driver().accept(listener),
                None => return,
            };
            match accepted {
                Ok((io, peer)) => {
                    self.cx.accepted();
                    self.give(&owner, Accepted { io, peer });
                }
                Err(error) => self.settle(&error),
            }
        }
        if self.acceptable.get() || self.cx.is_making_room() {
            self.queue();
        }
    }

    fn settle(self: &Rc<Self>, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => {
                self.acceptable.set(false);
                self.cx.nobody_waits();
            }
            // A signal came.
            ErrorKind::Interrupted => {}
            _ if is_about_one(error) => {
                log::debug!(target: "oneloop::net", "a connection was gone before it was accepted: {error}");
            }
            _ => self.out_of_descriptors(error),
        }
    }

    /// EMFILE, ENFILE, or memory: an idle connection makes room; where there is none, accept and close the new one, so that
    /// its peer need not wait; else try again later.
    #[cold]
    fn out_of_descriptors(self: &Rc<Self>, error: &io::Error) {
        let now = self.cx.lp.now();
        if self.complained.get().is_none_or(|at| now >= at + COMPLAIN_EVERY) {
            self.complained.set(Some(now));
            notice::error!(target: "oneloop::net", "cannot accept connections: {error}");
        }
        if self.cx.is_making_room() || self.cx.ask_one_to_leave() {
            self.acceptable.set(false);
            return self.queue();
        }
        let shed = match &*self.listener.borrow() {
            Some(listener) => self.cx.lp.driver().shed(listener),
            None => return,
        };
        match shed {
            Ok(true) => {}
            Ok(false) => self.acceptable.set(false),
            Err(_) => self.wait_for_room(),
        }
    }

    fn wait_for_room(self: &Rc<Self>) {
        self.cx.wait_for_room(self.token.get());
        // Another loop's close does not wake us, nor does a file's.
        self.retry_later();
    }

    fn retry_later(self: &Rc<Self>) {
        self.acceptable.set(false);
        if self.retrying.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let retry = move || {
            if let Some(acceptor) = weak.upgrade() {
                acceptor.retrying.set(false);
                acceptor.try_again();
            }
        };
        set_timeout(RETRY, retry).unref();
    }

    /// Calls `listening`, which comes before any connection.
    fn announce(&self) {
        if let Some((site, listening)) = self.listening.take() {
            // A server that was closed before has nothing to announce.
            if self.is_listening() {
                self.cx.lp.call(site, &"listening", listening);
            } else {
                discard(listening);
            }
        }
    }

    fn try_again(self: &Rc<Self>) {
        if self.is_listening() {
            self.acceptable.set(true);
            self.accept();
        }
    }
}

/// It was gone before we took it, or the network has failed it: the next one is another matter (accept(2)).
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::PermissionDenied
    )
}

#[cold]
fn named(listen: &Listen, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
}

impl Source for Acceptor {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, _ready: Ready) {
        self.announce();
        self.try_again();
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.queued.set(false);
        self.announce();
        if self.closing.get() || self.looking.get().is_some() {
            self.end_backlog();
        }
        if self.cx.close_leaving() {
            self.queue();
        }
        self.try_again();
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

impl Acceptor {
    /// The stream of an accepted connection, which counts as one of [`connections`](Acceptor::connections) until it has
    /// closed.
    pub fn stream(self: &Rc<Self>, connection: Accepted, protocol: Rc<dyn Protocol>) -> Option<Rc<Stream>> {
        let Accepted { io, peer } = connection;
        watched(Stream::accepted(&self.cx, Some(self), io, peer, protocol))
    }

    /// The stream of a connection that is one too many. It does not count: it is only told so, and closed.
    pub fn dropped_stream(&self, connection: Accepted, protocol: Rc<dyn Protocol>) -> Option<Rc<Stream>> {
        let Accepted { io, peer } = connection;
        watched(Stream::accepted(&self.cx, None, io, peer, protocol))
    }
}

fn watched(stream: io::Result<Rc<Stream>>) -> Option<Rc<Stream>> {
    match stream {
        Ok(stream) => Some(stream),
        Err(error) => {
            notice::error!(target: "oneloop::net", "cannot watch a connection: {error}");
            None
        }
    }
}
