//! Hundreds of hostile servers beside good ones, asked by one agent at once.

use crate::support::client::now;
use crate::support::http::SECOND;
use oneloop::event_loop;
use oneloop::http::{self, Agent, FetchErrorKind as F, RequestErrorKind as R};
use oneloop::net::CloseReason;
use oneloop::set_interval_with;
use oneloop::sim::{Listener, Peer, Sim};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// What a server does with a connection that it has accepted, or with a request. `None` for one that reads nothing.
#[derive(Clone, Copy)]
enum Says {
    /// This, and nothing more.
    Once(&'static str),
    /// This, again and again, so many milliseconds apart.
    Again(&'static str, &'static str, u64),
    /// This, and then the end of its side.
    End(&'static str),
    /// This, and a reset after a second.
    Reset(&'static str),
    /// Nothing, and it reads nothing either.
    Deaf,
}

/// How a request ends: the status, and why its body is cut; or why there is no response.
type Outcome = Result<(u16, Option<CloseReason>), R>;

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// What servers do, and how a request to such a server ends.
fn kinds() -> Vec<(Says, Outcome)> {
    use Says::*;
    let cut = |reason| Ok((200, Some(reason)));
    vec![
        (Once(""), Err(R::ResponseTimeout)),
        (Once("HTTP/1.1 200 O"), Err(R::ResponseTimeout)),
        (Again(OK, "X: y\r\n", 2000), Err(R::ResponseTimeout)),
        (Again(OK, "X: y\r\n", 10), Err(R::BadResponse)),
        (Again("", "HTTP/1.1 102 Wait\r\n\r\n", 10), Err(R::BadResponse)),
        (Once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(R::BadResponse)),
        (Once("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), Err(R::BadResponse)),
        (Once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n"), Ok((200, None))),
        (End(""), Err(R::Closed)),
        (End("HTTP/1.1 200 OK\r\nContent-Le"), Err(R::Closed)),
        (End("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), cut(CloseReason::Truncated)),
        (Reset("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), cut(CloseReason::Reset)),
        (Once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"), cut(CloseReason::BadMessage)),
        (Once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), cut(CloseReason::SlowReceive)),
        (Again("HTTP/1.1 200 OK\r\n\r\n", "x", 1000), Ok((200, Some(CloseReason::RequestTimeout)))),
        (Deaf, Err(R::SlowSend)),
    ]
}

/// The same for `fetch`, which follows redirects, and inflates.
fn kinds_for_fetch() -> Vec<(Says, F)> {
    use Says::*;
    let mut kinds = vec![
        (Once("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), F::RedirectLoop),
        (Again("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", LONG_CHUNK, 10), F::TooLarge),
        (Again("HTTP/1.1 200 OK\r\n\r\n", "x", 1000), F::Timeout),
    ];
    if cfg!(feature = "compression") {
        kinds.push((Once(THREE_CODINGS), F::Coding));
    }
    kinds
}

const LONG_CHUNK: &str = "10\r\n0123456789abcdef\r\n";
const THREE_CODINGS: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\nContent-Length: 2\r\n\r\nhi";

fn serve(sim: &Sim, address: &str, says: Says) -> Listener {
    let again = |peer: &Peer, what: &'static str, every: u64| {
        let peer = peer.clone();
        let timer = set_interval_with(Duration::from_millis(every), move |timer| match peer.is_closed() {
            true => timer.clear(),
            false => peer.write(what),
        });
        timer.unref();
    };
    let listener = sim.listen(address).unwrap();
    listener.on_accept(move |peer| {
        if matches!(says, Says::Deaf) {
            return peer.pause_reading();
        }
        peer.on_close(|peer| peer.close());
        let mut begun = false;
        peer.on_data(move |peer, _| {
            if std::mem::replace(&mut begun, true) {
                return;
            }
            match says {
                Says::Once(what) => peer.write(what),
                Says::Again(first, what, every) => {
                    peer.write(first);
                    again(peer, what, every);
                }
                Says::End(what) => {
                    peer.write(what);
                    peer.finish();
                }
                Says::Reset(what) => {
                    peer.write(what);
                    let peer = peer.clone();
                    oneloop::set_timeout(SECOND, move || peer.reset());
                }
                Says::Deaf => {}
            }
        });
    });
    listener
}

/// Twenty servers of each kind, and fifty good ones.
#[test]
fn hundreds_of_hostile_servers_cost_only_the_requests_to_them() {
    let sim = Sim::new();
    let (agent, mut servers) = (Agent::new(), Vec::new());
    let outcomes = Rc::<RefCell<BTreeMap<String, Vec<Outcome>>>>::default();
    let mut expected = BTreeMap::new();
    let ask = |address: &str, deaf: bool| {
        let (told, name) = (outcomes.clone(), address.to_owned());
        let tell = move |outcome| told.borrow_mut().entry(name.clone()).or_default().push(outcome);
        let (error, method) = (tell.clone(), if deaf { "POST" } else { "GET" });
        let req = agent.request(method, &format!("http://{address}/"), move |res| {
            let status = res.status();
            res.read_body(1 << 20, move |body| match body {
                Ok(_) => tell(Ok((status, None))),
                Err(http::ResponseBodyError::Closed(reason)) => tell(Ok((status, Some(reason)))),
                Err(error) => panic!("{error}"),
            });
        });
        req.on_error(move |_, why| error(Err(why.kind())));
        req.set_timeout(SECOND * 200);
        req.end(if deaf { vec![b'x'; 4 << 20] } else { Vec::new() });
    };
    for (kind, (says, outcome)) in kinds().into_iter().enumerate() {
        for number in 0..20 {
            let address = format!("127.0.{}.{}:80", kind + 1, number + 1);
            servers.push(serve(&sim, &address, says));
            ask(&address, matches!(says, Says::Deaf));
            expected.insert(address, outcome);
        }
    }
    let fetched = Rc::<RefCell<BTreeMap<String, Vec<Result<(), F>>>>>::default();
    let mut expected_of_fetches = BTreeMap::new();
    for (kind, (says, outcome)) in kinds_for_fetch().into_iter().enumerate() {
        for number in 0..20 {
            let address = format!("127.2.{}.{}:80", kind + 1, number + 1);
            servers.push(serve(&sim, &address, says));
            let (told, name) = (fetched.clone(), address.clone());
            let fetch = agent.fetch(&format!("http://{address}/")).timeout(SECOND * 200).max_body(10_000);
            fetch.send(move |result| {
                let kind = result.map(drop).map_err(|error| error.kind());
                told.borrow_mut().entry(name).or_default().push(kind);
            });
            expected_of_fetches.insert(address, Err(outcome));
        }
    }
    for number in 0..50 {
        let address = format!("127.1.0.{}:80", number + 1);
        servers.push(serve(&sim, &address, Says::Once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")));
        ask(&address, false);
        expected.insert(address, Ok((200, None)));
    }
    sim.settle();
    let good = outcomes.borrow().keys().filter(|name| name.starts_with("127.1.")).count();
    assert_eq!(good, 50, "good servers wait for no other");
    let before = event_loop::metrics();
    sim.advance(SECOND * 300);
    let after = event_loop::metrics();
    for (address, outcome) in expected {
        assert_eq!(outcomes.borrow_mut().remove(&address), Some(vec![outcome]), "{address}");
    }
    for (address, outcome) in expected_of_fetches {
        assert_eq!(fetched.borrow_mut().remove(&address), Some(vec![outcome]), "{address}");
    }
    assert!(outcomes.borrow().is_empty() && fetched.borrow().is_empty());
    assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0), "nothing is held");
    assert_eq!((after.connections, after.timers, after.ready, after.buffered), (0, 0, 0, 0), "nothing is held");
    let iterations = after.iterations - before.iterations;
    assert!(iterations < 3000, "{iterations}: the loop spins");
}
