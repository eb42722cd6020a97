//! The page that shows the loop: who may see it, what it says, and that it leaves the server as it was.

#[path = "support/http.rs"]
mod support;

use oneloop::devtools::{self, Options};
use oneloop::http::Server;
use oneloop::sim::Sim;
use support::*;

fn mounted() -> (Sim, Server) {
    let (sim, server) = serve(|req, res| match req.path() {
        "/block" => {
            oneloop::sim::block(200 * MS);
            res.end("blocked");
        }
        _ => res.end("site"),
    });
    devtools::mount(&server, "/__loop");
    (sim, server)
}

/// A request as a local browser sends it.
fn local(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
}

fn ask(sim: &Sim, request: impl AsRef<[u8]>) -> Reply {
    only(&send(sim, request))
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
            let reply = ask(&sim, format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
            assert!(
                reply.status == status || status == 200 && reply.status != 403,
                "{path} {fields}: {}",
                reply.status
            );
        }
    }
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
