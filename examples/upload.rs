//! Stores a body in a file, off the loop. Try: `cargo run --example upload`, then `curl -i -T some.file http://localhost:7777`
//!
//! Files are slow compared with sockets, so the worker pool writes them; while a write is pending the request is paused,
//! and in the end the client is slowed down. What is cut off midway, or does not fit on the disk, leaves no file.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. The second is the most that a body may have, in
//! bytes.

use oneloop::http::{self, Request, Response};
use oneloop::worker;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

#[path = "support/port.rs"]
mod port;

/// Larger bodies are refused, unless the command line says otherwise.
const LARGEST: u64 = 1024 * 1024 * 1024;

const TOO_MUCH: &str = "That is too much\n";

/// A file that is being written, and is removed unless it was kept.
struct Upload {
    path: PathBuf,
    file: Arc<File>,
    size: Cell<u64>,
    kept: Cell<bool>,
}

fn main() -> io::Result<()> {
    env_logger::init();
    let largest = std::env::args().nth(2).and_then(|number| number.parse().ok()).unwrap_or(LARGEST);
    let mut serial = 0;
    let server = http::create_server(move |req, res| {
        if !matches!(req.method(), "PUT" | "POST") {
            res.set_header("Allow", "PUT, POST");
            return res.set_status(405).end("Send a body with PUT or POST\n");
        }
        let announced = req.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > largest) {
            return res.set_status(413).end(TOO_MUCH);
        }
        serial += 1;
        let path = std::env::temp_dir().join(format!("oneloop-upload-{}-{serial}", std::process::id()));
        let create = path.clone();
        off_loop(
            &req,
            res,
            move || File::create_new(create),
            move |req, res, file| receive(req, res, path, file, largest),
        );
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Upload", listening.address()))?;
    oneloop::run()
}

/// Takes the body, one write at a time.
fn receive(req: &Request, res: Response, path: PathBuf, file: File, largest: u64) {
    let upload = Rc::new(Upload { path, file: Arc::new(file), size: Cell::new(0), kept: Cell::new(false) });
    let (writing, to) = (upload.clone(), res.clone());
    req.on_data(move |req, bytes| {
        writing.size.set(writing.size.get() + bytes.len() as u64);
        if writing.size.get() > largest {
            req.discard();
            return to.set_status(413).end(TOO_MUCH);
        }
        req.pause();
        let (file, bytes) = (writing.file.clone(), bytes.to_vec());
        off_loop(req, to.clone(), move || (&*file).write_all(&bytes), |req, _, ()| req.resume());
    });
    req.on_end(move |req| {
        let (upload, file) = (upload.clone(), upload.file.clone());
        off_loop(
            req,
            res.clone(),
            move || file.sync_all(),
            move |_, res, ()| {
                upload.kept.set(true);
                res.set_status(201);
                res.end(format!("{} bytes in {}\n", upload.size.get(), upload.path.display()));
            },
        );
    });
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept.get() {
            let path = std::mem::take(&mut self.path);
            worker::run(move || fs::remove_file(path), |_| ());
        }
    }
}

/// Does something to a file on a worker, and goes on with it on the loop; an error is the answer.
fn off_loop<T: Send + 'static>(
    req: &Request,
    res: Response,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    then: impl FnOnce(&Request, Response, T) + 'static,
) {
    let req = req.clone();
    worker::run(work, move |result| match result.unwrap_or_else(|error| Err(error.into())) {
        Ok(value) => then(&req, res, value),
        Err(error) => {
            log::error!("the upload failed: {error}");
            req.discard();
            res.set_status(500).end("It could not be stored\n");
        }
    });
}
