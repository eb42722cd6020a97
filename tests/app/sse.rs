//! Server-sent events: what a reader gets, what it missed, and how a stream ends.

use crate::support::http::*;
use oneloop::app::{Channel, Event, Events};
use oneloop::http::{Response, Server};
use oneloop::net::CloseReason;
use oneloop::sim::{Network, Peer, Sim};
use std::time::Duration;

fn request(method: &str, last: Option<&str>) -> String {
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    format!("{method} /events HTTP/1.1\r\nHost: a\r\n{last}\r\n")
}

/// A server whose only answer is a stream of the channel.
fn on_air(channel: &Channel) -> (Sim, Server) {
    let channel = channel.clone();
    serve(move |req, res| channel.add(&req, res))
}

fn reader(sim: &Sim, last: Option<&str>) -> Peer {
    let peer = send(sim, request("GET", last));
    sim.advance(10 * MS);
    peer
}

/// The text of the stream, without the head and the chunks' sizes.
fn stream(peer: &Peer) -> String {
    let text = peer.text();
    let (head, mut rest) = text.split_once("\r\n\r\n").expect("there is no head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let mut content = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        content += &behind[..size];
        rest = &behind[size + 2..];
    }
    content
}

fn has_ended(peer: &Peer) -> bool {
    peer.text().ends_with("\r\n0\r\n\r\n")
}

fn ids(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
}

// ---- What is sent

#[test]
fn the_head_says_that_nobody_may_keep_or_gather_the_stream() {
    let (sim, _server) = serve(|_, res| res.sse().end());
    let peer = send(&sim, request("GET", None));
    sim.advance(MS);
    let text = peer.text();
    for field in ["Content-Type: text/event-stream", "Cache-Control: no-store, no-transform", "X-Accel-Buffering: no"] {
        assert!(text.contains(&format!("\r\n{field}\r\n")), "{field}: {text}");
    }
}

#[test]
fn data_is_split_over_lines_however_they_end() {
    for (data, sent) in [
        ("", "data: \n\n"),
        ("one", "data: one\n\n"),
        ("one\ntwo", "data: one\ndata: two\n\n"),
        ("one\r\ntwo\rthree", "data: one\ndata: two\ndata: three\n\n"),
        ("end\n", "data: end\ndata: \n\n"),
        ("\n\r\n", "data: \ndata: \ndata: \n\n"),
        ("\r\r", "data: \ndata: \ndata: \n\n"),
        ("id: 7\n\nevent: x", "data: id: 7\ndata: \ndata: event: x\n\n"),
        ("größe\u{2028}same line", "data: größe\u{2028}same line\n\n"),
    ] {
        assert_eq!(Event::data(data).to_string(), sent, "{data:?}");
    }
}

#[test]
fn names_and_ids_cannot_write_fields_of_their_own() {
    for bad in ["a\nb", "a\rb", "\r\n", "a\0b", "\n"] {
        assert!(Event::data("").name(bad).is_err(), "{bad:?}");
        assert!(Event::data("").id(bad).is_err(), "{bad:?}");
    }
    let event = Event::data("x").name("added").unwrap().id("7: é").unwrap().retry(Duration::from_millis(1500));
    assert_eq!(event.to_string(), "id: 7: é\nevent: added\nretry: 1500\ndata: x\n\n");
}

#[cfg(feature = "json")]
#[test]
fn json_is_one_line_of_data() {
    assert_eq!(Event::json("two\nlines").unwrap().to_string(), "data: \"two\\nlines\"\n\n");
}

#[test]
fn an_event_reaches_all_readers_at_once() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    let readers = [reader(&sim, None), reader(&sim, None), reader(&sim, None)];
    assert_eq!(channel.readers(), 3);
    channel.send(Event::data("hello").id(1).unwrap());
    sim.advance(10 * MS);
    for peer in &readers {
        assert_eq!(stream(peer), "id: 1\ndata: hello\n\n");
    }
}

