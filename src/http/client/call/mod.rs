//! One request with its response. The user's handles hold it, and it holds, as long as it is not over, what carries it.

mod ending;
mod handle;
mod sending;
mod telling;

use super::error::{RequestError, RequestErrorKind};
use super::place::Place;
use super::spares::{Spare, Spares};
use crate::callback::{Identity, Listeners, Once, Site, discard};
use crate::event_loop::{Deadline, Loop, next_tick};
use crate::net::{Address, Chunk, CloseReason, Flow, Socket};
use crate::proto::h1::{BodyPlan, Fields, IncomingResponse, OutgoingRequest};
pub(super) use handle::{RequestHandle, ResponseHandle};
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// What carries a call: the pool, until a connection is free; then that connection. None of the methods calls user code.
pub(super) trait Link {
    /// The head of the request is final. Finds a connection for it.
    fn begin(&self, call: &Rc<Call>);
    /// Sends a part of the body, or keeps it until there is a connection. With `last` the request ends.
    fn send(&self, call: &Rc<Call>, chunk: Chunk<'_>, last: bool) -> Flow;
    /// Makes the loop look at the call in its next pending phase: the program wants the body of the response, or none of it.
    fn wake(&self, call: &Call);
    /// Ends the call before its response is whole.
    fn abort(&self, call: &Rc<Call>, end: End);
    /// How many bytes of the request the kernel has not taken.
    fn pending(&self, call: &Call) -> usize;
    /// The address of the server, if there is a connection to it.
    fn peer(&self, call: &Call) -> Option<Address>;
}

/// How a call ends.
pub(super) struct End {
    pub reason: CloseReason,
    pub kind: RequestErrorKind,
    pub words: String,
    /// The connection had carried other requests before.
    pub reused: bool,
    /// The kernel has taken bytes of the request.
    pub sent: bool,
    /// What a proxy has answered that was to make a tunnel.
    pub proxy_status: Option<u16>,
}

impl End {
    pub fn new(reason: CloseReason, words: impl Into<String>) -> End {
        End::of(RequestErrorKind::of(reason), reason, words)
    }

    pub fn of(kind: RequestErrorKind, reason: CloseReason, words: impl Into<String>) -> End {
        End { reason, kind, words: words.into(), reused: false, sent: false, proxy_status: None }
    }
}

/// The progress of the request.
///
/// ```text
///   Open ──first write, flush_headers──► Streaming ──end──► Ended
///     └───────────────end(body)──────────────────────────────▲
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head can be changed.
    Open,
    /// The head is final, and parts of the body follow.
    Streaming,
    /// The program has sent everything, or the rest is not wanted.
    Ended,
}

/// What the program was told of the outcome, or is about to be told: a response or an error, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Response,
    Error,
}

/// What is to be done with the body of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Somebody listens.
    Give,
    /// The program may still want it, but not now.
    Hold,
    /// Nobody can ever want it.
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Information,
    Upgrade,
    Drain,
    Error,
    RequestClose,
    Data,
    End,
    ResponseClose,
}

/// A listener of a call. It is called with the call, and makes the user's handle of it.
pub(super) enum Listener {
    Information(Box<dyn FnMut(&Rc<Call>, &IncomingResponse)>),
    Upgrade(Once<dyn FnOnce(&Rc<Call>, Socket)>),
    Drain(Box<dyn FnMut(&Rc<Call>)>),
    Error(Once<dyn FnOnce(&Rc<Call>, &RequestError)>),
    Data(Box<dyn FnMut(&Rc<Call>, &[u8])>),
    End(Once<dyn FnOnce(&Rc<Call>)>),
    Close(Once<dyn FnOnce(&Rc<Call>, CloseReason)>),
}

type Respond = Box<dyn FnOnce(&Rc<Call>)>;

