//! How responses are framed on the wire: lengths, chunks, heads, trailers, persistence. Nothing that a handler does makes
//! a response that can be read in two ways.

use crate::support::http::*;
use oneloop::http::{Fault, Request, Response};
use oneloop::net::Chunk;
use oneloop::sim::{Network, Sim};
use oneloop::{http, set_timeout};
use proptest::prelude::*;
use std::borrow::Cow;
use std::rc::Rc;

const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

/// What a handler sends to a request, and whether the connection closed.
fn wire(request: &str, handler: impl FnMut(Request, Response) + 'static) -> (String, bool) {
    let (sim, _server) = serve(handler);
    let peer = send(&sim, request);
    assert!(!peer.was_reset());
    (peer.text().replace(DATE, ""), peer.is_closed())
}

fn with(method: &str, version: &str, fields: &str) -> String {
    format!("{method} / HTTP/{version}\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn the_bytes_of_each_kind_of_response() {
    type Handler = fn(Request, Response);
    let all: Handler = |_, res| res.end("seeds");
    let parts: Handler = |_, res| {
        res.write("se").ignore();
        res.write("").ignore();
        res.end("eds");
    };
    let nothing: Handler = |_, res| res.end(());
    let later: Handler = |_, res| {
        res.flush_headers();
        set_timeout(MS, move || res.end("seeds"));
    };
    let declared: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.write("see").ignore();
        res.end("ds");
    };
    let coded: Handler = |_, res| {
        res.set_header("Transfer-Encoding", "chunked");
        res.end("seeds");
    };
    let no_content: Handler = |_, res| {
        res.set_status(204);
        res.write("not sent").ignore();
        res.end("nor this");
    };
    let not_modified: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.set_status(304).end("not sent");
    };
    let reset_content: Handler = |_, res| {
        res.set_status(205).end("not sent");
    };
    let head: Handler = |_, res| {
        res.write_head(404, &[("X-A", "1")]).end("seeds");
    };
    const CHUNKS: &str = "2\r\nse\r\n3\r\neds\r\n0\r\n\r\n";
    // method, version, request fields, handler, status line, head and body without Date, closes
    let table: &[(&str, &str, &str, Handler, &str, &str, bool)] = &[
        ("GET", "1.1", "", all, "200 OK", "Content-Length: 5\r\n\r\nseeds", false),
        ("GET", "1.1", "", parts, "200 OK", &format!("Transfer-Encoding: chunked\r\n\r\n{CHUNKS}"), false),
        ("GET", "1.1", "", nothing, "200 OK", "Content-Length: 0\r\n\r\n", false),
        ("GET", "1.1", "", declared, "200 OK", "Content-Length: 5\r\n\r\nseeds", false),
        ("GET", "1.1", "", coded, "200 OK", "Transfer-Encoding: chunked\r\n\r\n5\r\nseeds\r\n0\r\n\r\n", false),
        ("GET", "1.1", "", no_content, "204 No Content", "\r\n", false),
        ("GET", "1.1", "", not_modified, "304 Not Modified", "Content-Length: 5\r\n\r\n", false),
        ("GET", "1.1", "", reset_content, "205 Reset Content", "Content-Length: 0\r\n\r\n", false),
        ("GET", "1.1", "", head, "404 Not Found", "X-A: 1\r\nContent-Length: 5\r\n\r\nseeds", false),
        ("HEAD", "1.1", "", all, "200 OK", "Content-Length: 5\r\n\r\n", false),
        ("HEAD", "1.1", "", parts, "200 OK", "\r\n", false),
        ("HEAD", "1.1", "", nothing, "200 OK", "\r\n", false),
        ("HEAD", "1.1", "", declared, "200 OK", "Content-Length: 5\r\n\r\n", false),
        ("HEAD", "1.1", "", later, "200 OK", "\r\n", false),
        ("GET", "1.0", "", all, "200 OK", "Connection: close\r\nContent-Length: 5\r\n\r\nseeds", true),
        ("GET", "1.0", "", parts, "200 OK", "Connection: close\r\n\r\nseeds", true),
        ("GET", "1.0", "", coded, "200 OK", "Connection: close\r\nContent-Length: 5\r\n\r\nseeds", true),
        (
            "GET",
            "1.0",
            "Connection: keep-alive\r\n",
            all,
            "200 OK",
            "Connection: keep-alive\r\nContent-Length: 5\r\n\r\nseeds",
            false,
        ),
        ("GET", "1.0", "Connection: keep-alive\r\n", parts, "200 OK", "Connection: close\r\n\r\nseeds", true),
        ("HEAD", "1.0", "", all, "200 OK", "Connection: close\r\nContent-Length: 5\r\n\r\n", true),
        (
            "GET",
            "1.1",
            "Connection: close\r\n",
            all,
            "200 OK",
            "Connection: close\r\nContent-Length: 5\r\n\r\nseeds",
            true,
        ),
        ("GET", "1.1", "Connection: keep-alive\r\n", all, "200 OK", "Content-Length: 5\r\n\r\nseeds", false),
    ];
    for (number, (method, version, fields, handler, status, rest, closes)) in table.iter().enumerate() {
        let (sim, _server) = serve(*handler);
        let peer = send(&sim, with(method, version, fields));
        sim.advance(2 * MS);
        let text = peer.text().replace(DATE, "");
        let expected = format!("HTTP/1.1 {status}\r\n{rest}");
        assert_eq!((text.as_str(), peer.is_closed()), (expected.as_str(), *closes), "row {number}");
        assert!(peer.text().contains(DATE), "row {number}");
        assert!(!peer.was_reset());
    }
}

