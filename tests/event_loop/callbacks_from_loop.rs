//! Promise 2: callbacks come from the loop, never from inside a call; and each of them may do anything.

use crate::support::http::*;
use oneloop::http::{self, Connection, Request, Response};
use oneloop::net::{self, Socket};
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;

/// Says whether a call is being made right now.
#[derive(Clone, Default)]
struct Calling(Rc<Cell<bool>>, Rc<Cell<u32>>);

impl Calling {
    fn during<R>(&self, f: impl FnOnce() -> R) -> R {
        assert!(!self.0.replace(true));
        let result = f();
        self.0.set(false);
        result
    }

    /// In each callback.
    fn check(&self, what: &str) {
        assert!(!self.0.get(), "{what} was called from inside a call");
        self.1.set(self.1.get() + 1);
    }
}

/// Adds every listener of an exchange; each checks.
fn listen_to_all(req: &Request, res: &Response, calling: &Calling) {
    let c = || calling.clone();
    let (a, b, d, e, f, g) = (c(), c(), c(), c(), c(), c());
    req.on_data(move |_, _| a.check("on_data"));
    req.on_end(move |_| b.check("on_end"));
    req.on_close(move |_, _| d.check("req.on_close"));
    res.on_drain(move |_| e.check("on_drain"));
    res.on_finish(move |_| f.check("on_finish"));
    res.on_close(move |_, _| g.check("res.on_close"));
    let h = c();
    res.set_timeout(MS, move |_| h.check("res.set_timeout"));
    let i = c();
    req.read_body(1, move |_| i.check("read_body"));
}

#[test]
fn no_listener_is_called_from_inside_a_call_on_an_exchange() {
    type Call = fn(&Request, &Response);
    let calls: &[Call] = &[
        |_, res| res.end("x"),
        |_, res| res.end(vec![b'x'; 200_000]),
        |_, res| _ = res.write(vec![b'x'; 200_000]),
        |_, res| res.flush_headers(),
        |_, res| res.write_continue(),
        |_, res| res.write_early_hints(&[]),
        |_, res| _ = res.set_header("bad name", "x"),
        |_, res| _ = res.set_status(1),
        |_, res| res.destroy(),
        |req, _| req.destroy(),
        |req, _| req.pause(),
        |req, _| req.resume(),
        |req, res| req.pipe(res),
        |req, _| req.read_body(0, |_| ()),
        |req, _| _ = req.on_data(|_, _| ()),
        |req, _| _ = req.on_end(|_| ()),
    ];
    for (number, call) in calls.iter().enumerate() {
        for later in [false, true] {
            let calling = Calling::default();
            let mine = calling.clone();
            let (sim, _server) = serve(move |req, res| {
                listen_to_all(&req, &res, &mine);
                let mine = mine.clone();
                let act = move || mine.during(|| call(&req, &res));
                if later { drop(oneloop::set_timeout(MS, act)) } else { act() }
            });
            let peer = send(&sim, post("/", "body"));
            sim.advance(10 * MS);
            peer.reset();
            sim.settle();
            assert!(calling.1.get() >= 2, "call {number}: both closes at least");
        }
    }
}

#[test]
fn no_listener_is_called_from_inside_a_call_on_a_server() {
    let calling = Calling::default();
    let sim = Sim::new();
    let (a, b, c) = (calling.clone(), calling.clone(), calling.clone());
    let server = http::create_server(move |req, res| {
        listen_to_all(&req, &res, &a);
        std::mem::forget(res);
    });
    server.on_close(move || b.check("server.on_close"));
    server.on_connection(move |_| c.check("on_connection"));
    let told = calling.clone();
    calling.during(|| server.listen(PORT, move || told.check("listening")).unwrap());
    sim.settle();
    let idle = sim.connect(PORT);
    let busy = send(&sim, get("/"));
    calling.during(|| server.close_idle_connections());
    calling.during(|| server.close_all_connections());
    let told = calling.clone();
    calling.during(|| server.close(move || told.check("closed")));
    sim.settle();
    let told = calling.clone();
    calling.during(|| server.close(move || told.check("closed again")));
    sim.settle();
    assert!(idle.is_closed() && busy.is_closed());
    // listening, two connections, two closes of the exchange, on_close, closed, closed again, and the request's
    // end and empty body
    assert_eq!(calling.1.get(), 10);
}

