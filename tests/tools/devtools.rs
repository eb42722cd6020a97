//! The page that shows the loop: who may see it, what it says, and that it leaves the server as it was.

use crate::support::http::*;
use oneloop::devtools::{self, Options};
use oneloop::http::Server;
use oneloop::sim::Sim;
use oneloop::ws;

fn mounted() -> (Sim, Server) {
    let (sim, server) = serve(|req, res| match req.path() {
        "/block" => {
            oneloop::sim::block(200 * MS);
            res.end("blocked");
        }
        "/short" => {
            oneloop::sim::block(MS);
            res.end("done");
        }
        "/later" => std::mem::forget(res),
        "/soon" => drop(oneloop::set_timeout(10 * MS, move || res.end("at last"))),
        _ => res.end("site"),
    });
    devtools::mount(&server, "/__loop");
    (sim, server)
}

/// A request as a local browser sends it.
fn local(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
}

/// Some answers are made by a worker.
fn ask(sim: &Sim, request: impl AsRef<[u8]>) -> Reply {
    let peer = send(sim, request);
    sim.advance(100 * MS);
    only(&peer)
}

#[test]
fn the_page_and_its_parts_are_below_the_prefix_and_the_site_is_as_before() {
    let (sim, _server) = mounted();
    let moved = ask(&sim, local("/__loop"));
    assert_eq!((moved.status, moved.field("location")), (308, Some("/__loop/")));
    let page = ask(&sim, local("/__loop/"));
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    let parts = text.split(['"']).filter(|part| [".js", ".css", ".svg"].iter().any(|end| part.ends_with(end)));
    let mut scripts = 0;
    for part in parts {
        let part = ask(&sim, local(&format!("/__loop/{part}")));
        assert_eq!(part.status, 200);
        scripts += 1;
    }
    assert!(scripts >= 3, "{text}");
    assert_eq!(ask(&sim, local("/__loop/nothing")).status, 404);
    for site in ["/", "/__loopy", "/x/__loop"] {
        assert_eq!(ask(&sim, get(site)).text(), "site");
    }
}

#[test]
fn every_script_that_a_script_imports_is_there() {
    let (sim, _server) = mounted();
    let mut wanted = vec!["mounted.js".to_owned()];
    let mut seen = Vec::new();
    while let Some(name) = wanted.pop() {
        let script = ask(&sim, local(&format!("/__loop/{name}")));
        assert_eq!(
            (script.status, script.field("content-type")),
            (200, Some("text/javascript; charset=utf-8")),
            "{name}"
        );
        let text = script.text();
        let imports =
            text.lines().filter_map(|line| line.strip_prefix("import ")?.split('"').nth(1)?.strip_prefix("./"));
        let new: Vec<String> = imports.map(str::to_owned).filter(|import| !seen.contains(import)).collect();
        seen.push(name);
        wanted.extend(new);
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

#[test]
fn who_is_not_of_this_machine_sees_nothing() {
    let (sim, _server) = mounted();
    for (fields, status) in [
        ("Host: localhost", 200),
        ("Host: 127.0.0.1:7777", 200),
        ("Host: [::1]:7777", 200),
        ("Host: example.com", 403),
        ("Host: localhost.example.com", 403),
        ("Host: 192.168.0.1", 403),
        ("Host:", 403),
        ("Host: localhost\r\nX-Forwarded-For: 203.0.113.7", 403),
        ("Host: localhost\r\nForwarded: for=203.0.113.7", 403),
        ("Host: localhost\r\nVia: 1.1 proxy", 403),
    ] {
        for path in ["/__loop/", "/__loop/history", "/__loop/metrics", "/__loop/trace", "/__loop", "/__loop/x"] {
            let peer = send(&sim, format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
            // The trace is written by a worker.
            sim.advance(SECOND);
            let reply = only(&peer);
            assert!(
                reply.status == status || status == 200 && reply.status != 403,
                "{path} {fields}: {}",
                reply.status
            );
        }
    }
    // A field that is no text is there all the same.
    let peer = send(&sim, b"GET /__loop/ HTTP/1.1\r\nHost: localhost\r\nVia: 1.1 \xe9\r\n\r\n");
    assert_eq!(only(&peer).status, 403);
    // The host of the target counts, as everywhere.
    let request = "GET http://example.com/__loop/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(ask(&sim, request).status, 403);
}

#[test]
fn other_rules_are_the_programs() {
    let (sim, server) = serve(not_called);
    devtools::mount_with(&server, "/a/", Options::default().allow(|req| req.header("key") == Some("secret")));
    assert_eq!(ask(&sim, local("/a/")).status, 403);
    assert_eq!(ask(&sim, "GET /a/ HTTP/1.1\r\nHost: example.com\r\nKey: secret\r\n\r\n").status, 200);
}

#[test]
fn the_page_can_only_be_read_and_is_kept_by_nobody() {
    let (sim, _server) = mounted();
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /__loop/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let reply = ask(&sim, request);
        assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")));
    }
    for path in ["/__loop", "/__loop/", "/__loop/history", "/__loop/metrics", "/__loop/feed.js", "/__loop/x"] {
        let reply = ask(&sim, local(path));
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.field("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'self'")));
    }
}

