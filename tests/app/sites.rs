//! What other sites may do with this one: CORS, requests that they make a browser send, and the fields that make browsers strict.

use crate::support::http::*;
use oneloop::app::{App, Cors, Shield, cors, same_origin, same_origin_or, shield};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::Error;
use oneloop::sim::{Reply, Sim};

const OWN: &str = "https://app.example";
const EVIL: &str = "https://evil.example";

fn world(app: App) -> Sim {
    let sim = Sim::new();
    app.listen(PORT, ()).unwrap();
    sim
}

fn ask(sim: &Sim, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let request = fields.iter().fold(sim.request(method, path), |request, (name, value)| request.header(name, value));
    request.send()
}

fn texts(reply: &Reply) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    reply.headers().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

/// All fields about cross-origin requests, and `Vary`.
fn cors_fields(reply: &Reply) -> Vec<String> {
    let fields = texts(reply).into_iter().filter(|(name, _)| name.starts_with("Access-Control-") || name == "Vary");
    fields.map(|(name, value)| format!("{name}: {value}")).collect()
}

// ---- CORS

fn with_cors<Of: 'static>(policy: Cors<Of>) -> Sim {
    let mut app = App::new();
    app.with(cors(policy));
    app.get("/", |_req, res| res.end("read\n"));
    app.options("/", |_req, res| res.end("options\n"));
    app.get("/error", |_req, _res| -> Result<(), Error> { Err("a secret")? });
    app.get("/panic", |_req, _res| -> () { panic!("as planned") });
    world(app)
}

fn listed() -> Cors<oneloop::app::SomeOrigins> {
    Cors::origins([OWN, "http://localhost:3000"]).unwrap()
}

#[test]
fn an_origin_is_allowed_as_a_whole_or_not_at_all() {
    let sim = with_cors(listed());
    for (origin, allowed) in [
        (OWN, true),
        ("http://localhost:3000", true),
        (EVIL, false),
        ("http://app.example", false),
        ("https://app.example:8443", false),
        ("https://app.example.evil.example", false),
        ("https://evil-app.example", false),
        ("https://APP.example", false),
        ("https://app.example/", false),
        ("https://app.example, https://evil.example", false),
        ("null", false),
        ("", false),
        ("*", false),
    ] {
        let reply = ask(&sim, "GET", "/", &[("Origin", origin)]);
        let expected = if allowed {
            vec!["Vary: Origin".to_owned(), format!("Access-Control-Allow-Origin: {origin}")]
        } else {
            vec!["Vary: Origin".to_owned()]
        };
        assert_eq!((reply.status(), cors_fields(&reply)), (200, expected), "{origin:?}");
    }
    let twice = ask(&sim, "GET", "/", &[("Origin", OWN), ("Origin", EVIL)]);
    assert_eq!(cors_fields(&twice), ["Vary: Origin"]);
}

#[test]
fn each_answer_says_that_it_depends_on_the_origin_also_without_one() {
    let sim = with_cors(listed());
    assert_eq!(cors_fields(&ask(&sim, "GET", "/", &[])), ["Vary: Origin"]);
    assert_eq!(cors_fields(&ask(&sim, "GET", "/nowhere", &[])), ["Vary: Origin"]);
    // What anybody may read is the same for all.
    let sim = with_cors(Cors::any());
    assert_eq!(cors_fields(&ask(&sim, "GET", "/", &[])), [""; 0]);
}

#[test]
fn any_origin_may_read_without_credentials() {
    let sim = with_cors(Cors::any());
    for origin in [EVIL, "null"] {
        let reply = ask(&sim, "GET", "/", &[("Origin", origin), ("Cookie", "sid=1")]);
        assert_eq!(cors_fields(&reply), ["Access-Control-Allow-Origin: *"]);
    }
}

#[test]
fn a_check_is_asked_for_each_origin_but_never_for_null() {
    let sim = with_cors(Cors::check(|origin| {
        assert_ne!(origin, "null");
        origin.ends_with(".example")
    }));
    let allowed = |origin| cors_fields(&ask(&sim, "GET", "/", &[("Origin", origin)])).len() == 2;
    assert_eq!([OWN, "https://a.test", "null"].map(allowed), [true, false, false]);
}

fn preflight(sim: &Sim, origin: &str, path: &str) -> Reply {
    let names = "x-a,".repeat(500);
    ask(
        sim,
        "OPTIONS",
        path,
        // GHSA-q7jf-gf43-6x6p of hono: the `Vary` of the request became that of the answer.
        &[
            ("Origin", origin),
            ("Access-Control-Request-Method", "DELETE"),
            ("Access-Control-Request-Headers", &names),
            ("Vary", "X-Evil"),
        ],
    )
}

