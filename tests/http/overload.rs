//! Load shedding: while the loop is late, new requests are turned away at once, and those that are taken are in time.

use crate::support::http::*;
use oneloop::event_loop::{Metrics, PanicPolicy, set_panic_policy};
use oneloop::http::{self, LoadShedding, Response};
use oneloop::sim::{self, Peer, Sim};
use oneloop::{metrics, set_immediate, set_timeout};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A limit that one request to /slow passes.
const LIMIT: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(150);
/// The same for a loop on the real clock, which one test waits for.
const REAL_LIMIT: Duration = Duration::from_millis(50);

fn shed() -> u64 {
    metrics().shed
}

/// A server whose requests to /slow hold the loop, and which sheds.
fn serve_slowly(how: impl Into<Option<LoadShedding>>) -> (Sim, http::Server) {
    let (sim, server) = serve(|req, res| {
        if req.path() == "/slow" {
            sim::block(SLOW);
        }
        res.end(req.url());
    });
    server.set_load_shedding(how);
    (sim, server)
}

/// Connections that are there already, so that what they send next is ready at the same time.
fn connected(sim: &Sim, count: usize) -> Vec<Peer> {
    let peers = (0..count).map(|_| sim.connect(PORT)).collect();
    sim.settle();
    peers
}

#[test]
fn a_request_that_waited_too_long_for_its_turn_is_503_with_retry_after_and_the_connection_goes_on() {
    let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT).retry_after(Duration::from_millis(2_500)));
    let peers = connected(&sim, 3);
    peers[0].write(get("/slow"));
    peers[1].write(get("/1"));
    peers[2].write(get("/2"));
    sim.settle();
    assert_eq!(statuses(&peers[0]), [200]);
    for late in &peers[1..] {
        let reply = only(late);
        assert_eq!((reply.status, reply.field("retry-after")), (503, Some("3")), "whole seconds, rounded up");
        assert!(reply.field("date").is_some() && !reply.closes());
        late.write(get("/again"));
    }
    assert_eq!(shed(), 2);
    sim.settle();
    assert_eq!(statuses(&peers[1]), [503, 200]);
    assert_eq!(statuses(&peers[2]), [503, 200]);
    assert_eq!(shed(), 2);
}

#[test]
fn a_request_that_came_while_the_iteration_before_held_the_loop_is_late_and_one_that_ended_a_wait_is_not() {
    for (comes, status) in [(10 * MS, 503), (SLOW + 10 * MS, 200)] {
        let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT));
        let peer = connected(&sim, 1).remove(0);
        let speaks = peer.clone();
        sim.at(comes, move || speaks.write(get("/")));
        set_timeout(MS, || sim::block(SLOW));
        sim.advance(SECOND);
        assert_eq!(statuses(&peer), [status], "after {comes:?}");
    }
}

#[test]
fn a_connection_that_waited_to_be_accepted_has_its_first_request_late() {
    // One that has nothing to say until later is in time.
    for (says, status) in [(Duration::ZERO, 503), (SLOW + 50 * MS, 200)] {
        let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT));
        let sim = Rc::new(sim);
        let came: Kept<Peer> = Kept::default();
        let (world, comes) = (sim.clone(), came.clone());
        set_immediate(move || {
            let peer = world.connect(PORT);
            comes.put(peer.clone());
            world.at(says, move || peer.write(get("/")));
            sim::block(SLOW);
        });
        sim.advance(SECOND);
        let peer = came.take();
        assert_eq!(statuses(&peer), [status], "it speaks after {says:?}");
        peer.write(get("/next"));
        sim.settle();
        assert_eq!(statuses(&peer), [status, 200]);
    }
}

#[test]
fn a_connection_that_was_accepted_before_is_no_later_than_its_request() {
    let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT));
    let peer = connected(&sim, 1).remove(0);
    let speaks = peer.clone();
    set_immediate(|| {
        sim::block(SLOW);
        set_immediate(move || speaks.write(get("/")));
    });
    sim.settle();
    assert_eq!(statuses(&peer), [200]);
}

