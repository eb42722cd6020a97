//! `Request::save_to`: a whole body under its name, or no file at all.

use crate::support::bytes::pattern;
use crate::support::folder::Folder;
use oneloop::http::{self, Request, Response, SaveError};
use oneloop::net::CloseReason;
use oneloop::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: u64 = 1_000_000;

/// A server that stores bodies in a folder of its own, in a simulated world.
struct World {
    sim: Sim,
    folder: Folder,
    /// What `done` got.
    told: Rc<RefCell<Vec<String>>>,
}

impl World {
    fn new(name: &str) -> World {
        let told = Rc::new(RefCell::new(Vec::new()));
        let record = told.clone();
        World::with(name, told, move |req, res, path| {
            let record = record.clone();
            req.save_to(path, LIMIT, move |saved| {
                record.borrow_mut().push(saved.as_ref().map_or_else(|error| error.to_string(), u64::to_string));
                res.set_status(201).end(format!("{} bytes\n", saved?));
                Ok(())
            });
        })
    }

    fn with(
        name: &str,
        told: Rc<RefCell<Vec<String>>>,
        mut handle: impl FnMut(Request, Response, PathBuf) + 'static,
    ) -> World {
        let (sim, folder) = (Sim::new(), Folder::new(&format!("save-{name}")));
        let path = folder.path("body.bin");
        let server = http::create_server(move |req, res| handle(req, res, path.clone()));
        server.listen(80, ()).unwrap();
        sim.settle();
        World { sim, folder, told }
    }

