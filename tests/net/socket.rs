//! Sockets: flow in both directions, half-close, the close and its reasons, timeouts, references, panics.

use crate::support::bytes::pattern;
use crate::support::net::*;
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::net::{self, Chunk, CloseReason, Flow, Socket};
use oneloop::sim::{Network, Sim};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

const PORT: u16 = 7777;

// ---- Echo

#[test]
fn an_echo_comes_back() {
    let sim = Sim::new();
    serve(PORT, |socket| {
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    let client = sim.connect(PORT);
    client.write("hello");
    sim.settle();
    assert_eq!(client.text(), "hello");
    client.finish();
    sim.settle();
    assert!(client.is_closed());
    assert_eq!(sim.open_fds(), 1, "only the listener");
}

#[test]
fn an_echo_comes_back_over_a_real_socket() {
    let server = net::create_server(|socket| {
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let client = net::connect(("127.0.0.1", port), |socket| socket.end("hello"));
    let (record, closing) = (Record::default(), server.clone());
    record.watch(&client);
    client.on_close(move |_, _| closing.close(|| ()));
    run_real();
    assert_eq!(record.all(), ["data hello", "end", "close finished"]);
    assert_eq!((client.bytes_read(), client.bytes_written()), (5, 5));
}

// ---- Input

#[test]
fn what_comes_before_on_data_is_held_up_to_a_limit_and_given_later() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    let sent = pattern(1 << 20);
    client.write(&sent);
    client.finish();
    sim.settle();
    let socket = nth(&sockets, 0);
    assert!((64 * 1024..=128 * 1024).contains(&socket.bytes_read()), "{}", socket.bytes_read());
    assert_eq!(metrics().buffered as u64, socket.bytes_read());
    let received = Rc::new(RefCell::new(Vec::new()));
    let (into, ended) = (received.clone(), slot());
    let told = ended.clone();
    socket.on_data(move |_, bytes| into.borrow_mut().extend_from_slice(bytes));
    let so_far = received.clone();
    socket.on_end(move |_| told.set(Some(so_far.borrow().len())));
    sim.settle();
    assert!(*received.borrow() == sent);
    assert_eq!(ended.get(), Some(sent.len()));
    assert_eq!(metrics().buffered, 0);
}

#[test]
fn what_is_held_is_given_even_when_both_sides_have_ended_meanwhile() {
    for end_first in [false, true] {
        let sim = Sim::new();
        let (_server, sockets) = serve_and_keep(PORT);
        let client = sim.connect(PORT);
        client.write("last words");
        if !end_first {
            client.finish();
        }
        sim.settle();
        let (socket, record) = (nth(&sockets, 0), Record::default());
        socket.end(());
        if end_first {
            client.finish();
        }
        record.watch(&socket);
        sim.settle();
        assert_eq!(record.all(), ["data last words", "end", "close finished"]);
    }
}

#[test]
fn what_is_held_while_paused_outlives_the_end_of_both_sides() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    client.write("last words");
    client.finish();
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    socket.pause();
    socket.end("bye");
    sim.settle();
    assert_eq!((client.text().as_str(), socket.is_closed()), ("bye", false));
    record.watch(&socket);
    socket.resume();
    sim.settle();
    assert_eq!(record.all(), ["data last words", "end", "close finished"]);
}

#[test]
fn a_server_that_says_something_and_ends_does_not_keep_who_talks_to_it() {
    let sim = Sim::new();
    serve(PORT, |socket| socket.end("hello"));
    for length in [0, 1, 1 << 20] {
        let client = sim.connect(PORT);
        client.write(pattern(length));
        client.finish();
        sim.settle();
        assert_eq!(client.text(), "hello");
    }
    assert_eq!(metrics().connections, 0);
}

#[test]
fn a_fin_while_paused_is_remembered() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    socket.pause();
    client.write("before the end");
    client.finish();
    sim.advance(3600 * SECOND);
    assert!(record.all().is_empty() && !socket.is_closed());
    socket.resume();
    sim.settle();
    assert_eq!(record.all(), ["data before the end", "end", "close finished"]);
}

#[test]
fn pause_and_resume_within_callbacks() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    serve(PORT, move |socket| {
        log.watch(&socket);
        socket.on_data(|socket, _| {
            socket.pause();
            let socket = socket.clone();
            oneloop::set_timeout(SECOND, move || {
                socket.resume();
                socket.pause();
                socket.resume();
            });
        });
    });
    let client = sim.connect(PORT);
    for text in ["one", "two", "three"] {
        client.write(text);
        sim.settle();
    }
    assert_eq!(record.all(), ["data one"]);
    sim.advance(SECOND);
    assert_eq!(record.all(), ["data one", "data twothree"]);
    client.finish();
    sim.advance(SECOND);
    assert_eq!(record.all()[2..], ["end", "close finished"]);
}

