//! Promise 6: a dead handle is harmless. What is called on it does nothing and never reaches the next request of its
//! connection.

use crate::support::http::*;
use oneloop::http::{self, Request, Response};
use oneloop::net::{self, Flow};
use oneloop::set_timeout;
use oneloop::sim::Sim;
use std::rc::Rc;

/// Everything that can be called, on an exchange that is over.
fn call_all(req: &Request, res: &Response) {
    assert!(res.is_ended() && res.is_closed() && req.is_closed());
    res.set_status(500).set_status_message("Stale");
    res.set_header("X-Stale", "1");
    res.append_header("X-Stale", "2");
    res.remove_header("X-Fresh");
    assert_eq!(res.try_set_header("X-Stale", "3"), Ok(()));
    res.write_head(418, &[("X-Stale", "4")]);
    res.flush_headers();
    res.write_continue();
    res.write_early_hints(&[("Link", "</stale>")]);
    res.write_informational(102, &[]);
    res.add_trailers(&[("X-Stale", "5")]);
    assert_eq!(res.write("stale"), Flow::Closed);
    res.end("stale");
    res.end("stale again");
    assert_eq!(res.pending(), 0);
    let token = Rc::new(());
    let (a, b, c, d) = (token.clone(), token.clone(), token.clone(), token.clone());
    res.on_drain(move |_| unreachable!("{a:?}"));
    res.on_finish(move |_| unreachable!("{b:?}"));
    res.on_close(move |_, _| unreachable!("{c:?}"));
    res.set_timeout(MS, move |_| unreachable!("{d:?}"));
    let (a, b, c) = (token.clone(), token.clone(), token.clone());
    req.on_data(move |_, _| unreachable!("{a:?}"));
    req.on_end(move |_| unreachable!("{b:?}"));
    req.on_close(move |_, _| unreachable!("{c:?}"));
    assert_eq!(Rc::strong_count(&token), 1, "listeners that cannot fire are dropped at once");
    req.pause();
    req.resume();
    req.discard();
    req.pipe(res);
    req.read_body(10, |body| assert!(body.is_err()));
    assert_eq!(req.remote_addr(), None);
    res.destroy();
    req.destroy();
}

/// What the head said stays.
fn still_says(req: &Request, url: &str) {
    assert_eq!((req.method(), req.url(), req.header("host")), ("GET", url, Some("a")));
    assert_eq!(req.headers().count(), 1);
}

#[test]
fn handles_of_a_finished_exchange_never_reach_the_next_request_of_the_connection() {
    let kept: Kept<(Request, Response)> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        res.set_header("X-Fresh", req.url());
        if req.url() == "/1" {
            res.end("first");
        }
        keep.put((req, res));
    });
    let peer = send(&sim, get("/1"));
    let (req, res) = kept.take();
    call_all(&req, &res);
    sim.settle();
    peer.write(get("/2"));
    sim.settle();
    call_all(&req, &res);
    sim.settle();
    let (next, answer) = kept.take();
    assert!(!answer.is_ended() && !answer.headers_sent());
    assert_eq!((answer.status(), answer.header("x-stale"), answer.header("X-Fresh")), (200, None, Some("/2".into())));
    answer.write("sec").ignore();
    call_all(&req, &res);
    answer.end("ond");
    sim.settle();
    call_all(&req, &res);
    drop(next);
    still_says(&req, "/1");
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["first", "second"]);
    assert!(!peer.text().to_lowercase().contains("stale"), "{}", peer.text());
    assert!(!peer.is_closed());
}

#[test]
fn an_exchange_that_somebody_keeps_is_not_used_again() {
    let kept: Kept<Request> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        res.end("x");
        keep.put(req);
    });
    let requests: String = (0..10).map(|number| get(&format!("/{number}"))).collect();
    send(&sim, requests);
    for number in 0..10 {
        still_says(&kept.take(), &format!("/{number}"));
    }
}

fn warnings(sim: &Sim) -> Vec<String> {
    let lines = sim.log().into_iter().filter(|line| line.level <= log::Level::Warn);
    lines.map(|line| line.to_string()).collect()
}

#[test]
fn the_head_cannot_be_changed_once_it_has_gone() {
    let (sim, _server) = serve(|_, res| {
        res.set_header("X-Early", "1");
        res.write("body").ignore();
        assert!(res.headers_sent() && !res.is_ended());
        res.set_status(500);
        res.set_header("X-Late", "1");
        res.append_header("X-Late", "bad\r\nvalue");
        res.remove_header("X-Early");
        res.write_head(404, &[("X-Late", "2")]);
        res.write_early_hints(&[("Link", "x")]);
        res.end(());
    });
    let reply = only(&send(&sim, get("/")));
    assert_eq!((reply.status, reply.field("x-early"), reply.field("x-late")), (200, Some("1"), None));
    assert_eq!(reply.text(), "body");
    let said = warnings(&sim);
    assert_eq!(said.len(), 6, "each of the calls: {said:?}");
    assert_eq!(said[1], "WARN oneloop::http: GET /: set_header does nothing: the head was sent before");
}

#[test]
fn a_change_of_the_head_of_a_client_that_has_gone_is_no_mistake() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |_, res| {
        res.write("begun").ignore();
        keep.put(res);
    });
    let peer = send(&sim, get("/"));
    peer.reset();
    sim.settle();
    kept.take().set_header("X-Late", "1");
    assert_eq!(warnings(&sim), [""; 0]);
}

