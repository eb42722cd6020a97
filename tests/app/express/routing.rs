//! `app.router.js`, `Router.js`, `Route.js`, `app.route.js`, `app.param.js`, `app.use.js`, `app.all.js`, `app.head.js`, `app.options.js`,
//! `app.routes.error.js`, and the routes of the examples.

use super::{SAME, replay, with};
use oneloop::app::{Next, Router};
use oneloop::http::{Error, Request, Response};
use std::cell::Cell;
use std::rc::Rc;

/// Answers with the parameters.
fn params(req: Request, res: Response) {
    let pairs: Vec<String> = req.params().iter().map(|(name, value)| format!("{name}={value}")).collect();
    res.end(pairs.join(" "));
}

fn says(text: &'static str) -> impl FnMut(Request, Response) {
    move |_req, res| res.end(text)
}

/// Adds a word to the field `X-Way`, and goes on.
fn by(word: &'static str) -> impl FnMut(Request, Response, Next) {
    move |_req, res, next| {
        res.append_header("X-Way", word);
        next.run();
    }
}

#[test]
fn patterns() {
    let test = with(|app| {
        app.get("/user/:user", params);
        app.get("/partial{s}/:user/:op", params);
        app.get("/paren/:user\\(:op\\)", params);
        app.get("/opt/:user{/:op}", params);
        app.get("/some/*rest", params);
        app.get("/any{/*rest}", params);
        app.get("/file/:name.:format", params);
        app.get("/maybe/:name{.:format}", params);
        app.get("/range/:from..:to", params);
        app.get("/multi/:a-:b/x/:c", params);
        app.get("/dot.txt", says("dot"));
        app.get("/one", says("array")).get("/two", says("array"));
        app.get("/deep/:one/:two/:three", params);
    });
    replay(
        &test,
        &[
            ("GET /user/tj", "200 > user=tj", SAME),
            ("GET /user/tj/edit", "404", SAME),
            ("GET /user/", "404", SAME),
            ("GET /user", "404", SAME),
            ("GET /partial/tj/edit", "200 > user=tj op=edit", SAME),
            ("GET /partials/tj/edit", "200 > user=tj op=edit", SAME),
            ("GET /paren/tj(edit)", "200 > user=tj op=edit", SAME),
            ("GET /opt/tj", "200 > user=tj", SAME),
            ("GET /opt/tj/edit", "200 > user=tj op=edit", SAME),
            ("GET /some/122", "200 > rest=122", SAME),
            ("GET /some/1/2/3/4", "200 > rest=1/2/3/4", SAME),
            ("GET /some", "404", SAME),
            ("GET /some/", "404", SAME),
            ("GET /any", "200 > ", SAME),
            ("GET /any/", "200 > ", SAME),
            ("GET /any/1/2", "200 > rest=1/2", SAME),
            ("GET /file/foo.json", "200 > name=foo format=json", SAME),
            ("GET /file/foo", "404", SAME),
            ("GET /file/a.tar.gz", "200 > name=a.tar format=gz", SAME),
            ("GET /maybe/foo", "200 > name=foo", SAME),
            ("GET /maybe/foo.json", "200 > name=foo format=json", SAME),
            ("GET /range/1..50", "200 > from=1 to=50", SAME),
            ("GET /multi/1-2/x/3", "200 > a=1 b=2 c=3", SAME),
            ("GET /dot.txt", "200 > dot", SAME),
            ("GET /dotXtxt", "404", SAME),
            ("GET /one", "200 > array", SAME),
            ("GET /two", "200 > array", SAME),
            ("GET /deep/a/b/c", "200 > one=a two=b three=c", SAME),
            // Decoding.
            ("GET /user/tj%2Fx", "200 > user=tj/x", SAME),
            ("GET /user/foo%20bar", "200 > user=foo bar", SAME),
            ("GET /user/foo+bar", "200 > user=foo+bar", SAME),
            ("GET /user/%ce%b1", "200 > user=α", SAME),
            ("GET /%foobar", "400", SAME),
            ("GET /user/%E0%A4%A", "400", SAME),
            ("GET /user/%ff", "400", SAME),
            (
                "GET /%75ser/tj",
                "200 > user=tj",
                "Express compares texts as they were spelt, so that a guard of /user misses this one",
            ),
            // The query is no part of the path.
            ("GET /user/tj?/x", "200 > user=tj", SAME),
            ("GET /user/tj?x=/y.html", "200 > user=tj", SAME),
            // Case.
            ("GET /USER/tj", "404", "paths have case (RFC 3986, 6.2.2.1)"),
            ("GET /DOT.txt", "404", "paths have case"),
            // Slashes.
            ("GET /user/tj/", "200 > user=tj", SAME),
            ("GET /dot.txt/", "200 > dot", SAME),
            ("GET //dot.txt", "404", SAME),
        ],
    );
}

