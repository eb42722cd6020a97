//! `express.static.js`, and what serve-static's and send's own tests have more: the files of a folder.

use super::{SAME, replay, with};
use crate::support::folder::Folder;
use oneloop::app::{Dotfiles, Files};
use std::time::Duration;

const MALFORMED: &str = "one spelling of a path for all steps: what is malformed, or has dots, is 400 before any step";

#[test]
fn files_of_a_folder() {
    let folder = Folder::new("express-static");
    for (name, bytes) in [
        ("todo.txt", "- groceries"),
        ("todo.html", "<li>groceries</li>"),
        ("empty.txt", ""),
        ("nums.txt", "123456789"),
        (".name", "tobi"),
        ("% of dogs.txt", "20%"),
        ("snow \u{2603}/index.html", "snow"),
        ("users/index.html", "users"),
        ("users/tobi.txt", "ferret"),
        ("pets/names.txt", "tobi,loki"),
    ] {
        folder.old_file(name, bytes);
    }
    let of = || Files::of(folder.path("")).unwrap();
    let test = with(|app| {
        app.get("/todo", |_req, res| res.end("a route"));
        app.files("/ext", of().extensions(["html", "txt"]));
        app.files("/deny", of().dotfiles(Dotfiles::Deny));
        app.files("/hour", of().max_age(Duration::from_secs(3600)));
        app.files("/for-ever", of().immutable());
        app.files("/marked", of().on_send(|_path, res| _ = res.set_header("X-Marked", "yes")));
        app.files("/", of());
    });
    replay(
        &test,
        &[
            ("GET /todo.txt", "200 | Content-Type: text/plain; charset=utf-8 > - groceries", SAME),
            ("GET /todo.html", "200 | Content-Type: text/html; charset=utf-8 > <li>groceries</li>", SAME),
            ("GET /users/tobi.txt", "200 > ferret", SAME),
            ("GET /todo", "200 > a route", SAME),
            ("HEAD /todo.txt", "200 | Content-Length: 11 > ", SAME),
            ("POST /todo.txt", "405 | Allow: GET, HEAD, OPTIONS", "Express: 404 for a file that can be read"),
            ("OPTIONS /todo.txt", "204 | Allow: GET, HEAD, OPTIONS", "the same"),
            ("GET /%25%20of%20dogs.txt", "200 > 20%", SAME),
            ("GET /snow%20%E2%98%83/", "200 > snow", SAME),
            ("GET /users/", "200 | Content-Type: text/html; charset=utf-8 > users", SAME),
            (
                "GET /users",
                "308 | Location: ./users/",
                "308 keeps the method, and a relative place holds behind any proxy; in Express 301",
            ),
            ("GET /users?name=john", "308 | Location: ./users/?name=john", "the same"),
            ("GET /snow%20%E2%98%83", "308 | Location: ./snow%20%E2%98%83/", "the same"),
            ("GET /pets/", "404", SAME),
            ("GET /pets", "404", "no redirect to a folder that has no page"),
            ("GET /missing.txt", "404", SAME),
            ("GET /todo@txt", "404", SAME),
            ("GET /empty.txt", "200 | Content-Length: 0 > ", SAME),
            ("GET /todo.txt/", "404", SAME),
            ("GET /users/../todo.txt", "400", MALFORMED),
            ("GET /users/%2E%2E/todo.txt", "400", MALFORMED),
            ("GET /users/..%2ftodo.txt", "404", SAME),
            ("GET /../../package.json", "400", MALFORMED),
            ("GET /users/../../todo.txt", "400", MALFORMED),
            ("GET /%", "400", MALFORMED),
            ("GET /foo%00bar", "400", MALFORMED),
            ("GET //todo.txt", "404", "two slashes are no spelling of one"),
            ("GET /.name", "404", SAME),
            ("GET /deny/.name", "403", SAME),
            ("GET /ext/todo", "200 > <li>groceries</li>", SAME),
            ("GET /ext/nums", "200 > 123456789", SAME),
            ("GET /ext/bogus", "404", SAME),
            ("GET /hour/nums.txt", "200 | Cache-Control: public, max-age=3600", SAME),
            (
                "GET /for-ever/nums.txt",
                "200 | Cache-Control: public, max-age=31536000, immutable",
                "a year without saying so",
            ),
            ("GET /nums.txt", "200 | Accept-Ranges: bytes > 123456789", SAME),
            ("GET /marked/nums.txt", "200 | X-Marked: yes > 123456789", SAME),
            ("GET /marked/missing", "404 | X-Marked: -", SAME),
            ("GET /marked/users", "308 | X-Marked: -", SAME),
            // Ranges.
            ("GET /nums.txt | Range: bytes=0-4", "206 | Content-Range: bytes 0-4/9 | Content-Length: 5 > 12345", SAME),
            ("GET /nums.txt | Range: bytes=0-0", "206 > 1", SAME),
            ("GET /nums.txt | Range: bytes=2-5", "206 | Content-Range: bytes 2-5/9 > 3456", SAME),
            ("GET /nums.txt | Range: bytes=-3", "206 > 789", SAME),
            ("GET /nums.txt | Range: bytes=3-", "206 > 456789", SAME),
            (
                "GET /nums.txt | Range: bytes=2-50",
                "206 | Content-Range: bytes 2-8/9 | Content-Length: 7 > 3456789",
                SAME,
            ),
            ("GET /nums.txt | Range: bytes=9-50", "416 | Content-Range: bytes */9", SAME),
            ("GET /nums.txt | Range: asdf", "200 > 123456789", SAME),
            ("GET /nums.txt | Range: bytes=1-2,4-5", "200 > 123456789", SAME),
            (
                "HEAD /nums.txt | Range: bytes=0-4",
                "200 | Content-Length: 9 > ",
                "a range is defined for GET alone (RFC 9110, 14.2)",
            ),
        ],
    );
    let first = test.get("/nums.txt").send().expect(200);
    let tag = first.header("ETag").unwrap();
    let date = first.header("Last-Modified").unwrap();
    let status = |name: &str, value: &str| test.get("/nums.txt").header(name, value).send().status();
    for (name, value, expected) in [
        ("If-None-Match", tag, 304),
        ("If-None-Match", "\"foo\"", 200),
        ("If-None-Match", "*", 304),
        ("If-Modified-Since", date, 304),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("If-Match", "\"foo\"", 412),
        ("If-Match", "*", 200),
        ("If-Unmodified-Since", date, 200),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ("If-Unmodified-Since", "foo", 200),
    ] {
        assert_eq!(status(name, value), expected, "{name}: {value}");
    }
    let part = |if_range: &str| {
        test.get("/nums.txt").header("Range", "bytes=0-0").header("If-Range", if_range).send().status()
    };
    for (if_range, expected) in [(date, 206), ("\"foo\"", 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200), ("foo", 200)] {
        assert_eq!(part(if_range), expected, "{if_range}");
    }
}

