use super::call::{Call, End, Listener, On, ResponseHandle};
use super::error::RequestErrorKind;
use super::response_body::{ResponseBodyError, collect};
use crate::callback::{Site, compare_by_identity};
use crate::net::pipe::sealed::{Given, Lead, Listening, Outlet};
use crate::net::pipe::{self, Sink, Source};
use crate::net::{Address, CloseReason};
use crate::proto::h1::Version;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// The response to a request that this program has made. It is a cheap handle: clones are the same response, and equal.
///
/// The body is read when somebody asks for it, with [`on_data`](ClientResponse::on_data), [`on_end`](ClientResponse::on_end),
/// [`read_body`](ClientResponse::read_body) or [`pipe`](ClientResponse::pipe): in the callback that gets the response, or later, as long
/// as a handle is kept. If the last handle is dropped and nobody has asked for the body, what is left of it is discarded: up to
/// [`AgentLimits::discard`](super::AgentLimits::discard), and a longer one closes the connection. So a body that nobody reads never holds
/// a connection.
#[derive(Clone)]
pub struct ClientResponse(pub(super) ResponseHandle);

compare_by_identity!(ClientResponse);

impl ClientResponse {
    pub(super) fn new(call: &Rc<Call>) -> ClientResponse {
        ClientResponse(ResponseHandle::new(call))
    }

    // ---- The head

    /// The status code, 200 to 599; 101 after an upgrade.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(404).end("no such page\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.status(), 404));
    /// # sim.settle();
    /// ```
    pub fn status(&self) -> u16 {
        self.0.response().status()
    }

    /// The reason phrase, as received. It has no meaning, and may be empty.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.status_message(), "OK"));
    /// # sim.settle();
    /// ```
    pub fn status_message(&self) -> String {
        String::from_utf8_lossy(self.0.response().reason()).into_owned()
    }

    /// The HTTP version of the response.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.version(), oneloop::http::Version::Http11));
    /// # sim.settle();
    /// ```
    pub fn version(&self) -> Version {
        self.0.response().version()
    }

