//! HTTP over TLS: the same server.

use crate::foreign::{self, TLS13};
use crate::relay::*;
use oneloop::net::Socket;
use oneloop::sim::Sim;
use oneloop::tls::{self, Context, Identity, SelfSigned};
use oneloop::{http, https};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A client that says this when it can, and what it has heard.
fn ask(port: u16, request: &str) -> (Socket, Rc<RefCell<Vec<u8>>>) {
    let heard = Rc::<RefCell<Vec<u8>>>::default();
    let socket = tls::connect((NAME, port), &client(), |_| ());
    socket.write(request).ignore();
    let hearing = heard.clone();
    socket.on_data(move |_, bytes| hearing.borrow_mut().extend_from_slice(bytes));
    (socket, heard)
}

fn text(heard: &Rc<RefCell<Vec<u8>>>) -> String {
    String::from_utf8_lossy(&heard.borrow()).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_secure_server_answers_and_knows_that_it_is_secure() {
    let sim = Sim::new();
    let server = https::create_server(context(), |req, res| {
        let tls = req.tls().unwrap();
        assert!(req.is_secure());
        res.end(format!("{} {:?}", tls.protocol(), tls.alpn().map(String::from_utf8_lossy)));
    });
    server.listen(SERVER, ()).unwrap();
    let (_socket, heard) = ask(SERVER, &GET.repeat(3));
    sim.settle();
    assert_eq!(text(&heard).matches("TLSv1.3 None").count(), 3);
    let plain = http::create_server(|req, res| res.end(format!("{}", req.is_secure())));
    plain.listen(80, ()).unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "false");
}

#[test]
fn large_bodies_go_both_ways() {
    let sim = Sim::new();
    let server = https::create_server(context(), |req, res| {
        req.clone().read_body(2 * 1024 * 1024, move |body| res.end(body.unwrap()));
    });
    server.listen(SERVER, ()).unwrap();
    let body: String = (0..1_000_000).map(|at| char::from(b'a' + (at / 7 % 26) as u8)).collect();
    let (_socket, heard) = ask(SERVER, &format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{body}"));
    sim.advance(Duration::from_secs(1));
    assert!(text(&heard).ends_with(&body));
}

#[test]
fn new_certificates_are_for_new_connections_and_no_connection_is_lost() {
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| res.end("here"));
    server.listen(SERVER, ()).unwrap();
    let (socket, heard) = ask(SERVER, GET);
    sim.settle();
    let other = SelfSigned::new(["b.example"]).unwrap();
    server.set_secure_context(Context::new(other.identity()).unwrap());
    socket.write(GET).ignore();
    sim.settle();
    assert_eq!(text(&heard).matches("here").count(), 2);
    let (refused, _) = ask(SERVER, GET);
    let why = Rc::new(RefCell::new(String::new()));
    let telling = why.clone();
    refused.on_error(move |_, error| *telling.borrow_mut() = error.to_string());
    sim.settle();
    assert!(why.borrow().contains("the certificate of the peer is not accepted"), "{}", why.borrow());
    // One that is wrong changes nothing.
    assert!(Identity::from_pem(other.certificate_pem(), made().key_pem()).is_err());
    assert!(server.add_context("a.example", &made().identity()).is_ok());
    assert!(http::create_server(|_req, res| res.end("")).add_context("a", &other.identity()).is_err());
}

#[test]
fn an_idle_connection_is_closed_with_a_notice_and_a_handshake_counts_for_the_limit_of_connections() {
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| res.end("here"));
    server.set_max_connections(1);
    server.listen(SERVER, ()).unwrap();
    let (socket, _heard) = ask(SERVER, GET);
    let ended = Rc::new(RefCell::new(Vec::new()));
    let (end, close) = (ended.clone(), ended.clone());
    socket.on_end(move |_| end.borrow_mut().push("end".to_owned()));
    socket.on_close(move |_, reason| close.borrow_mut().push(reason.to_string()));
    sim.settle();
    let refused = sim.connect(SERVER);
    sim.settle();
    assert!(refused.is_closed() && refused.received().is_empty());
    sim.advance(Duration::from_secs(70));
    assert_eq!(*ended.borrow(), ["end", "finished"]);
}

#[test]
fn a_server_that_closes_answers_what_has_come_and_ends_in_order() {
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| {
        oneloop::set_timeout(Duration::from_secs(1), move || res.end("late"));
    });
    server.listen(SERVER, ()).unwrap();
    let (_socket, heard) = ask(SERVER, GET);
    sim.advance(Duration::from_millis(500));
    server.close(|| ());
    sim.run_to_rest();
    assert!(text(&heard).ends_with("late"));
    assert_eq!(sim.open_fds(), 0);
}

