//! Request bodies: who asks for one gets all of it, once, whatever its splits; who does not costs the peer nothing but a
//! discard within the limit.

use crate::support::http::*;
use oneloop::http::{BodyError, Request, Response, SaveError};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim};
use proptest::prelude::*;
use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;

const CHUNKED: &str = "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    5\r\nseeds\r\n1;note=x\r\n \r\nA\r\nand plants\r\n0\r\nDigest: d1\r\nX-Y: z\r\n\r\n";

fn head(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn expecting(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
}

/// Answers with what it was sent.
fn echo(req: Request, res: Response) {
    let body = Rc::new(std::cell::RefCell::new(Vec::new()));
    let sink = body.clone();
    req.on_data(move |_, bytes| sink.borrow_mut().extend_from_slice(bytes));
    req.on_end(move |req| {
        assert!(req.is_complete());
        let trailers = req.trailers();
        res.set_header("X-Trailers", trailers.len());
        res.end(body.take());
    });
}

#[test]
fn a_body_arrives_whole_at_every_split_of_the_bytes() {
    let request = post("/", "with length") + CHUNKED + &get("/none");
    for at in 0..=request.len() {
        let (sim, _server) = serve(echo);
        let peer = sim.connect(PORT);
        peer.write(&request[..at]);
        sim.settle();
        peer.write(&request[at..]);
        sim.settle();
        assert_eq!(bodies(&peer), ["with length", "seeds and plants", ""], "split at {at}");
    }
}

#[test]
fn a_body_arrives_whole_a_byte_at_a_time() {
    let (sim, _server) = serve(echo);
    let peer = sim.connect(PORT);
    peer.write_each_byte_every(post("/", "with length") + CHUNKED, MS);
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["with length", "seeds and plants"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn large_bodies_arrive_whole_over_a_rough_network(seed in any::<u64>(), length in 0_usize..100_000, buffer in 4_000_usize..70_000) {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, partial_writes: true, read_splits: true, buffer, ..Network::default() });
        let _server = listen(|req, res| req.pipe(&res));
        let body: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let peer = sim.connect(PORT);
        peer.write(head(length));
        peer.write(&body);
        peer.write(get("/next"));
        sim.advance(200 * SECOND);
        let replies = replies(&peer.received());
        prop_assert_eq!(replies.len(), 2);
        prop_assert!(replies[0].body == body);
    }
}

#[test]
fn trailers_are_there_when_the_request_has_ended_and_chunk_extensions_are_not_data() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let seen = seen.clone();
        seen.add(format!("{:?}", req.trailers()));
        req.read_body(100, {
            let req = req.clone();
            move |body| {
                seen.add(format!("{} {:?}", String::from_utf8_lossy(&body.unwrap()), req.trailers()));
                res.end(());
            }
        });
    });
    let peer = send(&sim, CHUNKED);
    assert_eq!(statuses(&peer), [200]);
    record.expect(&["[]", r#"seeds and plants [("Digest", "d1"), ("X-Y", "z")]"#]);
}

#[test]
fn pause_stops_data_and_resume_goes_on_with_it() {
    let record = Record::default();
    let seen = record.clone();
    let kept: Kept<Request> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        let (data, end) = (seen.clone(), seen.clone());
        req.on_data(move |req, bytes| {
            data.add(String::from_utf8_lossy(bytes));
            req.pause();
        });
        req.on_end(move |_| {
            end.add("end");
            res.end(());
        });
        keep.put(req);
    });
    let peer = send(&sim, head(4) + "ab");
    record.expect(&["ab"]);
    peer.write("cd");
    sim.advance(SECOND);
    record.expect(&[]);
    kept.take().resume();
    sim.settle();
    record.expect(&["cd"]);
    assert_eq!(peer.text(), "", "the end waits for resume as well");
}

#[test]
fn a_body_that_is_paused_behind_its_last_byte_ends_when_it_is_resumed() {
    for (eof, request) in [(false, post("/", "all of it")), (true, post("/", "all of it")), (true, CHUNKED.to_owned())]
    {
        let record = Record::default();
        let seen = record.clone();
        let (sim, _server) = serve(move |req, res| {
            let (end, close) = (seen.clone(), seen.clone());
            req.on_data(|req, _| {
                req.pause();
                let req = req.clone();
                set_timeout(800 * MS, move || req.resume());
            });
            req.on_end(move |_| {
                end.add("end");
                res.end("stored");
            });
            req.on_close(move |_, reason| close.add(format!("{reason}")));
        });
        let peer = send(&sim, &request);
        if eof {
            peer.finish();
        }
        sim.advance(10 * SECOND);
        record.expect(&["end", "finished"]);
        assert_eq!(bodies(&peer), ["stored"]);
    }
}

