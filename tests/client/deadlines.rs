//! Every wait for a server has an end.

use crate::support::client::{Scripted, agent, get, note, now, watch};
use crate::support::http::{MS, Record, SECOND};
use oneloop::http::Agent;
use oneloop::sim::Sim;
use std::net::SocketAddr;
use std::time::Duration;

const URL: &str = "http://127.0.0.1/";

/// Advances by `time`, less a second, and then to a second more: the sweep for deadlines is coarse.
fn only_after(sim: &Sim, record: &Record, time: Duration, lines: &[&str]) {
    sim.advance(time - SECOND);
    record.expect(&[]);
    sim.advance(SECOND * 2);
    record.expect(lines);
}

#[test]
fn a_server_that_does_not_take_the_connection() {
    let sim = Sim::new();
    sim.set_black_hole("127.0.0.1:80".parse::<SocketAddr>().unwrap());
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "res", URL);
    only_after(&sim, &record, SECOND * 10, &["res: connect-timeout"]);
    assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0));
}

#[test]
fn a_server_that_never_answers() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |_, _, _| ());
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "res", URL);
    only_after(&sim, &record, SECOND * 60, &["res: response-timeout"]);
    assert!(server.listener.accepted()[0].is_closed());
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_server_that_drips_the_head_or_informational_responses() {
    for drop in ["X", "HTTP/1.1 102 Wait\r\n\r\n"] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", |_, _, _| ());
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "res", URL);
        sim.settle();
        let peer = server.listener.accepted()[0].clone();
        if drop == "X" {
            peer.write("HTTP/1.1 200 OK\r\n");
        }
        let drips = oneloop::set_interval(SECOND * 5, move || peer.write(drop));
        only_after(&sim, &record, SECOND * 60, &["res: response-timeout"]);
        drips.clear();
    }
}

#[test]
fn a_body_that_stops_coming_but_not_one_that_the_program_holds_back() {
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "res", URL);
    let cut = "res: 200 the connection was closed before the body ended: slow-receive";
    only_after(&sim, &record, SECOND * 60, &[cut]);
    // It pauses before the first part, or behind it.
    for at_once in [true, false] {
        let held = record.clone();
        agent.get(URL, move |res| {
            res.on_data(|res, _| res.pause()).on_close(move |_, reason| held.add(reason));
            if at_once {
                res.pause();
            }
            oneloop::set_timeout(SECOND * 100, move || {
                if at_once {
                    res.resume();
                }
                oneloop::set_timeout(SECOND * 100, move || res.resume());
            });
        });
        sim.advance(SECOND * 201);
        record.expect(&[]);
        only_after(&sim, &record, SECOND * 59, &["slow-receive"]);
    }
}

#[test]
fn a_body_that_drips_goes_on_unless_the_whole_has_a_limit() {
    for total in [None, Some(SECOND * 100)] {
        let sim = Sim::new();
        let server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
        let (record, agent) = (Record::default(), agent(|limits| limits.total = total));
        get(&record, &agent, "res", URL);
        sim.settle();
        let peer = server.listener.accepted()[0].clone();
        let drips = oneloop::set_interval(SECOND * 30, move || peer.write("x"));
        sim.advance(SECOND * 99);
        record.expect(&[]);
        sim.advance(SECOND * 2);
        let cut = "res: 200 the connection was closed before the body ended: request-timeout";
        record.expect(total.map(|_| cut).as_slice());
        drips.clear();
    }
}

#[test]
fn the_time_of_one_request_is_its_own_and_leaves_the_connection_as_it_was() {
    // Node #53458: the next request on the connection had the idle time-out of the one before.
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        let peer = peer.clone();
        let after = if request.contains("/slow") { SECOND * 20 } else { MS };
        oneloop::set_timeout(after, move || peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    });
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "quick", URL).set_timeout(SECOND);
    sim.advance(MS * 10);
    get(&record, &agent, "slow", "http://127.0.0.1/slow");
    sim.advance(SECOND * 30);
    record.expect(&["quick: 200 hi", "slow: 200 hi"]);
    assert_eq!(server.connections(), 1);
    get(&record, &agent, "late", "http://127.0.0.1/slow").set_timeout(SECOND);
    sim.advance(SECOND * 2);
    record.expect(&["late: timeout"]);
}

#[test]
fn the_time_counts_while_a_request_waits_and_an_unfinished_request_has_it_too() {
    let sim = Sim::new();
    let _server = Scripted::at(&sim, "127.0.0.1:80", |_, _, _| ());
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
    get(&record, &agent, "first", URL);
    get(&record, &agent, "waits", URL).set_timeout(SECOND * 5);
    sim.advance(SECOND * 6);
    record.expect(&["waits: timeout"]);
    let req = Agent::new().request("POST", URL, |_| unreachable!());
    watch(&record, "half", &req);
    req.set_timeout(SECOND).write("x").ignore();
    sim.advance(SECOND * 2);
    record.expect(&["half: timeout"]);
}

#[test]
fn a_server_that_takes_nothing_of_the_request() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    server.on_accept(|peer| peer.pause_reading());
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("POST", URL, |_| unreachable!());
    watch(&record, "res", &req);
    req.end(vec![b'x'; 1_000_000]);
    only_after(&sim, &record, SECOND * 60, &["res: slow-send"]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_large_request_that_is_taken_slowly_has_the_time_of_the_response_afterwards() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    server.on_accept(|peer| peer.read_at_rate(10_000, SECOND));
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("POST", URL, note(&record, "res"));
    watch(&record, "res", &req);
    req.end(vec![b'x'; 2_000_000]);
    sim.advance(SECOND * 150);
    record.expect(&[]);
    sim.advance(SECOND * 150);
    record.expect(&["res: response-timeout"]);
}

#[test]
fn the_loop_sleeps_while_connections_are_idle() {
    // hyper #4100: the timer of an empty pool went on for ever.
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "res", URL);
    let other = oneloop::set_interval(SECOND * 100, || ());
    sim.advance(SECOND * 10);
    record.expect(&["res: 200 hi"]);
    let before = oneloop::event_loop::metrics().iterations;
    sim.advance(SECOND * 1000);
    let iterations = oneloop::event_loop::metrics().iterations - before;
    assert!(iterations < 50, "{iterations}");
    other.clear();
}
