//! Out of file descriptors: nobody is left hanging, the server goes on, and it serves again when there is room.

use crate::support::net::*;
use oneloop::net;
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;

const PORT: u16 = 7777;

#[test]
fn who_comes_when_no_descriptor_is_left_is_closed_at_once() {
    let sim = Sim::new();
    sim.set_fd_limit(Some(4));
    serve(PORT, |socket| _ = socket.on_data(|socket, bytes| socket.write(bytes).ignore()));
    let clients: Vec<_> = (0..200).map(|_| sim.connect(PORT)).collect();
    sim.settle();
    let open: Vec<_> = clients.iter().filter(|client| !client.is_closed()).collect();
    assert_eq!((open.len(), sim.open_fds()), (3, 4));
    for client in open {
        client.write("served");
        sim.settle();
        assert_eq!(client.text(), "served");
        client.close();
    }
    sim.settle();
    let client = sim.connect(PORT);
    client.write("served again");
    sim.settle();
    assert_eq!(client.text(), "served again");
}

#[test]
fn when_the_whole_system_is_out_it_is_tried_again_soon() {
    let sim = Sim::new();
    serve(PORT, |socket| socket.end("hello"));
    sim.set_system_fd_limit(Some(1));
    let clients: Vec<_> = (0..3).map(|_| sim.connect(PORT)).collect();
    sim.advance(10 * SECOND);
    assert!(clients.iter().all(|client| !client.is_closed()), "they wait in the backlog");
    let iterations = oneloop::event_loop::metrics().iterations;
    sim.advance(10 * SECOND);
    let tries = oneloop::event_loop::metrics().iterations - iterations;
    assert!((95..=220).contains(&tries), "{tries} iterations in 10 s: every 100 ms, and no busy loop");
    sim.set_system_fd_limit(None);
    sim.advance(100 * MS);
    assert!(clients.iter().all(|client| client.text() == "hello"));
}

#[test]
fn a_close_gives_its_descriptor_to_who_waits() {
    let sim = Sim::new();
    let (_server, sockets) = serve_and_keep(PORT);
    sim.set_system_fd_limit(Some(3));
    let _clients: Vec<_> = (0..3).map(|_| sim.connect(PORT)).collect();
    sim.advance(60 * SECOND);
    assert_eq!(sockets.borrow().len(), 2);
    nth(&sockets, 0).destroy();
    sim.settle();
    assert_eq!(sockets.borrow().len(), 3, "without waiting for the next try");
}

#[test]
fn a_server_that_closes_meanwhile_is_not_tried_again() {
    let sim = Sim::new();
    let server = serve(PORT, |_| ());
    sim.set_system_fd_limit(Some(1));
    let client = sim.connect(PORT);
    sim.advance(SECOND);
    let closed = Rc::new(Cell::new(false));
    let told = closed.clone();
    server.close(move || told.set(true));
    sim.settle();
    assert!(closed.get() && client.was_reset());
    oneloop::run().unwrap();
    server.listen(PORT, || ()).unwrap();
    sim.advance(SECOND);
    assert!(server.is_listening());
}

// ---- An idle connection makes room

mod room {
    use super::*;
    use crate::support::http::{Kept, PORT, bodies, get, only, send};
    use oneloop::event_loop::metrics;
    use oneloop::http::{Request, Response, Server, create_server};

    /// A server in a process that may open so many files, of which connections may have three quarters.
    fn serve(limit: usize) -> (Sim, Server, Kept<Response>) {
        let sim = Sim::new();
        sim.set_known_fd_limit(Some(limit));
        let kept = Kept::default();
        let keep = kept.clone();
        let server = create_server(move |req: Request, res: Response| match req.path() {
            "/keep" => keep.put(res),
            path => res.end(path),
        });
        server.listen(PORT, || ()).unwrap();
        (sim, server, kept)
    }

    fn made_room() -> u64 {
        metrics().closes.iter().find(|(name, _)| *name == "made-room").map_or(0, |(_, count)| *count)
    }

