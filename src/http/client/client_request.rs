use super::call::RequestHandle;
use super::call::{Call, End, Listener, On, Phase};
use super::error::{RequestError, RequestErrorKind};
use crate::callback::{Site, compare_by_identity};
use crate::http::field_value::FieldValue;
use crate::net::pipe::Sink;
use crate::net::pipe::sealed::{Inlet, Listening, Taken};
use crate::net::{Address, Chunk, CloseReason, Flow, Socket};
use crate::notice;
use crate::proto::h1::{FieldError, IncomingResponse, is_allowed_trailer};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::client_response::ClientResponse;

/// A request that this program makes: Node's `ClientRequest`. It is a cheap handle: clones are the same request, and equal.
///
/// Exactly one of these is called, once, by the loop: the callback that [`http::request`](super::request) got, with the response, or
/// [`on_error`](ClientRequest::on_error). If the connection closes after the head of the response, the
/// [response](super::ClientResponse::on_close) says so.
///
/// The head is sent with the first part of the body, or with the end. If the last handle is dropped before
/// [`end`](ClientRequest::end), the request is aborted.
#[derive(Clone)]
pub struct ClientRequest(pub(super) RequestHandle);

compare_by_identity!(ClientRequest);

impl ClientRequest {
    pub(super) fn new(call: &Rc<Call>) -> ClientRequest {
        ClientRequest(RequestHandle::new(call))
    }

    // ---- The head

    /// The method.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert_eq!(oneloop::http::get("http://127.0.0.1/", |_| ()).method(), "GET");
    /// ```
    pub fn method(&self) -> String {
        self.0.head().borrow().method().to_owned()
    }

    /// The URL, as the program gave it.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert_eq!(oneloop::http::get("http://127.0.0.1/seed", |_| ()).url(), "http://127.0.0.1/seed");
    /// ```
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// The number of the request, which its response has too. No other request that this process makes has the same.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let (one, other) = (oneloop::http::get("http://127.0.0.1/", |_| ()), oneloop::http::get("http://127.0.0.1/", |_| ()));
    /// assert_ne!(one.id(), other.id());
    /// ```
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    fn is_open(&self, what: &str) -> bool {
        let open = self.0.phase() == Phase::Open && !self.0.is_over();
        if !open && !self.0.is_over() {
            notice::warn!(target: "oneloop::http", "{}: {what} does nothing: the head was sent before", **self.0);
        }
        open
    }

    fn check(&self, name: &str, result: Result<(), FieldError>) {
        if let Err(error) = result {
            self.0.invalid(format!("the field {name:?}: {error}"));
        }
    }