/// The data of the events that a peer got so far.
fn events(peer: &oneloop::sim::Peer) -> Vec<String> {
    let bytes = peer.received();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\n').filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

#[test]
fn the_stream_pushes_ten_times_a_second_while_somebody_reads_and_not_otherwise() {
    let (sim, server) = mounted();
    let quiet = oneloop::metrics().timers;
    let (one, other) = (send(&sim, local("/__loop/stream")), send(&sim, local("/__loop/stream")));
    assert!(one.text().contains("Content-Type: text/event-stream"));
    sim.advance(SECOND);
    assert!((9..=10).contains(&events(&one).len()), "{}", events(&one).len());
    // One message for all.
    assert_eq!(events(&one), events(&other));
    one.close();
    sim.advance(SECOND);
    assert!((19..=20).contains(&events(&other).len()));
    other.close();
    sim.advance(SECOND);
    assert_eq!((oneloop::metrics().timers, server.connections()), (quiet, 0));
}

#[test]
fn a_server_that_closes_is_not_held_up_by_those_who_look() {
    let record = Record::default();
    let (sim, server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    reader.on_close(|peer| peer.close());
    sim.advance(SECOND);
    let told = record.clone();
    server.close(move || told.add("closed"));
    sim.advance(SECOND);
    assert!(reader.is_closed() && reader.received().ends_with(b"0\r\n\r\n"));
    record.expect(&["closed"]);
}

#[test]
fn a_turn_that_held_the_loop_is_told_with_its_route_its_site_and_those_who_waited() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    let waiting: Vec<_> = (0..5).map(|_| sim.connect(PORT)).collect();
    sim.advance(SECOND);
    let before = events(&reader).len();
    let blocker = sim.connect(PORT);
    sim.settle();
    blocker.write(get("/block"));
    for peer in &waiting {
        let peer = peer.clone();
        sim.at(50 * MS, move || peer.write(get("/")));
    }
    sim.advance(SECOND);
    let told = events(&reader)[before..].concat();
    let held = told.split("\"held\":[{").nth(1).unwrap_or_else(|| panic!("nobody held the loop: {told}"));
    let held = held.split('}').next().unwrap();
    assert!(held.contains("\"l\":\"GET /block\"") && held.contains("\"d\":200000,"), "{held}");
    assert!(held.contains("support/http.rs:") || held.contains("tests/tools/devtools.rs:"), "{held}");
    assert!(held.contains("\"found\":5,\"waited\":200000"), "{held}");
    // Who looks later is told as well.
    let history = ask(&sim, local("/__loop/history?since=0")).text();
    assert!(history.contains(held), "{history}");
}

/// It has its turn in the pending phase, before the wait of the same iteration.
#[test]
fn who_waited_for_a_request_that_had_to_wait_itself_is_told_as_well() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    let waiting: Vec<_> = (0..3).map(|_| sim.connect(PORT)).collect();
    send(&sim, get("/soon") + &get("/block"));
    for peer in waiting {
        sim.at(60 * MS, move || peer.write(get("/")));
    }
    sim.advance(SECOND);
    let told = events(&reader).concat();
    let held = told.split("\"held\":[{").nth(1).and_then(|held| held.split('}').next()).unwrap();
    assert!(held.contains("\"p\":0,") && held.contains("\"l\":\"GET /block\""), "{held}");
    assert!(held.contains("\"found\":3,\"waited\":200000"), "{held}");
}