#[test]
fn after_a_response_without_content_the_next_one_is_found() {
    let (sim, _server) = serve(|req, res| {
        let status = req.query().and_then(|query| query.parse().ok()).unwrap_or(200);
        res.set_status(status);
        res.write("a").ignore();
        res.end("b");
    });
    let requests = get("/?204") + &get("/?304") + &get("/?205") + &with("HEAD", "1.1", "") + &get("/last");
    let peer = send(&sim, requests);
    let text = peer.text();
    assert_eq!(text.matches("HTTP/1.1 ").count(), 5);
    assert!(text.ends_with("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"), "{text}");
    assert_eq!(text.matches("\r\na\r\n").count(), 1);
}

#[test]
fn flush_headers_sends_the_head_before_there_is_a_body() {
    let (sim, _server) = serve(|_, res| {
        assert!(!res.headers_sent());
        res.flush_headers();
        assert!(res.headers_sent());
        res.flush_headers();
        set_timeout(SECOND, move || res.end("late"));
    });
    let peer = send(&sim, get("/"));
    assert_eq!(peer.text().replace(DATE, ""), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["late"]);
}

#[test]
fn write_head_fixes_the_head_and_a_reason_can_be_set() {
    let (text, _) = wire(&get("/"), |_, res| {
        res.set_header("X-A", "0");
        res.set_status_message("Fine");
        res.write_head(299, &[("X-A", "1"), ("X-B", "2")]);
        assert!(res.headers_sent());
        res.set_header("X-C", "3");
        res.set_status(500);
        res.end("x");
    });
    assert_eq!(text, "HTTP/1.1 299 Fine\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 1\r\n\r\nx");
}

#[test]
fn a_connection_field_of_the_handler_closes() {
    let (text, closed) = wire(&(get("/") + &get("/")), |_, res| {
        res.set_header("Connection", "close");
        res.end("x");
    });
    assert!(closed);
    assert_eq!(text.matches("HTTP/1.1 200").count(), 1);
    assert_eq!(text.to_lowercase().matches("connection: close").count(), 1);
}

#[test]
fn informational_responses_come_before_the_final_one_and_not_to_http_1_0() {
    let handler = |_: Request, res: Response| {
        res.write_early_hints(&[("Link", "</a.css>; rel=preload")]);
        res.write_informational(102, &[]);
        set_timeout(MS, move || {
            res.write_informational(103, &[]);
            res.end("x");
        });
    };
    let (sim, _server) = serve(handler);
    let peer = send(&sim, get("/") + &with("GET", "1.0", ""));
    assert_eq!(statuses(&peer), [103, 102], "at once");
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [103, 102, 103, 200, 200]);
    assert_eq!(replies(&peer.received())[0].field("link"), Some("</a.css>; rel=preload"));
}

