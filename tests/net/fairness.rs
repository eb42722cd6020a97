//! Promise 10: no connection starves another. A turn has budgets; what is left waits for its next turn.

use crate::support::net::*;
use oneloop::http;
use oneloop::net::{self, Socket};
use oneloop::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PORT: u16 = 7777;
const READ_BUDGET: usize = 256 * 1024;
const WRITE_BUDGET: usize = 256 * 1024;
const ACCEPT_BUDGET: usize = 64;
const REQUEST_BUDGET: usize = 64;

/// A network that holds everything that is sent.
fn wide() -> Network {
    Network { buffer: 16 << 20, ..Network::default() }
}

/// One that sends endlessly has its share of each iteration, and no more.
#[test]
fn a_sender_without_end_does_not_keep_others_from_being_read() {
    let sim = Sim::new();
    sim.set_network(wide());
    let greedy = Rc::new(Cell::new(0));
    let seen = Rc::new(Cell::new(usize::MAX));
    let (sum, before) = (greedy.clone(), seen.clone());
    let first = Cell::new(true);
    serve(PORT, move |socket| {
        let sum = sum.clone();
        if first.replace(false) {
            socket.on_data(move |_, bytes| sum.set(sum.get() + bytes.len()));
        } else {
            let before = before.clone();
            socket.on_data(move |_, _| before.set(sum.get()));
        }
    });
    let (sender, other) = (sim.connect(PORT), sim.connect(PORT));
    sim.settle();
    sender.write(vec![0; 3 << 20]);
    other.write("x");
    sim.settle();
    assert_eq!(seen.get(), READ_BUDGET, "the other's turn comes after one budget");
    assert_eq!(greedy.get(), 3 << 20, "and all is read in the end");
}

