//! Another protocol takes a connection over from HTTP.

use crate::event_loop::{Time, set_timeout};
use crate::http::{self, Response};
use crate::net::{CloseReason, HandedOver, Protocol, SendLimits, SendWatch, Stream};
use crate::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const OFFER: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: lines\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines\r\nConnection: upgrade\r\n\r\n";

/// A protocol beside `Socket` that takes a connection over from HTTP: it answers each whole line, and leaves the rest of the input
/// with the stream, as WebSocket leaves a part of a frame.
#[derive(Default)]
struct Lines {
    /// What it was called with.
    calls: RefCell<Vec<String>>,
    sending: RefCell<Option<(SendWatch, SendLimits)>>,
}

impl Lines {
    fn accept(self: &Rc<Self>, res: &Response) -> Rc<Stream> {
        let HandedOver { stream, sending } = res.switch_to("lines", self.clone()).unwrap();
        assert!(self.calls.borrow().is_empty(), "it is not called within the call");
        *self.sending.borrow_mut() = Some((SendWatch::default(), sending));
        stream
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.borrow_mut().push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }
}

impl Protocol for Lines {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.note(format!("data {}", String::from_utf8_lossy(bytes)));
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes[..whole].make_ascii_uppercase();
        stream.write((&bytes[..whole]).into(), usize::MAX).ignore();
        whole
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.note("eof");
        stream.end();
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        if stream.is_eof() {
            self.eof(stream);
        }
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, _pending: usize) {
        if let Some((watch, _)) = &mut *self.sending.borrow_mut() {
            watch.note(stream, stream.cx().lp.now());
        }
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        if let Some((watch, limits)) = &mut *self.sending.borrow_mut() {
            watch.start(stream, limits, stream.cx().lp.now());
        }
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.seen_until();
        if let Some((watch, limits)) = &mut *self.sending.borrow_mut() {
            match watch.check(stream, limits, now) {
                Ok(Time::MAX) => {}
                Ok(next) => stream.need_due(next),
                Err(reason) => stream.destroy(reason),
            }
        }
    }

    fn close(self: Rc<Self>, _: &Rc<Stream>, reason: CloseReason, _: Option<&io::Error>) {
        self.note(format!("close {reason}"));
    }
}

/// A server that gives its connection to `Lines` after a time; zero: in the handler.
fn serve(after: Duration) -> (Sim, Rc<Lines>, Peer) {
    let sim = Sim::new();
    let lines = Rc::new(Lines::default());
    let taking = lines.clone();
    let server = http::create_server(move |req, res| {
        let taking = taking.clone();
        match (req.header("upgrade"), after) {
            (None, _) => res.end(vec![b'x'; 30_000]),
            (_, Duration::ZERO) => _ = taking.accept(&res),
            _ => _ = set_timeout(after, move || _ = taking.accept(&res)),
        }
    });
    server.listen(80, ()).unwrap();
    let peer = sim.connect(80);
    (sim, lines, peer)
}

#[test]
fn a_protocol_gets_the_input_behind_the_request_from_where_it_stands() {
    let (sim, lines, peer) = serve(Duration::ZERO);
    peer.write(OFFER.to_owned() + "one\ntwo");
    sim.settle();
    assert_eq!(peer.text(), ACCEPTED.to_owned() + "ONE\n");
    peer.write(" more\n");
    peer.finish();
    sim.settle();
    assert_eq!(peer.text(), ACCEPTED.to_owned() + "ONE\nTWO MORE\n");
    // The second call is that of the turn which the hand-over has asked for.
    assert_eq!(lines.calls(), ["data one\ntwo", "data two", "data two more\n", "eof", "close finished"]);
}

#[test]
fn a_protocol_that_comes_later_gets_the_held_input_and_the_end_that_was_told_already() {
    for end in [false, true] {
        let (sim, lines, peer) = serve(SECOND / 2);
        peer.write_each_byte_every(OFFER.to_owned() + "one\ntwo\n", Duration::from_millis(1));
        sim.advance(SECOND / 4);
        if end {
            peer.finish();
        }
        sim.advance(SECOND);
        assert_eq!(peer.text(), ACCEPTED.to_owned() + "ONE\nTWO\n");
        let all = ["data one\ntwo\n", "eof", "close finished"];
        assert_eq!(lines.calls(), all[..if end { 3 } else { 1 }]);
    }
}

#[test]
fn a_protocol_gets_no_connection_that_has_gone_and_is_not_called() {
    let gone = Rc::new(Cell::new(false));
    let (sim, lines) = (Sim::new(), Rc::new(Lines::default()));
    let (taking, told) = (lines.clone(), gone.clone());
    let server = http::create_server(move |_, res| {
        let (taking, told) = (taking.clone(), told.clone());
        set_timeout(SECOND, move || told.set(res.switch_to("lines", taking).is_none()));
    });
    server.listen(80, ()).unwrap();
    let peer = sim.connect(80);
    peer.write(OFFER);
    sim.settle();
    peer.reset();
    sim.advance(2 * SECOND);
    assert!(gone.get() && lines.calls().is_empty() && Rc::strong_count(&lines) == 2);
}

#[test]
fn a_protocol_owns_the_deadlines_of_output_that_was_pending_before_it_came() {
    let (sim, lines, peer) = serve(Duration::ZERO);
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let peer = {
        drop(peer);
        sim.connect(80)
    };
    peer.pause_reading();
    peer.write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned() + OFFER);
    sim.advance(50 * SECOND);
    assert!(lines.calls().is_empty());
    sim.advance(20 * SECOND);
    assert_eq!(lines.calls(), ["close write-stall"]);
}