    #[test]
    fn the_connection_that_has_been_idle_longest_makes_room_at_once() {
        let (sim, server, _) = serve(40);
        let mut idle: Vec<_> = (0..30)
            .map(|number| {
                sim.advance(100 * MS);
                send(&sim, get(&format!("/{number}")))
            })
            .collect();
        // The first one is not idle for long.
        idle[0].write(get("/again"));
        sim.settle();
        let (began, new) = (sim.now(), send(&sim, get("/new")));
        assert_eq!((bodies(&new), sim.now()), (vec!["/new".to_owned()], began));
        assert!(idle[1].is_closed() && !idle[1].was_reset());
        assert_eq!((server.connections(), made_room()), (30, 1));
        assert_eq!(idle.iter().filter(|peer| peer.is_closed()).count(), 1);
        idle.remove(1);
        for number in 0..10 {
            assert_eq!(bodies(&send(&sim, get("/x"))), ["/x"]);
            assert_eq!(idle.iter().filter(|peer| peer.is_closed()).count(), number + 1);
        }
        assert!(!idle[0].is_closed(), "it was the least idle one of them");
        let log = sim.log();
        let said: Vec<_> = log.iter().filter(|line| line.text.contains("ulimit -n")).collect();
        assert_eq!(said.len(), 1, "once in ten seconds: {log:?}");
    }

    #[test]
    fn many_who_come_at_once_are_all_served() {
        let (sim, server, _) = serve(400);
        let idle: Vec<_> = (0..336).map(|_| send(&sim, get("/idle"))).collect();
        assert_eq!(server.connections(), 336);
        sim.advance(SECOND);
        let new: Vec<_> = (0..300).map(|_| sim.connect(PORT)).collect();
        new.iter().for_each(|peer| peer.write(get("/new")));
        sim.settle();
        assert!(new.iter().all(|peer| bodies(peer) == ["/new"]));
        assert_eq!(server.connections(), 336);
        assert_eq!(idle.iter().filter(|peer| peer.is_closed()).count(), 300);
    }

    #[test]
    fn nobody_in_an_exchange_makes_room_nor_a_socket_of_the_users_nor_one_just_made() {
        let (sim, server, kept) = serve(12);
        let tunnel = net::create_server(|_| ());
        tunnel.listen(81, || ()).unwrap();
        let sockets: Vec<_> = (0..3).map(|_| sim.connect(81)).collect();
        let busy: Vec<_> = (0..3).map(|_| send(&sim, get("/keep"))).collect();
        let half = send(&sim, "GET /half");
        sim.advance(2 * SECOND);
        let fresh: Vec<_> = (0..2).map(|_| sim.connect(PORT)).collect();
        sim.settle();
        assert_eq!((server.connections(), made_room()), (6, 0));
        let waits = send(&sim, get("/waits"));
        sim.advance(500 * MS);
        assert_eq!((bodies(&waits).len(), made_room()), (0, 0), "it waits in the backlog");
        assert!(sim.log().iter().any(|line| line.text.contains("new connections wait")));
        // Who has said nothing for a second after it came is idle.
        sim.advance(SECOND);
        assert_eq!((bodies(&waits), made_room()), (vec!["/waits".to_owned()], 1));
        assert!(fresh.iter().filter(|peer| peer.is_closed()).count() == 1 && !half.is_closed());
        assert!(sockets.iter().chain(&busy).all(|peer| !peer.is_closed()));
        kept.take().end("kept");
        sim.settle();
        assert_eq!(bodies(&busy[0]), ["kept"]);
    }

    /// Its request is there, but was not read yet when it is to go.
    #[test]
    fn who_has_asked_just_now_is_answered_and_another_one_goes() {
        let (sim, _server, _) = serve(4);
        let asks = send(&sim, get("/1"));
        sim.advance(SECOND);
        let (idle, _third) = (send(&sim, get("/2")), send(&sim, get("/3")));
        let new = sim.connect(PORT);
        new.write(get("/new"));
        asks.write(get("/again"));
        sim.settle();
        assert_eq!(
            (bodies(&asks), bodies(&new)),
            (vec!["/1".to_owned(), "/again".to_owned()], vec!["/new".to_owned()])
        );
        assert!(idle.is_closed() && !asks.is_closed());
    }

    /// The program itself has the others: it learns of it when it cannot accept.
    #[test]
    fn an_idle_connection_makes_room_where_the_limit_is_met_unforeseen() {
        let (sim, server, _) = serve(1_000);
        sim.set_fd_limit(Some(11));
        let idle: Vec<_> = (0..10).map(|_| send(&sim, get("/idle"))).collect();
        for _ in 0..5 {
            assert_eq!(only(&send(&sim, get("/new"))).status, 200);
        }
        // One more than came: that nobody waits cannot be told from that there is no descriptor.
        assert_eq!((server.connections(), made_room()), (9, 6));
        assert_eq!(idle.iter().filter(|peer| peer.is_closed()).count(), 6);
    }