#[test]
fn websockets_go_over_tls_both_ways() {
    use oneloop::ws;
    let sim = Sim::new();
    let server = https::create_server(context(), |_req, res| res.end("here"));
    ws::mount(&server, "/shout").on_message(|socket, message| match message {
        ws::Message::Text(text) => socket.send(text.to_uppercase()).ignore(),
        _ => socket.close(),
    });
    server.listen(SERVER, ()).unwrap();
    let heard = Rc::<RefCell<Vec<String>>>::default();
    let to = |client: &tls::Client| ws::Connect::to(format!("wss://{NAME}/shout")).tls(client);
    let socket = ws::connect(to(&client()), |socket| socket.send("hello").ignore());
    let (hearing, closing) = (heard.clone(), heard.clone());
    socket.on_message(move |socket, message| {
        hearing.borrow_mut().push(format!("{message:?}"));
        socket.close();
    });
    socket.on_close(move |_, close| closing.borrow_mut().push(format!("{} {}", close.code, close.why)));
    sim.settle();
    assert_eq!(*heard.borrow(), ["Text(\"HELLO\")", "1000 finished"]);
    let stranger = SelfSigned::new([NAME]).unwrap();
    let stranger = tls::Client::trusting(tls::Roots::from_pem(stranger.certificate_pem()).unwrap()).unwrap();
    let socket = ws::connect(to(&stranger), |_| panic!("it is not trusted"));
    let why = Rc::new(RefCell::new(String::new()));
    let telling = why.clone();
    socket.on_error(move |_, error| *telling.borrow_mut() = error.to_string());
    sim.settle();
    assert!(why.borrow().contains("the certificate of the peer is not accepted"), "{}", why.borrow());
}

#[test]
fn the_http_client_asks_over_tls_and_keeps_its_connections() {
    let sim = Sim::new();
    let server = https::create_server(context(), |req, res| res.end(format!("{} {}", req.url(), req.is_secure())));
    server.listen(SERVER, ()).unwrap();
    let agent = http::Agent::new();
    agent.set_tls(&client());
    let heard = Rc::<RefCell<Vec<String>>>::default();
    for path in ["/a", "/b", "/c"] {
        let hearing = heard.clone();
        agent.get(&format!("https://{NAME}{path}"), move |res| {
            res.read_body(100, move |body| hearing.borrow_mut().push(String::from_utf8(body.unwrap()).unwrap()));
        });
        sim.settle();
    }
    assert_eq!(*heard.borrow(), ["/a true", "/b true", "/c true"]);
    let stats = agent.stats();
    assert_eq!((stats.connections, stats.reused, &*stats.hosts[0].host), (1, 2, "https://127.0.0.1:443"));
    // A stranger is not asked.
    let stranger = SelfSigned::new([NAME]).unwrap();
    let agent = http::Agent::new();
    agent.set_tls(&tls::Client::trusting(tls::Roots::from_pem(stranger.certificate_pem()).unwrap()).unwrap());
    let told = Rc::new(RefCell::new(String::new()));
    let telling = told.clone();
    agent.get(&format!("https://{NAME}/"), |_| panic!("it is not trusted")).on_error(move |_, error| {
        *telling.borrow_mut() = format!("{} {error}", error.kind());
    });
    sim.settle();
    assert!(
        told.borrow().starts_with("tls GET https://127.0.0.1/: the certificate of the peer is not"),
        "{}",
        told.borrow()
    );
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole_only_after_the_notice() {
    for noticed in [true, false] {
        let sim = Rc::new(Sim::new());
        let relay = Relay::new(&sim);
        let server = tls::create_server(context(), move |socket| {
            socket.on_data(move |socket, _| {
                socket.write("HTTP/1.1 200 OK\r\n\r\npart").ignore();
                if noticed {
                    socket.end(());
                }
            });
        });
        server.listen(SERVER, ()).unwrap();
        let agent = http::Agent::new();
        agent.set_tls(&client());
        let told = Rc::new(RefCell::new(Vec::new()));
        let telling = told.clone();
        agent.get(&format!("https://{NAME}:{RELAY}/"), move |res| {
            res.read_body(100, move |body| telling.borrow_mut().push(body.map_err(|error| error.to_string())));
        });
        sim.settle();
        relay.end(0).finish();
        sim.settle();
        assert_eq!(told.borrow().len(), 1);
        assert_eq!(told.borrow()[0].is_ok(), noticed, "{:?}", told.borrow());
    }
}

#[test]
fn a_silent_client_of_an_https_server_is_closed_at_the_limit_of_handshakes() {
    let hello = foreign::hello(TLS13);
    for limit in [None, Some(Duration::from_secs(1))] {
        for said in [&[][..], &hello[..hello.len() / 2]] {
            let sim = Sim::new();
            let server = https::create_server(context(), |_req, res| res.end("here"));
            if let Some(limit) = limit {
                let mut limits = server.limits();
                limits.handshake = limit;
                server.set_limits(limits);
            }
            let told = Rc::<RefCell<Vec<String>>>::default();
            let telling = told.clone();
            server.on_tls_error(move |error| telling.borrow_mut().push(format!("{} {}", error.reason, error.message)));
            server.listen(SERVER, ()).unwrap();
            let peer = sim.connect(SERVER);
            peer.write(said);
            let limit = limit.unwrap_or(Duration::from_secs(10));
            sim.advance(limit - Duration::from_millis(100));
            assert!(!peer.is_closed() && server.connections() == 1 && told.borrow().is_empty(), "{limit:?} {said:?}");
            sim.advance(Duration::from_millis(700));
            assert!(peer.is_closed(), "{limit:?} {said:?}");
            assert_eq!(*told.borrow(), ["handshake-timeout the TLS handshake was not over in time"]);
            assert_eq!((server.connections(), sim.open_fds()), (0, 1), "the listener alone is left");
        }
    }
}
