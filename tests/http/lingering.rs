//! What was said last reaches the peer: a response is not lost because the peer still sends, because what it sent next is
//! bad, or because its side has ended.

use crate::support::http::{
    self as support, MS, PORT, Record, SECOND, bodies, get, only, replies, send, serve, statuses,
};
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{self, Request, Response};
use oneloop::sim::{Network, Sim};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Answers 413 at once to what is announced as large; all else with its path.
fn small_only(req: Request, res: Response) {
    let length: usize = req.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if length > 1000 {
        res.set_status(413).end("too large\n");
    } else {
        res.end(req.url());
    }
}

fn upload(length: usize) -> Vec<u8> {
    let mut bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(&vec![b'x'; length]);
    bytes
}

#[test]
fn a_client_that_sends_all_before_it_reads_gets_its_413() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, read_splits: true, partial_writes: true, ..Network::default() });
        let server = support::listen(small_only);
        let peer = sim.connect(PORT);
        // Nothing is read until all is sent, as Python's http.client has it.
        peer.pause_reading();
        peer.write(upload(1_000_000));
        sim.advance(4 * SECOND);
        peer.resume_reading();
        sim.advance(SECOND);
        let reply = only(&peer);
        assert_eq!((reply.status, reply.closes(), peer.was_reset()), (413, true, false), "seed {seed}");
        peer.close();
        sim.advance(SECOND);
        assert_eq!((server.connections(), metrics().closes), (0, vec![("finished", 1)]), "seed {seed}");
    }
}

#[test]
fn a_real_client_that_sends_all_before_it_reads_gets_its_413() {
    set_panic_policy(PanicPolicy::Resume);
    let server = http::create_server(small_only);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let address = server.address().unwrap().to_string();
    let remote = oneloop::remote();
    let client = thread::spawn(move || {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(&upload(1_000_000)).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("HTTP/1.1 413 ") && text.ends_with("too large\n"), "{text}");
        }
        remote.post(oneloop::stop).ok();
    });
    oneloop::run().unwrap();
    client.join().unwrap();
}

fn chunked_upload(length: usize) -> Vec<u8> {
    let mut bytes = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..length / 1000 {
        bytes.extend_from_slice(b"3e8\r\n");
        bytes.extend_from_slice(&[b'x'; 1000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Ends the loop with the client's thread, also where that fails: a test that fails is not to hang.
struct StopsWhenDropped(oneloop::Remote);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.post(oneloop::stop).ok();
    }
}

#[test]
fn a_real_upload_of_64_mib_that_nobody_reads_gets_its_413() {
    const LARGE: usize = 64 * 1024 * 1024;
    set_panic_policy(PanicPolicy::Resume);
    let server = http::create_server(|_req: Request, res: Response| res.set_status(413).end("too large\n"));
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let address = server.address().unwrap().to_string();
    let remote = oneloop::remote();
    let client = thread::spawn(move || {
        let _stop = StopsWhenDropped(remote);
        for bytes in [upload(LARGE), chunked_upload(LARGE)] {
            for reads_early in [false, true] {
                let mut stream = TcpStream::connect(&address).unwrap();
                stream.set_read_timeout(Some(60 * SECOND)).unwrap();
                let mut reader = stream.try_clone().unwrap();
                let mut read = move || {
                    let (mut text, mut piece) = (String::new(), [0; 1000]);
                    while !text.ends_with("too large\n") {
                        let count = reader.read(&mut piece).unwrap();
                        assert!(count > 0, "it ended after {text:?}");
                        text += std::str::from_utf8(&piece[..count]).unwrap();
                    }
                    text
                };
                let text = if reads_early {
                    let reading = thread::spawn(read);
                    stream.write_all(&bytes).unwrap();
                    reading.join().unwrap()
                } else {
                    stream.write_all(&bytes).unwrap();
                    read()
                };
                assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
            }
        }
    });
    oneloop::run().unwrap();
    client.join().unwrap();
}

#[test]
fn an_answer_to_an_unread_upload_that_does_not_say_close_keeps_its_word() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, read_splits: true, partial_writes: true, ..Network::default() });
        let server = support::listen(|req: Request, res: Response| match req.method() {
            "POST" => res.set_status(413).end("too large\n"),
            _ => res.end("next"),
        });
        let peer = sim.connect(PORT);
        peer.write(chunked_upload(1_000_000));
        sim.advance(SECOND);
        assert!(!only(&peer).closes(), "seed {seed}");
        peer.write(get("/next"));
        sim.advance(SECOND);
        assert_eq!((statuses(&peer), server.connections()), (vec![413, 200], 1), "seed {seed}");
    }
}

