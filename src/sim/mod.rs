//! Whole programs in a test: a virtual clock, sockets in memory, scripted peers, and chance from a seed.
//!
//! While a [`Sim`] lives, it is this thread's loop: servers that listen, timers and jobs of the worker pool belong to its
//! world. Nothing happens until the test says how far to go ([`Sim::settle`], [`Sim::advance`], [`Sim::run_until`]); then a
//! minute takes microseconds. Random choices come from a seed, so a run that failed fails again in the same way.
//!
//! ```
//! use oneloop::sim::Sim;
//! use std::{cell::Cell, rc::Rc, time::Duration};
//!
//! let sim = Sim::new();
//! let rang = Rc::new(Cell::new(0));
//! let bell = rang.clone();
//! oneloop::set_interval(Duration::from_secs(60), move || bell.set(bell.get() + 1));
//!
//! sim.advance(Duration::from_secs(3600)); // an hour, at once
//! assert_eq!(rang.get(), 60);
//! ```
//!
//! # Peers
//! The other ends of the program's connections are scripts: [`Sim::connect`] makes a client ([`Peer`]), [`Sim::listen`] a
//! server ([`Listener`]). They can write slowly, stop reading, reset the connection, and react to what they receive:
//!
//! ```
//! use oneloop::sim::Sim;
//!
//! let sim = Sim::with_seed(7);
//! let server = sim.listen("127.0.0.1:80").unwrap();
//! server.on_accept(|peer| {
//!     peer.on_data(|peer, bytes| peer.write(bytes.to_ascii_uppercase()));
//!     peer.on_close(|peer| peer.close());
//! });
//! let client = sim.connect(80);
//! client.write("loud");
//! sim.settle();
//! assert_eq!(client.text(), "LOUD");
//! client.finish();
//! sim.settle();
//! assert!(client.is_closed());
//! ```
//!
//! # Requests
//! To test a handler you need not write the bytes of a request: [`Sim::request`] sends a request and returns the whole
//! answer, decoded.
//!
//! ```
//! use oneloop::{http, sim::Sim};
//!
//! let sim = Sim::new();
//! let server = http::create_server(|req, res| res.end(req.path()));
//! server.listen(80, ()).unwrap();
//! assert_eq!(sim.request("GET", "/todos").send().expect(200).text(), "/todos");
//! ```
//!
//! # WebSockets
//! [`Sim::websocket`] opens a WebSocket to the program, by a client that a test scripts: messages, fragments, pings, close frames, and any
//! other bytes.
//!
//! # What is simulated
//! Readiness is edge-triggered, as with epoll. A close with unread input sends a RST, and the receiver of a RST loses what
//! it has not read. Bytes that arrive at a closed socket are answered with a RST too. A connection has a buffer of limited
//! size in each direction ([`Network::buffer`]). A full backlog, or an address where nobody listens, has the same effect as
//! in a real network. Jobs of the worker pool run on this thread, each at the virtual time at which a worker would have
//! finished it. Not simulated: lost or reordered bytes, which TCP hides; files; signals; standard input, which is empty.
//!
//! A panic in a callback goes on through the method of `Sim` that ran the loop, so a failed assertion fails the test;
//! [`set_panic_policy`](crate::event_loop::set_panic_policy) changes that.
//!
//! Scripts ([`Sim::at`], [`Peer::on_data`] and the like) are not part of the program: they run *while the loop waits*. They
//! may call whatever the program may call outside of the loop's callbacks.

mod client;
mod listener;
mod open_reply;
mod peer;
mod reply;
#[cfg(test)]
mod tests;
mod websocket;
mod wire;

pub use crate::event_loop::driver::world::{Network, Sendfile, Waits};
pub use crate::notice::Line;
pub use client::ClientRequest;
pub use listener::Listener;
pub use open_reply::OpenReply;
pub use peer::Peer;
pub use reply::Reply;
pub use websocket::{Received, WebSocketPeer};

use crate::event_loop::driver::world::{FdLimit, World};
use crate::event_loop::driver::{Address, Driver};
use crate::event_loop::{self, Installed, PanicPolicy};
use crate::notice::{Keeping, Kept};
use peer::Peers;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;
#[cfg(feature = "app")]
use std::time::SystemTime;

/// A program that runs this many iterations while the clock stands still is taken for one that never settles.
const ITERATIONS_AT_ONE_INSTANT: u32 = 1_000_000;
/// A program that is not at rest after this time is taken for one that repeats something for ever.
const LONGEST_WAY_TO_REST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A simulated world, which is this thread's event loop for as long as it exists. See the [module's docs](self).
pub struct Sim {
    installed: Installed,
    world: World,
    peers: Rc<Peers>,
    said: Keeping,
}

