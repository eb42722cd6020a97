//! `?` works in handlers and in the callbacks of a request: an error answers it, with the status and the words that it has.

use crate::support::http::*;
use oneloop::http::{self, BodyError, Error, Request, Response};
use oneloop::net::CloseReason;
use oneloop::{set_timeout, worker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The answer to one request: status, content type and text.
fn answer<R: http::Answer>(request: String, handler: impl FnMut(Request, Response) -> R + 'static) -> (u16, String) {
    let (sim, _server) = serve(handler);
    let peer = send(&sim, request);
    sim.advance(SECOND);
    let reply = only(&peer);
    assert!(reply.status < 400 || reply.field("content-type") == Some("text/plain; charset=utf-8"));
    (reply.status, reply.text())
}

#[test]
fn an_error_answers_with_its_status_and_its_text() {
    let missing = |_, res: Response| {
        res.set_status(201).set_header("X-Todo", 1);
        Err(Error::new(404, "no such todo"))
    };
    assert_eq!(answer(get("/"), missing), (404, "no such todo\n".into()));
    let found = answer(get("/"), |req, _| {
        req.header("authorization").ok_or(Error::new(401, format!("{} is not for you", req.path())))?;
        Ok(())
    });
    assert_eq!(found, (401, "/ is not for you\n".into()));
    assert_eq!(answer(get("/"), |_, _| Err(Error::new(429, ""))), (429, "429 Too Many Requests\n".into()));
}

#[test]
fn an_error_keeps_what_was_set_but_for_what_describes_the_content_that_is_not_sent() {
    let (sim, _server) = serve(|req: Request, res: Response| {
        res.set_header("Access-Control-Allow-Origin", "*").set_header("Content-Security-Policy", "default-src 'self'");
        res.append_header("Set-Cookie", "a=1").append_header("Set-Cookie", "b=2");
        res.set_header("Content-Type", "application/json").set_header("Content-Length", 1_000_000);
        res.set_header("Content-Encoding", "gzip").set_header("ETag", "\"1\"").set_header("Last-Modified", "x");
        res.set_header("Cache-Control", "max-age=31536000").set_header("Transfer-Encoding", "chunked");
        res.set_status_message("Wonderful");
        match req.path() {
            "/method" => {
                res.set_header("Allow", "GET");
                Err(Error::new(405, "only GET"))
            }
            "/wordless" => Err(Error::new(429, "")),
            _ => Err("no database".into()),
        }
    });
    for (path, first, text) in [
        ("/method", "HTTP/1.1 405 Method Not Allowed\r\n", "only GET\n"),
        ("/wordless", "HTTP/1.1 429 Too Many Requests\r\n", "429 Too Many Requests\n"),
        ("/other", "HTTP/1.1 500 Internal Server Error\r\n", "500 Internal Server Error\n"),
    ] {
        let peer = send(&sim, get(path));
        sim.advance(SECOND);
        assert!(peer.text().starts_with(first), "{}", peer.text());
        let reply = only(&peer);
        assert_eq!(reply.text(), text);
        assert_eq!(reply.field("allow"), (path == "/method").then_some("GET"));
        assert_eq!(reply.field("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.field("content-security-policy"), Some("default-src 'self'"));
        assert_eq!(peer.text().matches("Set-Cookie: ").count(), 2);
        assert_eq!(reply.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(reply.field("content-length"), Some(&*text.len().to_string()));
        for gone in ["content-encoding", "etag", "last-modified", "cache-control", "transfer-encoding"] {
            assert_eq!(reply.field(gone), None, "{gone}");
        }
    }
}

#[test]
fn any_other_error_is_a_500_whose_text_is_for_the_log() {
    keep_log();
    let number = |req: Request, res: Response| {
        let number: u32 = req.path()[1..].parse()?;
        res.end(number.to_string());
        Ok(())
    };
    assert_eq!(answer(get("/7"), number), (200, "7".into()));
    assert_eq!(answer(get("/seven"), number), (500, "500 Internal Server Error\n".into()));
    expect_logged("WARN oneloop::http GET /seven: the handler failed: invalid digit found in string; answered 500");
    assert_eq!(answer(get("/text"), |_, _| Err("no database".into())), (500, "500 Internal Server Error\n".into()));
    expect_logged("WARN oneloop::http GET /text: the handler failed: no database; answered 500");
}

#[test]
fn what_an_error_repeats_of_its_source_is_logged_once() {
    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);
    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_ref().map(|layer| &**layer as _)
        }
    }
    let chain = |texts: &[&'static str]| {
        texts.iter().rev().fold(None, |source, text| Some(Box::new(Layer(text, source)))).map(|layer| *layer).unwrap()
    };
    let said = |error: Error| error.to_string();
    assert_eq!(said(chain(&["no thread: EAGAIN", "EAGAIN"]).into()), "no thread: EAGAIN");
    assert_eq!(said(chain(&["not stored", "disk: full", "full", "full"]).into()), "not stored: disk: full");
    assert_eq!(said(chain(&["a", "b", "a"]).into()), "a: b: a");
    assert_eq!(said(Error::new(400, "bad: x").with_source("x")), "bad: x");
    assert_eq!(said(BodyError::TooLarge { limit: 5 }.into()), "the body has more than 5 bytes");
}

#[test]
fn a_job_that_was_refused_is_a_503() {
    let refused = |res: Response, done: fn(Response, worker::Error)| {
        worker::set_pool_size(1, 1);
        for _ in 0..2 {
            worker::run(|| (), |_| ());
        }
        worker::run(|| (), move |result| done(res, result.unwrap_err()));
    };
    let (sim, _server) = serve(move |req, res| match req.path() {
        "/plain" => refused(res, |res, error| res.fail(error)),
        "/io" => refused(res, |res, error| res.fail(std::io::Error::from(error))),
        "/save" => refused(res, |res, error| res.fail(http::SaveError::File(error.into()))),
        "/descriptors" => res.fail(std::io::Error::from_raw_os_error(24)),
        _ => worker::run(|| panic!("a bug"), move |result: Result<(), _>| res.fail(result.unwrap_err())),
    });
    let statuses = ["/plain", "/io", "/save", "/descriptors", "/bug"].map(|path| {
        sim.advance(SECOND);
        sim.request("GET", path).send().status()
    });
    assert_eq!(statuses, [503, 503, 503, if cfg!(unix) { 503 } else { 500 }, 500]);
}

/// The client of the handler's server is told neither which other server that was, nor what was wrong with it.
#[test]
fn the_error_of_a_request_to_another_server_is_a_502_a_504_or_a_503() {
    let bodies = |path: &str| match path {
        "/silent" => "",
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nseed",
        "/bad" => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nseed",
        "/loop" => "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nlong seed",
    };
    let (sim, _server) = serve(move |req, res| {
        let path = req.path().to_owned();
        let (agent, url) = (http::Agent::new(), format!("http://127.0.0.2:9000{path}"));
        let failed = res.clone();
        let fail = move |req: &http::ClientRequest| {
            req.on_error(move |_, error| failed.fail(error.clone()));
        };
        match &*path {
            "/refused" => fail(&agent.get("http://127.0.0.1:1/key", |_| unreachable!())),
            "/request-late" => {
                let asked = agent.get("http://127.0.0.2:9000/silent", |_| unreachable!());
                fail(asked.set_timeout(SECOND));
            }
            "/request-invalid" => fail(&agent.get("http://", |_| unreachable!())),
            "/busy" => {
                let mut limits = agent.limits();
                (limits.per_host, limits.queued) = (1, 0);
                agent.set_limits(limits);
                fail(&agent.get(&url, |_| unreachable!()));
            }
            "/aborted" => {
                let asked = agent.fetch(&url).send(move |result| res.fail(result.unwrap_err()));
                asked.abort();
            }
            _ => {
                let url = if path == "/invalid" { "ftp://a".to_owned() } else { url };
                agent.fetch(&url).timeout(SECOND).max_body(8).send(move |result| match result {
                    Ok(response) => res.end(response.into_bytes()),
                    Err(error) => res.fail(error),
                });
            }
        }
    });
    let other = sim.listen("127.0.0.2:9000").unwrap();
    other.on_accept(move |peer| {
        peer.on_data(move |peer, bytes| {
            let head = String::from_utf8_lossy(bytes);
            let path = head.split(' ').nth(1).unwrap_or_default();
            peer.write(bodies(path));
            if path == "/cut" {
                peer.finish();
            }
        });
    });
    for (path, status, phrase) in [
        ("/refused", 502, "502 Bad Gateway\n"),
        ("/cut", 502, "502 Bad Gateway\n"),
        ("/bad", 502, "502 Bad Gateway\n"),
        ("/loop", 502, "502 Bad Gateway\n"),
        ("/large", 502, "502 Bad Gateway\n"),
        ("/silent", 504, "504 Gateway Timeout\n"),
        ("/request-late", 504, "504 Gateway Timeout\n"),
        ("/busy", 503, "503 Service Unavailable: the server is too busy at the moment\n"),
        ("/invalid", 500, "500 Internal Server Error\n"),
        ("/request-invalid", 500, "500 Internal Server Error\n"),
        ("/aborted", 500, "500 Internal Server Error\n"),
    ] {
        let reply = sim.request("GET", path).at_most(2 * SECOND).send();
        assert_eq!((reply.status(), reply.text().as_str()), (status, phrase), "{path}");
        let log = sim.log().last().unwrap().to_string();
        assert_eq!(log.contains("cannot connect"), path == "/refused", "{log}");
    }
}

/// And so is that of a body: the server that was asked has sent too much, or not all of it, and the handler's own client has not.
#[test]
fn the_error_of_a_body_from_another_server_is_a_502_or_a_504_and_no_413() {
    let (sim, _server) = serve(move |req, res| {
        let path = req.path().to_owned();
        let asked = http::get(&format!("http://127.0.0.2:9000{path}"), move |from| match &*path {
            "/read" => {
                from.on_end(|_| ());
                from.on_close(move |from, _| from.read_body(8, move |body| res.fail(body.unwrap_err())));
            }
            "/destroyed" => {
                from.read_body(8, move |body| res.fail(body.unwrap_err()));
                from.destroy();
            }
            _ => from.read_body(8, move |body| {
                let error = body.unwrap_err();
                assert_eq!(error.is_timeout(), matches!(&*path, "/slow" | "/late"), "{error}");
                res.fail(error);
            }),
        });
        if req.path() == "/late" {
            asked.set_timeout(SECOND);
        }
    });
    let other = sim.listen("127.0.0.2:9000").unwrap();
    other.on_accept(move |peer| {
        peer.on_data(move |peer, bytes| match bytes.split(|byte| *byte == b' ').nth(1).unwrap_or_default() {
            b"/announced" => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nlong seed"),
            b"/large" => peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nlong seed\r\n0\r\n\r\n"),
            b"/bad" => peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nseed\r\n"),
            b"/read" => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseed"),
            path => {
                peer.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nseed");
                match path {
                    b"/cut" => peer.finish(),
                    b"/reset" => {
                        let peer = peer.clone();
                        oneloop::set_timeout(SECOND, move || peer.reset());
                    }
                    _ => {}
                }
            }
        });
    });
    for (path, status) in [
        ("/announced", 502),
        ("/large", 502),
        ("/bad", 502),
        ("/cut", 502),
        ("/reset", 502),
        ("/slow", 504),
        ("/late", 504),
        ("/read", 500),
        ("/destroyed", 500),
    ] {
        let reply = sim.request("GET", path).at_most(100 * SECOND).send();
        assert_eq!(reply.status(), status, "{path}");
        assert!(!reply.text().contains('8'), "{path}: the limit is nobody's business");
    }
}

#[test]
fn a_client_s_error_is_no_warning() {
    keep_log();
    let bad = |_, _| {
        let why = "x".parse::<u8>().map_err(|why| Error::new(400, "a number is wanted").with_source(why));
        why.map(drop)
    };
    assert_eq!(answer(get("/x"), bad), (400, "a number is wanted\n".into()));
    assert!(logged().is_empty(), "a client's mistake is no fault of the program");
}

#[test]
fn functions_that_return_other_errors_are_called_with_a_question_mark() {
    fn boxed(_: Request, _: Response) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("boxed")?
    }
    fn io(_: Request, _: Response) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn http(_: Request, _: Response) -> http::Result {
        Err(Error::new(410, "gone"))
    }
    assert_eq!(answer(get("/"), |req, res| Ok(boxed(req, res)?)).0, 500);
    assert_eq!(answer(get("/"), |req, res| Ok(io(req, res)?)).0, 500);
    assert_eq!(answer(get("/"), http).0, 410);
}

