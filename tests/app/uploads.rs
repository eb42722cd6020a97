//! Forms with files: whole and in temporary files while their handler has them, and gone on every way out.

use crate::support::bytes::pattern;
use crate::support::folder::Folder;
use crate::support::http::{Kept, MS, Record, SECOND, keep_log, logged};
use oneloop::app::{self, Upload, UploadOptions, UploadedFile};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Answer, Error, Request, Response, Server};
use oneloop::sim::{Network, Peer, Reply, Sim};
use serde::Deserialize;
use std::cell::Cell;
use std::fs;
use std::rc::Rc;

const TYPE: &str = "multipart/form-data; boundary=b";

/// A server that takes uploads into a folder of its own, in a simulated world.
struct World {
    sim: Sim,
    folder: Folder,
    _server: Server,
}

impl World {
    fn new<R: Answer>(name: &str, handler: impl FnMut(Request, Response, Upload) -> R + 'static) -> World {
        World::with(name, UploadOptions::new(), handler)
    }

    fn with<R: Answer>(
        name: &str,
        options: UploadOptions,
        handler: impl FnMut(Request, Response, Upload) -> R + 'static,
    ) -> World {
        let (sim, folder) = (Sim::new(), Folder::new(&format!("upload-{name}")));
        let server = http::create_server(app::multipart_with(options.folder(folder.path("")), handler));
        server.listen(80, ()).unwrap();
        sim.settle();
        World { sim, folder, _server: server }
    }

    fn post(&self, body: impl AsRef<[u8]>) -> Reply {
        self.sim.request("POST", "/").header("Content-Type", TYPE).body(body).send()
    }

    /// Begins an upload of this length, and sends a part of it.
    fn begin(&self, length: usize, part: &[u8]) -> Peer {
        let peer = self.sim.connect(80);
        peer.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {TYPE}\r\nContent-Length: {length}\r\n\r\n"));
        peer.write(part);
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
    fn expect_files(&self, files: &[&str]) {
        self.sim.advance(100 * SECOND);
        assert_eq!(self.files(), files);
    }
}

fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/plain\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    part(&format!("name=\"f\"; filename=\"{name}\""), content)
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--b--\r\n"].concat()
}

/// Answers with what came, read from the temporary files.
fn show(_: Request, res: Response, upload: Upload) {
    let fields = upload.form().pairs().map(|(name, value)| format!("{name}={value}\n"));
    let files = upload.files().iter().map(|file| {
        let bytes = fs::read(file.path()).unwrap();
        assert_eq!((bytes.len() as u64, file.media_type()), (file.size(), Some("text/plain")));
        let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
        format!("{} {:?} {} {sum}\n", file.field(), file.name(), bytes.len())
    });
    res.end(fields.chain(files).collect::<String>());
}

fn shown(name: &str, content: &[u8]) -> String {
    format!("f {name:?} {} {}\n", content.len(), content.iter().map(|byte| u64::from(*byte)).sum::<u64>())
}

#[test]
fn fields_and_files_of_any_size_come_whole_and_leave_nothing_behind() {
    let world = World::new("sizes", show);
    for size in [0, 1, 128 * 1024 - 1, 128 * 1024, 300_000, 1_000_000] {
        let (one, other) = (pattern(size), pattern(1_000));
        let body = form(&[
            part("name=\"a\"", b"1"),
            file("x", &one),
            part("name=\"b\"", "grün".as_bytes()),
            file("../y", &other),
        ]);
        let expected = format!("a=1\nb=grün\n{}{}", shown("x", &one), shown("../y", &other));
        assert_eq!(world.post(body).expect(200).text(), expected, "{size} bytes");
        world.expect_files(&[]);
    }
}

#[test]
fn an_upload_over_a_rough_network_and_in_chunks_comes_whole() {
    for seed in 0..8 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, read_splits: true, buffer: 7_000, ..Network::default() });
        let folder = Folder::new(&format!("upload-rough-{seed}"));
        let options = UploadOptions::new().folder(folder.path(""));
        let server = http::create_server(app::multipart_with(options, show));
        server.listen(80, ()).unwrap();
        let content = pattern(400_000);
        let request = sim.request("POST", "/").header("Content-Type", TYPE).header("Transfer-Encoding", "chunked");
        let reply = request.body(form(&[file("x", &content), part("name=\"a\"", b"1")])).send();
        assert_eq!(reply.expect(200).text(), format!("a=1\n{}", shown("x", &content)), "seed {seed}");
    }
}

