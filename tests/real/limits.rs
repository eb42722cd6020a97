//! Promises 7 and 4 over real sockets: each limit of size, set small, is answered as documented, and the answer reaches
//! the peer; what is only held back is not lost. The exact bounds are for the simulated world (`limits.rs`).

use crate::support::http::{Kept, get, post, replies};
use crate::support::real::{Clients, real, rest, server};
use oneloop::event_loop::metrics;
use oneloop::http::{Limits, Request, Response};
use oneloop::net::Flow;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const KIB: usize = 1024;

/// Takes the body, if it is small, and answers with its length.
fn length(req: Request, res: Response) {
    req.read_body(1000, move |body| {
        if let Ok(body) = body {
            res.end(body.len().to_string());
        }
    });
}

fn hi(_req: Request, res: Response) {
    res.end("hi");
}

/// The statuses that answer these bytes, until the connection is closed.
#[track_caller]
fn refused(limits: impl Fn(&mut Limits), bytes: &str) -> Vec<u16> {
    let bytes = get("/").repeat(2) + bytes;
    let (text, closes) = real(limits, length, move |clients| clients.ask(bytes));
    assert_eq!(closes, [("bad-message", 1)]);
    let replies = replies(text.as_bytes());
    assert!(replies.last().unwrap().closes() && replies.last().unwrap().field("date").is_some(), "{text}");
    replies.iter().map(|reply| reply.status).skip(2).collect()
}

#[test]
fn a_head_that_is_too_large_is_431_and_a_target_414() {
    let small = |limits: &mut Limits| limits.head_bytes = 200;
    assert_eq!(refused(small, &format!("GET / HTTP/1.1\r\nHost: a\r\nPad: {}\r\n\r\n", "x".repeat(200))), [431]);
    assert_eq!(refused(small, &get(&("/".to_owned() + &"x".repeat(200)))), [414]);
    assert_eq!(refused(|limits| limits.fields = 3, "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"), [431]);
}

#[test]
fn chunk_extensions_are_413_and_trailers_431() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extended = format!("{chunked}1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(50));
    assert_eq!(refused(|limits| limits.extensions = 40, &extended), [413]);
    let trailed = format!("{chunked}1\r\nx\r\n0\r\nT: {}\r\n\r\n", "t".repeat(50));
    assert_eq!(refused(|limits| limits.trailers = 40, &trailed), [431]);
}

/// The client writes all before it reads, more than the kernel holds: a server that closed with that unread would take
/// its answer away from it.
#[test]
fn a_body_that_is_too_large_is_413_and_the_client_that_still_sends_it_reads_that() {
    let (texts, closes) = real(
        |limits| limits.discard = 1000,
        length,
        |clients| {
            let upload = post("/", &"x".repeat(1_000_000));
            (0..20).map(|_| clients.ask(&upload)).collect::<Vec<_>>()
        },
    );
    for text in &texts {
        let reply = &replies(text.as_bytes())[0];
        assert_eq!((reply.status, reply.closes()), (413, true), "{text}");
    }
    assert_eq!((texts.len(), &closes[..]), (20, &[("finished", 20)][..]));
}

#[test]
fn a_body_that_nobody_reads_is_discarded_within_a_limit() {
    for (bytes, expected) in [(5000, vec![200, 200]), (5001, vec![200])] {
        let (text, _) = real(
            |limits| limits.discard = 5000,
            hi,
            move |clients| {
                let stream = clients.send(post("/", &"x".repeat(bytes)) + &get("/"));
                stream.shutdown(Shutdown::Write).unwrap();
                rest(&stream)
            },
        );
        let statuses: Vec<_> = replies(text.as_bytes()).iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, expected, "{bytes} bytes");
    }
}

