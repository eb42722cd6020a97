//! Outgoing connections to names with several addresses (RFC 8305), and their look-ups.

use crate::support::net::*;
use oneloop::net::{self, Socket, Target};
use oneloop::sim::{Network, Sim};
use std::cell::RefCell;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;

const PORT: u16 = 7777;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), PORT)
}

/// A world in which a host has these addresses, of which the last one alone answers.
fn world(addresses: &[&str]) -> Sim {
    let sim = Sim::new();
    let addresses: Vec<_> = addresses.iter().map(|text| ip(text)).collect();
    sim.set_host("host.example", &addresses);
    sim
}

/// What happens to a connection, with the virtual time and the whole error.
fn connect(sim: &Rc<Sim>, to: impl Into<Target>) -> (Socket, Record) {
    let record = Record::default();
    let (log, clock) = (record.clone(), sim.clone());
    let socket = net::connect(to, move |socket| {
        let peer = socket.remote_addr().unwrap();
        log.add(format!("{:?}: connected to {peer}", clock.now()));
    });
    let (log, clock) = (record.clone(), sim.clone());
    socket.on_error(move |_, error| log.add(format!("{:?}: {:?}: {error}", clock.now(), error.kind())));
    let log = record.clone();
    socket.on_close(move |_, reason| log.add(reason));
    (socket, record)
}

#[test]
fn an_address_that_swallows_packets_costs_a_quarter_of_a_second() {
    let sim = Rc::new(world(&["2001:db8::1", "192.0.2.1"]));
    sim.set_black_hole(at("2001:db8::1"));
    let server = sim.listen((ip("192.0.2.1"), PORT)).unwrap();
    let (socket, record) = connect(&sim, ("host.example", PORT));
    socket.write("hello").ignore();
    sim.advance(SECOND);
    assert_eq!(record.all(), ["251ms: connected to 192.0.2.1:7777"]);
    assert_eq!(server.accepted()[0].text(), "hello");
    // The attempt that lost is closed: the program has its own socket only.
    assert_eq!(sim.open_fds(), 1);
    assert_eq!(oneloop::metrics().connections, 1);
}

#[test]
fn the_delay_between_attempts_can_be_set() {
    let sim = Rc::new(world(&["192.0.2.1", "192.0.2.2"]));
    sim.set_black_hole(at("192.0.2.1"));
    let _server = sim.listen((ip("192.0.2.2"), PORT)).unwrap();
    let target = || Target::from(("host.example", PORT));
    let (_socket, record) = connect(&sim, target().attempt_delay(2 * SECOND));
    let (_socket, least) = connect(&sim, target().attempt_delay(MS));
    sim.advance(5 * SECOND);
    assert_eq!(record.all(), ["2.001s: connected to 192.0.2.2:7777"]);
    assert_eq!(least.all(), ["11ms: connected to 192.0.2.2:7777"]);
}

#[test]
fn an_attempt_that_fails_is_followed_by_the_next_at_once() {
    let sim = Rc::new(world(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]));
    let _server = sim.listen((ip("192.0.2.4"), PORT)).unwrap();
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(SECOND);
    assert_eq!(record.all(), ["1ms: connected to 192.0.2.4:7777"]);
}

/// A slow address wins where the ones tried after it fail: it was never given up.
#[test]
fn an_attempt_is_not_given_up_for_the_next() {
    let sim = Rc::new(world(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]));
    sim.set_black_hole(at("192.0.2.2"));
    sim.set_network(Network { latency: 2 * SECOND..=2 * SECOND, ..Network::default() });
    let server = sim.listen((ip("192.0.2.1"), PORT)).unwrap();
    let (socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(2 * SECOND);
    assert!(socket.is_connecting());
    assert_eq!(sim.open_fds(), 3);
    sim.advance(20 * SECOND);
    assert_eq!(record.all(), ["4.001s: connected to 192.0.2.1:7777"]);
    assert_eq!((server.accepted().len(), sim.open_fds()), (1, 1));
}

#[test]
fn when_all_addresses_fail_one_error_names_each() {
    let sim = Rc::new(world(&["2001:db8::1", "2001:db8::2", "192.0.2.1"]));
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(SECOND);
    let lines = record.all();
    assert_eq!(lines.len(), 2);
    let refused = "connection refused";
    let expected = format!(
        "1ms: ConnectionRefused: cannot connect to host.example:7777: [2001:db8::1]:7777: {refused}; \
         192.0.2.1:7777: {refused}; [2001:db8::2]:7777: {refused}"
    );
    assert_eq!(lines, [expected.as_str(), "connect-failed"]);
    assert_eq!(sim.open_fds(), 0);
}

