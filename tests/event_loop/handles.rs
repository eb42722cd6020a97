//! Handles are pleasant to hold: callbacks that come once may move what they captured, handles have an identity, setters
//! chain, and what nobody wants to know needs no callback.

use crate::support::http::*;
use oneloop::http::{self, Request, Response};
use oneloop::net::{self, Socket};
use oneloop::sim::Sim;
use oneloop::{Emitter, set_interval, set_interval_with};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Can only be given away, not be lent or copied.
struct Seed(Record);

impl Seed {
    fn plant(self, what: &str) {
        self.0.add(what);
    }
}

#[test]
fn a_callback_that_comes_once_may_give_away_what_it_captured() {
    let record = Record::default();
    let told = record.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        let seed = || Seed(told.clone());
        let (a, b, c, d, e) = (seed(), seed(), seed(), seed(), seed());
        req.on_close(move |_, _| a.plant("req close"));
        res.on_close(move |_, _| b.plant("res close"));
        res.on_finish(move |_| c.plant("finish"));
        req.read_body(9, move |_| d.plant("body"));
        req.on_data(|_, _| ()).on_end(move |_| {
            e.plant("end");
            res.end("x");
        });
    });
    let seed = || Seed(record.clone());
    let (a, b) = (seed(), seed());
    let peer = send(&sim, post("/", "seeds"));
    assert_eq!(bodies(&peer), ["x"]);
    peer.close();
    record.expect(&["body", "end", "finish", "res close", "req close"]);
    server.close(move || a.plant("closed"));
    sim.settle();
    net::create_server(|_| ()).listen(81, move || b.plant("listening")).unwrap();
    sim.settle();
    record.expect(&["closed", "listening"]);
}

#[test]
fn so_may_those_of_a_socket_of_an_emitter_and_of_a_scripted_peer() {
    let record = Record::default();
    let seed = || Seed(record.clone());
    let sim = Sim::new();
    let echo = sim.listen("127.0.0.1:7").unwrap();
    let (a, b, c, d, e) = (seed(), seed(), seed(), seed(), seed());
    let socket = net::connect(("127.0.0.1", 7), move |_| a.plant("connected"));
    socket.on_connect(move |_| b.plant("connect"));
    socket.on_end(move |_| c.plant("end")).on_close(move |_, _| d.plant("close"));
    sim.settle();
    let peer = echo.accepted()[0].clone();
    peer.on_close(move |_| e.plant("peer close"));
    peer.finish();
    sim.settle();
    record.expect(&["connected", "connect", "end", "close", "peer close"]);
    let (a, b) = (seed(), seed());
    net::connect(("127.0.0.1", 9), |_| ()).on_error(move |_, _| a.plant("error"));
    sim.settle();
    let emitter = Emitter::<u32>::new();
    emitter.once(move |_| b.plant("once"));
    assert!(emitter.emit(&1) && !emitter.emit(&1));
    record.expect(&["error", "once"]);
}

#[test]
fn what_such_a_callback_captured_is_let_go_when_it_has_run() {
    let token = Rc::new(());
    let held = token.clone();
    let sim = Sim::new();
    let echo = sim.listen("127.0.0.1:7").unwrap();
    let socket = net::connect(("127.0.0.1", 7), move |_| drop(held));
    sim.settle();
    assert!(!socket.is_connecting() && Rc::strong_count(&token) == 1);
    drop(echo);
}

#[test]
#[expect(clippy::mutable_key_type, reason = "a handle is hashed by identity, which does not change")]
fn handles_are_equal_where_they_are_handles_to_the_same() {
    let seen: Kept<(Request, Response)> = Kept::default();
    let keep = seen.clone();
    let (sim, _server) = serve(move |req, res| keep.put((req, res)));
    send(&sim, get("/a"));
    send(&sim, get("/b"));
    let ((req, res), (other, other_res)) = (seen.take(), seen.take());
    assert!(req == req.clone() && req != other && res == res.clone() && res != other_res);
    assert_eq!((req.id(), req.clone().id()), (res.id(), res.clone().id()));
    assert_ne!(req.id(), other.id());
    let waiting = HashSet::from([res.clone(), other_res.clone(), res.clone()]);
    assert!(waiting.len() == 2 && waiting.contains(&res));
    let names = HashMap::from([(req, "a"), (other.clone(), "b")]);
    assert_eq!(names[&other], "b");
    res.end("");
    other_res.end("");
}

