//! Pipes between any of request, response and socket: backpressure, ends and failures go through them.

use crate::support::bytes::pattern;
use crate::support::http::*;
use crate::support::real;
use oneloop::event_loop::metrics;
use oneloop::net::{self, PipeError, Sink, Socket, Source};
use oneloop::sim::{Listener, Network, Peer, Sim};
use oneloop::{http, next_tick, set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

const SIZE: usize = 5 << 20;
const UPSTREAM: (&str, u16) = ("127.0.0.1", 9);

/// A pipe from a request or a socket to a response or a socket, and the peers at its two ends.
struct Pipe {
    sim: Sim,
    from_request: bool,
    to_response: bool,
    upstream: Listener,
    client: Peer,
    outcome: Rc<Cell<Option<Result<u64, PipeError>>>>,
    /// It is held by what `done` captured.
    token: Rc<()>,
}

const ALL: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

impl Pipe {
    /// A client on port 80 is the source's or the sink's peer, or both; a service on port 9 the other one.
    fn lay(seed: u64, from_request: bool, to_response: bool) -> Pipe {
        let sim = Sim::with_seed(seed);
        let rough =
            Network { splits: true, partial_writes: true, read_splits: true, latency: MS..=3 * MS, buffer: 20_000 };
        sim.set_network(rough);
        let upstream = sim.listen(UPSTREAM).unwrap();
        let (outcome, token) = (Rc::new(Cell::new(None)), Rc::new(()));
        let (told, captured) = (outcome.clone(), token.clone());
        let (inside, entered) = (Rc::new(Cell::new(false)), Cell::new(false));
        let done = move || {
            let (told, captured, inside) = (told.clone(), captured.clone(), inside.clone());
            inside.set(true);
            let outside = inside.clone();
            next_tick(move || outside.set(false));
            assert!(!entered.replace(true));
            move |result| {
                assert!(!inside.get(), "done is not called from within `pipeline`");
                assert_eq!(told.replace(Some(result)), None, "done came twice");
                drop(captured);
            }
        };
        if from_request || to_response {
            let server = http::create_server(move |req, res| match (from_request, to_response) {
                (true, true) => net::pipeline(&req, &res, done()),
                (true, false) => {
                    let done = done();
                    net::pipeline(&req, &net::connect(UPSTREAM, |_| ()), move |result| {
                        res.end(if result.is_ok() { "sent" } else { "failed" });
                        done(result);
                    });
                }
                _ => net::pipeline(&net::connect(UPSTREAM, |_| ()), &res, done()),
            });
            server.listen(PORT, ()).unwrap();
        } else {
            let server = net::create_server(move |socket| {
                net::pipeline(&socket, &net::connect(UPSTREAM, |_| ()), done());
            });
            server.listen(PORT, ()).unwrap();
        }
        let client = sim.connect(PORT);
        if from_request {
            client.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
        } else if to_response {
            client.write(get("/"));
        }
        let pipe = Pipe { sim, from_request, to_response, upstream, client, outcome, token };
        pipe.sim.advance(SECOND);
        pipe
    }

    fn service(&self) -> Peer {
        self.upstream.accepted()[0].clone()
    }

    fn giver(&self) -> Peer {
        if self.to_response && !self.from_request { self.service() } else { self.client.clone() }
    }

    fn taker(&self) -> Peer {
        if self.to_response { self.client.clone() } else { self.service() }
    }

    /// The whole of it, from here on at the pace of a slow reader.
    fn give_all(&self) {
        self.taker().read_at_rate(16 * 1024, MS);
        self.giver().write(pattern(SIZE));
        if !self.from_request {
            self.giver().finish();
        }
    }

    /// All is told once, and nothing is left behind.
    fn expect(&self, which: &str) {
        assert!(self.sim.run_until(|| self.outcome.get().is_some(), 20 * SECOND), "no outcome: {which}");
        assert_eq!(Rc::strong_count(&self.token), 2, "what `done` captured is let go of, but for the handler");
    }

    fn name(&self) -> String {
        let (from, to) = (self.from_request, self.to_response);
        format!("{} to {}", if from { "request" } else { "socket" }, if to { "response" } else { "socket" })
    }
}

#[test]
fn all_arrives_between_any_two_no_faster_than_it_is_read() {
    for (seed, (from, to)) in ALL.into_iter().enumerate() {
        let pipe = Pipe::lay(seed as u64, from, to);
        pipe.give_all();
        let most = Cell::new(0);
        let began = pipe.sim.now();
        let done = pipe.sim.run_until(
            || {
                most.set(most.get().max(metrics().buffered));
                pipe.outcome.get().is_some()
            },
            100 * SECOND,
        );
        assert!(done, "{}", pipe.name());
        assert_eq!(pipe.outcome.get(), Some(Ok(SIZE as u64)), "{}", pipe.name());
        assert!(pipe.sim.now() - began > 250 * MS, "the reader sets the pace");
        pipe.sim.advance(10 * SECOND);
        if to {
            assert!(only(&pipe.client).body == pattern(SIZE), "{}", pipe.name());
        } else {
            assert!(pipe.taker().received() == pattern(SIZE), "{}", pipe.name());
            assert!(pipe.taker().is_closed() && !pipe.taker().was_reset(), "its end is a FIN");
        }
        assert!(most.get() < 300 * 1024, "{}: {} bytes buffered", pipe.name(), most.get());
        assert_eq!(Rc::strong_count(&pipe.token), 2);
    }
}

/// The peer of a sink can tell that what it has is not all.
#[test]
fn a_source_that_fails_cuts_its_sink() {
    for (seed, (from, to)) in ALL.into_iter().enumerate() {
        let pipe = Pipe::lay(seed as u64, from, to);
        let name = pipe.name();
        pipe.giver().write(&pattern(SIZE)[..200_000]);
        pipe.sim.advance(SECOND);
        pipe.giver().reset();
        pipe.expect(&name);
        pipe.sim.advance(SECOND);
        let failed = pipe.outcome.get().unwrap().unwrap_err();
        if from && to {
            // One exchange, one connection.
            assert!(matches!(failed, PipeError::Sink(_)), "{failed:?}");
            continue;
        }
        assert!(matches!(failed, PipeError::Source(net::CloseReason::Reset)), "{name}: {failed:?}");
        let received = pipe.taker().received();
        assert!(pipe.taker().is_closed(), "{name}");
        if to {
            let (all, rest) = whole(&received);
            assert!(all.is_empty() && rest.len() > 200_000, "{name}: a part, and no whole answer");
        } else {
            assert!(received == pattern(SIZE)[..200_000], "{name}");
            assert!(pipe.taker().was_reset(), "{name}: a FIN would say that it is all");
        }
        pipe.sim.advance(20 * SECOND);
        assert_eq!((metrics().connections, metrics().buffered), (0, 0), "{name}");
    }
}

#[test]
fn an_answer_whose_source_has_failed_before_it_began_is_502() {
    for refused in [false, true] {
        let sim = Sim::new();
        let upstream = if refused { None } else { Some(sim.listen(UPSTREAM).unwrap()) };
        let outcome = Rc::new(Cell::new(None));
        let told = outcome.clone();
        let server = http::create_server(move |_, res| {
            let told = told.clone();
            net::pipeline(&net::connect(UPSTREAM, |_| ()), &res, move |result| told.set(Some(result)));
        });
        server.listen(PORT, ()).unwrap();
        let client = send(&sim, get("/"));
        if let Some(upstream) = &upstream {
            assert_eq!(outcome.get(), None);
            upstream.accepted()[0].reset();
            sim.settle();
        }
        assert_eq!(statuses(&client), [502]);
        let reason = if refused { net::CloseReason::ConnectFailed } else { net::CloseReason::Reset };
        assert_eq!(outcome.get(), Some(Err(PipeError::Source(reason))));
        assert!(!client.is_closed(), "the connection goes on");
    }
}

#[test]
fn a_sink_that_goes_lets_go_of_its_source() {
    for (seed, (from, to)) in ALL.into_iter().enumerate() {
        let pipe = Pipe::lay(seed as u64, from, to);
        let name = pipe.name();
        pipe.taker().pause_reading();
        pipe.giver().write(pattern(SIZE));
        pipe.sim.advance(SECOND);
        assert_eq!(pipe.outcome.get(), None, "{name}: it waits");
        assert!(metrics().buffered < 300 * 1024, "{name}");
        pipe.taker().reset();
        pipe.expect(&name);
        assert_eq!(pipe.outcome.get(), Some(Err(PipeError::Sink(net::CloseReason::Reset))), "{name}");
        pipe.sim.advance(20 * SECOND);
        if from && !to {
            // The rest of the body was discarded with the answer.
            assert_eq!(bodies(&pipe.client), ["failed"]);
        } else {
            assert!(pipe.giver().is_closed(), "{name}");
            assert_eq!(metrics().connections, 0, "{name}");
        }
        assert_eq!(metrics().buffered, 0, "{name}");
    }
}

/// A download from a service that never ends, after a request that has.
#[test]
fn where_the_client_has_gone_the_service_is_closed() {
    let sim = Sim::new();
    let service = sim.listen(UPSTREAM).unwrap();
    let server = http::create_server(|req, res| {
        let upstream = net::connect(UPSTREAM, |_| ());
        req.pipe(&upstream);
        upstream.pipe(&res);
    });
    server.listen(PORT, ()).unwrap();
    let client = send(&sim, post("/", "seeds"));
    let origin = service.accepted()[0].clone();
    assert_eq!(origin.text(), "seeds");
    origin.write(vec![b'x'; 20 << 20]);
    client.read_at_rate(1000, MS);
    sim.advance(SECOND);
    assert!(metrics().connections == 2 && metrics().buffered < 300 * 1024);
    client.reset();
    sim.advance(10 * SECOND);
    assert!(origin.is_closed());
    assert_eq!((metrics().connections, metrics().buffered), (0, 0));
}

/// What a service was sent reaches it, though nobody waits for its answer any more; and it is not waited for without end.
#[test]
fn a_socket_that_is_let_go_of_is_seen_off_and_not_for_ever() {
    for (reads, reason) in [(true, "destroyed"), (false, "write-stall")] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 10_000, ..Network::default() });
        let service = sim.listen(UPSTREAM).unwrap();
        service.on_accept(|peer| peer.pause_reading());
        let record = Record::default();
        let log = record.clone();
        let server = net::create_server(move |client| {
            let (upstream, log) = (net::connect(UPSTREAM, |_| ()), log.clone());
            client.pipe(&upstream);
            upstream.pipe(&client);
            upstream.on_close(move |_, reason| log.add(reason));
        });
        server.listen(PORT, ()).unwrap();
        let client = sim.connect(PORT);
        client.write(pattern(50_000));
        client.finish();
        sim.settle();
        let origin = service.accepted()[0].clone();
        assert!(client.is_closed() && !origin.is_closed());
        origin.write("too late");
        sim.advance(SECOND);
        record.expect(&[]);
        if reads {
            origin.resume_reading();
            sim.advance(10 * SECOND);
            assert!(origin.received() == pattern(50_000));
        }
        sim.advance(100 * SECOND);
        record.expect(&[reason]);
        assert_eq!(metrics().connections, 0);
    }
}