#[test]
fn a_preflight_is_answered_before_the_routes_with_what_was_set_and_nothing_of_the_request() {
    let policy = listed().credentials().methods(["GET", "DELETE"]).headers(["X-Todo"]).expose(["ETag"]);
    let sim = with_cors(policy.max_age(60 * SECOND));
    for path in ["/", "/no/such/path"] {
        let reply = preflight(&sim, OWN, path);
        assert_eq!((reply.status(), reply.text().as_str()), (204, ""));
        assert_eq!(
            cors_fields(&reply),
            [
                "Vary: Origin",
                "Access-Control-Allow-Origin: https://app.example",
                "Access-Control-Allow-Credentials: true",
                "Access-Control-Allow-Methods: GET, DELETE",
                "Access-Control-Allow-Headers: X-Todo",
                "Access-Control-Max-Age: 60"
            ]
        );
    }
    let refused = preflight(&sim, EVIL, "/");
    assert_eq!((refused.status(), cors_fields(&refused)), (204, vec!["Vary: Origin".to_owned()]));
    let actual = ask(&sim, "GET", "/", &[("Origin", OWN)]);
    let fields = cors_fields(&actual);
    assert_eq!(fields[2..], ["Access-Control-Allow-Credentials: true", "Access-Control-Expose-Headers: ETag"]);
}

#[test]
fn an_options_request_that_is_no_preflight_comes_to_its_route() {
    let sim = with_cors(listed());
    assert_eq!(ask(&sim, "OPTIONS", "/", &[("Origin", OWN)]).text(), "options\n");
    assert_eq!(ask(&sim, "OPTIONS", "/", &[("Access-Control-Request-Method", "PUT")]).text(), "options\n");
}

#[test]
fn errors_keep_the_fields_so_that_the_site_learns_what_went_wrong() {
    let sim = with_cors(listed().credentials());
    set_panic_policy(PanicPolicy::Catch);
    for (path, status) in [("/error", 500), ("/panic", 500), ("/nowhere", 404)] {
        let reply = ask(&sim, "GET", path, &[("Origin", OWN)]);
        assert_eq!(reply.status(), status, "{path}");
        assert_eq!(
            cors_fields(&reply),
            [
                "Vary: Origin",
                "Access-Control-Allow-Origin: https://app.example",
                "Access-Control-Allow-Credentials: true"
            ],
            "{path}"
        );
    }
}

// ---- Forged requests

fn guarded(app: &mut App) {
    app.all("/", |_req, res| res.end("done\n"));
}

#[test]
fn requests_of_other_sites_are_refused_and_all_others_pass() {
    let mut app = App::new();
    app.with(same_origin());
    guarded(&mut app);
    let sim = world(app);
    let host = ("Host", "app.example");
    let site = |value| ("Sec-Fetch-Site", value);
    let origin = |value| ("Origin", value);
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);
    let rows: &[Row<'_>] = &[
        // What changes nothing passes, wherever it comes from.
        ("GET", &[site("cross-site"), origin(EVIL)], 200),
        ("HEAD", &[site("cross-site")], 200),
        ("OPTIONS", &[site("cross-site"), origin(EVIL)], 200),
        // A WebSocket has the cookies too.
        ("GET", &[("Upgrade", "websocket"), origin(EVIL)], 403),
        ("GET", &[("Upgrade", "websocket"), origin(OWN)], 200),
        // The browser says where it comes from.
        ("POST", &[site("same-origin")], 200),
        ("POST", &[site("none")], 200),
        ("POST", &[site("same-site")], 403),
        ("POST", &[site("cross-site")], 403),
        ("POST", &[site("")], 403),
        ("POST", &[site("Same-Origin")], 403),
        ("POST", &[site("same-origin"), site("cross-site")], 403),
        ("POST", &[site("cross-site"), origin(OWN)], 403),
        ("POST", &[site("same-origin"), origin(EVIL)], 200),
        ("PUT", &[site("cross-site")], 403),
        ("PATCH", &[site("cross-site")], 403),
        ("DELETE", &[site("cross-site")], 403),
        ("FROB", &[site("cross-site")], 403),
        // Else by the origin.
        ("POST", &[origin(OWN)], 200),
        ("POST", &[origin("http://app.example")], 200),
        ("POST", &[origin("https://APP.example")], 200),
        ("POST", &[origin(EVIL)], 403),
        ("POST", &[origin("https://app.example:8443")], 403),
        ("POST", &[origin("https://app.example.evil.example")], 403),
        ("POST", &[origin("https://evil.example/?app.example")], 403),
        ("POST", &[origin("app.example")], 403),
        ("POST", &[origin("null")], 403),
        ("POST", &[origin("")], 403),
        ("POST", &[origin(OWN), origin(EVIL)], 403),
        // No browser: no cookies of a visitor. With or without a Content-Type.
        ("POST", &[], 200),
        ("POST", &[("Content-Type", "text/plain")], 200),
        ("POST", &[("Content-Type", "text/plain"), origin(EVIL)], 403),
        ("POST", &[("Referer", "https://evil.example/")], 200),
    ];
    for (method, fields, status) in rows {
        let fields: Vec<_> = std::iter::once(host).chain(fields.iter().copied()).collect();
        assert_eq!(ask(&sim, method, "/", &fields).status(), *status, "{method} {fields:?}");
    }
}

