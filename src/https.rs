//! HTTP over TLS: Node's module `https` (feature `tls`). The [guide](crate::guide::https) shows how to get a certificate, and how to
//! renew it.

use crate::http::{self, Answer, Request, Response, Server};
use crate::secure::Context;

/// Makes a server for HTTPS: the same [`http::Server`], whose connections are secure. All that a server and its
/// requests have is there; in addition, [`Request::tls`](crate::http::Request::tls) says what was agreed with the client. The context has
/// the certificate. It is replaced by [`set_secure_context`](crate::http::Server::set_secure_context) while the server runs.
///
/// A client that speaks HTTP without TLS gets a 400 that says so.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::{https, tls};
///
/// let made = tls::SelfSigned::new(["localhost"])?; // for development; else tls::Context::from_files
/// let server = https::create_server(tls::Context::new(made.identity())?, |_req, res| res.end("secret\n"));
/// server.listen(443, || println!("https://localhost"))?;
/// # let peer = sim.connect(443);
/// # peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// # sim.settle();
/// # assert!(peer.text().ends_with("this port speaks TLS; the URL begins with https://\r\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn create_server<R: Answer>(context: Context, on_request: impl FnMut(Request, Response) -> R + 'static) -> Server {
    let server = http::create_server(on_request);
    server.set_secure_context(context);
    server
}
