//! What a request over TLS allocates, on a connection that is kept: nothing of ours.

use crate::relay::*;
use oneloop::http::Agent;
use oneloop::{https, tls};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const REQUESTS: u64 = 200;

#[test]
fn a_request_over_tls_allocates_only_what_rustls_needs_for_a_record() {
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let server = https::create_server(context(), |_req, res| res.end("hello"));
    server.listen((NAME, 0), ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let socket = tls::connect((NAME, port), &client(), |socket| socket.write(REQUEST).ignore());
    let answers = Rc::new(Cell::new(0));
    let counting = answers.clone();
    socket.on_data(move |socket, _| {
        counting.set(counting.get() + 1);
        socket.write(REQUEST).ignore();
    });
    let run_until = |count: u64| {
        while answers.get() < count {
            oneloop::run_once().unwrap();
        }
    };
    run_until(20);
    let counted = allocation_counter::measure(|| run_until(20 + REQUESTS));
    socket.destroy();
    server.close(());
    // Each of the two sides sends one record, which rustls makes in a vector, and receives one, which it gives as a vector.
    assert!(counted.count_total <= 4 * REQUESTS + 4, "{} for {REQUESTS} requests and answers", counted.count_total);
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// node#33468: there the sockets of an agent piled up until there was no memory.
#[test]
fn a_hundred_connections_at_a_time_five_times_over_leave_no_memory_behind() {
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let server = https::create_server(context(), |_req, res| res.end("hello"));
    server.listen((NAME, 0), ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let agent = Agent::new();
    agent.set_tls(&client());
    let mut limits = agent.limits();
    (limits.per_host, limits.idle) = (100, Duration::ZERO);
    agent.set_limits(limits);
    // So that a wait for events has an end.
    let clock = oneloop::set_interval(Duration::from_millis(5), || ());
    let most = Cell::new(0);
    let round = || {
        let answers = Rc::new(Cell::new(0));
        for _ in 0..100 {
            let counting = answers.clone();
            agent.fetch(&format!("https://{NAME}:{port}/")).send(move |answer| {
                assert_eq!(answer.unwrap().text(), "hello");
                counting.set(counting.get() + 1);
            });
        }
        while answers.get() < 100 || server.connections() > 0 || !agent.stats().hosts.is_empty() {
            oneloop::run_once().unwrap();
            most.set(most.get().max(server.connections()));
        }
    };
    // The first ones make what is kept: buffers of the loop, tickets.
    (0..2).for_each(|_| round());
    let left: Vec<i64> = (0..5).map(|_| allocation_counter::measure(round).bytes_current).collect();
    clock.clear();
    server.close(());
    // Tables of the loop and of rustls grow and shrink by some 4 KB. Whatever a connection were to leave would be a hundred times there.
    assert!(left.iter().all(|bytes| bytes.abs() < 16 * 1024), "{left:?} bytes are left of each round");
    assert!(most.get() > 50, "only {} connections at a time", most.get());
}
