//! The methods of `app`, each called once, and its effect asserted. What each does in detail is in `tests/app/`.

use crate::support::http::*;
use oneloop::app::{self, App, Cookie, Router, SameSite, Selection};
use oneloop::http::{Error, Request, Response};
use oneloop::sim::Sim;
use oneloop::tester::Tester;

fn named(name: &'static str) -> impl FnMut(Request, Response) + 'static {
    move |_, res| res.end(name)
}

#[test]
fn routers_and_steps() {
    let mut app = App::new();
    app.with(|_, res, next| {
        assert!(!next.is_over());
        res.set_header("X-With", 1);
        next.run();
    });
    app.with_at("/guarded", |_, _, next| next.fail(Error::new(403, "no")));
    app.get("/m", named("get")).post("/m", named("post")).put("/m", named("put")).patch("/m", named("patch"));
    app.delete("/m", named("delete"))
        .options("/m", named("options"))
        .head("/head", named("head"))
        .all("/all", named("all"));
    app.on("REPORT", "/m", |_, res, _| res.end("report"));
    app.route("/route").with(|_, _, next| next.skip_route()).get(named("left out"));
    app.route("/route")
        .get(named("get"))
        .post(named("post"))
        .put(named("put"))
        .patch(named("patch"))
        .delete(named("delete"));
    app.route("/others")
        .head(named("head"))
        .options(named("options"))
        .on("REPORT", |_, res, _| res.end("report"))
        .all(named("all"));
    app.param("id", |id, req, _, next| {
        req.put(id.to_owned());
        next.run();
    });
    app.group("/group/:id", |group| {
        group.get("/*rest", |req, res| {
            let rest: Vec<_> = req.wildcard("rest").collect();
            assert_eq!((req.param("id").as_deref(), req.param_as::<u8>("id").ok()), (Some("7"), Some(7)));
            assert_eq!(
                (req.params().len(), &*req.below(), req.route().as_deref()),
                (2, "/a/b", Some("/group/:id/*rest"))
            );
            assert_eq!((req.need::<String>()?.as_str(), req.find::<u8>()), ("7", None));
            res.end(rest.join(" "));
            Ok(())
        });
    });
    let mut mounted = Router::new();
    mounted.strict(true).get("/strict", named("strict"));
    mounted.with(|_, _, next| next.skip_router());
    app.mount("/mounted", mounted);
    let mut host = Router::new();
    host.get("/host", named("another host"));
    app.vhost("b.example", host);
    app.not_found(|_, res| res.set_status(404).end("nothing"));
    app.on_error(|error, _, res, _| res.end(format!("error {}", error.status())));
    assert!(app.routes().iter().any(|route| route.pattern == "/m" && route.methods == "REPORT"));
    let sim = Sim::new();
    let _server = app.listen(PORT, ()).unwrap();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let each = |path: &'static str| methods.map(|method| (method, path, method.to_ascii_lowercase()));
    let more = [
        ("OPTIONS", "/m", "options"),
        ("REPORT", "/m", "report"),
        ("PURGE", "/all", "all"),
        ("REPORT", "/others", "report"),
        ("PURGE", "/others", "all"),
        ("GET", "/guarded/x", "error 403"),
        ("GET", "/group/7/a/b", "a b"),
        ("GET", "/mounted/strict", "strict"),
        ("GET", "/mounted/strict/", "nothing"),
        ("GET", "/host", "nothing"),
    ];
    let more = more.map(|(method, path, text)| (method, path, text.to_owned()));
    for (method, path, text) in each("/m").into_iter().chain(each("/route")).chain(more) {
        let reply = sim.request(method, path).send();
        assert_eq!((&*reply.text(), reply.header("x-with")), (&*text, Some("1")), "{method} {path}");
    }
}

#[test]
fn requests_and_responses() {
    let sim = Sim::new();
    let server = oneloop::http::create_server(|req, res| {
        assert_eq!(
            (req.query_pairs().count(), req.query_get("a").as_deref(), req.query_all("a").count()),
            (2, Some("1"), 2)
        );
        assert_eq!((req.cookie("sid").as_deref(), req.cookie("other")), (Some("x"), None));
        assert_eq!(req.bearer(), None);
        assert_eq!((req.accepts(&["json", "html"]), req.accepts_encodings(&["br"])), (Some("json"), None));
        assert_eq!((req.accepts_languages(&["en"]), req.accepts_charsets(&["utf-8"])), (Some("en"), Some("utf-8")));
        assert!(!req.is("json") && !req.is_fresh() && req.preconditions_hold());
        assert_eq!(req.range(10), Selection::Part { first: 0, last: 1 });
        res.cookie(Cookie::new("theme", "dark").same_site(SameSite::Strict).http_only(false));
        res.clear_cookie("old");
        res.vary("Accept");
        res.redirect("/next?page=2");
    });
    server.listen(PORT, ()).unwrap();
    let asked = sim.request("GET", "/?a=1&a=2").header("Cookie", "sid=x").header("Accept", "application/json");
    let reply = asked.header("Range", "bytes=0-1").send();
    assert_eq!(
        (reply.status(), reply.header("location"), reply.header("vary")),
        (302, Some("/next?page=2"), Some("Accept"))
    );
}

#[test]
fn forms_with_files_of_the_tester_and_in_handlers() {
    let test = Tester::new(|| {
        let mut app = App::new();
        app.post(
            "/",
            app::multipart(|_, res, mut upload| {
                assert_eq!((upload.files().len(), upload.form().get("album")), (1, Some("Ivy")));
                let Some(photo) = upload.take_file("photo") else { return res.end("no photo") };
                assert_eq!((photo.field(), photo.media_type()), ("photo", Some("image/jpeg")));
                res.end(format!("{} of {} bytes", photo.name(), photo.size()));
            }),
        );
        app
    });
    let post = test.post("/").field("album", "Ivy").attach("photo", "leaf.jpg", b"green");
    post.send().expect(200).expect_text("leaf.jpg of 5 bytes");
}
