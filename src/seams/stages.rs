//! The stages of an answer, each promise of their module's documentation.

use crate::event_loop::{clock, set_interval, set_timeout};
use crate::http::stages::{Coder, Content, End, Stage, Then};
use crate::http::{self, Error, Limits, Request, Response, Server};
use crate::net::Overflow;
use crate::proto::h1::{IncomingRequest, OutgoingResponse};
use crate::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Holds the end of each answer until the test lets it go.
#[derive(Default)]
struct Holds(RefCell<Vec<End>>);

impl Stage for Holds {
    fn end(&self, end: End) {
        self.0.borrow_mut().push(end);
    }
}

impl Holds {
    fn take(&self) -> End {
        self.0.borrow_mut().remove(0)
    }

    fn is_asked(&self) -> bool {
        !self.0.borrow().is_empty()
    }
}

/// Codes content, and notes what it is told.
#[derive(Default)]
struct Codes {
    heads: RefCell<Vec<(Option<u64>, bool)>>,
    /// The sizes of what was coded at a time.
    sizes: Rc<RefCell<Vec<usize>>>,
    alive: Rc<()>,
}

/// Makes `a` of `A`, and keeps what it has until it has to give it. Marks where that was.
struct Lower(Vec<u8>, Rc<RefCell<Vec<usize>>>, #[expect(dead_code, reason = "counts the coders")] Rc<()>);

impl Stage for Codes {
    fn head(&self, request: &IncomingRequest, head: &mut OutgoingResponse, content: Content) -> Option<Box<dyn Coder>> {
        self.heads.borrow_mut().push((content.length, content.passes));
        if !content.passes || request.is_head() || head.status() == 204 {
            return None;
        }
        head.append("Via", "lower").unwrap();
        Some(Box::new(Lower(Vec::new(), self.sizes.clone(), self.alive.clone())))
    }

    fn may_code(&self, _: &IncomingRequest, _: &OutgoingResponse, media_type: &str) -> bool {
        media_type.starts_with("text/")
    }
}

impl Coder for Lower {
    fn code(&mut self, bytes: &[u8], then: Then, out: &mut Vec<u8>) {
        self.1.borrow_mut().push(bytes.len());
        self.0.extend(bytes.iter().map(u8::to_ascii_lowercase));
        match then {
            Then::More => return,
            Then::Flush => self.0.push(b'|'),
            Then::End => self.0.push(b'.'),
        }
        out.append(&mut self.0);
    }
}

/// A server whose answers all go through a stage.
fn serve<S: Stage + Default + 'static>(mut handler: impl FnMut(Request, Response) + 'static) -> (Sim, Rc<S>, Server) {
    let (sim, stage) = (Sim::new(), Rc::new(S::default()));
    let added: Rc<S> = stage.clone();
    let server = http::create_server(move |req: Request, res| {
        req.add_stage(added.clone());
        handler(req, res);
    });
    server.listen(80, ()).unwrap();
    (sim, stage, server)
}

#[test]
fn a_whole_answer_waits_with_its_head_until_it_may_end() {
    let (sim, stage, server) = serve::<Holds>(|_, res| {
        res.set_header("X-A", "b").end("hello");
        assert!(res.is_ended() && res.headers_sent() && res.pending() == 5);
        res.set_status(500).end("late");
    });
    let peer = sim.connect(80);
    peer.write(GET.repeat(2));
    sim.advance(SECOND);
    assert_eq!((peer.text(), server.open_exchanges().len()), (String::new(), 1));
    stage.take().go_on();
    sim.settle();
    assert!(peer.text().starts_with("HTTP/1.1 200 OK\r\nX-A: b\r\n"), "{}", peer.text());
    assert!(peer.text().ends_with("\r\nContent-Length: 5\r\n\r\nhello"), "{}", peer.text());
    // The second request waited behind the first answer.
    stage.take().go_on();
    sim.settle();
    assert_eq!((peer.text().matches("hello").count(), server.open_exchanges().len()), (2, 0));
}