    fn put(&self, fields: &str, body: impl AsRef<[u8]>) -> Peer {
        let peer = self.sim.connect(80);
        peer.write(format!("PUT / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        peer.write(body);
        self.sim.settle();
        peer
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path("")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn expect(&self, told: &str, files: &[&str]) {
        self.sim.advance(SECOND);
        assert_eq!(*self.told.borrow(), [told]);
        assert_eq!(self.files(), files);
    }
}

#[test]
fn a_body_of_any_size_is_stored_whole() {
    for size in [0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 300_000, LIMIT as usize] {
        let world = World::new(&format!("size-{size}"));
        let body = pattern(size);
        let peer = world.put(&format!("Content-Length: {size}\r\n"), &body);
        world.expect(&size.to_string(), &["body.bin"]);
        assert!(fs::read(world.folder.path("body.bin")).unwrap() == body, "{size} bytes");
        assert!(peer.text().starts_with("HTTP/1.1 201 Created\r\n"), "{}", peer.text());
        assert!(peer.text().ends_with(&format!("\r\n\r\n{size} bytes\n")), "{}", peer.text());
    }
}

#[test]
fn a_chunked_body_is_stored_without_its_coding() {
    let world = World::new("chunked");
    world.put("Transfer-Encoding: chunked\r\n", "5\r\nseeds\r\n1\r\n!\r\n0\r\n\r\n");
    world.expect("6", &["body.bin"]);
    assert_eq!(fs::read(world.folder.path("body.bin")).unwrap(), b"seeds!");
}

#[test]
fn it_replaces_what_is_there_only_when_it_is_whole() {
    let world = World::new("replace");
    let path = world.folder.file("body.bin", "old");
    let peer = world.put("Content-Length: 300000\r\n", pattern(200_000));
    world.sim.advance(SECOND);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    let files = world.files();
    assert!(files.len() == 2 && files[0].starts_with(".oneloop-") && files[0].ends_with(".part"), "{files:?}");
    peer.write(pattern(100_000));
    world.expect("300000", &["body.bin"]);
    assert_eq!(fs::metadata(path).unwrap().len(), 300_000);
}

#[test]
fn a_body_that_is_cut_off_leaves_no_file() {
    for reset in [false, true] {
        for sent in [0, 10, 200_000] {
            let world = World::new(&format!("cut-{sent}-{reset}"));
            world.folder.file("body.bin", "old");
            let peer = world.put("Content-Length: 300000\r\n", pattern(sent));
            // In the middle of a job, and between jobs.
            if sent > 10 {
                world.sim.advance(SECOND);
                assert_eq!(world.files().len(), 2);
            }
            if reset {
                peer.reset()
            } else {
                peer.close()
            }
            world.sim.advance(10 * SECOND);
            assert_eq!(world.files(), ["body.bin"]);
            assert_eq!(fs::read(world.folder.path("body.bin")).unwrap(), b"old");
            let told = world.told.borrow();
            assert!(told.len() == 1 && told[0].contains("closed before the body ended"), "{told:?}");
        }
    }
}

#[test]
fn a_body_that_is_cut_off_while_it_is_written_leaves_no_file() {
    let world = World::new("cut-in-job");
    world.sim.set_worker_latency(SECOND);
    let peer = world.put("Content-Length: 300000\r\n", pattern(200_000));
    world.sim.advance(MS);
    peer.reset();
    world.sim.advance(10 * SECOND);
    assert_eq!(world.told.borrow().len(), 1);
    assert!(world.files().is_empty(), "{:?}", world.files());
}

#[test]
fn a_body_that_is_too_large_is_refused_and_leaves_no_file() {
    let announced = World::new("announced");
    let peer = announced.put(&format!("Expect: 100-continue\r\nContent-Length: {}\r\n", LIMIT + 1), "");
    announced.expect("the body has more than 1000000 bytes", &[]);
    assert!(peer.text().starts_with("HTTP/1.1 413 "), "{}", peer.text());
    let chunked = World::new("too-large");
    let peer = chunked.put("Transfer-Encoding: chunked\r\n", "");
    for _ in 0..11 {
        peer.write(b"186a0\r\n");
        peer.write(pattern(100_000));
        peer.write(b"\r\n");
        chunked.sim.advance(5 * MS);
    }
    chunked.expect("the body has more than 1000000 bytes", &[]);
    assert!(peer.text().starts_with("HTTP/1.1 413 "), "{}", peer.text());
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_and_costs_that_request_only() {
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let record = told.clone();
    let world = World::with("no-file", told, move |req, res, path| {
        let path = if req.path() == "/good" { path } else { path.join("below") };
        let record = record.clone();
        req.save_to(path, LIMIT, move |saved| {
            record.borrow_mut().push(matches!(saved, Err(SaveError::File(_))).to_string());
            res.end(format!("{} bytes\n", saved?));
            Ok(())
        });
    });
    world.folder.file("body.bin", "a file, and no folder");
    let peer = world.put("Content-Length: 400000\r\n", pattern(400_000));
    world.expect("true", &["body.bin"]);
    assert!(peer.text().starts_with("HTTP/1.1 500 "), "{}", peer.text());
    peer.write("PUT /good HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
    world.sim.advance(SECOND);
    assert!(peer.text().ends_with("2 bytes\n") || peer.is_closed(), "{}", peer.text());
    assert!(world.files().len() == 1);
}

#[test]
fn a_panic_while_it_is_stored_leaves_no_file() {
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let world = World::with("panic", told, move |req, res, path| {
        req.save_to(path, LIMIT, move |_| drop(res.clone()));
        let all = Cell::new(0);
        req.on_data(move |_, bytes| {
            all.set(all.get() + bytes.len());
            assert!(all.get() < 200_000, "the handler's own fault");
        });
    });
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    let peer = world.put("Content-Length: 300000\r\n", pattern(190_000));
    world.sim.advance(SECOND);
    assert_eq!(world.files().len(), 1);
    peer.write(pattern(100_000));
    world.sim.advance(100 * SECOND);
    assert!(peer.text().starts_with("HTTP/1.1 500 "), "{}", peer.text());
    assert!(world.files().is_empty(), "{:?}", world.files());
}

#[test]
fn the_peer_is_slowed_down_to_what_the_disk_takes() {
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let (record, taken) = (told.clone(), Rc::new(Cell::new(0)));
    let count = taken.clone();
    let world = World::with("slow-disk", told, move |req, res, path| {
        let (record, count) = (record.clone(), count.clone());
        req.on_data(move |_, bytes| count.set(count.get() + bytes.len()));
        req.save_to(path, LIMIT, move |saved| {
            record.borrow_mut().push(saved.unwrap().to_string());
            res.end(());
        });
    });
    world.sim.set_network(Network { buffer: 16 * 1024, ..Network::default() });
    world.sim.set_worker_latency(60 * SECOND);
    world.put("Content-Length: 900000\r\n", pattern(900_000));
    world.sim.advance(SECOND);
    assert!((128 * 1024..600_000).contains(&taken.get()), "{} bytes are in memory", taken.get());
    world.sim.set_worker_latency(MS);
    world.sim.advance(200 * SECOND);
    assert_eq!(*world.told.borrow(), ["900000"]);
    assert!(fs::read(world.folder.path("body.bin")).unwrap() == pattern(900_000));
}

#[test]
fn files_that_wait_for_their_peers_are_bounded_by_the_descriptors() {
    let world = World::new("descriptors");
    world.sim.set_known_fd_limit(Some(16));
    let slow: Vec<_> = (0..6).map(|_| world.put("Content-Length: 300000\r\n", pattern(200_000))).collect();
    world.sim.advance(SECOND);
    let refused = slow.iter().filter(|peer| peer.text().starts_with("HTTP/1.1 503 ")).count();
    assert_eq!((world.files().len(), refused), (4, 2));
    // What comes at once needs no file that waits.
    world.put("Content-Length: 3\r\n", "abc");
    world.sim.advance(SECOND);
    assert_eq!(world.told.borrow().last().map(String::as_str), Some("3"));
    slow.iter().for_each(Peer::close);
    world.sim.advance(60 * SECOND);
    assert_eq!(world.files(), ["body.bin"]);
    world.put("Content-Length: 300000\r\n", pattern(300_000));
    world.sim.advance(SECOND);
    assert_eq!(world.told.borrow().last().map(String::as_str), Some("300000"));
}

#[test]
fn it_is_told_by_the_loop_when_the_exchange_is_over_already() {
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let record = told.clone();
    let world = World::with("over", told, move |req, res, path| {
        req.destroy();
        let (record, inside) = (record.clone(), Rc::new(Cell::new(true)));
        let was = inside.clone();
        req.save_to(path, LIMIT, move |saved| {
            assert!(!was.get(), "from inside the call");
            let cut = matches!(saved, Err(SaveError::Closed(CloseReason::Destroyed)));
            record.borrow_mut().push(cut.to_string());
            drop(res);
        });
        inside.set(false);
    });
    world.put("Content-Length: 10\r\n", "0123456789");
    world.expect("true", &[]);
}
