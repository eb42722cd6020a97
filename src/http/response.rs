//! The methods of a response, and its handles. What happens to an exchange whose last handle is dropped without an answer is in
//! `unanswered.rs`; the head of an answer is in `response_head.rs`, and its content in `outgoing.rs`.

use super::answer::{Answer, answer};
use super::error::Error;
use super::exchange::{Exchange, Handle, Listener, On};
use crate::callback::{Site, compare_by_identity};
use crate::event_loop::set_timeout;
use crate::net::{Chunk, CloseReason, Flow, Overflow};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// A response. It is a handle: clones are the same response, and equal. If the last one is dropped before the response has
/// ended, the library answers 500, or cuts the connection if the head has been sent: no request hangs because it was
/// forgotten. A listener of [`on_drain`](Response::on_drain) that waits for its call counts as a handle.
///
/// The head is sent with the first part of the body. If the whole body is given to [`end`](Response::end) at once, the
/// response has a `Content-Length`, otherwise it is chunked (to an HTTP/1.0 peer: it lasts until the close). `Date`,
/// framing and `Connection` are set by the library.
///
/// If a response that lasts until the close (RFC 9112, 6.3) breaks off, the connection is reset, since a FIN would make it look
/// whole. A reset overtakes bytes that are still being sent, so it comes a second later, or at once if the connection is
/// destroyed or the peer goes on sending. Bytes that the kernel has not sent by then are lost, including answers to earlier
/// requests. A Unix socket has no reset: its stream just ends.
///
/// Once the response has ended, all methods do nothing; a debug line of the log says so. A head that is changed after it was sent, while
/// the client is still there, is a mistake, and the log has a warning.
#[derive(Clone)]
pub struct Response(pub(crate) Handle);

compare_by_identity!(Response);

impl Response {
    #[inline]
    pub(crate) fn new(exchange: &Rc<Exchange>) -> Response {
        Response(Handle::new(exchange))
    }

    #[cold]
    pub(super) fn is_late(&self, what: &str, after: &str) {
        log::debug!(target: "oneloop::http", "{}: {what} after {after}", *self.0);
    }

    // ---- The body

