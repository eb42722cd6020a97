//! Shared by the examples: the port on which they listen, and the line that says so.

use oneloop::net::Address;
use std::io::Write;

/// The port: the argument with this number, or `PORT`, or 7777. 0 takes a free one.
pub fn port(argument: usize) -> u16 {
    let given = std::env::args().nth(argument).or_else(|| std::env::var("PORT").ok());
    match given.map(|text| text.parse()) {
        None => 7777,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            eprintln!("the port has to be a number from 0 to 65535");
            std::process::exit(2);
        }
    }
}

/// Prints where a server listens.
pub fn announce(what: &str, address: Option<Address>) {
    if let Some(port) = address.and_then(|address| address.port()) {
        // If the reader of standard output is gone (`… | head -1`), `println!` would panic.
        let _ = writeln!(std::io::stdout(), "{what} listening on http://localhost:{port}");
    }
}
