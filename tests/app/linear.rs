//! No field, path, query or form that the limits let in takes more time than its bytes: readers go over them once.

use crate::support::http::*;
use oneloop::app::{
    self, AccessLog, App, Cors, Form, Format, Rate, Trust, cors, rate_limit, request_id, same_origin_or,
};
use oneloop::http::{Request, Response};
use oneloop::sim::Sim;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The longer input has so many times the bytes of the shorter one. A reader that is quadratic takes 256 times as long.
const TIMES: usize = 16;
/// More than this is not linear, whatever the machine does meanwhile.
const MOST: u32 = 40;
/// A pair of inputs takes some 20 ms, so this is a hundred tries of what is linear.
const PATIENCE: Duration = Duration::from_secs(2);

/// An app in which each part of a request is read in each way there is.
fn world() -> Sim {
    let sim = Sim::new();
    let mut app = App::new();
    app.trust(Trust::networks(["0.0.0.0/0", "::/0"]).unwrap());
    app.with(cors(Cors::check(|origin| origin.ends_with("/none"))));
    app.with(request_id());
    app.with(same_origin_or(|origin| origin.ends_with("/none")));
    app.with(rate_limit(Rate::per_second(u32::MAX)));
    app.post("/form", app::form(|_, res, form: Form| res.end(form.pairs().count().to_string())));
    app.post("/text", app::text(|_, res, text| res.end(text.len().to_string())));
    app.post("/files", app::multipart(|_, res, upload| res.end(upload.files().len().to_string())));
    // Several parameters in a segment: what regular expressions take polynomial time for (CVE-2024-45296, CVE-2024-45813).
    app.get("/shapes/:a-:b-:c-:d.:e", read).get("/shapes/:a-:b", read).get("/shapes/:a{.:b}{-:c}{.:d}/end", read);
    app.get("/*rest", read);
    let server = app.server().unwrap();
    AccessLog::new(Format::Combined).to_callback(|line| _ = black_box(line.len())).attach(&server);
    server.listen(PORT, ()).unwrap();
    sim
}

fn read(req: Request, res: Response) {
    black_box((req.cookies().count(), req.cookie("none").is_some(), req.is("json"), req.is("text/*")));
    black_box((req.accepts(&["json", "text/html", "png"]), req.accepts_charsets(&["utf-8"])));
    black_box((req.accepts_encodings(&["gzip", "identity"]), req.accepts_languages(&["en-GB", "fr"])));
    black_box((req.ips().len(), req.protocol(), req.host().map(|host| host.len()), req.subdomains().len()));
    black_box((req.query_pairs().count(), req.query_all("none").count(), req.wildcard("rest").count()));
    black_box((req.params().len(), req.bearer().is_some(), req.back_or("/").len()));
    res.set_header("ETag", "\"none\"").set_header("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT");
    black_box((req.is_fresh(), req.preconditions_hold(), req.range(1000)));
    res.end(());
}

/// Fields, what their values begin with, and what is repeated in them.
const FIELDS: &[(&str, &str, &[&str])] = &[
    ("Cookie", "", &["a=b;", "a=%41", "=", ";", "a \t", "%", "\""]),
    ("Accept", "", &["a/b;q=0.1,", "*/*,", "a/b;c=d;", ",", " \t", "a/b;c=\"\\\"", "\"", "/", ";", "\\"]),
    ("Accept-Language", "", &["en-", "a,", "*,", "a;q=0.001,", " "]),
    ("Accept-Encoding", "", &["gzip;q=0,", ",", "a", ";q=", " "]),
    ("Accept-Charset", "", &["utf-8,", "a;", "\""]),
    ("Content-Type", "a/b", &[";a=b", ";", " \t", ";a=\"\\\"", "\"", "+"]),
    ("Range", "bytes=", &["1-2,", "-", "1", " ,", "0"]),
    ("If-None-Match", "", &["\"a\",", "W/", " ", ",", "\"", "\"a\" "]),
    ("If-Match", "", &["\"a\",", "W/\"a\",", "\""]),
    ("If-Range", "", &["\"", "W/", "Sat, "]),
    ("If-Modified-Since", "", &["Sat, 01 Jan 2000 ", "0", " "]),
    // koa 5054af6: blanks around commas were looked for by a regular expression.
    ("X-Forwarded-For", "", &["1.1.1.1,", "1.1.1.1 \t, ", ",", " ", "::", "a"]),
    ("X-Forwarded-Proto", "", &["https,", " ,", "s"]),
    ("X-Forwarded-Host", "", &["a.b,", "a.", ":", "@"]),
    ("X-Request-Id", "", &["a", "-"]),
    ("Referer", "http://a/", &["/", "@", "\\", "%", "?", "a"]),
    ("Origin", "https://", &["a.", ":", "/", "@"]),
    // hono 93fc250d: split by a regular expression.
    ("Access-Control-Request-Headers", "", &["a, ", " \t", ","]),
    ("Authorization", "Bearer ", &["a", "=", " "]),
    ("Authorization", "Basic ", &["dGo6", "="]),
    ("User-Agent", "", &["\"", "\\", "\t"]),
    ("Sec-Fetch-Site", "", &["same-origin,"]),
];

