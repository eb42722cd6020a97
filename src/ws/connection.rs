//! The fields of a socket and of its endpoint, and the frames that a socket sends. Other files have the rest of their methods:
//! `protocol.rs` handles the events of the stream, `deadlines.rs` has the deadlines, and `websocket.rs` and `endpoint.rs` have
//! the methods for users.

#[cfg(feature = "deflate")]
use super::deflate::Deflate;
use super::event::{Event, On};
#[cfg(feature = "deflate")]
use super::inflating::Inflating;
use super::limits::Limits;
use super::origins::Origins;
use super::payload::Payload;
use super::publications::Publications;
use super::random::next_mask;
use super::subscriptions::Subscriptions;
use crate::callback::{Identity, Listeners, Site, discard};
use crate::event_loop::Time;
use crate::http::Request;
use crate::net::{Chunk, CloseReason, Flow, LARGE, SendWatch, Stream};
#[cfg(feature = "deflate")]
use crate::proto::ws::Window;
use crate::proto::ws::{Decoder, FrameHead, MaskKey, Message, Opcode, Role, mask, status};
use slab::Slab;
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;

/// A WebSocket: messages in both directions. It is a cheap handle: clones are the same socket, and equal. While the socket is open,
/// the loop keeps it, even if all handles are dropped.
///
/// Messages and other events go to the listeners of its [`Endpoint`], and then to its own listeners. All listeners get the socket
/// as an argument, so that they need not capture it. The loop makes all callbacks, in its poll or pending phase (`on_error` and
/// `on_close` in the closing phase).
///
/// On a closed socket all methods do nothing. A socket that [`connect`](super::connect) has made is not open until `on_open`.
#[derive(Clone)]
pub struct WebSocket(pub(super) Rc<Connection>);

/// A place for WebSockets: its listeners, limits and settings are those of all sockets that it has accepted. It is a cheap
/// handle: clones are the same endpoint. An endpoint lives as long as one of its handles, its open sockets or, if it was
/// [mounted](super::mount), its server.
#[derive(Clone)]
pub struct Endpoint(pub(super) Rc<EndpointCore>);

/// How a socket has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Close<'a> {
    /// The code in the peer's close frame. 1005 if that frame has none; 1006 if no such frame came.
    pub code: u16,
    /// The reason in the peer's close frame; often empty. If this side has closed because of what the peer has sent (`why` is
    /// [`BadMessage`](CloseReason::BadMessage) or [`SlowReceive`](CloseReason::SlowReceive)), no frame of the peer is awaited: then
    /// this says what was wrong, such as `"a client's frame is not masked"`, as our close frame does.
    pub reason: &'a str,
    /// Whether both sides have sent a close frame: nothing that was sent before them is lost.
    pub clean: bool,
    /// Whether the peer has begun the close handshake.
    pub by_peer: bool,
    /// What has ended the connection.
    pub why: CloseReason,
}

/// Whether an endpoint accepts a request: see [`Endpoint::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The request gets its socket.
    Accept,
    /// The request is answered with this status, from 400 to 599.
    Refuse(u16),
}

