//! Nothing that is sent is lost in silence: it arrives in order, or the socket closes and says why.

use crate::support::http::{Kept, MS, Record, SECOND, serve};
use oneloop::http::{Request, Response};
use oneloop::net::Flow;
use oneloop::sim::Sim;
use oneloop::ws::{self, Endpoint, WebSocket};
use std::io::ErrorKind;

fn endpoint() -> (Sim, Endpoint, Record, Kept<WebSocket>) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (endpoint, record, sockets) = (ws::mount(&server, "/"), Record::default(), Kept::default());
    let keep: Kept<WebSocket> = sockets.clone();
    endpoint.on_open(move |socket, _| keep.put(socket.clone()));
    let add = record.clone();
    endpoint.on_drain(move |socket| add.add(format!("drain {}", socket.buffered_amount())));
    let add = record.clone();
    endpoint.on_close(move |_, close| add.add(format!("{} {}", close.code, close.why)));
    (sim, endpoint, record, sockets)
}

#[test]
fn a_full_socket_says_so_takes_the_message_and_tells_when_it_has_drained() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().pause_reading();
    let socket = sockets.take();
    let mut sent = 0;
    while socket.send(vec![0; 10_000]) == Flow::Ready {
        sent += 1;
        sim.settle();
    }
    assert!(socket.buffered_amount() >= 64 * 1024 && socket.is_open());
    record.expect(&[]);
    client.peer().resume_reading();
    sim.settle();
    assert_eq!(client.told(), vec!["binary 10000"; sent + 1]);
    record.expect(&["drain 0"]);
    assert_eq!(socket.send("more"), Flow::Ready);
}

#[test]
fn a_peer_that_falls_too_far_behind_is_closed_and_never_gets_a_message_behind_a_gap() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().pause_reading();
    let socket = sockets.take();
    let mut taken = 0;
    for number in 0..1_000 {
        if socket.send(format!("{number:>10000}")) != Flow::Closed {
            taken += 1;
        }
        sim.settle();
        if number == 200 {
            // What was crossed once is not forgiven when a little has drained.
            client.peer().read_at_rate(20_000, SECOND);
        }
    }
    assert!((100..500).contains(&taken), "{taken}");
    assert!(!socket.is_open());
    client.peer().resume_reading();
    sim.settle();
    record.expect(&["1006 overflow"]);
    let told = client.told();
    for (number, told) in told.iter().enumerate() {
        assert_eq!(*told, format!("text {number:>10000}"));
    }
}

/// Also where no turn comes in between: in one callback, by sending and by publishing, to a peer that is corked and to others.
#[test]
fn one_callback_cannot_make_more_pending_than_the_limit() {
    const MESSAGE: usize = 100_000;
    for publishes in [false, true] {
        for own_turn in [false, true] {
            let (sim, endpoint, record, sockets) = endpoint();
            let slow = sim.websocket("/");
            slow.peer().pause_reading();
            let (quick, socket) = (sim.websocket("/"), sockets.take());
            socket.subscribe("t");
            let (all, told) = (endpoint.clone(), record.clone());
            endpoint.on_message(move |_, _| {
                let (mut taken, mut most) = (0, 0);
                for _ in 0..100 {
                    let sent = if publishes {
                        all.publish("t", vec![0; MESSAGE]).sent == 1
                    } else {
                        socket.send(vec![0; MESSAGE]) != Flow::Closed
                    };
                    taken += usize::from(sent);
                    most = most.max(socket.buffered_amount());
                }
                // The kernel's buffers have 64 KiB.
                assert!((10..14).contains(&taken) && most <= 1024 * 1024 + 2 * MESSAGE, "{taken}, {most}");
                assert!(!socket.is_open());
                told.add("sent");
            });
            if own_turn { &slow } else { &quick }.send_text("go");
            sim.settle();
            slow.peer().resume_reading();
            sim.settle();
            record.expect(&["sent", "1006 overflow"]);
            assert!(slow.told().len() < 10 && endpoint.len() == 1);
        }
    }
}

/// What the kernel takes meanwhile does not count.
#[test]
fn one_callback_may_send_more_than_the_limit_to_a_peer_that_reads() {
    let (sim, _endpoint, record, sockets) = endpoint();
    sim.set_network(oneloop::sim::Network { buffer: 64 * 1024 * 1024, ..Default::default() });
    let (client, socket) = (sim.websocket("/"), sockets.take());
    for _ in 0..100 {
        assert_ne!(socket.send(vec![0; 100_000]), Flow::Closed);
    }
    assert!(socket.buffered_amount() <= 1024 * 1024 + 200_000);
    sim.settle();
    assert_eq!(client.told(), vec!["binary 100000"; 100]);
    record.expect(&["drain 0"]);
}

