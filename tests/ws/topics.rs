//! What is published reaches those who have subscribed by then, once, in order, and nobody else.

use crate::support::http::{Kept, MS, SECOND, keep_log, logged, serve};
use crate::support::websocket::{frame, text};
use oneloop::http::{Request, Response};
use oneloop::sim::{Sim, WebSocketPeer};
use oneloop::ws::{self, Endpoint, Published, WebSocket};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io;

fn endpoint() -> (Sim, Endpoint, Kept<WebSocket>) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (endpoint, sockets) = (ws::mount(&server, "/"), Kept::default());
    let keep: Kept<WebSocket> = sockets.clone();
    endpoint.on_open(move |socket, _| keep.put(socket.clone()));
    (sim, endpoint, sockets)
}

/// So many clients with their sockets.
fn guests(sim: &Sim, sockets: &Kept<WebSocket>, count: usize) -> Vec<(WebSocketPeer, WebSocket)> {
    (0..count).map(|_| sim.websocket("/")).map(|client| (client, sockets.take())).collect()
}

#[test]
fn subscribers_get_what_is_published_and_the_publisher_does_not() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 4);
    for (_, socket) in &guests[..3] {
        assert!(socket.subscribe("news") && socket.subscribe("news") && socket.is_subscribed("news"));
    }
    guests[0].1.subscribe("sports");
    assert_eq!(guests[0].1.topics().iter().map(|name| &**name).collect::<Vec<_>>(), ["news", "sports"]);
    assert_eq!((endpoint.subscribers("news"), endpoint.subscribers("New"), endpoint.subscribers("sports")), (3, 0, 1));
    assert_eq!(endpoint.publish("news", "to all").sent, 3);
    assert_eq!(guests[0].1.publish("news", b"to others").sent, 2);
    assert_eq!(guests[3].1.publish("news", "from outside").sent, 3);
    assert_eq!(endpoint.publish("nothing", "to nobody").sent, 0);
    sim.settle();
    guests[0].0.expect(&["text to all", "text from outside"]);
    guests[1].0.expect(&["text to all", "binary 9", "text from outside"]);
    guests[3].0.expect(&[]);
    assert_eq!(endpoint.stats().sent, 8);
}

#[test]
fn a_frame_is_encoded_once_and_is_the_same_message_however_often_and_to_whom_it_is_sent() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 2);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    let long = "é".repeat(50_000);
    let frames = [ws::Frame::text("hello"), ws::Frame::binary([7; 200]), ws::Frame::text(&long)];
    assert!(frames[2].is_text() && !frames[1].is_text() && frames[2].as_bytes() == long.as_bytes());
    for frame in &frames {
        let clone = frame.clone();
        guests[0].1.send(frame).ignore();
        endpoint.publish("t", &clone);
        guests[0].1.publish("t", frame);
        sim.advance(SECOND);
    }
    let text = format!("text {long}");
    guests[0].0.expect(&["text hello", "text hello", "binary 200", "binary 200", &text, &text]);
    guests[1].0.expect(&["text hello", "text hello", "binary 200", "binary 200", &text, &text]);
    assert_eq!(endpoint.stats().sent, 12);
}

/// B12 and B13: libraries that publish at the end of an iteration lose or reorder what comes together.
#[test]
fn sending_publishing_subscribing_and_leaving_keep_the_order_of_the_calls() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 2);
    let (client, socket) = &guests[0];
    endpoint.publish("t", "before");
    socket.subscribe("t");
    socket.send("1").ignore();
    endpoint.publish("t", "2");
    socket.send("3").ignore();
    endpoint.publish("t", "4");
    assert!(socket.unsubscribe("t") && !socket.unsubscribe("t"));
    endpoint.publish("t", "after");
    socket.send("5").ignore();
    sim.settle();
    client.expect(&["text 1", "text 2", "text 3", "text 4", "text 5"]);
    // The last words of one who leaves, by a close, in the same turn.
    guests[1].1.subscribe("t");
    socket.subscribe("t");
    socket.publish("t", "farewell");
    socket.close();
    assert_eq!((endpoint.publish("t", "more").sent, endpoint.subscribers("t")), (1, 1));
    sim.settle();
    guests[1].0.expect(&["text farewell", "text more"]);
    client.expect(&["close 1000 "]);
}

#[test]
fn who_closes_has_left_all_topics_also_for_those_who_publish_in_its_end() {
    let (sim, endpoint, sockets) = endpoint();
    let all = endpoint.clone();
    endpoint.on_close(move |socket, _| {
        assert!(socket.topics().is_empty() && !socket.subscribe("room") && !socket.is_subscribed("room"));
        all.publish("room", "one has gone");
    });
    let guests = guests(&sim, &sockets, 3);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("room")));
    guests[0].0.close(1000, "");
    guests[1].1.terminate();
    sim.settle();
    guests[2].0.expect(&["text one has gone", "text one has gone"]);
    assert_eq!((endpoint.subscribers("room"), endpoint.len()), (1, 1));
}

