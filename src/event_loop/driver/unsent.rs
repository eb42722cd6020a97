use super::Io;

/// How many unsent bytes the kernel takes for a connection (`TCP_NOTSENT_LOWAT`), besides those in flight.
///
/// The kernel reports room when less than half of the limit is unsent. That is also all that the program sees of a peer's
/// progress, so a peer must take half of the limit within [`Limits::write_stall`](crate::http::Limits::write_stall): the
/// larger the limit, the sooner a slow peer is cut. And the larger the limit, the more is sent for each event.
///
/// | limit | the slowest peer that is not cut (60 s) | CPU for 1 GiB by `sendfile` |
/// |---|--:|--:|
/// | 1 MiB | 8.7 kB/s | 180 ms |
/// | 2 MiB | 17 kB/s | 174 ms |
/// | 4 MiB | 35 kB/s | 149 ms (nginx, without a limit: 145 ms) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// Bytes that the kernel copies: 128 KiB. Each connection has this limit at first. Without a limit the kernel takes
    /// megabytes for each peer that does not read, and a turn that fills them takes milliseconds: a few thousand such peers
    /// would use up the kernel's memory and hold up the loop. Peers that do read get as much as before, since the window of
    /// bytes in flight is not limited.
    Copied,
    /// Bytes of a file: 1 MiB. The file's pages are in the kernel's memory already, and it does not copy them.
    OfFile,
    /// Bytes of a file for a peer that takes them quickly: 4 MiB, which is what the kernel takes for a connection at most
    /// (`tcp_wmem`). For a peer of which nothing is known it would be too much: see the table.
    OfQuickFile,
}

impl Unsent {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const fn bytes(self) -> u32 {
        match self {
            Unsent::Copied => 128 * 1024,
            Unsent::OfFile => 1024 * 1024,
            Unsent::OfQuickFile => 4 * 1024 * 1024,
        }
    }

    /// Tells the kernel. Does nothing on systems other than Linux.
    pub(super) fn set(self, socket: &socket2::Socket) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Err(error) = socket.set_tcp_notsent_lowat(self.bytes()) {
            log::debug!(target: "oneloop::net", "TCP_NOTSENT_LOWAT is not to be had: {error}");
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = socket;
    }
}

impl Io {
    /// Sets the limit of unsent bytes, if this is a TCP connection.
    pub fn set_unsent(&self, unsent: Unsent) {
        if let Io::Tcp(io) = self {
            unsent.set(&socket2::SockRef::from(io));
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_kernel_is_told_the_limit() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let io = Io::Tcp(mio::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        for unsent in [Unsent::OfQuickFile, Unsent::OfFile, Unsent::Copied] {
            io.set_unsent(unsent);
            let Io::Tcp(socket) = &io else { unreachable!() };
            assert_eq!(socket2::SockRef::from(socket).tcp_notsent_lowat().unwrap(), unsent.bytes());
        }
    }
}
