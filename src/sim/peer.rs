use super::wire::Wire;
use crate::event_loop::driver::Address;
use crate::event_loop::driver::world::{Stream, World};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

/// How many bytes one read takes. No result depends on it.
const CHUNK: usize = 16 * 1024;

thread_local! {
    /// Where all peers of a thread read to: most reads find nothing, and a buffer for each would take longer to clear.
    static LANDING: RefCell<[u8; CHUNK]> = const { RefCell::new([0; CHUNK]) };
}

type OnData = Box<dyn FnMut(&Peer, &[u8])>;
type OnClose = Box<dyn FnOnce(&Peer)>;

/// The scripted other end of one of the program's connections. A clone is the same peer. Dropping all clones does not close
/// it; [`Peer::close`] does.
///
/// Bytes that it writes arrive, and bytes that it has received can be seen, after the loop has run:
/// [`Sim::settle`](super::Sim::settle).
///
/// It does not close by itself when the program closes. So a server that has closed a connection waits some seconds for the
/// peer's end, and still counts the connection in [`connections`](crate::http::Server::connections).
/// [`is_closed`](Peer::is_closed) tells whether the program has closed.
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    world: World,
    local: Address,
    /// `None` once this side has closed or reset the connection.
    stream: RefCell<Option<Wire>>,
    /// Bytes that the script has written and the connection has not accepted yet.
    outbox: RefCell<VecDeque<u8>>,
    /// How many calls of `write_each_byte_every` still have bytes to write.
    slow_writers: Cell<usize>,
    finish: Cell<Finish>,
    pace: Cell<Pace>,
    /// True if the next read of a slow reader is scheduled.
    read_scheduled: Cell<bool>,
    received: RefCell<Vec<u8>>,
    /// True once the FIN was read or the connection has failed.
    over: Cell<bool>,
    fault: Cell<Option<ErrorKind>>,
    /// True if the virtual clock must stop as soon as this peer has received something.
    watched: Cell<bool>,
    on_data: RefCell<Vec<OnData>>,
    on_close: RefCell<Vec<OnClose>>,
}

/// What to do when the outbox has been written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    Nothing,
    Fin,
    Close,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Free,
    Paused,
    Slow { bytes: usize, every: Duration },
}

impl Peer {
    pub(super) fn new(world: &World, stream: Stream, peers: &Peers) -> Peer {
        let peer = Peer(Rc::new(Inner {
            world: world.clone(),
            local: stream.local_addr(),
            stream: RefCell::default(),
            outbox: RefCell::default(),
            slow_writers: Cell::new(0),
            finish: Cell::new(Finish::Nothing),
            pace: Cell::new(Pace::Free),
            read_scheduled: Cell::new(false),
            received: RefCell::default(),
            over: Cell::new(false),
            fault: Cell::new(None),
            watched: Cell::new(false),
            on_data: RefCell::default(),
            on_close: RefCell::default(),
        }));
        let weak = Rc::downgrade(&peer.0);
        stream.tell_script(Rc::new(move |_: &World| {
            if let Some(inner) = weak.upgrade() {
                Peer(inner).pump();
            }
        }));
        *peer.0.stream.borrow_mut() = Some(Wire::new(stream));
        peers.add(&peer);
        peer
    }

    // ---- Writing

