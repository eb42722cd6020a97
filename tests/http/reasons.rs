//! Promise 11: every close has a reason, which `on_close` and the metrics tell.

use crate::support::http::{self as support, Kept, PORT, Record, SECOND, get, post, serve};
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{Limits, Request, Response, Server};
use oneloop::net::{self, CloseReason};
use oneloop::sim::{Network, Peer, Sim};
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// Every reason there is. All have a test here but `Failed`, since the simulated system has no other errors,
/// and those of WebSockets, which `ws::deadlines` and `ws::closing` test.
fn all() -> Vec<CloseReason> {
    use CloseReason::*;
    let all = vec![
        Finished,
        Destroyed,
        Truncated,
        Disconnected,
        Reset,
        Failed,
        ConnectFailed,
        ConnectTimeout,
        HeaderTimeout,
        RequestTimeout,
        IdleTimeout,
        ResponseTimeout,
        PingTimeout,
        CloseTimeout,
        SlowReceive,
        SlowSend,
        WriteStall,
        Overflow,
        BadMessage,
        BadResponse,
        Panicked,
        TooMany,
        ServerClosed,
        LoopEnded,
    ];
    assert_eq!(all.iter().map(|reason| reason.as_str()).collect::<BTreeSet<_>>().len(), all.len());
    all
}

/// What a handler does, by the path.
fn behave(req: Request, res: Response) {
    match req.path() {
        "/hi" => res.end("hi"),
        "/large" => res.end(vec![b'x'; 1_000_000]),
        "/body" => req.read_body(1_000_000, move |body| {
            if let Ok(body) = body {
                res.end(body);
            }
        }),
        "/destroy" => res.destroy(),
        "/forget" => res.write("some").ignore(),
        "/panic" => {
            res.write("some").ignore();
            panic!("on purpose");
        }
        // Kept for as long as the connection is there.
        _ => {
            let keep = res.clone();
            res.on_close(move |_, _| _ = &keep);
        }
    }
}

/// A connection that goes the way it is told, until all is over: what its exchange and the metrics say.
fn ends(limits: impl Fn(&mut Limits), act: impl Fn(&Sim, &Server, &Peer)) -> (Vec<String>, Vec<(&'static str, u64)>) {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        let record = watch.clone();
        req.on_close(move |_, reason| record.add(reason));
        behave(req, res);
    });
    set_panic_policy(PanicPolicy::Catch);
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let mut set = server.limits();
    limits(&mut set);
    server.set_limits(set);
    let peer = sim.connect(PORT);
    sim.settle();
    act(&sim, &server, &peer);
    sim.advance(400 * SECOND);
    assert_eq!((server.connections(), metrics().connections, metrics().buffered), (0, 0, 0));
    (record.take(), metrics().closes)
}

/// The same where an exchange and its connection end for this reason.
#[track_caller]
fn both(reason: CloseReason, limits: impl Fn(&mut Limits), act: impl Fn(&Sim, &Server, &Peer)) {
    assert_eq!(ends(limits, act), (vec![reason.to_string()], vec![(reason.as_str(), 1)]));
}

/// The same where there is no exchange that could tell.
#[track_caller]
fn connection(reason: CloseReason, act: impl Fn(&Sim, &Server, &Peer)) {
    assert_eq!(ends(|_| (), act), (Vec::new(), vec![(reason.as_str(), 1)]));
}

const OPEN: &str = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

#[test]
fn finished() {
    both(
        CloseReason::Finished,
        |_| (),
        |sim, _, peer| {
            peer.write(get("/hi"));
            sim.settle();
            peer.close();
        },
    );
    connection(CloseReason::Finished, |_, _, peer| peer.close());
}

#[test]
fn destroyed() {
    both(CloseReason::Destroyed, |_| (), |_, _, peer| peer.write(get("/destroy")));
    let (sim, server) = serve(behave);
    server.on_connection(|connection| connection.destroy());
    assert!(support::send(&sim, get("/hi")).text().is_empty());
    assert_eq!((server.connections(), metrics().closes), (0, vec![("destroyed", 1)]));
}

#[test]
fn truncated() {
    both(
        CloseReason::Truncated,
        |_| (),
        |_, _, peer| {
            peer.write(OPEN.to_owned() + "half");
            peer.finish();
        },
    );
    connection(CloseReason::Truncated, |_, _, peer| {
        peer.write("GET / HT");
        peer.finish();
    });
}

#[test]
fn disconnected() {
    both(
        CloseReason::Disconnected,
        |_| (),
        |sim, _, peer| {
            peer.write(get("/wait"));
            peer.finish();
            sim.advance(3 * SECOND);
        },
    );
}

#[test]
fn reset() {
    for bytes in [get("/wait"), OPEN.to_owned() + "half", get("/large")] {
        both(
            CloseReason::Reset,
            |_| (),
            |sim, _, peer| {
                peer.pause_reading();
                peer.write(&bytes);
                sim.settle();
                peer.reset();
            },
        );
    }
    connection(CloseReason::Reset, |_, _, peer| peer.reset());
}