#[test]
fn a_pause_that_is_taken_back_in_the_same_callback_loses_nothing() {
    let sim = Sim::new();
    sim.set_network(Network { read_splits: true, splits: true, ..Network::default() });
    let count = Rc::new(Cell::new(0));
    let into = count.clone();
    serve(PORT, move |socket| {
        let into = into.clone();
        socket.on_data(move |socket, bytes| {
            into.set(into.get() + bytes.len());
            socket.pause();
            socket.resume();
        });
    });
    let client = sim.connect(PORT);
    client.write(pattern(500_000));
    sim.run_to_rest();
    assert_eq!(count.get(), 500_000);
}

#[test]
fn the_end_is_told_once_to_a_socket_that_stays_half_open() {
    let sim = Sim::new();
    let (server, sockets) = serve_and_keep(PORT);
    server.set_allow_half_open(true);
    sim.set_network(Network { buffer: 1024, ..Network::default() });
    let client = sim.connect(PORT);
    client.pause_reading();
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    client.finish();
    sim.settle();
    assert_eq!(record.all(), ["end"]);
    assert_eq!(socket.write(pattern(200_000)), Flow::Full);
    client.resume_reading();
    sim.settle();
    assert_eq!(record.take(), ["end", "drain"]);
    assert_eq!(client.take().len(), 200_000);
    socket.end(());
    sim.settle();
    assert_eq!(record.all(), ["close finished"]);
}

// ---- Half-close

#[test]
fn our_side_ends_after_the_peers_unless_half_open_is_allowed() {
    for half_open in [false, true] {
        let sim = Sim::new();
        let record = Record::default();
        let log = record.clone();
        let server = serve(PORT, move |socket| {
            log.watch(&socket);
            socket.on_end(|socket| {
                let socket = socket.clone();
                oneloop::set_timeout(SECOND, move || {
                    let said = socket.write("late");
                    assert_eq!(said == Flow::Closed, !socket.has_ref() || socket.is_closed());
                    socket.end(());
                });
            });
        });
        server.set_allow_half_open(half_open);
        let client = sim.connect(PORT);
        client.write("question");
        client.finish();
        sim.settle();
        assert_eq!(record.has("close finished"), !half_open);
        sim.advance(SECOND);
        assert_eq!(client.text(), if half_open { "late" } else { "" });
        assert_eq!(record.all(), ["data question", "end", "close finished"]);
    }
}

#[test]
fn end_lets_the_peer_go_on() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    socket.end("bye");
    sim.settle();
    assert_eq!((client.text().as_str(), client.is_closed()), ("bye", true));
    client.write("but I have more");
    client.finish();
    sim.settle();
    assert_eq!(record.all(), ["data but I have more", "end", "close finished"]);
}

#[test]
fn a_half_close_works_over_a_real_socket() {
    let server = net::create_server(|socket| {
        let size = Rc::new(Cell::new(0));
        let sum = size.clone();
        socket.on_data(move |_, bytes| sum.set(sum.get() + bytes.len()));
        socket.on_end(move |socket| socket.end(size.get().to_string()));
    });
    server.set_allow_half_open(true);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let client = net::connect(("127.0.0.1", port), |_| ());
    client.end(pattern(1_000_000));
    let (record, closing) = (Record::default(), server.clone());
    record.watch(&client);
    client.on_close(move |_, _| closing.close(|| ()));
    run_real();
    assert_eq!(record.all(), ["drain", "data 1000000", "end", "close finished"]);
}

