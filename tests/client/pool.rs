//! Which connection a request gets, how many there are, and who waits.

use crate::support::client::{Scripted, agent, counted, get, note, now};
use crate::support::http::{MS, Record, SECOND};
use oneloop::http::{self, Agent};
use oneloop::sim::{Network, Sim};
use std::cell::RefCell;
use std::rc::Rc;

const URL: &str = "http://127.0.0.1/";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server that answers when it is told to: with the peers that wait for an answer.
fn slow(sim: &Sim, address: &str) -> (Scripted, Rc<RefCell<Vec<oneloop::sim::Peer>>>) {
    let asked = Rc::<RefCell<Vec<oneloop::sim::Peer>>>::default();
    let all = asked.clone();
    (Scripted::at(sim, address, move |peer, _, _| all.borrow_mut().push(peer.clone())), asked)
}

#[test]
fn a_connection_is_used_again_and_the_one_that_was_freed_last_first() {
    let sim = Sim::new();
    let (server, asked) = slow(&sim, "127.0.0.1:80");
    let (record, agent) = (Record::default(), Agent::new());
    for name in ["a", "b", "c"] {
        get(&record, &agent, name, URL);
    }
    sim.settle();
    assert_eq!((server.connections(), now(&agent)), (3, (3, 0, 0, 0)));
    // The second is freed last.
    for at in [0, 2, 1] {
        asked.borrow()[at].write(OK);
        sim.settle();
    }
    assert_eq!(now(&agent), (0, 3, 0, 0));
    asked.borrow_mut().clear();
    get(&record, &agent, "d", URL);
    sim.settle();
    assert_eq!(server.lines().pop().unwrap(), "2: GET / HTTP/1.1");
    assert_eq!(agent.stats().reused, 1);
}

#[test]
fn a_request_that_is_made_when_a_response_ends_takes_its_connection() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, OK);
    let record = Record::default();
    let next = record.clone();
    http::get(URL, move |res| {
        res.on_end(move |_| _ = http::get(URL, note(&next, "second")));
    });
    sim.settle();
    record.expect(&["second: 200 hi"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn places_that_differ_in_host_or_port_have_connections_of_their_own() {
    let sim = Sim::new();
    sim.set_host("one.test", &["127.0.0.1".parse().unwrap()]);
    sim.set_host("two.test", &["127.0.0.1".parse().unwrap()]);
    let (server, other) =
        (Scripted::saying(&sim, OK), Scripted::at(&sim, "127.0.0.1:8080", |peer, _, _| peer.write(OK)));
    let (record, agent) = (Record::default(), Agent::new());
    for url in ["http://one.test/", "http://ONE.test:80/x", "http://two.test/", "http://one.test:8080/"] {
        get(&record, &agent, "res", url);
        sim.advance(MS * 100);
    }
    record.expect(&["res: 200 hi"; 4]);
    assert_eq!(server.lines(), ["1: GET / HTTP/1.1", "1: GET /x HTTP/1.1", "2: GET / HTTP/1.1"]);
    assert_eq!(other.connections(), 1);
    let hosts: Vec<_> = agent.stats().hosts.into_iter().map(|host| host.host).collect();
    assert_eq!(hosts, ["http://one.test:80", "http://one.test:8080", "http://two.test:80"]);
}

#[test]
fn more_requests_than_connections_wait_in_order_and_all_are_answered() {
    let sim = Sim::new();
    let (server, asked) = slow(&sim, "127.0.0.1:80");
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 2));
    for number in 0..6 {
        get(&record, &agent, "res", &format!("{URL}{number}"));
    }
    sim.settle();
    assert_eq!(now(&agent), (2, 0, 0, 4));
    for at in 0..6 {
        asked.borrow()[at].write(OK);
        sim.settle();
    }
    record.expect(&["res: 200 hi"; 6]);
    let order: Vec<_> = server.lines().iter().map(|line| line.split('/').nth(1).unwrap()[..1].to_owned()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!((server.connections(), now(&agent)), (2, (0, 2, 0, 0)));
}

#[test]
fn the_limit_of_all_connections_holds_and_an_idle_one_makes_room_for_another_server() {
    let sim = Sim::new();
    let (one, two) = (slow(&sim, "127.0.0.1:80"), slow(&sim, "127.0.0.1:8080"));
    let (record, agent) = (Record::default(), agent(|limits| limits.in_all = 2));
    for name in ["a", "b"] {
        get(&record, &agent, name, URL);
    }
    sim.settle();
    get(&record, &agent, "c", "http://127.0.0.1:8080/");
    sim.settle();
    assert_eq!((now(&agent), two.0.connections()), ((2, 0, 0, 1), 0));
    one.1.borrow()[0].write(OK);
    sim.settle();
    assert_eq!((now(&agent), two.0.connections()), ((2, 0, 0, 0), 1), "the slot went to the one that waits");
    one.1.borrow()[1].write(OK);
    two.1.borrow()[0].write(OK);
    sim.settle();
    record.expect(&["a: 200 hi", "b: 200 hi", "c: 200 hi"]);
    assert_eq!(now(&agent), (0, 2, 0, 0));
    // Two connections are idle, one to each.
    get(&record, &agent, "d", "http://127.0.0.1:8080/");
    get(&record, &agent, "e", "http://127.0.0.1:8080/");
    sim.settle();
    two.1.borrow()[1].write(OK);
    two.1.borrow()[2].write(OK);
    sim.settle();
    record.expect(&["d: 200 hi", "e: 200 hi"]);
    assert_eq!(one.0.connections() + two.0.connections(), 4);
}

#[test]
fn across_servers_who_has_waited_longest_is_next() {
    let sim = Sim::new();
    let (one, two) = (slow(&sim, "127.0.0.1:80"), slow(&sim, "127.0.0.1:8080"));
    let (record, agent) =
        (Record::default(), agent(|limits| (limits.in_all, limits.idle) = (1, std::time::Duration::ZERO)));
    get(&record, &agent, "a", URL);
    sim.settle();
    get(&record, &agent, "b", "http://127.0.0.1:8080/");
    get(&record, &agent, "c", URL);
    sim.settle();
    one.1.borrow()[0].write(OK);
    sim.settle();
    assert_eq!((one.0.lines().len(), two.0.lines().len()), (1, 1));
    two.1.borrow()[0].write(OK);
    sim.settle();
    one.1.borrow()[1].write(OK);
    sim.settle();
    record.expect(&["a: 200 hi", "b: 200 hi", "c: 200 hi"]);
}

#[test]
fn the_queue_has_a_bound_and_a_deadline() {
    let sim = Sim::new();
    let (_server, _asked) = slow(&sim, "127.0.0.1:80");
    let (record, agent) = (Record::default(), agent(|limits| (limits.per_host, limits.queued) = (1, 3)));
    for _ in 0..6 {
        get(&record, &agent, "res", URL);
    }
    sim.settle();
    // One of them has had the connection since it was made, so that four were let in.
    assert_eq!(counted(&record), [("res: queue-full".to_owned(), 3)].into());
    sim.advance(SECOND * 29);
    record.expect(&[]);
    sim.advance(SECOND * 2);
    assert_eq!(counted(&record), [("res: queue-timeout".to_owned(), 2)].into());
    assert_eq!(now(&agent), (1, 0, 0, 0));
}

#[test]
fn a_server_that_refuses_fails_each_request_once_and_leaves_nothing() {
    let sim = Sim::new();
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 2));
    for _ in 0..7 {
        get(&record, &agent, "res", URL);
    }
    sim.settle();
    record.expect(&["res: connect"; 7]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
    assert_eq!(sim.open_fds(), 0);
}