#[test]
fn out_of_time_the_error_says_what_was_tried() {
    let sim = Rc::new(world(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]));
    sim.set_black_hole(at("192.0.2.1"));
    sim.set_black_hole(at("192.0.2.3"));
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(60 * SECOND);
    let expected = "30s: TimedOut: cannot connect to host.example:7777: no connection within 30s; 192.0.2.2:7777: \
                    connection refused; 192.0.2.1:7777 does not answer; 192.0.2.3:7777 does not answer";
    assert_eq!(record.all(), [expected, "connect-timeout"]);
    assert_eq!((sim.open_fds(), oneloop::metrics().timers), (0, 0));
}

#[test]
fn six_addresses_are_tried_at_a_time() {
    let names: Vec<String> = (1..=20).map(|last| format!("192.0.2.{last}")).collect();
    let sim = Rc::new(world(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    for name in &names {
        sim.set_black_hole(at(name));
    }
    let (socket, _record) = connect(&sim, ("host.example", PORT));
    sim.advance(10 * SECOND);
    assert_eq!(sim.open_fds(), 6);
    socket.destroy();
    assert_eq!(sim.open_fds(), 0, "the sockets are closed at once");
    sim.advance(60 * SECOND);
    assert_eq!((sim.open_fds(), oneloop::metrics().timers), (0, 0));
}

#[test]
fn the_end_of_a_simulation_closes_what_is_being_tried() {
    let sim = world(&["192.0.2.1", "192.0.2.2"]);
    sim.set_black_hole(at("192.0.2.1"));
    sim.set_black_hole(at("192.0.2.2"));
    let captured = Rc::new(());
    let held = captured.clone();
    let socket = net::connect(("host.example", PORT), |_| ());
    socket.on_connect(move |_| drop(held.clone()));
    sim.advance(SECOND);
    assert_eq!(sim.open_fds(), 2);
    drop(sim);
    assert_eq!(Rc::strong_count(&captured), 1);
    assert!(socket.is_closed());
}

// ---- Look-ups

#[test]
fn equal_look_ups_are_one() {
    let sim = Rc::new(world(&["192.0.2.1"]));
    sim.set_host("other.example", &[ip("192.0.2.1")]);
    let _server = sim.listen((ip("192.0.2.1"), PORT)).unwrap();
    sim.set_worker_latency(3 * SECOND);
    let mut connections: Vec<_> = (0..10).map(|_| connect(&sim, ("host.example", PORT))).collect();
    connections.push(connect(&sim, ("HOST.example", PORT)));
    connections.push(connect(&sim, ("other.example", PORT)));
    // Each by itself would wait for a thread: of look-ups two are made at a time.
    assert_eq!(oneloop::metrics().jobs, 2);
    sim.advance(3 * SECOND);
    for (_, record) in &connections {
        assert_eq!(record.all(), ["3s: connected to 192.0.2.1:7777"]);
    }
}

#[test]
fn an_equal_look_up_for_another_port_is_the_same() {
    let sim = Rc::new(world(&["192.0.2.1"]));
    let servers = [1, 2].map(|port| sim.listen((ip("192.0.2.1"), port)).unwrap());
    let connections = [1, 2].map(|port| connect(&sim, ("host.example", port)));
    assert_eq!(oneloop::metrics().jobs, 1);
    sim.advance(SECOND);
    assert_eq!(servers.map(|server| server.accepted().len()), [1, 1]);
    drop(connections);
}

#[test]
fn a_look_up_is_made_anew_once_it_has_ended() {
    let sim = Rc::new(world(&[]));
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(SECOND);
    assert!(record.all()[0].contains("NotFound: cannot connect to host.example:7777: "), "{:?}", record.all());
    sim.set_host("host.example", &[ip("192.0.2.1")]);
    let _server = sim.listen((ip("192.0.2.1"), PORT)).unwrap();
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    sim.advance(SECOND);
    assert_eq!(record.all(), ["1.001s: connected to 192.0.2.1:7777"]);
}

#[test]
fn a_look_up_that_takes_too_long_frees_who_waits() {
    let sim = Rc::new(world(&["192.0.2.1"]));
    sim.set_worker_latency(25 * SECOND);
    let (_socket, first) = connect(&sim, ("host.example", PORT));
    let (_socket, second) = connect(&sim, Target::from(("host.example", PORT)).look_up_timeout(SECOND));
    sim.advance(12 * SECOND);
    let said = |after: &str| {
        format!(
            "{after}: TimedOut: cannot connect to host.example:7777: the look-up of its name took longer than {after}: \
             does the name server answer?"
        )
    };
    assert_eq!(first.all(), [said("10s"), "connect-timeout".into()]);
    assert_eq!(second.all(), [said("1s"), "connect-timeout".into()]);
    // Who asks now gets the answer of the one that is still under way.
    let _server = sim.listen((ip("192.0.2.1"), PORT)).unwrap();
    let (_socket, third) = connect(&sim, Target::from(("host.example", PORT)).look_up_timeout(20 * SECOND));
    sim.advance(20 * SECOND);
    assert_eq!(third.all(), ["25s: connected to 192.0.2.1:7777"]);
}

#[test]
fn a_look_up_that_nobody_waits_for_does_not_keep_the_loop() {
    let sim = Rc::new(world(&[]));
    sim.set_worker_latency(3600 * SECOND);
    let (_socket, record) = connect(&sim, ("host.example", PORT));
    oneloop::run().unwrap();
    assert_eq!(sim.now(), 10 * SECOND);
    assert_eq!(record.count("connect-timeout"), 1);
}

#[test]
fn the_time_for_all_of_it_says_that_it_was_the_look_up() {
    let sim = Rc::new(world(&[]));
    sim.set_worker_latency(3600 * SECOND);
    let target = Target::from(("host.example", PORT)).look_up_timeout(60 * SECOND).timeout(20 * SECOND);
    let (_socket, record) = connect(&sim, target);
    sim.advance(60 * SECOND);
    let expected = "20s: TimedOut: cannot connect to host.example:7777: no connection within 20s; its name is still being \
                    looked up";
    assert_eq!(record.all(), [expected, "connect-timeout"]);
}

// ---- Texts

#[test]
fn a_text_says_where_to_connect_to() {
    let sim = Rc::new(Sim::new());
    let _server = sim.listen(("127.0.0.1", PORT)).unwrap();
    let texts = ["127.0.0.1:7777", "localhost:7777", ":7777", "7777"];
    let mut records: Vec<_> = texts.iter().map(|text| connect(&sim, *text).1).collect();
    records.push(connect(&sim, "localhost:7777".to_owned()).1);
    records.push(connect(&sim, ("localhost".to_owned(), PORT)).1);
    records.push(connect(&sim, PORT).1);
    sim.advance(SECOND);
    for record in records {
        assert!(record.all()[0].ends_with("connected to 127.0.0.1:7777"), "{:?}", record.all());
    }
}

#[test]
fn a_text_that_says_nothing_is_an_error_from_the_loop() {
    let sim = Rc::new(Sim::new());
    let (_socket, record) = connect(&sim, "localhost");
    assert!(record.all().is_empty());
    sim.advance(SECOND);
    let expected = "0ns: InvalidInput: cannot connect to \"localhost\": it has no port: write \"localhost:80\", or \
                    \"./name\" for a Unix socket";
    assert_eq!(record.all(), [expected, "connect-failed"]);
}

// ---- Real sockets

/// What a server says at once may be there before the connection has come to its stream.
#[test]
fn a_real_server_that_speaks_first_is_heard() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for _ in 0..50 {
            listener.accept().unwrap().0.write_all(b"welcome").unwrap();
        }
    });
    let heard = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..50 {
        let socket = net::connect(("127.0.0.1", port), |_| ());
        let (heard, text) = (heard.clone(), RefCell::new(Vec::new()));
        let text = Rc::new(text);
        let into = text.clone();
        socket.on_data(move |_, bytes| into.borrow_mut().extend_from_slice(bytes));
        socket.on_close(move |_, reason| heard.borrow_mut().push((text.take(), reason.as_str())));
    }
    run_real();
    assert_eq!(*heard.borrow(), vec![(b"welcome".to_vec(), "finished"); 50]);
    thread.join().unwrap();
}
