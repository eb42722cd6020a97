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
