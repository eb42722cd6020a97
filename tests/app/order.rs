//! Requests go through the steps in the order of their registration, as in Express; methods, groups, mounts, hosts and parameters.

use crate::support::http::{PORT, Record, get, post, send};
use oneloop::app::{App, Next, Router};
use oneloop::http::{Error, Request, Response};
use oneloop::sim::{Reply, Sim};
use std::cell::RefCell;
use std::rc::Rc;

/// The names of the steps that a request has come by.
#[derive(Default)]
struct Trace(RefCell<Vec<&'static str>>);

fn note(req: &Request, name: &'static str) {
    let trace = req.find::<Trace>().unwrap_or_else(|| req.put(Trace::default()));
    trace.0.borrow_mut().push(name);
}

/// A middleware that notes its name and goes on.
fn by(name: &'static str) -> impl FnMut(Request, Response, Next) {
    move |req, _res, next| {
        note(&req, name);
        next.run();
    }
}

/// A handler that notes its name and answers with all names.
fn end(name: &'static str) -> impl FnMut(Request, Response) {
    move |req, res| {
        note(&req, name);
        res.end(req.need::<Trace>().unwrap().0.borrow().join(" "));
    }
}

fn start(app: App) -> Sim {
    let sim = Sim::new();
    app.listen(80, ()).unwrap();
    sim
}

fn text(sim: &Sim, target: &str) -> String {
    sim.request("GET", target).send().text()
}

#[test]
fn steps_run_in_the_order_in_which_they_were_registered_whatever_their_kind() {
    let mut app = App::new();
    app.with(by("first"));
    app.get("/early", end("early"));
    app.with_at("/a", by("below a"));
    app.on("GET", "/a/:x", by("on x"));
    app.get("/a/:x", end("x"));
    app.with(by("late"));
    app.get("/late", end("the end"));
    let sim = start(app);
    assert_eq!(text(&sim, "/early"), "first early");
    assert_eq!(text(&sim, "/a/b"), "first below a on x x");
    assert_eq!(text(&sim, "/late"), "first late the end");
}

#[test]
fn a_route_for_a_parameter_does_not_win_over_a_text_that_was_registered_before_it() {
    let mut app = App::new();
    app.get("/users/me", end("me")).get("/users/:id", end("id")).get("/*page", end("page"));
    let sim = start(app);
    assert_eq!(text(&sim, "/users/me"), "me");
    assert_eq!(text(&sim, "/users/7"), "id");
    assert_eq!(text(&sim, "/users/7/x"), "page");
}

#[test]
fn a_prefix_ends_at_a_segment() {
    let mut app = App::new();
    app.with_at("/admin", |_req, res, _next| res.set_status(401).end("guarded"));
    app.all("/*rest", end("open"));
    let sim = start(app);
    for guarded in ["/admin", "/admin/", "/admin/users", "/%61dmin", "/%61dmin/x", "/admin?x"] {
        assert_eq!(text(&sim, guarded), "guarded", "{guarded}");
    }
    for open in ["/administrator", "/adm", "/Admin", "/x/admin", "//admin"] {
        assert_eq!(text(&sim, open), "open", "{open}");
    }
}

#[test]
fn groups_and_mounted_routers_are_passed_through_and_their_middlewares_stay_inside() {
    let mut blog = Router::new();
    blog.with(by("in blog")).get("/", end("all")).get("/:post", end("post"));
    let mut app = App::new();
    app.group("/api", |api| {
        api.with(by("in api")).get("/me", end("me"));
        api.group("/deep", |deep| {
            deep.with(by("deeper")).get("/x", end("x"));
        });
    });
    app.mount("/blog", blog);
    app.get("/api/other", end("other"));
    app.get("/", end("root"));
    let sim = start(app);
    for (target, steps) in [
        ("/api/me", "in api me"),
        ("/api/deep/x", "in api deeper x"),
        ("/api/other", "in api other"),
        ("/blog", "in blog all"),
        ("/blog/", "in blog all"),
        ("/blog/7", "in blog post"),
        ("/", "root"),
    ] {
        assert_eq!(text(&sim, target), steps, "{target}");
    }
}

#[test]
fn parameters_of_a_prefix_are_known_below_it_and_the_url_stays() {
    let mut posts = Router::new();
    posts.get("/:post", |req, res| {
        let (user, post) = (req.param("user").unwrap(), req.param("post").unwrap());
        assert_eq!(req.params(), [("user".to_owned(), user.to_string()), ("post".to_owned(), post.to_string())]);
        res.end(format!("{user} {post} {} {} {}", req.url(), req.below(), req.route().unwrap()));
    });
    let mut app = App::new();
    app.mount("/users/:user/posts", posts);
    let sim = start(app);
    assert_eq!(text(&sim, "/users/a%20b/posts/7?q"), "a b 7 /users/a%20b/posts/7?q /7 /users/:user/posts/:post");
    assert_eq!(text(&sim, "/users/a/posts/%37"), "a 7 /users/a/posts/%37 /7 /users/:user/posts/:post");
}

#[test]
fn the_skips_leave_out_the_route_and_the_router() {
    let mut app = App::new();
    app.route("/route")
        .with(|req, _res, next| if req.query() == Some("skip") { next.skip_route() } else { next.run() })
        .with(by("inner"))
        .get(end("route"));
    app.get("/route", end("behind the route"));
    app.group("/group", |group| {
        group.with(|req, _res, next| if req.query() == Some("skip") { next.skip_router() } else { next.run() });
        group.get("/x", end("group"));
        group.not_found(|_req, res| res.end("not here"));
    });
    app.on("GET", "/alone", |req, _res, next| {
        note(&req, "alone");
        next.skip_route();
    });
    app.get("/alone", end("and on"));
    app.get("/group/*rest", end("behind the group"));
    app.with(|_req, _res, next| next.skip_router());
    app.get("/never", end("never"));
    let sim = start(app);
    for (target, steps) in [
        ("/route", "inner route"),
        ("/route?skip", "behind the route"),
        ("/group/x", "group"),
        ("/group/y", "not here"),
        ("/group/x?skip", "behind the group"),
        ("/alone", "alone and on"),
        ("/never", "404 Not Found\n"),
    ] {
        assert_eq!(text(&sim, target), steps, "{target}");
    }
}

fn allow(reply: &Reply) -> (u16, Option<&str>) {
    (reply.status(), reply.header("allow"))
}

#[test]
fn a_wrong_method_is_405_with_allow_an_options_204_and_a_head_like_a_get() {
    let mut app = App::new();
    app.get("/a/:x", |_req, res| res.end("four"));
    app.post("/a/b", |_req, res| res.end("b"));
    app.on("REPORT", "/a/b", |_req, res, _next| res.end("report"));
    app.get("/p", |_req, res| res.end("p"));
    app.head("/only", |_req, res| res.end(()));
    app.options("/own", |_req, res| res.end("mine"));
    let sim = start(app);
    let ask = |method, target| sim.request(method, target).send();
    let all = Some("GET, HEAD, OPTIONS, POST, REPORT");
    assert_eq!(allow(&ask("DELETE", "/a/b")), (405, all));
    assert_eq!(allow(&ask("OPTIONS", "/a/b")), (204, all));
    assert_eq!(ask("OPTIONS", "/a/b").body(), b"");
    assert_eq!(allow(&ask("DELETE", "/a/c")), (405, Some("GET, HEAD, OPTIONS")));
    assert_eq!(allow(&ask("GET", "/only")), (405, Some("HEAD, OPTIONS")));
    assert_eq!(ask("OPTIONS", "/own").text(), "mine");
    assert_eq!(ask("REPORT", "/a/b").text(), "report");
    assert_eq!(allow(&ask("OPTIONS", "*")), (204, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(allow(&ask("DELETE", "/none")), (404, None));
    assert_eq!(allow(&ask("OPTIONS", "/none")), (404, None));
    let head = ask("HEAD", "/a/b");
    assert_eq!((head.status(), head.header("content-length"), head.body()), (200, Some("4"), &b""[..]));
}

#[test]
fn a_guard_that_answers_reveals_no_methods() {
    let mut app = App::new();
    app.with_at("/admin", |_req, res, _next| res.set_status(401).end(()));
    app.post("/admin/x", |_req, res| res.end(()));
    let sim = start(app);
    for method in ["GET", "OPTIONS", "POST"] {
        assert_eq!(allow(&sim.request(method, "/admin/x").send()), (401, None), "{method}");
    }
}

#[test]
fn the_nearest_not_found_answers_and_leaves_wrong_methods_to_the_405() {
    let mut app = App::new();
    // Registered first, and last in the order.
    app.not_found(|_req, res| res.set_status(404).end("no page"));
    app.group("/api", |api| {
        api.not_found(|_req, res| res.set_status(404).end("no resource"));
        api.get("/a", |_req, res| res.end("a"));
        api.group("/plain", |plain| {
            plain.get("/x", |_req, res| res.end("x"));
        });
    });
    app.get("/b", |_req, res| res.end("b"));
    let sim = start(app);
    for (method, target, status, text) in [
        ("GET", "/api/a", 200, "a"),
        ("GET", "/api/b", 404, "no resource"),
        ("GET", "/api/plain/y", 404, "no resource"),
        ("GET", "/c", 404, "no page"),
        ("GET", "/b", 200, "b"),
        ("POST", "/api/a", 405, "405 Method Not Allowed\n"),
        ("POST", "/b", 405, "405 Method Not Allowed\n"),
    ] {
        let reply = sim.request(method, target).send();
        assert_eq!((reply.status(), &*reply.text()), (status, text), "{method} {target}");
    }
}

/// axum#1053, #2072, #3138: it was lost where the outer router had a wildcard, or a parameter in the prefix, or was merged.
#[test]
fn a_not_found_of_a_router_is_kept_whatever_stands_around_it() {
    let of = |name: &'static str| move |_req: Request, res: Response| res.set_status(404).end(name);
    let mut mounted = Router::new();
    mounted.get("/a", end("a")).not_found(of("mounted"));
    let mut app = App::new();
    app.group("/api/:version", |api| {
        api.not_found(of("version"));
        api.get("/a", end("a"));
        api.group("/deep", |deep| {
            deep.not_found(of("deep")).get("/x", end("x"));
        });
    });
    app.mount("/blog", mounted).mount("/", {
        let mut merged = Router::new();
        merged.get("/merged", end("merged"));
        merged
    });
    app.get("/*rest", end("wildcard"));
    app.not_found(of("app"));
    let sim = start(app);
    for (target, expected) in [
        ("/api/1/a", "a"),
        ("/api/1/b", "version"),
        ("/api/1", "version"),
        ("/api/1/deep/x", "x"),
        ("/api/1/deep/y", "deep"),
        ("/blog/b", "mounted"),
        ("/blog", "mounted"),
        ("/merged", "merged"),
        ("/none", "wildcard"),
        ("/", "app"),
    ] {
        assert_eq!(text(&sim, target), expected, "{target}");
    }
}

#[test]
fn a_host_has_its_router_and_an_exact_one_goes_before_a_wildcard() {
    let named = |name: &'static str| {
        let mut router = Router::new();
        router.get("/", end(name));
        router.get(&format!("/{name}"), end("own"));
        router.on_error(move |error, _req, res, _next| res.end(format!("{name}: {}", error.status())));
        router.get("/fails", |_req, _res| Err(Error::new(400, "")));
        router
    };
    let mut app = App::new();
    app.vhost("*.example.com", named("tenant")).vhost("api.example.com", named("api")).get("/", end("site"));
    app.post("/tenant", |_req, res| res.end(()));
    let sim = start(app);
    let ask = |method: &str, host: &str, target: &str| sim.request(method, target).header("Host", host).send();
    for (host, text) in [
        ("api.example.com", "api"),
        ("API.Example.com:7777", "api"),
        ("x.example.com", "tenant"),
        ("x.y.example.com", "tenant"),
        ("example.com", "site"),
        ("example.org", "site"),
    ] {
        assert_eq!(ask("GET", host, "/").text(), text, "{host}");
    }
    assert_eq!(ask("GET", "api.example.com", "/fails").text(), "api: 400");
    assert_eq!(allow(&ask("PUT", "x.example.com", "/tenant")), (405, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(allow(&ask("PUT", "api.example.com", "/tenant")), (405, Some("OPTIONS, POST")));
}

#[test]
fn the_callback_of_a_parameter_runs_once_for_each_request_and_value_and_in_its_own_router_alone() {
    let mut app = App::new();
    app.param("id", |id, req, _res, next| {
        note(&req, if id == "7" { "seven" } else { "other" });
        if id == "bad" { next.fail(Error::new(404, "no such id")) } else { next.run() }
    });
    app.with_at("/a/:id", by("with"));
    app.on("GET", "/a/:id", by("on"));
    app.get("/a/:id", end("get"));
    app.get("/b/:id/:x", end("b"));
    app.group("/c/:id", |group| {
        group.get("/", end("c"));
        group.get("/:x", end("x"));
    });
    app.group("/d", |group| {
        group.get("/:id", end("d"));
    });
    let sim = start(app);
    for (target, steps) in [
        ("/a/7", "seven with on get"),
        ("/a/%37", "seven with on get"),
        ("/b/8/9", "other b"),
        ("/c/7", "seven c"),
        ("/c/7/8", "seven x"),
        ("/d/7", "d"),
        ("/a/bad", "no such id\n"),
    ] {
        assert_eq!(text(&sim, target), steps, "{target}");
    }
    let reply = sim.request("POST", "/a/7").send();
    assert_eq!(allow(&reply), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn a_slash_at_the_end_matters_to_strict_routers_alone() {
    let mut app = App::new();
    app.get("/loose", end("loose")).strict(true).get("/strict", end("strict")).get("/slash/", end("slash"));
    app.group("/group", |group| {
        group.get("/x", end("x"));
    });
    let sim = start(app);
    for (target, status) in
        [("/strict", 200), ("/strict/", 404), ("/slash/", 200), ("/slash", 404), ("/group/x", 200), ("/group/x/", 404)]
    {
        assert_eq!(sim.request("GET", target).send().status(), status, "{target}");
    }
}

#[test]
fn a_path_that_cannot_be_read_is_400_and_is_seen_by_no_step_but_the_error_handler() {
    let mut app = App::new();
    app.with(|_req, _res, _next| panic!("a step was called"));
    app.on_error(|error, _req, res, _next| res.end(format!("{}: {}", error.status(), error.text())));
    let sim = start(app);
    for bad in ["/a/../b", "/%2e%2E/x", "/./", "/a%", "/%zz", "/%ff", "/a%00", "/a%5cb"] {
        let reply = sim.request("GET", bad).send();
        assert_eq!(reply.status(), 400, "{bad}");
        assert!(reply.text().starts_with("400: the path"), "{bad}: {}", reply.text());
    }
}

#[test]
fn the_end_of_an_exchange_knows_its_route_and_takes_no_middleware_for_one() {
    let mut app = App::new();
    app.with(by("log"));
    app.with_at("/guarded", |_req, res, _next| res.end(()));
    app.get("/a/:id", end("a"));
    app.get("/fails/:id", |_req, _res| Err(Error::new(400, "")));
    app.on_error(|error, _req, _res, next| next.fail(error));
    let sim = Sim::new();
    let server = app.listen(80, ()).unwrap();
    let seen: Rc<RefCell<Vec<Option<Rc<str>>>>> = Rc::default();
    let note = seen.clone();
    server.on_exchange_end(move |end| note.borrow_mut().push(end.request.route()));
    for target in ["/a/7", "/fails/7", "/none", "/guarded/7", "/%zz"] {
        sim.request("GET", target).send();
    }
    let routes = seen.borrow();
    let routes: Vec<Option<&str>> = routes.iter().map(Option::as_deref).collect();
    assert_eq!(routes, [Some("/a/:id"), Some("/fails/:id"), None, None, None]);
}

#[test]
fn routes_are_listed_with_their_prefixes_and_lines() {
    let mut app = App::new();
    app.with(by("x"));
    app.group("/api", |api| {
        api.get("/", end("all")).on("REPORT", "/r", by("r"));
    });
    app.vhost("example.com", Router::new());
    app.route("/x/:y").get(end("y")).all(end("y"));
    let listed: Vec<String> = app.routes().iter().map(ToString::to_string).collect();
    let lines: Vec<&str> = listed.iter().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(lines, ["with    /", "GET     /api", "REPORT  /api/r", "GET     /x/:y", "ALL     /x/:y"]);
    assert!(app.routes().iter().all(|route| route.registered.file().ends_with("order.rs")));
}

#[test]
fn what_can_never_run_is_an_error_at_the_start_with_both_lines() {
    let _sim = Sim::new();
    let mut app = App::new();
    let first = line!() + 1;
    app.get("/users/:id", end("id"));
    app.get("/users/me", end("me"));
    app.get("/a(b)", end("a"));
    app.with_at("/x{/:y}", by("x"));
    app.group("/g/:id", |group| {
        group.get("/:id", end("twice"));
    });
    app.vhost("a b", Router::new());
    app.not_found(end("one")).not_found(end("two"));
    let error = app.listen(80, ()).unwrap_err();
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(format!("{:?}", error.get_ref().unwrap()), text, "readable where main returns it");
    let place = |line: u32| format!("tests/app/order.rs:{line}:9)");
    for (words, line) in [
        ("`GET /users/me`", first + 1),
        ("can never run: `GET /users/:id`", first),
        ("`(` is reserved", first + 2),
        ("`/x{/:y}` is a prefix", first + 3),
        ("the name `id` is there twice", first + 5),
        ("`a b` is no host", first + 7),
    ] {
        let found =
            lines.iter().any(|text| text.contains(words) && text.contains(&place(line)[..place(line).len() - 3]));
        assert!(found, "{words}, line {line}:\n{text}");
    }
    assert!(text.contains("`not_found` (") && !text.contains("ALL"), "{text}");
    assert!(!text.contains("run:  before"), "a malformed pattern is told once: {text}");
}

#[test]
fn the_route_of_a_request_is_known_until_its_end_and_no_middleware_is_one() {
    let sim = Sim::new();
    let record = Record::default();
    let mut app = App::new();
    let seen = record.clone();
    app.with(move |req, res, next| {
        seen.add(format!("before {:?}", req.route()));
        match req.path() {
            "/guarded" => res.set_status(401).end(()),
            _ => next.run(),
        }
    });
    app.get("/guarded", |_, res| res.end(()));
    app.group("/api", |api| {
        api.get("/todos/:id", |_, res| res.end(()));
        api.get("/fails", |_, _| Err::<(), _>(Error::new(500, "it fails")));
        api.not_found(|_, res| res.set_status(404).end(()));
    });
    app.on_error(|_, _, res, _| res.set_status(502).end(()));
    let server = app.listen(PORT, ()).unwrap();
    let told = record.clone();
    server.on_exchange_end(move |end| told.add(format!("{:?} {:?}", end.status.unwrap(), end.request.route())));
    for (path, line) in [
        ("/api/todos/7", "200 Some(\"/api/todos/:id\")"),
        ("/api/fails", "502 Some(\"/api/fails\")"),
        ("/guarded", "401 None"),
        ("/api/nothing", "404 None"),
        ("/nothing", "502 None"),
    ] {
        send(&sim, get(path));
        record.expect(&["before None", line]);
    }
    send(&sim, post("/api/todos/7", ""));
    record.expect(&["before None", "502 None"]);
}

#[test]
fn a_callback_of_a_parameter_that_skips_the_route_skips_its_handler_or_the_router_behind_the_prefix() {
    let mut app = App::new();
    app.param("id", |id, _req, _res, next| if id == "me" { next.skip_route() } else { next.run() });
    app.get("/users/:id", end("id"));
    app.get("/users/:name", end("name"));
    app.all("/all/:id", end("all"));
    app.get("/all/me", end("me"));
    app.route("/route/:id").with(by("with")).get(end("get"));
    app.get("/route/*rest", end("rest"));
    app.group("/group/:id", |group| {
        group.with(by("inside")).get("/x", end("x"));
    });
    app.get("/group/*rest", end("outside"));
    let sim = start(app);
    assert_eq!((text(&sim, "/users/7"), text(&sim, "/users/me")), ("id".to_owned(), "name".to_owned()));
    assert_eq!((text(&sim, "/all/7"), text(&sim, "/all/me")), ("all".to_owned(), "me".to_owned()));
    assert_eq!((text(&sim, "/route/7"), text(&sim, "/route/me")), ("with get".to_owned(), "rest".to_owned()));
    assert_eq!((text(&sim, "/group/7/x"), text(&sim, "/group/me/x")), ("inside x".to_owned(), "outside".to_owned()));
}
