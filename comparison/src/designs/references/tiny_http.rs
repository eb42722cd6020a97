//! tiny_http: its own threads read the connections; the requests are answered by ours, as its documentation shows.

use super::super::handlers::{self, CONTENT_TYPE, DONE, HELLO, NOT_FOUND, PIECE, Work};
use super::super::{Listening, Setup};
use std::io::{self, Read};
use std::thread;
use tiny_http::{Header, Request, Response, Server};

pub const SERVES: &[&str] = &["/", "/wait", "/block", "/cpu", "/upload", "/download"];

pub fn serve(setup: &Setup, listening: Listening) -> io::Result<()> {
    let server = Server::http(("127.0.0.1", setup.port)).map_err(io::Error::other)?;
    let address = server.server_addr().to_ip().ok_or_else(|| io::Error::other("no address"))?;
    let content_type = Header::from_bytes("Content-Type", CONTENT_TYPE)
        .map_err(|()| io::Error::other("its header type refused the content type"))?;
    listening(address.port());
    thread::scope(|scope| {
        for _ in 0..setup.threads {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    // A peer that is gone needs no answer.
                    let _ = answer(request, &content_type, setup.work_per_ms);
                }
            });
        }
    });
    Ok(())
}

fn answer(mut request: Request, content_type: &Header, work_per_ms: u64) -> io::Result<()> {
    let (path, query) =
        request.url().split_once('?').map_or((request.url(), None), |(path, query)| (path, Some(query)));
    let (mut status, mut text) = (200, DONE.to_owned());
    match Work::of(request.method().as_str(), path, query) {
        Work::Hello => text = HELLO.to_owned(),
        Work::Wait(time) | Work::Block(time) => thread::sleep(time),
        Work::Cpu(ms) => text = handlers::burn(ms * work_per_ms),
        Work::Upload => text = io::copy(request.as_reader(), &mut io::sink())?.to_string(),
        Work::Download(bytes) => {
            let body = io::repeat(PIECE[0]).take(bytes);
            let length = usize::try_from(bytes).map_err(io::Error::other)?;
            let download = Response::new(200.into(), vec![content_type.clone()], body, Some(length), None);
            // Above its own threshold it would send chunks.
            return request.respond(download.with_chunked_threshold(usize::MAX));
        }
        Work::Event | Work::Publish | Work::Unknown => (status, text) = (404, NOT_FOUND.to_owned()),
    }
    request.respond(Response::from_string(text).with_status_code(status).with_header(content_type.clone()))
}