/// The numbers of iterations that a message tells, one by one and in groups.
fn told_iterations(message: &str) -> Vec<(u64, u64)> {
    let pieces = message.split("{\"n\":").skip(1).filter(|piece| piece.contains("\"w\":"));
    let number = |text: &str| text.split([',', '}']).next().unwrap().parse::<u64>().unwrap();
    let counted =
        |piece: &str| piece.split_once(",\"c\":").filter(|(before, _)| before.len() < 20).map_or(1, |(_, c)| number(c));
    pieces.map(|piece| (number(piece), counted(piece))).collect()
}

/// Makes so many iterations, each with an immediate that takes 10 µs.
fn iterate(left: u32) {
    if left > 0 {
        oneloop::set_immediate(move || {
            oneloop::sim::block(MS / 100);
            iterate(left - 1);
        });
    }
}

#[test]
fn a_busy_loop_is_told_in_groups_and_no_iteration_is_left_out() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    sim.advance(SECOND);
    reader.take();
    iterate(2000);
    sim.advance(200 * MS);
    let messages: Vec<String> = String::from_utf8(reader.take())
        .unwrap()
        .split('\n')
        .filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
        .collect();
    let mut next = None;
    let mut all = 0;
    for message in &messages {
        let told = told_iterations(message);
        assert!(told.len() <= 301 && message.len() < 64 * 1024, "{} pieces, {} bytes", told.len(), message.len());
        for (n, count) in told {
            assert_eq!(next.unwrap_or(n), n);
            next = Some(n + count);
            all += count;
        }
    }
    assert!(all >= 2000, "{all}");
}

#[test]
fn what_a_peer_sent_stays_a_text() {
    let (sim, _server) = mounted();
    send(&sim, "GET /%22'<script>\\ HTTP/1.1\r\nHost: a\r\n\r\n");
    let history = ask(&sim, local("/__loop/history"));
    assert_eq!(history.field("content-type"), Some("application/json"));
    assert!(!history.text().contains("\\ HTTP"), "{}", history.text());
}

#[test]
fn the_trace_is_for_download_and_has_what_was_recorded() {
    let (sim, _server) = mounted();
    send(&sim, get("/block"));
    let peer = send(&sim, local("/__loop/trace"));
    sim.advance(SECOND);
    let trace = only(&peer);
    assert!(trace.field("content-disposition").is_some_and(|how| how.starts_with("attachment")));
    assert!(trace.text().contains("GET /block") && trace.text().contains("\"ph\":\"X\""), "{}", trace.text());
}

