//! Servers: where they listen, what they refuse, how they close.

use crate::support::bytes::pattern;
use crate::support::net::*;
use oneloop::event_loop::{Address, PanicPolicy, metrics, set_panic_policy};
use oneloop::net::{self, CloseReason, Listen, Server};
use oneloop::sim::{Network, Sim};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const PORT: u16 = 7777;

fn recorder(record: &Record, what: &'static str) -> impl FnOnce() + 'static {
    let record = record.clone();
    move || record.add(what)
}

fn port_of(server: &Server) -> u16 {
    server.address().unwrap().port().unwrap()
}

/// Asks a real server on a thread of its own; runs the loop until the answer is there.
fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, answer) = std::sync::mpsc::channel();
    let mut remote = oneloop::remote();
    remote.set_ref(true);
    let thread = std::thread::spawn(move || {
        let _ = tell.send(question());
        let _ = remote.post(oneloop::stop);
    });
    run_real();
    thread.join().unwrap();
    answer.recv().unwrap()
}

fn hello(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

// ---- Listening

#[test]
fn listening_comes_from_the_loop_before_any_connection() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    let server = net::create_server(move |_| log.add("connection"));
    server.listen(PORT, recorder(&record, "listening")).unwrap();
    assert!(server.is_listening() && record.all().is_empty());
    let _client = sim.connect(PORT);
    sim.settle();
    assert_eq!(record.all(), ["listening", "connection"]);
}

/// Whatever the phase in which it began to listen.
#[test]
fn listening_comes_first_even_for_a_server_made_in_the_pending_phase() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    let first = net::create_server(|_| ());
    let (dialled, connect) = (Rc::new(Cell::new(false)), Rc::new(sim.connect(1)));
    drop(connect);
    let told = dialled.clone();
    first
        .listen(1, move || {
            let connections = log.clone();
            let second = net::create_server(move |_| connections.add("connection"));
            second.listen(PORT, recorder(&log, "listening")).unwrap();
            // Arrives in the poll phase of this iteration.
            net::connect(("127.0.0.1", PORT), |_| ()).unref();
            told.set(true);
        })
        .unwrap();
    sim.settle();
    assert!(dialled.get());
    assert_eq!(record.all(), ["listening", "connection"]);
}

