//! Whatever may go wrong in a handshake, on both sides: after each fault the connection ends with a reason, its descriptor is free, and
//! the loop sleeps meanwhile.

use crate::foreign::{self, Foreign, TLS12, TLS13};
use crate::relay::*;
use oneloop::event_loop::metrics;
use oneloop::sim::{Peer, Sim};
use oneloop::tls::{self, Client, Context};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How many iterations a fault may cost, with what follows it: deadlines, sweeps, the close.
const ITERATIONS: u64 = 60;
/// A hello of a client, as another one would send it: its record, its message, and then nonsense.
const HELLO: &[u8] = b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03";

/// Has somebody meet a server of ours. Returns what the server says of it.
fn server_meets(what: &str, play: impl FnOnce(&Sim)) -> String {
    let sim = Sim::new();
    let server = tls::create_server(context(), |socket| {
        socket.write("hello").ignore();
        socket.on_data(|_, _| ());
    });
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    server.on_tls_error(move |error| *telling.borrow_mut() = error.message.clone());
    server.listen(SERVER, ()).unwrap();
    let before = metrics().iterations;
    play(&sim);
    sim.advance(Duration::from_secs(15));
    let iterations = metrics().iterations - before;
    assert_eq!((server.connections(), sim.open_fds()), (0, 1), "{what}");
    assert!(iterations < ITERATIONS, "{what}: {iterations} iterations");
    told.take()
}

/// Has a client of ours meet somebody. Returns the client's error.
fn client_meets(what: &str, client: &Client, play: impl FnMut(&Peer) + 'static) -> String {
    let sim = Sim::new();
    let listener = sim.listen((NAME, SERVER)).unwrap();
    listener.on_accept(play);
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    let before = metrics().iterations;
    let socket = tls::connect((NAME, SERVER), client, |socket| socket.write("hello").ignore());
    socket.on_data(|_, _| ());
    socket.on_error(move |_, error| *telling.borrow_mut() = error.to_string());
    sim.advance(Duration::from_secs(15));
    let iterations = metrics().iterations - before;
    assert!(socket.is_closed() && sim.open_fds() == 0, "{what}");
    assert!(iterations < ITERATIONS, "{what}: {iterations} iterations");
    assert!(!told.borrow().is_empty(), "{what}: no reason");
    told.take()
}

/// Records of one byte each, made of the records in these bytes, which are not encrypted.
fn in_records_of_one_byte(mut bytes: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    while bytes.len() > 5 {
        let length = usize::from(bytes[3]) << 8 | usize::from(bytes[4]);
        for byte in &bytes[5..5 + length] {
            records.extend([bytes[0], bytes[1], bytes[2], 0, 1, *byte]);
        }
        bytes = &bytes[5 + length..];
    }
    records
}

#[test]
fn records_of_one_byte_are_as_good() {
    let sim = Rc::new(Sim::new());
    let server = tls::create_server(context(), |socket| socket.write("hello").ignore());
    server.listen(SERVER, ()).unwrap();
    let relay = Relay::new(&sim);
    // Only the first flight of each side is not encrypted: of the server's it is one record.
    relay.rewrite_first([in_records_of_one_byte, |flight| {
        let first = 5 + (usize::from(flight[3]) << 8 | usize::from(flight[4]));
        [&in_records_of_one_byte(&flight[..first])[..], &flight[first..]].concat()
    }]);
    let socket = tls::connect((NAME, RELAY), &client(), |_| ());
    socket.on_data(|_, _| ());
    sim.settle();
    assert_eq!(socket.bytes_read(), 5);
    // And what is encrypted comes in small records as well, if the other side is told to make them.
    let context = Context::builder().identity(made().identity()).max_fragment(32).build().unwrap();
    let server = tls::create_server(context, |socket| socket.write(&[7; 1000]).ignore());
    server.listen(444, ()).unwrap();
    let socket = tls::connect((NAME, 444), &client(), |_| ());
    socket.on_data(|_, _| ());
    sim.settle();
    assert_eq!(socket.bytes_read(), 1000);
}

