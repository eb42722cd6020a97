use super::answer::Answer;
use super::client_error::ClientError;
use super::connection::Connection;
#[cfg(feature = "app")]
use super::dispatch::Layer;
use super::dispatch::{ServerEvent, ServerListener, handler};
use super::h1::H1;
use super::limits::Limits;
use super::own_answer;
use super::refused::Refused;
use super::request::Request;
use super::response::Response;
use super::server_connection::ServerConnection;
use super::server_core::ServerCore;
use super::shedding::LoadShedding;
use crate::callback::{OptionalCallback, Site};
use crate::event_loop::{Time, current, set_deadline};
use crate::net::{Accepted, Address, CloseReason, Listen, Owner, Socket, Stream};
use std::io;
use std::panic::Location;
use std::rc::Rc;

/// An HTTP/1.1 server. It is a cheap handle: clones are the same server. While the server listens, the loop keeps it, even
/// if all handles are dropped; [`close`](Server::close) ends it.
#[derive(Clone)]
pub struct Server(pub(super) Rc<ServerCore>);

/// Makes a server that gives each request to `on_request`, with its response. `on_request` is called in the poll phase (or
/// in the pending phase, for a request that waited behind another), once for each request, one after another for the
/// requests of one connection.
///
/// The handler may answer at once, or keep the [`Response`] and answer later. It returns nothing, or a `Result` so that `?`
/// works: see [`Error`](super::Error). If it panics, or drops the response unanswered, the answer is 500.
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
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn create_server<R: Answer>(on_request: impl FnMut(Request, Response) -> R + 'static) -> Server {
    server_with(handler(on_request))
}

/// This function is not generic, so that it is compiled once and not once for each handler.
#[track_caller]
fn server_with(listener: ServerListener) -> Server {
    let lp = current().expect("oneloop: a server was created while its thread ends: the loop is gone");
    let server = Server(ServerCore::new(&lp));
    server.add(ServerEvent::Request, Location::caller(), listener);
    server
}

/// Makes a server that gives its requests to a layer above `http`. `None` while the thread ends and its loop is gone.
#[cfg(feature = "app")]
pub(crate) fn create_server_below(layer: Rc<dyn Layer>) -> Option<Server> {
    let server = Server(ServerCore::new(&current()?));
    server.0.dispatch.set_layer(layer);
    Some(server)
}

impl Server {
    pub(super) fn add(&self, event: ServerEvent, site: Site, listener: ServerListener) -> &Self {
        self.0.dispatch.add(event, site, listener);
        self
    }

    // ---- Listening

    /// Listens on a port, an address, a Unix path, or with options; see [`Listen`]. The socket is bound when this returns.
    /// The loop calls `listening` once, in its next pending phase; give `()` for no callback.
    ///
    /// # Errors
    /// If it cannot listen: the port is in use or needs privileges, the name is unknown, or the server is listening
    /// already. The message names the address.
    #[track_caller]
    pub fn listen(&self, on: impl Into<Listen>, listening: impl OptionalCallback) -> io::Result<()> {
        self.0.acceptor.listen(&on.into(), self.0.clone(), Location::caller(), listening.boxed())
    }

    /// The address on which the server listens. If port 0 was asked for, this has the port that the system chose.
    pub fn address(&self) -> Option<Address> {
        self.0.acceptor.address()
    }

    /// Returns whether the server listens.
    pub fn is_listening(&self) -> bool {
        self.0.acceptor.is_listening()
    }

