use super::answer::{Answer, answer};
use super::error::Error;
use super::exchange::{Exchange, Listener, On};
use super::outgoing::Phase;
use crate::callback::{Site, compare_by_identity};
use crate::event_loop::set_timeout;
use crate::net::{Chunk, CloseReason, Flow, Overflow};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// A response. A handle: clones are the same response, and equal. When the last one is dropped before the response has ended, it is
/// answered 500, or the connection is cut where the head has gone: no request hangs because somebody forgot it.
/// A listener of [`on_drain`](Response::on_drain) that waits for its call counts as a handle.
///
/// The head goes with the first part of the body; where all of it is given to [`end`](Response::end) at once, it has a
/// `Content-Length`, else it is chunked (to an HTTP/1.0 peer: until the close). `Date`, framing and `Connection` are
/// seen to.
///
/// What ends with the connection (RFC 9112, 6.3) and breaks off is a reset, since a FIN would make it whole. The reset comes
/// a second after what was said before, which it would overtake; at once where the connection is destroyed, and where the peer
/// goes on sending. What the kernel has not sent by then is lost, answers to earlier requests included. A Unix socket has
/// no reset: there it is the end of the stream.
///
/// Once the response has ended all methods do nothing; a debug line of the log says so.
pub struct Response(pub(super) Rc<Exchange>);

compare_by_identity!(Response);

impl Response {
    pub(super) fn new(exchange: &Rc<Exchange>) -> Response {
        exchange.add_handle();
        Response(exchange.clone())
    }

    #[cold]
    pub(super) fn is_late(&self, what: &str, after: &str) {
        log::debug!(target: "oneloop::http", "{}: {what} after {after}", self.0);
    }

    // ---- The body

    /// Sends a part of the body, after the head if that has not gone. The bytes leave at the end of the turn. What the
    /// kernel does not take is kept; from [`Limits::pending_output`](super::Limits::pending_output) on this says
    /// [`Flow::Full`], which asks you to wait for `on_drain`.
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

    /// Sets how many bytes may be pending for the peer while this response is being written, and what happens when they are
    /// more. No limit at first, and none once the response has ended: then `Limits::send_rate` and `Limits::write_stall`
    /// see to the rest. For streams that go on by themselves, as events for a page: a reader that does not keep up costs no
    /// more memory than this, and nobody waits for it. What counts is what the kernel has refused, as for
    /// [`Socket::set_pending_limit`](crate::net::Socket::set_pending_limit), which says how much to allow.
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

    /// Ends the response, with a last part of the body, or `()`.
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

    /// Answers with an error, as a handler that returns it does: for what fails in a callback that returns nothing. Where
    /// the head has gone, the connection is cut; where the response has ended, the error is only logged.
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
        self.0.fail(&error.into());
    }

    fn pass_on(&self, chunk: Chunk<'_>, last: bool) -> Flow {
        if self.0.outgoing().phase() == Phase::Ended {
            self.is_late("a write", "the end");
            return Flow::Closed;
        }
        self.0.send(chunk, last)
    }

    /// Bytes of this connection that the kernel has not taken.
    pub fn pending(&self) -> usize {
        self.0.pending()
    }

    /// Closes the connection at once: the peer sees that the response is not whole.
    pub fn destroy(&self) {
        self.0.cut(CloseReason::Destroyed);
    }

    // ---- Listeners

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.add(on, site, listener);
        self
    }

    /// Called when all pending output went out, after a `write` that said [`Flow::Full`]. Until then the listener counts as
    /// a handle: it is lent one, and need not capture its own. An error that it returns cuts the connection, since the head
    /// has gone.
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
        let drain = move |res: &Response| answer(&res.0, || f(res));
        self.add(On::Drain, Location::caller(), Listener::Drain(Box::new(drain)))
    }

    /// Called once, when the whole response was given to the kernel.
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
        self.add(On::Finish, Location::caller(), Listener::Finish(Some(Box::new(f))))
    }

    /// Called once, when the exchange is over, with the reason. `on_finish` comes before it, unless the answer was cut.
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
        self.add(On::ResponseClose, Location::caller(), Listener::ResponseClose(Some(Box::new(f))))
    }

    /// Has `f` called when the response has not ended after so long: answer there, return an [`Error`], or `destroy`. A later
    /// call replaces an earlier one; zero turns it off.
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

    /// The number of its exchange, which its [`Request`](super::Request) has as well: see [`Request::id`](super::Request::id).
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

    /// Returns whether the whole response was given to the kernel.
    pub fn is_finished(&self) -> bool {
        self.0.outgoing().is_finished()
    }

    /// Returns whether the exchange is over, whether it succeeded or not.
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }
}

impl Clone for Response {
    fn clone(&self) -> Response {
        Response::new(&self.0)
    }
}

impl Drop for Response {
    #[inline]
    fn drop(&mut self) {
        self.0.drop_handle();
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status()).field("ended", &self.is_ended()).finish()
    }
}