#[test]
fn a_paused_body_is_held_back_in_the_network_not_in_memory() {
    let kept: Kept<Request> = Kept::default();
    let keep = kept.clone();
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    let (sim, _server) = serve(move |req, res| {
        let count = count.clone();
        req.on_data(move |_, bytes| count.set(count.get() + bytes.len()));
        req.on_end(move |_| res.end("all"));
        req.pause();
        keep.put(req);
    });
    let peer = send(&sim, head(1_000_000) + &"x".repeat(1_000_000));
    let held = oneloop::event_loop::metrics();
    assert_eq!(seen.get(), 0);
    assert!(held.buffered <= 128 * 1024, "{} bytes are held", held.buffered);
    kept.take().resume();
    sim.settle();
    assert_eq!((seen.get(), bodies(&peer)), (1_000_000, vec!["all".to_owned()]));
}

#[test]
fn read_body_gives_the_whole_body_once_and_an_empty_one_too() {
    let (sim, _server) = serve(|req, res| {
        req.read_body(100, move |body| res.end(format!("{:?}", String::from_utf8(body.unwrap()).unwrap())));
    });
    let peer = send(&sim, post("/", "seeds") + &get("/") + CHUNKED + &post("/", ""));
    assert_eq!(bodies(&peer), ["\"seeds\"", "\"\"", "\"seeds and plants\"", "\"\""]);
}

#[test]
fn a_body_beyond_the_limit_of_read_body_is_413_unless_the_callback_answers() {
    let (sim, _server) = serve(|req, res| {
        let answers = req.url() == "/own";
        req.read_body(4, move |body| {
            assert_eq!(body, Err(BodyError::TooLarge { limit: 4 }));
            if answers {
                res.set_status(400).end("too much for me");
            }
        });
    });
    let peer = send(&sim, post("/own", "plants") + &post("/", "seeds") + &post("/own", "plants"));
    assert_eq!(statuses(&peer), [400, 413]);
    assert!(peer.is_closed(), "whatever is left of a content that we refuse");
}

#[test]
fn a_body_that_announces_more_than_the_limit_of_read_body_is_refused_at_once_and_not_asked_for() {
    let (sim, _server) = serve(|req, res| {
        let inside = Rc::new(std::cell::Cell::new(true));
        let was = inside.clone();
        req.read_body(4, move |body| {
            assert!(!was.get(), "from inside the call");
            assert_eq!(body, Err(BodyError::TooLarge { limit: 4 }));
            drop(res);
        });
        inside.set(false);
    });
    for request in [expecting(5), head(5)] {
        assert_eq!(statuses(&send(&sim, request)), [413]);
    }
}

#[test]
fn a_body_far_beyond_the_limit_of_read_body_is_413_and_the_connection_closes() {
    let (sim, _server) = serve(|req, res| {
        req.read_body(4, move |body| assert!(body.is_err() && !res.is_ended()));
    });
    let peer = send(&sim, head(100_000_000) + &"x".repeat(100_000));
    let reply = only(&peer);
    assert_eq!((reply.status, reply.closes()), (413, true));
    assert!(peer.is_closed());
}

#[test]
fn with_read_body_too_large_and_an_own_answer_the_rest_is_discarded() {
    let (sim, _server) = serve(|req, res| {
        req.read_body(4, move |_| res.end("no more, please"));
    });
    let peer = sim.connect(PORT);
    peer.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        peer.write(format!("2710\r\n{}\r\n", "x".repeat(10_000)));
    }
    sim.settle();
    assert_eq!(bodies(&peer), ["no more, please"]);
    // It did not announce that it is more than is discarded, so that the answer could not say that the connection closes.
    peer.write("0\r\n\r\n".to_owned() + &get("/next"));
    sim.settle();
    assert_eq!(statuses(&peer).len(), 2);
    assert!(!peer.is_closed());
}

