use super::answer::Answer;
use super::client_error::ClientError;
use super::connection::Connection;
use super::date::Date;
use super::dispatch::{Listener, On, handler};
use super::h1::H1;
use super::limits::{Limits, nanos};
use super::observing::Observing;
use super::own_answer;
use super::paths::Paths;
use super::pool::Pool;
use super::request::Request;
use super::response::Response;
use super::send_file::HotFiles;
use super::shedding::{LoadShedding, Shedding};
use crate::callback::{Listeners, OptionalCallback, Site};
use crate::event_loop::driver::Io;
use crate::event_loop::{Deadline, current, set_deadline};
use crate::net::{Acceptor, Address, CloseReason, Context, Listen, Owner, Protocol, Socket, Stream};
use crate::proto::h1::HeadLimits;
use std::any::Any;
use std::cell::{Cell, Ref, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// In memory the fields stand as they stand here, for the reason that [`Loop`](crate::event_loop::Loop) has.
#[repr(C)]
pub(super) struct Inner {
    pub cx: Rc<Context>,
    pub pool: Rc<Pool>,
    date: Rc<Date>,
    pub listeners: Listeners<On, Listener>,
    /// Parts of `limits` that every request needs.
    pub head_limits: Cell<HeadLimits>,
    pub pending_output: Cell<usize>,
    /// In nanoseconds.
    pub keep_alive: Cell<u64>,
    pub response: Cell<Option<Duration>>,
    pub max_requests: Cell<u32>,
    require_host: Cell<bool>,
    requests: Cell<u64>,
    pub shedding: Shedding,
    pub observing: Observing,
    pub paths: Paths,
    /// By the number of their prefix.
    pub path_listeners: Listeners<u32, Listener>,
    pub acceptor: Rc<Acceptor>,
    pub limits: RefCell<Rc<Limits>>,
    shutdown: Cell<Option<Deadline>>,
    pub hot_files: Rc<HotFiles>,
}

/// An HTTP/1.1 server. A cheap handle: clones are the same server. While it listens the loop keeps it, dropped handles or
/// not; [`close`](Server::close) ends it.
#[derive(Clone)]
pub struct Server(pub(super) Rc<Inner>);

/// Makes a server that gives each request to `on_request`, with its response. It is called in the poll phase (or the
/// pending phase, for a request that waited behind another), once for each request, one after another for the requests of
/// one connection.
///
/// The handler may answer at once, or keep the [`Response`] and answer later. It returns nothing, or a `Result` so that `?`
/// works: see [`Error`](super::Error). One that drops the response unanswered or panics answers 500.
///
/// ```no_run
/// use oneloop::http;
///
/// let server = http::create_server(|req, res| match req.url() {
///     "/seed-a-plant" => res.end("🌱 Plant seeded!"),
///     _ => {
///         res.set_header("Content-Type", "text/plain; charset=utf-8");
///         res.end("Hello from one loop\n")
///     }
/// });
/// server.listen(7777, || println!("Server listening on http://localhost:7777"))?;
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Panics
/// Where this thread is ending and its loop is gone.
#[track_caller]
pub fn create_server<R: Answer>(on_request: impl FnMut(Request, Response) -> R + 'static) -> Server {
    let Some(lp) = current() else {
        panic!("oneloop: a server was created while its thread ends: the loop is gone");
    };
    let cx = Context::of(&lp);
    let limits = Limits::default();
    let hot_files = HotFiles::new(limits.hot_files, nanos(limits.hot_file_age));
    let server = Server(Rc::new(Inner {
        acceptor: Acceptor::new(&cx),
        cx,
        pool: Pool::of(&lp),
        date: Date::of(&lp),
        listeners: Listeners::new(),
        paths: Paths::default(),
        path_listeners: Listeners::new(),
        requests: Cell::new(0),
        head_limits: Cell::new(limits.head(true)),
        pending_output: Cell::new(limits.pending_output),
        keep_alive: Cell::new(nanos(limits.keep_alive)),
        response: Cell::new(limits.response),
        limits: RefCell::new(Rc::new(limits)),
        require_host: Cell::new(true),
        max_requests: Cell::new(u32::MAX),
        shedding: Shedding::off(),
        observing: Observing::default(),
        shutdown: Cell::new(None),
        hot_files,
    }));
    server.0.listeners.add(On::Request, Location::caller(), handler(on_request));
    server
}

impl Server {
    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.listeners.add(on, site, listener);
        self
    }

    // ---- Listening

    /// Listens: on a port, an address, a Unix path, or with options; see [`Listen`]. It is bound when this returns;
    /// `listening` is called by the loop, once, in its next pending phase; give `()` where nobody wants to know.
    ///
    /// # Errors
    /// Where it cannot: the port is in use or needs privileges, the name is unknown, it is listening already. The message
    /// names the address.
    #[track_caller]
    pub fn listen(&self, on: impl Into<Listen>, listening: impl OptionalCallback) -> io::Result<()> {
        self.0.acceptor.listen(&on.into(), self.0.clone(), Location::caller(), listening.boxed())
    }

    /// Where it listens: with the port that the system chose, where that was 0.
    pub fn address(&self) -> Option<Address> {
        self.0.acceptor.address()
    }

    /// Returns whether the server listens.
    pub fn is_listening(&self) -> bool {
        self.0.acceptor.is_listening()
    }

    /// Ends the server: it stops listening at once; idle connections are closed, busy ones after their response, which says
    /// `Connection: close`. What had arrived by then is answered like that too: connections that wait to be accepted are
    /// (4,096 at most), and all are read once more, before any is closed. Those that are still busy after
    /// [`Limits::shutdown`] are cut. `closed` is called
    /// when the last one is gone, in a closing phase. A client that does not close its side too, once it has been told, holds
    /// that up: for a second where its connection was idle, else for [`Limits::linger_between`]. What may take longer is told
    /// by [`on_closing`](Server::on_closing), and the log says what is waited for. Connections that were handed over
    /// ([`on_upgrade`](Server::on_upgrade), [`on_connect`](Server::on_connect)) are the program's to end; those that are
    /// still there after [`Limits::shutdown`] are cut as well, so that a graceful end is one. (Node waits for them for ever.)
    #[track_caller]
    pub fn close(&self, closed: impl OptionalCallback) {
        let site = Location::caller();
        let first = !self.0.acceptor.is_closing();
        let listened = self.0.acceptor.is_listening();
        self.0.acceptor.close(site, closed.boxed());
        self.close_idle_connections();
        if first && listened {
            self.say_what_is_awaited();
        }
        if first {
            self.tell_closing();
        }
        if first && (self.connections() > 0 || self.0.acceptor.has_last()) {
            let inner = Rc::downgrade(&self.0);
            let timer = set_deadline(self.0.limits.borrow().shutdown, move || {
                if let Some(inner) = inner.upgrade() {
                    let server = Server(inner);
                    server.say_what_is_cut();
                    server.close_all_connections();
                }
            });
            self.0.shutdown.set(Some(timer));
        }
    }

    /// Closes the connections that have no request, as soon as what they have sent until now has been read: a request that
    /// the system has already is answered. It returns first. Where a peer has not read all of its last response, after that. A
    /// request that is on its way finds our FIN and no answer; it is discarded, for a second at most, so that no reset takes
    /// earlier answers from a client that has yet to read them.
    pub fn close_idle_connections(&self) {
        self.0.acceptor.look();
    }

    /// Closes all connections at once, answered or not; also those that were handed over by
    /// [`on_upgrade`](Server::on_upgrade) or [`on_connect`](Server::on_connect), which Node leaves alone.
    pub fn close_all_connections(&self) {
        self.0.acceptor.drop_last();
        for (stream, _) in self.0.each_connection() {
            stream.destroy(CloseReason::ServerClosed);
        }
        for stream in self.0.each_upgraded() {
            stream.destroy(CloseReason::ServerClosed);
        }
    }

    // ---- Listeners

    /// Adds another listener for requests. Each gets its own handles; the request is given up only when none of them keeps a
    /// `Response`.
    #[track_caller]
    pub fn on_request<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(On::Request, Location::caller(), handler(f))
    }

    /// Called instead of the request listeners for a request whose path is `prefix`, or lies below it: `/admin` has
    /// `/admin`, `/admin/` and `/admin/users`, but not `/administrator`. Of several prefixes the longest counts. Paths are
    /// compared as received: nothing is decoded, `..` is not resolved. It is for what is put beside a program's own
    /// handler without a change to it, as a status page.
    #[track_caller]
    pub fn on_path<R: Answer>(&self, prefix: &str, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.0.path_listeners.add(self.0.paths.number(prefix), Location::caller(), handler(f));
        self
    }

    /// Called for each new connection, in the poll phase.
    #[track_caller]
    pub fn on_connection(&self, f: impl FnMut(&Connection) + 'static) -> &Self {
        self.add(On::Connection, Location::caller(), Listener::Connection(Box::new(f)))
    }

    /// Called instead of the request listeners for a request with `Expect: 100-continue`: say
    /// [`write_continue`](Response::write_continue), or answer. Without such a listener, the request listeners get it, and
    /// `100 Continue` is sent when the body is first asked for.
    #[track_caller]
    pub fn on_check_continue<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(On::CheckContinue, Location::caller(), handler(f))
    }

    /// Called instead of the request listeners for a request with another expectation. Without such a listener it is
    /// answered 417.
    #[track_caller]
    pub fn on_check_expectation<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(On::CheckExpectation, Location::caller(), handler(f))
    }

    /// Called instead of the request listeners for a request that asks for another protocol, with the connection's socket
    /// and the bytes behind the head that were read already. From then on the connection is the listener's: it writes the
    /// response, 101 or not, and no limit of the server's applies. Without such a listener, or where
    /// [`set_upgrade_filter`](Server::set_upgrade_filter) declines, an `Upgrade` is ignored, as is one with content: it would
    /// have to be read as HTTP first (RFC 9110, 7.8).
    #[track_caller]
    pub fn on_upgrade(&self, f: impl FnMut(Request, Socket, Vec<u8>) + 'static) -> &Self {
        self.add(On::Upgrade, Location::caller(), Listener::Upgrade(Box::new(f)))
    }

    /// Sets `f` to decide, before anything is handed over, whether a request that [`on_upgrade`](Server::on_upgrade) would get is
    /// to have its connection. With `false` the offer is ignored, as RFC 9110, 7.8 allows: the request is an ordinary one,
    /// and the connection goes on. It is called once for each such request, in the phase in which its listener would be; not
    /// for CONNECT. A panic in it costs the request (500). A later call replaces an earlier one; without one, all are
    /// accepted. (Node: `shouldUpgradeCallback`.)
    ///
    /// A server with WebSockets needs it for other clients' sake: `curl --http2` offers `Upgrade: h2c` with each request.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("an ordinary answer\n"));
    /// server.on_upgrade(|_req, socket, _head| socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
    /// server.set_upgrade_filter(|req| {
    ///     req.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
    /// });
    /// ```
    #[track_caller]
    pub fn set_upgrade_filter(&self, f: impl FnMut(&Request) -> bool + 'static) -> &Self {
        self.0.listeners.remove(On::ShouldUpgrade);
        self.add(On::ShouldUpgrade, Location::caller(), Listener::ShouldUpgrade(Box::new(f)))
    }

    /// The same for CONNECT. Without such a listener, it is answered 501.
    #[track_caller]
    pub fn on_connect(&self, f: impl FnMut(Request, Socket, Vec<u8>) + 'static) -> &Self {
        self.add(On::Connect, Location::caller(), Listener::Upgrade(Box::new(f)))
    }

    /// Called for each message that is refused, with the reason. The answer and the close are the library's.
    #[track_caller]
    pub fn on_client_error(&self, f: impl FnMut(&ClientError) + 'static) -> &Self {
        self.add(On::ClientError, Location::caller(), Listener::ClientError(Box::new(f)))
    }

    /// Called instead of the request listeners for a request beyond
    /// [`set_max_requests_per_socket`](Server::set_max_requests_per_socket), which came with or right behind the last one,
    /// and for one that is [shed](Server::set_load_shedding). Unless it answers, the answer is 503.
    #[track_caller]
    pub fn on_drop_request<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(On::DropRequest, Location::caller(), handler(f))
    }

    /// Called for each connection beyond [`set_max_connections`](Server::set_max_connections), which is answered 503 and
    /// closed.
    #[track_caller]
    pub fn on_drop(&self, f: impl FnMut(&Address) + 'static) -> &Self {
        self.add(On::Drop, Location::caller(), Listener::Drop(Box::new(f)))
    }

    /// Called once, when [`close`](Server::close) has begun, in the tick queue behind what called it: for what would hold the
    /// end up and can end by itself, as streams of events and sockets of upgrades.
    ///
    /// ```
    /// use oneloop::http::{self, Response};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let streams: Rc<RefCell<Vec<Response>>> = Rc::default();
    /// let listening = streams.clone();
    /// let server = http::create_server(move |_req, res| {
    ///     res.set_header("Content-Type", "text/event-stream").flush_headers();
    ///     listening.borrow_mut().push(res);
    /// });
    /// server.on_closing(move || {
    ///     for res in streams.take() {
    ///         res.end("event: bye\ndata:\n\n");
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn on_closing(&self, f: impl FnMut() + 'static) -> &Self {
        self.add(On::Closing, Location::caller(), Listener::Closing(Box::new(f)))
    }

    /// Called when it has closed and its last connection is gone, before what was given to `close`: each time, for a
    /// server that listens again and closes again.
    #[track_caller]
    pub fn on_close(&self, f: impl FnMut() + 'static) -> &Self {
        self.add(On::Close, Location::caller(), Listener::Close(Box::new(f)))
    }

    // ---- Settings

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.0.limits.borrow())
    }

    /// Sets the limits, for what begins from now on.
    pub fn set_limits(&self, limits: Limits) -> &Self {
        self.0.head_limits.set(limits.head(self.0.require_host.get()));
        self.0.pending_output.set(limits.pending_output.max(1));
        self.0.keep_alive.set(nanos(limits.keep_alive));
        self.0.response.set(limits.response);
        self.0.hot_files.configure(limits.hot_files, nanos(limits.hot_file_age));
        *self.0.limits.borrow_mut() = Rc::new(limits);
        self
    }

    /// Sets whether an HTTP/1.1 request without `Host` is refused (true at first, as RFC 9112, 3.2 demands).
    pub fn set_require_host_header(&self, on: bool) -> &Self {
        self.0.require_host.set(on);
        self.0.head_limits.set(self.0.limits.borrow().head(on));
        self
    }

    /// Sets how many connections the server may have open at a time (at first any number).
    pub fn set_max_connections(&self, count: usize) -> &Self {
        self.0.acceptor.set_max_connections(count);
        self
    }

    /// Sets how many requests one connection may bring; the last response says `Connection: close`. 0: any number, as at
    /// first.
    pub fn set_max_requests_per_socket(&self, count: u32) -> &Self {
        self.0.max_requests.set(if count == 0 { u32::MAX } else { count });
        self
    }

    /// Sets when new requests are answered 503 because the loop is late; `None` takes them all, as at first. See [`LoadShedding`].
    pub fn set_load_shedding(&self, how: impl Into<Option<LoadShedding>>) -> &Self {
        self.0.shedding.set(how.into());
        self
    }

    /// Lets the loop end while it listens.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Says whether the loop goes on while it listens (true at first).
    pub fn set_ref(&self, on: bool) -> &Self {
        self.0.acceptor.set_referenced(on);
        self
    }

    /// Returns whether the server keeps the loop running while it listens.
    pub fn has_ref(&self) -> bool {
        self.0.acceptor.is_referenced()
    }

    // ---- Facts

    /// Its open connections.
    pub fn connections(&self) -> usize {
        self.0.acceptor.connections()
    }

    /// The requests that came so far, answered or not. Messages that were refused are not counted: they are none.
    pub fn requests(&self) -> u64 {
        self.0.requests.get()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("http::Server")
            .field("address", &self.address())
            .field("connections", &self.connections())
            .finish()
    }
}

