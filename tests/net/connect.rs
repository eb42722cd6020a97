//! Outgoing connections: look-up, addresses in turn, failures and their reasons, the timeout.

use crate::support::bytes::pattern;
use crate::support::net::*;
use oneloop::event_loop::metrics;
use oneloop::net::{self, Flow, Socket, Target};
use oneloop::sim::{Network, Sim};
use std::cell::Cell;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;

const PORT: u16 = 7777;

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// Connects and records what happens, the message of an error included.
fn connect(to: impl Into<Target>) -> (Socket, Record) {
    let record = Record::default();
    let log = record.clone();
    let socket = net::connect(to, move |_| log.add("connected"));
    record.watch(&socket);
    (socket, record)
}

fn message(socket: &Socket) -> Rc<Cell<String>> {
    let message = Rc::new(Cell::new(String::new()));
    let told = message.clone();
    socket.on_error(move |_, error| told.set(error.to_string()));
    message
}

#[test]
fn a_connection_is_told_from_the_loop_and_what_was_written_before_goes_out_then() {
    let sim = Sim::new();
    sim.set_network(Network { latency: SECOND..=SECOND, ..Network::default() });
    let peer = sim.listen(("127.0.0.1", PORT)).unwrap();
    let (socket, record) = connect(("127.0.0.1", PORT));
    assert!(socket.is_connecting() && !socket.is_closed());
    assert_eq!(socket.remote_addr(), None);
    assert_eq!(socket.write("before "), Flow::Ready);
    assert_eq!(socket.write(pattern(100_000)), Flow::Full);
    assert_eq!(socket.pending(), 100_007);
    sim.advance(SECOND);
    assert!(record.all().is_empty() && socket.is_connecting());
    sim.advance(SECOND);
    assert_eq!(record.all(), ["connected"]);
    assert_eq!(socket.remote_addr().unwrap().port(), Some(PORT));
    sim.advance(10 * SECOND);
    assert_eq!(record.all(), ["connected", "drain"]);
    assert_eq!(peer.accepted()[0].received()[7..], pattern(100_000)[..]);
}

#[test]
fn the_addresses_of_a_name_are_tried_in_turn() {
    let sim = Sim::new();
    sim.set_host("three.example", &[ip(1), ip(2), ip(3)]);
    let peer = sim.listen((ip(3), PORT)).unwrap();
    let (socket, record) = connect(("three.example", PORT));
    socket.end("hello");
    peer.on_accept(|peer| {
        peer.on_close(|peer| peer.close());
    });
    sim.run_to_rest();
    assert_eq!(record.all(), ["connected", "end", "close finished"]);
    assert_eq!(peer.accepted()[0].text(), "hello");
    assert_eq!(sim.open_fds(), 0);
}

#[test]
fn the_last_failure_is_told_when_all_addresses_refuse() {
    let sim = Sim::new();
    sim.set_host("none.example", &[ip(1), ip(2)]);
    let (socket, record) = connect(("none.example", PORT));
    let message = message(&socket);
    assert_eq!(socket.write("never"), Flow::Ready);
    sim.run_to_rest();
    assert_eq!(record.all(), ["error ConnectionRefused", "close connect-failed"]);
    assert!(message.take().contains("10.0.0.2:7777"));
    assert_eq!((socket.remote_addr(), socket.pending(), sim.open_fds()), (None, 0, 0));
}

#[test]
fn an_unknown_name_is_an_error_that_names_it() {
    let sim = Sim::new();
    let (socket, record) = connect(("nowhere.example", PORT));
    let message = message(&socket);
    socket.end("never");
    sim.run_to_rest();
    assert_eq!(record.all(), ["error NotFound", "close connect-failed"]);
    assert!(message.take().contains("nowhere.example"));
    assert_eq!(socket.remote_addr(), None);
}

#[test]
fn nobody_answers_in_time() {
    let sim = Sim::new();
    sim.set_host("slow.example", &[ip(1), ip(2)]);
    sim.set_black_hole(SocketAddr::new(ip(1), PORT));
    let (socket, record) = connect(("slow.example", PORT));
    sim.advance(29 * SECOND);
    assert!(socket.is_connecting() && record.all().is_empty());
    sim.advance(SECOND);
    assert_eq!(record.all(), ["error TimedOut", "close connect-timeout"]);
    let (_socket, record) = connect(Target::from(SocketAddr::new(ip(1), PORT)).timeout(2 * SECOND));
    sim.advance(2 * SECOND);
    assert_eq!(record.all(), ["error TimedOut", "close connect-timeout"]);
    assert_eq!((sim.open_fds(), metrics().timers), (0, 0));
}

#[test]
fn the_timeout_includes_the_look_up() {
    let sim = Sim::new();
    sim.set_worker_latency(60 * SECOND);
    let (_socket, record) = connect(("localhost", PORT));
    sim.advance(30 * SECOND);
    assert_eq!(record.take(), ["error TimedOut", "close connect-timeout"]);
    sim.run_to_rest();
    assert_eq!(record.take(), [""; 0]);
}

