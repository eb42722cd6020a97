//! Pipes: what a source gives goes to a sink, no faster than that takes it.
//!
//! ```text
//!   source ── data ──────────────► sink.write ─ Full ─► the source is paused until the sink's drain
//!          ── end ───────────────► sink.end                                           Ok(bytes)
//!          ── closed before ─────► the sink fails: a response is cut, a socket reset  Err(Source)
//!   the source is let go of  ◄──────────────────── the sink has closed, or was ended  Err(Sink)
//! ```
//! While it flows, the listeners of both ends hold the pipe, and the pipe holds both ends. When it is over it lets go of
//! them, and its listeners are removed: nothing is left of it, however long the ends live on.

use super::socket::{Listener, On};
use super::{Chunk, CloseReason, Flow, Linger, Socket, Stream};
use crate::callback::Site;
use crate::event_loop::{next_tick, set_timeout};
use sealed::{Given, Inlet, Listening, Outlet, Taken};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// How long the peer of a socket that is let go of may go on sending: it is to read what was written to it before, which
/// a reset would take from it.
const LINGER: Linger = Linger { between_reads: 1_000_000_000, total: 5_000_000_000, bytes: 1024 * 1024 };
/// How long it may take none of that.
const STALL: Duration = Duration::from_secs(30);

/// Where a pipe takes bytes from: a [`Socket`], or the body of an [`http::Request`](crate::http::Request).
pub trait Source: Outlet {}

/// Where a pipe takes bytes to: a [`Socket`], or the body of an [`http::Response`](crate::http::Response).
pub trait Sink: Inlet {}

/// Why a pipe did not take all to the end: which side was over, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipeError {
    /// The source was over before its end: cut, closed, or had ended before it was piped. The sink was cut.
    Source(CloseReason),
    /// The sink was over before the source's end: closed, cut, or ended by the program ([`CloseReason::Finished`]). The
    /// source was let go of.
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

/// Gives all that comes from a source to a sink, as their `pipe` does, and tells `done` how that ended: Node's
/// `stream.pipeline`.
///
/// * The source is paused while the sink is full ([`Flow::Full`]). If the program resumes it itself, more comes in.
/// * When the source ends, the sink is ended; `done` gets the number of bytes. The sink has them, which does not say that
///   its peer has.
/// * When the source is over before its end, the sink fails, so that its peer sees that this was not all: a response is
///   cut (502 where its head has not gone), a socket is reset.
/// * When the sink is over first, the source is let go of. Of a request, the rest of the body is then for nobody, as if it
///   had not been piped. A socket that nobody else listens to is closed, once what was written to it is with its peer.
///
/// Other listeners of both ends stay. Several sources may go to one sink, but the first that ends, ends it. From one source
/// to several sinks, the fastest of them sets the pace, and what the others have not taken grows: use `on_data` for that.
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
    /// Gives what comes in to a sink, another socket or a response, no faster than that takes it, and ends it when the peer
    /// ends. A failure of one side ends the other: see [`pipeline`], which tells the outcome as well.
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
    /// `None` once it is over.
    ends: RefCell<Option<Ends<F, T>>>,
    bytes: Cell<u64>,
    /// The source is paused, by this and not by the program.
    holds_back: Cell<bool>,
    done: Cell<Option<Done>>,
}

struct Ends<F, T> {
    from: F,
    to: T,
    from_listeners: Listening,
    to_listeners: Listening,
}

/// Lays a pipe. No callback of the user's is called within it.
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
            // Perhaps within a call of the user's, or of one that answers with a status of its own after it.
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
        // Of one that has failed, the reason is told in a moment.
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

    /// It is over: takes its listeners from both ends.
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

/// What the ends of a pipe are for it. Public only because [`Source`] and [`Sink`] are: who uses the library can neither
/// name nor implement it.
pub mod sealed {
    use super::*;

    /// What a source gives.
    pub enum Given<'a> {
        Data(&'a [u8]),
        /// All was given.
        End,
        /// It is over.
        Closed(CloseReason),
        /// Nothing comes any more: it was over before, or the program has removed what listened.
        Nothing,
    }

    /// What a sink has taken.
    pub enum Taken {
        /// All that was pending, after it was full.
        All,
        Closed(CloseReason),
    }

    /// The numbers of the listeners that a pipe has added to one end.
    pub type Listening = [Option<u32>; 3];

    /// None of its methods calls user code.
    pub trait Outlet: Clone + 'static {
        /// Has `to` called, by the loop, with what comes; with [`Given::Nothing`] perhaps at once.
        fn listen(&self, site: Site, to: Rc<dyn Fn(Given<'_>)>) -> Listening;
        fn remove(&self, listening: Listening);
        fn hold(&self);
        fn go_on(&self);
        /// The pipe wants no more of it.
        fn forsake(&self);
        /// Why nothing comes any more.
        fn reason(&self) -> CloseReason;
    }

    /// None of its methods calls user code.
    pub trait Inlet: Clone + 'static {
        /// Has `to` called, by the loop, with what happens.
        fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening;
        fn remove(&self, listening: Listening);
        fn give(&self, bytes: Chunk<'_>) -> Flow;
        fn end(&self);
        /// What it was given is not all, and no more comes: the source is over, for this reason.
        fn fail(&self, reason: CloseReason);
        /// Why it takes nothing more, where that is known: it has closed, or was ended.
        fn over(&self) -> Option<CloseReason>;
    }

    /// Stands in the listener of a source's end: where that is dropped uncalled, nothing comes any more.
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

/// Closes it unless its peer goes on to take what is pending.
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