const PATHS: &[(&str, &[&str])] = &[
    ("/", &["a/", "%61", "%2F", "/", "a.", "%C3%A9", ";"]),
    ("/shapes/", &["a-", "a.", "-", ".", "a-b.", "%2D", "%20"]),
    ("/?", &["a=b&", "&", "=", "%", "+", "a[", "%41", "a[]=1&", "%e4"]),
];

const BODIES: &[(&str, &str, &[&str])] = &[
    ("/form", "application/x-www-form-urlencoded", &["a", "%", "+", "%41", "[", "a[b]"]),
    ("/text", "text/plain", &["a", "\u{e9}"]),
    ("/files", "multipart/form-data; boundary=b", &["\r\n--", "\r\n-", "\r", "--b", "\r\n", "-", "a", "\r\n--b\r\r\n"]),
];

/// What a form with a file begins with, so that what follows is its content.
const FILE: &str = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n";

/// For how long this thread was ready to run and other work had the processor; nothing where the system does not tell.
fn waited_for_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_ascii_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Tries both inputs until their least times are in proportion: other work of the machine only makes it try again.
fn check(what: &str, short: usize, unit: &str, ask: impl Fn(String) -> u16) {
    let times = [short, short * TIMES].map(|bytes| unit.repeat(bytes / unit.len()));
    let time = |text: &String| {
        let (text, from, waited) = (text.clone(), Instant::now(), waited_for_cpu());
        let status = ask(text);
        assert!(!matches!(status, 413 | 414 | 431), "{what} of {unit:?} was not read: {status}");
        from.elapsed().saturating_sub(waited_for_cpu() - waited)
    };
    let (mut least, begun) = ([Duration::MAX; 2], Instant::now());
    while begun.elapsed() < PATIENCE {
        least = [least[0].min(time(&times[0])), least[1].min(time(&times[1]))];
        if least[1] < least[0] * MOST {
            return;
        }
    }
    panic!("{what} of {unit:?}: {least:?} for {} and {} bytes", times[0].len(), times[1].len());
}

#[test]
fn whatever_a_field_is_full_of_it_is_read_in_linear_time() {
    let sim = world();
    for (name, before, units) in FIELDS {
        for unit in *units {
            check(name, 900, unit, |text| {
                let ask = |method| {
                    let request = sim.request(method, "/read").header(name, format!("{before}{text}"));
                    request.header("Access-Control-Request-Method", "GET").send().status()
                };
                ask("OPTIONS").max(ask("GET"))
            });
        }
    }
}

#[test]
fn whatever_a_path_or_a_query_is_full_of_it_is_read_in_linear_time() {
    let sim = world();
    for (before, units) in PATHS {
        for unit in *units {
            check(before, 900, unit, |text| sim.request("GET", &format!("{before}{text}")).send().status());
        }
    }
}

#[test]
fn whatever_a_body_is_full_of_it_is_read_in_linear_time() {
    let sim = world();
    for (path, media_type, units) in BODIES {
        let before = if *path == "/files" { FILE } else { "" };
        for unit in *units {
            check(path, 6_000, unit, |text| {
                let request = sim.request("POST", path).header("Content-Type", media_type);
                request.body(format!("{before}{text}")).send().status()
            });
        }
    }
    // CVE-2026-8159 of multiparty: the name of a file. 8 KiB are the most that a head may have.
    for unit in ["a", "\\\"", ";", "%", "%41", "'", "\"; x=\""] {
        for name in ["filename=\"", "filename*=utf-8''", "name=\""] {
            check("the head of a part", 500, unit, |text| {
                let form = format!("--b\r\nContent-Disposition: form-data; {name}{text}\"\r\n\r\n\r\n--b--");
                let request = sim.request("POST", "/files").header("Content-Type", "multipart/form-data; boundary=b");
                request.body(form).send().status().min(400) // 413 is for names that are too long
            });
        }
    }
}
