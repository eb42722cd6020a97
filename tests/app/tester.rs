//! The tester asks an app as its visitors do: with cookies, redirects and addresses, on virtual time; and a test that fails says why.

use oneloop::app::{self, App, Channel, Cookie, Event, Form, Rate, health, is_local, rate_limit};
use oneloop::http::{self, Error, Limits, Request, Response};
use oneloop::sim::{Network, Sim};
use oneloop::tester::Tester;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Answers with what it was asked.
fn mirror(req: Request, res: Response) {
    let field = |name: &str| req.header(name).unwrap_or("-").to_owned();
    let line = format!("{} {} {} {}", req.method(), req.url(), field("Cookie"), field("Content-Type"));
    req.read_body(1000, move |body| {
        res.end(format!("{line} [{}]", String::from_utf8(body?)?));
        Ok(())
    });
}

fn with(routes: impl FnOnce(&mut App)) -> Tester {
    Tester::new(|| {
        let mut app = App::new();
        routes(&mut app);
        app
    })
}

/// With what message this panics, and in which line.
fn complaint(f: impl FnOnce()) -> (String, u32) {
    static WATCH: Once = Once::new();
    thread_local!(static LINE: Cell<u32> = const { Cell::new(0) });
    WATCH.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            LINE.set(panic.location().map_or(0, |place| if place.file() == file!() { place.line() } else { 0 }));
            before(panic);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic");
    (panic.downcast_ref::<String>().expect("a message").clone(), LINE.get())
}

#[test]
fn limits_refill_and_cookies_expire_at_once_in_virtual_time() {
    let test = with(|app| {
        app.with_at("/limited", rate_limit(Rate::per_hour(2)));
        app.get("/limited", |_req, res| res.end("served"));
        app.get("/", |_req, res| res.cookie(Cookie::new("day", "1").max_age(24 * 3600 * SECOND)).end(()));
        app.all("/mirror", mirror);
    });
    let statuses: Vec<u16> = (0..3).map(|_| test.get("/limited").send().status()).collect();
    assert_eq!(statuses, [200, 200, 429]);
    test.advance(3600 * SECOND);
    test.get("/limited").send().expect(200);

    test.get("/").send().expect(200);
    test.advance(24 * 3600 * SECOND - SECOND);
    test.get("/mirror").send().expect_text("GET /mirror day=1 - []");
    test.advance(SECOND);
    test.get("/mirror").send().expect_text("GET /mirror - - []");
}