/// A turn takes 64 requests of a connection. The next ones have waited for that turn, and not for what was before it.
#[test]
fn a_request_beyond_the_budget_of_a_turn_is_as_late_as_that_turn_was_long() {
    for (time, status) in [(60 * MS, 200), (110 * MS, 503)] {
        let (sim, server) = serve(move |req, res| {
            if req.path() == "/slow" {
                sim::block(time);
            }
            res.end("done");
        });
        let peers = connected(&sim, 2);
        let pipeliner = peers[1].clone();
        peers[0].on_data(move |_, _| pipeliner.write(get("/slow") + &get("/").repeat(64)));
        peers[0].write(get("/slow"));
        server.set_load_shedding(LoadShedding::new(LIMIT).exempt(|req| req.path() == "/slow"));
        sim.settle();
        let all = statuses(&peers[1]);
        assert_eq!(all.len(), 65);
        assert_eq!(all[64], status, "{time:?}");
    }
}

#[test]
fn below_the_limit_and_without_one_nothing_is_shed() {
    for how in [None, Some(LoadShedding::new(SLOW)), Some(LoadShedding::new(Duration::MAX))] {
        let (sim, _server) = serve_slowly(how.clone());
        let peers = connected(&sim, 2);
        peers[0].write(get("/slow"));
        peers[1].write(get("/1"));
        sim.settle();
        assert_eq!(statuses(&peers[1]), [200], "{how:?}");
        assert_eq!(shed(), 0);
    }
}

#[test]
fn it_can_be_turned_off_again() {
    let (sim, server) = serve_slowly(LoadShedding::new(LIMIT));
    server.set_load_shedding(None);
    let peers = connected(&sim, 2);
    peers[0].write(get("/slow"));
    peers[1].write(get("/1"));
    sim.settle();
    assert_eq!(statuses(&peers[1]), [200]);
}

/// What is ready at the same time: those whose turn comes within the limit are taken, the rest is not.
#[test]
fn many_requests_at_once_are_taken_as_far_as_they_are_in_time() {
    let (sim, server) = serve(|_, res| {
        sim::block(10 * MS);
        res.end("done");
    });
    server.set_load_shedding(LoadShedding::new(LIMIT));
    let peers = connected(&sim, 100);
    peers.iter().for_each(|peer| peer.write(get("/")));
    sim.settle();
    let taken = peers.iter().filter(|peer| statuses(peer) == [200]).count();
    assert_eq!((taken, shed()), (11, 89), "0, 10, … 100 ms late");
    assert!(peers[..11].iter().all(|peer| statuses(peer) == [200]), "the first of them");
}

/// Twice as many clients as the loop has time for, each with one request at a time and a second between them.
#[test]
fn under_lasting_overload_work_goes_on_and_nobody_is_answered_late() {
    let (sim, server) = serve(|_, res| {
        sim::block(10 * MS);
        res.end("done");
    });
    server.set_load_shedding(LoadShedding::new(LIMIT));
    let latest = Rc::new(Cell::new(Duration::ZERO));
    let peers = connected(&sim, 200);
    for (number, peer) in peers.iter().enumerate() {
        let sent = Rc::new(Cell::new(Duration::ZERO));
        for round in 0..30 {
            let (peer, sent) = (peer.clone(), sent.clone());
            sim.at(round * SECOND + 5 * number as u32 * MS, move || {
                sent.set(oneloop::now());
                peer.write(get("/"));
            });
        }
        let latest = latest.clone();
        peer.on_data(move |_, bytes| {
            if bytes.starts_with(b"HTTP/1.1 200") {
                latest.set(latest.get().max(oneloop::now() - sent.get()));
            }
        });
    }
    sim.advance(60 * SECOND);
    let (mut taken, mut turned_away) = (0, 0);
    for peer in &peers {
        let all = statuses(peer);
        assert_eq!(all.len(), 30);
        taken += all.iter().filter(|status| **status == 200).count();
        turned_away += all.iter().filter(|status| **status == 503).count();
    }
    assert_eq!((taken + turned_away, turned_away as u64), (6_000, shed()));
    // 30 s of work have room for 3,000 requests of 10 ms.
    assert!((2_000..=3_100).contains(&taken), "{taken} requests were taken in 30 s");
    assert!(latest.get() <= 3 * LIMIT, "one was answered after {:?}", latest.get());
}