    /// Ends the server. It stops listening at once. Idle connections are closed, busy ones after their response, which says
    /// `Connection: close`. Requests that have arrived by then are answered in the same way: the server accepts the
    /// connections that wait (4,096 at most), and reads all connections once more, before it closes any. A new connection
    /// without a request stays until a second after it was accepted, since its first request may be on its way (see
    /// [`close_idle_connections`](Server::close_idle_connections)).
    ///
    /// Connections that are still busy after [`Limits::shutdown`] are cut. So are those that were handed over
    /// ([`on_upgrade`](Server::on_upgrade), [`Response::upgrade`], [`on_connect`](Server::on_connect)); until then it is up to the
    /// program to end them. (Node waits for them for ever.) The log names the requests for which the server waits. Handlers that
    /// would take longer learn of the close by [`on_closing`](Server::on_closing). Streams of server-sent events (feature `app`)
    /// end at once.
    ///
    /// `closed` is called when the last connection is gone, in a closing phase. A client that does not close its side after the
    /// server's FIN delays this call: by a second if its connection was idle, else by [`Limits::linger_between`].
    ///
    /// ```
    /// use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// server.listen(7777, ())?;
    /// server.close(|| println!("the last answer has gone"));
    /// # sim.run_to_rest();
    /// # assert!(!server.is_listening());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn close(&self, closed: impl OptionalCallback) {
        let site = Location::caller();
        let first = !self.0.acceptor.is_closing();
        let listened = self.0.acceptor.is_listening();
        self.0.acceptor.close(site, closed.boxed());
        if first {
            self.end_streams();
        }
        self.close_idle_connections();
        if first && listened {
            self.say_what_is_awaited();
        }
        if first {
            self.tell_closing();
        }
        if first && (self.connections() > 0 || self.0.acceptor.has_last()) {
            let inner = Rc::downgrade(&self.0);
            let timer = set_deadline(self.0.limits.all().shutdown, move || {
                if let Some(inner) = inner.upgrade() {
                    let server = Server(inner);
                    server.say_what_is_cut();
                    server.close_all_connections();
                }
            });
            self.0.shutdown.set(Some(timer));
        }
    }

    /// Closes the connections that have no request. First, after this call has returned, the server reads all bytes that have
    /// arrived on them, and answers the requests that it finds there. If a peer has not yet taken all of its last response, its
    /// connection is closed when the peer has taken it.
    ///
    /// A request that is still on its way gets no answer. The server discards it, for a second at most, because a reset of the
    /// connection would take earlier answers from a client that has not read them yet. If the connection was used before, clients
    /// expect such a close, and send the request again on another connection (RFC 9112, section 9.3.1). If it is new, most
    /// clients do not. So a connection that was accepted less than a second ago and has sent nothing is closed only when that
    /// second is over, unless its first request has begun by then. (Node and nginx leave such connections open; hyper closes
    /// them at once.)
    pub fn close_idle_connections(&self) {
        self.0.acceptor.look();
    }

    /// Closes all connections at once, answered or not, including those that were handed over
    /// ([`on_upgrade`](Server::on_upgrade), [`Response::upgrade`], [`on_connect`](Server::on_connect)), which Node leaves alone.
    pub fn close_all_connections(&self) {
        self.0.acceptor.drop_last();
        for (stream, _) in self.each_connection() {
            stream.destroy(CloseReason::ServerClosed);
        }
        for stream in self.each_upgraded() {
            stream.destroy(CloseReason::ServerClosed);
        }
    }

    // ---- Listeners

    /// Adds another listener for requests. Each listener gets handles of its own. The request counts as dropped only when
    /// none of them keeps a `Response`.
    #[track_caller]
    pub fn on_request<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(ServerEvent::Request, Location::caller(), handler(f))
    }

    /// Calls `f` instead of the request listeners for a request whose path is `prefix`, or lies below it: `/admin` matches
    /// `/admin`, `/admin/` and `/admin/users`, but not `/administrator`. If several prefixes match, the longest counts. Paths are
    /// compared as received: nothing is decoded, `..` is not resolved. Use it to add something, such as a status page, without a
    /// change to the program's own handler.
    #[track_caller]
    pub fn on_path<R: Answer>(&self, prefix: &str, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.0.dispatch.add_path(prefix, Location::caller(), handler(f));
        self
    }

    /// Calls `f` for each new connection, in the poll phase.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// server.on_connection(|connection| log::debug!("a connection from {:?}", connection.remote_addr()));
    /// ```
    #[track_caller]
    pub fn on_connection(&self, f: impl FnMut(&Connection) + 'static) -> &Self {
        self.add(ServerEvent::Connection, Location::caller(), ServerListener::Connection(Box::new(f)))
    }

    /// Calls `f` instead of the request listeners for a request with `Expect: 100-continue`. In `f`, call
    /// [`write_continue`](Response::write_continue), or answer. Without such a listener, the request listeners get the
    /// request, and `100 Continue` is sent when the body is first asked for.
    #[track_caller]
    pub fn on_check_continue<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(ServerEvent::CheckContinue, Location::caller(), handler(f))
    }

    /// Calls `f` instead of the request listeners for a request with an expectation other than `100-continue`. Without
    /// such a listener, the request is answered 417.
    #[track_caller]
    pub fn on_check_expectation<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(ServerEvent::CheckExpectation, Location::caller(), handler(f))
    }

    /// Calls `f` instead of the request listeners for a request that asks for another protocol, with the connection's socket and
    /// the bytes after the head that have been read already. From then on the connection belongs to the listener: it writes the
    /// response, 101 or another, at once or later. Of the server's limits only [`Limits::write_stall`] and [`Limits::send_rate`]
    /// apply. Without such a listener, and if [`set_upgrade_filter`](Server::set_upgrade_filter) declines, the request goes to the
    /// request listeners, which may accept the offer by [`Response::upgrade`]. The same goes for a request with content: its
    /// `Upgrade` is ignored, since the content has to be read as HTTP first (RFC 9110, 7.8).
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("an ordinary answer\n"));
    /// server.on_upgrade(|_req, socket, head| {
    ///     socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").ignore();
    ///     socket.write(head).ignore(); // what came right behind the request
    ///     socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    /// });
    /// ```
    #[track_caller]
    pub fn on_upgrade(&self, f: impl FnMut(Request, Socket, Vec<u8>) + 'static) -> &Self {
        self.add(ServerEvent::Upgrade, Location::caller(), ServerListener::Upgrade(Box::new(f)))
    }

    /// Sets `f` to decide, before anything is handed over, whether a request for which there is an
    /// [`on_upgrade`](Server::on_upgrade) listener gets its connection. If `f` returns `false`, the offer to upgrade is ignored,
    /// as RFC 9110, 7.8 allows: the request is treated as an ordinary one. `f` is called once for each such request, in the phase
    /// in which the listener would be called. It is not called for CONNECT. If `f` panics, the request is answered 500. A later
    /// filter replaces an earlier one; without a filter, all upgrades are accepted. (Node: `shouldUpgradeCallback`.)
    ///
    /// A server with WebSockets needs it because of other clients: `curl --http2` offers `Upgrade: h2c` with each request.
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
        self.0.dispatch.remove(ServerEvent::ShouldUpgrade);
        self.add(ServerEvent::ShouldUpgrade, Location::caller(), ServerListener::ShouldUpgrade(Box::new(f)))
    }

    /// Like [`on_upgrade`](Server::on_upgrade), but for CONNECT. Without such a listener, CONNECT is answered 501.
    #[track_caller]
    pub fn on_connect(&self, f: impl FnMut(Request, Socket, Vec<u8>) + 'static) -> &Self {
        self.add(ServerEvent::Connect, Location::caller(), ServerListener::Upgrade(Box::new(f)))
    }

    /// Calls `f` for each message that is refused, with the reason. The library answers and closes the connection.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// server.on_client_error(|error| log::info!("refused: {error:?}"));
    /// ```
    #[track_caller]
    pub fn on_client_error(&self, f: impl FnMut(&ClientError) + 'static) -> &Self {
        self.add(ServerEvent::ClientError, Location::caller(), ServerListener::ClientError(Box::new(f)))
    }

    /// Calls `f` instead of the request listeners for two kinds of requests: those that are [shed](Server::set_load_shedding),
    /// and those beyond [`set_max_requests_per_socket`](Server::set_max_requests_per_socket), which a client sent before it had
    /// read the response that says `Connection: close`. If `f` does not answer, the answer is 503.
    #[track_caller]
    pub fn on_drop_request<R: Answer>(&self, f: impl FnMut(Request, Response) -> R + 'static) -> &Self {
        self.add(ServerEvent::DropRequest, Location::caller(), handler(f))
    }

    /// Calls `f` for each connection beyond [`set_max_connections`](Server::set_max_connections). Such a connection is answered
    /// 503 and closed.
    #[track_caller]
    pub fn on_drop(&self, f: impl FnMut(&Address) + 'static) -> &Self {
        self.add(ServerEvent::Drop, Location::caller(), ServerListener::Drop(Box::new(f)))
    }

    /// Calls `f` once, when [`close`](Server::close) has begun, as a tick after the callback that called `close`. Use it to end
    /// responses and sockets that never end by themselves and would delay the close, such as streams of events and upgraded
    /// connections.
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
        self.add(ServerEvent::Closing, Location::caller(), ServerListener::Ending(Box::new(f)))
    }

    /// Calls `f` when the server has closed and its last connection is gone, before the callback that was given to `close`.
    /// If the server listens and closes again, `f` is called again.
    #[track_caller]
    pub fn on_close(&self, f: impl FnMut() + 'static) -> &Self {
        self.add(ServerEvent::Close, Location::caller(), ServerListener::Ending(Box::new(f)))
    }

    // ---- Settings

    /// Returns the present limits.
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.0.limits.all())
    }

    /// Sets the limits for connections and requests that begin from now on.
    ///
    /// ```
    /// use oneloop::http;
    /// use std::time::Duration;
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// let mut limits = server.limits();
    /// limits.header = Duration::from_secs(5); // for the whole head of a request
    /// server.set_limits(limits);
    /// ```
    pub fn set_limits(&self, limits: Limits) -> &Self {
        self.0.limits.set(limits);
        let (hot_files, hot_file_age) = self.0.limits.hot_files();
        self.0.hot_files.configure(hot_files, hot_file_age);
        self
    }

    /// Sets whether an HTTP/1.1 request without `Host` is refused (true by default, as RFC 9112, 3.2 demands).
    pub fn set_require_host_header(&self, on: bool) -> &Self {
        self.0.limits.set_require_host(on);
        self
    }

    /// Sets how many connections the server may have open at a time (no limit by default).
    pub fn set_max_connections(&self, count: usize) -> &Self {
        self.0.acceptor.set_max_connections(count);
        self
    }

    /// Sets how many requests one connection may bring. The response to the last of them says `Connection: close`. 0, the
    /// default, means any number.
    pub fn set_max_requests_per_socket(&self, count: u32) -> &Self {
        self.0.max_requests.set(if count == 0 { u32::MAX } else { count });
        self
    }

    /// Sets when new requests are answered 503 because the loop is late. `None`, the default, takes all requests. See
    /// [`LoadShedding`].
    ///
    /// ```
    /// use oneloop::http::{self, LoadShedding};
    /// use std::time::Duration;
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// server.set_load_shedding(LoadShedding::new(Duration::from_millis(200)).exempt(|req| req.path() == "/health"));
    /// ```
    pub fn set_load_shedding(&self, how: impl Into<Option<LoadShedding>>) -> &Self {
        self.0.shedding.set(how.into());
        self
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

    // ---- Facts

    /// The number of the server's open connections.
    pub fn connections(&self) -> usize {
        self.0.acceptor.connections()
    }

    /// The number of requests so far, answered or not. Messages that were refused are no requests and are not counted.
    pub fn requests(&self) -> u64 {
        self.0.requests()
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

impl Server {
    /// The server's connections that speak HTTP, in the order of their slots.
    pub(super) fn each_connection(&self) -> impl Iterator<Item = (Rc<Stream>, Rc<dyn ServerConnection>)> {
        Stream::all(&self.0.cx.lp).filter_map(|stream| {
            let connection = self.connection(&stream)?;
            Some((stream, connection))
        })
    }

    /// The open connections that the server has handed over.
    pub(super) fn each_upgraded(&self) -> impl Iterator<Item = Rc<Stream>> {
        Stream::all(&self.0.cx.lp).filter(|stream| self.has_handed_over(stream))
    }

    /// Returns whether the connection is one of this server, is open, and no longer speaks HTTP.
    pub(super) fn has_handed_over(&self, stream: &Stream) -> bool {
        stream.is_in_use() && self.0.acceptor.has(stream) && self.connection(stream).is_none()
    }

    /// The HTTP protocol of a stream, if the stream is one of this server's connections and speaks HTTP.
    pub(super) fn connection(&self, stream: &Stream) -> Option<Rc<dyn ServerConnection>> {
        let mut connection = None;
        if self.0.acceptor.has(stream) {
            stream.protocol().provide(&mut connection);
        }
        connection
    }
}

impl Owner for ServerCore {
    fn accepted(self: Rc<Self>, accepted: Accepted) {
        let lp = self.lp();
        let connection = H1::new(&self, lp.now());
        let Some(stream) = self.acceptor.stream(accepted, connection.clone()) else { return };
        connection.start(&stream);
        #[cfg(feature = "tls")]
        self.make_secure(&stream);
        log::debug!(target: "oneloop::http", "connection from {}", stream.peer());
        if self.dispatch.has(ServerEvent::Connection) {
            self.dispatch.tell_connection(lp, &Connection(stream));
        }
    }

    fn dropped(self: Rc<Self>, dropped: Accepted) {
        let lp = self.lp();
        self.dispatch.tell_drop(lp, &dropped.peer);
        #[cfg(feature = "tls")]
        if self.is_secure() {
            // A handshake would cost more than the answer that could be sent then.
            return;
        }
        if let Some(stream) = self.acceptor.dropped_stream(dropped, Rc::new(Refused)) {
            let date = self.date();
            stream.encode(|out| own_answer::encode(out, 503, "too many connections", &date, false));
            stream.need_due(lp.now() + Time::from(self.limits.all().linger_total));
            stream.finish(CloseReason::TooMany, Some(self.limits.all().linger()));
        }
    }

    fn looked(self: Rc<Self>) {
        for (stream, connection) in Server(self).each_connection() {
            connection.close_if_idle(&stream);
        }
    }

    fn closed(self: Rc<Self>) {
        if let Some(timer) = self.shutdown.take() {
            timer.clear();
        }
        self.dispatch.tell_close(self.lp());
    }
}
