//! Pipes: bytes of a source go to a sink, no faster than the sink takes them.
//!
//! ```text
//!   source ── data ──────────────► sink.write ─ Full ─► the source is paused until the sink's drain
//!          ── end ───────────────► sink.end                                           Ok(bytes)
//!          ── closed before ─────► the sink fails: a response is cut, a socket reset  Err(Source)
//!   the source is let go of  ◄──────────────────── the sink has closed, or was ended  Err(Sink)
//! ```
//! While bytes flow, the listeners of both ends hold the pipe, and the pipe holds both ends. When the pipe has ended, it
//! drops its handles of the ends and removes its listeners, so it takes no more memory, even if the ends live on.

use super::socket::{Listener, On};
use super::{Chunk, CloseReason, Flow, Linger, Socket, Stream};
use crate::callback::Site;
use crate::event_loop::{Time, next_tick, set_timeout};
use sealed::{Given, Inlet, Listening, Outlet, Taken};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Limits for the peer of a source socket that the pipe has given up. The peer may go on sending within these limits, so
/// that it can first read the bytes that were written to it; a reset would discard them.
const LINGER: Linger = Linger { between_reads: Time::from_secs(1), total: Time::from_secs(5), bytes: 1024 * 1024 };
/// How long the peer of such a socket may read nothing at all before the socket is closed.
const STALL: Duration = Duration::from_secs(30);

/// Something from which a pipe takes bytes: a [`Socket`], or the body of an [`http::Request`](crate::http::Request).
pub trait Source: Outlet {}

/// Something to which a pipe gives bytes: a [`Socket`], or the body of an [`http::Response`](crate::http::Response).
pub trait Sink: Inlet {}

/// A sink that is not ended when the source of its pipe ends: Node's `pipe(to, { end: false })`.
///
/// Use it for a sink to which you write more after the pipe, and for a connection to an HTTP server: most servers believe that
/// a client which has ended its side is gone. Apart from this it behaves as the sink that it holds: if the source fails, that
/// sink is cut.
///
/// ```
/// use oneloop::{http, net::{self, KeepOpen}, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|req, res| {
///     net::pipeline(&req, &KeepOpen(res.clone()), move |outcome| match outcome {
///         Ok(bytes) => res.end(format!("\nThat were {bytes} bytes.")),
///         Err(error) => log::warn!("{error}"),
///     });
/// });
/// server.listen(80, ()).unwrap();
/// assert_eq!(sim.request("POST", "/").body("seeds").send().text(), "seeds\nThat were 5 bytes.");
/// ```
#[derive(Clone, Debug)]
pub struct KeepOpen<T>(pub T);

impl<T: Sink> Sink for KeepOpen<T> {}

impl<T: Sink> Inlet for KeepOpen<T> {
    fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening {
        self.0.watch(site, to)
    }

    fn remove(&self, listening: Listening) {
        self.0.remove(listening);
    }

    fn give(&self, bytes: Chunk<'_>) -> Flow {
        self.0.give(bytes)
    }

    fn end(&self) {}

    fn fail(&self, reason: CloseReason) {
        self.0.fail(reason);
    }

    fn over(&self) -> Option<CloseReason> {
        self.0.over()
    }
}

/// The reason why a pipe ended early: which of its two sides ended or closed first, and for what reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeError {
    /// The source gave no complete input: it was cut or closed, or it had already ended when it was piped. The sink was
    /// cut.
    Source(CloseReason),
    /// The sink stopped before the source's end: it was closed or cut, or the program ended it ([`CloseReason::Finished`]).
    /// The pipe gave up the source.
    Sink(CloseReason),
}

impl fmt::Display for PipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PipeError::Source(reason) => write!(f, "the source of the pipe was over before its end: {reason}"),
            PipeError::Sink(reason) => write!(f, "the sink of the pipe was over before the source's end: {reason}"),
        }
    }
}

impl std::error::Error for PipeError {}

