//! A temporary folder with what a server of static files needs.

use super::super::handlers::{HELLO, PIECE};
use super::DOWNLOAD;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder with the files `www/hello` and `www/download-…`.
    pub fn new(name: &str) -> io::Result<Folder> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("oneloop-{name}-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let folder = Folder(folder);
        let www = folder.path().join("www");
        fs::create_dir(&www)?;
        fs::write(www.join("hello"), HELLO)?;
        fs::write(www.join(format!("download-{DOWNLOAD}")), PIECE.repeat(DOWNLOAD / PIECE.len()))?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it, and says where.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let file = self.0.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays lies in the temporary folder of the system.
        let _ = fs::remove_dir_all(&self.0);
    }
}