/// hyper #4134: a connection that is not wanted any more when it is made is kept.
#[test]
fn a_waiting_request_takes_what_comes_first_and_a_connection_that_comes_too_late_is_kept() {
    let sim = Sim::new();
    let (server, asked) = slow(&sim, "127.0.0.1:80");
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "a", URL);
    sim.settle();
    get(&record, &agent, "b", URL);
    asked.borrow()[0].write(OK);
    sim.settle();
    asked.borrow()[1].write(OK);
    sim.settle();
    record.expect(&["a: 200 hi", "b: 200 hi"]);
    assert_eq!((server.connections(), now(&agent)), (2, (0, 2, 0, 0)));
}

#[test]
fn idle_connections_do_not_keep_the_loop_running_and_close_in_time() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, OK);
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "res", URL);
    sim.run_to_rest();
    record.expect(&["res: 200 hi"]);
    assert!(sim.now() < SECOND, "the program ended: {:?}", sim.now());
    let other = oneloop::set_interval(SECOND, || ());
    sim.advance(SECOND * 6);
    assert_eq!(now(&agent), (0, 0, 0, 0));
    assert!(server.listener.accepted()[0].is_closed());
    other.clear();
}

#[test]
fn a_connection_of_ten_minutes_carries_no_further_request() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, OK);
    let (record, agent) = (Record::default(), Agent::new());
    let other = oneloop::set_interval(SECOND, || ());
    for _ in 0..650 {
        get(&record, &agent, "res", URL);
        sim.advance(SECOND);
    }
    assert_eq!(counted(&record), [("res: 200 hi".to_owned(), 650)].into());
    assert_eq!(server.connections(), 2);
    other.clear();
}