#[test]
fn an_error_crosses_threads_with_its_status_and_its_source() {
    fn todo(number: &str) -> http::Result<u32> {
        let number = number.parse::<u32>()?;
        if number < 10 { Ok(number) } else { Err(Error::new(404, "no such todo").with_source("ten at most")) }
    }
    let (sim, _server) = serve(|req, res| {
        let number = req.path()[1..].to_owned();
        let work = move || std::thread::spawn(move || todo(&number)).join().unwrap();
        worker::run(work, move |todo| match todo.map_err(Error::from).and_then(|todo| todo) {
            Ok(todo) => res.end(todo.to_string()),
            Err(error) => res.fail(error),
        });
    });
    let answer = |path| (sim.request("GET", path).send().status(), sim.request("GET", path).send().text());
    assert_eq!(answer("/7"), (200, "7".into()));
    assert_eq!(answer("/12"), (404, "no such todo\n".into()));
    assert_eq!(answer("/x"), (500, "500 Internal Server Error\n".into()));
    assert!(sim.log().last().unwrap().to_string().contains("invalid digit found in string"));
}

#[test]
fn handlers_that_return_nothing_or_never_are_handlers_as_well() {
    assert_eq!(answer(get("/"), |_, res| res.end("x")).0, 200);
    let (sim, server) = serve(|_, res| res.end("x"));
    server.on_check_expectation(|_, _| unreachable!("nothing is expected"));
    assert_eq!(bodies(&send(&sim, get("/"))), ["x"]);
}

