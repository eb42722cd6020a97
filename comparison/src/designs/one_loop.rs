//! Design 1, `loop`: one thread, one loop, `http::create_server` as every user has it.
//!
//! What waits is a timer or a kept `Response`; what computes holds all others up, and that is to be seen.

use super::handlers::{self, CONTENT_TYPE, DONE, EVENT, HELLO, NOT_FOUND, PIECE, Work};
use super::{BACKLOG, Listening, Setup};
use oneloop::http::{self, Request, Response, Server};
use oneloop::net::{Chunk, Flow, Listen};
use oneloop::set_timeout;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::thread;

pub fn serve(setup: &Setup, listening: Listening) -> io::Result<()> {
    let (work_per_ms, waiting) = (setup.work_per_ms, Waiting::default());
    let server = http::create_server(move |req, res| answer(&req, res, work_per_ms, &waiting));
    listen(&server, setup, setup.port, false)?;
    listening(port(&server)?);
    oneloop::run()
}

pub fn answer(req: &Request, res: Response, work_per_ms: u64, waiting: &Waiting) {
    res.set_header("Content-Type", CONTENT_TYPE);
    match Work::of(req.method(), req.path(), req.query()) {
        Work::Hello => res.end(HELLO),
        Work::Wait(time) => drop(set_timeout(time, move || res.end(DONE))),
        Work::Block(time) => {
            thread::sleep(time);
            res.end(DONE);
        }
        Work::Cpu(ms) => res.end(handlers::burn(ms * work_per_ms)),
        Work::Upload => upload(req, res),
        Work::Download(bytes) => download(&res, bytes),
        Work::Event => waiting.0.borrow_mut().push(res),
        Work::Publish => res.end(waiting.wake().to_string()),
        Work::Unknown => res.set_status(404).end(NOT_FOUND),
    }
}

fn upload(req: &Request, res: Response) {
    let length = Rc::new(Cell::new(0));
    let total = length.clone();
    req.on_data(move |_, data| length.set(length.get() + data.len()));
    req.on_end(move |_| res.end(total.get().to_string()));
}

fn download(res: &Response, bytes: u64) {
    res.set_header("Content-Length", bytes);
    let left = Cell::new(bytes);
    let send = move |res: &Response| {
        while left.get() > 0 {
            let piece = &PIECE[..left.get().min(PIECE.len() as u64) as usize];
            left.set(left.get() - piece.len() as u64);
            if res.write(Chunk::from_static(piece)) != Flow::Ready {
                return;
            }
        }
        res.end(());
    };
    send(res);
    if !res.is_ended() {
        res.on_drain(send);
    }
}

/// Those who wait for the event.
#[derive(Clone, Default)]
pub struct Waiting(pub Rc<RefCell<Vec<Response>>>);

impl Waiting {
    /// Answers them all, and says how many they were.
    pub fn wake(&self) -> usize {
        let woken = self.0.take().into_iter().filter(|res| !res.is_closed());
        woken.map(|res| res.end(EVENT)).count()
    }
}

pub fn listen(server: &Server, setup: &Setup, port: u16, shared: bool) -> io::Result<()> {
    server.set_limits(setup.limits.clone());
    server.listen(Listen::from(("127.0.0.1", port)).backlog(BACKLOG).reuse_port(shared), || ())
}

pub fn port(server: &Server) -> io::Result<u16> {
    server.address().and_then(|address| address.port()).ok_or_else(|| io::Error::other("it does not listen"))
}