/// B14: one that is closed while a message is published.
#[test]
fn a_subscriber_who_does_not_read_is_closed_and_the_others_get_everything() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 5);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    guests[2].0.peer().pause_reading();
    for number in 0..300 {
        endpoint.publish("t", format!("{number:>10000}"));
        sim.advance(MS);
    }
    assert_eq!(endpoint.len(), 4);
    for (client, _) in guests.iter().filter(|(client, _)| client.told().len() != 300) {
        assert!(client.peer().is_closed());
    }
}

#[test]
fn who_is_full_is_skipped_where_the_publisher_says_so_and_counted() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 2);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("price")));
    guests[0].0.peer().pause_reading();
    let mut skipped = 0;
    for number in 0..100 {
        let published = endpoint.publish_or_skip("price", format!("{number:>10000}"));
        assert_eq!(published.sent + published.skipped, 2);
        skipped += published.skipped;
        sim.advance(MS);
    }
    guests[0].0.peer().resume_reading();
    sim.advance(SECOND);
    let (slow, fast) = (guests[0].0.told(), guests[1].0.told());
    assert_eq!((fast.len(), slow.len() + skipped), (100, 100));
    assert!(slow.len() > 5 && slow.is_sorted() && endpoint.len() == 2);
}

#[test]
fn a_large_message_is_shared_and_arrives_whole() {
    let (sim, endpoint, sockets) = endpoint();
    let guests = guests(&sim, &sockets, 20);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    endpoint.publish("t", vec![7; 500_000]);
    guests.iter().for_each(|(_, socket)| assert!(socket.buffered_amount() >= 500_000));
    sim.settle();
    guests.iter().for_each(|(client, _)| client.expect(&["binary 500000"]));
}

#[test]
fn too_many_subscriptions_and_too_long_names_are_refused_and_logged() {
    keep_log();
    let (sim, endpoint, sockets) = endpoint();
    let mut limits = endpoint.limits();
    limits.subscriptions = 2;
    endpoint.set_limits(limits);
    let (_client, socket) = guests(&sim, &sockets, 1).remove(0);
    assert!(!socket.subscribe(&"x".repeat(257)) && socket.subscribe(&"x".repeat(256)) && socket.subscribe(""));
    assert!(!socket.subscribe("one too many") && socket.subscribe(""));
    assert_eq!((endpoint.publish("", "to the empty name").sent, logged().len()), (1, 2));
    assert!(socket.unsubscribe("") && socket.subscribe("another"));
}

fn set_deliveries(endpoint: &Endpoint, deliveries: usize) {
    let mut limits = endpoint.limits();
    limits.deliveries = deliveries;
    endpoint.set_limits(limits);
}

fn receivers(published: Published) -> usize {
    published.sent + published.later
}

#[test]
fn what_is_published_to_many_goes_out_over_several_iterations_and_each_does_no_more_than_its_part() -> io::Result<()> {
    let (sim, endpoint, sockets) = endpoint();
    set_deliveries(&endpoint, 10);
    let guests = guests(&sim, &sockets, 25);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    let first = endpoint.publish("t", "1");
    let second = guests[3].1.publish("t", "2");
    assert_eq!((first.sent, first.later, second.sent, second.later, endpoint.stats().waiting), (0, 25, 0, 24, 2));
    let mut before = 0;
    let mut iterations = 0;
    while endpoint.stats().waiting > 0 {
        oneloop::run_nowait()?;
        // One who gets both at once may be the last of an iteration.
        let sent = endpoint.stats().sent;
        assert!(sent - before <= 11, "{sent} after {before}");
        (before, iterations) = (sent, iterations + 1);
    }
    assert!((5..=9).contains(&iterations), "{iterations}");
    sim.settle();
    for (number, (client, _)) in guests.iter().enumerate() {
        client.expect(if number == 3 { &["text 1"] } else { &["text 1", "text 2"] });
    }
    Ok(())
}

/// The order of the calls holds for each socket, whatever the calls are.
#[test]
fn what_waits_reaches_a_socket_before_anything_else_that_it_is_sent_and_nobody_who_comes_later() {
    let (sim, endpoint, sockets) = endpoint();
    set_deliveries(&endpoint, 1);
    let guests = guests(&sim, &sockets, 7);
    guests[..6].iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    endpoint.publish("t", "1");
    guests[0].1.send("2").ignore();
    assert!(guests[1].1.unsubscribe("t"));
    guests[2].1.close();
    guests[3].1.subscribe("u");
    guests[4].1.terminate();
    guests[5].1.ping(b"2");
    guests[6].1.subscribe("t");
    endpoint.publish("t", "3");
    endpoint.publish("u", "4");
    sim.settle();
    guests[0].0.expect(&["text 1", "text 2", "text 3"]);
    guests[1].0.expect(&["text 1"]);
    guests[2].0.expect(&["text 1", "close 1000 "]);
    guests[3].0.expect(&["text 1", "text 3", "text 4"]);
    guests[5].0.expect(&["text 1", "ping 2", "text 3"]);
    guests[6].0.expect(&["text 3"]);
    assert_eq!(endpoint.stats().waiting, 0);
}

