//! The traffic: the requests of each case, and how the end of an answer is found.

use memchr::memmem;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long one answer of the checks may take before the server counts as hung.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body with which every server here answers `GET /`: the one of `examples/hello`.
pub const BODY: &str = "Hello from one loop\n";

/// The eight fields that a desktop browser sends besides `Host`, about 520 bytes.
const BROWSER_FIELDS: [(&str, &str); 8] = [
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Referer", "http://localhost/a/page/before/this/one?from=bookmarks&sort=newest"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7"),
    ("Cookie", "session=6f1c0e3a9b7d4258a1c2e3f405162738; theme=dark; consent=necessary"),
];

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name in the command line and in the tables.
    pub name: &'static str,
    /// The number of keep-alive connections. Each has one batch under way at any time.
    pub connections: usize,
    /// The number of requests in a batch: 1, or more if they are pipelined.
    pub depth: usize,
    /// True if a request has the eight fields of a browser.
    pub browser: bool,
    /// The path that is asked for.
    pub path: &'static str,
    /// The heading of its table.
    pub about: &'static str,
}

/// The case from which the others differ.
pub const KA64: Case =
    Case { name: "ka64", connections: 64, depth: 1, browser: false, path: "/", about: "keep-alive, 64 connections" };

/// All cases of `hello` and its peers.
pub const CASES: [Case; 4] = [
    KA64,
    Case { name: "ka256", connections: 256, about: "keep-alive, 256 connections", ..KA64 },
    Case { name: "pipe16", depth: 16, about: "16 requests pipelined, 64 connections", ..KA64 },
    Case { name: "browser", browser: true, about: "eight browser fields, 64 connections", ..KA64 },
];

impl Case {
    /// The case of that name.
    pub fn named(name: &str) -> Option<Case> {
        CASES.into_iter().find(|case| case.name == name)
    }

    /// The bytes of one batch.
    pub fn batch(&self, port: u16) -> Vec<u8> {
        let mut request = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", self.path);
        if self.browser {
            for (name, value) in BROWSER_FIELDS {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        request.push_str("\r\n");
        request.repeat(self.depth).into_bytes()
    }
}

/// One whole answer at the beginning of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, blank line included.
    pub head: usize,
    /// Bytes of head and body.
    pub length: usize,
}

/// Finds the answer at the beginning of `bytes`; `None` while it is not whole.
///
/// It reads only what the servers of these benches send (`Content-Length`), and anything else is an error.
pub fn answer(bytes: &[u8]) -> io::Result<Option<Answer>> {
    let mut start = 0;
    let mut body = None;
    while let Some(end) = memchr::memchr(b'\n', &bytes[start..]).map(|at| start + at) {
        let line = bytes[start..end].strip_suffix(b"\r").unwrap_or(&bytes[start..end]);
        start = end + 1;
        if line.is_empty() {
            let Some(body) = body else {
                return Err(io::Error::other("an answer without Content-Length, which this client does not read"));
            };
            let answer = Answer { status: status(bytes)?, head: start, length: start + body };
            return Ok((bytes.len() >= answer.length).then_some(answer));
        }
        const NAME: &[u8] = b"content-length:";
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            body = std::str::from_utf8(&line[NAME.len()..]).ok().and_then(|value| value.trim().parse::<usize>().ok());
        }
    }
    Ok(None)
}

fn status(bytes: &[u8]) -> io::Result<u16> {
    let digits = bytes.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::other("an answer without a status line"))
}