impl Inner {
    pub fn is_closing(&self) -> bool {
        self.acceptor.is_closing()
    }

    /// The value of the `Date` field.
    #[inline]
    pub fn date(&self) -> Ref<'_, [u8; 29]> {
        self.date.text(&self.cx.lp)
    }

    /// Its connections, in the order of their slots.
    pub fn each_connection(&self) -> impl Iterator<Item = (Rc<Stream>, Rc<H1>)> {
        self.cx.streams().filter_map(|stream| {
            let connection = self.connection(&stream)?;
            Some((stream, connection))
        })
    }

    /// The connections that it has handed over and that are open.
    pub fn each_upgraded(&self) -> impl Iterator<Item = Rc<Stream>> {
        self.cx.streams().filter(|stream| stream.is_open() && Socket::is_adopted(stream, &self.acceptor))
    }

    /// The HTTP of a stream, where that is one of this server's connections.
    pub fn connection(&self, stream: &Stream) -> Option<Rc<H1>> {
        let connection = stream.protocol().into_any().downcast::<H1>().ok()?;
        std::ptr::eq(Rc::as_ptr(&connection.server), self).then_some(connection)
    }

    /// Counts a request.
    #[inline]
    pub fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }
}

impl Owner for Inner {
    fn accepted(self: Rc<Self>, io: Io, peer: Address) {
        let lp = &self.cx.lp;
        let connection = H1::new(&self, lp.now());
        let Some(stream) = self.acceptor.stream(io, peer, connection.clone()) else { return };
        self.acceptor.connection_opened();
        connection.start(&stream);
        log::debug!(target: "oneloop::http", "connection from {}", stream.peer());
        if self.listeners.has(On::Connection) {
            let handle = Connection(stream);
            self.listeners.each(On::Connection, |site, listener| {
                if let Listener::Connection(f) = listener
                    && lp.call(site, &"a connection", || f(&handle)).is_none()
                {
                    handle.0.destroy(CloseReason::Panicked);
                }
            });
        }
    }

