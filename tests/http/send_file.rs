//! `Response::send_file`: whole, by parts, on conditions, as fast as the peer takes it.

use crate::support::bytes::pattern;
use crate::support::folder::Folder;
use crate::support::logger::{keep_log, lines};
use crate::support::own_thread::on_own_thread;
use log::Level;
use oneloop::http::{self, Request, Response};
use oneloop::net::{CloseReason, Overflow};
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sendfile, Sim};
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// From where it is; read by the loop, as the system refuses that; read by workers, as it has no call for it.
const WAYS: [Sendfile; 3] = [Sendfile::Works, Sendfile::Refused, Sendfile::Missing];

/// A server of one file in a simulated world.
struct World {
    sim: Sim,
    server: http::Server,
}

impl World {
    fn new(on_request: impl FnMut(Request, Response) + 'static) -> World {
        let sim = Sim::new();
        let server = http::create_server(on_request);
        server.listen(80, || ()).unwrap();
        sim.settle();
        World { sim, server }
    }

    fn of(file: PathBuf) -> World {
        World::new(move |_req, res| res.send_file(&file))
    }

    /// Asks, with fields of that kind: `"Range: bytes=0-1\r\n"`.
    fn ask(&self, method: &str, fields: &str) -> Answer {
        let peer = self.sim.connect(80);
        peer.write(format!("{method} /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n"));
        let over = peer.clone();
        assert!(self.sim.run_until(|| over.is_closed(), MINUTE), "no whole answer: {}", peer.text());
        Answer::of(&peer)
    }

    fn get(&self, fields: &str) -> Answer {
        self.ask("GET", fields)
    }

    /// Nothing of what was asked for is left behind.
    fn end(self) {
        let closed = Rc::new(Cell::new(false));
        let told = closed.clone();
        self.server.close(move || told.set(true));
        self.sim.run_to_rest();
        assert!(closed.get(), "a connection is still open");
        assert_eq!(self.sim.open_fds(), 0);
    }
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(peer: &Peer) -> Answer {
        Answer::from(peer.received())
    }

    fn from(bytes: Vec<u8>) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("no head") + 4;
        Answer { head: String::from_utf8(bytes[..end].to_vec()).unwrap(), body: bytes[end..].to_vec() }
    }

    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    fn expect(&self, status: u16, body: &str) {
        assert_eq!((self.status(), String::from_utf8_lossy(&self.body).as_ref()), (status, body), "{}", self.head);
    }
}

// ---- Whole

#[test]
fn a_file_is_sent_with_its_length_type_and_validators() {
    let folder = Folder::new("whole");
    let world = World::of(folder.old_file("page.html", "<h1>Hi</h1>"));
    let answer = world.get("");
    answer.expect(200, "<h1>Hi</h1>");
    assert_eq!(answer.field("Content-Length"), Some("11"));
    assert_eq!(answer.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.field("Accept-Ranges"), Some("bytes"));
    assert!(answer.field("ETag").unwrap().starts_with('"'), "{}", answer.head);
    assert!(answer.field("Last-Modified").unwrap().ends_with(" GMT"), "{}", answer.head);
    world.end();
}

#[test]
fn head_gets_the_same_head_without_the_content() {
    let folder = Folder::new("head");
    let world = World::of(folder.old_file("page.txt", "hello"));
    let (get, head) = (world.get(""), world.ask("HEAD", "Range: bytes=0-0\r\n"));
    head.expect(200, "");
    for name in ["Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"] {
        assert_eq!(head.field(name), get.field(name), "{name}");
    }
    world.end();
}

#[test]
fn an_empty_file_and_one_of_just_a_chunk_are_whole() {
    let folder = Folder::new("sizes");
    for size in [0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 256 * 1024, 1024 * 1024] {
        let content = pattern(size);
        for way in WAYS {
            let world = World::of(folder.file("data", &content));
            world.sim.set_sendfile(way);
            let answer = world.get("");
            assert_eq!(answer.field("Content-Length"), Some(size.to_string().as_str()));
            assert!(answer.body == content, "{size} bytes, {way:?}");
            assert_eq!(answer.field("Content-Type"), Some("application/octet-stream"));
            world.end();
        }
    }
}

