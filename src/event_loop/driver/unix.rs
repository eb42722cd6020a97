//! Listening Unix sockets: those with a path in the file system, and those with an abstract name.

use super::ListenHow;
use super::address::with_name;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A listening Unix socket. Dropping it removes the path that it has bound, then closes it.
pub(crate) struct UnixListener {
    // Declared before the socket, so that it is dropped first: while the socket is open, no other socket can have its
    // inode number.
    _path: Option<OwnPath>,
    pub(super) io: mio::net::UnixListener,
}

impl UnixListener {
    pub fn bind(path: &Path, how: &ListenHow) -> io::Result<UnixListener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(path)?;
        match socket.bind(&address) {
            Err(error)
                if error.kind() == ErrorKind::AddrInUse && how.replace_stale && remove_stale(path, &address)? =>
            {
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        // From here on, a failure removes the path again.
        let path = OwnPath::of(path);
        if let (Some(mode), Some(path)) = (how.mode, &path) {
            // Before `listen`, so before anybody can connect.
            fs::set_permissions(&path.path, Permissions::from_mode(mode))?;
        }
        socket.listen(how.backlog)?;
        socket.set_nonblocking(true)?;
        Ok(UnixListener { _path: path, io: mio::net::UnixListener::from_std(socket.into()) })
    }

    /// Binds a name in Linux' abstract namespace.
    pub fn bind_name(name: &[u8], how: &ListenHow) -> io::Result<UnixListener> {
        let listener = std::os::unix::net::UnixListener::bind_addr(&with_name(name)?)?;
        SockRef::from(&listener).listen(how.backlog)?;
        UnixListener::inherited(listener)
    }

    /// Takes over a socket that is already listening. Its path, if it has one, is not removed.
    pub fn inherited(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener { _path: None, io: mio::net::UnixListener::from_std(listener) })
    }
}

/// A path, and the identity of the socket that was bound to it. The identity is needed because another process may since
/// have bound its own socket to the same path.
struct OwnPath {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode number.
type Identity = (u64, u64);

impl OwnPath {
    /// `None` if there is no socket at the path any more.
    fn of(path: &Path) -> Option<OwnPath> {
        Some(OwnPath { path: path.to_owned(), identity: socket_at(path)? })
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        match socket_at(&self.path) {
            Some(identity) if identity == self.identity => {
                let _ = fs::remove_file(&self.path);
            }
            Some(_) => {
                log::debug!(target: "oneloop::net", "{} is left: another socket is there", self.path.display());
            }
            None => {}
        }
    }
}

/// The identity of the socket at a path. `None` if nothing is at the path, or something that is not a socket.
fn socket_at(path: &Path) -> Option<Identity> {
    let found = fs::symlink_metadata(path).ok()?;
    found.file_type().is_socket().then_some((found.dev(), found.ino()))
}

/// Removes a socket on which nobody listens, such as a killed process leaves behind. Returns whether it was removed. A
/// socket that is in use stays, and so does anything that is not a socket.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<bool> {
    let Some(before) = socket_at(path) else { return Ok(false) };
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Non-blocking, because with a full backlog a blocking connect would wait. A full backlog shows that the socket is in use.
    probe.set_nonblocking(true)?;
    let nobody_listens = probe.connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    if !nobody_listens || socket_at(path) != Some(before) {
        return Ok(false);
    }
    fs::remove_file(path)?;
    crate::notice::info!(target: "oneloop::net", "{} was replaced: nobody listened there", path.display());
    Ok(true)
}
