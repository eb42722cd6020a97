//! Micro-benchmarks of the parts: a request's head, a response's head, both together as an exchange in memory, sockets in
//! memory, the largest requests that `app` reads by default, timers, ticks and immediates.
//!
//! They run on one thread, without sockets, and show which part a change has affected. They do not add up to a server: in a
//! server the kernel takes most of the time, and shares the caches. For that, see the `throughput` bench.

use criterion::{BatchSize, Criterion, Throughput};
use oneloop::app::{self, App, Form};
use oneloop::proto::h1::{
    self, Encoding, Framing, HeadLimits, IncomingRequest, OutgoingResponse, Parsed, RequestInfo, RequestParser,
};
use oneloop::sim::Sim;
use oneloop::{http, net};
use oneloop_benches::traffic::{BODY, Case};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Timers, ticks and immediates are measured in flocks of this many, so that the cost of one can be told from that of the
/// loop's iteration around them (which waits on the operating system once).
const FLOCK: u64 = 1_000;
/// Longer than the timers of a flock run, so that all are due.
const DUE: Duration = Duration::from_millis(2);
const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// One request of a case of the throughput bench.
fn request(case: &str) -> Vec<u8> {
    Case::named(case).map(|case| case.batch(7777)).unwrap_or_default()
}

fn parse(bytes: &[u8], parser: &mut RequestParser, head: &mut IncomingRequest) -> usize {
    match parser.parse(bytes, &HeadLimits::default(), head) {
        Ok(Parsed::Complete { len }) => len,
        other => panic!("the requests here are whole and good: {other:?}"),
    }
}

fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, case) in [("host only", "ka64"), ("eight browser fields", "browser")] {
        let bytes = request(case);
        let (mut parser, mut head) = (RequestParser::default(), IncomingRequest::new());
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&bytes), &mut parser, &mut head)));
    }
    // The slow path: the cost of a peer that sends a byte at a time.
    let bytes = request("browser");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("eight browser fields, a byte at a time", |bencher| {
        let (mut parser, mut head) = (RequestParser::default(), IncomingRequest::new());
        bencher.iter(|| {
            for end in 1..bytes.len() {
                let parsed = parser.parse(black_box(&bytes[..end]), &HeadLimits::default(), &mut head);
                assert_eq!(parsed, Ok(Parsed::Partial));
            }
            parse(&bytes, &mut parser, &mut head)
        });
    });
    group.finish();
}

/// The head that `hello` answers with: one field of its own, the Date and the length.
fn compose(head: &mut OutgoingResponse, out: &mut Vec<u8>, framing: Framing) {
    head.encode(out, &Encoding { framing, date: Some(DATE), ..Encoding::default() });
    out.extend_from_slice(BODY.as_bytes());
}

fn set_hello(head: &mut OutgoingResponse) {
    head.clear();
    let set = head.set("Content-Type", "text/plain; charset=utf-8");
    assert!(set.is_ok());
}

fn responses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("response");
    let mut out = Vec::with_capacity(4096);
    let mut head = OutgoingResponse::new();
    set_hello(&mut head);
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            compose(black_box(&mut head), &mut out, Framing::Length(BODY.len() as u64));
            out.len()
        });
    });
    group.bench_function("set a field", |bencher| bencher.iter(|| set_hello(black_box(&mut head))));
    group.finish();
}

/// From the bytes of requests to the bytes of their answers, without loop, callbacks and sockets.
fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec exchange");
    for (name, case, requests) in [("one", "ka64", 1), ("browser", "browser", 1), ("16 pipelined", "pipe16", 16)] {
        let bytes = request(case);
        let (mut parser, mut head, mut response) =
            (RequestParser::default(), IncomingRequest::new(), OutgoingResponse::new());
        let mut out = Vec::with_capacity(16 * 1024);
        group.throughput(Throughput::Elements(requests));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut rest = black_box(&bytes[..]);
                while !rest.is_empty() {
                    rest = &rest[parse(rest, &mut parser, &mut head)..];
                    set_hello(&mut response);
                    let plan = h1::response_framing(&RequestInfo::from(&head), &response, Some(BODY.len() as u64));
                    let framing = plan.map(|plan| plan.framing).unwrap_or_default();
                    compose(&mut response, &mut out, framing);
                }
                out.len()
            });
        });
    }
    group.finish();
}

/// A whole exchange of a server, with callbacks and keep-alive, over sockets in memory. It includes the cost of `socket in
/// memory/echo`.
fn served(criterion: &mut Criterion) {
    let sim = Sim::new();
    let server = http::create_server(|_, response| {
        response.set_header("Content-Type", "text/plain; charset=utf-8");
        response.end(BODY);
    });
    let listens = server.listen(80, || {});
    assert!(listens.is_ok(), "{listens:?}");
    let peer = sim.connect(80);
    sim.settle();
    let mut group = criterion.benchmark_group("exchange in memory");
    for (name, case, requests) in [("one", "ka64", 1), ("browser", "browser", 1), ("16 pipelined", "pipe16", 16)] {
        let bytes = request(case);
        group.throughput(Throughput::Elements(requests));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                peer.write(&bytes);
                sim.settle();
                let answers = peer.take();
                assert!(answers.ends_with(BODY.as_bytes()));
                answers.len()
            });
        });
    }
    group.finish();
    peer.close();
    server.close(|| {});
    sim.settle();
}