#[test]
fn a_connection_in_time_has_no_timeout_any_more() {
    let sim = Sim::new();
    let _peer = sim.listen(("127.0.0.1", PORT)).unwrap();
    let (socket, record) = connect(("localhost", PORT));
    sim.advance(3600 * SECOND);
    assert_eq!(record.all(), ["connected"]);
    assert!(!socket.is_closed());
    assert_eq!(metrics().timers, 0);
}

#[test]
fn destroy_while_connecting() {
    let sim = Sim::new();
    sim.set_host("two.example", &[ip(1), ip(2)]);
    sim.set_black_hole(SocketAddr::new(ip(1), PORT));
    let captured = Rc::new(());
    for (name, after) in [("two.example", 0), ("two.example", 1), ("two.example", 5), ("10.0.0.1", 0), ("10.0.0.1", 1)]
    {
        let (socket, record) = connect((name, PORT));
        let held = captured.clone();
        socket.on_connect(move |_| drop(held.clone()));
        let destroyed = socket.clone();
        oneloop::set_timeout(after * MS, move || destroyed.destroy());
        sim.advance(60 * SECOND);
        assert_eq!(record.all(), ["close destroyed"], "{name} after {after} ms");
        assert_eq!((Rc::strong_count(&captured), sim.open_fds(), metrics().timers), (1, 0, 0));
    }
    let (socket, record) = connect(SocketAddr::new(ip(1), PORT));
    socket.destroy();
    assert!(record.all().is_empty());
    sim.advance(60 * SECOND);
    assert_eq!(record.all(), ["close destroyed"]);
}

#[test]
fn destroy_when_it_is_there() {
    let sim = Sim::new();
    let peer = sim.listen(("127.0.0.1", PORT)).unwrap();
    let record = Record::default();
    let socket = net::connect(("127.0.0.1", PORT), Socket::destroy);
    record.watch(&socket);
    socket.write("lost").ignore();
    sim.settle();
    assert_eq!(record.all(), ["close destroyed"]);
    assert_eq!((peer.accepted()[0].is_closed(), peer.accepted()[0].text().as_str()), (true, ""));
}

#[test]
fn no_descriptor_for_a_connection_is_told_by_the_loop() {
    let sim = Sim::new();
    sim.set_fd_limit(Some(0));
    let (_socket, record) = connect(("127.0.0.1", PORT));
    assert!(record.all().is_empty());
    sim.run_to_rest();
    assert_eq!(record.all().last().map(String::as_str), Some("close connect-failed"));
}

#[test]
fn a_socket_of_ours_talks_to_a_server_of_ours() {
    let sim = Sim::with_seed(5);
    sim.set_network(Network {
        splits: true,
        partial_writes: true,
        read_splits: true,
        latency: MS..=9 * MS,
        buffer: 5000,
    });
    let server = serve(PORT, |socket| socket.pipe(&socket));
    let socket = net::connect(("localhost", PORT), |_| ());
    let received = Rc::new(Cell::new(Vec::new()));
    let into = received.clone();
    socket.on_data(move |_, bytes| {
        let mut all = into.take();
        all.extend_from_slice(bytes);
        into.set(all);
    });
    let reason = reason_of(&socket);
    socket.on_close(move |_, _| server.close(|| ()));
    socket.end(pattern(300_000));
    oneloop::run().unwrap();
    assert!(received.take() == pattern(300_000));
    assert_eq!(reason.get(), Some(net::CloseReason::Finished));
}

// ---- Real sockets

/// A write that waits for the connection must not take the refusal off the socket.
#[test]
fn a_real_refusal_is_told_as_one_whatever_was_written() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for written in ["", "something"] {
        let (socket, record) = connect(("127.0.0.1", port));
        let message = message(&socket);
        socket.end(written);
        run_real();
        assert_eq!(record.all(), ["error ConnectionRefused", "close connect-failed"]);
        assert!(message.take().contains(&format!("127.0.0.1:{port}")));
    }
}

#[test]
fn a_real_name_is_looked_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let (socket, record) = connect(("localhost", port));
    socket.end("by name");
    run_real();
    assert_eq!(record.all(), ["connected", "end", "close finished"]);
    assert_eq!(thread.join().unwrap(), "by name");
}

#[cfg(unix)]
#[test]
fn a_path_where_nobody_listens() {
    let path = std::env::temp_dir().join(format!("oneloop-nobody-{}", std::process::id()));
    let (socket, record) = connect(path.as_path());
    let message = message(&socket);
    run_real();
    assert_eq!(record.all(), ["error NotFound", "close connect-failed"]);
    assert!(message.take().contains("oneloop-nobody"));
}
