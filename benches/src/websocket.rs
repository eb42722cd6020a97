//! The traffic of WebSockets: frames as a client sends them, and a blocking client.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long one answer may take before the server counts as hung.
const PATIENCE: Duration = Duration::from_secs(20);
/// The key of the masks. Any key will do: all of its bytes differ, and none is 0.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The place that sends each message back.
pub const ECHO: &str = "/echo";
/// The place whose sockets are sent what comes to [`PUBLISH`] and [`EACH`].
pub const SUBSCRIBE: &str = "/topic/subscribe";
/// The place where a message is published for all that came by [`SUBSCRIBE`].
pub const PUBLISH: &str = "/topic/publish";
/// The place where a message is sent to all that came by [`SUBSCRIBE`], one after the other.
pub const EACH: &str = "/topic/each";

/// The request for a socket at a path.
pub fn handshake(path: &str, port: u16) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A message of so many bytes: text, or binary.
pub fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 26) as u8).collect()
}

/// The head of a frame with a whole message.
fn head(text: bool, masked: bool, length: usize) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut head = vec![if text { 0x81 } else { 0x82 }];
    match length {
        0..126 => head.push(mask | length as u8),
        126..0x1_0000 => {
            head.push(mask | 126);
            head.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}

/// A message as a client sends it: masked.
pub fn sent(text: bool, content: &[u8]) -> Vec<u8> {
    let mut frame = head(text, true, content.len());
    frame.extend_from_slice(&KEY);
    frame.extend(content.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The same message as a server sends it.
pub fn answered(text: bool, content: &[u8]) -> Vec<u8> {
    [&head(text, false, content.len()), content].concat()
}

/// A blocking client with one socket.
pub struct Client {
    stream: TcpStream,
    landing: Vec<u8>,
}

impl Client {
    /// Opens a socket at a path of a server on this machine.
    pub fn open(port: u16, path: &str) -> io::Result<Client> {
        Client::over(TcpStream::connect(("127.0.0.1", port))?, port, path)
    }

    /// Opens a socket over a connection.
    pub fn over(mut stream: TcpStream, port: u16, path: &str) -> io::Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(handshake(path, port).as_bytes())?;
        let mut head = Vec::new();
        // Byte by byte, so that nothing behind the head is read.
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other(format!("no socket: {}", String::from_utf8_lossy(&head))));
        }
        Ok(Client { stream, landing: Vec::new() })
    }

    /// Sends frames.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// Waits for exactly these bytes.
    pub fn expect(&mut self, frames: &[u8]) -> io::Result<()> {
        self.landing.resize(frames.len(), 0);
        self.stream.read_exact(&mut self.landing)?;
        if self.landing != frames {
            let shown = self.landing.get(..100).unwrap_or(&self.landing);
            return Err(io::Error::other(format!("wrong frames: {:?}…", String::from_utf8_lossy(shown))));
        }
        Ok(())
    }

    /// The connection, on which nothing is left to be read.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shortest_heads_and_are_masked_on_the_way_to_the_server() {
        assert_eq!(answered(true, b"Hello"), b"\x81\x05Hello");
        assert_eq!(sent(true, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        for (length, head) in [(125, 2), (126, 4), (0xffff, 4), (0x1_0000, 10)] {
            assert_eq!(answered(false, &content(length)).len(), length + head);
            assert_eq!(sent(false, &content(length)).len(), length + head + 4);
        }
    }
}
