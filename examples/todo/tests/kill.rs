//! The program, killed while a hundred clients write: what was acknowledged is there afterwards.

use rusqlite::Connection;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 100;
/// So many writes are acknowledged before the program is killed: some from each writer, and all of them in the middle of another.
const ACKNOWLEDGED: usize = 500;

#[test]
fn a_killed_program_has_lost_no_write_that_it_acknowledged() {
    let folder = std::env::temp_dir().join(format!("todo-kill-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("todo.db");
    let mut server = Command::new(env!("CARGO_BIN_EXE_todo"))
        .args(["--port", "0", "--open", "--db"])
        .arg(&file)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let port = port(&mut server);

    let (told, acknowledged) = channel();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let told = told.clone();
            thread::spawn(move || write(port, writer, &told))
        })
        .collect();
    drop(told);
    let patience = Duration::from_secs(60);
    let mut titles: HashSet<String> =
        (0..ACKNOWLEDGED).map(|_| acknowledged.recv_timeout(patience).expect("the writes stopped")).collect();
    server.kill().unwrap();
    server.wait().unwrap();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    titles.extend(acknowledged);

    let database = Connection::open(&file).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let mut query = database.prepare("SELECT title FROM todos").unwrap();
    let kept: HashSet<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let lost: Vec<_> = titles.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), titles.len());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Adds one todo after the other, and tells of each that was acknowledged, until the server is gone.
fn write(port: u16, writer: usize, told: &Sender<String>) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    for number in 0.. {
        let title = format!("{writer}/{number}");
        let body = format!("{{\"title\":\"{title}\"}}");
        let request = format!(
            "POST /api/todos HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(request.as_bytes()).is_err() {
            return;
        }
        let mut answer = String::new();
        while !answer.contains(&format!("\"title\":\"{title}\"")) {
            let mut bytes = [0; 4096];
            match stream.read(&mut bytes) {
                Ok(length @ 1..) => answer.push_str(&String::from_utf8_lossy(&bytes[..length])),
                _ => return,
            }
            if answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5") {
                return;
            }
        }
        let _ = told.send(title);
    }
}

fn port(server: &mut Child) -> u16 {
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port: {line}"))
}