#[test]
fn of_a_stream_only_the_last_part_waits() {
    let (sim, stage, _) = serve::<Holds>(|_, res| {
        res.write("one").ignore();
        res.add_trailer("X-Sum", "6").end("two");
    });
    let peer = sim.connect(80);
    peer.write(GET);
    sim.advance(SECOND);
    assert!(peer.text().ends_with("\r\n\r\n3\r\none\r\n"), "{}", peer.text());
    stage.take().go_on();
    sim.settle();
    assert!(peer.text().ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n"), "{}", peer.text());
}

#[test]
fn an_end_that_may_go_on_at_once_costs_no_wait() {
    struct Goes;
    impl Stage for Goes {}
    let sim = Sim::new();
    let server = http::create_server(|req, res| {
        req.add_stage(Rc::new(Goes));
        res.write("a").ignore();
        res.end("b");
        assert_eq!(res.pending(), sent_at_once());
    });
    /// The head, two chunks and the last one.
    fn sent_at_once() -> usize {
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nTransfer-Encoding: chunked\r\n\r\n".len() + 6 + 6 + 5
    }
    server.listen(80, ()).unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "ab");
}

#[test]
fn an_answer_that_waits_can_still_fail() {
    let (sim, stage, _) = serve::<Holds>(|_, res| res.set_header("ETag", "\"a\"").set_header("X-A", "b").end("hello"));
    let peer = sim.connect(80);
    peer.write(GET);
    sim.settle();
    stage.take().fail(Error::new(503, "the sessions cannot be saved"));
    sim.settle();
    let text = peer.text();
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nX-A: b\r\n") && !text.contains("ETag"), "{text}");
    assert!(text.ends_with("\r\n\r\nthe sessions cannot be saved\n"), "{text}");
}

#[test]
fn an_answer_whose_head_was_sent_is_cut_if_its_end_fails_or_is_dropped() {
    for dropped in [false, true] {
        let (sim, stage, _) = serve::<Holds>(|_, res| {
            res.write("one").ignore();
            res.end("two");
        });
        let peer = sim.connect(80);
        peer.write(GET);
        sim.settle();
        match dropped {
            true => drop(stage.take()),
            false => stage.take().fail(Error::new(503, "")),
        }
        sim.settle();
        assert!(peer.is_closed() && peer.text().ends_with("3\r\none\r\n"), "{}", peer.text());
    }
}

#[test]
fn an_end_that_is_dropped_is_a_500() {
    struct Drops;
    impl Stage for Drops {
        fn end(&self, end: End) {
            drop(end);
        }
    }
    let sim = Sim::new();
    let server = http::create_server(|req, res| {
        req.add_stage(Rc::new(Drops));
        res.end("hello");
    });
    server.listen(80, ()).unwrap();
    let reply = sim.request("GET", "/").send();
    assert_eq!((reply.status(), reply.text().contains("hello")), (500, false));
}

#[test]
fn an_answer_that_waits_is_not_ended_twice_by_a_client_that_goes() {
    for (how, reason) in [("reset", "reset"), ("finish", "disconnected")] {
        let closed = Rc::new(RefCell::new(Vec::new()));
        let told = closed.clone();
        let (sim, stage, server) = serve::<Holds>(move |_, res| {
            let told = told.clone();
            res.on_close(move |_, reason| told.borrow_mut().push(reason.to_string()));
            res.end("hello");
        });
        let ends = Rc::new(RefCell::new(Vec::new()));
        let noted = ends.clone();
        server.on_exchange_end(move |end| noted.borrow_mut().push((end.status, end.bytes)));
        let peer = sim.connect(80);
        peer.write(GET);
        sim.settle();
        match how {
            "reset" => peer.reset(),
            _ => peer.finish(),
        }
        sim.advance(Limits::default().half_open + 2 * SECOND);
        assert_eq!(*closed.borrow(), [reason]);
        assert_eq!(*ends.borrow(), [(None, 0)], "{how}: no status was sent");
        stage.take().go_on();
        sim.settle();
        assert_eq!((peer.text(), Rc::strong_count(&stage)), (String::new(), 2), "{how}: the handler and the test");
    }
}

