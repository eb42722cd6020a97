//! Proxies: what goes to one, what it is told, and what it is not.

use crate::support::client::{Scripted, now};
use crate::support::http::Record;
use oneloop::http::{self, Agent, Proxy};
use oneloop::sim::Sim;

fn send(record: &Record, agent: &Agent, url: &str) {
    let record = record.clone();
    agent.fetch(url).send(move |result| match result {
        Ok(response) => record.add(format!("{} {}", response.status(), response.text())),
        Err(error) => record.add(error),
    });
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_proxy_gets_the_whole_url_and_the_credentials_that_are_for_it() {
    let sim = Sim::new();
    let proxy = Scripted::at(&sim, "127.0.0.1:3128", |peer, _, _| peer.write(ok("by proxy")));
    let direct = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| peer.write(ok("directly")));
    let (record, agent) = (Record::default(), Agent::new());
    let set = Proxy::to("http://127.0.0.1:3128").unwrap().credentials("ann", "basil").except("127.0.0.1");
    assert!(agent.set_proxy(set).proxy().is_some());
    for url in ["http://example.org/a?b#c", "http://example.net:81", "http://127.0.0.1/d"] {
        send(&record, &agent, url);
        sim.settle();
    }
    record.expect(&["200 by proxy", "200 by proxy", "200 directly"]);
    let heads: Vec<_> =
        proxy.requests().iter().map(|request| request.replace("Accept-Encoding: gzip\r\n", "")).collect();
    let authorization = "Proxy-Authorization: Basic YW5uOmJhc2ls\r\n\r\n";
    assert_eq!(heads[0], format!("GET http://example.org/a?b HTTP/1.1\r\nHost: example.org\r\n{authorization}"));
    assert_eq!(heads[1], format!("GET http://example.net:81/ HTTP/1.1\r\nHost: example.net:81\r\n{authorization}"));
    assert!(direct.requests()[0].starts_with("GET /d HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
    assert!(!direct.requests()[0].contains("Proxy"));
    assert_eq!(
        (proxy.connections(), now(&agent).1),
        (1, 2),
        "connections to a proxy are kept, for all servers behind it"
    );
    agent.set_proxy(None);
    assert!(agent.proxy().is_none());
    assert!(http::Agent::global().proxy().is_none(), "of one agent only");
}

#[test]
fn a_redirect_away_from_a_proxy_takes_no_credentials_along() {
    let sim = Sim::new();
    let proxy = Scripted::at(&sim, "127.0.0.1:3128", |peer, _, request| {
        let to = if request.contains("example.org/a") { "/b" } else { "http://127.0.0.1/" };
        peer.write(format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
    });
    let direct = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| peer.write(ok("directly")));
    let (record, agent) = (Record::default(), Agent::new());
    agent.set_proxy(Proxy::to("ann:basil@127.0.0.1:3128").unwrap().except("127.0.0.1"));
    send(&record, &agent, "http://example.org/a");
    sim.settle();
    record.expect(&["200 directly"]);
    let told =
        |requests: Vec<String>| requests.iter().filter(|request| request.contains("Proxy-Authorization")).count();
    assert_eq!((told(proxy.requests()), told(direct.requests())), (2, 0));
    assert_eq!(proxy.requests().last().unwrap().lines().next(), Some("GET http://example.org/b HTTP/1.1"));
}

#[test]
fn what_a_proxy_refuses_is_a_response_and_what_it_cannot_do_is_an_error() {
    let sim = Sim::new();
    let _proxy = Scripted::at(&sim, "127.0.0.1:3128", |peer, _, _| {
        peer.write("HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
    });
    let (record, agent) = (Record::default(), Agent::new());
    agent.set_proxy(Proxy::to("127.0.0.1:3128").unwrap());
    send(&record, &agent, "http://example.org/");
    sim.settle();
    record.expect(&["407 "]);
    // It must not go directly instead.
    send(&record, &agent, "https://example.org/");
    sim.settle();
    let told = record.take();
    let words = if cfg!(feature = "tls") { "no tunnel to example.org:443: 407" } else { "needs the feature `tls`" };
    assert!(told[0].contains(words), "{told:?}");
    agent.set_proxy(Proxy::to("127.0.0.1:9").unwrap());
    send(&record, &agent, "http://example.org/secret?x");
    sim.settle();
    let told = record.take();
    assert!(told[0].starts_with("GET http://example.org/secret: cannot connect to 127.0.0.1:9"), "{told:?}");
}