impl Sim {
    /// Makes a world in which nothing is random until [`Sim::set_network`] asks for it.
    ///
    /// # Panics
    /// If this thread's loop is running. Each thread can have a `Sim` of its own.
    #[expect(clippy::new_without_default, reason = "it changes the thread's loop, which a default should not")]
    pub fn new() -> Sim {
        Sim::with_seed(0)
    }

    /// As [`Sim::new`], with another seed for random choices.
    ///
    /// # Panics
    /// As [`Sim::new`].
    pub fn with_seed(seed: u64) -> Sim {
        let world = World::new(seed);
        let installed = event_loop::install(Driver::Sim(world.clone()));
        event_loop::set_panic_policy(PanicPolicy::Resume);
        Sim { installed, world, peers: Rc::default(), said: Kept::begin() }
    }

    // ---- Time

    /// Virtual time since the world was made.
    pub fn now(&self) -> Duration {
        self.world.now()
    }

    /// The time of day in this world.
    #[cfg(feature = "app")]
    pub(crate) fn wall(&self) -> SystemTime {
        self.world.wall()
    }

    /// Runs the loop until there is nothing left to do without moving the clock.
    ///
    /// ```
    /// use oneloop::{net, sim::Sim};
    /// let sim = Sim::new();
    /// let server = net::create_server(|socket| socket.end("hello"));
    /// server.listen(7, ()).unwrap();
    /// let peer = sim.connect(7);
    /// assert_eq!(peer.text(), ""); // nothing has happened yet
    /// sim.settle();
    /// assert_eq!(peer.text(), "hello");
    /// ```
    ///
    /// # Panics
    /// If that point is never reached (for example, each immediate sets another one), or if it is called inside a callback.
    pub fn settle(&self) {
        for _ in 0..ITERATIONS_AT_ONE_INSTANT {
            event_loop::run_nowait().unwrap_or_else(|error| fail(&error));
            if self.is_settled() {
                return;
            }
        }
        panic!("oneloop: the simulated program is busy for ever without time passing, at {:?}", self.now());
    }

    fn is_settled(&self) -> bool {
        self.installed.lp().is_quiet() && !self.world.is_due()
    }

    /// Runs the loop for `time` of virtual time, and then settles. The clock moves from one occurrence (a timer, an
    /// arrival, a script) to the next. While nothing keeps the loop running, it does not wait for timers that were
    /// `unref`'d (`run` does not either): time passes for the peers only, and these timers are late.
    ///
    /// ```
    /// use oneloop::{set_timeout, sim::Sim};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// let sim = Sim::new();
    /// let rang = Rc::new(Cell::new(false));
    /// let bell = rang.clone();
    /// set_timeout(Duration::from_secs(8 * 3600), move || bell.set(true));
    /// sim.advance(Duration::from_secs(8 * 3600 - 1));
    /// assert!(!rang.get());
    /// sim.advance(Duration::from_secs(1));
    /// assert!(rang.get());
    /// ```
    ///
    /// # Panics
    /// As [`Sim::settle`].
    pub fn advance(&self, time: Duration) {
        self.run_until(|| false, time);
        self.settle();
    }

    /// Runs the loop until `condition` holds, for at most `at_most` of virtual time. The condition is checked after each
    /// iteration. Returns whether it holds.
    ///
    /// ```
    /// use oneloop::{set_timeout, sim::Sim};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// let sim = Sim::new();
    /// let rang = Rc::new(Cell::new(false));
    /// let bell = rang.clone();
    /// set_timeout(Duration::from_secs(7), move || bell.set(true));
    /// assert!(sim.run_until(|| rang.get(), Duration::from_secs(60)));
    /// assert_eq!(sim.now(), Duration::from_secs(7));
    /// ```
    ///
    /// # Panics
    /// As [`Sim::settle`].
    pub fn run_until(&self, mut condition: impl FnMut() -> bool, at_most: Duration) -> bool {
        self.world.set_horizon(Some(self.now().saturating_add(at_most)));
        let _horizon = Horizon(&self.world);
        let (mut at, mut iterations) = (self.now(), 0);
        loop {
            if condition() {
                return true;
            }
            let alive = event_loop::run_once().unwrap_or_else(|error| fail(&error));
            // If the program has ended, `run_once` does not move the clock. It is moved here, for the peers.
            if !alive && self.is_settled() && !self.world.horizon_reached() {
                if condition() {
                    return true;
                }
                self.world.pass();
            }
            if self.world.horizon_reached() && self.is_settled() {
                return condition();
            }
            iterations = if at == self.now() { iterations + 1 } else { 0 };
            at = self.now();
            if iterations == ITERATIONS_AT_ONE_INSTANT {
                panic!("oneloop: the simulated program is busy for ever without time passing, at {at:?}");
            }
        }
    }

