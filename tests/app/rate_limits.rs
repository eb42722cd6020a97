//! How often a client may ask.

use crate::support::http::*;
use oneloop::app::{App, Rate, rate_limit, rate_limit_by};
use oneloop::sim::Sim;
use std::net::SocketAddr;

fn world(app: App) -> Sim {
    let sim = Sim::new();
    app.listen(PORT, ()).unwrap();
    sim
}

fn limited(rate: Rate) -> Sim {
    let mut app = App::new();
    app.with(rate_limit(rate));
    app.get("/", |_req, res| res.end("hello\n"));
    world(app)
}

fn status_from(sim: &Sim, address: &str) -> u16 {
    let peer = sim.connect_from(address.parse::<SocketAddr>().unwrap(), PORT);
    peer.write(get("/"));
    sim.advance(MS);
    only(&peer).status
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back_and_is_served_then() {
    let sim = limited(Rate::per_minute(6).burst(2));
    let ask = || {
        let reply = sim.request("GET", "/").send();
        (reply.status(), reply.header("RateLimit").unwrap().to_owned(), reply.header("Retry-After").map(str::to_owned))
    };
    assert_eq!(ask(), (200, "\"default\";r=1;t=10".into(), None));
    assert_eq!(ask(), (200, "\"default\";r=0;t=20".into(), None));
    assert_eq!(ask(), (429, "\"default\";r=0;t=20".into(), Some("10".into())));
    sim.advance(9 * SECOND);
    assert_eq!(ask().2, Some("1".into()));
    sim.advance(SECOND);
    assert_eq!(ask().0, 200);
    assert_eq!(ask().0, 429);
    // No test has to wait for an hour.
    sim.advance(3600 * SECOND);
    assert_eq!([ask().0, ask().0, ask().0], [200, 200, 429]);
    let reply = sim.request("GET", "/").send();
    assert_eq!(reply.header("RateLimit-Policy"), Some("\"default\";q=2;w=20"));
    assert!(reply.text().contains("too many requests"), "{}", reply.text());
}

#[test]
fn each_address_has_a_limit_of_its_own_and_each_ipv6_network_one() {
    let sim = limited(Rate::per_hour(1));
    let ask = |address| status_from(&sim, address);
    assert_eq!([ask("10.0.0.1:1000"), ask("10.0.0.1:1001"), ask("10.0.0.2:1000")], [200, 429, 200]);
    // Written as IPv6 it is the same client, and not all of IPv4 is one.
    assert_eq!([ask("[::ffff:10.0.0.1]:1002"), ask("[::ffff:10.0.0.3]:1000")], [429, 200]);
    assert_eq!(
        [ask("[2001:db8:0:1::1]:1000"), ask("[2001:db8:0:1:ffff::2]:1000"), ask("[2001:db8:0:2::1]:1000")],
        [200, 429, 200]
    );
}

#[test]
fn a_limit_by_name_counts_names_and_lets_others_pass() {
    let mut app = App::new();
    app.with(rate_limit_by(Rate::per_hour(1), |req| req.header("X-User").map(str::to_owned)));
    app.get("/", |_req, res| res.end("hello\n"));
    let sim = world(app);
    let ask = |user| sim.request("GET", "/").header("X-User", user).send().status();
    assert_eq!([ask("ann"), ask("ann"), ask("bob"), ask("ann ")], [200, 429, 200, 429]);
    for _ in 0..3 {
        let reply = sim.request("GET", "/").send();
        assert_eq!((reply.status(), reply.header("RateLimit")), (200, None));
    }
}

#[test]
fn a_refusal_goes_through_the_error_handlers_and_reaches_no_route() {
    let mut app = App::new();
    app.with(rate_limit(Rate::per_hour(1)));
    let asked = Record::default();
    let asks = asked.clone();
    app.get("/", move |_req, res| {
        asks.add("asked");
        res.end("hello\n");
    });
    app.on_error(|error, _req, res, _next| res.set_status(error.status()).end("slowly, please\n"));
    let sim = world(app);
    let replies = [sim.request("GET", "/").send(), sim.request("GET", "/").send()];
    asked.expect(&["asked"]);
    assert_eq!((replies[1].status(), replies[1].text().as_str()), (429, "slowly, please\n"));
    assert_eq!(replies[1].header("Retry-After"), Some("3600"));
}

#[test]
fn two_limits_are_two_and_one_limit_is_for_all_that_is_behind_it() {
    let mut app = App::new();
    app.with_at("/one", rate_limit(Rate::per_hour(2)));
    app.with_at("/two", rate_limit(Rate::per_hour(1)));
    for path in ["/one/a", "/one/b", "/two/a"] {
        app.get(path, |_req, res| res.end("hello\n"));
    }
    let sim = world(app);
    let ask = |path| sim.request("GET", path).send().status();
    assert_eq!(["/one/a", "/one/b", "/one/a", "/two/a", "/two/a"].map(ask), [200, 200, 429, 200, 429]);
}