#[test]
fn a_comment_comes_to_each_reader_every_fifteen_seconds_also_where_events_come() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    let readers: Vec<_> = (0..20).map(|_| reader(&sim, None)).collect();
    for rounds in 1..=3 {
        sim.advance(15 * SECOND);
        channel.send(Event::data("a"));
        assert!(readers.iter().all(|peer| stream(peer).matches(":\n\n").count() == rounds));
    }
}

#[test]
fn so_does_the_stream_of_a_single_reader() {
    let kept = Kept::<Events>::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |_, res| keep.put(res.sse()));
    let peer = reader(&sim, None);
    sim.advance(31 * SECOND);
    assert_eq!(stream(&peer), ":\n\n:\n\n");
    let events = kept.take();
    assert!(events.send(&Event::data("a")));
    drop(events);
    sim.advance(MS);
    assert_eq!(stream(&peer), ":\n\n:\n\ndata: a\n\n");
    assert!(has_ended(&peer));
}

#[test]
fn a_large_channel_writes_in_slices_and_each_reader_gets_all_events_in_order() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    let peers: Vec<_> = (0..1200).map(|_| send(&sim, request("GET", None))).collect();
    sim.advance(10 * MS);
    let got = |number: usize| {
        let line = format!("data: {number}\n");
        peers.iter().filter(|peer| peer.text().contains(&line)).count()
    };
    channel.send(Event::data("0"));
    let before = oneloop::metrics().iterations;
    while got(0) < peers.len() {
        sim.advance(Duration::ZERO);
        oneloop::run_nowait().unwrap();
    }
    assert!(oneloop::metrics().iterations - before >= 3);
    // More events than are kept, while others are on their way.
    let count = 300;
    (1..count).for_each(|number| channel.send(Event::data(number.to_string())));
    sim.advance(10 * MS);
    let expected: Vec<_> = (0..count).map(|number| format!("data: {number}")).collect();
    for peer in &peers {
        let text = stream(peer);
        let data: Vec<_> = text.lines().filter(|line| line.starts_with("data: ")).collect();
        assert_eq!(data, expected);
    }
}

#[test]
fn what_was_sent_is_written_before_the_channel_ends() {
    let channel = Kept::<Channel>::default();
    let given = channel.clone();
    let (sim, _server) = serve(move |req, res| {
        let channel = given.take();
        channel.add(&req, res);
        given.put(channel);
    });
    channel.put(Channel::new());
    let peers: Vec<_> = (0..1200).map(|_| send(&sim, request("GET", None))).collect();
    sim.advance(10 * MS);
    let last = channel.take();
    last.send(Event::data("the last"));
    drop(last);
    sim.advance(10 * MS);
    assert!(peers.iter().all(|peer| stream(peer).contains("data: the last\n") && has_ended(peer)));
}

// ---- Readers that come back

#[test]
fn a_reader_that_comes_back_gets_what_it_missed_and_no_more() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    let first = reader(&sim, None);
    channel.send(Event::data("one"));
    channel.send(Event::data("two"));
    sim.advance(10 * MS);
    let seen = ids(&stream(&first));
    assert!(seen.len() == 2 && seen[0] != seen[1], "{seen:?}");
    first.reset();
    channel.send(Event::data("three"));
    channel.send(Event::data("four"));
    let back = reader(&sim, Some(&seen[1]));
    channel.send(Event::data("five"));
    sim.advance(10 * MS);
    let text = stream(&back);
    let data: Vec<_> = text.lines().filter(|line| line.starts_with("data")).collect();
    assert_eq!(data, ["data: three", "data: four", "data: five"]);
    // Nothing was missed.
    let newest = ids(&text).pop().unwrap();
    assert_eq!(stream(&reader(&sim, Some(&newest))), "");
    // Without an id it is a new reader.
    assert_eq!(stream(&reader(&sim, None)), "");
}

