//! Errors at every point: a conversation is repeated with a reset after each byte that its client sends, at many places of what
//! it receives (at more of them with `EVERY_SPLIT=1`), and with each system call of the server failing. Nothing is left over,
//! nobody else notices, and what did arrive is what would have arrived.

use crate::support::http::{self as support, MS, PORT, SECOND, get, post};
use oneloop::event_loop::metrics;
use oneloop::http::{Request, Response, Server};
use oneloop::net::{CloseReason, Socket};
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

/// Each way in which a conversation's client talks, and the bytes that it sends so long after the ones before.
struct Conversation {
    name: &'static str,
    sends: Vec<(Duration, Vec<u8>)>,
    /// Bytes that the client reads in a millisecond; 0: as they come.
    reads: usize,
    /// Its side ends when all is sent.
    finishes: bool,
    buffer: usize,
}

fn conversation(name: &'static str, sends: &[&str]) -> Conversation {
    let sends = sends.iter().map(|bytes| (10 * MS, bytes.as_bytes().to_vec())).collect();
    Conversation { name, sends, reads: 0, finishes: false, buffer: Network::default().buffer }
}

const CHUNKED: &str = "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const EXPECTING: &str = "POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
const UPGRADE: &str = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\nfirst";

fn conversations() -> Vec<Conversation> {
    let kept_alive = [&get("/now"), CHUNKED, "4;e\r\nfour\r\n0\r\nT: t\r\n\r\n", &get("/chunks"), &get("/later")];
    let pipelined = [get("/later"), get("/now"), post("/body", "body"), get("/chunks"), get("/last")].concat();
    let mut all = vec![
        conversation("kept alive", &kept_alive),
        conversation("pipelined", &[&pipelined]),
        conversation("echo", &["POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "one", "two", "six"]),
        conversation("continue", &[EXPECTING, "body"]),
        conversation("upgrade", &[UPGRADE, " second", " third"]),
        conversation("refused", &[&(post("/refuse", &"x".repeat(60))), "and more", &get("/never")]),
        conversation("bad", &[&(get("/now") + "nonsense\r\n\r\n"), "and more"]),
        conversation("half-closed", &[&(get("/later") + &get("/chunks"))]),
        conversation("large", &[&(get("/large") + &get("/now"))]),
    ];
    for one in &mut all {
        one.finishes = one.name == "half-closed";
        if one.name == "large" {
            (one.reads, one.buffer) = (100, 900);
        }
    }
    all
}

impl Conversation {
    fn length(&self) -> usize {
        self.sends.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// What became of the exchanges, and whether anything that belonged to one lives on.
#[derive(Clone, Default)]
struct Watch {
    alive: Rc<()>,
    closed: Rc<RefCell<Vec<(Cell<u32>, Cell<u32>)>>>,
}

impl Watch {
    fn watch(&self, req: &Request, res: &Response) {
        let number = self.closed.borrow().len();
        self.closed.borrow_mut().push(Default::default());
        let (all, mine) = (self.closed.clone(), self.alive.clone());
        req.on_close(move |_, _| {
            let _ = &mine;
            let (req, _) = &all.borrow()[number];
            req.set(req.get() + 1);
        });
        // A closure that captures its own handle, as they do.
        let (all, own, mine) = (self.closed.clone(), res.clone(), self.alive.clone());
        res.on_close(move |_, _| {
            let _ = (&own, &mine);
            let (_, res) = &all.borrow()[number];
            res.set(res.get() + 1);
        });
    }

    fn behave(&self, req: Request, res: Response) {
        self.watch(&req, &res);
        let mine = self.alive.clone();
        match req.path() {
            "/later" => drop(set_timeout(5 * MS, move || (drop(mine), res.end("later")).1)),
            "/chunks" => {
                res.write("one").ignore();
                let more = res.clone();
                set_timeout(2 * MS, move || more.write("two").ignore());
                set_timeout(4 * MS, move || (drop(mine), res.end("three")).1);
            }
            "/body" => req.read_body(100, move |body| {
                let _ = &mine;
                res.end(body.unwrap_or_default());
            }),
            "/echo" => req.pipe(&res),
            "/large" => res.end(vec![b'x'; 6_000]),
            "/refuse" => res.set_status(413).end("no"),
            "/last" => {
                res.set_header("Connection", "close");
                res.end("last");
            }
            path => res.end(path),
        }
    }

    fn upgrade(&self, socket: Socket, rest: Vec<u8>) {
        let (mine, own) = (self.alive.clone(), socket.clone());
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n").ignore();
        socket.write(rest.to_ascii_uppercase()).ignore();
        socket.on_data(move |socket, bytes| {
            let _ = (&mine, &own);
            socket.write(bytes.to_ascii_uppercase()).ignore();
        });
    }
}

/// A server in its world, and what it must be in when everybody has gone.
struct World {
    sim: Sim,
    server: Server,
    watch: Watch,
}

impl World {
    fn new(conversation: &Conversation) -> World {
        let watch = Watch::default();
        let (handler, upgrades) = (watch.clone(), watch.clone());
        let (sim, server) = support::serve(move |req, res| handler.behave(req, res));
        sim.set_network(Network { buffer: conversation.buffer, ..Network::default() });
        server.on_upgrade(move |_, socket, rest| upgrades.upgrade(socket, rest));
        World { sim, server, watch }
    }

    /// A client that holds this conversation, up to so many bytes that it sends.
    fn client(&self, conversation: &Conversation, up_to: usize) -> Peer {
        let peer = self.sim.connect(PORT);
        if conversation.reads > 0 {
            peer.read_at_rate(conversation.reads, MS);
        }
        let (mut after, mut left) = (Duration::ZERO, up_to);
        for (pause, bytes) in &conversation.sends {
            let bytes = bytes[..bytes.len().min(left)].to_vec();
            left -= bytes.len();
            let writer = peer.clone();
            self.sim.at(after, move || writer.write(bytes));
            after += *pause;
        }
        if conversation.finishes {
            let ender = peer.clone();
            self.sim.at(after, move || ender.finish());
        }
        peer
    }

    /// All that takes longer than this is a deadline.
    fn talk(&self) {
        self.sim.advance(2 * SECOND);
    }

    /// The peer is gone, or goes now: nothing of it is left, and the next one is served.
    #[track_caller]
    fn end(self, peer: &Peer, case: &str) {
        peer.close();
        let next = self.sim.connect(PORT);
        next.write(get("/now"));
        self.sim.advance(SECOND);
        assert!(next.text().ends_with("/now"), "{case}: the next one got {:?}", next.text());
        next.close();
        self.sim.advance(100 * SECOND);
        assert_eq!((self.server.connections(), self.sim.open_fds()), (0, 1), "{case}");
        assert_eq!((metrics().connections, metrics().buffered), (0, 0), "{case}");
        assert!(self.server.open_exchanges().is_empty(), "{case}");
        let closed: Vec<_> = self.watch.closed.borrow().iter().map(|(req, res)| (req.get(), res.get())).collect();
        assert!(closed.iter().all(|counts| *counts == (1, 1)), "{case}: told of their close {closed:?}");
        // This one, and those of the two listeners of the server.
        assert_eq!(Rc::strong_count(&self.watch.alive), 3, "{case}: something is leaked");
    }
}

/// What the client receives where nothing goes wrong, and the calls that this takes.
fn undisturbed(conversation: &Conversation) -> (Vec<u8>, u64) {
    let world = World::new(conversation);
    let peer = world.client(conversation, usize::MAX);
    world.talk();
    let (received, calls) = (peer.received(), world.sim.calls());
    assert!(!peer.was_reset(), "{}", conversation.name);
    world.end(&peer, conversation.name);
    (received, calls)
}

#[test]
fn conversations_are_what_they_should_be() {
    let said = [
        ("kept alive", vec!["/now", "four", "one", "two", "three", "later"]),
        ("pipelined", vec!["later", "/now", "body", "one", "two", "three", "last"]),
        ("echo", vec!["one", "two", "six"]),
        ("continue", vec!["100 Continue", "body"]),
        ("upgrade", vec!["101 Switching", "FIRST", "SECOND", "THIRD"]),
        ("refused", vec![" 413 ", "no"]),
        ("bad", vec!["/now", " 400 "]),
        ("half-closed", vec!["later", "three"]),
        ("large", vec!["xxxxxx", "/now"]),
    ];
    for (conversation, (name, parts)) in conversations().iter().zip(said) {
        let (received, _) = undisturbed(conversation);
        let text = String::from_utf8(received).unwrap();
        let mut rest = &text[..];
        for part in parts {
            let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{name}: no {part:?} in {text:?}"));
            rest = after;
        }
        assert_eq!(conversation.name, name);
    }
}

/// Who goes, and how.
#[derive(Clone, Copy, Debug)]
enum Gone {
    Reset,
    Closed,
    /// It stays, but says nothing more.
    HalfClosed,
}

#[test]
fn a_client_may_go_after_each_byte_that_it_sends() {
    for conversation in conversations() {
        let (whole, _) = undisturbed(&conversation);
        for sent in 0..=conversation.length() {
            for how in [Gone::Reset, Gone::Closed, Gone::HalfClosed] {
                let case = format!("{}, {sent} bytes sent, then {how:?}", conversation.name);
                let world = World::new(&conversation);
                let peer = world.client(&conversation, sent);
                // Before what is answered later is answered, where there is any.
                world
                    .sim
                    .advance(conversation.sends.iter().map(|(pause, _)| *pause).sum::<Duration>() - 10 * MS + MS / 2);
                match how {
                    Gone::Reset => peer.reset(),
                    Gone::Closed => peer.close(),
                    Gone::HalfClosed => peer.finish(),
                }
                world.talk();
                // What is echoed has the chunks that it came in.
                let expected = if conversation.name == "echo" { &whole[..80] } else { &whole };
                let received = peer.received();
                assert!(
                    expected.starts_with(&received[..received.len().min(expected.len())]),
                    "{case}: {:?}",
                    peer.text()
                );
                world.end(&peer, &case);
            }
        }
    }
}

#[test]
fn a_client_may_go_wherever_it_is_in_what_it_receives() {
    for mut conversation in conversations() {
        let (whole, _) = undisturbed(&conversation);
        // One byte at a time in a network that holds few: the server is midway through its writes.
        (conversation.reads, conversation.buffer) = (1, 600);
        let places = if std::env::var_os("EVERY_SPLIT").is_some() { 150 } else { 40 };
        let step = whole.len().div_ceil(places);
        for received in (0..whole.len()).step_by(step) {
            for how in [Gone::Reset, Gone::Closed] {
                let case = format!("{}, {received} bytes received, then {how:?}", conversation.name);
                let world = World::new(&conversation);
                let peer = world.client(&conversation, usize::MAX);
                let count = Cell::new(0);
                peer.on_data(move |peer, bytes| {
                    count.set(count.get() + bytes.len());
                    if count.get() >= received {
                        match how {
                            Gone::Reset => peer.reset(),
                            _ => peer.close(),
                        }
                    }
                });
                world.talk();
                assert!(whole.starts_with(&peer.received()), "{case}: {:?}", peer.text());
                world.end(&peer, &case);
            }
        }
    }
}

#[test]
fn each_system_call_may_fail() {
    let kinds = [
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionAborted,
        ErrorKind::TimedOut,
        ErrorKind::HostUnreachable,
        ErrorKind::Other,
    ];
    for conversation in conversations() {
        let (whole, calls) = undisturbed(&conversation);
        assert!(calls > 4, "{}: {calls}", conversation.name);
        for failing in 0..calls {
            for kind in kinds {
                let case = format!("{}, call {failing} fails: {kind:?}", conversation.name);
                let world = World::new(&conversation);
                world.sim.fail_call(failing, kind);
                let peer = world.client(&conversation, usize::MAX);
                world.talk();
                assert!(whole.starts_with(&peer.received()), "{case}: {:?}", peer.text());
                world.end(&peer, &case);
            }
        }
    }
}

#[test]
fn a_system_call_that_a_signal_interrupts_is_made_again() {
    for conversation in conversations() {
        let (whole, calls) = undisturbed(&conversation);
        for failing in 0..calls {
            let case = format!("{}, call {failing} is interrupted", conversation.name);
            let world = World::new(&conversation);
            world.sim.fail_call(failing, ErrorKind::Interrupted);
            let peer = world.client(&conversation, usize::MAX);
            world.talk();
            assert_eq!((peer.text(), peer.was_reset()), (String::from_utf8(whole.clone()).unwrap(), false), "{case}");
            world.end(&peer, &case);
        }
    }
}

/// A connection that fails while it is accepted costs no other one.
#[test]
fn an_accept_that_fails_takes_nobody_else_along() {
    let kinds = [
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionReset,
        ErrorKind::TimedOut,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
        ErrorKind::PermissionDenied,
    ];
    for kind in kinds {
        let (sim, server) = support::serve(|_req, res| res.end("served"));
        sim.settle();
        let peers: Vec<_> = (0..5).map(|_| sim.connect(PORT)).collect();
        peers.iter().for_each(|peer| peer.write(get("/")));
        sim.fail_call(2, kind);
        sim.settle();
        let served: Vec<_> = peers.iter().map(|peer| peer.text().ends_with("served")).collect();
        let lost = served.iter().filter(|served| !**served).count();
        assert_eq!((lost, server.connections()), (1, 4), "{kind:?}: {served:?}");
    }
}

#[test]
fn what_fails_is_told_with_its_reason() {
    for (kind, reason) in [
        (ErrorKind::ConnectionReset, CloseReason::Reset),
        (ErrorKind::BrokenPipe, CloseReason::Reset),
        (ErrorKind::ConnectionAborted, CloseReason::Reset),
        (ErrorKind::TimedOut, CloseReason::Failed),
        (ErrorKind::HostUnreachable, CloseReason::Failed),
    ] {
        // The read of the request, and the write of its answer.
        for call in 0..2 {
            let told = support::Kept::default();
            let tell = told.clone();
            let (sim, server) = support::serve(move |req: Request, res: Response| {
                let (tell, also) = (tell.clone(), tell.clone());
                req.on_close(move |_, reason| tell.put(reason));
                res.on_close(move |_, reason| also.put(reason));
                res.end("hi");
            });
            let peer = sim.connect(PORT);
            sim.settle();
            sim.fail_call(call, kind);
            peer.write(get("/"));
            sim.settle();
            let told: Vec<_> = (0..told.len()).map(|_| told.take()).collect();
            let expected = if call == 0 { vec![] } else { vec![reason; 2] };
            assert_eq!(told, expected, "{kind:?} of call {call}");
            assert_eq!((metrics().closes, server.connections()), (vec![(reason.as_str(), 1)], 0), "{kind:?}");
            assert!(peer.was_reset());
        }
    }
}
