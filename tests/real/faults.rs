//! Peers that are broken or gone, over real sockets: whatever they do to their connection, the others are served, and
//! nothing of it is left.

use crate::support::folder::Folder;
use crate::support::http::{Kept, MS, get, post, replies};
use crate::support::real::{Clients, real, rest, server};
use oneloop::event_loop::metrics;
use oneloop::http::{Request, Response};
use oneloop::net::Flow;
use oneloop::worker;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// How a peer leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Reset,
    Close,
    HalfClose,
}

impl Leaves {
    fn now(self, stream: TcpStream, gone: &mut Vec<TcpStream>) {
        match self {
            Leaves::Reset => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
            Leaves::Close => {}
            Leaves::HalfClose => {
                stream.shutdown(Shutdown::Write).unwrap();
                gone.push(stream);
            }
        }
    }
}

/// Answers at once, with much, with the body, by and by, or never, holding a token as long as the exchange is there.
fn behave(token: &Rc<()>, kept: &Kept<Response>, req: Request, res: Response) {
    let held = token.clone();
    res.on_close(move |_, _| _ = &held);
    match req.path() {
        "/large" => res.end(vec![b'x'; 20 << 20]),
        "/echo" => req.pipe(&res),
        "/later" => drop(oneloop::set_timeout(20 * MS, move || res.end("later"))),
        "/never" => kept.put(res),
        _ => res.end("hi"),
    }
}

fn is_served(clients: &Clients) {
    let text = clients.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(text.ends_with("\r\n\r\nhi"), "{text}");
}

#[test]
fn peers_that_vanish_at_any_point_leave_nothing_and_harm_nobody() {
    let (token, kept) = (Rc::new(()), Kept::default());
    let (held, keep) = (token.clone(), kept.clone());
    let (_left, closes) = real(
        |limits| (limits.header, limits.receive_window, limits.write_stall) = (200 * MS, 200 * MS, 200 * MS),
        move |req: Request, res: Response| behave(&held, &keep, req, res),
        |clients| {
            let mut left = Vec::new();
            let whole = post("/echo", "four");
            for how in [Leaves::Reset, Leaves::Close, Leaves::HalfClose] {
                for end in [0, 1, 20, whole.len() - 4, whole.len() - 1, whole.len()] {
                    how.now(clients.send(&whole[..end]), &mut left);
                }
                // With an answer on its way, not begun, and never to come.
                for path in ["/large", "/later", "/never"] {
                    how.now(clients.send(get(path)), &mut left);
                    let mut stream = clients.send(get("/") + &get(path));
                    stream.read_exact(&mut [0; 17]).unwrap();
                    how.now(stream, &mut left);
                }
                is_served(&clients);
            }
            // A FIN is no reset: who half-closes may wait for its answer, and gives up here.
            clients.post(|| server().close_all_connections());
            left
        },
    );
    let reasons: Vec<_> = closes.iter().map(|(reason, _)| *reason).collect();
    for expected in ["finished", "reset", "truncated"] {
        assert!(reasons.contains(&expected), "{closes:?}");
    }
    assert_eq!((metrics().connections, metrics().buffered), (0, 0));
    // A handle that is kept for ever is nobody's but the keeper's.
    drop(kept);
    assert_eq!(Rc::strong_count(&token), 1);
}

/// EPIPE: the peer has gone, and the server writes on, at first into nothing.
#[test]
fn a_stream_into_a_peer_that_is_gone_ends() {
    let (token, told) = (Rc::new(()), Kept::default());
    let (held, tell) = (token.clone(), told.clone());
    let ((), closes) = real(
        |_| (),
        move |_req: Request, res: Response| {
            let (held, tell) = (held.clone(), tell.clone());
            res.on_close(move |_, reason| tell.put((reason, held.clone())));
            // The closure holds its own handle, as clocks and tickers do.
            let ticker = Rc::new(std::cell::RefCell::new(None::<oneloop::Timeout>));
            let own = ticker.clone();
            let timer = oneloop::set_interval(MS, move || {
                if res.write("tick\n") == Flow::Closed {
                    own.take().unwrap().clear();
                }
            });
            ticker.replace(Some(timer));
        },
        |clients| {
            for _ in 0..10 {
                let mut stream = clients.send(get("/"));
                stream.read_exact(&mut [0; 100]).unwrap();
                drop(stream);
            }
        },
    );
    assert_eq!((&closes[..], told.len()), (&[("reset", 10)][..], 10));
    drop(told);
    // The tickers notice with their next tick.
    while Rc::strong_count(&token) > 1 {
        assert!(oneloop::run_once().unwrap(), "{} are left", Rc::strong_count(&token));
    }
}

