//! `res.redirect.js`, `res.location.js`, `res.cookie.js`, `res.clearCookie.js`, `res.format.js`, `res.vary.js`, `res.links.js`,
//! `res.attachment.js`, `res.type.js`, `res.set.js`, `res.append.js`, `res.status.js`, `res.json.js`, `res.send.js`.

use super::{Row, SAME, replay, with};
use oneloop::app::{App, Cookie, SameSite};
use oneloop::http::{Request, Response};
use oneloop::tester::Tester;
use std::time::Duration;

/// An app that answers `/` and a number by the handler with this number.
fn each(handlers: &[fn(Request, Response)]) -> Tester {
    with(|app: &mut App| {
        for (number, handler) in handlers.iter().copied().enumerate() {
            app.all(&format!("/{number}"), handler);
        }
    })
}

#[test]
fn redirects() {
    let test = each(&[
        |_req, res| res.redirect_external("http://google.com"),
        |_req, res| res.redirect_external("https://google.com?q=\u{2603} §10"),
        |_req, res| res.redirect_external("https://google.com?q=%A710"),
        |_req, res| res.redirect_with(303, "/login"),
        |_req, res| res.redirect("http://google.com"),
        |_req, res| res.redirect("//evil.example"),
        |_req, res| res.redirect("/a\r\nX-Evil: 1"),
        |_req, res| res.redirect_external("javascript:eval(document.body.innerHTML=`<p>XSS</p>`);"),
    ]);
    replay(
        &test,
        &[
            (
                "GET /0",
                "302 | Location: http://google.com > ",
                "no body: a page with the URL in it has been a way to run scripts",
            ),
            ("HEAD /0", "302 | Location: http://google.com > ", SAME),
            (
                "POST /0",
                "303 | Location: http://google.com > ",
                "303 after a POST, so that no browser sends the form again",
            ),
            ("GET /1", "302 | Location: https://google.com?q=%E2%98%83%20%C2%A710", SAME),
            ("GET /2", "302 | Location: https://google.com?q=%A710", SAME),
            ("GET /3", "303 | Location: /login", SAME),
            ("GET /4", "500 | Location: -", "another host is only for `redirect_external`"),
            ("GET /5", "500 | Location: -", "the same"),
            ("GET /6", "302 | Location: /a%0D%0AX-Evil:%201 | X-Evil: -", SAME),
            ("GET /7 | Accept: text/html", "302 | Content-Type: - > ", "no body, so nothing to click"),
        ],
    );
}

#[test]
fn locations() {
    const CASES: &[(&str, &str, &str)] = &[
        ("http://google.com/", "http://google.com/", SAME),
        ("http://google.com", "http://google.com", SAME),
        ("https://google.com?q=\u{2603} §10", "https://google.com?q=%E2%98%83%20%C2%A710", SAME),
        ("https://google.com?q=%A710", "https://google.com?q=%A710", SAME),
        (
            "data:text/javascript,export default () => { }",
            "data:text/javascript,export%20default%20()%20=%3E%20%7B%20%7D",
            SAME,
        ),
        ("login", "login", SAME),
        ("/../login", "/../login", SAME),
        ("HTTP://google.com?q=%A710", "HTTP://google.com?q=%A710", SAME),
        (
            "//google.com\\@apple.com",
            "//google.com%5C@apple.com",
            "a backslash is always encoded: browsers read it as a slash",
        ),
        (
            "http://google.com\\@apple.com",
            "http://google.com%5C@apple.com",
            "the same; in Express the host is kept as it is",
        ),
        ("https://google.com/foo\\bar\\baz", "https://google.com/foo%5Cbar%5Cbaz", "the same"),
        ("/a\nb", "/a%0Ab", SAME),
        ("%E2%98%83", "%E2%98%83", SAME),
        ("%zz", "%25zz", SAME),
        ("file:///etc/passwd", "file:///etc/passwd", SAME),
    ];
    let test = with(|app| {
        for (number, (url, ..)) in CASES.iter().enumerate() {
            app.get(&format!("/{number}"), move |_req, res| res.location(url).end(()));
        }
    });
    for (number, (url, location, why)) in CASES.iter().enumerate() {
        let reply = test.get(&format!("/{number}")).send().expect(200);
        assert_eq!(reply.header("Location"), Some(*location), "{url} {why}");
    }
}

