//! The HTTP client over TLS, before a server that says whatever it likes, and goes as it likes.

use crate::foreign::{self, Foreign, TLS12, TLS13, Version};
use crate::relay::*;
use crate::support::client::{get, now, post};
use crate::support::http::{MS, Record};
use oneloop::http::Agent;
use oneloop::set_timeout;
use oneloop::sim::{Listener, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const URL: &str = "https://127.0.0.1/";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

/// A scripted server: it says nothing by itself.
struct Scripted {
    _listener: Listener,
    accepted: Rc<RefCell<Vec<Foreign>>>,
}

impl Scripted {
    fn new(sim: &Sim, version: Version) -> Scripted {
        let listener = sim.listen((NAME, SERVER)).unwrap();
        let accepted = Rc::<RefCell<Vec<Foreign>>>::default();
        let (all, config) = (accepted.clone(), foreign::server(version));
        listener.on_accept(move |peer| {
            peer.on_close(|peer| peer.close());
            all.borrow_mut().push(Foreign::accept(peer, &config));
        });
        Scripted { _listener: listener, accepted }
    }

    /// The connection that was made last.
    fn last(&self) -> Foreign {
        self.accepted.borrow().last().unwrap().clone()
    }

    /// The first line of each request, by connection.
    fn lines(&self) -> Vec<String> {
        let lines = |foreign: &Foreign| {
            let heard = foreign.heard();
            heard.lines().filter(|line| line.ends_with(" HTTP/1.1")).collect::<Vec<_>>().join(", ")
        };
        self.accepted.borrow().iter().map(lines).collect()
    }
}

/// Calls `f` in an iteration in which all that was sent has come to the system, but the loop was told nothing of it.
fn in_the_wait(sim: &Sim, f: impl FnOnce() + 'static) {
    set_timeout(MS, f);
    sim.stop(MS * 2);
    sim.settle();
}

fn agent() -> Agent {
    let agent = Agent::new();
    agent.set_tls(&client());
    agent
}

/// As `client::stale` has it for plain connections. Over TLS what comes may also be one of its own messages, which are no reason to close.
#[test]
fn whatever_comes_on_an_idle_secure_connection_is_no_response() {
    const ACTS: [(&str, bool, fn(&Foreign)); 8] = [
        ("a response to nobody", false, |foreign| foreign.say(POISON)),
        ("an empty line", false, |foreign| foreign.say("\r\n")),
        ("a close notice", false, Foreign::end),
        ("a FIN", false, |foreign| foreign.peer().finish()),
        ("a reset", false, |foreign| foreign.peer().reset()),
        ("something that is not TLS", false, |foreign| foreign.peer().write(POISON)),
        ("new keys", true, Foreign::change_keys),
        ("nothing", true, |_| ()),
    ];
    for version in [TLS12, TLS13] {
        for (what, stays, act) in ACTS {
            if what == "new keys" && version == TLS12 {
                continue; // TLS 1.2 has no such message.
            }
            for seen in [true, false] {
                let what = format!("{version:?}, {what}, seen: {seen}");
                let sim = Sim::new();
                let server = Scripted::new(&sim, version);
                let (record, agent) = (Record::default(), agent());
                get(&record, &agent, "first", URL);
                sim.settle();
                let first = server.last();
                first.say(OK);
                sim.settle();
                assert_eq!((record.take(), now(&agent)), (vec!["first: 200 hi".to_owned()], (0, 1, 0, 0)), "{what}");
                act(&first);
                if seen {
                    sim.settle();
                    assert_eq!(now(&agent), (0, usize::from(stays), 0, 0), "{what}");
                }
                let (second, asks) = (record.clone(), agent.clone());
                in_the_wait(&sim, move || _ = post(&second, &asks, "second", URL, "x"));
                assert!(record.all().is_empty(), "{what}: {:?}", record.all());
                assert_eq!(first.peer().is_closed(), !stays, "{what}");
                server.last().say(OK);
                sim.settle();
                let lines = ["GET / HTTP/1.1", "POST / HTTP/1.1"];
                let lines = if stays { vec![lines.join(", ")] } else { lines.map(str::to_owned).to_vec() };
                assert_eq!((record.take(), server.lines()), (vec!["second: 200 hi".to_owned()], lines), "{what}");
                assert_eq!((agent.stats().retried, now(&agent), sim.open_fds()), (0, (0, 1, 0, 0), 1), "{what}");
            }
        }
    }
}

/// The rest of it would be taken for the answer to the next request.
#[test]
fn a_response_to_nobody_of_which_a_part_has_come_is_none_either() {
    // Of the header of its record, and of its content.
    for part in [1, 4, 20] {
        // It comes with the answer, whose end the next request waits for, or is made at; or later; or in the moment of the next request.
        for when in ["waits", "ends", "idle", "unseen"] {
            let sim = Sim::new();
            let server = Scripted::new(&sim, TLS13);
            let (record, agent) = (Record::default(), agent());
            let mut limits = agent.limits();
            limits.per_host = 1;
            agent.set_limits(limits);
            let (second, asks) = (record.clone(), agent.clone());
            let ask = move || _ = post(&second, &asks, "second", URL, "x");
            let at_once = Cell::new((when == "ends").then(|| ask.clone()));
            agent.get(URL, move |res| {
                res.on_data(|_, _| ());
                res.on_end(move |_| {
                    if let Some(ask) = at_once.take() {
                        ask();
                    }
                });
            });
            if when == "waits" {
                ask();
            }
            sim.settle();
            let first = server.last();
            let (answer, poison) = (first.sealed(OK), first.sealed(POISON));
            let (begun, rest) = poison.split_at(part);
            first.peer().write(answer);
            if when == "idle" || when == "unseen" {
                sim.settle();
            }
            first.peer().write(begun);
            if when != "unseen" {
                sim.settle();
            }
            if when == "idle" || when == "unseen" {
                in_the_wait(&sim, ask);
            }
            first.peer().write(rest);
            sim.settle();
            assert!(record.all().is_empty(), "{part} {when}: {:?}", record.all());
            server.last().say(OK);
            sim.settle();
            record.expect(&["second: 200 hi"]);
            assert_eq!(server.lines(), ["GET / HTTP/1.1", "POST / HTTP/1.1"], "{part} {when}");
            assert!(first.peer().is_closed(), "{part} {when}");
        }
    }
}

#[test]
fn a_framed_answer_is_whole_without_a_close_notice_and_a_cut_one_is_not() {
    for (answer, whole) in [
        ("Content-Length: 4\r\n\r\nroot", true),
        ("Content-Length: 4\r\n\r\nroo", false),
        ("Content-Length: 4\r\n\r\n", false),
        ("Content-Length: 0\r\n\r\n", true),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nroot\r\n0\r\n\r\n", true),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nroot\r\n0\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nroot\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nroo", false),
    ] {
        // The framing says what is whole, whether or not the server says that nothing follows.
        let (fin, close) = (|server: &Foreign| server.peer().finish(), |server: &Foreign| server.peer().close());
        for end in [Foreign::end as fn(&Foreign), fin, close] {
            for apart in [true, false] {
                let sim = Sim::new();
                let server = Scripted::new(&sim, TLS13);
                let (told, agent) = (Record::default(), agent());
                let (telling, failing) = (told.clone(), told.clone());
                let req = agent.get(URL, move |res| {
                    res.read_body(100, move |body| telling.add(format!("whole: {}", body.is_ok())));
                });
                req.on_error(move |_, error| failing.add(error));
                sim.settle();
                server.last().say(&format!("HTTP/1.1 200 OK\r\n{answer}"));
                if apart {
                    sim.settle();
                }
                end(&server.last());
                sim.settle();
                assert_eq!(told.take(), [format!("whole: {whole}")], "{answer:?}");
                assert_eq!((server.lines().len(), now(&agent), sim.open_fds()), (1, (0, 0, 0, 0), 0), "{answer:?}");
            }
        }
    }
}
