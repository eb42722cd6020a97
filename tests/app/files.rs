//! `Files`: what a path names is sent, and nothing that is outside of the folder, or hidden.

use crate::support::bytes::pattern;
use crate::support::folder::Folder;
use oneloop::app::{App, Dotfiles, Files, Links};
use oneloop::http;
use oneloop::sim::{Reply, Sim};
use proptest::prelude::*;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A server of files at `/`, and of the same files at `/assets`.
struct World {
    sim: Sim,
    _server: http::Server,
}

impl World {
    fn of(files: Files) -> World {
        let sim = Sim::new();
        let server = http::create_server(move |req, res| match req.path().strip_prefix("/assets") {
            Some(below) => files.serve(&req, &res, below),
            None => files.serve(&req, &res, req.path()),
        });
        server.listen(80, ()).unwrap();
        World { sim, _server: server }
    }

    fn get(&self, path: &str) -> Reply {
        self.sim.request("GET", path).send()
    }

    fn get_with(&self, path: &str, name: &str, value: &str) -> Reply {
        self.sim.request("GET", path).header(name, value).send()
    }

    /// Each path with the status, and the text of a file, or the place that it is redirected to.
    #[track_caller]
    fn expect(&self, cases: &[(&str, u16, &str)]) {
        for (path, status, text) in cases {
            let reply = self.get(path);
            let got = match reply.status() {
                200 => reply.text(),
                308 => reply.header("Location").unwrap_or_default().to_owned(),
                _ => String::new(),
            };
            assert_eq!((reply.status(), &*got), (*status, *text), "{path}");
        }
    }
}

/// A folder in which each file says its own name, with a secret beside it.
fn site(name: &str) -> (Folder, Files) {
    let folder = Folder::new(name);
    folder.file("secret.txt", "secret");
    for file in [
        "index.html",
        "a.txt",
        "b c.txt",
        "grün.txt",
        "%61.txt",
        "docs/index.html",
        "docs/page.html",
        "docs.txt/x",
        "empty/x.txt",
        "about.html",
        ".env",
        ".git/config",
        ".well-known/acme/token",
        "docs/.well-known/token",
        "docs/.hidden/x",
        "a..b",
        "...",
    ] {
        folder.old_file(&format!("site/{file}"), file);
    }
    let files = Files::of(folder.path("site")).unwrap();
    (folder, files)
}

#[test]
fn a_path_names_a_file_once_decoded() {
    let (_folder, files) = site("files-names");
    World::of(files).expect(&[
        ("/a.txt", 200, "a.txt"),
        ("/%61.txt", 200, "a.txt"),
        ("/%2561.txt", 200, "%61.txt"),
        ("/b%20c.txt", 200, "b c.txt"),
        ("/gr%C3%BCn.txt", 200, "grün.txt"),
        ("/a.txt?a.txt=/../", 200, "a.txt"),
        ("/docs/page.html", 200, "docs/page.html"),
        ("/a..b", 200, "a..b"),
        ("/docs.txt/x", 200, "docs.txt/x"),
        ("/assets/a.txt", 200, "a.txt"),
        ("/assets/docs/", 200, "docs/index.html"),
    ]);
}

#[test]
fn no_other_spelling_of_a_path_names_anything() {
    let (_folder, files) = site("files-spellings");
    let world = World::of(files);
    for path in [
        "/missing",
        "/a.txt/",
        "/a.txt/x",
        "/a.txt/.",
        "//a.txt",
        "/docs//page.html",
        "/docs/page.html//",
        "/./a.txt",
        "/docs/../a.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/.%2E/secret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/docs%2Fpage.html",
        "/docs%5cpage.html",
        "/a.txt%00",
        "/%00",
        "/a.txt%00.html",
        "/%",
        "/%6",
        "/%6x.txt",
        "/gr%FCn.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/%252e%252e/secret.txt",
        "/assets../secret.txt",
        "/assets/../../secret.txt",
        "/assets//a.txt",
    ] {
        assert_eq!(world.get(path).status(), 404, "{path}");
    }
    let long = format!("/{}", "x".repeat(5_000));
    assert_eq!(world.get(&long).status(), 404);
}

