//! Whatever a server sends: an error that says what, nothing used again, nothing held.

use crate::support::client::{Scripted, agent, get, now};
use crate::support::http::{Record, SECOND};
use oneloop::http::Agent;
use oneloop::sim::{Network, Sim};

const URL: &str = "http://127.0.0.1/";

#[test]
fn wrong_framing_is_an_error_and_the_connection_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nhi",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(answer));
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "res", URL);
        sim.settle();
        record.expect(&["res: bad-response"]);
        assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0), "{answer}");
        assert!(server.listener.accepted()[0].is_closed());
    }
}

#[test]
fn heads_and_informational_responses_without_end_have_a_limit() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    let interim = "HTTP/1.1 103 Hints\r\n\r\n".repeat(17);
    let fits = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(60_000));
    let few = format!("{}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 103 Hints\r\n\r\n".repeat(16));
    for (answer, line) in [
        (long, "res: bad-response"),
        (endless, "res: bad-response"),
        (many, "res: bad-response"),
        (interim, "res: bad-response"),
        (fits, "res: 200 "),
        (few, "res: 200 "),
    ] {
        let sim = Sim::new();
        let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&answer));
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "res", URL);
        sim.advance(SECOND);
        record.expect(&[line]);
        assert_eq!(now(&agent).0, 0);
    }
}

/// nginx #1427: a 1xx other than 103 was taken for the final response.
#[test]
fn every_informational_response_is_told_and_none_of_them_is_final() {
    let sim = Sim::new();
    let _server = Scripted::saying(
        &sim,
        "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 102 X\r\nTransfer-Encoding: chunked\r\n\r\n\
         HTTP/1.1 150 Y\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    let (record, agent) = (Record::default(), Agent::new());
    for _ in 0..2 {
        let told = record.clone();
        get(&record, &agent, "res", URL).on_information(move |_, head| told.add(head.status()));
        sim.settle();
        record.expect(&["100", "102", "150", "res: 200 hi"]);
    }
    assert_eq!(agent.stats().reused, 1);
}

#[test]
fn a_response_cut_at_each_byte_has_one_outcome_and_nothing_is_held() {
    let answer =
        "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n";
    for cut in 0..=answer.len() {
        for reset in [false, true] {
            let sim = Sim::with_seed(cut as u64);
            sim.set_network(Network { splits: true, read_splits: true, ..Network::default() });
            let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
                peer.write(&answer[..cut]);
                if reset { peer.reset() } else { peer.close() }
            });
            let (record, agent) = (Record::default(), Agent::new());
            get(&record, &agent, "res", URL);
            sim.advance(SECOND);
            let lines = record.take();
            assert_eq!(lines.len(), 1, "{cut} {reset}: {lines:?}");
            assert_eq!(lines[0] == "res: 200 hi", cut == answer.len() && !reset || lines[0] == "res: 200 hi", "{cut}");
            if cut < answer.len() {
                assert_ne!(lines[0], "res: 200 hi", "{cut}");
            }
            assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0), "{cut} {reset}");
        }
    }
}

#[test]
fn random_bytes_have_one_outcome_each() {
    for seed in 0..200 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, ..Network::default() });
        let pieces = [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 100 C\r\n",
            "\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n",
            "0\r\n\r\n",
            "abc",
            "\0",
            "X: y\r\n",
            "Connection: close\r\n",
        ];
        let bytes: String = (0..sim.random(8)).map(|_| pieces[sim.random(11) as usize]).collect();
        let closes = sim.random(2) == 0;
        let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
            peer.write(&bytes);
            if closes {
                peer.close();
            }
        });
        let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
        for name in ["a", "b", "c"] {
            get(&record, &agent, name, URL);
        }
        sim.advance(SECOND * 200);
        let lines = record.take();
        assert_eq!(lines.len(), 3, "seed {seed}: {lines:?}");
        assert_eq!(now(&agent), (0, 0, 0, 0), "seed {seed}");
    }
}