#[test]
fn a_list_of_sockets_loses_one_by_itself() {
    let sim = Sim::new();
    let all: Rc<RefCell<Vec<Socket>>> = Rc::default();
    let guests = all.clone();
    let server = net::create_server(move |socket| {
        let all = guests.clone();
        socket.on_close(move |socket, _| all.borrow_mut().retain(|other| other != socket));
        guests.borrow_mut().push(socket);
    });
    server.listen(PORT, ()).unwrap();
    let peers = [sim.connect(PORT), sim.connect(PORT), sim.connect(PORT)];
    sim.settle();
    let ids: Vec<u64> = all.borrow().iter().map(Socket::id).collect();
    assert_eq!(HashSet::<u64>::from_iter(ids.clone()).len(), 3);
    peers[1].close();
    sim.settle();
    assert_eq!(all.borrow().iter().map(Socket::id).collect::<Vec<_>>(), [ids[0], ids[2]]);
}

#[test]
fn an_id_is_not_given_again_where_the_exchange_is_recycled() {
    let ids: Rc<RefCell<Vec<u64>>> = Rc::default();
    let seen = ids.clone();
    let (sim, _server) = serve(move |req, res| {
        seen.borrow_mut().push(req.id());
        res.end("x");
    });
    assert_eq!(bodies(&send(&sim, get("/").repeat(3))).len(), 3);
    assert_eq!(HashSet::<u64>::from_iter(ids.take()).len(), 3);
}

#[test]
fn setters_chain() {
    let (sim, server) = serve(|_, res| {
        res.set_status(201)
            .set_header("X-A", 1)
            .append_header("X-A", 2)
            .set_header("X-B", "gone")
            .remove_header("X-B")
            .end("planted");
    });
    sim.set_host("a", &[]).set_worker_latency(MS).set_fd_limit(None).set_system_fd_limit(None);
    sim.set_network(oneloop::sim::Network::default()).set_black_hole(([10, 0, 0, 1], 1).into());
    server.set_max_connections(9).set_max_requests_per_socket(9).set_require_host_header(true).set_ref(true);
    let reply = only(&send(&sim, get("/")));
    assert_eq!((reply.status, reply.text().as_str(), reply.field("X-B")), (201, "planted", None));
    let values: Vec<&str> = reply.fields.iter().filter(|field| field.0 == "X-A").map(|field| &*field.1).collect();
    assert_eq!(values, ["1", "2"]);
}

#[test]
fn a_server_listens_and_closes_without_a_callback() {
    let sim = Sim::new();
    let plain = net::create_server(|socket| socket.end("plain"));
    plain.listen(81, ()).unwrap();
    let server = http::create_server(|_, res| res.end("x"));
    server.listen(PORT, ()).unwrap();
    assert_eq!(bodies(&send(&sim, get("/"))), ["x"]);
    let peer = sim.connect(81);
    sim.settle();
    assert_eq!(peer.text(), "plain");
    peer.close();
    plain.close(());
    server.close(());
    sim.run_to_rest();
    assert!(!plain.is_listening() && !server.is_listening());
}

#[test]
fn an_interval_can_clear_itself() {
    let sim = Sim::new();
    let record = Record::default();
    let told = record.clone();
    let mut left = 3;
    let interval = set_interval_with(MS, move |timer| {
        told.add(left);
        left -= 1;
        if left == 0 {
            timer.clear();
        }
    });
    sim.run_to_rest();
    record.expect(&["3", "2", "1"]);
    assert!(!interval.is_armed() && sim.now() == 3 * MS);
    let runs = Rc::new(Cell::new(0));
    let counted = runs.clone();
    set_interval_with(MS, move |timer| {
        counted.set(counted.get() + 1);
        timer.unref();
    });
    oneloop::run().unwrap();
    assert_eq!(runs.get(), 1, "nothing else keeps the loop");
    set_interval(MS, oneloop::stop);
    oneloop::run().unwrap();
}
