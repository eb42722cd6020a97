use super::reply::{Reading, Reply};
use super::{Peer, Sim};
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// An answer that may still be coming, to a request that [`ClientRequest::open`](super::ClientRequest::open) has sent. Its head has come; the
/// methods of [`Reply`] tell of it, with as much of the body as has come. Dropping it resets the connection, as a client
/// does that goes away.
pub struct OpenReply<'a> {
    sim: &'a Sim,
    /// Method and target, for messages.
    request: String,
    peer: Peer,
    /// True if the connection is closed with the answer.
    is_own: bool,
    at_most: Duration,
    /// How many lines had been logged when the request was sent.
    logged: usize,
    reading: Reading,
    /// How many of the peer's bytes were taken.
    taken: usize,
    /// How many bytes of the body the test has read.
    read: usize,
}

impl<'a> OpenReply<'a> {
    /// For a request that is written next.
    pub(super) fn new(sim: &'a Sim, method: &str, target: &str, peer: Peer, is_own: bool, at_most: Duration) -> Self {
        OpenReply {
            sim,
            request: format!("{method} {target}"),
            is_own,
            at_most,
            logged: sim.said.count(),
            reading: Reading::new(method),
            taken: peer.received_len(),
            read: 0,
            peer,
        }
    }

    /// Returns the answer if its status is this one.
    ///
    /// # Panics
    /// If it has another status. The message has what has come of the answer, and what was logged meanwhile.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        self.reading.so_far().check_status(status);
        self
    }

    /// Returns what has come of the body since the last call of this method, as text. The loop settles before, and the clock stands still:
    /// see [`Sim::settle`]. The text is empty if nothing has come.
    ///
    /// # Panics
    /// If the bytes that have come are not those of an HTTP response.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| {
    ///     res.write("one, ").ignore();
    ///     oneloop::set_timeout(Duration::from_secs(60), move || res.end("two"));
    /// });
    /// server.listen(80, ()).unwrap();
    /// let mut reply = sim.request("GET", "/").open();
    /// assert_eq!(reply.read(), "one, ");
    /// assert_eq!(reply.read(), "");
    /// sim.advance(Duration::from_secs(60));
    /// assert_eq!(reply.read(), "two");
    /// assert!(reply.is_whole());
    /// ```
    #[track_caller]
    pub fn read(&mut self) -> String {
        self.sim.settle();
        if let Err(fault) = self.take() {
            panic!("{}", self.complaint("more", &fault));
        }
        let length = self.body().len();
        self.read_to(length)
    }

    /// Runs the loop until the part of the body that was not read yet has this text in it, and returns that part up to the end of the
    /// text. For server-sent events, `read_until("\n\n")` is the next event.
    ///
    /// # Panics
    /// If the text does not come: within [`at_most`](super::ClientRequest::at_most) of virtual time, or before the answer ends.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| {
    ///     oneloop::set_interval(Duration::from_secs(1), move || res.write("tick\n").ignore());
    /// });
    /// server.listen(80, ()).unwrap();
    /// let mut ticks = sim.request("GET", "/").open();
    /// assert_eq!(ticks.read_until("\n"), "tick\n");
    /// assert_eq!(ticks.read_until("\n"), "tick\n");
    /// assert_eq!(sim.now(), Duration::from_secs(2));
    /// ```
    #[track_caller]
    pub fn read_until(&mut self, text: &str) -> String {
        let from = self.read;
        let end = |reply: &Reply| {
            let unread = reply.body().get(from..)?;
            let at = unread.windows(text.len().max(1)).position(|window| window == text.as_bytes())?;
            Some(from + at + text.len())
        };
        if let Err(why) = self.run_until(&format!("{text:?}"), |reading| end(reading.so_far()).is_some()) {
            panic!("{why}");
        }
        let end = end(self).unwrap_or(from);
        self.read_to(end)
    }

    fn read_to(&mut self, end: usize) -> String {
        let part = self.body().get(self.read..end).unwrap_or_default();
        let part = String::from_utf8_lossy(part).into_owned();
        self.read = end;
        part
    }

    /// Returns whether all of the answer has come.
    pub fn is_whole(&self) -> bool {
        self.reading.is_whole()
    }

    /// Runs the loop until all of the answer has come, and returns it.
    ///
    /// # Panics
    /// As [`ClientRequest::send`](super::ClientRequest::send).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello"));
    /// server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").open();
    /// assert_eq!(reply.header("content-length"), Some("5"));
    /// assert_eq!(reply.whole().text(), "hello");
    /// ```
    #[track_caller]
    pub fn whole(self) -> Reply {
        match self.try_whole() {
            Ok(reply) => reply,
            Err(why) => panic!("{why}"),
        }
    }

    /// Does the same without a panic: an error is the message for a test that fails.
    pub(crate) fn try_whole(mut self) -> Result<Reply, String> {
        self.run_until("whole answer", Reading::is_whole)?;
        if self.is_own {
            self.peer.close();
            self.sim.settle();
        }
        self.reading.set_log(self.sim.said.lines_since(self.logged));
        Ok(std::mem::replace(&mut self.reading, Reading::new("")).reply())
    }

    /// The client that receives the answer: it can stop reading, or reset the connection.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| {
    ///     res.write("hello, ").ignore();
    ///     oneloop::set_timeout(Duration::from_secs(60), move || res.end("world"));
    /// });
    /// server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").open();
    /// reply.peer().reset();
    /// sim.settle();
    /// assert_eq!(server.connections(), 0);
    /// ```
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Runs the loop until the head has come.
    pub(super) fn run_to_head(&mut self) -> Result<(), String> {
        self.run_until("answer", Reading::has_head)?;
        self.reading.set_log(self.sim.said.lines_since(self.logged));
        Ok(())
    }

    /// Runs the loop until enough has come. `wanted` says what that is, for the message of a test that fails.
    fn run_until(&mut self, wanted: &str, enough: impl Fn(&Reading) -> bool) -> Result<(), String> {
        let (sim, peer) = (self.sim, self.peer.clone());
        let _watched = peer.watch();
        let end = sim.now().saturating_add(self.at_most);
        let mut fault = None;
        loop {
            // `has_ended` is asked before the bytes are taken: if the connection has ended by then, all its bytes have
            // come.
            let is_over = || {
                let closed = peer.has_ended();
                fault = self.take().err();
                if closed && !peer.was_reset() {
                    self.reading.end();
                }
                enough(&self.reading) || closed || self.is_whole() || fault.is_some()
            };
            if sim.run_until(is_over, end.saturating_sub(sim.now())) || sim.now() >= end {
                break;
            }
        }
        if fault.is_none() && enough(&self.reading) {
            return Ok(());
        }
        let end = match fault {
            Some(fault) => fault,
            None if self.is_whole() => "the answer has ended".to_owned(),
            None if peer.was_refused() => "the connection was refused".to_owned(),
            None if peer.was_reset() => "the connection was reset".to_owned(),
            None if peer.has_ended() => "the connection was closed".to_owned(),
            None => format!("{:?} have passed", self.at_most),
        };
        Err(self.complaint(wanted, &end))
    }

    /// Takes what has come. An error says what is wrong with it.
    fn take(&mut self) -> Result<(), String> {
        let bytes = self.peer.received_from(self.taken);
        self.taken += bytes.len();
        self.reading.take(&bytes)
    }

    fn complaint(&self, wanted: &str, end: &str) -> String {
        let lines: String = self.sim.said.lines_since(self.logged).iter().map(|line| format!("\n  {line}")).collect();
        let (request, so_far) = (&self.request, self.reading.progress());
        format!("oneloop: no {wanted} to {request}: {end}; {so_far}; logged meanwhile:{lines}")
    }
}

impl Deref for OpenReply<'_> {
    type Target = Reply;

    fn deref(&self) -> &Reply {
        self.reading.so_far()
    }
}

impl fmt::Debug for OpenReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reading.so_far().fmt(f)
    }
}

impl Drop for OpenReply<'_> {
    fn drop(&mut self) {
        if self.is_own {
            self.peer.reset();
        }
    }
}
