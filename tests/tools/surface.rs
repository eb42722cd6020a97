//! Every method that the crate promises is called here once, and its effect asserted. What each does in detail is in the
//! files named after the promises.

use crate::support::http::*;
use oneloop::event_loop::{metrics, on_panic, on_slow, set_exact_timing, set_slow_threshold};
use oneloop::http::{self, Limits, LoadShedding, Request, Response, Version};
use oneloop::net::{self, Address, Chunk, CloseReason, Flow, Listen, Overflow, Socket, Target};
use oneloop::sim::{self, Sendfile, Sim, Waits, WebSocketPeer};
use oneloop::{
    Emitter, bounded_channel, channel, next_tick, now, remote, set_immediate, set_interval, set_interval_with,
    set_timeout, stdin,
    worker::{self, Keeper, Keepers},
    ws,
};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

#[test]
fn the_loop() {
    let sim = Sim::new();
    let record = Record::default();
    let note = |text: &'static str| {
        let record = record.clone();
        move || record.add(text)
    };
    next_tick(note("tick"));
    let immediate = set_immediate(note("immediate"));
    assert!(immediate.has_ref() && !immediate.unref().has_ref() && immediate.set_ref(true).has_ref());
    set_immediate(note("never")).clear();
    let timer = set_timeout(2 * MS, note("timer"));
    assert!(timer.has_ref() && !timer.unref().has_ref() && timer.set_ref(true).has_ref());
    timer.refresh();
    set_timeout(MS, note("never")).clear();
    let interval = set_interval(2 * MS, note("interval"));
    let began = now();
    sim.advance(5 * MS);
    assert_eq!(now() - began, 5 * MS);
    interval.clear();
    record.expect(&["tick", "immediate", "timer", "interval", "interval"]);
    assert!(!oneloop::run_nowait().unwrap() && !oneloop::run_once().unwrap());
    set_interval(MS, oneloop::stop);
    oneloop::run().unwrap();
    assert!(!set_interval_with(MS, |timer| timer.clear()).unref().has_ref());
    sim.advance(MS);
    set_immediate(|| assert!(oneloop::run().is_err(), "it is running"));
    sim.settle();
}

#[test]
fn ways_in_metrics_and_reports() {
    let sim = Sim::new();
    let record = Record::default();
    let mut way_in = remote();
    assert!(!way_in.has_ref() && way_in.set_ref(true).has_ref() && !way_in.unref().has_ref());
    let sender = way_in.clone();
    std::thread::spawn(move || sender.post(|| drop(set_timeout(MS, || ()))).is_ok()).join().unwrap();
    let (one, two) = (record.clone(), record.clone());
    let sender = channel(move |message: u32| one.add(message));
    let bounded = bounded_channel(1, move |message: u32| two.add(message));
    assert!(sender.send(1).is_ok() && bounded.try_send(2).is_ok() && bounded.try_send(3).is_err());
    assert!(sender.has_ref() && !sender.unref().has_ref() && sender.clone().set_ref(true).has_ref());
    let ended = record.clone();
    let input = stdin::lines(|_| unreachable!("nobody types"), move || ended.add("end of input"));
    assert!(!input.set_ref(true).unref().has_ref());
    let ended = record.clone();
    stdin::lines_with(|_, _| unreachable!("nobody types"), move || ended.add("closed")).close();
    sim.settle();
    record.expect(&["1", "2", "end of input", "closed"]);
    drop((sender, bounded));
    assert_eq!(oneloop::clock(), now());
    let before = metrics();
    sim.advance(2 * MS);
    let after = metrics();
    assert!(after.iterations > before.iterations && after.utilisation_since(&before) <= 1.0);
    assert!(after.loop_delay.since(&before.loop_delay).count() <= after.iterations);
    assert_eq!((after.buffered, after.largest_buffer, after.shed), (0, 0, 0));
    set_slow_threshold(SECOND);
    set_exact_timing(true);
    on_slow(|_| unreachable!("nothing was slow"));
    on_panic(|_| unreachable!("nothing panicked"));
    let told = record.clone();
    worker::set_pool_size(2, 10);
    worker::set_grace(SECOND);
    worker::run(|| 6 * 7, move |answer| told.add(answer.unwrap()));
    let told = record.clone();
    worker::run(
        || -> () { panic!("in work") },
        move |answer| {
            let error = answer.unwrap_err();
            told.add(error.is_panic() && !error.is_no_thread());
        },
    );
    sim.advance(SECOND);
    record.expect(&["42", "true"]);
}

