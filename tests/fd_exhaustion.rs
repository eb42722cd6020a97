//! Out of file descriptors: nobody is left hanging, the server goes on, and it serves again when there is room.

#[path = "support/net.rs"]
mod support;

use oneloop::net;
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;
use support::*;

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

// ---- A real process with few descriptors

#[cfg(target_os = "linux")]
mod real {
    use super::*;
    use std::fs::File;
    use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};

    const ROLE: &str = "ONELOOP_TEST_FDS";

    /// An echo server in a process that may open so many files, of which it has `taken` some for itself.
    struct Server {
        child: Child,
        port: u16,
    }

    impl Server {
        fn start(limit: usize, taken: usize) -> Server {
            let mut child = Command::new("sh")
                .arg("-c")
                .arg(format!("ulimit -n {limit}; exec \"$0\" --exact real::child --ignored --nocapture"))
                .arg(std::env::current_exe().unwrap())
                .env(ROLE, taken.to_string())
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
