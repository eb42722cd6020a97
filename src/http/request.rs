use super::answer::{Answer, answer};
use super::exchange::{Exchange, Listener, On};
use super::outgoing::Phase;
use crate::callback::{Site, compare_by_identity};
use crate::net::{Address, CloseReason};
use crate::proto::h1::Version;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// A request. A cheap handle: clones are the same request, and equal. It may be kept for as long as you like: what it says of the
/// head stays, and once the exchange is over its other methods do nothing.
///
/// A body is read when somebody asks for it with [`on_data`](Request::on_data), [`read_body`](Request::read_body) or
/// [`pipe`](Request::pipe). One that nobody has asked for by the time the response has ended is discarded, within the
/// limits of [`Limits::discard`](super::Limits::discard).
#[derive(Clone)]
pub struct Request(pub(super) Rc<Exchange>);

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

    /// The request target as received, the query included: Node's `req.url`. Nothing is decoded.
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

    /// What follows the `?`, if there is one.
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

    /// The version of HTTP that the request has.
    pub fn version(&self) -> Version {
        self.0.head().version()
    }

    /// The host and port that the request is for: those of the target where it has them, since they override the Host
    /// field (RFC 9112, 3.2.2), else of that field, which may be empty. `None` only where neither is there, which HTTP/1.0
    /// allows (and HTTP/1.1 after [`set_require_host_header(false)`](super::Server::set_require_host_header)).
    pub fn host(&self) -> Option<&str> {
        self.0.head().host()
    }

    /// The value of the first field of that name; names are compared without case. See [`joined`](Request::joined) for
    /// fields that are given more than once.
    ///
    /// A value may have bytes above ASCII, which browsers and most others mean as UTF-8. Where they are not, this is `None`
    /// as if the field were not there: [`header_bytes`](Request::header_bytes) has them, and is what to ask where it
    /// matters whether a field is there at all.
    ///
    /// ```
    /// # oneloop::http::create_server(|req, res| {
    /// let language = req.header("Accept-Language").unwrap_or("en");
    /// # res.end(language) });
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head().get(name)
    }

    /// The value of the first field of that name as it was received, byte for byte, whether it is text or not (obs-text of
    /// RFC 9110, 5.5). It has no control characters but HTAB, and no blanks at its ends.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.head().get_bytes(name)
    }

    /// All fields, in the order and with the names' case as received; duplicates are there. Those whose value is no UTF-8
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

    /// All fields with their values byte for byte, in the order and with the names' case as received: what a proxy
    /// passes on.
    pub fn headers_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.head().fields().iter_bytes()
    }

    /// The values of all fields of that name, in order. Those that are no UTF-8 are left out.
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

    /// The values of all fields of that name byte for byte, in order.
    pub fn header_all_bytes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.head().fields().get_all_bytes(name)
    }

    /// The values of all fields of that name in one, by Node's rules: `Cookie` is joined with `; `, what may be given
    /// only once (`Authorization`, `Content-Type`, `Host`, `Referer`, `User-Agent`, …) is the first, and all others are
    /// joined with `, `. `None` where there is none, or the whole is no UTF-8.
    pub fn joined(&self, name: &str) -> Option<String> {
        String::from_utf8(self.joined_bytes(name)?).ok()
    }

    /// The same, byte for byte.
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

    /// The fields that followed a chunked body: complete once the request is. Those whose value is no UTF-8 are left out.
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

    /// The same, byte for byte, and all of them.
    pub fn trailers_bytes(&self) -> Vec<(String, Vec<u8>)> {
        let received = self.0.incoming().trailers().borrow();
        received.iter_bytes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The number of its exchange, which its [`Response`](super::Response) has as well. No other of this process has it, not later
    /// either: it may stand in a log, or as a key for longer than the handles live. Handles themselves can be compared
    /// (`==`) and hashed; as keys they make Clippy warn of `mutable_key_type`, which an id does not.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// The peer's address, while the exchange is open. Behind a proxy it is the proxy's.
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

    /// Called with the body as it comes, in chunks of any size, without the chunked coding. The first such listener
    /// starts the flow (and sends `100 Continue`, where the peer waits for it). It comes in the poll phase, each time that
    /// something has arrived; what was held back (by [`pause`](Request::pause), or since nobody listened) comes in the
    /// pending phase. An error that it returns answers the request ([`Error`](super::Error)), and no more of the body is told.
    ///
    /// To have the whole body at once, use [`read_body`](Request::read_body): it collects the chunks, and has a limit.
    /// `on_data` is for what is used as it comes. What it shares with [`on_end`](Request::on_end) stands in an `Rc`:
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
    /// A `let mut body = Vec::new()` that one callback fills and the other one sends cannot be in both: the compiler says
    /// E0382 (or E0373, E0507), and with a `body.clone()` it compiles, but one of the two has an empty copy. See the guide,
    /// [closures](crate::guide::closures#the-body-of-a-request).
    #[track_caller]
    pub fn on_data<R: Answer>(&self, mut f: impl FnMut(&Request, &[u8]) -> R + 'static) -> &Self {
        self.on_data_at(Location::caller(), move |req, bytes| answer(&req.0, || f(req, bytes)));
        self
    }

    /// Called once, when the whole request is here. Where it is here already, as a request without a body is, the loop calls it
    /// soon after this call, in the same turn of the connection or in the next pending phase, and never within this call. A body
    /// that nobody reads does not end. An error that the callback returns answers the request: see [`Error`](super::Error).
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
        let end = move |req: &Request| answer(&req.0, || f(req));
        self.add(On::End, Location::caller(), Listener::End(Some(Box::new(end))))
    }

    /// Called once, when the peer has ended its side of the connection while this exchange is open: at once, so to say,
    /// where it had done so before. Nearly always the client is gone then, and the answer is for nobody: stop what is still
    /// being computed for it. A few clients only say that they have no further request, and read on; which it is cannot be
    /// told. The exchange itself is cut after [`Limits::half_open`](super::Limits::half_open) without an answer, which
    /// [`on_close`](Request::on_close) tells. (Node's `req.on('close')` comes here already.)
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
        let ended = move |req: &Request| answer(&req.0, || f(req));
        self.add(On::PeerEnd, Location::caller(), Listener::End(Some(Box::new(ended))))
    }

    /// Called once, last, when the exchange is over: [`CloseReason::Finished`] where all went well, else why it was cut.
    /// Then all its listeners are dropped.
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
        self.0.add(On::RequestClose, Location::caller(), Listener::RequestClose(Some(Box::new(f))));
        self
    }

    /// Stops `on_data` until [`resume`](Request::resume); the peer is slowed down in the end.
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

    /// Goes on with `on_data`, from the next pending phase on.
    pub fn resume(&self) {
        if self.0.incoming().unpause() {
            self.0.wake();
        }
    }

    /// Wants no more of the body: the listeners of data and end are dropped, and with the answer what is left of it is
    /// discarded. Where that is more than [`Limits::discard`](super::Limits::discard), the connection closes after the
    /// response, which reaches the peer all the same. For a handler that answers in the middle of a body that it listens
    /// to: without this it goes on getting data, and where it has paused, the rest waits for it. A
    /// [`read_body`](Request::read_body) that waits gets its error when the exchange is over. A `Response` that only the
    /// dropped listeners held is given up with them: keep one to answer with. What the body is
    /// piped into fails, as soon as the callback that runs has returned: answer before that, or see [`pipeline`](crate::net::pipeline).
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

    /// Returns whether the whole request, body included, has been received.
    pub fn is_complete(&self) -> bool {
        self.0.incoming().is_complete()
    }

    /// Returns whether the exchange is over, whether it succeeded or not.
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    pub(super) fn on_data_at(&self, site: Site, f: impl FnMut(&Request, &[u8]) + 'static) -> Option<u32> {
        // Behind the final head it would be a part of the body.
        if self.0.outgoing().phase() == Phase::Open && self.0.incoming().take_continue() {
            self.0.inform(100, &[]);
        }
        let listener = self.0.add(On::Data, site, Listener::Data(Box::new(f)));
        self.0.wake();
        listener
    }

    /// Closes the connection at once: the exchange is over, and so is what was to follow it.
    pub fn destroy(&self) {
        self.0.cut(CloseReason::Destroyed);
    }
}

/// Fields of which Node keeps the first.
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
