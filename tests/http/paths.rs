//! What is below a prefix goes to the prefix's listeners, and nobody else notices that there are any.

use crate::support::http::*;
use oneloop::http::{self, LoadShedding};

#[test]
fn a_request_below_a_prefix_goes_to_its_listener_instead_of_the_request_listeners() {
    let record = Record::default();
    let (one, deeper, also) = (record.clone(), record.clone(), record.clone());
    let (sim, server) = serve(|req, res| res.end(format!("site {}", req.url())));
    server.on_path("/status", move |req, res| {
        one.add(req.url());
        res.end(format!("status {}", req.url()));
    });
    server.on_path("/status/deep/", move |req, res| {
        deeper.add(format!("deep {}", req.url()));
        res.end("deep");
    });
    // As with request listeners, each of them is called.
    server.on_path("/status/deep", move |_, _| also.add("and deep"));
    let targets =
        ["/", "/status", "/status?x=/", "/statuses", "/status/", "/status/deep/a", "/status/deeper", "/x/status"];
    let peer = send(&sim, targets.map(get).concat());
    let expected = [
        "site /",
        "status /status",
        "status /status?x=/",
        "site /statuses",
        "status /status/",
        "deep",
        "status /status/deeper",
        "site /x/status",
    ];
    assert_eq!(bodies(&peer), expected);
    record.expect(&["/status", "/status?x=/", "/status/", "deep /status/deep/a", "and deep", "/status/deeper"]);
    assert_eq!(server.requests(), 8);
}

#[test]
fn the_routes_are_the_prefixes_in_order_and_then_what_gets_the_rest() {
    let (_sim, server) = serve(not_called);
    let rest = server.routes();
    assert_eq!((rest.len(), &rest[0].prefix), (1, &None));
    let line = line!();
    server.on_path("/b/", not_called);
    server.on_path("/a", not_called);
    server.on_request(not_called);
    server.on_path("/", not_called);
    server.on_path("/b", not_called);
    server.on_check_continue(not_called);
    let here = |route: &http::Route| route.registered.file().ends_with("paths.rs");
    let routes: Vec<_> = server.routes().into_iter().filter(here).collect();
    let told: Vec<_> = routes.iter().map(|r| (r.prefix.as_deref(), r.registered.line() - line)).collect();
    assert_eq!(told, [(Some("/b"), 1), (Some("/a"), 2), (Some("/"), 4), (Some("/b"), 5), (None, 3)]);
    assert_eq!(server.routes().len(), 6);
}

#[test]
fn routes_can_be_listed_by_the_listener_of_one() {
    let (sim, server) = serve(not_called);
    let listing = server.clone();
    server.on_path("/routes", move |_, res| res.end(listing.routes().len().to_string()));
    assert_eq!(bodies(&send(&sim, get("/routes"))), ["2"]);
    server.close_all_connections();
}

#[test]
fn a_target_in_absolute_form_has_the_path_that_it_names() {
    let (sim, server) = serve(not_called);
    server.on_path("/", |req, res| res.end(req.path()));
    let peer = send(&sim, "GET http://a/status?x HTTP/1.1\r\nHost: a\r\n\r\nGET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(bodies(&peer), ["/status", "/"]);
}

#[test]
fn the_answers_for_those_who_do_not_answer_are_the_same_below_a_prefix() {
    let (sim, server) = serve(not_called);
    server.on_path("/dropped", |_, _| ());
    server.on_path("/failed", |_, _| Err("no".into()));
    server.on_path("/body", |req, res| req.read_body(10, move |body| res.end(body.unwrap_or_default())));
    server.on_check_continue(not_called);
    let expecting =
        |what: &str| format!("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: {what}\r\n\r\n");
    let peer = send(&sim, [get("/dropped"), get("/failed"), expecting("100-continue")].concat());
    assert_eq!(statuses(&peer), [500, 500, 100]);
    peer.write("ab");
    sim.settle();
    assert_eq!(bodies(&peer).last().unwrap(), "ab");
    let peer = send(&sim, expecting("a miracle"));
    assert_eq!(statuses(&peer), [417]);
}

#[test]
fn a_prefix_is_no_way_around_load_shedding() {
    let (sim, server) = serve(|_, res| {
        oneloop::sim::block(SECOND);
        res.end("late");
    });
    server.on_path("/status", |_, res| res.end("here"));
    server.set_load_shedding(LoadShedding::new(100 * MS));
    let (slow, behind) = (sim.connect(PORT), sim.connect(PORT));
    sim.settle();
    slow.write(get("/"));
    behind.write(get("/status"));
    sim.settle();
    assert_eq!((statuses(&slow), statuses(&behind)), (vec![200], vec![503]));
    assert_eq!(server.requests(), 2);
}
