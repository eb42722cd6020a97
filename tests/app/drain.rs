//! A server that is told to end says so first, goes on for a while, and then closes. What the signals do is in the crate `drain`.

use crate::support::http::*;
use oneloop::app::{drain, health, ready, ready_if};
use oneloop::http::{Request, Response, Server};
use oneloop::set_timeout;
use oneloop::sim::Sim;

const WAIT: std::time::Duration = std::time::Duration::from_secs(5);

fn started() -> (Sim, Server) {
    let (sim, server) = serve(|req: Request, res: Response| match req.path() {
        "/long" => drop(set_timeout(2 * WAIT, move || res.end("long"))),
        _ => res.end("hello"),
    });
    server.on_path("/healthz", health).on_path("/readyz", ready);
    (sim, server)
}

#[track_caller]
fn expect(sim: &Sim, path: &str, status: u16, text: &str) {
    let reply = only(&send(sim, get(path)));
    assert_eq!((reply.status, reply.text().as_str()), (status, text), "{path}");
    assert_eq!(reply.field("cache-control"), (path != "/").then_some("no-store"));
}

#[test]
fn a_server_that_drains_is_not_ready_goes_on_for_the_wait_and_closes() {
    let (sim, server) = started();
    expect(&sim, "/readyz", 200, "ready\n");
    let long = send(&sim, get("/long"));
    drain::begin(&server, WAIT);
    assert!(drain::is_draining());
    sim.advance(WAIT - MS);
    expect(&sim, "/readyz", 503, "draining\n");
    expect(&sim, "/healthz", 200, "ok\n");
    expect(&sim, "/", 200, "hello");
    assert!(server.is_listening());
    sim.advance(MS);
    assert!(!server.is_listening() && drain::is_draining());
    sim.advance(WAIT);
    assert_eq!(only(&long).text(), "long", "what was begun is answered");
    sim.run_to_rest();
    assert!(!drain::is_draining(), "it has ended");
}

#[test]
fn without_a_wait_it_closes_at_once() {
    let (sim, server) = started();
    drain::begin(&server, std::time::Duration::ZERO);
    assert!(!server.is_listening() && drain::is_draining());
    sim.run_to_rest();
    assert!(!drain::is_draining());
}

#[test]
fn who_is_told_twice_ends_once_at_the_earlier_time() {
    let (sim, server) = started();
    drain::begin(&server, 2 * WAIT);
    drain::begin(&server, WAIT);
    sim.advance(WAIT);
    assert!(!server.is_listening());
    sim.advance(SECOND);
    assert!(!drain::is_draining());
    server.listen(PORT, ()).unwrap();
    sim.advance(2 * WAIT);
    assert!(server.is_listening(), "the later end was for the server that has closed");
    drain::begin(&server, WAIT);
    sim.advance(WAIT + SECOND);
    assert!(!server.is_listening() && !drain::is_draining());
}

#[test]
fn a_server_that_does_not_listen_does_not_drain() {
    let (sim, server) = started();
    server.close(());
    sim.run_to_rest();
    drain::begin(&server, WAIT);
    assert!(!drain::is_draining());
}

/// An admin port, which stays open, says that the program wants no more requests.
#[test]
fn one_server_tells_of_another_that_drains() {
    let (sim, server) = started();
    let admin = oneloop::http::create_server(ready);
    admin.listen(81, ()).unwrap();
    let ask = || sim.request("GET", "http://localhost:81/readyz").send().status();
    assert_eq!(ask(), 200);
    drain::begin(&server, WAIT);
    assert_eq!(ask(), 503);
    sim.advance(WAIT + 2 * SECOND);
    assert_eq!(ask(), 200, "the other has closed, and nothing drains any more");
}

#[test]
fn a_program_that_is_not_ready_says_so_and_a_check_is_asked_each_time() {
    let (sim, server) = started();
    let mut answers = [true, false].into_iter().cycle();
    server.on_path("/checked", ready_if(move || answers.next().unwrap()));
    expect(&sim, "/checked", 200, "ready\n");
    expect(&sim, "/checked", 503, "not ready\n");
    drain::begin(&server, WAIT);
    expect(&sim, "/checked", 503, "draining\n");
}