#[test]
fn keepers() {
    let (sim, record) = (Sim::new(), Record::default());
    let begin = |_: &mut u32| Ok::<_, String>(());
    let keeper = Keeper::start(|| Ok::<_, String>(1));
    let grouped = Keeper::start_grouped(|| Ok::<_, String>(2), begin, begin);
    let keepers = Keepers::start(2, || Ok::<_, String>(3));
    keeper.set_queue(10);
    keepers.set_queue(10);
    for keeper in [&keeper, &grouped.clone()] {
        let told = record.clone();
        keeper.run(|number| *number, move |result| told.add(result.unwrap()));
    }
    let told = record.clone();
    keepers.clone().run(|number| *number, move |result| told.add(result.unwrap()));
    assert_eq!((keeper.waiting(), keepers.waiting()), (1, 1));
    assert!(format!("{keeper:?} {keepers:?}").starts_with("Keeper { waiting: 1, .. } Keepers"));
    let (one, both) = (record.clone(), record.clone());
    keeper.close(move || one.add("closed"));
    keepers.close(move || both.add("both closed"));
    keeper.run(
        |_| (),
        |result| {
            let error = result.unwrap_err();
            assert!(error.is_closed() && !error.is_no_value() && !error.is_undone());
        },
    );
    sim.run_to_rest();
    record.expect(&["1", "2", "3", "closed", "both closed"]);
}

#[test]
fn the_emitter() {
    let record = Record::default();
    let emitter = Emitter::<u32>::new();
    let (on, once, first) = (record.clone(), record.clone(), record.clone());
    let id = emitter.on(move |event| on.add(format!("on {event}")));
    emitter.once(move |event| once.add(format!("once {event}")));
    emitter.prepend(move |event| first.add(format!("first {event}")));
    assert_eq!(emitter.listener_count(), 3);
    assert!(emitter.emit(&1));
    record.expect(&["first 1", "on 1", "once 1"]);
    assert!(emitter.off(id) && !emitter.off(id));
    assert!(emitter.emit(&2));
    record.expect(&["first 2"]);
}

#[test]
fn net_servers() {
    let sim = Sim::new();
    let record = Record::default();
    let (told, also, dropped, closed) = (record.clone(), record.clone(), record.clone(), record.clone());
    let server = net::create_server(move |_| told.add("connection"));
    server.on_connection(move |_| also.add("also"));
    server.on_drop(move |_| dropped.add("drop"));
    server.on_close(move || closed.add("on_close"));
    assert!(server.has_ref() && !server.unref().has_ref() && server.set_ref(true).has_ref());
    let listening = record.clone();
    server
        .listen(
            Listen::from(0).backlog(511).reuse_port(true).ipv6_only(false).mode(0o600).replace_stale(true),
            move || listening.add("listening"),
        )
        .unwrap();
    let port = server.address().and_then(|address| address.port()).unwrap();
    assert!(server.is_listening() && port > 0);
    server.set_max_connections(1);
    sim.settle();
    let (one, other) = (sim.connect(port), sim.connect(port));
    sim.settle();
    assert_eq!(server.connections(), 1);
    let closed = record.clone();
    server.close(move || closed.add("closed"));
    one.close();
    sim.settle();
    assert!(other.is_closed() && !server.is_listening());
    record.expect(&["listening", "connection", "also", "drop", "on_close", "closed"]);
    let v4: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    server.listen(v4, ()).unwrap();
    assert_eq!(server.address(), Some(Address::Ip(v4)));
    let named = net::create_server(|_| ());
    named.listen(Listen::abstract_name("name"), || ()).unwrap();
    assert_eq!(named.address(), Some(Address::Abstract(b"name".to_vec())));
    net::connect(Target::abstract_name("name"), |_| ());
    sim.advance(MS);
    assert_eq!(named.connections(), 1);
}

