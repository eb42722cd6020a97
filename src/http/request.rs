use super::answer::{Answer, answer};
use super::exchange::{Exchange, Listener, On};
use super::outgoing::Phase;
use crate::callback::{Site, compare_by_identity};
use crate::net::{Address, CloseReason};
use crate::proto::h1::Version;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// A request. It is a cheap handle: clones are the same request, and equal. You may keep it for as long as you like: the
/// head stays readable, and once the exchange is over the other methods do nothing.
///
/// The body is read when somebody asks for it with [`on_data`](Request::on_data), [`read_body`](Request::read_body) or
/// [`pipe`](Request::pipe). If nobody has asked for it by the time the response has ended, it is discarded, within the
/// limits of [`Limits::discard`](super::Limits::discard).
#[derive(Clone)]
pub struct Request(pub(crate) Rc<Exchange>);

compare_by_identity!(Request);

impl Request {
    // ---- The head

    /// The method, as received: methods are case-sensitive (RFC 9110, 9.1).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.method() {
    ///     "GET" | "HEAD" => res.end("here you are\n"),
    ///     _ => res.set_status(405).set_header("Allow", "GET, HEAD").end("only to be read\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("PUT", "/").send().status(), 405);
    /// ```
    pub fn method(&self) -> &str {
        self.0.head().method()
    }

    /// The request target as received, including the query: Node's `req.url`. Nothing is decoded.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| res.end(req.url())); // "/a%20b?page=2"
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/a%20b?page=2").send().text(), "/a%20b?page=2");
    /// ```
    pub fn url(&self) -> &str {
        self.0.head().target()
    }

    /// The path of the target, without the query. Nothing is decoded, `..` is not resolved.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.path() {
    ///     "/" => res.end("the first page\n"),
    ///     "/about" => res.end("what it is\n"),
    ///     _ => res.set_status(404).end("no such page\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/about?from=mail").send().text(), "what it is\n");
    /// ```
    pub fn path(&self) -> &str {
        self.0.head().path()
    }

    /// The part of the target after the `?`, if there is one.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let pairs = req.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    ///     let page = pairs.filter(|(name, _)| *name == "page").find_map(|(_, page)| page.parse::<u32>().ok());
    ///     res.end(format!("page {}\n", page.unwrap_or(1)));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/list?sort=age&page=3").send().text(), "page 3\n");
    /// ```
    pub fn query(&self) -> Option<&str> {
        self.0.head().query()
    }

    /// The HTTP version of the request.
    pub fn version(&self) -> Version {
        self.0.head().version()
    }

    /// The host and port that the request is for. If the target has them, they are taken from the target, since it
    /// overrides the Host field (RFC 9112, 3.2.2). Otherwise they are taken from that field, which may be empty. `None`
    /// only if the request has neither, which HTTP/1.0 allows (and HTTP/1.1 after
    /// [`set_require_host_header(false)`](super::Server::set_require_host_header)). In an app that trusts the proxy in front of it
    /// (feature `app`, `App::trust`), they are those that the proxy says.
    pub fn host(&self) -> Option<&str> {
        #[cfg(feature = "app")]
        if let Some(companion) = self.0.companion() {
            return companion.host(&self.0).or_else(|| self.0.head().host());
        }
        self.0.head().host()
    }

