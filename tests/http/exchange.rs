//! Promise 4: every request gets exactly one whole response, in order, or its connection is closed.

use crate::support::http::*;
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Response, Server};
use oneloop::sim::block;
use oneloop::{next_tick, set_immediate, set_timeout};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn a_response_that_is_dropped_unanswered_is_a_500_that_is_logged_with_its_route() {
    keep_log();
    let (sim, _server) = serve(|_, _| ());
    let peer = send(&sim, get("/forgotten?a=1"));
    let reply = only(&peer);
    assert_eq!((reply.status, reply.text().as_str()), (500, "500 Internal Server Error\n"));
    assert!(!peer.is_closed(), "the connection is fine");
    expect_logged("WARN oneloop::http GET /forgotten?a=1: the response was dropped");
    peer.take();
    peer.write(get("/again"));
    sim.settle();
    assert_eq!(statuses(&peer), [500]);
}

/// The log blames a handler for what it forgot, and for nothing else.
#[test]
fn only_a_response_that_is_dropped_unanswered_is_logged_as_such() {
    let (sim, _server) = serve(|req, res| match req.url() {
        "/answered" => res.end("x"),
        "/answered-and-kept" => {
            res.end("x");
            set_timeout(MS, move || drop(res));
        }
        "/destroyed" => res.destroy(),
        "/request-destroyed" => {
            req.destroy();
            drop(res);
        }
        "/destroyed-midway" => {
            res.write("half").ignore();
            res.destroy();
        }
        "/too-large" => req.read_body(1, move |_| drop(res)),
        "/panics" => panic!("no plants"),
        _ => drop(res),
    });
    set_panic_policy(PanicPolicy::Catch);
    for (path, dropped) in [
        ("/answered", false),
        ("/answered-and-kept", false),
        ("/destroyed", false),
        ("/request-destroyed", false),
        ("/destroyed-midway", false),
        ("/too-large", false),
        ("/panics", false),
        ("/forgotten", true),
    ] {
        keep_log();
        send(&sim, post(path, "body"));
        sim.advance(SECOND);
        let told = logged();
        assert_eq!(told.iter().any(|line| line.contains("the response was dropped")), dropped, "{path}: {told:?}");
    }
}

#[test]
fn a_response_that_is_dropped_after_its_head_has_gone_cuts_the_connection() {
    let record = Record::default();
    let watched = record.clone();
    let (sim, _server) = serve(move |req, res| {
        watched.watch(&req, &res);
        res.write("half of").ignore();
        let later = res.clone();
        drop(res);
        set_timeout(SECOND, move || drop(later));
    });
    let peer = send(&sim, get("/") + &get("/behind"));
    assert!(!peer.is_closed());
    sim.advance(SECOND);
    assert!(peer.is_closed());
    assert!(peer.text().ends_with("\r\n7\r\nhalf of\r\n"), "no end of the body: {}", peer.text());
    record.expect(&["res close bad-response", "req close bad-response"]);
}

/// An answer to HTTP/1.0 whose length nobody said ends with its connection (RFC 9112, 6.3): where it breaks off, a FIN would
/// make a whole one of it.
#[test]
fn an_answer_that_ends_with_its_connection_and_breaks_off_is_a_reset() {
    type Way = fn(&Server, Response);
    let ways: [(&str, Way); 7] = [
        ("whole", |_, res| res.end(" it")),
        ("dropped", |_, res| drop(res)),
        ("destroyed", |_, res| res.destroy()),
        ("whole, but gone before that was sent", |_, res| {
            res.end(" it");
            res.destroy();
        }),
        ("cut by the server", |server, _| server.close_all_connections()),
        ("out of time", |_, res| {
            set_timeout(20 * SECOND, move || drop(res));
        }),
        ("not taken", |_, res| res.end(vec![b'x'; 1024 * 1024])),
    ];
    for (name, way) in ways {
        let kept: Kept<Response> = Kept::default();
        let keep = kept.clone();
        let (sim, server) = serve(move |_, res| {
            res.write("half of").ignore();
            keep.put(res);
        });
        let mut limits = server.limits();
        (limits.response, limits.write_stall) = (Some(5 * SECOND), 5 * SECOND);
        server.set_limits(limits);
        let peer = send(&sim, "GET / HTTP/1.0\r\n\r\n");
        assert!(peer.text().ends_with("\r\n\r\nhalf of") && !peer.is_closed(), "{name}: {}", peer.text());
        if name == "not taken" {
            peer.pause_reading();
        }
        way(&server, kept.take());
        sim.advance(10 * SECOND);
        assert!(peer.is_closed(), "{name}");
        assert_eq!(peer.was_reset(), name != "whole", "{name}");
        assert_eq!(peer.text().ends_with("half of it"), name == "whole", "{name}: {}", peer.text());
    }
}

