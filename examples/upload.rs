//! Stores a body in a file, off the loop. Try: `cargo run --example upload`, then `curl -i -T some.file http://localhost:7777`
//!
//! `curl` sends the file's name after the slash. A plain name is kept, any other is refused, and a body without a name gets
//! a number. A body that is cut off, or does not fit on the disk, leaves no file.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. The second argument is the largest size of a
//! body, in bytes.

use oneloop::http::{self, SaveError};
use std::io;

#[path = "support/port.rs"]
mod port;

/// Larger bodies are refused, unless the command line says otherwise.
const LARGEST: u64 = 1024 * 1024 * 1024;

fn main() -> io::Result<()> {
    env_logger::init();
    let largest = std::env::args().nth(2).and_then(|number| number.parse().ok()).unwrap_or(LARGEST);
    let mut serial = 0;
    let server = http::create_server(move |req, res| {
        if !matches!(req.method(), "PUT" | "POST") {
            res.set_header("Allow", "PUT, POST");
            return res.set_status(405).end("Send a body with PUT or POST\n");
        }
        let name = req.path().trim_start_matches('/');
        if !is_plain(name) {
            return res.set_status(400).end("Such a name is not taken\n");
        }
        serial += 1;
        let file = format!("oneloop-upload-{}-{serial}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file.trim_end_matches('-'));
        let at = path.clone();
        req.save_to(path, largest, move |saved| match saved {
            Ok(size) => res.set_status(201).end(format!("{size} bytes in {}\n", at.display())),
            Err(SaveError::TooLarge { .. }) => res.set_status(413).end("That is too much\n"),
            Err(error) => {
                log::error!("the upload failed: {error}");
                res.set_status(500).end("It could not be stored\n");
            }
        });
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Upload", listening.address()))?;
    oneloop::run()
}

/// Returns whether a name has only letters and digits, with dots and dashes between them: on no system can it mean another
/// folder or a hidden file.
fn is_plain(name: &str) -> bool {
    name.len() <= 100
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