/// A small topic does not wait until all have got what a large one has published.
#[test]
fn topics_that_wait_take_turns() -> io::Result<()> {
    let (sim, endpoint, sockets) = endpoint();
    set_deliveries(&endpoint, 5);
    let guests = guests(&sim, &sockets, 30);
    guests[..28].iter().for_each(|(_, socket)| assert!(socket.subscribe("large")));
    guests[28..].iter().for_each(|(_, socket)| assert!(socket.subscribe("small")));
    endpoint.publish("large", "1");
    endpoint.publish("small", "2");
    oneloop::run_nowait()?;
    oneloop::run_nowait()?;
    assert_eq!((endpoint.stats().sent, endpoint.stats().waiting), (10, 1));
    sim.settle();
    guests[28..].iter().for_each(|(client, _)| client.expect(&["text 2"]));
    guests[..28].iter().for_each(|(client, _)| client.expect(&["text 1"]));
    Ok(())
}

/// Who publishes faster than the loop delivers is held up: what waits has a bound.
#[test]
fn what_waits_is_bounded_in_messages_and_in_bytes() {
    let (sim, endpoint, sockets) = endpoint();
    set_deliveries(&endpoint, 1);
    let guests = guests(&sim, &sockets, 3);
    guests.iter().for_each(|(_, socket)| assert!(socket.subscribe("t")));
    let mut most = 0;
    for _ in 0..2_000 {
        endpoint.publish("t", "x");
        most = most.max(endpoint.stats().waiting);
    }
    assert_eq!((most, endpoint.stats().sent), (1_024, 3 * 1_025));
    sim.settle();
    let large = "x".repeat(300_000);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            endpoint.publish("t", &*large);
            endpoint.stats().waiting
        })
        .collect();
    assert_eq!(waiting, [1, 2, 3, 0]);
    sim.settle();
    guests.iter().for_each(|(client, _)| assert_eq!(client.told().len(), 2_004));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Against sets: subscribing, leaving, publishing, sending and closing in any order, from outside and from callbacks.
    #[test]
    fn topics_are_sets_and_each_socket_gets_what_it_is_in_order(
        steps in proptest::collection::vec((0_usize..4, 0_u8..6, 0_u8..3, any::<bool>()), 0..60),
        deliveries in proptest::sample::select(vec![0, 1, 3, 1_024]),
    ) {
        let (sim, endpoint, sockets) = endpoint();
        set_deliveries(&endpoint, deliveries);
        let guests = guests(&sim, &sockets, 4);
        let mut model: Vec<BTreeSet<u8>> = vec![BTreeSet::new(); 4];
        let mut open = [true; 4];
        let mut expected: Vec<Vec<String>> = vec![Vec::new(); 4];
        for (number, (guest, step, topic, settle)) in steps.into_iter().enumerate() {
            let socket = &guests[guest].1;
            let (name, message) = (topic.to_string(), number.to_string());
            let mut publish = |but: Option<usize>| {
                let to: Vec<_> = (0..4).filter(|&to| open[to] && Some(to) != but && model[to].contains(&topic)).collect();
                to.iter().for_each(|&to| expected[to].push(format!("text {message}")));
                to.len()
            };
            match step {
                0 => prop_assert_eq!(socket.subscribe(&name), open[guest]),
                1 => prop_assert_eq!(socket.unsubscribe(&name), model[guest].contains(&topic)),
                2 => prop_assert_eq!(receivers(endpoint.publish(&name, &*message)), publish(None)),
                3 => prop_assert_eq!(receivers(socket.publish(&name, &*message)), publish(Some(guest))),
                4 => if socket.send(&*message) != oneloop::net::Flow::Closed {
                    expected[guest].push(format!("text {message}"));
                },
                _ if number % 7 == 0 => {
                    socket.close();
                    if std::mem::take(&mut open[guest]) {
                        expected[guest].push("close 1000 ".into());
                    }
                }
                _ => guests[guest].0.write([text("x"), frame(0x89, "")].concat()),
            }
            match step {
                0 if open[guest] => _ = model[guest].insert(topic),
                1 => _ = model[guest].remove(&topic),
                _ => {}
            }
            if !open[guest] {
                model[guest].clear();
            }
            if settle {
                sim.settle();
            }
            for topic in 0..3 {
                let count = model.iter().filter(|topics| topics.contains(&topic)).count();
                prop_assert_eq!(endpoint.subscribers(&topic.to_string()), count);
            }
        }
        sim.settle();
        for ((client, _), expected) in guests.iter().zip(expected) {
            let told: Vec<_> = client.told().into_iter().filter(|line| !line.starts_with("pong")).collect();
            prop_assert_eq!(told, expected);
        }
    }
}

/// The place of a closed socket is soon that of another one, who is not the publisher.
#[test]
fn what_a_closed_socket_publishes_reaches_all_who_have_subscribed() {
    let (sim, _endpoint, sockets) = endpoint();
    let (gone, old) = guests(&sim, &sockets, 1).remove(0);
    gone.close(1000, "");
    sim.settle();
    let (client, socket) = guests(&sim, &sockets, 1).remove(0);
    socket.subscribe("news");
    assert_eq!(old.publish("news", "late").sent, 1);
    sim.settle();
    client.expect(&["text late"]);
}
