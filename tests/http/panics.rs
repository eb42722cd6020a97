//! Promise 5, over HTTP: a panic in a callback costs its exchange only, and the loop goes on.

use crate::support::http::*;
use oneloop::event_loop::{PanicPolicy, on_panic, set_panic_policy};
use oneloop::http::{Request, Response, Server};
use oneloop::sim::Sim;
use oneloop::{next_tick, set_timeout};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;

/// A server whose panics are caught. `/ok` answers well.
fn caught(mut handler: impl FnMut(Request, Response) + 'static) -> (Sim, Server) {
    let (sim, server) = serve(move |req, res| match req.url() {
        "/ok" => res.end("ok"),
        _ => handler(req, res),
    });
    set_panic_policy(PanicPolicy::Catch);
    keep_log();
    (sim, server)
}

/// A new connection is served as ever.
#[track_caller]
fn goes_on(sim: &Sim) {
    assert_eq!(bodies(&send(sim, get("/ok"))), ["ok"]);
}

#[test]
fn a_panic_in_a_handler_is_500_and_logged_with_the_route() {
    let told = Record::default();
    let tell = told.clone();
    let (sim, _server) = caught(|_, _| panic!("no plants"));
    on_panic(move |info| tell.add(format!("{}: {} {}", info.what, info.message, info.registered.file())));
    let peer = send(&sim, get("/panics?now") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 200]);
    assert!(!peer.is_closed());
    let file = file!().replace("panics", "../support/http");
    told.expect(&[&format!("GET /panics?now: no plants {file}")]);
    expect_logged("ERROR oneloop::loop GET /panics?now panicked: no plants (callback registered at");
    goes_on(&sim);
}

#[test]
fn a_panic_after_the_head_has_gone_cuts_the_connection() {
    let record = Record::default();
    let watched = record.clone();
    let (sim, _server) = caught(move |req, res| {
        watched.watch(&req, &res);
        res.write("half").ignore();
        panic!("midway");
    });
    let peer = send(&sim, get("/") + &get("/ok"));
    assert!(peer.is_closed());
    assert!(!peer.text().contains("0\r\n\r\n"), "it looks whole: {}", peer.text());
    record.expect(&["res close panicked", "req close panicked"]);
    goes_on(&sim);
}

#[test]
fn a_panic_after_the_answer_leaves_the_answer() {
    let (sim, _server) = caught(|_, res| {
        res.end("all");
        panic!("afterwards");
    });
    let peer = send(&sim, get("/") + &get("/ok"));
    assert_eq!(bodies(&peer), ["all", "ok"]);
}

#[test]
fn a_panic_in_a_handler_whose_response_is_kept_elsewhere_is_500() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = caught(move |_, res| {
        keep.put(res.clone());
        panic!("kept");
    });
    let peer = send(&sim, get("/") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 200]);
    let res = kept.take();
    assert!(res.is_ended());
    res.end("too late");
    sim.settle();
    assert_eq!(statuses(&peer), [500, 200]);
}

#[test]
fn after_a_panic_the_other_listeners_of_the_request_are_not_called() {
    let (sim, server) = caught(|_, _| panic!("first"));
    let called = Rc::new(Cell::new(0));
    let count = called.clone();
    server.on_request(move |_, _| count.set(count.get() + 1));
    assert_eq!(statuses(&send(&sim, get("/"))), [500]);
    assert_eq!(called.get(), 0);
}

#[test]
fn a_panic_in_data_is_500_and_the_rest_of_the_body_is_for_nobody() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = caught(move |req, res| {
        let data = seen.clone();
        req.on_data(move |_, _| {
            data.add("data");
            panic!("in data");
        });
        req.on_data(|_, _| unreachable!("the round has ended"));
        req.on_end(|_| unreachable!("nobody waits for the end"));
        seen.watch(&req, &res);
        std::mem::forget(res);
    });
    let peer =
        send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    peer.write(get("/ok"));
    sim.settle();
    assert_eq!(statuses(&peer), [500, 200]);
    record.expect(&["data", "finish", "res close finished", "req close finished"]);
    assert_eq!(logged().len(), 1);
}

#[test]
fn a_panic_in_the_end_of_a_request_is_500() {
    let (sim, _server) = caught(|req, res| {
        req.on_data(|_, _| ());
        req.on_end(move |_| {
            res.set_header("X-Half", "done");
            panic!("in end");
        });
    });
    let peer = send(&sim, post("/", "x") + &get("/none") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 500, 200]);
    assert!(!peer.text().contains("X-Half"));
}

#[test]
fn a_panic_in_the_callback_of_read_body_is_500() {
    let (sim, _server) = caught(|req, res| {
        req.read_body(3, move |_| {
            let _res = res;
            panic!("in read_body");
        });
    });
    let peer = send(&sim, post("/", "x") + &post("/", "too long") + &get("/none") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 500, 500, 200]);
}

#[test]
fn a_panic_in_the_callback_of_save_to_is_500() {
    let (sim, _server) = caught(|req, res| {
        req.save_to("never-made", 3, move |_| {
            let _res = res;
            panic!("in save_to");
        });
    });
    let peer = send(&sim, post("/", "too long") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 200]);
}