#[test]
fn sockets() {
    let sim = Sim::new();
    let record = Record::default();
    let echo = sim.listen("127.0.0.1:7").unwrap();
    echo.on_accept(|peer| {
        peer.on_data(|peer, bytes| peer.write(bytes));
    });
    let target = Target::from(("localhost", 7)).timeout(SECOND).look_up_timeout(SECOND).attempt_delay(SECOND);
    let socket = net::connect(target, |socket| {
        assert_eq!(socket.write("hello"), Flow::Ready);
    });
    assert!(socket.is_connecting() && socket.remote_addr().is_none());
    let r = || record.clone();
    let (a, b, c, d, e, f) = (r(), r(), r(), r(), r(), r());
    socket.on_connect(move |_| a.add("connect"));
    socket.on_data(move |_, bytes| b.add(String::from_utf8_lossy(bytes)));
    socket.on_end(move |_| c.add("end"));
    socket.on_drain(move |_| d.add("drain"));
    socket.on_timeout(move |_| e.add("timeout"));
    socket.set_pending_limit(1 << 20, Overflow::Close);
    socket.on_close(move |_, reason| f.add(reason));
    socket.on_error(|_, error| unreachable!("{error}"));
    socket.set_write_limit(1 << 20).set_allow_half_open(true);
    sim.advance(SECOND);
    record.expect(&["connect", "hello"]);
    assert!(socket.id() > 0 && socket == socket.clone());
    assert_eq!((socket.bytes_read(), socket.bytes_written(), socket.pending()), (5, 5, 0));
    assert!(socket.local_addr().is_some() && socket.remote_addr().and_then(|to| to.port()) == Some(7));
    socket.set_no_delay(false).unwrap();
    socket.set_keep_alive(Some(SECOND)).unwrap();
    assert!(socket.has_ref() && !socket.unref().has_ref() && socket.set_ref(true).has_ref());
    socket.pause();
    assert!(socket.is_paused());
    socket.write("again").ignore();
    sim.settle();
    record.expect(&[]);
    socket.resume();
    sim.settle();
    record.expect(&["again"]);
    socket.set_timeout(SECOND);
    sim.advance(SECOND);
    record.expect(&["timeout"]);
    socket.set_timeout(std::time::Duration::ZERO);
    assert_eq!(socket.set_write_limit(1).write("x"), Flow::Full);
    sim.settle();
    record.expect(&["drain", "x"]);
    echo.accepted()[0].finish();
    sim.settle();
    record.expect(&["end"]);
    assert_eq!(socket.write("half open"), Flow::Full);
    socket.end(());
    sim.settle();
    record.expect(&["finished"]);
    assert!(socket.is_closed() && socket.write("x") == Flow::Closed);
    let refused = record.clone();
    net::connect(("127.0.0.1", 9), |_| unreachable!("nobody is there"))
        .on_error(move |_, error| refused.add(format!("{:?}", error.kind())))
        .on_close(|_, reason| assert_eq!(reason, CloseReason::ConnectFailed));
    sim.settle();
    record.expect(&["ConnectionRefused"]);
    let ends: [fn(&Socket); 3] = [Socket::destroy, Socket::reset, |socket| socket.end("bye")];
    for end in ends {
        let socket = net::connect(("127.0.0.1", 7), |_| ());
        sim.settle();
        end(&socket);
        sim.settle();
        echo.accepted().last().unwrap().close();
        sim.settle();
        assert!(socket.is_closed());
    }
    let (from, to) = (net::connect(("127.0.0.1", 7), |_| ()), net::connect(("127.0.0.1", 7), |_| ()));
    from.pipe(&to);
    sim.settle();
    from.write("piped").ignore();
    sim.settle();
    assert_eq!(echo.accepted().last().unwrap().text(), "piped");
    let told = record.clone();
    net::pipeline(&to, &from, move |result: Result<u64, net::PipeError>| told.add(format!("piped {result:?}")));
    echo.accepted().last().unwrap().finish();
    sim.settle();
    record.expect(&["piped Ok(5)"]);
}

/// What is a source and what a sink.
#[allow(dead_code, reason = "it only has to compile")]
fn ends_of_pipes(req: &http::Request, res: &http::Response, socket: &Socket) {
    fn relay(from: &impl net::Source, to: &impl net::Sink) {
        net::pipeline(from, to, |result| drop(result.map_err(|error| error.to_string())));
    }
    req.pipe(res);
    req.pipe(socket);
    req.pipe(&net::KeepOpen(socket.clone()));
    socket.pipe(res);
    socket.pipe(socket);
    relay(req, res);
    relay(socket, socket);
}

#[test]
fn http_servers() {
    let sim = Sim::new();
    let record = Record::default();
    let r = || record.clone();
    let server = http::create_server(|req, res| match req.url() {
        "/kept" => std::mem::forget(res),
        "/switch" => res.upgrade("y").unwrap().end("switched"),
        _ => res.end("x"),
    });
    let (a, b, c, d, e, f, g, h, i, j) = (r(), r(), r(), r(), r(), r(), r(), r(), r(), r());
    server.on_request(move |_, _| a.add("request"));
    server.on_connection(move |_| b.add("connection"));
    server.on_check_continue(move |_, _| c.add("continue"));
    server.on_check_expectation(move |_, _| d.add("expectation"));
    server.on_upgrade(move |_, socket, _| {
        e.add("upgrade");
        socket.end(());
    });
    server.set_upgrade_filter(|req| req.header("upgrade") == Some("x"));
    server.on_connect(move |_, socket, _| {
        f.add("connect");
        socket.end(());
    });
    server.on_client_error(move |_| g.add("client error"));
    server.on_drop_request(move |_, _| h.add("drop request"));
    server.on_drop(move |_| i.add("drop"));
    server.on_close(move || j.add("close"));
    server.on_closing(|| ());
    server.on_exchange_end(|end| assert!(!end.to_string().is_empty())).set_metrics(true);
    assert_eq!(server.metrics().requests, 0);
    let limits = server.limits();
    assert_eq!(limits, Limits::default());
    server.set_limits(limits).set_require_host_header(true);
    let shedding = LoadShedding::new(SECOND).retry_after(SECOND).exempt(|_| true);
    server.set_load_shedding(shedding).set_load_shedding(None);
    assert!(server.has_ref() && !server.unref().has_ref() && server.set_ref(true).has_ref());
    server.listen(("127.0.0.1", PORT), || ()).unwrap();
    assert!(server.is_listening() && server.address().is_some());
    let with = |line: &str, field: &str| format!("{line} HTTP/1.1\r\nHost: a:1\r\n{field}\r\n\r\n");
    for (request, event) in [
        (get("/"), "request"),
        (with("POST /", "Content-Length: 1\r\nExpect: 100-continue"), "continue"),
        (with("GET /", "Expect: x"), "expectation"),
        (with("GET /", "Connection: upgrade\r\nUpgrade: x"), "upgrade"),
        (with("GET /switch", "Connection: upgrade\r\nUpgrade: y"), "request"),
        (with("CONNECT a:1", "X: y"), "connect"),
        ("x\r\n\r\n".to_owned(), "client error"),
    ] {
        let peer = send(&sim, request);
        record.expect(&["connection", event]);
        peer.close();
        sim.settle();
    }
    let kept = send(&sim, get("/kept"));
    assert_eq!((server.connections(), server.open_exchanges().len()), (1, 1));
    assert_eq!((server.open_exchanges()[0].path.as_str(), server.routes()[0].prefix.as_deref()), ("/kept", None));
    assert_eq!((server.connection_states().answering, server.connection_states().idle), (1, 0));
    server.set_max_connections(1);
    send(&sim, "");
    server.set_max_connections(9).set_max_requests_per_socket(1);
    send(&sim, get("/") + &get("/")).close();
    record.expect(&["connection", "request", "drop", "connection", "request", "drop request"]);
    server.close_idle_connections();
    sim.settle();
    assert!(!kept.is_closed());
    server.close_all_connections();
    server.close(|| ());
    sim.settle();
    assert!(kept.is_closed());
    record.expect(&["close"]);
}

