use super::*;
use proptest::prelude::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

const LISTENER: usize = 0;
const CLIENT: usize = 1;
const SERVER: usize = 2;
const MS: Duration = Duration::from_millis(1);

fn how() -> ListenHow {
    ListenHow::new(511)
}

fn local(port: u16) -> Address {
    Address::Ip(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn listen(world: &World, port: u16) -> Listener {
    let listener = world.listen(&Bind::Any { port }, &how()).unwrap();
    world.register_listener(&listener, LISTENER);
    listener
}

/// The events of the sources that are ready without the clock moving.
fn events(world: &World) -> Vec<(usize, Ready)> {
    let mut out = Vec::new();
    world.wait(Some(Duration::ZERO), &mut out).unwrap();
    out.iter().map(|event| (event.token, event.ready)).collect()
}

/// Both ends of an established connection, registered, their first edges taken.
fn pair(world: &World) -> (Stream, Stream) {
    let listener = listen(world, 80);
    let client = world.connect(&local(80)).unwrap();
    world.register(&client, CLIENT);
    assert_eq!(events(world), [(LISTENER, Ready::READ), (CLIENT, Ready::WRITE)]);
    let (server, _) = world.accept(&listener).unwrap();
    world.register(&server, SERVER);
    assert_eq!(events(world), [(SERVER, Ready::WRITE)]);
    (client, server)
}

fn read(stream: &Stream) -> Result<Vec<u8>, ErrorKind> {
    let mut buffer = [0; 1024];
    { stream }.read(&mut buffer).map(|length| buffer[..length].to_vec()).map_err(|error| error.kind())
}

fn write(stream: &Stream, bytes: &[u8]) -> Result<usize, ErrorKind> {
    { stream }.write(bytes).map_err(|error| error.kind())
}

const READ_WRITE: Ready = Ready(Ready::READ.0 | Ready::WRITE.0);
const FIN: Ready = Ready(READ_WRITE.0 | Ready::READ_CLOSED.0);
const RST: Ready = Ready(FIN.0 | Ready::ERROR.0);

#[test]
fn bytes_make_one_edge_and_are_read_until_would_block() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    assert_eq!(read(&server), Err(ErrorKind::WouldBlock));
    write(&client, b"one").unwrap();
    write(&client, b"two").unwrap();
    assert_eq!(read(&server), Err(ErrorKind::WouldBlock), "nothing changes between waits");
    assert_eq!(events(&world), [(SERVER, READ_WRITE)]);
    assert_eq!(events(&world), [], "an edge comes once");
    assert_eq!(read(&server).unwrap(), b"onetwo");
    assert_eq!(read(&server), Err(ErrorKind::WouldBlock));
}

#[test]
fn a_vectored_write_takes_all_pieces() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    let pieces = [io::IoSlice::new(b"he"), io::IoSlice::new(b""), io::IoSlice::new(b"ad")];
    assert_eq!((&client).write_vectored(&pieces).unwrap(), 4);
    events(&world);
    assert_eq!(read(&server).unwrap(), b"head");
}

#[test]
fn room_is_told_of_after_a_write_that_was_not_accepted_whole() {
    let world = World::new(0);
    world.set_network(Network { buffer: 30, ..Network::default() });
    let (client, server) = pair(&world);
    assert_eq!(write(&client, &[7; 40]), Ok(30));
    assert_eq!(write(&client, &[7; 40]), Err(ErrorKind::WouldBlock));
    assert_eq!(events(&world), [(SERVER, READ_WRITE)]);
    assert_eq!((&server).read(&mut [0; 5]).unwrap(), 5);
    assert_eq!(events(&world), [], "less than a third is not worth a wake");
    assert_eq!((&server).read(&mut [0; 5]).unwrap(), 5);
    assert_eq!(events(&world), [(CLIENT, Ready::WRITE)]);
    assert_eq!(write(&client, &[7; 40]), Ok(10));
    read(&server).unwrap();
    assert_eq!(events(&world), [(SERVER, READ_WRITE), (CLIENT, Ready::WRITE)]);
}

#[test]
fn a_half_closed_connection_still_carries_the_answer() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    write(&client, b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(write(&client, b"more"), Err(ErrorKind::BrokenPipe));
    assert_eq!(events(&world), [(SERVER, FIN)]);
    assert_eq!(read(&server).unwrap(), b"question");
    assert_eq!(read(&server).unwrap(), b"");
    write(&server, b"answer").unwrap();
    drop(server);
    assert_eq!(events(&world), [(CLIENT, FIN)]);
    assert_eq!(read(&client).unwrap(), b"answer");
    assert_eq!(read(&client).unwrap(), b"");
}