#[test]
fn a_panic_in_drain_cuts_the_connection() {
    let (sim, _server) = caught(|_, res| {
        res.on_drain(|_| panic!("in drain"));
        assert!(res.write(vec![b'x'; 300_000]).is_full());
        std::mem::forget(res);
    });
    let peer = send(&sim, get("/"));
    assert!(peer.is_closed());
    expect_logged("GET / panicked: in drain");
    goes_on(&sim);
}

#[test]
fn a_panic_in_finish_or_close_costs_nothing_any_more() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = caught(move |req, res| {
        let (after, last) = (seen.clone(), seen.clone());
        res.on_finish(|_| panic!("in finish"));
        res.on_close(|_, _| panic!("in res close"));
        req.on_close(|_, _| panic!("in req close"));
        res.on_close(move |_, _| after.add("another listener of the same event"));
        req.on_close(move |_, _| last.add("another"));
        res.end("all");
    });
    let peer = send(&sim, get("/") + &get("/ok"));
    assert_eq!(bodies(&peer), ["all", "ok"]);
    assert_eq!(logged().len(), 3);
    assert!(!peer.is_closed());
    goes_on(&sim);
}

#[test]
fn a_panic_in_the_timeout_of_a_response_is_500_and_logged_with_the_route() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = caught(move |_, res| {
        res.set_timeout(SECOND, |_| panic!("in timeout"));
        keep.put(res);
    });
    let peer = send(&sim, get("/slow"));
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [500]);
    expect_logged("GET /slow panicked: in timeout");
}

#[test]
fn a_panic_in_a_timer_or_tick_drops_what_it_held_and_so_answers_500() {
    let (sim, _server) = caught(|req, res| {
        let boom = move || {
            let _res = res;
            panic!("later");
        };
        match req.url() {
            "/tick" => next_tick(boom),
            _ => drop(set_timeout(MS, boom)),
        }
    });
    let peer = send(&sim, get("/tick") + &get("/timer") + &get("/ok"));
    sim.advance(MS);
    assert_eq!(statuses(&peer), [500, 500, 200]);
}

fn panics(_: Request, _: Response) {
    panic!("in a listener");
}

/// Panics when it is dropped, with one of its kind.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Bomb(self.0 - 1));
        }
    }
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_is_contained() {
    let (sim, _server) = caught(|_, _| panic_any(Bomb(3)));
    let peer = send(&sim, get("/") + &get("/ok"));
    assert_eq!(statuses(&peer), [500, 200]);
    goes_on(&sim);
}

#[test]
fn a_listener_that_panics_when_it_is_dropped_is_contained() {
    let (sim, _server) = caught(|req, res| {
        let (a, b, c) = (Bomb(1), Bomb(1), Bomb(1));
        req.on_data(move |_, _| _ = &a);
        req.on_close(move |_, _| _ = &b);
        res.on_drain(move |_| _ = &c);
        res.end("all");
    });
    let peer = send(&sim, get("/") + &post("/", "x") + &get("/ok"));
    assert_eq!(bodies(&peer), ["all", "all", "ok"]);
}

#[test]
fn a_panic_in_each_listener_of_the_server_leaves_the_server() {
    let (sim, server) = caught(|_, _| ());
    server.on_client_error(|_| panic!("in client error"));
    server.on_drop(|_| panic!("in drop"));
    server.on_check_expectation(panics);
    server.on_check_continue(panics);
    server.on_upgrade(|_, _, _| panic!("in upgrade"));
    assert_eq!(statuses(&send(&sim, "junk\r\n\r\n")), [400]);
    let expectation = "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n";
    let peer = send(&sim, expectation);
    assert_eq!(statuses(&peer), [500]);
    server.set_max_connections(1);
    assert_eq!(statuses(&send(&sim, get("/ok"))), [503], "one too many");
    server.set_max_connections(100);
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(statuses(&peer), [500]);
    let peer = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert!(peer.is_closed() && peer.text().is_empty());
    assert_eq!(logged().iter().filter(|line| line.contains("panicked")).count(), 5);
    goes_on(&sim);
    server.on_connection(|_| panic!("in connection"));
    let peer = send(&sim, get("/ok"));
    assert!(peer.is_closed() && peer.text().is_empty());
    let closed = Record::default();
    let close = closed.clone();
    server.on_close(|| panic!("in close"));
    server.close(|| panic!("in close"));
    server.close(move || close.add("closed"));
    // Those that were refused linger.
    sim.advance(6 * SECOND);
    closed.expect(&["closed"]);
}

#[test]
fn with_the_policy_resume_the_panic_goes_on_out_of_the_loop_and_nothing_is_called_in_between() {
    let called = Rc::new(Cell::new(0));
    let count = called.clone();
    let (sim, server) = caught(|_, _| panic!("assertion"));
    server.on_request(move |_, _| count.set(count.get() + 1));
    set_panic_policy(PanicPolicy::Resume);
    let peer = sim.connect(PORT);
    peer.write(get("/panics") + &get("/ok"));
    let panic = catch_unwind(AssertUnwindSafe(|| sim.settle())).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"assertion"));
    assert_eq!(called.get(), 0);
    sim.settle();
    assert_eq!(statuses(&peer), [500, 200], "the loop can be run again, and has lost nothing");
}
