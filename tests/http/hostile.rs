//! Promises 4 and 9, by chance: whatever peers send, and however they stall, vanish or half-close, every request that was
//! dispatched is answered once and in order, or its connection is closed with a reason; nothing is left over.

use crate::support::http::{self as support, Kept, MS, PORT, SECOND, get, whole};
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{Request, Response};
use oneloop::net::{Address, CloseReason};
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sim};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

// ---- What the server does

/// A request that was dispatched, and what became of it.
struct Seen {
    from: Address,
    path: String,
    finished: Cell<u32>,
    closed: RefCell<Vec<CloseReason>>,
}

type Log = Rc<RefCell<Vec<Rc<Seen>>>>;

thread_local! {
    /// A handler that destroys its connection means the answers before its own as well.
    static DESTROYS: Cell<bool> = const { Cell::new(true) };
}

/// Large enough for no kernel to take it at once.
fn large(path: &str) -> String {
    path.to_owned() + &"x".repeat(100_000)
}

/// Behaves as the path asks: `/0…` to `/9…`. Every answer that is the handler's own begins with the path.
fn behave(req: &Request, res: Response) {
    let path = req.path().to_owned();
    match path.as_bytes().get(1) {
        Some(b'1') => drop(set_timeout(20 * MS, move || res.end(path))),
        Some(b'2') => {
            res.write(&path).ignore();
            set_timeout(15 * MS, move || res.end("end"));
        }
        Some(b'3') => req.read_body(usize::MAX, move |body| {
            if body.is_ok() {
                res.end(path);
            }
        }),
        Some(b'4') => drop(res),
        // No hook: the output of a test is not for this.
        Some(b'5') => std::panic::resume_unwind(Box::new("on purpose")),
        Some(b'6') => res.end(large(&path)),
        Some(b'7') => {
            req.on_data(|req, _| {
                req.pause();
                let req = req.clone();
                set_timeout(5 * MS, move || req.resume());
            });
            req.on_end(move |_| res.end(&path));
        }
        Some(b'8') if DESTROYS.get() => {
            res.write(&path).ignore();
            res.destroy();
        }
        Some(b'9') => req.read_body(10, move |body| {
            if body.is_ok() {
                res.end(path);
            }
        }),
        _ => res.end(path),
    }
}

fn handler(log: &Log) -> impl FnMut(Request, Response) + use<> {
    let log = log.clone();
    move |req, res| {
        let seen = Rc::new(Seen {
            from: req.remote_addr().unwrap(),
            path: req.path().to_owned(),
            finished: Cell::new(0),
            closed: RefCell::default(),
        });
        log.borrow_mut().push(seen.clone());
        let finished = seen.clone();
        res.on_finish(move |_| finished.finished.set(finished.finished.get() + 1));
        req.on_close(move |_, reason| seen.closed.borrow_mut().push(reason));
        behave(&req, res);
    }
}

// ---- What the peers do

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<u8>),
    Wait(u64),
    Finish,
    Close,
    Reset,
    Pause,
    Slow(usize),
    Resume,
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    (0_u8..10, 0_u32..1000, 0_u8..4, vec(any::<u8>(), 0..200)).prop_map(|(behaviour, number, kind, body)| {
        let path = format!("/{behaviour}-{number}");
        let mut bytes = match kind {
            0 | 1 => get(&path).into_bytes(),
            2 => format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(),
            _ => format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes(),
        };
        if kind == 2 {
            bytes.extend(&body);
        } else if kind == 3 {
            for chunk in body.chunks(50) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
        bytes
    })
}

