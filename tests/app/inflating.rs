//! Bodies that come compressed and take long to inflate: it is done in portions, and whatever happens meanwhile is as it would be otherwise.

use crate::support::http::*;
use oneloop::app::{App, Compression, compression, text_up_to};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Request, Response};
use oneloop::sim::{Peer, Sim};
use std::cell::RefCell;
use std::rc::Rc;

/// Content that is this text, behind so many bytes of blocks in which there is nothing.
fn slow(bytes: usize, text: &str) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut coder, text.as_bytes()).unwrap();
    let gzip = coder.finish().unwrap();
    [&gzip[..10], &[0, 0, 0, 0xff, 0xff].repeat(bytes / 5), &gzip[10..]].concat()
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

struct World {
    sim: Sim,
    record: Record,
    /// The connection that is reset by a request for `/reset`.
    slow: Rc<RefCell<Option<Peer>>>,
}

fn world() -> World {
    let (sim, record, slow) = (Sim::new(), Record::default(), Rc::<RefCell<Option<Peer>>>::default());
    let mut app = App::new();
    app.with(compression(Compression::new()));
    let add = record.clone();
    let told = move |_: Request, res: Response, text: String| {
        add.add(format!("told {text}"));
        assert_ne!(text, "panic", "the test wants this");
        res.end(text);
    };
    app.post("/", text_up_to(200_000, told));
    let add = record.clone();
    app.post("/late", move |req: Request, res: Response| {
        let add = add.clone();
        req.read_text(200_000, move |text| {
            match &text {
                Ok(text) => add.add(format!("late {text}")),
                Err(error) => add.add(format!("late error {error}")),
            }
            res.end(text?);
            Ok(())
        });
    });
    let add = record.clone();
    app.get("/quick", move |_, res| {
        add.add("quick");
        res.end("quick");
    });
    let (add, peer) = (record.clone(), slow.clone());
    app.get("/reset", move |_, res| {
        add.add("reset");
        peer.borrow().as_ref().unwrap().reset();
        res.end("reset");
    });
    app.listen(PORT, ()).unwrap();
    World { sim, record, slow }
}

impl World {
    /// Sends a request and, when its body is being inflated, another one. Returns the answers.
    fn ask(&self, first: &[u8], behind: &str, other: &str) -> (String, String) {
        let (one, two) = (self.sim.connect(PORT), self.sim.connect(PORT));
        self.sim.settle();
        *self.slow.borrow_mut() = Some(one.clone());
        one.write([first, behind.as_bytes()].concat());
        two.write(get(other));
        self.sim.settle();
        let texts = (one.text(), two.text());
        one.close();
        two.close();
        self.sim.settle();
        texts
    }
}

#[test]
fn another_request_is_answered_in_between_and_what_is_behind_keeps_its_order() {
    for path in ["/", "/late"] {
        let world = world();
        let before = oneloop::metrics().iterations;
        let (one, two) = world.ask(&post(path, &slow(50_000, "first")), &get("/quick"), "/quick");
        let told = world.record.take();
        assert_eq!((&*told[0], told[1].split_once(' ').unwrap().1, &*told[2]), ("quick", "first", "quick"));
        assert!(one.contains("first") && one.ends_with("quick") && two.ends_with("quick"), "{one}");
        assert!(oneloop::metrics().iterations - before >= 3, "16 KiB in each");
    }
}

#[test]
fn content_that_is_found_bad_late_is_refused_once() {
    let world = world();
    let cut = slow(50_000, "first");
    for (body, status, text) in [
        (&cut[..50_008], "400", "the body is not one whole gzip member"),
        (&[&cut[..], b"x"].concat(), "400", "the body is not one whole gzip member"),
        (&slow(50_000, &"x".repeat(200_001)), "413", "the body has more than 200000 bytes"),
    ] {
        for (path, told) in
            [("/", vec!["quick".to_owned()]), ("/late", vec!["quick".to_owned(), format!("late error {text}")])]
        {
            let (one, _) = world.ask(&post(path, body), "", "/quick");
            assert!(one.starts_with(&format!("HTTP/1.1 {status} ")) && one.ends_with(&format!("{text}\n")), "{one}");
            assert_eq!((world.record.take(), one.matches("HTTP/1.1").count()), (told, 1));
        }
    }
}

#[test]
fn a_client_that_goes_meanwhile_is_told_once_and_costs_no_more() {
    let world = world();
    for (path, told) in [
        ("/", vec!["reset"]),
        ("/late", vec!["reset", "late error the connection was closed before the body ended: reset by the peer"]),
    ] {
        let before = oneloop::metrics().iterations;
        world.ask(&post(path, &slow(190_000, "first")), "", "/reset");
        let all = world.record.take();
        assert_eq!(all.len(), told.len(), "{all:?}");
        assert!(all.iter().zip(told).all(|(all, told)| all.starts_with(&told[..told.len().min(60)])), "{all:?}");
        assert!(oneloop::metrics().iterations - before < 15, "the rest is not inflated");
    }
}

#[test]
fn a_panic_behind_it_costs_that_request_only() {
    let world = world();
    set_panic_policy(PanicPolicy::Catch);
    let (one, two) = world.ask(&post("/", &slow(50_000, "panic")), "", "/quick");
    assert!(one.starts_with("HTTP/1.1 500 ") && two.ends_with("quick"), "{one}");
    world.record.expect(&["quick", "told panic"]);
    let (one, _) = world.ask(&post("/", &slow(50_000, "next")), "", "/quick");
    assert!(one.ends_with("next"), "{one}");
}
