//! How connections end: with and without the close notice, half-closed, cut off.

use crate::relay::*;
use oneloop::net::{CloseReason, Socket};
use oneloop::sim::{Network, Sim};
use oneloop::tls;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

type Told = Rc<RefCell<Vec<String>>>;

fn watch(socket: &Socket) -> Told {
    let told = Told::default();
    let (data, end, close) = (told.clone(), told.clone(), told.clone());
    socket.on_data(move |_, bytes| data.borrow_mut().push(format!("{} bytes", bytes.len())));
    socket.on_end(move |_| end.borrow_mut().push("end".to_owned()));
    socket.on_close(move |_, reason| close.borrow_mut().push(reason.to_string()));
    told
}

#[test]
fn an_end_without_a_notice_is_no_end_unless_it_is_allowed() {
    for allowed in [false, true] {
        let sim = Rc::new(Sim::new());
        let relay = Relay::new(&sim);
        let server = tls::create_server(context(), |socket| socket.write("part").ignore());
        server.listen(SERVER, ()).unwrap();
        let socket = tls::connect((NAME, RELAY), &client(), |_| ());
        socket.set_allow_unclean_end(allowed);
        let told = watch(&socket);
        sim.settle();
        relay.end(0).finish();
        sim.settle();
        let expected =
            if allowed { ["4 bytes", "end", "finished"].to_vec() } else { ["4 bytes", "truncated"].to_vec() };
        relay.end(0).close();
        sim.settle();
        assert_eq!(*told.borrow(), expected);
    }
}

#[test]
fn each_side_may_end_first_and_the_other_goes_on() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 3_000, ..Network::default() });
    let server = tls::create_server(context(), |socket| {
        socket.set_allow_half_open(true);
        socket.on_data(|_, _| ());
        // After the end of the client, a mebibyte is still to come.
        socket.on_end(|socket| socket.end(vec![b'x'; 1024 * 1024]));
    });
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, SERVER), &client(), |_| ());
    let count = Rc::new(Cell::new(0));
    let counting = count.clone();
    socket.on_data(move |_, bytes| counting.set(counting.get() + bytes.len()));
    socket.end("that is all");
    sim.run_to_rest();
    assert_eq!(count.get(), 1024 * 1024);
    assert_eq!((server.connections(), sim.open_fds()), (0, 1));
    // And the other way round.
    let received = Rc::new(Cell::new(0));
    let receiving = received.clone();
    let server = tls::create_server(context(), move |socket| {
        let received = receiving.clone();
        socket.on_data(move |_, bytes| received.set(received.get() + bytes.len()));
        socket.end("all");
    });
    server.listen(444, ()).unwrap();
    let socket = tls::connect((NAME, 444), &client(), |_| ());
    socket.set_allow_half_open(true);
    socket.on_data(|_, _| ());
    socket.on_end(|socket| socket.end(vec![b'y'; 300_000]));
    sim.run_to_rest();
    assert_eq!(received.get(), 300_000);
}

/// bun#40380, rustls#1895: there the peer's end failed what was on its way to it.
#[test]
fn what_pends_when_the_peer_ends_its_side_is_sent_all_the_same() {
    for server_pends in [true, false] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 3_000, ..Network::default() });
        let (received, pended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (receiving, pending) = (received.clone(), pended.clone());
        let one = move |socket: &Socket, pends: bool| {
            socket.set_allow_half_open(true);
            let (receiving, pending) = (receiving.clone(), pending.clone());
            socket.on_data(move |_, bytes| receiving.set(receiving.get() + bytes.len()));
            if pends {
                socket.write(vec![b'x'; 1024 * 1024]).ignore();
                socket.on_end(move |socket| {
                    pending.set(socket.pending());
                    socket.end(());
                });
            } else {
                socket.end("all");
            }
        };
        let other = one.clone();
        let server = tls::create_server(context(), move |socket| one(&socket, server_pends));
        server.listen(SERVER, ()).unwrap();
        let _socket = tls::connect((NAME, SERVER), &client(), move |socket| other(socket, !server_pends));
        sim.run_to_rest();
        assert_eq!(received.get(), 1024 * 1024 + "all".len());
        assert!(pended.get() > 900_000, "{} bytes have waited", pended.get());
        assert_eq!((server.connections(), sim.open_fds()), (0, 1));
    }
}

#[test]
fn a_destroyed_socket_says_that_nothing_follows_unless_something_is_lost() {
    for lost in [false, true] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 2_000, ..Network::default() });
        let server = tls::create_server(context(), move |socket| {
            socket.write("hello").ignore();
            if lost {
                socket.write(vec![0; 100_000]).ignore();
            }
            let socket = socket.clone();
            oneloop::set_timeout(Duration::from_secs(1), move || socket.destroy());
        });
        server.listen(SERVER, ()).unwrap();
        let socket = tls::connect((NAME, SERVER), &client(), |_| ());
        if lost {
            socket.on_secure(|socket| socket.pause());
        }
        let told = watch(&socket);
        sim.advance(Duration::from_secs(2));
        socket.resume();
        sim.advance(Duration::from_secs(2));
        assert_eq!(told.borrow().last().unwrap(), if lost { "truncated" } else { "finished" });
    }
}

#[test]
fn a_reset_is_no_orderly_end() {
    let sim = Sim::new();
    let server = tls::create_server(context(), |socket| {
        socket.write("hello").ignore();
        oneloop::set_timeout(Duration::from_secs(1), move || socket.reset());
    });
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, SERVER), &client(), |_| ());
    let told = watch(&socket);
    sim.advance(Duration::from_secs(2));
    assert_eq!(*told.borrow(), ["5 bytes", CloseReason::Reset.as_str()]);
}

#[test]
fn a_peer_that_reads_nothing_costs_one_batch_of_ciphertext_and_what_was_pending_counts_as_plaintext() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 1_000, ..Network::default() });
    let server = tls::create_server(context(), |socket| socket.pause());
    server.listen(SERVER, ()).unwrap();
    let socket = tls::connect((NAME, SERVER), &client(), |_| ());
    sim.settle();
    let before = socket.bytes_written();
    socket.write(vec![1; 200_000]).ignore();
    sim.advance(Duration::from_secs(1));
    let gone = (socket.bytes_written() - before) as usize;
    assert_eq!(socket.pending() + gone, 200_000);
    // What the kernel and the server hold: a record of ciphertext counts by and by.
    assert!(gone < 70_000, "{gone}");
}
