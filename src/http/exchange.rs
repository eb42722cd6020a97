use crate::callback::{Identity, Listeners, Once, Site, discard};
use crate::event_loop::{Loop, Time, next_tick};
use crate::net::{Address, Chunk, CloseReason, FilePart, Flow, HandedOver, Protocol};
use crate::proto::h1::IncomingRequest;
#[cfg(feature = "app")]
use std::cell::OnceCell;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

#[cfg(feature = "app")]
use super::companion::Companion;
use super::hot_files::HotFiles;
use super::incoming::Incoming;
use super::outgoing::{Outgoing, Phase};
#[cfg(feature = "app")]
use super::stages::Stages;

/// The carrier of exchanges: a connection. A connection of HTTP/1 carries one exchange at a time, one of HTTP/2 will carry many,
/// so each call names the exchange that it is about. For each of these methods, [`Exchange`] has a method of the same name, which
/// the rest of `http` calls.
///
/// None of its methods calls user code.
pub(crate) trait Carrier {
    /// Sends a part of the content, or all of it. Before it, sends the head, if that was not sent yet. With `last` the response
    /// ends.
    fn send(&self, exchange: &Exchange, chunk: Chunk<'_>, last: bool) -> Flow;
    /// Sends a part of a file as a part of the content, if the carrier [sends files](Carrier::sends_files). `drain` follows when
    /// the part has been sent.
    fn send_file(&self, exchange: &Exchange, part: FilePart, last: bool) -> Flow;
    /// Returns whether files can be sent without being read into memory.
    fn sends_files(&self, exchange: &Exchange) -> bool;
    /// Sends the head alone, if it was not sent yet.
    fn send_head(&self, exchange: &Exchange);
    /// Sends an informational response (RFC 9110, section 15.2).
    fn inform(&self, exchange: &Exchange, status: u16, fields: &[(&str, &str)]);
    /// Makes the loop look at the exchange in its next pending phase, because the program wants the request's body, or its end.
    fn wake(&self, exchange: &Exchange);
    /// Makes the loop call the listeners for `drain`, once all output has been sent, although no `send` has returned `Full`.
    #[cfg(feature = "app")]
    fn tell_drain(&self, exchange: &Exchange);
    /// Ends an exchange that cannot be completed, in such a way that the peer sees that the response is not whole. With HTTP/1
    /// the connection closes. Answers to earlier requests still go out, unless the reason is that the program has destroyed the
    /// exchange.
    fn cut(&self, exchange: &Exchange, reason: CloseReason);
    /// Returns whether nothing more can be sent. The listeners of the exchange may not have been told yet.
    fn is_closed(&self, exchange: &Exchange) -> bool;
    /// Returns whether the peer has ended its side, as far as is known.
    fn has_peer_ended(&self, exchange: &Exchange) -> bool;
    /// The bytes that were written and that the kernel has not taken.
    fn pending(&self, exchange: &Exchange) -> usize;
    /// Gives the connection of this exchange to another protocol: see [`Exchange::hand_over`].
    fn hand_over(&self, exchange: &Exchange, to: Rc<dyn Protocol>) -> Option<HandedOver>;
    /// The address of the peer that the request came from.
    fn peer(&self, exchange: &Exchange) -> Address;
    /// What was agreed with the peer by TLS; `None` if the connection is not secure.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<crate::secure::Info>;
    /// Returns whether the connection is secure.
    #[cfg(feature = "tls")]
    fn is_secure(&self) -> bool;
    /// The files that the server of all these exchanges keeps in memory or open.
    fn hot_files(&self) -> &Rc<HotFiles>;
    /// The loop of all these exchanges.
    fn lp(&self) -> &Rc<Loop>;
    /// Returns whether the server of all these exchanges has begun to close.
    fn is_closing(&self) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Data,
    End,
    PeerEnd,
    RequestClose,
    Drain,
    Finish,
    ResponseClose,
}

/// A listener of an exchange. It is called with the exchange. The listener of a user makes the user's handle, a
/// [`Request`](super::Request) or a [`Response`](super::Response), and calls the user's function with it.
pub(crate) enum Listener {
    Data(Box<dyn FnMut(&Rc<Exchange>, &[u8])>),
    /// For `End`, `PeerEnd` and `Finish`.
    Once(Once<dyn FnOnce(&Rc<Exchange>)>),
    Drain(Box<dyn FnMut(&Rc<Exchange>)>),
    /// For `RequestClose` and `ResponseClose`.
    Close(Once<dyn FnOnce(&Rc<Exchange>, CloseReason)>),
}

/// One request and its response. The user's handles hold it. While a connection carries the exchange, it has a link to
/// that carrier. After the link is cut, nothing that is done with the exchange reaches the connection.
pub(crate) struct Exchange {
    incoming: Incoming,
    outgoing: Outgoing,
    /// The time at which the head of the request was complete.
    started: Time,
    link: RefCell<Option<Rc<dyn Carrier>>>,
    listeners: Listeners<On, Listener>,
    /// How many `Response` handles there are.
    handles: Cell<u32>,
    /// The reason why the exchange ended; `None` while it is open.
    close_reason: Cell<Option<CloseReason>>,
    identity: Identity,
    #[cfg(feature = "app")]
    companion: OnceCell<Box<dyn Companion<Exchange>>>,
    /// Whether this response goes through stages.
    #[cfg(feature = "app")]
    staged: Cell<bool>,
    #[cfg(feature = "app")]
    stages: OnceCell<Box<Stages>>,
}

impl Exchange {
    pub fn new() -> Exchange {
        Exchange {
            incoming: Incoming::new(),
            outgoing: Outgoing::new(),
            started: Time::ZERO,
            link: RefCell::new(None),
            listeners: Listeners::new(),
            handles: Cell::new(0),
            close_reason: Cell::new(None),
            identity: Identity::default(),
            #[cfg(feature = "app")]
            companion: OnceCell::new(),
            #[cfg(feature = "app")]
            staged: Cell::new(false),
            #[cfg(feature = "app")]
            stages: OnceCell::new(),
        }
    }

