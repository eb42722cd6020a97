//! Which requests get a WebSocket, and what the others are answered.

use crate::support::http::{
    MS, PORT, Record, SECOND, bodies, expect_logged, get, keep_log, listen, send, serve, statuses,
};
use crate::support::websocket::{ACCEPT, KEY, client, handshake, text};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Limits, Request, Response};
use oneloop::sim::Sim;
use oneloop::ws::{self, Endpoint, Message, Origins, Verdict};
use oneloop::{set_timeout, worker};
use std::cell::RefCell;
use std::rc::Rc;

/// A server with an endpoint at `/chat` that sends everything back, and pages elsewhere.
fn echo() -> (Sim, http::Server, Endpoint) {
    let (sim, server) = serve(|req: Request, res: Response| res.end(format!("page {}", req.path())));
    let chat = ws::mount(&server, "/chat");
    chat.on_message(|socket, message| socket.send(message).ignore());
    (sim, server, chat)
}

#[test]
fn the_answer_to_a_handshake_is_that_of_the_rfc() {
    let (sim, ..) = echo();
    let peer = send(&sim, handshake("/chat", ""));
    assert_eq!(
        peer.text(),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {ACCEPT}\r\nUpgrade: websocket\r\n\
             Connection: upgrade\r\n\r\n"
        )
    );
}

#[test]
fn frames_behind_the_request_are_not_lost_at_any_split() {
    let all = [handshake("/chat", "").as_bytes(), &text("one"), &text("two")].concat();
    for at in 0..=all.len() {
        let (sim, _server, chat) = echo();
        let record = Record::default();
        let open = record.clone();
        chat.on_open(move |_, req| open.add(format!("open {}", req.path())));
        let seen = record.clone();
        chat.on_message(move |_, message| seen.add(format!("{message:?}")));
        let client = client(&sim);
        client.write(&all[..at]);
        sim.settle();
        client.write(&all[at..]);
        sim.settle();
        client.expect(&["text one", "text two"]);
        record.expect(&["open /chat", "Text(\"one\")", "Text(\"two\")"]);
    }
}

#[test]
fn a_handler_accepts_after_a_worker_and_nothing_that_came_meanwhile_is_lost() {
    let chat = Endpoint::new();
    let record = Record::default();
    let open = record.clone();
    chat.on_open(move |socket, req| {
        open.add(format!("open {}", req.url()));
        socket.send("welcome").ignore();
    });
    chat.on_message(|socket, message| socket.send(message).ignore());
    let accepting = chat.clone();
    let (sim, _server) = serve(move |req, res: Response| {
        let chat = accepting.clone();
        worker::run(
            || 7,
            move |seven| {
                res.set_header("X-Seven", seven.unwrap());
                let socket = chat.accept(&req, res).unwrap();
                socket.send("accepted").ignore();
            },
        );
    });
    let client = client(&sim);
    client.write(handshake("/late?who=7", ""));
    for word in ["a", "b", "c"] {
        client.send_text(word);
        sim.advance(MS);
    }
    sim.advance(SECOND);
    assert!(client.head().contains("X-Seven: 7\r\n"), "{}", client.head());
    client.expect(&["text accepted", "text welcome", "text a", "text b", "text c"]);
    record.expect(&["open /late?who=7"]);
}

#[test]
fn callbacks_come_from_the_loop_and_not_from_within_accept() {
    let (chat, record) = (Endpoint::new(), Record::default());
    let open = record.clone();
    chat.on_open(move |_, _| open.add("open"));
    let (accepting, within) = (chat.clone(), record.clone());
    let (sim, _server) = serve(move |req, res| {
        let socket = accepting.accept(&req, res).unwrap();
        within.add("accepted");
        let own = within.clone();
        socket.on_message(move |_, message| own.add(format!("{message:?}")));
    });
    client(&sim).write([handshake("/", "").as_bytes(), &text("x")].concat());
    sim.settle();
    record.expect(&["accepted", "open", "Text(\"x\")"]);
}

#[test]
fn other_requests_at_the_same_path_go_where_they_went_before() {
    let (sim, server, chat) = echo();
    assert_eq!(sim.request("GET", "/chat").send().text(), "page /chat");
    assert_eq!(bodies(&send(&sim, handshake("/chatter", ""))), ["page /chatter"]);
    let other = handshake("/chat", "").replace("Upgrade: websocket", "Upgrade: h2c");
    assert_eq!(bodies(&send(&sim, other)), ["page /chat"]);
    let old = handshake("/chat", "").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(bodies(&send(&sim, old)), ["page /chat"]);
    let content = handshake("/chat", "Content-Length: 2\r\n") + "hi";
    assert_eq!(bodies(&send(&sim, content)), ["page /chat"]);
    sim.websocket("/chat/room/7?a=b");
    assert_eq!((chat.len(), chat.stats().accepted, server.connection_states().upgraded), (1, 1, 1));
}