#[test]
fn listening_twice_is_an_error_that_names_where_and_why() {
    let sim = Sim::new();
    let server = serve(PORT, |_| ());
    let captured = Rc::new(());
    let held = captured.clone();
    let error = server.listen(8888, move || drop(held)).unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on port 8888: it is listening already");
    assert_eq!(Rc::strong_count(&captured), 1);
    server.close(|| ());
    let error = server.listen(8888, || ()).unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on port 8888: it is still closing");
    sim.settle();
    server.listen(8888, || ()).unwrap();
    assert_eq!(port_of(&server), 8888);
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let first = net::create_server(|_| ());
    first.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = port_of(&first);
    let second = net::create_server(|_| ());
    let error = second.listen(("127.0.0.1", port), || ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{error}");
    assert_eq!((second.is_listening(), second.address()), (false, None));
    // It can still listen elsewhere.
    second.listen(("127.0.0.1", 0), || ()).unwrap();
    first.close(|| ());
    second.close(|| ());
    run_real();
}

#[test]
fn names_and_addresses_that_cannot_be_bound_are_errors_at_once() {
    let server = net::create_server(|_| ());
    assert!(
        server.listen(("no such host.invalid", 80), || ()).unwrap_err().to_string().contains("no such host.invalid:80")
    );
    // TEST-NET-1 (RFC 5737) is nobody's.
    assert!(server.listen(("192.0.2.1", 0), || ()).unwrap_err().to_string().contains("192.0.2.1:0"));
    assert!(!server.is_listening());
    run_real();
}

#[test]
fn a_simulated_server_may_listen_on_a_simulated_name() {
    let sim = Sim::new();
    sim.set_host("inside.example", &["10.0.0.9".parse().unwrap()]);
    let server = net::create_server(|_| ());
    server.listen(("inside.example", PORT), || ()).unwrap();
    assert_eq!(server.address().unwrap().to_string(), "10.0.0.9:7777");
}

// ---- Real addresses

#[test]
fn a_port_of_all_addresses_takes_both_families() {
    let server = net::create_server(|socket| socket.end(socket.remote_addr().unwrap().ip().unwrap().to_string()));
    server.listen(0, || ()).unwrap();
    let (port, dual) = (port_of(&server), server.address().unwrap().ip().unwrap().is_ipv6());
    assert_eq!(ask(move || hello(TcpStream::connect(("127.0.0.1", port)).unwrap())), "127.0.0.1");
    let six = ask(move || TcpStream::connect(("::1", port)).ok().map(hello));
    assert!(six.is_none() || (dual && six.as_deref() == Some("::1")), "{six:?}");
    server.close(|| ());
    run_real();
}

#[test]
fn ipv6_only_leaves_ipv4_alone() {
    let server = net::create_server(|socket| socket.end("six"));
    if server.listen(Listen::from(("::", 0)).ipv6_only(true), || ()).is_err() {
        return; // a machine without IPv6
    }
    let port = port_of(&server);
    let other = net::create_server(|socket| socket.end("four"));
    other.listen(("0.0.0.0", port), || ()).unwrap();
    assert_eq!(ask(move || hello(TcpStream::connect(("127.0.0.1", port)).unwrap())), "four");
    let six = ask(move || TcpStream::connect(("::1", port)).ok().map(hello));
    assert!(six.is_none_or(|text| text == "six"));
    server.close(|| ());
    other.close(|| ());
    run_real();
}

#[cfg(target_os = "linux")]
#[test]
fn reuse_port_lets_several_servers_share_a_port() {
    let count = Rc::new(Cell::new(0));
    let make = |port: u16| {
        let count = count.clone();
        let server = net::create_server(move |socket| {
            count.set(count.get() + 1);
            socket.end("x");
        });
        let listening = server.listen(Listen::from(("127.0.0.1", port)).reuse_port(true), || ());
        listening.map(|()| server)
    };
    let first = make(0).unwrap();
    let port = port_of(&first);
    let second = make(port).unwrap();
    assert!(net::create_server(|_| ()).listen(("127.0.0.1", port), || ()).is_err(), "both have to ask for it");
    for _ in 0..10 {
        assert_eq!(ask(move || hello(TcpStream::connect(("127.0.0.1", port)).unwrap())), "x");
    }
    assert_eq!(count.get(), 10);
    first.close(|| ());
    second.close(|| ());
    run_real();
}

#[test]
fn a_text_says_where_to_listen() {
    let _sim = Sim::new();
    for (text, address) in [
        ("127.0.0.1:7001", "127.0.0.1:7001"),
        ("[::1]:7002", "[::1]:7002"),
        ("localhost:7003", "127.0.0.1:7003"),
        (":7004", "[::]:7004"),
        ("7005", "[::]:7005"),
        ("/run/x.sock", "unix:/run/x.sock"),
        ("./x.sock", "unix:./x.sock"),
        ("@name", "unix:@name"),
    ] {
        let server = net::create_server(|_| ());
        server.listen(text, || ()).unwrap();
        assert_eq!(server.address().unwrap().to_string(), address);
    }
    let server = net::create_server(|_| ());
    server.listen("127.0.0.1:7006".to_owned(), || ()).unwrap();
}

#[test]
fn a_text_that_says_nothing_is_an_error_that_says_what_to_write() {
    let _sim = Sim::new();
    for (text, hint) in [
        ("localhost", "it has no port: write \"localhost:80\""),
        ("127.0.0.1", "it has no port: write \"127.0.0.1:80\""),
        ("http://localhost:7777", "a URL is not an address: write the host and the port"),
        ("localhost:99999", "a port is a number up to 65535"),
    ] {
        let error = net::create_server(|_| ()).listen(text, || ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(&format!("cannot listen on {text:?}: {hint}")), "{error}");
    }
}

/// An address of this machine that means nothing without its scope (the number of a network interface), if it has one.
#[cfg(target_os = "linux")]
fn link_local() -> Option<std::net::SocketAddrV6> {
    let text = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    let line = text.lines().find(|line| line.starts_with("fe80"))?;
    let mut fields = line.split_whitespace();
    let ip = u128::from_str_radix(fields.next()?, 16).ok()?;
    let scope = u32::from_str_radix(fields.next()?, 16).ok()?;
    Some(std::net::SocketAddrV6::new(ip.into(), 0, 0, scope))
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_local_peer_has_a_scope_with_which_it_can_be_connected_to() {
    use std::net::SocketAddr;
    let Some(address) = link_local() else {
        eprintln!("SKIPPED: this machine has no link-local address");
        return;
    };
    let record = Record::default();
    let (told, closing) = (record.clone(), Rc::new(Cell::new(None::<Server>)));
    let close = closing.clone();
    let server = net::create_server(move |socket| {
        let scope = |address: Option<Address>| match address {
            Some(Address::Ip(SocketAddr::V6(address))) => address.scope_id(),
            other => panic!("{other:?}"),
        };
        told.add(format!("{} {}", scope(socket.remote_addr()), scope(socket.local_addr())));
        socket.destroy();
        close.take().unwrap().close(|| ());
    });
    server.listen(SocketAddr::V6(address), || ()).unwrap();
    let Some(Address::Ip(to)) = server.address() else { panic!("no IP address") };
    closing.set(Some(server));
    let socket = net::connect(to, |_| ());
    let told = record.clone();
    socket.on_connect(move |socket| told.add(format!("{:?}", socket.remote_addr().unwrap() == Address::Ip(to))));
    run_real();
    let scope = address.scope_id();
    assert_eq!(record.count("true") + record.count(&format!("{scope} {scope}")), 2, "{:?}", record.all());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("oneloop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_unix_socket_serves_and_its_path_is_removed_with_it() {
        let path = path("serves");
        let record = Record::default();
        let server = net::create_server(|socket| {
            assert_eq!(socket.remote_addr(), Some(Address::Unix(None)));
            socket.end("hello");
        });
        server.listen(path.as_path(), recorder(&record, "listening")).unwrap();
        assert_eq!(server.address(), Some(Address::Unix(Some(path.clone()))));
        let to = path.clone();
        assert_eq!(ask(move || hello(UnixStream::connect(to).unwrap())), "hello");
        assert!(path.exists());
        server.close(recorder(&record, "closed"));
        assert!(!path.exists());
        run_real();
        assert_eq!(record.all(), ["listening", "closed"]);
        // And once more.
        server.listen(path.as_path(), || ()).unwrap();
        server.close(|| ());
        run_real();
        assert!(!path.exists());
    }

    #[test]
    fn a_path_in_use_is_an_error_and_stays() {
        let path = path("in-use");
        let _owner = UnixListener::bind(&path).unwrap();
        let server = net::create_server(|_| ());
        let error = server.listen(path.as_path(), || ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&format!("unix:{}", path.display())), "{error}");
        server.close(|| ());
        run_real();
        assert!(path.exists());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_path_is_removed_when_the_loop_of_its_thread_ends() {
        let path = path("thread");
        let to = path.clone();
        std::thread::spawn(move || {
            let server = net::create_server(|_| ());
            server.listen(to.as_path(), oneloop::stop).unwrap();
            run_real();
            assert!(to.exists());
        })
        .join()
        .unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_simulated_path_has_nothing_to_do_with_files() {
        for closes in [true, false] {
            let path = path("simulated");
            std::fs::write(&path, "mine").unwrap();
            let sim = Sim::new();
            let server = net::create_server(|socket| socket.end("hello"));
            server.listen(path.as_path(), || ()).unwrap();
            let client = sim.connect_to(Address::Unix(Some(path.clone())));
            sim.settle();
            assert_eq!(client.text(), "hello");
            if closes {
                server.close(|| ());
            }
            drop(sim);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_large_transfer_through_a_unix_socket() {
        let path = path("large");
        let server = net::create_server(|socket| socket.pipe(&socket));
        server.listen(path.as_path(), || ()).unwrap();
        let client = net::connect(path.as_path(), |_| ());
        let size = Rc::new(Cell::new(0));
        let (count, closing) = (size.clone(), server.clone());
        client.on_data(move |_, bytes| count.set(count.get() + bytes.len()));
        client.on_close(move |_, _| closing.close(|| ()));
        client.end(pattern(3_000_000));
        run_real();
        assert_eq!(size.get(), 3_000_000);
    }
}

// ---- Closing

#[test]
fn close_is_told_after_the_last_connection() {
    let sim = Sim::new();
    let (server, sockets) = serve_and_keep(PORT);
    let record = Record::default();
    let clients = [sim.connect(PORT), sim.connect(PORT)];
    sim.settle();
    for number in [0, 1] {
        record.watch(&nth(&sockets, number));
    }
    let log = record.clone();
    server.on_close(move || log.add("on_close"));
    server.close(recorder(&record, "closed"));
    server.close(recorder(&record, "closed again"));
    assert_eq!((server.is_listening(), server.connections(), server.address()), (false, 2, None));
    sim.settle();
    assert!(sim.connect(PORT).is_closed() || record.all().is_empty());
    clients[0].write("still served");
    clients[0].finish();
    sim.settle();
    assert_eq!(record.take(), ["data still served", "end", "close finished"]);
    nth(&sockets, 1).destroy();
    sim.settle();
    assert_eq!(record.all(), ["close destroyed", "on_close", "closed", "closed again"]);
    assert_eq!((sim.open_fds(), metrics().listeners), (0, 0));
    oneloop::run().unwrap();
}

#[test]
fn close_without_connections_is_told_by_the_loop() {
    let _sim = Sim::new();
    let record = Record::default();
    let server = serve(PORT, |_| ());
    server.close(recorder(&record, "closed"));
    assert!(record.all().is_empty());
    oneloop::run().unwrap();
    assert_eq!(record.take(), ["closed"]);
    // One that does not listen.
    server.close(recorder(&record, "nothing to close"));
    oneloop::run().unwrap();
    assert_eq!(record.take(), ["nothing to close"]);
}

#[test]
fn a_close_before_listening_is_told_drops_that_callback() {
    let sim = Sim::new();
    let captured = Rc::new(());
    for within in ["outside", "timer", "connection"] {
        let record = Record::default();
        let (log, held) = (record.clone(), captured.clone());
        let server = net::create_server(|_| ());
        let act = move || {
            let (listening, handle) = (log.clone(), server.clone());
            server.listen(PORT, move || drop((handle, held, listening.add("listening")))).unwrap();
            server.close(recorder(&log, "closed"));
        };
        match within {
            "outside" => act(),
            "timer" => drop(oneloop::set_timeout(MS, act)),
            _ => {
                let act = Cell::new(Some(act));
                let other = serve(1, move |_| act.take().unwrap()());
                sim.connect(1).close();
                sim.settle();
                other.close(|| ());
            }
        }
        sim.advance(SECOND);
        assert_eq!(record.all(), ["closed"], "{within}");
        assert_eq!(Rc::strong_count(&captured), 1, "{within}");
    }
}

#[test]
fn it_listens_again_after_its_close_even_from_there() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    let server = serve(PORT, move |_| log.add("connection"));
    let (again, log) = (server.clone(), record.clone());
    server.close(move || again.listen(PORT, recorder(&log, "listening again")).unwrap());
    sim.settle();
    let _client = sim.connect(PORT);
    sim.settle();
    assert_eq!(record.all(), ["listening again", "connection"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_may_close_within_its_own_callbacks() {
    let sim = Sim::new();
    let record = Record::default();
    let place = Rc::new(Cell::new(None::<Server>));
    let (inside, log) = (place.clone(), record.clone());
    let server = serve(PORT, move |socket| {
        if let Some(server) = inside.take() {
            server.close(recorder(&log, "closed"));
        }
        log.watch(&socket);
        socket.end("the last");
    });
    place.set(Some(server));
    let clients: Vec<_> = (0..3).map(|_| sim.connect(PORT)).collect();
    for client in &clients {
        client.finish();
    }
    sim.settle();
    assert!(clients.iter().all(|client| client.text() == "the last"), "those in the backlog too");
    assert_eq!(record.all().iter().filter(|what| *what == "close finished").count(), 3);
    assert_eq!(record.all().last().unwrap(), "closed");
}

// ---- References

#[test]
fn an_unrefd_server_lets_the_loop_end() {
    let _sim = Sim::new();
    let server = serve(PORT, |_| ());
    server.unref();
    assert!(!server.has_ref());
    oneloop::run().unwrap();
    assert!(server.is_listening());
    server.set_ref(true).set_ref(true);
    let later = server.clone();
    oneloop::set_timeout(SECOND, move || _ = later.unref()).unref();
    oneloop::run().unwrap();
    assert_eq!(oneloop::now(), SECOND);
    server.set_ref(true);
    server.close(|| ());
    oneloop::run().unwrap();
    // It stays as it was told when it listens again.
    server.unref();
    server.listen(PORT, || ()).unwrap();
    oneloop::run().unwrap();
    server.close(|| ());
    oneloop::run().unwrap();
}

#[test]
fn a_dropped_handle_is_not_a_closed_server() {
    let sim = Sim::new();
    drop(serve(PORT, |socket| socket.end("still here")));
    let client = sim.connect(PORT);
    sim.settle();
    assert_eq!(client.text(), "still here");
}

// ---- Too many

#[test]
fn one_more_than_max_connections_is_closed_and_told() {
    let sim = Sim::new();
    let (server, sockets) = serve_and_keep(PORT);
    let record = Record::default();
    let log = record.clone();
    server.set_max_connections(2).on_drop(move |peer| log.add(format!("dropped {peer}")));
    let clients: Vec<_> = (0..4).map(|number| sim.connect_from(([10, 0, 0, number], 1000).into(), PORT)).collect();
    sim.settle();
    assert_eq!(record.take(), ["dropped 10.0.0.2:1000", "dropped 10.0.0.3:1000"]);
    assert_eq!(clients.iter().map(|client| client.is_closed()).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!((server.connections(), sockets.borrow().len()), (2, 2));
    clients[0].close();
    sim.settle();
    let client = sim.connect(PORT);
    sim.settle();
    assert!(!client.is_closed() && record.all().is_empty());
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_peer_that_goes_before_it_is_accepted_is_nothing() {
    let sim = Sim::new();
    serve(PORT, |socket| socket.end("hello"));
    sim.abort_next_accept();
    let clients = [sim.connect(PORT), sim.connect(PORT)];
    sim.settle();
    assert!(clients[0].was_reset());
    assert_eq!(clients[1].text(), "hello");
}

// ---- Several listeners, panics

#[test]
fn all_listeners_hear_of_a_connection() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    let server = serve(PORT, move |socket| {
        log.add("first");
        socket.destroy();
    });
    let log = record.clone();
    server.on_connection(move |socket| {
        assert!(socket.is_closed());
        log.watch(&socket);
        log.add("second");
    });
    sim.connect(PORT);
    sim.settle();
    assert_eq!(record.all(), ["first", "second", "close destroyed"]);
}

#[test]
fn a_panic_in_a_servers_callback_does_not_end_it() {
    let sim = Sim::new();
    set_panic_policy(PanicPolicy::Catch);
    let server = net::create_server(|_| panic!("connection"));
    server.listen(PORT, || panic!("listening")).unwrap();
    let reasons = Record::default();
    let log = reasons.clone();
    server.on_connection(move |socket| log.watch(&socket));
    server.on_drop(|_| panic!("drop"));
    server.on_close(|| panic!("close"));
    let client = sim.connect(PORT);
    sim.settle();
    assert!(client.is_closed());
    assert_eq!(reasons.all(), [format!("close {}", CloseReason::Panicked)]);
    server.set_max_connections(0);
    sim.connect(PORT);
    sim.settle();
    assert!(server.is_listening());
    let record = Record::default();
    server.close(recorder(&record, "closed"));
    sim.settle();
    assert_eq!(record.all(), ["closed"]);
}

/// A panic that is resumed out of `run` must not cost the others their events, which come once.
#[test]
fn a_resumed_panic_leaves_the_other_sockets_their_events() {
    let sim = Sim::new();
    let record = Record::default();
    let log = record.clone();
    let first = Cell::new(true);
    serve(PORT, move |socket| {
        log.watch(&socket);
        if first.replace(false) {
            socket.on_data(|_, _| panic!("resumed"));
        }
    });
    let clients: Vec<_> = (0..4).map(|_| sim.connect(PORT)).collect();
    sim.settle();
    for (number, client) in clients.iter().enumerate() {
        client.write(number.to_string());
    }
    let late = sim.connect(PORT);
    let panicked = catch_unwind(AssertUnwindSafe(|| sim.settle()));
    assert!(panicked.is_err());
    late.write("late");
    sim.settle();
    assert_eq!(record.all(), ["data 0", "data 1", "data 2", "data 3", "close panicked", "data late"]);
}

#[test]
fn a_resumed_panic_in_on_connection_leaves_the_backlog_to_be_accepted() {
    let sim = Sim::new();
    let first = Cell::new(true);
    serve(PORT, move |socket| {
        assert!(!first.replace(false), "resumed");
        socket.end("served");
    });
    let clients: Vec<_> = (0..3).map(|_| sim.connect(PORT)).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| sim.settle())).is_err());
    sim.settle();
    assert_eq!(clients.iter().map(|client| client.text()).collect::<Vec<_>>(), ["", "served", "served"]);
}

#[test]
fn a_resumed_panic_leaves_other_threads_their_way_in() {
    let server = net::create_server(|_| panic!("resumed"));
    server.listen(("127.0.0.1", 0), oneloop::stop).unwrap();
    run_real();
    // Two events for one wait: the connection, which panics, and then the post.
    let _client = TcpStream::connect(("127.0.0.1", port_of(&server))).unwrap();
    let remote = oneloop::remote();
    let posted = Arc::new(AtomicUsize::new(0));
    let post = || {
        let posted = posted.clone();
        let sent = remote.post(move || {
            posted.fetch_add(1, Ordering::Relaxed);
            oneloop::stop();
        });
        assert!(sent.is_ok());
    };
    post();
    assert!(catch_unwind(run_real).is_err());
    post();
    while posted.load(Ordering::Relaxed) < 2 {
        run_real();
    }
    server.close(|| ());
    run_real();
}

// ---- Real

#[test]
fn a_real_reset_has_its_reason() {
    let server = net::create_server(|socket| _ = socket.on_data(|_, _| ()));
    let record = Record::default();
    let (log, closing) = (record.clone(), server.clone());
    server.on_connection(move |socket| {
        log.watch_all_but_data(&socket);
        closing.close(|| ());
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let port = port_of(&server);
    let thread = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"x").unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    run_real();
    thread.join().unwrap();
    assert_eq!(record.all(), ["error ConnectionReset", "close reset"]);
}

#[test]
fn many_connections_one_after_another_leave_nothing() {
    let sim = Sim::with_seed(3);
    sim.set_network(Network { latency: MS..=5 * MS, ..Network::default() });
    let server = serve(PORT, |socket| socket.pipe(&socket));
    for number in 0..300_u32 {
        let client = sim.connect(PORT);
        client.write(number.to_string());
        match number % 3 {
            0 => client.finish(),
            1 => client.close(),
            _ => client.reset(),
        }
        sim.advance(20 * MS);
    }
    let metrics = metrics();
    assert_eq!((server.connections(), sim.open_fds(), metrics.connections, metrics.timers), (0, 1, 0, 0));
    assert_eq!(metrics.buffered, 0);
}