/// One request with its response. See the [module's docs](super).
pub(super) struct Call {
    lp: Rc<Loop>,
    /// Where its buffers go to.
    spares: Rc<Spares>,
    /// The line of the program that has made the request.
    site: Site,
    /// The URL as the program gave it.
    url: String,
    place: Option<Rc<Place>>,
    link: RefCell<Option<Rc<dyn Link>>>,
    listeners: Listeners<On, Listener>,
    identity: Identity,
    told: Cell<Told>,
    /// The reason for which the call is over. The listeners may not have been told yet.
    over: Cell<Option<CloseReason>>,
    closed_told: Cell<bool>,
    timer: Cell<Option<Deadline>>,
    timeout: Cell<Option<Duration>>,

    // ---- The request
    head: RefCell<OutgoingRequest>,
    trailers: RefCell<Fields>,
    plan: Cell<Option<BodyPlan>>,
    phase: Cell<Phase>,
    requests: Cell<u32>,
    /// The whole body, if it was given at once. It is kept as long as the request may have to be sent again.
    whole: RefCell<Option<Vec<u8>>>,
    /// Parts of the body that wait for a connection, or for `100 Continue`.
    held: RefCell<Vec<u8>>,
    full: Cell<bool>,
    retry: Cell<bool>,
    retried: Cell<bool>,

    // ---- The response
    respond: Cell<Option<Respond>>,
    response: OnceCell<IncomingResponse>,
    /// The buffer for it.
    blank: Cell<IncomingResponse>,
    received_trailers: RefCell<Fields>,
    responses: Cell<u32>,
    paused: Cell<bool>,
    complete: Cell<bool>,
    reused: Cell<bool>,
    /// Where the program asked for the body that it was given, or whose end it was told.
    read_by: Cell<Option<Site>>,
    end_told: Cell<bool>,
}

impl Call {
    pub fn new(
        lp: &Rc<Loop>,
        spares: &Rc<Spares>,
        site: Site,
        spare: Spare,
        place: Option<Rc<Place>>,
        respond: Respond,
    ) -> Rc<Call> {
        Rc::new(Call {
            lp: lp.clone(),
            spares: spares.clone(),
            site,
            url: spare.url,
            place,
            link: RefCell::new(None),
            listeners: Listeners::new(),
            identity: Identity::default(),
            told: Cell::new(Told::Nothing),
            over: Cell::new(None),
            closed_told: Cell::new(false),
            timer: Cell::new(None),
            timeout: Cell::new(None),
            head: RefCell::new(spare.request),
            trailers: RefCell::default(),
            plan: Cell::new(None),
            phase: Cell::new(Phase::Open),
            requests: Cell::new(0),
            whole: RefCell::new(None),
            held: RefCell::default(),
            full: Cell::new(false),
            retry: Cell::new(true),
            retried: Cell::new(false),
            respond: Cell::new(Some(respond)),
            response: OnceCell::new(),
            blank: Cell::new(spare.response),
            received_trailers: RefCell::default(),
            responses: Cell::new(0),
            paused: Cell::new(false),
            complete: Cell::new(false),
            reused: Cell::new(false),
            read_by: Cell::new(None),
            end_told: Cell::new(false),
        })
    }

    // ---- Facts