    /// The value of the first field with this name; names are compared without case. See [`joined`](Request::joined) for
    /// fields that are given more than once.
    ///
    /// A value may have bytes above ASCII, which are usually meant as UTF-8. If the value is not valid UTF-8, this returns
    /// `None`, as if the field were not there. [`header_bytes`](Request::header_bytes) returns such values too; use it if
    /// it matters whether a field is there at all.
    ///
    /// ```
    /// # oneloop::http::create_server(|req, res| {
    /// let language = req.header("Accept-Language").unwrap_or("en");
    /// # res.end(language) });
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head().get(name)
    }

    /// The bytes of the value of the first field with this name, as received, whether they are text or not (obs-text of
    /// RFC 9110, 5.5). They contain no control characters except HTAB, and neither begin nor end with blanks.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.head().get_bytes(name)
    }

    /// All fields in the order and case in which they were received, including duplicates. Fields whose value is not UTF-8
    /// are left out: see [`headers_bytes`](Request::headers_bytes).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let fields: Vec<_> = req.headers().map(|(name, value)| format!("{name} = {value}\n")).collect();
    ///     res.end(fields.concat());
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert!(sim.request("GET", "/").header("X-Tag", "7").send().text().contains("X-Tag = 7\n"));
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.head().iter()
    }

    /// All fields with the bytes of their values, in the order and case in which they were received. A proxy passes these
    /// on.
    pub fn headers_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.head().fields().iter_bytes()
    }

    /// The values of all fields with this name, in order. Values that are not UTF-8 are left out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let hops = req.header_all("Via").count();
    ///     res.end(format!("it came by {hops} proxies\n"));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").header("Via", "1.1 a").header("Via", "1.1 b").send().text(), "it came by 2 proxies\n");
    /// ```
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.head().get_all(name)
    }

    /// The bytes of the values of all fields with this name, in order.
    pub fn header_all_bytes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.head().fields().get_all_bytes(name)
    }

    /// The value of a field that is there once, and is text.
    #[cfg(feature = "app")]
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        self.0.head().fields().only(name)
    }

    /// The values of all fields with this name in one text, by Node's rules. `Cookie` is joined with `; `. For a field that may
    /// be given only once (`Authorization`, `Content-Type`, `Host`, `Referer`, `User-Agent`, …), the result is the first value.
    /// All others are joined with `, `. `None` if there is no such field, or if the result is not UTF-8.
    pub fn joined(&self, name: &str) -> Option<String> {
        String::from_utf8(self.joined_bytes(name)?).ok()
    }

    /// Like [`joined`](Request::joined), but returns bytes, which need not be UTF-8.
    pub fn joined_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let mut values = self.header_all_bytes(name);
        let mut joined = values.next()?.to_owned();
        if !SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name)) {
            let between: &[u8] = if name.eq_ignore_ascii_case("cookie") { b"; " } else { b", " };
            for value in values {
                joined.extend_from_slice(between);
                joined.extend_from_slice(value);
            }
        }
        Some(joined)
    }

    /// The fields that followed a chunked body. They are complete once the request is complete. Fields whose value is not UTF-8
    /// are left out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.clone().read_body(1024, move |_| {
    ///         let sum = req.trailers().into_iter().find(|(name, _)| name.eq_ignore_ascii_case("checksum"));
    ///         res.end(sum.map_or("none".to_owned(), |(_, value)| value));
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("POST", "/").body("x").send().text(), "none");
    /// ```
    pub fn trailers(&self) -> Vec<(String, String)> {
        self.0.incoming().trailers().borrow().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// All fields that followed a chunked body, with the bytes of their values.
    pub fn trailers_bytes(&self) -> Vec<(String, Vec<u8>)> {
        let received = self.0.incoming().trailers().borrow();
        received.iter_bytes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The number of the exchange, which its [`Response`](super::Response) has too. No other exchange of this process ever
    /// has the same, so it can be used in a log, or as a key that outlives the handles. Handles themselves can be compared
    /// (`==`) and hashed; as keys they make Clippy warn of `mutable_key_type`, which an id does not.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// The peer's address, while the exchange is open. Behind a proxy it is the address of the proxy.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| {
    ///     if let Some(address) = req.remote_addr() {
    ///         log::info!("{address} asks for {}", req.path());
    ///     }
    ///     res.end("hello\n");
    /// });
    /// ```
    pub fn remote_addr(&self) -> Option<Address> {
        self.0.peer()
    }

    // ---- The body

    pub(super) fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.add(on, site, listener);
        self.0.wake();
        self
    }

    /// Calls `f` with the body as it comes, in pieces of any size, without the chunked coding. The first such listener starts the
    /// flow (and sends `100 Continue` if the peer waits for it). `f` is called in the poll phase, each time something has
    /// arrived. Bytes that were held back (by [`pause`](Request::pause), or because nobody listened) come in the pending phase.
    /// An error that `f` returns answers the request ([`Error`](super::Error)), and no more of the body comes.
    ///
    /// To have the whole body at once, use [`read_body`](Request::read_body): it collects the pieces, and has a limit. `on_data`
    /// is for bodies that are used as they come. Data that its callback shares with that of [`on_end`](Request::on_end) goes into
    /// an `Rc`:
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     let zeros = Rc::new(Cell::new(0));
    ///     let count = zeros.clone(); // both callbacks own the counter
    ///     req.on_data(move |_, bytes| count.set(count.get() + bytes.iter().filter(|byte| **byte == 0).count()));
    ///     req.on_end(move |_| res.end(format!("{} zeros", zeros.get())));
    /// });
    /// server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("POST", "/").body([0, 1, 0]).send().text(), "2 zeros");
    /// ```
    ///
    /// A `let mut body = Vec::new()` that one callback fills and the other one sends cannot be in both. The compiler says
    /// E0382 (or E0373, E0507); with a `body.clone()` it compiles, but one of the two has an empty copy. See the guide,
    /// [closures](crate::guide::closures#the-body-of-a-request).
    #[track_caller]
    pub fn on_data<R: Answer>(&self, mut f: impl FnMut(&Request, &[u8]) -> R + 'static) -> &Self {
        self.on_data_at(Location::caller(), move |exchange, bytes| {
            answer(exchange, || f(&Request(exchange.clone()), bytes))
        });
        self
    }

    /// Calls `f` once, when the whole request has come. If it has come already, as a request without a body has, the loop
    /// calls it soon after this call (in the same turn of the connection or in the next pending phase), never within this
    /// call. A body that nobody reads does not end. An error that `f` returns answers the request: see
    /// [`Error`](super::Error).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use std::{cell::Cell, rc::Rc};
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let length = Rc::new(Cell::new(0));
    ///     let sum = length.clone();
    ///     req.on_data(move |_, bytes| sum.set(sum.get() + bytes.len()));
    ///     req.on_end(move |_| res.end(format!("{} bytes\n", length.get())));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("POST", "/").body("seeds").send().text(), "5 bytes\n");
    /// ```
    #[track_caller]
    pub fn on_end<R: Answer>(&self, f: impl FnOnce(&Request) -> R + 'static) -> &Self {
        let end = move |exchange: &Rc<Exchange>| answer(exchange, || f(&Request(exchange.clone())));
        self.add(On::End, Location::caller(), Listener::Once(Some(Box::new(end))))
    }

    /// Calls `f` once, when the peer has ended its side of the connection while this exchange is open, or soon after this call if
    /// it has done so before. Nearly always the client is gone then, and nobody will read the answer: stop the work that is still
    /// being done for it. A few clients only say that they have no further request, and go on reading; the two cases look the
    /// same. After [`Limits::half_open`](super::Limits::half_open) without an answer the exchange is cut, and
    /// [`on_close`](Request::on_close) is called. (Node calls `req.on('close')` as early as this `f`.)
    ///
    /// ```
    /// use std::time::Duration;
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let work = oneloop::set_timeout(Duration::from_secs(5), move || res.end("five seconds later"));
    ///     req.on_peer_end(move |_| work.clear()); // drops `res` as well: nobody waits for it
    /// });
    /// ```
    #[track_caller]
    pub fn on_peer_end<R: Answer>(&self, f: impl FnOnce(&Request) -> R + 'static) -> &Self {
        let ended = move |exchange: &Rc<Exchange>| answer(exchange, || f(&Request(exchange.clone())));
        self.add(On::PeerEnd, Location::caller(), Listener::Once(Some(Box::new(ended))))
    }

    /// Calls `f` once, as the last listener, when the exchange is over: with [`CloseReason::Finished`] if all went well,
    /// else with the reason why it was cut. Then all listeners of the exchange are dropped.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let tick = oneloop::set_interval(std::time::Duration::from_secs(1), move || res.write("tick\n").ignore());
    ///     req.on_close(move |_, reason| {
    ///         log::info!("the client is gone: {reason}");
    ///         tick.clear();
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(&Request, CloseReason) + 'static) -> &Self {
        let close = move |exchange: &Rc<Exchange>, reason| f(&Request(exchange.clone()), reason);
        self.0.add(On::RequestClose, Location::caller(), Listener::Close(Some(Box::new(close))));
        self
    }

    /// Stops `on_data` until [`resume`](Request::resume). When the buffers are full, the peer is slowed down.
    ///
    /// ```
    /// use oneloop::worker;
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.on_data(move |req, bytes| {
    ///         let (bytes, req) = (bytes.to_vec(), req.clone());
    ///         req.pause(); // one chunk at a time
    ///         worker::run(move || bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>(), move |_sum| req.resume());
    ///     });
    ///     req.on_end(move |_| res.end("all taken\n"));
    /// });
    /// ```
    pub fn pause(&self) {
        self.0.incoming().pause();
    }

    /// Resumes `on_data`, from the next pending phase on.
    pub fn resume(&self) {
        if self.0.incoming().unpause() {
            self.0.wake();
        }
    }

    /// Discards the rest of the body: drops the listeners of `on_data` and `on_end`, and once the request is answered, reads the
    /// rest and throws it away. If that is more than [`Limits::discard`](super::Limits::discard), the connection closes after the
    /// response, which reaches the peer nevertheless. Call it in a handler that answers in the middle of a body to which it
    /// listens. Without this call, the handler still gets data, and if it has paused, the rest waits.
    ///
    /// A [`read_body`](Request::read_body) that is waiting gets its error when the exchange is over. A `Response` that only
    /// the dropped listeners held is dropped with them: keep one to answer with. If the body is piped, the pipe fails as
    /// soon as the running callback has returned: answer before that, or see [`pipeline`](crate::net::pipeline).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.on_data(move |req, bytes| {
    ///         if !bytes.starts_with(b"GIF8") {
    ///             req.discard();
    ///             res.set_status(415).end("no GIF\n");
    ///         }
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("POST", "/").body("PNG").send().status(), 415);
    /// ```
    pub fn discard(&self) {
        self.0.discard_body();
        self.0.wake();
    }

    /// Returns whether the whole request, including its body, has been received.
    pub fn is_complete(&self) -> bool {
        self.0.incoming().is_complete()
    }

    /// Returns whether the exchange is over, whether it succeeded or not.
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    pub(super) fn on_data_at(&self, site: Site, f: impl FnMut(&Rc<Exchange>, &[u8]) + 'static) -> Option<u32> {
        // After the final head, a `100 Continue` would be taken for a part of the body.
        if self.0.outgoing().phase() == Phase::Open && self.0.incoming().take_continue() {
            self.0.inform(100, &[]);
        }
        let listener = self.0.add(On::Data, site, Listener::Data(Box::new(f)));
        self.0.wake();
        listener
    }

    /// Closes the connection at once. The exchange is over, and so are all later ones on this connection.
    pub fn destroy(&self) {
        self.0.cut(CloseReason::Destroyed);
    }
}

/// Fields of which Node keeps only the first value.
const SINGLE: &[&str] = &[
    "age",
    "authorization",
    "content-length",
    "content-type",
    "etag",
    "expires",
    "from",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "retry-after",
    "server",
    "user-agent",
];

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method()).field("url", &self.url()).finish()
    }
}