// ---- Output

#[test]
fn a_write_after_the_end_is_harmless() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let socket = nth(&sockets, 0);
    socket.end("all");
    assert_eq!(socket.write("more"), Flow::Closed);
    socket.end("still more");
    sim.settle();
    assert_eq!(client.text(), "all");
    socket.destroy();
    socket.destroy();
    assert_eq!(socket.write("and more"), Flow::Closed);
    sim.settle();
    socket.end(());
    socket.pause();
    socket.resume();
    socket.reset();
    socket.set_timeout(SECOND).set_write_limit(1).set_ref(false).set_ref(true);
    socket.on_data(|_, _| panic!("data on a closed socket"));
    socket.on_close(|_, _| panic!("a second close"));
    sim.advance(10 * SECOND);
    assert_eq!((socket.pending(), socket.local_addr(), client.text().as_str()), (0, None, "all"));
}

#[test]
fn what_is_written_in_one_turn_leaves_in_one_segment() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    let segments = Rc::new(Cell::new(0));
    let count = segments.clone();
    client.on_data(move |_, _| count.set(count.get() + 1));
    sim.settle();
    let socket = nth(&sockets, 0);
    socket.on_data(|socket, _| {
        for _ in 0..100 {
            socket.write("in its own turn ").ignore();
        }
    });
    client.write("go");
    sim.settle();
    assert_eq!((segments.replace(0), client.take().len()), (1, 1600));
    let out_of_turn = socket.clone();
    oneloop::set_timeout(MS, move || {
        for _ in 0..100 {
            out_of_turn.write("from a timer    ").ignore();
        }
    });
    sim.advance(MS);
    assert_eq!((segments.replace(0), client.take().len()), (1, 1600));
}

#[derive(Clone, Debug)]
enum Piece {
    Borrowed(usize),
    Owned(usize),
    Shared(usize),
    Static(usize),
}

fn piece() -> impl Strategy<Value = Piece> {
    let size = prop_oneof![0..100_usize, 10_000..20_000_usize, 60_000..70_000_usize, 100_000..200_000_usize];
    (size, 0..4_u8).prop_map(|(size, kind)| match kind {
        0 => Piece::Borrowed(size),
        1 => Piece::Owned(size),
        2 => Piece::Shared(size),
        _ => Piece::Static(size),
    })
}

static STATIC: [u8; 200_000] = [b'S'; 200_000];

impl Piece {
    fn bytes(&self, number: usize) -> Vec<u8> {
        match *self {
            Piece::Static(size) => STATIC[..size].to_vec(),
            Piece::Borrowed(size) | Piece::Owned(size) | Piece::Shared(size) => {
                (0..size).map(|at| (at / 251 + at + number * 7) as u8).collect()
            }
        }
    }

