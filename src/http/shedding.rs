use super::exchange::Exchange;
use super::request::Request;
use crate::callback::{Site, discard};
use crate::event_loop::{Loop, Time};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// The default of `retry_after`: long enough for a queue of requests to clear once requests are shed, and to spread
/// the next attempts of the peers.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The shortest time between two lines of the log about shed requests. More lines would delay a loop that is late already.
const LOG_EVERY: Time = Time::from_secs(1);
/// No loop has this delay, so nothing is shed.
const NEVER: Time = Time::MAX;

/// When and how a server sheds requests, which means that it answers them 503, because the loop is late. Set it with
/// [`set_load_shedding`](super::Server::set_load_shedding). It is off by default, since only the application knows how
/// long its clients would wait.
///
/// A loop that gets more work than it can do answers everybody late, and in the end so late that nobody is waiting any more: it
/// works for nothing. To shed a request costs microseconds, so the requests that are taken are answered in time.
///
/// ```
/// use oneloop::http::{self, LoadShedding};
/// use std::time::Duration;
///
/// let server = http::create_server(|_req, res| res.end("hi"));
/// server.set_load_shedding(
///     LoadShedding::new(Duration::from_millis(250))
///         .retry_after(Duration::from_secs(5))
///         .exempt(|req| req.path() == "/health"),
/// );
/// ```
///
/// **What is measured.** How long a request may have waited from its arrival to its turn: the work of the previous iteration,
/// during which it may have come (and of one more, if its connection had to be accepted first), and the work of this iteration
/// before its turn. This is an upper bound, made of clock readings that the loop takes anyway. It follows the load from iteration
/// to iteration, up and down, without an average. So if one callback holds the loop for longer than the delay, the requests that
/// have waited for it are shed: set the delay to the time that your clients would wait, not to the usual delay. The turns of one
/// iteration add up. So of many requests that are ready at the same time the first are taken, and the rest, which would be late,
/// are not. (One wait of the loop takes at most 1,024 events from the system. The time for which further events stay in the
/// system is not measured.)
///
/// **What is shed.** Requests whose head has been read and that no listener has seen. Exchanges that have begun go on,
/// bodies and responses alike, and so do connections that another protocol has taken over. New connections are accepted
/// (see [`set_max_connections`](super::Server::set_max_connections) for their limit).
///
/// **The answer** is `503 Service Unavailable` with `Retry-After` (RFC 9110, 15.6.4). The connection stays open: a new connection
/// would cost an overloaded server more than another request on this one, and a proxy in front of the server keeps its pool of
/// connections. A body that comes with the request is discarded, like any other that nobody reads
/// ([`Limits::discard`](super::Limits::discard)). The connection is closed if that body is too long, if the peer waits for `100
/// (Continue)`, which it does not get, and after a CONNECT. [`on_drop_request`](super::Server::on_drop_request) sees each such
/// request, and may answer otherwise; [`Metrics::shed`](crate::Metrics::shed) counts them; the log has one line a second.
#[derive(Clone)]
pub struct LoadShedding {
    max_delay: Duration,
    retry_after: Duration,
    exempt: Option<(Site, Rc<dyn Fn(&Request) -> bool>)>,
}

impl LoadShedding {
    /// Sheds requests while the loop's delay is longer than this.
    pub fn new(max_delay: Duration) -> LoadShedding {
        LoadShedding { max_delay, retry_after: RETRY_AFTER, exempt: None }
    }

    /// Sets when the peers may try again: after 1 s by default. The field has whole seconds; the time is rounded up,
    /// and the field is left out if the time is zero.
    pub fn retry_after(mut self, after: Duration) -> LoadShedding {
        self.retry_after = after;
        self
    }

    /// Sets requests that are never shed: those for which `is_exempt` returns true. Exempt health checks, because a failed health
    /// check might restart a server that is merely busy. `is_exempt` is called only for requests that would be shed. If it
    /// panics, the exchange is answered 500, as after a panic of a handler.
    #[track_caller]
    pub fn exempt(mut self, is_exempt: impl Fn(&Request) -> bool + 'static) -> LoadShedding {
        self.exempt = Some((Location::caller(), Rc::new(is_exempt)));
        self
    }
}

impl fmt::Debug for LoadShedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShedding")
            .field("max_delay", &self.max_delay)
            .field("retry_after", &self.retry_after)
            .field("exempt", &self.exempt.as_ref().map(|(site, _)| site))
            .finish()
    }
}

/// What to do with a request that came while the loop may be late.
pub(super) enum Verdict {
    Take,
    /// Shed the request. The peer may try again after this many seconds; 0: the answer has no `Retry-After`.
    Shed {
        retry_after: u32,
    },
    /// The exemption panicked.
    Panicked,
}

/// Decides when a server sheds requests, and counts these requests for the log.
pub(super) struct Shedding {
    /// Copied from `how`, because every request needs it.
    max_delay: Cell<Time>,
    how: RefCell<Option<LoadShedding>>,
    /// When the log last mentioned shed requests.
    logged: Cell<Option<Time>>,
    /// How many requests were shed since then.
    not_logged: Cell<u64>,
}

impl Shedding {
    pub fn off() -> Shedding {
        Shedding {
            max_delay: Cell::new(NEVER),
            how: RefCell::default(),
            logged: Cell::new(None),
            not_logged: Cell::new(0),
        }
    }

    pub fn set(&self, how: Option<LoadShedding>) {
        self.max_delay.set(how.as_ref().map_or(NEVER, |how| Time::from(how.max_delay)));
        let before = self.how.replace(how);
        discard(before);
    }

    /// Returns whether the loop may be later than allowed. False if shedding is off.
    #[inline]
    pub fn is_due(&self, lp: &Loop) -> bool {
        lp.longest_delay() > self.max_delay.get()
    }

    /// Decides about a request that came while the loop may be late. `fresh`: its connection was accepted in this iteration
    /// or in the previous one. It may call user code: the exemption.
    #[cold]
    pub fn judge(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>, fresh: bool) -> Verdict {
        let delay = if fresh { lp.longest_delay() } else { lp.delay() };
        if delay <= self.max_delay.get() {
            return Verdict::Take;
        }
        let Some(how) = self.how.borrow().clone() else { return Verdict::Take };
        let seconds = how.retry_after.as_nanos().div_ceil(1_000_000_000);
        let request = Request(exchange.clone());
        let exempt = match &how.exempt {
            Some((site, is_exempt)) => lp.call(site, &**exchange, || is_exempt(&request)),
            None => Some(false),
        };
        drop(request);
        // The exemption may have replaced the settings that hold it: then this drops the last reference to it.
        discard(how);
        match exempt {
            Some(true) => Verdict::Take,
            Some(false) => {
                self.count(lp, delay);
                Verdict::Shed { retry_after: u32::try_from(seconds).unwrap_or(u32::MAX) }
            }
            None => Verdict::Panicked,
        }
    }

    #[cold]
    fn count(&self, lp: &Loop, delay: Time) {
        lp.count_shed();
        self.not_logged.set(self.not_logged.get() + 1);
        let now = lp.now();
        if self.logged.get().is_none_or(|at| now >= at + LOG_EVERY) {
            self.logged.set(Some(now));
            let (count, delay) = (self.not_logged.replace(0), Duration::from(delay));
            notice::warn!(target: "oneloop::http", "the loop is {delay:?} late: {count} requests were answered 503");
        }
    }
}