#[test]
fn a_folder_is_answered_by_its_index_below_a_slash() {
    let (_folder, files) = site("files-folders");
    let world = World::of(files.clone());
    world.expect(&[
        ("/", 200, "index.html"),
        ("/?x", 200, "index.html"),
        ("/docs/", 200, "docs/index.html"),
        ("/docs", 308, "./docs/"),
        ("/docs?a=/b", 308, "./docs/?a=/b"),
        ("/%64ocs", 308, "./%64ocs/"),
        ("/assets", 308, "./assets/"),
        ("/assets/", 200, "index.html"),
        ("/assets", 308, "./assets/"),
        ("/assets/docs", 308, "./docs/"),
        // No listings, and no redirect to what is not there.
        ("/empty/", 404, ""),
        ("/empty", 404, ""),
        // Never to another host.
        ("//docs", 404, ""),
        ("//evil.example/..", 404, ""),
    ]);
    World::of(files.clone().index("page.html")).expect(&[("/docs/", 200, "docs/page.html"), ("/", 404, "")]);
    World::of(files.index("")).expect(&[
        ("/docs/", 404, ""),
        ("/docs", 404, ""),
        ("/docs/index.html", 200, "docs/index.html"),
    ]);
}

#[test]
fn extensions_may_be_left_out() {
    let (_folder, files) = site("files-extensions");
    World::of(files.clone()).expect(&[("/about", 404, "")]);
    World::of(files.extensions(["txt", "html"])).expect(&[
        ("/about", 200, "about.html"),
        ("/a", 200, "a.txt"),
        // What has the name itself comes first.
        ("/docs", 308, "./docs/"),
        ("/about/", 404, ""),
        ("/docs/page", 200, "docs/page.html"),
    ]);
}

#[test]
fn names_that_begin_with_a_dot_are_hidden() {
    let (_folder, files) = site("files-dots");
    let hidden =
        ["/.env", "/%2eenv", "/.git/config", "/.git/", "/.git", "/docs/.hidden/x", "/docs/.well-known/token", "/..."];
    for (files, status) in [(files.clone(), 404), (files.dotfiles(Dotfiles::Deny), 403)] {
        let world = World::of(files);
        for path in hidden.into_iter().chain(["/.missing"]) {
            assert_eq!(world.get(path).status(), status, "{path}");
        }
        world.expect(&[("/.well-known/acme/token", 200, ".well-known/acme/token"), ("/missing", 404, "")]);
    }
}

