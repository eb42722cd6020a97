//! The life of a server: listening, limits of connections and requests, and ways to close.

use crate::support::http::*;
use oneloop::http::{self, Connection, Response, Server};
use oneloop::net::{Address, Listen};
use oneloop::sim::{Peer, Sim};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn close_closes_idle_connections_at_once_and_busy_ones_after_their_response() {
    let record = Record::default();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| match req.url() {
        "/now" => res.end("x"),
        _ => keep.put(res),
    });
    let (silent, idle, busy) = (sim.connect(PORT), send(&sim, get("/now")), send(&sim, get("/slow")));
    sim.advance(SECOND);
    assert_eq!(server.connections(), 3);
    idle.on_close(|peer| peer.close());
    let told = record.clone();
    server.on_close(move || told.add("on_close"));
    let told = record.clone();
    server.close(move || told.add("closed"));
    assert!(!server.is_listening() && server.address().is_none());
    record.expect(&[]);
    sim.settle();
    assert!(silent.is_closed() && idle.is_closed() && !busy.is_closed());
    assert_eq!((server.connections(), record.all().len()), (1, 0));
    kept.take().end("late");
    sim.settle();
    let reply = only(&busy);
    assert!(reply.closes() && busy.is_closed() && reply.text() == "late");
    busy.finish();
    sim.settle();
    record.expect(&["on_close", "closed"]);
    let late = sim.connect(PORT);
    sim.settle();
    assert!(late.was_refused());
}

/// What the system has of requests and connections when a server closes is answered: one last accept, one last read.
#[test]
fn what_had_arrived_when_a_server_closes_is_answered() {
    let record = Record::default();
    let place = Rc::new(Cell::new(None::<(Server, Peer)>));
    let inside = place.clone();
    let (sim, server) = serve(move |req, res| {
        if let Some((server, idle)) = (req.url() == "/close").then(|| inside.take()).flatten() {
            idle.write(get("/again"));
            server.close(|| ());
            assert!(!server.is_listening());
        }
        res.end(req.url());
    });
    let closed = record.clone();
    server.on_close(move || closed.add("closed"));
    let (idle, silent) = (send(&sim, get("/idle")), sim.connect(PORT));
    sim.settle();
    place.set(Some((server.clone(), idle.clone())));
    let closer = sim.connect(PORT);
    closer.write(get("/close"));
    // More than the server has accepted when it reads that.
    let new: Vec<_> = (0..300).map(|_| sim.connect(PORT)).collect();
    new.iter().for_each(|peer| peer.write(get("/new")));
    let (late, also_silent) = (sim.connect(PORT), sim.connect(PORT));
    sim.settle();
    assert_eq!(
        (bodies(&closer), bodies(&idle)),
        (vec!["/close".to_owned()], vec!["/idle".to_owned(), "/again".to_owned()])
    );
    for peer in &new {
        assert_eq!((bodies(peer), peer.was_reset()), (vec!["/new".to_owned()], false));
    }
    assert!(only(&new[299]).closes(), "it was taken from the backlog");
    new.iter().for_each(Peer::finish);
    for peer in [&idle, &closer] {
        peer.finish();
    }
    sim.settle();
    assert!(!silent.is_closed() && !also_silent.is_closed(), "their first requests may be on their way");
    record.expect(&[]);
    sim.advance(900 * MS);
    late.write(get("/late"));
    sim.settle();
    assert_eq!((bodies(&late), only(&late).closes()), (vec!["/late".to_owned()], true));
    late.finish();
    sim.advance(200 * MS);
    assert!(silent.is_closed() && also_silent.is_closed() && !also_silent.was_reset());
    record.expect(&["closed"]);
}

/// It was closed at once, so that a rolling restart lost requests which no client may send again by itself.
#[test]
fn the_first_request_of_a_new_connection_is_answered_though_its_server_was_closed_before_it_came() {
    let (sim, server) = serve(|req, res| res.end(req.url()));
    let record = Record::default();
    let peer = sim.connect(PORT);
    sim.settle();
    let told = record.clone();
    server.close(move || told.add("closed"));
    sim.advance(900 * MS);
    record.expect(&[]);
    peer.write(get("/late"));
    sim.settle();
    assert_eq!((bodies(&peer), only(&peer).closes()), (vec!["/late".to_owned()], true));
    assert!(peer.is_closed() && !peer.was_reset());
    peer.finish();
    sim.settle();
    record.expect(&["closed"]);
}

