//! Requests and WebSockets that go by a tunnel, which a proxy makes (CONNECT).

use crate::relay::*;
use crate::support::client::{Scripted, agent as agent_with, now};
use crate::support::http::{MS, Record, SECOND};
use oneloop::http::{self, Agent, Proxy};
use oneloop::sim::{Listener, Network, Peer, Sim};
use oneloop::{https, net, ws};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;

const PROXY: u16 = 3128;
const URL: &str = "https://127.0.0.1/plants?key=secret";

/// A proxy of this crate, which makes tunnels to whatever it is asked for, and what it was asked.
fn proxy(port: u16) -> (http::Server, Record) {
    let (asked, telling) = (Record::default(), Record::default());
    let server = http::create_server(|_req, res| res.set_status(405).end("tunnels only\n"));
    let record = asked.clone();
    server.on_connect(move |req, client, _head| {
        let fields =
            [req.header("host"), req.header("proxy-authorization")].map(|value| value.unwrap_or("-").to_owned());
        record.add(format!("{} {}", req.url(), fields.join(" ")));
        let failed = client.clone();
        let server = net::connect(req.url(), move |server| {
            client.write("HTTP/1.1 200 OK\r\n\r\n").ignore();
            client.pipe(server);
            server.pipe(&client);
        });
        let told = telling.clone();
        server.on_error(move |_, error| {
            told.add(error);
            failed.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
        });
    });
    server.listen(port, ()).unwrap();
    (server, asked)
}

/// The secure server, which says what it was asked.
fn origin(port: u16) -> http::Server {
    let server = https::create_server(context(), |req, res| {
        assert_eq!(req.header("proxy-authorization"), None);
        res.end(format!("{} {}", req.header("host").unwrap_or(""), req.url()));
    });
    server.listen(port, ()).unwrap();
    server
}

/// An agent that trusts the server, and goes by this proxy.
fn agent(proxy: &str) -> Agent {
    let agent = Agent::new();
    agent.set_tls(&client()).set_proxy(Proxy::to(proxy).unwrap());
    agent
}

/// Asks for a URL and records the end.
fn get(record: &Record, agent: &Agent, url: &str) {
    let (done, failed) = (record.clone(), record.clone());
    let req = agent.get(url, move |res| {
        let status = res.status();
        res.read_body(1024, move |body| done.add(format!("{status} {}", String::from_utf8_lossy(&body.unwrap()))));
    });
    req.on_error(move |_, error| {
        assert!(!error.to_string().contains("secret"), "{error}");
        failed.add(format!("{} {:?}", error.kind(), error.proxy_status()));
    });
}

/// A scripted proxy on [`PROXY`]: `says` answers a CONNECT; from then on bytes are passed on between the client and [`SERVER`].
fn scripted(sim: &Rc<Sim>, says: impl Fn(&Peer) + 'static) -> Listener {
    let listener = sim.listen((NAME, PROXY)).unwrap();
    let (world, says) = (Rc::downgrade(sim), Rc::new(says));
    listener.on_accept(move |to_client| {
        let (world, says, mut head, mut to_server) = (world.clone(), says.clone(), Vec::new(), None::<Peer>);
        to_client.on_data(move |to_client, bytes| match &to_server {
            Some(server) => server.write(bytes),
            None => {
                head.extend_from_slice(bytes);
                if head.ends_with(b"\r\n\r\n") {
                    says(to_client);
                    let server = world.upgrade().unwrap().connect(SERVER);
                    let client = to_client.clone();
                    server.on_data(move |_, bytes| client.write(bytes));
                    to_server = Some(server);
                }
            }
        });
        to_client.on_close(|peer| peer.close());
    });
    listener
}