#[test]
fn a_tunnel_of_two_pipes_ends_a_side_at_a_time() {
    for client_first in [true, false] {
        let sim = Sim::new();
        let service = sim.listen(UPSTREAM).unwrap();
        let record = Record::default();
        let log = record.clone();
        let server = net::create_server(move |client| {
            let upstream = net::connect(UPSTREAM, |_| ());
            for (from, to) in [(&client, &upstream), (&upstream, &client)] {
                let (ended, closed) = (log.clone(), log.clone());
                from.set_allow_half_open(true).on_close(move |_, reason| closed.add(reason));
                net::pipeline(from, to, move |result| ended.add(format!("{result:?}")));
            }
        });
        server.listen(PORT, ()).unwrap();
        let client = sim.connect(PORT);
        sim.settle();
        let origin = service.accepted()[0].clone();
        let (first, second) = if client_first { (client, origin) } else { (origin, client) };
        first.write("question");
        first.finish();
        sim.advance(100 * SECOND);
        record.expect(&["Ok(8)"]);
        assert!(second.text() == "question" && second.is_closed(), "its end is told");
        second.write("an answer");
        sim.settle();
        second.finish();
        sim.settle();
        assert!(first.text() == "an answer" && first.is_closed() && !first.was_reset());
        record.expect(&["Ok(9)", "finished", "finished"]);
        assert_eq!(metrics().connections, 0);
    }
}

