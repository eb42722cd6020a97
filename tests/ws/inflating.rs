//! Compressed messages that take long to inflate: it is done in portions, and whatever happens meanwhile is as it would be otherwise.

use crate::support::http::{Record, SECOND, serve};
use crate::support::websocket::{client, close_frame, frame, handshake, text};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Request, Response};
use oneloop::proto::ws::{Deflater, Window};
use oneloop::sim::{Sim, WebSocketPeer};
use oneloop::ws::{self, Deflate, Endpoint, WebSocket};
use std::cell::RefCell;
use std::rc::Rc;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// The sockets are told apart by their queries.
struct World {
    sim: Sim,
    endpoint: Endpoint,
    record: Record,
}

/// A world in which the message `now` of any socket does something to the socket `slow`.
fn world(mut now: impl FnMut(&WebSocket) + 'static) -> World {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    endpoint.compress(Deflate::new());
    let record = Record::default();
    let (opened, closed, told, all) = (record.clone(), record.clone(), record.clone(), endpoint.clone());
    endpoint.on_open(move |socket, req| {
        socket.set_data(req.query().unwrap_or_default().to_owned());
        drop(opened.take());
    });
    endpoint.on_message(move |socket, message| {
        let bytes = message.as_bytes();
        let said = if bytes.len() < 20 { String::from_utf8_lossy(bytes).into_owned() } else { bytes.len().to_string() };
        told.add(format!("{}: {said}", name(socket)));
        if said == "now" {
            let slow = all.sockets().find(|socket| name(socket) == "slow");
            slow.iter().for_each(&mut now);
        }
    });
    endpoint.on_close(move |socket, close| closed.add(format!("{} closed {} {}", name(socket), close.code, close.why)));
    World { sim, endpoint, record }
}

fn name(socket: &WebSocket) -> &str {
    socket.data::<String>().map_or("", |name| name)
}

impl World {
    fn open(&self, name: &str) -> WebSocketPeer {
        let client = client(&self.sim);
        client.write(handshake(&format!("/?{name}"), OFFER));
        self.sim.settle();
        assert!(client.head().starts_with("HTTP/1.1 101 "));
        client
    }
}

/// Content that says `text`, behind so many bytes of blocks in which there is nothing.
fn slow(bytes: usize, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[0, 0, 0, 0xff, 0xff].repeat(bytes / 5)[..], &[0, length, 0, !length, 0xff], text.as_bytes(), &[0]].concat()
}

#[test]
fn another_socket_is_served_in_between_and_what_is_behind_keeps_its_order() {
    let world = world(|_| ());
    let (one, other) = (world.open("slow"), world.open("other"));
    let bomb = Deflater::new(6, Window::Full).deflate(&[b'a'; 100_000]).unwrap().to_vec();
    let behind = [text("then"), frame(0xc1, slow(100, "and then")), frame(0x82, "at last"), frame(0xc2, bomb)].concat();
    one.write([frame(0xc1, slow(40_000, "first")), behind].concat());
    other.write(text("quick"));
    world.sim.settle();
    world.record.expect(&[
        "other: quick",
        "slow: first",
        "slow: then",
        "slow: and then",
        "slow: at last",
        "slow: 100000",
    ]);
    assert_eq!(world.endpoint.stats().received, 6);
}

#[test]
fn an_iteration_inflates_sixteen_kib_whoever_has_sent_them_and_no_message_waits_for_all_of_another() {
    let world = world(|_| ());
    let iterations = Rc::new(RefCell::new(Vec::new()));
    let seen = iterations.clone();
    world.endpoint.on_message(move |_, _| seen.borrow_mut().push(oneloop::metrics().iterations));
    let slow_ones: Vec<_> = (0..8).map(|number| world.open(&format!("slow-{number}"))).collect();
    let good = world.open("good");
    let before = oneloop::metrics().iterations;
    // A message in many parts, and many messages in one.
    slow_ones.iter().for_each(|one| one.write(frame(0xc1, slow(48_000, "x"))));
    slow_ones[0].write(frame(0xc1, slow(1000, "x")).repeat(10));
    good.write(frame(0xc1, slow(100, "good")));
    world.sim.settle();
    let told = world.record.take();
    assert_eq!(told.len(), 19);
    assert_eq!(told[0], "good: good", "{told:?}");
    let iterations = iterations.borrow();
    assert!(iterations[0] - before < 8, "one portion of each of the others: {}", iterations[0] - before);
    let least = (8 * 48_000 + 10_000) / (16 * 1024);
    assert!(iterations[18] - before >= least, "{} iterations", iterations[18] - before);
    for of_one in iterations.chunk_by(|a, b| a == b) {
        assert!(of_one.len() <= 16, "{} in one iteration", of_one.len());
    }
}

#[test]
fn a_pause_stops_it_and_it_goes_on_afterwards() {
    let paused = Rc::new(RefCell::new(None));
    let keep = paused.clone();
    let world = world(move |slow| {
        slow.pause();
        *keep.borrow_mut() = Some(slow.clone());
    });
    let (one, other) = (world.open("slow"), world.open("other"));
    one.write([frame(0xc1, slow(50_000, "first")), text("then")].concat());
    other.write(text("now"));
    world.sim.advance(100 * SECOND);
    world.record.expect(&["other: now"]);
    other.write(frame(0xc1, slow(20_000, "not held up")));
    world.sim.settle();
    world.record.expect(&["other: not held up"]);
    paused.borrow().as_ref().unwrap().resume();
    world.sim.settle();
    world.record.expect(&["slow: first", "slow: then"]);
}