/// Requests, requests with an octet changed or cut off, and anything.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(request(), 1..6).prop_map(|requests| requests.concat()),
        2 => (request(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, octet)| {
            let at = at.index(bytes.len());
            bytes[at] = octet;
            bytes
        }),
        2 => (request(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
            bytes.truncate(at.index(bytes.len()));
            bytes
        }),
        1 => vec(any::<u8>(), 0..100),
        1 => "[A-Z]{1,5} [/a-z:]{1,9} HTTP/1\\.[01]\r\n([A-Za-z-]{1,20}: [ -~]{0,9}\r\n){0,5}\r\n".prop_map(String::into_bytes),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => bytes().prop_map(Act::Write),
        3 => (0_u64..100).prop_map(Act::Wait),
        1 => (1_000_u64..70_000).prop_map(Act::Wait),
        1 => Just(Act::Finish),
        1 => Just(Act::Close),
        1 => Just(Act::Reset),
        1 => Just(Act::Pause),
        1 => (1_usize..3000).prop_map(Act::Slow),
        2 => Just(Act::Resume),
    ]
}

fn network() -> impl Strategy<Value = Network> {
    (0_u32..20, any::<bool>(), any::<bool>(), any::<bool>(), prop_oneof![100_usize..2000, Just(65_536)]).prop_map(
        |(latency, splits, partial_writes, read_splits, buffer)| Network {
            latency: Duration::ZERO..=latency * MS,
            splits,
            partial_writes,
            read_splits,
            buffer,
        },
    )
}

/// A peer of a run, and whether it has read all that it was sent.
struct Client {
    peer: Peer,
    faithful: bool,
}

impl Client {
    fn act(&mut self, sim: &Sim, act: &Act) {
        match act {
            Act::Write(bytes) => self.peer.write(bytes),
            Act::Wait(millis) => sim.advance(*millis as u32 * MS),
            Act::Finish => self.peer.finish(),
            Act::Pause => self.peer.pause_reading(),
            Act::Slow(bytes) => self.peer.read_at_rate(*bytes, 50 * MS),
            Act::Resume => self.peer.resume_reading(),
            Act::Close => {
                self.faithful = false;
                self.peer.close();
            }
            Act::Reset => {
                self.faithful = false;
                self.peer.reset();
            }
        }
    }
}

