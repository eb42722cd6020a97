//! A file that is not whole yet, or that nobody has asked to keep.

use crate::event_loop::driver::OpenFile;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// How many other names are tried if a name is taken.
const TRIES: usize = 4;

/// A file under a name that cannot be guessed. Dropping it removes the file, unless it got its final name.
pub(crate) struct Unfinished {
    path: PathBuf,
    /// `None` once it is closed.
    file: Option<File>,
    /// True once the file has its final name.
    kept: bool,
    _counted: Option<OpenFile>,
}

impl Unfinished {
    /// Makes the file in the folder of this path. Other users of the system may read it as they may read any new file.
    pub fn create(for_path: &Path, counted: Option<OpenFile>) -> io::Result<Unfinished> {
        let folder = for_path.parent().filter(|_| for_path.file_name().is_some()).ok_or(ErrorKind::InvalidInput)?;
        Unfinished::in_folder(folder, OpenOptions::new().write(true).create_new(true), counted)
    }

    /// Makes the file in a folder. Only this user of the system may read it.
    #[cfg(feature = "app")]
    pub fn private(folder: &Path) -> io::Result<Unfinished> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Unfinished::in_folder(folder, &options, None)
    }

    fn in_folder(folder: &Path, options: &OpenOptions, counted: Option<OpenFile>) -> io::Result<Unfinished> {
        let mut tries = 0;
        loop {
            // The keys of `RandomState` are random, so nobody can guess the name and put a link to another file at that name.
            let path = folder.join(format!(".oneloop-{:016x}.part", RandomState::new().hash_one(tries)));
            match options.open(&path) {
                Ok(file) => return Ok(Unfinished { path, file: Some(file), kept: false, _counted: counted }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes on. Does nothing once the file is closed.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Where the file is now.
    #[cfg(feature = "app")]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the file, which keeps its name.
    #[cfg(feature = "app")]
    pub fn close(&mut self) {
        self.file = None;
    }

    /// Syncs the file to the disk and gives it its final name.
    pub fn finish(mut self, path: &Path) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::options().write(true).open(&self.path)?,
        };
        file.sync_all()?;
        drop(file);
        match fs::rename(&self.path, path) {
            // Another disk: the file is copied to a place beside its final one, and this one is removed.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => self.copy(path),
            Err(error) => Err(error),
            Ok(()) => {
                self.kept = true;
                Ok(())
            }
        }
    }

    fn copy(&self, path: &Path) -> io::Result<()> {
        let mut copy = Unfinished::create(path, None)?;
        if let Some(to) = &mut copy.file {
            io::copy(&mut File::open(&self.path)?, to)?;
        }
        copy.finish(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.file = None;
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}