#[test]
fn an_unread_upload_without_an_end_is_not_discarded_for_ever() {
    let (sim, server) = serve(|_req, res| res.set_status(413).end("too large\n"));
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"3e8\r\n".as_slice(), &[b'x'; 1000], b"\r\n"].concat().repeat(50);
    for _ in 0..29 {
        sim.advance(SECOND);
        peer.write(chunk.clone());
    }
    sim.settle();
    assert!(!peer.is_closed());
    for _ in 0..32 {
        sim.advance(SECOND);
        peer.write(chunk.clone());
    }
    sim.settle();
    assert_eq!((only(&peer).status, server.connections()), (413, 0));
}

#[test]
fn a_real_close_with_unread_input_does_not_take_the_response_away() {
    set_panic_policy(PanicPolicy::Resume);
    let server = http::create_server(|_req: Request, res: Response| {
        res.set_header("Connection", "close");
        res.end("last");
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let address = server.address().unwrap().to_string();
    let remote = oneloop::remote();
    let client = thread::spawn(move || {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&address).unwrap();
            // Many a read's worth of requests behind the one that is answered.
            stream.write_all(get("/").repeat(10_000).as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(text.ends_with("last"), "{text}");
        }
        remote.post(oneloop::stop).ok();
    });
    oneloop::run().unwrap();
    client.join().unwrap();
}

#[test]
fn requests_behind_the_last_do_not_take_its_response_away() {
    let (sim, server) = serve(|req: Request, res: Response| {
        if req.url() == "/last" {
            res.set_header("Connection", "close");
        }
        res.end(req.url());
    });
    let peer = send(&sim, get("/first") + &get("/last") + &get("/more").repeat(10_000));
    assert_eq!((bodies(&peer), peer.was_reset()), (vec!["/first".to_owned(), "/last".to_owned()], false));
    peer.write(get("/more").repeat(100));
    sim.settle();
    peer.close();
    sim.settle();
    assert_eq!((server.connections(), metrics().closes), (0, vec![("finished", 1)]));
}

#[test]
fn a_lingering_close_has_its_time_from_our_fin() {
    let (sim, server) = serve(|_req, res| {
        res.set_header("Connection", "close");
        res.end(vec![b'x'; 100_000]);
    });
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/") + &get("/more"));
    // Longer than the whole of lingering; a sweep for other deadlines comes in between.
    sim.advance(45 * SECOND);
    assert!(!peer.is_closed());
    peer.resume_reading();
    sim.settle();
    assert!(peer.is_closed());
    sim.advance(Duration::from_millis(4_900));
    assert_eq!(server.connections(), 1);
    sim.advance(SECOND);
    assert_eq!(server.connections(), 0);
    assert_eq!(only(&peer).body.len(), 100_000);
}

/// What may follow a good request, and what becomes of the connection.
#[test]
fn a_good_answer_is_not_lost_because_of_what_follows() {
    let bad = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n";
    let cases: &[(&str, bool, &[u16], &str)] = &[
        ("nonsense\r\n\r\n", false, &[200, 400], "bad-message"),
        ("nonsense\r\n\r\n", true, &[200, 400], "bad-message"),
        ("GET / HT", true, &[200], "truncated"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", true, &[200], "truncated"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r", true, &[200], "truncated"),
        (bad, false, &[200, 400], "bad-message"),
        (bad, true, &[200, 400], "bad-message"),
        ("", true, &[200], "finished"),
    ];
    for large in [false, true] {
        for (next, fin, expected, reason) in cases {
            let (sim, server) = serve(move |req: Request, res: Response| match req.method() {
                "GET" if large => res.end(vec![b'x'; 100_000]),
                "GET" => res.end("good"),
                _ => req.read_body(100, move |body| res.end(body.unwrap_or_default())),
            });
            let peer = sim.connect(PORT);
            if large {
                peer.pause_reading();
            }
            peer.write(get("/") + next);
            if *fin {
                peer.finish();
            }
            sim.settle();
            peer.resume_reading();
            sim.settle();
            let case = format!("{next:?} {fin} {large}");
            assert_eq!(statuses(&peer), *expected, "{case}");
            assert!(!peer.was_reset(), "{case}");
            peer.close();
            sim.advance(SECOND);
            assert_eq!((server.connections(), metrics().closes), (0, vec![(*reason, 1)]), "{case}");
        }
    }
}

/// The first response of a peer whose second breaks off, and how the second's exchange ended.
fn broken_off(next: &str, behave: impl Fn(&Request, Response) + 'static) -> Vec<String> {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve(move |req: Request, res: Response| match req.url() {
        "/" => res.end("good"),
        _ => {
            watch.watch(&req, &res);
            behave(&req, res);
        }
    });
    set_panic_policy(PanicPolicy::Catch);
    let peer = send(&sim, get("/") + next);
    let text = peer.text();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\r\n\r\ngood"), "{text}");
    assert!(text.contains("part") && !text.ends_with("0\r\n\r\n"), "{text}");
    assert!(peer.is_closed() && !peer.was_reset());
    peer.close();
    sim.settle();
    assert_eq!((server.connections(), metrics().connections), (0, 0));
    let [(reason, 1)] = metrics().closes[..] else { panic!("{:?}", metrics().closes) };
    let mut lines = record.take();
    lines.push(reason.to_owned());
    lines
}