#[test]
fn a_raw_upgrade_listener_gets_the_other_upgrades_only() {
    let (sim, server, chat) = echo();
    server.on_upgrade(|_, socket, _| socket.end("raw"));
    assert_eq!(send(&sim, handshake("/elsewhere", "")).text(), "raw");
    sim.websocket("/chat");
    assert_eq!(chat.len(), 1);
}

#[test]
fn the_longest_prefix_counts() {
    let (sim, server, outer) = echo();
    let inner = ws::mount(&server, "/chat/inner/");
    sim.websocket("/chat/inner");
    sim.websocket("/chat/inne");
    assert_eq!((outer.len(), inner.len()), (1, 1));
}

#[test]
fn what_is_no_handshake_is_answered_by_its_fault() {
    let (sim, _server, chat) = echo();
    let line = |old: &str, new: &str| handshake("/chat", "").replace(old, new);
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let cases = [
        (line("GET ", "POST "), 405, "Allow: GET"),
        (line("GET ", "HEAD "), 405, "Allow: GET"),
        (line("Version: 13", "Version: 8"), 426, "Sec-WebSocket-Version: 13"),
        (line("Version: 13", "Version: 13, 8"), 426, "Sec-WebSocket-Version: 13"),
        (line("Sec-WebSocket-Version: 13\r\n", ""), 426, "Sec-WebSocket-Version: 13"),
        (handshake("/chat", "Sec-WebSocket-Version: 13\r\n"), 426, "Sec-WebSocket-Version: 13"),
        (line(&key, ""), 400, ""),
        (handshake("/chat", &key), 400, ""),
        (line("dGhl", "dGh"), 400, ""),
        (line("dGhl", "dGh*"), 400, ""),
    ];
    for (request, status, field) in &cases {
        let peer = send(&sim, request);
        assert!(
            peer.text().starts_with(&format!("HTTP/1.1 {status} ")) && peer.text().contains(field),
            "{}",
            peer.text()
        );
        assert!(!peer.text().contains("Sec-WebSocket-Accept"), "{}", peer.text());
    }
    assert_eq!((chat.len(), chat.stats().refused), (0, cases.len() as u64));
    // The connection goes on.
    let peer = send(&sim, handshake("/chat", &key) + &get("/next"));
    assert_eq!(statuses(&peer), [400, 200]);
}

#[test]
fn a_handler_that_is_asked_by_an_ordinary_request_says_that_a_websocket_is_wanted() {
    let chat = Endpoint::new();
    let (sim, _server) = serve(move |req, res| assert!(chat.accept(&req, res).is_none()));
    let reply = sim.request("GET", "/").send();
    assert_eq!((reply.status(), reply.header("upgrade")), (426, Some("websocket")));
    assert_eq!(statuses(&send(&sim, handshake("/", "Content-Length: 2\r\n") + "hi")), [426]);
}

/// CVE-2024-37890: a server that cut the fields off at its limit did not find the one that it relied on.
#[test]
fn a_handshake_with_too_many_fields_is_refused_as_any_request_is() {
    let (sim, _server, chat) = echo();
    let many: String = (0..200).map(|number| format!("X-{number}: v\r\n")).collect();
    let before = handshake("/chat", "").replace("Connection:", &format!("{many}Connection:"));
    for request in [before, handshake("/chat", &many)] {
        assert_eq!(statuses(&send(&sim, request)), [431]);
    }
    assert!(chat.is_empty());
}

/// As B3, CVE-2023-43669: the head was parsed from its start at each read.
#[test]
fn a_handshake_may_come_byte_by_byte() {
    let (sim, ..) = echo();
    let client = client(&sim);
    client.peer().write_each_byte_every([handshake("/chat", "").as_bytes(), &text("slow")].concat(), MS);
    sim.advance(SECOND);
    client.expect(&["text slow"]);
}

#[test]
fn fields_are_lists_and_their_tokens_have_no_case() {
    let (sim, ..) = echo();
    for (old, new) in [
        ("Upgrade: websocket", "uPgRaDe: h2c, WebSocket"),
        ("Connection: keep-alive, Upgrade", "connection: keep-alive\r\nCONNECTION: foo , upgrade"),
    ] {
        let peer = send(&sim, handshake("/chat", "").replace(old, new));
        assert_eq!(statuses_of_head(&peer.text()), 101, "{new}");
    }
}

