//! A blocking client, one connection.

use oneloop_benches::traffic;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// After this time without a byte a server counts as hung.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
    /// The last answer said `Connection: close`.
    pub closes: bool,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        Ok(Client { stream: connect(port)?, unread: Vec::new(), closes: false })
    }

    pub fn get(&mut self, target: &str) -> io::Result<()> {
        self.stream.write_all(&request("GET", target, 0))
    }

    /// The body of the next answer, a 200.
    pub fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut landing = vec![0; 64 * 1024];
        loop {
            if let Some(answer) = traffic::answer(&self.unread)? {
                let head = String::from_utf8_lossy(&self.unread[..answer.head]).into_owned();
                let body = self.unread[answer.head..answer.length].to_vec();
                self.unread.drain(..answer.length);
                self.closes = head.contains("Connection: close\r\n");
                return if answer.status == 200 { Ok(body) } else { Err(io::Error::other(head)) };
            }
            match self.stream.read(&mut landing)? {
                0 => return Err(io::Error::other("closed before the answer was whole")),
                count => self.unread.extend_from_slice(&landing[..count]),
            }
        }
    }

    pub fn expect(&mut self, body: &[u8]) -> io::Result<()> {
        let answer = self.answer()?;
        if answer == body {
            return Ok(());
        }
        let begin = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let (came, wanted) = (begin(&answer), begin(body));
        Err(io::Error::other(format!("{} bytes, {came:?}, not {}, {wanted:?}", answer.len(), body.len())))
    }
}

pub fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The head of a request.
pub fn request(method: &str, target: &str, body: usize) -> Vec<u8> {
    let length = if method == "POST" { format!("Content-Length: {body}\r\n") } else { String::new() };
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n").into_bytes()
}