#[test]
fn the_callbacks_of_a_body_answer_with_their_errors() {
    let read = |req: Request, res: Response| {
        req.read_body(5, move |body| {
            let text = String::from_utf8(body?)?;
            let number: u32 = text.parse().map_err(|_| Error::new(422, "no number"))?;
            res.end(number.to_string());
            Ok(())
        });
    };
    assert_eq!(answer(post("/", "12"), read), (200, "12".into()));
    assert_eq!(answer(post("/", "seeds"), read), (422, "no number\n".into()));
    assert_eq!(answer(post("/", "tulips"), read), (413, "the body has more than 5 bytes\n".into()));
    let chunks = |req: Request, res: Response| {
        let count = Rc::new(Cell::new(0));
        let sum = count.clone();
        req.on_data(move |_, bytes| {
            count.set(count.get() + bytes.len());
            if count.get() > 5 { Err(Error::new(413, "five at most")) } else { Ok(()) }
        });
        req.on_end(move |_| {
            if sum.get() == 5 {
                return Err(Error::new(409, "not five"));
            }
            res.end(sum.get().to_string());
            Ok(())
        });
    };
    assert_eq!(answer(post("/", "four"), chunks), (200, "4".into()));
    assert_eq!(answer(post("/", "fives"), chunks), (409, "not five\n".into()));
    assert_eq!(answer(post("/", "sixsix"), chunks), (413, "five at most\n".into()));
}