    fn dropped(self: Rc<Self>, io: Io, peer: Address) {
        let lp = &self.cx.lp;
        self.listeners.each(On::Drop, |site, listener| {
            if let Listener::Drop(f) = listener {
                lp.call(site, &"a dropped connection", || f(&peer));
            }
        });
        if let Some(stream) = self.acceptor.stream(io, peer, Rc::new(Refused)) {
            let date = self.date();
            stream.encode(|out| own_answer::encode(out, 503, "too many connections", &date, false));
            stream.need_due(lp.now() + super::limits::nanos(self.limits.borrow().linger_total));
            stream.finish(CloseReason::TooMany, Some(self.limits.borrow().linger()));
        }
    }

    fn looked(self: Rc<Self>) {
        for (stream, connection) in self.each_connection() {
            connection.close_if_idle(&stream);
        }
    }

    fn closed(self: Rc<Self>) {
        if let Some(timer) = self.shutdown.take() {
            timer.clear();
        }
        self.listeners.each(On::Close, |site, listener| {
            if let Listener::Close(f) = listener {
                self.cx.lp.call(site, &"a server's close", f);
            }
        });
    }
}

/// The protocol of a connection that is only told to go.
struct Refused;

impl Protocol for Refused {
    fn data(self: Rc<Self>, _: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        bytes.len()
    }
    fn eof(self: Rc<Self>, _: &Rc<Stream>) {}
    fn resume(self: Rc<Self>, _: &Rc<Stream>) {}
    fn sent(self: Rc<Self>, _: &Rc<Stream>, _: usize) {}
    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        stream.destroy(CloseReason::TooMany);
    }
    fn close(self: Rc<Self>, _: &Rc<Stream>, _: CloseReason, _: Option<&io::Error>) {}
    fn teardown(&self) {}
    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