#[test]
fn a_body_that_is_cut_off_is_an_error_of_read_body() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let seen = seen.clone();
        req.read_body(100, move |body| {
            seen.add(format!("{:?}", body.unwrap_err()));
            drop(res);
        });
    });
    let peer = send(&sim, head(10) + "half");
    peer.finish();
    sim.settle();
    record.expect(&["Closed(Truncated)"]);
    send(&sim, head(10) + "half").reset();
    sim.settle();
    record.expect(&["Closed(Reset)"]);
    assert!(peer.is_closed() && peer.text().is_empty());
}

#[test]
fn an_unread_body_within_the_limit_is_discarded_and_the_next_request_works() {
    let (sim, _server) = serve(|req, res| res.end(req.url()));
    let peer = send(&sim, head(200_000) + &"x".repeat(100_000));
    assert_eq!(bodies(&peer), ["/"]);
    peer.write("x".repeat(100_000) + &get("/next"));
    sim.settle();
    assert_eq!(bodies(&peer), ["/", "/next"]);
    assert!(!peer.is_closed());
}

#[test]
fn an_unread_body_that_announces_more_than_the_limit_closes_the_connection_after_the_answer() {
    let (sim, server) = serve(|req, res| res.end(req.url()));
    let mut limits = server.limits();
    limits.discard = 1000;
    server.set_limits(limits.clone());
    let peer = send(&sim, head(1001) + &"x".repeat(1001) + &get("/next"));
    let reply = only(&peer);
    assert!(reply.closes() && peer.is_closed() && !peer.was_reset());
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let peer = send(&sim, format!("{}{chunk}1\r\nx\r\n0\r\n\r\n", &CHUNKED[..63]) + &get("/next"));
    assert_eq!(statuses(&peer), [200, 200], "its length was not known before");
    limits.linger_bytes = 1000;
    server.set_limits(limits);
    let peer = send(&sim, format!("{}{chunk}1\r\nx\r\n0\r\n\r\n", &CHUNKED[..63]) + &get("/next"));
    assert_eq!(statuses(&peer), [200]);
    assert!(peer.is_closed() && !peer.was_reset());
}

#[test]
fn late_listeners_get_the_body_and_its_end() {
    let (sim, _server) = serve(|req, res| {
        set_timeout(SECOND, move || echo(req, res));
    });
    let peer = send(&sim, post("/", "here before") + &get("/") + CHUNKED);
    sim.advance(4 * SECOND);
    assert_eq!(bodies(&peer), ["here before", "", "seeds and plants"]);
}

#[test]
fn a_late_end_listener_of_a_body_that_was_read_is_still_called() {
    let (sim, _server) = serve(|req, res| {
        req.on_data(|_, _| ());
        set_timeout(SECOND, move || {
            req.on_end(move |_| res.end("ended"));
        });
    });
    let peer = send(&sim, post("/", "x"));
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["ended"]);
}

#[test]
fn several_data_listeners_get_the_same_bytes_in_order() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        for name in ["a", "b"] {
            let seen = seen.clone();
            req.on_data(move |_, bytes| seen.add(format!("{name} {}", String::from_utf8_lossy(bytes))));
        }
        req.on_end(move |_| res.end(()));
    });
    send(&sim, post("/", "x"));
    record.expect(&["a x", "b x"]);
}

#[test]
fn a_pipe_slows_the_sender_down_and_loses_nothing() {
    let (sim, _server) = serve(|req, res| req.pipe(&res));
    let body: String = (0..400_000).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(head(body.len()) + &body);
    sim.settle();
    assert!(oneloop::event_loop::metrics().buffered < 300 * 1024);
    peer.read_at_rate(10_000, MS);
    sim.advance(SECOND);
    assert!(only(&peer).text() == body);
}

