//! `req.accepts*.js`, `req.is.js`, `req.range.js`, `req.fresh.js`, `req.stale.js`, `req.get.js`, `req.query.js`, `req.host.js`, `req.hostname.js`,
//! `req.ip.js`, `req.ips.js`, `req.protocol.js`, `req.secure.js`, `req.subdomains.js`, `req.path.js`, `req.route.js`, `req.baseUrl.js`, `req.xhr.js`.

use super::{SAME, replay, with};
use oneloop::app::Trust;
use oneloop::http::{Request, Response};

#[test]
fn negotiation() {
    let test = with(|app| {
        let no = "no";
        app.get("/json", |req, res| res.end(req.accepts(&["json"]).unwrap_or("no")));
        app.get("/either", |req, res| res.end(req.accepts(&["html", "json"]).unwrap_or("no")));
        app.get("/full", move |req, res| res.end(req.accepts(&["application/json", "text/html"]).unwrap_or(no)));
        app.get("/charset", |req, res| res.end(req.accepts_charsets(&["utf-8"]).unwrap_or("no")));
        app.get("/charsets", |req, res| res.end(req.accepts_charsets(&["utf-8", "iso-8859-1"]).unwrap_or("no")));
        app.get("/gzip", |req, res| res.end(req.accepts_encodings(&["gzip"]).unwrap_or("no")));
        app.get("/bogus", |req, res| res.end(req.accepts_encodings(&["bogus"]).unwrap_or("no")));
        app.get("/languages", |req, res| res.end(req.accepts_languages(&["en-us", "en"]).unwrap_or("no")));
        app.get("/german", |req, res| res.end(req.accepts_languages(&["de"]).unwrap_or("no")));
    });
    replay(
        &test,
        &[
            ("GET /json", "200 > json", SAME),
            ("GET /json | Accept: application/json", "200 > json", SAME),
            ("GET /json | Accept: text/html", "200 > no", SAME),
            ("GET /json | Accept: */*", "200 > json", SAME),
            ("GET /either", "200 > html", SAME),
            ("GET /either | Accept: */html;q=.5, application/json", "200 > json", SAME),
            ("GET /either | Accept: application/*;q=.2, application/json;q=.5, text/html;q=.4", "200 > json", SAME),
            ("GET /either | Accept: application/json;q=.5, text/html", "200 > html", SAME),
            ("GET /either | Accept: foo/bar, bar/baz", "200 > no", SAME),
            ("GET /full | Accept: application/json;q=.5, text/html", "200 > text/html", SAME),
            ("GET /full | Accept: application/json", "200 > application/json", SAME),
            ("GET /charset", "200 > utf-8", SAME),
            ("GET /charset | Accept-Charset: foo, bar, utf-8", "200 > utf-8", SAME),
            ("GET /charset | Accept-Charset: foo, bar", "200 > no", SAME),
            ("GET /charsets | Accept-Charset: utf-8;q=0.8, iso-8859-1;q=0.9", "200 > iso-8859-1", SAME),
            ("GET /gzip | Accept-Encoding:  gzip, deflate", "200 > gzip", SAME),
            ("GET /bogus | Accept-Encoding:  gzip, deflate", "200 > no", SAME),
            ("GET /languages | Accept-Language: en;q=.5, en-us", "200 > en-us", SAME),
            ("GET /languages | Accept-Language: en;q=.5", "200 > en", SAME),
            ("GET /german | Accept-Language: en;q=.5, en-us", "200 > no", SAME),
            ("GET /languages", "200 > en-us", SAME),
            ("GET /german", "200 > de", SAME),
        ],
    );
}

#[test]
fn types() {
    let test = with(|app| {
        for name in ["json", "html", "application/json", "text/html", "*/json", "*/html", "application/*", "text/*"] {
            app.all(&format!("/{}", name.replace('/', "-").replace('*', "any")), move |req, res| {
                res.end(req.is(name).to_string());
            });
        }
    });
    replay(
        &test,
        &[
            (
                "POST /json | Content-Type: application/json < {}",
                "200 > true",
                "a bool; Express has the type that was asked for",
            ),
            ("POST /html | Content-Type: application/json < {}", "200 > false", SAME),
            ("POST /json | Content-Type: application/json; charset=utf-8 < {}", "200 > true", "the same"),
            ("POST /json < {}", "200 > false", SAME),
            ("POST /application-json | Content-Type: application/json < {}", "200 > true", "the same"),
            ("POST /text-html | Content-Type: application/json < {}", "200 > false", SAME),
            (
                "POST /any-json | Content-Type: application/json < {}",
                "200 > true",
                "a bool; Express has the whole type",
            ),
            ("POST /any-html | Content-Type: application/json < {}", "200 > false", SAME),
            ("POST /any-json | Content-Type: application/json; charset=utf-8 < {}", "200 > true", "the same"),
            ("POST /application-any | Content-Type: application/json < {}", "200 > true", "the same"),
            ("POST /text-any | Content-Type: application/json < {}", "200 > false", SAME),
            ("POST /application-any | Content-Type: application/json; charset=utf-8 < {}", "200 > true", "the same"),
        ],
    );
}

