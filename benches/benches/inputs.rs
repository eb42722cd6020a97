//! How long the loop is held up by the largest inputs that the default limits let in, each made of what costs its reader most.
//!
//!     cargo bench -p oneloop-benches --bench inputs
//!
//! Of what a handler asks for, the time is that of the call; of a body, that of the whole request in a simulated world, so that its
//! reader takes less. Each is the least of several tries.

use oneloop::app::{self, App, Form, Trust};
use oneloop::http::{Request, Response};
use oneloop::tester::Tester;
use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};
thread_local!(static SPENT: Cell<Duration> = const { Cell::new(Duration::MAX) });
fn timed(app: &mut App, path: &str, f: impl Fn(&Request) + 'static) {
    app.get(path, move |req: Request, res: Response| {
        let began = Instant::now();
        f(&req);
        let t = began.elapsed();
        SPENT.with(|s| s.set(s.get().min(t)));
        res.end("x");
    });
}
fn make() -> App {
    let mut app = App::new();
    app.trust(Trust::loopback());
    timed(&mut app, "/cookies", |req| {
        black_box(req.cookies().count());
    });
    timed(&mut app, "/cookie", |req| {
        black_box(req.cookie("none"));
    });
    timed(&mut app, "/accepts", |req| {
        black_box(req.accepts(&["json", "html", "text/plain", "image/png"]));
    });
    timed(&mut app, "/languages", |req| {
        black_box(req.accepts_languages(&["de", "en", "fr", "zh-Hant"]));
    });
    timed(&mut app, "/encodings", |req| {
        black_box(req.accepts_encodings(&["gzip", "br", "identity"]));
    });
    timed(&mut app, "/range", |req| {
        black_box(req.range(1_000_000));
    });
    timed(&mut app, "/is", |req| {
        black_box(req.is("json"));
    });
    timed(&mut app, "/ips", |req| {
        black_box(req.ips());
    });
    timed(&mut app, "/pairs", |req| {
        black_box(req.query_pairs().count());
    });
    timed(&mut app, "/get", |req| {
        black_box(req.query_get("none"));
    });
    timed(&mut app, "/query_as", |req| {
        black_box(req.query_as::<std::collections::BTreeMap<String, String>>().is_ok());
    });
    app.get("/fresh", |req: Request, res: Response| {
        res.etag_from(b"abc");
        let began = Instant::now();
        black_box(req.is_fresh());
        let t = began.elapsed();
        SPENT.with(|s| s.set(s.get().min(t)));
        res.end("x");
    });
    app.post(
        "/json",
        app::json(|_req, res, v: serde_json::Value| {
            drop(black_box(v));
            res.end("x")
        }),
    );
    app.post(
        "/form",
        app::form(|_req, res, f: Form| {
            black_box(f.get("none"));
            res.end("x")
        }),
    );
    app.post(
        "/text",
        app::text(|_req, res, t: String| {
            black_box(t.len());
            res.end("x")
        }),
    );
    app.post(
        "/raw",
        app::raw(|_req, res, t: Vec<u8>| {
            black_box(t.len());
            res.end("x")
        }),
    );
    app
}
fn main() {
    // `cargo test` runs it as well.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let test = Tester::new(make);
    let fill = |unit: &str, bytes: usize| unit.repeat(bytes / unit.len());
    let n = 14_000;
    for (path, field, unit) in [
        ("/cookies", "Cookie", "a=b; "),
        ("/cookie", "Cookie", "a=%41; "),
        ("/cookie", "Cookie", "a;"),
        ("/accepts", "Accept", "a/b;q=0.1,"),
        ("/accepts", "Accept", "*/*,"),
        ("/accepts", "Accept", "a/b;c=d;q=1,"),
        ("/accepts", "Accept", ","),
        ("/languages", "Accept-Language", "a,"),
        ("/languages", "Accept-Language", "zh-Hant-TW;q=0.5,"),
        ("/encodings", "Accept-Encoding", "a,"),
        ("/range", "Range", "0-1,"),
        ("/is", "Content-Type", "a/b;c=d;"),
        ("/ips", "X-Forwarded-For", "127.0.0.1,"),
        ("/ips", "X-Forwarded-For", "::1,"),
        ("/fresh", "If-None-Match", "\"a\","),
        ("/fresh", "If-None-Match", "W/\"abc\", "),
    ] {
        SPENT.with(|s| s.set(Duration::MAX));
        let value = if field == "Range" { format!("bytes={}", fill(unit, n)) } else { fill(unit, n) };
        let value = value.trim_end().to_owned();
        let mut status = 0;
        for _ in 0..30 {
            status = test.get(path).header(field, &value).send().status();
        }
        println!("{path:12} {field:18} {unit:20} {status} {:8.1} us", SPENT.with(|s| s.get()).as_nanos() as f64 / 1e3);
    }
    for (path, unit) in
        [("/pairs", "a&"), ("/get", "a=%41&"), ("/query_as", "a=b&"), ("/query_as", "%41&"), ("/pairs", "&")]
    {
        SPENT.with(|s| s.set(Duration::MAX));
        let mut status = 0;
        for _ in 0..30 {
            status = test.get(&format!("{path}?{}", fill(unit, 7_500))).send().status();
        }
        println!("{path:12} query {unit:20} {status} {:8.1} us", SPENT.with(|s| s.get()).as_nanos() as f64 / 1e3);
    }
    let k = 100 * 1024 - 100;
    let arr = |unit: &str| format!("[{}0]", fill(unit, k));
    let bodies: Vec<(&str, &str, &str, String)> = vec![
        ("/text", "text/plain", "100 KiB", fill("a", k)),
        ("/raw", "application/octet-stream", "1 MiB", fill("a", 1024 * 1024)),
        ("/text", "text/plain", "1 MiB", fill("ä", 1024 * 1024)),
        ("/json", "application/json", "[0,0,…", arr("0,")),
        ("/json", "application/json", "[[],[],…", arr("[],")),
        ("/json", "application/json", "[{},…", arr("{},")),
        ("/json", "application/json", "[\"\",…", arr("\"\",")),
        ("/json", "application/json", "[{\"a\":0},…", arr("{\"a\":0},")),
        ("/json", "application/json", "[1.5e-9,…", arr("1.2345678901234567e-9,")),
        (
            "/json",
            "application/json",
            "{\"0\":0,…",
            format!("{{{}\"x\":0}}", (0..).map(|i| format!("\"{i}\":0,")).take(9_000).collect::<String>()),
        ),
        ("/json", "application/json", "\"\\u0041…\"", format!("\"{}\"", fill("\\u0041", k))),
        ("/form", "application/x-www-form-urlencoded", "1,000 pairs", fill("a=%41&", 5_994)),
        ("/form", "application/x-www-form-urlencoded", "a=%41%41…", format!("a={}", fill("%41", k))),
        ("/form", "application/x-www-form-urlencoded", "&&&…", fill("&", k)),
        ("/form", "application/x-www-form-urlencoded", "too many", fill("a&", k)),
    ];
    for (path, kind, what, body) in &bodies {
        let (mut least, mut status) = (Duration::MAX, 0);
        for _ in 0..20 {
            let began = Instant::now();
            status = test.post(path).header("Content-Type", kind).body(body.clone()).send().status();
            least = least.min(began.elapsed());
        }
        println!("{path:8} {what:14} {:8} bytes {status} {:8.1} us in all", body.len(), least.as_nanos() as f64 / 1e3);
    }
}
