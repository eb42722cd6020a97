//! Responses as a client reads them, as they come.

use std::mem;

/// A field that an answer of the library itself keeps, as it keeps all whose names begin like this.
pub const KEPT_ID: &str = "access-control-id";

#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// Whose it says it is.
    pub id: Option<u32>,
    pub closes: bool,
    pub body: Vec<u8>,
    pub trailer: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Head,
    Length(usize),
    Size,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    UntilClose,
    /// After an upgrade: the bytes are nobody's responses.
    Tunnel,
}

pub struct Reader {
    /// For each response, in order: true if its request was HEAD.
    heads: Vec<bool>,
    /// Which of them is to CONNECT.
    connect: Option<usize>,
    state: State,
    rest: Vec<u8>,
    current: Reply,
    /// Those that are whole. Informational ones are only counted.
    pub replies: Vec<Reply>,
    pub informational: u32,
    pub tunnel: Vec<u8>,
    pub fault: Option<String>,
}

impl Reader {
    pub fn new(heads: Vec<bool>, connect: Option<usize>) -> Reader {
        Reader {
            heads,
            connect,
            state: State::Head,
            rest: Vec::new(),
            current: Reply::default(),
            replies: Vec::new(),
            informational: 0,
            tunnel: Vec::new(),
            fault: None,
        }
    }

    /// Returns whether a part of a response has come, but not the rest.
    pub fn has_part(&self) -> bool {
        self.state != State::Tunnel && (self.state != State::Head || !self.rest.is_empty())
    }

    /// So many bytes came after the upgrade, which has come.
    pub fn has_tunnelled(&self, bytes: usize) -> bool {
        self.state == State::Tunnel && self.tunnel.len() >= bytes
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while self.fault.is_none() {
            match self.step(at) {
                Ok(0) => break,
                Ok(taken) => at += taken,
                Err(fault) => self.fault = Some(fault),
            }
        }
        self.rest.drain(..at);
    }

    /// The server has ended.
    pub fn end(&mut self) {
        if self.state == State::UntilClose {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.state = State::Head;
        self.replies.push(mem::take(&mut self.current));
    }

    /// Takes the next piece behind `at`; 0 where more has to come.
    fn step(&mut self, at: usize) -> Result<usize, String> {
        let rest = &self.rest[at..];
        if rest.is_empty() {
            return Ok(0);
        }
        match self.state {
            State::Head => match rest.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => {
                    let head = String::from_utf8(rest[..end].to_vec()).map_err(|error| error.to_string())?;
                    self.head(&head)?;
                    Ok(end + 4)
                }
                None => Ok(0),
            },
            State::Length(left) | State::Chunk(left) => {
                let taken = left.min(rest.len());
                self.current.body.extend_from_slice(&rest[..taken]);
                match (self.state, left - taken) {
                    (State::Length(_), 0) => self.finish(),
                    (State::Length(_), left) => self.state = State::Length(left),
                    (_, 0) => self.state = State::ChunkEnd,
                    (_, left) => self.state = State::Chunk(left),
                }
                Ok(taken)
            }
            State::UntilClose => {
                self.current.body.extend_from_slice(rest);
                Ok(rest.len())
            }
            State::Tunnel => {
                self.tunnel.extend_from_slice(rest);
                Ok(rest.len())
            }
            State::Size | State::ChunkEnd | State::Trailers => {
                let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(0) };
                let line = String::from_utf8_lossy(&rest[..end]).into_owned();
                self.line(&line)?;
                Ok(end + 2)
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        match self.state {
            State::ChunkEnd if line.is_empty() => self.state = State::Size,
            State::ChunkEnd => return Err(format!("{line:?} behind a chunk")),
            State::Size => match usize::from_str_radix(line, 16) {
                Ok(0) => self.state = State::Trailers,
                Ok(size) => self.state = State::Chunk(size),
                Err(_) => return Err(format!("{line:?} as the size of a chunk")),
            },
            _ if line.is_empty() => self.finish(),
            _ => self.current.trailer = line.strip_prefix("X-Trailer: ").and_then(|id| id.parse().ok()),
        }
        Ok(())
    }

    fn head(&mut self, head: &str) -> Result<(), String> {
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|text| text.parse().ok());
        let Some(status) = status else { return Err(format!("{line:?} as a status line")) };
        if status == 101 || status == 200 && self.connect == Some(self.replies.len()) {
            self.state = State::Tunnel;
            return Ok(());
        }
        if status < 200 {
            self.informational += 1;
            return Ok(());
        }
        self.current.status = status;
        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let Some((name, value)) = line.split_once(": ") else { return Err(format!("{line:?} as a field")) };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok(),
                "transfer-encoding" => chunked = true,
                "connection" => self.current.closes = value == "close",
                "x-id" | KEPT_ID => self.current.id = value.parse().ok(),
                _ => {}
            }
        }
        let bodiless = self.heads.get(self.replies.len()).is_some_and(|head| *head) || matches!(status, 204 | 304);
        self.state = match length {
            _ if bodiless => State::Length(0),
            Some(_) if chunked => return Err("a length and a coding".to_owned()),
            Some(length) => State::Length(length),
            None if chunked => State::Size,
            None => State::UntilClose,
        };
        if self.state == State::Length(0) {
            self.finish();
        }
        Ok(())
    }
}