    fn write(&self, socket: &Socket, number: usize) {
        let bytes = self.bytes(number);
        match *self {
            Piece::Borrowed(_) => socket.write(&bytes).ignore(),
            Piece::Owned(_) => socket.write(bytes).ignore(),
            Piece::Shared(_) => socket.write(Rc::<[u8]>::from(bytes)).ignore(),
            Piece::Static(size) => socket.write(Chunk::from_static(&STATIC[..size])).ignore(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Some are written in the socket's own turn, some out of it, some by a drain listener.
    #[test]
    fn bytes_leave_in_the_order_of_their_writing(
        own in proptest::collection::vec(piece(), 0..8),
        later in proptest::collection::vec(piece(), 0..8),
        before in proptest::collection::vec(piece(), 0..3),
        seed in any::<u64>(),
        buffer in prop_oneof![Just(1000_usize), Just(65_536), Just(1 << 20)],
        rough in any::<bool>(),
    ) {
        let sim = Sim::with_seed(seed);
        let latency = std::time::Duration::ZERO..=3 * MS;
        sim.set_network(Network { splits: rough, partial_writes: rough, read_splits: rough, buffer, latency });
        let peer = sim.listen(("127.0.0.1", PORT)).unwrap();
        peer.on_accept(|peer| {
            peer.write("g");
            peer.on_close(|peer| peer.close());
        });
        let socket = net::connect(("127.0.0.1", PORT), |_| ());
        let expected = Rc::new(RefCell::new(Vec::new()));
        let put = {
            let expected = expected.clone();
            move |socket: &Socket, pieces: &[Piece]| {
                for (number, piece) in pieces.iter().enumerate() {
                    expected.borrow_mut().extend(piece.bytes(number));
                    piece.write(socket, number);
                }
            }
        };
        put(&socket, &before);
        let in_turn = put.clone();
        socket.on_data(move |socket, _| {
            in_turn(socket, &own);
            let (in_turn, later, socket) = (in_turn.clone(), later.clone(), socket.clone());
            oneloop::set_timeout(MS, move || {
                in_turn(&socket, &later);
                socket.end(());
            });
        });
        let reason = reason_of(&socket);
        sim.run_to_rest();
        prop_assert!(peer.accepted()[0].received() == *expected.borrow());
        prop_assert_eq!(reason.get(), Some(CloseReason::Finished));
    }
}

// ---- The end

#[test]
fn the_reason_of_a_close_is_told_once() {
    let sim = Sim::new();
    let cases: [(fn(&Sim, &Socket, &oneloop::sim::Peer), &[&str]); 5] = [
        (|_, _, peer| peer.close(), &["end", "close finished"]),
        (|_, socket, _| socket.destroy(), &["close destroyed"]),
        (|_, socket, _| socket.reset(), &["close destroyed"]),
        (|_, _, peer| peer.reset(), &["error ConnectionReset", "close reset"]),
        (
            |_, socket, peer| {
                socket.end(());
                peer.finish();
            },
            &["end", "close finished"],
        ),
    ];
    let (_server, sockets) = serve_and_keep(PORT);
    for (number, (act, expected)) in cases.into_iter().enumerate() {
        let peer = sim.connect(PORT);
        sim.settle();
        let (socket, record) = (nth(&sockets, number), Record::default());
        record.watch(&socket);
        act(&sim, &socket, &peer);
        assert!(record.all().is_empty(), "nothing is called from inside a call");
        sim.settle();
        assert_eq!(record.all(), expected, "case {number}");
        assert!(socket.is_closed());
        assert_eq!(metrics().connections, 0);
    }
    let closes = metrics().closes;
    assert_eq!(closes, [("finished", 2), ("destroyed", 2), ("reset", 1)]);
}

#[test]
fn a_reset_is_a_reset_for_the_peer() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let peer = sim.connect(PORT);
    sim.settle();
    nth(&sockets, 0).reset();
    sim.settle();
    assert!(peer.was_reset());
}

/// `on_close` comes in the closing phase: after immediates, before timers.
#[test]
fn on_close_comes_in_the_closing_phase() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    serve(PORT, move |socket| {
        log.watch(&socket);
        let log = log.clone();
        socket.on_data(move |socket, _| {
            socket.destroy();
            assert!(socket.is_closed());
            let (check, timer, tick) = (log.clone(), log.clone(), log.clone());
            oneloop::set_immediate(move || check.add("immediate"));
            oneloop::set_timeout(MS, move || timer.add("timer"));
            oneloop::next_tick(move || tick.add("tick"));
        });
    });
    sim.connect(PORT).write("x");
    sim.advance(SECOND);
    assert_eq!(record.all(), ["data x", "tick", "immediate", "close destroyed", "timer"]);
}

#[test]
fn destroy_within_each_callback() {
    for event in ["connection", "data", "end", "drain", "timeout", "error", "close"] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 1024, ..Network::default() });
        let record = Record::default();
        let log = record.clone();
        serve(PORT, move |socket| {
            log.watch(&socket);
            match event {
                "connection" => socket.destroy(),
                "data" => drop(socket.on_data(|socket, _| socket.destroy())),
                "end" => drop(socket.on_end(Socket::destroy)),
                "drain" => drop(socket.on_drain(Socket::destroy)),
                "timeout" => drop(socket.on_timeout(Socket::destroy)),
                "error" => drop(socket.on_error(|socket, _| socket.destroy())),
                _ => drop(socket.on_close(|socket, _| socket.destroy())),
            }
            socket.set_timeout(10 * SECOND);
            let large = socket.write(pattern(200_000));
            assert_eq!(large == Flow::Closed, event == "connection");
        });
        let client = sim.connect(PORT);
        client.write("x");
        sim.advance(SECOND);
        match event {
            "timeout" => {}
            "error" => client.reset(),
            _ => client.finish(),
        }
        sim.advance(60 * SECOND);
        let all = record.all();
        let last = all.last().unwrap();
        let expected = match event {
            "error" => "close reset",
            "close" => "close finished",
            _ => "close destroyed",
        };
        assert_eq!(last, expected, "{event}: {all:?}");
        assert_eq!(all.iter().filter(|entry| entry.starts_with("close")).count(), 1, "{event}: {all:?}");
        assert_eq!((sim.open_fds(), metrics().connections, metrics().buffered), (1, 0, 0), "{event}");
    }
}

