//! Handshakes: whole, cut at every byte, in single bytes, silent, too many at once.

use crate::relay::*;
use crate::support::net::Record;
use oneloop::event_loop::{RecordingSize, recording, start_recording};
use oneloop::net::{CloseReason, Socket};
use oneloop::sim::{Network, Sim};
use oneloop::tls::{self, Context, Protocol};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A server that greets, and says back what it hears.
fn echo(context: Context) -> oneloop::net::Server {
    let server = tls::create_server(context, |socket| {
        socket.write("hello ").ignore();
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    server.listen(SERVER, ()).unwrap();
    server
}

/// What a client hears, and how it ended.
struct Heard {
    socket: Socket,
    bytes: Rc<RefCell<Vec<u8>>>,
    error: Rc<RefCell<String>>,
    record: Record,
}

fn connect(port: u16, client: &tls::Client) -> Heard {
    let (bytes, error) = (Rc::<RefCell<Vec<u8>>>::default(), Rc::<RefCell<String>>::default());
    let socket = tls::connect((NAME, port), client, |socket| socket.write("and ").ignore());
    let record = Record::default();
    let (heard, told) = (bytes.clone(), error.clone());
    socket.on_data(move |_, bytes| heard.borrow_mut().extend_from_slice(bytes));
    socket.on_error(move |_, error| *told.borrow_mut() = error.to_string());
    record.watch_all_but_data(&socket);
    Heard { socket, bytes, error, record }
}

#[test]
fn both_sides_speak_and_what_was_written_before_waits_for_the_handshake() {
    let sim = Sim::new();
    let server = echo(context());
    let heard = connect(SERVER, &client());
    assert!(heard.socket.is_secure() && heard.socket.tls().is_none());
    heard.socket.write("early ").ignore();
    sim.settle();
    assert_eq!(*heard.bytes.borrow(), b"hello early and ");
    let info = heard.socket.tls().unwrap();
    assert_eq!(info.protocol(), Protocol::Tls13);
    assert!(!info.is_resumed() && info.peer_certificates().len() == 1);
    assert_eq!(heard.socket.pending(), 0);
    heard.socket.end("bye");
    sim.settle();
    assert_eq!(*heard.bytes.borrow(), b"hello early and bye");
    assert_eq!(heard.record.all().last().unwrap(), "close finished");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_handshake_in_single_bytes_is_as_good() {
    let sim = Rc::new(Sim::new());
    let (_server, relay) = (echo(context()), Relay::new(&sim));
    relay.go_bytewise();
    let heard = connect(RELAY, &client());
    sim.settle();
    assert_eq!(*heard.bytes.borrow(), b"hello and ");
    let sim = Rc::new(Sim::with_seed(7));
    sim.set_network(Network { read_splits: true, partial_writes: true, buffer: 100, ..Network::default() });
    let _server = echo(context());
    let heard = connect(SERVER, &client());
    heard.socket.write(vec![b'x'; 100_000]).ignore();
    sim.advance(Duration::from_secs(5));
    assert_eq!(heard.bytes.borrow().len(), 6 + 100_000 + 4);
}

#[test]
fn a_handshake_that_is_cut_at_any_byte_ends_both_sides_and_says_why() {
    let sim = Rc::new(Sim::new());
    let (_server, relay) = (echo(context()), Relay::new(&sim));
    connect(RELAY, &client());
    sim.settle();
    let whole = [relay.seen(0).len(), relay.seen(1).len()];
    for side in [0, 1] {
        // The signatures differ by some bytes from one handshake to the next.
        let last = if side == 0 { whole[0] - 40 } else { whole[1] - 300 };
        for cut in (0..last).step_by(if side == 0 { 1 } else { 3 }) {
            let sim = Rc::new(Sim::new());
            let failed = Rc::new(Cell::new(0));
            let (server, relay) = (echo(context()), Relay::new(&sim));
            let count = failed.clone();
            server.on_tls_error(move |_| count.set(count.get() + 1));
            relay.cut_after(side, cut);
            let heard = connect(RELAY, &client());
            sim.advance(Duration::from_secs(12));
            assert!(heard.socket.is_closed(), "{side} {cut}");
            assert!(!heard.error.borrow().is_empty(), "{side} {cut} {:?}", heard.record.all());
            relay.end(0).close();
            relay.end(1).close();
            sim.advance(Duration::from_secs(2));
            assert_eq!(server.connections(), 0, "{side} {cut}");
        }
    }
}

#[test]
fn a_silent_peer_is_closed_after_10_s() {
    let sim = Sim::new();
    let server = echo(context());
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    server.on_tls_error(move |error| *telling.borrow_mut() = format!("{} {}", error.reason, error.message));
    let peer = sim.connect(SERVER);
    sim.advance(Duration::from_millis(9_900));
    assert!(!peer.is_closed() && server.connections() == 1);
    sim.advance(Duration::from_millis(700));
    assert!(peer.is_closed());
    assert_eq!(*told.borrow(), "handshake-timeout the TLS handshake was not over in time");
    assert_eq!(server.connections(), 0);
    // A client whose server is silent does the same.
    let _silent = sim.listen((NAME, 9)).unwrap();
    let heard = connect(9, &client());
    sim.advance(Duration::from_secs(11));
    assert_eq!(heard.record.all().last().unwrap(), "close handshake-timeout");
}

#[test]
fn a_peer_that_never_reads_our_flight_is_closed_in_time_and_the_loop_sleeps_meanwhile() {
    let sim = Rc::new(Sim::new());
    sim.set_network(Network { buffer: 600, ..Network::default() });
    let (server, relay) = (echo(context()), Relay::new(&sim));
    let _heard = connect(RELAY, &client());
    sim.run_until(|| !relay.seen(0).is_empty(), Duration::from_secs(1));
    relay.end(1).pause_reading();
    sim.advance(Duration::from_secs(1));
    let calls = sim.calls();
    sim.advance(Duration::from_secs(7));
    assert!(sim.calls() - calls < 20, "{} calls", sim.calls() - calls);
    sim.advance(Duration::from_secs(4));
    assert_eq!(server.connections(), 0);
}

#[test]
fn many_handshakes_at_once_wait_in_a_line_that_costs_the_others_nothing() {
    const MANY: usize = 100;
    let sim = Sim::new();
    let _server = echo(context());
    let client = client();
    let secure = Rc::new(Cell::new(0));
    let sockets: Vec<_> = (0..MANY)
        .map(|_| {
            let counted = secure.clone();
            let socket = tls::connect((NAME, SERVER), &client, move |_| counted.set(counted.get() + 1));
            socket.on_data(|_, _| ());
            socket
        })
        .collect();
    start_recording(RecordingSize::default());
    let before = Cell::new(0);
    let each = || {
        let done = secure.get() - before.replace(secure.get());
        assert!(done <= 8, "{done} in one iteration");
        secure.get() == MANY
    };
    assert!(sim.run_until(each, Duration::from_secs(5)));
    sim.settle();
    assert!(sockets.iter().all(|socket| socket.bytes_read() == 6));
    // Three steps of each connection, both sides together, and what else there is to do for it. A turn in each iteration of each that
    // waits would make thousands.
    let turns: usize = recording(0).unwrap().iterations.iter().map(|iteration| iteration.turns.len()).sum();
    assert!(turns < 16 * MANY, "{turns} turns");
}

#[test]
fn a_client_that_comes_back_resumes_its_session() {
    let sim = Sim::new();
    let _server = echo(context());
    let client = client();
    let first = connect(SERVER, &client);
    sim.settle();
    assert!(!first.socket.tls().unwrap().is_resumed());
    let second = connect(SERVER, &client);
    sim.settle();
    assert!(second.socket.tls().unwrap().is_resumed());
}

#[test]
fn a_socket_that_ends_before_its_handshake_is_over_ends_after_it() {
    let sim = Sim::new();
    let heard_by_server = Rc::<RefCell<Vec<u8>>>::default();
    let heard = heard_by_server.clone();
    let server = tls::create_server(context(), move |socket| {
        let heard = heard.clone();
        socket.on_data(move |_, bytes| heard.borrow_mut().extend_from_slice(bytes));
    });
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, SERVER), &client(), |_| ());
    let reason = Rc::new(Cell::new(None));
    let told = reason.clone();
    socket.on_close(move |_, reason| told.set(Some(reason)));
    socket.end("all at once");
    sim.settle();
    assert_eq!(*heard_by_server.borrow(), b"all at once");
    assert_eq!(reason.get(), Some(CloseReason::Finished));
}
