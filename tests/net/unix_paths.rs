//! Unix sockets that listen: whose path it is, its permissions, paths that were left behind, names without a path.

use crate::support::folder::Folder;
use crate::support::net::*;
use oneloop::net::{self, Address, Listen, Server, Target};
use oneloop::sim::Sim;
use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;

fn greets(listen: impl Into<Listen>, greeting: &'static str) -> Server {
    let server = net::create_server(move |socket| socket.end(greeting));
    server.listen(listen, || ()).unwrap();
    server
}

/// What a server says, on this thread's loop.
fn greeting(to: impl Into<Target>) -> String {
    let text = Rc::new(Cell::new(String::new()));
    let ended = Rc::new(Cell::new(false));
    let (told, end) = (text.clone(), ended.clone());
    let socket = net::connect(to, |_| ());
    socket.on_data(move |_, bytes| told.set(told.take() + &String::from_utf8_lossy(bytes)));
    socket.on_error(|_, error| panic!("{error}"));
    socket.on_close(move |_, _| end.set(true));
    while !ended.get() {
        oneloop::run_once().unwrap();
    }
    text.take()
}

fn close(server: &Server) {
    server.close(|| ());
    run_real();
}

/// What a process leaves that was killed.
fn leave_behind(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

#[test]
fn a_server_that_closes_leaves_the_socket_of_the_one_that_took_its_place() {
    let folder = Folder::new("unix-restart");
    let path = folder.path("server");
    let old = greets(path.as_path(), "old");
    // The restart: the path is given to the next process, which may be this one.
    std::fs::remove_file(&path).unwrap();
    let new = greets(path.as_path(), "new");
    old.close(|| ());
    assert_eq!(greeting(path.as_path()), "new");
    close(&new);
    assert!(!path.exists());
}

#[test]
fn a_server_that_closes_leaves_what_is_no_socket_of_its_own() {
    let folder = Folder::new("unix-other");
    let path = folder.path("server");
    let server = greets(path.as_path(), "");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    close(&server);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_path_that_is_gone_is_nothing_to_remove() {
    let folder = Folder::new("unix-gone");
    let path = folder.path("server");
    let server = greets(path.as_path(), "");
    std::fs::remove_file(&path).unwrap();
    close(&server);
}

#[test]
fn a_path_where_nobody_listens_is_replaced_where_that_was_asked_for() {
    let folder = Folder::new("unix-stale");
    let path = folder.path("server");
    leave_behind(&path);
    let server = net::create_server(|_| ());
    let error = server.listen(path.as_path(), || ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let server = greets(Listen::from(path.as_path()).replace_stale(true), "here");
    assert_eq!(greeting(path.as_path()), "here");
    close(&server);
    assert!(!path.exists());
}

#[test]
fn a_path_where_somebody_listens_is_not_replaced() {
    let folder = Folder::new("unix-alive");
    let path = folder.path("server");
    let replacing = || {
        let server = net::create_server(|_| ());
        server.listen(Listen::from(path.as_path()).replace_stale(true), || ()).unwrap_err().kind()
    };
    let owner = UnixListener::bind(&path).unwrap();
    assert_eq!(replacing(), ErrorKind::AddrInUse);
    // Nor is it where its backlog is full.
    let full = socket2::SockRef::from(&owner);
    full.listen(1).unwrap();
    owner.set_nonblocking(true).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..10 {
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        let refused = client.connect(&socket2::SockAddr::unix(&path).unwrap()).is_err();
        waiting.push(client);
        if refused {
            break;
        }
    }
    assert_eq!(replacing(), ErrorKind::AddrInUse);
    drop(owner);
    std::fs::remove_file(&path).unwrap();
    // What is no stream socket, or no socket at all, is not looked into any further.
    let datagrams = UnixDatagram::bind(&path).unwrap();
    assert_eq!(replacing(), ErrorKind::AddrInUse);
    drop(datagrams);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    assert_eq!(replacing(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn the_mode_of_a_path_can_be_set() {
    let folder = Folder::new("unix-mode");
    let path = folder.path("server");
    for mode in [0o600, 0o660, 0o666] {
        let server = greets(Listen::from(path.as_path()).mode(mode), "here");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(greeting(path.as_path()), "here");
        close(&server);
    }
}

#[test]
fn a_listener_that_was_inherited_serves_and_keeps_its_path() {
    let folder = Folder::new("unix-inherited");
    let path = folder.path("server");
    let listener = UnixListener::bind(&path).unwrap();
    let kept = listener.try_clone().unwrap();
    let server = greets(listener, "here");
    assert_eq!(server.address(), Some(Address::Unix(Some(path.clone()))));
    assert_eq!(greeting(path.as_path()), "here");
    close(&server);
    assert!(path.exists());
    // What comes now waits for the next one.
    let mut client = UnixStream::connect(&path).unwrap();
    let server = greets(kept, "next");
    let thread = std::thread::spawn(move || {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    });
    while !thread.is_finished() {
        oneloop::set_timeout(MS, || ());
        oneloop::run_once().unwrap();
    }
    assert_eq!(thread.join().unwrap(), "next");
    close(&server);
    assert!(path.exists());
}

#[test]
fn a_text_with_a_slash_is_a_path() {
    let folder = Folder::new("unix-text");
    let path = folder.path("server");
    let text = path.to_str().unwrap();
    let server = greets(text, "here");
    assert_eq!(greeting(text), "here");
    assert_eq!(greeting(format!("unix:{text}")), "here");
    close(&server);
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_is_listened_on_and_connected_to() {
    let name = format!("oneloop-test-{}", std::process::id());
    let address = Address::Abstract(name.clone().into_bytes());
    let server = greets(Listen::abstract_name(&name).backlog(3), "abstract");
    assert_eq!(server.address(), Some(address.clone()));
    assert_eq!(address.to_string(), format!("unix:@{name}"));
    assert_eq!((address.path(), address.ip(), address.port()), (None, None, None));
    assert_eq!(greeting(Target::abstract_name(&name)), "abstract");
    assert_eq!(greeting(format!("@{name}")), "abstract");
    let second = net::create_server(|_| ());
    let error = second.listen(format!("@{name}"), || ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot listen on unix:@{name}: ")), "{error}");
    close(&server);
    let socket = net::connect(Target::abstract_name(&name), |_| panic!("nobody is there"));
    let reason = reason_of(&socket);
    run_real();
    assert_eq!(reason.get(), Some(net::CloseReason::ConnectFailed));
}

#[test]
fn an_abstract_name_is_simulated() {
    let sim = Sim::new();
    let _server = greets("@name", "abstract");
    let client = sim.connect_to(Address::Abstract(b"name".to_vec()));
    sim.settle();
    assert_eq!(client.text(), "abstract");
    assert_eq!(sim.run_until(|| client.is_closed(), SECOND), client.is_closed());
}

#[test]
fn an_inherited_listener_in_a_simulation_is_an_error() {
    let folder = Folder::new("unix-simulated");
    let listener = UnixListener::bind(folder.path("server")).unwrap();
    let _sim = Sim::new();
    let error = net::create_server(|_| ()).listen(listener, || ()).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on an inherited socket: "), "{error}");
}
