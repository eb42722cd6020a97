//! The reason why a request got no response.

use crate::net::CloseReason;
use std::fmt;

/// The reason why a request got no response: [`ClientRequest::on_error`](super::ClientRequest::on_error) gets it. Its text, for
/// people, names the request, without its query, which may hold a secret.
///
/// It is an error as any other, so a handler can return it, or keep it in a `Box<dyn Error>`.
///
/// ```
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new(); // nobody listens in this world
/// http::get("http://127.0.0.1:1/plants?key=secret", |_res| unreachable!()).on_error(|_, error| {
///     assert_eq!(error.kind(), http::RequestErrorKind::Connect);
///     assert!(error.to_string().starts_with("GET http://127.0.0.1:1/plants: cannot connect to 127.0.0.1:1: "), "{error}");
///     assert!(!error.is_reused());
/// });
/// sim.settle();
/// ```
#[derive(Clone, Debug)]
pub struct RequestError {
    pub(super) kind: RequestErrorKind,
    pub(super) text: String,
    pub(super) reason: CloseReason,
    pub(super) reused: bool,
    pub(super) sent: bool,
    pub(super) proxy_status: Option<u16>,
}

/// What kind of failure a [`RequestError`] is. Programs compare it; people read the text of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// The program has made a request that cannot be sent: the URL, a field or the length of the body is wrong.
    Invalid,
    /// No connection was made: the name is unknown, or no address of it takes connections.
    Connect,
    /// No connection was made within [`AgentLimits::connect`](super::AgentLimits::connect).
    ConnectTimeout,
    /// The proxy that was asked for a tunnel to the server has made none: [`RequestError::proxy_status`] is what it has answered.
    Proxy,
    /// The connection could not be made secure: the server is not who it should be, or does not speak TLS.
    Tls,
    /// [`AgentLimits::queued`](super::AgentLimits::queued) requests to this server wait already.
    QueueFull,
    /// The request waited for [`AgentLimits::queue`](super::AgentLimits::queue), and no connection was free.
    QueueTimeout,
    /// The head of the response did not come within [`AgentLimits::response`](super::AgentLimits::response).
    ResponseTimeout,
    /// The time of [`ClientRequest::set_timeout`](super::ClientRequest::set_timeout) is over.
    Timeout,
    /// The server took the request too slowly, or not at all:
    /// [`AgentLimits::write_stall`](super::AgentLimits::write_stall).
    SlowSend,
    /// The server closed the connection before its response. If the connection had carried other requests before
    /// ([`RequestError::is_reused`]), the server may have closed it because it was idle.
    Closed,
    /// What the server sent is no acceptable response.
    BadResponse,
    /// The program has aborted the request, dropped it before its end, or destroyed its agent.
    Aborted,
    /// The operating system reported another error.
    Failed,
}

impl RequestErrorKind {
    /// A word for logs and metrics.
    ///
    /// ```
    /// assert_eq!(oneloop::http::RequestErrorKind::QueueFull.as_str(), "queue-full");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            RequestErrorKind::Invalid => "invalid",
            RequestErrorKind::Connect => "connect",
            RequestErrorKind::ConnectTimeout => "connect-timeout",
            RequestErrorKind::Proxy => "proxy",
            RequestErrorKind::Tls => "tls",
            RequestErrorKind::QueueFull => "queue-full",
            RequestErrorKind::QueueTimeout => "queue-timeout",
            RequestErrorKind::ResponseTimeout => "response-timeout",
            RequestErrorKind::Timeout => "timeout",
            RequestErrorKind::SlowSend => "slow-send",
            RequestErrorKind::Closed => "closed",
            RequestErrorKind::BadResponse => "bad-response",
            RequestErrorKind::Aborted => "aborted",
            RequestErrorKind::Failed => "failed",
        }
    }

    /// Returns whether a deadline has ended the request.
    ///
    /// ```
    /// use oneloop::http::RequestErrorKind;
    /// assert!(RequestErrorKind::ConnectTimeout.is_timeout() && !RequestErrorKind::Closed.is_timeout());
    /// ```
    pub fn is_timeout(self) -> bool {
        use RequestErrorKind::*;
        matches!(self, ConnectTimeout | QueueTimeout | ResponseTimeout | Timeout | SlowSend)
    }

    /// The kind of a request whose connection has closed for this reason before there was a response.
    pub(super) fn of(reason: CloseReason) -> RequestErrorKind {
        match reason {
            CloseReason::ConnectFailed => RequestErrorKind::Connect,
            CloseReason::ConnectTimeout | CloseReason::HandshakeTimeout => RequestErrorKind::ConnectTimeout,
            CloseReason::TlsFailed => RequestErrorKind::Tls,
            CloseReason::ResponseTimeout => RequestErrorKind::ResponseTimeout,
            CloseReason::RequestTimeout => RequestErrorKind::Timeout,
            CloseReason::SlowSend | CloseReason::WriteStall => RequestErrorKind::SlowSend,
            CloseReason::Truncated | CloseReason::Reset | CloseReason::Finished => RequestErrorKind::Closed,
            CloseReason::BadMessage => RequestErrorKind::BadResponse,
            CloseReason::Destroyed | CloseReason::LoopEnded => RequestErrorKind::Aborted,
            _ => RequestErrorKind::Failed,
        }
    }
}