    /// The value of the first field with this name; names are compared without case. `None` if there is none, or if its value is not
    /// UTF-8: see [`header_bytes`](ClientResponse::header_bytes).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("ETag", "\"7\"").end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.header("etag"), Some("\"7\"")));
    /// # sim.settle();
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.response().get(name)
    }

    /// The bytes of the value of the first field with this name, as received, whether they are text or not.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("X-Name", b"na\xefve").end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.header_bytes("x-name"), Some(&b"na\xefve"[..])));
    /// # sim.settle();
    /// ```
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.response().fields().get_bytes(name)
    }

    /// All fields in the order and case in which they were received. Those whose value is not UTF-8 are left out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("X-Tag", 7).end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert!(res.headers().any(|field| field == ("X-Tag", "7"))));
    /// # sim.settle();
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.response().fields().iter()
    }

    /// All fields with the bytes of their values. A proxy passes these on.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert!(res.headers_bytes().any(|(name, _)| name == "Date")));
    /// # sim.settle();
    /// ```
    pub fn headers_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.response().fields().iter_bytes()
    }

    /// The values of all fields with this name, in order (`Set-Cookie`). Values that are not UTF-8 are left out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| {
    /// #     res.append_header("Set-Cookie", "a=1").append_header("Set-Cookie", "b=2").end(());
    /// # });
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert_eq!(res.header_all("set-cookie").count(), 2));
    /// # sim.settle();
    /// ```
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.response().fields().get_all(name)
    }

    /// The fields that followed a body in chunks. They are complete once the response is. Fields whose value is not UTF-8 are left out:
    /// see [`trailers_bytes`](ClientResponse::trailers_bytes).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| {
    /// #     res.write("x").ignore();
    /// #     res.add_trailer("Checksum", "7");
    /// #     res.end(());
    /// # });
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_end(|res| assert_eq!(res.trailers(), [("Checksum".to_owned(), "7".to_owned())]));
    /// });
    /// # sim.settle();
    /// ```
    pub fn trailers(&self) -> Vec<(String, String)> {
        let received = self.0.received_trailers().borrow();
        received.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// All fields that followed a body in chunks, with the bytes of their values. A proxy passes these on.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| {
    /// #     res.write("x").ignore();
    /// #     res.add_trailer("X-Bed", b"gr\xfcn");
    /// #     res.end(());
    /// # });
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_end(|res| assert_eq!(res.trailers_bytes(), [("X-Bed".to_owned(), b"gr\xfcn".to_vec())]));
    /// });
    /// # sim.settle();
    /// ```
    pub fn trailers_bytes(&self) -> Vec<(String, Vec<u8>)> {
        let received = self.0.received_trailers().borrow();
        received.iter_bytes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The number of the request that this responds to.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// let req = oneloop::http::request("GET", "http://127.0.0.1/", |res| println!("{} is answered", res.id()));
    /// println!("{} is asked", req.id());
    /// req.end(());
    /// # sim.settle();
    /// ```
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// The URL of the request.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/seed", |res| assert_eq!(res.url(), "http://127.0.0.1/seed"));
    /// # sim.settle();
    /// ```
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Returns whether the connection had carried other requests before.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert!(!res.is_reused()));
    /// # sim.settle();
    /// ```
    pub fn is_reused(&self) -> bool {
        self.0.is_reused()
    }

    /// The address of the server, while the response is coming.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://localhost/", |res| println!("{:?}", res.remote_addr()));
    /// # sim.settle();
    /// ```
    pub fn remote_addr(&self) -> Option<Address> {
        self.0.peer()
    }

    /// Returns whether the whole response has come.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     assert!(!res.is_complete());
    ///     res.on_end(|res| assert!(res.is_complete()));
    /// });
    /// # sim.settle();
    /// ```
    pub fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    /// Returns whether the exchange is over, whether it succeeded or not.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| assert!(!res.is_closed()));
    /// # sim.settle();
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    // ---- The body

    fn add(&self, on: On, site: Site, listener: Listener) -> Option<u32> {
        let id = self.0.add(on, site, listener);
        self.0.wake();
        id
    }

    /// Calls `f` with the body as it comes, in pieces of any size, without the chunked coding. To have the whole body at once, use
    /// [`read_body`](ClientResponse::read_body).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_data(|_, bytes| println!("{} bytes", bytes.len()));
    /// });
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_data(&self, mut f: impl FnMut(&ClientResponse, &[u8]) + 'static) -> &Self {
        let data = move |call: &Rc<Call>, bytes: &[u8]| f(&ClientResponse::new(call), bytes);
        self.add(On::Data, Location::caller(), Listener::Data(Box::new(data)));
        self
    }

    /// Calls `f` once, when the whole body has come. It is not called if the response is cut: then
    /// [`on_close`](ClientResponse::on_close) says so. Without an `on_data` the body is read and discarded.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_end(|_| println!("that was all"));
    /// });
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_end(&self, f: impl FnOnce(&ClientResponse) + 'static) -> &Self {
        let end = move |call: &Rc<Call>| f(&ClientResponse::new(call));
        self.add(On::End, Location::caller(), Listener::End(Some(Box::new(end))));
        self
    }

    /// Calls `f` once, when the response is over: with [`CloseReason::Finished`] if it was whole, else with the reason why it was cut.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// use oneloop::net::CloseReason;
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_close(|_, reason| assert_eq!(reason, CloseReason::Finished));
    /// });
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&ClientResponse, CloseReason) + 'static) -> &Self {
        let close = move |call: &Rc<Call>, reason| f(&ClientResponse::new(call), reason);
        self.0.add(On::ResponseClose, Location::caller(), Listener::Close(Some(Box::new(close))));
        self
    }

    /// Stops `on_data` until [`resume`](ClientResponse::resume). When the buffers are full, the server is slowed down.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// use std::time::Duration;
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.on_data(|res, _bytes| {
    ///         res.pause(); // ten pieces a second are enough
    ///         let res = res.clone();
    ///         oneloop::set_timeout(Duration::from_millis(100), move || res.resume());
    ///     });
    /// });
    /// # sim.settle();
    /// ```
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Resumes `on_data`, from the next pending phase on.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.pause();
    ///     res.on_data(|_, bytes| assert_eq!(bytes, b"seed\n"));
    ///     oneloop::next_tick(move || res.resume());
    /// });
    /// # sim.settle();
    /// ```
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Gives the body to a sink (a response of a server, a socket, another request), no faster than the sink takes it, and then ends the
    /// sink. A failure of one side ends the other: see [`net::pipeline`](crate::net::pipeline), which also reports the outcome.
    ///
    /// ```
    /// use oneloop::http;
    ///
    /// // Each request is answered by what another server says.
    /// let server = http::create_server(|_req, res| {
    ///     let failed = res.clone();
    ///     let asked = http::get("http://127.0.0.1:9000/seed", move |from| {
    ///         res.set_status(from.status());
    ///         from.pipe(&res);
    ///     });
    ///     asked.on_error(move |_, error| failed.fail(error.clone()));
    /// });
    /// ```
    #[track_caller]
    pub fn pipe(&self, to: &impl Sink) {
        pipe::connect(self, to, None, Location::caller());
    }

    /// Collects the body and passes it to `done`, once. A body of more than `limit` bytes is an error, and so is one that is cut off, or
    /// that was read before.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     res.read_body(1024 * 1024, |body| match body {
    ///         Ok(body) => assert_eq!(body, b"seed\n"),
    ///         Err(error) => eprintln!("{error}"),
    ///     });
    /// });
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn read_body(&self, limit: usize, done: impl FnOnce(Result<Vec<u8>, ResponseBodyError>) + 'static) {
        collect(&self.0, limit, Location::caller(), Box::new(done));
    }

    /// Closes the connection at once. The response is over, for the reason [`Destroyed`](CloseReason::Destroyed) if it was not whole.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::get("http://127.0.0.1/", |res| {
    ///     if res.header("content-type") != Some("application/json") {
    ///         res.destroy();
    ///     }
    /// });
    /// # sim.settle();
    /// ```
    pub fn destroy(&self) {
        let words = "the program has destroyed the response";
        self.0.abort(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
    }
}

impl Source for ClientResponse {}

impl Outlet for ClientResponse {
    fn listen(&self, site: Site, to: Rc<dyn Fn(Given<'_>)>) -> Listening {
        let (data, lead, closed) = (to.clone(), Lead(to.clone()), to);
        if self.is_complete() && self.0.read_by().is_some() {
            return Listening::default();
        }
        let data = self.0.add(On::Data, site, Listener::Data(Box::new(move |_, bytes| data(Given::Data(bytes)))));
        let close = move |_: &Rc<Call>, reason| closed(Given::Closed(reason));
        let close = self.0.add(On::ResponseClose, site, Listener::Close(Some(Box::new(close))));
        let end = move |_: &Rc<Call>| (lead.0)(Given::End);
        let end = self.0.add(On::End, site, Listener::End(Some(Box::new(end))));
        self.0.wake();
        [data, end, close]
    }

    fn remove(&self, listening: Listening) {
        listening.into_iter().flatten().for_each(|number| self.0.remove(number));
    }

    fn hold(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.resume();
    }

    /// The pipe reads no more. If nobody else wants the body, its rest is discarded, or the connection is closed.
    fn forsake(&self) {
        self.0.wake();
    }

    fn reason(&self) -> CloseReason {
        self.0.over().unwrap_or(CloseReason::Destroyed)
    }
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse").field("status", &self.status()).field("url", &self.url()).finish()
    }
}