#[test]
fn a_close_with_unread_input_is_a_reset_that_takes_the_answer_along() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    write(&client, b"question").unwrap();
    events(&world);
    write(&server, b"answer").unwrap();
    drop(server);
    assert_eq!(events(&world), [(CLIENT, RST)]);
    assert_eq!(read(&client), Err(ErrorKind::ConnectionReset));
    assert_eq!(read(&client).unwrap(), b"");
    assert_eq!(write(&client, b"more"), Err(ErrorKind::BrokenPipe));
    assert_eq!(client.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
}

#[test]
fn bytes_for_a_closed_end_are_answered_with_a_reset() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    drop(server);
    assert_eq!(events(&world), [(CLIENT, FIN)]);
    assert_eq!(write(&client, b"late"), Ok(4));
    assert_eq!(events(&world), [(CLIENT, RST)]);
    assert_eq!(client.take_error().unwrap().unwrap().kind(), ErrorKind::BrokenPipe);
    assert!(client.take_error().unwrap().is_none());
}

#[test]
fn a_reset_on_close_is_seen_as_one() {
    let world = World::new(0);
    let (client, server) = pair(&world);
    server.set_reset_on_close(true);
    drop(server);
    assert_eq!(events(&world), [(CLIENT, RST)]);
    assert_eq!(write(&client, b"x"), Err(ErrorKind::ConnectionReset));
}

