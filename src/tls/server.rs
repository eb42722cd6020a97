use super::Context;
use crate::net::{self, Server, Socket};

/// Makes a server whose connections are secure: Node's `tls.createServer`. It is the same [`net::Server`]; the loop
/// calls `on_connection` with each connection once its handshake is over. How long that may take: 10 s
/// ([`set_handshake_timeout`](crate::net::Server::set_handshake_timeout)).
///
/// ```no_run
/// use oneloop::tls;
///
/// let context = tls::Context::from_files("fullchain.pem", "privkey.pem")?;
/// let server = tls::create_server(context, |socket| {
///     socket.on_data(|socket, bytes| socket.write(bytes).ignore());
/// });
/// server.listen(7777, || println!("listening"))?;
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn create_server(context: Context, on_connection: impl FnMut(Socket) + 'static) -> Server {
    let server = net::create_server(on_connection);
    server.set_secure_context(context);
    server
}
