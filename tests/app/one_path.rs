//! A path has one spelling: what a guard guards is what a route answers, however a client writes it.

use crate::support::folder::Folder;
use oneloop::app::{App, Files};
use oneloop::sim::Sim;
use proptest::prelude::*;

/// An app whose guard and routes meet paths in different ways: a text, a parameter, two parameters in a segment, a wildcard.
fn app() -> App {
    let mut app = App::new();
    app.with_at("/@admin;", |_req, res, _next| res.set_status(403).end("guarded\n"));
    app.get("/:first", |req, res| res.end(req.param("first").unwrap_or_default().as_bytes()));
    app.get("/:first/x", |req, res| res.end(req.param("first").unwrap_or_default().as_bytes()));
    app.get("/:first/:a-:b", |req, res| res.end(req.param("first").unwrap_or_default().as_bytes()));
    app.get("/*rest", |req, res| res.end(req.wildcard("rest").next().unwrap_or_default()));
    app
}

/// A path in one of its spellings: each byte as it is, or encoded with digits of either case.
fn spelling() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["@admin;", "@admin", "admin", "x", "a-b", "", "@Admin;", "a b"]);
    let spelled = (segment, prop::collection::vec(0..3_u8, 8)).prop_map(|(segment, how)| {
        let spell = |(byte, how): (u8, &u8)| match how {
            0 if byte != b' ' => char::from(byte).to_string(),
            1 => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
        format!("/{}", segment.bytes().zip(how.iter().cycle()).map(spell).collect::<String>())
    });
    prop::collection::vec(spelled, 1..4).prop_map(|segments| segments.concat())
}

#[test]
fn no_spelling_of_a_path_comes_to_a_route_past_its_guard() {
    let sim = Sim::new();
    app().listen(80, ()).unwrap();
    proptest!(|(path in spelling())| {
        let answer = sim.request("GET", &path).send();
        let status = answer.status();
        let text = answer.text();
        // What the first segment says, decoded without the library.
        let first = percent_encoding::percent_decode_str(path.split('/').nth(1).unwrap_or_default()).decode_utf8_lossy();
        prop_assert_eq!(status == 403, first == "@admin;", "{} {}", path, text);
        if status == 200 {
            prop_assert_eq!(text, first, "{}", path);
        }
    });
}

#[test]
fn a_file_is_where_a_route_of_its_name_would_be_and_no_spelling_comes_to_it_past_its_guard() {
    const FILES: [&str; 6] = ["@admin;/x", "@admin/x", "admin/x", "x", "a-b/@Admin;", "a b/a-b"];
    let folder = Folder::new("one-path");
    FILES.iter().for_each(|name| _ = folder.file(name, name));
    let sim = Sim::new();
    for (port, has_files) in [(80, true), (81, false)] {
        let mut app = App::new();
        app.with_at("/@admin;", |_req, res, _next| res.set_status(403).end("guarded\n"));
        if has_files {
            app.files("/", Files::of(folder.path("")).unwrap());
        } else {
            // A file has no slash at its end.
            app.strict(true);
            FILES.iter().for_each(|name| _ = app.get(&format!("/{name}"), move |_req, res| res.end(*name)));
        }
        app.listen(port, ()).unwrap();
    }
    proptest!(|(path in spelling())| {
        let ask = |port| sim.request("GET", &path).port(port).send();
        let (file, route) = (ask(80), ask(81));
        // What the path says, decoded without the library.
        let said = percent_encoding::percent_decode_str(&path[1..]).decode_utf8_lossy();
        let expected = match said.split('/').next() == Some("@admin;") {
            true => (403, "guarded\n"),
            false => FILES.iter().find(|name| **name == said).map_or((404, ""), |name| (200, *name)),
        };
        for reply in [file, route] {
            let text = if reply.status() == 404 { String::new() } else { reply.text() };
            prop_assert_eq!((reply.status(), &*text), expected, "{}", path);
        }
    });
}

#[test]
fn a_segment_keeps_what_is_encoded_in_it() {
    let sim = Sim::new();
    app().listen(80, ()).unwrap();
    assert_eq!(sim.request("GET", "/a%2Fx").send().text(), "a/x");
    assert_eq!(sim.request("GET", "/%40admin%3b%2Fx").send().text(), "@admin;/x", "not below the guard's prefix");
    assert_eq!(sim.request("GET", "/%2540admin;").send().text(), "%40admin;", "decoded once");
}

#[test]
fn what_a_server_has_beside_its_app_answers_without_the_app_and_by_the_path_as_received() {
    let sim = Sim::new();
    let mut app = App::new();
    app.with(|_req, res, _next| res.set_status(403).end("guarded\n"));
    let server = app.server().unwrap();
    server.on_path("/log", |_req, res| res.end("beside"));
    server.listen(80, ()).unwrap();
    for (path, text) in [("/log", "beside"), ("/log/a", "beside"), ("/%6cog", "guarded\n"), ("/logs", "guarded\n")] {
        assert_eq!(sim.request("GET", path).send().text(), text, "{path}");
    }
}

/// middie 29162c8, nest#11440, CVE-2026-2293: the guard minded a slash at the end, or two slashes, and the route did not.
#[test]
fn what_a_router_says_of_slashes_holds_for_guards_and_routes_alike() {
    for strict in [false, true] {
        let sim = Sim::new();
        let mut app = App::new();
        app.strict(strict);
        app.with_at("/admin", |_req, res, _next| res.set_status(403).end("guarded\n"));
        app.on("GET", "/exact", |_req, res, _next| res.set_status(403).end("guarded\n"));
        // A router of its own, which is not strict.
        let mut inner = oneloop::app::Router::new();
        inner.get("/", |_req, res| res.end("open")).get("/x", |_req, res| res.end("open"));
        app.mount("/admin/inner", inner);
        app.get("/admin", |_req, res| res.end("open"));
        if strict {
            app.get("/admin/", |_req, res| res.end("open"));
        }
        app.get("/admin/:name", |_req, res| res.end("open"));
        app.get("/exact", |_req, res| res.end("open"));
        app.listen(80, ()).unwrap();
        for path in
            ["/admin", "/admin/", "/admin//", "/admin/x", "/admin/x/", "/admin/inner/", "/admin/inner/x/", "/exact"]
        {
            assert_eq!(sim.request("GET", path).send().status(), 403, "{path}, strict: {strict}");
        }
        for path in ["//admin", "/exact/", "//exact", "/Admin", "/EXACT"] {
            let reply = sim.request("GET", path).send();
            assert_ne!(reply.text(), "open", "{path}, strict: {strict}");
        }
    }
}

/// express#2594, actor-ts#623: requests for a WebSocket went past all middleware.
#[test]
fn a_websocket_of_a_route_is_behind_the_guards_of_the_route() {
    let sim = Sim::new();
    let mut app = App::new();
    app.with_at("/news", |req, res, next| match req.cookie("user") {
        Some(_) => next.run(),
        None => res.set_status(401).end(()),
    });
    let news = oneloop::ws::Endpoint::new();
    app.get("/news/:of", move |req, res| _ = news.accept(&req, res));
    app.listen(80, ()).unwrap();
    for (path, cookie, status) in [
        ("/news/a", "", 401),
        ("/%6eews/a", "", 401),
        ("/news/a", "user=1", 101),
        ("/%6eews/%61", "user=1", 101),
        ("/news", "", 401),
        ("/none", "user=1", 404),
    ] {
        let request = sim.request("GET", path).handshake().header("Cookie", cookie);
        assert_eq!(request.send().status(), status, "{path} {cookie}");
    }
}