#[test]
fn a_connection_that_has_sent_nothing_holds_up_no_close_for_longer_than_a_second_after_it_was_accepted() {
    let (sim, server) = serve(not_called);
    let old = sim.connect(PORT);
    sim.advance(600 * MS);
    let new = sim.connect(PORT);
    sim.advance(400 * MS);
    assert!(!old.is_closed());
    let record = Record::default();
    let told = record.clone();
    server.close(move || told.add("closed"));
    sim.settle();
    assert!(old.is_closed() && !new.is_closed());
    sim.advance(500 * MS);
    assert!(!new.is_closed());
    sim.advance(200 * MS);
    assert!(new.is_closed() && !new.was_reset());
    record.expect(&["closed"]);
    assert_eq!(oneloop::metrics().closes, [("server-closed", 2)]);
}

#[test]
fn a_new_connection_goes_on_where_its_first_request_comes_soon_after_idle_ones_were_closed() {
    let (sim, server) = serve(|req, res| res.end(req.url()));
    let (asks, silent) = (sim.connect(PORT), sim.connect(PORT));
    sim.settle();
    server.close_idle_connections();
    sim.advance(500 * MS);
    asks.write(get("/a"));
    sim.advance(SECOND);
    assert!(!asks.is_closed() && silent.is_closed());
    asks.write(get("/b"));
    sim.settle();
    assert_eq!((bodies(&asks), asks.is_closed()), (vec!["/a".to_owned(), "/b".to_owned()], false));
}

#[test]
fn a_close_that_cuts_all_leaves_nobody_in_the_backlog() {
    let (sim, server) = serve(not_called);
    let record = Record::default();
    let (dial, told) = (Kept::default(), record.clone());
    dial.put(sim.connect(PORT));
    let waiting = sim.connect(PORT);
    server.on_connection({
        let server = server.clone();
        move |_| {
            let told = told.clone();
            server.close(move || told.add("closed"));
            server.close_all_connections();
        }
    });
    sim.settle();
    assert!(dial.take().is_closed() && waiting.is_closed());
    record.expect(&["closed"]);
}

#[test]
fn idle_connections_are_closed_when_what_they_had_sent_was_answered() {
    let (sim, server) = serve(|req, res| res.end(req.url()));
    let (idle, asks) = (send(&sim, get("/a")), send(&sim, get("/b")));
    asks.write(get("/c"));
    server.close_idle_connections();
    assert!(!idle.is_closed(), "it returns first");
    sim.settle();
    assert!(idle.is_closed() && !asks.was_reset());
    assert_eq!(bodies(&asks), ["/b", "/c"]);
}

/// It was answered with a reset, which took an answer away that its client had not read yet.
#[test]
fn a_request_that_crosses_the_close_of_its_idle_connection_costs_no_answer() {
    let record = Record::default();
    let (sim, server) = serve(|req, res| res.end(req.url()));
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/answered"));
    sim.settle();
    let told = record.clone();
    server.close(move || told.add("closed"));
    sim.settle();
    peer.write(get("/crossing"));
    sim.settle();
    peer.resume_reading();
    sim.settle();
    assert_eq!(bodies(&peer), ["/answered"]);
    assert!(peer.is_closed() && !peer.was_reset());
    record.expect(&[]);
    // A client that keeps its side open does not hold up who shuts down.
    sim.advance(2 * SECOND);
    record.expect(&["closed"]);
    assert_eq!(oneloop::metrics().closes, [("server-closed", 1)]);
}

#[test]
fn a_response_that_has_begun_when_the_server_closes_is_completed_and_then_the_connection_closes() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_, res| {
        res.write("begun, ").ignore();
        keep.put(res);
    });
    let peer = send(&sim, get("/"));
    server.close(|| ());
    sim.settle();
    assert!(!peer.is_closed());
    kept.take().end("done");
    sim.settle();
    assert_eq!(bodies(&peer), ["begun, done"]);
    assert!(peer.is_closed(), "although its head did not say so");
}

