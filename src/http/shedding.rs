use super::exchange::Exchange;
use super::limits::nanos;
use super::request::Request;
use crate::callback::{Site, discard};
use crate::event_loop::{Loop, Time};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// What a queue of requests needs to be gone, where they are turned away; the peers' next attempts are spread by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often the log says at most that requests are shed, in nanoseconds: the loop is late already.
const LOG_EVERY: Time = 1_000_000_000;
/// A delay that no loop has: nothing is shed.
const NEVER: Time = Time::MAX;

/// When and how a server turns requests away because the loop is late. Set with
/// [`set_load_shedding`](super::Server::set_load_shedding); off at first, since only the application knows which delay its
/// clients would rather not wait for.
///
/// A loop that gets more work than it can do answers everybody late, at last later than anybody waits, and then works for
/// nobody. Turning a request away costs microseconds; so those that are taken are answered in time.
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
/// **What is measured.** How long a request may have waited between its readiness and its turn: the work of the iteration
/// before, during which it may have come (and of one more, where its connection had to be accepted first), and that of its
/// own iteration until its turn. That is a bound from clock readings that the loop takes anyway. It follows the load from
/// one iteration to the next, up and down: there is no average to wait for. So one callback that holds the loop for longer
/// than the delay costs those who waited for it an answer: set the delay to what your clients would wait, not to what is
/// usual. Turns of the same iteration count one after another, so that of many requests which are ready at the same time
/// the first ones are taken and the rest, which would be late, are not. (One wait of the loop takes 1,024 events from the
/// system. Time spent behind those is not seen.)
///
/// **What is shed.** Requests that begin: their heads are here, and no listener has seen them. Exchanges that have begun
/// go on, bodies and responses alike, and so do connections that another protocol has taken over. New connections are
/// accepted (see [`set_max_connections`](super::Server::set_max_connections) for their limit).
///
/// **The answer** is `503 Service Unavailable` with `Retry-After` (RFC 9110, 15.6.4). The connection is kept: a new one would
/// cost an overloaded server more than the next request on this one, and a proxy in front keeps its pool. A body that
/// comes with the request is discarded as any other that nobody reads ([`Limits::discard`](super::Limits::discard)). The
/// connection is closed where that is too long, where the peer waits for `100 (Continue)`, which it does not get, and
/// after a CONNECT. [`on_drop_request`](super::Server::on_drop_request) sees each such request, and may answer otherwise;
/// [`Metrics::shed`](crate::Metrics::shed) counts them; the log has one line a second.
#[derive(Clone)]
pub struct LoadShedding {
    max_delay: Duration,
    retry_after: Duration,
    exempt: Option<(Site, Rc<dyn Fn(&Request) -> bool>)>,
}

impl LoadShedding {
    /// Requests are shed while the loop's delay is longer than this.
    pub fn new(max_delay: Duration) -> LoadShedding {
        LoadShedding { max_delay, retry_after: RETRY_AFTER, exempt: None }
    }

    /// When the peers may try again: 1 s at first. The field has whole seconds; it is rounded up, and left out where it is
    /// zero.
    pub fn retry_after(mut self, after: Duration) -> LoadShedding {
        self.retry_after = after;
        self
    }

    /// Requests for which this says `true` are never shed: health checks, which would have the server restarted when it is
    /// merely busy. It is asked about requests that would be shed, and about no others. One that panics costs its exchange
    /// (500), as a handler does.
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

/// What becomes of a request that came while the loop may be late.
pub(super) enum Verdict {
    Take,
    /// To be turned away. The peer may try again after this many seconds; 0: nothing is said of that.
    Shed {
        retry_after: u32,
    },
    /// The exemption panicked.
    Panicked,
}

/// When a server turns requests away, and how many it has turned away.
pub(super) struct Shedding {
    /// The part of `how` that every request needs.
    max_delay: Cell<Time>,
    how: RefCell<Option<LoadShedding>>,
    /// When the log said so last.
    logged: Cell<Option<Time>>,
    /// Requests shed since then.
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
        self.max_delay.set(how.as_ref().map_or(NEVER, |how| nanos(how.max_delay)));
        let before = self.how.replace(how);
        discard(before);
    }

    /// Returns whether the loop may be later than allowed. Always false where no load is to be shed.
    #[inline]
    pub fn is_due(&self, lp: &Loop) -> bool {
        lp.longest_delay() > self.max_delay.get()
    }

    /// Judges a request that came while the loop may be late. `fresh`: its connection was accepted in this iteration, or in the
    /// one before. It may call the program: the exemption.
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
        // The exemption may have replaced itself: then this is the last of it.
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
            let (count, delay) = (self.not_logged.replace(0), Duration::from_nanos(delay));
            notice::warn!(target: "oneloop::http", "the loop is {delay:?} late: {count} requests were answered 503");
        }
    }
}
