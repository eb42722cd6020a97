//! The server's side: each request is answered as its plan says.

use super::content;
use super::ledger::{Door, Exchange, Ledger, Watch};
use super::plan::{Body, MS, Request as Planned, What, When};
use super::wire;
use oneloop::http::{self, LoadShedding, Request, Response, Server, Version};
use oneloop::net::{Address, CloseReason, Flow, Socket};
use oneloop::{next_tick, set_immediate, set_timeout, sim, worker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Promise 10: a turn dispatches at most so many requests of a connection. It has at most two turns in an iteration.
const TURN: u32 = 64;
/// Who asks on an idle connection of an ideal network is heard in the same iteration, or, where a turn is owed, the next.
const WAIT: u64 = 1;
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const CONNECTED: &str = "HTTP/1.1 200 OK\r\n\r\n";
/// The text of planned panics.
pub const ON_PURPOSE: &str = "on purpose";

pub fn panic_on_purpose() {
    // No hook: a planned panic is not for the eyes.
    std::panic::resume_unwind(Box::new(ON_PURPOSE));
}

pub fn attach(ledger: &Rc<Ledger>, server: &Server) {
    let here = ledger.clone();
    server.on_connection(move |_| {
        here.accepted.set(here.accepted.get() + 1);
        here.event("connection", here.accepted.get());
        if here.closed.get() {
            here.fault("a connection after the server's close");
        }
    });
    let here = ledger.clone();
    server.on_close(move || {
        here.event("server's close", 0);
        here.closed.set(true);
        here.server_closes.set(here.server_closes.get() + 1);
    });
    let here = ledger.clone();
    server.on_drop(move |_| here.refused.set(here.refused.get() + 1));
    let here = ledger.clone();
    server.on_check_expectation(move |req, res| handle(&here, req, res, Door::Request));
    let here = ledger.clone();
    server.on_drop_request(move |req, res| handle(&here, req, res, Door::Beyond));
    if ledger.plan.checks_continue {
        let here = ledger.clone();
        server.on_check_continue(move |req, res| {
            res.write_continue();
            handle(&here, req, res, Door::Request)
        });
    }
    let here = ledger.clone();
    server.on_upgrade(move |req, socket, rest| tunnel(&here, &req, &socket, &rest, SWITCHING));
    // The others are accepted by the handler.
    server.set_upgrade_filter(|req| wire::number(req.path()).is_none_or(|id| id.is_multiple_of(3)));
    if ledger.plan.connects {
        let here = ledger.clone();
        server.on_connect(move |req, socket, rest| tunnel(&here, &req, &socket, &rest, CONNECTED));
    }
    if let Some(delay) = ledger.plan.sheds {
        server
            .set_load_shedding(LoadShedding::new(delay as u32 * MS).exempt(|req| is_exempt(wire::number(req.path()))));
    }
}

/// Requests that are never shed.
fn is_exempt(id: Option<u32>) -> bool {
    id.is_some_and(|id| id.is_multiple_of(8))
}

/// A request is here.
fn open(ledger: &Rc<Ledger>, req: &Request, from: Option<Address>, door: Door) -> Watch {
    // A peer's port is the number of its connection.
    let port = from.and_then(|address| address.port());
    let known = wire::number(req.path());
    let of_peer =
        |id: &u32| ledger.plan.requests.get(*id as usize).map(|plan| plan.connection + 1) == port.map(u32::from);
    let connection = u32::from(port.unwrap_or(1)) - 1;
    if known.is_some() && known.filter(of_peer).is_none() {
        ledger.fault(format_args!("request {known:?} came from connection {connection}"));
    }
    let exchange = Rc::new(Exchange {
        id: known.filter(of_peer),
        connection,
        finished: Cell::new(0),
        response_closes: Cell::new(0),
        closes: Cell::new(0),
        reason: Cell::new(None),
        ended: Cell::default(),
        door,
    });
    ledger.exchanges.borrow_mut().push(exchange.clone());
    let watch = Watch::new(ledger, exchange);
    if let (true, Some(id)) = (ledger.verbose, watch.exchange.id) {
        println!("{id} is {:?}: {req:?}, {door:?}", ledger.plan.requests[id as usize]);
    } else if ledger.verbose {
        println!("unplanned: {req:?} with {:?} from connection {connection}", req.headers().collect::<Vec<_>>());
    }
    watch.called("request");
    let garbled = ledger.plan.connections[connection as usize].garbled;
    if let Some(id) = watch.exchange.id.filter(|id| *id < garbled)
        && req.host() != Some(&wire::host(id, &ledger.plan.requests[id as usize]))
    {
        watch.fault(format_args!("it is for the host {:?}", req.host()));
    }
    if door == Door::Beyond && ledger.plan.max_requests == 0 && is_exempt(watch.exchange.id) {
        watch.fault("it is never to be shed, and was");
    }
    fairness(ledger, connection);
    watch
}

fn fairness(ledger: &Ledger, connection: u32) {
    let now = ledger.iteration.get();
    if let Some((iteration, count)) = ledger.dispatched.borrow_mut().get_mut(connection as usize) {
        *count = if *iteration == now { *count + 1 } else { 1 };
        *iteration = now;
        if *count > 2 * TURN {
            ledger.fault(format_args!("connection {connection}: {count} requests dispatched in one iteration"));
        }
    }
    let asked = ledger.asked.borrow_mut().get_mut(connection as usize).and_then(Option::take);
    if let Some(asked) = asked
        && now > asked + WAIT
    {
        ledger.fault(format_args!("connection {connection} waited for its turn for {} iterations", now - asked));
    }
}

pub fn handle(ledger: &Rc<Ledger>, req: Request, res: Response, door: Door) -> http::Result {
    if door == Door::Request && may_be_upgraded(&req) {
        accept(ledger, &req, res);
        return Ok(());
    }
    let watch = open(ledger, &req, req.remote_addr(), door);
    let limit = ledger.plan.limits().pending_output;
    if res.pending() >= limit {
        watch.fault(format_args!("dispatched while {} bytes are pending, of {limit}", res.pending()));
    }
    let here = watch.clone();
    res.on_finish(move |_| {
        here.called("finish");
        here.exchange.finished.set(here.exchange.finished.get() + 1);
        panic_if(&here, What::EndPanic);
    });
    let here = watch.clone();
    res.on_close(move |res, reason| {
        here.called("response closed");
        here.exchange.response_closes.set(here.exchange.response_closes.get() + 1);
        if (reason == CloseReason::Finished) != (here.exchange.finished.get() == 1) || !res.is_closed() {
            here.fault(format_args!("closed as {reason}, finished {} times", here.exchange.finished.get()));
        }
        panic_if(&here, What::ClosePanic);
    });
    let here = watch.clone();
    req.on_close(move |_, reason| {
        here.called(reason.as_str());
        here.exchange.closes.set(here.exchange.closes.get() + 1);
        here.exchange.reason.set(Some(reason));
        here.exchange.ended.set(oneloop::now());
    });
    let Some(plan) = watch.exchange.id.map(|id| &ledger.plan.requests[id as usize]) else {
        res.set_status(404);
        res.end("unplanned");
        return Ok(());
    };
    if door == Door::Beyond && plan.is_left() {
        return Ok(());
    }
    if plan.what == What::CloseServer {
        super::shut(ledger);
    }
    when(plan, &watch, req, res)
}

fn panic_if(watch: &Watch, what: What) {
    if watch.what() == Some(what) {
        panic_on_purpose();
    }
}

fn when(plan: &Planned, watch: &Watch, req: Request, res: Response) -> http::Result {
    let (here, delay) = (watch.clone(), plan.delay as u32 * MS);
    let id = here.exchange.id.unwrap_or(0);
    let again = req.clone();
    let go = move || act(&here, &again, res);
    let here = watch.clone();
    match plan.when {
        _ if plan.what == What::WorkerPanic => worker::run(panic_on_purpose, move |result| {
            if !result.is_err_and(|error| error.is_panic()) {
                here.fault("the panic of its worker is not told");
            }
            drop(go);
        }),
        When::Now => return go(),
        When::Tick => next_tick(move || _ = go()),
        When::Immediate => drop(set_immediate(move || _ = go())),
        When::Timer => drop(set_timeout(delay, move || _ = go())),
        When::Worker => worker::run(
            move || id,
            move |result| {
                if result.ok() != Some(id) {
                    here.fault("another's result from the worker");
                }
                _ = go();
            },
        ),
        When::Body => req.read_body(usize::MAX, move |body| match body {
            Ok(bytes) => {
                here.called("body");
                check_body(&here, &bytes);
                _ = go();
            }
            Err(_) => here.ledger.event("no body", here.subject()),
        }),
        When::PausedBody => paused(watch, &req, delay / 10, go),
    }
    Ok(())
}

/// Takes the body in parts, with a pause at each.
fn paused(watch: &Watch, req: &Request, delay: std::time::Duration, go: impl FnOnce() -> http::Result + 'static) {
    let bytes = Rc::new(RefCell::new(Vec::new()));
    let (here, collected) = (watch.clone(), bytes.clone());
    req.on_data(move |req, chunk| {
        here.called("data");
        collected.borrow_mut().extend_from_slice(chunk);
        req.pause();
        let req = req.clone();
        set_timeout(delay, move || req.resume());
    });
    let (here, mut go) = (watch.clone(), Some(go));
    req.on_end(move |_| {
        here.called("end");
        check_body(&here, &bytes.take());
        if let Some(go) = go.take() {
            _ = go();
        }
    });
}

fn check_body(watch: &Watch, bytes: &[u8]) {
    let Some(id) = watch.exchange.id else { return };
    let length = match watch.ledger.plan.requests[id as usize].body {
        Body::None => 0,
        Body::Length(length) | Body::Chunked(length) => length,
    };
    let garbled = watch.ledger.plan.connections[watch.exchange.connection as usize].garbled <= id;
    if !garbled && bytes != content::of_request(id, length) {
        watch.fault(format_args!("its body has {} bytes that are not the {length} sent", bytes.len()));
    }
}

/// Does what the plan says, with the request's answer.
fn act(watch: &Watch, req: &Request, res: Response) -> http::Result {
    let Some(id) = watch.exchange.id else { return Ok(()) };
    let plan = &watch.ledger.plan.requests[id as usize];
    watch.ledger.event("act", watch.subject());
    if plan.block > 0 {
        sim::block(plan.block as u32 * MS);
    }
    let bytes = content::of_response(id, plan.size);
    res.set_header("X-Id", id);
    match plan.what {
        What::End | What::ClosePanic | What::EndPanic | What::CloseServer => end(watch, &res, bytes),
        What::Stream | What::StreamLength => {
            if plan.what == What::StreamLength {
                res.set_header("Content-Length", plan.size);
            } else {
                res.add_trailers(&[("X-Trailer", &id.to_string())]);
            }
            stream(watch, res, bytes);
        }
        What::Drip => drip(watch.clone(), res, bytes, plan.delay / 4),
        What::Pipe => {
            let here = watch.clone();
            req.on_end(move |_| here.called("end"));
            req.pipe(&res);
        }
        What::Discard => discard(watch, req, res, bytes, id.is_multiple_of(2)),
        What::Empty => {
            res.set_status(if id.is_multiple_of(2) { 204 } else { 304 });
            res.end(());
        }
        What::EndTwice => {
            end(watch, &res, bytes);
            res.end("twice");
            res.write("after the end").ignore();
            res.set_header("X-Id", "late");
            set_timeout(MS * plan.delay as u32, move || res.end("much later"));
        }
        What::Informational => {
            res.write_early_hints(&[("Link", "</style>; rel=preload")]);
            res.write_continue();
            end(watch, &res, bytes);
        }
        What::Flush => {
            res.flush_headers();
            let here = watch.clone();
            set_immediate(move || end(&here, &res, bytes));
        }
        What::Drop | What::WorkerPanic => {}
        What::Panic => panic_on_purpose(),
        What::Fail => return Err("as planned".into()),
        What::BadHeader => {
            res.set_header("X-Split", "a\r\nb");
            res.end("not this");
        }
        What::DataPanic => {
            let here = watch.clone();
            req.on_data(move |_, _| {
                let _held = &res;
                here.called("data");
                panic_on_purpose();
            });
        }
        What::WriteThenDrop => res.write("a part").ignore(),
        What::WriteThenPanic => {
            res.write("a part").ignore();
            panic_on_purpose();
        }
        What::Destroy => {
            res.write("a part").ignore();
            res.destroy();
        }
        What::TooLong => {
            res.set_header("Content-Length", bytes.len() + 1);
            write(watch, &res, bytes).ignore();
            res.end("more");
        }
        What::TooShort => {
            res.set_header("Content-Length", bytes.len() + 1);
            end(watch, &res, bytes);
        }
        What::Keep => watch.ledger.kept.borrow_mut().push(res),
        What::KeepSelf => {
            let (own, here) = (res.clone(), watch.clone());
            res.on_drain(move |_| _ = (own.is_ended(), here.subject()));
        }
    }
    Ok(())
}

/// Answers in the middle of the body, at once or while it is paused.
fn discard(watch: &Watch, req: &Request, res: Response, bytes: &'static [u8], at_once: bool) {
    let (here, done) = (watch.clone(), Rc::new(Cell::new(false)));
    let begun = done.clone();
    req.on_data(move |req, _| {
        here.called("data");
        if begun.replace(true) {
            here.fault("data that nobody wants");
        }
        if at_once {
            req.discard();
            return end(&here, &res, bytes);
        }
        req.pause();
        let (here, req, res) = (here.clone(), req.clone(), res.clone());
        set_timeout(5 * MS, move || {
            end(&here, &res, bytes);
            req.discard();
        });
    });
    let here = watch.clone();
    req.on_end(move |_| {
        if done.get() {
            here.fault("the end of a body that nobody wants");
        }
    });
}

fn end(watch: &Watch, res: &Response, bytes: &[u8]) {
    measure(watch, bytes);
    res.end(bytes);
}

fn write(watch: &Watch, res: &Response, bytes: &[u8]) -> Flow {
    measure(watch, bytes);
    res.write(bytes)
}

/// What a connection may have pending depends on this.
fn measure(watch: &Watch, bytes: &[u8]) {
    let largest = &watch.ledger.largest_write;
    largest.set(largest.get().max(bytes.len()));
}

/// Sends the rest, as fast as it is taken.
fn stream(watch: &Watch, res: Response, bytes: &'static [u8]) {
    let (own, here, at) = (res.clone(), watch.clone(), Rc::new(Cell::new(0)));
    let go_on = move |res: &Response, here: &Watch| {
        while at.get() < bytes.len() {
            let to = bytes.len().min(at.get() + 1 + bytes.len() / 7);
            let part = &bytes[at.replace(to)..to];
            if write(here, res, part).is_full() {
                return;
            }
        }
        res.end(());
    };
    let next = go_on.clone();
    res.on_drain(move |_| {
        here.called("drain");
        next(&own, &here);
    });
    go_on(&res, watch);
}

/// Sends a part each few milliseconds.
fn drip(watch: Watch, res: Response, bytes: &'static [u8], delay: u64) {
    let (part, rest) = bytes.split_at(bytes.len().min(1 + bytes.len() / 3));
    if rest.is_empty() {
        end(&watch, &res, part);
        return;
    }
    write(&watch, &res, part).ignore();
    set_timeout(delay as u32 * MS, move || drip(watch, res, rest, delay));
}

/// Returns whether the request offers the protocol of the tunnel and has no content.
fn may_be_upgraded(req: &Request) -> bool {
    let empty = req.header("content-length").is_none_or(|length| length == "0");
    req.version() == Version::Http11
        && req.header("upgrade") == Some("echo")
        && req.header("transfer-encoding").is_none()
        && empty
}

/// Accepts an upgrade, at once or later. Later there may be nobody left to have it.
fn accept(ledger: &Rc<Ledger>, req: &Request, res: Response) {
    let watch = open(ledger, req, req.remote_addr(), Door::Upgrade);
    let switch = {
        let watch = watch.clone();
        move || {
            if let Some(socket) = res.upgrade("echo") {
                echo(&watch, &socket);
            }
        }
    };
    match watch.exchange.id.map(|id| id % 3) {
        Some(1) => switch(),
        _ => _ = set_timeout(5 * MS, switch),
    }
}

/// What the server has handed over by itself.
fn tunnel(ledger: &Rc<Ledger>, req: &Request, socket: &Socket, rest: &[u8], answer: &'static str) {
    let watch = open(ledger, req, socket.remote_addr(), Door::Upgrade);
    socket.write(answer).ignore();
    socket.write(rest).ignore();
    echo(&watch, socket);
}

/// Sends back what comes.
fn echo(watch: &Watch, socket: &Socket) {
    let ledger = &watch.ledger;
    let closes = Rc::new(Cell::new(0));
    ledger.upgraded.borrow_mut().push((watch.exchange.connection, closes.clone()));
    let (here, told) = (watch.clone(), closes.clone());
    socket.on_data(move |socket, bytes| {
        here.ledger.event("socket data", bytes.len() as u64);
        if told.get() > 0 {
            here.fault("data after the socket's close");
        }
        socket.write(bytes).ignore();
    });
    let here = watch.clone();
    socket.on_close(move |_, reason| {
        here.ledger.event(reason.as_str(), here.subject());
        closes.set(closes.get() + 1);
    });
}
