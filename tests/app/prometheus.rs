//! The page for Prometheus: what it counts, that no client can make it grow, and who may read it.

use crate::support::http::*;
use crate::support::websocket::text;
use oneloop::app::{App, Prometheus};
use oneloop::http::{Request, Response, Server};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::{self, Sim};
use oneloop::ws;
use std::collections::BTreeMap;

fn started() -> (Sim, Server, Prometheus) {
    let sim = Sim::new();
    let prometheus = Prometheus::new();
    let mut app = App::new();
    app.with(|req, res, next| match req.path() {
        "/forbidden" => res.set_status(403).end("no"),
        _ => next.run(),
    });
    app.get("/metrics", prometheus.handler());
    app.get("/todos/:id", |_: Request, res: Response| res.end("todo"));
    app.post("/todos", |_: Request, res: Response| res.set_status(201).end(()));
    app.get("/slow", |_: Request, res: Response| drop(set_timeout(300 * MS, move || res.end("slow"))));
    app.get("/kept", |_: Request, res: Response| std::mem::forget(res));
    let server = app.listen(PORT, ()).unwrap();
    prometheus.watch(&server);
    (sim, server, prometheus)
}

/// The samples of a page, by name with labels. The page must be well formed: a type and a help for each name, no sample twice.
#[track_caller]
fn samples(page: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped = "";
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split_once(' ').expect("a name and words").0;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a type");
            assert!(name == helped && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and a value");
            let name = sample.split('{').next().unwrap();
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let kind = types.get(of).or(types.get(name)).unwrap_or_else(|| panic!("no type: {line}"));
            assert!(*kind != "counter" || name.ends_with("_total"), "{line}");
            assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
        }
    }
    assert!(page.ends_with('\n'));
    samples
}

/// Those that count requests, as `METHOD route class`.
#[track_caller]
fn requests(page: &str) -> Vec<(String, f64)> {
    let of = |sample: &str| -> Option<String> {
        let labels = sample.strip_prefix("http_requests_total{method=\"")?.strip_suffix("\"}")?;
        Some(labels.replace("\",route=\"", " ").replace("\",status=\"", " "))
    };
    samples(page).iter().filter_map(|(sample, value)| Some((of(sample)?, *value))).collect()
}

