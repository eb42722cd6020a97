//! Promise 7 for sockets: what a peer or a program can make grow is bounded, and who is told to wait is told to go on.

use crate::support::bytes::pattern;
use crate::support::net::*;
use oneloop::event_loop::metrics;
use oneloop::net::{self, Flow, Socket};
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc;

const PORT: u16 = 7777;
const LIMIT: usize = 64 * 1024;
const LANDING: usize = 64 * 1024;

#[test]
fn full_is_followed_by_exactly_one_drain() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    client.pause_reading();
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    // In its own turn, out of it, large and small.
    for size in [LIMIT, LIMIT + 1, 1 << 20] {
        assert_eq!(socket.write(pattern(size)), Flow::Full);
        assert_eq!(socket.write("more"), Flow::Full, "it stays full");
        sim.advance(60 * SECOND);
        assert!(record.all().is_empty());
        client.resume_reading();
        sim.settle();
        assert_eq!(record.take(), ["drain"]);
        assert_eq!((socket.pending(), metrics().buffered), (0, 0));
        client.pause_reading();
    }
}

#[test]
fn drain_comes_only_after_full() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let record = Record::default();
    let log = record.clone();
    serve(PORT, move |socket| {
        log.watch_all_but_data(&socket);
        socket.on_data(|socket, _| {
            for _ in 0..10 {
                assert_eq!(socket.write(pattern(6000)), Flow::Ready);
            }
        });
    });
    let client = sim.connect(PORT);
    client.read_at_rate(1000, MS);
    client.write("x");
    sim.advance(10 * SECOND);
    client.write("y");
    sim.advance(10 * SECOND);
    assert_eq!(client.received().len(), 120_000);
    assert!(record.all().is_empty(), "{:?}", record.all());
}

#[test]
fn full_is_said_at_the_limit_that_was_set() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (socket, record) = (nth(&sockets, 0), Record::default());
    record.watch(&socket);
    socket.set_write_limit(10);
    assert_eq!(socket.write("123456789"), Flow::Ready);
    assert_eq!(socket.write("0"), Flow::Full);
    assert_eq!(socket.pending(), 10);
    sim.settle();
    assert_eq!(record.take(), ["drain"]);
    socket.set_write_limit(1 << 30);
    client.pause_reading();
    assert_eq!(socket.write(pattern(1 << 20)), Flow::Ready);
}

#[test]
fn a_writer_that_waits_for_drain_each_time_sends_everything() {
    for limit in [1, 1000, LIMIT] {
        let sim = Sim::new();
        let left = Rc::new(Cell::new(200_u32));
        let count = left.clone();
        serve(PORT, move |socket| {
            socket.set_allow_half_open(true).set_write_limit(limit);
            let left = count.clone();
            let go_on = move |socket: &Socket| {
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    if socket.write(pattern(1000)).is_full() {
                        return;
                    }
                }
                socket.end(());
            };
            let first = go_on.clone();
            socket.on_data(move |socket, _| first(socket));
            socket.on_drain(go_on);
        });
        let client = sim.connect(PORT);
        client.write("go");
        client.finish();
        sim.settle();
        assert_eq!((left.get(), client.received().len()), (0, 200_000), "limit {limit}");
        assert!(client.is_closed());
    }
}

#[test]
fn a_full_socket_that_is_closed_hears_of_the_close_and_not_of_a_drain() {
    let sim = Sim::new();
    for destroy in [true, false] {
        let (server, sockets) = serve_and_keep(PORT);
        let client = sim.connect(PORT);
        client.pause_reading();
        sim.settle();
        let (socket, record) = (nth(&sockets, 0), Record::default());
        record.watch(&socket);
        assert_eq!(socket.write(pattern(1 << 20)), Flow::Full);
        if destroy {
            socket.destroy()
        } else {
            client.reset()
        }
        sim.settle();
        assert_eq!(record.all().iter().filter(|entry| !entry.starts_with("error")).count(), 1, "{:?}", record.all());
        assert_eq!(metrics().buffered, 0);
        server.close(|| ());
        sim.settle();
    }
}