#[test]
fn exchanges_that_have_begun_go_on() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| match req.path() {
        "/slow" => {
            sim::block(SLOW);
            res.end("slow");
        }
        "/upload" => req.read_body(100, move |body| res.end(body.unwrap())),
        _ => {
            res.write("first ").ignore();
            keep.put(res);
        }
    });
    server.set_load_shedding(LoadShedding::new(LIMIT));
    let peers = connected(&sim, 3);
    peers[1].write("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    peers[2].write(get("/stream"));
    sim.settle();
    peers[0].write(get("/slow"));
    peers[1].write("half");
    sim.settle();
    let response = kept.take();
    set_immediate(move || {
        sim::block(SLOW);
        response.end("last");
    });
    sim.settle();
    assert_eq!(bodies(&peers[1]), ["halfhalf"]);
    assert_eq!(bodies(&peers[2]), ["first last"]);
    assert_eq!(shed(), 0);
}

#[test]
fn what_the_predicate_exempts_is_answered_and_it_is_asked_of_nothing_else() {
    let asked = Record::default();
    let told = asked.clone();
    let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT).exempt(move |req| {
        told.add(req.path());
        req.path() == "/health"
    }));
    let peers = connected(&sim, 4);
    peers[0].write(get("/in-time"));
    peers[1].write(get("/slow"));
    peers[2].write(get("/health"));
    peers[3].write(get("/other"));
    sim.settle();
    assert_eq!(peers.iter().flat_map(statuses).collect::<Vec<_>>(), [200, 200, 200, 503]);
    asked.expect(&["/health", "/other"]);
}

#[test]
fn a_predicate_that_panics_costs_its_exchange_and_one_may_replace_itself() {
    let (sim, server) = serve_slowly(LoadShedding::new(LIMIT).exempt(|req| match req.path() {
        "/panic" => panic!("deliberately"),
        _ => false,
    }));
    set_panic_policy(PanicPolicy::Catch);
    let ask = |paths: &[&str]| {
        let peers = connected(&sim, paths.len());
        peers.iter().zip(paths).for_each(|(peer, path)| peer.write(get(path)));
        sim.settle();
        peers.iter().flat_map(statuses).collect::<Vec<_>>()
    };
    assert_eq!(ask(&["/slow", "/panic", "/other"]), [200, 500, 503]);
    let its = server.clone();
    server.set_load_shedding(LoadShedding::new(LIMIT).exempt(move |_| {
        its.set_load_shedding(None);
        false
    }));
    assert_eq!(ask(&["/slow", "/first", "/second"]), [200, 503, 200]);
}

#[test]
fn a_listener_for_dropped_requests_may_answer_and_else_the_answer_is_ours() {
    let (sim, server) = serve_slowly(LoadShedding::new(LIMIT));
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    server.on_drop_request(move |req, res| match req.path() {
        "/answered" => res.set_status(429).end("enough"),
        "/kept" => keep.put(res),
        _ => {}
    });
    let peers = connected(&sim, 4);
    for (peer, path) in peers.iter().zip(["/slow", "/answered", "/kept", "/dropped"]) {
        peer.write(get(path));
    }
    sim.settle();
    assert_eq!((only(&peers[1]).status, only(&peers[1]).field("retry-after")), (429, None));
    assert!(peers[2].received().is_empty());
    drop(kept.take());
    sim.settle();
    for peer in &peers[2..] {
        assert_eq!((only(peer).status, only(peer).field("retry-after")), (503, Some("1")));
    }
    assert_eq!(shed(), 3);
}

