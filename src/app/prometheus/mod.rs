//! Counters and durations of a server and its loop, as Prometheus reads them (text format 0.0.4).

mod page;
mod requests;
mod sockets;

use crate::event_loop::{current, metrics};
use crate::http::local::is_local;
use crate::http::{ConnectionStates, Request, Response, Server};
use page::Page;
use requests::Requests;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// The counters that a Prometheus server reads: how many requests there were and how long they took, by the pattern of their
/// route, and how busy and how late the loop is. It is a cheap handle: clones are the same counters.
///
/// ```
/// use oneloop::app::Prometheus;
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new();
/// let prometheus = Prometheus::new();
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// server.on_path("/metrics", prometheus.handler());
/// prometheus.watch(&server);
/// server.listen(80, ())?;
/// sim.request("GET", "/").send();
/// let page = sim.request("GET", "/metrics").send().text();
/// assert!(page.contains("http_requests_total{method=\"GET\",route=\"unmatched\",status=\"2xx\"} 1\n"), "{page}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What it counts
/// | metric | labels | |
/// |---|---|---|
/// | `http_requests_total` | `method`, `route`, `status` | exchanges that are over |
/// | `http_request_duration_seconds` | `route`, `status` | a histogram of their durations: from the head of the request until the kernel had the last byte of the response |
/// | `http_response_content_bytes_total` | | bytes of content that were sent |
/// | `http_refused_total`, `http_shed_total` | | messages that were no acceptable requests; requests that were answered 503 because the loop was late |
/// | `http_connections` | `state` | see [`ConnectionStates`](crate::http::ConnectionStates) |
/// | `websockets` | `endpoint` | open WebSockets, by the [name](crate::ws::Endpoint::name) of their endpoint |
/// | `websocket_messages_total` | `endpoint`, `direction` | messages that were `received`, `sent` (a published one for each of its subscribers), and `skipped` for subscribers that were behind |
/// | `websocket_handshakes_total` | `endpoint`, `result` | requests that were `accepted`, or `refused` |
/// | `oneloop_active_seconds_total`, `oneloop_idle_seconds_total` | | time in callbacks, and time in which the loop waited |
/// | `oneloop_delay_seconds` | | a histogram: how long what became ready had to wait at most, for each iteration. Its bounds are met to within an eighth |
/// | `oneloop_closes_total` | `reason` | connections that were closed: see [`CloseReason`](crate::net::CloseReason) |
/// | `oneloop_connections`, `oneloop_listeners`, `oneloop_timers`, `oneloop_jobs`, `oneloop_ready` | | see [`Metrics`](crate::Metrics) |
/// | `oneloop_descriptors` | `of` | file descriptors that are open for `connections`, and for `files` that are being sent or stored, in the whole process |
/// | `oneloop_descriptors_limit` | | the most that the process may have open (`ulimit -n`). Near it idle connections are closed |
/// | `oneloop_buffered_bytes`, `oneloop_iterations_total`, `oneloop_events_total` | | the same |
///
/// The share of time in which the loop was busy (Node's `eventLoopUtilization`) is
/// `rate(oneloop_active_seconds_total[1m]) / (rate(oneloop_active_seconds_total[1m]) + rate(oneloop_idle_seconds_total[1m]))`.
///
/// # What clients cannot do to it
/// No client can make a new series. `route` is the pattern of the program's route (`/todos/:id`), and `unmatched` for everything
/// else; there are at most 1,000 of them, further ones are `other`. `endpoint` is the name of one of the first 100 endpoints of the
/// loop; those behind them, and those that have no name yet, are `other`. `method` is one of the nine of RFC 9110 and RFC 5789, or
/// `other`; `status` is a class (`2xx`), or `none` if there was no response.
#[derive(Clone, Default)]
pub struct Prometheus(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    requests: Requests,
    /// By the number of the call of `watch`.
    servers: BTreeMap<u64, Server>,
    watched: u64,
    refused: u64,
}

/// The upper bounds of the buckets for the loop's delay, in seconds.
const BOUNDS: [f64; 10] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

impl Prometheus {
    /// Counters that are all zero.
    pub fn new() -> Prometheus {
        Prometheus::default()
    }

    /// Counts the requests of this server from now on. This takes one more reading of the clock for each request. The number of
    /// connections in each state is shown until the server closes.
    #[track_caller]
    pub fn watch(&self, server: &Server) -> &Prometheus {
        let mut state = self.0.borrow_mut();
        state.watched += 1;
        let number = state.watched;
        state.servers.insert(number, server.clone());
        drop(state);
        let counters = self.clone();
        server.on_exchange_end(move |end| counters.0.borrow_mut().requests.count(end));
        let counters = self.clone();
        server.on_client_error(move |_| counters.0.borrow_mut().refused += 1);
        // The server holds a handler that holds these counters, which hold the server. If the counters did not let the server go
        // when it closes, none would be freed.
        let counters = self.clone();
        server.on_close(move || {
            // The handle is dropped after the borrow has ended, since it may be the last handle of the server and its callbacks.
            let closed = counters.0.borrow_mut().servers.remove(&number);
            drop(closed);
        });
        self
    }