#[test]
fn cookies() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let test = each(&[
        |_req, res| res.cookie(Cookie::new("name", "tobi")).end(()),
        |_req, res| {
            res.cookie(Cookie::new("name", "tobi"))
                .cookie(Cookie::new("age", "1"))
                .cookie(Cookie::new("gender", "?"))
                .end(());
        },
        |_req, res| res.cookie(Cookie::new("name", "tobi").secure(true)).end(()),
        |_req, res| res.cookie(Cookie::new("name", "tobi").secure(true).partitioned(true)).end(()),
        |_req, res| res.cookie(Cookie::new("name", "tobi").max_age(DAY)).end(()),
        |_req, res| res.cookie(Cookie::new("user", r#"j:{"name":"tobi"}"#)).end(()),
        |_req, res| res.cookie(Cookie::new("name", "tobi").same_site(SameSite::None)).end(()),
        |_req, res| res.cookie(Cookie::new("na me", "tobi")).end(()),
        |_req, res| res.clear_cookie("sid").end(()),
        |_req, res| res.clear_cookie(Cookie::from("sid").path("/admin")).end(()),
        |_req, res| res.clear_cookie(Cookie::from("sid").path("/admin").max_age(DAY)).end(()),
        |_req, res| {
            res.append_header("Set-Cookie", "foo=bar").append_header("Set-Cookie", "fizz=buzz");
            res.cookie(Cookie::new("pet", "tobi")).end(());
        },
    ]);
    let http_only = "`HttpOnly` and `SameSite=Lax` unless you say otherwise";
    replay(
        &test,
        &[
            ("GET /0", "200 | Set-Cookie: name=tobi; Path=/; HttpOnly; SameSite=Lax", http_only),
            (
                "GET /1",
                "200 | Set-Cookie: name=tobi; Path=/; HttpOnly; SameSite=Lax + age=1; Path=/; HttpOnly; SameSite=Lax + gender=?; Path=/; HttpOnly; SameSite=Lax",
                http_only,
            ),
            ("GET /2", "200 | Set-Cookie: name=tobi; Path=/; Secure; HttpOnly; SameSite=Lax", http_only),
            ("GET /3", "200 | Set-Cookie: name=tobi; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned", http_only),
            (
                "GET /4",
                "200 | Set-Cookie: name=tobi; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax",
                "`Max-Age` alone: a browser's clock may be wrong",
            ),
            (
                "GET /5",
                "200 | Set-Cookie: user=j:{%22name%22:%22tobi%22}; Path=/; HttpOnly; SameSite=Lax",
                "only what a cookie cannot hold is encoded",
            ),
            ("GET /6", "500 | Set-Cookie: -", "browsers ignore it, so it is an error"),
            ("GET /7", "500 | Set-Cookie: -", SAME),
            (
                "GET /8",
                "200 | Set-Cookie: sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
                "`Max-Age=0` for `Expires=Thu, 01 Jan 1970`",
            ),
            ("GET /9", "200 | Set-Cookie: sid=; Max-Age=0; Path=/admin; HttpOnly; SameSite=Lax", "the same"),
            ("GET /10", "200 | Set-Cookie: sid=; Max-Age=0; Path=/admin; HttpOnly; SameSite=Lax", "the same"),
            ("GET /11", "200 | Set-Cookie: foo=bar + fizz=buzz + pet=tobi; Path=/; HttpOnly; SameSite=Lax", http_only),
        ],
    );
}

#[test]
fn formats() {
    let test = each(&[
        |_req, res| match res.format(&["text/plain", "text/html", "application/json"]) {
            Some("text/plain") => res.end("hey"),
            Some("text/html") => res.end("<p>hey</p>"),
            Some(_) => res.end("a string of json"),
            None => {}
        },
        |_req, res| match res.format(&["text", "html", "json"]) {
            Some("text") => res.end("hey"),
            Some("html") => res.end("<p>hey</p>"),
            Some(_) => res.end("a string of json"),
            None => {}
        },
        |req, res| match req.accepts(&["html"]) {
            Some(_) => res.html("<p>hey"),
            None => res.vary("Accept").set_status(200).end("default"),
        },
    ]);
    const KINDS: &[Row] = &[
        (
            "GET /0 | Accept: text/html; q=.5, application/json, */*; q=.1",
            "200 | Content-Type: application/json > a string of json",
            SAME,
        ),
        (
            "GET /0 | Accept: text/html; q=.5, text/plain",
            "200 | Content-Type: text/plain > hey",
            "a type in full stays as it is: `text` has a charset",
        ),
        ("GET /0 | Accept: */html; q=.5, */json; q=.1", "200 | Vary: Accept > <p>hey</p>", SAME),
        ("GET /0 | Accept: application/*", "200 | Vary: Accept > a string of json", SAME),
        ("GET /0", "200 | Vary: Accept | Content-Type: text/plain > hey", "the same"),
        ("GET /0 | Accept: image/png", "406 | Vary: Accept", SAME),
        (
            "GET /1 | Accept: text/html; q=.5, application/json, */*; q=.1",
            "200 | Content-Type: application/json > a string of json",
            "no charset for JSON, which has none (RFC 8259, 11)",
        ),
        ("GET /1 | Accept: text/html", "200 | Content-Type: text/html; charset=utf-8 > <p>hey</p>", SAME),
        ("GET /1 | Accept: foo/bar", "406 | Vary: Accept", SAME),
        (
            "GET /2 | Accept: foo/bar",
            "200 > default",
            "there is no `default`: it is the arm for `None` of `req.accepts`",
        ),
    ];
    replay(&test, KINDS);
}

#[test]
fn fields() {
    let test = each(&[
        |_req, res| res.vary("").end(()),
        |_req, res| res.vary("ACCEPT, accept-encoding").end(()),
        |_req, res| res.vary("Accept").end(()),
        |_req, res| res.vary("Accept").vary("Accept-Encoding").vary("Accept-Encoding").vary("Accept").end(()),
        |_req, res| {
            res.link("next", "http://api.example.com/users?page=2")
                .link("last", "http://api.example.com/users?page=5")
                .end(())
        },
        |_req, res| res.attachment("").end(()),
        |_req, res| res.attachment("/path/to/image.png").end(()),
        |_req, res| res.attachment("with space.txt").end(()),
        |_req, res| res.attachment("/locales/日本語.txt").end(()),
        |_req, res| res.attachment("café.txt").end(()),
        |_req, res| res.content_type("foo.js").end("let x"),
        |_req, res| res.content_type("rawr").end(()),
        |_req, res| res.content_type("application/vnd.amazon.ebook").end("x"),
        |_req, res| res.content_type("").end(()),
        |_req, res| res.content_type("JSON").end(()),
        |_req, res| res.set_header("X-Foo", 123).set_header("X-Foo", "bar").end(()),
        |_req, res| res.append_header("Link", "<a>").append_header("Link", "<b>").end(()),
        |_req, res| res.append_header("Link", "<a>").set_header("Link", "<c>").end(()),
        |_req, res| res.set_header("Content-Type", "text/x-foo; charset=iso-8859-1").text("x"),
        |_req, res| res.attachment("../../etc/\"pass\r\nwd\".txt").end(()),
    ]);
    replay(
        &test,
        &[
            ("GET /0", "200 | Vary: -", "Express throws without a name"),
            ("GET /1", "200 | Vary: ACCEPT, accept-encoding", SAME),
            ("GET /2", "200 | Vary: Accept", SAME),
            ("GET /3", "200 | Vary: Accept, Accept-Encoding", SAME),
            (
                "GET /4",
                "200 | Link: <http://api.example.com/users?page=2>; rel=\"next\" + <http://api.example.com/users?page=5>; rel=\"last\"",
                "a field for each link, which means the same",
            ),
            ("GET /5", "200 | Content-Disposition: attachment", SAME),
            (
                "GET /6",
                "200 | Content-Disposition: attachment; filename=image.png | Content-Type: image/png",
                "a name that is a token has no quotes",
            ),
            ("GET /7", "200 | Content-Disposition: attachment; filename=\"with space.txt\"", SAME),
            (
                "GET /8",
                "200 | Content-Disposition: attachment; filename=\"???.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.txt | Content-Type: text/plain; charset=utf-8",
                SAME,
            ),
            (
                "GET /9",
                "200 | Content-Disposition: attachment; filename=\"caf?.txt\"; filename*=UTF-8''caf%C3%A9.txt",
                "Express sends Latin-1 in `filename`, which half of the clients take for UTF-8",
            ),
            (
                "GET /10",
                "200 | Content-Type: application/octet-stream",
                "an extension is asked for, `js`, and no name of a file",
            ),
            ("GET /11", "200 | Content-Type: application/octet-stream", SAME),
            ("GET /12", "200 | Content-Type: application/vnd.amazon.ebook", SAME),
            ("GET /13", "200 | Content-Type: application/octet-stream", SAME),
            ("GET /14", "200 | Content-Type: application/json", "no charset for JSON"),
            ("GET /15", "200 | X-Foo: bar", SAME),
            ("GET /16", "200 | Link: <a> + <b>", SAME),
            ("GET /17", "200 | Link: <c>", SAME),
            (
                "GET /18",
                "200 | Content-Type: text/x-foo; charset=iso-8859-1",
                "a type that was set stays as it is: the bytes are the program's",
            ),
            ("GET /19", "200 | Content-Disposition: attachment; filename=\"\\\"passwd\\\".txt\"", SAME),
        ],
    );
}

#[test]
fn statuses_and_bodies() {
    let test = each(&[
        |_req, res| res.set_status(201).end("Created"),
        |_req, res| res.set_status(501).end(()),
        |_req, res| res.set_status(700).end(()),
        |_req, res| res.set_status(900).end(()),
        |_req, res| res.set_status(99).end(()),
        |_req, res| res.set_status(1000).end(()),
        |_req, res| res.end(()),
        |_req, res| res.html("<p>hey</p>"),
        |_req, res| res.text("hey"),
        |_req, res| res.set_header("Content-Type", "text/plain").html("<p>"),
        |_req, res| res.end(vec![1, 2, 3]),
        |_req, res| res.set_status(204).end("body"),
        |_req, res| res.set_status(205).end("body"),
        |_req, res| res.set_status(304).end("body"),
        |_req, res| res.json(&serde_json::json!({ "name": "tobi" })),
        |_req, res| res.json(&serde_json::Value::Null),
        |_req, res| res.json(&300),
        |_req, res| res.json("str"),
        |_req, res| res.json(&["foo", "bar", "baz"]),
        |_req, res| res.set_header("Content-Type", "application/vnd.example+json").json(&1),
        |_req, res| res.json("</script>"),
        |req, res| {
            res.etag_from(b"kajdslfkasdf");
            if req.is_fresh() { res.set_status(304).end(()) } else { res.end("kajdslfkasdf") }
        },
        |_req, res| res.set_header("ETag", "\"foo\"").end("x"),
    ]);
    replay(
        &test,
        &[
            ("GET /0", "201 > Created", SAME),
            ("GET /1", "501 > ", SAME),
            ("GET /2", "700 > ", SAME),
            ("GET /3", "900 > ", SAME),
            ("GET /4", "500", SAME),
            ("GET /5", "500", SAME),
            ("GET /6", "200 | Content-Length: 0 > ", SAME),
            ("GET /7", "200 | Content-Type: text/html; charset=utf-8 > <p>hey</p>", SAME),
            (
                "GET /8",
                "200 | Content-Type: text/plain; charset=utf-8 > hey",
                "the method says what the text is: in Express a text is HTML",
            ),
            ("GET /9", "200 | Content-Type: text/plain > <p>", "a type that was set stays as it is"),
            (
                "GET /10",
                "200 | Content-Length: 3 | Content-Type: -",
                "no guess: a client that does not know is better than one that is told wrongly",
            ),
            ("HEAD /7", "200 | Content-Length: 10 > ", SAME),
            ("GET /11", "204 | Content-Length: - | Transfer-Encoding: - > ", SAME),
            ("GET /12", "205 | Content-Length: 0 > ", SAME),
            ("GET /13", "304 > ", SAME),
            (
                "GET /14",
                "200 | Content-Type: application/json > {\"name\":\"tobi\"}",
                "no charset for JSON, which has none (RFC 8259, 11)",
            ),
            ("GET /14?callback=foo", "200 > {\"name\":\"tobi\"}", SAME),
            ("GET /15", "200 > null", SAME),
            ("GET /16", "200 > 300", SAME),
            ("GET /17", "200 > \"str\"", SAME),
            ("GET /18", "200 > [\"foo\",\"bar\",\"baz\"]", SAME),
            ("GET /19", "200 | Content-Type: application/vnd.example+json > 1", SAME),
            ("GET /20", "200 > \"</script>\"", SAME),
            ("GET /21 | If-None-Match: *", "304 > ", SAME),
            ("GET /22", "200 | ETag: \"foo\"", SAME),
            ("GET /6", "200 | ETag: -", "an ETag is made where you say so, of the bytes that you have"),
        ],
    );
}