#[test]
fn a_file_that_is_saved_is_kept_and_replaces_what_is_there() {
    let folder = Folder::new("upload-saved");
    let (old, to) = (folder.file("kept.txt", "old"), folder.path("kept.txt"));
    let world = World::new("save", move |_, res, mut upload| {
        assert!(upload.take_file("other").is_none());
        let file = upload.take_file("f").unwrap();
        assert_eq!(upload.files().len(), 1, "the other one is removed");
        file.save_as(&to, move |saved| {
            saved.unwrap();
            res.end("saved");
        });
    });
    assert_eq!(world.post(form(&[file("a", b"new"), file("b", b"more")])).text(), "saved");
    world.expect_files(&[]);
    assert_eq!(fs::read_to_string(old).unwrap(), "new");
}

#[test]
fn a_file_that_cannot_be_saved_is_removed() {
    let told = Record::default();
    let tell = told.clone();
    let world = World::new("unsaved", move |_, res, mut upload| {
        let tell = tell.clone();
        upload.take_file("f").unwrap().save_as("/no/such/folder/x", move |saved| {
            tell.add(saved.unwrap_err().kind());
            res.end(());
        });
    });
    world.post(form(&[file("a", b"new")])).expect(200);
    told.expect(&["entity not found"]);
    world.expect_files(&[]);
}

#[test]
fn a_file_that_is_kept_outlives_its_request_and_is_removed_when_it_is_dropped() {
    let kept = Kept::<UploadedFile>::default();
    let keep = kept.clone();
    let world = World::new("outlive", move |_, res, mut upload| {
        keep.put(upload.take_file("f").unwrap());
        res.end(());
    });
    world.post(form(&[file("a", b"seeds")])).expect(200);
    world.sim.advance(SECOND);
    let file = kept.take();
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "seeds");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600, "nobody else may read it");
    }
    drop(file);
    world.expect_files(&[]);
}

/// CVE-2026-2359 and CVE-2026-5038 of multer: a connection that breaks leaves files, or memory, behind.
#[test]
fn an_upload_that_is_cut_off_anywhere_leaves_no_file() {
    let body = form(&[part("name=\"a\"", b"1"), file("x", &pattern(300_000)), file("y", &pattern(200_000))]);
    for (at, reset, latency) in [10, 100, 200_000, 290_000, 300_500, 450_000, body.len() - 3]
        .into_iter()
        .flat_map(|at| [(at, false, MS), (at, true, MS), (at, false, SECOND), (at, true, SECOND)])
    {
        let world = World::new(&format!("cut-{at}-{reset}-{}", latency.as_millis()), |_, _, _: Upload| {
            unreachable!("it is not whole")
        });
        world.sim.set_worker_latency(latency);
        let peer = world.begin(body.len(), &body[..at]);
        world.sim.advance(10 * MS);
        // In the middle of a job if workers are slow, else between jobs.
        if at >= 200_000 && latency == MS {
            assert_eq!(world.files().len(), if at >= 450_000 { 2 } else { 1 }, "at {at}: a file is under way");
        }
        if reset {
            peer.reset()
        } else {
            peer.close()
        }
        world.expect_files(&[]);
    }
}