#[test]
fn an_origin_that_is_no_text_is_refused() {
    let mut app = App::new();
    app.with(same_origin_or(|_| true));
    guarded(&mut app);
    let sim = world(app);
    let peer = send(&sim, b"POST / HTTP/1.1\r\nHost: a\r\nOrigin: https://\xffa\r\nContent-Length: 0\r\n\r\n");
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [403]);
}

#[test]
fn trusted_origins_pass_but_never_null() {
    let mut app = App::new();
    app.with(same_origin_or(|origin| {
        assert_ne!(origin, "null");
        origin == EVIL
    }));
    guarded(&mut app);
    let sim = world(app);
    let status = |origin| ask(&sim, "POST", "/", &[("Sec-Fetch-Site", "cross-site"), ("Origin", origin)]).status();
    assert_eq!([EVIL, OWN, "null"].map(status), [200, 403, 403]);
}

// ---- Strict browsers

#[test]
fn the_shield_is_on_each_answer_and_a_handler_may_change_it() {
    let mut app = App::new();
    app.with(shield(Shield::new()));
    app.get("/", |_req, res| res.end("hello\n"));
    app.get("/framed", |_req, res| res.set_header("X-Frame-Options", "DENY").end("hello\n"));
    app.get("/error", |_req, _res| -> Result<(), Error> { Err("a secret")? });
    let sim = world(app);
    for path in ["/", "/framed", "/error", "/nowhere"] {
        let reply = ask(&sim, "GET", path, &[]);
        let fields = texts(&reply);
        let values = |name: &str| -> Vec<&str> {
            fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(values("X-Frame-Options"), [if path == "/framed" { "DENY" } else { "SAMEORIGIN" }], "{path}");
        assert_eq!(values("X-Content-Type-Options"), ["nosniff"], "{path}");
        assert_eq!(values("Content-Security-Policy").len(), 1, "{path}");
        assert_eq!(values("Strict-Transport-Security"), [""; 0], "{path}: it would lock out who comes by http");
        assert!(!values("Content-Security-Policy")[0].contains("upgrade-insecure-requests"), "{path}");
        assert!(!values("Content-Security-Policy")[0].contains("unsafe-inline"), "{path}");
    }
}

#[test]
fn over_https_browsers_are_told_to_stay_there() {
    let mut app = App::new();
    app.with(shield(Shield::new().without("origin-agent-cluster").over_https().set("referrer-policy", "origin")));
    app.get("/", |_req, res| res.end("hello\n"));
    let reply = ask(&world(app), "GET", "/", &[]);
    assert_eq!(reply.header("Strict-Transport-Security"), Some("max-age=31536000; includeSubDomains"));
    assert!(reply.header("Content-Security-Policy").unwrap().ends_with("; upgrade-insecure-requests"));
    assert_eq!((reply.header("Origin-Agent-Cluster"), reply.header("Referrer-Policy")), (None, Some("origin")));
}

#[test]
fn a_script_within_a_page_runs_if_it_has_the_nonce_of_this_answer() {
    let mut app = App::new();
    app.with(shield(Shield::new()));
    app.get("/", |req, res| {
        assert_eq!(req.nonce(), req.nonce());
        res.end(req.nonce().as_bytes());
    });
    app.get("/none", |_req, res| res.end(()));
    app.get("/fails", |req, _res| Err::<(), _>(oneloop::http::Error::new(500, req.nonce().to_string())));
    app.get("/late", |req, res| {
        res.write("late ").ignore();
        res.end(req.nonce().as_bytes());
    });
    app.get("/bare", |req, res| {
        res.remove_header("Content-Security-Policy");
        res.end(req.nonce().as_bytes());
    });
    let sim = world(app);
    let policy = |path: &str| {
        let reply = ask(&sim, "GET", path, &[]);
        (reply.text(), reply.header("Content-Security-Policy").map(str::to_owned))
    };
    let (nonce, with) = policy("/");
    let without = policy("/none").1.unwrap();
    assert!(nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit()), "{nonce}");
    let allowed = |name: &str| format!("{name} 'self' 'nonce-{nonce}'");
    let expected =
        without.replace("script-src 'self'", &allowed("script-src")).replace("style-src 'self'", &allowed("style-src"));
    assert_eq!(with.unwrap(), expected);
    assert_ne!(policy("/").0, nonce, "the next answer has another one");
    assert!(policy("/fails").1.is_some());
    assert_eq!((policy("/late").1, policy("/bare").1), (Some(without), None));
}