#[test]
fn https_goes_by_a_tunnel_and_only_the_proxy_gets_what_is_for_the_proxy() {
    let sim = Sim::new();
    let ((_proxy, asked), _origin, _other) = (proxy(PROXY), origin(SERVER), origin(8443));
    let (record, agent) = (Record::default(), agent("ann:basil@127.0.0.1:3128"));
    for url in ["https://127.0.0.1/a", "https://127.0.0.1/b?c", "https://localhost:8443/d", "https://127.0.0.1/e"] {
        get(&record, &agent, url);
        sim.advance(MS * 500);
    }
    record.expect(&["200 127.0.0.1 /a", "200 127.0.0.1 /b?c", "200 localhost:8443 /d", "200 127.0.0.1 /e"]);
    // A tunnel leads to one server, and is used again for it.
    asked.expect(&[
        "127.0.0.1:443 127.0.0.1:443 Basic YW5uOmJhc2ls",
        "localhost:8443 localhost:8443 Basic YW5uOmJhc2ls",
    ]);
    let stats = agent.stats();
    assert_eq!((stats.connections, stats.reused), (2, 2));
    let hosts: Vec<_> = stats.hosts.iter().map(|host| &*host.host).collect();
    assert_eq!(
        hosts,
        ["https://127.0.0.1:443 by http://127.0.0.1:3128", "https://localhost:8443 by http://127.0.0.1:3128"]
    );
}

#[test]
fn another_proxy_or_other_credentials_or_none_are_another_way() {
    let sim = Sim::new();
    let ((_one, asked), (_two, other), _origin) = (proxy(PROXY), proxy(3129), origin(SERVER));
    let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
    let ways = ["127.0.0.1:3128", "127.0.0.1:3129", "ann:x@127.0.0.1:3128", "bob:x@127.0.0.1:3128", "127.0.0.1:3128"];
    for way in ways {
        agent.set_proxy(Proxy::to(way).unwrap());
        get(&record, &agent, "https://127.0.0.1/");
        sim.settle();
    }
    agent.set_proxy(Proxy::to("127.0.0.1:3128").unwrap().except("127.0.0.1"));
    get(&record, &agent, "https://127.0.0.1/");
    sim.settle();
    record.expect(&["200 127.0.0.1 /"; 6]);
    let to = "127.0.0.1:443 127.0.0.1:443";
    asked.expect(&[&format!("{to} -"), &format!("{to} Basic YW5uOng="), &format!("{to} Basic Ym9iOng=")]);
    other.expect(&[&format!("{to} -")]);
    assert_eq!((agent.stats().connections, agent.stats().hosts.len()), (5, 5));
}

#[test]
fn what_the_proxy_answers_instead_of_a_tunnel_is_the_error_and_nothing_is_held() {
    for (answer, line) in [
        ("HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nplant", "proxy Some(407)"),
        ("HTTP/1.1 502 Bad\r\n\r\n", "proxy Some(502)"),
        ("HTTP/1.0 403 No\r\nConnection: close\r\n\r\n<html>", "proxy Some(403)"),
        ("HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:9/\r\n\r\n", "proxy Some(302)"),
        ("HTTP/1.1 304 No\r\n\r\n", "proxy Some(304)"),
        ("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "proxy Some(101)"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n", "proxy Some(500)"),
        ("HTTP/2.0 200 OK\r\n\r\n", "proxy None"),
        ("HTTP/1.1 200 OK\n\n", "proxy None"),
        ("ICY 200 OK\r\n\r\n", "proxy None"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "proxy None"),
    ] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:3128", move |peer, _, _| peer.write(answer));
        let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
        get(&record, &agent, URL);
        sim.settle();
        record.expect(&[line]);
        assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0), "{answer}");
        assert!(server.listener.accepted()[0].is_closed());
        assert_eq!(server.requests().len(), 1, "it is not asked again");
    }
    // It says who has refused what, and why.
    let sim = Sim::new();
    let _server = Scripted::at(&sim, "127.0.0.1:3128", |peer, _, _| peer.write("HTTP/1.1 407 X\r\n\r\n"));
    let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
    let told = record.clone();
    agent.fetch(URL).send(move |result| told.add(result.unwrap_err()));
    sim.settle();
    let refused = "makes no tunnel to 127.0.0.1:443: 407 Proxy Authentication Required";
    record.expect(&[&format!("GET https://127.0.0.1/plants: the proxy 127.0.0.1:3128 {refused}")]);
}

