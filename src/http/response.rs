use super::answer::{Answer, answer};
use super::error::Error;
use super::exchange::{Exchange, Listener, On, Phase};
use super::field_value::FieldValue;
use crate::callback::{Site, compare_by_identity};
use crate::event_loop::set_timeout;
use crate::net::{Chunk, CloseReason, Flow, Overflow};
use crate::notice;
use crate::proto::h1::{FieldError, is_allowed_trailer};
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
        exchange.handles.set(exchange.handles.get() + 1);
        Response(exchange.clone())
    }

    /// Returns whether the head can still be changed; where it cannot, logs the late call.
    fn is_open(&self, what: &str) -> bool {
        let open = self.0.phase.get() == Phase::Open && !self.0.fixed.get() && !self.0.is_over();
        if !open {
            self.is_late(what, "the head was sent");
        }
        open
    }

    #[cold]
    fn is_late(&self, what: &str, after: &str) {
        log::debug!(target: "oneloop::http", "{}: {what} after {after}", self.0);
    }

    /// A field or status that would corrupt the response costs it.
    fn check(&self, what: &str, result: Result<(), FieldError>) {
        if let Err(error) = result {
            self.refuse(what, &error);
        }
    }

    #[cold]
    fn refuse(&self, what: &str, error: &FieldError) {
        // Two kinds of mistake: of each, the first is told where there is no logger.
        match error {
            FieldError::Status => notice::error!(target: "oneloop::http", "{}: {what}: {error}; answered 500", self.0),
            _ => notice::error!(target: "oneloop::http", "{}: {what}: {error}; answered 500", self.0),
        }
        self.0.give_up(500, CloseReason::BadResponse);
    }

    // ---- The head

    /// The status: 200 until it is set.
    pub fn status(&self) -> u16 {
        self.0.response.borrow().status()
    }

    /// Sets the status, from 200 to 999. Informational ones have [`write_informational`](Response::write_informational).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.set_status(404).end("no such page\n"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().status(), 404);
    /// ```
    pub fn set_status(&self, status: u16) -> &Self {
        if self.is_open("set_status") {
            let result = match status {
                200.. => self.0.response.borrow_mut().set_status(status),
                _ => Err(FieldError::Status),
            };
            self.check("set_status", result);
        }
        self
    }

    /// Sets the phrase behind the status, which no client looks at; the usual one is there without it.
    pub fn set_status_message(&self, message: &str) -> &Self {
        if self.is_open("set_status_message") {
            let result = self.0.response.borrow_mut().set_reason(message);
            self.check("set_status_message", result);
        }
        self
    }

    /// Sets a field, in place of all of that name. One that would split or corrupt the response (a line end in the value,
    /// a blank in the name) answers 500 and is logged; see [`try_set_header`](Response::try_set_header).
    ///
    /// The value is text, a number, or bytes. It is sent as it is, text as UTF-8: bytes above ASCII are opaque data
    /// (RFC 9110, 5.5), which not every client reads as UTF-8. What is sure to arrive is percent-encoded, as in
    /// `attachment; filename*=UTF-8''na%C3%AFve.txt` (RFC 8187).
    ///
    /// ```
    /// # oneloop::http::create_server(|req, res| {
    /// res.set_header("Content-Type", "text/plain; charset=utf-8").set_header("Content-Length", 5);
    /// if let Some(tag) = req.header_bytes("X-Tag") {
    ///     res.set_header("X-Tag", tag); // byte for byte
    /// }
    /// res.end("seeds")
    /// # });
    /// ```
    #[inline]
    pub fn set_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("set_header") {
            let result = value.with(|value| self.0.response.borrow_mut().set(name, value));
            self.check(name, result);
        }
        self
    }

    /// Sets a field, in place of all of that name.
    ///
    /// # Errors
    /// Where it would split or corrupt the response. Nothing is changed then.
    pub fn try_set_header(&self, name: &str, value: impl FieldValue) -> Result<(), FieldError> {
        if self.is_open("try_set_header") {
            return value.with(|value| self.0.response.borrow_mut().set(name, value));
        }
        Ok(())
    }

    /// Adds a field behind those of that name (`Set-Cookie`). One that would split or corrupt the response answers 500 and
    /// is logged; see [`try_append_header`](Response::try_append_header).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.append_header("Set-Cookie", "theme=dark").append_header("Set-Cookie", "lang=en; Max-Age=86400");
    ///     res.end("two cookies\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header_all("set-cookie").count(), 2);
    /// ```
    pub fn append_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("append_header") {
            let result = value.with(|value| self.0.response.borrow_mut().append(name, value));
            self.check(name, result);
        }
        self
    }

    /// Adds a field behind those of that name: for fields that come from elsewhere, as a proxy's.
    ///
    /// # Errors
    /// Where it would split or corrupt the response, or is a second Content-Length or Transfer-Encoding. Nothing is
    /// changed then.
    pub fn try_append_header(&self, name: &str, value: impl FieldValue) -> Result<(), FieldError> {
        if self.is_open("try_append_header") {
            return value.with(|value| self.0.response.borrow_mut().append(name, value));
        }
        Ok(())
    }

    /// Removes all fields of that name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.set_header("Cache-Control", "max-age=60");
    ///     // … and where it turns out that the page is for one user only:
    ///     res.remove_header("Cache-Control").end("private\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("cache-control"), None);
    /// ```
    pub fn remove_header(&self, name: &str) -> &Self {
        if self.is_open("remove_header") {
            self.0.response.borrow_mut().remove(name);
        }
        self
    }

    /// The value that was set for that name; the first, where there are several. `None` where that is no UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.response.borrow().get(name).map(str::to_owned)
    }

    /// The same, byte for byte.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.response.borrow().get_bytes(name).map(<[u8]>::to_owned)
    }

    /// Returns whether a field of that name is set.
    pub fn has_header(&self, name: &str) -> bool {
        self.0.response.borrow().has(name)
    }

    /// Sets the status and fields, and fixes the head: it goes with the first part of the body (unlike Node, where it is
    /// chunked from here on, `end` still counts the length).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write_head(302, &[("Location", "/new"), ("Cache-Control", "no-store")]).end(());
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/old").send().header("location"), Some("/new"));
    /// ```
    pub fn write_head(&self, status: u16, fields: &[(&str, &str)]) -> &Self {
        self.set_status(status);
        for (name, value) in fields {
            self.set_header(name, *value);
        }
        self.0.fixed.set(true);
        self
    }

    /// Sends the head now, before there is a body.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     // The browser's EventSource is open from here on, though there is no event yet.
    ///     res.set_header("Content-Type", "text/event-stream").flush_headers();
    ///     oneloop::set_timeout(std::time::Duration::from_secs(5), move || res.end("data: at last\n\n"));
    /// });
    /// ```
    pub fn flush_headers(&self) {
        self.0.with_link(|carrier| carrier.send_head(&self.0));
    }

    /// Returns whether the head can no longer be changed: it was sent, or is fixed.
    pub fn headers_sent(&self) -> bool {
        self.0.fixed.get() || self.0.phase.get() != Phase::Open
    }

    /// Sends `100 Continue`: the peer may send the body. `on_data` does it by itself.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| res.end(req.path()));
    /// server.on_check_continue(|req, res| {
    ///     if req.header("Authorization").is_none() {
    ///         return res.set_status(401).end(()); // the body stays where it is
    ///     }
    ///     res.write_continue();
    ///     req.read_body(1024 * 1024, move |_body| res.end("taken\n"));
    /// });
    /// ```
    pub fn write_continue(&self) {
        if self.0.owes_continue.replace(false) {
            self.write_informational(100, &[]);
        }
    }

    /// Sends `103 Early Hints` with fields such as `Link`.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write_early_hints(&[("Link", "</style.css>; rel=preload; as=style")]);
    ///     // The browser fetches the style while the page is being made.
    ///     oneloop::set_timeout(std::time::Duration::from_millis(50), move || res.end("<link rel=stylesheet href=style.css>"));
    /// });
    /// ```
    pub fn write_early_hints(&self, fields: &[(&str, &str)]) {
        self.write_informational(103, fields);
    }

    /// Sends an informational response: any number of them may come before the final one. Not to an HTTP/1.0 peer.
    pub fn write_informational(&self, status: u16, fields: &[(&str, &str)]) {
        let speaks = self.0.head.version() != crate::proto::h1::Version::Http10;
        if self.0.phase.get() == Phase::Open && speaks {
            self.0.with_link(|carrier| carrier.inform(status, fields));
        }
    }

    /// Sets fields that follow the body, where that is chunked. Those that may not stand there are left out and logged.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write("part one, ").ignore();
    ///     res.add_trailers(&[("Checksum", "3f2a")]).end("part two");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let reply = sim.request("GET", "/").send();
    /// # assert_eq!((reply.text(), reply.trailers().next()), ("part one, part two".to_owned(), Some(("Checksum", "3f2a"))));
    /// ```
    pub fn add_trailers(&self, fields: &[(&str, &str)]) -> &Self {
        for (name, value) in fields {
            self.add_trailer(name, *value);
        }
        self
    }

    /// Adds one such field.
    pub fn add_trailer(&self, name: &str, value: impl FieldValue) -> &Self {
        if !is_allowed_trailer(name) {
            notice::error!(target: "oneloop::http", "{}: {name} may not be a trailer", self.0);
        } else if let Err(error) = value.with(|value| self.0.trailers().to_send.borrow_mut().push(name, value)) {
            notice::error!(target: "oneloop::http", "{}: trailer {name}: {error}", self.0);
        }
        self
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
        self.0.pending_limit.set(bytes);
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
        if self.0.phase.get() == Phase::Ended {
            self.is_late("a write", "the end");
            return Flow::Closed;
        }
        match &*self.0.link.borrow() {
            Some(carrier) => carrier.send(&self.0, chunk, last),
            None => Flow::Closed,
        }
    }

    /// Bytes of this connection that the kernel has not taken.
    pub fn pending(&self) -> usize {
        self.0.with_link(|carrier| carrier.pending()).unwrap_or(0)
    }

    /// Closes the connection at once: the peer sees that the response is not whole.
    pub fn destroy(&self) {
        self.0.with_link(|carrier| carrier.cut(CloseReason::Destroyed));
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

    /// Called once, after `on_finish`, or without it where the connection was cut; with the reason.
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
        if let Some(old) = self.0.timer.take() {
            old.clear();
        }
        if after.is_zero() || self.0.has_ended() {
            return self;
        }
        let exchange = Rc::downgrade(&self.0);
        let timer = set_timeout(after, move || {
            if let Some(exchange) = exchange.upgrade().filter(|exchange| !exchange.has_ended())
                && let Some(lp) = exchange.lp()
            {
                let response = Response::new(&exchange);
                if lp.call(site, &*exchange, || answer(&exchange, || f(&response))).is_none() {
                    exchange.panicked();
                }
            }
        });
        timer.unref();
        self.0.timer.set(Some(timer));
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
        self.0.identity.number()
    }

    /// Returns whether `end` was called, or the library answered in its place.
    pub fn is_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Returns whether the whole response was given to the kernel.
    pub fn is_finished(&self) -> bool {
        self.0.finished.get()
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
        let handles = self.0.handles.get() - 1;
        self.0.handles.set(handles);
        if handles == 0 && self.0.phase.get() != Phase::Ended {
            self.0.abandoned();
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status()).field("ended", &self.is_ended()).finish()
    }
}