#[test]
fn a_write_after_the_end_and_a_second_end_do_nothing() {
    let (sim, _server) = serve(|_, res| {
        res.end("all");
        assert!(res.is_ended() && res.headers_sent());
        assert_eq!(res.write("more"), Flow::Closed);
        res.end("more");
        res.flush_headers();
        res.write_informational(103, &[]);
        res.set_header("bad name", "x");
        let clone = res.clone();
        set_timeout(MS, move || clone.end("even more"));
    });
    let peer = send(&sim, get("/") + &get("/"));
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["all", "all"]);
}

#[test]
fn handles_whose_peer_has_gone_do_nothing() {
    let kept: Kept<(Request, Response)> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| keep.put((req, res)));
    let peer = send(&sim, get("/"));
    peer.reset();
    sim.settle();
    let (req, res) = kept.take();
    call_all(&req, &res);
    sim.advance(SECOND);
    still_says(&req, "/");
    assert!(!res.is_finished());
}

#[test]
fn a_response_that_was_destroyed_takes_nothing_more() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        seen.watch(&req, &res);
        res.write("half").ignore();
        res.destroy();
        assert_eq!(res.write("more"), Flow::Closed);
        res.end("more");
        res.destroy();
    });
    let peer = send(&sim, get("/"));
    assert!(peer.is_closed());
    record.expect(&["res close destroyed", "req close destroyed"]);
}

#[test]
fn handles_of_one_connection_do_not_reach_another_that_has_its_slot() {
    let kept: Kept<(Request, Response)> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| keep.put((req, res)));
    send(&sim, get("/old")).reset();
    sim.settle();
    let (req, res) = kept.take();
    let peer = send(&sim, get("/new"));
    call_all(&req, &res);
    sim.advance(SECOND);
    assert_eq!(peer.text(), "");
    assert!(!peer.is_closed());
    kept.take().1.end("new");
    sim.settle();
    assert_eq!(bodies(&peer), ["new"]);
}

#[test]
fn handles_outlive_the_world_they_came_from() {
    let kept: Kept<(Request, Response)> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| {
        res.on_close(|_, _| unreachable!("a loop that ends calls nobody"));
        if req.url() == "/half" {
            res.write("half").ignore();
        }
        keep.put((req, res));
    });
    send(&sim, get("/open"));
    send(&sim, get("/half"));
    send(&sim, post("/body", "").replace("Length: 0", "Length: 9"));
    drop(sim);
    for url in ["/open", "/half"] {
        let (req, res) = kept.take();
        call_all(&req, &res);
        still_says(&req, url);
    }
    let (req, res) = kept.take();
    call_all(&req, &res);
    assert!(server.address().is_none() && !server.is_listening());
    assert!(server.open_exchanges().is_empty());
    server.close_idle_connections();
    server.close_all_connections();
    server.close(|| unreachable!("its loop is gone"));
    assert!(server.listen(PORT, || unreachable!("its loop is gone")).is_err());
    drop((req, res, server));
    // And the next world knows nothing of it.
    let sim = Sim::new();
    let _server = listen(|_, res| res.end("another"));
    assert_eq!(bodies(&send(&sim, get("/"))), ["another"]);
}

thread_local! {
    static LAST: std::cell::RefCell<Option<(Request, Response, http::Server)>> = const { std::cell::RefCell::new(None) };
}

#[test]
fn handles_in_a_thread_local_outlive_the_loop_of_their_thread() {
    let thread = std::thread::spawn(|| {
        // Made before the loop's, so that it is dropped after it; and the other way round for the server's own.
        LAST.with(|last| assert!(last.borrow().is_none()));
        let server = http::create_server(|req, res| {
            LAST.with(|last| {
                let mut last = last.borrow_mut();
                let server = last.take().map(|(_, _, server)| server);
                *last = server.map(|server| (req, res, server));
            });
            oneloop::stop();
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        let port = server.address().unwrap().port().unwrap();
        let client = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            socket.write_all(get("/").as_bytes()).unwrap();
            let mut all = Vec::new();
            let _ = socket.read_to_end(&mut all);
            all
        });
        let (first, second) = spent_handles();
        LAST.with(|last| *last.borrow_mut() = Some((first, second, server)));
        oneloop::run().unwrap();
        client
    });
    let client = thread.join().unwrap();
    assert_eq!(client.join().unwrap(), b"", "cut, without an answer");
}

/// Handles of an exchange that was over long ago, to fill a place.
fn spent_handles() -> (Request, Response) {
    let kept: Kept<(Request, Response)> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| keep.put((req, res)));
    send(&sim, get("/"));
    kept.take()
}

#[test]
fn a_server_whose_loop_is_gone_neither_listens_nor_keeps_what_it_was_given() {
    let sim = Sim::new();
    let (net, http) = (net::create_server(|_| ()), http::create_server(|_req, res| res.end("hi")));
    drop(sim);
    let captured = Rc::new(());
    let held = || {
        let captured = captured.clone();
        move || drop(captured)
    };
    net.close(held());
    http.close(held());
    assert!(net.listen(1, held()).is_err() && http.listen(1, held()).is_err());
    assert_eq!(Rc::strong_count(&captured), 1);
}