#[test]
fn strict_routes() {
    let test = with(|app| {
        app.strict(true);
        app.with_at("/mounted", by("mounted"));
        app.get("/slash/", says("slash")).get("/none", says("none"));
        app.get("/mounted", says("without")).get("/mounted/", says("with"));
    });
    replay(
        &test,
        &[
            ("GET /slash/", "200 > slash", SAME),
            ("GET /slash", "404", SAME),
            ("GET /none", "200 > none", SAME),
            ("GET /none/", "404", SAME),
            ("GET /mounted", "200 | X-Way: mounted > without", SAME),
            ("GET /mounted/", "200 | X-Way: mounted > with", SAME),
        ],
    );
}

#[test]
fn methods() {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let test = with(|app| {
        app.get("/plain", |_req, res| {
            res.set_header("X-Kind", "get").end("tobi");
        });
        app.head("/own", |_req, res| {
            res.set_header("X-Kind", "head").end(());
        });
        app.get("/own", |_req, res| {
            res.set_header("X-Kind", "get").end("tobi");
        });
        app.all("/all", move |req, res| {
            counted.set(counted.get() + 1);
            res.end(req.method());
        });
        app.delete("/", says("gone"));
        app.get("/users", says("users")).put("/users", says("put"));
        app.options("/mine", |_req, res| {
            res.set_header("Allow", "GET").end("mine");
        });
        app.get("/mine", says("mine"));
        app.route("/route").get(says("get")).post(says("post")).all(says("all"));
        app.on("REPORT", "/on", |_req, res, _next| res.end("report"));
    });
    replay(
        &test,
        &[
            ("HEAD /plain", "200 | X-Kind: get | Content-Length: 4 > ", SAME),
            ("GET /plain", "200 | X-Kind: get | Content-Length: 4 > tobi", SAME),
            ("HEAD /own", "200 | X-Kind: head > ", SAME),
            ("GET /all", "200 > GET", SAME),
            ("POST /all", "200 > POST", SAME),
            ("PUT /all", "200 > PUT", SAME),
            ("DELETE /all", "200 > DELETE", SAME),
            ("PATCH /all", "200 > PATCH", SAME),
            ("OPTIONS /all", "200 > OPTIONS", SAME),
            ("REPORT /all", "200 > REPORT", SAME),
            ("QUERY /all", "200 > QUERY", SAME),
            ("PURGE /all", "200 > PURGE", SAME),
            ("HEAD /all", "200 > ", SAME),
            (
                "OPTIONS /users",
                "204 | Allow: GET, HEAD, OPTIONS, PUT > ",
                "Express: 200, with the list as a body, and without OPTIONS in it, which the answer shows to be wrong",
            ),
            ("OPTIONS /other", "404", SAME),
            ("OPTIONS /mine", "200 | Allow: GET > mine", SAME),
            ("POST /users", "405 | Allow: GET, HEAD, OPTIONS, PUT", "Express: 404 for a path that has another method"),
            ("GET /", "405 | Allow: DELETE, OPTIONS", "Express: 404"),
            ("GET /route", "200 > get", SAME),
            ("POST /route", "200 > post", SAME),
            ("PUT /route", "200 > all", SAME),
            ("REPORT /on", "200 > report", SAME),
        ],
    );
    assert_eq!(count.get(), 10, "each method has called it once");
}