#[test]
fn each_agent_has_cookies_of_its_own_and_keeps_them_as_a_browser_does() {
    let test = with(|app| {
        app.post(
            "/{*set}",
            app::form(|_req, res, form: Form| {
                for (_, field) in form.pairs() {
                    res.append_header("Set-Cookie", field);
                }
                res.end(());
            }),
        );
        app.get("/{*read}", |req, res| res.end(req.header("Cookie").unwrap_or("-")));
    });
    let (ada, bob) = (test.agent(), test.agent());
    let set = |fields: &[&str]| {
        let pairs: Vec<_> = fields.iter().map(|field| ("set", *field)).collect();
        ada.post("/shop/basket").form(&pairs).send().expect(200);
    };
    set(&["first=1", "all=2; Path=/", "deep=3; Path=/shop/basket/x", "safe=4; Path=/; Secure"]);
    let read = |target: &str| ada.get(target).send().text();
    assert_eq!(read("/shop/basket/x?y"), "deep=3; first=1; all=2; safe=4");
    assert_eq!(read("/shop"), "first=1; all=2; safe=4");
    assert_eq!(read("/shopping"), "all=2; safe=4");
    assert_eq!((ada.cookie("first").as_deref(), bob.cookie("first")), (Some("1"), None));
    bob.get("/shop").send().expect_text("-");
    set(&["all=other; Path=/", "first=; Max-Age=0", "safe=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
    assert_eq!(read("/shop"), "all=other");
    ada.get("/").header("Cookie", "all=forged").send().expect_text("all=forged");
    ada.clear_cookies();
    assert_eq!(read("/shop"), "-");

    let on = |host: &str, https: bool| {
        let request = ada.get("/").header("Host", host);
        if https { request.header("X-Forwarded-Proto", "https") } else { request }.send().text()
    };
    let fields = [("a", "all=1; Domain=example.com; Path=/"), ("b", "own=2; Path=/"), ("c", "safe=3; Path=/; Secure")];
    ada.post("/").header("Host", "www.example.com:8080").form(&fields).send().expect(200);
    assert_eq!(on("www.example.com", true), "all=1; own=2");
    ada.post("/").header("Host", "www.example.com").header("Forwarded", "proto=https").form(&fields).send().expect(200);
    assert_eq!(on("WWW.example.com", true), "all=1; own=2; safe=3");
    assert_eq!(on("www.example.com", false), "all=1; own=2");
    assert_eq!((on("example.com", true).as_str(), on("localhost", true).as_str()), ("all=1", "-"));
}

#[test]
fn redirects_are_followed_as_a_browser_does_if_the_test_says_so() {
    let test = with(|app| {
        app.all("/go/:status/*to", |req, res| {
            let to = format!("/{}", req.param("to").unwrap_or_default());
            res.set_status(req.param_as("status")?)
                .set_header("Location", to)
                .append_header("Set-Cookie", "met=1; Path=/");
            res.end("a body that nobody reads");
            Ok(())
        });
        app.get("/loop", |_req, res| res.redirect("/loop"));
        app.get("/away", |_req, res| res.set_status(302).set_header("Location", "http://example.com/").end(()));
        app.get("/folder/here", |_req, res| res.set_status(302).set_header("Location", "there?x").end(()));
        app.all("/*end", mirror);
    });
    for (method, status, expected) in [
        ("GET", 301, "GET /end met=1 text/plain [body]"),
        ("POST", 301, "GET /end met=1 - []"),
        ("POST", 302, "GET /end met=1 - []"),
        ("PUT", 302, "PUT /end met=1 text/plain [body]"),
        ("PUT", 303, "GET /end met=1 - []"),
        ("POST", 307, "POST /end met=1 text/plain [body]"),
        ("DELETE", 308, "DELETE /end met=1 text/plain [body]"),
    ] {
        let agent = test.agent();
        let target = format!("/go/{status}/end");
        let request = || agent.request(method, &target).header("Content-Type", "text/plain").body("body");
        request().send().expect(status).expect_header("Location", "/end");
        request().follow().send().expect(200).expect_text(expected);
    }
    test.request("HEAD", "/go/303/end").follow().send().expect(200).expect_text("");
    test.get("/go/302/go/301/end").follow().send().expect(200).expect_text("GET /end met=1 - []");
    test.get("/folder/here").follow().send().expect_text("GET /folder/there?x met=1 - []");
    test.get("/away").follow().send().expect(302);
    assert_eq!(test.get("/go/302/end").follow().open().expect(200).read(), "GET /end met=1 - []");
    let (text, _) = complaint(|| drop(test.get("/loop").follow().send()));
    assert!(text.contains("more than 10 redirects, the last one to /loop"), "{text}");
}

#[test]
fn requests_come_whole_byte_by_byte_or_cut() {
    let test = with(|app| {
        app.post("/", app::text(|_req, res, text| res.end(text)));
    });
    let post = || test.post("/").header("Content-Type", "text/plain").body("water the plants");
    post().send().expect(200).expect_text("water the plants");
    let calls = |f: &dyn Fn()| {
        let before = test.sim().calls();
        f();
        test.sim().calls() - before
    };
    let whole = calls(&|| drop(post().send()));
    let slow = calls(&|| drop(post().slowly().send().expect(200).expect_text("water the plants")));
    assert!(slow > whole + 90, "{whole} system calls, byte by byte {slow}");
    test.post("/")
        .header("Content-Type", "text/plain")
        .header("Transfer-Encoding", "chunked")
        .body("x")
        .send()
        .expect(200);
    let mut bytes = 0;
    while post().cut_after(bytes) {
        assert_eq!(test.server().connections(), 0, "cut after {bytes} bytes");
        bytes += 1;
    }
    assert!(bytes > 90);
    post().send().expect(200);
}

#[test]
fn a_form_with_files_is_sent_as_browsers_send_it() {
    let test = with(|app| {
        app.post(
            "/",
            app::multipart(|_req, res, upload| {
                let fields = upload.form().pairs().map(|(name, value)| format!("{name}={value}; "));
                let mut text = fields.collect::<String>();
                for file in upload.files() {
                    let content = std::fs::read(file.path())?;
                    let (field, name, media_type) = (file.field(), file.name(), file.media_type().unwrap_or("-"));
                    text += &format!("{field}: {name} ({media_type}) {}; ", content.escape_ascii());
                }
                res.end(text);
                Ok(())
            }),
        );
    });
    let post = || test.post("/").field("album", "Ivy & fern").field("a\"b", "grün\r\n");
    post().send().expect_text("album=Ivy & fern; a\"b=grün\r\n; ");
    let post = || post().attach("photo", "leaf.jpg", [0, 255]).attach("photo", "no \"end", b"\r\n------oneloop--\r\n");
    let expected = "album=Ivy & fern; a\"b=grün\r\n; photo: leaf.jpg (image/jpeg) \\x00\\xff; \
                    photo: no \"end (application/octet-stream) \\r\\n------oneloop--\\r\\n; ";
    post().send().expect(200).expect_text(expected);
    post().slowly().send().expect_text(expected);
    assert!(post().cut_after(100));
    post().send().expect_text(expected);
}

#[test]
fn an_answer_that_goes_on_is_read_part_by_part() {
    let test = with(|app| {
        let news = Channel::new();
        let readers = news.clone();
        app.get("/news", move |req, res| readers.add(&req, res));
        app.post(
            "/news",
            app::text(move |_req, res, text| {
                news.send(Event::data(text));
                res.end(());
            }),
        );
    });
    let tell = |text: &str| drop(test.post("/news").header("Content-Type", "text/plain").body(text).send().expect(200));
    let mut news = test.get("/news").open().expect(200);
    assert_eq!(news.header("Content-Type"), Some("text/event-stream"));
    assert_eq!(news.read(), "");
    tell("one");
    tell("two");
    let event = news.read_until("\n\n");
    assert!(event.starts_with("id: ") && event.ends_with("\ndata: one\n\n"), "{event}");
    assert!(news.read().ends_with("\ndata: two\n\n"));
    test.advance(15 * SECOND);
    assert_eq!(news.read(), ":\n\n", "the comment that keeps the connection open");
    assert_eq!(test.server().connections(), 1);
    drop(news);
    test.sim().settle();
    assert_eq!(test.server().connections(), 0);
}

#[test]
fn a_request_without_an_answer_fails_the_test_with_what_is_open() {
    let kept: Rc<RefCell<Vec<Response>>> = Rc::default();
    let keep = kept.clone();
    let test = with(|app| {
        app.get("/forgotten", move |_req, res| keep.borrow_mut().push(res));
        app.get("/begun", |_req, res| {
            res.write("begun").ignore();
            oneloop::set_timeout(1000 * SECOND, move || res.end("over"));
        });
    });
    let before = test.sim().now();
    let (text, line) = complaint(|| drop(test.get("/forgotten?x").send()));
    assert_eq!(line, line!() - 1, "it is the line of the test that fails");
    assert!(text.contains("no answer to GET /forgotten?x: 300s have passed; nothing of the answer has come"), "{text}");
    assert!(text.ends_with("\nopen requests:\n  GET /forgotten?x, for 300s"), "{text}");
    assert_eq!(test.sim().now() - before, 300 * SECOND);
    let (text, line) = complaint(|| drop(test.get("/begun").at_most(SECOND).send()));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("no whole answer to GET /begun: 1s have passed; 200, and 5 bytes"), "{text}");
    let (text, line) = complaint(|| drop(test.get("/forgotten").at_most(SECOND).open()));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("no answer to GET /forgotten: 1s have passed"), "{text}");
    let mut begun = test.get("/begun").open();
    assert_eq!(begun.read(), "begun");
    let (text, line) = complaint(|| drop(begun.read_until("ended")));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("no \"ended\" to GET /begun: 300s have passed"), "{text}");
    kept.take();
}