/// Counts requests without content by the blank lines that end them, in pieces of any size.
pub struct BlankLines(memmem::Finder<'static>);

const BLANK_LINE: &[u8] = b"\r\n\r\n";

impl Default for BlankLines {
    fn default() -> Self {
        BlankLines(memmem::Finder::new(BLANK_LINE))
    }
}

impl BlankLines {
    /// How many blank lines end in `bytes`. `begun` belongs to the connection: how many bytes of a blank line the previous
    /// piece ended with.
    #[inline]
    pub fn count(&self, begun: &mut usize, bytes: &[u8]) -> usize {
        let (mut count, bytes) = if *begun == 0 { (0, bytes) } else { go_on(begun, bytes) };
        let mut end = 0;
        for at in self.0.find_iter(bytes) {
            count += 1;
            end = at + BLANK_LINE.len();
        }
        let rest = &bytes[end..];
        if !rest.is_empty() {
            *begun = (1..BLANK_LINE.len()).rev().find(|n| rest.ends_with(&BLANK_LINE[..*n])).unwrap_or(0);
        }
        count
    }
}

/// Continues a blank line that the previous piece has begun. Returns whether it ended here (1) or not (0), and the bytes
/// after it.
#[cold]
fn go_on<'a>(begun: &mut usize, mut bytes: &'a [u8]) -> (usize, &'a [u8]) {
    while *begun > 0
        && let Some((first, rest)) = bytes.split_first()
    {
        *begun = match first {
            byte if *byte == BLANK_LINE[*begun] => *begun + 1,
            b'\r' => 1,
            _ => 0,
        };
        bytes = rest;
        if *begun == BLANK_LINE.len() {
            *begun = 0;
            return (1, bytes);
        }
    }
    (0, bytes)
}

/// A blocking client with one connection.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    landing: Box<[u8]>,
}

impl Client {
    /// Connects to a server on this machine.
    pub fn connect(port: u16) -> io::Result<Client> {
        Client::over(TcpStream::connect(("127.0.0.1", port))?)
    }

    /// Takes over an open connection.
    pub fn over(stream: TcpStream) -> io::Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, unread: Vec::new(), landing: vec![0; 16 * 1024].into() })
    }

    /// Sends a batch and waits for its `depth` answers, each of which must be a 200, with `body` if one is given. Returns
    /// the size of the last answer's head.
    pub fn exchange(&mut self, batch: &[u8], depth: usize, body: Option<&str>) -> io::Result<usize> {
        self.send(batch)?;
        self.receive(depth, body)
    }

    /// Sends a batch. Receive its answers before you send the next one.
    pub fn send(&mut self, batch: &[u8]) -> io::Result<()> {
        self.stream.write_all(batch)
    }

    /// Waits for the answers to a batch, as [`exchange`](Client::exchange) does.
    pub fn receive(&mut self, depth: usize, body: Option<&str>) -> io::Result<usize> {
        let (mut answered, mut head) = (0, 0);
        while answered < depth {
            let Some(answer) = answer(&self.unread)? else {
                match self.stream.read(&mut self.landing)? {
                    0 => return Err(io::Error::other(format!("closed after {answered} of {depth} answers"))),
                    n => self.unread.extend_from_slice(&self.landing[..n]),
                }
                continue;
            };
            let text = &self.unread[answer.head..answer.length];
            if answer.status != 200 {
                return Err(io::Error::other(format!("answered with status {}", answer.status)));
            }
            if body.is_some_and(|body| text != body.as_bytes()) {
                return Err(io::Error::other(format!("answered {:?}", String::from_utf8_lossy(text))));
            }
            head = answer.head;
            self.unread.drain(..answer.length);
            answered += 1;
        }
        Ok(head)
    }

    /// The connection, for a caller that only wants to keep it open.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let one = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\nDate: x\r\n\r\nhello";
        let two = [&one[..], &one[..]].concat();
        for cut in 0..one.len() {
            assert_eq!(answer(&one[..cut]).unwrap(), None);
        }
        let whole = Answer { status: 200, head: one.len() - 5, length: one.len() };
        assert_eq!(answer(&two).unwrap(), Some(whole));
        assert!(answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(answer(b"nonsense\r\nContent-Length: 1\r\n\r\nx").is_err());
    }

    #[test]
    fn blank_lines_are_counted_in_any_pieces() {
        let bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\r\n\r\n\r\n\r\n";
        let lines = BlankLines::default();
        assert_eq!(lines.count(&mut 0, bytes), 3);
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut begun = 0;
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let count: usize = pieces.iter().map(|piece| lines.count(&mut begun, piece)).sum();
                assert_eq!((count, begun), (3, 0), "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_batch_repeats_one_request() {
        let single = Case::named("ka64").unwrap().batch(80);
        assert_eq!(Case::named("pipe16").unwrap().batch(80), single.repeat(16));
        assert_eq!(Case::named("browser").unwrap().batch(80).iter().filter(|b| **b == b'\n').count(), 11);
    }
}
