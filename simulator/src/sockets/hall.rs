//! The hall: what guests do, what its endpoint does for them, and what has to be so at the end.

use super::super::content;
use super::super::handler::panic_on_purpose;
use super::super::random::mix;
use super::plan::{Act, MS, Plan, TOPICS, Wish, wish_of, word};
use super::{Outcome, PORT, hash};
use oneloop::net::{CloseReason, Flow};
use oneloop::set_timeout;
use oneloop::sim::{Received, Sim, WebSocketPeer};
use oneloop::ws::{Close, Endpoint, Message, WebSocket};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// The longest message, in bytes.
pub const LARGEST: usize = 24_000;
/// The first of these are told.
const FAULTS: usize = 20;

pub struct Hall {
    pub plan: Plan,
    endpoint: RefCell<Option<Endpoint>>,
    guests: Vec<Guest>,
    topics: RefCell<Vec<BTreeSet<usize>>>,
    /// The endpoint was told to close among the traffic.
    pub shut: Cell<bool>,
    serial: Cell<u64>,
    trace: Cell<u64>,
    verbose: bool,
    faults: RefCell<Vec<String>>,
}

/// What happened to one of them.
#[derive(Default)]
struct Guest {
    peer: RefCell<Option<WebSocketPeer>>,
    socket: RefCell<Option<WebSocket>>,
    opened: Cell<u32>,
    closed: Cell<u32>,
    /// What it has sent, and what was told of that.
    said: RefCell<Vec<u64>>,
    told: RefCell<Vec<u64>>,
    /// What it was sent.
    due: RefCell<Vec<u64>>,
    full: Cell<bool>,
    /// It has said that it closes, without being asked.
    closes: Cell<bool>,
    /// It did what may cost it something.
    lost: Cell<bool>,
    /// The hall has closed it without a word, or by a panic.
    cut: Cell<bool>,
    end: RefCell<Option<End>>,
}

struct End {
    code: u16,
    clean: bool,
    by_peer: bool,
    why: CloseReason,
}

impl Hall {
    pub fn new(plan: Plan, endpoint: Endpoint, verbose: bool) -> Rc<Hall> {
        let guests = plan.guests.iter().map(|_| Guest::default()).collect();
        Rc::new(Hall {
            plan,
            endpoint: RefCell::new(Some(endpoint)),
            guests,
            topics: RefCell::new(vec![BTreeSet::new(); TOPICS]),
            shut: Cell::new(false),
            serial: Cell::new(0),
            trace: Cell::new(0),
            verbose,
            faults: RefCell::default(),
        })
    }

