//! A keep-alive request that is answered in its callback allocates nothing, over a real socket.
//!
//! `allocation-counter` makes itself the allocator of this test program, and counts by thread; the client runs on the same
//! thread, with a buffer of its own.

mod support;

use crate::support::http::*;
use crate::support::websocket;
use oneloop::event_loop::{RecordingSize, mark_turn_as_own, recording, start_recording, stop_recording};
use oneloop::http;
use oneloop::ws;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

const REQUESTS: usize = 100;

const BROWSER: &str = "GET /plants/7?colour=green HTTP/1.1\r\nHost: localhost:7777\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\r\n";

struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Sends, and reads until so many responses are here.
    fn exchange(&mut self, request: &[u8], responses: usize) {
        self.socket.write_all(request).unwrap();
        let (mut seen, mut at) = (0, 0);
        while seen < responses {
            // Without waiting: the last bytes may still be on their way to us.
            oneloop::run_nowait().unwrap();
            match self.socket.read(&mut self.buffer[at..]) {
                Ok(0) => panic!("closed: {}", String::from_utf8_lossy(&self.buffer[..at])),
                Ok(count) => at += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            seen = self.buffer[..at].windows(9).filter(|window| window == b"HTTP/1.1 ").count();
        }
    }
}

/// Allocations for so many times `request`, each with so many responses, when all is warm.
fn allocations(request: &str, responses: usize, handler: impl FnMut(http::Request, http::Response) + 'static) -> u64 {
    allocations_over(Duration::ZERO, request, responses, &http::create_server(handler))
}

fn allocations_over(at_least: Duration, request: &str, responses: usize, server: &http::Server) -> u64 {
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", server.address().unwrap().port().unwrap())).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut client = Client { socket, buffer: vec![0; 256 * 1024] };
    // A machine that is busy with other things makes a turn slow, and the report of it allocates.
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    for _ in 0..3 {
        client.exchange(request.as_bytes(), responses);
    }
    let counted = allocation_counter::measure(|| {
        let began = Instant::now();
        let mut rounds = 0;
        while rounds < REQUESTS || began.elapsed() < at_least {
            client.exchange(request.as_bytes(), responses);
            rounds += 1;
        }
    });
    server.close_all_connections();
    server.close(|| ());
    oneloop::run().unwrap();
    counted.count_total
}

#[test]
fn a_keep_alive_request_answered_in_its_callback_allocates_nothing() {
    let hello = |req: http::Request, res: http::Response| match req.url() {
        "/seed-a-plant" => res.end("🌱 Plant seeded!"),
        _ => {
            res.set_header("Content-Type", "text/plain; charset=utf-8");
            res.end("Hello from one loop\n");
        }
    };
    assert_eq!(allocations(&get("/seed-a-plant"), 1, hello), 0);
    assert_eq!(allocations(&get("/"), 1, hello), 0);
    assert_eq!(allocations(BROWSER, 1, hello), 0, "with a browser's fields");
    assert_eq!(allocations(&get("/").repeat(16), 16, hello), 0, "pipelined");
    // What is left over for the next turn waits in a buffer of the connection's own, which goes when it is empty: a box and
    // its bytes for a hundred requests.
    assert!(allocations(&get("/").repeat(100), 100, hello) <= 2 * REQUESTS as u64, "more than a turn dispatches");
}

#[test]
fn neither_do_reading_the_head_an_error_status_and_a_body_in_parts() {
    let count = allocations(BROWSER, 1, |req, res| {
        let agent = req.header("user-agent").map_or(0, str::len);
        assert!(agent > 10 && req.headers().count() == 8 && req.query() == Some("colour=green"));
        res.set_status(404);
        res.write("not ").ignore();
        res.write("found").ignore();
        res.end(());
    });
    assert_eq!(count, 0);
}

#[test]
fn nor_does_the_change_of_the_second_in_the_date() {
    assert_eq!(allocations_over(SECOND + 100 * MS, &get("/"), 1, &http::create_server(|_, res| res.end("x"))), 0);
}

#[test]
fn nor_does_telling_and_counting_the_ends_of_exchanges() {
    let server = http::create_server(|_, res| res.end("x"));
    let told = Rc::new(Cell::new(0));
    let count = told.clone();
    server.on_exchange_end(move |end| count.set(count.get() + end.bytes)).set_metrics(true);
    assert_eq!(allocations_over(Duration::ZERO, &get("/"), 1, &server), 0);
    assert_eq!((told.get(), server.metrics().responses[0]), (REQUESTS as u64 + 3, REQUESTS as u64 + 3));
    let server = http::create_server(|_, res| res.end("x"));
    server.on_exchange_end(|_| ());
    assert_eq!(allocations_over(Duration::ZERO, &get("/").repeat(16), 16, &server), 0, "pipelined");
}

