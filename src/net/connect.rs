use super::dial::Dial;
use super::{Context, Socket, Target};
use crate::event_loop::current;
use std::panic::Location;

/// Connects. `connected` is called once, when the connection is made. If it cannot be made, `on_error` and `on_close` get
/// the reason, in the closing phase. Output that is written earlier is sent as soon as the connection is made. For no
/// callback, give `|_| ()`.
///
/// The worker pool looks up a host name; connections to the same name share a look-up that is under way. The addresses are
/// tried by the rules of RFC 8305: IPv6 and IPv4 in turn. Each attempt begins 250 ms after the one before, or as soon as
/// that one has failed. The first address that answers is taken; until then no attempt is given up. If all fail, the error
/// names each address with the reason of its failure.
///
/// ```
/// use oneloop::net;
/// # let server = net::create_server(|socket| socket.end("hello"));
/// # server.listen(("127.0.0.1", 0), || ())?;
/// # let port = server.address().unwrap().port().unwrap();
/// let socket = net::connect(("127.0.0.1", port), |socket| println!("connected to {socket:?}"));
/// socket.on_data(|_, bytes| println!("{} bytes", bytes.len()));
/// socket.on_close(move |_, reason| {
///     println!("closed: {reason}");
/// #     server.close(|| ());
/// });
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn connect(to: impl Into<Target>, connected: impl FnOnce(&Socket) + 'static) -> Socket {
    let Some(lp) = current() else {
        panic!("oneloop: net::connect was called while its thread ends: the loop is gone");
    };
    let cx = Context::of(&lp);
    let socket = Socket::connecting(&cx);
    socket.on_connect(connected);
    if let Some(stream) = socket.stream() {
        Dial::start(stream, to.into(), Location::caller());
    }
    socket
}