#[test]
fn no_listener_is_called_from_inside_a_call_on_a_socket() {
    type Call = fn(&Socket);
    let calls: &[Call] = &[
        |socket| _ = socket.write("x"),
        |socket| _ = socket.write(vec![b'x'; 300_000]),
        |socket| socket.end(()),
        |socket| socket.end("x"),
        |socket| socket.destroy(),
        |socket| socket.reset(),
        |socket| socket.pause(),
        |socket| socket.resume(),
    ];
    for call in calls {
        let calling = Calling::default();
        let mine = calling.clone();
        let sim = Sim::new();
        let server = net::create_server(move |socket| {
            let c = || mine.clone();
            let (a, b, d, e, f) = (c(), c(), c(), c(), c());
            socket.on_data(move |_, _| a.check("on_data"));
            socket.on_end(move |_| b.check("on_end"));
            socket.on_drain(move |_| d.check("on_drain"));
            socket.on_error(move |_, _| e.check("on_error"));
            socket.on_close(move |_, _| f.check("on_close"));
            mine.during(|| call(&socket));
        });
        server.listen(PORT, || ()).unwrap();
        let peer = send(&sim, "bytes");
        peer.finish();
        sim.settle();
        peer.reset();
        sim.settle();
        assert!(calling.1.get() >= 1);
    }
}

/// What a callback may do to everything around it.
#[derive(Clone)]
struct World {
    server: Kept<http::Server>,
    connection: Kept<Connection>,
    exchange: Kept<(Request, Response)>,
    act: u32,
    acted: Rc<Cell<u32>>,
    from: &'static str,
}

const ACTS: u32 = 9;

impl World {
    /// In the callback of this name, once: the act.
    fn reached(&self, from: &'static str) {
        if from != self.from || self.acted.replace(self.acted.get() + 1) > 0 {
            return;
        }
        let first = |kept: &Kept<http::Server>| {
            let server = kept.take();
            kept.put(server.clone());
            server
        };
        match self.act {
            0 => first(&self.server).close(|| ()),
            1 => first(&self.server).close_all_connections(),
            2 => first(&self.server).close_idle_connections(),
            3 if self.connection.len() > 0 => self.connection.take().destroy(),
            4 if self.exchange.len() > 0 => drop(self.exchange.take()),
            5 if self.exchange.len() > 0 => {
                let (req, res) = self.exchange.take();
                req.destroy();
                res.destroy();
            }
            6 if self.exchange.len() > 0 => {
                let (req, res) = self.exchange.take();
                let more = self.clone();
                res.on_close(move |_, _| more.reached("added"));
                req.on_end(|_| ()).on_data(|_, _| ());
                res.end("from a callback");
            }
            7 => drop(self.server.take()),
            8 => {
                oneloop::next_tick(|| assert!(oneloop::run().is_err()));
                assert!(oneloop::run().is_err(), "a nested run says so");
            }
            _ => {}
        }
    }
}

/// Every callback of a server, an exchange and a connection, doing each act once.
#[test]
fn every_callback_may_close_destroy_and_drop_everything() {
    let callbacks = [
        "listening",
        "connection",
        "request",
        "data",
        "end",
        "drain",
        "finish",
        "res close",
        "req close",
        "timeout",
        "read body",
        "client error",
        "drop",
        "continue",
        "expectation",
        "drop request",
        "upgrade",
        "connect",
        "on_close",
        "closed",
        "tick",
    ];
    for from in callbacks {
        for act in 0..ACTS {
            let acted = run_with(from, act);
            assert_eq!(acted, 1, "{from} was not reached before act {act}");
        }
    }
}