#[test]
fn order_and_ways_to_go_on() {
    let test = with(|app| {
        app.get("/order", |_req, res| res.end("first"));
        app.route("/next").with(by("1")).with(by("2")).get(says("end"));
        app.route("/skip")
            .with(by("1"))
            .with(|_req, _res, next| next.skip_route())
            .with(by("never"))
            .get(says("never"));
        app.on("GET", "/skip", by("other")).on("GET", "/skip", |_req, res, _next| res.end("end"));
        let mut inner = Router::new();
        inner.with(|req, _res, next| if req.query() == Some("out") { next.skip_router() } else { next.run() });
        inner.get("/x", says("inside"));
        app.mount("/router", inner);
        app.get("/router/:x", says("outside"));
        app.route("/fail")
            .with(by("1"))
            .with(|_req, _res, next| next.fail(Error::new(400, "first")))
            .get(says("never"));
        app.get("/err", |_req, _res| Err(Error::new(418, "short and stout")));
        app.get("/throw", |_req, res| {
            let _kept = res;
            Err(Error::from(std::io::Error::other("thrown")))
        });
        let mut deep = Router::new();
        deep.get("/fail", |_req, _res| Err(Error::new(410, "deep")));
        deep.on_error(|error, _req, res, next| {
            res.append_header("X-Way", "in its router");
            next.fail(error);
        });
        app.mount("/deep", deep);
        app.mount("/api", {
            let mut api = Router::new();
            api.mount("/v1", {
                let mut v1 = Router::new();
                v1.get("/", says("Hello from APIv1 root route.")).get("/users", says("List of APIv1 users."));
                v1
            });
            api
        });
        app.get("/", says("Hello from root route."));
        app.get("/missing-next", |_req, _res| ());
        app.on_error(|_error, _req, res, next| {
            res.append_header("X-Way", "one");
            next.fail(Error::new(503, "another"));
        });
        app.on_error(|error, _req, res, _next| res.set_status(error.status()).end(error.message()));
    });
    replay(
        &test,
        &[
            ("GET /order", "200 > first", SAME),
            ("GET /next", "200 | X-Way: 1 + 2 > end", SAME),
            ("GET /skip", "200 | X-Way: 1 + other > end", SAME),
            ("GET /router/x", "200 > inside", SAME),
            ("GET /router/x?out", "200 > outside", SAME),
            ("GET /router/y", "200 > outside", SAME),
            ("GET /fail", "503 | X-Way: 1 + one > another", SAME),
            ("GET /err", "503 | X-Way: one > another", SAME),
            ("GET /throw", "503 | X-Way: one > another", SAME),
            ("GET /deep/fail", "503 | X-Way: in its router + one > another", SAME),
            (
                "GET /deep/none",
                "503",
                "a 404 is an error for the handlers too; in Express only what `next(err)` says is",
            ),
            (
                "GET /missing-next",
                "503",
                "a handler that forgets to answer is told to the error handlers; in Express the client waits",
            ),
            ("GET /", "200 > Hello from root route.", SAME),
            ("GET /api/v1", "200 > Hello from APIv1 root route.", SAME),
            ("GET /api/v1/", "200 > Hello from APIv1 root route.", SAME),
            ("GET /api/v1/users", "200 > List of APIv1 users.", SAME),
        ],
    );
    let test = with(|app| {
        app.get("/err", |_req, _res| Err(Error::from(std::io::Error::other("the secret"))));
        app.get("/told", |_req, _res| Err(Error::new(404, "no such todo")));
    });
    replay(
        &test,
        &[
            (
                "GET /missing",
                "404 | Content-Type: text/plain; charset=utf-8 > 404 Not Found\n",
                "the page names no path, and is text unless the client asks for HTML",
            ),
            ("GET /err", "500 > 500 Internal Server Error\n", "Express shows the stack unless NODE_ENV is production"),
            ("GET /told", "404 > no such todo\n", SAME),
            (
                "GET /told | Accept: text/html",
                "404 | Content-Type: text/html; charset=utf-8 | Content-Security-Policy: default-src 'none' | X-Content-Type-Options: nosniff",
                SAME,
            ),
            (
                "GET /told | Accept: application/json",
                "404 | Content-Type: application/problem+json",
                "Express has HTML only",
            ),
            ("HEAD /told", "404 > ", SAME),
        ],
    );
}

#[test]
fn params_of_routes() {
    struct Users(Vec<String>);
    let test = with(|app| {
        app.param("id", |id, req, _res, next| match id.parse::<u32>() {
            Ok(number) => {
                req.put(number);
                next.run();
            }
            Err(_) => next.skip_route(),
        });
        app.get("/user/:id", |req, res| res.end(format!("number:{}", req.find::<u32>().unwrap())));
        app.get("/:name/abc", says("name"));
        app.param("user", |user, req, res, next| {
            res.append_header("X-Called", user);
            let mut all = req.find::<Users>().map_or_else(Vec::new, |users| users.0.clone());
            all.push(user.to_owned());
            req.put(Users(all));
            next.run();
        });
        let seen = |req: Request, res: Response| res.end(req.find::<Users>().unwrap().0.join(","));
        app.on("GET", "/once/:user", by("1")).on("GET", "/once/:user", by("2")).get("/once/*end", seen);
        app.on("GET", "/:user/differ", by("1")).on("GET", "/twice/:user", by("2")).get("/twice/*end", seen);
        app.param("broken", |_value, _req, _res, _next| Err(Error::from(std::io::Error::other("err!"))));
        app.get("/broken/:broken", says("never"));
        app.param("late", |_value, _req, _res, next| drop(oneloop::set_immediate(move || next.run())));
        app.param("late", |_value, _req, _res, _next| Err(Error::new(500, "")));
        app.get("/late/:late", says("never"));
        app.param("method", |_value, _req, _res, _next| Err(Error::new(500, "not called")));
        app.post("/method/:method", says("post")).get("/method/:other", says("get"));
        app.get("/coded/:coded", params);
        app.param("coded", |value, _req, res, next| {
            res.set_header("X-Called", value);
            next.run();
        });
        app.param("new", |value, _req, _res, next| if value == "new" { next.skip_route() } else { next.run() });
        app.all("/new/:new", says("all")).get("/new/:other", says("other"));
    });
    replay(
        &test,
        &[
            ("GET /user/123", "200 > number:123", SAME),
            ("GET /user/abc", "200 > name", SAME),
            ("GET /once/bob", "200 | X-Called: bob | X-Way: 1 + 2 > bob", SAME),
            ("GET /twice/differ", "200 | X-Called: twice + differ | X-Way: 1 + 2 > twice,differ", SAME),
            ("GET /broken/x", "500", SAME),
            ("GET /late/x", "500", SAME),
            ("GET /method/x", "200 > get", SAME),
            ("GET /coded/foo%25bar", "200 | X-Called: foo%bar > coded=foo%bar", SAME),
            ("GET /new/new", "200 > other", SAME),
            ("GET /new/old", "200 > all", SAME),
        ],
    );
}

