use super::{COMMENT, Event, HEARTBEAT, open};
use crate::event_loop::{Timeout, set_interval};
use crate::http::Response;
use crate::net::{CloseReason, Flow};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

impl Response {
    /// Makes the response a stream of events, as a browser's `EventSource` reads it, and sends its head. Fields and cookies
    /// have to be set before. For events that go to many readers, see [`Channel`](crate::app::Channel).
    ///
    /// Every 15 s a comment is sent, so that no proxy takes the connection for dead. A reader that does not read is closed when
    /// 64 KiB are pending for it. When the server begins to close ([`Server::close`](crate::http::Server::close)), the stream
    /// ends at once, so that it does not hold up the shutdown. The browser connects again, perhaps to the next run of the server.
    /// A HEAD request is answered with the head alone.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Event;
    ///
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     let events = res.sse();
    ///     let mut left = 3;
    ///     oneloop::set_interval_with(std::time::Duration::from_secs(1), move |timer| {
    ///         events.send(&Event::data(format!("{left}")));
    ///         left -= 1;
    ///         if left == 0 || events.is_closed() {
    ///             timer.clear(); // drops `events`, which ends the stream
    ///         }
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").send();
    /// assert_eq!(reply.text(), "data: 3\n\ndata: 2\n\ndata: 1\n\n");
    /// ```
    pub fn sse(self) -> Events {
        Events::begin(self)
    }
}

/// A stream of events to one reader: see [`Response::sse`]. Clones are the same stream, and when the last one is dropped, the
/// stream ends.
#[derive(Clone)]
pub struct Events(Rc<Stream>);

struct Stream {
    res: Response,
    heartbeat: Cell<Option<Timeout>>,
}

impl Events {
    fn begin(res: Response) -> Events {
        let goes_on = open(&res);
        let stream = Rc::new(Stream { res, heartbeat: Cell::new(None) });
        if goes_on {
            let weak = Rc::downgrade(&stream);
            let timer = set_interval(HEARTBEAT, move || {
                if let Some(stream) = weak.upgrade() {
                    stream.beat();
                }
            });
            timer.unref();
            stream.heartbeat.set(Some(timer));
        }
        Events(stream)
    }

    /// Sends an event. Returns whether the stream is still open: false if the reader has gone, if it does not read, or if the
    /// stream has ended.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Event;
    ///
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     assert!(res.sse().send(&Event::data("the only one")));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().text(), "data: the only one\n\n");
    /// ```
    pub fn send(&self, event: &Event) -> bool {
        let res = &self.0.res;
        !res.is_ended() && res.write(event.to_string()) != Flow::Closed
    }

    /// Ends the stream. A browser connects again after a while, unless its page has closed the `EventSource`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.sse().end());
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().text(), "");
    /// ```
    pub fn end(&self) {
        self.0.end();
    }

    /// Returns whether the stream has ended, from either side.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     let events = res.sse();
    ///     assert!(!events.is_closed());
    ///     events.end();
    ///     assert!(events.is_closed());
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # sim.request("GET", "/").send();
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.res.is_ended() || self.0.res.is_closed()
    }

    /// Calls `f` once, when the stream is over, with the reason: as [`Response::on_close`].
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.sse().on_close(|reason| println!("the reader has gone: {reason:?}"));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # sim.request("GET", "/").send();
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnOnce(CloseReason) + 'static) -> &Self {
        self.0.res.on_close(move |_, reason| f(reason));
        self
    }
}

impl Stream {
    fn beat(&self) {
        if self.res.is_ended() || self.res.write(COMMENT) == Flow::Closed {
            self.stop();
        }
    }

    fn stop(&self) {
        if let Some(timer) = self.heartbeat.take() {
            timer.clear();
        }
    }

    fn end(&self) {
        self.stop();
        if !self.res.is_ended() {
            self.res.end(());
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("is_closed", &self.is_closed()).finish()
    }
}