#[test]
fn a_close_meanwhile_means_that_it_is_not_told() {
    let world = world(|slow| slow.close_with(4000, "enough"));
    let (one, other) = (world.open("slow"), world.open("other"));
    one.write([frame(0xc1, slow(50_000, "first")), text("then")].concat());
    other.write(text("now"));
    world.sim.settle();
    one.expect(&["close 4000 enough"]);
    world.record.expect(&["other: now", "slow closed 4000 finished"]);
}

#[test]
fn a_socket_that_is_terminated_meanwhile_is_gone() {
    let world = world(WebSocket::terminate);
    let (one, other) = (world.open("slow"), world.open("other"));
    one.write([frame(0xc1, slow(50_000, "first")), text("then")].concat());
    other.write(text("now"));
    world.sim.settle();
    let told = world.record.take();
    assert_eq!((told.len(), &*told[0]), (2, "other: now"));
    assert!(told[1].starts_with("slow closed 1006"), "{told:?}");
    assert!(one.peer().is_closed() && world.endpoint.len() == 1);
    other.write(frame(0xc1, slow(50_000, "as before")));
    world.sim.settle();
    world.record.expect(&["other: as before"]);
}

#[test]
fn the_end_of_the_input_waits_for_it() {
    let world = world(|_| ());
    let one = world.open("slow");
    one.be_silent();
    one.write([frame(0xc1, slow(50_000, "first")), text("then")].concat());
    one.peer().finish();
    world.sim.settle();
    let told = world.record.take();
    assert_eq!(told[..2], ["slow: first", "slow: then"]);
    assert!(told.len() == 3 && told[2].starts_with("slow closed 1006"), "{told:?}");
    let one = world.open("slow");
    one.write([frame(0xc1, slow(50_000, "first")), close_frame(1000, "bye")].concat());
    one.peer().finish();
    world.sim.settle();
    world.record.expect(&["slow: first", "slow closed 1000 finished"]);
}

#[test]
fn content_that_is_found_bad_late_is_refused_and_nothing_behind_it_is_told() {
    for (content, close) in [
        ([&slow(50_000, "")[..], b"\x07"].concat(), "close 1007 the message cannot be inflated"),
        (slow(50_000, "first")[..50_004].to_vec(), "close 1007 the message cannot be inflated"),
        (
            slow(50_000, "\u{e9}")[..50_006].iter().copied().chain([b'x', 0]).collect(),
            "close 1007 the text is not UTF-8",
        ),
    ] {
        let world = world(|_| ());
        let (one, other) = (world.open("slow"), world.open("other"));
        one.write([frame(0xc1, content), text("never told")].concat());
        world.sim.settle();
        one.expect(&[close]);
        let told = world.record.take();
        assert!(told.len() == 1 && told[0].starts_with("slow closed 1006"), "{told:?}");
        assert_eq!(world.endpoint.len(), 1);
        other.write(frame(0xc1, slow(50_000, "as before")));
        world.sim.settle();
        world.record.expect(&["other: as before"]);
    }
}

#[test]
fn a_bomb_is_refused_on_the_way_and_one_byte_less_is_told() {
    for (length, told, close) in [
        (1024 * 1024 + 1, "slow closed 1006 ", Some("close 1009 the message is too large")),
        (30_000_000, "slow closed 1006 ", Some("close 1009 the message is too large")),
        (1024 * 1024, "slow: 1048576", None),
    ] {
        let world = world(|_| ());
        let one = world.open("slow");
        one.write(frame(0xc2, Deflater::new(6, Window::Full).deflate(&vec![b'a'; length]).unwrap()));
        world.sim.advance(20 * SECOND);
        let all = world.record.take();
        assert!(all.len() == 1 && all[0].starts_with(told), "{all:?}");
        one.expect(close.as_slice());
    }
}

#[test]
fn a_server_that_closes_meanwhile_says_so_and_a_panic_costs_one_socket() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    set_panic_policy(PanicPolicy::Catch);
    let endpoint = ws::mount(&server, "/");
    endpoint.compress(Deflate::new()).on_message(move |_, message| match message.as_bytes() {
        b"now" => server.close(|| ()),
        b"panic" => panic!("the test wants this"),
        _ => unreachable!("it is not told after the close"),
    });
    let open = || {
        let client = client(&sim);
        client.write(handshake("/", OFFER));
        sim.settle();
        client
    };
    let (one, other, third) = (open(), open(), open());
    third.write(frame(0xc1, slow(50_000, "panic")));
    sim.settle();
    third.expect(&["close 1011 "]);
    one.write(frame(0xc1, slow(50_000, "first")));
    other.write(text("now"));
    sim.advance(SECOND);
    one.expect(&["close 1001 "]);
    other.expect(&["close 1001 "]);
    assert!(endpoint.is_empty());
}