pub(super) enum Listener {
    Open(Box<dyn FnMut(&WebSocket, &Request)>),
    Message(Box<dyn FnMut(&WebSocket, Message<'_>)>),
    Drain(Box<dyn FnMut(&WebSocket)>),
    Pong(Box<dyn FnMut(&WebSocket, &[u8])>),
    /// A listener for the event `Open` of one socket.
    Opened(Box<dyn FnMut(&WebSocket)>),
    Error(Box<dyn FnMut(&WebSocket, &io::Error)>),
    Close(Box<dyn FnMut(&WebSocket, &Close<'_>)>),
}

/// The callback of [`Endpoint::verify`].
pub(super) type Verify = Box<dyn FnMut(&Request) -> Verdict>;

pub(super) struct EndpointCore {
    /// Its name in reports; empty until it has one.
    pub name: RefCell<Rc<str>>,
    pub identity: Identity,
    pub listeners: Listeners<On, Listener>,
    pub sockets: RefCell<Slab<Rc<Connection>>>,
    pub subscriptions: RefCell<Subscriptions>,
    /// In a box, since a client's endpoint publishes nothing.
    pub publications: OnceCell<Box<Publications>>,
    /// Published messages wait for some of their subscribers.
    pub waits: Cell<bool>,
    pub limits: RefCell<Rc<Limits>>,
    pub origins: RefCell<Rc<Origins>>,
    /// A refused origin was logged as a warning.
    pub warned: Cell<bool>,
    pub protocols: RefCell<Rc<[String]>>,
    pub verify: Cell<Option<Verify>>,
    pub accepted: Cell<u64>,
    pub refused: Cell<u64>,
    pub received: Cell<u64>,
    pub sent: Cell<u64>,
    pub skipped: Cell<u64>,
    #[cfg(feature = "deflate")]
    pub deflate: Cell<Option<Deflate>>,
}

impl EndpointCore {
    pub fn limits(&self) -> Rc<Limits> {
        self.limits.borrow().clone()
    }
}

/// The state of a socket. The code in `protocol.rs` and `websocket.rs` changes it.
///
/// ```text
///   Opening (a client's) ──the server's 101──► Open;  ──anything else──► Closed
///   Open ──close_with──► Closing ──the peer's close frame──► Over ──the stream has closed──► Closed
///    ├───────────── a close frame or a fault ─────────────────▲
///    └── too large a message ──► Refused ──silence────────────▲
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The answer to the handshake is awaited: see `opening.rs`.
    Opening,
    Open,
    /// Our close frame was sent, and the peer's close frame is awaited. Frames that come before it are checked, but not passed to
    /// listeners.
    Closing,
    /// Our close frame was sent because of what the peer sends. All that still comes is discarded.
    Refused,
    /// No frame is sent or taken any more.
    Over,
    /// The listeners of the end were called.
    Closed,
}

/// Fields that few sockets need, or that sockets need only at their end.
#[derive(Default)]
pub(super) struct Rare {
    /// The content of the newest ping whose pong waits until output has gone.
    pub pong: Option<Vec<u8>>,
    /// The deadlines of pending output.
    pub watch: SendWatch,
    pub ending: Option<Ending>,
    pub topics: Vec<Rc<str>>,
    /// The number of the newest publication when the socket was last given what waited for it: see `publishing.rs`.
    pub caught_up: u64,
    /// The message that is being inflated, unless it is told.
    #[cfg(feature = "deflate")]
    pub inflating: Option<Box<Inflating>>,
}

/// The state of the close handshake.
pub(super) struct Ending {
    pub code: u16,
    pub reason: String,
    pub clean: bool,
    pub by_peer: bool,
    /// Why this side closes the connection; `None` if it does not.
    pub why: CloseReason,
    /// When the peer's close frame must have come, or, after it, the end of a server's side.
    pub until: Time,
}

/// How a socket was opened: by this server, or by this client.
pub(super) enum Opened {
    /// By a request, which our side has accepted.
    By(Request),
    /// By the server's answer to our request.
    ByAnswer,
}

/// When a message, and a frame, began of which a part has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// When the message began; `MAX` if there is none.
    pub message_began: Time,
    /// When the window for the rate of the frame began (`MAX`: there is none), and how many bytes had been read.
    pub window: (Time, u64),
}

impl Default for Part {
    fn default() -> Part {
        Part { message_began: Time::MAX, window: (Time::MAX, 0) }
    }
}

/// A subprotocol.
pub(super) struct Agreed(pub Box<str>);

/// A socket, from its handshake to its end. What few sockets have, or have for a short time, is in boxes: an idle socket is to be small.
pub(super) struct Connection {
    pub endpoint: Rc<EndpointCore>,
    /// Our side.
    pub role: Role,
    pub stream: OnceCell<Rc<Stream>>,
    /// Its index in the endpoint's list of sockets. A client's has none.
    pub place: Cell<usize>,
    /// `None` while a listener has a message that the decoder lends.
    pub decoder: Cell<Option<Decoder>>,
    pub state: Cell<State>,
    pub paused: Cell<bool>,
    /// `send` has returned `Full`, and `on_drain` was not called since.
    pub full: Cell<bool>,
    /// The turn in which the frames that `told` counts were passed to listeners.
    pub turn: Cell<u16>,
    pub told: Cell<u16>,
    /// The event that this turn's label names, so that it is not written again for each of many messages.
    pub labelled: Cell<Option<On>>,
    /// The size of the largest message that may be pending.
    pub largest: Cell<u32>,
    /// When bytes last came from the peer.
    pub heard: Cell<Time>,
    /// When the socket last sent a ping because of `Limits::ping`. The ping is unanswered if nothing has come from the peer
    /// since.
    pub pinged: Cell<Time>,
    /// What has come in part, if anything has.
    pub part: Cell<Option<Box<Part>>>,
    pub rare: Cell<Option<Box<Rare>>>,
    /// By what it was opened, until the listeners of `on_open` are called. In a box, since that is soon.
    pub opened: Cell<Option<Box<Opened>>>,
    pub listeners: Listeners<On, Listener>,
    pub data: OnceCell<Box<dyn Any>>,
    /// The subprotocol, if one was agreed.
    pub protocol: OnceCell<Box<Agreed>>,
    /// A message is being inflated, or its listeners are told of it. No frame behind it is read before.
    #[cfg(feature = "deflate")]
    pub inflates: Cell<bool>,
    /// Whether compression was agreed, and then with which window this side compresses: with none if it cannot.
    #[cfg(feature = "deflate")]
    pub deflates: Cell<Option<Option<Window>>>,
    pub identity: Identity,
}

impl Connection {
    pub fn new(endpoint: &Rc<EndpointCore>, role: Role, now: Time) -> Connection {
        Connection {
            endpoint: endpoint.clone(),
            role,
            stream: OnceCell::new(),
            place: Cell::new(usize::MAX),
            decoder: Cell::new(Some(Decoder::new(role))),
            state: Cell::new(State::Open),
            paused: Cell::new(false),
            full: Cell::new(false),
            turn: Cell::new(0),
            told: Cell::new(0),
            labelled: Cell::new(None),
            largest: Cell::new(0),
            heard: Cell::new(now),
            pinged: Cell::new(Time::ZERO),
            part: Cell::new(None),
            rare: Cell::new(None),
            opened: Cell::new(None),
            listeners: Listeners::new(),
            data: OnceCell::new(),
            protocol: OnceCell::new(),
            #[cfg(feature = "deflate")]
            inflates: Cell::new(false),
            #[cfg(feature = "deflate")]
            deflates: Cell::new(None),
            identity: Identity::default(),
        }
    }

    /// The stream of an open socket. After a write has failed, nothing can be sent any more, although the stream closes in the next
    /// pending phase only.
    pub fn open_stream(&self) -> Option<&Rc<Stream>> {
        let takes = |stream: &Stream| stream.is_in_use() && !stream.has_write_failed();
        self.stream.get().filter(|stream| self.state.get() == State::Open && takes(stream))
    }

    /// Returns whether a message is being inflated.
    pub fn is_inflating(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.inflates.get();
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// Calls `f` with the rarely needed fields, which are allocated if they do not exist yet.
    pub fn with_rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = f(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Calls `f` with the rarely needed fields, if they exist.
    pub fn if_rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> Option<R> {
        let mut rare = self.rare.take()?;
        let result = f(&mut rare);
        self.rare.set(Some(rare));
        Some(result)
    }

    // ---- Frames that are sent

    /// The mask of the next frame. Only a client's frames have one.
    fn mask(&self) -> Option<MaskKey> {
        match self.role {
            Role::Client => Some(next_mask()),
            Role::Server => None,
        }
    }

    /// Sends a message, after what was published before.
    pub fn write(&self, stream: &Rc<Stream>, message: Payload<'_>) -> Flow {
        if self.endpoint.waiting().is_some() {
            self.catch_up(stream);
            if self.open_stream().is_none() {
                return Flow::Closed;
            }
        }
        if let (Some(frame), Role::Server) = (message.frame(), self.role) {
            return self.write_frame(stream, self.form_of(stream, frame));
        }
        #[cfg(feature = "deflate")]
        if let Some(flow) = self.write_deflated(stream, &message) {
            return flow;
        }
        let (opcode, chunk) = message.into_parts();
        self.write_content(stream, opcode, false, chunk)
    }

    /// Sends the content of a message. `compressed`: the content is compressed already, and the head of the frame says so.
    pub fn write_content(&self, stream: &Rc<Stream>, opcode: Opcode, compressed: bool, chunk: Chunk<'_>) -> Flow {
        let head = FrameHead { last: true, compressed, opcode, mask: self.mask(), length: chunk.len() as u64 };
        if chunk.len() < LARGE {
            self.note_length(chunk.len());
            let flow = stream.write_by(|out| append(out, &head, chunk.as_bytes()), self.full_at());
            return self.note_frame(stream, flow);
        }
        stream.encode(|out| head.encode(out));
        let Some(key) = head.mask else { return self.write_frame(stream, chunk) };
        let mut content = chunk.into_vec();
        mask(&mut content, key, 0);
        self.write_frame(stream, content.into())
    }

    /// With this many bytes pending, output is full.
    fn full_at(&self) -> usize {
        self.endpoint.limits.borrow().pending_output.max(1)
    }

    /// The most bytes that may be pending. The largest message does not count, so that even a message above the limit can be sent if
    /// nothing else is pending.
    pub fn most_pending(&self) -> usize {
        self.endpoint.limits.borrow().max_pending.saturating_add(self.largest.get() as usize)
    }

    /// Sends the content of a frame whose head was sent, or a whole frame.
    pub fn write_frame(&self, stream: &Rc<Stream>, chunk: Chunk<'_>) -> Flow {
        self.note_length(chunk.len());
        self.note_frame(stream, stream.write(chunk, self.full_at()))
    }

    /// Notes the length of a message, before its write: that may compare what is pending with the limit.
    fn note_length(&self, length: usize) {
        self.largest.set(self.largest.get().max(u32::try_from(length).unwrap_or(u32::MAX)));
    }

    /// Notes that a message was written. If too much is pending now, the kernel is asked at once whether it has room, so that one
    /// callback that sends or publishes much cannot make more than one message too much pending.
    fn note_frame(&self, stream: &Rc<Stream>, flow: Flow) -> Flow {
        if flow.is_full() {
            self.full.set(true);
            if stream.pending() > self.most_pending() {
                if !stream.offer() {
                    stream.destroy(CloseReason::Overflow);
                }
                if !stream.is_in_use() || stream.has_write_failed() {
                    return Flow::Closed;
                }
            }
        }
        self.endpoint.sent.set(self.endpoint.sent.get() + 1);
        flow
    }

    /// Sends a control frame, after what was published before. It is sent whatever the limits of output are, since the peer relies on it.
    pub fn write_control(&self, stream: &Rc<Stream>, opcode: Opcode, content: &[u8]) {
        self.catch_up(stream);
        let head = FrameHead { last: true, compressed: false, opcode, mask: self.mask(), length: content.len() as u64 };
        stream.encode(|out| append(out, &head, content));
    }

    pub fn write_close(&self, stream: &Rc<Stream>, code: u16, reason: &str) {
        let content = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.write_control(stream, Opcode::Close, &content);
    }

    /// Sends a close frame after everything that was sent before. From now on no listeners are called but those of the end.
    pub fn begin_close(&self, code: u16, reason: &str, why: CloseReason) {
        let Some(stream) = self.open_stream() else { return };
        let until = stream.cx().lp.now() + Time::from(self.endpoint.limits().close);
        self.write_close(stream, code, reason);
        self.end_state(State::Closing);
        self.set_ending(Ending {
            code: status::ABNORMAL,
            reason: String::new(),
            clean: false,
            by_peer: false,
            why,
            until,
        });
        stream.need_due(until);
        // The peer's close frame comes after the bytes that were held back by a pause.
        stream.resume_reading();
        stream.ask_for_turn();
    }

    /// Leaves the state `Open`, and all topics.
    pub fn end_state(&self, state: State) {
        self.state.set(state);
        let topics = self.if_rare(|rare| std::mem::take(&mut rare.topics)).unwrap_or_default();
        for topic in topics {
            self.endpoint.subscriptions.borrow_mut().remove(&topic, self.place.get());
        }
    }

    pub fn set_ending(&self, ending: Ending) {
        self.with_rare(|rare| rare.ending = Some(ending));
    }

    // ---- Listeners

    /// Calls the listeners for an event, first those of the endpoint. After a panic the other ones are not called, and the socket
    /// closes with the code 1011. The listeners of `on_close` are all called.
    pub fn each(self: &Rc<Self>, on: On, mut call: impl FnMut(&WebSocket, &mut Listener)) {
        let Some(stream) = self.stream.get() else { return };
        let socket = WebSocket(self.clone());
        let lp = &stream.cx().lp;
        let event = Event { name: &self.endpoint.name, on };
        let mut panicked = false;
        let mut each = |site: Site, listener: &mut Listener| {
            if panicked {
                return;
            }
            if self.labelled.replace(Some(on)) != Some(on) || self.turn.get() != lp.turn_serial() as u16 {
                lp.label_turn_by(&["WebSocket ", &self.endpoint.name.borrow(), event.listener()]);
            }
            if lp.call(site, &event, || call(&socket, listener)).is_none() && !matches!(on, On::Error | On::Close) {
                panicked = true;
                self.begin_close(status::INTERNAL_ERROR, "", CloseReason::Panicked);
            }
        };
        self.endpoint.listeners.each(on, &mut each);
        self.listeners.each(on, &mut each);
    }
}

/// Appends a frame, which is masked where it is written.
fn append(out: &mut Vec<u8>, head: &FrameHead, content: &[u8]) {
    head.encode(out);
    let begin = out.len();
    out.extend_from_slice(content);
    if let (Some(key), Some(written)) = (head.mask, out.get_mut(begin..)) {
        mask(written, key, 0);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            discard(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Connection;

    #[test]
    fn a_socket_fits_in_the_memory_that_an_idle_one_may_cost() {
        // With the two counts of its `Rc` it takes 184 bytes. A chunk of 192 bytes of the usual allocator holds just that.
        assert!(size_of::<Connection>() <= 168, "{}", size_of::<Connection>());
    }
}