    /// Sends bytes after those that were written before, as fast as the program reads. If [`Peer::finish`] was called before,
    /// or the connection is gone, this call does nothing.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        if self.0.finish.get() == Finish::Nothing {
            self.push(bytes.as_ref());
        }
    }

    /// Sends the first byte now, and one more each time `every` has passed. [`Peer::finish`] waits for the last one.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::time::Duration;
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello"));
    /// server.listen(80, ()).unwrap();
    /// let slow = sim.connect(80);
    /// slow.write_each_byte_every("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Duration::from_secs(10));
    /// sim.advance(Duration::from_secs(120));
    /// assert!(slow.text().starts_with("HTTP/1.1 408 ")); // such a client gets no more than its time
    /// ```
    pub fn write_each_byte_every(&self, bytes: impl AsRef<[u8]>, every: Duration) {
        if self.0.finish.get() == Finish::Nothing {
            self.0.slow_writers.set(self.0.slow_writers.get() + 1);
            self.write_slowly(bytes.as_ref().iter().copied().collect(), every);
        }
    }

    fn write_slowly(&self, mut bytes: VecDeque<u8>, every: Duration) {
        if let Some(byte) = bytes.pop_front() {
            self.push(&[byte]);
        }
        if bytes.is_empty() || self.is_gone() {
            self.0.slow_writers.set(self.0.slow_writers.get() - 1);
            return self.flush();
        }
        let peer = self.clone();
        let at = self.0.world.now().saturating_add(every);
        self.0.world.at(at, move |_| peer.write_slowly(bytes, every));
    }

    fn push(&self, bytes: &[u8]) {
        if !self.is_gone() {
            self.0.outbox.borrow_mut().extend(bytes);
            self.flush();
        }
    }

    /// Ends this side (FIN) after what was written. Bytes from the program are still received.
    pub fn finish(&self) {
        if self.0.finish.get() == Finish::Nothing {
            self.0.finish.set(Finish::Fin);
            self.flush();
        }
    }

    /// Closes the connection after what was written: sends a FIN, and answers with a RST if the program sends anything
    /// afterwards. As in a real network, a RST is sent at once instead if bytes have arrived that were not read (after
    /// [`Peer::pause_reading`]).
    pub fn close(&self) {
        if self.0.finish.get() == Finish::Done {
            // `finish` has sent the FIN already.
            self.let_go(false);
        } else {
            self.0.finish.set(Finish::Close);
            self.flush();
        }
    }

    /// Resets the connection (RST). Bytes that were written and not yet accepted are lost, and so are bytes that the
    /// program has not read.
    ///
    /// ```
    /// use oneloop::{net::{self, CloseReason}, sim::Sim};
    /// use std::{cell::Cell, rc::Rc};
    /// let sim = Sim::new();
    /// let reason = Rc::new(Cell::new(None));
    /// let told = reason.clone();
    /// let server = net::create_server(move |socket| {
    ///     let told = told.clone();
    ///     socket.on_close(move |_, reason| told.set(Some(reason)));
    /// });
    /// server.listen(7, ()).unwrap();
    /// let peer = sim.connect(7);
    /// sim.settle();
    /// peer.reset();
    /// sim.settle();
    /// assert_eq!(reason.get(), Some(CloseReason::Reset));
    /// ```
    pub fn reset(&self) {
        self.let_go(true);
    }

    fn let_go(&self, reset: bool) {
        let stream = self.0.stream.take();
        self.0.outbox.borrow_mut().clear();
        if let Some(stream) = stream
            && reset
        {
            stream.set_reset_on_close(true);
        }
    }

    /// Gives the connection as much of the outbox as it accepts. When the outbox is empty, does what the field `finish`
    /// asks for.
    fn flush(&self) {
        let close = {
            let stream = self.0.stream.borrow();
            let Some(stream) = &*stream else { return };
            let mut outbox = self.0.outbox.borrow_mut();
            loop {
                let (bytes, _) = outbox.as_slices();
                if bytes.is_empty() {
                    break;
                }
                match stream.write(bytes) {
                    Ok(length) => drop(outbox.drain(..length)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                    Err(error) => {
                        outbox.clear();
                        return self.failed(error.kind());
                    }
                }
            }
            if self.0.slow_writers.get() > 0 {
                return;
            }
            match self.0.finish.get() {
                Finish::Nothing | Finish::Done => return,
                Finish::Fin => {
                    // Before the peer is connected this fails, and it is tried again when the peer is connected.
                    if stream.finish().is_ok() {
                        self.0.finish.set(Finish::Done);
                    }
                    return;
                }
                Finish::Close => stream.is_connected() || stream.is_dead(),
            }
        };
        if close {
            self.0.finish.set(Finish::Done);
            self.let_go(false);
        }
    }

    // ---- Reading

    /// Returns everything received since the start, or since [`Peer::take`].
    pub fn received(&self) -> Vec<u8> {
        self.0.received.borrow().clone()
    }

    /// Returns everything received, as [`Peer::received`], and forgets it.
    pub fn take(&self) -> Vec<u8> {
        self.0.received.take()
    }

    /// Returns everything received as text, with U+FFFD in place of bytes that are not UTF-8. The peer keeps the bytes.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.received.borrow()).into_owned()
    }

    /// Returns the received bytes after the first `from` ones. Bytes that [`Peer::take`] has taken do not count.
    pub(super) fn received_from(&self, from: usize) -> Vec<u8> {
        self.0.received.borrow().get(from..).unwrap_or_default().to_vec()
    }

    pub(super) fn received_len(&self) -> usize {
        self.0.received.borrow().len()
    }

    /// Makes the virtual clock stop as soon as this peer has received something, until the returned value is dropped.
    /// Otherwise the next wait of the program would move the clock on to the next occurrence.
    pub(super) fn watch(&self) -> Watched<'_> {
        self.0.watched.set(true);
        Watched(self)
    }

    fn stop_clock(&self) {
        if self.0.watched.get() {
            self.0.world.set_horizon(Some(self.0.world.now()));
        }
    }

    /// Stops reading, so that what the program sends fills the connection's buffer.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end(vec![b'x'; 1_000_000]));
    /// server.listen(80, ()).unwrap();
    /// let peer = sim.connect(80);
    /// peer.pause_reading();
    /// peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// sim.settle();
    /// assert_eq!(peer.text(), "");
    /// peer.resume_reading();
    /// sim.settle();
    /// assert!(peer.text().len() > 1_000_000);
    /// ```
    pub fn pause_reading(&self) {
        self.0.pace.set(Pace::Paused);
    }

    /// Reads again, as fast as the program writes.
    pub fn resume_reading(&self) {
        self.0.pace.set(Pace::Free);
        self.pump_soon();
    }

    /// Reads at most `bytes` bytes each time `every` has passed.
    pub fn read_at_rate(&self, bytes: usize, every: Duration) {
        self.0.pace.set(Pace::Slow { bytes, every });
        self.pump_soon();
    }

    fn pump_soon(&self) {
        let peer = self.clone();
        self.0.world.at(self.0.world.now(), move |_| peer.pump());
    }

    /// Runs after each readiness event of the connection: writes and reads as much as is possible.
    fn pump(&self) {
        self.flush();
        match self.0.pace.get() {
            // A reset is noticed whatever the pace of reading.
            _ if self.is_dead() => drop(self.read(CHUNK)),
            Pace::Paused => {}
            Pace::Free => while self.0.pace.get() == Pace::Free && self.read(CHUNK).is_some() {},
            Pace::Slow { every, .. } => self.read_after(every),
        }
    }

    fn read_after(&self, every: Duration) {
        if self.0.read_scheduled.replace(true) {
            return;
        }
        let peer = self.clone();
        self.0.world.at(self.0.world.now().saturating_add(every), move |_| {
            peer.0.read_scheduled.set(false);
            if let Pace::Slow { bytes, every } = peer.0.pace.get()
                && peer.read(bytes).is_some()
            {
                peer.read_after(every);
            }
        });
    }

    /// Reads once, at most `at_most` bytes. `None` if there was nothing to read; an event tells when bytes have come.
    fn read(&self, at_most: usize) -> Option<()> {
        let read = match &*self.0.stream.borrow() {
            Some(stream) if !self.0.over.get() => LANDING.with_borrow_mut(|landing| {
                let landing = landing.get_mut(..at_most.clamp(1, CHUNK)).unwrap_or_default();
                stream.read(landing).map(|length| landing.get(..length).unwrap_or_default().to_vec())
            }),
            _ => return None,
        };
        match read {
            Ok(bytes) if bytes.is_empty() => {
                self.ended();
                None
            }
            Ok(bytes) => {
                self.0.received.borrow_mut().extend_from_slice(&bytes);
                self.stop_clock();
                // The scripts are taken out of the cell, because a script may add another one.
                let mut scripts = self.0.on_data.take();
                for script in &mut scripts {
                    script(self, &bytes);
                }
                scripts.append(&mut self.0.on_data.borrow_mut());
                *self.0.on_data.borrow_mut() = scripts;
                Some(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => {
                self.failed(error.kind());
                self.ended();
                None
            }
        }
    }

    fn failed(&self, fault: ErrorKind) {
        self.0.fault.set(self.0.fault.get().or(Some(fault)));
    }

    fn ended(&self) {
        if !self.0.over.replace(true) {
            self.stop_clock();
            let scripts = self.0.on_close.take();
            for script in scripts {
                script(self);
            }
        }
    }

    // ---- State and reactions

    /// Returns whether the connection is at an end: closed or half-closed by the program, failed, or closed by this side.
    pub fn is_closed(&self) -> bool {
        self.0.over.get() || self.0.stream.borrow().as_ref().is_none_or(|stream| stream.has_ended() || stream.is_dead())
    }

    /// Returns whether everything that comes on this connection has been read, or it has failed, or this side has closed
    /// it.
    pub(super) fn has_ended(&self) -> bool {
        self.0.over.get() || self.0.stream.borrow().is_none()
    }

    /// Returns whether the program has reset the connection (RST).
    pub fn was_reset(&self) -> bool {
        matches!(self.0.fault.get(), Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
    }

    /// Returns whether no connection was made: nobody listened, or nobody answered.
    pub fn was_refused(&self) -> bool {
        matches!(self.0.fault.get(), Some(ErrorKind::ConnectionRefused | ErrorKind::TimedOut))
    }

    fn is_dead(&self) -> bool {
        self.0.stream.borrow().as_ref().is_some_and(|stream| stream.is_dead())
    }

    /// Returns whether nothing can be sent any more.
    fn is_gone(&self) -> bool {
        self.0.stream.borrow().as_ref().is_none_or(|stream| stream.is_dead())
    }

    /// The address of this end.
    pub fn local_addr(&self) -> Address {
        self.0.local.clone()
    }

    /// Adds a callback for bytes that are received from now on. As all scripts, it runs while the loop waits.
    pub fn on_data(&self, script: impl FnMut(&Peer, &[u8]) + 'static) -> &Self {
        self.0.on_data.borrow_mut().push(Box::new(script));
        self
    }

    /// Adds a callback for the program's close, called once: when its FIN was read (after all bytes before it), or when the
    /// connection was refused or reset. This side's own `close` or `reset` does not cause it.
    pub fn on_close(&self, script: impl FnOnce(&Peer) + 'static) -> &Self {
        self.0.on_close.borrow_mut().push(Box::new(script));
        self
    }
}

pub(super) struct Watched<'a>(&'a Peer);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.0.watched.set(false);
    }
}

/// All peers of a world. They live on when the test drops its handles.
#[derive(Default)]
pub(super) struct Peers {
    peers: RefCell<Vec<Peer>>,
    /// When there are more peers than this, those that have closed are dropped.
    tidy_at: Cell<usize>,
}

impl Peers {
    fn add(&self, peer: &Peer) {
        let mut peers = self.peers.borrow_mut();
        peers.push(peer.clone());
        let closed = if peers.len() > self.tidy_at.get() {
            let closed: Vec<Peer> = peers.extract_if(.., |peer| peer.0.stream.borrow().is_none()).collect();
            self.tidy_at.set(peers.len() * 2 + 16);
            closed
        } else {
            Vec::new()
        };
        drop(peers);
        // The closed peers are dropped after the borrow, since their scripts may hold user values.
        drop(closed);
    }

    /// Drops all peers and what their scripts captured.
    pub fn end(&self) {
        for peer in self.peers.take() {
            let scripts = (peer.0.on_data.take(), peer.0.on_close.take());
            drop(scripts);
            peer.let_go(false);
        }
    }
}
