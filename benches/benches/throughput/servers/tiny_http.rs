//! tiny_http: blocking threads from its own pool, one for each active connection. [`THREADS`] threads of ours answer the
//! requests, as its documentation shows.

use oneloop_benches::traffic::BODY;
use std::io;
use std::thread;
use tiny_http::{Header, Response, Server};

const THREADS: usize = 4;

pub fn serve() -> io::Result<()> {
    let server = Server::http("127.0.0.1:0").map_err(io::Error::other)?;
    let address = server.server_addr().to_ip().ok_or_else(|| io::Error::other("no address"))?;
    let content_type = Header::from_bytes("Content-Type", "text/plain; charset=utf-8")
        .map_err(|()| io::Error::other("its header type refused the content type"))?;
    super::announce(address.port());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    let _ = request.respond(Response::from_string(BODY).with_header(content_type.clone()));
                }
            });
        }
    });
    Ok(())
}