    pub fn fault(&self, text: impl Display) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS {
            faults.push(format!("WebSockets: {text} (at {:?})", oneloop::now()));
        }
    }

    pub fn take_faults(&self) -> Vec<String> {
        self.faults.take()
    }

    fn event(&self, what: &str, guest: usize) {
        if self.verbose {
            println!("{:>12?} guest {guest}: {what}", oneloop::now());
        }
        let hash = hash(what.as_bytes()) ^ oneloop::now().as_nanos() as u64;
        self.trace.set(mix(self.trace.get() ^ hash ^ guest as u64));
    }

    pub fn outcome(&self) -> Outcome {
        let messages = self.guests.iter().map(|guest| guest.due.borrow().len() as u64).sum();
        let sockets = self.guests.iter().map(|guest| u64::from(guest.opened.get())).sum();
        Outcome { sockets, messages, trace: self.trace.get(), faults: Vec::new() }
    }

    /// Lets go of all that has the hall.
    pub fn leave(&self) {
        self.endpoint.take();
        for guest in &self.guests {
            drop((guest.peer.take(), guest.socket.take()));
        }
    }

    pub fn close_all(&self) {
        let endpoint = self.endpoint.borrow().clone();
        if let Some(endpoint) = endpoint {
            endpoint.close_all(4321, "the hall closes");
        }
    }

    // ---- The guests

    fn come(&self, sim: &Sim, number: usize) {
        let plan = &self.plan.guests[number];
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), number as u16 + 1));
        let peer = sim.connect_from(address, PORT);
        let path = if plan.late { "late" } else { "at-once" };
        let guest = WebSocketPeer::on(&peer);
        peer.write(format!(
            "GET /{path}/{number} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        *self.guests[number].peer.borrow_mut() = Some(guest);
        self.event("comes", number);
    }

    fn act(&self, number: usize, act: &Act) {
        let guest = &self.guests[number];
        let Some(peer) = guest.peer.borrow().clone() else { return };
        self.event("acts", number);
        if self.verbose {
            println!("    {act:?}");
        }
        match act {
            Act::Say { wish, size, parts } => self.say(number, &peer, *wish, *size, *parts),
            Act::Ping => peer.ping("?"),
            Act::Close(code) => {
                guest.closes.set(true);
                peer.close(*code, "the guest goes");
            }
            _ => {
                guest.lost.set(true);
                match act {
                    Act::Pause => peer.peer().pause_reading(),
                    Act::Slow(bytes) => peer.peer().read_at_rate(*bytes, 50 * MS),
                    Act::Resume => peer.peer().resume_reading(),
                    Act::Silent => _ = peer.be_silent(),
                    Act::Finish => peer.peer().finish(),
                    Act::Reset => peer.peer().reset(),
                    Act::Drip(size) => {
                        // Its answers to pings fall between these bytes.
                        guest.closes.set(true);
                        let bytes = WebSocketPeer::frame(0x82, content::of_request(number as u32, *size));
                        guest.said.borrow_mut().push(hash(content::of_request(number as u32, *size)));
                        peer.peer().write_each_byte_every(bytes, 3 * MS);
                    }
                    Act::Bad(first) => {
                        // It may be a good one.
                        guest.closes.set(true);
                        peer.send_frame(*first, "\u{e9}");
                    }
                    Act::Say { .. } | Act::Ping | Act::Close(_) => {}
                }
            }
        }
    }

    fn say(&self, number: usize, peer: &WebSocketPeer, wish: Wish, size: usize, parts: usize) {
        let serial = self.serial.replace(self.serial.get() + 1);
        let filler = content::of_request(serial as u32, size);
        let text = format!("{} {serial} {}", word(wish), String::from_utf8_lossy(filler));
        self.guests[number].said.borrow_mut().push(hash(text.as_bytes()));
        let mut pieces: Vec<&[u8]> = text.as_bytes().chunks(text.len().div_ceil(parts)).collect();
        if serial.is_multiple_of(5) {
            pieces.push(b"");
        }
        peer.send_fragments(&pieces);
    }

    pub fn resume_all(&self) {
        for guest in &self.guests {
            if let Some(peer) = &*guest.peer.borrow() {
                peer.peer().resume_reading();
            }
        }
    }

    pub fn say_farewell(&self) {
        for (number, guest) in self.guests.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
            let peer = guest.peer.borrow().clone();
            if let Some(peer) = peer.filter(|_| !guest.lost.get() && !guest.closes.replace(true)) {
                self.event("says farewell", number);
                peer.close(1000, "farewell");
            }
        }
    }

    // ---- The endpoint

    /// Whose socket it is, while something of it may be told.
    fn of(&self, socket: &WebSocket, what: &str) -> usize {
        let number = socket.data::<usize>().copied().unwrap_or_else(|| {
            self.fault(format_args!("{what} of a socket that was not opened"));
            0
        });
        self.event(what, number);
        let guest = &self.guests[number];
        if (guest.opened.get(), guest.closed.get()) != (1, 0) {
            self.fault(format_args!(
                "guest {number}: {what}, though opened {} times and closed {} times",
                guest.opened.get(),
                guest.closed.get()
            ));
        }
        number
    }

    fn send(&self, number: usize, socket: &WebSocket, text: &str) {
        let guest = &self.guests[number];
        match socket.send(text) {
            Flow::Closed => {
                if socket.is_open() && !self.may_break() {
                    self.fault(format_args!("guest {number}: an open socket takes no message"));
                }
            }
            flow => {
                guest.due.borrow_mut().push(hash(text.as_bytes()));
                guest.full.set(guest.full.get() || flow.is_full());
            }
        }
    }

    /// Returns whether a connection may have broken by now: a socket takes nothing after a write that has failed, and is told to be closed
    /// in the next iteration only.
    fn may_break(&self) -> bool {
        self.plan.loses_calls() || self.guests.iter().any(|guest| guest.lost.get())
    }

    /// The model of `publish`: who is sent it, and who is skipped.
    fn publish(&self, publisher: usize, socket: &WebSocket, wish: Wish, topic: usize, text: &str) {
        let Some(endpoint) = self.endpoint.borrow().clone() else { return };
        let full = endpoint.limits().pending_output;
        let here = self.topics.borrow()[topic].clone();
        let of = |number: &usize| self.guests[*number].socket.borrow().clone().filter(WebSocket::is_open);
        let members: Vec<_> = here.iter().filter_map(|number| of(number).map(|socket| (*number, socket))).collect();
        let before: Vec<_> = members.iter().map(|(_, member)| member.buffered_amount() >= full).collect();
        let name = topic.to_string();
        // Who is skipped is seen when a message is delivered. Where that is later, nobody is.
        let waits = self.plan.deliveries.is_some();
        let wish = if waits && matches!(wish, Wish::Skip(_)) { Wish::All(topic) } else { wish };
        let published = match wish {
            Wish::Publish(_) => socket.publish(&name, text),
            Wish::All(_) => endpoint.publish(&name, text),
            _ => endpoint.publish_or_skip(&name, text),
        };
        let (mut sent, mut skipped) = (0, 0);
        for ((number, member), was_full) in members.iter().zip(before) {
            match wish {
                Wish::Publish(_) if *number == publisher => {}
                Wish::Skip(_) if was_full => skipped += 1,
                _ if member.is_open() => {
                    sent += 1;
                    self.guests[*number].due.borrow_mut().push(hash(text.as_bytes()));
                    if waits || member.buffered_amount() >= full {
                        self.guests[*number].full.set(true);
                    }
                }
                _ => {}
            }
        }
        // One whose write has failed is no member here, and still one of those to whom it is to be delivered.
        let reached = published.sent + published.later;
        let broken = (reached < sent || waits) && self.may_break();
        if (reached, published.skipped) != (sent, skipped) && !broken {
            self.fault(format_args!("{published:?}, where {sent} were to get it and {skipped} to be skipped"));
        }
    }

    fn told(&self, socket: &WebSocket, message: Message<'_>) {
        let number = self.of(socket, "message");
        let guest = &self.guests[number];
        guest.told.borrow_mut().push(hash(message.as_bytes()));
        let Message::Text(text) = message else { return };
        let mut words = text.splitn(3, ' ');
        let (wish, serial) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(wish) = wish_of(wish) else { return };
        match wish {
            Wish::Echo => self.send(number, socket, text),
            Wish::Subscribe(topic) => {
                if socket.subscribe(&topic.to_string()) {
                    self.topics.borrow_mut()[topic].insert(number);
                } else if socket.is_open() {
                    self.fault(format_args!("guest {number} cannot subscribe"));
                }
            }
            Wish::Leave(topic) => {
                let had = self.topics.borrow_mut()[topic].remove(&number);
                if socket.unsubscribe(&topic.to_string()) != had && socket.is_open() {
                    self.fault(format_args!("guest {number} left a topic in which it was: {had}"));
                }
            }
            Wish::Publish(topic) | Wish::All(topic) | Wish::Skip(topic) => {
                self.publish(number, socket, wish, topic, text);
            }
            Wish::Burst(count) => {
                for nth in 0..count {
                    let length = 20 + nth * 40;
                    self.send(number, socket, &format!("{serial}.{nth:>length$}"));
                }
            }
            Wish::Ping => socket.ping(b"are you there?"),
            Wish::Pause(millis) => {
                socket.pause();
                let socket = socket.clone();
                set_timeout(millis as u32 * MS, move || socket.resume());
            }
            Wish::Close(code) => socket.close_with(code, "as you wish"),
            Wish::Terminate => {
                guest.cut.set(true);
                socket.terminate();
            }
            Wish::Panic => {
                guest.cut.set(true);
                panic_on_purpose();
            }
        }
    }

    fn closed(&self, socket: &WebSocket, close: &Close<'_>) {
        let number = self.of(socket, close.why.as_str());
        let guest = &self.guests[number];
        guest.closed.set(guest.closed.get() + 1);
        guest.socket.take();
        if socket.is_open() || close.clean != (close.code != 1006) || !socket.topics().is_empty() {
            self.fault(format_args!("guest {number}: {close:?} of a socket that is open: {}", socket.is_open()));
        }
        *guest.end.borrow_mut() =
            Some(End { code: close.code, clean: close.clean, by_peer: close.by_peer, why: close.why });
    }

    // ---- What has to be so

    /// Who has gone was noticed; who is there stays.
    pub fn check_waits(&self) {
        let Some(endpoint) = self.endpoint.borrow().clone() else { return };
        let open = self.guests.iter().filter(|guest| guest.opened.get() > guest.closed.get()).count();
        if endpoint.len() != open {
            self.fault(format_args!("{} sockets are listed, and {open} are open", endpoint.len()));
        }
        for (number, guest) in self.guests.iter().enumerate().filter(|(_, guest)| guest.opened.get() == 1) {
            let gone = guest.peer.borrow().as_ref().is_none_or(|peer| peer.peer().is_closed());
            if gone && guest.closed.get() == 0 {
                self.fault(format_args!("guest {number} has gone, and its socket does not know"));
            }
        }
    }

    pub fn check(&self) {
        if self.endpoint.borrow().as_ref().is_some_and(|endpoint| !endpoint.is_empty()) {
            self.fault("the endpoint has sockets at the end");
        }
        for (number, guest) in self.guests.iter().enumerate() {
            self.check_guest(number, guest);
        }
    }

    fn check_guest(&self, number: usize, guest: &Guest) {
        let fault = |text: &dyn Display| self.fault(format_args!("guest {number}: {text}"));
        if guest.opened.get() != guest.closed.get() || guest.opened.get() > 1 {
            fault(&format!("opened {} times, closed {} times", guest.opened.get(), guest.closed.get()));
        }
        let Some(peer) = guest.peer.borrow().clone() else { return };
        let (mut received, mut closes) = (Vec::new(), Vec::new());
        for one in peer.take() {
            if !closes.is_empty() {
                fault(&format!("it received {one} after a close frame"));
            }
            match one {
                Received::Text(text) => received.push(hash(text.as_bytes())),
                Received::Close(code, _) => closes.push(code),
                Received::Ping(_) | Received::Pong(_) => {}
                other => fault(&format!("it received {other}")),
            }
        }
        let (due, said, told) = (guest.due.borrow(), guest.said.borrow(), guest.told.borrow());
        if !due.starts_with(&received) {
            fault(&format!(
                "it received {} messages, which are not the first of the {} sent",
                received.len(),
                due.len()
            ));
        }
        // What a wrong frame, or one with others in it, does to the messages around it is for the codec's tests.
        let may_differ = guest.closes.get() && guest.lost.get();
        if !said.starts_with(&told) && !may_differ {
            fault(&format!("{} messages were told, which are not the first of the {} said", told.len(), said.len()));
        }
        let Some(end) = &*guest.end.borrow() else { return };
        // It has answered our close frame, which stands behind everything.
        if end.clean && !end.by_peer && !guest.closes.get() && received.len() != due.len() {
            fault(&format!("{} of {} messages came, and both sides have closed", received.len(), due.len()));
        }
        if end.clean && end.by_peer && !may_differ && told.len() != said.len() {
            fault(&format!("{} of {} messages were told, and the guest has closed", told.len(), said.len()));
        }
        if self.plan.guests[number].good {
            self.check_good(guest, end, received.len(), &fault);
        }
    }

    /// Who does no wrong gets everything, and ends by both close frames.
    fn check_good(&self, guest: &Guest, end: &End, received: usize, fault: &dyn Fn(&dyn Display)) {
        // A slow network may not bring what is pending within the time, or fast enough.
        let by_network = matches!(end.why, CloseReason::Overflow | CloseReason::CloseTimeout);
        if self.plan.loses_calls() || guest.cut.get() || by_network {
            return;
        }
        // A server gives up who has not answered in its time.
        if self.shut.get() && end.why == CloseReason::ServerClosed {
            return;
        }
        if !end.clean {
            fault(&format!("it did no wrong, and its end is {} {}", end.code, end.why));
        } else if received != guest.due.borrow().len() {
            fault(&format!("it did no wrong, and received {received} of {} messages", guest.due.borrow().len()));
        }
    }
}