#[test]
fn a_storm_of_connections_is_accepted_while_others_are_served() {
    const STORM: usize = 600;
    let (count, closes) = real(
        |_| (),
        |_req: Request, res: Response| res.end("hi"),
        |clients| {
            let mut before = clients.send(get("/"));
            before.read_exact(&mut [0; 17]).unwrap();
            let storm: Vec<_> = (0..STORM).map(|_| clients.connect()).collect();
            is_served(&clients);
            before.write_all(get("/").as_bytes()).unwrap();
            before.shutdown(Shutdown::Write).unwrap();
            assert_eq!(rest(&before).matches("\r\n\r\nhi").count(), 2);
            // All of them are there, the last ones too.
            let mut served = 0;
            for mut stream in storm.into_iter().rev() {
                stream.write_all(get("/").as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                served += rest(&stream).matches("\r\n\r\nhi").count();
            }
            served
        },
    );
    assert_eq!((count, &closes[..]), (STORM, &[("finished", STORM as u64 + 2)][..]));
}

#[test]
fn a_storm_of_resets_is_nothing() {
    let ((), closes) = real(
        |_| (),
        |_req: Request, res: Response| res.end("hi"),
        |clients| {
            for round in 0..10 {
                let mut none = Vec::new();
                let storm: Vec<_> = (0..50).map(|_| clients.connect()).collect();
                for (number, mut stream) in storm.into_iter().enumerate() {
                    let _ = stream.write_all(&get("/").as_bytes()[..(number + round) % 20]);
                    Leaves::Reset.now(stream, &mut none);
                }
                is_served(&clients);
            }
        },
    );
    // A connection may be gone before it is accepted, of which nobody is told.
    assert!(closes.iter().all(|(reason, _)| ["reset", "finished"].contains(reason)), "{closes:?}");
}

#[test]
fn a_worker_that_panics_costs_its_answer_only() {
    let (texts, _) = real(
        |_| (),
        |req: Request, res: Response| {
            let panics = req.path() == "/panics";
            // No hook: the output of a test is not for this.
            let work = move || if panics { std::panic::resume_unwind(Box::new("on purpose")) } else { "done" };
            worker::run(work, move |result| match result {
                Ok(text) => res.end(text),
                Err(_) => res.set_status(500).end("failed"),
            });
        },
        |clients| {
            let stream = clients.send((get("/panics") + &get("/")).repeat(20));
            stream.shutdown(Shutdown::Write).unwrap();
            rest(&stream)
        },
    );
    let statuses: Vec<_> = replies(texts.as_bytes()).iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [500, 200].repeat(20));
}

/// To an HTTP/1.0 client the end of the connection is that of an answer of unknown length: what broke off must not end so.
#[test]
fn an_answer_to_http_1_0_that_breaks_off_is_a_reset() {
    let handler = |req: Request, res: Response| {
        res.write("half of").ignore();
        if req.url() == "/whole" {
            res.end(" it");
        }
    };
    let (received, closes) = real(
        |_| (),
        handler,
        |clients| {
            let whole = clients.ask("GET /whole HTTP/1.0\r\n\r\n");
            assert!(whole.ends_with("\r\n\r\nhalf of it"), "{whole}");
            clients.send("GET /half HTTP/1.0\r\n\r\n").read_to_end(&mut Vec::new()).map_err(|error| error.kind())
        },
    );
    assert_eq!(received, Err(ErrorKind::ConnectionReset));
    assert_eq!(closes, [("finished", 1), ("bad-response", 1)]);
}

#[test]
fn so_is_one_whose_loop_ends() {
    let (told, address) = channel();
    let server = std::thread::spawn(move || {
        let server = oneloop::http::create_server(|_: Request, res: Response| {
            res.write("half of").ignore();
            // Nobody ends it: its thread does, and the loop with it.
            std::mem::forget(res);
            oneloop::stop();
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        told.send(server.address().unwrap().to_string()).unwrap();
        oneloop::run().unwrap();
    });
    let mut stream = TcpStream::connect(address.recv().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let received = stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    server.join().unwrap();
    assert_eq!(received, Err(ErrorKind::ConnectionReset));
}

/// What was announced cannot be sent: the connection is cut, so that nobody takes the part for the whole.
#[test]
fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    let folder = Folder::new("real-shrinks");
    let length = 64 << 20;
    let path = folder.file("data", vec![b'x'; length]);
    let (sent, shrunk) = (path.clone(), path);
    let (received, closes) = real(
        |_| (),
        move |_req: Request, res: Response| res.send_file(&sent),
        move |clients| {
            let mut stream = clients.send(get("/"));
            stream.read_exact(&mut [0; 100]).unwrap();
            std::fs::File::options().write(true).open(shrunk).unwrap().set_len(1000).unwrap();
            let mut received = 100;
            let mut buffer = vec![0; 65_536];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return received,
                    Ok(count) => received += count,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                        return received;
                    }
                }
            }
        },
    );
    assert!(received < length, "{received}");
    assert_eq!(closes, [("bad-response", 1)]);
}

/// The others wait while a handler blocks, and are all served afterwards, though their time was over meanwhile.
#[test]
fn a_handler_that_blocks_holds_the_others_up_and_harms_none() {
    let ((blocks, blocked), (go, wait)) = (channel(), channel::<()>());
    let (texts, closes) = real(
        |limits| limits.keep_alive = 1000 * MS,
        move |req: Request, res: Response| {
            if req.path() == "/block" {
                blocks.send(()).unwrap();
                wait.recv().unwrap();
                // Longer than who is idle may be.
                oneloop::sim::block(1700 * MS);
            }
            res.end("hi");
        },
        move |clients| {
            let mut idle = clients.send(get("/"));
            idle.read_exact(&mut [0; 17]).unwrap();
            let blocker = clients.send(get("/block"));
            blocked.recv().unwrap();
            idle.write_all(get("/").as_bytes()).unwrap();
            let new = clients.send(get("/"));
            go.send(()).unwrap();
            [&idle, &new, &blocker].map(|stream| {
                stream.shutdown(Shutdown::Write).unwrap();
                rest(stream)
            })
        },
    );
    assert_eq!(texts.map(|text| text.matches("\r\n\r\nhi").count()), [2, 1, 1]);
    assert!(closes.iter().all(|(reason, _)| ["finished", "idle-timeout"].contains(reason)), "{closes:?}");
}