#[test]
fn a_proxy_that_does_not_come_to_an_answer_has_a_limit() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000));
    let interim = "HTTP/1.1 103 Hints\r\n\r\n".repeat(17);
    let drip = "HTTP/1.1 200 OK\r\nX: ".to_owned() + &"x".repeat(100);
    for (answer, closes, at_once, line) in [
        (endless, false, true, "proxy None"),
        (interim, false, true, "proxy None"),
        (String::new(), true, true, "proxy None"),
        ("HTTP/1.1 200 OK\r\n".to_owned(), true, true, "proxy None"),
        (String::new(), false, false, "connect-timeout None"),
        ("HTTP/1.1 200 OK\r\n".to_owned(), false, false, "connect-timeout None"),
        (drip, false, false, "connect-timeout None"),
    ] {
        let sim = Sim::new();
        let _server = Scripted::at(&sim, "127.0.0.1:3128", move |peer, _, _| {
            match answer.len() {
                0..100 => peer.write(&answer),
                100..200 => peer.write_each_byte_every(&answer, MS * 500),
                _ => peer.write(&answer),
            }
            if closes {
                peer.close();
            }
        });
        let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
        get(&record, &agent, URL);
        sim.advance(SECOND * 10 - MS * 100);
        let told = record.take();
        assert_eq!(told.len(), usize::from(at_once), "{told:?} {line}");
        sim.advance(MS * 200);
        let told = [told, record.take()].concat();
        assert_eq!((told, now(&agent), sim.open_fds()), (vec![line.to_owned()], (0, 0, 0, 0), 0));
    }
}

#[test]
fn an_answer_is_the_same_however_it_is_split_and_its_fields_frame_nothing() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
        "HTTP/1.1 299 \r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Wait\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        for seed in 0..10 {
            let sim = Rc::new(Sim::with_seed(seed));
            sim.set_network(Network { splits: seed > 0, read_splits: seed > 0, ..Network::default() });
            let (_origin, _proxy) = (origin(SERVER), scripted(&sim, move |peer| peer.write(answer)));
            let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
            for _ in 0..2 {
                get(&record, &agent, "https://127.0.0.1/a");
                sim.advance(SECOND);
            }
            record.expect(&["200 127.0.0.1 /a"; 2]);
            assert_eq!(agent.stats().connections, 1, "{answer}");
        }
    }
}

/// If these bytes were lost, or taken for a response, nobody would notice them.
#[test]
fn what_comes_behind_the_answer_is_for_the_handshake() {
    for (behind, line) in [
        ("garbage, not TLS", "tls None"),
        ("HTTP/1.1 200 OK\r\n\r\n", "tls None"),
        ("\x15\x03\x03\0\x02\x02\x28", "tls None"),
    ] {
        for apart in [false, true] {
            let sim = Rc::new(Sim::new());
            let _origin = origin(SERVER);
            let _proxy = scripted(&sim, move |peer| {
                let head = "HTTP/1.1 200 OK\r\n\r\n";
                if apart {
                    peer.write(head);
                    peer.write(behind);
                } else {
                    peer.write([head, behind].concat());
                }
            });
            let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
            get(&record, &agent, URL);
            sim.settle();
            record.expect(&[line]);
            assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 2), "what the server has is left");
        }
    }
}

#[test]
fn a_proxy_that_makes_a_tunnel_and_goes_is_an_error_and_not_a_wait() {
    for reset in [false, true] {
        let sim = Sim::new();
        let _server = Scripted::at(&sim, "127.0.0.1:3128", move |peer, _, _| {
            peer.write("HTTP/1.1 200 OK\r\n\r\n");
            if reset { peer.reset() } else { peer.finish() }
        });
        let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
        get(&record, &agent, URL);
        sim.settle();
        let told = record.take();
        assert_eq!((told.len(), now(&agent), sim.open_fds()), (1, (0, 0, 0, 0), 0), "{told:?}");
    }
}

