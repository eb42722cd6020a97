use super::dispatch::{ServerEvent, ServerListener};
use super::observing::{ExchangeEnd, ServerMetrics};
use super::server::Server;
use std::panic::Location;

impl Server {
    /// Calls `f` for each exchange when it is over, whether it succeeded or not: once, after the exchange's own listeners
    /// (`on_finish`, `on_close`), in the turn in which the kernel took the last byte, or in the closing phase if the connection
    /// was cut. It is not called for messages that were refused: see [`on_client_error`](Server::on_client_error). It allocates
    /// nothing per request, and without listeners it costs nothing. A log of all accesses takes five lines:
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("hi"));
    /// server.on_exchange_end(|end| {
    ///     let agent = end.request.header("user-agent").unwrap_or("-");
    ///     log::info!("{end} {agent:?}"); // 127.0.0.1:40312 GET / 200 2 112.4µs "curl/8.5.0"
    /// });
    /// ```
    #[track_caller]
    pub fn on_exchange_end(&self, f: impl FnMut(&ExchangeEnd<'_>) + 'static) -> &Self {
        self.0.observing.tell();
        self.add(ServerEvent::ExchangeEnd, Location::caller(), ServerListener::ExchangeEnd(Box::new(f)))
    }

    /// Sets whether responses are counted by class and their durations are measured (false by default), for
    /// [`metrics`](Server::metrics). It costs a reading of the clock for each request.
    pub fn set_metrics(&self, on: bool) -> &Self {
        self.0.observing.set_counting(on, self.0.dispatch.has(ServerEvent::ExchangeEnd));
        self
    }

    /// Returns what the server has counted so far. It looks at every open connection, so do not call it for each request.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hi"));
    /// server.set_metrics(true).listen(80, ()).unwrap();
    /// sim.request("GET", "/").send().expect(200);
    /// let metrics = server.metrics();
    /// assert_eq!((metrics.requests, metrics.responses), (1, [1, 0, 0, 0]));
    /// assert_eq!(metrics.latency.count(), 1);
    /// ```
    pub fn metrics(&self) -> ServerMetrics {
        let (mut read, mut written) = (0, 0);
        for (stream, _) in self.each_connection() {
            read += stream.bytes_read();
            written += stream.bytes_written();
        }
        self.0.observing.metrics(self.requests(), (read, written))
    }
}