/// Gives all bytes of a source to a sink, as the source's method `pipe` does, and passes the outcome to `done`: Node's
/// `stream.pipeline`.
///
/// * The source is paused while the sink is full ([`Flow::Full`]). If the program itself resumes the source, more bytes go
///   to the full sink.
/// * When the source ends, the sink is ended (unless it is a [`KeepOpen`]), and `done` gets the number of bytes. The sink has
///   taken them; its peer need not have received them.
/// * When the source is cut or closed before its end, the sink fails, so that the sink's peer sees that the bytes are not
///   complete: a response is cut (answered 502 if its head has not been sent), a socket is reset.
/// * When the sink is closed or ended first, the pipe gives up the source. The rest of a request's body is then treated as
///   if it had not been piped: nobody reads it. A socket without other `on_data` listeners is closed as soon as its peer
///   has got the bytes that were written to it.
///
/// Other listeners of both ends stay. Several sources may be piped to one sink, but the first one that ends also ends the
/// sink. If one source is piped to several sinks, the fastest sink sets the pace, and the output pending for the others
/// grows. To write to several sinks, use `on_data` instead.
///
/// `done` is called once, by the loop, as a tick (see [`next_tick`](crate::next_tick)).
///
/// ```
/// use oneloop::{http, net};
///
/// // Sends each body to a service on port 9000, and what that says to the client.
/// let server = http::create_server(|req, res| {
///     let service = net::connect(("127.0.0.1", 9000), |_| ());
///     req.pipe(&service);
///     net::pipeline(&service, &res, |outcome| match outcome {
///         Ok(bytes) => log::info!("{bytes} bytes"),
///         Err(error) => log::warn!("{error}"), // 502, or cut
///     });
/// });
/// ```
#[track_caller]
pub fn pipeline<F: Source, T: Sink>(from: &F, to: &T, done: impl FnOnce(Result<u64, PipeError>) + 'static) {
    connect(from, to, Some(Box::new(done)), Location::caller());
}

impl Socket {
    /// Gives the bytes that the peer sends to a sink (another socket or a response), no faster than the sink takes them,
    /// and ends the sink when the peer ends its side. If the socket or the sink fails, the other is closed too: see
    /// [`pipeline`], which also reports the outcome.
    ///
    /// ```
    /// use oneloop::net;
    ///
    /// // A tunnel. Each side may go on after the other has ended.
    /// let server = net::create_server(|client| {
    ///     let service = net::connect(("127.0.0.1", 5432), |_| ());
    ///     for (from, to) in [(&client, &service), (&service, &client)] {
    ///         from.set_allow_half_open(true).pipe(to);
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn pipe(&self, to: &impl Sink) {
        connect(self, to, None, Location::caller());
    }
}

type Done = Box<dyn FnOnce(Result<u64, PipeError>)>;

struct Pipe<F: Outlet, T: Inlet> {
    /// `None` once the pipe has ended.
    ends: RefCell<Option<Ends<F, T>>>,
    bytes: Cell<u64>,
    /// True if this pipe, and not the program, has paused the source.
    holds_back: Cell<bool>,
    done: Cell<Option<Done>>,
}

struct Ends<F, T> {
    from: F,
    to: T,
    from_listeners: Listening,
    to_listeners: Listening,
}

