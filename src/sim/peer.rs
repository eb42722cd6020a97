use crate::event_loop::driver::Address;
use crate::event_loop::driver::world::{Stream, World};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

/// Read at once; nothing hangs on it.
const CHUNK: usize = 16 * 1024;

type OnData = Box<dyn FnMut(&Peer, &[u8])>;
type OnClose = Box<dyn FnOnce(&Peer)>;

/// The scripted other end of one of the program's connections. A clone is the same peer; dropping all of them does not
/// close it, [`Peer::close`] does.
///
/// What it writes arrives, and what it has received can be seen, when the loop has run: [`Sim::settle`](super::Sim::settle).
///
/// It does not close because the program does: a server that has closed a connection waits for the peer's end for some
/// seconds, and counts it meanwhile in [`connections`](crate::http::Server::connections). Whether the program has closed
/// says [`is_closed`](Peer::is_closed).
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    world: World,
    local: Address,
    /// `None`: this side has closed or reset it.
    stream: RefCell<Option<Stream>>,
    /// Written by the script, not yet accepted by the connection.
    outbox: RefCell<VecDeque<u8>>,
    /// Scripts that still write a byte now and then.
    slow_writers: Cell<usize>,
    finish: Cell<Finish>,
    pace: Cell<Pace>,
    /// The next read of a slow reader is scheduled.
    read_scheduled: Cell<bool>,
    received: RefCell<Vec<u8>>,
    /// The FIN was read, or the connection failed.
    over: Cell<bool>,
    fault: Cell<Option<ErrorKind>>,
    /// The clock stands still when something has come.
    watched: Cell<bool>,
    on_data: RefCell<Vec<OnData>>,
    on_close: RefCell<Vec<OnClose>>,
}

