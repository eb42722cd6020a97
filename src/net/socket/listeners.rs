//! The callbacks of a socket.

use super::{Listener, On, Socket};
use crate::callback::{Site, discard};
use crate::net::CloseReason;
#[cfg(doc)]
use crate::net::{Flow, connect};
use std::io;
use std::panic::Location;

impl Socket {
    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.listen(on, site, listener);
        self
    }

    /// Returns the listener's id, or `None` if the event can no longer come and the listener was dropped.
    pub(in crate::net) fn listen(&self, on: On, site: Site, listener: Listener) -> Option<u32> {
        if self.0.closed_told.get() {
            discard(listener);
            return None;
        }
        Some(self.0.listeners.add(on, site, listener))
    }

    pub(in crate::net) fn remove_listeners(&self, numbers: [Option<u32>; 3]) {
        numbers.into_iter().flatten().for_each(|number| self.0.listeners.remove_one(number));
    }

    pub(in crate::net) fn is_listened_to(&self) -> bool {
        self.0.listeners.has(On::Data)
    }

    pub(in crate::net) fn has_told_end(&self) -> bool {
        self.0.end_told.get()
    }

    pub(in crate::net) fn has_told_close(&self) -> bool {
        self.0.closed_told.get()
    }

    /// Calls `f` with the bytes that the peer sends, in pieces of any size. The first such listener starts the flow.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::net;
    /// let server = net::create_server(|socket| {
    ///     socket.on_data(|socket, bytes| socket.write(bytes).ignore()); // an echo
    /// });
    /// server.listen(7, ())?;
    /// # let peer = sim.connect(7);
    /// # peer.write("hello");
    /// # sim.settle();
    /// # assert_eq!(peer.text(), "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_data(&self, f: impl FnMut(&Socket, &[u8]) + 'static) -> &Self {
        self.add(On::Data, Location::caller(), Listener::Data(Box::new(f)));
        self.flow();
        self
    }

    /// Calls `f` once, when the peer has ended its side and all bytes that it sent were given to `on_data`. After `f` our
    /// side is ended too, unless [`set_allow_half_open`](Socket::set_allow_half_open) is on.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::net;
    /// let server = net::create_server(|socket| {
    ///     socket.set_allow_half_open(true);
    ///     socket.on_data(|_, _| ()); // what the peer says is not needed, only its end
    ///     socket.on_end(|socket| socket.end("you said all, so do I\n"));
    /// });
    /// # server.listen(7, ())?;
    /// # let peer = sim.connect(7);
    /// # peer.finish();
    /// # sim.settle();
    /// # assert_eq!(peer.text(), "you said all, so do I\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_end(&self, f: impl FnOnce(&Socket) + 'static) -> &Self {
        self.add(On::End, Location::caller(), Listener::Once(Some(Box::new(f))))
    }

    /// Calls `f` when all pending output has been sent, after a `write` that returned [`Flow::Full`].
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::net;
    /// let server = net::create_server(|socket| {
    ///     let fill = |socket: &net::Socket| while !socket.write(&[b'x'; 4096]).is_full() {};
    ///     fill(&socket);
    ///     socket.on_drain(fill); // goes on as fast as the peer reads
    /// });
    /// # server.listen(7, ())?;
    /// # let peer = sim.connect(7);
    /// # peer.on_data(|peer, _| if peer.received().len() > 200_000 { peer.close() });
    /// # sim.settle();
    /// # assert!(peer.received().len() > 200_000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_drain(&self, f: impl FnMut(&Socket) + 'static) -> &Self {
        self.add(On::Drain, Location::caller(), Listener::Plain(Box::new(f)))
    }

    /// Calls `f` when nothing was sent or received for the time set with [`set_timeout`](Socket::set_timeout), and again
    /// after each further such time. The socket stays open.
    ///
    /// ```
    /// use oneloop::net;
    /// use std::time::Duration;
    /// let server = net::create_server(|socket| {
    ///     socket.set_timeout(Duration::from_secs(60));
    ///     socket.on_timeout(|socket| socket.end("a minute of silence\n"));
    /// });
    /// ```
    #[track_caller]
    pub fn on_timeout(&self, f: impl FnMut(&Socket) + 'static) -> &Self {
        self.add(On::Timeout, Location::caller(), Listener::Plain(Box::new(f)))
    }

    /// Calls `f` once, in the closing phase, if the operating system has reported an error. `on_close` follows.
    ///
    /// ```
    /// let socket = oneloop::net::connect(7777, |socket| socket.end("hello\n"));
    /// socket.on_error(|_, error| log::warn!("no connection: {error}"));
    /// ```
    #[track_caller]
    pub fn on_error(&self, f: impl FnOnce(&Socket, &io::Error) + 'static) -> &Self {
        self.add(On::Error, Location::caller(), Listener::Error(Some(Box::new(f))))
    }

    /// Calls `f` once, in the closing phase, when the socket has closed. It is the last callback of the socket.
    ///
    /// ```
    /// let server = oneloop::net::create_server(|socket| {
    ///     socket.on_close(|socket, reason| log::info!("{:?} is gone: {reason}", socket.remote_addr()));
    /// });
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&Socket, CloseReason) + 'static) -> &Self {
        self.add(On::Close, Location::caller(), Listener::Close(Some(Box::new(f))))
    }

    /// Calls `f` once, when an outgoing connection was made (see [`connect`](connect)).
    ///
    /// ```
    /// let socket = oneloop::net::connect(("localhost", 7777), |socket| socket.write("hello\n").ignore());
    /// socket.on_connect(|socket| log::info!("connected to {:?}", socket.remote_addr())); // another listener
    /// ```
    #[track_caller]
    pub fn on_connect(&self, f: impl FnOnce(&Socket) + 'static) -> &Self {
        self.add(On::Connect, Location::caller(), Listener::Once(Some(Box::new(f))))
    }
}
