#[cfg(feature = "tls")]
mod securing;

use super::{Accepted, Acceptor, Address, Context, Listen, Owner, Socket};
use crate::callback::{Listeners, OptionalCallback, Site};
use crate::event_loop::current;
use std::cell::Cell;
use std::io;
use std::panic::Location;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Connection,
    Drop,
    Close,
    #[cfg(feature = "tls")]
    TlsError,
}

enum Listener {
    Connection(Box<dyn FnMut(Socket)>),
    Drop(Box<dyn FnMut(&Address)>),
    Close(Box<dyn FnMut()>),
    #[cfg(feature = "tls")]
    TlsError(Box<dyn FnMut(&super::TlsError)>),
}

struct Inner {
    acceptor: Rc<Acceptor>,
    listeners: Listeners<On, Listener>,
    half_open: Cell<bool>,
    #[cfg(feature = "tls")]
    secure: securing::Secure,
}

/// A TCP or Unix server. It is a cheap handle: clones are the same server. While the server listens, the loop keeps it,
/// even if all handles are dropped; [`close`](Server::close) ends it.
#[derive(Clone)]
pub struct Server(Rc<Inner>);

/// Makes a server. The loop calls `on_connection` once with each new connection, in its poll or pending phase.
///
/// ```
/// use oneloop::net;
///
/// let server = net::create_server(|socket| {
///     socket.on_data(|socket, bytes| socket.write(bytes).ignore()); // an echo without backpressure: see `pipe`
/// });
/// server.listen(("127.0.0.1", 0), || println!("listening"))?;
/// # server.close(|| ());
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn create_server(on_connection: impl FnMut(Socket) + 'static) -> Server {
    server_with(Listener::Connection(Box::new(on_connection)))
}

/// This function is not generic, so that it is compiled once and not once for each handler.
#[track_caller]
fn server_with(listener: Listener) -> Server {
    let Some(lp) = current() else {
        panic!("oneloop: a server was created while its thread ends: the loop is gone");
    };
    let server = Server(Rc::new(Inner {
        acceptor: Acceptor::new(&Context::of(&lp)),
        listeners: Listeners::new(),
        half_open: Cell::new(false),
        #[cfg(feature = "tls")]
        secure: securing::Secure::default(),
    }));
    server.0.listeners.add(On::Connection, Location::caller(), listener);
    server
}

impl Server {
    /// Listens. The socket is bound when this returns. The loop calls `listening` once, in its next pending phase; give
    /// `()` for no callback.
    ///
    /// ```
    /// use oneloop::net::{self, Listen};
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = net::create_server(|socket| socket.end("hello\n"));
    /// server.listen(7777, ())?; // all addresses of this machine
    /// let local = net::create_server(|socket| socket.end("hello\n"));
    /// local.listen("127.0.0.1:7778", || println!("listening"))?;
    /// let many = net::create_server(|socket| socket.end("hello\n"));
    /// many.listen(Listen::from(7779).backlog(4096), ())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the server cannot listen: the port is in use or needs privileges, the name is unknown, or the server is listening
    /// already. The message names the address.
    #[track_caller]
    pub fn listen(&self, on: impl Into<Listen>, listening: impl OptionalCallback) -> io::Result<()> {
        self.0.acceptor.listen(&on.into(), self.0.clone(), Location::caller(), listening.boxed())
    }