    /// Runs until nothing can happen any more: the program waits for nothing, or has ended, and the scripts of the peers
    /// are done.
    ///
    /// # Panics
    /// If there is no rest after a week of virtual time, for example because an interval was never cleared. Also in the
    /// cases in which [`Sim::settle`] panics.
    pub fn run_to_rest(&self) {
        let end = self.now().saturating_add(LONGEST_WAY_TO_REST);
        loop {
            match event_loop::run_once() {
                Ok(true) => {}
                Ok(false) if !self.is_settled() || self.world.pass() => {}
                Ok(false) => return,
                Err(_) if self.world.at_rest() => return,
                Err(error) => fail(&error),
            }
            assert!(self.now() < end, "oneloop: the simulated program does not come to rest; is an interval running?");
        }
    }

    /// Runs a script when this much virtual time has passed.
    pub fn at(&self, after: Duration, script: impl FnOnce() + 'static) {
        self.world.at(self.now().saturating_add(after), move |_| script());
    }

    /// Returns a random number below `end`, from the world's seed; 0 if `end` is 0. For scripts that vary with the seed.
    pub fn random(&self, end: u64) -> u64 {
        self.world.random(end)
    }

    // ---- Peers

    /// Connects a client to this port of the program, from 127.0.0.1. You can write to it at once.
    pub fn connect(&self, port: u16) -> Peer {
        self.connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
    }

    /// Connects a client to this port from the address `from`; if its port is 0, one is chosen.
    pub fn connect_from(&self, from: SocketAddr, port: u16) -> Peer {
        let to: IpAddr = if from.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        self.dial(Some(from), &SocketAddr::new(to, port).into())
    }

    /// Connects a client to an address, which may be the path of a Unix socket.
    pub fn connect_to(&self, to: Address) -> Peer {
        self.dial(None, &to)
    }

    fn dial(&self, from: Option<SocketAddr>, to: &Address) -> Peer {
        let stream = self.world.connect_scripted(from, to);
        Peer::new(&self.world, stream, &self.peers)
    }