    /// Resets the exchange for another request. The buffers keep their memory, each up to `keep` bytes.
    pub fn reset(&mut self, keep: usize) {
        self.incoming.reset(keep);
        self.outgoing.reset(keep);
        self.close_reason.set(None);
        self.identity.forget();
    }

    /// Begins the exchange whose head was just read into [`incoming_mut`](Exchange::incoming_mut).
    pub fn begin(&mut self, carrier: Rc<dyn Carrier>, now: Time) {
        self.incoming.begin();
        self.started = now;
        *self.link.get_mut() = Some(carrier);
    }

    // ---- Both sides

    pub fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    /// The half into which a head is read.
    pub fn incoming_mut(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The head of the request.
    #[inline]
    pub fn head(&self) -> &IncomingRequest {
        self.incoming.head()
    }

    /// The time at which the head of the request was complete.
    pub fn started(&self) -> Time {
        self.started
    }

    pub fn id(&self) -> u64 {
        self.identity.number()
    }

    /// Returns the reason why the exchange ended; `None` while it is open.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason.get()
    }

    pub fn is_over(&self) -> bool {
        self.close_reason.get().is_some()
    }

    /// Returns the listener's id, or `None` if the event can no longer come and the listener was dropped.
    pub fn add(&self, on: On, site: Site, listener: Listener) -> Option<u32> {
        // A listener for an event that can no longer come is dropped here, with what it captured.
        let late = match on {
            On::Data => self.incoming.is_complete(),
            On::End => self.incoming.is_end_told(),
            _ => false,
        };
        if self.is_over() || late {
            discard(listener);
            None
        } else {
            Some(self.listeners.add(on, site, listener))
        }
    }

    pub fn remove(&self, number: u32) {
        self.listeners.remove_one(number);
    }

    pub fn has(&self, on: On) -> bool {
        self.listeners.has(on)
    }