    /// Sends a part of the body, after the head if that has not been sent. The bytes are given to the kernel at the end of
    /// the turn. Bytes that the kernel does not take are kept; from
    /// [`Limits::pending_output`](super::Limits::pending_output) on this returns [`Flow::Full`], which asks you to wait for
    /// `on_drain`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     for line in ["one\n", "two\n"] {
    ///         res.write(line).ignore(); // few bytes: whether it is full does not matter
    ///     }
    ///     res.end("three\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().text(), "one\ntwo\nthree\n");
    /// ```
    pub fn write<'a>(&self, chunk: impl Into<Chunk<'a>>) -> Flow {
        self.pass_on(chunk.into(), false)
    }

    /// Sets how many bytes may be pending for the peer while this response is being written, and what happens if there are more.
    /// By default there is no limit, and there is none once the response has ended: then `Limits::send_rate` and
    /// `Limits::write_stall` apply. Use this for streams that go on by themselves, such as events for a page: a reader that does
    /// not keep up takes no more memory than this, and the program does not wait for it. Only bytes that the kernel has refused
    /// count, as for [`Socket::set_pending_limit`](crate::net::Socket::set_pending_limit), whose documentation says how much to
    /// allow.
    ///
    /// ```
    /// use oneloop::http;
    /// use oneloop::net::Overflow;
    ///
    /// let server = http::create_server(|_req, res| {
    ///     res.set_header("Content-Type", "text/event-stream").set_pending_limit(1024 * 1024, Overflow::Close);
    ///     res.write("data: hello\n\n").ignore();
    ///     // and from then on with each event
    /// });
    /// ```
    pub fn set_pending_limit(&self, bytes: usize, overflow: Overflow) -> &Self {
        let Overflow::Close = overflow;
        self.0.outgoing().set_pending_limit(bytes);
        self
    }

    /// Ends the response with a last part of the body, or with `()`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.path() {
    ///     "/text" => res.end("text"),
    ///     "/bytes" => res.end(vec![0x89, b'P', b'N', b'G']),
    ///     "/nothing" => res.set_status(204).end(()),
    ///     path => res.end(format!("no {path}")),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/nothing").send().status(), 204);
    /// ```
    #[doc(alias = "send")]
    pub fn end<'a>(&self, chunk: impl Into<Chunk<'a>>) {
        self.pass_on(chunk.into(), true).ignore();
    }

    /// Answers with an error, as if a handler had returned it. Use it in callbacks that return nothing. If the head has
    /// been sent, the connection is cut; if the response has ended, the error is only logged.
    ///
    /// ```
    /// use oneloop::{http, worker};
    ///
    /// let server = http::create_server(|_, res| {
    ///     worker::run(
    ///         || std::fs::read_to_string("todos.txt"),
    ///         move |result| match result {
    ///             Ok(Ok(todos)) => res.end(todos),
    ///             Ok(Err(error)) => res.fail(error),
    ///             Err(error) => res.fail(error),
    ///         },
    ///     );
    /// });
    /// ```
    pub fn fail(&self, error: impl Into<Error>) {
        self.0.fail(error.into());
    }

    fn pass_on(&self, chunk: Chunk<'_>, last: bool) -> Flow {
        if self.0.outgoing().is_refused() {
            self.is_late("a write", "the end");
            return Flow::Closed;
        }
        self.0.send(chunk, last)
    }

    /// How many bytes of this connection the kernel has not taken yet.
    pub fn pending(&self) -> usize {
        self.0.pending()
    }

    /// Closes the connection at once. The peer sees that the response is not whole.
    pub fn destroy(&self) {
        self.0.cut(CloseReason::Destroyed);
    }

    // ---- Listeners

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.add(on, site, listener);
        self
    }

    /// Calls `f` when all pending output has been sent, after a `write` that returned [`Flow::Full`]. Until then the
    /// listener counts as a handle: it gets the response as its argument and need not capture one. An error that `f`
    /// returns cuts the connection, since the head has been sent.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use std::cell::Cell;
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     let left = Cell::new(1000);
    ///     let fill = move |res: &oneloop::http::Response| {
    ///         while left.get() > 0 {
    ///             left.set(left.get() - 1);
    ///             if res.write(&[b'x'; 1024]).is_full() {
    ///                 return; // the rest when the peer has taken this
    ///             }
    ///         }
    ///         res.end(());
    ///     };
    ///     fill(&res);
    ///     res.on_drain(fill);
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().body().len(), 1_024_000);
    /// ```
    #[track_caller]
    pub fn on_drain<R: Answer>(&self, mut f: impl FnMut(&Response) -> R + 'static) -> &Self {
        let drain = move |exchange: &Rc<Exchange>| answer(exchange, || f(&Response::new(exchange)));
        self.add(On::Drain, Location::caller(), Listener::Drain(Box::new(drain)))
    }

    /// Calls `f` once, when the kernel has taken the whole response.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let (start, path) = (oneloop::clock(), req.path().to_owned());
    ///     res.on_finish(move |res| log::info!("{path} {} {:?}", res.status(), oneloop::clock() - start));
    ///     res.end("hello\n");
    /// });
    /// ```
    #[track_caller]
    pub fn on_finish(&self, f: impl FnOnce(&Response) + 'static) -> &Self {
        let finish = move |exchange: &Rc<Exchange>| f(&Response::new(exchange));
        self.add(On::Finish, Location::caller(), Listener::Once(Some(Box::new(finish))))
    }

    /// Calls `f` once with the reason, when the exchange is over. `on_finish` comes before it, unless the answer was cut or was
    /// the acceptance of an [upgrade](Response::upgrade).
    ///
    /// ```
    /// use oneloop::net::CloseReason;
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.on_close(|_, reason| match reason {
    ///         CloseReason::Finished => log::debug!("sent"),
    ///         reason => log::warn!("cut: {reason}"),
    ///     });
    ///     res.end("hello\n");
    /// });
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&Response, CloseReason) + 'static) -> &Self {
        let close = move |exchange: &Rc<Exchange>, reason| f(&Response::new(exchange), reason);
        self.add(On::ResponseClose, Location::caller(), Listener::Close(Some(Box::new(close))))
    }

    /// Calls `f` if the response has not ended after this time. In `f`, answer, return an [`Error`], or call `destroy`. A later
    /// call of `set_timeout` replaces an earlier one; a time of zero turns the timeout off.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use std::time::Duration;
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.set_timeout(Duration::from_secs(2), |res| res.set_status(504).end("the database does not answer\n"));
    ///     oneloop::set_timeout(Duration::from_secs(60), move || res.end("late\n"));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().status(), 504);
    /// ```
    #[track_caller]
    pub fn set_timeout<R: Answer>(&self, after: Duration, f: impl FnOnce(&Response) -> R + 'static) -> &Self {
        let site = Location::caller();
        self.0.outgoing().set_timer(None);
        if after.is_zero() || self.0.has_ended() {
            return self;
        }
        let exchange = Rc::downgrade(&self.0);
        let timer = set_timeout(after, move || {
            if let Some(exchange) = exchange.upgrade().filter(|exchange| !exchange.has_ended()) {
                let response = Response::new(&exchange);
                exchange.call(site, || answer(&exchange, || f(&response)));
            }
        });
        timer.unref();
        self.0.outgoing().set_timer(Some(timer));
        self
    }

    // ---- Facts

    /// The number of the exchange, which its [`Request`](super::Request) has too: see [`Request::id`](super::Request::id).
    ///
    /// ```
    /// use oneloop::http::{self, Response};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let waiting: Rc<RefCell<Vec<Response>>> = Rc::default();
    /// let server = http::create_server(move |_, res| {
    ///     let all = waiting.clone();
    ///     res.on_close(move |res, _| all.borrow_mut().retain(|other| other != res));
    ///     waiting.borrow_mut().push(res);
    /// });
    /// ```
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// Returns whether `end` was called, or the library answered in its place.
    pub fn is_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Returns whether the kernel has taken the whole response.
    pub fn is_finished(&self) -> bool {
        self.0.outgoing().is_finished()
    }

    /// Returns whether the exchange is over, whether it succeeded or not.
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status()).field("ended", &self.is_ended()).finish()
    }
}