#[test]
fn what_is_no_hello_is_refused_by_a_server() {
    let record = |kind: u8, content: &[u8]| {
        [&[kind, 3, 1, (content.len() >> 8) as u8, content.len() as u8][..], content].concat()
    };
    let ssl2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80";
    for (what, bytes) in [
        ("an alert", record(21, &[2, 40])),
        ("an alert that is none", record(21, &[9, 250])),
        ("an alert of one byte", record(21, &[2])),
        ("an alert of three bytes", record(21, &[2, 40, 0])),
        ("the notice that nothing follows", record(21, &[1, 0])),
        ("a hundred warnings", record(21, &[1, 90]).repeat(100)),
        ("a hundred changes of the cipher", record(20, &[1]).repeat(100)),
        ("data", record(23, b"hello")),
        ("a hundred empty records", record(22, &[]).repeat(100)),
        ("a record of another kind", record(99, b"hello")),
        ("a record that is too long", [22, 3, 1, 0xff, 0xff].repeat(20_000)),
        ("another version of records", b"\x16\x09\x09\x00\x01\x01".to_vec()),
        ("a server's hello", record(22, b"\x02\x00\x00\x02\x03\x03")),
        ("a hello that is too short", HELLO.to_vec()),
        ("a message that is too long", record(22, &[&b"\x01\xff\xff\xff"[..], &[0; 1000]].concat()).repeat(70)),
        ("SSL 2", ssl2.to_vec()),
        ("zeros", vec![0; 5000]),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ] {
        for then in [Peer::finish, Peer::reset, |_: &Peer| ()] {
            let bytes = bytes.clone();
            let why = server_meets(what, move |sim| {
                let peer = sim.connect(SERVER);
                peer.write(bytes);
                sim.settle();
                then(&peer);
            });
            assert!(!why.is_empty(), "{what}: no reason");
        }
    }
}