/// A handler that fails after it has laid pipes, at once or later, answers with its own error.
#[test]
fn the_error_of_a_handler_is_its_answer_and_its_pipes_are_over() {
    for (to_response, later) in [(true, false), (false, false), (true, true), (false, true)] {
        let sim = Sim::new();
        let service = sim.listen(UPSTREAM).unwrap();
        let outcome = Rc::new(Cell::new(None));
        let told = outcome.clone();
        let server = http::create_server(move |req, res| {
            let told = told.clone();
            let done = move |result| told.set(Some(result));
            if to_response {
                net::pipeline(&req, &res, done);
            } else {
                net::pipeline(&req, &net::connect(UPSTREAM, |_| ()), done);
            }
            let error = http::Error::new(404, "no such plant");
            if later {
                set_timeout(SECOND, move || res.fail(error));
                return Ok(());
            }
            Err(error)
        });
        server.listen(PORT, ()).unwrap();
        let client = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        sim.advance(2 * SECOND);
        assert_eq!(client.text().lines().next(), Some("HTTP/1.1 404 Not Found"));
        assert!(outcome.get().is_some_and(|result| result.is_err()));
        let accepted = service.accepted();
        assert_eq!(accepted.len(), usize::from(later && !to_response));
        assert!(accepted.iter().all(Peer::was_reset), "it does not wait for the rest");
    }
}