#[test]
fn an_informational_response_that_would_corrupt_or_that_is_none_is_not_sent() {
    keep_log();
    let (sim, _server) = serve(|_, res| {
        res.write_informational(103, &[("Link", "a\r\nb: c")]);
        res.write_informational(101, &[]);
        res.write_informational(200, &[]);
        res.write_early_hints(&[("Content-Length", "5")]);
        res.end("x");
    });
    let peer = send(&sim, get("/"));
    assert_eq!(peer.text().matches("HTTP/1.1").count(), 1, "{}", peer.text());
    expect_logged("informational");
}

#[test]
fn trailers_follow_a_chunked_body_and_bad_ones_are_left_out() {
    keep_log();
    let (sim, _server) = serve(|_, res| {
        res.set_header("Trailer", "X-Sum");
        res.write("body").ignore();
        res.add_trailers(&[("X-Sum", "4"), ("Content-Length", "9"), ("X-Bad", "a\r\nb"), ("bad name", "x")]);
        res.end(());
    });
    let reply = only(&send(&sim, get("/")));
    assert_eq!(reply.trailers, [("X-Sum".to_owned(), "4".to_owned())]);
    assert_eq!(logged().len(), 3);
}

#[test]
fn trailers_of_a_request_reach_the_handler_and_those_of_framing_are_refused() {
    let (sim, _server) = serve(|req, res| {
        let request = req.clone();
        req.read_body(10, move |body| res.end(format!("{:?} {:?}", body.is_ok(), request.trailers())));
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
    let peer = send(&sim, format!("{head}X-Sum: 1\r\n\r\n"));
    assert_eq!(bodies(&peer), ["true [(\"X-Sum\", \"1\")]"]);
    let peer = send(&sim, format!("{head}Content-Length: 1\r\n\r\n"));
    assert_eq!(statuses(&peer), [400]);
    assert!(peer.is_closed());
}

#[test]
fn a_body_that_does_not_match_its_own_content_length_is_500_where_the_head_has_not_gone() {
    keep_log();
    for body in ["four", "sixsix"] {
        let (sim, _server) = serve(move |_, res| {
            res.set_header("Content-Length", 5);
            res.end(body);
        });
        let peer = send(&sim, get("/"));
        assert_eq!(statuses(&peer), [500]);
        assert!(!logged().is_empty());
    }
}

#[test]
fn a_body_that_belies_the_content_length_that_has_gone_closes_the_connection() {
    type Handler = fn(Request, Response);
    let short: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.write("four").ignore();
        res.end(());
    };
    let long: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.write("four").ignore();
        res.end("and more");
    };
    let much: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.write("five!").ignore();
        assert_eq!(res.write("x"), oneloop::net::Flow::Closed);
        res.end(());
    };
    let forgotten: Handler = |_, res| {
        res.set_header("Content-Length", 5);
        res.write("four").ignore();
    };
    for handler in [short, long, much, forgotten] {
        let (sim, _server) = serve(handler);
        let peer = send(&sim, get("/") + &get("/"));
        assert!(peer.is_closed());
        assert!(!peer.text().contains("more") && peer.text().matches("HTTP/1.1").count() <= 1, "{}", peer.text());
    }
}

#[test]
fn a_body_of_its_content_length_that_is_written_in_parts_is_whole() {
    let (text, closed) = wire(&(get("/") + &get("/")), |_, res| {
        res.set_header("Content-Length", 5);
        res.write("five!").ignore();
        res.end(());
    });
    assert!(!closed);
    assert_eq!(text.matches("\r\n\r\nfive!").count(), 2);
}