    #[test]
    fn where_all_are_busy_it_is_not_looked_for_again_and_again() {
        let (sim, server, kept) = serve(4);
        let _busy: Vec<_> = (0..3).map(|_| send(&sim, get("/keep"))).collect();
        let waiting: Vec<_> = (0..20).map(|_| send(&sim, get("/w"))).collect();
        let before = metrics().iterations;
        sim.advance(10 * SECOND);
        let tries = metrics().iterations - before;
        assert!((95..=330).contains(&tries), "{tries} iterations in 10 s");
        assert_eq!(server.connections(), 3);
        (0..3).for_each(|_| kept.take().end("at last"));
        sim.advance(SECOND);
        assert!(waiting.iter().all(|peer| bodies(peer) == ["/w"]));
    }

    #[test]
    fn files_that_are_being_sent_leave_room_for_others() {
        let path = std::env::temp_dir().join(format!("oneloop-fds-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; 1_000_000]).unwrap();
        let sim = Sim::new();
        sim.set_known_fd_limit(Some(40));
        let file = path.clone();
        let server = create_server(move |req: Request, res: Response| match req.path() {
            "/file" => res.send_file(&file),
            path => res.end(path),
        });
        server.listen(PORT, || ()).unwrap();
        let downloads: Vec<_> = (0..15)
            .map(|_| {
                let peer = sim.connect(PORT);
                peer.pause_reading();
                peer.write(get("/file"));
                peer
            })
            .collect();
        sim.advance(SECOND);
        // 30 for peers: ten files at most, and so 20 connections.
        let new: Vec<_> = (0..10).map(|_| send(&sim, get("/new"))).collect();
        assert!(new.iter().all(|peer| bodies(peer) == ["/new"]), "{:?}", sim.log());
        assert_eq!(server.connections(), 20);
        downloads.iter().for_each(|peer| peer.resume_reading());
        sim.advance(SECOND);
        let statuses: Vec<_> = downloads.iter().map(|peer| only(peer).status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10);
        assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 5);
        let _again: Vec<_> = (0..5).map(|_| send(&sim, get("/file"))).collect();
        sim.advance(SECOND);
        assert!(_again.iter().all(|peer| only(peer).status == 200), "they are closed again");
        std::fs::remove_file(path).unwrap();
    }
}

// ---- A real process with few descriptors

#[cfg(target_os = "linux")]
mod real {
    use super::*;
    use std::fs::File;
    use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    const ROLE: &str = "ONELOOP_TEST_FDS";

    /// An echo server in a process that may open so many files, of which it has `taken` some for itself.
    struct Server {
        child: Child,
        port: u16,
    }

    impl Server {
        fn start(limit: usize, taken: usize) -> Server {
            Server::with_role(limit, &taken.to_string())
        }

        fn with_role(limit: usize, role: &str) -> Server {
            let mut child = Command::new("sh")
                .arg("-c")
                .arg(format!("ulimit -n {limit}; exec \"$0\" --exact fd_exhaustion::real::child --ignored --nocapture"))
                .arg(std::env::current_exe().unwrap())
                .env(ROLE, role)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
            let port = lines.find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok());
            Server { child, port: port.expect("the child says its port") }
        }

        fn connect(&self) -> TcpStream {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            // The server may have closed it already.
            let _ = stream.write_all(b"x");
            stream
        }

        fn end(mut self) {
            self.connect().write_all(b"quit").unwrap();
            assert!(self.child.wait().unwrap().success());
        }
    }