/// The deadline of the tunnel is over while the handshake goes on, which has its own.
#[test]
fn the_handshake_in_a_tunnel_has_a_time_of_its_own() {
    let sim = Sim::new();
    let _server = Scripted::at(&sim, "127.0.0.1:3128", move |peer, _, _| {
        let late = peer.clone();
        oneloop::set_timeout(SECOND * 6, move || late.write("HTTP/1.1 200 OK\r\n\r\n"));
    });
    let (record, agent) = (Record::default(), agent("127.0.0.1:3128"));
    get(&record, &agent, URL);
    sim.advance(SECOND * 15);
    record.expect(&[]);
    sim.advance(SECOND * 2);
    record.expect(&["connect-timeout None"]);
}

#[test]
fn a_proxy_that_is_not_there_is_an_error_and_the_server_is_not_asked_directly() {
    let sim = Sim::new();
    let origin = origin(SERVER);
    let (record, agent) = (Record::default(), agent("127.0.0.1:9"));
    get(&record, &agent, URL);
    sim.settle();
    record.expect(&["connect None"]);
    assert_eq!(origin.connections(), 0);
    // A program that gives the credentials itself would give them to the server.
    let (told, req) = (record.clone(), agent.request("GET", URL, |_| unreachable!()));
    req.set_header("Proxy-Authorization", "Basic x").on_error(move |_, error| told.add(error.kind()));
    req.end(());
    sim.settle();
    record.expect(&["invalid"]);
}

#[test]
fn a_redirect_goes_by_the_proxy_as_well() {
    let sim = Sim::new();
    let secure = https::create_server(context(), |req, res| match req.path() {
        "/a" => res.set_status(302).set_header("Location", "https://localhost/b").end(()),
        _ => res.end(format!("{:?}", req.header("authorization"))),
    });
    secure.listen(SERVER, ()).unwrap();
    let (_proxy, asked) = proxy(PROXY);
    let (record, agent) = (Record::default(), agent("ann:basil@127.0.0.1:3128"));
    let told = record.clone();
    agent
        .fetch("https://127.0.0.1/a")
        .header("Authorization", "Bearer green")
        .send(move |result| told.add(result.unwrap().text()));
    sim.advance(SECOND);
    record.expect(&["None"]);
    let authorization = "Basic YW5uOmJhc2ls";
    asked.expect(&[
        &format!("127.0.0.1:443 127.0.0.1:443 {authorization}"),
        &format!("localhost:443 localhost:443 {authorization}"),
    ]);
}