#[test]
fn a_sender_without_end_does_not_hold_up_timers_and_immediates() {
    let sim = Sim::new();
    sim.set_network(wide());
    let (sum, largest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (total, most) = (sum.clone(), largest.clone());
    serve(PORT, move |socket| {
        let between = Rc::new(Cell::new(0));
        let (count, total) = (between.clone(), total.clone());
        socket.on_data(move |_, bytes| {
            count.set(count.get() + bytes.len());
            total.set(total.get() + bytes.len());
        });
        fn next(between: Rc<Cell<usize>>, most: Rc<Cell<usize>>) {
            oneloop::set_immediate(move || {
                most.set(most.get().max(between.replace(0)));
                next(between, most);
            })
            .unref();
        }
        next(between, most.clone());
    });
    let sender = sim.connect(PORT);
    sender.write(vec![0; 2 << 20]);
    assert!(sim.run_until(|| sum.get() == 2 << 20, SECOND));
    assert!((1..=2 * READ_BUDGET).contains(&largest.get()), "{} bytes between two immediates", largest.get());
}

#[test]
fn a_writer_without_end_does_not_keep_others_from_their_turns() {
    // By as much as leaves in one send, and by tiny writes.
    for (size, limit) in [(15_000, 40_000), (1, 1)] {
        let sim = Sim::new();
        sim.set_network(wide());
        let written = Rc::new(Cell::new((0, 0)));
        let seen = Rc::new(Cell::new(None));
        let (count, before) = (written.clone(), seen.clone());
        let first = Cell::new(true);
        serve(PORT, move |socket| {
            if first.replace(false) {
                socket.set_write_limit(limit);
                let count = count.clone();
                let go_on = move |socket: &Socket| {
                    let (calls, bytes) = count.get();
                    count.set((calls + 1, bytes + limit));
                    while calls < 1000 && !socket.write(vec![0; size]).is_full() {}
                };
                let drained = go_on.clone();
                socket.on_drain(drained);
                socket.on_data(move |socket, _| go_on(socket));
            } else {
                let (before, count) = (before.clone(), count.clone());
                socket.on_data(move |_, _| before.set(Some(count.get())));
            }
        });
        let (reader, other) = (sim.connect(PORT), sim.connect(PORT));
        sim.settle();
        reader.write("go");
        other.write("x");
        sim.settle();
        let (calls, bytes) = seen.get().unwrap();
        assert!(bytes <= WRITE_BUDGET + 2 * limit, "{bytes} bytes written before the other's turn");
        assert!(calls <= 66, "{calls} drains before the other's turn");
        assert_eq!(written.get().0, 1001, "and it goes on");
        assert!(other.received().is_empty());
    }
}

/// What a slow kernel makes pending is written in slices as well.
#[test]
fn a_large_pending_output_is_written_in_slices() {
    let sim = Sim::new();
    sim.set_network(wide());
    let (_server, sockets) = serve_and_keep(PORT);
    let reader = sim.connect(PORT);
    sim.settle();
    let socket = nth(&sockets, 0);
    for _ in 0..64 {
        socket.write(vec![7; 128 * 1024]).ignore();
    }
    let largest = Cell::new(0);
    let mut before = 0;
    sim.run_until(
        || {
            largest.set(largest.get().max(socket.bytes_written() - before));
            before = socket.bytes_written();
            socket.pending() == 0
        },
        SECOND,
    );
    sim.settle();
    assert_eq!(reader.received().len(), 8 << 20);
    assert_eq!(largest.get(), WRITE_BUDGET as u64, "the others' turns come after one budget");
}

#[test]
fn a_flood_of_connections_does_not_keep_others_from_their_turns() {
    let sim = Sim::new();
    let accepted = Rc::new(Cell::new(0));
    let seen = Rc::new(Cell::new(usize::MAX));
    let (count, before) = (accepted.clone(), seen.clone());
    serve(PORT, move |_| count.set(count.get() + 1));
    let count = accepted.clone();
    serve(8888, move |socket| {
        let (before, count) = (before.clone(), count.clone());
        socket.on_data(move |_, _| before.set(count.get()));
    });
    let other = sim.connect(8888);
    sim.settle();
    let flood: Vec<_> = (0..500).map(|_| sim.connect(PORT)).collect();
    other.write("x");
    sim.settle();
    assert_eq!(seen.get(), ACCEPT_BUDGET);
    assert_eq!(accepted.get(), flood.len(), "and all are accepted in the end");
}

#[test]
fn a_flood_of_refused_connections_is_no_better() {
    let sim = Sim::new();
    let dropped = Rc::new(Cell::new(0));
    let seen = Rc::new(Cell::new(usize::MAX));
    let count = dropped.clone();
    serve(PORT, |_| ()).set_max_connections(0).on_drop(move |_| count.set(count.get() + 1));
    let (before, count) = (seen.clone(), dropped.clone());
    serve(8888, move |socket| {
        let (before, count) = (before.clone(), count.clone());
        socket.on_data(move |_, _| before.set(count.get()));
    });
    let other = sim.connect(8888);
    sim.settle();
    let _flood: Vec<_> = (0..500).map(|_| sim.connect(PORT)).collect();
    other.write("x");
    sim.settle();
    assert_eq!((seen.get(), dropped.get()), (ACCEPT_BUDGET, 500));
}

/// Over HTTP: between two requests of any other client, the greedy ones have a turn or two.
#[test]
fn beside_a_pipeliner_and_an_uploader_without_end_each_other_client_has_its_turn_in_each_iteration() {
    const OTHERS: usize = 50;
    const PIPELINED: usize = 3_000;
    const UPLOAD: usize = 6 << 20;
    const ROUNDS: usize = 8;
    let sim = Sim::new();
    sim.set_network(wide());
    let (pipelined, uploaded) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let most = Rc::new(Cell::new((0, 0)));
    let (requests, bytes, largest) = (pipelined.clone(), uploaded.clone(), most.clone());
    let before = RefCell::new(vec![(0, 0); OTHERS]);
    let server = http::create_server(move |req, res| match req.path() {
        "/pipelined" => {
            requests.set(requests.get() + 1);
            res.end("done");
        }
        "/uploaded" => {
            let bytes = bytes.clone();
            req.on_data(move |_, chunk| bytes.set(bytes.get() + chunk.len()));
            req.on_end(move |_| res.end("done"));
        }
        other => {
            let number: usize = other[1..].parse().unwrap();
            let now = (requests.get(), bytes.get());
            let then = std::mem::replace(&mut before.borrow_mut()[number], now);
            let (most_requests, most_bytes) = largest.get();
            largest.set((most_requests.max(now.0 - then.0), most_bytes.max(now.1 - then.1)));
            res.end("done");
        }
    });
    server.listen(PORT, || ()).unwrap();
    let (pipeliner, uploader) = (sim.connect(PORT), sim.connect(PORT));
    let others: Vec<_> = (0..OTHERS).map(|_| sim.connect(PORT)).collect();
    sim.settle();
    pipeliner.write("GET /pipelined HTTP/1.1\r\nHost: a\r\n\r\n".repeat(PIPELINED));
    uploader.write(format!("POST /uploaded HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", UPLOAD));
    uploader.write(vec![0; UPLOAD]);
    let answered = Rc::new(Cell::new(0));
    for (number, other) in others.iter().enumerate() {
        let ask = move |peer: &Peer| peer.write(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        ask(other);
        let (left, answered) = (Cell::new(ROUNDS), answered.clone());
        other.on_data(move |peer, _| {
            answered.set(answered.get() + 1);
            left.set(left.get() - 1);
            if left.get() > 0 {
                ask(peer);
            }
        });
    }
    assert!(sim.run_until(|| answered.get() == OTHERS * ROUNDS, SECOND));
    assert!(pipelined.get() < PIPELINED && uploaded.get() < UPLOAD, "they had not come to their ends meanwhile");
    let (requests, bytes) = most.get();
    assert!((1..=2 * REQUEST_BUDGET).contains(&requests), "{requests} requests between two of another");
    assert!((1..=2 * READ_BUDGET).contains(&bytes), "{bytes} bytes between two requests of another");
    sim.settle();
    assert_eq!((pipelined.get(), uploaded.get()), (PIPELINED, UPLOAD));
}

/// On real sockets: one peer sends as fast as it can for as long as the other asks and is answered.
#[test]
fn a_real_sender_without_end_does_not_starve_another() {
    let server = net::create_server(|socket| {
        socket.on_data(|socket, bytes| {
            if bytes == b"ping" {
                socket.write("pong").ignore();
            }
        });
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut greedy, mut asking) = (connect(), connect());
    let over = Arc::new(AtomicBool::new(false));
    let sender = std::thread::spawn({
        let over = over.clone();
        move || {
            let block = vec![0; 256 * 1024];
            while !over.load(Ordering::Relaxed) {
                greedy.write_all(&block).unwrap();
            }
        }
    });
    let mut remote = oneloop::remote();
    remote.set_ref(true);
    let asker = std::thread::spawn(move || {
        for _ in 0..50 {
            let mut answer = [0; 4];
            asking.write_all(b"ping").unwrap();
            asking.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"pong");
        }
        over.store(true, Ordering::Relaxed);
        let _ = remote.post(oneloop::stop);
    });
    run_real();
    asker.join().unwrap();
    server.close(|| ());
    run_real();
    sender.join().unwrap();
}

#[test]
fn output_for_more_than_1_024_sockets_leaves_others_their_turns_in_between() {
    const SOCKETS: usize = 1_100;
    let sim = Sim::new();
    let sockets = Rc::new(RefCell::new(Vec::<Socket>::new()));
    let inner = sockets.clone();
    serve(PORT, move |socket| inner.borrow_mut().push(socket.clone()));
    let mut peers = Vec::<Peer>::new();
    while peers.len() < SOCKETS {
        // Fewer than a backlog holds.
        peers.extend((0..100).map(|_| sim.connect(PORT)));
        sim.settle();
    }
    assert_eq!(sockets.borrow().len(), SOCKETS);
    let waiting = Rc::new(Cell::new(0));
    let seen = waiting.clone();
    oneloop::set_timeout(std::time::Duration::from_millis(1), move || {
        for socket in sockets.borrow().iter() {
            let _ = socket.write("news");
        }
        oneloop::set_immediate(move || seen.set(sockets.borrow().iter().filter(|socket| socket.pending() > 0).count()));
    });
    sim.advance(std::time::Duration::from_millis(1));
    assert_eq!(waiting.get(), SOCKETS - 1_024, "one pending phase writes for 1,024 of them");
    sim.settle();
    assert!(peers.iter().all(|peer| peer.text() == "news"));
}