/// A reset overtakes what the peer has not read: it has its time to come.
#[test]
fn an_answer_that_breaks_off_so_takes_no_earlier_one_along() {
    let (sim, server) = serve(|req, res| match req.url() {
        "/whole" => res.end("whole"),
        path => {
            res.write("half of").ignore();
            if path == "/late" {
                block(3 * SECOND);
            }
        }
    });
    // The second counts from what was said last, however long its handler took.
    for (path, ended) in [("/half", false), ("/half", true), ("/late", false)] {
        let peer = sim.connect(PORT);
        peer.write(get("/whole") + &format!("GET {path} HTTP/1.0\r\n\r\n"));
        if ended {
            peer.finish();
        }
        sim.settle();
        let text = peer.text();
        assert!(text.contains("\r\n\r\nwholeHTTP/1.1 200") && text.ends_with("\r\n\r\nhalf of"), "{text}");
        assert!(!peer.is_closed(), "it has what was said, and nobody has told it that this is all");
        sim.advance(3 * SECOND);
        assert!(peer.was_reset());
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn a_response_kept_is_answered_later_and_once() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |_, res| keep.put(res));
    let peer = send(&sim, get("/"));
    assert_eq!(peer.text(), "");
    let (one, other) = { (kept.take(), ()) };
    let clone = one.clone();
    one.end("late");
    clone.end("again");
    drop((one, other, clone));
    sim.settle();
    assert_eq!(bodies(&peer), ["late"]);
}

#[test]
fn answers_may_come_from_a_tick_an_immediate_a_timer_and_another_connections_turn() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| match req.url() {
        "/tick" => next_tick(move || res.end("tick")),
        "/immediate" => drop(set_immediate(move || res.end("immediate"))),
        "/timer" => drop(set_timeout(MS, move || res.end("timer"))),
        "/keep" => keep.put(res),
        _ => {
            keep.take().end("by the other");
            res.end("mine");
        }
    });
    let peer = send(&sim, get("/tick") + &get("/immediate") + &get("/timer") + &get("/tick"));
    sim.advance(2 * MS);
    assert_eq!(bodies(&peer), ["tick", "immediate", "timer", "tick"]);
    let first = send(&sim, get("/keep"));
    let second = send(&sim, get("/other"));
    assert_eq!((bodies(&first), bodies(&second)), (vec!["by the other".into()], vec!["mine".into()]));
}

#[test]
fn requests_behind_a_deferred_answer_wait_and_are_answered_in_order() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let seen = Record::default();
    let saw = seen.clone();
    let (sim, _server) = serve(move |req, res| {
        saw.add(req.url());
        if req.url() == "/wait" {
            return keep.put(res);
        }
        res.end(req.url());
    });
    let peer = send(&sim, get("/1") + &get("/wait") + &get("/2") + &get("/wait") + &get("/3"));
    seen.expect(&["/1", "/wait"]);
    assert_eq!(bodies(&peer), ["/1"]);
    kept.take().end("first wait");
    sim.settle();
    seen.expect(&["/2", "/wait"]);
    kept.take().end("second wait");
    sim.settle();
    assert_eq!(bodies(&peer), ["/1", "first wait", "/2", "second wait", "/3"]);
}

#[test]
fn more_pipelined_requests_than_a_turn_dispatches_are_all_answered_in_order() {
    let (sim, _server) = serve(|req, res| res.end(req.url()));
    let requests: String = (0..300).map(|number| get(&format!("/{number}"))).collect();
    let peer = send(&sim, requests);
    let expected: Vec<String> = (0..300).map(|number| format!("/{number}")).collect();
    assert_eq!(bodies(&peer), expected);
}

