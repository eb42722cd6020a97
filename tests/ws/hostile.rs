//! Whatever peers send, by chance: no panic, no hang, no growth, no second meaning.

use crate::support::http::{MS, SECOND, serve};
use crate::support::websocket::{announced, client, close_frame, frame, handshake, text};
use oneloop::event_loop::metrics;
use oneloop::http::{Request, Response};
use oneloop::sim::{Network, Sim};
use oneloop::ws::{self, Endpoint};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

fn echo() -> (Sim, Endpoint) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    endpoint.on_message(|socket, message| socket.send(message).ignore());
    (sim, endpoint)
}

/// B4 to B6: lengths that overflowed, or were believed.
#[test]
fn announced_lengths_take_no_memory() {
    let (sim, endpoint) = echo();
    let mut limits = endpoint.limits();
    limits.message = usize::MAX;
    endpoint.set_limits(limits);
    let clients: Vec<_> = (0..50).map(|_| sim.websocket("/")).collect();
    for (client, power) in clients.iter().zip(13..) {
        client.write(announced(0x82, 1 << power, b"x"));
    }
    sim.settle();
    assert_eq!(endpoint.len(), 50);
}

#[test]
fn floods_of_pings_and_of_tiny_frames_do_not_starve_others() {
    let (sim, endpoint) = echo();
    let flood: Vec<u8> = [frame(0x89, "ping"), text("x"), frame(0x02, ""), frame(0x80, "")].concat().repeat(20_000);
    let floods: Vec<_> = (0..4).map(|_| sim.websocket("/")).collect();
    let good = sim.websocket("/");
    floods.iter().for_each(|client| client.write(&flood));
    sim.advance(MS);
    for number in 0..10 {
        good.send_text(&format!("{number}"));
        sim.advance(20 * MS);
        good.expect(&[&format!("text {number}")]);
        assert!(metrics().buffered < 2 * 1024 * 1024, "{}", metrics().buffered);
    }
    sim.advance(60 * SECOND);
    assert_eq!(endpoint.len(), 5);
    for client in floods {
        let told = client.told();
        let pongs = told.iter().filter(|told| *told == "pong ping").count();
        let echoes = told.iter().filter(|told| ["text x", "binary 0"].contains(&told.as_str())).count();
        assert_eq!(echoes, 40_000);
        assert!((1..=20_000).contains(&pongs));
    }
}

#[test]
fn peers_that_send_and_never_read_take_bounded_memory_and_are_closed() {
    let (sim, endpoint) = echo();
    let clients: Vec<_> = (0..20).map(|_| sim.websocket("/")).collect();
    for client in &clients {
        client.peer().pause_reading();
        client.write(frame(0x82, vec![0; 50_000]).repeat(100));
    }
    sim.advance(10 * SECOND);
    assert!(metrics().buffered < 20 * 1_300_000, "{}", metrics().buffered);
    sim.advance(120 * SECOND);
    assert!(endpoint.is_empty());
}

/// What a peer may do, mostly well formed.
fn action() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-zé]{0,20}".prop_map(|content| text(&content)),
        2 => (0_usize..100_000).prop_map(|length| frame(0x82, vec![7; length])),
        3 => prop::sample::select(vec![0x01_u8, 0x02, 0x00, 0x80, 0x89, 0x8a]).prop_map(|first| frame(first, "é")),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => any::<u16>().prop_map(|code| close_frame(code, "")),
        1 => (any::<u8>(), any::<u64>()).prop_map(|(first, length)| announced(first, length, b"x")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Each message is told once and comes back in order; each socket opens once and closes once.
    #[test]
    fn sockets_open_once_and_close_once_and_echo_what_they_tell(
        seed in any::<u64>(),
        peers in proptest::collection::vec((proptest::collection::vec(action(), 0..12), 0_u8..5), 1..4),
    ) {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { latency: MS..=20 * MS, splits: true, partial_writes: true, read_splits: true, buffer: 20_000 });
        let server = oneloop::http::create_server(|_, res| res.end("page"));
        server.listen(80, ()).unwrap();
        let endpoint = ws::mount(&server, "/");
        let (opened, closed) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let told = Rc::new(RefCell::new(Vec::new()));
        let count = opened.clone();
        endpoint.on_open(move |socket, req| {
            count.set(count.get() + 1);
            socket.set_data(req.path()[1..].parse::<usize>().unwrap());
        });
        let notes = told.clone();
        endpoint.on_message(move |socket, message| {
            let note = match message {
                ws::Message::Text(text) => format!("text {text}"),
                ws::Message::Binary(bytes) => format!("binary {}", bytes.len()),
            };
            notes.borrow_mut().push((*socket.data::<usize>().unwrap(), note));
            socket.send(message).ignore();
        });
        let count = closed.clone();
        endpoint.on_close(move |_, close| {
            assert!(close.clean == (close.code != 1006));
            count.set(count.get() + 1);
        });
        let clients: Vec<_> = peers.iter().enumerate().map(|(number, (actions, end))| {
            let client = client(&sim);
            client.write([handshake(&format!("/{number}"), "").into_bytes(), actions.concat()].concat());
            match end {
                0 => client.peer().finish(),
                1 => client.close(1000, ""),
                _ => {}
            }
            client
        }).collect();
        sim.advance(20 * SECOND);
        clients.iter().zip(&peers).filter(|(_, (_, end))| *end == 2).for_each(|(client, _)| client.peer().reset());
        sim.advance(500 * SECOND);
        server.close(());
        sim.advance(60 * SECOND);
        prop_assert!(endpoint.is_empty() && opened.get() == closed.get(), "{} {}", opened.get(), closed.get());
        prop_assert_eq!(server.connections(), 0);
        for (number, client) in clients.iter().enumerate() {
            let echoed: Vec<_> = client.told().into_iter().filter(|line| line.starts_with("text") || line.starts_with("binary")).collect();
            let told: Vec<_> = told.borrow().iter().filter(|(of, _)| *of == number).map(|(_, note)| note.clone()).collect();
            prop_assert_eq!(&told[..echoed.len().min(told.len())], &echoed[..]);
        }
    }
}