#[test]
fn ranges() {
    let test = with(|app| {
        app.get("/:size", |req, res| {
            let size: u64 = req.param_as("size")?;
            res.end(format!("{:?}", req.range(size)));
            Ok(())
        });
    });
    replay(
        &test,
        &[
            ("GET /120 | Range: bytes=0-50", "200 > Part { first: 0, last: 50 }", SAME),
            (
                "GET /120 | Range: bytes=0-50,51-100",
                "200 > Whole",
                "several ranges are one whole answer (RFC 9110, 14.2)",
            ),
            ("GET /75 | Range: bytes=0-100", "200 > Part { first: 0, last: 74 }", SAME),
            ("GET /75 | Range: bytes=0-", "200 > Part { first: 0, last: 74 }", SAME),
            ("GET /75 | Range: bytes=80-", "200 > Unsatisfiable", SAME),
            ("GET /120 | Range: users=0-2", "200 > Whole", "bytes are the only unit that is defined (RFC 9110, 14.1)"),
            ("GET /120", "200 > Whole", SAME),
        ],
    );
}

#[test]
fn freshness() {
    let test = with(|app| {
        app.all("/tag", |req, res| {
            res.set_header("ETag", "\"12345\"");
            res.end(req.is_fresh().to_string());
        });
        app.get("/date", |req, res| {
            res.set_header("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT").set_header("ETag", "\"12345\"");
            res.end(req.is_fresh().to_string());
        });
        app.get("/none", |req, res| res.end(req.is_fresh().to_string()));
    });
    replay(
        &test,
        &[
            ("GET /tag | If-None-Match: \"12345\"", "200 > true", SAME),
            ("GET /tag | If-None-Match: \"67890\"", "200 > false", SAME),
            ("HEAD /tag | If-None-Match: \"12345\"", "200 > ", SAME),
            ("GET /none | If-None-Match: *", "200 > true", SAME),
            ("GET /none", "200 > false", SAME),
            ("POST /tag | If-None-Match: \"12345\"", "200 > false", SAME),
            (
                "GET /date | If-None-Match: \"foo\" | If-Modified-Since: Sat, 01 Jan 2000 01:00:00 GMT",
                "200 > false",
                SAME,
            ),
            (
                "GET /date | If-None-Match: \"12345\" | If-Modified-Since: Fri, 31 Dec 1999 01:00:00 GMT",
                "200 > true",
                SAME,
            ),
        ],
    );
}

#[test]
fn fields_queries_and_paths() {
    let test = with(|app| {
        app.all("/type", |req, res| res.end(req.header("Content-Type").unwrap_or("-")));
        app.get("/referer", |req, res| res.end(req.header("Referer").unwrap_or("-")));
        app.get("/query", |req, res| {
            res.end(req.query_pairs().map(|(name, value)| format!("{name}={value};")).collect::<String>());
        });
        app.get("/path/*rest", |req, res| res.end(req.path()));
        app.get("/xhr", |req, res| {
            let is_xhr = req.header("X-Requested-With").is_some_and(|by| by.eq_ignore_ascii_case("XMLHttpRequest"));
            res.end(is_xhr.to_string());
        });
        app.group("/user/:id", |user| {
            user.get("/edit", |req, res| res.end(req.route().as_deref().unwrap_or("-")));
        });
        app.group("/a", |a| {
            a.group("/b", |b| {
                b.with_at("/c", |req, res, _next| res.end(req.below()));
            });
        });
    });
    replay(
        &test,
        &[
            ("POST /type | Content-Type: application/json < {}", "200 > application/json", SAME),
            ("GET /referer | Referer: http://foobar.com", "200 > http://foobar.com", SAME),
            (
                "GET /referer | Referrer: http://foobar.com",
                "200 > -",
                "one name for the field: that of RFC 9110, 10.1.3",
            ),
            ("GET /query", "200 > ", SAME),
            ("GET /query?user[name]=tj", "200 > user[name]=tj;", SAME),
            ("GET /query?user.name=tj", "200 > user.name=tj;", SAME),
            ("GET /query?a=1&a=2&b", "200 > a=1;a=2;b=;", "all pairs in their order; in Express a value or a list"),
            ("GET /query?a=x+y%20z", "200 > a=x y z;", SAME),
            ("GET /path/login?redirect=/post/1/comments", "200 > /path/login", SAME),
            ("GET /xhr | X-Requested-With: xmlhttprequest", "200 > true", "there is no `req.xhr`: ask for the field"),
            ("GET /xhr | X-Requested-With: XMLHttpRequest", "200 > true", "the same"),
            ("GET /xhr | X-Requested-With: blahblah", "200 > false", "the same"),
            ("GET /xhr", "200 > false", "the same"),
            (
                "GET /user/12/edit",
                "200 > /user/:id/edit",
                "the whole pattern, with the prefixes; in Express that of the router alone",
            ),
            ("GET /a/b/c/d", "200 > /d", "what is left of the path; `req.baseUrl` is what is before it"),
        ],
    );
}

