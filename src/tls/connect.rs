use super::Client;
use crate::net::{self, Socket, Target};
use crate::secure::{HANDSHAKE, Side};

/// Connects to a server, and makes the connection secure. `connected` is called once, when the handshake is over. If the connection
/// cannot be made, or if the server is not who it should be, `on_error` gets the reason in words, and `on_close` follows, in the closing
/// phase. What is written before goes when the handshake is over. For no callback, give `|_| ()`.
///
/// The server has to show a certificate for the host of `to`, signed by somebody whom the [`Client`] trusts. The handshake may take
/// 10 s, in addition to the time for the connection ([`Target::timeout`]).
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::tls;
///
/// let made = tls::SelfSigned::new(["127.0.0.1"])?;
/// let server = tls::create_server(tls::Context::new(made.identity())?, |socket| socket.end("secret\n"));
/// server.listen(7777, ())?;
///
/// let client = tls::Client::trusting(tls::Roots::from_pem(made.certificate_pem())?)?;
/// let socket = tls::connect(("127.0.0.1", 7777), &client, |socket| println!("{:?}", socket.tls()));
/// socket.on_data(|_, bytes| assert_eq!(bytes, b"secret\n"));
/// # sim.settle();
/// # assert_eq!(socket.bytes_read(), 7);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn connect(to: impl Into<Target>, client: &Client, connected: impl FnOnce(&Socket) + 'static) -> Socket {
    let to = to.into();
    let name = to.host();
    let socket = net::connect(to, |_| ());
    socket.secure_later(Side::from((client, &*name)), HANDSHAKE);
    socket.on_secure(connected);
    socket
}