#[test]
fn what_the_program_has_set_stays() {
    let folder = Folder::new("kept");
    let file = folder.old_file("data.html", "0123456789");
    let world = World::new(move |_req, res| {
        res.set_header("Content-Type", "text/x-own");
        res.set_header("Cache-Control", "max-age=60");
        res.set_header("ETag", "\"v1\"");
        res.set_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        res.send_file(&file);
    });
    let answer = world.get("");
    answer.expect(200, "0123456789");
    assert_eq!(answer.field("Content-Type"), Some("text/x-own"));
    assert_eq!(answer.field("Cache-Control"), Some("max-age=60"));
    assert_eq!(answer.head.matches("ETag").count(), 1);
    let known = world.get("If-None-Match: \"v1\"\r\n");
    known.expect(304, "");
    assert_eq!(known.field("Cache-Control"), Some("max-age=60"));
    assert_eq!(known.field("ETag"), Some("\"v1\""));
    assert_eq!(known.field("Content-Type"), None);
    world.get("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").expect(304, "");
    world.get("Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n").expect(206, "01");
    world.end();
}

#[test]
fn a_status_of_its_own_is_kept_and_the_file_sent_as_it_is() {
    let folder = Folder::new("status");
    let file = folder.old_file("404.html", "nothing here");
    let world = World::new(move |_req, res| {
        res.set_status(404).send_file(&file);
    });
    let answer = world.get("If-None-Match: *\r\nRange: bytes=0-1\r\n");
    answer.expect(404, "nothing here");
    assert_eq!(answer.field("ETag"), None);
    assert_eq!(answer.field("Accept-Ranges"), None);
    world.end();
}

#[test]
fn other_methods_get_it_without_conditions() {
    let folder = Folder::new("methods");
    let world = World::of(folder.old_file("data.txt", "0123456789"));
    world.ask("POST", "If-None-Match: *\r\nRange: bytes=0-1\r\nContent-Length: 0\r\n").expect(200, "0123456789");
    world.end();
}

#[test]
fn files_of_pipelined_requests_are_answered_in_order() {
    let folder = Folder::new("pipeline");
    let (large, small) = (folder.file("large", pattern(400_000)), folder.file("small", "small"));
    let world =
        World::new(move |req, res| res.send_file(if req.path() == "/large" { large.clone() } else { small.clone() }));
    let peer = world.sim.connect(80);
    peer.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(world.sim.run_until(|| peer.is_closed(), MINUTE));
    let first = Answer::of(&peer);
    assert!(first.body[..400_000] == pattern(400_000));
    Answer::from(first.body[400_000..].to_vec()).expect(200, "small");
    world.end();
}

// ---- Conditions and ranges