#[test]
fn an_upload_that_is_refused_in_its_middle_leaves_no_file_and_is_answered() {
    let large = || file("x", &pattern(300_000));
    let options = || UploadOptions::new().file(400_000).field(10).files(2).parts(4).total(900_000);
    for (name, body, status, text) in [
        ("file", form(&[large(), file("y", &pattern(400_001))]), 413, "form: a file is too large\n"),
        ("field", form(&[large(), part("name=\"a\"", b"12345678901")]), 413, "form: a field is too large\n"),
        ("files", form(&[large(), large(), file("z", b"")]), 413, "form: there are too many files\n"),
        (
            "parts",
            form(&[large(), part("name=a", b""), part("name=a", b""), part("name=a", b""), part("name=a", b"")]),
            413,
            "form: there are too many parts\n",
        ),
        (
            "name",
            form(&[large(), part(&format!("name={}", "x".repeat(101)), b"")]),
            413,
            "form: the name of a part is too long\n",
        ),
        (
            "head",
            form(&[large(), b"--b\r\n X: folded\r\n\r\n\r\n".to_vec()]),
            400,
            "form: a line in the head of a part is no field\n",
        ),
        (
            "delimiter",
            form(&[large(), b"--bb\r\n\r\n".to_vec()]),
            400,
            "form: something follows a delimiter on its line\n",
        ),
        ("truncated", large(), 400, "form: the last delimiter is missing\n"),
        ("utf8", form(&[large(), part("name=a", b"\xff")]), 400, "form: a field is no UTF-8\n"),
        (
            "extended",
            form(&[large(), part("name=a; filename*=utf-8''%", b"")]),
            400,
            "form: a name is not UTF-8 or is coded wrongly\n",
        ),
    ] {
        for latency in [MS, SECOND] {
            let world =
                World::with(&format!("refused-{name}"), options(), |_, _, _: Upload| unreachable!("it is refused"));
            world.sim.set_worker_latency(latency);
            let reply = world.post(&body);
            assert_eq!((reply.status(), reply.text().as_str()), (status, text), "{name}");
            world.expect_files(&[]);
        }
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent_or_when_it_is() {
    let world = World::with("total", UploadOptions::new().total(1_000), show);
    let peer = world.sim.connect(80);
    peer.write(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: {TYPE}\r\nContent-Length: 1001\r\n\r\n"
    ));
    world.sim.settle();
    assert!(
        peer.text().starts_with("HTTP/1.1 413 ") && peer.text().ends_with("the body has more than 1000 bytes\n"),
        "{}",
        peer.text()
    );
    let body = form(&[file("x", &pattern(1_000))]);
    let request = world.sim.request("POST", "/").header("Content-Type", TYPE).header("Transfer-Encoding", "chunked");
    assert_eq!(request.body(body).send().expect(413).text(), "the body has more than 1000 bytes\n");
    world.expect_files(&[]);
}

#[test]
fn what_is_no_form_with_files_is_refused_by_its_head() {
    let world = World::new("head", show);
    for (media_type, status, text) in [
        ("application/x-www-form-urlencoded", 415, "the body must be multipart/form-data\n"),
        ("multipart/mixed; boundary=b", 415, "the body must be multipart/form-data\n"),
        ("multipart/form-data", 400, "form: the boundary must have 1 to 70 characters that RFC 2046 allows\n"),
        ("multipart/form-data; boundary=", 415, "the body must be multipart/form-data\n"),
        (
            "multipart/form-data; boundary=\"\"",
            400,
            "form: the boundary must have 1 to 70 characters that RFC 2046 allows\n",
        ),
        ("multipart/form-data; boundary=\"b\"; charset=utf-8", 200, ""),
        ("Multipart/Form-Data; Boundary=b", 200, ""),
    ] {
        let reply = world.sim.request("POST", "/").header("Content-Type", media_type).body("--b--").send();
        assert_eq!((reply.status(), reply.text().as_str()), (status, text), "{media_type}");
    }
    let coded =
        world.sim.request("POST", "/").header("Content-Type", TYPE).header("Content-Encoding", "gzip").body("x");
    coded.send().expect(415);
    assert_eq!(world.sim.request("POST", "/").send().expect(200).text(), "", "no body is an empty form");
}

#[test]
fn an_input_in_which_no_file_was_chosen_is_no_file() {
    let world = World::new("not-chosen", show);
    assert_eq!(world.post(form(&[file("", b""), part("name=a", b"1")])).text(), "a=1\n");
    world.post(form(&[file("", b"x")])).expect(400);
}

#[test]
fn whatever_its_handler_does_an_upload_leaves_no_file() {
    keep_log();
    for (name, status) in [("panic", 500), ("drop", 500), ("error", 409), ("late", 200)] {
        let world = World::new(&format!("handler-{name}"), move |_, res, upload| -> http::Result {
            assert_eq!(upload.files().len(), 2);
            match name {
                "panic" => panic!("as the test wants it"),
                "error" => return Err(Error::new(409, "not today")),
                "late" => drop(oneloop::set_timeout(SECOND, move || {
                    assert!(upload.files().iter().all(|file| file.path().exists()));
                    res.end("late");
                })),
                _ => {}
            }
            Ok(())
        });
        set_panic_policy(PanicPolicy::Catch);
        let reply = world.post(form(&[file("x", &pattern(300_000)), file("y", b"y")]));
        assert_eq!(reply.status(), status, "{name}");
        world.expect_files(&[]);
    }
    logged();
}

#[test]
fn a_world_that_ends_leaves_no_file() {
    for (latency, sent) in [(MS, 300_000), (SECOND, 300_000), (MS, 400_000)] {
        let folder = Folder::new("upload-world-end");
        let sim = Sim::new();
        let kept = Rc::new(Cell::new(None));
        let keep = kept.clone();
        let handler = move |_: Request, res: Response, upload: Upload| keep.set(Some((res, upload)));
        let server = http::create_server(app::multipart_with(UploadOptions::new().folder(folder.path("")), handler));
        server.listen(80, ()).unwrap();
        sim.set_worker_latency(latency);
        let body = form(&[file("x", &pattern(350_000))]);
        let peer = sim.connect(80);
        peer.write(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        peer.write(&body[..sent.min(body.len())]);
        sim.advance(100 * MS);
        drop((peer, server, sim));
        // What the handler has kept belongs to the next loop of this thread, and has itself removed there.
        if kept.take().is_some() {
            oneloop::run().unwrap();
        }
        assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0, "{latency:?} {sent}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error_of_the_server() {
    keep_log();
    let options = UploadOptions::new();
    let sim = Sim::new();
    let server = http::create_server(app::multipart_with(options.folder("/no/such/folder"), show));
    server.listen(80, ()).unwrap();
    for size in [1, 500_000] {
        let request = sim.request("POST", "/").header("Content-Type", TYPE).body(form(&[file("x", &pattern(size))]));
        let reply = request.send().expect(500);
        assert!(!reply.text().contains("such"), "{reply:?}");
        assert!(format!("{:?}", reply.log()).contains("cannot be stored"), "{reply:?}");
    }
    logged();
}

#[test]
fn the_peer_is_slowed_down_to_what_the_disk_takes() {
    let taken = Rc::new(Cell::new(0));
    let (sim, folder, count) = (Sim::new(), Folder::new("upload-slow-disk"), taken.clone());
    let options = UploadOptions::new().folder(folder.path(""));
    let server = http::create_server(move |req, res| {
        let count = count.clone();
        req.on_data(move |_, bytes| count.set(count.get() + bytes.len()));
        req.read_upload(&options, move |upload| {
            res.end(upload?.files()[0].size().to_string());
            Ok(())
        });
    });
    server.listen(80, ()).unwrap();
    sim.set_network(Network { buffer: 16 * 1024, ..Network::default() });
    sim.set_worker_latency(60 * SECOND);
    let body = form(&[file("x", &pattern(2_000_000))]);
    let peer = sim.connect(80);
    peer.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\n\r\n", body.len()));
    peer.write(&body);
    sim.advance(SECOND);
    assert!((128 * 1024..600_000).contains(&taken.get()), "{} bytes are in memory", taken.get());
    sim.set_worker_latency(MS);
    sim.advance(200 * SECOND);
    assert!(peer.text().ends_with("\r\n\r\n2000000"), "{}", peer.text());
}

#[test]
fn files_that_wait_for_their_peers_are_bounded_by_the_descriptors() {
    keep_log();
    let world = World::new("descriptors", show);
    world.sim.set_known_fd_limit(Some(16));
    let body = form(&[file("x", &pattern(300_000))]);
    let slow: Vec<_> = (0..6).map(|_| world.begin(body.len(), &body[..200_000])).collect();
    world.sim.advance(SECOND);
    let refused = slow.iter().filter(|peer| peer.text().starts_with("HTTP/1.1 503 ")).count();
    assert!((1..6).contains(&refused) && world.files().len() == 6 - refused, "{refused} were refused");
    slow.iter().for_each(Peer::close);
    world.expect_files(&[]);
    assert_eq!(world.post(&body).status(), 200, "there is room again");
    logged();
}

#[derive(Debug, Deserialize)]
struct Photo {
    title: String,
    year: Option<u16>,
    #[serde(default)]
    tag: Vec<String>,
}

#[test]
fn fields_are_read_into_a_type() {
    let world = World::new("typed", |_, res, upload| {
        let Photo { title, year, tag } = upload.form_as()?;
        res.end(format!("{title} {year:?} {tag:?}"));
        Ok(())
    });
    let field = |name: &str, value: &str| part(&format!("name=\"{name}\""), value.as_bytes());
    let body = form(&[field("tag", "a"), field("title", "Garden"), field("year", ""), field("tag", "b")]);
    assert_eq!(world.post(body).text(), "Garden None [\"a\", \"b\"]");
    let reply = world.post(form(&[field("title", "x"), field("year", "soon")])).expect(422);
    assert_eq!(reply.text(), "form: `year`: a whole number from 0 to 65535 is expected\n");
}

#[test]
fn a_late_read_calls_back_once_and_from_the_loop() {
    let told = Record::default();
    let tell = told.clone();
    let sim = Sim::new();
    let server = http::create_server(move |req, res| {
        let (inside, tell) = (Rc::new(Cell::new(true)), tell.clone());
        let seen = inside.clone();
        req.read_upload(&UploadOptions::new().total(1_000), move |upload| {
            assert!(!seen.get(), "it was called inside of the call");
            tell.add(upload.as_ref().map_or_else(|error| error.to_string(), |upload| upload.files().len().to_string()));
            // Who does not answer leaves the status to the error.
            if upload.is_ok() {
                res.end(());
            }
        });
        inside.set(false);
    });
    server.listen(80, ()).unwrap();
    for (media_type, body, status, said) in [
        (TYPE, form(&[file("x", b"x")]), 200, "1"),
        (TYPE, vec![], 200, "0"),
        ("text/plain", form(&[]), 415, "the body must be multipart/form-data"),
        (TYPE, form(&[file("x", &pattern(1_000))]), 413, "the body has more than 1000 bytes"),
        (TYPE, b"--b".to_vec(), 400, "form: the last delimiter is missing"),
    ] {
        let reply = sim.request("POST", "/").header("Content-Type", media_type).body(body).send();
        assert_eq!(reply.status(), status, "{said}");
        told.expect(&[said]);
    }
}
