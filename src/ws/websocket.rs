//! What users call on a socket.

use super::connection::{Close, Listener, State, WebSocket};
use super::event::On;
use super::payload::Payload;
use crate::callback::{Site, compare_by_identity, discard};
use crate::net::{Address, CloseReason, Flow, Stream};
use crate::notice;
use crate::proto::ws::{CONTROL, Message, Opcode, fitting_reason, is_close_code, status};
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;

compare_by_identity!(WebSocket);

impl WebSocket {
    fn stream(&self) -> Option<&Rc<Stream>> {
        self.0.stream.get()
    }

    // ---- Sending

    /// Sends a message: text for strings, binary for bytes. It is given to the kernel at the end of the socket's turn or, outside
    /// of its turn, before the loop waits again. Output that the kernel does not take is kept: it is pending. With
    /// [`Limits::pending_output`](super::Limits::pending_output) or more pending bytes this returns [`Flow::Full`], which asks
    /// you to wait for `on_drain`; the message is taken all the same. No message is ever left out: if more than
    /// [`Limits::max_pending`](super::Limits::max_pending) is pending, the connection is closed. Returns [`Flow::Closed`] if the
    /// socket closes or is closed: then the message is not sent.
    ///
    /// ```
    /// use oneloop::{http, net::Flow, ws};
    ///
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// let echo = ws::mount(&server, "/echo");
    /// echo.on_message(|socket, message| match socket.send(message) {
    ///     Flow::Full => socket.pause(), // read on when the peer has taken what it was sent
    ///     _ => {}
    /// });
    /// echo.on_drain(|socket| socket.resume());
    /// ```
    pub fn send<'a>(&self, message: impl Into<Payload<'a>>) -> Flow {
        let Some(stream) = self.0.open_stream() else {
            if self.0.state.get() == State::Opening {
                notice::error!(target: "oneloop::ws", "a message to a socket that is not open yet: send it in on_open");
            }
            log::debug!(target: "oneloop::ws", "a message to a socket that is closed or closes");
            return Flow::Closed;
        };
        self.0.write(stream, message.into())
    }

    /// Sends a ping with at most 125 bytes; more are cut off, and an error is logged. When the pong comes, `on_pong` is called.
    /// You need not send pings to learn whether the peer is there: see [`Limits::ping`](super::Limits::ping).
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, _req| socket.ping(b"are you there?"));
    /// endpoint.on_pong(|socket, content| log::debug!("{:?} answers {content:?}", socket.remote_addr()));
    /// ```
    pub fn ping(&self, content: &[u8]) {
        let Some(stream) = self.0.open_stream() else { return };
        if content.len() > CONTROL {
            notice::error!(target: "oneloop::ws", "a ping of {} bytes is cut to {CONTROL}", content.len());
        }
        self.0.write_control(stream, Opcode::Ping, content.get(..CONTROL).unwrap_or(content));
    }

    /// Sends everything that was sent before, and then a close frame with the code 1000. From now on nothing more is sent, and no
    /// callback of the socket comes but `on_close`: when the peer has answered, or at the latest after
    /// [`Limits::close`](super::Limits::close).
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, _req| {
    ///     socket.send("this is all").ignore();
    ///     socket.close();
    /// });
    /// ```
    pub fn close(&self) {
        self.close_with(status::NORMAL, "");
    }

    /// Closes as [`close`](WebSocket::close) does, with a code and a reason for the peer. An application may use the codes 4000
    /// to 4999 as it likes; the codes of RFC 6455 are allowed, except those that must not be sent. Another code is logged as an
    /// error and becomes 1011. The reason has 123 bytes at most; a longer one is cut.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_message(|socket, _| socket.close_with(4001, "nobody may speak here"));
    /// ```
    pub fn close_with(&self, code: u16, reason: &str) {
        let sent = if is_close_code(code) { code } else { status::INTERNAL_ERROR };
        if sent != code {
            notice::error!(target: "oneloop::ws", "{code} is no code that a close frame may have; it becomes {sent}");
        }
        let fitting = fitting_reason(reason);
        if fitting.len() < reason.len() {
            notice::error!(target: "oneloop::ws", "a close reason of {} bytes is cut to {}", reason.len(), fitting.len());
        }
        if self.0.state.get() == State::Opening {
            return self.terminate();
        }
        self.0.begin_close(sent, fitting, CloseReason::Finished);
    }

    /// Closes the connection at once, without a close frame. What the kernel has not taken is lost.
    pub fn terminate(&self) {
        if let Some(stream) = self.stream() {
            stream.destroy(CloseReason::Destroyed);
        }
    }

    /// How many bytes of output the kernel has not taken.
    pub fn buffered_amount(&self) -> usize {
        self.stream().map_or(0, |stream| stream.pending())
    }

    // ---- Receiving

    /// Stops reading: the socket handles no messages, pings and pongs until [`resume`](WebSocket::resume). The bytes that the
    /// peer sends fill the kernel's buffers, and then the peer has to wait. No deadline for receiving runs meanwhile, and no pings are
    /// sent. That the peer has ended the connection stands behind what it has sent before, as in Node: it is noticed after `resume`,
    /// or when this side closes; only a reset is noticed at once. So pause for a limited time only.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use std::time::Duration;
    ///
    /// endpoint.on_message(|socket, _| {
    ///     socket.pause(); // ten messages a second are enough
    ///     let socket = socket.clone();
    ///     oneloop::set_timeout(Duration::from_millis(100), move || socket.resume());
    /// });
    /// ```
    pub fn pause(&self) {
        if self.0.state.get() == State::Opening {
            self.0.paused.set(true);
        } else if let Some(stream) = self.0.open_stream() {
            self.0.paused.set(true);
            stream.pause();
        }
    }

    /// Goes on after [`pause`](WebSocket::pause), from the next pending phase on.
    pub fn resume(&self) {
        if self.0.state.get() == State::Opening {
            self.0.paused.set(false);
        } else if let Some(stream) = self.0.open_stream()
            && self.0.paused.replace(false)
        {
            self.0.begin_anew(stream);
            stream.resume_reading();
            stream.ask_for_turn();
        }
    }

    /// Returns whether the socket is paused.
    pub fn is_paused(&self) -> bool {
        self.0.paused.get()
    }

    // ---- Listeners of this socket

    /// Calls `f` once, when this socket is open, after the listeners of its endpoint and before anything else of the socket is told: in
    /// the poll or the pending phase. If the socket is open already, and that was told, `f` is never called.
    ///
    /// ```no_run
    /// let socket = oneloop::ws::connect("ws://localhost:7777/chat", |_| ());
    /// socket.on_open(|socket| socket.send("hello").ignore());
    /// ```
    #[track_caller]
    pub fn on_open(&self, f: impl FnOnce(&WebSocket) + 'static) -> &Self {
        let mut once = Some(f);
        let f = move |socket: &WebSocket| {
            if let Some(f) = once.take() {
                f(socket);
            }
        };
        self.add(On::Open, Location::caller(), Listener::Opened(Box::new(f)))
    }

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        if self.0.state.get() == State::Closed {
            discard(listener);
        } else {
            self.0.listeners.add(on, site, listener);
        }
        self
    }

    /// Calls `f` with each message of this socket, after the listeners of its endpoint. A listener of a socket takes memory for
    /// that socket alone; a listener of the endpoint serves all sockets with the same memory.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, req| {
    ///     let path = req.path().to_owned();
    ///     socket.on_message(move |_, message| log::info!("{path}: {} bytes", message.as_bytes().len()));
    /// });
    /// ```
    #[track_caller]
    pub fn on_message(&self, f: impl FnMut(&WebSocket, Message<'_>) + 'static) -> &Self {
        self.add(On::Message, Location::caller(), Listener::Message(Box::new(f)))
    }

    /// Calls `f` when all pending output of this socket has been sent, after a `send` that returned [`Flow::Full`].
    #[track_caller]
    pub fn on_drain(&self, f: impl FnMut(&WebSocket) + 'static) -> &Self {
        self.add(On::Drain, Location::caller(), Listener::Drain(Box::new(f)))
    }

    /// Calls `f` with the content of each pong of this socket.
    #[track_caller]
    pub fn on_pong(&self, f: impl FnMut(&WebSocket, &[u8]) + 'static) -> &Self {
        self.add(On::Pong, Location::caller(), Listener::Pong(Box::new(f)))
    }

    /// Calls `f` at most once, in the closing phase, just before `on_close`: with the error that has ended the connection, or because of
    /// which it was never made. The error says more than [`Close::why`], such as the status with which a server has refused to open the socket.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(403).end("no\n"));
    /// # server.listen(80, ())?;
    /// # let seen = std::rc::Rc::new(std::cell::Cell::new(false));
    /// # let told = seen.clone();
    /// let socket = oneloop::ws::connect("ws://127.0.0.1/news", |_| ());
    /// socket.on_error(move |_, error| {
    ///     println!("{error}"); // cannot open ws://127.0.0.1/news: the server has answered with the status 403 Forbidden
    /// #     assert!(error.to_string().ends_with("ws://127.0.0.1/news: the server has answered with the status 403 Forbidden"));
    /// #     told.set(true);
    /// });
    /// # sim.settle();
    /// # assert!(seen.get());
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn on_error(&self, f: impl FnOnce(&WebSocket, &io::Error) + 'static) -> &Self {
        let mut once = Some(f);
        let f = move |socket: &WebSocket, error: &io::Error| {
            if let Some(f) = once.take() {
                f(socket, error);
            }
        };
        self.add(On::Error, Location::caller(), Listener::Error(Box::new(f)))
    }

    /// Calls `f` once, in the closing phase, when this socket has closed, after the listeners of its endpoint.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, _req| {
    ///     socket.on_close(|_, close| log::info!("{} {}: {}", close.code, close.reason, close.why));
    /// });
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&WebSocket, &Close<'_>) + 'static) -> &Self {
        let mut once = Some(f);
        let f = move |socket: &WebSocket, close: &Close<'_>| {
            if let Some(f) = once.take() {
                f(socket, close);
            }
        };
        self.add(On::Close, Location::caller(), Listener::Close(Box::new(f)))
    }

    // ---- Facts

    /// Keeps a value with the socket, such as who its user is. It can be set once: returns whether it was.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// struct User(String);
    ///
    /// endpoint.on_open(|socket, req| {
    ///     socket.set_data(User(req.query().unwrap_or("nobody").to_owned()));
    /// });
    /// endpoint.on_message(|socket, message| {
    ///     let name = socket.data::<User>().map_or("", |user| &user.0);
    ///     log::info!("{name} says {message:?}");
    /// });
    /// ```
    pub fn set_data<T: 'static>(&self, data: T) -> bool {
        match self.0.data.set(Box::new(data)) {
            Ok(()) => true,
            Err(second) => {
                discard(second);
                false
            }
        }
    }

    /// The value that was set with [`set_data`](WebSocket::set_data), if it is a `T`.
    pub fn data<T: 'static>(&self) -> Option<&T> {
        self.0.data.get()?.downcast_ref()
    }

    /// The number of the socket. No other socket of this process ever has the same. Handles themselves can be compared (`==`) and
    /// hashed.
    pub fn id(&self) -> u64 {
        self.0.identity.number()
    }

    /// The subprotocol that was agreed: see [`Endpoint::protocols`](super::Endpoint::protocols) and
    /// [`Connect::protocol`](super::Connect::protocol).
    pub fn protocol(&self) -> Option<&str> {
        self.0.protocol.get().map(|agreed| &*agreed.0)
    }

    /// Returns whether compression was agreed: see [`Endpoint::compress`](super::Endpoint::compress) and
    /// [`Connect::compress`](super::Connect::compress). (Messages may be compressed then; not each one is.)
    #[cfg(feature = "deflate")]
    pub fn is_compressed(&self) -> bool {
        self.0.deflates.get().is_some()
    }

    /// The peer's address; `None` if there has been no connection. Behind a proxy it is the address of the proxy.
    pub fn remote_addr(&self) -> Option<Address> {
        self.stream().filter(|stream| stream.has_peer()).map(|stream| stream.peer())
    }

    /// The address of our end, while the connection is open.
    pub fn local_addr(&self) -> Option<Address> {
        self.stream().and_then(|stream| stream.local())
    }

    /// Returns whether messages can be sent: neither side has begun to close, and no write to the peer has failed.
    pub fn is_open(&self) -> bool {
        self.0.open_stream().is_some()
    }

    /// How many bytes the connection has received in all, including the request of the handshake and everything before it.
    pub fn bytes_read(&self) -> u64 {
        self.stream().map_or(0, |stream| stream.bytes_read())
    }

    /// How many bytes of the connection the kernel has taken in all, including those before the socket was opened.
    pub fn bytes_written(&self) -> u64 {
        self.stream().map_or(0, |stream| stream.bytes_written())
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("remote_addr", &self.remote_addr()).field("open", &self.is_open()).finish()
    }
}