#[cfg(feature = "app")]
#[test]
fn nor_do_the_access_log_and_the_counters_for_prometheus() {
    use oneloop::app::{AccessLog, Format, Prometheus};
    let server = http::create_server(|_, res| res.end("x"));
    let told = Rc::new(Cell::new(0));
    for format in [Format::Combined, Format::Json] {
        let count = told.clone();
        AccessLog::new(format).to_callback(move |line| count.set(count.get() + line.len())).attach(&server);
    }
    Prometheus::new().watch(&server);
    assert_eq!(allocations_over(SECOND + 100 * MS, BROWSER, 1, &server), 0, "when the second changes, too");
    assert!(told.get() > 2 * 100 * REQUESTS);
}

#[test]
fn nor_does_the_recorder_once_it_has_begun() {
    let mut size = RecordingSize::default();
    // So small that all of them are overwritten.
    (size.iterations, size.turns, size.label_bytes) = (10, 10, 1);
    start_recording(size);
    let own = |_req: http::Request, res: http::Response| {
        mark_turn_as_own();
        res.end("x");
    };
    assert_eq!(allocations(BROWSER, 1, own), 0);
    let recorded = recording(0).unwrap();
    assert!(recorded.dropped > 0 && recorded.next > REQUESTS as u64, "{} dropped", recorded.dropped);
    stop_recording();
}

#[test]
fn what_allocates_is_seen() {
    let count = allocations(&get("/"), 1, |req, res| res.end(req.url().to_owned()));
    assert!(count >= REQUESTS as u64, "{count}");
}

/// A socket that is told a message and sends it back: alone, and with fifteen others in one read.
#[test]
fn nor_does_a_message_of_a_websocket_that_is_sent_back() {
    let echo = |socket: &ws::WebSocket, message: ws::Message<'_>| socket.send(message).ignore();
    assert_eq!(allocations_of_messages(1, echo), 0);
    assert_eq!(allocations_of_messages(16, echo), 0);
    let count = allocations_of_messages(1, |socket, message| socket.send(message.as_bytes().to_vec()).ignore());
    assert!(count >= REQUESTS as u64, "{count}: what allocates is not seen");
}

/// What a large message is gathered in, and what is copied of it to be sent back, is kept for the next one. (A box says what has come
/// of it.)
#[test]
fn a_large_message_of_a_websocket_takes_the_memory_of_the_one_before_it() {
    let server = http::create_server(|_, res| res.end("x"));
    ws::mount(&server, "/").on_message(|socket, message| socket.send(message).ignore());
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let mut socket = Socket::open(&server);
    let content = vec![b'x'; 1 << 20];
    let frame = websocket::frame(0x82, &content);
    socket.buffer.resize(content.len() + 10, 0);
    let mut exchange = || {
        let mut sent = 0;
        while sent < frame.len() {
            sent += socket.stream.write(&frame[sent..]).unwrap_or(0);
            oneloop::run_nowait().unwrap();
        }
        socket.read_until(|bytes| bytes.len() == content.len() + 10);
    };
    (0..5).for_each(|_| exchange());
    let counted = allocation_counter::measure(|| (0..10).for_each(|_| exchange()));
    assert!(counted.bytes_total < 10 * 1024, "{counted:?}");
    close(&server);
}

/// A message that many get: published, or sent to each in a loop. The frame of a published one is made once for all.
#[test]
fn nor_does_the_delivery_of_a_message_to_many_websockets() {
    for text in ["twenty bytes of text".to_owned(), "long".repeat(1000)] {
        let frame = ws::Frame::text(&text);
        assert_eq!(allocations_of_deliveries(50, &text, move |all| _ = all.publish("topic", &frame)), 0);
        let message = text.clone();
        let published = allocations_of_deliveries(50, &text, move |all| _ = all.publish("topic", message.as_str()));
        assert!(
            published <= 3 * REQUESTS as u64,
            "{published}: as many as the frame takes, whatever the number of sockets"
        );
        let message = text.clone();
        let each = move |all: &ws::Endpoint| all.sockets().for_each(|socket| socket.send(message.as_str()).ignore());
        let sent = allocations_of_deliveries(50, &text, each);
        if text.len() < 1000 {
            assert!(sent <= REQUESTS as u64, "{sent}: the list of the sockets");
        }
    }
}

/// Allocations for so many times what `deliver` does: each of the sockets, which have subscribed to `topic`, gets this text.
fn allocations_of_deliveries(sockets: usize, text: &str, deliver: impl Fn(&ws::Endpoint)) -> u64 {
    let server = http::create_server(|_, res| res.end("x"));
    let all = ws::mount(&server, "/");
    all.on_open(|socket, _| _ = socket.subscribe("topic"));
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let mut sockets: Vec<_> = (0..sockets).map(|_| Socket::open(&server)).collect();
    while all.subscribers("topic") < sockets.len() {
        oneloop::run_nowait().unwrap();
    }
    let length = text.len() + if text.len() < 126 { 2 } else { 4 };
    let mut deliver = || {
        deliver(&all);
        sockets.iter_mut().for_each(|socket| socket.read_until(|bytes| bytes.len() == length));
    };
    (0..3).for_each(|_| deliver());
    let counted = allocation_counter::measure(|| (0..REQUESTS).for_each(|_| deliver()));
    close(&server);
    counted.count_total
}