/// What follows what is to be written.
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
        *peer.0.stream.borrow_mut() = Some(stream);
        peers.add(&peer);
        peer
    }

    // ---- Writing

    /// Sends bytes after those that were written before, as fast as the program reads. After [`Peer::finish`], or where
    /// the connection is gone, they are dropped.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        if self.0.finish.get() == Finish::Nothing {
            self.push(bytes.as_ref());
        }
    }

    /// Sends the first byte now and one more each time that `every` has passed. [`Peer::finish`] waits for the last.
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

    /// Ends this side (FIN) after what was written; what the program sends is still received.
    pub fn finish(&self) {
        if self.0.finish.get() == Finish::Nothing {
            self.0.finish.set(Finish::Fin);
            self.flush();
        }
    }

    /// Closes the connection after what was written: a FIN, and what the program sends afterwards is answered with a RST.
    /// So is, as in a real network, what has arrived and was not read (after [`Peer::pause_reading`]).
    pub fn close(&self) {
        if self.0.finish.get() == Finish::Done {
            // The FIN was sent before.
            self.let_go(false);
        } else {
            self.0.finish.set(Finish::Close);
            self.flush();
        }
    }

    /// Resets the connection (RST). What was written and has not been accepted is lost, as is what the program has not read.
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

    /// Hands on what is written, as far as there is room.
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
                let mut writer = stream;
                match writer.write(bytes) {
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
                    // Not connected yet: once more when it is.
                    if stream.shutdown(std::net::Shutdown::Write).is_ok() {
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

    /// All that has been received since the start, or since [`Peer::take`].
    pub fn received(&self) -> Vec<u8> {
        self.0.received.borrow().clone()
    }

    /// The same, and forgets it.
    pub fn take(&self) -> Vec<u8> {
        self.0.received.take()
    }

    /// The same as text, what is not UTF-8 replaced; nothing is forgotten.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.received.borrow()).into_owned()
    }

    /// What has been received behind the first `from` bytes, as far as it has not been taken.
    pub(super) fn received_from(&self, from: usize) -> Vec<u8> {
        self.0.received.borrow().get(from..).unwrap_or_default().to_vec()
    }

    pub(super) fn received_len(&self) -> usize {
        self.0.received.borrow().len()
    }

    /// Until what is returned is dropped, the run of the loop ends where something has come: what a peer receives is no
    /// occurrence for the program, so the clock would go on to the next one of those.
    pub(super) fn watch(&self) -> Watched<'_> {
        self.0.watched.set(true);
        Watched(self)
    }

    fn stop_clock(&self) {
        if self.0.watched.get() {
            self.0.world.set_horizon(Some(self.0.world.now()));
        }
    }

    /// Reads no more: what the program sends fills the connection's buffer.
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

    /// Reads at most so many bytes each time that `every` has passed.
    pub fn read_at_rate(&self, bytes: usize, every: Duration) {
        self.0.pace.set(Pace::Slow { bytes, every });
        self.pump_soon();
    }

    fn pump_soon(&self) {
        let peer = self.clone();
        self.0.world.at(self.0.world.now(), move |_| peer.pump());
    }

    /// Something has changed: writes and reads what is possible.
    fn pump(&self) {
        self.flush();
        match self.0.pace.get() {
            // Of a reset one learns without reading.
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

    /// Reads at most so much, once. `None`: there was nothing, and an edge will come where there is.
    fn read(&self, at_most: usize) -> Option<()> {
        let mut buffer = vec![0; at_most.clamp(1, CHUNK)];
        let result = match &*self.0.stream.borrow() {
            Some(stream) if !self.0.over.get() => {
                let mut reader = stream;
                reader.read(&mut buffer)
            }
            _ => return None,
        };
        match result {
            Ok(0) => {
                self.ended();
                None
            }
            Ok(length) => {
                let bytes = buffer.get(..length)?;
                self.0.received.borrow_mut().extend_from_slice(bytes);
                self.stop_clock();
                // Taken out: a script may add another.
                let mut scripts = self.0.on_data.take();
                for script in &mut scripts {
                    script(self, bytes);
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

    /// Whether the program has closed or half-closed the connection, or it has failed, or this side has closed it.
    pub fn is_closed(&self) -> bool {
        self.0.over.get() || self.0.stream.borrow().as_ref().is_none_or(|stream| stream.has_ended() || stream.is_dead())
    }

    /// Whether all was read that comes on this connection, or it has failed, or this side has closed it.
    pub(super) fn has_ended(&self) -> bool {
        self.0.over.get() || self.0.stream.borrow().is_none()
    }

    /// Whether the program has reset the connection (RST).
    pub fn was_reset(&self) -> bool {
        matches!(self.0.fault.get(), Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
    }

    /// Whether it never came to a connection: nobody listened, or nobody answered.
    pub fn was_refused(&self) -> bool {
        matches!(self.0.fault.get(), Some(ErrorKind::ConnectionRefused | ErrorKind::TimedOut))
    }

    fn is_dead(&self) -> bool {
        self.0.stream.borrow().as_ref().is_some_and(Stream::is_dead)
    }

    /// Nothing can be sent any more.
    fn is_gone(&self) -> bool {
        self.0.stream.borrow().as_ref().is_none_or(Stream::is_dead)
    }

    /// The address of this end.
    pub fn local_addr(&self) -> Address {
        self.0.local.clone()
    }

    /// Adds a reaction to what is received from now on. It runs as an occurrence of the world, while the loop waits.
    pub fn on_data(&self, script: impl FnMut(&Peer, &[u8]) + 'static) -> &Self {
        self.0.on_data.borrow_mut().push(Box::new(script));
        self
    }

    /// Adds a reaction to the program's close, once: its FIN was read (after all bytes before it), or the connection was
    /// refused or reset. This side's own `close` or `reset` does not cause it.
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

/// The peers of a world, which live on when the test drops them.
#[derive(Default)]
pub(super) struct Peers {
    peers: RefCell<Vec<Peer>>,
    /// Those that have closed are let go when there are so many.
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
        // Outside the borrow: a script holds what its owner put into it.
        drop(closed);
    }

    /// Lets go of all peers and what their scripts captured.
    pub fn end(&self) {
        for peer in self.peers.take() {
            let scripts = (peer.0.on_data.take(), peer.0.on_close.take());
            drop(scripts);
            peer.let_go(false);
        }
    }
}