    /// A handler that answers with the counters, to requests that are [made on this machine](is_local); all others get 403. For
    /// other rules see [`handler_for`](Prometheus::handler_for).
    ///
    /// To make the page, the loop visits each open connection and each series that was counted. This takes about 0.1 ms for a
    /// hundred series, and as much for a thousand connections.
    pub fn handler(&self) -> impl FnMut(Request, Response) + 'static {
        self.handler_for(is_local)
    }

    /// The same as [`handler`](Prometheus::handler), but answers the requests for which `may_look` returns true. The page shows
    /// the patterns of the program's routes and how much they are used.
    ///
    /// ```
    /// use oneloop::app::Prometheus;
    /// use std::net::Ipv4Addr;
    ///
    /// let prometheus = Prometheus::new();
    /// let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// let scraper = Ipv4Addr::new(10, 0, 0, 7);
    /// let may_look = move |req: &oneloop::http::Request| {
    ///     req.remote_addr().and_then(|address| address.ip()).is_some_and(|ip| ip == scraper)
    /// };
    /// server.on_path("/metrics", prometheus.handler_for(may_look));
    /// prometheus.watch(&server);
    /// ```
    pub fn handler_for(
        &self,
        may_look: impl Fn(&Request) -> bool + 'static,
    ) -> impl FnMut(Request, Response) + 'static {
        let counters = self.clone();
        move |req, res| {
            if may_look(&req) {
                res.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
                res.set_header("Cache-Control", "no-store");
                res.end(counters.text());
            } else {
                res.set_header("Content-Type", "text/plain; charset=utf-8");
                res.set_status(403).end("This page is not for you.\n");
            }
        }
    }

    /// Returns the page that the handler sends, for a program that sends it in another way.
    ///
    /// ```
    /// let page = oneloop::app::Prometheus::new().text();
    /// assert!(page.contains("# TYPE oneloop_delay_seconds histogram\n"));
    /// ```
    pub fn text(&self) -> String {
        let mut page = Page::default();
        let state = self.0.borrow();
        state.requests.write(&mut page);
        state.write(&mut page);
        sockets::write(&mut page);
        write_loop(&mut page);
        page.into_text()
    }
}

impl State {
    fn write(&self, page: &mut Page) {
        let help = "Messages that were no acceptable requests.";
        page.single("http_refused_total", "counter", help, self.refused);
        let all: Vec<_> = self.servers.values().map(Server::connection_states).collect();
        let name = "http_connections";
        page.metric(name, "gauge", "Open connections, by what they are about.");
        let states: [(&str, fn(&ConnectionStates) -> usize); 6] = [
            ("idle", |states| states.idle),
            ("receiving", |states| states.receiving),
            ("answering", |states| states.answering),
            ("sending", |states| states.sending),
            ("closing", |states| states.closing),
            ("upgraded", |states| states.upgraded),
        ];
        for (state, number) in states {
            page.sample(name, &[("state", state)], all.iter().map(number).sum::<usize>());
        }
    }
}

fn write_loop(page: &mut Page) {
    let now = metrics();
    let help = "Requests that were turned away because the loop was late.";
    page.single("http_shed_total", "counter", help, now.shed);
    let (active, idle) = (now.active.as_secs_f64(), now.idle.as_secs_f64());
    page.single("oneloop_active_seconds_total", "counter", "Time that the loop did not wait.", active);
    page.single("oneloop_idle_seconds_total", "counter", "Time that the loop waited for events.", idle);
    let name = "oneloop_delay_seconds";
    page.metric(name, "histogram", "For each iteration, the longest time that something ready may have waited.");
    let buckets = BOUNDS.iter().map(|bound| (*bound, now.loop_delay.count_up_to(Duration::from_secs_f64(*bound))));
    page.histogram(name, &[], buckets, active, now.loop_delay.count());
    let name = "oneloop_closes_total";
    page.metric(name, "counter", "Connections that were closed.");
    for (reason, count) in &now.closes {
        page.sample(name, &[("reason", reason)], count);
    }
    page.single("oneloop_connections", "gauge", "Open connections of all kinds.", now.connections);
    page.single("oneloop_listeners", "gauge", "Listening sockets.", now.listeners);
    page.single("oneloop_timers", "gauge", "Armed timers.", now.timers);
    page.single("oneloop_jobs", "gauge", "Jobs of workers whose result has not been delivered.", now.jobs);
    page.single("oneloop_ready", "gauge", "Sources that want a turn without an event.", now.ready);
    page.single("oneloop_buffered_bytes", "gauge", "Bytes that are held for connections.", now.buffered);
    if let Some(lp) = current() {
        let (open, name) = (lp.driver().descriptors(), "oneloop_descriptors");
        page.metric(name, "gauge", "File descriptors that are open because of peers, in the whole process.");
        page.sample(name, &[("of", "connections")], open.connections());
        page.sample(name, &[("of", "files")], open.files());
        let help = "The most file descriptors that the process may have open, those of the program included.";
        page.single("oneloop_descriptors_limit", "gauge", help, open.limit());
    }
    page.single("oneloop_iterations_total", "counter", "Iterations of the loop.", now.iterations);
    page.single("oneloop_events_total", "counter", "Events that the system has reported.", now.events);
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").finish_non_exhaustive()
    }
}