#[test]
fn what_would_split_or_corrupt_a_response_answers_500_and_is_logged() {
    type Handler = fn(&Response);
    let bad: &[Handler] = &[
        |res| _ = res.set_header("X-A", "1\r\nX-B: 2"),
        |res| _ = res.set_header("X-A", "1\n\nbody"),
        |res| _ = res.set_header("X A", "1"),
        |res| _ = res.set_header("X-A: 1\r\nX-B", "1"),
        |res| _ = res.set_header("", "1"),
        |res| _ = res.append_header("Set-Cookie", "a\0b"),
        |res| _ = res.set_header("Content-Length", "-1"),
        |res| _ = res.set_header("Content-Length", "5, 5"),
        |res| _ = res.set_header("Transfer-Encoding", "gzip"),
        |res| _ = res.set_status(42),
        |res| _ = res.set_status(100),
        |res| _ = res.set_status(1000),
        |res| _ = res.set_status_message("a\r\nb"),
        |res| _ = res.write_head(200, &[("X-A", "1\r\n")]),
    ];
    for (number, set) in bad.iter().enumerate() {
        keep_log();
        let (sim, _server) = serve(move |_, res| {
            res.set_header("X-Secret", "1");
            set(&res);
            res.set_header("X-After", "1");
            res.end("as if nothing was");
        });
        let peer = send(&sim, get("/route"));
        let reply = only(&peer);
        assert_eq!(reply.status, 500, "{number}");
        assert_eq!((reply.field("x-b"), reply.field("x-secret"), reply.field("x-after")), (None, None, None));
        expect_logged("ERROR oneloop::http GET /route: ");
    }
}

#[test]
fn try_set_header_returns_the_error_and_changes_nothing() {
    let (sim, _server) = serve(|_, res| {
        res.set_header("X-A", "1");
        assert!(res.try_set_header("X-A", "2\r\n3").is_err());
        assert!(res.try_set_header("X-A", "2").is_ok());
        assert!(res.try_set_header("", "2").is_err());
        res.end("x");
    });
    let reply = only(&send(&sim, get("/")));
    assert_eq!((reply.status, reply.field("X-A")), (200, Some("2")));
}

#[test]
fn the_date_of_the_handler_stays_the_only_one() {
    let (sim, _server) = serve(|_, res| {
        res.set_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        res.end("x");
    });
    assert_eq!(send(&sim, get("/")).text().matches("Date: ").count(), 1);
}

