//! Promise 8 over real sockets: each deadline, set to a fraction of a second, ends what it is for. Nobody sleeps: clients
//! wait for what they see. How long things take is for the virtual clock (`deadlines.rs`).

use crate::support::http::{Kept, MS, Reply, get, post, replies};
use crate::support::real::{self, read_until_cut, real, rest, server, write_until_cut};
use oneloop::http::{Request, Response};
use oneloop::net::Flow;
use std::io::Read;
use std::time::{Duration, Instant};

/// Far longer than a test takes: what ends one is not this.
const LONG: Duration = Duration::from_secs(3600);

fn hi(_req: Request, res: Response) {
    res.end("hi");
}

/// Takes the body, and answers with its length.
fn length(req: Request, res: Response) {
    req.read_body(usize::MAX, move |body| {
        if let Ok(body) = body {
            res.end(body.len().to_string());
        }
    });
}

/// A response that never ends, as fast as the peer takes it.
fn endless(_req: Request, res: Response) {
    fn fill(res: &Response) {
        while res.write(&[b'x'; 50_000]) == Flow::Ready {}
    }
    let hold = res.clone();
    res.on_drain(move |res| {
        let _ = &hold;
        fill(res);
    });
    fill(&res);
}

#[track_caller]
fn statuses(text: &str) -> Vec<u16> {
    replies(text.as_bytes()).iter().map(|reply| reply.status).collect()
}

#[track_caller]
fn last(text: &str) -> Reply {
    replies(text.as_bytes()).pop().expect("no answer")
}

const HALF_A_BODY: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";

#[test]
fn a_head_that_does_not_end_is_408() {
    let (text, closes) = real(|limits| limits.header = 100 * MS, hi, |clients| clients.ask("GET"));
    let reply = last(&text);
    assert_eq!((reply.status, reply.closes(), reply.field("date").is_some()), (408, true, true));
    assert_eq!(closes, [("header-timeout", 1)]);
}

#[test]
fn a_connection_without_a_byte_is_closed_silently() {
    let (text, closes) = real(|limits| limits.header = 100 * MS, hi, |clients| rest(&clients.connect()));
    assert_eq!((text.as_str(), &closes[..]), ("", &[("header-timeout", 1)][..]));
}

#[test]
fn a_later_head_that_does_not_end_is_408_too() {
    let limit = |limits: &mut oneloop::http::Limits| (limits.header, limits.keep_alive) = (100 * MS, LONG);
    let (text, closes) = real(limit, hi, |clients| clients.ask(get("/") + "GET"));
    assert_eq!((statuses(&text), &closes[..]), (vec![200, 408], &[("header-timeout", 1)][..]));
}

#[test]
fn an_idle_connection_is_closed_silently() {
    let (text, closes) = real(|limits| limits.keep_alive = 100 * MS, hi, |clients| clients.ask(get("/")));
    assert_eq!((statuses(&text), &closes[..]), (vec![200], &[("idle-timeout", 1)][..]));
}

#[test]
fn a_request_that_does_not_end_is_408() {
    let (text, closes) = real(|limits| limits.request = 100 * MS, length, |clients| clients.ask(HALF_A_BODY));
    assert_eq!((last(&text).status, last(&text).closes()), (408, true));
    assert_eq!(closes, [("request-timeout", 1)]);
}

#[test]
fn a_body_that_comes_too_slowly_is_408() {
    let (text, closes) = real(|limits| limits.receive_window = 100 * MS, length, |clients| clients.ask(HALF_A_BODY));
    assert_eq!((last(&text).status, last(&text).closes()), (408, true));
    assert_eq!(closes, [("slow-receive", 1)]);
}

#[test]
fn a_peer_that_reads_too_slowly_is_cut() {
    // No peer reads so fast.
    let limit = |limits: &mut oneloop::http::Limits| (limits.send_rate, limits.send_window) = (u32::MAX, 100 * MS);
    let ((), closes) = real(limit, endless, |clients| read_until_cut(&clients.send(get("/"))));
    assert_eq!(closes, [("slow-send", 1)]);
}

