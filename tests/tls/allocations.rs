//! What a request over TLS allocates, on a connection that is kept: nothing of ours.

use crate::relay::*;
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