#[test]
fn requests_are_counted_by_the_pattern_of_their_route_method_and_class_of_status() {
    let (sim, server, prometheus) = started();
    let mut gone = Vec::new();
    for path in ["/todos/1", "/todos/2?x=3", "/nowhere", "/forbidden", "/slow", "/kept"] {
        gone.push(send(&sim, get(path)));
        sim.advance(SECOND);
    }
    send(&sim, post("/todos", ""));
    send(&sim, post("/todos/1", ""));
    send(&sim, "REPORT /todos/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    gone.pop().unwrap().reset();
    sim.settle();
    let page = prometheus.text();
    let counted = requests(&page);
    let expected = [
        ("GET /kept none", 1.0),
        ("GET /slow 2xx", 1.0),
        ("GET /todos/:id 2xx", 2.0),
        ("GET unmatched 4xx", 2.0),
        ("POST /todos 2xx", 1.0),
        ("POST unmatched 4xx", 1.0),
        ("other unmatched 4xx", 1.0),
    ];
    assert_eq!(counted, expected.map(|(name, count)| (name.to_owned(), count)), "{page}");
    let sent = samples(&page)["http_response_content_bytes_total"];
    assert!(sent > "todotodonoslow".len() as f64, "{sent}: these, and the pages of the errors");
    drop(server);
}

#[test]
fn durations_are_in_buckets_that_add_up() {
    let (sim, _server, prometheus) = started();
    for path in ["/todos/1", "/todos/1", "/slow"] {
        send(&sim, get(path));
        sim.advance(SECOND);
    }
    let samples = samples(&prometheus.text());
    let of = |part: &str, route: &str, le: &str| {
        samples[&format!("http_request_duration_seconds_{part}{{route=\"{route}\",status=\"2xx\"{le}}}")]
    };
    assert_eq!(of("bucket", "/slow", ",le=\"0.25\""), 0.0);
    assert_eq!(of("bucket", "/slow", ",le=\"0.5\""), 1.0);
    assert_eq!(of("bucket", "/slow", ",le=\"+Inf\""), 1.0);
    assert_eq!((of("sum", "/slow", ""), of("count", "/slow", "")), (0.3, 1.0));
    assert_eq!(of("bucket", "/todos/:id", ",le=\"0.0005\""), 2.0);
    assert_eq!((of("sum", "/todos/:id", ""), of("count", "/todos/:id", "")), (0.0, 2.0));
}

#[test]
fn websockets_are_counted_by_endpoint_and_an_upgrade_is_no_missing_answer() {
    let (sim, server, prometheus) = started();
    assert!(!prometheus.text().contains("websocket"), "a program without WebSockets has lines about them");
    let chat = ws::mount(&server, "/chat");
    let sockets: Kept<ws::WebSocket> = Kept::default();
    let keep: Kept<ws::WebSocket> = sockets.clone();
    chat.on_open(move |socket, _| keep.put(socket.clone())).on_message(|socket, message| socket.send(message).ignore());
    let _unnamed = ws::Endpoint::new();
    let client = sim.websocket("/chat");
    client.write([text("one"), text("two")].concat());
    sim.request("GET", "/chat").handshake().header("Origin", "http://elsewhere").send().expect(403);
    sim.settle();
    sockets.take().subscribe("t");
    chat.publish_or_skip("t", "three");
    let page = samples(&prometheus.text());
    for (sample, value) in [
        ("websockets{endpoint=\"/chat\"}", 1.0),
        ("websockets{endpoint=\"other\"}", 0.0),
        ("websocket_messages_total{endpoint=\"/chat\",direction=\"received\"}", 2.0),
        ("websocket_messages_total{endpoint=\"/chat\",direction=\"sent\"}", 3.0),
        ("websocket_messages_total{endpoint=\"/chat\",direction=\"skipped\"}", 0.0),
        ("websocket_handshakes_total{endpoint=\"/chat\",result=\"accepted\"}", 1.0),
        ("websocket_handshakes_total{endpoint=\"/chat\",result=\"refused\"}", 1.0),
        ("http_requests_total{method=\"GET\",route=\"unmatched\",status=\"1xx\"}", 1.0),
        ("http_connections{state=\"upgraded\"}", 1.0),
    ] {
        assert_eq!(page.get(sample), Some(&value), "{sample}");
    }
}

/// Scanners ask for thousands of paths, by whatever methods they think of (400,000 series in artifact-keeper#2220).
#[test]
fn no_client_makes_a_series_of_its_own() {
    let (sim, _server, prometheus) = started();
    let series = |prometheus: &Prometheus| samples(&prometheus.text()).len();
    let scan = |names: std::ops::Range<u32>| {
        let peer = sim.connect(PORT);
        for name in names {
            peer.write(get(&format!("/{name}")) + &get(&format!("/todos/{name}")));
            peer.write(format!("M{name} /todos/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        sim.advance(SECOND);
        peer.close();
        sim.settle();
    };
    scan(0..1);
    let before = series(&prometheus);
    scan(1..500);
    assert_eq!(series(&prometheus), before);
}

#[test]
fn a_program_with_too_many_routes_has_the_rest_in_one_series() {
    let sim = Sim::new();
    let prometheus = Prometheus::new();
    let mut app = App::new();
    for number in 0..1_003 {
        app.get(&format!("/route{number}"), |_: Request, res: Response| res.end("here"));
    }
    let server = app.listen(PORT, ()).unwrap();
    prometheus.watch(&server);
    for number in 0..1_003 {
        send(&sim, get(&format!("/route{number}"))).close();
    }
    let counted = requests(&prometheus.text());
    assert_eq!(counted.len(), 1_001);
    assert_eq!(counted.iter().find(|(name, _)| name == "GET other 2xx").unwrap().1, 3.0);
}

#[test]
fn the_loop_and_the_connections_are_on_the_page() {
    let (sim, server, prometheus) = started();
    sim.set_known_fd_limit(Some(1_000));
    let _slow = send(&sim, get("/slow"));
    let _idle = sim.connect(PORT);
    send(&sim, "nonsense\r\n\r\n").close();
    oneloop::set_immediate(|| sim::block(30 * MS));
    sim.settle();
    let page = prometheus.text();
    let samples = samples(&page);
    let expected = [
        ("http_connections{state=\"answering\"}", 1.0),
        ("http_connections{state=\"idle\"}", 1.0),
        ("http_refused_total", 1.0),
        ("http_shed_total", 0.0),
        ("oneloop_connections", 2.0),
        ("oneloop_descriptors{of=\"connections\"}", 2.0),
        ("oneloop_descriptors{of=\"files\"}", 0.0),
        ("oneloop_descriptors_limit", 1_000.0),
        ("oneloop_listeners", 1.0),
        ("oneloop_active_seconds_total", 0.03),
        ("oneloop_delay_seconds_sum", 0.03),
        ("oneloop_timers", 1.0),
        ("oneloop_jobs", 0.0),
        ("oneloop_buffered_bytes", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name}\n{page}");
    }
    let (short, all) = ("oneloop_delay_seconds_bucket{le=\"0.025\"}", "oneloop_delay_seconds_bucket{le=\"+Inf\"}");
    assert_eq!(samples[all] - samples[short], 1.0, "one iteration took 30 ms");
    assert_eq!(samples[&format!("oneloop_closes_total{{reason=\"{}\"}}", CloseReason::BadMessage)], 1.0);
    server.close(());
    sim.run_to_rest();
    assert!(prometheus.text().contains("http_connections{state=\"idle\"} 0\n"), "a closed server is let go");
}

#[test]
fn only_this_machine_may_read_it_unless_the_program_says_otherwise() {
    let (sim, server, prometheus) = started();
    let ask = |path: &str, fields: &str| only(&send(&sim, format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n")));
    let page = ask("/metrics", "Host: localhost");
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    samples(&page.text());
    assert_eq!(ask("/metrics", "Host: example.com").status, 403);
    assert_eq!(ask("/metrics", "Host: localhost\r\nX-Forwarded-For: 10.0.0.1").status, 403);
    let from_elsewhere = sim.connect_from("10.0.0.7:0".parse().unwrap(), PORT);
    from_elsewhere.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    sim.settle();
    assert_eq!(only(&from_elsewhere).status, 403);
    server.on_path("/open", prometheus.handler_for(|_| true));
    assert_eq!(ask("/open", "Host: example.com").status, 200);
}