#[test]
fn stages_are_asked_from_the_last_to_the_first_and_dropped_with_the_exchange() {
    struct Notes(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Stage for Notes {
        fn head(&self, _: &IncomingRequest, head: &mut OutgoingResponse, _: Content) -> Option<Box<dyn Coder>> {
            head.append("X-Order", self.0).unwrap();
            None
        }
        fn end(&self, end: End) {
            self.1.borrow_mut().push(self.0);
            set_timeout(SECOND, move || end.go_on());
        }
    }
    let sim = Sim::new();
    let (order, sent) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(None)));
    let (ordered, at) = (order.clone(), sent.clone());
    let server = http::create_server(move |req, res| {
        req.add_stage(Rc::new(Notes("outer", ordered.clone())));
        req.add_stage(Rc::new(Notes("inner", ordered.clone())));
        let (at, began) = (at.clone(), clock());
        res.on_finish(move |_| at.set(Some(clock() - began)));
        res.end(());
    });
    server.listen(80, ()).unwrap();
    let reply = sim.request("GET", "/").send();
    assert_eq!(reply.header_all("X-Order").collect::<Vec<_>>(), ["inner", "outer"]);
    assert_eq!((&order.borrow()[..], sent.get().map(|time| time.as_secs())), (&["inner", "outer"][..], Some(2)));
    assert_eq!(Rc::strong_count(&order), 2);
}

#[test]
fn a_server_that_closes_waits_for_an_answer_that_waits() {
    let (sim, stage, server) = serve::<Holds>(|_, res| res.end("hello"));
    let peer = sim.connect(80);
    peer.write(GET);
    sim.settle();
    let closed = Rc::new(Cell::new(false));
    let told = closed.clone();
    server.close(move || told.set(true));
    sim.advance(SECOND);
    assert!(!closed.get() && peer.text().is_empty());
    stage.take().go_on();
    sim.advance(60 * SECOND);
    assert!(closed.get() && peer.text().ends_with("\r\n\r\nhello"), "{}", peer.text());
}

