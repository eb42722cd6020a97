//! The bytes that clients of WebSockets send, beside what `sim::WebSocketPeer` has.

use super::http::PORT;
use oneloop::proto::ws::{FrameHead, Opcode, mask};
use oneloop::sim::{Sim, WebSocketPeer};

/// The key of RFC 6455, 1.3, and what answers it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A handshake as a browser sends it, with fields (whole lines) after the others.
pub fn handshake(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
    )
}

/// A frame of a client with any first byte.
pub fn frame(first: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    WebSocketPeer::frame(first, content)
}

/// A frame of a client that announces this length.
pub fn announced(first: u8, length: u64, content: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = Vec::new();
    FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: Some(key), length }.encode(&mut frame);
    frame[0] = first;
    let begin = frame.len();
    frame.extend_from_slice(content);
    mask(&mut frame[begin..], key, 0);
    frame
}

pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text)
}

pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A client whose handshake is written by the test.
pub fn client(sim: &Sim) -> WebSocketPeer {
    WebSocketPeer::on(&sim.connect(PORT))
}