/// Connects a source and a sink. It calls no callback of the user.
pub(crate) fn connect<F: Outlet, T: Inlet>(from: &F, to: &T, done: Option<Done>, site: Site) {
    let pipe = Rc::new(Pipe {
        ends: RefCell::new(Some(Ends {
            from: from.clone(),
            to: to.clone(),
            from_listeners: Listening::default(),
            to_listeners: Listening::default(),
        })),
        bytes: Cell::new(0),
        holds_back: Cell::new(false),
        done: Cell::new(done),
    });
    if let Some(reason) = to.over() {
        return pipe.sink_gone(reason);
    }
    let of_sink = pipe.clone();
    let to_listeners = to.watch(site, Rc::new(move |taken| of_sink.taken(taken)));
    let of_source = pipe.clone();
    let from_listeners = from.listen(site, Rc::new(move |given: Given<'_>| of_source.given(given)));
    if let Some(ends) = &mut *pipe.ends.borrow_mut() {
        (ends.from_listeners, ends.to_listeners) = (from_listeners, to_listeners);
    }
}

impl<F: Outlet, T: Inlet> Pipe<F, T> {
    fn given(self: &Rc<Self>, given: Given<'_>) {
        match given {
            Given::Data(bytes) => self.data(bytes),
            Given::End => {
                if let Some(ends) = self.let_go() {
                    ends.to.end();
                    self.tell(Ok(self.bytes.get()));
                }
            }
            Given::Closed(reason) => self.source_failed(reason),
            // This arm may run inside a call that the program made. After that call, the program may still send an error
            // status of its own. So the pipe fails only in the next tick.
            Given::Nothing => {
                if self.ends.borrow().is_some() {
                    let pipe = self.clone();
                    next_tick(move || {
                        let reason = pipe.ends.borrow().as_ref().map(|ends| ends.from.reason());
                        if let Some(reason) = reason {
                            pipe.source_failed(reason);
                        }
                    });
                }
            }
        }
    }

    fn taken(&self, taken: Taken) {
        match taken {
            Taken::All => {
                if let Some(ends) = &*self.ends.borrow()
                    && self.holds_back.replace(false)
                {
                    ends.from.go_on();
                }
            }
            Taken::Closed(reason) => self.sink_gone(reason),
        }
    }

    fn data(&self, bytes: &[u8]) {
        let ends = self.ends.borrow();
        let Some(Ends { from, to, .. }) = &*ends else { return };
        let flow = to.give(bytes.into());
        if flow == Flow::Closed
            && let Some(reason) = to.over()
        {
            drop(ends);
            return self.sink_gone(reason);
        }
        if flow != Flow::Closed {
            self.bytes.set(self.bytes.get() + bytes.len() as u64);
        }
        // After `Closed` the source is paused too: the sink's listener will report the close and its reason.
        if flow != Flow::Ready {
            self.holds_back.set(true);
            from.hold();
        }
    }

    fn source_failed(&self, reason: CloseReason) {
        if let Some(ends) = self.let_go() {
            ends.to.fail(reason);
            self.tell(Err(PipeError::Source(reason)));
        }
    }

    fn sink_gone(&self, reason: CloseReason) {
        if let Some(ends) = self.let_go() {
            if self.holds_back.replace(false) {
                ends.from.go_on();
            }
            ends.from.forsake();
            self.tell(Err(PipeError::Sink(reason)));
        }
    }

    /// Ends the pipe: removes its listeners from both ends and returns the ends. `None` if the pipe had ended already.
    fn let_go(&self) -> Option<Ends<F, T>> {
        let ends = self.ends.borrow_mut().take()?;
        ends.from.remove(ends.from_listeners);
        ends.to.remove(ends.to_listeners);
        Some(ends)
    }

    fn tell(&self, result: Result<u64, PipeError>) {
        if let Some(done) = self.done.take() {
            next_tick(move || done(result));
        }
    }
}

/// The operations that a pipe needs of its ends. The module is public only because [`Source`] and [`Sink`] are public:
/// users of the library can neither name nor implement its traits.
pub mod sealed {
    use super::*;

    /// An event of a source.
    pub enum Given<'a> {
        Data(&'a [u8]),
        /// The source has ended; all its bytes were given to the pipe.
        End,
        /// The source has closed before its end.
        Closed(CloseReason),
        /// No further event comes: the source had ended before it was piped, or the pipe's listener was dropped without a
        /// call.
        Nothing,
    }

    /// An event of a sink.
    pub enum Taken {
        /// The sink was full, and has now taken all that was pending.
        All,
        Closed(CloseReason),
    }

    /// The ids of the listeners that a pipe has added to one end.
    pub type Listening = [Option<u32>; 3];

    /// The source end of a pipe. None of its methods calls user code.
    pub trait Outlet: Clone + 'static {
        /// Adds `to` as a listener: the loop calls it with each event. Only [`Given::Nothing`] may be given to it within
        /// this call.
        fn listen(&self, site: Site, to: Rc<dyn Fn(Given<'_>)>) -> Listening;
        fn remove(&self, listening: Listening);
        fn hold(&self);
        fn go_on(&self);
        /// Tells the source that the pipe takes no more bytes from it.
        fn forsake(&self);
        /// The reason why no more bytes come.
        fn reason(&self) -> CloseReason;
    }

    /// The sink end of a pipe. None of its methods calls user code.
    pub trait Inlet: Clone + 'static {
        /// Has the loop call `to` with each event.
        fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening;
        fn remove(&self, listening: Listening);
        fn give(&self, bytes: Chunk<'_>) -> Flow;
        fn end(&self);
        /// Cuts the sink: the source has failed for this reason, so the bytes given so far are not complete.
        fn fail(&self, reason: CloseReason);
        /// The reason why the sink takes nothing more, if it has closed or was ended.
        fn over(&self) -> Option<CloseReason>;
    }

    /// The listener for the end of a source holds this. When that listener is dropped, the pipe gets [`Given::Nothing`],
    /// which has an effect only if the end was not reported before.
    pub struct Lead(pub Rc<dyn Fn(Given<'_>)>);

    impl Drop for Lead {
        fn drop(&mut self) {
            (self.0)(Given::Nothing);
        }
    }
}

impl Source for Socket {}
impl Sink for Socket {}

impl Outlet for Socket {
    fn listen(&self, site: Site, to: Rc<dyn Fn(Given<'_>)>) -> Listening {
        let (data, lead, closed) = (to.clone(), sealed::Lead(to.clone()), to);
        if self.has_told_end() {
            return Listening::default();
        }
        let data = self.listen(On::Data, site, Listener::Data(Box::new(move |_, bytes| data(Given::Data(bytes)))));
        let end = self.listen(On::End, site, Listener::Once(Some(Box::new(move |_| (lead.0)(Given::End)))));
        let close: Box<dyn FnOnce(&Socket, CloseReason)> = Box::new(move |_, reason| closed(Given::Closed(reason)));
        let close = self.listen(On::Close, site, Listener::Close(Some(close)));
        self.flow();
        [data, end, close]
    }

    fn remove(&self, listening: Listening) {
        self.remove_listeners(listening);
    }

    fn hold(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.resume();
    }

    fn forsake(&self) {
        let Some(stream) = self.stream().filter(|_| !self.is_listened_to()) else { return };
        if !stream.is_ended() && stream.pending() == 0 {
            return stream.destroy(CloseReason::Destroyed);
        }
        stream.finish(CloseReason::Destroyed, Some(LINGER));
        see_off(stream);
    }

    fn reason(&self) -> CloseReason {
        CloseReason::Finished
    }
}

/// Checks the stream after each `STALL`: closes it if output is pending and none was sent since the last check.
fn see_off(stream: &Rc<Stream>) {
    let (weak, written) = (Rc::downgrade(stream), stream.bytes_written());
    let check = move || {
        if let Some(stream) = weak.upgrade().filter(|stream| !stream.is_closed()) {
            if stream.pending() > 0 && stream.bytes_written() == written {
                stream.destroy(CloseReason::WriteStall);
            } else {
                see_off(&stream);
            }
        }
    };
    set_timeout(STALL, check).unref();
}

impl Inlet for Socket {
    fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening {
        let drained = to.clone();
        let drain = self.listen(On::Drain, site, Listener::Plain(Box::new(move |_| drained(Taken::All))));
        let close: Box<dyn FnOnce(&Socket, CloseReason)> = Box::new(move |_, reason| to(Taken::Closed(reason)));
        [drain, self.listen(On::Close, site, Listener::Close(Some(close))), None]
    }

    fn remove(&self, listening: Listening) {
        self.remove_listeners(listening);
    }

    fn give(&self, bytes: Chunk<'_>) -> Flow {
        self.write(bytes)
    }

    fn end(&self) {
        self.end(());
    }

    fn fail(&self, reason: CloseReason) {
        log::debug!(target: "oneloop::net", "a socket is reset: what is piped into it was over before its end: {reason}");
        self.reset();
    }

    fn over(&self) -> Option<CloseReason> {
        let ended = self.stream().is_none_or(|stream| stream.is_ended());
        match self.has_told_close() {
            _ if ended => Some(CloseReason::Finished),
            true => Some(CloseReason::Destroyed),
            false => None,
        }
    }
}
