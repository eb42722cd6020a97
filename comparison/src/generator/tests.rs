//! The generator against a server of a few lines, which can stall.

use super::{Load, Peers, Phase, Plan, Request, run};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// A server that holds its answers back while the lock on its door is closed.
#[derive(Default)]
struct Door {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Door {
    fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
    }

    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }
}

fn serve(answer: &'static str, door: &Arc<Door>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (port, door) = (listener.local_addr().unwrap().port(), door.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, door) = (stream.unwrap(), door.clone());
            thread::spawn(move || converse(stream, answer, &door));
        }
    });
    port
}

fn converse(mut stream: TcpStream, answer: &str, door: &Door) {
    stream.set_nodelay(true).unwrap();
    let (mut asked, mut landing) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = stream.read(&mut landing) {
        asked.extend_from_slice(&landing[..count]);
        while let Some(end) = asked.windows(4).position(|window| window == b"\r\n\r\n") {
            let close = asked[..end].windows(5).any(|word| word == b"close");
            asked.drain(..end + 4);
            door.pass();
            if stream.write_all(answer.as_bytes()).is_err() || close || answer.contains("close") {
                return;
            }
        }
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn plan(port: u16, load: Load) -> Plan {
    Plan {
        port,
        load,
        requests: vec![Request { expect: Some(5), ..Request::get("/") }],
        fresh: false,
        peers: Peers::default(),
        ramp: 10.0,
        warm_up: 0.05,
        seconds: 1.0,
        timeout: 30.0,
        threads: 1,
        spin: true,
    }
}

/// The server answers nothing until the end of the window.
#[test]
fn an_open_loop_shows_a_stall() {
    let door = Arc::new(Door::default());
    door.set(true);
    let plan = plan(serve(HELLO, &door), Load::Open { rate: 200.0, connections: 50 });
    let outcome = run(&plan, |phase| door.set(phase != Phase::Ends)).unwrap();
    // Those that were meant in its first half waited for at least its other half.
    assert!(outcome.latency.p50 > 490_000.0, "{outcome:?}");
    assert!(outcome.latency.max > 990_000.0, "{outcome:?}");
    assert_eq!((outcome.errors, outcome.timeouts, outcome.refusals), (0, 0, 0), "{outcome:?}");
}

/// The server answers nothing for a while in the window: of a closed loop that delays one request for each connection.
#[test]
fn a_closed_loop_hides_a_stall() {
    let door = Arc::new(Door::default());
    let plan = plan(serve(HELLO, &door), Load::Closed { connections: 2 });
    let stall = Duration::from_millis(300);
    let outcome = run(&plan, |phase| {
        if phase == Phase::Begins {
            door.set(true);
            thread::sleep(stall);
            door.set(false);
        }
    })
    .unwrap();
    assert!(outcome.latency.max >= stall.as_micros() as f64 * 0.99, "{outcome:?}");
    // A machine so slow that hardly anything was answered besides shows nothing.
    if outcome.answers > 1000 {
        assert!(outcome.latency.p99 < outcome.latency.max / 2.0, "{outcome:?}");
    }
}

#[test]
fn every_request_of_an_open_loop_is_sent_and_counted() {
    let door = Arc::new(Door::default());
    for (fresh, threads) in [(false, 1), (true, 1), (false, 2)] {
        let load = Load::Open { rate: 500.0, connections: 20 };
        let outcome = run(&Plan { fresh, threads, ..plan(serve(HELLO, &door), load) }, |_| ()).unwrap();
        let offered = outcome.offered.unwrap();
        assert!((offered - 500.0).abs() <= 2.0, "{outcome:?}");
        assert_eq!((outcome.errors, outcome.timeouts, outcome.refusals), (0, 0, 0), "{outcome:?}");
        assert!(outcome.answers > 0);
    }
}

#[test]
fn a_closed_loop_keeps_all_its_connections_busy() {
    let door = Arc::new(Door::default());
    for fresh in [false, true] {
        let load = Load::Closed { connections: 8 };
        let outcome = run(&Plan { fresh, seconds: 0.3, ..plan(serve(HELLO, &door), load) }, |_| ()).unwrap();
        assert!(outcome.answers > 8, "{outcome:?}");
        assert_eq!((outcome.errors, outcome.timeouts, outcome.refusals), (0, 0, 0), "{outcome:?}");
        assert!(fresh || outcome.connections == 8, "{outcome:?}");
    }
}

#[test]
fn wrong_answers_are_errors_and_busy_ones_refusals() {
    let door = Arc::new(Door::default());
    let outcome_of = |answer| {
        let plan = Plan { seconds: 0.2, ..plan(serve(answer, &door), Load::Closed { connections: 2 }) };
        run(&plan, |_| ()).unwrap()
    };
    let wrong = outcome_of("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    assert!(wrong.errors > 0 && wrong.answers == 0, "{wrong:?}");
    let short = outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell");
    assert!(short.errors > 0 && short.answers == 0, "{short:?}");
    let busy = outcome_of("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    assert!(busy.refusals > 0 && busy.errors == 0 && busy.answers == 0, "{busy:?}");
}

#[test]
fn a_connection_that_the_server_says_it_closes_is_replaced_without_a_fault() {
    let door = Arc::new(Door::default());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let outcome =
        run(&Plan { seconds: 0.3, ..plan(serve(answer, &door), Load::Closed { connections: 2 }) }, |_| ()).unwrap();
    assert!(outcome.answers > 0, "{outcome:?}");
    assert_eq!((outcome.errors, outcome.timeouts, outcome.refusals), (0, 0, 0), "{outcome:?}");
}

#[test]
fn a_server_that_is_not_there_refuses() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outcome = run(&Plan { seconds: 0.2, ..plan(port, Load::Closed { connections: 2 }) }, |_| ()).unwrap();
    assert!(outcome.refusals > 0 && outcome.answers == 0, "{outcome:?}");
}

#[test]
fn what_is_never_answered_is_given_up_and_not_forgotten() {
    let door = Arc::new(Door::default());
    door.set(true);
    for load in [Load::Closed { connections: 3 }, Load::Open { rate: 50.0, connections: 3 }] {
        let plan = Plan { seconds: 0.3, timeout: 0.2, ..plan(serve(HELLO, &door), load) };
        let outcome = run(&plan, |_| ()).unwrap();
        assert!(outcome.timeouts >= 3 && outcome.answers == 0, "{outcome:?}");
        assert!(outcome.latency.p50 >= 199_000.0, "{outcome:?}");
    }
}