#[test]
fn the_bodies_of_shed_requests_are_discarded_or_not_asked_for() {
    let (sim, server) = serve_slowly(LoadShedding::new(LIMIT).retry_after(Duration::ZERO));
    server.on_upgrade(|_, _, _| unreachable!());
    let peers = connected(&sim, 5);
    peers[0].write(get("/slow"));
    peers[1].write(post("/", &"x".repeat(10_000)) + &get("/next"));
    peers[2].write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    peers[3].write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    peers[4].write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.settle();
    // The second is of the same turn, and so of the same time.
    assert_eq!(statuses(&peers[1]), [503, 503]);
    assert_eq!((statuses(&peers[2]), statuses(&peers[3])), (vec![503], vec![503]));
    assert_eq!(only(&peers[3]).field("retry-after"), None);
    assert!(peers[4].text().starts_with("HTTP/1.1 503 ") && peers[4].text().ends_with("\r\n\r\n"));
    assert_eq!(shed(), 5);
}

#[test]
fn the_log_says_so_once_a_second() {
    keep_log();
    let (sim, _server) = serve_slowly(LoadShedding::new(LIMIT));
    let late = |lines: &[String]| lines.iter().filter(|line| line.contains("were answered 503")).count();
    for _ in 0..2 {
        let peers = connected(&sim, 10);
        peers[0].write(get("/slow"));
        peers[1..].iter().for_each(|peer| peer.write(get("/")));
        sim.settle();
    }
    assert_eq!((late(&logged()), shed()), (1, 18));
    sim.advance(SECOND);
    let peers = connected(&sim, 2);
    peers[0].write(get("/slow"));
    peers[1].write(get("/"));
    sim.settle();
    expect_logged("18 requests were answered 503");
}

/// What the program does before it runs its loop is no delay of the loop's.
#[test]
fn a_loop_that_begins_to_run_is_not_late() {
    let (sim, server) = (Sim::new(), http::create_server(|_, res| res.end("hi")));
    server.set_load_shedding(LoadShedding::new(LIMIT));
    server.listen(PORT, || ()).unwrap();
    let peer = sim.connect(PORT);
    peer.write(get("/"));
    sim::block(SLOW);
    sim.settle();
    assert_eq!(statuses(&peer), [200]);
    let before: Metrics = metrics();
    assert!(before.loop_delay.max() < LIMIT, "{before:?}");
}

/// Over real sockets: one request holds the loop until the others have come, and a while longer.
#[test]
fn a_real_server_sheds_what_came_while_it_was_held_up() {
    let (all_sent, go_on) = channel();
    let server = http::create_server(move |req, res| {
        if req.path() == "/slow" {
            go_on.recv().unwrap();
            std::thread::sleep(2 * REAL_LIMIT);
        }
        res.end("done");
    });
    // The slow one as well, which a slow machine may make late.
    server.set_load_shedding(LoadShedding::new(REAL_LIMIT).exempt(|req| req.path() != "/other"));
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let mut remote = oneloop::remote();
    remote.set_ref(true);
    let clients = std::thread::spawn(move || {
        let clients = ["/slow", "/other", "/health"].map(|path| {
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            write!(client, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            client
        });
        all_sent.send(()).unwrap();
        let texts = clients.map(|mut client| {
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            text
        });
        let _ = remote.post(oneloop::stop);
        texts
    });
    oneloop::run().unwrap();
    let [slow, other, health] = clients.join().unwrap();
    server.close(|| ());
    oneloop::run().unwrap();
    assert!(slow.starts_with("HTTP/1.1 200 "), "{slow}");
    assert!(other.starts_with("HTTP/1.1 503 ") && other.contains("\r\nRetry-After: 1\r\n"), "{other}");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    assert_eq!(metrics().shed, 1);
}