/// Allocations for so many times `at_once` messages of twenty bytes, which come back in frames of 22.
fn allocations_of_messages(at_once: usize, on_message: impl FnMut(&ws::WebSocket, ws::Message<'_>) + 'static) -> u64 {
    let server = http::create_server(|_, res| res.end("x"));
    ws::mount(&server, "/").on_message(on_message);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let mut socket = Socket::open(&server);
    let frames = websocket::text("twenty bytes of text").repeat(at_once);
    let mut exchange = || {
        socket.stream.write_all(&frames).unwrap();
        socket.read_until(|bytes| bytes.len() == 22 * at_once);
    };
    (0..3).for_each(|_| exchange());
    let counted = allocation_counter::measure(|| (0..REQUESTS).for_each(|_| exchange()));
    close(&server);
    counted.count_total
}

/// The client's end of a WebSocket.
struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Socket {
    fn open(server: &http::Server) -> Socket {
        let mut stream = TcpStream::connect(("127.0.0.1", server.address().unwrap().port().unwrap())).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.write_all(websocket::handshake("/", "").as_bytes()).unwrap();
        let mut socket = Socket { stream, buffer: vec![0; 8 * 1024] };
        socket.read_until(|bytes| bytes.ends_with(b"\r\n\r\n"));
        socket
    }

    /// Runs the loop, and reads until what has come is all.
    fn read_until(&mut self, is_all: impl Fn(&[u8]) -> bool) {
        let mut at = 0;
        while !is_all(&self.buffer[..at]) {
            oneloop::run_nowait().unwrap();
            match self.stream.read(&mut self.buffer[at..]) {
                Ok(0) => panic!("closed"),
                Ok(count) => at += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn close(server: &http::Server) {
    server.close_all_connections();
    server.close(|| ());
    oneloop::run().unwrap();
}

#[cfg(feature = "app")]
#[test]
fn nor_does_the_way_through_an_app_with_five_middlewares() {
    use oneloop::app::App;
    let mut app = App::new();
    for _ in 0..4 {
        app.with(|_req, _res, next| next.run());
    }
    app.with_at("/plants", |_req, res, next| {
        res.set_header("X-Plants", "green");
        next.run();
    });
    for number in 0..130 {
        app.get(&format!("/other/{number}"), |_req, res| res.end("another"));
    }
    app.get("/plants/:id", |req, res| {
        assert_eq!(req.param("id").as_deref(), Some("7"));
        assert!(req.route().is_some_and(|route| *route == *"/plants/:id"));
        res.end("a plant");
    });
    app.get("/", |_req, res| res.end("hello"));
    let server = app.server().unwrap();
    assert_eq!(allocations_over(Duration::ZERO, BROWSER, 1, &server), 0);
    let mut app = App::new();
    app.get("/", |_req, res| res.end("hello"));
    assert_eq!(allocations_over(Duration::ZERO, &get("/").repeat(16), 16, &app.server().unwrap()), 0, "pipelined");
}

/// A GET of the program's own, on a connection that is kept. The two blocks are what the handles share, and the callback with what it has
/// captured; listeners of the response are a list (two blocks), and a block each.
#[test]
fn a_client_s_request_allocates_two_blocks_and_for_listeners_two_and_one_each() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/plants", listener.local_addr().unwrap());
    oneloop::event_loop::set_slow_threshold(Duration::from_secs(3600));
    let agent = http::Agent::new();
    let done = Rc::new(Cell::new(0));
    let (mut server, mut buffer) = (None, [0; 1024]);
    let mut exchange = |reads: bool| {
        let (before, count) = (done.get(), done.clone());
        agent.get(&url, move |res| {
            if reads {
                let seen = Cell::new(0);
                res.on_data(move |_, bytes| seen.set(seen.get() + bytes.len()));
                res.on_end(move |_| count.set(count.get() + 1));
            } else {
                count.set(count.get() + 1);
            }
        });
        let server: &mut TcpStream = server.get_or_insert_with(|| {
            while agent.stats().hosts.iter().all(|host| host.active == 0) {
                oneloop::run_nowait().unwrap();
            }
            let (socket, _) = listener.accept().unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        let mut at = 0;
        while !buffer[..at].ends_with(b"\r\n\r\n") {
            oneloop::run_nowait().unwrap();
            at += server.read(&mut buffer[at..]).unwrap_or(0);
        }
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        while done.get() == before {
            oneloop::run_nowait().unwrap();
        }
    };
    let mut counts = Vec::new();
    for reads in [false, true] {
        (0..5).for_each(|_| exchange(reads));
        let counted = allocation_counter::measure(|| (0..REQUESTS).for_each(|_| exchange(reads)));
        counts.push(counted.count_total);
    }
    assert_eq!(counts, [2 * REQUESTS as u64, (2 + 2 + 2) * REQUESTS as u64]);
}
