//! Peers that speak something else, change bytes, or never stop.

use crate::foreign::{self, Foreign, TLS13};
use crate::relay::*;
use oneloop::net::CloseReason;
use oneloop::sim::{Network, Sim};
use oneloop::{https, tls};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn plain_http_on_the_port_gets_a_400_that_says_so() {
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| res.end("secret"));
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    server.on_tls_error(move |error| *telling.borrow_mut() = format!("{} {}", error.reason, error.message));
    server.listen(SERVER, ()).unwrap();
    let peer = sim.connect(SERVER);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.settle();
    assert!(peer.text().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    let (head, body) = peer.text().split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head} {body}");
    assert!(body.contains("https://"));
    sim.advance(Duration::from_secs(2));
    assert_eq!(*told.borrow(), "tls-failed the peer speaks plain HTTP on a port for TLS");
    assert_eq!(server.connections(), 0);
}

#[test]
fn garbage_gets_an_alert_and_ends_the_connection_and_the_loop_sleeps() {
    for garbage in [
        &b"\x16\x03\x01\x00\x05hello"[..],
        b"\x00\x01\x02",
        &[0x16; 70_000],
        &[0xff; 10_000],
        b"\x15\x03\x01\x00\x02\x02\x28",
    ] {
        let sim = Sim::new();
        let server = https::create_server(context(), |_req, res| res.end("secret"));
        server.listen(SERVER, ()).unwrap();
        let peer = sim.connect(SERVER);
        peer.write(garbage);
        sim.settle();
        let calls = sim.calls();
        sim.advance(Duration::from_secs(15));
        assert!(sim.calls() - calls < 40);
        assert!(peer.is_closed(), "{:?}", &garbage[..3]);
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn a_byte_that_is_changed_on_the_way_ends_the_connection() {
    let sim = Rc::new(Sim::new());
    let relay = Relay::new(&sim);
    let server = tls::create_server(context(), |socket| {
        oneloop::set_timeout(Duration::from_secs(1), move || socket.write("secret").ignore());
    });
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, RELAY), &client(), |_| ());
    let told = Rc::new(RefCell::new(String::new()));
    let telling = told.clone();
    socket.on_data(|_, _| panic!("it was changed"));
    socket.on_error(move |_, error| *telling.borrow_mut() = error.to_string());
    let reason = Rc::new(Cell::new(None));
    let closing = reason.clone();
    socket.on_close(move |_, reason| closing.set(Some(reason)));
    sim.settle();
    relay.change(relay.seen(1).len() + 10);
    sim.advance(Duration::from_secs(5));
    assert_eq!(reason.get(), Some(CloseReason::TlsFailed));
    assert_eq!(*told.borrow(), "a record was changed on its way, or was encrypted with another key");
}

#[test]
fn a_wrong_record_behind_our_close_notice_ends_the_connection_and_not_the_program() {
    let sim = Rc::new(Sim::new());
    let relay = Relay::new(&sim);
    let server = tls::create_server(context(), |socket| {
        oneloop::set_timeout(Duration::from_secs(1), move || socket.write("secret").ignore());
    });
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, RELAY), &client(), |socket| socket.end("that is all of mine"));
    socket.on_data(|_, _| panic!("it was changed"));
    let reason = Rc::new(Cell::new(None));
    let closing = reason.clone();
    socket.on_close(move |_, reason| closing.set(Some(reason)));
    sim.settle();
    relay.change(relay.seen(1).len() + 10);
    sim.advance(Duration::from_secs(5));
    assert_eq!(reason.get(), Some(CloseReason::TlsFailed));
}

#[test]
fn somebody_who_only_looks_whether_anybody_listens_is_no_failure() {
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| res.end("secret"));
    server.on_tls_error(|error| panic!("{error}"));
    server.listen(SERVER, ()).unwrap();
    let peer = sim.connect(SERVER);
    peer.finish();
    sim.settle();
    peer.close();
    sim.advance(Duration::from_secs(1));
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_wrong_record_while_an_answer_is_being_sent_ends_the_connection_and_the_loop_sleeps() {
    for settles in [false, true] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 1000, ..Network::default() });
        let ends = Rc::<RefCell<Vec<String>>>::default();
        let telling = ends.clone();
        let server = https::create_server(context(), move |_req, res| {
            let ends = telling.clone();
            res.on_close(move |_, reason| ends.borrow_mut().push(reason.to_string()));
            res.end(vec![b'x'; 1 << 20]);
        });
        server.listen(SERVER, ()).unwrap();
        let peer = Foreign::connect(&sim, SERVER, &foreign::client(TLS13));
        sim.settle();
        peer.peer().pause_reading();
        peer.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        if settles {
            sim.advance(Duration::from_millis(100));
        }
        peer.peer().write([0xff; 100]);
        let calls = sim.calls();
        sim.advance(Duration::from_secs(3));
        assert!(sim.calls() - calls < 60, "{} calls", sim.calls() - calls);
        assert_eq!(*ends.borrow(), ["tls-failed"]);
        assert_eq!((server.connections(), sim.open_fds()), (0, 1));
    }
}