#[test]
fn a_handler_may_answer_and_close_its_server_in_the_same_callback() {
    for answers_first in [true, false] {
        let record = Record::default();
        let told = record.clone();
        let handle: Kept<http::Server> = Kept::default();
        let taken = handle.clone();
        let (sim, server) = serve(move |_, res| {
            let told = told.clone();
            let server = taken.take();
            if answers_first {
                res.end("bye");
                server.close(move || told.add("closed"));
            } else {
                server.close(move || told.add("closed"));
                res.end("bye");
            }
        });
        handle.put(server);
        let peer = send(&sim, get("/"));
        assert_eq!(bodies(&peer), ["bye"]);
        assert!(peer.is_closed());
        peer.finish();
        sim.settle();
        record.expect(&["closed"]);
    }
}

#[test]
fn close_lets_output_go_that_the_peer_has_not_read_yet() {
    let (sim, server) = serve(|_, res| res.end(vec![b'x'; 500_000]));
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/"));
    sim.settle();
    server.close(|| ());
    sim.settle();
    peer.resume_reading();
    sim.settle();
    assert_eq!(only(&peer).body.len(), 500_000);
    assert!(peer.is_closed() && !peer.was_reset());
}

#[test]
fn connections_that_are_busy_after_the_shutdown_limit_are_cut() {
    let record = Record::default();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_, res| keep.put(res));
    let mut limits = server.limits();
    limits.shutdown = 3 * SECOND;
    server.set_limits(limits);
    let peer = send(&sim, get("/"));
    let told = record.clone();
    server.close(move || told.add("closed"));
    drop(server);
    sim.advance(2 * SECOND);
    assert!(!peer.is_closed());
    sim.advance(SECOND);
    assert!(peer.is_closed());
    record.expect(&["closed"]);
    assert!(kept.take().is_closed());
}

#[test]
fn a_request_that_is_coming_in_when_the_server_closes_is_answered() {
    let (sim, server) = serve(|_, res| res.end("x"));
    let peer = send(&sim, "GET / HTTP/1.1\r\n");
    server.close(|| ());
    sim.settle();
    assert!(!peer.is_closed());
    peer.write("Host: a\r\n\r\n");
    sim.settle();
    assert!(only(&peer).closes() && peer.is_closed());
}

#[test]
fn close_twice_calls_both_and_closing_what_does_not_listen_calls_back_too() {
    let record = Record::default();
    let (sim, server) = serve(|_, _| ());
    let (first, second, third) = (record.clone(), record.clone(), record.clone());
    server.close(move || first.add("first"));
    server.close(move || second.add("second"));
    record.expect(&[]);
    sim.settle();
    record.expect(&["first", "second"]);
    server.close(move || third.add("third"));
    record.expect(&[]);
    sim.settle();
    record.expect(&["third"]);
}

#[test]
fn a_server_that_was_closed_before_it_announced_itself_does_not() {
    let sim = Sim::new();
    let server = http::create_server(|_, _| ());
    server.listen(PORT, || unreachable!("it was closed")).unwrap();
    server.close(|| ());
    sim.settle();
}

#[test]
fn after_a_close_it_can_listen_again() {
    let record = Record::default();
    let (sim, server) = serve(|_, res| res.end("x"));
    let again = server.listen(81, || ()).unwrap_err();
    assert!(again.to_string().contains("81") && again.to_string().contains("listening already"), "{again}");
    let peer = send(&sim, get("/"));
    peer.on_close(|peer| peer.close());
    let (handle, told) = (server.clone(), record.clone());
    server.close(move || {
        let told = told.clone();
        handle.listen(PORT, move || told.add("listening")).unwrap();
    });
    sim.settle();
    record.expect(&["listening"]);
    assert!(peer.is_closed());
    let peer = send(&sim, get("/") + &get("/"));
    assert_eq!(statuses(&peer), [200, 200]);
    assert!(!peer.is_closed(), "it is not closing any more");
}

#[test]
fn close_idle_and_close_all_connections_do_what_they_say() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| match req.url() {
        "/now" => res.end("x"),
        _ => keep.put(res),
    });
    let (idle, busy) = (send(&sim, get("/now")), send(&sim, get("/slow")));
    server.close_idle_connections();
    sim.settle();
    assert!(idle.is_closed() && !busy.is_closed() && server.is_listening());
    server.close_all_connections();
    sim.settle();
    assert!(busy.is_closed() && server.is_listening());
    assert_eq!((server.connections(), busy.text().as_str()), (0, ""));
    assert_eq!(statuses(&send(&sim, get("/now"))), [200]);
}