#[test]
fn a_peer_that_reads_nothing_is_cut() {
    let (_stream, closes) = real(
        |limits| limits.write_stall = 100 * MS,
        endless,
        |clients| {
            let mut stream = clients.send(get("/"));
            // What comes first shows that the answer is on its way; nothing else is read.
            stream.read_exact(&mut [0; 16]).unwrap();
            stream
        },
    );
    assert_eq!(closes, [("write-stall", 1)]);
}

#[test]
fn a_handler_that_takes_too_long_is_answered_for_where_that_is_set() {
    let kept = Kept::default();
    let (text, closes) = real(
        |limits| limits.response = Some(100 * MS),
        move |_req, res| kept.put(res),
        |clients| clients.ask(get("/")),
    );
    assert_eq!((last(&text).status, last(&text).closes()), (503, true));
    assert_eq!(closes, [("response-timeout", 1)]);
}

#[test]
fn a_graceful_shutdown_has_an_end() {
    let kept = Kept::default();
    let (text, closes) = real(
        |limits| limits.shutdown = 100 * MS,
        move |_req, res| {
            server().close(|| ());
            kept.put(res);
        },
        |clients| clients.ask(get("/")),
    );
    assert_eq!((text.as_str(), &closes[..]), ("", &[("server-closed", 1)][..]));
}

// ---- Lingering: the peer never ends its side, so that only the limit can

/// A connection that was refused, and whose answer was read.
fn refused(clients: &real::Clients) -> std::net::TcpStream {
    let stream = clients.send("no request\r\n\r\n");
    assert_eq!(statuses(&rest(&stream)), [400]);
    stream
}

#[test]
fn lingering_ends_when_nothing_comes() {
    let limit = |limits: &mut oneloop::http::Limits| (limits.linger_between, limits.linger_total) = (100 * MS, LONG);
    let (_stream, closes) = real(limit, hi, |clients| refused(&clients));
    assert_eq!(closes, [("bad-message", 1)]);
}

#[test]
fn lingering_ends_though_something_comes_all_the_time() {
    let limit = |limits: &mut oneloop::http::Limits| {
        (limits.linger_between, limits.linger_total, limits.linger_bytes) = (LONG, 100 * MS, usize::MAX);
    };
    let ((), closes) = real(limit, hi, |clients| write_until_cut(&refused(&clients)));
    assert_eq!(closes, [("bad-message", 1)]);
}

#[test]
fn lingering_ends_after_so_many_bytes() {
    let limit = |limits: &mut oneloop::http::Limits| {
        (limits.linger_between, limits.linger_total, limits.linger_bytes) = (LONG, LONG, 100_000);
    };
    let ((), closes) = real(limit, hi, |clients| write_until_cut(&refused(&clients)));
    assert_eq!(closes, [("bad-message", 1)]);
}

// ---- None of them early

/// Deadlines that are all far away end nothing, and those that are near do not come before their time.
#[test]
fn no_deadline_is_early() {
    let from = Instant::now();
    real(|limits| limits.header = 300 * MS, hi, |clients| clients.ask("GET"));
    real(|limits| limits.keep_alive = 300 * MS, hi, |clients| clients.ask(get("/")));
    assert!(from.elapsed() >= 600 * MS, "{:?}", from.elapsed());
    let (text, closes) = real(
        |_| (),
        length,
        |clients| {
            let mut stream = clients.send(post("/", "body"));
            let mut answer = [0; 17];
            stream.read_exact(&mut answer).unwrap();
            String::from_utf8(answer.to_vec()).unwrap()
        },
    );
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(closes.iter().all(|(reason, _)| ["finished", "reset"].contains(reason)), "{closes:?}");
}