#[test]
fn a_tunnel_waits_for_its_turn_as_any_connection() {
    let sim = Sim::new();
    let ((_proxy, asked), _origin) = (proxy(PROXY), origin(SERVER));
    let (record, agent) = (Record::default(), agent_with(|limits| limits.per_host = 2));
    agent.set_tls(&client()).set_proxy(Proxy::to("127.0.0.1:3128").unwrap());
    for _ in 0..10 {
        get(&record, &agent, "https://127.0.0.1/a");
    }
    sim.settle();
    record.expect(&["200 127.0.0.1 /a"; 10]);
    assert_eq!((asked.take().len(), agent.stats().connections, now(&agent).1), (2, 2, 2));
    agent.destroy();
    sim.settle();
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn websockets_go_by_a_tunnel_too() {
    let sim = Sim::new();
    let (secure, plain) = (origin(SERVER), http::create_server(|_req, res| res.end("here")));
    plain.listen(80, ()).unwrap();
    for server in [&secure, &plain] {
        ws::mount(server, "/shout").on_message(|socket, message| match message {
            ws::Message::Text(text) => socket.send(text.to_uppercase()).ignore(),
            _ => socket.close(),
        });
    }
    let (_proxy, asked) = proxy(PROXY);
    let open = |record: &Record, url: &str, proxy: Proxy| {
        let (hearing, failing, closing) = (record.clone(), record.clone(), record.clone());
        let to = ws::Connect::to(url).tls(&client()).proxy(proxy).timeout(SECOND * 5);
        let socket = ws::connect(to, |socket| socket.send("hello").ignore());
        socket.on_message(move |socket, message| {
            hearing.add(format!("{message:?}"));
            socket.close();
        });
        socket.on_error(move |_, error| failing.add(error));
        socket.on_close(move |_, close| closing.add(close.code));
        sim.settle();
    };
    let (record, by) = (Record::default(), Proxy::to("ann:x@127.0.0.1:3128").unwrap());
    for (url, to) in [("wss://127.0.0.1/shout", "127.0.0.1:443"), ("ws://127.0.0.1/shout", "127.0.0.1:80")] {
        open(&record, url, by.clone());
        record.expect(&["Text(\"HELLO\")", "1000"]);
        asked.expect(&[&format!("{to} {to} Basic YW5uOng=")]);
    }
    open(&record, "ws://127.0.0.1/shout", by.clone().except("127.0.0.1"));
    record.expect(&["Text(\"HELLO\")", "1000"]);
    asked.expect(&[]);
    open(&record, "ws://127.0.0.1:9/shout", by);
    record.expect(&["the proxy 127.0.0.1:3128 makes no tunnel to 127.0.0.1:9: 502 Bad Gateway", "1006"]);
    // A proxy that says nothing has the time of the opening.
    let _silent = Scripted::at(&sim, "127.0.0.1:3130", |_, _, _| ());
    open(&record, "ws://127.0.0.1/shout", Proxy::to("127.0.0.1:3130").unwrap());
    record.expect(&[]);
    sim.advance(SECOND * 6);
    record.expect(&["the proxy 127.0.0.1:3130 makes no tunnel to 127.0.0.1:80: no answer within 5s", "1006"]);
}

/// A proxy that is no program of this crate, over real sockets: one thread for each direction of each connection.
#[test]
fn tunnels_over_real_sockets() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let secure = https::create_server(context(), |req, res| req.pipe(&res));
    secure.listen(("127.0.0.1", 0), ()).unwrap();
    let to = secure.address().unwrap().port().unwrap();
    let proxy = thread::spawn(move || {
        let mut heads = Vec::new();
        for _ in 0..2 {
            let (mut client, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            heads.push(String::from_utf8(head).unwrap());
            let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || _ = std::io::copy(&mut client, &mut server));
            thread::spawn(move || _ = std::io::copy(&mut answers, &mut back));
        }
        heads
    });
    let agent = agent(&format!("ann:basil@127.0.0.1:{port}"));
    let patience = oneloop::set_timeout(SECOND * 60, || panic!("it hangs"));
    let left = Rc::new(RefCell::new(50));
    for number in 0..50 {
        let body: Vec<u8> = (0..number * 4001).map(|at| (at % 251) as u8).collect();
        let req = agent.request("POST", &format!("https://127.0.0.1:{to}/{number}"), {
            let (wanted, left, agent, patience, secure) =
                (body.clone(), left.clone(), agent.clone(), patience.clone(), secure.clone());
            move |res| {
                res.read_body(1 << 20, move |came| {
                    assert!(came.unwrap() == wanted);
                    *left.borrow_mut() -= 1;
                    if *left.borrow() == 0 {
                        agent.destroy();
                        secure.close_all_connections();
                        secure.close(());
                        patience.clear();
                    }
                });
            }
        });
        let mut limits = agent.limits();
        limits.per_host = 2;
        agent.set_limits(limits);
        req.end(body);
    }
    oneloop::run().unwrap();
    assert_eq!((*left.borrow(), agent.stats().connections), (0, 2));
    let head = format!(
        "CONNECT 127.0.0.1:{to} HTTP/1.1\r\nHost: 127.0.0.1:{to}\r\nProxy-Authorization: Basic YW5uOmJhc2ls\r\n\r\n"
    );
    assert_eq!(proxy.join().unwrap(), [head.clone(), head]);
}