#[test]
fn prefixes() {
    let test = with(|app| {
        app.with(by("all"));
        let seen = |req: Request, res: Response, _next: Next| res.end(format!("{} of {}", req.below(), req.url()));
        app.with_at("/foo", seen);
        app.with_at("/slash/", seen);
        app.with_at("/user/:name", |req, res, _next| {
            res.end(format!("{} {}", req.param("name").unwrap_or_default(), req.below()));
        });
        app.group("/post/:article", |post| {
            post.get("/", params).get("/by/:user", params);
        });
        app.mount("/blog", {
            let mut blog = Router::new();
            blog.get("/blog", |req, res| res.end(req.below()));
            blog.mount("/forum", {
                let mut forum = Router::new();
                forum.get("/", says("forum"));
                forum
            });
            blog
        });
        app.get("/user", says("after"));
    });
    replay(
        &test,
        &[
            (
                "GET /foo",
                "200 | X-Way: all > / of /foo",
                "`req.url` stays as it came; what is left of it is `req.below()`",
            ),
            ("GET /foo/bar?x", "200 > /bar of /foo/bar?x", "the same"),
            ("GET /foobar", "404 | X-Way: all", SAME),
            ("GET /slash", "200 > / of /slash", SAME),
            ("GET /slash/x", "200 > /x of /slash/x", "the same"),
            ("GET /user/tj/edit", "200 > tj /edit", SAME),
            ("GET /post/once", "200 > article=once", SAME),
            (
                "GET /post/once/by/tj",
                "200 > article=once user=tj",
                "parameters of a prefix are always seen below it: `mergeParams` is on",
            ),
            ("GET /blog/blog", "200 > /blog", SAME),
            ("GET /blog/forum", "200 > forum", SAME),
            ("GET /user", "200 > after", SAME),
            ("POST /foo/bar", "200 | X-Way: all > /bar of /foo/bar", SAME),
        ],
    );
}

#[test]
fn long_chains_take_no_stack() {
    let test = with(|app| {
        for _ in 0..600 {
            app.with(|_req, _res, next| next.run());
        }
        let mut route = app.route("/route");
        for _ in 0..600 {
            route = route.with(|_req, _res, next| next.run());
        }
        route.get(says("end"));
        for number in 0..600 {
            app.get(&format!("/many/{number}"), says("many"));
        }
    });
    replay(&test, &[("GET /route", "200 > end", SAME), ("GET /many/599", "200 > many", SAME)]);
}

#[test]
fn hosts() {
    let test = with(|app| {
        let mut main = Router::new();
        main.get("/", says("Hello from main app!"));
        main.get("/:sub", |req, res| res.end(format!("requested {}", req.param("sub").unwrap_or_default())));
        let mut redirect = Router::new();
        redirect.get("/", |req, res| {
            let name = req.hostname().unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
            res.redirect_external(&format!("http://example.com:3000/{name}"));
        });
        app.vhost("*.example.com", redirect);
        app.vhost("example.com", main);
    });
    replay(
        &test,
        &[
            ("GET / | Host: example.com", "200 > Hello from main app!", SAME),
            ("GET /foo | Host: example.com", "200 > requested foo", SAME),
            ("GET / | Host: foo.example.com", "302 | Location: http://example.com:3000/foo", SAME),
            ("GET / | Host: bar.example.com", "302 | Location: http://example.com:3000/bar", SAME),
            ("GET / | Host: else.org", "404", SAME),
        ],
    );
}
