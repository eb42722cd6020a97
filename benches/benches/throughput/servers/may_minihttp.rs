//! may_minihttp: stackful coroutines, a minimal parser, no deadlines; the fastest published Rust server we know of.

use may_minihttp::{HttpServer, HttpService, Request, Response};
use oneloop_benches::traffic::BODY;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: text/plain; charset=utf-8").body(BODY);
        Ok(())
    }
}

pub fn serve() -> io::Result<()> {
    may::config().set_workers(1);
    // It does not tell which port it got, so it is given one that was free a moment before.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let server = HttpServer(Hello).start((Ipv4Addr::LOCALHOST, port))?;
    super::announce(port);
    server.join().map_err(|_| io::Error::other("its accept loop panicked"))
}