    /// Opens a scripted server for the program to connect to. At an address without such a server, the program's
    /// connections are refused.
    ///
    /// # Errors
    /// If the address is in use, or is not a valid address.
    pub fn listen(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::InvalidInput)?;
        Listener::new(&self.world, address.into(), &self.peers)
    }

    // ---- The world

    /// Returns what the library has logged in this world: the last thousand errors, warnings and infos. No logger is
    /// needed; if one is installed, it gets these lines as well. In this example the log tells why the answer is a 500:
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| drop(res));
    /// server.listen(80, || ()).unwrap();
    /// sim.connect(80).write("GET /todos HTTP/1.1\r\nHost: example\r\n\r\n");
    /// sim.settle();
    /// let last = sim.log().pop().unwrap();
    /// assert_eq!(last.to_string(), "WARN oneloop::http: GET /todos: the response was dropped before it had ended");
    /// ```
    pub fn log(&self) -> Vec<Line> {
        self.said.lines_since(0)
    }

    /// Sets how the network behaves from now on.
    ///
    /// ```
    /// use oneloop::sim::{Network, Sim};
    /// let sim = Sim::with_seed(7);
    /// // Connections that hold few bytes: programs must cope with short writes.
    /// sim.set_network(Network { buffer: 100, ..Network::default() });
    /// ```
    pub fn set_network(&self, network: Network) -> &Self {
        self.world.set_network(network);
        self
    }

    /// Sets how the loop's waits for events behave from now on: how many events one wait reports, and whether signals
    /// interrupt a wait.
    pub fn set_waits(&self, waits: Waits) -> &Self {
        self.world.set_waits(waits);
        self
    }

    /// Sets whether the system can send files without copying them through the program.
    pub fn set_sendfile(&self, sendfile: Sendfile) -> &Self {
        self.world.set_sendfile(sendfile);
        self
    }

    /// Stops the program for this time at its next wait, as SIGSTOP and SIGCONT do: time passes, bytes from peers stay with
    /// the system, and the wait ends without reporting them.
    ///
    /// ```
    /// use oneloop::sim::Sim;
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new();
    /// sim.stop(Duration::from_secs(60));
    /// sim.settle();
    /// assert_eq!(sim.now(), Duration::from_secs(60));
    /// ```
    pub fn stop(&self, time: Duration) {
        self.world.stop(time);
    }

    /// Makes an address swallow everything, as a firewall does: connections to it are neither accepted nor refused.
    pub fn set_black_hole(&self, address: SocketAddr) -> &Self {
        self.world.set_black_hole(address);
        self
    }

    /// Sets how many sockets the program may have open before the simulated system reports EMFILE. `None`: no limit.
    pub fn set_fd_limit(&self, limit: Option<usize>) -> &Self {
        self.world.set_fd_limit(limit.map(FdLimit::Process));
        self
    }

    /// Sets how many sockets the program may have open before the simulated system reports ENFILE. ENFILE means that the
    /// whole system has no descriptor left, so closing a spare one does not help. `None`: no limit.
    pub fn set_system_fd_limit(&self, limit: Option<usize>) -> &Self {
        self.world.set_fd_limit(limit.map(FdLimit::System));
        self
    }

    /// Sets the limit of file descriptors (`ulimit -n`) that the program assumes. It then accepts connections and sends files
    /// only within this limit, and keeps some descriptors for other uses. Near the limit, an idle connection is closed to make
    /// room for a new one. By default it is `None`: the program assumes no limit.
    pub fn set_known_fd_limit(&self, limit: Option<usize>) -> &Self {
        self.world.descriptors().set_limit(limit);
        self
    }

    /// Returns how many sockets the program has open, including listening ones.
    pub fn open_fds(&self) -> usize {
        self.world.open_fds()
    }

    /// Makes the program's next accept fail because the connection has gone (ECONNABORTED).
    pub fn abort_next_accept(&self) {
        self.world.abort_next_accept();
    }

    /// Returns how many calls the program has made on its sockets: accepts, reads, writes and ends of output, with any
    /// result.
    pub fn calls(&self) -> u64 {
        self.world.calls()
    }

    /// Makes one of the program's system calls on its sockets fail with an error of this kind. `after` calls succeed before
    /// it; 0 fails the next one. The connection of that call is lost, and its peer sees a reset. With `Interrupted` (EINTR)
    /// only the call fails, and the connection goes on. One failure can be planned at a time: another `fail_call` replaces
    /// a failure that has not happened yet. To test an error at every point, repeat a run with each `after` below the
    /// number of its [calls](Sim::calls).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::io::ErrorKind;
    /// for failing in 0..5 {
    ///     let sim = Sim::new();
    ///     let server = http::create_server(|_req, res| res.end("hello"));
    ///     server.listen(80, ()).unwrap();
    ///     let peer = sim.connect(80);
    ///     peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ///     sim.fail_call(failing, ErrorKind::ConnectionReset);
    ///     sim.settle();
    ///     assert!(peer.text().ends_with("hello") || peer.was_reset(), "{}", peer.text());
    /// }
    /// ```
    pub fn fail_call(&self, after: u64, kind: io::ErrorKind) {
        self.world.fail_call(after, kind);
    }

    /// Sets how long each job of the worker pool takes from now on (1 ms by default).
    pub fn set_worker_latency(&self, latency: Duration) -> &Self {
        self.world.set_worker_latency(latency);
        self
    }

    /// Sets the addresses of a host name. Without addresses, the look-up of the name fails, as it does for unknown names.
    /// `localhost` is 127.0.0.1 by default.
    pub fn set_host(&self, name: &str, addresses: &[IpAddr]) -> &Self {
        self.world.set_host(name, addresses);
        self
    }
}

/// Blocks the program for this time, as a callback does that computes or waits: virtual time passes, and the loop sees
/// afterwards what has happened meanwhile. On a real loop the thread sleeps.
///
/// ```
/// use oneloop::sim::{self, Sim};
/// use std::time::Duration;
///
/// let sim = Sim::new();
/// oneloop::set_immediate(|| sim::block(Duration::from_millis(300)));
/// sim.settle();
/// assert_eq!(sim.now(), Duration::from_millis(300));
/// ```
pub fn block(time: Duration) {
    let lp = event_loop::current();
    match lp.as_ref().map(|lp| lp.driver()) {
        Some(Driver::Sim(world)) => world.block(time),
        _ => std::thread::sleep(time),
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // Scripts may have captured this world, which would then never be freed. The scripts are dropped before the loop,
        // since they may hold handles of it.
        self.peers.end();
        self.world.end();
    }
}

/// Removes the horizon (the time at which the world's clock stops) when it is dropped, also by a panic.
struct Horizon<'a>(&'a World);

impl Drop for Horizon<'_> {
    fn drop(&mut self) {
        self.0.set_horizon(None);
    }
}

fn fail(error: &io::Error) -> ! {
    panic!("oneloop: the simulated loop cannot run: {error}")
}