/// A program that is told of a bad message may end its exchange there: what it does is the reason, and not the message.
#[test]
fn a_cut_by_the_listener_of_client_errors_is_the_reason() {
    for (cut, reason) in [
        (Response::destroy as fn(&Response), CloseReason::Destroyed),
        (|res| res.fail("no more"), CloseReason::BadResponse),
    ] {
        let (record, kept) = (Record::default(), Kept::default());
        let (seen, keep) = (record.clone(), kept.clone());
        let (sim, server) = serve(move |req: Request, res: Response| {
            seen.watch(&req, &res);
            req.on_data(|_, _| ());
            res.write("a part").ignore();
            keep.put(res);
        });
        server.on_client_error(move |_| cut(&kept.take()));
        let peer = support::send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.write("no chunk\r\n");
        sim.settle();
        peer.close();
        sim.settle();
        record.expect(&[&format!("res close {reason}"), &format!("req close {reason}")]);
        assert_eq!(metrics().closes, vec![(reason.as_str(), 1)]);
    }
}

/// What was sent before is lost by the failed write, whatever else the peer has sent in the same packet.
#[test]
fn a_failed_write_is_the_reason_though_what_follows_is_bad_too() {
    let mut told = Vec::new();
    for failing in 0..12 {
        let (exchange, connection) = ends(
            |_| (),
            |sim, _, peer| {
                sim.fail_call(failing, ErrorKind::ConnectionReset);
                peer.write(get("/large") + "nonsense\r\n\r\n");
            },
        );
        assert_eq!(connection, [("reset", 1)], "call {failing} fails");
        told.extend(exchange);
    }
    // Where the call that fails is the one that reads the request, there is no exchange.
    assert_eq!(told, ["reset"; 11]);
}

#[test]
fn deadlines() {
    connection(CloseReason::HeaderTimeout, |_, _, _| ());
    connection(CloseReason::HeaderTimeout, |_, _, peer| peer.write("GET"));
    assert_eq!(
        ends(|_| (), |_, _, peer| peer.write(get("/hi"))),
        (vec!["finished".to_owned()], vec![("idle-timeout", 1)])
    );
    let short = |limits: &mut Limits| limits.request = SECOND;
    both(CloseReason::RequestTimeout, short, |_, _, peer| peer.write(OPEN));
    let short = |limits: &mut Limits| limits.response = Some(SECOND);
    both(CloseReason::ResponseTimeout, short, |_, _, peer| peer.write(get("/wait")));
    both(CloseReason::SlowReceive, |_| (), |_, _, peer| peer.write(OPEN));
    both(
        CloseReason::SlowSend,
        |_| (),
        |_, _, peer| {
            peer.read_at_rate(100, SECOND);
            peer.write(get("/large"));
        },
    );
    both(
        CloseReason::WriteStall,
        |_| (),
        |_, _, peer| {
            peer.pause_reading();
            peer.write(get("/large"));
        },
    );
}

#[test]
fn bad_message() {
    connection(CloseReason::BadMessage, |_, _, peer| peer.write("nonsense\r\n\r\n"));
    both(
        CloseReason::BadMessage,
        |_| (),
        |_, _, peer| {
            peer.write("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
        },
    );
}

#[test]
fn bad_response_and_panicked() {
    both(CloseReason::BadResponse, |_| (), |_, _, peer| peer.write(get("/forget")));
    both(CloseReason::Panicked, |_| (), |_, _, peer| peer.write(get("/panic")));
}

#[test]
fn too_many() {
    let (sim, server) = serve(behave);
    server.set_max_connections(0);
    let peer = support::send(&sim, post("/hi", "x"));
    assert_eq!(support::statuses(&peer), [503]);
    sim.advance(40 * SECOND);
    assert_eq!((metrics().connections, metrics().closes), (0, vec![("too-many", 1)]));
}

#[test]
fn server_closed() {
    both(
        CloseReason::ServerClosed,
        |_| (),
        |sim, server, peer| {
            peer.write(get("/wait"));
            sim.settle();
            server.close(|| ());
        },
    );
    connection(CloseReason::ServerClosed, |_, server, _| server.close(|| ()));
    both(
        CloseReason::ServerClosed,
        |_| (),
        |sim, server, peer| {
            peer.write(get("/wait"));
            sim.settle();
            server.close_all_connections();
        },
    );
}

#[test]
fn loop_ended() {
    let kept = support::Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| keep.put((req, res)));
    support::send(&sim, get("/"));
    drop((server, sim));
    let (req, res) = kept.take();
    assert!(req.is_closed() && res.is_closed() && res.is_ended());
    res.end("to nobody");
}

#[test]
fn connecting() {
    let sim = Sim::new();
    let record = Record::default();
    let dead: std::net::SocketAddr = "10.0.0.1:80".parse().unwrap();
    sim.set_black_hole(dead);
    for to in ["127.0.0.1:9", "10.0.0.1:80"] {
        let to: std::net::SocketAddr = to.parse().unwrap();
        let socket = net::connect(to, |_| panic!("nobody is there"));
        let told = record.clone();
        socket.on_close(move |_, reason| told.add(reason));
    }
    sim.advance(400 * SECOND);
    let mut lines = record.take();
    lines.sort();
    assert_eq!(lines, ["connect-failed", "connect-timeout"]);
    let mut closes = metrics().closes;
    closes.sort();
    assert_eq!(closes, [("connect-failed", 1), ("connect-timeout", 1)]);
}

#[test]
fn timeouts_say_so() {
    use CloseReason::*;
    let timeouts: Vec<_> = all().into_iter().filter(|reason| reason.is_timeout()).collect();
    let expected = [
        ConnectTimeout,
        HeaderTimeout,
        RequestTimeout,
        IdleTimeout,
        ResponseTimeout,
        PingTimeout,
        CloseTimeout,
        SlowReceive,
        SlowSend,
        WriteStall,
    ];
    assert_eq!(timeouts, expected);
}
