//! Bytes from a file into a connection.

use super::Io;
use super::world::Sendfile;
use std::fs::File;
use std::io::{self, ErrorKind};

/// Bytes that are copied at a time, where the kernel does not do it by itself.
const COPIED: usize = 64 * 1024;

impl Io {
    /// Returns whether [`Io::send_file`] is for this connection. Elsewhere a file is read by a worker, and written as what the
    /// program has in memory. On the BSDs and macOS `socket2` does not tell how much a `sendfile` that was interrupted has sent.
    pub fn sends_files(&self) -> bool {
        match self {
            Io::Sim(io) => io.sendfile() != Sendfile::Missing,
            _ => cfg!(any(target_os = "linux", target_os = "android")),
        }
    }

    /// Sends `most` bytes of a file at most, from `offset` on, without a copy through the program (`sendfile`). Returns how many
    /// the connection took; 0 says that the file ends there. Waits for the disk where the file is not in memory.
    pub fn send_file(&self, file: &File, offset: u64, most: usize) -> io::Result<usize> {
        match self.send_file_uncopied(file, offset, most) {
            // Not every file system has it.
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

/// Reads from `offset` on, wherever the file's own position is; on Unix it stays there.
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