#[test]
fn an_answer_that_waits_too_long_is_answered_503_where_a_limit_says_so() {
    let (sim, stage, server) = serve::<Holds>(|_, res| res.end("hello"));
    server.set_limits(Limits { response: Some(SECOND), ..Limits::default() });
    let peer = sim.connect(80);
    peer.write(GET);
    sim.advance(3 * SECOND);
    assert!(peer.text().starts_with("HTTP/1.1 503 ") && peer.is_closed(), "{}", peer.text());
    stage.take().go_on();
    sim.settle();
    assert_eq!(peer.text().matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_body_that_still_comes_while_an_answer_waits_is_not_the_end_of_the_exchange() {
    let (sim, stage, _) = serve::<Holds>(|_, res| res.end("hello"));
    let peer = sim.connect(80);
    peer.write(GET.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n").replace("GET", "POST"));
    let chunk = format!("40000\r\n{}\r\n", "x".repeat(0x40000));
    for _ in 0..8 {
        peer.write(&chunk);
        sim.advance(SECOND / 10);
    }
    peer.write("0\r\n\r\n");
    sim.settle();
    stage.take().go_on();
    sim.advance(SECOND);
    assert!(peer.text().contains("\r\n\r\nhello"), "{}", peer.text());
}

#[test]
fn a_coder_gets_the_content_and_the_length_is_that_of_what_it_gives() {
    let (sim, stage, server) = serve::<Codes>(|req, res| match req.path() {
        "/whole" => res.set_header("Content-Length", 5).end("HELLO"),
        "/stream" => {
            res.set_header("Content-Length", 6).write("ONE").ignore();
            res.write("TWO").ignore();
            set_timeout(SECOND, move || res.end(()));
        }
        _ => res.set_status(204).end("DROPPED"),
    });
    let bytes = Rc::new(RefCell::new(Vec::new()));
    let noted = bytes.clone();
    server.on_exchange_end(move |end| noted.borrow_mut().push(end.bytes));
    let reply = sim.request("GET", "/whole").send();
    assert_eq!((reply.text().as_str(), reply.header("Content-Length")), ("hello.", Some("6")));
    let reply = sim.request("GET", "/stream").send();
    assert_eq!((reply.text().as_str(), reply.header("Content-Length")), ("onetwo|.", None));
    let reply = sim.request("HEAD", "/whole").send();
    assert_eq!((reply.body(), reply.header("Content-Length")), (&b""[..], Some("5")));
    assert_eq!(sim.request("GET", "/none").send().status(), 204);
    assert_eq!(*stage.heads.borrow(), [(Some(5), true), (Some(6), true), (Some(5), true), (Some(7), true)]);
    assert_eq!((&bytes.borrow()[..], Rc::strong_count(&stage.alive)), (&[6, 8, 0, 0][..], 1));
}

#[test]
fn a_peer_of_http_1_0_gets_coded_content_until_the_close() {
    let (sim, _, _) = serve::<Codes>(|_, res| {
        res.write("ONE").ignore();
        res.end("TWO");
    });
    let peer = sim.connect(80);
    peer.write("GET / HTTP/1.0\r\n\r\n");
    sim.settle();
    assert!(peer.is_closed() && peer.text().ends_with("\r\n\r\nonetwo."), "{}", peer.text());
}

#[test]
fn what_belies_its_announced_length_is_cut_though_it_is_coded() {
    for (length, end) in [(7, true), (5, false)] {
        let (sim, stage, _) = serve::<Codes>(move |_, res| {
            res.set_header("Content-Length", length).write("ONE").ignore();
            match end {
                true => res.end("TWO"),
                false => res.write("TWO").ignore(),
            }
        });
        let peer = sim.connect(80);
        peer.write(GET);
        sim.settle();
        assert!(peer.is_closed() && !peer.text().contains("0\r\n\r\n"), "{}", peer.text());
        assert_eq!(Rc::strong_count(&stage.alive), 1);
    }
}

#[test]
fn what_is_written_is_flushed_in_the_same_iteration_and_once() {
    let (sim, _, _) = serve::<Codes>(|_, res| {
        res.write("ONE").ignore();
        res.write("TWO").ignore();
        set_timeout(SECOND, move || res.write("THREE").ignore());
    });
    let peer = sim.connect(80);
    peer.write(GET);
    sim.settle();
    assert!(peer.text().ends_with("\r\n\r\n7\r\nonetwo|\r\n"), "{}", peer.text());
    sim.advance(2 * SECOND);
    // Nobody holds the response any more.
    assert!(peer.text().ends_with("7\r\nonetwo|\r\n") && peer.is_closed(), "{}", peer.text());
}

#[test]
fn a_large_answer_is_coded_a_turn_at_a_time() {
    const SIZE: usize = 1_000_000;
    let (sim, stage, _) = serve::<Codes>(|_, res| res.end(vec![b'Q'; SIZE]));
    let peer = sim.connect(80);
    peer.write(GET);
    sim.run_until(|| !stage.sizes.borrow().is_empty(), SECOND);
    assert!(stage.sizes.borrow().iter().sum::<usize>() < SIZE / 4, "other sources had their turns");
    sim.settle();
    let text = peer.text();
    assert_eq!(text.matches('q').count(), SIZE);
    assert!(text.ends_with("\r\n0\r\n\r\n") && stage.sizes.borrow().iter().all(|size| *size <= 32 * 1024));
    assert_eq!(Rc::strong_count(&stage.alive), 1, "the coder is gone");
}

#[test]
fn a_writer_waits_for_the_coders_and_for_the_peer_and_is_told_each_time() {
    let fulls = Rc::new(Cell::new(0));
    let most = Rc::new(Cell::new(0));
    let (counted, seen) = (fulls.clone(), most.clone());
    let (sim, stage, _) = serve::<Codes>(move |_, res| {
        let left = Cell::new(40);
        let (counted, seen) = (counted.clone(), seen.clone());
        let fill = move |res: &Response| {
            while left.get() > 0 {
                left.set(left.get() - 1);
                let full = res.write(vec![b'Q'; 50_000]).is_full();
                seen.set(seen.get().max(res.pending()));
                if full {
                    counted.set(counted.get() + 1);
                    return;
                }
            }
            res.end("END");
        };
        fill(&res);
        res.on_drain(fill);
    });
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(80);
    peer.write(GET);
    peer.read_at_rate(10_000, Duration::from_millis(10));
    sim.advance(60 * SECOND);
    assert_eq!(peer.text().matches('q').count(), 2_000_000);
    assert!(peer.text().contains("end") && fulls.get() >= 20, "{}", fulls.get());
    assert!(most.get() < 300_000, "{}", most.get());
    assert_eq!(Rc::strong_count(&stage.alive), 1);
}

#[test]
fn a_limit_for_pending_output_holds_for_coded_content_too() {
    let (sim, stage, _) = serve::<Codes>(|_, res| {
        res.set_pending_limit(100_000, Overflow::Close);
        set_interval(Duration::from_millis(1), move || res.write(vec![b'A'; 60_000]).ignore());
    });
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(80);
    peer.pause_reading();
    peer.write(GET);
    sim.advance(2 * SECOND);
    assert_eq!(Rc::strong_count(&stage.alive), 1, "the connection was closed");
}

/// Each `write` asks how many bytes wait. If the answer took a look at every part that waits, a program that writes a line at a time, and
/// does not look at `Full`, would hold up the loop for a minute.
#[test]
fn a_hundred_thousand_small_parts_are_taken_in_no_time() {
    let (sim, _, _) = serve::<Codes>(|_, res| {
        for _ in 0..100_000 {
            res.write("A line\n").ignore();
        }
        assert!(res.pending() > 600_000);
        res.end("");
    });
    let reply = sim.request("GET", "/").send();
    assert_eq!(reply.text().matches("a line").count(), 100_000);
}

#[test]
fn files_that_a_coder_may_want_pass_through_it_and_others_do_not() {
    let folder = std::env::temp_dir().join(format!("oneloop-stages-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["a.txt", "a.mp4"] {
        std::fs::write(folder.join(name), vec![b'A'; 400_000]).unwrap();
    }
    let from = folder.clone();
    let (sim, stage, _) = serve::<Codes>(move |req, res| res.send_file(from.join(&req.path()[1..])));
    let coded = sim.request("GET", "/a.txt").send();
    let letters = coded.body().iter().filter(|byte| **byte == b'a').count();
    assert_eq!((letters, coded.body().last(), coded.header("Content-Length")), (400_000, Some(&b'.'), None));
    let sent = sim.request("GET", "/a.mp4").send();
    assert_eq!((sent.body().len(), sent.header("Content-Length")), (400_000, Some("400000")));
    assert_eq!(stage.heads.borrow().last(), Some(&(Some(400_000), cfg!(not(target_os = "linux")))));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_last_part_of_a_file_waits_as_well() {
    let folder = std::env::temp_dir().join(format!("oneloop-stages-end-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a"), vec![b'A'; 400_000]).unwrap();
    let path = folder.join("a");
    let (sim, stage, _) = serve::<Holds>(move |_, res| res.send_file(&path));
    let peer = sim.connect(80);
    peer.write(GET);
    sim.run_until(|| stage.is_asked(), 10 * SECOND);
    sim.settle();
    assert!(peer.received().len() < 400_000);
    stage.take().go_on();
    sim.settle();
    assert!(peer.received().len() > 400_000 && peer.received().ends_with(b"AAA"));
    std::fs::remove_dir_all(folder).unwrap();
}