    /// Sets a field and removes all others with this name. The value is text, a number, or bytes. With a field that would split or
    /// corrupt the request (a line end in the value, a blank in the name) the request is not sent, and has an error of the kind
    /// [`Invalid`](super::RequestErrorKind::Invalid); see [`try_set_header`](ClientRequest::try_set_header).
    ///
    /// `Host` is set already, and so is the field that says where the body ends. No other field is sent if it is not set.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| res.end(req.header("authorization").unwrap()));
    /// # server.listen(80, ()).unwrap();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |res| assert_eq!(res.status(), 200));
    /// req.set_header("Authorization", "Bearer green").set_header("Accept", "application/json");
    /// req.end(());
    /// # sim.settle();
    /// ```
    pub fn set_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("set_header") {
            let result = value.with(|value| self.0.head().borrow_mut().set(name, value));
            self.check(name, result);
        }
        self
    }

    /// Sets a field and removes all others with this name. Use it for fields that come from elsewhere.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |_| ());
    /// assert!(req.try_set_header("X-Tag", "a\r\nHost: evil").is_err());
    /// ```
    ///
    /// # Errors
    /// If the field would split or corrupt the request. Then nothing is changed.
    pub fn try_set_header(&self, name: &str, value: impl FieldValue) -> Result<(), FieldError> {
        if self.is_open("try_set_header") {
            return value.with(|value| self.0.head().borrow_mut().set(name, value));
        }
        Ok(())
    }

    /// Adds a field after those with the same name. A field that cannot be sent is an error, as with
    /// [`set_header`](ClientRequest::set_header).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |_| ());
    /// req.append_header("Accept", "text/html").append_header("Accept", "text/plain");
    /// ```
    pub fn append_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("append_header") {
            let result = value.with(|value| self.0.head().borrow_mut().append(name, value));
            self.check(name, result);
        }
        self
    }

    /// Removes all fields with this name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |_| ());
    /// req.set_header("Cookie", "a=1").remove_header("cookie");
    /// assert_eq!(req.header("Cookie"), None);
    /// ```
    pub fn remove_header(&self, name: &str) -> &Self {
        if self.is_open("remove_header") {
            self.0.head().borrow_mut().remove(name);
        }
        self
    }

    /// The value of the first field with this name that was set, if it is text.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1:8080/", |_| ());
    /// assert_eq!(req.header("host").as_deref(), Some("127.0.0.1:8080"));
    /// ```
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.head().borrow().get(name).map(str::to_owned)
    }

    /// Adds a field behind the body. It is sent only if the length of the body is not known before (`write` before `end`), because
    /// only chunks can be followed by fields.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| {
    /// #     req.clone().read_body(1024, move |_| res.end(format!("{:?}", req.trailers())));
    /// # });
    /// # server.listen(80, ()).unwrap();
    /// let req = oneloop::http::request("POST", "http://127.0.0.1/", |res| {
    ///     res.read_body(1024, |body| assert_eq!(body.unwrap(), br#"[("Checksum", "7")]"#));
    /// });
    /// req.write("basil").ignore();
    /// req.add_trailer("Checksum", 7);
    /// req.end(());
    /// # sim.settle();
    /// ```
    pub fn add_trailer(&self, name: &str, value: impl FieldValue) -> &Self {
        if !self.0.is_over() {
            let allowed = if is_allowed_trailer(name) { Ok(()) } else { Err(FieldError::Forbidden) };
            let add = |value: &[u8]| allowed.and_then(|()| self.0.trailers().borrow_mut().push(name, value));
            let result = value.with(add);
            self.check(name, result);
        }
        self
    }

    /// Sets how long the whole exchange may take, from the first call that sends something to the last byte of the body of the response:
    /// instead of [`AgentLimits::total`](super::AgentLimits::total). `None`: for ever.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use std::time::Duration;
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |_| ());
    /// req.set_timeout(Duration::from_secs(5)).end(());
    /// # sim.settle();
    /// ```
    pub fn set_timeout(&self, after: impl Into<Option<Duration>>) -> &Self {
        self.0.set_timeout(after.into());
        self
    }

    /// Sets whether the request may be sent a second time by itself, if the connection that it went out on had been used before, and
    /// turns out to be closed. True by default. It is done only where it does no harm: not one byte of a response has come, the body was
    /// given to `end` in one piece, and the method is GET, HEAD, OPTIONS, TRACE, PUT or DELETE, or the request has an `Idempotency-Key`,
    /// or nothing of it has gone out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("DELETE", "http://127.0.0.1/oldest", |_| ());
    /// req.set_retry(false).end(()); // a second time it would delete another one
    /// # sim.settle();
    /// ```
    pub fn set_retry(&self, on: bool) -> &Self {
        self.0.set_retry(on);
        self
    }

    // ---- The body

    /// Writes a part of the body; before the first part the head is sent. What cannot be sent yet is kept. From
    /// [`AgentLimits::pending_output`](super::AgentLimits::pending_output) on this returns [`Flow::Full`], which asks you to wait for
    /// `on_drain`. Without a Content-Length that was set, the body is sent in chunks.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| req.pipe(&res));
    /// # server.listen(80, ()).unwrap();
    /// let req = oneloop::http::request("POST", "http://127.0.0.1/", |res| {
    ///     res.read_body(1024, |body| assert_eq!(body.unwrap(), b"one two"));
    /// });
    /// req.write("one ").ignore();
    /// req.end("two");
    /// # sim.settle();
    /// ```
    pub fn write<'a>(&self, chunk: impl Into<Chunk<'a>>) -> Flow {
        self.0.send(chunk.into(), false)
    }

    /// Ends the request with a last part of the body, or with `()`. If it is the only part, its length is sent with the head, and the
    /// request can be sent again where that does no harm.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(201).end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::request("POST", "http://127.0.0.1/plants", |res| assert_eq!(res.status(), 201)).end("basil");
    /// # sim.settle();
    /// ```
    pub fn end<'a>(&self, chunk: impl Into<Chunk<'a>>) {
        self.0.send(chunk.into(), true).ignore();
    }

    /// Sends the head before there is a body.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("POST", "http://127.0.0.1/", |_| ());
    /// req.flush_headers();
    /// req.end("later");
    /// # sim.settle();
    /// ```
    pub fn flush_headers(&self) {
        self.0.send_head();
    }

    /// How many bytes of the request the kernel has not taken yet.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::request("POST", "http://127.0.0.1/", |_| ());
    /// req.write("basil").ignore();
    /// assert_eq!(req.pending(), 5); // there is no connection yet
    /// # sim.settle();
    /// ```
    pub fn pending(&self) -> usize {
        self.0.pending()
    }

    /// Ends the request at once: its connection is closed, so that the server sees that nobody waits. If there was no response yet, the
    /// error is [`Aborted`](super::RequestErrorKind::Aborted).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::http::{self, RequestErrorKind};
    /// let req = http::get("http://127.0.0.1/", |_res| unreachable!());
    /// req.on_error(|_, error| assert_eq!(error.kind(), RequestErrorKind::Aborted));
    /// req.abort();
    /// # sim.settle();
    /// ```
    #[doc(alias = "destroy")]
    pub fn abort(&self) {
        let words = "the program has aborted it";
        self.0.abort(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
    }

    /// Returns whether the connection had carried other requests before.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert!(!oneloop::http::get("http://127.0.0.1/", |_| ()).is_reused());
    /// ```
    pub fn is_reused(&self) -> bool {
        self.0.is_reused()
    }

    /// Returns whether the request is over, whether it succeeded or not.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::get("http://127.0.0.1/", |_| ());
    /// sim.settle();
    /// assert!(req.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    /// The address of the server, while the request has a connection.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert_eq!(oneloop::http::get("http://127.0.0.1/", |_| ()).remote_addr(), None); // not yet
    /// ```
    pub fn remote_addr(&self) -> Option<Address> {
        self.0.peer()
    }

    // ---- Listeners

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.add(on, site, listener);
        self
    }

    /// Calls `f` once, if there is no response: with the reason. Without such a listener a failure is logged as a warning.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// oneloop::http::get("http://127.0.0.1:1/", |res| println!("{}", res.status()))
    ///     .on_error(|_, error| assert!(error.to_string().contains("cannot connect")));
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_error(&self, f: impl FnOnce(&ClientRequest, &RequestError) + 'static) -> &Self {
        let error = move |call: &Rc<Call>, error: &RequestError| f(&ClientRequest::new(call), error);
        self.add(On::Error, Location::caller(), Listener::Error(Some(Box::new(error))))
    }

    /// Calls `f` each time after [`write`](ClientRequest::write) has returned `Full`, when everything was sent.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("taken\n"));
    /// # server.listen(80, ()).unwrap();
    /// let req = oneloop::http::request("POST", "http://127.0.0.1/", |_| ());
    /// if req.write(vec![b'x'; 1 << 20]).is_full() {
    ///     let again = req.clone();
    ///     req.on_drain(move |_| again.end("the rest"));
    /// }
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_drain(&self, mut f: impl FnMut(&ClientRequest) + 'static) -> &Self {
        let drain = move |call: &Rc<Call>| f(&ClientRequest::new(call));
        self.add(On::Drain, Location::caller(), Listener::Drain(Box::new(drain)))
    }

    /// Calls `f` with each informational response (RFC 9110, 15.2): 100, 103 and others, before the final one.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = oneloop::http::get("http://127.0.0.1/", |_| ());
    /// req.on_information(|_, head| println!("{}: {:?}", head.status(), head.get("link"))); // 103: what to load ahead
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_information(&self, mut f: impl FnMut(&ClientRequest, &IncomingResponse) + 'static) -> &Self {
        let inform = move |call: &Rc<Call>, head: &IncomingResponse| f(&ClientRequest::new(call), head);
        self.add(On::Information, Location::caller(), Listener::Information(Box::new(inform)))
    }

    /// Calls `f` once, if the server accepts to speak another protocol (101), with the response and the socket, instead of the callback
    /// with the response. The request has to ask for it, with `Connection: upgrade` and `Upgrade`; otherwise, and without this listener,
    /// a 101 is an error. What has come behind the head is the first that [`Socket::on_data`](crate::net::Socket::on_data) gets.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::http;
    /// let server = http::create_server(|_req, res| match res.upgrade("echo") {
    ///     Some(socket) => _ = socket.on_data(|socket, bytes| socket.write(bytes).ignore()),
    ///     None => res.end("echo is spoken here\n"),
    /// });
    /// server.listen(80, ())?;
    /// let req = http::request("GET", "http://127.0.0.1/", |res| println!("no: {}", res.status()));
    /// req.set_header("Connection", "upgrade").set_header("Upgrade", "echo");
    /// req.on_upgrade(|_res, socket| {
    ///     socket.write("hello").ignore();
    ///     socket.on_data(|socket, bytes| {
    ///         assert_eq!(bytes, b"hello");
    ///         socket.end(());
    ///     });
    /// });
    /// req.end(());
    /// sim.settle();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_upgrade(&self, f: impl FnOnce(ClientResponse, Socket) + 'static) -> &Self {
        let upgrade = move |call: &Rc<Call>, socket: Socket| f(ClientResponse::new(call), socket);
        self.add(On::Upgrade, Location::caller(), Listener::Upgrade(Some(Box::new(upgrade))))
    }

    /// Calls `f` once, as the last listener, when request and response are over: with [`CloseReason::Finished`] if the response was whole,
    /// else with the reason. Then all listeners are dropped.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// oneloop::http::get("http://127.0.0.1:1/", |_| ()).on_close(|req, reason| println!("{}: {reason}", req.url()));
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&ClientRequest, CloseReason) + 'static) -> &Self {
        let close = move |call: &Rc<Call>, reason| f(&ClientRequest::new(call), reason);
        self.add(On::RequestClose, Location::caller(), Listener::Close(Some(Box::new(close))))
    }
}

impl Sink for ClientRequest {}

impl Inlet for ClientRequest {
    fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening {
        let drained = to.clone();
        let drain = self.0.add(On::Drain, site, Listener::Drain(Box::new(move |_| drained(Taken::All))));
        let close = move |_: &Rc<Call>, reason| to(Taken::Closed(reason));
        [drain, self.0.add(On::RequestClose, site, Listener::Close(Some(Box::new(close)))), None]
    }

    fn remove(&self, listening: Listening) {
        listening.into_iter().flatten().for_each(|number| self.0.remove(number));
    }

    fn give(&self, bytes: Chunk<'_>) -> Flow {
        self.write(bytes)
    }

    fn end(&self) {
        self.end(());
    }

    /// The server must not take what it has got for the whole body.
    fn fail(&self, reason: CloseReason) {
        let words = format!("what is piped into it was over before its end: {reason}");
        self.0.abort(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
    }

    fn over(&self) -> Option<CloseReason> {
        let ended = self.0.phase() == Phase::Ended;
        self.0.over().or(ended.then_some(CloseReason::Finished))
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest").field("method", &self.method()).field("url", &self.url()).finish()
    }
}