/// What holds at the end for one connection.
fn check(client: &Client, seen: &[Rc<Seen>]) -> Result<(), TestCaseError> {
    for seen in seen {
        prop_assert_eq!(seen.closed.borrow().len(), 1, "{} was closed {:?}", &seen.path, &seen.closed);
        let finished = seen.closed.borrow()[0] == CloseReason::Finished;
        prop_assert_eq!(seen.finished.get(), u32::from(finished), "{}: {:?}", &seen.path, &seen.closed);
    }
    let bytes = client.peer.received();
    let (replies, rest) = whole(&bytes);
    let informational = |status: u16| status < 200;
    let replies: Vec<_> = replies.into_iter().filter(|reply| !informational(reply.status)).collect();
    prop_assert!(replies.len() <= seen.len() + 1, "{} answers to {} requests", replies.len(), seen.len());
    for (number, reply) in replies.iter().enumerate() {
        match seen.get(number) {
            Some(seen) if reply.status == 200 => {
                prop_assert!(reply.body.starts_with(seen.path.as_bytes()), "{reply:?} to {}", &seen.path)
            }
            Some(_) => prop_assert!(matches!(reply.status, 400..=431 | 500..=505), "{reply:?}"),
            None => prop_assert!(reply.closes() && reply.status >= 400, "{reply:?} to nothing"),
        }
    }
    if client.faithful && !client.peer.was_reset() {
        // What was handed to the kernel whole has come; a reset, by a handler that destroys or a deadline, may take it.
        let finished = seen.iter().filter(|seen| seen.finished.get() > 0).count();
        prop_assert!(replies.len() >= finished, "{} of {finished} answers came", replies.len());
        // A refusal may be cut by a deadline as well, where its peer does not read.
        let refusal = ["HTTP/1.1 4", "HTTP/1.1 5"].iter().any(|line| line.bytes().zip(rest).all(|(a, b)| a == *b));
        prop_assert!(rest.is_empty() || replies.len() < seen.len() || refusal, "half an answer to nothing");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_peers_do_each_request_is_answered_once_in_order_or_its_connection_closed(
        seed in any::<u64>(),
        network in network(),
        scripts in vec(vec(act(), 1..12), 1..6),
    ) {
        let sim = Sim::with_seed(seed);
        set_panic_policy(PanicPolicy::Catch);
        sim.set_network(network);
        let log = Log::default();
        let server = support::listen(handler(&log));
        let opened = Rc::new(Cell::new(0));
        let count = opened.clone();
        server.on_connection(move |_| count.set(count.get() + 1));
        let mut clients: Vec<_> =
            scripts.iter().map(|_| Client { peer: sim.connect(PORT), faithful: true }).collect();
        // In turns, so that what they do falls into each other's waits.
        for turn in 0..12 {
            for (client, script) in clients.iter_mut().zip(&scripts) {
                if let Some(act) = script.get(turn) {
                    client.act(&sim, act);
                }
            }
        }
        for client in &clients {
            client.peer.resume_reading();
        }
        sim.advance(1000 * SECOND);
        let metrics = metrics();
        prop_assert_eq!((server.connections(), metrics.connections, metrics.buffered), (0, 0, 0));
        prop_assert_eq!(metrics.closes.iter().map(|(_, count)| count).sum::<u64>(), opened.get());
        prop_assert!(server.open_exchanges().is_empty());
        for client in &clients {
            let address = client.peer.local_addr();
            let seen: Vec<_> = log.borrow().iter().filter(|seen| seen.from == address).cloned().collect();
            check(client, &seen)?;
        }
    }

    #[test]
    fn good_answers_are_not_lost_whatever_follows(
        seed in any::<u64>(),
        network in network(),
        good in vec((prop::sample::select(&b"012367"[..]), 0_u32..1000), 1..5),
        next in bytes(),
        finishes in any::<bool>(),
        late in any::<bool>(),
    ) {
        let sim = Sim::with_seed(seed);
        set_panic_policy(PanicPolicy::Catch);
        DESTROYS.set(false);
        sim.set_network(network);
        let log = Log::default();
        let server = support::listen(handler(&log));
        let peer = sim.connect(PORT);
        if late {
            peer.pause_reading();
        }
        let paths: Vec<_> = good.iter().map(|(behaviour, number)| format!("/{}-{number}", *behaviour as char)).collect();
        peer.write(paths.iter().map(|path| get(path)).collect::<String>());
        peer.write(&next);
        if finishes {
            peer.finish();
        }
        sim.advance(4 * SECOND);
        peer.resume_reading();
        sim.advance(400 * SECOND);
        let bytes = peer.received();
        let (replies, _) = whole(&bytes);
        prop_assert!(replies.len() >= paths.len(), "{} of {}: {:?}, {:?}", replies.len(), paths.len(), peer.text(), metrics().closes);
        for (reply, path) in replies.iter().zip(&paths) {
            prop_assert!(reply.status == 200 && reply.body.starts_with(path.as_bytes()), "{reply:?} to {path}");
        }
        prop_assert_eq!((server.connections(), metrics().connections), (0, 0));
    }
}

// ---- One at a time

/// Where a connection ends in the middle of a request, wherever that is.
#[test]
fn an_end_at_every_point_of_a_request_closes_with_a_reason() {
    let bytes = b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nT: t\r\n\r\n";
    for end in 0..=bytes.len() {
        for reset in [false, true] {
            let log = Log::default();
            let (sim, server) = support::serve(handler(&log));
            let peer = support::send(&sim, &bytes[..end]);
            if reset {
                peer.reset();
            } else {
                peer.finish();
            }
            sim.settle();
            let reason = match (reset, end) {
                // It was answered, and has no more to lose.
                (true, _) => "reset",
                (false, 0) => "finished",
                (false, end) if end == bytes.len() => "finished",
                (false, _) => "truncated",
            };
            assert_eq!((server.connections(), metrics().closes), (0, vec![(reason, 1)]), "after {end} bytes");
            for seen in log.borrow().iter() {
                let expected = if end == bytes.len() { "finished" } else { reason };
                let closed = seen.closed.borrow();
                assert_eq!((closed.len(), closed[0].as_str()), (1, expected), "after {end} bytes");
            }
        }
    }
}

/// The same for a stall: some deadline ends it.
#[test]
fn a_stall_at_every_point_of_a_request_has_an_end() {
    let bytes = b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nT: t\r\n\r\n";
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for end in 0..=bytes.len() {
        let log = Log::default();
        let (sim, server) = support::serve(handler(&log));
        let peer = support::send(&sim, &bytes[..end]);
        sim.advance(110 * SECOND);
        let reason = match end {
            end if end == bytes.len() => "idle-timeout",
            end if end < head => "header-timeout",
            _ => "slow-receive",
        };
        assert_eq!((server.connections(), metrics().closes), (0, vec![(reason, 1)]), "after {end} bytes");
        let received = peer.received();
        let (replies, rest) = whole(&received);
        let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        let expected = match end {
            0 => None,
            end if end == bytes.len() => Some(200),
            _ => Some(408),
        };
        assert_eq!((statuses, rest.len()), (Vec::from_iter(expected), 0), "after {end} bytes");
    }
}

#[test]
fn a_reset_cancels_an_exchange_and_a_fin_does_not() {
    let (kept, log) = (Kept::default(), Log::default());
    let (keep, mut watch) = (kept.clone(), handler(&log));
    let (sim, server) = support::serve(move |req: Request, res: Response| {
        keep.put(res.clone());
        watch(req, res);
    });
    // `/1` answers by a timer, which comes too late here.
    let (reset, ended) = (support::send(&sim, get("/1")), support::send(&sim, get("/1")));
    reset.reset();
    ended.finish();
    sim.settle();
    let first = log.borrow()[0].clone();
    assert_eq!(*first.closed.borrow(), [CloseReason::Reset]);
    assert!(kept.take().is_closed() && !kept.take().is_closed());
    sim.advance(20 * MS);
    assert_eq!((support::bodies(&ended), server.connections()), (vec!["/1".to_owned()], 0));
    assert_eq!(*log.borrow()[1].closed.borrow(), [CloseReason::Finished]);
    assert_eq!(*first.closed.borrow(), [CloseReason::Reset], "once");
}

/// A write that fails before a read has told of the reset: nothing goes round in circles.
#[test]
fn a_real_peer_that_is_gone_when_it_is_answered() {
    set_panic_policy(PanicPolicy::Resume);
    for path in ["/0", "/6", "/2"] {
        let before = metrics().closes.iter().map(|(_, count)| count).sum::<u64>();
        let log = Log::default();
        let ((called, go), (gone, wait)) = (mpsc::channel(), mpsc::channel());
        let mut answer = handler(&log);
        let server = oneloop::http::create_server(move |req: Request, res: Response| {
            called.send(()).unwrap();
            wait.recv().unwrap();
            answer(req, res);
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        let address = server.address().unwrap().to_string();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            stream.write_all(get(path).as_bytes()).unwrap();
            go.recv().unwrap();
            drop(stream);
            gone.send(()).unwrap();
        });
        while metrics().closes.iter().map(|(_, count)| count).sum::<u64>() == before {
            oneloop::run_once().unwrap();
        }
        client.join().unwrap();
        assert_eq!(server.connections(), 0);
        let log = log.borrow();
        assert_eq!((log.len(), &log[0].closed.borrow()[..]), (1, &[CloseReason::Reset][..]), "{path}");
        assert_eq!(log[0].finished.get(), 0, "{path}");
        server.close(|| ());
    }
    assert_eq!(metrics().closes, [("reset", 3)]);
}
