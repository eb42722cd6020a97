//! Stores a body in a file, off the loop. Try: `cargo run --example upload`, then `curl -i -T some.file http://localhost:7777`
//!
//! Files are slow compared with sockets, so the worker pool writes them; while a write is pending the request is paused,
//! and in the end the client is slowed down. What is cut off midway leaves no file.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

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

/// Larger bodies are refused.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// A file that is being written, and is removed unless it was kept.
struct Upload {
    path: PathBuf,
    file: Arc<File>,
    size: Cell<u64>,
    kept: Cell<bool>,
}

fn main() -> io::Result<()> {
    env_logger::init();
    let mut serial = 0;
    let server = http::create_server(move |req, res| {
        if !matches!(req.method(), "PUT" | "POST") {
            res.set_header("Allow", "PUT, POST");
            return res.set_status(405).end("Send a body with PUT or POST\n");
        }
        serial += 1;
        let path = std::env::temp_dir().join(format!("oneloop-upload-{}-{serial}", std::process::id()));
        let create = path.clone();
        off_loop(res, move || File::create_new(create), move |res, file| receive(&req, res, path, file));
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Upload", listening.address()))?;
    oneloop::run()
}

/// Takes the body, one write at a time.
fn receive(req: &Request, res: Response, path: PathBuf, file: File) {
    let upload = Rc::new(Upload { path, file: Arc::new(file), size: Cell::new(0), kept: Cell::new(false) });
    let (writing, to) = (upload.clone(), res.clone());
    req.on_data(move |req, bytes| {
        writing.size.set(writing.size.get() + bytes.len() as u64);
        if writing.size.get() > LARGEST {
            return to.set_status(413).end("That is too much\n");
        }
        req.pause();
        let (req, file, bytes) = (req.clone(), writing.file.clone(), bytes.to_vec());
        off_loop(to.clone(), move || (&*file).write_all(&bytes), move |_, ()| req.resume());
    });
    req.on_end(move |_| {
        let (upload, file) = (upload.clone(), upload.file.clone());
        off_loop(
            res.clone(),
            move || file.sync_all(),
            move |res, ()| {
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
    res: Response,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    then: impl FnOnce(Response, T) + 'static,
) {
    worker::run(work, move |result| match result.unwrap_or_else(|error| Err(error.into())) {
        Ok(value) => then(res, value),
        Err(error) => {
            log::error!("the upload failed: {error}");
            res.set_status(500).end("It could not be stored\n");
        }
    });
}