#[test]
fn what_was_expected_and_is_not_there_fails_the_test_in_its_line_with_the_whole_answer() {
    let test = with(|app| {
        app.get("/", |_req, res| res.set_header("X-Kind", "short").end("the text"));
        app.get("/broken", |_req, _res| Err(Error::from(std::io::Error::other("no such table"))));
    });
    let (text, line) = complaint(|| drop(test.get("/broken").send().expect(200)));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("200 was expected, not\n500 Internal Server Error\n"), "{text}");
    assert!(text.contains("no such table"), "what was logged: {text}");
    let (text, line) = complaint(|| drop(test.get("/").send().expect_header("X-Kind", "long")));
    assert_eq!(line, line!() - 1);
    assert!(
        text.contains("`X-Kind: long` was expected, not\n200 OK\n") && text.contains("\nX-Kind: short\n"),
        "{text}"
    );
    let (text, line) = complaint(|| drop(test.get("/").send().expect_text("other")));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("the text \"other\" was expected") && text.contains("\n\nthe text\n"), "{text}");
    let (text, line) = complaint(|| assert_eq!(test.get("/").send().json::<u32>(), 0));
    assert_eq!(line, line!() - 1);
    assert!(text.contains("not the JSON that was expected") && text.contains("\n\nthe text\n"), "{text}");
    let (_, line) = complaint(|| drop(test.get("/").open().expect(404)));
    assert_eq!(line, line!() - 1);
}

