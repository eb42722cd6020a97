//! The promises, each a function that tries to break it.

use super::client::{Client, connect, request};
use super::{MIB, Ports, WAITING};
use oneloop_benches::traffic;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

type Check = fn(Ports) -> io::Result<()>;

/// All of them.
pub const CHECKS: [(&str, Check); 11] = [
    ("every handler answers with oneloop's bytes", same_bytes),
    ("a head may come byte by byte", byte_by_byte),
    ("a head may be long, and not too long", long_head),
    ("a connection serves many requests", keep_alive),
    ("pipelined requests are answered in order", pipelined),
    ("an answer does not wait for the one behind it", not_held_back),
    ("a MiB is uploaded", upload),
    ("a MiB is downloaded", download),
    ("an event wakes all who wait", event),
    ("more clients than threads are all served", more_clients_than_threads),
    ("a late header ends the connection", late_header),
];

/// Whole conversations: what is sent before our FIN.
const CONVERSATIONS: [&str; 21] = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /wait?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /block?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /cpu?ms=3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /cpu HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbasil",
    "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbasil\r\n0\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nbasil",
    "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: wonders\r\n\r\nbasil",
    "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nbasil",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbasilGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /download?bytes=5 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /download HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /publish HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "no request\r\n\r\n",
];

fn same_bytes(ports: Ports) -> io::Result<()> {
    for conversation in CONVERSATIONS {
        let said = converse(ports.many, conversation.as_bytes())?;
        let expected = converse(ports.reference, conversation.as_bytes())?;
        if said != expected {
            return Err(io::Error::other(format!("to {conversation:?}: {said:?}, not {expected:?}")));
        }
    }
    Ok(())
}

/// All that comes back, without the Date.
fn converse(port: u16, bytes: &[u8]) -> io::Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect())
}

fn byte_by_byte(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    for _ in 0..2 {
        for byte in request("POST", "/upload", 3).iter().chain(b"abc") {
            client.stream.write_all(&[*byte])?;
        }
        client.expect(b"3")?;
    }
    Ok(())
}

fn long_head(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    for _ in 0..2 {
        client.stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")?;
        for _ in 0..15 {
            client.stream.write_all(format!("X: {}\r\n", "x".repeat(1000)).as_bytes())?;
        }
        client.stream.write_all(b"\r\n")?;
        client.expect(traffic::BODY.as_bytes())?;
    }
    let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(17 * 1024));
    let said = converse(ports.many, endless.as_bytes())?;
    if said.starts_with("HTTP/1.1 431 ") { Ok(()) } else { Err(io::Error::other(said)) }
}

fn keep_alive(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    for length in 0..100 {
        client.get(&format!("/download?bytes={length}"))?;
        client.expect(&vec![b'x'; length])?;
    }
    Ok(())
}

fn pipelined(ports: Ports) -> io::Result<()> {
    // More than any design's budget for one turn of a connection.
    const REQUESTS: usize = 300;
    let mut client = Client::connect(ports.many)?;
    let batch: Vec<u8> =
        (0..REQUESTS).flat_map(|length| request("GET", &format!("/download?bytes={length}"), 0)).collect();
    client.stream.write_all(&batch)?;
    (0..REQUESTS).try_for_each(|length| client.expect(&vec![b'x'; length]))
}

fn not_held_back(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    let both = [request("GET", "/", 0), request("GET", "/event", 0)].concat();
    client.stream.write_all(&both)?;
    client.expect(traffic::BODY.as_bytes())?;
    wake(ports, 1)?;
    client.expect(b"event\n")
}

fn upload(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    for _ in 0..2 {
        client.stream.write_all(&request("POST", "/upload", MIB))?;
        client.stream.write_all(&vec![b'x'; MIB])?;
        client.expect(b"1048576")?;
    }
    Ok(())
}

fn download(ports: Ports) -> io::Result<()> {
    let mut client = Client::connect(ports.many)?;
    for _ in 0..2 {
        client.get(&format!("/download?bytes={MIB}"))?;
        client.expect(&vec![b'x'; MIB])?;
    }
    Ok(())
}

pub fn event(ports: Ports) -> io::Result<()> {
    for _ in 0..2 {
        let mut waiting = Vec::new();
        for _ in 0..WAITING {
            let mut client = Client::connect(ports.many)?;
            client.get("/event")?;
            waiting.push(client);
        }
        wake(ports, WAITING)?;
        for client in &mut waiting {
            client.expect(b"event\n")?;
            // Such a connection is as good as any.
            client.get("/")?;
            client.expect(traffic::BODY.as_bytes())?;
        }
    }
    Ok(())
}

/// Publishes until so many were woken: it takes a while until all of them wait.
fn wake(ports: Ports, waiting: usize) -> io::Result<()> {
    let mut publisher = Client::connect(ports.many)?;
    let mut woken = 0;
    while woken < waiting {
        publisher.stream.write_all(&request("POST", "/publish", 0))?;
        let count = String::from_utf8(publisher.answer()?).map_err(io::Error::other)?;
        woken += count.parse::<usize>().map_err(io::Error::other)?;
    }
    if woken == waiting { Ok(()) } else { Err(io::Error::other(format!("{woken} were woken, not {waiting}"))) }
}

fn more_clients_than_threads(ports: Ports) -> io::Result<()> {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 20;
    let served = Arc::new(AtomicUsize::new(0));
    let client = move |served: &AtomicUsize| -> io::Result<()> {
        let mut client = Client::connect(ports.few)?;
        let mut answers = 0;
        // Nobody leaves before all were served, so that none is served for that reason alone.
        while served.load(Ordering::Relaxed) < CLIENTS {
            client.get("/wait?ms=1")?;
            client.expect(b"done\n")?;
            answers += 1;
            if answers == REQUESTS {
                served.fetch_add(1, Ordering::Relaxed);
            }
            if client.closes {
                client = Client::connect(ports.few)?;
            }
        }
        Ok(())
    };
    let spawn = |_| {
        let served = served.clone();
        thread::spawn(move || {
            let outcome = client(&served);
            if outcome.is_err() {
                // The others need not go on.
                served.fetch_add(CLIENTS, Ordering::Relaxed);
            }
            outcome
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(spawn).collect();
    clients.into_iter().try_for_each(|client| client.join().map_err(|_| io::Error::other("a client panicked"))?)
}

fn late_header(ports: Ports) -> io::Result<()> {
    let mut silent = connect(ports.few)?;
    let mut said = String::new();
    silent.read_to_string(&mut said)?;
    if !said.is_empty() {
        return Err(io::Error::other(format!("a silent peer was told {said:?}")));
    }
    for before in ["", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut late = connect(ports.few)?;
        late.write_all(format!("{before}GET / HT").as_bytes())?;
        said.clear();
        late.read_to_string(&mut said)?;
        if !said.contains("HTTP/1.1 408 Request Timeout\r\n") || !said.contains("\r\n\r\n408 Request Timeout") {
            return Err(io::Error::other(format!("a late peer was told {said:?}")));
        }
    }
    Ok(())
}
