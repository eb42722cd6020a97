use super::next::Next;
use crate::http::{Request, Response};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The field that carries the id, in requests and responses. It is in no standard; nearly all proxies and clients know it.
const FIELD: &str = "X-Request-Id";
/// The most bytes of an id that is taken over. All usual forms are shorter (a UUID has 36), and logs keep many of them.
const LONGEST: usize = 128;

/// The id of a request, by which the lines of several logs are found together: see [`request_id`]. Find it with
/// `req.find::<RequestId>()`, until the listeners of [`on_exchange_end`](crate::http::Server::on_exchange_end) have been called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The id: 1 to 128 letters, digits and `-._~+/=:@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A middleware that gives each request an id, as a [`RequestId`] and in the field `X-Request-Id` of the response, errors
/// included. The access log has it in the lines of JSON.
///
/// The id is a random number of 64 bits, made once for this middleware, and a count. A field that comes with the request is
/// ignored: a client that chooses its id could give it to thousands of requests, or write into logs. The field is used if the
/// connection's other end is a proxy that the app [trusts](super::App::trust). Let that proxy set the field itself, whatever its
/// clients send. To believe other peers, use [`request_id_from`].
///
/// ```
/// use oneloop::app::{App, RequestId, request_id};
///
/// let mut app = App::new();
/// app.with(request_id());
/// app.get("/", |req, res| {
///     res.end(req.need::<RequestId>()?.as_str());
///     Ok(())
/// });
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ())?;
/// # let reply = sim.request("GET", "/").send();
/// # assert_eq!(reply.header("x-request-id"), Some(reply.text().as_str()));
/// # std::io::Result::Ok(())
/// ```
pub fn request_id() -> impl FnMut(Request, Response, Next) + 'static {
    request_id_from(Request::comes_from_proxy)
}

/// The same as [`request_id`], but uses the id in the field `X-Request-Id` of the requests for which `is_trusted` returns true.
/// Return true only for peers that set the field themselves, whatever their clients send. An id that is too long (over 128
/// bytes), or has other bytes than letters, digits and `-._~+/=:@`, or is given twice, is replaced by an own one.
///
/// ```
/// use oneloop::app::{App, request_id_from};
///
/// let mut app = App::new();
/// app.with(request_id_from(|req| {
///     req.remote_addr().and_then(|address| address.ip()).is_some_and(|ip| ip.is_loopback())
/// }));
/// app.get("/", |_req, res| res.end("hello\n"));
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ())?;
/// let reply = sim.request("GET", "/").header("X-Request-Id", "from-the-proxy-1").send();
/// assert_eq!(reply.header("x-request-id"), Some("from-the-proxy-1"));
/// # std::io::Result::Ok(())
/// ```
pub fn request_id_from(
    is_trusted: impl Fn(&Request) -> bool + 'static,
) -> impl FnMut(Request, Response, Next) + 'static {
    // The keys of a `RandomState` are random: it is how the standard library's maps get theirs.
    let random = RandomState::new().build_hasher().finish();
    let mut count = 0_u64;
    move |req, res, next| {
        let given = given(&req).filter(|_| is_trusted(&req));
        let id = given.map(Box::from).unwrap_or_else(|| {
            count += 1;
            format!("{random:016x}-{count:x}").into()
        });
        res.set_header(FIELD, &*id);
        req.put(RequestId(id));
        next.run();
    }
}

/// The id in the field of a request, if it is valid.
fn given(req: &Request) -> Option<&str> {
    let id = req.only(FIELD)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@".contains(&byte);
    ((1..=LONGEST).contains(&id.len()) && id.bytes().all(allowed)).then_some(id)
}