#[test]
fn the_date_goes_with_the_clock() {
    let (sim, _server) = serve(|_, res| res.end("x"));
    let peer = send(&sim, get("/"));
    sim.advance(3 * SECOND);
    peer.write(get("/"));
    sim.advance(500 * MS);
    peer.write(get("/"));
    sim.settle();
    let dates: Vec<_> = replies(&peer.received()).iter().map(|reply| reply.field("date").unwrap().to_owned()).collect();
    assert_eq!(dates[0], "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(dates[1], "Thu, 01 Jan 2026 00:00:03 GMT");
    assert_eq!(dates[1], dates[2]);
}

/// One piece of a body, as each kind of thing that can be one.
fn piece(kind: u8, bytes: Vec<u8>, res: &Response) {
    let text = || String::from_utf8(bytes.clone()).unwrap();
    match kind {
        0 => res.write(&bytes[..]).ignore(),
        1 => res.write(text()).ignore(),
        2 => res.write(text().as_str()).ignore(),
        3 => res.write(Rc::<[u8]>::from(bytes.as_slice())).ignore(),
        4 => res.write(Rc::<str>::from(text())).ignore(),
        5 => res.write(Chunk::from_static(Box::leak(bytes.into_boxed_slice()))).ignore(),
        6 => res.write(Cow::<str>::Owned(text())).ignore(),
        7 => res.write(&bytes).ignore(),
        _ => res.write(bytes).ignore(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn bodies_of_every_kind_and_size_arrive_intact_through_a_rough_network(
        seed in any::<u64>(),
        pieces in proptest::collection::vec((0_u8..9, prop_oneof![0_usize..100, 16_300_usize..16_500, 0_usize..90_000]), 0..6),
        buffer in 3_000_usize..100_000,
        later in any::<bool>(),
        declared in any::<bool>(),
    ) {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, partial_writes: true, read_splits: true, buffer, ..Network::default() });
        let make = |number: usize, size: usize| -> Vec<u8> { (0..size).map(|i| b'a' + ((i + number) % 26) as u8).collect() };
        let expected: Vec<u8> = pieces.iter().enumerate().flat_map(|(number, (_, size))| make(number, *size)).collect();
        let length = expected.len();
        let _server = listen(move |_, res| {
            let pieces = pieces.clone();
            let write = move || {
                if declared {
                    res.set_header("Content-Length", length);
                }
                for (number, (kind, size)) in pieces.into_iter().enumerate() {
                    piece(kind, make(number, size), &res);
                }
                res.end(());
            };
            if later { drop(set_timeout(MS, write)) } else { write() }
        });
        let peer = sim.connect(PORT);
        peer.write(get("/1") + &get("/2"));
        sim.advance(50 * SECOND);
        let replies = replies(&peer.received());
        prop_assert_eq!(replies.len(), 2);
        prop_assert!(replies[0].body == expected && replies[1].body == expected);
    }
}

#[test]
fn a_large_body_given_to_end_arrives_whole_whatever_its_kind() {
    let body: Vec<u8> = (0..300_000_u32).map(|i| b'a' + (i % 26) as u8).collect();
    for kind in 0..5 {
        let mine = body.clone();
        let (sim, _server) = serve(move |_, res| match kind {
            0 => res.end(&mine[..]),
            1 => res.end(String::from_utf8(mine.clone()).unwrap()),
            2 => res.end(Rc::<[u8]>::from(&mine[..])),
            3 => res.end(Chunk::from_static(Box::leak(mine.clone().into_boxed_slice()))),
            _ => res.end(mine.clone()),
        });
        let peer = send(&sim, get("/") + &get("/"));
        let replies = replies(&peer.received());
        assert!(replies.len() == 2 && replies.iter().all(|reply| reply.body == body), "kind {kind}");
        assert_eq!(replies[0].field("content-length"), Some("300000"));
    }
}

#[test]
fn the_server_says_what_it_refuses_and_closes() {
    let (sim, server) = serve(|_, res| res.end("x"));
    let peer = send(&sim, "GET / HTTP/1.1\r\n\r\n");
    let reply = only(&peer);
    assert_eq!(
        (reply.status, reply.closes(), reply.text().as_str()),
        (400, true, "400 Bad Request: the Host field is missing\n")
    );
    assert!(peer.is_closed());
    assert_eq!(statuses(&send(&sim, "GET / HTTP/2.0\r\nHost: a\r\n\r\n")), [505]);
    let peer = send(&sim, get("/first") + "nonsense\r\n\r\n" + &get("/never"));
    assert_eq!(statuses(&peer), [200, 400]);
    drop::<http::Server>(server);
}

/// What a refused message is answered is our own words: nothing of it is in them, and HEAD gets none.
#[test]
fn a_refusal_says_why_in_words_that_repeat_nothing_of_the_message() {
    let (sim, server) = serve(|_, res| res.end("x"));
    let mut limits = server.limits();
    limits.head_bytes = 256;
    server.set_limits(limits);
    let long = "<script>".repeat(40);
    for (wire, status, words) in [
        ("GET /<script># HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, Fault::TargetByte.text()),
        ("<script> / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, Fault::Method.text()),
        ("GET / HTTP/1.1\r\nHost: <script>\r\n\r\n".to_owned(), 400, Fault::HostInvalid.text()),
        ("GET / HTTP/1.1\r\nHost: a\r\n<script>: b\r\n\r\n".to_owned(), 400, Fault::FieldName.text()),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\n\r\n"), 431, Fault::HeadTooLarge.text()),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 501, "this server does not implement the method"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505, Fault::VersionUnsupported.text()),
    ] {
        let reply = only(&send(&sim, &wire));
        let text = reply.text();
        assert_eq!((reply.status, text.split_once(": ").map(|(_, words)| words.trim_end())), (status, Some(words)));
        assert!(!text.contains("script") && reply.field("content-type") == Some("text/plain; charset=utf-8"), "{text}");
    }
    let to_head = send(&sim, "HEAD / HTTP/1.1\r\n\r\n").received();
    assert!(to_head.starts_with(b"HTTP/1.1 400 ") && to_head.ends_with(b"\r\n\r\n"));
}