#[test]
fn requests_whose_peer_has_ended_its_side_are_still_answered() {
    let (sim, _server) = serve(|req, res| {
        let url = req.url().to_owned();
        set_timeout(MS, move || res.end(url));
    });
    let peer = sim.connect(PORT);
    peer.write(get("/1") + &get("/2"));
    peer.finish();
    sim.advance(10 * MS);
    assert_eq!(bodies(&peer), ["/1", "/2"]);
    assert!(peer.is_closed() && !peer.was_reset());
}

#[test]
fn an_error_that_the_handler_returns_is_a_500_and_logged() {
    keep_log();
    let (sim, server) = serve(|req, res| {
        let number: u32 = req.query().unwrap_or_default().parse()?;
        res.end(format!("{number}"));
        Ok(())
    });
    server.on_request(|req, res| match req.url() {
        "/?head" => Err("after the head".into()),
        _ => {
            drop(res);
            Ok(())
        }
    });
    let peer = send(&sim, get("/?12") + &get("/?x") + &get("/?13"));
    assert_eq!(statuses(&peer), [200, 500, 200]);
    expect_logged("WARN oneloop::http GET /?x: the handler failed: invalid digit");
}

#[test]
fn an_error_after_the_head_has_gone_cuts_the_connection() {
    let (sim, _server) = serve(|_, res| {
        res.write("a").ignore();
        Err("no more".into())
    });
    let peer = send(&sim, get("/"));
    assert!(peer.is_closed());
    assert!(!peer.text().contains("0\r\n\r\n"));
}

#[test]
fn an_error_after_the_whole_answer_changes_nothing() {
    let (sim, _server) = serve(|_, res| {
        res.end("all");
        Err("too late".into())
    });
    let peer = send(&sim, get("/") + &get("/"));
    assert_eq!(bodies(&peer), ["all", "all"]);
}

#[test]
fn with_several_listeners_the_request_is_given_up_when_none_of_them_keeps_it() {
    let record = Record::default();
    let (first, second) = (record.clone(), record.clone());
    let (sim, server) = serve(move |req, res| {
        first.add("first");
        if req.url() == "/first" {
            res.end("first");
        }
    });
    server.on_request(move |req, res| {
        second.add("second");
        if req.url() == "/second" {
            set_timeout(MS, move || res.end("second"));
        }
    });
    let peer = send(&sim, get("/first") + &get("/second") + &get("/neither"));
    sim.advance(MS);
    assert_eq!(bodies(&peer), ["first", "second", "500 Internal Server Error\n"]);
    record.expect(&["first", "second", "first", "second", "first", "second"]);
}

#[test]
fn listeners_that_can_no_longer_fire_do_not_keep_a_request_hanging() {
    let (sim, _server) = serve(|req, res| {
        let (data, end) = (res.clone(), res.clone());
        req.on_data(move |_, _| _ = data.is_ended());
        req.on_end(move |_| _ = end.is_ended());
    });
    let peer =
        send(&sim, post("/", "body") + &get("/none") + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1");
    assert_eq!(statuses(&peer), [500, 500], "the third request has not ended");
    peer.write("2");
    sim.settle();
    assert_eq!(statuses(&peer), [500, 500, 500]);
}

#[test]
fn a_listener_for_what_can_no_longer_come_is_dropped_at_once_with_what_it_captured() {
    let (sim, _server) = serve(|req, res| {
        req.on_data(|_, _| ());
        req.on_end(move |req| {
            let (req, res) = (req.clone(), res.clone());
            set_timeout(SECOND, move || {
                let token = Rc::new(());
                let (a, b) = (token.clone(), token.clone());
                req.on_data(move |_, _| unreachable!("{a:?}"));
                assert_eq!(Rc::strong_count(&token), 2, "all data has come");
                req.on_end(move |_| unreachable!("{b:?}"));
                assert_eq!(Rc::strong_count(&token), 1, "its end was told");
                res.end("both dropped");
            });
        });
    });
    let peer = send(&sim, get("/") + &post("/", "body"));
    sim.advance(2 * SECOND);
    assert_eq!(bodies(&peer), ["both dropped", "both dropped"]);
}

#[test]
fn listeners_of_a_finished_exchange_are_dropped_with_what_they_captured() {
    let token = Rc::new(());
    let captured = token.clone();
    let (sim, _server) = serve(move |req, res| {
        let (a, b, c, d) = (captured.clone(), captured.clone(), captured.clone(), captured.clone());
        let mine = (req.clone(), res.clone());
        req.on_close(move |_, _| _ = (&a, &mine));
        res.on_finish(move |_| _ = &b).on_close(move |_, _| _ = &c).on_drain(move |_| _ = &d);
        res.set_timeout(SECOND, |_| ());
        res.end("x");
    });
    let peer = send(&sim, get("/"));
    assert_eq!(bodies(&peer), ["x"]);
    assert_eq!(Rc::strong_count(&token), 2, "the handler's and the test's");
}

#[test]
fn open_exchanges_lists_what_is_not_answered_with_age_and_route() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| match req.url() {
        "/now" => res.end("x"),
        _ => keep.put(res),
    });
    let peer = send(&sim, get("/now") + &get("/slow?n=1"));
    sim.advance(3 * SECOND);
    let other = send(&sim, "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.advance(2 * SECOND);
    let mut open = server.open_exchanges();
    open.sort_by_key(|exchange| std::cmp::Reverse(exchange.age));
    let seen: Vec<_> = open.iter().map(|e| (e.method.as_str(), e.target.as_str(), e.age)).collect();
    assert_eq!(seen, [("GET", "/slow?n=1", 5 * SECOND), ("DELETE", "/x", 2 * SECOND)]);
    assert_eq!((open[0].path.as_str(), open[1].remote_addr.clone()), ("/slow", other.local_addr()));
    kept.take().end("done");
    sim.settle();
    assert_eq!(server.open_exchanges().len(), 1);
    other.reset();
    sim.settle();
    assert!(server.open_exchanges().is_empty());
    assert_eq!(bodies(&peer), ["x", "done"]);
}