/// The copy of an iteration with a turn takes an allocation at least: to copy all at once would take thousands.
#[test]
fn a_page_that_is_opened_does_not_have_the_loop_copy_all_at_once() {
    let (sim, _server) = mounted();
    iterate(5000);
    sim.settle();
    // The workers of a simulated world work on this thread, but not before their time has come.
    sim.set_worker_latency(SECOND);
    for path in ["/__loop/history", "/__loop/trace"] {
        let peer = sim.connect(PORT);
        peer.write(local(path));
        let iteration = || allocation_counter::measure(|| drop(oneloop::run_nowait())).count_total;
        let iterations: Vec<u64> = (0..100).map(|_| iteration()).collect();
        let (most, all) = (iterations.iter().max().unwrap(), iterations.iter().sum::<u64>());
        assert!(*most < 700 && all > 4000, "{path}: {most} of {all} allocations in one iteration");
        sim.advance(2 * SECOND);
        let reply = only(&peer);
        assert!(reply.status == 200 && reply.body.len() > 50_000, "{path}: {} bytes", reply.body.len());
    }
}

#[test]
fn what_a_busy_loop_did_between_two_messages_is_not_copied_all_at_once() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    sim.advance(SECOND);
    iterate(5000);
    sim.settle();
    reader.take();
    // The next message is due behind it.
    oneloop::set_immediate(|| oneloop::sim::block(100 * MS));
    let iteration = || allocation_counter::measure(|| drop(oneloop::run_nowait())).count_total;
    let iterations: Vec<u64> = (0..100).map(|_| iteration()).collect();
    let (most, all) = (iterations.iter().max().unwrap(), iterations.iter().sum::<u64>());
    assert!(*most < 1500 && all > 4000, "{most} of {all} allocations in one iteration");
    let told: u64 = events(&reader).iter().flat_map(|message| told_iterations(message)).map(|(_, count)| count).sum();
    assert!(told > 4000, "{told}");
}

/// The lengths of the queues that messages tell.
fn queues(messages: &[String]) -> Vec<Vec<u32>> {
    let told = messages.iter().flat_map(|message| {
        let of = |name| message.split(name).skip(1).filter_map(|rest| rest.split(']').next());
        of("\"q\":[").chain(of("\"queues\":[")).collect::<Vec<_>>()
    });
    told.map(|lengths| lengths.split(',').map(|length| length.parse().unwrap()).collect()).collect()
}

/// Each message waits in the ready list until it is sent.
#[test]
fn the_page_itself_is_not_counted_among_those_that_are_ready() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    sim.advance(SECOND);
    let idle = queues(&events(&reader));
    assert!(idle.len() >= 9 && idle.iter().all(|lengths| lengths[1] == 0), "{idle:?}");
    reader.take();
    send(&sim, get("/soon") + &get("/"));
    sim.advance(SECOND);
    let busy = queues(&events(&reader));
    assert!(busy.iter().any(|lengths| lengths[1] == 1), "{busy:?}");
}

#[test]
fn requests_of_the_page_are_not_counted_among_those_of_the_site() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    for _ in 0..3 {
        send(&sim, get("/"));
        ask(&sim, local("/__loop/words.js"));
    }
    sim.advance(SECOND);
    let numbers = ask(&sim, local("/__loop/metrics")).text();
    assert!(numbers.contains("\"requestsSoFar\":3,"), "{numbers}");
    assert!(numbers.contains("\"answering\":0,\"own\":2"), "{numbers}");
    drop(reader);
}

#[test]
fn connections_are_told_by_state_and_those_that_carry_the_page_apart() {
    let (sim, _server) = mounted();
    let _reader = send(&sim, local("/__loop/stream"));
    let _others = [send(&sim, get("/later")), send(&sim, get("/")), send(&sim, "GET / HTT"), send(&sim, "")];
    let numbers = ask(&sim, local("/__loop/metrics")).text();
    let states = "\"connections\":6,\"idle\":2,\"receiving\":1,\"answering\":1,\"own\":2,\"sending\":0,\
                  \"closing\":0,\"upgraded\":0";
    assert!(numbers.contains(states), "{numbers}");
}

/// What messages say of the time by source.
fn sources(messages: &[String]) -> Vec<String> {
    let told = messages.iter().flat_map(|message| message.split("\"f\":[").skip(1));
    told.map(|rest| rest.split(']').next().unwrap().to_owned()).collect()
}