#[test]
fn ids_of_the_program_are_looked_up_as_they_are() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    for id in ["todo/1", "todo/2", "todo/1"] {
        channel.send(Event::data(id).id(id).unwrap());
    }
    assert_eq!(stream(&reader(&sim, Some("todo/2"))), "id: todo/1\ndata: todo/1\n\n");
    assert_eq!(stream(&reader(&sim, Some("todo/1"))), "", "the last one of that id counts");
}

#[test]
fn an_id_that_is_not_known_any_more_is_a_reset_from_which_the_reader_goes_on() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    // Of a server before this one.
    let text = stream(&reader(&sim, Some("17-9")));
    assert!(text.ends_with("\nevent: reset\ndata: \n\n"), "{text}");
    let id = ids(&text).pop().unwrap();
    assert_eq!(stream(&reader(&sim, Some(&id))), "");
    channel.send(Event::data("first"));
    let first = ids(&stream(&reader(&sim, Some(&id)))).pop().unwrap();
    // 256 are kept: the first is the last that can be known.
    (0..255).for_each(|_| channel.send(Event::data("more")));
    assert_eq!(ids(&stream(&reader(&sim, Some(&first)))).len(), 255);
    channel.send(Event::data("one too many"));
    let text = stream(&reader(&sim, Some(&first)));
    assert!(text.contains("\nevent: reset\n") && ids(&text).len() == 1, "{text}");
    assert_eq!(stream(&reader(&sim, Some(&ids(&text)[0]))), "");
}

#[test]
fn a_reader_that_missed_more_than_may_wait_for_it_is_told_to_look_anew() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    channel.send(Event::data("small").id(0).unwrap());
    (1..=63).for_each(|id| channel.send(Event::data("x".repeat(1010)).id(id).unwrap()));
    assert_eq!(ids(&stream(&reader(&sim, Some("0")))).len(), 63);
    (64..=70).for_each(|id| channel.send(Event::data("x".repeat(1010)).id(id).unwrap()));
    assert_eq!(stream(&reader(&sim, Some("0"))), "id: 70\nevent: reset\ndata: \n\n");
}

#[test]
fn two_channels_do_not_take_each_others_ids_for_their_own() {
    let (one, other) = (Channel::new(), Channel::new());
    one.send(Event::data("of the one"));
    let (sim, _server) = on_air(&one);
    sim.advance(SECOND);
    let later = Channel::new();
    later.send(Event::data("of the later"));
    drop(other);
    let readers = later.clone();
    let server = oneloop::http::create_server(move |req, res| readers.add(&req, res));
    server.listen(81, ()).unwrap();
    let id = ids(&stream(&reader(&sim, Some("?")))).pop().unwrap();
    let peer = sim.connect(81);
    peer.write(request("GET", Some(&id)));
    sim.advance(10 * MS);
    assert!(stream(&peer).contains("event: reset"), "{}", stream(&peer));
}

// ---- Limits

#[test]
fn a_reader_that_does_not_read_is_closed_and_the_others_go_on() {
    let channel = Channel::new();
    let record = Record::default();
    let (readers, reasons) = (channel.clone(), record.clone());
    let (sim, _server) = serve(move |req, res: Response| {
        let reasons = reasons.clone();
        res.on_close(move |_, reason| reasons.add(format!("{reason:?}")));
        readers.add(&req, res);
    });
    sim.set_network(Network { buffer: 16 * 1024, ..Network::default() });
    let stuck = sim.connect(PORT);
    stuck.pause_reading();
    stuck.write(request("GET", None));
    let reads = reader(&sim, None);
    for number in 0..200 {
        channel.send(Event::data(format!("{number}: {}", "x".repeat(1000))));
        sim.advance(10 * MS);
    }
    assert_eq!(record.take(), [format!("{:?}", CloseReason::Overflow)]);
    assert_eq!(channel.readers(), 1);
    assert!(stream(&reads).contains("data: 199: "));
}