#[test]
fn finish_and_close_come_once_in_order_with_the_reason() {
    let record = Record::default();
    let watched = record.clone();
    let (sim, _server) = serve(move |req, res| {
        watched.watch(&req, &res);
        if req.url() == "/cut" {
            return res.destroy();
        }
        res.end("x");
        watched.add("ended");
    });
    let peer = send(&sim, get("/"));
    record.expect(&["ended", "finish", "res close finished", "req close finished"]);
    peer.write(get("/cut"));
    sim.settle();
    record.expect(&["res close destroyed", "req close destroyed"]);
    assert!(peer.is_closed());
}

#[test]
fn a_timeout_of_a_response_is_called_once_and_only_while_it_is_open() {
    let rang = Rc::new(Cell::new(0));
    let bell = rang.clone();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        let bell = bell.clone();
        res.set_timeout(SECOND, |_| panic!("replaced"));
        res.set_timeout(2 * SECOND, move |res| {
            bell.set(bell.get() + 1);
            res.set_status(503).end("too late");
        });
        match req.url() {
            "/now" => res.end("x"),
            _ => keep.put(res),
        }
    });
    let peer = send(&sim, get("/now") + &get("/slow"));
    sim.advance(10 * SECOND);
    assert_eq!((rang.get(), statuses(&peer)), (1, vec![200, 503]));
}

#[test]
fn finish_waits_for_the_kernel_and_is_not_told_where_the_peer_is_gone() {
    let record = Record::default();
    let watched = record.clone();
    let (sim, _server) = serve(move |req, res| {
        watched.watch(&req, &res);
        res.end(vec![b'x'; 1_000_000]);
    });
    let (slow, gone) = (sim.connect(PORT), sim.connect(PORT));
    slow.pause_reading();
    slow.write(get("/"));
    sim.settle();
    record.expect(&[]);
    slow.resume_reading();
    sim.settle();
    record.expect(&["finish", "res close finished", "req close finished"]);
    assert_eq!(only(&slow).body.len(), 1_000_000);
    gone.pause_reading();
    gone.write(get("/"));
    sim.settle();
    gone.reset();
    sim.settle();
    record.expect(&["res close reset", "req close reset"]);
}

