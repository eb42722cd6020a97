//! The ceiling: one thread on mio that writes a canned request, and reads until as many bytes have come as the canned response has. It looks
//! at no byte, keeps no deadline and does not know what was answered.

use super::{IN_FLIGHT, PATH, on_demand};
use crate::canned::{ANSWER, BODY};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;

struct Connection {
    stream: TcpStream,
    come: usize,
}

pub fn ask(port: u16) -> io::Result<()> {
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let mut poll = Poll::new()?;
    let mut connections = Vec::new();
    for number in 0..IN_FLIGHT {
        let stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        connections.push(Connection { stream, come: 0 });
    }
    let (mut events, mut landing) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    on_demand(|count| {
        let (mut begun, mut over) = (0, 0);
        let send = |connection: &mut Connection| match connection.stream.write(request.as_bytes())? {
            written if written == request.len() => Ok(()),
            _ => Err(io::Error::other("a request did not fit")),
        };
        for connection in connections.iter_mut().take(count) {
            send(connection)?;
            begun += 1;
        }
        while over < count {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                let connection = &mut connections[event.token().0];
                match connection.stream.read(&mut landing) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(bytes) => connection.come += bytes,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                }
                if connection.come == ANSWER.len() {
                    connection.come = 0;
                    over += 1;
                    if begun < count {
                        begun += 1;
                        send(connection)?;
                    }
                }
            }
        }
        Ok((over * BODY.len()) as u64)
    })
}
