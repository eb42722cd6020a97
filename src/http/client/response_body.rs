//! `ClientResponse::read_body`: the whole body of a response in one piece, or the reason why there is none.

use super::call::{Call, Listener, On};
use super::error::is_deadline;
use crate::callback::Site;
use crate::net::CloseReason;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// The reason why there is no whole body of a response: what [`ClientResponse::read_body`](super::ClientResponse::read_body) tells. It is
/// not the [`BodyError`](crate::http::BodyError) of a request, because the fault is another server's: a handler that returns it, or
/// fails with it, answers 502, or 504 if the body came too slowly.
///
/// ```
/// use oneloop::http::{self, ResponseBodyError};
/// use oneloop::sim::Sim;
///
/// let sim = Sim::new();
/// let other = http::create_server(|_req, res| res.end("more than was expected"));
/// other.listen(9000, ())?;
/// let server = http::create_server(|_req, res| {
///     http::get("http://127.0.0.1:9000/", move |from| {
///         from.read_body(8, move |body| match body {
///             Ok(body) => res.end(body),
///             Err(error) => {
///                 assert_eq!(error, ResponseBodyError::TooLarge { limit: 8 });
///                 res.fail(error);
///             }
///         });
///     });
/// });
/// server.listen(80, ())?;
/// assert_eq!(sim.request("GET", "/").send().status(), 502);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseBodyError {
    /// The body has more bytes than were allowed.
    TooLarge {
        /// How many bytes were allowed.
        limit: usize,
    },
    /// The exchange was over before the whole body had come.
    Closed(CloseReason),
    /// The body was given to another callback before. The library does not keep it for a second callback.
    AlreadyRead {
        /// Where the program asked for the body: the call of a method such as `read_body` or `on_data`.
        by: &'static Location<'static>,
    },
}

impl ResponseBodyError {
    /// Returns whether a deadline has ended the response.
    ///
    /// ```
    /// use oneloop::{http::ResponseBodyError, net::CloseReason};
    /// assert!(ResponseBodyError::Closed(CloseReason::SlowReceive).is_timeout());
    /// assert!(!ResponseBodyError::Closed(CloseReason::Truncated).is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self, ResponseBodyError::Closed(reason) if is_deadline(*reason))
    }

    /// Returns whether it is the program's own doing, and not the server's.
    pub(in crate::http) fn is_own(&self) -> bool {
        use CloseReason::{Destroyed, LoopEnded, Panicked};
        match self {
            ResponseBodyError::TooLarge { .. } => false,
            ResponseBodyError::Closed(reason) => matches!(reason, Destroyed | LoopEnded | Panicked),
            ResponseBodyError::AlreadyRead { .. } => true,
        }
    }
}

impl fmt::Display for ResponseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResponseBodyError::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            ResponseBodyError::Closed(reason) => write!(f, "the connection was closed before the body ended: {reason}"),
            ResponseBodyError::AlreadyRead { by } => {
                write!(f, "the body was read already, by the callback registered at {by}")
            }
        }
    }
}

impl std::error::Error for ResponseBodyError {}

type Done = Box<dyn FnOnce(Result<Vec<u8>, ResponseBodyError>)>;

/// What `read_body` has collected so far.
struct Collector {
    bytes: RefCell<Vec<u8>>,
    done: Cell<Option<Done>>,
    /// The id of the data listener that collects.
    listener: Cell<Option<u32>>,
}

impl Collector {
    fn finish(&self, result: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, ResponseBodyError>) {
        if let Some(done) = self.done.take() {
            done(result(self.bytes.take()));
        }
    }
}

pub(super) fn collect(call: &Rc<Call>, limit: usize, site: Site, done: Done) {
    let collector =
        Rc::new(Collector { bytes: RefCell::default(), done: Cell::new(Some(done)), listener: Cell::new(None) });
    let announced = call.response().get("content-length").and_then(|length| length.parse::<u64>().ok());
    let head = call.head().borrow().method() == "HEAD";
    let refused = match call.over().filter(|_| !call.is_complete()) {
        Some(reason) => Some(ResponseBodyError::Closed(reason)),
        None if call.read_by().is_some() => call.read_by().map(|by| ResponseBodyError::AlreadyRead { by }),
        None if !head && announced.is_some_and(|length| length > limit as u64) => {
            Some(ResponseBodyError::TooLarge { limit })
        }
        None => None,
    };
    if let Some(error) = refused {
        let call = call.clone();
        return crate::event_loop::next_tick(move || call.call(site, |_| collector.finish(|_| Err(error))));
    }
    let data = collector.clone();
    let taken = move |call: &Rc<Call>, bytes: &[u8]| {
        if data.bytes.borrow().len() + bytes.len() > limit {
            // The rest is discarded, unless others listen for it.
            if let Some(listener) = data.listener.take() {
                call.remove(listener);
            }
            data.finish(|_| Err(ResponseBodyError::TooLarge { limit }));
        } else {
            data.bytes.borrow_mut().extend_from_slice(bytes);
        }
    };
    collector.listener.set(call.add(On::Data, site, Listener::Data(Box::new(taken))));
    let closed = collector.clone();
    let close = move |_: &Rc<Call>, reason| closed.finish(|_| Err(ResponseBodyError::Closed(reason)));
    call.add(On::ResponseClose, site, Listener::Close(Some(Box::new(close))));
    let end = move |_: &Rc<Call>| collector.finish(Ok);
    call.add(On::End, site, Listener::End(Some(Box::new(end))));
    call.wake();
}
