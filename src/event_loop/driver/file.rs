//! Sends bytes of a file on a connection.

use super::Io;
use super::world::Sendfile;
use std::fs::File;
use std::io::{self, ErrorKind};

/// How many bytes are copied at a time if the kernel has no `sendfile` for this file.
const COPIED: usize = 64 * 1024;

impl Io {
    /// Returns whether [`Io::send_file`] works for this connection. If not, a worker reads the file, and its bytes are
    /// written like any others. It does not work on the BSDs and macOS, where `socket2` does not tell how much an
    /// interrupted `sendfile` has sent.
    pub fn sends_files(&self) -> bool {
        match self {
            Io::Sim(io) => io.sendfile() != Sendfile::Missing,
            _ => cfg!(any(target_os = "linux", target_os = "android")),
        }
    }

    /// Sends at most `most` bytes of a file from `offset` on, without copying them through the program (`sendfile`).
    /// Returns how many the connection took; 0 means that the file ends at `offset`. Waits for the disk if the bytes are
    /// not in the page cache.
    pub fn send_file(&self, file: &File, offset: u64, most: usize) -> io::Result<usize> {
        match self.send_file_uncopied(file, offset, most) {
            // Not every file system supports `sendfile`.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                by_copy(self, file, offset, most)
            }
            sent => sent,
        }
    }

    fn send_file_uncopied(&self, file: &File, offset: u64, most: usize) -> io::Result<usize> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Io::Tcp(io) => by_kernel(&socket2::SockRef::from(io), file, offset, most),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Io::Unix(io) => by_kernel(&socket2::SockRef::from(io), file, offset, most),
            Io::Sim(io) if io.sendfile() == Sendfile::Works => by_copy(self, file, offset, most),
            _ => Err(ErrorKind::InvalidInput.into()),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_kernel(socket: &socket2::SockRef<'_>, file: &File, offset: u64, most: usize) -> io::Result<usize> {
    let offset = usize::try_from(offset).map_err(|_| ErrorKind::Unsupported)?;
    socket.sendfile(file, offset, std::num::NonZeroUsize::new(most))
}

fn by_copy(io: &Io, file: &File, offset: u64, most: usize) -> io::Result<usize> {
    let mut buffer = vec![0; most.min(COPIED)];
    let count = read_at(file, &mut buffer, offset)?;
    match buffer.get(..count) {
        Some(bytes @ [_, ..]) => io.write(bytes),
        _ => Ok(0),
    }
}

/// Reads from `offset` on, regardless of the file's own position. On Unix the position does not change.
pub(crate) fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match read_once(file, into, offset) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(unix)]
fn read_once(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(not(unix))]
fn read_once(mut file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(into)
}