#[test]
fn a_message_that_is_larger_than_the_limit_arrives_if_it_is_alone() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().read_at_rate(10_000, 50 * MS);
    let socket = sockets.take();
    assert_eq!(socket.send(vec![0; 5_000_000]), Flow::Full);
    sim.advance(60 * SECOND);
    assert!(client.told().contains(&"binary 5000000".to_owned()));
    record.expect(&["drain 0"]);
}

/// B15 and B17: control frames are not lost because of pending output, and come behind it.
#[test]
fn pongs_and_close_frames_arrive_although_the_socket_is_full() {
    let (sim, endpoint, record, sockets) = endpoint();
    endpoint.on_message(|socket, _| socket.close_with(4000, "as you wish"));
    let client = sim.websocket("/");
    client.peer().pause_reading();
    let socket = sockets.take();
    for _ in 0..30 {
        socket.send(vec![0; 10_000]).ignore();
        sim.settle();
    }
    for number in 0..100 {
        client.ping(number.to_string());
    }
    sim.settle();
    let before = socket.buffered_amount();
    assert!(before < 301_000, "pongs wait: {before}");
    client.peer().resume_reading();
    sim.settle();
    let told = client.told();
    assert_eq!(told[30..], ["pong 99"], "the newest alone");
    client.peer().pause_reading();
    for _ in 0..30 {
        socket.send(vec![0; 10_000]).ignore();
        sim.settle();
    }
    client.send_text("close");
    sim.settle();
    client.peer().resume_reading();
    sim.settle();
    assert_eq!(client.told()[30..], ["close 4000 as you wish"]);
    assert_eq!(record.all().last().unwrap(), "4000 finished");
}

#[test]
fn a_peer_that_takes_nothing_is_closed_after_a_minute_although_it_talks() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().pause_reading();
    let socket = sockets.take();
    for _ in 0..30 {
        socket.send(vec![0; 10_000]).ignore();
        sim.settle();
    }
    for _ in 0..58 {
        client.send_text("hello");
        sim.advance(SECOND);
    }
    record.expect(&[]);
    sim.advance(4 * SECOND);
    record.expect(&["1006 write-stall"]);
}

/// Behind a network that holds little, so that what the peer reads shows at once.
#[test]
fn a_peer_that_reads_too_slowly_is_cut_and_one_that_reads_just_quickly_enough_is_not() {
    for (rate, closed) in [(200, true), (300, false)] {
        let (sim, _endpoint, record, sockets) = endpoint();
        sim.set_network(oneloop::sim::Network { buffer: 600, ..Default::default() });
        let client = sim.websocket("/");
        client.peer().read_at_rate(rate, SECOND);
        sockets.take().send(vec![0; 1_000_000]).ignore();
        sim.advance(25 * SECOND);
        record.expect(&[]);
        sim.advance(75 * SECOND);
        record.expect(if closed { &["1006 slow-send"] } else { &[] });
    }
}

#[test]
fn a_slow_reader_that_makes_progress_is_not_cut_for_its_late_pong() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().read_at_rate(3_000, SECOND);
    let socket = sockets.take();
    for _ in 0..50 {
        socket.send(vec![0; 10_000]).ignore();
        sim.settle();
    }
    sim.advance(150 * SECOND);
    record.expect(&[]);
    sim.advance(100 * SECOND);
    record.expect(&["drain 0"]);
    assert!(socket.is_open());
}

/// Such a socket closes in the iteration after the write.
#[test]
fn a_socket_that_cannot_be_written_to_is_not_open() {
    for failing in 0..4 {
        let (sim, endpoint, record, sockets) = endpoint();
        endpoint.on_message(|socket, message| socket.send(message).ignore());
        let client = sim.websocket("/");
        let socket = sockets.take();
        assert!(socket.subscribe("t"));
        client.send_text("hello");
        sim.fail_call(failing, ErrorKind::BrokenPipe);
        let here = (endpoint.clone(), socket.clone());
        // In each iteration: a socket that is open takes what is sent and published, and another one does not.
        let each = move || {
            let (endpoint, socket) = &here;
            let open = socket.is_open();
            assert_eq!((endpoint.publish("t", "x").sent == 1, socket.send("y") != Flow::Closed), (open, open));
            false
        };
        sim.run_until(each, SECOND);
        assert_eq!(record.take(), ["1006 reset"], "call {failing}");
    }
}

#[test]
fn a_close_stands_behind_what_is_pending() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.peer().pause_reading();
    let socket = sockets.take();
    for _ in 0..30 {
        socket.send(vec![0; 10_000]).ignore();
    }
    client.close(1000, "");
    sim.settle();
    client.peer().resume_reading();
    sim.settle();
    let told = client.told();
    assert_eq!((told.len(), told[30].as_str()), (31, "close 1000 "));
    record.expect(&["1000 finished"]);
}
