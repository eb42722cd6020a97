//! Two threads that take all they can get: one pipelines requests without end, one uploads without end.

use super::numbers;
use crate::child::Launch;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// The role of their process.
pub const ROLE: &str = "greedy";
/// How many requests the pipeliner writes at a time.
const BATCH: usize = 512;
/// The size of a chunk of the upload, in bytes.
const CHUNK: usize = 64 * 1024;

/// How to start their process. It goes on until its standard input ends, and then prints what it got.
pub fn launch(port: u16) -> io::Result<Launch> {
    Ok(Launch::own(ROLE)?.arg(port.to_string()))
}

/// The main function of their process, with the argument PORT.
pub fn main(args: &[String]) -> io::Result<()> {
    let [port] = numbers::<1>(args)?;
    let connect = || TcpStream::connect(("127.0.0.1", port as u16));
    let (received, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();

    let mut pipeliner = connect()?;
    let mut answers = pipeliner.try_clone()?;
    thread::spawn(move || {
        let batch = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(BATCH);
        while pipeliner.write_all(batch.as_bytes()).is_ok() {}
    });
    let count = received.clone();
    thread::spawn(move || {
        let mut landing = vec![0; 256 * 1024];
        while let Ok(bytes @ 1..) = answers.read(&mut landing) {
            count.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    });

    let mut uploader = connect()?;
    let count = sent.clone();
    thread::spawn(move || {
        let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
        chunk.resize(chunk.len() + CHUNK, b'x');
        chunk.extend_from_slice(b"\r\n");
        let head = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let begun = uploader.write_all(head.as_bytes());
        while begun.is_ok() && uploader.write_all(&chunk).is_ok() {
            count.fetch_add(CHUNK as u64, Ordering::Relaxed);
        }
    });

    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    let seconds = began.elapsed().as_secs_f64();
    let megabytes = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) as f64 / 1e6 / seconds;
    println!(
        "the pipeliner got {:.1} MB/s of answers, the uploader sent {:.1} MB/s",
        megabytes(&received),
        megabytes(&sent)
    );
    std::process::exit(0)
}