#[test]
fn one_reader_too_many_gets_503_and_a_place_is_free_when_one_has_gone() {
    let channel = Channel::new();
    channel.set_readers(2);
    let (sim, _server) = on_air(&channel);
    let first = reader(&sim, None);
    let _second = reader(&sim, None);
    let third = only(&reader(&sim, None));
    assert_eq!((third.status, third.field("Retry-After")), (503, Some("5")));
    first.reset();
    sim.advance(10 * MS);
    assert_eq!(channel.readers(), 1);
    assert_eq!(stream(&reader(&sim, None)), "");
}

#[test]
fn a_head_request_gets_the_head_and_no_stream() {
    let channel = Channel::new();
    let (sim, _server) = on_air(&channel);
    let peer = send(&sim, request("HEAD", None) + &get("/"));
    sim.advance(10 * MS);
    assert_eq!(peer.text().matches("HTTP/1.1 200 OK").count(), 2, "{}", peer.text());
    assert_eq!(channel.readers(), 1);
}

// ---- Ends

#[test]
fn a_server_that_begins_to_close_ends_its_streams_at_once() {
    let channel = Channel::new();
    let (sim, server) = on_air(&channel);
    let kept = Kept::<Events>::default();
    let keep = kept.clone();
    server.on_path("/own", move |_, res| keep.put(res.sse()));
    let peers = [reader(&sim, None), reader(&sim, None)];
    let own = send(&sim, get("/own"));
    sim.advance(10 * MS);
    let other = oneloop::http::create_server({
        let channel = channel.clone();
        move |req, res| channel.add(&req, res)
    });
    other.listen(81, ()).unwrap();
    let elsewhere = sim.connect(81);
    elsewhere.write(request("GET", None));
    sim.advance(10 * MS);
    let record = Record::default();
    let closed = record.clone();
    server.close(move || closed.add("closed"));
    sim.advance(10 * MS);
    for peer in peers.iter().chain([&own]) {
        assert!(has_ended(peer), "{}", peer.text());
        peer.finish();
    }
    sim.advance(10 * MS);
    record.expect(&["closed"]);
    assert!(kept.take().is_closed());
    // The streams of another server go on.
    assert_eq!(channel.readers(), 1);
    channel.send(Event::data("still here").id(1).unwrap());
    sim.advance(10 * MS);
    assert_eq!(stream(&elsewhere), "id: 1\ndata: still here\n\n");
}

#[test]
fn a_stream_that_is_asked_for_during_the_close_ends_at_once() {
    let channel = Channel::new();
    let (readers, server) = (channel.clone(), Kept::<Server>::default());
    let closing = server.clone();
    let (sim, handle) = serve(move |req, res| {
        closing.take().close(());
        readers.add(&req, res);
    });
    server.put(handle);
    let peer = reader(&sim, None);
    assert_eq!(only(&peer).body, b"");
    assert_eq!(channel.readers(), 0);
}

#[test]
fn the_last_handle_of_a_channel_ends_all_its_streams() {
    let channel = Kept::<Channel>::default();
    let given = channel.clone();
    let (sim, _server) = serve(move |req, res| {
        let channel = given.take();
        channel.add(&req, res);
        given.put(channel);
    });
    channel.put(Channel::new());
    let peers = [reader(&sim, None), reader(&sim, None)];
    drop(channel.take());
    sim.advance(10 * MS);
    assert!(peers.iter().all(has_ended));
}

#[test]
fn a_reader_that_has_gone_is_noticed_and_its_stream_is_harmless() {
    let kept = Kept::<Events>::default();
    let record = Record::default();
    let (keep, told) = (kept.clone(), record.clone());
    let (sim, _server) = serve(move |_, res| {
        let events = res.sse();
        let told = told.clone();
        events.on_close(move |reason| told.add(format!("{reason:?}")));
        keep.put(events);
    });
    let peer = reader(&sim, None);
    peer.reset();
    sim.advance(SECOND);
    assert_eq!(record.take().len(), 1);
    let events = kept.take();
    assert!(events.is_closed() && !events.send(&Event::data("late")));
    events.end();
    sim.advance(60 * SECOND);
    assert_eq!(oneloop::metrics().connections, 0);
}
