//! A small curl: writes what a URL has to standard output, and the head, the progress and the times to standard error. Try:
//! `cargo run --example hello`, then `cargo run --example get -- http://localhost:7777/`

use oneloop::{clock, http};
use std::cell::Cell;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: get http://host:port/path");
        return ExitCode::from(2);
    };
    let (began, whole) = (clock(), Rc::new(Cell::new(false)));
    let done = whole.clone();
    let req = http::get(&url, move |res| {
        let head = clock();
        eprintln!("< {} {}", res.status(), res.status_message());
        for (name, value) in res.headers() {
            eprintln!("< {name}: {value}");
        }
        let length = res.header("content-length").and_then(|length| length.parse::<usize>().ok());
        let got = Rc::new(Cell::new(0));
        let count = got.clone();
        res.on_data(move |res, bytes| {
            if std::io::stdout().write_all(bytes).is_err() {
                return res.destroy(); // the reader of our output is gone
            }
            got.set(got.get() + bytes.len());
            if let Some(length) = length.filter(|length| *length > 1024 * 1024) {
                eprint!("\r* {} %", got.get() * 100 / length);
            }
        });
        res.on_end(move |_| done.set(true));
        res.on_close(move |_, reason| {
            eprintln!(
                "\n* {} bytes, {reason}: {:?} to the head, {:?} in all",
                count.get(),
                head - began,
                clock() - began
            );
        });
    });
    req.set_timeout(Duration::from_secs(300));
    req.on_error(|_, error| eprintln!("{error}"));
    match oneloop::run() {
        Ok(()) if whole.get() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