/// What the tests of send (1.2.1) and of serve-static (2.2.1) have more. Verdicts as above.
#[test]
fn files_as_send_and_serve_static_have_them() {
    let folder = Folder::new("express-send");
    for (name, bytes) in [
        ("name.txt", "tobi"),
        ("name.html", "<p>tobi</p>"),
        ("name.dir/name.txt", "tobi"),
        ("thing.html.html", "<p>trap!</p>"),
        ("tobi.html", "<p>tobi</p>"),
        ("some thing.txt", "hey"),
        ("do..ts.txt", "..."),
        ("no_ext", "foobar"),
        ("nums.txt", "123456789"),
        ("pets/index.html", "tobi,loki,jane"),
        ("pets/.hidden", "secret"),
        (".hidden.txt", "secret"),
        (".mine/name.txt", "tobi"),
        (".mine/.hidden.txt", "secret"),
    ] {
        folder.old_file(name, bytes);
    }
    let of = || Files::of(folder.path("")).unwrap();
    let test = with(|app| {
        app.with_at("/described", |_req, res, next| {
            res.set_header("Content-Language", "en-US").set_header("Content-Location", "http://localhost/name.txt");
            res.set_header("Content-Security-Policy", "default-src 'self'").set_header("Content-Type", "text/x");
            next.run();
        });
        app.files("/described", of());
        app.with_at("/status", |_req, res, next| {
            res.set_status(500);
            next.run();
        });
        app.files("/status", of());
        app.files("/fallbacks", of().extensions(["htm", "html", "txt"]));
        app.files("/folders", of().extensions(["file", "dir"]));
        app.files("/deny", of().dotfiles(Dotfiles::Deny));
        app.files("/mine", Files::of(folder.path(".mine")).unwrap());
        app.files("/second", of().max_age(Duration::from_millis(1234)));
        app.files("/other-index", of().index("name.txt"));
        app.files("/folder-index", of().index("pets"));
        app.files("/no-index", of().index(""));
        app.files("/pages", Files::of(folder.path("pets")).unwrap());
        app.files("/slashed", Files::of(folder.path("pets/")).unwrap());
        app.files("/around", Files::of(folder.path("pets/../name.dir")).unwrap());
        app.files("/", of());
    });
    let unchanged = "GET /described/name.txt | If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT";
    replay(
        &test,
        &[
            // send: names.
            ("GET /some%20thing.txt", "200 > hey", SAME),
            ("GET /do..ts.txt", "200 > ...", SAME),
            ("GET /some%99thing.txt", "400", SAME),
            ("GET /some%00thing.txt", "400", SAME),
            ("GET /no_ext", "200 | Content-Type: application/octet-stream > foobar", SAME),
            ("GET /meow", "404", SAME),
            ("HEAD /meow", "404", SAME),
            // send: fields.
            ("GET /described/name.txt", "200 | Content-Type: text/x > tobi", SAME),
            (
                unchanged,
                "304 | Content-Type: - | Content-Length: - | Content-Language: - | Content-Location: http://localhost/name.txt",
                SAME,
            ),
            (unchanged, "304 | Content-Security-Policy: default-src 'self'", SAME),
            (
                "GET /status/name.txt | If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT",
                "500 | Content-Length: 4 > tobi",
                SAME,
            ),
            (
                "GET /described/none",
                "404 | Content-Security-Policy: default-src 'self'",
                "send sets default-src 'none'; a security field that was set before is kept on an error page",
            ),
            // send: ranges.
            ("GET /nums.txt | Range: items=0-5", "200 > 123456789", SAME),
            ("GET /nums.txt | Range: bytes=1-2,3-4", "200 > 123456789", "several ranges are one whole answer"),
            ("GET /nums.txt | Range: bytes=-500", "206 | Content-Range: bytes 0-8/9 > 123456789", SAME),
            // send: extensions.
            ("GET /tobi", "404", SAME),
            ("GET /fallbacks/name", "200 > <p>tobi</p>", SAME),
            ("GET /fallbacks/nums", "200 > 123456789", SAME),
            ("GET /fallbacks/bob", "404", SAME),
            ("GET /folders/name", "404", SAME),
            (
                "GET /fallbacks/thing.html",
                "200 > <p>trap!</p>",
                "whatever names nothing may lack its extension: v1.2 is no extension",
            ),
            // send: hidden files.
            ("GET /.hidden.txt", "404", SAME),
            ("GET /.mine/name.txt", "404", SAME),
            ("GET /.mine/", "404", SAME),
            ("GET /.nothere", "404", SAME),
            ("GET /deny/.hidden.txt", "403", SAME),
            ("GET /deny/.mine", "403", SAME),
            ("GET /deny/.mine/", "403", SAME),
            ("GET /deny/.mine/name.txt", "403", SAME),
            ("GET /deny/.nothere", "403", SAME),
            ("GET /deny/.what/name.txt", "403", SAME),
            ("GET /deny/pets/.hidden", "403", SAME),
            ("GET /deny/.mine/.hidden", "403", SAME),
            ("GET /mine/name.txt", "200 > tobi", SAME),
            ("GET /mine/.hidden.txt", "404", SAME),
            // send: ages, indexes, roots.
            ("GET /second/name.txt", "200 | Cache-Control: public, max-age=1 > tobi", SAME),
            (
                "GET /name.txt",
                "200 | Cache-Control: no-cache > tobi",
                "`no-cache` says what `public, max-age=0` means: ask each time",
            ),
            ("GET /pets/", "200 | Content-Type: text/html; charset=utf-8 > tobi,loki,jane", SAME),
            ("GET /other-index/", "200 | Content-Type: text/plain; charset=utf-8 > tobi", SAME),
            ("GET /other-index/pets/", "404", SAME),
            ("GET /folder-index/", "404", SAME),
            ("GET /no-index/pets/", "404", "without an index a folder names nothing; in send 403"),
            ("GET /no-index/pets", "404", "no redirect to a folder that has no page"),
            ("GET /slashed/", "200 > tobi,loki,jane", SAME),
            ("GET /around/name.txt", "200 > tobi", SAME),
            ("GET /pets/../../pets/name.txt", "400", MALFORMED),
            ("GET /pets/..%2f..%2fname.txt", "404", "403 in send"),
            // serve-static.
            ("GET /todo@txt", "404", SAME),
            ("GET //pets", "404", "two slashes are no spelling of one; there it is a redirect to /pets/"),
            ("GET /pages", "308 | Location: ./pages/", "308, and relative; there 301"),
            ("GET /pages/", "200 > tobi,loki,jane", SAME),
            ("GET /pages?a=//b", "308 | Location: ./pages/?a=//b", "the same"),
        ],
    );
    let long = format!("/{}", "foobar".repeat(1_000));
    test.get(&long).send().expect(404);
    // The root: there is one, it is a folder, and it is there when the program starts.
    for (root, kind) in [("none", std::io::ErrorKind::NotFound), ("name.txt", std::io::ErrorKind::NotADirectory)] {
        assert_eq!(Files::of(folder.path(root)).unwrap_err().kind(), kind, "{root}");
    }
}