#[test]
fn what_is_no_answer_is_refused_by_a_client() {
    let record = |kind: u8, content: &[u8]| {
        [&[kind, 3, 3, (content.len() >> 8) as u8, content.len() as u8][..], content].concat()
    };
    for (what, bytes, expected) in [
        ("handshake_failure", record(21, &[2, 40]), "we have no cipher in common with it"),
        ("protocol_version", record(21, &[2, 70]), "we have no version of TLS in common with it"),
        ("internal_error", record(21, &[2, 80]), "the peer has ended the connection with the alert InternalError"),
        ("an alert that is none", record(21, &[2, 250]), "alert"),
        ("an alert of one byte", record(21, &[2]), ""),
        (
            "the notice that nothing follows",
            record(21, &[1, 0]),
            // A warning, before it has said hello: it is passed over, and the FIN or the deadline follows.
            "the TLS handshake",
        ),
        ("a hundred warnings", record(21, &[1, 90]).repeat(100), ""),
        ("data", record(23, b"hello"), ""),
        ("a hundred empty records", record(22, &[]).repeat(100), ""),
        ("a record that is too long", vec![22, 3, 3, 0xff, 0xff, 0, 0], ""),
        ("a client's hello", HELLO.to_vec(), ""),
        ("plain HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "the peer does not speak TLS"),
        ("SMTP", b"220 mail.example ESMTP\r\n".to_vec(), "the peer does not speak TLS"),
        ("zeros", vec![0; 5000], "the peer does not speak TLS"),
    ] {
        for then in [Peer::finish, |_: &Peer| ()] {
            let bytes = bytes.clone();
            let why = client_meets(what, &client(), move |peer| {
                let bytes = bytes.clone();
                peer.on_data(move |peer, _| {
                    peer.write(&bytes);
                    then(peer);
                });
            });
            assert!(why.contains(expected), "{what}: {why}");
        }
    }
}

#[test]
fn a_handshake_of_tls_1_2_or_1_3_that_is_cut_at_any_byte_by_another_peer_ends_with_a_reason() {
    for version in [TLS12, TLS13] {
        let (whole, config) = (Rc::new(Cell::new(0)), foreign::client(version));
        server_meets("a whole one", |sim| {
            let foreign = Foreign::connect(sim, SERVER, &config);
            sim.settle();
            assert_eq!(foreign.heard(), "hello");
            whole.set(foreign.sent());
            foreign.end();
        });
        // Beyond the last bytes of a handshake there is a connection, which may end.
        for cut in 1..whole.get() - 8 {
            let config = foreign::client(version);
            let why = server_meets(&format!("{version:?} {cut}"), move |sim| {
                let foreign = Foreign::connect_and_cut(sim, SERVER, &config, cut, cut % 2 == 0);
                sim.advance(Duration::from_secs(1));
                assert!(foreign.heard().is_empty());
            });
            // One who has reset the connection before a byte came has said nothing.
            assert!(!why.is_empty() || cut % 2 == 0, "{cut}");
        }
        let (whole, config) = (Rc::new(Cell::new(0)), foreign::server(version));
        let measured = whole.clone();
        client_meets("a whole one", &client(), move |peer| {
            let (foreign, measured) = (Foreign::accept(peer, &config), measured.clone());
            oneloop::set_timeout(Duration::from_secs(1), move || {
                measured.set(foreign.sent());
                foreign.peer().reset();
            });
        });
        // The signatures differ by some bytes from one handshake to the next; and the last flight of a server has its tickets.
        let last = whole.get() - if version == TLS12 { 60 } else { 500 };
        for cut in (0..last).step_by(2) {
            let config = foreign::server(version);
            let _ = client_meets(&format!("{version:?} {cut}"), &client(), move |peer| {
                let _ = Foreign::accept_and_cut(peer, &config, cut, cut % 4 == 0);
            });
        }
    }
}

#[test]
fn tls_1_2_is_spoken_by_both_sides_and_sessions_go_on() {
    let sim = Sim::new();
    let server = tls::create_server(context(), |socket| {
        assert_eq!(socket.tls().unwrap().protocol(), tls::Protocol::Tls12);
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    server.listen(SERVER, ()).unwrap();
    let config = foreign::client(TLS12);
    for round in 0..2 {
        let foreign = Foreign::connect(&sim, SERVER, &config);
        foreign.say("early");
        sim.settle();
        assert_eq!((foreign.heard().as_str(), foreign.is_resumed()), ("early", round == 1), "{}", foreign.error());
        foreign.end();
        sim.settle();
    }
    assert_eq!(server.connections(), 0);
    let (client, config) = (client(), foreign::server(TLS12));
    let listener = sim.listen((NAME, 9)).unwrap();
    listener.on_accept(move |peer| Foreign::accept(peer, &config).say("welcome"));
    for round in 0..2 {
        let socket = tls::connect((NAME, 9), &client, |_| ());
        socket.on_data(|_, bytes| assert_eq!(bytes, b"welcome"));
        sim.settle();
        let info = socket.tls().unwrap();
        assert_eq!((info.protocol(), info.is_resumed()), (tls::Protocol::Tls12, round == 1));
        assert_eq!(socket.bytes_read(), 7);
        socket.destroy();
        sim.settle();
    }
}

#[test]
fn a_peer_that_only_speaks_what_the_other_does_not_is_told() {
    let sim = Sim::new();
    let context = Context::builder().identity(made().identity()).tls13_only(true).build().unwrap();
    let server = tls::create_server(context, |_| ());
    server.listen(SERVER, ()).unwrap();
    let foreign = Foreign::connect(&sim, SERVER, &foreign::client(TLS12));
    sim.settle();
    assert!(foreign.error().contains("ProtocolVersion"), "{}", foreign.error());
    let new = Client::builder().roots(roots()).tls13_only(true).build().unwrap();
    let why = client_meets("TLS 1.2", &new, |peer| _ = Foreign::accept(peer, &foreign::server(TLS12)));
    assert!(why.contains("version"), "{why}");
}

#[test]
fn keys_that_change_change_nothing_else() {
    let sim = Sim::new();
    let server = tls::create_server(context(), |socket| {
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    server.listen(SERVER, ()).unwrap();
    let foreign = Foreign::connect(&sim, SERVER, &foreign::client(TLS13));
    for _ in 0..20 {
        sim.settle();
        foreign.say("a");
        foreign.change_keys();
        foreign.say("b");
    }
    sim.settle();
    assert_eq!((foreign.heard(), foreign.error()), ("ab".repeat(20), String::new()));
}

#[test]
fn a_record_that_is_lost_or_comes_twice_ends_the_connection() {
    for fault in [Fault::Drop, Fault::Twice] {
        let sim = Rc::new(Sim::new());
        let relay = Relay::new(&sim);
        let server = tls::create_server(context(), |socket| {
            let mut count = 0;
            socket.on_data(move |socket, _| {
                count += 1;
                socket.write(format!("{count} ")).ignore();
            });
        });
        server.listen(SERVER, ()).unwrap();
        let socket = tls::connect((NAME, RELAY), &client(), |_| ());
        let (heard, why) = (Rc::<RefCell<String>>::default(), Rc::<RefCell<String>>::default());
        let (hearing, telling) = (heard.clone(), why.clone());
        socket.on_data(move |_, bytes| hearing.borrow_mut().push_str(&String::from_utf8_lossy(bytes)));
        socket.on_error(move |_, error| *telling.borrow_mut() = error.to_string());
        for number in 0..4 {
            if number == 2 {
                relay.fault_next(fault);
            }
            sim.settle();
            socket.write("next").ignore();
        }
        sim.advance(Duration::from_secs(3));
        assert!(socket.is_closed());
        assert_eq!(*why.borrow(), "a record was changed on its way, or was encrypted with another key");
        assert_eq!(*heard.borrow(), if matches!(fault, Fault::Drop) { "1 " } else { "1 2 " });
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn a_peer_that_goes_at_any_moment_of_the_close_leaves_nothing() {
    for moment in 0..40 {
        for go in [Peer::close, Peer::reset, Peer::finish] {
            server_meets(&format!("{moment}"), |sim| {
                let foreign = Foreign::connect(sim, SERVER, &foreign::client(TLS13));
                foreign.say("hello");
                let peer = foreign.peer().clone();
                oneloop::set_timeout(Duration::from_millis(20), move || foreign.end());
                sim.at(Duration::from_millis(moment), move || go(&peer));
            });
        }
    }
}