#[test]
fn a_response_that_breaks_off_does_not_take_the_one_before_it_along() {
    let ends = |reason: &str| vec![format!("res close {reason}"), format!("req close {reason}"), reason.to_owned()];
    let panicked = broken_off(&get("/b"), |_, res| {
        res.write("part").ignore();
        panic!("on purpose");
    });
    assert_eq!(panicked, ends("panicked"));
    assert_eq!(broken_off(&get("/b"), |_, res| res.write("part").ignore()), ends("bad-response"));
    let short = broken_off(&get("/b"), |_, res| {
        res.set_header("Content-Length", 10);
        res.write("part").ignore();
        res.end(());
    });
    assert_eq!(short, ends("bad-response"));
    let bad = "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nnonsense\r\n";
    assert_eq!(broken_off(bad, |req, res| req.pipe(&res)), ends("bad-message"));
}

#[test]
fn held_requests_are_answered_though_the_peer_has_ended() {
    let kept = support::Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| match req.url() {
        "/later" => keep.put(res),
        _ => res.end(req.url()),
    });
    let peer = sim.connect(PORT);
    peer.write(get("/later") + &get("/1") + &get("/later") + &get("/2"));
    peer.finish();
    sim.advance(900 * MS);
    assert_eq!(peer.received(), b"");
    kept.take().end("one");
    sim.settle();
    assert_eq!(bodies(&peer), ["one", "/1"]);
    kept.take().end("two");
    sim.settle();
    assert_eq!(bodies(&peer), ["one", "/1", "two", "/2"]);
    assert_eq!((peer.is_closed(), server.connections(), metrics().closes), (true, 0, vec![("finished", 1)]));
}

#[test]
fn a_graceful_close_loses_no_answer() {
    // Idle but for output that the peer has not read yet.
    let (sim, server) = serve(|_req, res| res.end(vec![b'x'; 100_000]));
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/"));
    sim.settle();
    server.close(|| ());
    sim.advance(SECOND);
    assert!(!peer.is_closed());
    peer.resume_reading();
    sim.settle();
    assert_eq!(only(&peer).body.len(), 100_000);
    assert!(peer.is_closed());
    peer.close();
    sim.settle();
    assert_eq!((server.connections(), metrics().closes), (0, vec![("server-closed", 1)]));
}

#[test]
fn a_graceful_close_lets_a_413_linger() {
    let (sim, server) = serve(small_only);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(upload(1_000_000));
    sim.settle();
    server.close(|| ());
    sim.advance(SECOND);
    peer.write("more");
    sim.settle();
    peer.resume_reading();
    sim.settle();
    assert_eq!((only(&peer).status, peer.was_reset()), (413, false));
}

#[test]
fn a_server_that_closes_after_an_answer_keeps_no_connection() {
    let (sim, server) = serve(|_req, res| res.end("hi"));
    let closer = server.clone();
    server.on_request(move |_req, _res| closer.close(|| ()));
    let peer = send(&sim, get("/"));
    assert_eq!(replies(&peer.received()).len(), 1);
    assert!(peer.is_closed(), "it would stay idle until the time for a graceful shutdown is over");
    peer.close();
    sim.settle();
    assert_eq!(server.connections(), 0);
}