#[test]
fn requests() {
    let record = Record::default();
    let told = record.clone();
    let (sim, _server) = serve(move |req: Request, res: Response| {
        assert_eq!((req.method(), req.url(), req.path(), req.query()), ("PUT", "/a?b=c", "/a", Some("b=c")));
        assert_eq!((req.version(), req.host()), (Version::Http11, Some("a")));
        assert!(req.id() == res.id() && req == req.clone() && res == res.clone());
        assert_eq!((req.header("x-a"), req.header("x-c")), (Some("1"), None));
        assert_eq!(req.header_all("X-A").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(req.joined("x-a").as_deref(), Some("1, 2"));
        assert_eq!(req.headers().nth(1), Some(("X-A", "1")));
        assert_eq!(req.header_bytes("x-a"), Some(&b"1"[..]));
        assert_eq!(req.header_all_bytes("X-A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(req.headers_bytes().nth(1), Some(("X-A", &b"1"[..])));
        assert_eq!(req.joined_bytes("x-a").as_deref(), Some(&b"1, 2"[..]));
        assert!(req.trailers_bytes().is_empty());
        assert!(req.remote_addr().is_some() && !req.is_complete() && !req.is_closed());
        let (a, b, c, d) = (told.clone(), told.clone(), told.clone(), told.clone());
        req.on_data(move |_, bytes| a.add(format!("data {}", bytes.len())));
        req.on_end(move |req| b.add(format!("end {} {:?}", req.is_complete(), req.trailers())));
        req.on_peer_end(|_| unreachable!("the peer stays"));
        req.on_close(move |req, reason| c.add(format!("close {} {reason}", req.is_closed())));
        req.read_body(9, move |body| d.add(format!("body {:?}", body.map(|body| body.len()))));
        req.pause();
        let (again, target) = (req.clone(), res.clone());
        set_timeout(MS, move || again.resume());
        req.pipe(&target);
    });
    let head = "PUT /a?b=c HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    let peer = send(&sim, format!("{head}3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"));
    record.expect(&[]);
    sim.advance(MS);
    assert_eq!(bodies(&peer), ["abc"]);
    record.expect(&["data 3", "end true [(\"X-T\", \"1\")]", "body Ok(3)", "close true finished"]);
    let (sim, _server) = serve(|req, res| {
        let nowhere = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("there is no such folder/file");
        req.save_to(nowhere, 9, move |saved| {
            assert!(matches!(saved, Err(http::SaveError::File(_))));
            res.end("not saved");
        });
    });
    let peer = send(&sim, post("/", "seeds"));
    sim.advance(SECOND);
    assert_eq!(bodies(&peer), ["not saved"]);
    let (sim, _server) = serve(|req, _| req.destroy());
    assert!(send(&sim, get("/")).is_closed());
    let (sim, _server) = serve(|req: Request, res: Response| {
        req.on_data(|_, _| unreachable!("it is discarded"));
        req.discard();
        res.end("x");
    });
    assert_eq!(bodies(&send(&sim, post("/", "seeds") + &post("/", "plants"))), ["x", "x"]);
}

#[test]
fn faults_of_a_simulated_world() {
    let (sim, _server) = serve(|_, res| {
        sim::block(SECOND);
        res.end("x");
    });
    assert_eq!(sim.calls(), 0);
    sim.fail_call(1, ErrorKind::ConnectionReset);
    assert!(send(&sim, get("/")).was_reset(), "accepted, and not read");
    let (calls, before) = (sim.calls(), sim.now());
    assert_eq!(bodies(&send(&sim, get("/"))), ["x"]);
    assert!(sim.calls() > calls && sim.now() >= before + SECOND);
    sim.set_waits(Waits { events: 1, interrupts: true });
    let before = sim.now();
    sim.stop(SECOND);
    sim.settle();
    assert_eq!(sim.now(), before + SECOND);
    sim.set_sendfile(Sendfile::Refused);
    sim.set_known_fd_limit(Some(0));
    assert_eq!(bodies(&send(&sim, get("/"))), ["x"]);
    assert!(metrics().closes.contains(&("made-room", 1)), "who was idle has gone for it");
}

#[test]
fn responses() {
    let record = Record::default();
    let told = record.clone();
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |req, res| {
        if req.url() == "/destroy" {
            return res.destroy();
        }
        assert_eq!(res.status(), 200);
        res.write_continue();
        res.write_early_hints(&[("Link", "</a>")]);
        res.write_informational(102, &[]);
        res.set_status(201).set_status_message("Planted");
        res.set_header("X-A", "1");
        res.append_header("X-A", 2);
        res.set_header("X-B", "1");
        res.remove_header("X-B");
        assert!(res.try_set_header("X-C", "3").is_ok() && res.has_header("x-c") && !res.has_header("X-B"));
        assert_eq!(res.header("x-a").as_deref(), Some("1"));
        assert!(res.try_append_header("X-D", b"4").is_ok() && res.try_append_header("X-D", "\n").is_err());
        assert_eq!(res.header_bytes("x-d").as_deref(), Some(&b"4"[..]));
        let (a, b, c) = (told.clone(), told.clone(), told.clone());
        res.on_drain(move |_| a.add("drain"));
        res.on_finish(move |res| b.add(format!("finish {}", res.is_finished())));
        res.set_pending_limit(1 << 20, Overflow::Close);
        res.on_close(move |res, reason| c.add(format!("close {} {reason}", res.is_closed())));
        res.set_timeout(SECOND, |res| {
            res.add_trailers(&[("X-T", "1")]);
            res.end(());
        });
        res.write_head(202, &[("X-D", "4")]);
        assert!(res.headers_sent());
        res.flush_headers();
        assert!(res.write(Chunk::from_static(&[b'x'; 300_000])).is_full() && res.pending() > 0);
        assert!(!res.is_ended());
        keep.put(res);
    });
    let peer = send(&sim, get("/"));
    record.expect(&["drain"]);
    sim.advance(SECOND);
    record.expect(&["finish true", "close true finished"]);
    assert!(kept.take().is_ended());
    let replies = replies(&peer.received());
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [103, 102, 202]);
    let last = &replies[2];
    assert_eq!((last.reason.as_str(), last.body.len(), last.trailers.len()), ("Planted", 300_000, 1));
    assert_eq!((last.field("X-A"), last.field("X-C"), last.field("X-D")), (Some("1"), Some("3"), Some("4")));
    assert!(send(&sim, get("/destroy")).is_closed());
    let (sim, _server) = serve(|_, res| res.fail(http::Error::new(404, "not here").with_source("the shelf is empty")));
    assert_eq!(only(&send(&sim, get("/"))).text(), "not here\n");
}

#[test]
fn a_websocket() {
    let record = Record::default();
    let (sim, server) = serve(|_, res| res.end("page"));
    let endpoint = ws::mount(&server, "/ws");
    endpoint.origins(ws::Origins::only(["http://a"])).verify(|_| ws::Verdict::Accept).protocols(&["v1"]);
    let limits = endpoint.limits();
    assert_eq!(endpoint.set_limits(limits.clone()).limits(), limits);
    let (a, b, c, d, e) = (record.clone(), record.clone(), record.clone(), record.clone(), record.clone());
    endpoint.on_open(move |socket, req| {
        assert!(socket.set_data(7_u8) && socket.data::<u8>() == Some(&7) && socket.id() > 0);
        a.add(format!("open {} {:?}", req.path(), socket.protocol()));
        let (b, c, d, e) = (a.clone(), a.clone(), a.clone(), a.clone());
        socket.on_message(move |_, message| b.add(format!("own {message:?}"))).on_drain(move |_| c.add("own drain"));
        socket.on_pong(move |_, _| d.add("own pong")).on_close(move |_, close| e.add(format!("own {}", close.code)));
    });
    endpoint.on_message(move |socket, message| {
        b.add(format!("{message:?}"));
        socket.pause();
        assert!(socket.is_paused() && socket.is_open() && socket.remote_addr().is_some());
        socket.resume();
        socket.ping(b"?");
        assert!(socket.send(vec![0; 300_000]).is_full() && socket.buffered_amount() > 0);
        assert!(socket.bytes_read() > 0 && socket.bytes_written() > 0);
    });
    endpoint.on_drain(move |_| c.add("drain")).on_pong(move |_, _| d.add("pong"));
    endpoint.on_close(move |_, close| e.add(format!("close {} {}", close.code, close.why)));
    let clients = ["/ws/1", "/ws/2", "/ws/3"].map(|path| {
        let client = sim.request("GET", path).handshake().header("Origin", "http://a");
        client.header("Sec-WebSocket-Protocol", "v1").websocket()
    });
    sim.settle();
    record.expect(&["open /ws/1 Some(\"v1\")", "open /ws/2 Some(\"v1\")", "open /ws/3 Some(\"v1\")"]);
    assert!(clients[0].head().starts_with("HTTP/1.1 101 ") && format!("{:?}", clients[0]).contains("127.0.0.1"));
    clients[0].send_text("hi");
    sim.settle();
    record.expect(&["Text(\"hi\")", "own Text(\"hi\")", "pong", "own pong", "drain", "own drain"]);
    assert_eq!((endpoint.len(), endpoint.is_empty(), endpoint.stats().accepted), (3, false, 3));
    let sockets: Vec<_> = endpoint.sockets().collect();
    assert!(sockets[0].subscribe("t") && sockets[1].subscribe("t") && sockets[0].is_subscribed("t"));
    assert_eq!((endpoint.subscribers("t"), sockets[0].topics().len()), (2, 1));
    assert_eq!((endpoint.publish("t", "x").sent, endpoint.publish_or_skip("t", "x").skipped), (2, 0));
    assert_eq!((sockets[0].publish("t", "x").sent, sockets[1].unsubscribe("t")), (1, true));
    let frames = [ws::Frame::text("x"), ws::Frame::binary([1])];
    assert!(frames[0].is_text() && frames[1].as_bytes() == [1] && sockets[2].send(&frames[0]) == Flow::Ready);
    sockets[0].close();
    sockets[1].close_with(4000, "so long");
    sockets[2].terminate();
    sim.settle();
    let mut ends = record.take();
    ends.sort();
    assert_eq!(
        ends,
        ["close 1000 finished", "close 1006 destroyed", "close 4000 finished", "own 1000", "own 1006", "own 4000"]
    );
    let own = ws::Endpoint::new();
    own.set_name("own").close_all(1001, "");
    assert!(&*own.name() == "own" && own.id() != endpoint.id() && ws::endpoints().len() == 2);
    let (sim, _server) = serve(move |req, res| drop(own.accept(&req, res)));
    let client = sim.websocket("/");
    client.be_silent().ping("a");
    client.send_fragments(&["b", "c"]);
    client.send_binary([1]);
    client.write(WebSocketPeer::frame(0x81, "d"));
    client.send_frame(0x89, "e");
    client.close(1000, "bye");
    sim.settle();
    assert_eq!((client.take().len(), client.told().len()), (3, 0));
    client.expect(&[]);
    assert!(client.peer().is_closed() && WebSocketPeer::on(client.peer()).head().is_empty());
}

#[test]
fn a_websocket_is_opened_by_a_client() {
    let (sim, server) = serve(|_, res| res.end("page"));
    ws::mount(&server, "/ws").protocols(&["v1"]).on_message(|socket, message| socket.send(message).ignore());
    let record = Record::default();
    let [open, message, error, close] = [record.clone(), record.clone(), record.clone(), record.clone()];
    let to = ws::Connect::to("ws://127.0.0.1/ws").header("Origin", "http://127.0.0.1").protocol("v1");
    let socket = ws::connect(to.timeout(SECOND).limits(ws::Limits::default()), |socket| socket.send("x").ignore());
    socket.on_open(move |socket| open.add(format!("{:?}", socket.protocol())));
    socket.on_message(move |socket, got| {
        message.add(format!("{got:?}"));
        socket.close();
    });
    socket.on_close(move |_, end| close.add(end.code));
    sim.settle();
    ws::connect(String::from("ws://127.0.0.1/"), |_| ()).on_error(move |_, why| error.add(why.kind()));
    sim.settle();
    record.expect(&["Some(\"v1\")", "Text(\"x\")", "1000", "connection refused"]);
}

#[cfg(feature = "deflate")]
#[test]
fn the_messages_of_a_websocket_are_compressed() {
    let how = ws::Deflate::new().level(1).from_bytes(10).up_to_bytes(1000);
    assert!(how != ws::Deflate::default());
    let (sim, server) = serve(|_, res| res.end("page"));
    ws::mount(&server, "/ws").compress(how).on_open(|socket, _| {
        socket.send(ws::Payload::from("a".repeat(100)).uncompressed()).ignore();
        socket.send(&ws::Frame::text("a".repeat(100)).uncompressed()).ignore();
    });
    let record = Record::default();
    let (add, to) = (record.clone(), ws::Connect::to("ws://127.0.0.1/ws").compress(how));
    ws::connect(to, move |socket| add.add(socket.is_compressed()));
    sim.settle();
    record.expect(&["true"]);
}

#[test]
fn a_file_is_sent() {
    let (sim, _server) = serve(|_, res| res.send_file(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
    let peer = send(&sim, get("/"));
    sim.advance(SECOND);
    assert!(only(&peer).text().contains("name = \"oneloop\""));
}

#[test]
fn bodies_are_anything_useful() {
    let kinds = Rc::new(Cell::new(0));
    let next = kinds.clone();
    let (sim, _server) = serve(move |_, res| match next.replace(next.get() + 1) {
        0 => res.end("a"),
        1 => res.end(String::from("a")),
        2 => res.end(&b"a"[..]),
        3 => res.end(b"a"),
        4 => res.end(vec![b'a']),
        5 => res.end(Rc::<[u8]>::from(&b"a"[..])),
        6 => res.end(Rc::<str>::from("a")),
        7 => res.end(Chunk::from_static(b"a")),
        _ => res.end(()),
    });
    let peer = send(&sim, get("/").repeat(9));
    assert_eq!(bodies(&peer), ["a", "a", "a", "a", "a", "a", "a", "a", ""]);
}

#[test]
fn the_simulated_client() {
    let (sim, _server) = serve(|req, res| {
        res.set_header("X-Method", req.method()).add_trailers(&[("X-Sum", "1")]);
        res.write("planted").ignore();
        res.end(());
    });
    let request = || sim.request("PUT", "/").port(PORT).header("TE", "trailers").body("water").at_most(SECOND);
    let reply = request().send().expect(200);
    assert_eq!((reply.status(), reply.reason(), reply.text().as_str()), (200, "OK", "planted"));
    assert_eq!((reply.header("x-method"), reply.header_all("X-Method").count()), (Some("PUT"), 1));
    assert_eq!((reply.body(), reply.log().len()), (&b"planted"[..], 0));
    assert!(reply.headers().any(|(name, _)| name == "X-Method"));
    assert_eq!(reply.trailers().next(), Some(("X-Sum", "1")));
    let peer = sim.connect(PORT);
    assert_eq!(request().on(&peer).send(), reply);
    assert!(!peer.is_closed());
    let mut open = request().sent_from([192, 0, 2, 7].into()).slowly().open().expect(200);
    assert_eq!((open.read_until("an"), open.read()), ("plan".to_owned(), "ted".to_owned()));
    assert!(open.is_whole() && !open.peer().was_reset());
    open.whole().expect_header("X-Method", "PUT").expect_text("planted");
    assert!(request().cut_after(10));
}

#[test]
fn a_fetch() {
    let sim = Sim::new();
    let record = Record::default();
    let _server = listen(|req, res| match req.path() {
        "/" => res.set_status(307).set_header("Location", "/to").set_header("X", 1).end(()),
        _ => {
            res.append_header("X", b"\xff").append_header("X", "2");
            req.pipe(&res);
        }
    });
    let fetch = http::fetch("http://127.0.0.1/?secret").method("PUT").header("A", 1).body("basil").expect_continue();
    let fetch = fetch.timeout(SECOND).redirects(1).max_body(5);
    assert!(format!("{fetch:?}").contains("PUT") && !format!("{fetch:?}").contains("secret"));
    let told = record.clone();
    let fetching = fetch.send(move |result| {
        let response = result.unwrap();
        assert_eq!((response.status(), response.is_ok(), response.redirects()), (200, true, 1));
        assert_eq!((response.header("x"), response.header_bytes("x")), (None, Some(&b"\xff"[..])));
        assert!(response.headers().count() < response.headers_bytes().count());
        assert_eq!((response.header_all("x").count(), response.headers().any(|(name, _)| name == "X")), (1, true));
        assert_eq!(
            (response.url(), response.bytes(), &*response.text()),
            ("http://127.0.0.1/to", &b"basil"[..], "basil")
        );
        assert!(format!("{response:?}").contains("200"));
        told.add(response.into_bytes().len());
    });
    sim.settle();
    record.expect(&["5"]);
    assert!(format!("{fetching:?}").contains("is_over"));
    let proxy = http::Proxy::to("a:3128").unwrap().credentials("b", "c").except("*");
    assert_eq!(format!("{proxy:?}"), "Proxy(http://a:3128)");
    let _by_a_tunnel = ws::Connect::to("ws://127.0.0.1/").proxy(proxy.clone());
    let _of_the_environment = http::Proxy::from_env();
    let told = record.clone();
    let agent = http::Agent::new();
    assert!(agent.set_proxy(proxy).proxy().is_some());
    let fetching = agent.fetch("http://127.0.0.1/").send(move |result| {
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.kind().as_str(), error.is_timeout()),
            (http::FetchErrorKind::Aborted, "aborted", false)
        );
        assert!(error.request().is_some() && error.to_string().contains("aborted"));
        told.add(error.kind());
    });
    fetching.abort();
    sim.settle();
    record.expect(&["aborted"]);
}

#[test]
fn a_client() {
    let sim = Sim::new();
    let record = Record::default();
    let server = listen(|req, res| {
        if let Some(socket) = res.upgrade("echo") {
            socket.on_data(|socket, bytes| socket.write(bytes).ignore());
            return;
        }
        if req.path() == "/hints" {
            res.write_informational(103, &[("Link", "</style.css>")]);
        }
        res.set_header("X-Tag", b"\xff").append_header("Set-Cookie", "a=1").append_header("Set-Cookie", "b=2");
        res.write("seed").ignore();
        res.add_trailer("Checksum", 7);
        req.pipe(&res);
    });
    let agent = http::Agent::new();
    assert_eq!(agent.limits(), http::AgentLimits::default());
    agent.set_limits(http::AgentLimits::default());
    let came = record.clone();
    let req = agent.request("POST", "http://127.0.0.1/hints", move |res| {
        assert_eq!((res.status(), res.status_message().as_str(), res.version()), (200, "OK", Version::Http11));
        assert_eq!((res.header("x-tag"), res.header_bytes("x-tag")), (None, Some(&b"\xff"[..])));
        assert_eq!(res.header_all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert!(res.headers().count() < res.headers_bytes().count());
        assert!(res.url().ends_with("/hints") && res.id() > 0 && !res.is_reused() && res.remote_addr().is_some());
        assert!(!res.is_complete() && !res.is_closed() && format!("{res:?}").contains("200"));
        res.pause();
        let (data, end, closed, resumed) = (came.clone(), came.clone(), came.clone(), res.clone());
        res.on_data(move |_, bytes| data.add(String::from_utf8_lossy(bytes)));
        res.on_end(move |res| {
            assert_eq!(res.trailers_bytes(), [("Checksum".to_owned(), b"7".to_vec())]);
            end.add(format!("{:?}", res.trailers()));
        });
        res.on_close(move |res, reason| closed.add(format!("{reason} {}", res.is_closed())));
        set_timeout(MS, move || resumed.resume());
    });
    assert!(req.try_set_header("X-One", "1").is_ok() && req.try_set_header("X\r\n", "1").is_err());
    req.set_header("X-Two", 2).append_header("X-Two", 3).remove_header("x-one");
    assert_eq!((req.header("x-one"), req.header("X-Two").as_deref()), (None, Some("2")));
    assert_eq!((req.method().as_str(), req.url()), ("POST", "http://127.0.0.1/hints"));
    assert!(req.id() > 0 && !req.is_reused() && !req.is_closed() && req.remote_addr().is_none());
    assert!(format!("{req:?}").contains("POST"));
    let (told, closed) = (record.clone(), record.clone());
    req.on_information(move |_, head| told.add(format!("{} {:?}", head.status(), head.get("link"))));
    req.on_close(move |_, reason| closed.add(reason)).on_error(|_, _| unreachable!()).on_drain(|_| unreachable!());
    req.set_timeout(SECOND).set_timeout(None).set_retry(true).flush_headers();
    assert_eq!(req.write(", basil"), Flow::Ready);
    assert_eq!(req.pending(), 7);
    req.add_trailer("Checksum", 8).end(());
    sim.advance(2 * MS);
    let lines = record.take();
    assert_eq!(lines.first().unwrap(), r#"103 Some("</style.css>")"#);
    assert!(lines.concat().contains("seed, basil"), "{lines:?}");
    assert_eq!(lines[lines.len() - 3..], [r#"[("Checksum", "7")]"#, "finished true", "finished"]);
    let stats = agent.stats();
    assert_eq!((stats.requests, stats.connections, stats.reused, stats.retried), (1, 1, 0, 0));
    assert_eq!((stats.hosts[0].host.as_str(), stats.hosts[0].idle), ("http://127.0.0.1:80", 1));
    agent.close_idle();
    assert!(format!("{agent:?}").contains("Agent") && agent == agent.clone() && agent != http::Agent::global());

    let echoed = record.clone();
    let req = agent.request("GET", "http://127.0.0.1/", |_| unreachable!());
    req.set_header("Connection", "upgrade").set_header("Upgrade", "echo").end(());
    req.on_upgrade(move |res, socket| {
        echoed.add(res.status());
        socket.write("hello").ignore();
        socket.on_data(move |socket, bytes| {
            echoed.add(String::from_utf8_lossy(bytes));
            socket.end(());
        });
    });
    sim.settle();
    record.expect(&["101", "hello"]);

    http::request("PUT", "http://127.0.0.1/", |res| res.destroy()).end("x");
    let (piped, failed) = (record.clone(), record.clone());
    let req = agent
        .request("POST", "http://127.0.0.1/", move |res| res.read_body(9, move |body| piped.add(body.unwrap().len())));
    http::get("http://127.0.0.1/", move |res| res.pipe(&req));
    agent.get("http://127.0.0.1:1/", |_| unreachable!()).on_error(move |_, error| {
        failed.add(format!("{} {} {}", error.kind().as_str(), error.kind().is_timeout(), error.reason()));
        assert!(!error.is_reused() && !error.is_sent());
    });
    sim.settle();
    let mut lines = record.take();
    lines.sort();
    assert_eq!(lines, ["8", "connect false connect-failed"]);
    let aborted = record.clone();
    let req = agent.get("http://127.0.0.1/", |_| unreachable!());
    req.on_error(move |_, error| aborted.add(error.kind()));
    req.abort();
    sim.settle();
    record.expect(&["aborted"]);
    agent.destroy();
    server.close(());
    sim.settle();
}