#[cfg(unix)]
#[test]
fn links_lead_to_what_is_inside_only() {
    use std::os::unix::fs::symlink;
    let (folder, files) = site("files-links");
    let at = |name: &str| folder.path(&format!("site/{name}"));
    symlink("a.txt", at("inside")).unwrap();
    symlink("a.txt", at("page.html")).unwrap();
    symlink("docs", at("inner")).unwrap();
    symlink("../secret.txt", at("outside")).unwrap();
    symlink("..", at("up")).unwrap();
    symlink("/", at("root")).unwrap();
    symlink(".env", at("env")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    // Its name begins as that of the folder.
    folder.file("site-b/x", "secret");
    symlink("../site-b", at("beside")).unwrap();
    let never = [
        ("/outside", 404, ""),
        ("/up/secret.txt", 404, ""),
        ("/root/etc/passwd", 404, ""),
        ("/env", 404, ""),
        ("/loop", 404, ""),
        ("/dangling", 404, ""),
        ("/beside/x", 404, ""),
    ];
    let inside = World::of(files.clone());
    inside.expect(&never);
    inside.expect(&[
        ("/inside", 200, "a.txt"),
        ("/inner/page.html", 200, "docs/page.html"),
        ("/inner/", 200, "docs/index.html"),
        ("/inner", 308, "./inner/"),
        ("/up/site/a.txt", 200, "a.txt"),
    ]);
    let page = inside.get("/page.html");
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"), "as it was asked for");
    drop(inside);
    let refuse = World::of(files.links(Links::Refuse));
    refuse.expect(&never);
    refuse.expect(&[
        ("/inside", 404, ""),
        ("/inner/page.html", 404, ""),
        ("/inner/", 404, ""),
        ("/inner", 404, ""),
        ("/up/site/a.txt", 404, ""),
        ("/a.txt", 200, "a.txt"),
        ("/docs/page.html", 200, "docs/page.html"),
    ]);
    drop(refuse);
    // The folder itself may be behind a link.
    symlink("site", folder.path("current")).unwrap();
    let current = Files::of(folder.path("current")).unwrap().links(Links::Refuse);
    World::of(current).expect(&[("/a.txt", 200, "a.txt")]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_sent() {
    let (folder, files) = site("files-special");
    let pipe = folder.path("site/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    World::of(files).expect(&[("/pipe", 404, ""), ("/pipe/", 404, "")]);
}

#[test]
fn what_a_request_says_of_parts_and_versions_counts() {
    let (folder, files) = site("files-conditions");
    let content = pattern(300_000);
    folder.old_file("site/large.bin", &content);
    let world = World::of(files);
    let whole = world.get("/large.bin").expect(200);
    assert_eq!((whole.body(), whole.header("Content-Type")), (&*content, Some("application/octet-stream")));
    let tag = whole.header("ETag").unwrap();
    assert!(whole.header("Last-Modified").is_some() && !tag.starts_with("W/"));
    let part = world.get_with("/large.bin", "Range", "bytes=10-19").expect(206);
    assert_eq!((part.body(), part.header("Content-Range")), (&content[10..20], Some("bytes 10-19/300000")));
    assert_eq!(world.get_with("/large.bin", "If-None-Match", tag).status(), 304);
    assert_eq!(world.get_with("/large.bin", "If-Match", "\"other\"").status(), 412);
    assert_eq!(world.get_with("/large.bin", "Range", "bytes=300000-").status(), 416);
    for range in ["", "bytes=", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=9-1"] {
        assert_eq!(world.get_with("/large.bin", "Range", range).status(), 200, "{range:?}");
    }
    let head = world.sim.request("HEAD", "/large.bin").send().expect(200);
    assert_eq!((head.body().len(), head.header("Content-Length"), head.header("ETag")), (0, Some("300000"), Some(tag)));
}

#[test]
fn files_are_only_read() {
    let (_folder, files) = site("files-methods");
    let world = World::of(files);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let reply = world.sim.request(method, "/a.txt").send();
        assert_eq!((reply.status(), reply.header("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn a_client_asks_again_unless_it_is_told_otherwise() {
    let (_folder, files) = site("files-caching");
    let control = |files: Files| World::of(files).get("/a.txt").header("Cache-Control").map(str::to_owned);
    assert_eq!(control(files.clone()).as_deref(), Some("no-cache"));
    assert_eq!(control(files.clone().max_age(3_600_900 * MS)).as_deref(), Some("public, max-age=3600"));
    assert_eq!(control(files.clone().immutable()).as_deref(), Some("public, max-age=31536000, immutable"));
    // What is set already stays. An error has nothing of it.
    let sim = Sim::new();
    let server = http::create_server(move |req, res| {
        res.set_header("Cache-Control", "private").set_header("Content-Type", "text/x-own");
        files.serve(&req, &res, req.path());
    });
    server.listen(80, ()).unwrap();
    let reply = sim.request("GET", "/a.txt").send();
    let fields = ["Cache-Control", "Content-Type", "X-Content-Type-Options"].map(|name| reply.header(name));
    assert_eq!(fields, [Some("private"), Some("text/x-own"), Some("nosniff")]);
}

// ---- Compressed before

#[test]
fn a_file_that_was_compressed_before_goes_to_whom_wants_it() {
    let (folder, files) = site("files-coded");
    for name in ["app.js", "app.js.zst", "app.js.br", "app.js.gz", "one.css", "one.css.gz", "only.txt.gz"] {
        folder.old_file(&format!("site/{name}"), name);
    }
    // Not a file.
    folder.file("site/a.txt.br/x", "");
    let world = World::of(files.clone().precompressed());
    for (path, accepted, coding, text) in [
        ("/app.js", "gzip, deflate, br, zstd", Some("zstd"), "app.js.zst"),
        ("/app.js", "gzip, deflate, br", Some("br"), "app.js.br"),
        ("/app.js", "gzip", Some("gzip"), "app.js.gz"),
        ("/app.js", "*", Some("zstd"), "app.js.zst"),
        ("/app.js", "gzip;q=0.5, br;q=0.4", Some("gzip"), "app.js.gz"),
        ("/app.js", "gzip;q=0.5, identity", None, "app.js"),
        ("/app.js", "gzip;q=0", None, "app.js"),
        ("/app.js", "deflate", None, "app.js"),
        ("/app.js", "", None, "app.js"),
        ("/one.css", "br, gzip", Some("gzip"), "one.css.gz"),
        ("/one.css", "br", None, "one.css"),
        ("/a.txt", "br", None, "a.txt"),
        ("/app.js.gz", "gzip, br", None, "app.js.gz"),
    ] {
        let reply = world.get_with(path, "Accept-Encoding", accepted);
        let got = (reply.status(), reply.header("Content-Encoding"), reply.header("Vary"), &*reply.text());
        assert_eq!(got, (200, coding, Some("Accept-Encoding"), text), "{path}, {accepted:?}");
    }
    let plain = world.get("/app.js");
    assert_eq!((&*plain.text(), plain.header("Vary")), ("app.js", Some("Accept-Encoding")));
    let coded = world.get_with("/app.js", "Accept-Encoding", "br");
    assert_eq!(coded.header("Content-Type"), Some("text/javascript; charset=utf-8"), "that of the file itself");
    assert_ne!(coded.header("ETag"), plain.header("ETag"));
    let ask = || world.sim.request("GET", "/app.js").header("Accept-Encoding", "br");
    let part = ask().header("Range", "bytes=7-").send();
    assert_eq!((part.status(), &*part.text(), part.header("Content-Encoding")), (206, "br", Some("br")));
    let unchanged = ask().header("If-None-Match", coded.header("ETag").unwrap()).send();
    assert_eq!((unchanged.status(), unchanged.header("Vary")), (304, Some("Accept-Encoding")));
    // The file itself has to be there; and who did not ask for this gets the file itself.
    assert_eq!(world.get_with("/only.txt", "Accept-Encoding", "gzip").status(), 404);
    let reply = World::of(files).get_with("/app.js", "Accept-Encoding", "br");
    assert_eq!((&*reply.text(), reply.header("Vary")), ("app.js", None));
}

#[cfg(unix)]
#[test]
fn a_coded_file_obeys_the_rules_for_links() {
    let (folder, files) = site("files-coded-links");
    std::os::unix::fs::symlink("../secret.txt", folder.path("site/a.txt.br")).unwrap();
    let reply = World::of(files.precompressed()).get_with("/a.txt", "Accept-Encoding", "br");
    assert_eq!((&*reply.text(), reply.header("Content-Encoding")), ("a.txt", None));
}

// ---- Where there is no file

#[test]
fn a_page_says_that_there_is_no_file() {
    let (folder, files) = site("files-not-found");
    folder.old_file("site/404.html", "nothing here");
    let world = World::of(files.clone().immutable().not_found("404.html"));
    for path in ["/missing", "/.env", "/../secret.txt", "/%zz", "/empty/"] {
        let reply = world.get(path);
        assert_eq!((reply.status(), &*reply.text()), (404, "nothing here"), "{path}");
        assert_eq!(reply.header("Cache-Control"), Some("no-cache"), "{path}");
    }
    assert_eq!(world.get_with("/missing", "Range", "bytes=0-1").text(), "nothing here", "never a part");
    World::of(files.not_found("not-there.html")).expect(&[("/missing", 404, "")]);
}

#[test]
fn the_page_of_an_app_answers_for_its_routes_and_for_no_data() {
    let (_folder, files) = site("files-spa");
    let world = World::of(files.immutable().spa("about.html"));
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (path, accepted, status) in [
        ("/todos/7", browser, 200),
        ("/todos/", browser, 200),
        ("/todos/7", "*/*", 200),
        ("/todos/7", "application/json", 404),
        ("/todos/7", "application/json, text/plain, */*", 404),
        ("/todos/7", "application/json, text/html;q=0.5", 404),
        ("/missing.js", browser, 404),
        ("/img/x.png", browser, 404),
        ("/.env", browser, 404),
        ("/../secret", browser, 404),
    ] {
        let reply = world.get_with(path, "Accept", accepted);
        assert_eq!(reply.status(), status, "{path}, {accepted}");
        if status == 200 {
            let fields = ["Cache-Control", "Vary", "Content-Type"].map(|name| reply.header(name));
            assert_eq!(fields, [Some("no-cache"), Some("Accept"), Some("text/html; charset=utf-8")], "{path}");
            assert_eq!(reply.text(), "about.html");
        }
    }
    world.expect(&[("/a.txt", 200, "a.txt"), ("/docs", 308, "./docs/")]);
}

#[test]
fn who_comes_next_is_called_where_there_is_no_file() {
    let (_folder, files) = site("files-next");
    let sim = Sim::new();
    let server = http::create_server(move |req, res| {
        let (next, res) = (res.clone(), res);
        files.serve_or(&req, &res, req.path(), move || next.end("next"));
    });
    server.listen(80, ()).unwrap();
    for (method, path, text) in [
        ("GET", "/a.txt", "a.txt"),
        ("GET", "/missing", "next"),
        ("GET", "/../x", "next"),
        ("GET", "/.env", "next"),
        ("POST", "/a.txt", "next"),
        ("GET", "/empty/", "next"),
    ] {
        assert_eq!(sim.request(method, path).send().text(), text, "{method} {path}");
    }
}

#[test]
fn files_of_a_router_are_below_its_prefix_and_guards_see_the_same_paths() {
    let (_folder, files) = site("files-router");
    let sim = Sim::new();
    let mut app = App::new();
    app.with_at("/site/assets/.env", |_req, res, _next| res.set_status(401).end("guarded"));
    app.with_at("/site/assets/a.txt", |req, res, next| {
        res.set_header("X-Guard", req.path());
        next.run();
    });
    app.group("/site", |site| {
        site.files("/assets", files);
        site.get("/assets/later", |_req, res| res.end("the route behind"));
    });
    app.not_found(|_req, res| res.set_status(404).end("nothing"));
    let _server = app.listen(80, ()).unwrap();
    for (method, path, status, text) in [
        ("GET", "/site/assets/a.txt", 200, "a.txt"),
        ("GET", "/site/assets/%61.txt", 200, "a.txt"),
        ("GET", "/site/assets/later", 200, "the route behind"),
        ("GET", "/site/assets/missing", 404, "nothing"),
        ("GET", "/site/a.txt", 404, "nothing"),
        ("GET", "/a.txt", 404, "nothing"),
        ("GET", "/site/assets/%2eenv", 401, "guarded"),
        ("GET", "/site/assets/../a.txt", 400, ""),
        ("POST", "/site/assets/a.txt", 405, ""),
    ] {
        let reply = sim.request(method, path).send();
        assert_eq!(reply.status(), status, "{method} {path}");
        assert!(text.is_empty() || reply.text() == text, "{method} {path}: {}", reply.text());
        let guarded = text == "a.txt";
        assert_eq!(reply.header("X-Guard").is_some(), guarded || method == "POST", "{method} {path}");
    }
}

/// It was a 404.
#[test]
fn a_method_that_no_route_takes_is_refused_for_a_file_with_what_would_be_taken() {
    let (_folder, files) = site("files-methods");
    let sim = Sim::new();
    let mut app = App::new();
    app.group("/in", |group| {
        group.files("/", files.clone());
        group.post("/docs/", |_req, res| res.end("posted"));
    });
    app.post("/in/about.html", |_req, res| res.end("behind the group"));
    app.files("/", files);
    app.not_found(|_req, res| res.set_status(404).end("nothing"));
    app.delete("/a.txt", |_req, res| res.end("deleted"));
    let _server = app.listen(80, ()).unwrap();
    const FILE: Option<&str> = Some("GET, HEAD, OPTIONS");
    for (method, path, status, allow) in [
        ("POST", "/docs", 405, FILE),
        ("POST", "/docs/", 405, FILE),
        ("OPTIONS", "/docs/", 204, FILE),
        ("PUT", "/a.txt", 405, Some("DELETE, GET, HEAD, OPTIONS")),
        ("DELETE", "/a.txt", 200, None),
        ("POST", "/missing", 404, None),
        ("POST", "/.env", 404, None),
        ("POST", "/docs//", 404, None),
        ("GET", "/missing", 404, None),
        ("PUT", "/in/a.txt", 405, FILE),
        ("PUT", "/in/docs/", 405, Some("GET, HEAD, OPTIONS, POST")),
        ("POST", "/in/docs/", 200, None),
        ("POST", "/in/about.html", 200, None),
        ("PUT", "/in/missing", 404, None),
        ("GET", "/in/missing", 404, None),
    ] {
        let reply = sim.request(method, path).send();
        assert_eq!((reply.status(), reply.header("allow")), (status, allow), "{method} {path}");
    }
}

#[test]
fn the_program_may_add_fields_or_answer_itself() {
    let (_folder, files) = site("files-on-send");
    let world = World::of(files.on_send(|path, res| match path.to_str() {
        Some("docs/index.html") => {
            res.set_header("X-Path", "docs/index.html").set_header("Cache-Control", "no-store");
        }
        Some("a.txt") => res.set_status(410).end("gone"),
        _ => {}
    }));
    // The second time the place is known.
    for _ in 0..2 {
        let reply = world.get("/docs/");
        assert_eq!(
            ["X-Path", "Cache-Control"].map(|name| reply.header(name)),
            [Some("docs/index.html"), Some("no-store")]
        );
        let reply = world.get("/a.txt");
        assert_eq!((reply.status(), &*reply.text()), (410, "gone"));
        assert_eq!(world.get("/").text(), "index.html");
    }
}

// ---- What is known

#[test]
fn where_a_file_is_is_looked_up_again_after_a_tenth_of_a_second() {
    let (folder, files) = site("files-known");
    folder.old_file("site/v1/app.txt", "one");
    folder.old_file("site/v2/app.txt", "two");
    let world = World::of(files.extensions(["txt"]));
    world.expect(&[("/a", 200, "a.txt"), ("/missing", 404, "")]);
    fs::remove_file(folder.path("site/a.txt")).unwrap();
    folder.old_file("site/missing", "found");
    world.expect(&[("/missing", 200, "found")]);
    world.sim.advance(100 * MS);
    world.expect(&[("/a", 404, "")]);
    folder.old_file("site/a.html", "no such extension");
    folder.old_file("site/a", "a");
    world.expect(&[("/a", 200, "a")]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_at_the_start_that_names_it() {
    let (folder, _files) = site("files-start");
    for (path, kind) in [("missing", ErrorKind::NotFound), ("site/a.txt", ErrorKind::NotADirectory)] {
        let error = Files::of(folder.path(path)).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with(&format!("the folder {:?} cannot be", folder.path(path))), "{error}");
    }
    assert!(Files::of("").is_err());
    assert!(format!("{:?}", Files::of(folder.path("site")).unwrap()).starts_with("Files"));
}

#[test]
fn a_full_queue_of_workers_is_503() {
    let (_folder, files) = site("files-queue");
    let world = World::of(files);
    world.sim.set_worker_latency(Duration::from_secs(1));
    let late = (0..).map(|_| {
        let peer = world.sim.connect(80);
        peer.write("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        world.sim.settle();
        peer.text()
    });
    let busy = late.take(2_000).find(|text| !text.is_empty());
    assert!(busy.is_some_and(|text| text.starts_with("HTTP/1.1 503 ")), "nobody was told that it is busy");
    world.sim.advance(Duration::from_secs(600));
    world.expect(&[("/docs/", 200, "docs/index.html")]);
}

// ---- By chance

fn part() -> impl Strategy<Value = String> {
    let plain = ["a.txt", "docs", "up", "out", "secret.txt", "site", ".env", "index.html", "root", "etc", "passwd", ""];
    let parts =
        [".", "..", "%2e", "%2E%2e", "/", "//", "%2f", "%5c", "\\", "%00", "%", "~", ":", "c:", ";", "%25", "x"];
    prop::sample::select(plain.into_iter().chain(parts).chain(["/", "/", "/"]).collect::<Vec<_>>())
        .prop_map(str::to_owned)
}

#[cfg(unix)]
#[test]
fn nothing_outside_is_ever_sent() {
    let (folder, files) = site("files-chance");
    std::os::unix::fs::symlink("..", folder.path("site/up")).unwrap();
    std::os::unix::fs::symlink("../secret.txt", folder.path("site/out")).unwrap();
    std::os::unix::fs::symlink("/", folder.path("site/root")).unwrap();
    let world = World::of(files.extensions(["txt"]).precompressed());
    let sent = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let paths = prop::collection::vec(part(), 0..8).prop_map(|parts| format!("/{}", parts.concat()));
    let outcome = runner.run(&paths, |path| {
        let reply = world.get(&path);
        prop_assert!([200, 308, 404].contains(&reply.status()), "{path}: {}", reply.status());
        if reply.status() == 200 {
            sent.set(sent.get() + 1);
            let text = reply.text();
            let inside = Path::new("/").join(&text).starts_with("/") && folder.path("site").join(&text).is_file();
            prop_assert!(inside && !text.contains(".env") && !text.contains("secret"), "{path}: {text}");
        }
        if let Some(place) = reply.header("Location") {
            prop_assert!(place.starts_with("./") && !place.starts_with(".//"), "{path}: {place}");
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(sent.get() > 0, "nothing was sent at all");
}

/// A name, each of its bytes as it is or encoded.
fn spelled() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["secret", "open", "Secret", "secret.", "x y", "x", ""]);
    (name, prop::collection::vec(0..3_u8, 6)).prop_map(|(name, how)| {
        let spell = |(byte, how): (u8, &u8)| match how {
            0 if byte != b' ' => char::from(byte).to_string(),
            1 => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
        name.bytes().zip(how.iter().cycle()).map(spell).collect()
    })
}

/// Property (c) of the layer `app`, with the third reader of a path: guard, route and file mean the same by it.
#[test]
fn no_spelling_of_a_path_comes_to_a_file_past_its_guard() {
    let folder = Folder::new("files-guard");
    for name in ["secret/x", "secret/x y", "open/x", "open/x y", "open/secret", "Secret/x"] {
        folder.old_file(&format!("site/{name}"), name);
    }
    let sim = Sim::new();
    let mut app = App::new();
    app.with_at("/f/secret", |_req, res, _next| res.set_status(403).end("guarded"));
    app.files("/f", Files::of(folder.path("site")).unwrap());
    app.get("/f/:one/:two", |req, res| {
        let (one, two) = (req.param("one").unwrap_or_default(), req.param("two").unwrap_or_default());
        res.set_status(201).end(format!("{one}/{two}"));
    });
    let _server = app.listen(80, ()).unwrap();
    let sent = std::cell::Cell::new((0, 0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let outcome = runner.run(&prop::collection::vec(spelled(), 1..4), |names| {
        let path = format!("/f/{}", names.join("/"));
        // What it says, decoded without the library.
        let said: Vec<_> =
            names.iter().map(|name| percent_encoding::percent_decode_str(name).decode_utf8_lossy()).collect();
        let (reply, (files, routes)) = (sim.request("GET", &path).send(), sent.get());
        prop_assert_eq!(reply.status() == 403, said[0] == "secret", "{}", path);
        match reply.status() {
            200 => sent.set((files + 1, routes)),
            201 => sent.set((files, routes + 1)),
            _ => return Ok(()),
        }
        let said = said.join("/");
        prop_assert_eq!(reply.text(), said.trim_end_matches('/'), "{}", path);
        Ok(())
    });
    outcome.unwrap();
    let (files, routes) = sent.get();
    assert!(files > 0 && routes > 0, "{files} files, {routes} routes");
}
