//! What is said of WebSockets: which endpoint and listener held the loop, what is counted, and in which state connections are.

use crate::support::http::{Kept, MS, Record, SECOND, serve};
use crate::support::websocket::{client, close_frame, handshake, text};
use oneloop::event_loop::{Phase, TurnRecord, metrics, on_slow, recording, set_exact_timing, start_recording};
use oneloop::http::{Request, Response};
use oneloop::sim::{self, Sim};
use oneloop::ws::{self, Endpoint, Limits, Verdict, WebSocket};

/// A page with an echo at `/echo`, which blocks the loop for a message of `block`.
fn echo() -> (Sim, oneloop::http::Server, Endpoint) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let echo = ws::mount(&server, "/echo/");
    echo.on_message(|socket, message| {
        if message.as_bytes() == b"block" {
            sim::block(200 * MS);
        }
        socket.send(message).ignore();
    });
    echo.on_close(|_, _| sim::block(60 * MS));
    (sim, server, echo)
}

#[test]
fn a_recording_and_the_report_of_slow_turns_name_the_endpoint_and_the_listener() {
    let (sim, _server, _echo) = echo();
    let (slow, kept) = (Record::default(), Record::default());
    let note = slow.clone();
    on_slow(move |turn| {
        let what = turn.slowest.as_ref().map(|call| call.what.clone());
        note.add(format!("{} {what:?} {:?} {}", turn.label, turn.phase, turn.registered.file()));
    });
    set_exact_timing(true);
    start_recording(Default::default());
    let client = sim.websocket("/echo/room");
    client.write([text("block"), text("quick")].concat());
    sim.advance(SECOND);
    client.write([text("a turn later"), close_frame(1000, "")].concat());
    sim.advance(SECOND);
    let what = |listener: &str, phase| {
        let label = format!("WebSocket /echo {listener}");
        format!("{label} Some({label:?}) {phase:?} {}", file!())
    };
    slow.expect(&[&what("on_message", Phase::Poll), &what("on_close", Phase::Closing)]);
    let recording = recording(0).unwrap();
    let turns: Vec<&TurnRecord> = recording.iterations.iter().flat_map(|one| &one.turns).collect();
    turns.iter().filter(|turn| !turn.label.is_empty()).for_each(|turn| kept.add(&turn.label));
    let message = "WebSocket /echo on_message";
    kept.expect(&["GET /echo/room", message, message, "WebSocket /echo on_close"]);
}

#[test]
fn a_socket_of_a_client_is_named_by_its_url_without_the_query() {
    let (sim, _server, _echo) = echo();
    let slow = Record::default();
    let note = slow.clone();
    on_slow(move |turn| note.add(&turn.label));
    let socket = ws::connect("ws://127.0.0.1/echo/7?token=secret", |_| sim::block(100 * MS));
    sim.settle();
    assert!(socket.is_open());
    slow.expect(&["WebSocket ws://127.0.0.1/echo/7 on_open"]);
    assert_eq!(ws::endpoints().len(), 1, "an endpoint of a client is listed");
}

#[test]
fn endpoints_are_listed_with_their_names_for_as_long_as_they_live() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (chat, root) = (ws::mount(&server, "/chat/"), ws::mount(&server, "/"));
    let own = Endpoint::new();
    let accept = own.clone();
    server.on_path("/news", move |req, res| drop(accept.accept(&req, res)));
    root.verify(|_| Verdict::Refuse(404));
    let names = || ws::endpoints().iter().map(|endpoint| endpoint.name().to_string()).collect::<Vec<_>>();
    assert_eq!(ws::endpoints(), [chat, root.clone(), own.clone()]);
    assert_eq!(names(), ["/chat", "/", ""]);
    let client = client(&sim);
    client.write(handshake("/news/today", ""));
    sim.settle();
    assert_eq!(names()[2], "", "a request that was refused gave its path");
    root.verify(|_| Verdict::Accept);
    own.set_name("news");
    assert_eq!((names()[2].as_str(), &*own.name()), ("news", "news"));
    for _ in 0..100 {
        drop(Endpoint::new());
    }
    assert_eq!(ws::endpoints().len(), 3);
}

#[test]
fn an_endpoint_without_a_path_is_named_by_the_first_request_that_it_accepts() {
    let own = Endpoint::new();
    let accept = own.clone();
    let (sim, _server) = serve(move |req: Request, res: Response| drop(accept.accept(&req, res)));
    sim.websocket("/rooms/7?token=secret");
    sim.websocket("/rooms/8");
    assert_eq!(&*own.name(), "/rooms/7");
}

#[test]
fn what_is_counted_is_what_has_happened() {
    let (sim, server, echo) = echo();
    server.set_metrics(true);
    let sockets: Kept<WebSocket> = Kept::default();
    let keep: Kept<WebSocket> = sockets.clone();
    echo.on_open(move |socket, _| keep.put(socket.clone()));
    let mut limits = Limits::default();
    limits.pending_output = 1;
    echo.set_limits(limits);
    let clients = [sim.websocket("/echo"), sim.websocket("/echo"), client(&sim)];
    clients[2].write(handshake("/echo", "Origin: http://elsewhere\r\n"));
    clients[0].write([text("one"), text("two")].concat());
    sim.settle();
    let states = server.connection_states();
    assert_eq!((states.upgraded, states.idle, server.connections()), (2, 1, 3));
    for socket in [sockets.take(), sockets.take()] {
        socket.subscribe("t");
    }
    echo.publish("t", "both");
    // Nothing was given to the kernel since, so both are behind.
    assert_eq!(echo.publish_or_skip("t", "neither").skipped, 2);
    let stats = echo.stats();
    assert_eq!((stats.sockets, stats.accepted, stats.refused), (2, 2, 1));
    assert_eq!((stats.received, stats.sent, stats.skipped), (2, 4, 2));
    let http = server.metrics();
    assert_eq!((http.requests, http.switched, http.unanswered, http.responses), (3, 2, 0, [0, 0, 1, 0]));
    clients[0].write(close_frame(1000, ""));
    clients[1].peer().reset();
    sim.settle();
    assert_eq!((echo.stats().sockets, server.connection_states().upgraded, server.connections()), (0, 0, 1));
    let mut closes: Vec<_> = metrics().closes.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    closes.sort();
    assert_eq!(closes, ["finished 1", "reset 1"]);
}