#[test]
fn listeners_are_dropped_after_the_close() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let captured = Rc::new(());
    for way in 0..3 {
        let peer = sim.connect(PORT);
        sim.settle();
        let socket = nth(&sockets, way);
        let holds = || {
            let (captured, socket) = (captured.clone(), socket.clone());
            move || drop((captured.clone(), socket.clone()))
        };
        let f = holds();
        socket.on_data(move |_, _| f());
        let f = holds();
        socket.on_end(move |_| f());
        let f = holds();
        socket.on_drain(move |_| f());
        let f = holds();
        socket.on_timeout(move |_| f());
        let f = holds();
        socket.on_error(move |_, _| f());
        let f = holds();
        socket.on_close(move |_, _| f());
        socket.set_timeout(SECOND);
        assert_eq!(Rc::strong_count(&captured), 7);
        match way {
            0 => peer.close(),
            1 => peer.reset(),
            _ => socket.destroy(),
        }
        sim.settle();
        assert_eq!(Rc::strong_count(&captured), 1, "way {way}");
    }
}

#[test]
fn a_closure_that_captured_its_own_socket_does_not_leak() {
    struct Tell(Rc<Cell<u32>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    // Closed, or alive when the loop ends.
    for closes in [true, false] {
        let sim = Sim::new();
        let count = dropped.clone();
        serve(PORT, move |socket| {
            let (me, tell) = (socket.clone(), Tell(count.clone()));
            socket.on_data(move |_, bytes| {
                let _captured = &tell;
                me.write(bytes).ignore();
            });
        });
        let peer = sim.connect(PORT);
        peer.write("x");
        sim.settle();
        let before = dropped.get();
        if closes {
            peer.close();
            sim.settle();
            assert_eq!(dropped.get(), before + 1);
        }
        drop(sim);
    }
    assert_eq!(dropped.get(), 2);
}

// ---- Resets

#[test]
fn a_reset_while_paused_closes() {
    for unread in ["", "never read"] {
        let sim = Sim::new();
        let (_server, sockets) = serve_and_keep(PORT);
        let client = sim.connect(PORT);
        sim.settle();
        let (socket, record) = (nth(&sockets, 0), Record::default());
        record.watch(&socket);
        socket.pause();
        client.write(unread);
        sim.settle();
        client.reset();
        sim.settle();
        assert_eq!(record.all(), ["error ConnectionReset", "close reset"]);
    }
}

#[test]
fn a_real_reset_while_paused_closes() {
    let server = net::create_server(|socket| socket.pause());
    let record = Record::default();
    let log = record.clone();
    let closing = server.clone();
    server.on_connection(move |socket| {
        log.watch(&socket);
        let closing = closing.clone();
        socket.on_close(move |_, _| closing.close(|| ()));
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let client = net::connect(("127.0.0.1", port), |socket| {
        socket.write("never read").ignore();
        let socket = socket.clone();
        oneloop::set_immediate(move || socket.reset());
    });
    drop(client);
    run_real();
    assert_eq!(record.all(), ["error ConnectionReset", "close reset"]);
}

#[test]
fn a_reset_of_a_socket_that_holds_all_it_may_closes() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    client.write(pattern(1 << 20));
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch_all_but_data(&socket);
    client.reset();
    sim.settle();
    assert_eq!(record.all(), ["error ConnectionReset", "close reset"]);
}

#[test]
fn a_reset_after_the_peers_end_closes() {
    let sim = Sim::new();
    let (server, sockets) = serve_and_keep(PORT);
    server.set_allow_half_open(true);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    client.finish();
    sim.settle();
    assert_eq!(record.take(), ["end"]);
    client.reset();
    sim.settle();
    assert_eq!(record.all(), ["error BrokenPipe", "close reset"]);
}

/// The write that is retried takes the error off the socket; the read that follows finds an end that is none.
#[test]
fn a_reset_while_output_waits_is_not_told_as_an_end() {
    for half_open in [false, true] {
        let sim = Sim::new();
        let (server, sockets) = serve_and_keep(PORT);
        server.set_allow_half_open(half_open);
        let client = sim.connect(PORT);
        client.pause_reading();
        sim.settle();
        let (socket, record) = (nth(&sockets, 0), Record::default());
        record.watch(&socket);
        assert_eq!(socket.write(pattern(1 << 20)), Flow::Full);
        sim.settle();
        client.reset();
        sim.settle();
        assert_eq!(record.all(), ["error ConnectionReset", "close reset"]);
    }
}

#[test]
fn a_write_error_is_told_later_and_not_from_inside_the_write() {
    let record = Record::default();
    let log = record.clone();
    let peer = Rc::new(RefCell::new(None::<TcpStream>));
    let its_peer = peer.clone();
    let server = net::create_server(move |socket| {
        log.watch_all_but_data(&socket);
        let (log, its_peer) = (log.clone(), its_peer.clone());
        socket.on_data(move |socket, _| {
            let peer = its_peer.take().unwrap();
            socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            drop(peer); // it sends a RST, of which this socket learns by writing
            while socket.write(pattern(70_000)) != Flow::Closed {}
            assert!(!socket.is_closed());
            log.add("written");
        });
    });
    let closing = server.clone();
    server.on_connection(move |socket| {
        let closing = closing.clone();
        socket.on_close(move |_, _| closing.close(|| ()));
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"go").unwrap();
    *peer.borrow_mut() = Some(client);
    run_real();
    assert_eq!(record.all(), ["written", "error ConnectionReset", "close reset"]);
}

// ---- Timeouts

#[test]
fn a_timeout_comes_again_and_again_and_activity_puts_it_off() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    socket.set_timeout(10 * SECOND);
    sim.advance(35 * SECOND);
    assert_eq!(record.take(), ["timeout"; 3]);
    for _ in 0..20 {
        client.write("x");
        sim.advance(9 * SECOND);
    }
    assert_eq!(record.take(), ["data x"; 20], "input is activity");
    for _ in 0..20 {
        socket.write("x").ignore();
        sim.advance(9 * SECOND);
    }
    assert_eq!(record.take(), [""; 0], "output is activity");
    socket.set_timeout(SECOND);
    sim.advance(2 * SECOND);
    assert_eq!(record.take(), ["timeout"; 2], "the last setting holds");
    socket.set_timeout(std::time::Duration::ZERO);
    sim.advance(3600 * SECOND);
    assert!(record.all().is_empty());
    assert!(!socket.is_closed(), "a timeout closes nothing");
}

#[test]
fn input_that_nobody_listens_for_is_activity_too() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch_all_but_data(&socket);
    socket.set_timeout(10 * SECOND);
    for _ in 0..5 {
        client.write("x");
        sim.advance(9 * SECOND);
    }
    assert!(record.all().is_empty());
}

#[test]
fn a_peer_that_takes_output_slowly_is_activity_too() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    client.read_at_rate(1000, 5 * SECOND);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    socket.set_timeout(20 * SECOND);
    assert_eq!(socket.write(pattern(20_000)), Flow::Ready);
    sim.advance(90 * SECOND);
    assert!(socket.pending() > 0);
    assert!(record.all().is_empty(), "no timeout, and no drain that nobody asked for: {:?}", record.all());
    sim.advance(100 * SECOND);
    assert_eq!((socket.pending(), client.received().len()), (0, 20_000));
    assert!(record.all().iter().all(|entry| entry == "timeout"));
}