#[test]
fn a_client_that_has_it_is_told_so() {
    let folder = Folder::new("not-modified");
    let world = World::of(folder.old_file("data.txt", "0123456789"));
    let first = world.get("");
    let (etag, date) = (first.field("ETag").unwrap(), first.field("Last-Modified").unwrap());
    for fields in [
        format!("If-None-Match: {etag}\r\n"),
        format!("If-None-Match: \"other\", W/{etag}\r\n"),
        format!("If-None-Match: \"other\"\r\nIf-None-Match: {etag}\r\n"),
        format!("If-Modified-Since: {date}\r\n"),
        format!("If-None-Match: {etag}\r\nRange: bytes=0-1\r\n"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = world.ask(method, &fields);
            answer.expect(304, "");
            assert_eq!(answer.field("ETag"), Some(etag));
            assert_eq!(answer.field("Last-Modified"), Some(date));
        }
    }
    world.get(&format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {date}\r\n")).expect(200, "0123456789");
    world.get("If-Modified-Since: yesterday\r\n").expect(200, "0123456789");
    world.get("If-Match: \"other\"\r\n").expect(412, "412 Precondition Failed\n");
    world.get(&format!("If-Match: {etag}\r\n")).expect(200, "0123456789");
    world.get("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").expect(412, "412 Precondition Failed\n");
    world.end();
}

#[test]
fn a_changed_file_has_another_etag() {
    let folder = Folder::new("changed");
    let world = World::of(folder.old_file("data.txt", "one"));
    let first = world.get("").field("ETag").unwrap().to_owned();
    folder.file("data.txt", "two");
    let answer = world.get(&format!("If-None-Match: {first}\r\n"));
    answer.expect(200, "two");
    assert!(answer.field("ETag").unwrap().starts_with("W/"), "it was changed just now: {}", answer.head);
    world.end();
}

#[test]
fn one_range_is_a_part() {
    let folder = Folder::new("range");
    let world = World::of(folder.old_file("data.txt", "0123456789"));
    for (range, body, told) in [
        ("0-0", "0", "bytes 0-0/10"),
        ("2-4", "234", "bytes 2-4/10"),
        ("7-", "789", "bytes 7-9/10"),
        ("-2", "89", "bytes 8-9/10"),
        ("5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = world.get(&format!("Range: bytes={range}\r\n"));
        answer.expect(206, body);
        assert_eq!(answer.field("Content-Range"), Some(told));
        assert_eq!(answer.field("Content-Length"), Some(body.len().to_string().as_str()));
        assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
    }
    let none = world.get("Range: bytes=10-\r\n");
    none.expect(416, "416 Range Not Satisfiable\n");
    assert_eq!(none.field("Content-Range"), Some("bytes */10"));
    assert_eq!(none.field("ETag"), None);
    world.get("Range: bytes=0-1,4-5\r\n").expect(200, "0123456789");
    world.get("Range: bytes=0-1\r\nRange: bytes=4-5\r\n").expect(200, "0123456789");
    world.get("Range: lines=0-1\r\n").expect(200, "0123456789");
    world.end();
}

#[test]
fn a_range_far_into_a_large_file_is_that_part() {
    let folder = Folder::new("far");
    let content = pattern(1_000_000);
    for way in WAYS {
        let world = World::of(folder.file("data", &content));
        world.sim.set_sendfile(way);
        let answer = world.get("Range: bytes=300001-899998\r\n");
        assert_eq!(answer.status(), 206);
        assert!(answer.body == content[300_001..899_999], "{way:?}");
        world.end();
    }
}

#[test]
fn if_range_resumes_only_what_has_not_changed() {
    let folder = Folder::new("if-range");
    let file = folder.old_file("data.txt", "0123456789");
    let world = World::of(file);
    let first = world.get("");
    let (etag, date) = (first.field("ETag").unwrap().to_owned(), first.field("Last-Modified").unwrap().to_owned());
    world.get(&format!("Range: bytes=1-2\r\nIf-Range: {etag}\r\n")).expect(206, "12");
    world.get(&format!("Range: bytes=1-2\r\nIf-Range: {date}\r\n")).expect(206, "12");
    folder.file("data.txt", "ABCDEFGHIJ");
    world.get(&format!("Range: bytes=1-2\r\nIf-Range: {etag}\r\n")).expect(200, "ABCDEFGHIJ");
    // Of a state that may still change unnoticed, no part is given away.
    let fresh = world.get("").field("ETag").unwrap().to_owned();
    world.get(&format!("Range: bytes=1-2\r\nIf-Range: {fresh}\r\n")).expect(200, "ABCDEFGHIJ");
    world.end();
}

#[test]
fn ranges_can_be_turned_off() {
    let folder = Folder::new("no-ranges");
    let file = folder.old_file("data.txt", "0123456789");
    let world = World::new(move |_req, res| {
        res.set_header("Accept-Ranges", "none");
        res.send_file(&file);
    });
    let answer = world.get("Range: bytes=1-2\r\n");
    answer.expect(200, "0123456789");
    assert_eq!(answer.field("Accept-Ranges"), Some("none"));
    world.end();
}

#[test]
fn any_range_of_an_empty_file_is_the_whole_of_it() {
    let folder = Folder::new("empty-range");
    let world = World::of(folder.old_file("empty.txt", ""));
    for range in ["0-", "0-0", "5-", "-5"] {
        let answer = world.get(&format!("Range: bytes={range}\r\n"));
        answer.expect(200, "");
        assert_eq!((answer.field("Content-Length"), answer.field("Content-Range")), (Some("0"), None));
    }
    world.end();
}

// ---- Times that say nothing

#[test]
fn versions_of_one_normalised_time_and_size_are_told_apart() {
    use std::time::SystemTime;
    for time in [0, 1, 315_532_800, 1_700_000_000] {
        let folder = Folder::new(&format!("normalised-{time}"));
        let place = folder.path("app.js");
        let put = |name: &str, content: &str| {
            let file = folder.file(name, content);
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
            File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
            file
        };
        let (old, new) = (put("old", "version(1)"), put("new", "version(2)"));
        fs::rename(old, &place).unwrap();
        let world = World::of(place.clone());
        let first = world.get("");
        first.expect(200, "version(1)");
        let etag = first.field("ETag").map(str::to_owned);
        assert_eq!(etag.is_some(), cfg!(unix), "{}", first.head);
        assert_ne!(first.field("Last-Modified"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        if let Some(etag) = &etag {
            world.get(&format!("If-None-Match: {etag}\r\n")).expect(304, "");
        }
        fs::rename(new, &place).unwrap();
        let etag = etag.unwrap_or("\"none\"".into());
        world.get(&format!("If-None-Match: {etag}\r\n")).expect(200, "version(2)");
        world.get(&format!("If-Range: {etag}\r\nRange: bytes=8-\r\n")).expect(200, "version(2)");
        world.end();
    }
}

// ---- Files that do not know their size

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_a_size_is_read_to_its_end() {
    // The last one is longer than a chunk.
    for file in ["/proc/version", "/proc/filesystems", "/proc/kallsyms"] {
        let Ok(content) = fs::read(file) else { continue };
        let world = World::of(file.into());
        for fields in ["", "Range: bytes=0-1\r\n", "If-None-Match: \"x\"\r\n"] {
            let answer = world.get(fields);
            assert_eq!(answer.status(), 200, "{file}");
            assert_eq!(answer.field("Transfer-Encoding"), Some("chunked"), "{file}");
            for name in ["Content-Length", "ETag", "Last-Modified", "Accept-Ranges"] {
                assert_eq!(answer.field(name), None, "{file}");
            }
            assert!(dechunked(&answer.body) == content, "{file}, {fields}");
        }
        let head = world.ask("HEAD", "");
        assert!(head.body.is_empty() && head.field("Content-Length") != Some("0"), "{}", head.head);
        let peer = world.sim.connect(80);
        peer.write("GET / HTTP/1.0\r\n\r\n");
        assert!(world.sim.run_until(|| peer.is_closed(), MINUTE));
        let old = Answer::of(&peer);
        assert_eq!((old.field("Transfer-Encoding"), old.field("Content-Length")), (None, None));
        assert!(old.body == content, "{file}");
        world.end();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_a_size_which_it_does_not_have_is_read_to_its_end() {
    let file = "/sys/kernel/mm/transparent_hugepage/enabled";
    let Ok(content) = fs::read(file) else { return };
    let world = World::of(file.into());
    for fields in ["", "Range: bytes=1-\r\n"] {
        let answer = world.get(fields);
        assert_eq!((answer.status(), answer.field("Transfer-Encoding")), (200, Some("chunked")));
        assert!(dechunked(&answer.body) == content);
    }
    world.end();
}

#[cfg(target_os = "linux")]
fn dechunked(mut coded: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let line = coded.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&coded[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return content;
        }
        content.extend_from_slice(&coded[line + 2..line + 2 + size]);
        coded = &coded[line + 2 + size + 2..];
    }
}

// ---- What is no file

#[test]
fn what_cannot_be_sent_is_answered_with_a_status() {
    let folder = Folder::new("no-file");
    folder.file("file", "");
    let mut cases = vec![
        (folder.path("missing"), 404),
        (folder.path("file/below"), 404),
        (folder.path("nul\0byte"), 404),
        (folder.path(&"long".repeat(100)), 404),
        (folder.path(""), 403),
    ];
    if cfg!(unix) {
        let pipe = folder.path("pipe");
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            cases.push((pipe, 403));
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = folder.file("locked", "secret");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser may read it all the same.
        if File::open(&locked).is_err() {
            cases.push((locked, 403));
        }
    }
    for (path, status) in cases {
        let told = path.clone();
        let world = World::new(move |_req, res| {
            res.set_header("Cache-Control", "max-age=31536000");
            res.set_header("Content-Type", "image/png");
            res.send_file(&told);
        });
        let answer = world.get("");
        assert_eq!(answer.status(), status, "{}", path.display());
        assert_eq!(answer.field("Cache-Control"), None, "an error is not to be cached as the file would be");
        assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
        world.end();
    }
}

/// Files that the library reads at a time, and that wait for it.
const FILES: usize = 4 + 1024;

#[test]
fn a_full_queue_answers_503_and_does_not_cut_what_is_on_its_way() {
    let folder = Folder::new("queue");
    let content = pattern(3_000_000);
    let file = folder.file("data", &content);
    let sim = Sim::new();
    let server = http::create_server(move |_req, res| res.send_file(&file));
    server.listen(80, || ()).unwrap();
    sim.set_network(Network { buffer: 16 * 1024, ..Network::default() });
    let download = sim.connect(80);
    download.pause_reading();
    download.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    sim.advance(Duration::from_secs(1));
    // As many as are taken: there is no room for another.
    sim.set_worker_latency(Duration::from_secs(1));
    let ask = |_| {
        let peer = sim.connect(80);
        peer.write("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        sim.settle();
        peer
    };
    let taken: Vec<_> = (0..FILES).map(ask).collect();
    let late = sim.connect(80);
    late.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    download.resume_reading();
    assert!(sim.run_until(|| late.is_closed(), Duration::from_millis(500)));
    Answer::of(&late).expect(503, "503 Service Unavailable: the server is too busy at the moment\n");
    assert!(sim.run_until(|| download.is_closed(), 10 * MINUTE));
    assert!(Answer::of(&download).body == content);
    assert!(taken.iter().all(|peer| peer.is_closed()));
}

// ---- Backpressure and ends

/// A download that stands still since its peer reads nothing.
fn stalled(
    content: &[u8],
    folder: &Folder,
    way: Sendfile,
) -> (World, Peer, Rc<RefCell<Vec<CloseReason>>>, Rc<RefCell<Option<Response>>>) {
    let file = folder.file("data", content);
    let (reasons, kept) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (told, keep) = (reasons.clone(), kept.clone());
    let world = World::new(move |_req, res| {
        let told = told.clone();
        res.on_close(move |_, reason| told.borrow_mut().push(reason));
        res.send_file(&file);
        *keep.borrow_mut() = Some(res);
    });
    world.sim.set_network(Network { buffer: 16 * 1024, ..Network::default() }).set_sendfile(way);
    let peer = world.sim.connect(80);
    peer.pause_reading();
    peer.write("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
    world.sim.advance(Duration::from_secs(1));
    (world, peer, reasons, kept)
}

#[test]
fn no_more_is_read_than_the_peer_takes() {
    let folder = Folder::new("pressure");
    let content = pattern(4_000_000);
    for way in WAYS {
        let (world, peer, reasons, kept) = stalled(&content, &folder, way);
        let pending = kept.borrow().as_ref().unwrap().pending();
        assert!(pending > 0 && pending <= 192 * 1024 + 1024, "{pending} bytes are pending, {way:?}");
        peer.resume_reading();
        assert!(world.sim.run_until(|| !reasons.borrow().is_empty(), MINUTE));
        // What the kernel has, the peer has yet to read.
        world.sim.settle();
        assert_eq!(*reasons.borrow(), [CloseReason::Finished]);
        assert!(Answer::of(&peer).body == content, "{way:?}");
        world.end();
    }
}

#[test]
fn a_rough_network_changes_nothing() {
    let folder = Folder::new("rough");
    let content = pattern(777_777);
    let file = folder.file("data", &content);
    for seed in 0..21 {
        let sim = Sim::with_seed(seed);
        let buffer = 1000 + 9_000 * seed as usize;
        sim.set_network(Network { splits: true, partial_writes: true, buffer, ..Network::default() });
        sim.set_sendfile(WAYS[seed as usize % 3]);
        let sent = file.clone();
        let server = http::create_server(move |_req, res| res.send_file(&sent));
        server.listen(80, || ()).unwrap();
        let peer = sim.connect(80);
        let first = 1 + sim.random(700_000) as usize;
        peer.write(format!("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes={first}-\r\nConnection: close\r\n\r\n"));
        assert!(sim.run_until(|| peer.is_closed(), MINUTE), "seed {seed}");
        assert!(Answer::of(&peer).body == content[first..], "seed {seed}");
    }
}

#[test]
fn a_file_that_shrinks_cuts_the_connection() {
    let folder = Folder::new("shrinks");
    let content = pattern(1_000_000);
    for way in WAYS {
        let (world, peer, reasons, kept) = stalled(&content, &folder, way);
        File::options().write(true).open(folder.path("data")).unwrap().set_len(200_000).unwrap();
        peer.resume_reading();
        assert!(world.sim.run_until(|| peer.is_closed(), MINUTE), "{way:?}");
        let body = Answer::of(&peer).body;
        assert!(body.len() <= 200_000 && content.starts_with(&body), "{way:?}");
        world.sim.settle();
        assert_eq!(*reasons.borrow(), [CloseReason::BadResponse], "{way:?}");
        kept.take();
        world.end();
    }
}

#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn a_file_that_shrinks_below_what_is_pending_cuts_the_connection_and_drops_what_stands_behind_it() {
    let folder = Folder::new("shrinks-pending");
    for way in [Sendfile::Works, Sendfile::Refused] {
        let (world, peer, reasons, kept) = stalled(&pattern(400_000), &folder, way);
        peer.write("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
        peer.resume_reading();
        assert!(world.sim.run_until(|| peer.received().len() > 140_000, MINUTE));
        peer.pause_reading();
        world.sim.advance(Duration::from_secs(1));
        File::options().write(true).open(folder.path("data")).unwrap().set_len(200_000).unwrap();
        peer.resume_reading();
        assert!(world.sim.run_until(|| peer.is_closed(), MINUTE), "{way:?}");
        assert!(Answer::of(&peer).body.len() <= 200_000, "{way:?}");
        world.sim.settle();
        assert_eq!(reasons.borrow().first(), Some(&CloseReason::BadResponse), "{way:?}");
        kept.take();
        world.end();
    }
}

#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn what_waits_in_its_file_does_not_count_as_pending_in_memory() {
    let folder = Folder::new("in-file");
    let content = pattern(2_000_000);
    let file = folder.file("data", &content);
    let world = World::new(move |_req, res| {
        res.set_pending_limit(1024, Overflow::Close).send_file(&file);
    });
    world.sim.set_network(Network { buffer: 16 * 1024, ..Network::default() });
    let peer = world.sim.connect(80);
    peer.pause_reading();
    peer.write("GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    world.sim.advance(Duration::from_secs(1));
    peer.resume_reading();
    assert!(world.sim.run_until(|| peer.is_closed(), MINUTE));
    assert!(Answer::of(&peer).body == content);
    world.end();
}

#[test]
fn files_and_other_answers_stand_in_order_in_one_output() {
    let folder = Folder::new("mixed");
    let content = pattern(400_000);
    let file = folder.file("data", &content);
    for seed in 0..21 {
        let sim = Sim::with_seed(seed);
        let buffer = 1000 + 20_000 * seed as usize;
        sim.set_network(Network { splits: true, partial_writes: true, buffer, ..Network::default() });
        sim.set_sendfile(WAYS[seed as usize % 3]);
        let sent = file.clone();
        let server = http::create_server(move |req, res| match req.path() {
            "/file" => res.send_file(&sent),
            _ => res.end("x".repeat(50_000)),
        });
        server.listen(80, || ()).unwrap();
        let peer = sim.connect(80);
        for path in ["file", "text", "file", "text"] {
            peer.write(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        }
        peer.write("GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(sim.run_until(|| peer.is_closed(), MINUTE), "seed {seed}");
        let mut rest = peer.received();
        for length in [400_000, 50_000, 400_000, 50_000, 400_000] {
            let answer = Answer::from(rest);
            let (body, behind) = answer.body.split_at(length);
            assert!(if length == 50_000 { body == [b'x'; 50_000] } else { body == content }, "seed {seed}");
            rest = behind.to_vec();
        }
        assert!(rest.is_empty(), "seed {seed}");
    }
}

#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn a_large_file_that_was_sent_a_short_time_ago_is_not_read_again() {
    let folder = Folder::new("warm");
    let content = pattern(3_500_000);
    let world = World::of(folder.file("data", &content));
    world.sim.set_network(Network { buffer: 8 << 20, ..Network::default() });
    let job = Duration::from_millis(100);
    world.sim.set_worker_latency(job);
    let took = |method: &str| {
        let before = world.sim.now();
        assert_eq!(world.ask(method, "").body, if method == "HEAD" { &[] } else { content.as_slice() });
        world.sim.now() - before
    };
    let (opened, read) = (took("HEAD"), 4 * job);
    assert_eq!(took("GET"), opened + read, "a job for each MiB");
    assert_eq!(took("GET"), opened);
    world.sim.advance(Duration::from_secs(20));
    assert_eq!(took("GET"), opened + read, "it may have left the memory meanwhile");
    world.end();
}

#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn only_for_a_peer_that_takes_a_file_quickly_does_the_kernel_hold_much_of_it() {
    let folder = Folder::new("quick");
    let file = folder.path("data");
    File::create(&file).unwrap().set_len(20 << 20).unwrap();
    let world = World::of(file);
    world.sim.set_network(Network { buffer: 4 << 20, ..Network::default() });
    let peer = world.sim.connect(80);
    let limits = || {
        let lines = lines(Level::Debug);
        let texts = lines.iter().filter_map(|line| line.text.strip_prefix("the limit of unsent bytes for "));
        texts.map(|text| text.split(": ").last().unwrap().to_owned()).collect::<Vec<_>>()
    };
    keep_log();
    let slowly = || peer.read_at_rate(16 << 10, Duration::from_millis(20));
    slowly();
    peer.write("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
    world.sim.advance(Duration::from_secs(5));
    assert_eq!(limits(), ["OfFile"], "though the network took 4 MiB at once");
    peer.resume_reading();
    world.sim.advance(Duration::from_millis(100));
    assert_eq!(limits(), ["OfQuickFile"], "once, when it has read 8 MiB quickly");
    assert!(peer.take().len() > 20 << 20, "all of the file");
    // The next file begins with the smaller limit, and a peer that becomes slow has it again.
    peer.read_at_rate(16 << 10, Duration::from_millis(1));
    peer.write("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
    world.sim.advance(Duration::from_millis(700));
    assert_eq!(limits(), ["OfFile", "OfQuickFile"]);
    slowly();
    world.sim.advance(Duration::from_secs(5));
    assert_eq!(limits(), ["OfFile"]);
    peer.close();
    world.end();
}

#[test]
fn a_file_of_a_response_that_has_no_content_is_not_sent() {
    let folder = Folder::new("no-content");
    let file = folder.file("data", pattern(300_000));
    let world = World::new(move |_req, res| res.set_status(204).send_file(&file));
    world.get("").expect(204, "");
    world.end();
}

#[test]
fn a_file_that_grows_is_sent_up_to_its_announced_length() {
    let folder = Folder::new("grows");
    let content = pattern(500_000);
    for way in WAYS {
        let (world, peer, reasons, _kept) = stalled(&content, &folder, way);
        File::options().append(true).open(folder.path("data")).unwrap().write_all(&[b'!'; 100_000]).unwrap();
        peer.resume_reading();
        assert!(world.sim.run_until(|| !reasons.borrow().is_empty(), MINUTE));
        // What the kernel has, the peer has yet to read.
        world.sim.settle();
        assert!(Answer::of(&peer).body == content, "{way:?}");
        // The connection goes on: nothing of the rest was sent.
        peer.take();
        peer.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
        world.sim.advance(Duration::from_secs(1));
        assert_eq!(Answer::of(&peer).field("Content-Length"), Some("600000"), "{way:?}");
        world.end();
    }
}

#[test]
fn a_peer_that_goes_away_ends_it() {
    let folder = Folder::new("gone");
    for way in WAYS {
        let (world, peer, reasons, kept) = stalled(&pattern(1_000_000), &folder, way);
        kept.take();
        assert!(reasons.borrow().is_empty(), "the transfer itself has to keep the response");
        peer.reset();
        world.sim.advance(Duration::from_secs(1));
        assert_eq!(*reasons.borrow(), [CloseReason::Reset], "{way:?}");
        assert_eq!(Rc::strong_count(&reasons), 2, "the server's handler, and this test: the response is dropped");
        assert!(!is_open(&folder.path("data")), "{way:?}");
        world.end();
    }
}

/// Returns whether this process has the file open. Where the system does not tell, it has not.
fn is_open(file: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return false };
    descriptors.flatten().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|place| place == file))
}

#[test]
fn a_file_that_comes_late_is_left_aside() {
    let folder = Folder::new("late");
    let file = folder.file("data.txt", "the file");
    let world = World::new(move |_req, res| {
        res.set_timeout(Duration::from_secs(1), |res| {
            res.set_status(503).set_header("Content-Length", "8");
            res.write("too ").ignore();
            let res = res.clone();
            set_timeout(Duration::from_secs(5), move || res.end("slow"));
        });
        res.send_file(&file);
    });
    world.sim.set_worker_latency(Duration::from_secs(5));
    world.get("").expect(503, "too slow");
    world.end();
}

#[test]
fn calls_that_come_too_late_or_twice_do_nothing() {
    let folder = Folder::new("twice");
    let (one, other) = (folder.file("one", "one"), folder.file("other", "other"));
    let world = World::new(move |req, res| match req.method() {
        "GET" => {
            res.send_file(&one);
            res.send_file(&other);
        }
        "PUT" => {
            res.end("answered");
            res.send_file(&one);
        }
        _ => {
            res.write("begun").ignore();
            res.send_file(&one);
            set_timeout(Duration::from_secs(1), move || res.end(", ended"));
        }
    });
    world.get("").expect(200, "one");
    world.ask("PUT", "Content-Length: 0\r\n").expect(200, "answered");
    let streamed = world.ask("POST", "Content-Length: 0\r\n");
    assert!(String::from_utf8(streamed.body).unwrap().contains(", ended"));
    world.end();
}

// ---- In the real world

#[test]
fn over_a_real_socket_a_large_file_arrives_whole_and_in_parts() {
    let folder = Folder::new("real");
    let content = pattern(8 * 1024 * 1024 + 17);
    let file = folder.old_file("data", &content);
    on_own_thread(move || {
        let (tell, port) = mpsc::channel::<u16>();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port.recv().unwrap())).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=1000000-\r\n\r\n").unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            let part = Answer::from(bytes);
            assert_eq!(part.status(), 206);
            let (body, rest) = part.body.split_at(content.len() - 1_000_000);
            assert!(*body == content[1_000_000..]);
            let whole = Answer::from(rest.to_vec());
            assert_eq!(whole.status(), 200);
            assert!(whole.body == content);
        });
        let server = http::create_server(move |_req, res| res.send_file(&file));
        let (listening, closing) = (server.clone(), server.clone());
        server
            .listen(("127.0.0.1", 0), move || tell.send(listening.address().unwrap().port().unwrap()).unwrap())
            .unwrap();
        let served = Cell::new(0);
        server.on_request(move |_req, res| {
            served.set(served.get() + 1);
            if served.get() == 2 {
                let server = closing.clone();
                res.on_close(move |_, _| server.close(|| ()));
            }
        });
        oneloop::run().unwrap();
        client.join().unwrap();
    });
}