/// 16 MiB through a pipe to a slow reader.
#[test]
fn a_pipe_to_a_slow_reader_holds_little() {
    const SIZE: usize = 16 << 20;
    let sim = Sim::new();
    let into = sim.listen(("127.0.0.1", 9)).unwrap();
    into.on_accept(|peer| peer.read_at_rate(16 * 1024, MS));
    let sockets = Sockets::default();
    let kept = sockets.clone();
    serve(PORT, move |socket| {
        let target = net::connect(("127.0.0.1", 9), |_| ());
        socket.pipe(&target);
        kept.borrow_mut().extend([socket, target]);
    });
    let source = sim.connect(PORT);
    source.write(pattern(SIZE));
    source.finish();
    let most = Cell::new((0, 0));
    let done = sim.run_until(
        || {
            let Some(target) = sockets.borrow().get(1).cloned() else { return false };
            let (pending, buffered) = most.get();
            most.set((pending.max(target.pending()), buffered.max(metrics().buffered)));
            target.bytes_written() as usize == SIZE && into.accepted()[0].is_closed()
        },
        60 * SECOND,
    );
    assert!(done);
    sim.advance(10 * SECOND);
    assert!(into.accepted()[0].received() == pattern(SIZE));
    let (pending, buffered) = most.get();
    assert!((LIMIT..LIMIT + LANDING).contains(&pending), "{pending} bytes pending");
    assert!(buffered < LIMIT + 2 * LANDING, "{buffered} bytes buffered");
    assert!(sim.now() > SECOND, "the reader set the pace");
}

#[test]
fn a_pipe_whose_target_goes_closes_its_source() {
    for reset in [true, false] {
        let sim = Sim::new();
        let into = sim.listen(("127.0.0.1", 9)).unwrap();
        into.on_accept(|peer| peer.pause_reading());
        let record = Record::default();
        let log = record.clone();
        serve(PORT, move |socket| {
            log.watch_all_but_data(&socket);
            socket.pipe(&net::connect(("127.0.0.1", 9), |_| ()));
        });
        let source = sim.connect(PORT);
        source.write(pattern(1 << 20));
        source.finish();
        sim.advance(60 * SECOND);
        assert!(record.all().is_empty(), "it waits for the target");
        let target = into.accepted()[0].clone();
        if reset {
            target.reset()
        } else {
            target.close()
        }
        sim.advance(60 * SECOND);
        assert_eq!(record.all(), ["close destroyed"]);
        assert_eq!((metrics().connections, metrics().buffered), (0, 0));
    }
}

/// A source that lives on, since somebody else listens to it, lets go of the targets that have closed.
#[test]
fn a_pipe_does_not_keep_a_target_that_has_closed() {
    let sim = Sim::new();
    let into = sim.listen(("127.0.0.1", 9)).unwrap();
    let (_server, sockets) = serve_and_keep(PORT);
    let client = sim.connect(PORT);
    sim.settle();
    let (source, captured, heard) = (nth(&sockets, 0), Rc::new(()), Rc::new(Cell::new(0)));
    let count = heard.clone();
    source.on_data(move |_, bytes| count.set(count.get() + bytes.len()));
    for number in 0..10 {
        let (target, held) = (net::connect(("127.0.0.1", 9), |_| ()), captured.clone());
        target.on_error(move |_, _| drop(held));
        source.pipe(&target);
        drop(target);
        client.write("x");
        sim.settle();
        assert_eq!(into.accepted()[number].text(), "x");
        into.accepted()[number].reset();
        sim.settle();
        assert_eq!(Rc::strong_count(&captured), 1);
    }
    client.write("y");
    sim.settle();
    assert!(heard.get() == 11 && !source.is_closed() && !source.is_paused());
}

