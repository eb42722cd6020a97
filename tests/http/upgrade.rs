//! Upgrades and CONNECT: the connection becomes a socket of the program's, with the bytes that were read already.

use crate::support::http::*;
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{LoadShedding, Request};
use oneloop::net::{CloseReason, Socket};
use oneloop::sim::{self, Network};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: chat/1\r\n\r\n";
const CONNECT: &str = "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";

/// Takes the connection over, sends back in capitals what comes.
fn shout(req: Request, socket: Socket, rest: Vec<u8>) {
    let what = req.header("upgrade").unwrap_or("tunnel");
    socket.write(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {what}\r\n\r\n")).ignore();
    socket.write(rest.to_ascii_uppercase()).ignore();
    socket.on_data(|socket, bytes| socket.write(bytes.to_ascii_uppercase()).ignore());
}

#[test]
fn an_upgrade_hands_over_the_socket_and_what_was_read_already() {
    let (sim, server) = serve(|_, res| res.end("request"));
    server.on_upgrade(shout);
    let peer = send(&sim, get("/first") + UPGRADE + "behind the head");
    let text = peer.text();
    assert!(text.contains("\r\n\r\nrequestHTTP/1.1 101 Switching Protocols\r\nUpgrade: chat/1\r\n\r\n"), "{text}");
    assert!(text.ends_with("BEHIND THE HEAD"), "{text}");
    peer.take();
    peer.write("GET / HTTP/1.1\r\n");
    sim.settle();
    assert_eq!(peer.text(), "GET / HTTP/1.1\r\n", "nothing is read as a request any more");
    peer.finish();
    sim.settle();
    assert!(peer.is_closed());
}

#[test]
fn at_every_split_of_the_bytes_nothing_is_lost_or_told_twice() {
    let all = UPGRADE.to_owned() + "behind";
    for at in 0..=all.len() {
        let (sim, server) = serve(|_, _| ());
        server.on_upgrade(shout);
        let peer = sim.connect(PORT);
        peer.write(&all[..at]);
        sim.settle();
        peer.write(&all[at..]);
        sim.settle();
        assert!(peer.text().ends_with("\r\n\r\nBEHIND"), "split at {at}: {}", peer.text());
    }
}

#[test]
fn an_upgrade_that_nobody_listens_for_is_an_ordinary_request() {
    let (sim, _server) = serve(|req, res| res.end(req.url()));
    assert_eq!(bodies(&send(&sim, UPGRADE.to_owned() + &get("/next"))), ["/chat", "/next"]);
}

/// What `curl --http2` offers with each request.
const H2C: &str = "GET /page HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";

fn only_chat(req: &Request) -> bool {
    req.header("upgrade").is_some_and(|protocol| protocol.starts_with("chat"))
}

#[test]
fn an_upgrade_that_is_declined_is_an_ordinary_request_and_the_connection_goes_on() {
    let all = H2C.to_owned() + &get("/next") + H2C + UPGRADE + "behind";
    for at in 0..all.len() {
        let (sim, server) = serve(|req, res| res.end(req.url()));
        server.on_upgrade(shout).set_upgrade_filter(only_chat);
        let peer = sim.connect(PORT);
        peer.write(&all[..at]);
        sim.settle();
        peer.write(&all[at..]);
        sim.settle();
        let text = peer.text();
        let ordinary = text.split("HTTP/1.1 101").next().unwrap();
        let answers = replies(ordinary.as_bytes());
        assert_eq!(answers.iter().map(Reply::text).collect::<Vec<_>>(), ["/page", "/next", "/page"], "split at {at}");
        assert!(
            answers.iter().all(|reply| !reply.closes()) && text.ends_with("\r\n\r\nBEHIND"),
            "split at {at}: {text}"
        );
    }
}

#[test]
fn whether_to_upgrade_is_asked_once_for_each_offer_and_of_the_last_who_was_set() {
    let record = Record::default();
    let told = record.clone();
    let (sim, server) = serve(|req, res| res.end(req.url()));
    server.on_upgrade(shout).on_connect(shout).set_upgrade_filter(|_| unreachable!("it was replaced"));
    server.set_upgrade_filter(move |req| {
        told.add(req.url());
        false
    });
    let with_content =
        "POST /content HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx";
    let peer = send(&sim, get("/plain") + with_content + UPGRADE + H2C + CONNECT + "tunnel");
    assert!(peer.text().ends_with("TUNNEL"), "{}", peer.text());
    record.expect(&["/chat", "/page"]);
}

#[test]
fn a_panic_while_it_is_asked_costs_that_request_only() {
    let (sim, server) = serve(|req, res| res.end(req.url()));
    set_panic_policy(PanicPolicy::Catch);
    server.on_upgrade(shout).set_upgrade_filter(|req| if req.url() == "/chat" { panic!("asked") } else { false });
    assert_eq!(statuses(&send(&sim, UPGRADE.to_owned() + H2C)), [500, 200]);
}

/// Their listeners went with the protocol that was replaced.
#[test]
fn the_requests_before_an_upgrade_are_told_their_end() {
    for (network, rounds) in [(Network::default(), 1), (Network { buffer: 10, ..Network::default() }, 3)] {
        let record = Record::default();
        let watch = record.clone();
        let (sim, server) = serve(move |req, res| {
            watch.watch(&req, &res);
            res.end(req.url());
        });
        sim.set_network(network);
        let upgraded = record.clone();
        server.on_upgrade(move |req, socket, rest| {
            upgraded.add("upgrade");
            shout(req, socket, rest);
        });
        let peer = send(&sim, get("/").repeat(rounds) + UPGRADE + "behind");
        assert!(peer.text().ends_with("BEHIND"), "{}", peer.text());
        let mut ends = ["finish", "res close finished", "req close finished"].repeat(rounds);
        ends.push("upgrade");
        record.expect(&ends);
    }
}

/// The head of the upgrade came in two reads, and when it was whole it was taken for one that breaks off.
#[test]
fn an_upgrade_that_waits_for_the_responses_before_it_is_carried_out_though_the_peer_has_ended() {
    let (sim, server) = serve(|_, res| {
        res.on_finish(|_| ());
        res.end("slow".repeat(100));
    });
    sim.set_network(Network { buffer: 10, ..Network::default() });
    server.on_upgrade(shout);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/") + UPGRADE.get(..30).unwrap());
    sim.settle();
    peer.write(UPGRADE.get(30..).unwrap().to_owned() + "behind");
    peer.finish();
    sim.settle();
    peer.resume_reading();
    sim.settle();
    assert!(peer.text().ends_with("BEHIND"), "{}", peer.text());
}

#[test]
fn a_request_without_an_offer_is_not_upgraded() {
    let (sim, server) = serve(|_, res| res.end("request"));
    server.on_upgrade(|_, _, _| unreachable!("no offer"));
    let peer = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat/1\r\n\r\n");
    assert_eq!(bodies(&peer), ["request"]);
}

#[test]
fn a_request_with_content_is_not_upgraded_so_that_its_content_is_not_taken_for_the_other_protocol() {
    let (sim, server) = serve(|req, res| {
        req.read_body(10, move |body| res.end(String::from_utf8(body.unwrap()).unwrap()));
    });
    server.on_upgrade(|_, _, _| unreachable!("there is content"));
    let offer = "POST /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat/1\r\n";
    let length = format!("{offer}Content-Length: 3\r\n\r\nabc");
    let chunks = format!("{offer}Transfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n");
    assert_eq!(bodies(&send(&sim, length + &chunks + &get("/next"))), ["abc", "def", ""]);
    let expects = format!("{offer}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    assert_eq!(statuses(&send(&sim, expects)), [100, 200]);
}

#[test]
fn connect_gets_a_tunnel_from_its_listener() {
    let (sim, server) = serve(not_called);
    server.on_connect(|req, socket, rest| {
        assert_eq!((req.method(), req.url()), ("CONNECT", "example.com:443"));
        shout(req, socket, rest);
    });
    let peer = send(&sim, CONNECT.to_owned() + "hello");
    assert!(peer.text().ends_with("\r\n\r\nHELLO"), "{}", peer.text());
}

#[test]
fn connect_without_a_listener_is_501_and_closes() {
    let (sim, server) = serve(not_called);
    server.on_upgrade(|_, _, _| unreachable!("not an upgrade"));
    let peer = send(&sim, CONNECT.to_owned() + "hello, tunnel");
    let reply = only(&peer);
    assert_eq!((reply.status, reply.closes()), (501, true));
    assert!(peer.is_closed() && !peer.was_reset());
}

/// Where it was shed, or was one request too many, what followed it was.
#[test]
fn what_follows_a_connect_that_is_turned_away_is_never_a_request() {
    for answered in [false, true] {
        for shed in [false, true] {
            let record = Record::default();
            let (told, dropped) = (record.clone(), record.clone());
            let (sim, server) = serve(move |req, res| {
                told.add(req.url());
                sim::block(2 * MS);
                res.end("");
            });
            server.on_connect(|_, _, _| panic!("it is turned away"));
            server.on_drop_request(move |req, res| {
                dropped.add(req.method());
                if answered {
                    res.end("");
                }
            });
            if shed {
                server.set_load_shedding(LoadShedding::new(MS));
            } else {
                server.set_max_requests_per_socket(1);
            }
            let (other, peer) = (sim.connect(PORT), sim.connect(PORT));
            sim.settle();
            // It holds the loop up for those behind it.
            other.write(get("/other"));
            peer.write((if shed { String::new() } else { get("/first") }) + CONNECT + &get("/smuggled"));
            sim.settle();
            let seen = record.take();
            assert_eq!(seen.last().unwrap(), "CONNECT", "{seen:?}");
            assert!(peer.is_closed() && !peer.was_reset());
            let last = replies(&peer.received()).pop().unwrap();
            assert_eq!((last.status, last.closes()), (if answered { 200 } else { 503 }, true), "{}", last.text());
        }
    }
}

#[test]
fn the_head_of_an_upgrade_can_be_kept_and_its_exchange_is_over() {
    let kept: Kept<Request> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(|_, _| ());
    server.on_upgrade(move |req, socket, _| {
        req.on_data(|_, _| unreachable!("the bytes are the socket's"));
        keep.put(req);
        socket.on_data(|_, _| ());
    });
    let peer = send(&sim, UPGRADE);
    let req = kept.take();
    assert_eq!((req.url(), req.header("upgrade"), req.is_closed()), ("/chat", Some("chat/1"), true));
    req.destroy();
    peer.write("more");
    sim.settle();
    assert!(!peer.is_closed());
    assert!(server.open_exchanges().is_empty());
}

#[test]
fn no_deadline_of_the_server_applies_to_an_upgraded_connection() {
    let (sim, server) = serve(|_, _| ());
    server.on_upgrade(shout);
    let peer = send(&sim, UPGRADE);
    sim.advance(3600 * SECOND);
    peer.take();
    peer.write("still here");
    sim.settle();
    assert_eq!(peer.text(), "STILL HERE");
}

#[test]
fn the_server_closes_when_the_upgraded_socket_has_ended_too() {
    let record = Record::default();
    let (sim, server) = serve(|_, _| ());
    let told = record.clone();
    server.on_upgrade(move |req, socket, rest| {
        let told = told.clone();
        socket.on_close(move |_, reason| told.add(format!("socket {reason}")));
        shout(req, socket, rest);
    });
    let peer = send(&sim, UPGRADE);
    assert_eq!(server.connections(), 1);
    let told = record.clone();
    server.close(move || told.add("closed"));
    server.close_idle_connections();
    sim.advance(9 * SECOND);
    record.expect(&[]);
    peer.finish();
    sim.settle();
    record.expect(&["socket finished", "closed"]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_upgraded_socket_may_be_destroyed_at_once() {
    let record = Record::default();
    let told = record.clone();
    let (sim, server) = serve(|_, _| ());
    server.on_upgrade(move |_, socket, _| {
        let told = told.clone();
        socket.on_close(move |_, reason| {
            assert_eq!(reason, CloseReason::Destroyed);
            told.add("closed");
        });
        socket.destroy();
    });
    let peer = send(&sim, UPGRADE.to_owned() + "more");
    assert!(peer.is_closed());
    record.expect(&["closed"]);
}

#[test]
fn an_upgraded_socket_that_nobody_reads_holds_back_its_peer() {
    let kept: Kept<Socket> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(|_, _| ());
    server.on_upgrade(move |_, socket, rest| {
        assert!(rest.len() <= 64 * 1024);
        keep.put(socket);
    });
    let peer = send(&sim, UPGRADE.to_owned() + &"x".repeat(1_000_000));
    assert!(oneloop::event_loop::metrics().buffered <= 128 * 1024);
    let socket = kept.take();
    socket.on_data(|_, _| ());
    sim.settle();
    assert_eq!(socket.bytes_read(), (UPGRADE.len() + 1_000_000) as u64);
    drop(peer);
}