#[test]
fn a_connection_beyond_the_maximum_is_503_and_told_to_on_drop() {
    let record = Record::default();
    let (sim, server) = serve(|_, res| res.end("x"));
    server.set_max_connections(1);
    let told = record.clone();
    server.on_drop(move |address| told.add(address));
    let first = send(&sim, get("/"));
    let second = send(&sim, get("/"));
    let reply = only(&second);
    assert_eq!((reply.status, reply.closes()), (503, true));
    assert!(second.is_closed() && !second.was_reset());
    record.expect(&[&second.local_addr().to_string()]);
    assert_eq!(server.connections(), 1);
    first.close();
    sim.settle();
    assert_eq!(statuses(&send(&sim, get("/"))), [200]);
}

#[test]
fn the_last_request_that_a_connection_may_have_says_close_and_more_are_503() {
    let record = Record::default();
    let (sim, server) = serve(|req, res| res.end(req.url()));
    server.set_max_requests_per_socket(2);
    let peer = send(&sim, get("/1") + &get("/2"));
    let replies = replies(&peer.received());
    assert_eq!(replies.iter().map(|reply| reply.closes()).collect::<Vec<_>>(), [false, true]);
    assert!(peer.is_closed());
    let peer = send(&sim, get("/1") + &get("/2") + &get("/3") + &get("/4"));
    assert_eq!(statuses(&peer), [200, 200, 503, 503]);
    assert!(peer.is_closed());
    let told = record.clone();
    server.on_drop_request(move |req, res| {
        told.add(req.url());
        res.set_status(429).end("enough");
    });
    let peer = send(&sim, get("/1") + &get("/2") + &get("/3"));
    assert_eq!(statuses(&peer), [200, 200, 429]);
    record.expect(&["/3"]);
    server.set_max_requests_per_socket(0);
    let peer = send(&sim, get("/1") + &get("/2") + &get("/3"));
    assert_eq!(statuses(&peer), [200, 200, 200]);
}

/// The refusal of what followed stood in the content.
#[test]
fn nothing_follows_an_answer_that_ends_with_the_connection() {
    for behind in [get("/2"), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_owned(), "nonsense\r\n\r\n".to_owned()] {
        let (sim, server) = serve(|_, res| {
            res.write("whole").ignore();
            res.end(());
        });
        server.set_max_requests_per_socket(1);
        let peer = send(&sim, "GET /1 HTTP/1.0\r\nHost: a\r\n\r\n".to_owned() + &behind);
        assert_eq!(bodies(&peer), ["whole"]);
        let peer = send(&sim, "GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".to_owned() + &behind);
        assert_eq!(bodies(&peer), ["whole"]);
        let peer = send(&sim, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned() + &behind);
        assert_eq!(bodies(&peer), ["whole"], "RFC 9112, 9.6: no request is processed after the one that says close");
    }
}

/// It was taken for a request where nobody had read it.
#[test]
fn the_body_of_the_last_request_is_never_a_request() {
    let inner = get("/smuggled");
    let post = |path: &str| post(path, &inner);
    for requests in [1, 2] {
        let record = Record::default();
        let (told, dropped) = (record.clone(), record.clone());
        let (sim, server) = serve(move |req, res| {
            told.add(req.url());
            res.end("");
        });
        server.set_max_requests_per_socket(requests).on_drop_request(move |req, _| dropped.add(req.url()));
        let peer = send(&sim, post("/1") + &post("/2") + &post("/3"));
        let seen = record.take();
        assert!(!seen.is_empty() && seen.iter().all(|path| path != "/smuggled"), "{seen:?}");
        assert!(peer.is_closed() && replies(&peer.received()).iter().all(|reply| matches!(reply.status, 200 | 503)));
    }
}

#[test]
fn the_last_request_may_be_answered_late() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_, res| keep.put(res));
    server.set_max_requests_per_socket(1);
    let peer = send(&sim, get("/1"));
    kept.take().end("late");
    sim.settle();
    assert!(only(&peer).closes() && peer.is_closed());
}

#[test]
fn several_servers_share_a_loop_and_do_not_mix() {
    let sim = Sim::new();
    let make = |name: &'static str, port: u16| {
        let server = http::create_server(move |_, res| res.end(name));
        server.listen(port, || ()).unwrap();
        server
    };
    let (a, b) = (make("a", 80), make("b", 81));
    let dial = |port: u16| {
        let peer = sim.connect(port);
        peer.write(get("/"));
        sim.settle();
        peer
    };
    let (of_a, of_b) = (dial(80), dial(81));
    assert_eq!((bodies(&of_a), bodies(&of_b)), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!((a.connections(), b.connections()), (1, 1));
    a.close_all_connections();
    a.close(|| ());
    sim.settle();
    assert!(of_a.is_closed() && !of_b.is_closed());
    of_b.take();
    of_b.write(get("/"));
    sim.settle();
    assert_eq!(bodies(&of_b), ["b"]);
    assert_eq!((a.connections(), b.connections()), (0, 1));
}