#[test]
fn so_do_a_time_limit_and_a_job() {
    let late = |_, res: Response| {
        res.set_timeout(MS, |_| Err(Error::new(503, "the forge is cold")));
        set_timeout(SECOND, move || res.end("late"));
    };
    assert_eq!(answer(get("/"), late), (503, "the forge is cold\n".into()));
    let job = |_, res: Response| {
        worker::run(|| "x".parse::<u32>(), move |result| res.fail(result.unwrap().unwrap_err()));
    };
    assert_eq!(answer(get("/"), job).0, 500);
    assert_eq!(answer(get("/"), |_, res: Response| res.fail(Error::new(418, "tea"))), (418, "tea\n".into()));
}

#[test]
fn so_does_the_end_of_the_peer_s_side() {
    let (sim, _server) = serve(|req, res| {
        req.on_peer_end(move |_| {
            drop(res);
            Err(Error::new(410, "nobody waits"))
        });
    });
    let peer = send(&sim, get("/"));
    peer.finish();
    sim.settle();
    assert_eq!(only(&peer).text(), "nobody waits\n");
}

#[test]
fn after_an_error_nothing_more_of_the_body_is_told_and_the_connection_goes_on() {
    let told = Rc::new(Cell::new(0));
    let count = told.clone();
    let (sim, _server) = serve(move |req, res| {
        let count = count.clone();
        req.on_data(move |_, _| {
            count.set(count.get() + 1);
            drop(res.clone());
            Err("no more".into())
        });
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    let peer = send(&sim, format!("{head}ab"));
    peer.write("cd");
    sim.settle();
    assert_eq!((told.get(), statuses(&peer)), (1, vec![500]));
    peer.write(format!("{head}abcd"));
    sim.settle();
    assert_eq!((told.get(), statuses(&peer)), (2, vec![500, 500]));
}

#[test]
fn an_error_of_a_drain_behind_the_head_cuts_the_connection() {
    let record = Record::default();
    let told = record.clone();
    let (sim, _server) = serve(move |req, res: Response| {
        told.watch(&req, &res);
        assert!(res.write(vec![b'x'; 300_000]).is_full());
        res.on_drain(|_| Err(Error::new(404, "no more of it")));
    });
    let peer = send(&sim, get("/"));
    sim.advance(2 * SECOND);
    assert!(peer.is_closed() && !peer.text().contains("no more of it") && !peer.text().ends_with("0\r\n\r\n"));
    record.expect(&["res close bad-response", "req close bad-response"]);
}

#[test]
fn a_status_that_is_none_of_an_error_becomes_500_and_says_so() {
    keep_log();
    for status in [0, 100, 200, 304, 399, 600, 999] {
        assert_eq!(Error::new(status, "x").status(), 500);
        expect_logged(&format!("{status} is not the status of an error; it becomes 500"));
    }
    for status in [400, 404, 499, 500, 599] {
        assert_eq!(Error::new(status, "x").status(), status);
    }
}

#[test]
fn an_error_says_what_it_came_from() {
    let error: Error = BodyError::TooLarge { limit: 7 }.into();
    assert_eq!((error.status(), error.text()), (413, "the body has more than 7 bytes"));
    assert_eq!(error.downcast_ref(), Some(&BodyError::TooLarge { limit: 7 }));
    let error: Error = BodyError::Closed(CloseReason::Reset).into();
    assert_eq!((error.status(), error.text()), (500, ""));
    let error = Error::new(404, "nothing").with_source("below");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("below"));
    assert!(error.downcast_ref::<std::io::Error>().is_none());
    assert_eq!((error.to_string().as_str(), Error::new(404, "").to_string().as_str()), ("nothing: below", "404"));
    assert!(format!("{error:?}").contains("404"));
}

#[test]
fn a_handler_may_match_on_what_another_returns() {
    let seen = Rc::new(RefCell::new(None));
    let into = seen.clone();
    let (sim, _server) = serve(move |_, res| {
        let inner = || -> http::Result { Err(std::io::Error::from(std::io::ErrorKind::NotFound))? };
        let Err(error) = inner() else { return Ok(()) };
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        *into.borrow_mut() = kind;
        match kind {
            Some(std::io::ErrorKind::NotFound) => res.set_status(404).end("not here"),
            _ => return Err(error),
        }
        Ok(())
    });
    assert_eq!(statuses(&send(&sim, get("/"))), [404]);
    assert_eq!(*seen.borrow(), Some(std::io::ErrorKind::NotFound));
}