/// Under load it is never idle: who has waited longest gets it.
#[test]
fn a_connection_of_ten_minutes_carries_no_request_that_has_waited_either() {
    let sim = Sim::new();
    let (server, asked) = slow(&sim, "127.0.0.1:80");
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
    get(&record, &agent, "res", URL);
    for _ in 0..650 {
        get(&record, &agent, "res", URL);
        sim.advance(SECOND);
        assert_eq!(now(&agent), (1, 0, 0, 1));
        asked.borrow_mut().pop().unwrap().write(OK);
        sim.advance(MS);
    }
    assert_eq!(counted(&record), [("res: 200 hi".to_owned(), 650)].into());
    assert_eq!(server.connections(), 2);
}

#[test]
fn dropping_an_agent_closes_its_idle_connections_and_lets_requests_finish() {
    let sim = Sim::new();
    let (server, asked) = slow(&sim, "127.0.0.1:80");
    let record = Record::default();
    let agent = Agent::new();
    get(&record, &agent, "a", URL);
    get(&record, &agent, "b", URL);
    sim.settle();
    asked.borrow()[0].write(OK);
    sim.settle();
    drop(agent);
    sim.settle();
    asked.borrow()[1].write(OK);
    sim.settle();
    record.expect(&["a: 200 hi", "b: 200 hi"]);
    assert!(server.listener.accepted().iter().all(|peer| peer.is_closed()));
    assert_eq!(sim.open_fds(), 0);
}

#[test]
fn connection_close_from_either_side_ends_the_connection() {
    let sim = Sim::new();
    let closes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, number, _| match number {
        1 => peer.write(closes),
        2 => peer.write(old),
        3 => peer.write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"),
        _ => peer.write(OK),
    });
    let (record, agent) = (Record::default(), Agent::new());
    for _ in 0..4 {
        get(&record, &agent, "res", URL);
        sim.settle();
    }
    let req = agent.request("GET", URL, note(&record, "res"));
    req.set_header("Connection", "close").end(());
    sim.settle();
    record.expect(&["res: 200 hi"; 5]);
    let numbers: Vec<_> = server.lines().iter().map(|line| line[..1].to_owned()).collect();
    assert_eq!(numbers, ["1", "2", "3", "3", "3"]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn the_addresses_of_a_name_are_used_for_thirty_seconds_or_until_they_fail() {
    let sim = Sim::new();
    sim.set_host("plants.test", &["127.0.0.1".parse().unwrap()]);
    sim.set_worker_latency(MS * 500);
    let server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
    let other = Scripted::at(&sim, "127.0.0.2:80", |peer, _, _| peer.write(OK));
    let (record, agent) = (Record::default(), Agent::new());
    let alive = oneloop::set_interval(SECOND, || ());
    // Until the first request is answered, and the ones after it.
    for (wait, quick) in [(MS, false), (MS, true), (SECOND * 29, true), (SECOND * 2, false)] {
        sim.advance(wait);
        get(&record, &agent, "res", "http://plants.test/");
        sim.advance(MS * 100);
        assert_eq!(record.all().len(), usize::from(quick));
        sim.advance(MS * 500);
        record.expect(&["res: 200 hi"]);
    }
    assert_eq!(server.connections(), 4);
    // The name has another address now, and the old one takes no more connections.
    drop(server);
    sim.set_host("plants.test", &["127.0.0.2".parse().unwrap()]);
    get(&record, &agent, "first", "http://plants.test/");
    sim.advance(MS * 100);
    record.expect(&["first: connect"]);
    get(&record, &agent, "second", "http://plants.test/");
    sim.advance(MS * 600);
    record.expect(&["second: 200 hi"]);
    assert_eq!(other.connections(), 1);
    alive.clear();
}

/// Node #8436 and #62599: look-ups held up all other work of the pool of threads.
#[test]
fn two_hundred_slow_names_do_not_hold_up_a_job_and_fail_in_time() {
    let sim = Sim::new();
    sim.set_worker_latency(SECOND * 60);
    let (record, agent) = (Record::default(), Agent::new());
    for number in 0..200 {
        get(&record, &agent, "res", &format!("http://slow{number}.test/"));
        get(&record, &agent, "res", &format!("http://slow{number}.test/"));
    }
    sim.settle();
    let done = record.clone();
    oneloop::worker::run(|| (), move |_| done.add("job"));
    sim.advance(SECOND * 12);
    assert_eq!(counted(&record), [("res: connect-timeout".to_owned(), 400)].into());
    sim.advance(SECOND * 50);
    record.expect(&["job"]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

/// Node #54359: each attempt was given up after 250 ms, so that a route of 300 ms never connected.
#[test]
fn a_name_whose_first_address_is_silent_and_whose_second_is_slow_is_reached() {
    let sim = Sim::new();
    sim.set_host("far.test", &["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    sim.set_black_hole("[::1]:80".parse().unwrap());
    sim.set_network(Network { latency: MS * 300..=MS * 300, ..Network::default() });
    let _server = Scripted::saying(&sim, OK);
    let record = Record::default();
    get(&record, &Agent::new(), "res", "http://far.test/");
    sim.advance(SECOND * 3);
    record.expect(&["res: 200 hi"]);
}