    /// Was it served? No: closed at once. It does not wait for ever.
    fn is_served(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => true,
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                false
            }
        }
    }

    #[test]
    #[ignore = "the child process of the tests beside it"]
    fn child() {
        let Ok(taken) = std::env::var(ROLE) else { return };
        match taken.as_str() {
            "http" => return serve_http(),
            "files" => return serve_files(),
            _ => {}
        }
        let _files: Vec<File> = (0..taken.parse().unwrap()).map(|_| File::open("/dev/null").unwrap()).collect();
        let server = net::create_server(|socket| {
            socket.on_data(|socket, bytes| {
                if bytes.ends_with(b"quit") {
                    oneloop::stop();
                }
                socket.write(bytes).ignore();
            });
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        println!("\nport {}", server.address().unwrap().port().unwrap());
        oneloop::run().unwrap();
    }

    fn serve_http() {
        let server = oneloop::http::create_server(|req, res| {
            if req.path() == "/quit" {
                oneloop::stop();
            }
            res.end("hi");
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        println!("\nport {}", server.address().unwrap().port().unwrap());
        oneloop::run().unwrap();
    }

    /// Its loop is slow: while it takes requests, the workers have long opened the files for those before.
    fn serve_files() {
        let path = std::env::temp_dir().join(format!("oneloop-real-fds-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; 8 << 20]).unwrap();
        let (file, mut first) = (path.clone(), true);
        let server = oneloop::http::create_server(move |req, res| match req.path() {
            "/quit" => oneloop::stop(),
            _ => {
                // The other requests have come when this one is over.
                std::thread::sleep(Duration::from_millis(if std::mem::take(&mut first) { 500 } else { 2 }));
                res.send_file(&file);
            }
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        println!("\nport {}", server.address().unwrap().port().unwrap());
        oneloop::run().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn files_that_workers_open_while_the_loop_is_busy_take_no_more_than_their_share() {
        let server = Server::with_role(200, "files");
        let mut streams: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.write_all(crate::support::http::get("/").as_bytes()).unwrap();
                stream
            })
            .collect();
        let mut statuses = std::collections::BTreeMap::new();
        for stream in &mut streams {
            let mut line = [0; 12];
            stream.read_exact(&mut line).unwrap();
            *statuses.entry(String::from_utf8_lossy(&line[9..]).into_owned()).or_insert(0) += 1;
        }
        // 150 descriptors are for peers, a third of them for files.
        assert_eq!(statuses, [("200".to_owned(), 50), ("503".to_owned(), 50)].into());
        drop(streams);
        ask(&mut TcpStream::connect(("127.0.0.1", server.port)).unwrap(), "/quit");
        let mut child = server.child;
        assert!(child.wait().unwrap().success());
    }

    /// Says whether it was answered: in far less than the time that an idle connection has.
    fn ask(stream: &mut TcpStream, path: &str) -> bool {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(crate::support::http::get(path).as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hi") {
            let mut piece = [0; 1000];
            match stream.read(&mut piece) {
                Ok(count @ 1..) => answer.extend_from_slice(&piece[..count]),
                _ => return false,
            }
        }
        true
    }

    #[test]
    fn a_new_client_is_served_though_idle_connections_have_all_descriptors() {
        let server = Server::with_role(60, "http");
        let connect = || TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let mut idle: Vec<_> = (0..45).map(|_| connect()).collect();
        assert!(idle.iter_mut().all(|stream| ask(stream, "/")));
        let mut new: Vec<_> = (0..20).map(|_| connect()).collect();
        assert!(new.iter_mut().all(|stream| ask(stream, "/")));
        // The longest idle have made room, and nobody else.
        assert!(idle[..20].iter_mut().all(|stream| matches!(stream.read(&mut [0]), Ok(0))));
        assert!(idle[20..].iter_mut().all(|stream| ask(stream, "/")));
        ask(&mut connect(), "/quit");
        let mut child = server.child;
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn who_comes_too_many_is_closed_and_the_rest_served() {
        let server = Server::start(60, 35);
        let mut streams: Vec<_> = (0..100).map(|_| server.connect()).collect();
        let served = streams.iter_mut().map(is_served).filter(|served| *served).count();
        assert!((5..25).contains(&served), "{served} of 100");
        // The first that were served still are.
        for stream in &mut streams[..5] {
            stream.write_all(b"y").unwrap();
            assert!(is_served(stream));
        }
        drop(streams);
        // It may take the server a moment to see that they are gone.
        while !is_served(&mut server.connect()) {}
        server.end();
    }

    /// What connections may have is less than what there is: who comes above that waits in the backlog.
    #[test]
    fn connections_leave_descriptors_to_the_program() {
        let server = Server::start(60, 0);
        let cap = 60 - 60 / 4;
        let mut streams: Vec<_> = (0..cap + 10).map(|_| server.connect()).collect();
        assert!(streams[..cap].iter_mut().all(is_served));
        for stream in &streams[cap..] {
            stream.set_nonblocking(true).unwrap();
            assert_eq!(stream.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            stream.set_nonblocking(false).unwrap();
        }
        let mut waiting = streams.split_off(cap);
        drop(streams.split_off(cap - 10));
        assert!(waiting.iter_mut().all(is_served), "there is room for them now");
        drop((streams, waiting));
        server.end();
    }
}