// ---- References

#[test]
fn an_unrefd_socket_lets_the_loop_end() {
    let sim = Sim::new();
    let (server, sockets) = serve_and_keep(PORT);
    let _client = sim.connect(PORT);
    sim.settle();
    let socket = nth(&sockets, 0);
    server.unref();
    socket.unref();
    assert!(!socket.has_ref());
    oneloop::run().unwrap();
    socket.set_ref(true).set_ref(true);
    let later = socket.clone();
    oneloop::set_timeout(SECOND, move || _ = later.unref()).unref();
    oneloop::run().unwrap();
    assert_eq!(sim.now(), SECOND);
    assert!(!socket.is_closed());
    socket.destroy();
    oneloop::run().unwrap();
    assert_eq!(metrics().connections, 0);
}

#[test]
fn a_dropped_handle_is_not_a_closed_socket() {
    let sim = Sim::new();
    serve(PORT, |socket| {
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
        socket.set_timeout(SECOND);
        drop(socket);
    });
    let client = sim.connect(PORT);
    sim.advance(3600 * SECOND);
    client.write("still there");
    sim.settle();
    assert_eq!(client.text(), "still there");
}

// ---- Panics

#[test]
fn a_panic_in_a_callback_costs_that_socket_only() {
    for event in ["connection", "data", "end", "drain", "timeout", "error", "close"] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 1024, ..Network::default() });
        set_panic_policy(PanicPolicy::Catch);
        let record = Record::default();
        let log = record.clone();
        let first = Cell::new(true);
        serve(PORT, move |socket| {
            if !first.replace(false) {
                socket.on_data(|socket, bytes| socket.write(bytes).ignore());
                return;
            }
            match event {
                "connection" => {}
                "data" => drop(socket.on_data(|_, _| panic!("data"))),
                "end" => drop(socket.on_end(|_| panic!("end"))),
                "drain" => drop(socket.on_drain(|_| panic!("drain"))),
                "timeout" => drop(socket.on_timeout(|_| panic!("timeout"))),
                "error" => drop(socket.on_error(|_, _| panic!("error"))),
                _ => drop(socket.on_close(|_, _| panic!("close"))),
            }
            log.watch(&socket);
            socket.set_timeout(10 * SECOND);
            socket.write(pattern(200_000)).ignore();
            assert!(event != "connection", "connection");
        });
        let client = sim.connect(PORT);
        client.write("x");
        sim.settle();
        let other = sim.connect(PORT);
        other.write("unharmed");
        sim.advance(SECOND);
        match event {
            "error" => client.reset(),
            "timeout" => {}
            _ => client.finish(),
        }
        sim.advance(60 * SECOND);
        assert_eq!(other.text(), "unharmed", "{event}");
        let all = record.all();
        let expected = match event {
            "error" => "close reset",
            "close" => "close finished",
            _ => "close panicked",
        };
        assert_eq!(all.last().map(String::as_str), Some(expected), "{event}: {all:?}");
        assert_eq!(metrics().connections, 1, "{event}");
    }
}

// ---- Addresses

#[test]
fn addresses_and_counts() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect_from("10.1.2.3:4567".parse().unwrap(), PORT);
    client.write("12345");
    sim.settle();
    let socket = nth(&sockets, 0);
    assert_eq!(socket.remote_addr().unwrap().to_string(), "10.1.2.3:4567");
    assert_eq!(socket.local_addr().unwrap().port(), Some(PORT));
    assert_eq!(socket.bytes_read(), 5);
    socket.write("123").ignore();
    assert_eq!((socket.bytes_written(), socket.pending()), (0, 3));
    sim.settle();
    assert_eq!((socket.bytes_written(), socket.pending()), (3, 0));
    assert!(socket.set_no_delay(false).is_ok() && socket.set_keep_alive(Some(SECOND)).is_ok());
    assert_eq!(reason_of(&socket).get(), None::<CloseReason>);
}