    /// The address on which the server listens; `None` if it does not listen. If port 0 was asked for, the address has the
    /// port that the system chose.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::net::create_server(|socket| socket.end("hello\n"));
    /// server.listen("127.0.0.1:0", ())?; // the system chooses a port
    /// println!("listening on {}", server.address().expect("it listens"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> Option<Address> {
        self.0.acceptor.address()
    }

    /// Returns whether the server listens.
    pub fn is_listening(&self) -> bool {
        self.0.acceptor.is_listening()
    }

    /// Stops listening at once; open connections go on. `closed` is called in a closing phase, when the last of them is
    /// gone. If the server was not listening, `closed` is called in the next closing phase.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::net::create_server(|socket| socket.end("hello\n"));
    /// server.listen(7777, ())?;
    /// server.close(|| println!("the last connection has closed"));
    /// # sim.run_to_rest();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn close(&self, closed: impl OptionalCallback) {
        self.0.acceptor.close(Location::caller(), closed.boxed());
    }

    /// Adds another listener for new connections.
    #[track_caller]
    pub fn on_connection(&self, f: impl FnMut(Socket) + 'static) -> &Self {
        self.add(On::Connection, Location::caller(), Listener::Connection(Box::new(f)))
    }

    /// Calls `f` with the peer's address for each connection that is closed at once because the server has as many open
    /// connections as [`set_max_connections`](Server::set_max_connections) allows. `f` runs in the poll or pending phase.
    #[track_caller]
    pub fn on_drop(&self, f: impl FnMut(&Address) + 'static) -> &Self {
        self.add(On::Drop, Location::caller(), Listener::Drop(Box::new(f)))
    }

    /// Calls `f` when the server has closed and its last connection is gone, before the callback of `close`. If the server
    /// listens and closes again, `f` is called again.
    #[track_caller]
    pub fn on_close(&self, f: impl FnMut() + 'static) -> &Self {
        self.add(On::Close, Location::caller(), Listener::Close(Box::new(f)))
    }

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.listeners.add(on, site, listener);
        self
    }

    /// Sets how many connections the server may have open at a time (no limit by default). A connection beyond that is
    /// accepted, closed at once, and reported to `on_drop`.
    pub fn set_max_connections(&self, count: usize) -> &Self {
        self.0.acceptor.set_max_connections(count);
        self
    }

    /// Sets whether our side of each new connection stays open when the peer has ended its own (false by default).
    pub fn set_allow_half_open(&self, on: bool) -> &Self {
        self.0.half_open.set(on);
        self
    }

    /// The number of open connections of this server.
    pub fn connections(&self) -> usize {
        self.0.acceptor.connections()
    }

    /// Lets the loop end while the server listens.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the server keeps the loop running while it listens (true by default).
    pub fn set_ref(&self, on: bool) -> &Self {
        self.0.acceptor.set_referenced(on);
        self
    }

    /// Returns whether the server keeps the loop running while it listens.
    pub fn has_ref(&self) -> bool {
        self.0.acceptor.is_referenced()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("net::Server")
            .field("address", &self.address())
            .field("connections", &self.connections())
            .finish()
    }
}

impl Owner for Inner {
    fn accepted(self: Rc<Self>, connection: Accepted) {
        let Some(socket) = Socket::accepted(&self.acceptor, connection) else { return };
        socket.set_allow_half_open(self.half_open.get());
        #[cfg(feature = "tls")]
        if self.begin_handshake(&socket) {
            return;
        }
        self.give(&socket);
    }

    fn dropped(self: Rc<Self>, Accepted { io, peer }: Accepted) {
        drop(io);
        self.listeners.each(On::Drop, |site, listener| {
            if let Listener::Drop(f) = listener {
                self.acceptor.cx().lp.call(site, &"a dropped connection", || f(&peer));
            }
        });
    }

    fn closed(self: Rc<Self>) {
        self.listeners.each(On::Close, |site, listener| {
            if let Listener::Close(f) = listener {
                self.acceptor.cx().lp.call(site, &"a server's close", f);
            }
        });
    }
}

impl Inner {
    /// Gives a connection to the listeners for it.
    fn give(&self, socket: &Socket) {
        let lp = &self.acceptor.cx().lp;
        self.listeners.each(On::Connection, |site, listener| {
            let Listener::Connection(f) = listener else { return };
            let socket = socket.clone();
            if lp.call(site, &"a connection", || f(socket.clone())).is_none() {
                socket.panicked();
            }
        });
    }
}
