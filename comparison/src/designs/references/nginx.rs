//! nginx: one loop a process, static files by `sendfile`.

use super::{DOWNLOAD, Folder, Reference, of_files};
use oneloop_benches::installed::{self, Processes};
use std::io;

pub fn prepare(workers: Option<usize>) -> io::Result<Option<Reference>> {
    let folder = Folder::new("nginx")?;
    let served = format!(
        "root {}/www;
        location = / {{ try_files /hello =404; }}
        location = /download {{ try_files /download-{DOWNLOAD} =404; }}",
        folder.path().display()
    );
    let nginx = installed::nginx(folder.path(), Processes::Workers(workers), &served)?;
    Ok(nginx.map(|nginx| of_files(folder, nginx)))
}