#[test]
fn turns_that_are_not_told_one_by_one_are_told_by_source() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    let peers: Vec<_> = (0..50).map(|_| sim.connect(PORT)).collect();
    sim.advance(SECOND);
    reader.take();
    // Fifty turns in one iteration, of which forty are told one by one.
    peers.iter().for_each(|peer| peer.write(get("/short")));
    sim.advance(200 * MS);
    assert_eq!(sources(&events(&reader)), ["10000,0,0,0"]);
    reader.take();
    // The immediates make the longer iterations; those that take a worker's result are told in groups.
    sim.set_worker_latency(20 * MS);
    (0..8).for_each(|_| oneloop::worker::run(|| (), |_| oneloop::sim::block(MS / 1000)));
    iterate(1000);
    sim.advance(200 * MS);
    assert_eq!(sources(&events(&reader)), ["0,0,8,0"]);
}

#[test]
fn turns_of_the_page_are_marked_and_those_of_the_site_are_not() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    send(&sim, get("/"));
    sim.advance(SECOND);
    for iteration in oneloop::event_loop::recording(0).unwrap().iterations {
        for turn in iteration.turns.into_iter().filter(|turn| turn.kind != oneloop::event_loop::SourceKind::Listener) {
            let is_page = turn.label.contains("/__loop") || turn.phase != oneloop::event_loop::Phase::Poll;
            let is_known = !turn.label.is_empty() || turn.callbacks > 0 || turn.written > 0;
            assert!(!is_known || turn.own == is_page, "{turn:?}");
        }
    }
    drop(reader);
}

#[test]
fn who_reads_nothing_is_not_told_more_and_costs_no_memory() {
    let (sim, _server) = mounted();
    let reader = sim.connect(PORT);
    reader.pause_reading();
    reader.write(local("/__loop/stream"));
    // A target of 200 bytes in each message.
    let path = format!("/{}", "x".repeat(190));
    for _ in 0..300 {
        send(&sim, get(&path).repeat(50));
        sim.advance(100 * MS);
    }
    assert!(oneloop::metrics().largest_buffer < 2 << 20, "{}", oneloop::metrics().largest_buffer);
}

/// What the latest message that has them says of the requests, up to the end of the object.
fn requests(reader: &oneloop::sim::Peer) -> String {
    let messages = events(reader);
    let told = messages.iter().rev().find_map(|message| message.split_once("\"open\":"));
    told.unwrap_or_else(|| panic!("no message tells the requests: {messages:?}")).1.to_owned()
}

fn open_requests(reader: &oneloop::sim::Peer) -> String {
    requests(reader).split_once(",\"routes\":").unwrap().0.to_owned()
}