#[test]
fn what_is_shipped_is_tested_an_app_a_server_or_a_result_of_one() {
    Tester::new(App::new).get("/").send().expect(404);
    Tester::new(|| Ok::<_, http::Error>(App::new())).get("/").send().expect(404);
    let test = Tester::new(|| {
        let server = App::new().server()?;
        let mut limits = Limits::default();
        limits.head_bytes = 1000;
        server.set_limits(limits);
        Ok::<_, std::io::Error>(server)
    });
    test.get("/").header("X-Long", "x".repeat(2000)).send().expect(431);
    let test = Tester::new(|| {
        let other = http::create_server(|_req, res| res.end("another one"));
        other.listen(80, ()).unwrap();
        let server = http::create_server(|_req, res| res.end("on its own port"));
        server.listen(8080, ()).unwrap();
        server
    });
    test.get("/").send().expect_text("on its own port");
    let (text, line) = complaint(|| {
        drop(Tester::new(|| {
            let mut app = App::new();
            app.get("/:id", |_req, res| res.end(()));
            app.get("/me", |_req, res| res.end(()));
            app
        }));
    });
    assert!((line!() - 9..line!()).contains(&line));
    assert!(text.contains("the app cannot start") && text.contains("`GET /me`"), "{text}");
    let (text, _) = complaint(|| drop(Tester::new(|| Err::<App, _>("no database"))));
    assert!(text == "oneloop: no database", "{text}");
}

#[test]
fn agents_have_addresses_and_fields_of_their_own() {
    let test = with(|app| {
        app.get("/", |req, res| {
            let address = req.remote_addr().unwrap().to_string();
            let address = address.rsplit_once(':').unwrap().0.to_owned();
            res.end(format!("{address} {} {}", is_local(&req), req.header("X-Name").unwrap_or("-")));
        });
        app.get("/healthz", health);
    });
    let (first, second, far) = (test.agent(), test.agent(), test.agent_from([192, 0, 2, 7]));
    first.set_header("X-Name", "nobody").set_header("x-name", "ada");
    test.get("/").send().expect_text("127.0.0.1 true -");
    first.get("/").send().expect_text("198.18.0.1 false ada");
    first.get("/").header("x-NAME", "eve").send().expect_text("198.18.0.1 false eve");
    second.get("/").send().expect_text("198.18.0.2 false -");
    far.get("/").send().expect_text("192.0.2.7 false -");
    let address: std::net::IpAddr = "2001:db8::7".parse().unwrap();
    test.agent_from(address).get("/").send().expect_text("[2001:db8::7] false -");
    for request in [test.head("/healthz"), test.get("/healthz"), test.options("/healthz")] {
        assert!(request.send().status() < 300);
    }
    for request in [test.post("/"), test.put("/"), test.patch("/"), test.delete("/"), test.request("REPORT", "/")] {
        request.send().expect(405).expect_header("Allow", "GET, HEAD, OPTIONS");
    }
}

#[test]
fn json_goes_in_and_out_in_any_split() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, latency: Duration::ZERO..=SECOND / 50, ..Network::default() });
        let test = Tester::in_world(sim, || {
            let mut app = App::new();
            app.post("/", app::json(|_req, res, numbers: Vec<u32>| res.json(&numbers.iter().sum::<u32>())));
            app
        });
        assert_eq!(test.post("/").json(&[1, 2, 3]).send().expect(200).json::<u32>(), 6, "seed {seed}");
    }
}