#[test]
fn a_pipe_between_real_sockets_waits_for_a_reader_that_does_not_read() {
    const SIZE: usize = 16 << 20;
    let server = net::create_server(|_| ());
    let (go, wait) = mpsc::channel();
    let most = Rc::new(Cell::new(0));
    let (peak, closing) = (most.clone(), server.clone());
    server.on_connection(move |socket| {
        socket.pipe(&socket);
        let (go, peak, closing) = (go.clone(), peak.clone(), closing.clone());
        socket.on_data(move |socket, _| {
            peak.set(peak.get().max(socket.pending()));
            if socket.is_paused() {
                let _ = go.send(());
            }
        });
        socket.on_close(move |_, _| closing.close(|| ()));
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let reader = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut writing = stream.try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            writing.write_all(&pattern(SIZE)).unwrap();
            writing.shutdown(std::net::Shutdown::Write).unwrap();
        });
        wait.recv().unwrap(); // until the server is full
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        received
    });
    run_real();
    assert!(reader.join().unwrap() == pattern(SIZE));
    assert!((LIMIT..LIMIT + LANDING).contains(&most.get()), "{} bytes pending", most.get());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// An echo by `pipe` on a rough network, with pauses by the program: all comes back, and little is held.
    #[test]
    fn an_echo_on_a_rough_network_holds_little(
        size in 0..400_000_usize,
        seed in any::<u64>(),
        buffer in prop_oneof![Just(100_usize), Just(5000), Just(65_536)],
        limit in prop_oneof![Just(1_usize), Just(1000), Just(LIMIT)],
        pauses in proptest::collection::vec(0..200_u64, 0..4),
    ) {
        let sim = Sim::with_seed(seed);
        let rough = Network { splits: true, partial_writes: true, read_splits: true, latency: std::time::Duration::ZERO..=2 * MS, buffer };
        sim.set_network(rough);
        let reasons = Rc::new(RefCell::new(Vec::new()));
        // Who resumes a socket that a pipe has paused lets one more read buffer in.
        let bound = limit + LANDING * (1 + pauses.len());
        let (log, most) = (reasons.clone(), Rc::new(Cell::new(0)));
        let peak = most.clone();
        serve(PORT, move |socket| {
            socket.set_write_limit(limit);
            socket.pipe(&socket);
            let peak = peak.clone();
            socket.on_data(move |socket, _| peak.set(peak.get().max(socket.pending())));
            for pause in &pauses {
                let (pausing, resuming) = (socket.clone(), socket.clone());
                oneloop::set_timeout(*pause as u32 * MS, move || pausing.pause());
                oneloop::set_timeout((*pause as u32 + 20) * MS, move || resuming.resume());
            }
            let log = log.clone();
            socket.on_close(move |_, reason| log.borrow_mut().push(reason));
        });
        let client = sim.connect(PORT);
        client.write(pattern(size));
        client.finish();
        sim.run_to_rest();
        prop_assert!(client.received() == pattern(size), "{} of {size} bytes came back", client.received().len());
        prop_assert_eq!(&*reasons.borrow(), &[net::CloseReason::Finished]);
        prop_assert!(most.get() < bound, "{} bytes", most.get());
    }
}

/// The kernel's memory is not in our figures, but a peer that does not read must not have megabytes of it either.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_takes_little_for_a_peer_that_does_not_read() {
    let server = net::create_server(|socket| {
        let go_on = |socket: &Socket| while socket.write(vec![0; 16 * 1024]) == Flow::Ready {};
        go_on(&socket);
        socket.on_drain(go_on);
        set_timeout(200 * MS, move || {
            let taken = socket.bytes_written();
            assert!(taken <= 640 * 1024, "the kernel took {taken} bytes");
            oneloop::stop();
        });
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let peer = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    peer.set_recv_buffer_size(4096).unwrap();
    peer.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    run_real();
    server.close(|| ());
    drop(peer);
    run_real();
}

/// Those that connect had no such limit.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_takes_as_little_for_a_server_that_does_not_read() {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(4096).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let port = listener.local_addr().unwrap().as_socket().unwrap().port();
    let go_on = |socket: &Socket| while socket.write(vec![0; 16 * 1024]) == Flow::Ready {};
    let socket = net::connect(("127.0.0.1", port), go_on);
    socket.on_drain(go_on);
    set_timeout(200 * MS, move || {
        let taken = socket.bytes_written();
        assert!(taken > 0 && taken <= 640 * 1024, "the kernel took {taken} bytes");
        socket.destroy();
    });
    run_real();
}