#[test]
fn continue_is_sent_when_the_body_is_first_asked_for_and_once() {
    let (sim, _server) = serve(|req, res| {
        set_timeout(SECOND, move || {
            req.on_data(|_, _| ());
            echo(req, res);
        });
    });
    let peer = send(&sim, expecting(5));
    assert_eq!(peer.text(), "");
    sim.advance(SECOND);
    assert_eq!(peer.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.write("seeds");
    sim.settle();
    assert_eq!(statuses(&peer), [100, 200]);
    assert!(!peer.is_closed());
}

#[test]
fn without_an_interest_in_the_body_there_is_no_continue_and_the_connection_closes() {
    let (sim, _server) = serve(|_, res| {
        res.set_status(403).end("no");
    });
    let peer = send(&sim, expecting(5));
    let reply = only(&peer);
    assert_eq!((reply.status, reply.closes()), (403, true));
    assert!(peer.is_closed());
}

#[test]
fn check_continue_gets_the_request_in_place_of_the_request_listeners() {
    let (sim, server) = serve(|_, res| res.end("request"));
    server.on_check_continue(|req, res| match req.header("x-go") {
        Some(_) => {
            res.write_continue();
            res.write_continue();
            echo(req, res);
        }
        None => {
            res.set_status(417).end("stay");
        }
    });
    let peer = send(&sim, expecting(5).replacen("Host", "X-Go: y\r\nHost", 1));
    assert_eq!(peer.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.write("seeds");
    sim.settle();
    assert_eq!(statuses(&peer), [100, 200]);
    assert_eq!(statuses(&send(&sim, expecting(5))), [417]);
    assert_eq!(bodies(&send(&sim, post("/", "seeds"))), ["request"]);
}

#[test]
fn another_expectation_is_417_unless_somebody_checks_it() {
    let (sim, server) = serve(|_, res| res.end("request"));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n";
    let peer = send(&sim, request.to_owned() + &get("/"));
    assert_eq!((statuses(&peer), peer.is_closed()), (vec![417], true));
    server.on_check_expectation(|req, res| res.end(req.header("expect").unwrap_or_default()));
    assert_eq!(bodies(&send(&sim, request)), ["tea"]);
}

#[test]
fn a_body_of_http_1_0_is_read_and_gets_no_continue() {
    let (sim, _server) = serve(echo);
    let peer = send(&sim, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nseeds");
    assert_eq!(bodies(&peer), ["seeds"]);
    assert!(peer.is_closed());
}

#[test]
fn destroying_a_request_in_its_data_ends_it_there() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let (data, close) = (seen.clone(), seen.clone());
        req.on_data(move |req, _| {
            data.add("data");
            req.destroy();
        });
        req.on_end(|_| panic!("it does not end"));
        req.on_close(move |req, reason| close.add(format!("{reason} {}", req.is_closed())));
        drop(res.clone());
        res.on_close(|res, reason| assert!(res.is_closed() && reason == CloseReason::Destroyed));
        std::mem::forget(res);
    });
    let peer = send(&sim, CHUNKED.to_owned() + &get("/"));
    assert!(peer.is_closed());
    record.expect(&["data", "destroyed true"]);
}

#[test]
fn continue_never_comes_behind_the_final_head() {
    let (sim, _server) = serve(|req, res| {
        match req.url() {
            "/streamed" => drop(res.write("a")),
            _ => res.end("all"),
        }
        req.on_data(|_, _| ());
        req.on_end(move |_| res.end("b"));
    });
    let peer = send(&sim, expecting(5).replacen('/', "/streamed", 1));
    assert!(!peer.text().contains("100 Continue"), "{}", peer.text());
    peer.write("seeds");
    sim.settle();
    assert_eq!(bodies(&peer), ["ab"]);
    let peer = send(&sim, expecting(5));
    assert_eq!(bodies(&peer), ["all"]);
    assert!(peer.is_closed());
}

#[test]
fn read_body_of_an_exchange_that_is_over_gives_its_error_from_the_loop() {
    let record = Record::default();
    let kept: Kept<Request> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        keep.put(req);
        res.end("x");
    });
    send(&sim, get("/"));
    let req = kept.take();
    let seen = record.clone();
    req.read_body(10, move |body| seen.add(format!("{body:?}")));
    record.expect(&[]);
    sim.settle();
    record.expect(&["Err(Closed(Finished))"]);
}