/// Requests to `app` that are as large as its default limits let them be, over sockets in memory. What is parsed is parsed on the
/// loop: nobody else is served for so long, which is to be less than a millisecond.
fn largest(criterion: &mut Criterion) {
    let sim = Sim::new();
    let json = app::json(|_, res, values: Vec<serde_json::Value>| res.end(values.len().to_string()));
    let form = app::form(|_, res, form: Form| res.end(form.pairs().count().to_string()));
    let upload = app::multipart(|_, res, upload| res.end(upload.form().pairs().count().to_string()));
    let mut app = App::new();
    app.post("/json", json).post("/form", form).post("/upload", upload);
    app.get("/query", |req, res| res.end(req.query_pairs().count().to_string()));
    app.get("/cookie", |req, res| res.end(req.cookie("last").map_or(0, |value| value.len()).to_string()));
    let server = app.listen(80, ());
    assert!(server.is_ok(), "{server:?}");
    let peer = sim.connect(80);
    sim.settle();

    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let post = |target: &str, media_type: &str, body: String| {
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let value = r#"{"id":12345,"title":"water the plants","tags":["a","b"],"done":false},"#;
    let json = format!("[{}0]", value.repeat(100 * 1024 / value.len() - 1));
    let form = vec!["title=water%20the%20plants+at+noon&note=%c3%bcber"; 500].join("&");
    let part = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nwater the plants\r\n";
    let mut group = criterion.benchmark_group("largest by default");
    for (name, bytes) in [
        ("JSON, 100 KiB", post("/json", "application/json", json)),
        ("form, 1,000 fields", post("/form", "application/x-www-form-urlencoded", form)),
        ("multipart, 100 fields", post("/upload", "multipart/form-data; boundary=b", part.repeat(100) + "--b--\r\n")),
        ("query, 15 KiB", get(&format!("/query?{}", vec!["tag=red%20and+green"; 750].join("&")), "")),
        ("cookies, 15 KiB", get("/cookie", &format!("Cookie: {}last=1\r\n", "theme=dark%20green; ".repeat(750)))),
    ] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                peer.write(&bytes);
                sim.settle();
                let answer = peer.take();
                assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
            });
        });
    }
    group.finish();
    peer.close();
}

/// A message there and back through the loop and a socket in memory: everything between the codec and the kernel. It
/// includes the work of the simulated world itself.
fn sockets(criterion: &mut Criterion) {
    let sim = Sim::new();
    let server = net::create_server(|socket| {
        socket.on_data(|socket, bytes| {
            let _ = socket.write(bytes);
        });
    });
    let listens = server.listen(7, || {});
    assert!(listens.is_ok(), "{listens:?}");
    let peer = sim.connect(7);
    sim.settle();
    criterion.bench_function("socket in memory/echo 64 bytes", |bencher| {
        bencher.iter(|| {
            peer.write([b'x'; 64]);
            sim.settle();
            assert_eq!(peer.take().len(), 64);
        });
    });
    peer.close();
    server.close(|| {});
    sim.settle();
}

/// Runs one iteration of this thread's loop, which does not wait.
fn iterate() {
    let iterated = oneloop::run_nowait();
    assert!(iterated.is_ok(), "{iterated:?}");
}

fn timers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timers");
    group.throughput(Throughput::Elements(FLOCK));
    let far = Duration::from_secs(3600);
    group.bench_function("arm and clear", |bencher| {
        bencher.iter(|| (0..FLOCK).for_each(|_| oneloop::set_timeout(far, || {}).clear()));
    });
    group.bench_function("refresh", |bencher| {
        let timer = oneloop::set_timeout(far, || {});
        bencher.iter(|| (0..FLOCK).for_each(|_| timer.refresh()));
        timer.clear();
    });
    group.bench_function("arm among 10,000 others, then clear", |bencher| {
        let others: Vec<_> =
            (1..=10_000).map(|n| oneloop::set_timeout(far + Duration::from_micros(n), || {})).collect();
        bencher.iter(|| (0..FLOCK).for_each(|_| oneloop::set_timeout(far, || {}).clear()));
        others.iter().for_each(oneloop::Timeout::clear);
    });
    group.bench_function("fire", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                (0..FLOCK).for_each(|_| drop(oneloop::set_timeout(Duration::ZERO, || {})));
                thread::sleep(DUE);
                let begun = Instant::now();
                iterate();
                spent += begun.elapsed();
            }
            spent
        });
    });
    group.finish();
}

fn queues(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queues");
    group.throughput(Throughput::Elements(FLOCK));
    // Ticks run before the first iteration; an immediate runs in the check phase of one.
    group.bench_function("next_tick", |bencher| {
        bencher.iter_batched(
            || (0..FLOCK).for_each(|_| oneloop::next_tick(|| {})),
            |()| iterate(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("next_tick, with arming", |bencher| {
        bencher.iter(|| {
            (0..FLOCK).for_each(|_| oneloop::next_tick(|| {}));
            iterate();
        });
    });
    group.bench_function("set_immediate, with arming", |bencher| {
        bencher.iter(|| {
            (0..FLOCK).for_each(|_| drop(oneloop::set_immediate(|| {})));
            iterate();
        });
    });
    // An iteration with nothing to do. It is part of each flock's time above.
    group.throughput(Throughput::Elements(1));
    group.bench_function("idle iteration", |bencher| bencher.iter(iterate));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for group in [heads, responses, exchanges, sockets, served, largest, timers, queues] {
        group(&mut criterion);
    }
    criterion.final_summary();
}