#[test]
fn drain_comes_only_after_a_write_that_said_full() {
    let record = Record::default();
    let watched = record.clone();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        watched.watch(&req, &res);
        if req.url() == "/first" {
            return res.end("x");
        }
        let drained = watched.clone();
        res.on_drain(move |_| drained.add("drain"));
        keep.put(res);
    });
    let peer = send(&sim, get("/first") + &get("/second"));
    record.expect(&["finish", "res close finished", "req close finished"]);
    let res = kept.take();
    assert!(!res.write("little").is_full());
    sim.settle();
    record.expect(&[]);
    peer.pause_reading();
    assert!(res.write(vec![b'y'; 500_000]).is_full());
    sim.settle();
    record.expect(&[]);
    peer.resume_reading();
    sim.settle();
    record.expect(&["drain"]);
    assert!(res.write(vec![b'z'; 500_000]).is_full());
    res.end(());
    sim.settle();
    record.expect(&["finish", "res close finished", "req close finished"]);
    assert!(res.is_finished() && res.is_closed());
}

/// A listener that a drain is owed to is lent the response then, so nobody else need hold it; one that then neither writes
/// to the full nor ends has forgotten it.
#[test]
fn a_response_that_only_its_drain_listener_waits_for_goes_on_and_is_cut_if_that_forgets_it() {
    const PIECE: usize = 500_000;
    for pieces in [3, 4] {
        let record = Record::default();
        let watched = record.clone();
        let (sim, _server) = serve(move |req, res| {
            watched.watch(&req, &res);
            assert!(res.write(vec![b'y'; PIECE]).is_full());
            let sent = Cell::new(1);
            res.on_drain(move |res| {
                sent.set(sent.get() + 1);
                match sent.get() {
                    4 => res.write("forgotten").ignore(),
                    last if last == pieces => res.end(vec![b'y'; PIECE]),
                    _ => assert!(res.write(vec![b'y'; PIECE]).is_full()),
                }
            });
        });
        let peer = sim.connect(80);
        peer.pause_reading();
        peer.write(get("/"));
        sim.settle();
        record.expect(&[]);
        assert!(!peer.is_closed());
        peer.resume_reading();
        sim.settle();
        if pieces == 3 {
            assert_eq!(only(&peer).body.len(), 3 * PIECE);
            record.expect(&["finish", "res close finished", "req close finished"]);
        } else {
            assert!(peer.is_closed() && peer.text().ends_with("forgotten\r\n"));
            record.expect(&["res close bad-response", "req close bad-response"]);
        }
    }
}

#[test]
fn a_response_says_that_it_is_finished_though_nobody_listens() {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |_, res| {
        res.end("x");
        keep.put(res);
    });
    let peer = sim.connect(PORT);
    peer.write(get("/"));
    sim.settle();
    let res = kept.take();
    assert!(res.is_ended() && res.is_finished() && res.is_closed());
}

#[test]
fn an_exchange_that_was_refused_midway_says_why_and_is_not_finished() {
    let record = Record::default();
    let watched = record.clone();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        watched.watch(&req, &res);
        let read = watched.clone();
        req.read_body(100, move |body| read.add(format!("{:?}", body.map_err(|error| error.to_string()))));
        keep.put(res);
    });
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nnonsense\r\n");
    assert_eq!(statuses(&peer), [400]);
    assert!(peer.is_closed() && !kept.take().is_finished());
    record.expect(&[
        "res close bad-message",
        "req close bad-message",
        "Err(\"the connection was closed before the body ended: bad-message\")",
    ]);
}

/// An answer that ended within its connection's turn left what was held back where it was: a half-close then lost it, and
/// without one it waited for a deadline.
#[test]
fn what_is_behind_a_body_that_nobody_read_is_read_when_the_answer_has_ended() {
    let large = "x".repeat(300_000);
    let (sim, _server) = serve(move |req, res| match req.path() {
        "/drain" => {
            res.write(&large).ignore();
            let own = res.clone();
            res.on_drain(move |_| own.end(()));
        }
        "/worker" => oneloop::worker::run(|| (), move |_| res.end("late")),
        _ => res.end("next"),
    });
    for (path, finishes) in [("/drain", true), ("/drain", false), ("/worker", true), ("/worker", false)] {
        let peer = sim.connect(PORT);
        peer.write(post(path, "unread") + &get("/next"));
        if finishes {
            peer.finish();
        }
        sim.advance(SECOND);
        let bodies = bodies(&peer);
        assert!(bodies.len() == 2 && bodies[1] == "next", "{path}, half-closed {finishes}: {} answers", bodies.len());
    }
}