/// Returns whether a deadline has ended a response whose head had come.
pub(super) fn is_deadline(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::SlowReceive | CloseReason::RequestTimeout)
}

impl fmt::Display for RequestErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RequestError {
    /// The kind of the failure.
    ///
    /// ```
    /// # use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// http::get("ftp://example.org/", |_| ()).on_error(|_, error| assert_eq!(error.kind(), http::RequestErrorKind::Invalid));
    /// # sim.settle();
    /// ```
    pub fn kind(&self) -> RequestErrorKind {
        self.kind
    }

    /// The reason for which the connection was closed, or for which the request had none.
    ///
    /// ```
    /// # use oneloop::{http, net::CloseReason};
    /// # let sim = oneloop::sim::Sim::new();
    /// http::get("http://127.0.0.1:1/", |_| ()).on_error(|_, error| assert_eq!(error.reason(), CloseReason::ConnectFailed));
    /// # sim.settle();
    /// ```
    pub fn reason(&self) -> CloseReason {
        self.reason
    }

    /// Returns whether the connection had carried other requests before. Then a server that closes idle connections may have closed
    /// it in the moment in which this request was sent (Node's `req.reusedSocket`). Requests that may be sent twice are sent again by
    /// themselves, so this concerns POST and the like.
    ///
    /// ```
    /// # use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// let req = http::request("POST", "http://127.0.0.1:1/plants", |_| ());
    /// req.on_error(|_, error| match error.is_reused() {
    ///     true => println!("nobody knows whether it was taken: {error}"),
    ///     false => println!("{error}"),
    /// });
    /// req.end("basil");
    /// # sim.settle();
    /// ```
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Returns whether the kernel has taken any byte of the request. If not, the server has certainly not seen it.
    ///
    /// ```
    /// # use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// http::get("http://127.0.0.1:1/", |_| ()).on_error(|_, error| assert!(!error.is_sent()));
    /// # sim.settle();
    /// ```
    pub fn is_sent(&self) -> bool {
        self.sent
    }

    /// The status with which a proxy has refused a tunnel to the server: 407 if it wants other credentials. `None` for any other error,
    /// and if what it has sent was no answer.
    ///
    /// ```
    /// use oneloop::http::{Agent, Proxy, RequestError, RequestErrorKind};
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(407).end(()));
    /// # server.on_connect(|_req, socket, _head| socket.end("HTTP/1.1 407 Who are you\r\n\r\n"));
    /// # server.listen(3128, ()).unwrap();
    /// let agent = Agent::new();
    /// agent.set_proxy(Proxy::to("127.0.0.1:3128")?);
    /// agent.get("https://example.org/", |res| println!("{}", res.status())).on_error(|_, error: &RequestError| {
    ///     # if cfg!(feature = "tls") {
    ///     assert_eq!((error.kind(), error.proxy_status()), (RequestErrorKind::Proxy, Some(407)));
    ///     # }
    /// });
    /// # sim.settle();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn proxy_status(&self) -> Option<u16> {
        self.proxy_status
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RequestError {}
