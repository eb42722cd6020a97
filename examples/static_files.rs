//! Serves the files of a folder. Try: `cargo run --example static_files .`, then `curl -i -r 0-9 http://localhost:7777/README.md`
//!
//! `index.html` answers for its folder; `send_file` does ranges and caching. Nothing outside of the folder is sent,
//! whatever the path is made of, and no file whose name begins with a dot, except those in the folder `.well-known` (RFC
//! 8615), with which certificates are renewed.
//!
//! The folder is the first argument; the port the second, or `PORT`, or 7777; 0 takes a free one.

use oneloop::http::{self, Request, Response};
use oneloop::worker;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

#[path = "support/port.rs"]
mod port;

/// The only name with a dot that is served, at the top of the folder.
const WELL_KNOWN: &str = ".well-known";

fn main() -> io::Result<()> {
    env_logger::init();
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: static_files DIR [PORT]");
        std::process::exit(2);
    };
    let root: Arc<Path> = fs::canonicalize(folder)?.into();
    let server = http::create_server(move |req, res| {
        if !matches!(req.method(), "GET" | "HEAD") {
            res.set_header("Allow", "GET, HEAD");
            return res.set_status(405).end("Files can only be read\n");
        }
        let Some(relative) = relative(req.path()) else { return not_found(&res) };
        let root = root.clone();
        worker::run(
            move || locate(&root, &relative),
            move |place| match place {
                Ok(Some(Place::File(path))) => {
                    // Browsers may keep it, but ask each time whether it has changed; the answer then is a short 304.
                    res.set_header("Cache-Control", "no-cache");
                    res.set_header("X-Content-Type-Options", "nosniff");
                    res.send_file(path);
                }
                Ok(Some(Place::Folder)) => redirect(&req, &res),
                Ok(None) => not_found(&res),
                Err(_) => res.set_status(503).end("Too much to do, come again\n"),
            },
        );
    });
    let listening = server.clone();
    server.listen(port::port(2), move || port::announce("Files", listening.address()))?;
    oneloop::run()
}

fn not_found(res: &Response) {
    res.set_status(404).end("There is no such file\n");
}

/// Redirects to the path with a slash at its end, because links in a folder's page are relative to the folder. (The path
/// begins with a single slash, see `relative`; two would lead to another host.)
fn redirect(req: &Request, res: &Response) {
    let query = req.query().map(|query| format!("?{query}")).unwrap_or_default();
    res.set_header("Location", format!("{}/{query}", req.path()));
    res.set_status(308).end(());
}

/// The path of a file below the folder, for the path of a request. `None` if there can be no such file.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let (folders, file) = path.rsplit_once('/').map_or((None, path), |(folders, file)| (Some(folders), file));
    let file = if file.is_empty() { "index.html" } else { file };
    let names = folders.into_iter().flat_map(|folders| folders.split('/')).chain([file]);
    names.enumerate().map(|(at, encoded)| name(encoded).filter(|name| !is_hidden(at, name.as_ref()))).collect()
}

/// Returns whether a name is not served. `at` is its place in the path below the folder.
fn is_hidden(at: usize, name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") && !(at == 0 && name == WELL_KNOWN)
}

/// Decodes one name of a path. `None` if it is `..`, or holds a separator or NUL.
fn name(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { digit(bytes.next())? * 16 + digit(bytes.next())? } else { byte });
    }
    let name = String::from_utf8(decoded).ok().filter(|name| !name.contains(['\\', '\0']))?;
    let mut components = Path::new(&name).components();
    let plain = matches!(components.next(), Some(Component::Normal(only)) if only == name.as_str());
    plain.then_some(name)
}

fn digit(hexadecimal: Option<u8>) -> Option<u8> {
    char::from(hexadecimal?).to_digit(16).and_then(|digit| digit.try_into().ok())
}

enum Place {
    File(PathBuf),
    Folder,
}

/// Finds a file, following links. Runs on a worker. `None` if there is nothing, or if it is outside of the folder or
/// hidden.
fn locate(root: &Path, relative: &Path) -> Option<Place> {
    let path = root.join(relative).canonicalize().ok()?;
    let hidden = path.strip_prefix(root).ok()?.iter().enumerate().any(|(at, name)| is_hidden(at, name));
    (!hidden).then(|| if path.is_dir() { Place::Folder } else { Place::File(path) })
}