/// It said that the connection was closed.
#[test]
fn a_body_that_is_read_twice_is_an_error_that_says_who_had_it() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let (again, seen) = (req.clone(), seen.clone());
        let first = Location::caller().line() + 1;
        req.read_body(10, move |body| {
            assert_eq!(body.unwrap(), b"seeds");
            let (saved, heard) = (again.clone(), seen.clone());
            again.read_body(10, move |body| {
                let Err(error) = body else { panic!("it came twice") };
                seen.add(error.to_string().replace(&format!("{}:{first}:", file!()), "HERE:"));
                assert!(matches!(error, BodyError::AlreadyRead { by } if by.line() == first));
                saved.save_to("/no/such/file", 10, move |stored| {
                    let Err(error) = stored else { panic!("it came twice") };
                    heard.add(error.to_string().replace(&format!("{}:{first}:", file!()), "HERE:"));
                    assert!(matches!(error, SaveError::AlreadyRead { by } if by.line() == first));
                    res.end("once");
                });
            });
        });
    });
    let peer = send(&sim, post("/", "seeds"));
    assert_eq!(bodies(&peer), ["once"]);
    record.expect(&["the body was read already, by the callback registered at HERE:13"; 2]);
}

#[test]
fn a_body_that_was_asked_for_is_given_though_the_answer_came_first() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        res.set_status(202).end("taken");
        let seen = seen.clone();
        req.read_body(1_000_000, move |body| seen.add(format!("{:?}", body.map(|body| body.len()))));
    });
    let peer = send(&sim, head(5) + "se");
    assert_eq!(statuses(&peer), [202]);
    peer.write("eds");
    peer.write(get("/"));
    sim.settle();
    record.expect(&["Ok(5)", "Ok(0)"]);
    assert_eq!(statuses(&peer), [202, 202]);
    let peer = send(&sim, head(500_000) + &"x".repeat(500_000));
    assert_eq!(statuses(&peer), [202]);
    record.expect(&["Ok(500000)"]);
    let peer = send(&sim, head(10) + "half");
    peer.finish();
    sim.settle();
    record.expect(&["Err(Closed(Truncated))"]);
}

#[test]
fn after_the_answer_a_body_that_stops_coming_is_not_waited_for_without_end() {
    let (sim, _server) = serve(|req, res| {
        res.end("early");
        if req.url() == "/read" {
            req.on_data(|_, _| ());
        }
    });
    for path in ["/read", "/unread"] {
        let peer = send(&sim, format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
        assert_eq!(bodies(&peer), ["early"]);
        sim.advance(400 * SECOND);
        assert!(peer.is_closed(), "{path}");
    }
}

/// The end of a body that was discarded behind its last byte was not looked for where the answer ended in `on_drain`.
#[test]
fn an_exchange_whose_body_was_discarded_at_its_last_byte_is_over_with_its_answer() {
    let (record, kept) = (Record::default(), Kept::default());
    let (seen, keep) = (record.clone(), kept.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        seen.watch(&req, &res);
        keep.put(res.clone());
        let answer = res.clone();
        req.on_data(move |req, _| {
            assert!(answer.write(vec![b'x'; 300_000]).is_full());
            req.discard();
        });
        res.on_drain(|res| res.end(()));
    });
    let peer = send(&sim, post("/", "seeds"));
    assert_eq!(bodies(&peer)[0].len(), 300_000);
    record.expect(&["finish", "res close finished", "req close finished"]);
    server.close(|| ());
    sim.settle();
    assert!(peer.is_closed(), "it is idle");
}

/// A peer that had sent all and ended its side had its body called truncated.
#[test]
fn a_body_that_is_paused_behind_its_last_byte_is_whole_though_answer_and_connection_have_ended() {
    let (record, kept) = (Record::default(), Kept::default());
    let (seen, keep) = (record.clone(), kept.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        seen.watch(&req, &res);
        let end = seen.clone();
        req.on_end(move |_| end.add("end"));
        req.on_data(|req, _| req.pause());
        res.end("x");
        keep.put(req);
    });
    let peer = sim.connect(PORT);
    peer.write(post("/", "seeds"));
    peer.finish();
    sim.settle();
    assert_eq!(bodies(&peer), ["x"]);
    record.expect(&[]);
    kept.take().resume();
    sim.settle();
    record.expect(&["end", "finish", "res close finished", "req close finished"]);
    assert_eq!((peer.is_closed(), server.connections()), (true, 0));
}