fn client(req: Request, res: Response) {
    let ips: Vec<String> = req.ips().iter().map(ToString::to_string).collect();
    let host = req.host().unwrap_or("-");
    let name = req.hostname().unwrap_or("-");
    let ip = req.ip().map_or_else(String::new, |ip| ip.to_string());
    res.end(format!("{}://{host} {name} {ip} [{}] {}", req.protocol(), ips.join(","), req.subdomains().join(".")));
}

#[test]
fn who_asks_without_proxies() {
    let test = with(|app| {
        app.get("/", client);
    });
    replay(
        &test,
        &[
            ("GET / | Host: example.com", "200 > http://example.com example.com 127.0.0.1 [127.0.0.1] ", SAME),
            (
                "GET / | Host: example.com:3000",
                "200 > http://example.com:3000 example.com 127.0.0.1 [127.0.0.1] ",
                SAME,
            ),
            ("GET / | Host: [::1]", "200 > http://[::1] [::1] 127.0.0.1 [127.0.0.1] ", SAME),
            ("GET / | Host: [::1]:3000", "200 > http://[::1]:3000 [::1] 127.0.0.1 [127.0.0.1] ", SAME),
            (
                "GET / | Host: evil | X-Forwarded-Host: example.com",
                "200 > http://evil evil 127.0.0.1 [127.0.0.1] ",
                SAME,
            ),
            ("GET / | Host: a | X-Forwarded-Proto: https", "200 > http://a a 127.0.0.1 [127.0.0.1] ", SAME),
            ("GET / | Host: a | X-Forwarded-For: client, p1, p2", "200 > http://a a 127.0.0.1 [127.0.0.1] ", SAME),
            (
                "GET / | Host: tobi.ferrets.example.com",
                "200 > http://tobi.ferrets.example.com tobi.ferrets.example.com 127.0.0.1 [127.0.0.1] ferrets.tobi",
                SAME,
            ),
            ("GET / | Host: 127.0.0.1", "200 > http://127.0.0.1 127.0.0.1 127.0.0.1 [127.0.0.1] ", SAME),
            (
                "GET / | Host: tobi.example.com",
                "200 > http://tobi.example.com tobi.example.com 127.0.0.1 [127.0.0.1] tobi",
                SAME,
            ),
        ],
    );
}

#[test]
fn who_asks_behind_proxies() {
    let test = with(|app| {
        app.trust(Trust::loopback());
        app.get("/", client);
    });
    replay(
        &test,
        &[
            (
                "GET / | Host: localhost | X-Forwarded-Host: example.com",
                "200 > http://example.com example.com 127.0.0.1 [127.0.0.1] ",
                SAME,
            ),
            (
                "GET / | Host: localhost | X-Forwarded-Host: example.com:3000",
                "200 > http://example.com:3000 example.com 127.0.0.1 [127.0.0.1] ",
                SAME,
            ),
            ("GET / | Host: example.com", "200 > http://example.com example.com 127.0.0.1 [127.0.0.1] ", SAME),
            ("GET / | Host: a | X-Forwarded-Proto: https", "200 > https://a a 127.0.0.1 [127.0.0.1] ", SAME),
            ("GET / | Host: a", "200 > http://a a 127.0.0.1 [127.0.0.1] ", SAME),
            (
                "GET / | Host: a | X-Forwarded-For: 203.0.113.9",
                "200 > http://a a 203.0.113.9 [203.0.113.9,127.0.0.1] ",
                "`req.ips()` ends with the other end of the connection, too",
            ),
            (
                "GET / | Host: a | X-Forwarded-For: 198.51.100.7, 203.0.113.9",
                "200 > http://a a 203.0.113.9 [203.0.113.9,127.0.0.1] ",
                "the same",
            ),
        ],
    );
}