#[test]
fn nobody_listens() {
    let world = World::new(0);
    let client = world.connect(&local(81)).unwrap();
    world.register(&client, CLIENT);
    assert_eq!(events(&world), [(CLIENT, RST)]);
    assert_eq!(client.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn who_gives_up_connecting_leaves_nobody_waiting() {
    let world = World::new(0);
    world.set_network(Network { latency: MS..=MS, ..Network::default() });
    let listener = listen(&world, 80);
    let client = world.connect(&local(80)).unwrap();
    let mut out = Vec::new();
    world.wait(None, &mut out).unwrap();
    drop(client);
    let (server, _) = world.accept(&listener).unwrap();
    world.register(&server, SERVER);
    out.clear();
    world.wait(Some(5 * MS), &mut out).unwrap();
    assert_eq!(out, [Event { token: SERVER, ready: Ready::WRITE }]);
    out.clear();
    world.wait(Some(5 * MS), &mut out).unwrap();
    assert_eq!(out, [Event { token: SERVER, ready: RST }]);
}

#[test]
fn a_full_backlog_lets_a_connection_wait() {
    let world = World::new(0);
    let listener = world.listen(&Bind::Any { port: 80 }, &ListenHow { backlog: 1, ..how() }).unwrap();
    world.register_listener(&listener, LISTENER);
    let _first = world.connect(&local(80)).unwrap();
    let _second = world.connect(&local(80)).unwrap();
    assert_eq!(events(&world), [(LISTENER, Ready::READ)]);
    assert!(world.accept(&listener).is_ok());
    assert_eq!(world.accept(&listener).err().unwrap().kind(), ErrorKind::WouldBlock);
    let mut out = Vec::new();
    world.wait(None, &mut out).unwrap();
    assert_eq!(world.now(), Duration::from_secs(1));
    assert!(world.accept(&listener).is_ok());
}

#[test]
fn without_file_descriptors_a_connection_can_only_be_shed() {
    let world = World::new(0);
    let listener = listen(&world, 80);
    let peer = world.connect_scripted(None, &local(80));
    world.register(&peer, CLIENT);
    world.set_fd_limit(Some(FdLimit::Process(1)));
    events(&world);
    assert_eq!(world.accept(&listener).err().unwrap().raw_os_error(), Some(24));
    assert_eq!(world.connect(&local(80)).err().unwrap().raw_os_error(), Some(24));
    assert!(world.shed(&listener).unwrap());
    assert!(!world.shed(&listener).unwrap());
    assert_eq!(events(&world), [(CLIENT, FIN)]);

    world.set_fd_limit(Some(FdLimit::System(1)));
    assert_eq!(world.accept(&listener).err().unwrap().raw_os_error(), Some(23));
    assert_eq!(world.shed(&listener).err().unwrap().raw_os_error(), Some(23));
    world.set_fd_limit(None);
    assert_eq!(world.accept(&listener).err().unwrap().kind(), ErrorKind::WouldBlock);
    drop(listener);
    assert_eq!(world.open_fds(), 0);
}

#[test]
fn a_connection_may_be_aborted_before_it_is_accepted() {
    let world = World::new(0);
    let listener = listen(&world, 80);
    let _peers = [world.connect_scripted(None, &local(80)), world.connect_scripted(None, &local(80))];
    events(&world);
    world.abort_next_accept();
    assert_eq!(world.accept(&listener).err().unwrap().kind(), ErrorKind::ConnectionAborted);
    assert!(world.accept(&listener).is_ok());
}

#[test]
fn ports_are_taken_once_and_given_out_in_order() {
    let world = World::new(0);
    let first = listen(&world, 80);
    assert_eq!(first.local_addr().to_string(), "[::]:80");
    assert_eq!(world.listen(&Bind::Any { port: 80 }, &how()).err().unwrap().kind(), ErrorKind::AddrInUse);
    drop(first);
    assert!(world.listen(&Bind::Any { port: 80 }, &how()).is_ok());
    let any = || world.listen(&Bind::Any { port: 0 }, &how()).unwrap();
    let ports = [any(), any()].map(|listener| listener.local_addr().port().unwrap());
    assert_eq!(ports, [49_152, 49_153]);
}

#[test]
fn several_listeners_of_one_port_take_turns() {
    let world = World::new(0);
    let shared = ListenHow { reuse_port: true, ..how() };
    let listeners = [0, 1].map(|_| world.listen(&Bind::Any { port: 80 }, &shared).unwrap());
    assert!(world.listen(&Bind::Any { port: 80 }, &how()).is_err(), "all of them must ask for it");
    let _clients = [0, 1].map(|_| world.connect(&local(80)).unwrap());
    events(&world);
    assert!(listeners.iter().all(|listener| world.accept(listener).is_ok()));
}

#[test]
fn the_most_precise_listener_is_found_and_addresses_are_told() {
    let world = World::new(0);
    let one: SocketAddr = "127.0.0.2:80".parse().unwrap();
    let precise = world.listen(&Bind::Ip(one), &how()).unwrap();
    let any = world.listen(&Bind::Any { port: 80 }, &how()).unwrap();
    let client = world.connect(&one.into()).unwrap();
    events(&world);
    assert!(world.accept(&any).is_err());
    let (server, from) = world.accept(&precise).unwrap();
    assert_eq!(server.local_addr(), one.into());
    assert_eq!(client.peer_addr().unwrap(), one.into());
    assert_eq!((client.local_addr(), server.peer_addr().unwrap()), (from.clone(), from));
}

#[test]
fn unix_paths_are_addresses_too() {
    let world = World::new(0);
    let path = Address::Unix(Some("/run/app.sock".into()));
    let listener = world.listen(&Bind::Unix("/run/app.sock".into()), &how()).unwrap();
    assert_eq!(listener.local_addr(), path);
    let client = world.connect(&path).unwrap();
    events(&world);
    let (server, from) = world.accept(&listener).unwrap();
    assert_eq!((client.peer_addr().unwrap(), from), (path, Address::Unix(None)));
    drop(server);
}

#[test]
fn a_closed_listener_resets_who_waits() {
    let world = World::new(0);
    let listener = listen(&world, 80);
    let peer = world.connect_scripted(None, &local(80));
    world.register(&peer, CLIENT);
    events(&world);
    drop(listener);
    assert_eq!(events(&world), [(CLIENT, RST)]);
}

#[test]
fn jobs_take_their_time_and_wake_the_loop() {
    let world = World::new(0);
    world.configure_pool(1, 1);
    let (done, results) = std::sync::mpsc::channel();
    let job = |number: u32| -> Job {
        let (done, waker) = (done.clone(), world.waker());
        Box::new(move || {
            let _ = done.send(number);
            waker.wake();
        })
    };
    assert!(world.spawn(Lane::Program, job(1)).is_ok());
    assert!(world.spawn(Lane::Program, job(2)).is_ok());
    assert!(world.spawn(Lane::Program, job(3)).is_err(), "one is done, one waits");
    for number in [1, 2] {
        let mut out = Vec::new();
        world.wait(None, &mut out).unwrap();
        assert_eq!(out, [Event { token: WAKE, ready: Ready::READ }]);
        assert_eq!(world.now(), MS * number);
        assert_eq!(results.try_iter().collect::<Vec<_>>(), [number]);
        assert!(world.waker().clear());
    }
}

#[test]
fn names_are_looked_up_in_the_worlds_table() {
    let world = World::new(0);
    world.set_host("example.test", &["192.0.2.1".parse().unwrap()]);
    let look_up = |host: &str| {
        let found = world.resolver()(host, 80);
        found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>()).map_err(|error| error.kind())
    };
    assert_eq!(look_up("localhost").unwrap(), ["127.0.0.1:80"]);
    assert_eq!(look_up("::1").unwrap(), ["[::1]:80"]);
    assert_eq!(look_up("Example.TEST").unwrap(), ["192.0.2.1:80"]);
    assert_eq!(look_up("nowhere.test"), Err(ErrorKind::NotFound));
}

#[test]
fn the_clock_moves_to_what_comes_first() {
    let world = World::new(0);
    world.at(10 * MS, |world| world.waker().wake());
    let mut out = Vec::new();
    world.wait(Some(3 * MS), &mut out).unwrap();
    assert_eq!((world.now(), out.len()), (3 * MS, 0));
    assert_eq!(httpdate::fmt_http_date(world.wall()), "Thu, 01 Jan 2026 00:00:00 GMT");
    world.wait(Some(30 * MS), &mut out).unwrap();
    assert_eq!((world.now(), out.len()), (10 * MS, 1));
    world.wait(None, &mut out).unwrap();
    assert_eq!(world.now(), 10 * MS, "a pending wake is told of at once");
    assert!(world.waker().clear());
    assert!(world.wait(None, &mut out).is_err());
    assert!(world.at_rest());
}

#[test]
fn the_clock_never_passes_the_horizon() {
    let world = World::new(0);
    world.at(10 * MS, |world| world.waker().wake());
    world.set_horizon(Some(7 * MS));
    let mut out = Vec::new();
    world.wait(None, &mut out).unwrap();
    assert!(world.horizon_reached() && !world.at_rest());
    assert_eq!((world.now(), out.len()), (7 * MS, 0));
    world.set_horizon(Some(10 * MS));
    world.wait(None, &mut out).unwrap();
    assert!(!world.horizon_reached(), "what happens on the horizon happens");
    assert_eq!((world.now(), out.len()), (10 * MS, 1));
}

#[test]
fn occurrences_of_one_time_keep_their_order() {
    let world = World::new(0);
    let seen = Rc::new(RefCell::new(Vec::new()));
    for (time, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
        let seen = seen.clone();
        world.at(time * MS, move |_| seen.borrow_mut().push(name));
    }
    let _ = world.wait(None, &mut Vec::new());
    assert_eq!(*seen.borrow(), ["a", "b", "c", "d"]);
}

/// Sends `bytes` from a client to a server as a careful program would. Returns the bytes that arrived, and a trace of all
/// events that the loop would have seen.
fn transfer(seed: u64, network: Network, bytes: &[u8], buffer: usize) -> (Vec<u8>, Vec<(Duration, usize, Ready)>) {
    let world = World::new(seed);
    world.set_network(network);
    let listener = listen(&world, 80);
    let client = world.connect(&local(80)).unwrap();
    world.register(&client, CLIENT);
    let mut client = Some(client);
    let mut server = None;
    let (mut sent, mut arrived, mut trace) = (0, Vec::new(), Vec::new());
    let mut landing = vec![0; buffer];
    loop {
        let mut out = Vec::new();
        world.wait(Some(Duration::from_secs(1000)), &mut out).unwrap();
        assert!(!out.is_empty(), "an edge was lost: {sent} sent and {} arrived of {}", arrived.len(), bytes.len());
        for event in out {
            trace.push((world.now(), event.token, event.ready));
            match event.token {
                LISTENER => {
                    let (io, _) = world.accept(&listener).unwrap();
                    world.register(&io, SERVER);
                    server = Some(io);
                }
                CLIENT if event.ready.has(Ready::WRITE) => {
                    while sent < bytes.len() {
                        let Ok(length) = client.as_ref().unwrap().write(&bytes[sent..]) else { break };
                        sent += length;
                    }
                    if sent == bytes.len() {
                        client.as_ref().unwrap().shutdown(Shutdown::Write).unwrap();
                    }
                }
                SERVER if event.ready.has(Ready::READ) => loop {
                    match server.as_ref().unwrap().read(&mut landing) {
                        Ok(0) => {
                            drop(client.take());
                            return (arrived, trace);
                        }
                        Ok(length) => {
                            arrived.extend_from_slice(&landing[..length]);
                            // A short read means that all was read, unless the end was announced.
                            if length < landing.len() && !event.ready.has(Ready::READ_CLOSED) {
                                break;
                            }
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            break;
                        }
                    }
                },
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_rough_the_network_all_bytes_arrive_in_order_and_no_edge_is_lost(
        seed: u64, length in 0usize..5000, buffer in 1usize..300, capacity in 1usize..3000, latency in 0u32..5,
        splits: bool, partial_writes: bool, read_splits: bool,
    ) {
        let network = Network {
            latency: Duration::ZERO..=latency * MS, splits, partial_writes, read_splits, buffer: capacity,
        };
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let (arrived, trace) = transfer(seed, network.clone(), &bytes, buffer);
        prop_assert_eq!(&arrived, &bytes);
        prop_assert_eq!(transfer(seed, network, &bytes, buffer).1, trace, "the same seed is the same run");
    }
}