/// Has the endpoint do what guests wish.
pub fn attach(hall: &Rc<Hall>, endpoint: &Endpoint) {
    let here = hall.clone();
    endpoint.on_open(move |socket, req| {
        let number = req.path().rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0_usize);
        let guest = &here.guests[number];
        guest.opened.set(guest.opened.get() + 1);
        socket.set_data(number);
        *guest.socket.borrow_mut() = Some(socket.clone());
        here.event("open", number);
        here.send(number, socket, &format!("welcome {number}"));
    });
    let here = hall.clone();
    endpoint.on_message(move |socket, message| here.told(socket, message));
    let here = hall.clone();
    endpoint.on_pong(move |socket, _| _ = here.of(socket, "pong"));
    let here = hall.clone();
    endpoint.on_drain(move |socket| {
        let number = here.of(socket, "drain");
        // What is delivered later may fill a socket at any time.
        if !here.guests[number].full.replace(false) && here.plan.deliveries.is_none() {
            here.fault(format_args!("guest {number}: drained, and was not full"));
        }
    });
    let here = hall.clone();
    endpoint.on_close(move |socket, close| here.closed(socket, close));
}

/// What happens when.
pub fn schedule(hall: &Rc<Hall>, sim: &Rc<Sim>) {
    for (number, guest) in hall.plan.guests.iter().enumerate() {
        let (here, weak) = (hall.clone(), Rc::downgrade(sim));
        sim.at(guest.at as u32 * MS, move || {
            if let Some(sim) = weak.upgrade() {
                here.come(&sim, number);
            }
        });
        for (at, act) in &guest.acts {
            let (here, act) = (hall.clone(), act.clone());
            sim.at((guest.at + at) as u32 * MS, move || here.act(number, &act));
        }
    }
    for (when, time) in &hall.plan.stops {
        let (weak, time) = (Rc::downgrade(sim), *time as u32 * MS);
        sim.at(*when as u32 * MS, move || {
            if let Some(sim) = weak.upgrade() {
                sim.stop(time);
            }
        });
    }
    for fault in &hall.plan.calls {
        let (weak, after, kind) = (Rc::downgrade(sim), fault.after, fault.kind);
        sim.at(fault.at as u32 * MS, move || {
            if let Some(sim) = weak.upgrade() {
                sim.fail_call(after, kind);
            }
        });
    }
}