#[test]
fn an_answer_that_the_program_ends_midway_is_whole_and_its_source_is_let_go_of() {
    let sim = Sim::new();
    let service = sim.listen(UPSTREAM).unwrap();
    let outcome = Rc::new(Cell::new(None));
    let told = outcome.clone();
    let server = http::create_server(move |_, res| {
        let told = told.clone();
        net::pipeline(&net::connect(UPSTREAM, |_| ()), &res, move |result| told.set(Some(result)));
        set_timeout(SECOND, move || res.end("enough"));
    });
    server.listen(PORT, ()).unwrap();
    let client = send(&sim, get("/"));
    service.accepted()[0].write("part, ");
    sim.advance(2 * SECOND);
    assert_eq!(bodies(&client), ["part, enough"]);
    assert_eq!(outcome.get(), Some(Err(PipeError::Sink(net::CloseReason::Finished))));
    assert!(service.accepted()[0].is_closed() && !client.is_closed());
}

#[test]
fn a_body_that_the_program_discards_midway_fails_what_it_is_piped_into_unless_that_is_answered() {
    for answers in [true, false] {
        let sim = Sim::new();
        let service = sim.listen(UPSTREAM).unwrap();
        let server = http::create_server(move |req, res| {
            if req.url() == "/to-service" {
                req.pipe(&net::connect(UPSTREAM, |_| ()));
            } else {
                req.pipe(&res);
            }
            set_timeout(SECOND, move || {
                req.discard();
                if answers {
                    res.set_status(413).end(());
                } else {
                    set_timeout(SECOND, move || res.end("later"));
                }
            });
        });
        server.listen(PORT, ()).unwrap();
        let start = |path| send(&sim, format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"));
        let (to_service, to_response) = (start("/to-service"), start("/"));
        sim.advance(10 * SECOND);
        for client in [&to_service, &to_response] {
            client.write("0123456789");
        }
        sim.settle();
        assert!(service.accepted()[0].was_reset());
        assert_eq!(statuses(&to_service), [if answers { 413 } else { 200 }]);
        assert_eq!(statuses(&to_response), [if answers { 413 } else { 502 }]);
    }
}

/// Of several sources, the first that ends, ends what they share.
#[test]
fn a_sink_that_another_pipe_has_ended_lets_go_of_its_source() {
    let sim = Sim::new();
    let service = sim.listen(UPSTREAM).unwrap();
    let (to, record) = (net::connect(UPSTREAM, |_| ()), Record::default());
    let (shared, log) = (to.clone(), record.clone());
    let server = net::create_server(move |socket| told(&socket, &shared, &log));
    server.listen(PORT, ()).unwrap();
    let (first, second) = (send(&sim, "a"), send(&sim, "b"));
    first.finish();
    sim.settle();
    record.expect(&["Ok(1)"]);
    second.write("c");
    sim.settle();
    record.expect(&["Err(Sink(Finished))"]);
    assert!(second.is_closed() && service.accepted()[0].text() == "ab");
}

fn told<F: Source, T: Sink>(from: &F, to: &T, log: &Record) {
    let (log, within) = (log.clone(), Rc::new(Cell::new(true)));
    let still = within.clone();
    net::pipeline(from, to, move |result| {
        assert!(!still.get(), "done is not called from within `pipeline`");
        log.add(format!("{result:?}"));
    });
    within.set(false);
}

/// Promises 2 and 6: ends that are over already are harmless, and told by a tick.
#[test]
fn a_pipe_with_an_end_that_is_over_already_is_over() {
    let sim = Sim::new();
    let service = sim.listen(UPSTREAM).unwrap();
    let (kept, record) = (Rc::new(RefCell::new(Vec::new())), Record::default());
    let keep = kept.clone();
    let server = http::create_server(move |req, res| {
        res.end("over");
        keep.borrow_mut().push((req, res));
    });
    server.listen(PORT, ()).unwrap();
    let client = send(&sim, get("/"));
    let (req, res) = kept.borrow_mut().pop().unwrap();
    let closed = net::connect(UPSTREAM, |_| ());
    sim.settle();
    closed.destroy();
    sim.settle();
    let open = net::connect(UPSTREAM, |_| ());
    sim.settle();
    told(&req, &res, &record);
    told(&closed, &res, &record);
    told(&open.clone(), &closed, &record);
    sim.settle();
    record.expect(&["Err(Sink(Finished))", "Err(Sink(Finished))", "Err(Sink(Destroyed))"]);
    assert!(open.is_closed(), "nobody takes what it gives");
    for dead in [true, false] {
        let to: Socket = net::connect(UPSTREAM, |_| ());
        sim.settle();
        if dead {
            told(&closed, &to, &record);
        } else {
            told(&req, &to, &record);
        }
        sim.settle();
        record.expect(&["Err(Source(Finished))"]);
        assert!(to.is_closed() && service.accepted().last().unwrap().was_reset());
    }
    assert_eq!(bodies(&client), ["over"]);
    assert!(!client.is_closed());
}

#[test]
fn a_source_whose_end_was_told_before_gives_nothing() {
    let sim = Sim::new();
    let service = sim.listen(UPSTREAM).unwrap();
    let record = Record::default();
    let socket = net::connect(UPSTREAM, |_| ());
    socket.set_allow_half_open(true).on_data(|_, _| ());
    sim.settle();
    service.accepted()[0].finish();
    sim.settle();
    let to = net::connect(UPSTREAM, |_| ());
    told(&socket, &to, &record);
    sim.settle();
    record.expect(&["Err(Source(Finished))"]);
    assert!(to.is_closed() && !socket.is_closed());
}

/// A body that nobody pauses but the pipe goes on where its sink has gone, for those who listen as well.
#[test]
fn who_listens_beside_a_pipe_gets_all_though_its_sink_goes() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let service = sim.listen(UPSTREAM).unwrap();
    service.on_accept(|peer| peer.pause_reading());
    let server = http::create_server(|req, res| {
        req.pipe(&net::connect(UPSTREAM, |_| ()));
        req.read_body(SIZE, move |body| {
            res.end(body?.len().to_string());
            Ok(())
        });
    });
    server.listen(PORT, ()).unwrap();
    let client = sim.connect(PORT);
    client.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    client.write(pattern(SIZE));
    sim.advance(SECOND);
    assert!(client.received().is_empty(), "it waits for the pipe");
    service.accepted()[0].reset();
    sim.advance(20 * SECOND);
    assert_eq!(bodies(&client), [SIZE.to_string()]);
}