#[test]
fn a_request_without_host_is_refused_unless_it_is_allowed() {
    let (sim, server) = serve(|_, res| res.end("x"));
    let request = "GET / HTTP/1.1\r\n\r\n";
    assert_eq!(statuses(&send(&sim, request)), [400]);
    server.set_require_host_header(false);
    assert_eq!(statuses(&send(&sim, request)), [200]);
    server.set_limits(server.limits());
    assert_eq!(statuses(&send(&sim, request)), [200], "new limits leave it as it is");
}

#[test]
fn client_errors_are_told_with_fault_status_and_peer() {
    let record = Record::default();
    let (sim, server) = serve(|_, _| ());
    let told = record.clone();
    server.on_client_error(move |error| told.add(format!("{:?} {} {}", error.fault, error.status, error.peer)));
    let peer = send(&sim, "GET / HTTP/9.0\r\nHost: a\r\n\r\n");
    let slow = send(&sim, "GET /");
    sim.advance(60 * SECOND);
    assert_eq!(statuses(&slow), [408]);
    record.expect(&[
        &format!("Some(VersionUnsupported) 505 {}", peer.local_addr()),
        &format!("None 408 {}", slow.local_addr()),
    ]);
}

#[test]
fn connections_are_told_and_can_be_destroyed() {
    let record = Record::default();
    let kept: Kept<Connection> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(|_, res| res.end("x"));
    let told = record.clone();
    server.on_connection(move |connection| {
        told.add(connection.remote_addr());
        assert_eq!((connection.bytes_read(), connection.is_closed()), (0, false));
        keep.put(connection.clone());
    });
    let peer = send(&sim, get("/"));
    record.expect(&[&peer.local_addr().to_string()]);
    let connection = kept.take();
    assert_eq!(connection.local_addr().and_then(|address| address.port()), Some(PORT));
    assert_eq!(
        (connection.bytes_read(), connection.bytes_written()),
        (get("/").len() as u64, peer.received().len() as u64)
    );
    connection.destroy();
    assert!(connection.is_closed() && connection.local_addr().is_none());
    sim.settle();
    assert!(peer.is_closed());
    assert_eq!(server.connections(), 0);
    connection.destroy();
}

#[test]
fn an_unreferenced_server_lets_the_loop_end() {
    let (sim, server) = serve(|_, _| ());
    assert!(server.has_ref());
    sim.settle();
    assert!(oneloop::run_nowait().unwrap());
    server.unref();
    assert!(!server.has_ref());
    assert!(!oneloop::run_nowait().unwrap());
    server.set_ref(true);
    assert!(oneloop::run_nowait().unwrap());
}

#[test]
fn a_server_whose_handles_are_gone_goes_on() {
    let (sim, server) = serve(|_, res| res.end("x"));
    drop(server);
    assert_eq!(statuses(&send(&sim, get("/"))), [200]);
}

#[test]
fn it_listens_on_what_it_is_told_and_errors_name_the_address() {
    let sim = Sim::new();
    let server = http::create_server(|_, res| res.end("x"));
    server.listen(Listen::from(("127.0.0.1", 0)).backlog(4), || ()).unwrap();
    let Some(Address::Ip(address)) = server.address() else { panic!("no address") };
    assert!(address.ip().is_loopback() && address.port() > 0);
    let other = http::create_server(|_, _| ());
    let error = other.listen(("127.0.0.1", address.port()), || unreachable!("in use")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    other.listen(0, || ()).unwrap();
    sim.settle();
}

#[test]
fn closing_the_server_takes_no_last_words_from_a_peer_that_was_refused() {
    let handle: Kept<http::Server> = Kept::default();
    let taken = handle.clone();
    let (sim, server) = serve(|_, _| ());
    server.on_client_error(move |_| taken.take().close(|| ()));
    handle.put(server);
    let peer = send(&sim, "nonsense\r\n\r\n");
    assert_eq!(statuses(&peer), [400]);
    assert!(peer.is_closed() && !peer.was_reset());
}