/// The turn that runs tells it, if it looks at the exchange once more; else the next one does.
#[test]
fn the_end_of_a_request_that_is_here_already_is_told_once_and_not_within_the_call_that_asks_for_it() {
    for place in ["handler", "peer end", "drain", "timer"] {
        let record = Record::default();
        let seen = record.clone();
        let (sim, _server) = serve(move |req: Request, res: Response| {
            let (seen, asked) = (seen.clone(), req.clone());
            let ask = move || {
                let told = seen.clone();
                asked.on_end(move |_| told.add("end"));
                seen.add("asked");
            };
            match place {
                "handler" => ask(),
                "peer end" => _ = req.on_peer_end(move |_| ask()),
                "drain" => {
                    assert!(res.write(vec![b'x'; 1_000_000]).is_full());
                    res.on_drain(move |_| ask());
                }
                _ => _ = set_timeout(SECOND / 2, ask),
            }
            // Kept, so that the exchange goes on.
            set_timeout(3 * SECOND, move || res.end(()));
        });
        let peer = sim.connect(PORT);
        peer.write(get("/"));
        sim.settle();
        peer.finish();
        sim.advance(2 * SECOND);
        assert_eq!(record.take(), ["asked", "end"], "{place}");
        sim.advance(2 * SECOND);
        assert!(record.take().is_empty(), "{place}");
    }
}

#[test]
fn a_handler_that_has_enough_of_a_body_discards_the_rest() {
    for (length, goes_on) in [(200_000, true), (400_000, false)] {
        let (record, alive) = (Record::default(), Rc::new(()));
        let (seen, held) = (record.clone(), alive.clone());
        let (sim, server) = serve(move |req: Request, res: Response| {
            if req.method() == "GET" {
                return res.end("next");
            }
            let (seen, held) = (seen.clone(), held.clone());
            let ended = held.clone();
            req.on_end(move |_| panic!("it is not told {ended:?}"));
            req.on_data(move |req, _| {
                let _ = &held;
                seen.add("data");
                // Paused, as where a write to a disk fails.
                req.pause();
                req.discard();
                res.set_status(413).end("enough");
            });
        });
        let peer = send(&sim, head(length) + &"x".repeat(length) + &get("/"));
        let expected: &[&str] = if goes_on { &["enough", "next"] } else { &["enough"] };
        assert_eq!(bodies(&peer), expected, "{length}");
        assert_eq!((peer.is_closed(), peer.was_reset()), (!goes_on, false), "{length}");
        record.expect(&["data"]);
        assert_eq!(Rc::strong_count(&alive), 2, "what the listeners held is let go");
        peer.close();
        sim.settle();
        assert_eq!(server.connections(), 0);
    }
}

/// It was `Ok([])`, and an answer of 200 without content for the pipe.
#[test]
fn a_body_that_on_data_alone_has_got_is_an_error_for_whoever_asks_for_all_of_it_later() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let first = Location::caller().line() + 1;
        req.on_data(|_, _| ());
        let seen = seen.clone();
        set_timeout(SECOND, move || {
            assert!(req.is_complete());
            let (read, saved) = (seen.clone(), seen.clone());
            req.read_body(10, move |body| {
                assert!(matches!(body, Err(BodyError::AlreadyRead { by }) if by.line() == first), "{body:?}");
                read.add("read");
            });
            req.save_to("/no/such/file", 10, move |stored| {
                assert!(matches!(stored, Err(SaveError::AlreadyRead { by }) if by.line() == first), "{stored:?}");
                saved.add("saved");
            });
            let piped = seen.clone();
            oneloop::net::pipeline(&req, &res, move |outcome| piped.add(format!("{}", outcome.is_err())));
        });
    });
    let peer = send(&sim, post("/", "seeds"));
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [502]);
    let mut heard = record.take();
    heard.sort();
    assert_eq!(heard, ["read", "saved", "true"]);
}

/// It was the second half, as if that were the whole body.
#[test]
fn a_body_of_which_others_have_got_a_part_is_an_error_for_whoever_asks_for_all_of_it() {
    let record = Record::default();
    let seen = record.clone();
    let (sim, _server) = serve(move |req, _res| {
        let first = Location::caller().line() + 1;
        req.on_data(|_, _| ());
        let seen = seen.clone();
        set_timeout(SECOND, move || {
            req.read_body(10, move |body| {
                assert!(matches!(body, Err(BodyError::AlreadyRead { by }) if by.line() == first), "{body:?}");
                seen.add("refused");
            });
        });
    });
    let peer = send(&sim, head(10) + "seeds");
    sim.advance(SECOND);
    peer.write("seeds");
    sim.settle();
    record.expect(&["refused"]);
}