/// The loop ends in the middle of it all: nothing is told, nothing stays.
#[test]
fn a_loop_that_ends_lets_go_of_its_pipes() {
    for (from, to) in ALL {
        let pipe = Pipe::lay(0, from, to);
        pipe.giver().write(&pattern(SIZE)[..100_000]);
        pipe.sim.advance(SECOND);
        let (outcome, token) = (pipe.outcome.clone(), pipe.token.clone());
        drop(pipe);
        assert_eq!((outcome.get(), Rc::strong_count(&token)), (None, 1));
    }
}

/// A proxy for one service: the request's body goes to it, and what it says is the answer's.
fn proxy(service: SocketAddr, most: Arc<AtomicUsize>) -> impl FnMut(http::Request, http::Response) {
    move |req, res| {
        let upstream = net::connect(service, |_| ());
        req.pipe(&upstream);
        upstream.pipe(&res);
        let most = most.clone();
        let looks = set_interval(MS, move || _ = most.fetch_max(metrics().buffered, Ordering::Relaxed));
        res.on_close(move |_, _| looks.clear());
    }
}

/// A service on a thread of its own, for one connection.
fn service<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

#[test]
fn fifty_megabytes_through_a_real_proxy_and_back_are_never_in_its_memory() {
    const LARGE: usize = 50_000_000;
    let (address, echo) = service(|mut stream| {
        let mut reading = stream.try_clone().unwrap();
        std::io::copy(&mut reading, &mut stream).unwrap()
    });
    let most = Arc::new(AtomicUsize::new(0));
    let (received, _) = real::real(
        |_| (),
        proxy(address, most.clone()),
        |clients| {
            let mut stream = clients.send(format!("{HEAD}Content-Length: {LARGE}\r\n\r\n"));
            let mut writing = stream.try_clone().unwrap();
            let writer = thread::spawn(move || writing.write_all(&pattern(LARGE)).unwrap());
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            writer.join().unwrap();
            received
        },
    );
    assert_eq!(echo.join().unwrap(), LARGE as u64);
    let reply = replies(&received).remove(0);
    assert!(reply.status == 200 && reply.body == pattern(LARGE));
    // Both directions: what is pending, and what is held back behind a pause.
    let most = most.load(Ordering::Relaxed);
    assert!(most > 0 && most < 600 * 1024, "{most} bytes buffered");
}