#[test]
fn one_connection_too_many_is_503() {
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    let (texts, closes) = real(
        |_| (),
        move |req: Request, res: Response| {
            let count = count.clone();
            if req.path() == "/first" {
                server().set_max_connections(1).on_drop(move |_| count.set(count.get() + 1));
            }
            res.end("hi");
        },
        |clients| {
            let mut first = clients.send(get("/first"));
            first.read_exact(&mut [0; 17]).unwrap();
            let second = clients.ask(get("/"));
            first.write_all(get("/").as_bytes()).unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            (rest(&first), second)
        },
    );
    let (first, second) = texts;
    assert_eq!(first.matches("\r\n\r\nhi").count(), 2, "{first}");
    let second = &replies(second.as_bytes())[0];
    assert_eq!((second.status, second.closes(), dropped.get()), (503, true, 1));
    assert_eq!(closes.iter().find(|(reason, _)| *reason == "too-many"), Some(&("too-many", 1)));
}

/// Writes as much of these bytes as the server and the kernel take while nothing is answered; then has the server's
/// thread do `then`, writes the rest, and gives back all that comes.
fn flood(clients: &Clients, bytes: Vec<u8>, then: impl FnOnce() + Send + 'static) -> String {
    let stream = clients.connect();
    let mut writer = stream.try_clone().unwrap();
    // Long enough for anything that is not held back.
    writer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut at = 0;
    let stopped = loop {
        match writer.write(&bytes[at..]) {
            Ok(0) => break false,
            Ok(count) => at += count,
            Err(error) => break matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    };
    assert!(stopped, "{at} bytes were taken");
    clients.post(then);
    writer.set_write_timeout(None).unwrap();
    let sender = thread::spawn(move || {
        writer.write_all(&bytes[at..]).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let text = rest(&stream);
    sender.join().unwrap();
    text
}

thread_local! {
    static KEPT: Kept<Response> = Kept::default();
}

#[test]
fn input_behind_a_pending_answer_is_held_up_to_a_limit_and_not_lost() {
    let (text, _) = real(
        |limits| limits.held_input = 200 * KIB,
        |req: Request, res: Response| match req.path() {
            "/wait" => KEPT.with(|kept| kept.put(res)),
            _ => res.end("x"),
        },
        |clients| {
            // Some 24 MiB.
            let bytes = get("/wait") + &get(&"/p".repeat(4_000)).repeat(3_000);
            flood(&clients, bytes.into_bytes(), || {
                let buffered = metrics().buffered;
                assert!((150 * KIB..=200 * KIB).contains(&buffered), "{buffered}");
                KEPT.with(|kept| kept.take().end("at last"));
            })
        },
    );
    assert_eq!(replies(text.as_bytes()).len(), 3_001);
}

#[test]
fn nothing_more_is_dispatched_while_much_output_is_pending() {
    let count = Rc::new(Cell::new(0_usize));
    let counter = count.clone();
    let (text, _) = real(
        |limits| limits.pending_output = 20 * KIB,
        move |_req: Request, res: Response| {
            counter.set(counter.get() + 1);
            res.end(vec![b'x'; 10 * KIB]);
        },
        |clients| {
            // Some 24 MiB, whose answers are more than a kernel holds; none is read before that is seen.
            flood(&clients, get(&"/p".repeat(4_000)).repeat(3_000).into_bytes(), || {
                let buffered = metrics().buffered;
                assert!(buffered <= (64 + 20 + 10 + 1) * KIB, "{buffered}");
            })
        },
    );
    assert_eq!(replies(text.as_bytes()).len(), count.get());
    assert_eq!(count.get(), 3_000);
}

#[test]
fn a_write_says_full_from_the_limit_on_and_drain_follows() {
    let (told, drained) = channel();
    let ((), _) = real(
        |limits| limits.pending_output = 20 * KIB,
        move |_req: Request, res: Response| {
            while res.write(&[b'x'; KIB]) == Flow::Ready {}
            assert!((20 * KIB..22 * KIB).contains(&res.pending()), "{}", res.pending());
            let told = told.clone();
            res.on_drain(move |res| {
                assert_eq!(res.pending(), 0);
                told.send(()).unwrap();
                res.end(());
            });
            KEPT.with(|kept| kept.put(res));
        },
        |clients| {
            let stream = clients.send(get("/"));
            stream.shutdown(Shutdown::Write).unwrap();
            rest(&stream);
        },
    );
    assert_eq!(drained.try_iter().count(), 1);
}