    pub fn site(&self) -> Site {
        self.site
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the request goes to; `None` if its URL is wrong, and then it is over.
    pub fn place(&self) -> Option<&Rc<Place>> {
        self.place.as_ref()
    }

    pub fn id(&self) -> u64 {
        self.identity.number()
    }

    pub fn over(&self) -> Option<CloseReason> {
        self.over.get()
    }

    pub fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    pub fn head(&self) -> &RefCell<OutgoingRequest> {
        &self.head
    }

    pub fn trailers(&self) -> &RefCell<Fields> {
        &self.trailers
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The head of the response; an empty one before it has come.
    pub fn response(&self) -> &IncomingResponse {
        self.response.get_or_init(IncomingResponse::new)
    }

    /// An empty head, to be filled with the response.
    pub fn take_blank(&self) -> IncomingResponse {
        self.blank.take()
    }

    pub fn received_trailers(&self) -> &RefCell<Fields> {
        &self.received_trailers
    }

    pub fn is_complete(&self) -> bool {
        self.complete.get()
    }

    pub fn is_reused(&self) -> bool {
        self.reused.get()
    }

    pub fn set_reused(&self, reused: bool) {
        self.reused.set(reused);
    }

    /// The place of the first of the listeners that were given bytes of the body; if there were no bytes, of the first of those that
    /// were told the end. `None` as long as the whole body can be had.
    pub fn read_by(&self) -> Option<Site> {
        self.read_by.get()
    }

    fn note_end_told(&self, first: Site) {
        self.end_told.set(true);
        if self.read_by.get().is_none() {
            self.read_by.set(Some(first));
        }
    }

    // ---- The link

    pub fn carried_by(&self, link: Rc<dyn Link>) {
        let before = self.link.replace(Some(link));
        drop(before);
    }

    pub fn unlink(&self) {
        let link = self.link.take();
        drop(link);
    }

    fn link(&self) -> Option<Rc<dyn Link>> {
        self.link.borrow().clone()
    }

    pub fn wake(&self) {
        if let Some(link) = self.link() {
            link.wake(self);
        }
    }

    pub fn abort(self: &Rc<Self>, end: End) {
        match self.link() {
            _ if self.is_over() => {}
            Some(link) => link.abort(self, end),
            None => self.end_soon(end),
        }
    }

    pub fn pending(&self) -> usize {
        self.link().map_or(0, |link| link.pending(self))
    }

    pub fn peer(&self) -> Option<Address> {
        self.link()?.peer(self)
    }

    // ---- The response

    /// What is to be done with the body now.
    pub fn wish(&self) -> Wish {
        let kept = self.responses.get() > 0;
        if self.listeners.has(On::Data) || self.listeners.has(On::End) {
            // Without a handle nobody could end the pause.
            if self.paused.get() && kept { Wish::Hold } else { Wish::Give }
        } else if kept {
            Wish::Hold
        } else {
            Wish::Discard
        }
    }

    pub fn pause(&self) {
        self.paused.set(true);
    }

    pub fn resume(&self) {
        if self.paused.replace(false) {
            self.wake();
        }
    }

    pub fn offers_upgrade(&self) -> bool {
        self.listeners.has(On::Upgrade) && self.head.borrow().offers_upgrade()
    }

    // ---- Listeners

    /// Returns the listener's id, or `None` if the event can no longer come and the listener was dropped.
    pub fn add(self: &Rc<Self>, on: On, site: Site, listener: Listener) -> Option<u32> {
        if on == On::End && self.complete.get() && !self.end_told.get() {
            // A response without content is over before the program can listen for its end. The first listener is told all the same.
            self.note_end_told(site);
            let call = self.clone();
            next_tick(move || call.call(site, |call| call.call_end(listener)));
            return None;
        }
        let late = on == On::Data && self.complete.get() || on == On::End && self.end_told.get();
        if self.closed_told.get() || late {
            discard(listener);
            return None;
        }
        Some(self.listeners.add(on, site, listener))
    }

    fn call_end(self: &Rc<Self>, listener: Listener) {
        if let Listener::End(Some(f)) = listener {
            f(self);
        }
    }

    pub fn remove(&self, number: u32) {
        self.listeners.remove_one(number);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.spares.give(Spare {
            url: std::mem::take(&mut self.url),
            request: self.head.take(),
            response: self.response.take().unwrap_or_else(|| self.blank.take()),
        });
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        // A URL with a name and a password in it is refused, and is in no log.
        let url = if self.place.is_none() && url.contains('@') { "a URL with a name in it" } else { url };
        match self.head.try_borrow() {
            Ok(head) if !head.method().is_empty() => write!(f, "{} {}", head.method(), url.escape_debug()),
            _ => write!(f, "{}", url.escape_debug()),
        }
    }
}