    /// Returns whether the exchange has any listener.
    pub fn is_listened_to(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Calls the listeners for an event. After a panic the remaining ones are not called, and the exchange is given up.
    pub fn emit(self: &Rc<Self>, lp: &Rc<Loop>, on: On, mut call: impl FnMut(&mut Listener)) {
        let mut panicked = false;
        self.listeners.each(on, |site, listener| {
            if !panicked && lp.call(site, &**self, || call(listener)).is_none() {
                panicked = true;
                self.panicked();
            }
        });
    }

    /// Calls the listeners for an event that comes once.
    fn emit_once(self: &Rc<Self>, lp: &Rc<Loop>, on: On) {
        self.emit(lp, on, |listener| {
            if let Listener::Once(f) = listener
                && let Some(f) = f.take()
            {
                f(self);
            }
        });
    }

    fn emit_close(self: &Rc<Self>, lp: &Rc<Loop>, on: On, reason: CloseReason) {
        self.emit(lp, on, |listener| {
            if let Listener::Close(f) = listener
                && let Some(f) = f.take()
            {
                f(self, reason);
            }
        });
    }

    /// Calls the listeners for a part of the body.
    pub fn tell_data(self: &Rc<Self>, lp: &Rc<Loop>, bytes: &[u8]) {
        self.incoming.note_read(|| self.listeners.first(On::Data));
        self.emit(lp, On::Data, |listener| {
            if let Listener::Data(f) = listener {
                f(self, bytes);
            }
        });
    }

    /// Calls the listeners for the end of the peer's side, once. Returns whether there were any.
    pub fn tell_peer_end(self: &Rc<Self>, lp: &Rc<Loop>) -> bool {
        let awaited = self.listeners.has(On::PeerEnd);
        if awaited {
            self.emit_once(lp, On::PeerEnd);
            self.listeners.remove(On::PeerEnd);
        }
        awaited
    }

    pub fn emit_drain(self: &Rc<Self>, lp: &Rc<Loop>) {
        let _handle = Handle::new(self);
        self.emit(lp, On::Drain, |listener| {
            if let Listener::Drain(f) = listener {
                f(self);
            }
        });
    }

    /// The request is whole. Calls the listeners for its end, once. Drops these and the data listeners, which can no
    /// longer be called.
    pub fn request_over(self: &Rc<Self>, lp: &Rc<Loop>) {
        if let Some(first) = self.listeners.first(On::End)
            && !self.incoming.note_end_told()
        {
            self.incoming.note_read(|| Some(first));
            self.emit_once(lp, On::End);
        }
        self.listeners.remove(On::Data);
        self.listeners.remove(On::End);
    }

    /// Cuts the link to its carrier.
    pub fn unlink(&self) {
        let link = self.link.borrow_mut().take();
        drop(link);
    }

    /// Ends the exchange without calling any listener, because its loop ends.
    pub fn teardown(&self) {
        self.unlink();
        self.close_reason.set(Some(CloseReason::LoopEnded));
        self.listeners.clear();
        self.end_companion();
    }

    /// Ends the exchange; nothing else does while its loop lives. Cuts the link to the carrier, calls the listeners with the
    /// reason, and drops them all.
    pub fn finish(self: &Rc<Self>, lp: &Rc<Loop>, reason: CloseReason) {
        self.unlink();
        if self.close_reason.get().is_some() {
            return;
        }
        self.close_reason.set(Some(reason));
        self.outgoing.set_timer(None);
        if self.listeners.is_empty() {
            return;
        }
        if self.outgoing.is_finished() {
            self.emit_once(lp, On::Finish);
        }
        self.emit_close(lp, On::ResponseClose, reason);
        self.emit_close(lp, On::RequestClose, reason);
        self.listeners.clear();
    }

    // ---- The carrier

    /// Calls the carrier, unless the exchange is over.
    #[inline]
    pub(super) fn with_carrier<R>(&self, f: impl FnOnce(&dyn Carrier) -> R) -> Option<R> {
        self.link.borrow().as_ref().map(|carrier| f(&**carrier))
    }

    /// Sends a part of the content, or all of it, past the stages.
    #[inline]
    pub fn give(&self, chunk: Chunk<'_>, last: bool) -> Flow {
        match &*self.link.borrow() {
            Some(carrier) => carrier.send(self, chunk, last),
            None => Flow::Closed,
        }
    }

    pub fn is_carried(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// Gives the connection to another protocol, within a callback of this exchange or at any later time. Returns `None` if
    /// the connection cannot be given: the request did not ask for it, has content or is not the present one, its response has
    /// begun, or the connection is closed.
    ///
    /// The stream keeps the input behind the request, of which it has read up to the limit of held bytes. It gives these bytes to
    /// the new protocol, and then calls its `resume`: in the present turn of the stream or in its next one, never within this
    /// call. The peer may have ended its side already (`Stream::is_eof`). The exchange ends in a tick.
    pub fn hand_over(&self, to: Rc<dyn Protocol>) -> Option<HandedOver> {
        let carrier = self.link.borrow().clone()?;
        let given = carrier.hand_over(self, to)?;
        self.unlink();
        Some(given)
    }

    // ---- The response

    pub fn has_ended(&self) -> bool {
        self.outgoing.phase() == Phase::Ended || self.is_over()
    }

    /// Returns whether the response has ended, and none of it waits in a stage.
    pub fn is_answered(&self) -> bool {
        self.outgoing.phase() == Phase::Ended && !self.outgoing.waits() || self.is_over()
    }

    /// Returns whether the program reads the body. False if the answer has ended while the peer still waits for `100 Continue`.
    pub fn is_read(&self) -> bool {
        let withheld = self.incoming.owes_continue() && self.outgoing.phase() == Phase::Ended;
        !withheld && self.listeners.has(On::Data)
    }

    /// Drops the listeners for the body and its end, because nobody wants the rest of the body.
    pub fn discard_body(&self) {
        self.incoming.unpause();
        self.listeners.remove(On::Data);
        self.listeners.remove(On::End);
    }

    // ---- The layer above

    /// What the layer above keeps with this exchange; `None` if it has kept nothing yet.
    #[cfg(feature = "app")]
    #[inline]
    pub fn companion(&self) -> Option<&dyn Companion<Exchange>> {
        self.companion.get().map(|companion| &**companion)
    }

    /// What the layer above keeps with this exchange. The first call makes it.
    #[cfg(feature = "app")]
    pub fn companion_or(&self, make: impl FnOnce() -> Box<dyn Companion<Exchange>>) -> &dyn Companion<Exchange> {
        &**self.companion.get_or_init(make)
    }

    /// The stages that this response goes through, if there are any.
    #[cfg(feature = "app")]
    #[inline]
    pub(super) fn stages(&self) -> Option<&Stages> {
        if self.staged.get() { self.stages.get().map(|stages| &**stages) } else { None }
    }

    /// The stages that this response goes through, to add one.
    #[cfg(feature = "app")]
    pub(super) fn stages_or_new(&self) -> &Stages {
        self.staged.set(true);
        self.stages.get_or_init(Box::default)
    }

    /// Tells the layer above that the exchange is over.
    #[inline]
    pub fn end_companion(&self) {
        #[cfg(feature = "app")]
        if let Some(stages) = self.stages() {
            Exchange::end_stages(stages);
            self.outgoing.end();
            self.staged.set(false);
        }
        #[cfg(feature = "app")]
        if let Some(companion) = self.companion() {
            companion.end();
        }
    }

    // ---- Calls

    /// Calls a callback for this exchange that is not one of its listeners. If it panics, the exchange is given up, as
    /// after a panic of a listener.
    pub fn call(self: &Rc<Self>, site: Site, f: impl FnOnce()) {
        match self.lp() {
            Some(lp) => {
                if lp.call(site, &**self, f).is_none() {
                    self.panicked();
                }
            }
            // The exchange is over, so a panic does not change it any more.
            None => f(),
        }
    }

    /// Calls such a callback (see `call`) as a tick, so that it never runs inside the user's call.
    pub fn call_soon(self: &Rc<Self>, site: Site, f: impl FnOnce(&Rc<Exchange>) + 'static) {
        let exchange = self.clone();
        next_tick(move || exchange.call(site, || f(&exchange)));
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.head().method(), self.head().target())
    }
}

/// A handle of the response. Each [`Response`](super::Response) holds one. When the last one is dropped and the response has not
/// ended, the exchange is [abandoned](Exchange::abandoned).
pub(crate) struct Handle(Rc<Exchange>);

impl Handle {
    #[inline]
    pub fn new(exchange: &Rc<Exchange>) -> Handle {
        exchange.handles.set(exchange.handles.get() + 1);
        Handle(exchange.clone())
    }
}

impl Clone for Handle {
    #[inline]
    fn clone(&self) -> Handle {
        Handle::new(self)
    }
}

impl Deref for Handle {
    type Target = Rc<Exchange>;

    #[inline]
    fn deref(&self) -> &Rc<Exchange> {
        &self.0
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        let handles = self.0.handles.get() - 1;
        self.0.handles.set(handles);
        if handles == 0 && self.0.outgoing.phase() != Phase::Ended {
            self.0.abandoned();
        }
    }
}