#[test]
fn requests_that_are_not_answered_are_told_the_oldest_first_and_without_those_of_the_page() {
    let (sim, _server) = mounted();
    let reader = send(&sim, local("/__loop/stream"));
    let old = send(&sim, get("/later?secret=1"));
    sim.advance(SECOND);
    let young = send(&sim, "DELETE http://a/later HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.advance(SECOND);
    reader.take();
    sim.advance(SECOND);
    let told = open_requests(&reader);
    let list = told.strip_prefix("{\"count\":2,\"oldest\":[").unwrap_or_else(|| panic!("{told}"));
    let (first, second) = list.split_once("},{").unwrap();
    assert!(first.starts_with("{\"m\":\"GET\",\"p\":\"/later\",\"a\":2"), "{told}");
    assert!(second.starts_with("\"m\":\"DELETE\",\"p\":\"/later\",\"a\":1"), "{told}");
    assert!(first.ends_with(&format!("\"r\":\"{}\"", old.local_addr())), "{told}");
    old.reset();
    young.reset();
    sim.advance(SECOND);
    assert_eq!(open_requests(&reader), "{\"count\":0,\"oldest\":[]}");
}

/// Targets are many, and the peers'; routes are few, and the program's: who is slow is seen by route.
#[cfg(feature = "app")]
#[test]
fn the_route_of_an_app_is_told_with_an_open_request_and_with_a_turn_that_held_the_loop() {
    let (sim, record) = (Sim::new(), Record::default());
    let mut app = oneloop::app::App::new();
    app.with(|_, _, next| next.run());
    app.get("/todos/:id", |_, res| {
        oneloop::sim::block(200 * MS);
        std::mem::forget(res);
    });
    app.get("/wait", |_, res| res.end("hi"));
    app.with_at("/guard", |_, _, next| std::mem::forget(next));
    let server = app.listen(PORT, ()).unwrap();
    devtools::mount(&server, "/__loop");
    let reader = send(&sim, local("/__loop/stream"));
    for path in ["/todos/7", "/wait", "/guard"] {
        send(&sim, get(path));
    }
    let open = server.open_exchanges();
    let routes =
        open.iter().filter(|open| open.path != "/__loop/stream").map(|open| (&*open.path, open.route.as_deref()));
    routes.for_each(|route| record.add(format!("{route:?}")));
    record.expect(&["(\"/todos/7\", Some(\"/todos/:id\"))", "(\"/guard\", None)"]);
    sim.advance(2 * SECOND);
    let told = open_requests(&reader);
    assert!(
        told.contains("\"p\":\"/todos/7\",\"rt\":\"/todos/:id\"") && told.contains("\"p\":\"/guard\",\"a\""),
        "{told}"
    );
    let messages = events(&reader).concat();
    assert!(messages.contains("\"l\":\"GET /todos/7\",\"rt\":\"/todos/:id\",\"a\""), "{messages}");
    let turns = recorded();
    let of = |label: &str| turns.iter().find(|turn| turn.label == label).map(|turn| &*turn.route);
    assert_eq!(["GET /todos/7", "GET /wait", "GET /guard"].map(of), [Some("/todos/:id"), Some("/wait"), Some("")]);
    let mut trace = Vec::new();
    oneloop::event_loop::trace::chrome(&oneloop::event_loop::recording(0).unwrap(), &mut trace).unwrap();
    assert!(String::from_utf8(trace).unwrap().contains(",\"route\":\"/todos/:id\"}"));
}

/// The turns that are recorded.
#[cfg(feature = "app")]
fn recorded() -> Vec<oneloop::event_loop::TurnRecord> {
    let recording = oneloop::event_loop::recording(0).unwrap();
    recording.iterations.into_iter().flat_map(|iteration| iteration.turns).collect()
}

#[test]
fn requests_are_told_once_a_second_and_soon_after_somebody_opens_the_page() {
    let (sim, _server) = mounted();
    let told =
        |reader: &oneloop::sim::Peer| events(reader).iter().filter(|message| message.contains("\"open\":")).count();
    for _ in 0..2 {
        let reader = send(&sim, local("/__loop/stream"));
        sim.advance(300 * MS);
        assert_eq!(told(&reader), 1);
        sim.advance(5 * SECOND);
        assert_eq!(told(&reader), 6);
        // Connections are looked at for the numbers too: not in the same turn.
        assert!(!events(&reader).iter().any(|all| all.contains("\"open\":") && all.contains("\"numbers\":")));
        reader.close();
        sim.advance(550 * MS);
    }
}

#[test]
fn of_many_open_requests_the_twenty_oldest_are_told_and_a_long_path_is_cut() {
    let (sim, server) = mounted();
    server.on_path("/x", |_, res| std::mem::forget(res));
    let reader = send(&sim, local("/__loop/stream"));
    let long = format!("/x/{}", "y".repeat(5000));
    for at in 0..30 {
        send(&sim, if at == 0 { get(&long) } else { get(&format!("/x/{at}")) });
        sim.advance(MS);
    }
    sim.advance(SECOND);
    let told = open_requests(&reader);
    let cut = format!("\"p\":\"{}…\",", &long[..200]);
    assert!(told.starts_with("{\"count\":30,") && told.contains(&cut), "{told}");
    let paths: Vec<_> = told.split("\"p\":\"").skip(2).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(paths, (1..20).map(|at| format!("/x/{at}")).collect::<Vec<_>>());
}

#[test]
fn a_hostile_target_of_an_open_request_stays_a_text() {
    let (sim, server) = mounted();
    server.on_path("/x", |_, res| std::mem::forget(res));
    let reader = send(&sim, local("/__loop/stream"));
    send(&sim, get("/x/\"}]}<img/src=x>\\'\\\"</script>?\"q"));
    sim.advance(SECOND);
    let told = open_requests(&reader);
    assert!(told.contains(r#""p":"/x/\"}]}<img/src=x>\\'\\\"</script>","a":"#), "{told}");
}

#[test]
fn routes_are_told_with_the_lines_that_registered_them() {
    let (sim, server) = serve(not_called);
    let line = line!();
    devtools::mount(&server, "/__loop");
    server.on_path("/\"<b>\\", not_called);
    let reader = send(&sim, local("/__loop/stream"));
    sim.advance(SECOND);
    let told = requests(&reader);
    let routes = told.split_once("\"routes\":").unwrap().1;
    let (file, mount, other) = (file!(), line + 1, line + 2);
    let ours = format!(r#"[["/__loop","{file}:{mount}:5"],["/\"<b>\\","{file}:{other}:12"],["","#);
    assert!(routes.starts_with(&ours), "{ours} {routes}");
    assert!(routes.contains("support/http.rs:") && routes.ends_with("\"]]}"), "{routes}");
}

#[test]
fn a_page_at_the_root_tells_the_requests_of_longer_paths() {
    let (sim, server) = serve(not_called);
    devtools::mount(&server, "/");
    server.on_path("/site", |_, res| std::mem::forget(res));
    let reader = send(&sim, local("/stream"));
    send(&sim, get("/site/a"));
    sim.advance(SECOND);
    assert!(open_requests(&reader).starts_with(r#"{"count":1,"oldest":[{"m":"GET","p":"/site/a","#));
}

/// The rates are over the last second, by endpoint; a published message is counted for each subscriber.
#[test]
fn websockets_are_told_by_endpoint_with_their_messages_a_second() {
    let (sim, server) = mounted();
    let metrics = || ask(&sim, local("/__loop/metrics")).text();
    assert!(metrics().contains("\"endpoints\":0,\"sockets\":[]"), "{}", metrics());
    let (chat, own) = (ws::mount(&server, "/chat"), ws::Endpoint::new());
    chat.on_open(|socket, _| assert!(socket.subscribe("room")));
    let all = chat.clone();
    chat.on_message(move |_, message| {
        all.publish("room", message);
    });
    let clients = [sim.websocket("/chat"), sim.websocket("/chat")];
    sim.advance(2 * SECOND);
    metrics();
    for _ in 0..10 {
        clients[0].send_text("hi");
        sim.advance(100 * MS);
    }
    let told = metrics();
    let zero = "{\"name\":\"\",\"open\":0,\"in\":0.0,\"out\":0.0,\"received\":0,\"sent\":0,\"accepted\":0}";
    let busy = "{\"name\":\"/chat\",\"open\":2,\"in\":9.1,\"out\":18.2,\"received\":10,\"sent\":20,\"accepted\":2}";
    assert!(told.contains(&format!("\"endpoints\":2,\"sockets\":[{busy},{zero}]")), "{told}");
    assert!(told.contains("\"upgraded\":2,"), "{told}");
    own.set_name("\"</script>");
    let reader = send(&sim, local("/__loop/stream"));
    sim.advance(SECOND);
    let escaped = r#"{"name":"\"</script>","open":0"#;
    assert!(events(&reader).iter().any(|message| message.contains(escaped)), "{:?}", events(&reader));
}