#[test]
fn a_real_service_that_breaks_off_is_a_cut_for_the_client() {
    let (go, wait) = mpsc::channel();
    let (address, broken) = service(move |mut stream| {
        stream.write_all(b"a part").unwrap();
        stream.peek(&mut [0]).unwrap();
        // Closed with input that it has not read: a reset, which would overtake the part.
        wait.recv().unwrap();
    });
    let (received, _) = real::real(
        |_| (),
        proxy(address, Arc::default()),
        move |clients| {
            let mut stream = clients.send(format!("{HEAD}Content-Length: 1000\r\n\r\nseeds"));
            let (mut received, mut buffer) = (Vec::new(), [0; 1000]);
            while !received.ends_with(b"a part\r\n") {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0, "{}", String::from_utf8_lossy(&received));
                received.extend_from_slice(&buffer[..length]);
            }
            go.send(()).unwrap();
            let _ = stream.read_to_end(&mut received);
            received
        },
    );
    broken.join().unwrap();
    let (all, rest) = whole(&received);
    assert!(all.is_empty() && rest.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&received));
}

#[test]
fn a_real_client_that_goes_closes_the_connection_to_the_service() {
    let (address, endless) = service(|mut stream| while stream.write_all(&[b'x'; 10_000]).is_ok() {});
    real::real(
        |_| (),
        proxy(address, Arc::default()),
        |clients| {
            let mut stream = clients.send(get("/"));
            stream.read_exact(&mut [0; 100_000]).unwrap();
            drop(stream);
            endless.join().unwrap();
        },
    );
}

/// A proxy keeps its connection to a service, which would take the end of its side for a client that has gone.
#[test]
fn a_sink_that_is_kept_open_takes_what_comes_behind_the_pipe() {
    let (sim, record) = (Sim::new(), Record::default());
    let upstream = sim.listen(UPSTREAM).unwrap();
    let services: Rc<RefCell<Vec<Peer>>> = Rc::default();
    let accepted = services.clone();
    upstream.on_accept(move |peer| accepted.borrow_mut().push(peer.clone()));
    let told = record.clone();
    let service = net::connect(UPSTREAM, |_| ());
    let sink = service.clone();
    let server = http::create_server(move |req, res| {
        let told = told.clone();
        net::pipeline(&req, &net::KeepOpen(sink.clone()), move |outcome| {
            told.add(format!("{outcome:?}"));
            res.end("passed on");
        });
    });
    server.listen(PORT, ()).unwrap();
    for _ in 0..2 {
        assert_eq!(bodies(&send(&sim, post("/", "seeds"))), ["passed on"]);
    }
    record.expect(&["Ok(5)", "Ok(5)"]);
    let peer = services.borrow()[0].clone();
    assert_eq!((peer.text().as_str(), peer.is_closed()), ("seedsseeds", false));
    // A source that fails, and one that does not see the end, are as with any other sink.
    let client = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    client.reset();
    sim.settle();
    record.expect(&["Err(Source(Reset))"]);
    assert!(peer.was_reset() && service.is_closed());
    assert_eq!(bodies(&send(&sim, post("/", "seeds"))), ["passed on"]);
    record.expect(&["Err(Sink(Destroyed))"]);
}