fn run_with(from: &'static str, act: u32) -> u32 {
    let world = World {
        server: Kept::default(),
        connection: Kept::default(),
        exchange: Kept::default(),
        act,
        acted: Rc::default(),
        from,
    };
    let sim = Sim::new();
    let w = world.clone();
    let server = http::create_server(move |req, res| {
        let at = |name: &'static str| {
            let w = w.clone();
            move || w.reached(name)
        };
        let (data, end, read) = (at("data"), at("end"), at("read body"));
        req.on_data(move |_, _| data());
        req.on_end(move |_| end());
        req.read_body(100, move |_| read());
        let (drain, finish, close, closed) = (at("drain"), at("finish"), at("res close"), at("req close"));
        res.on_drain(move |res| {
            drain();
            res.end("drained");
        });
        res.on_finish(move |_| finish());
        res.on_close(move |_, _| close());
        req.on_close(move |_, _| closed());
        let timeout = at("timeout");
        res.set_timeout(5 * MS, move |res| {
            timeout();
            res.end("late");
        });
        oneloop::next_tick(at("tick"));
        w.exchange.put((req.clone(), res.clone()));
        w.reached("request");
        match req.url() {
            "/drain" => drop(res.write(vec![b'x'; 300_000])),
            "/slow" => w.exchange.put((req, res)),
            _ => res.end("x"),
        }
    });
    let at = |name: &'static str| {
        let w = world.clone();
        move || w.reached(name)
    };
    let (connection, keep) = (at("connection"), world.connection.clone());
    server.on_connection(move |handle| {
        keep.put(handle.clone());
        connection();
    });
    let error = at("client error");
    server.on_client_error(move |_| error());
    let dropped = at("drop");
    server.on_drop(move |_| dropped());
    let (go_on, expectation, too_many) = (at("continue"), at("expectation"), at("drop request"));
    server.on_check_continue(move |_, _| go_on());
    server.on_check_expectation(move |_, _| expectation());
    server.on_drop_request(move |_, _| too_many());
    let (upgrade, tunnel) = (at("upgrade"), at("connect"));
    server.on_upgrade(move |_, socket, _| {
        upgrade();
        socket.end("bye");
    });
    server.on_connect(move |_, socket, _| {
        tunnel();
        socket.end("bye");
    });
    server.on_close(at("on_close"));
    world.server.put(server.clone());
    server.listen(PORT, at("listening")).unwrap();
    sim.settle();
    if !server.is_listening() {
        server.close_all_connections();
        sim.settle();
        server.listen(PORT, || ()).unwrap();
    }
    let scripts = [
        ("data end read body request tick finish res close req close connection", post("/", "body") + &get("/2")),
        ("drain", get("/drain") + &get("/2")),
        ("timeout", get("/slow") + &get("/2")),
        ("client error", "nonsense\r\n\r\n".to_owned()),
        ("continue", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n1".to_owned()),
        ("expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n".to_owned()),
        ("upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nrest".to_owned()),
        ("connect", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nrest".to_owned()),
    ];
    for (callbacks, bytes) in scripts {
        if callbacks.contains(from) {
            let peer = send(&sim, bytes);
            sim.advance(10 * MS);
            peer.finish();
            sim.settle();
        }
    }
    match from {
        "drop" => {
            server.set_max_connections(0);
            send(&sim, get("/"));
        }
        "drop request" => {
            server.set_max_requests_per_socket(1);
            send(&sim, get("/") + &get("/") + &get("/"));
        }
        _ => {}
    }
    let closed = at("closed");
    server.close(closed);
    sim.advance(60 * SECOND);
    assert_eq!((server.connections(), sim.open_fds()), (0, 0), "{from} {act}: all is closed");
    world.acted.get().min(1)
}

#[test]
fn a_handler_may_drop_the_last_handle_of_its_own_server() {
    let handle: Kept<http::Server> = Kept::default();
    let taken = handle.clone();
    let (sim, server) = serve(move |_, res| {
        drop(taken.take());
        res.end("x");
    });
    handle.put(server);
    assert_eq!(bodies(&send(&sim, get("/"))), ["x"]);
}

#[test]
fn a_listener_may_add_listeners_to_its_own_event_which_wait_for_the_next() {
    let record = Record::default();
    let told = record.clone();
    let handle: Kept<http::Server> = Kept::default();
    let taken = handle.clone();
    let (sim, server) = serve(move |req, res| {
        told.add(format!("first {}", req.url()));
        if req.url() == "/1" {
            let told = told.clone();
            taken.take().on_request(move |req, _| told.add(format!("added {}", req.url())));
        }
        let told = told.clone();
        req.on_data(move |req, _| {
            told.add("data");
            let told = told.clone();
            req.on_data(move |_, _| told.add("added data"));
        });
        req.on_end(move |_| res.end("x"));
    });
    handle.put(server);
    let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n";
    let peer = send(&sim, get("/1") + "POST /2 HTTP/1.1\r\nHost: a\r\n" + chunks);
    assert_eq!(bodies(&peer), ["x", "x"]);
    record.expect(&["first /1", "first /2", "added /2", "data", "data", "added data"]);
}