fn statuses_of_head(text: &str) -> u16 {
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn a_page_of_another_origin_gets_403_and_the_log_says_which_call_to_make() {
    keep_log();
    let (sim, _server, chat) = echo();
    for (origin, status) in [("http://a", 101), ("https://a:443", 101), ("http://evil.example", 403), ("null", 403)] {
        let peer = send(&sim, handshake("/chat", &format!("Origin: {origin}\r\n")));
        assert_eq!(statuses_of_head(&peer.text()), status, "{origin}");
    }
    expect_logged("origins(ws::Origins::only([\"http://evil.example\"]))");
    let two = send(&sim, handshake("/chat", "Origin: http://a\r\nOrigin: http://b\r\n"));
    assert_eq!(statuses_of_head(&two.text()), 403);
    chat.origins(Origins::only(["https://front.example"]));
    let with =
        |origin: &str| statuses_of_head(&send(&sim, handshake("/chat", &format!("Origin: {origin}\r\n"))).text());
    assert_eq!((with("https://front.example"), with("http://a")), (101, 403));
    chat.origins(Origins::Any);
    assert_eq!((with("null"), with("http://evil.example")), (101, 101));
}

#[test]
fn the_first_of_our_subprotocols_that_the_client_offers_is_agreed() {
    let (sim, _server, chat) = echo();
    let agreed = Rc::new(RefCell::new(Vec::new()));
    let seen = agreed.clone();
    chat.on_open(move |socket, _| seen.borrow_mut().push(socket.protocol().map(str::to_owned)));
    chat.protocols(&["v2", "v1"]);
    for (fields, answer) in [
        ("Sec-WebSocket-Protocol: v1, v2\r\n", Some("v2")),
        ("Sec-WebSocket-Protocol: v0\r\nSec-WebSocket-Protocol: v1\r\n", Some("v1")),
        ("Sec-WebSocket-Protocol: V1\r\n", None),
        ("", None),
    ] {
        let text = send(&sim, handshake("/chat", fields)).text();
        match answer {
            Some(name) => assert!(text.contains(&format!("Sec-WebSocket-Protocol: {name}\r\n")), "{text}"),
            None => assert!(!text.contains("Sec-WebSocket-Protocol"), "{text}"),
        }
        assert_eq!(agreed.borrow_mut().pop().unwrap().as_deref(), answer);
    }
}

/// An empty `Sec-WebSocket-Extensions` made browsers fail (uWebSockets.js#76).
#[test]
fn an_offer_of_compression_is_declined_without_a_field() {
    let (sim, ..) = echo();
    for offer in
        ["permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=7", "x,,; =\""]
    {
        let peer = send(&sim, handshake("/chat", &format!("Sec-WebSocket-Extensions: {offer}\r\n")));
        assert_eq!(statuses_of_head(&peer.text()), 101);
        assert!(!peer.text().contains("Extensions"), "{}", peer.text());
    }
}

#[test]
fn the_program_verifies_requests_and_a_panic_lets_nobody_in() {
    let (sim, _server, chat) = echo();
    set_panic_policy(PanicPolicy::Catch);
    chat.verify(|req| match req.query() {
        Some("friend") => Verdict::Accept,
        Some("panic") => panic!("no verdict"),
        _ => Verdict::Refuse(401),
    });
    for (query, status) in [("", 401), ("?friend", 101), ("?panic", 500), ("?foe", 401), ("?friend", 101)] {
        let peer = send(&sim, handshake(&format!("/chat{query}"), ""));
        assert_eq!(statuses_of_head(&peer.text()), status, "{query}");
    }
}

#[test]
fn an_endpoint_has_no_more_sockets_than_it_may() {
    let (sim, _server, chat) = echo();
    let mut limits = chat.limits();
    limits.sockets = 1;
    chat.set_limits(limits);
    let first = sim.websocket("/chat");
    assert_eq!(statuses_of_head(&send(&sim, handshake("/chat", "")).text()), 503);
    first.peer().close();
    sim.settle();
    sim.websocket("/chat");
}

#[test]
fn requests_before_the_handshake_are_answered_first() {
    let (sim, ..) = echo();
    let client = send(&sim, get("/one") + &get("/two") + &handshake("/chat", ""));
    let text = client.text();
    let places: Vec<_> = ["page /one", "page /two", "HTTP/1.1 101"].map(|part| text.find(part)).to_vec();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
}

#[test]
fn a_server_without_room_for_late_answers_refuses_while_it_closes() {
    let chat = Endpoint::new();
    let sim = Sim::new();
    let accepting = chat.clone();
    let server = listen(move |req, res: Response| {
        let chat = accepting.clone();
        set_timeout(100 * MS, move || drop(chat.accept(&req, res)));
    });
    let mut limits = Limits::default();
    limits.shutdown = 5 * SECOND;
    server.set_limits(limits);
    let peer = sim.connect(PORT);
    peer.write(handshake("/", ""));
    sim.advance(10 * MS);
    server.close(|| ());
    sim.advance(SECOND);
    assert_eq!(statuses_of_head(&peer.text()), 503, "{}", peer.text());
    assert!(chat.is_empty());
}

#[test]
fn a_message_is_what_its_type_says() {
    assert_eq!(Message::Text("é").as_bytes(), "é".as_bytes());
    assert_eq!(Message::Binary(b"x").as_bytes(), b"x");
}
